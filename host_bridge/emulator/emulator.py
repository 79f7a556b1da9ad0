"""The device as a process of its own: real MicroPython with a device's heap, on a pseudo-terminal."""

import json
import os
import select
import subprocess
import tempfile
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from host_bridge.emulator.rom import SOURCES, device_command
from host_bridge.sessions.session import BridgeSession

DEVICE_HEAP = "192k"  # a Pico W has 201 KB; MicroPython on a 64-bit computer needs more for the same
WHOLE_DEVICE_HEAP = "256k"  # ... with TLS, a store, pairing and its owner\'s questions as well
_READ_SIZE = 4096
_STOP_SECONDS = 5.0


class DeviceStopped(Exception):
    """The device program has ended by itself; the text is the last line it wrote to its console."""


class EmulatedDevice:
    """Runs `firmware.main` with `settings`; `line` is the terminal's file descriptor on our side.

    Close it, or use it in a `with` block: it ends the process that it started, and leaves nothing behind.
    """

    def __init__(self, settings: dict[str, Any], heap: str = DEVICE_HEAP) -> None:
        command, environment = device_command(heap)
        self._folder = tempfile.TemporaryDirectory(prefix="lightclient-")
        settings_path = Path(self._folder.name) / "settings.json"
        settings_path.write_text(json.dumps(settings))
        self._console = (Path(self._folder.name) / "console").open("w+b")
        self.line, device_end = os.openpty()
        try:
            tty.setraw(device_end)
            attributes = termios.tcgetattr(device_end)
            attributes[6][termios.VMIN] = 0  # a read gives what is there (firmware/links.py)
            attributes[6][termios.VTIME] = 0
            termios.tcsetattr(device_end, termios.TCSANOW, attributes)
            os.set_blocking(self.line, False)
            os.set_blocking(device_end, False)  # as USB on a board: a write takes what there is room for
            self._process = subprocess.Popen(
                [*command, str(SOURCES / "firmware" / "main.py"), str(settings_path)],
                stdin=device_end,
                stdout=device_end,
                stderr=self._console,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except BaseException:
            os.close(self.line)
            self._console.close()
            self._folder.cleanup()
            raise
        finally:
            os.close(device_end)

    def read(self, seconds: float) -> bytes:
        """What the device sent; empty when nothing came in time. Raises DeviceStopped."""
        ready, _, _ = select.select([self.line], [], [], seconds)
        if ready:
            try:
                data = os.read(self.line, _READ_SIZE)
            except BlockingIOError:
                data = b""
            except OSError:  # EIO: the other end is closed
                data = b""
            if data:
                return data
        if self._process.poll() is not None:
            raise DeviceStopped(self._last_words())
        return b""

    def write(self, data: bytes) -> int:
        """Send as much as the line takes; returns how much that was."""
        try:
            return os.write(self.line, data)
        except BlockingIOError:
            return 0
        except OSError:
            raise DeviceStopped(self._last_words()) from None

    def _last_words(self) -> str:
        self._console.seek(0)
        lines = self._console.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else f"exit code {self._process.poll()}"

    def close(self) -> None:
        if self.line >= 0:
            os.close(self.line)
            self.line = -1
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._console.close()
        self._folder.cleanup()

    def __enter__(self) -> "EmulatedDevice":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Line:
    """Moves bytes between an emulated device and its bridge session."""

    def __init__(self, device: EmulatedDevice, session: BridgeSession) -> None:
        self.device = device
        self.session = session
        self._unsent = b""

    def pump(self, seconds: float) -> None:
        """Wait at most so long for the device, then pass on what there is both ways."""
        self._flush()
        data = self.device.read(seconds)
        if data:
            self.session.receive(data)
        self._flush()

    def pump_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Pump until the condition holds; False when it did not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.pump(0.05)
        return True

    def _flush(self) -> None:
        while True:
            self._unsent = self._unsent or self.session.next_output()
            if not self._unsent:
                return
            sent = self.device.write(self._unsent)
            if sent == 0:
                return
            self._unsent = self._unsent[sent:]
