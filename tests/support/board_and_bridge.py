"""An emulated Pico with the project's firmware, and a bridge session at the other end of its USB line."""

import functools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulated_pico import FILES_SIZE, BoardSilent, EmulatedPico
from littlefs_image import make_image
from support import require

from hardware import pins
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, Report
from lightclient.messages import EVENT, HELLO, STATUS, VERDICT

ROOT = Path(__file__).resolve().parent.parent.parent
_IMAGE = ROOT / ".cache" / "firmware" / "test.uf2"
_BUILD_TIMEOUT = 1200  # seconds: the first time, the Debian packages are downloaded and all is compiled
_MISSING = 2  # exit code of build-firmware.sh without a compiler


@functools.cache
def firmware_image() -> Path:
    """The image with the code as it is now, built at the first call. Skips (or fails) where there is no compiler."""
    script = ROOT / "tools" / "build-firmware.sh"
    run = subprocess.run([script, _IMAGE], capture_output=True, text=True, timeout=_BUILD_TIMEOUT, check=False)
    if run.returncode == _MISSING:
        require(False, run.stderr.strip())
    if run.returncode:
        raise AssertionError(run.stderr)
    return _IMAGE


def files_with(settings: dict[str, Any]) -> bytes:
    """A board's file system that holds just these settings."""
    return make_image({"settings.json": json.dumps(settings).encode(), "store": None}, FILES_SIZE)


class BoardAndBridge:
    """One start of a board, with `files` in its flash, up to the moment that it is thrown away: a power cut.

    `relay_moves` are the board's seconds of the relay's moves, with the level. Without a `board` it is an emulated
    Pico with the firmware image.
    """

    def __init__(self, files: Any, archive: ArchiveChain, board: Any = None) -> None:
        self.archive = archive
        self.session = BridgeSession(archive, "test")
        self.reports: list[Report] = []
        self.relay_moves: list[tuple[float, bool]] = []
        self.on_relay: Callable[[bool], None] = lambda on: None
        self.board = board or EmulatedPico(firmware_image(), files)
        self.board.on_bytes = self.session.receive
        self.board.next_bytes = self.session.next_output
        self.board.watch_pin(pins.RELAY, self._relay_moved)

    def _relay_moved(self, on: bool) -> None:
        self.relay_moves.append((self.board.seconds, on))
        self.on_relay(on)

    @property
    def files(self) -> Any:
        return self.board.files

    def run(self, until: Callable[[], bool], seconds: float = 20.0) -> None:
        """Let emulated time pass until the condition holds. Raises BoardSilent."""

        def look() -> bool:
            while report := self.session.next_report():
                self.reports.append(report)
            return until()

        if not self.board.run(look, seconds):
            raise BoardSilent(f"within {seconds} s: {self.reports[-3:]}")

    def announce(self, height: int) -> None:
        """The chain shown has grown to `height`."""
        self.archive.best_height = height
        self.session.announce()

    # --- what the board has said ---

    def of_kind(self, kind: int) -> list[list[Any]]:
        return [report.values for report in self.reports if report.kind == kind]

    def events(self, kind: int) -> list[list[Any]]:
        return [values for values in self.of_kind(EVENT) if values[0] == kind]

    @property
    def verdicts(self) -> list[list[Any]]:
        return self.of_kind(VERDICT)

    @property
    def hello(self) -> list[Any]:
        return self.of_kind(HELLO)[0]

    @property
    def heights(self) -> list[int]:
        return [values[1] for values in self.of_kind(STATUS)]

    @property
    def state(self) -> int:
        """The last one told; 0 when none was."""
        told = self.of_kind(STATUS)
        return int(told[-1][0]) if told else 0

    @property
    def times_closed(self) -> int:
        return sum(on for _, on in self.relay_moves)
