"""The device program as files on a board that runs MicroPython, through mpremote.

All files go into the folder new/ first and are compared by hash there; then the folders of the program
change places with them, main.py last. What was there before lies in before/. When that is cut off, it is begun anew.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.device_files import MAIN, SOURCES, device_files
from host_bridge.files import Unusable

NEW = "new"
BEFORE = "before"
_TIMEOUT = 5.0  # seconds without a byte: littlefs may have to erase several sectors first
_SPARE = 64 << 10  # bytes that have to stay free
_DIRECTORY = 0x4000
_PIECE = 1024

_CLEAR = """
import os
def clear(path):
    for entry in os.ilistdir(path):
        name = path + "/" + entry[0]
        if entry[1] == 0x4000:
            clear(name)
        else:
            os.remove(name)
    os.rmdir(path)
def remove(path):
    try:
        kind = os.stat(path)[0]
    except OSError:
        return
    if kind & 0x4000:
        clear(path)
    else:
        os.remove(path)
"""
_SWAP = """
import os
def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
for name in {names!r}:
    if exists(name):
        os.rename(name, "{old}/" + name)
    os.rename("{new}/" + name, name)
"""


class BoardFiles:
    """A board at `port`, its program stopped at the prompt until `close`. Raises Unusable."""

    def __init__(self, port: str) -> None:
        try:
            from mpremote.transport import TransportError  # noqa: PLC0415 - of the `emulator` extra
            from mpremote.transport_serial import SerialTransport  # noqa: PLC0415
        except ImportError:
            raise Unusable("mpremote is not installed: pip install 'lightclient[emulator]'") from None
        self._errors: tuple[type[Exception], ...] = (TransportError, OSError)
        self.port = port
        try:
            self._transport: Any = SerialTransport(port, timeout=_TIMEOUT)
            # a terminal is MicroPython of a computer, which ends with a soft reset
            is_terminal = str(Path(port).resolve()).startswith("/dev/pts/")
            self._transport.enter_raw_repl(soft_reset=not is_terminal, timeout_overall=_TIMEOUT)
        except self._errors as error:
            raise Unusable(f"{port}: no MicroPython at its prompt there: {error}") from None

    def execute(self, code: str) -> str:
        try:
            return str(self._transport.exec(code).decode(errors="replace"))
        except self._errors as error:
            raise Unusable(f"{self.port}: {_last_line(error)}") from None

    def describe(self) -> str:
        """What board it is, in its own words."""
        return self.execute("import sys, os; print(os.uname()[4] if hasattr(os, 'uname') else sys.platform)").strip()

    def room(self) -> int:
        """Free bytes of its flash."""
        return int(self.execute("import os; s = os.statvfs('.'); print(s[0] * s[3])").strip() or 0)

    def has(self, path: str, digest: bytes) -> bool:
        try:
            return bool(self._transport.fs_hashfile(path, "sha256") == digest)
        except self._errors:
            return False

    def put(self, path: str, data: bytes) -> None:
        """Write a file and compare its hash."""
        try:
            self._transport.fs_writefile(path, data, chunk_size=_PIECE)
        except self._errors as error:
            raise Unusable(f"{self.port}: {path}: {_last_line(error)}") from None
        if not self.has(path, hashlib.sha256(data).digest()):
            raise Unusable(f"{self.port}: {path}: another SHA-256 on the board than here")

    def make_folder(self, path: str) -> None:
        self.execute(f"import os\ntry:\n    os.mkdir({path!r})\nexcept OSError as e:\n    if e.errno != 17: raise\n")

    def remove(self, path: str) -> None:
        self.execute(f"{_CLEAR}\nremove({path!r})")

    def swap(self, names: list[str]) -> None:
        """Put what is in NEW in the place of what there is, and that into BEFORE."""
        self.execute(_SWAP.format(names=names, old=BEFORE, new=NEW))

    def close(self) -> None:
        """Let its program start again: it has been stopped, whatever became of the files."""
        try:
            self._transport.exec_raw_no_follow("import machine; machine.reset()")
        except self._errors:
            pass  # it is gone already
        self._transport.close()


def contents(root: Path = SOURCES) -> dict[str, bytes]:
    """What is put on a board."""
    return {name: (root / source).read_bytes() for name, source in device_files(root).items()}


def is_up_to_date(board: BoardFiles, files: dict[str, bytes]) -> bool:
    """Whether the board has just these files already."""
    return all(board.has(name, hashlib.sha256(data).digest()) for name, data in files.items())


def install(board: BoardFiles, files: dict[str, bytes], advance: Callable[[int], None] = lambda count: None) -> None:
    """Put `files` on the board, each verified before any counts. Raises Unusable; what was there stays then."""
    board.remove(NEW)
    size = sum(len(data) for data in files.values())
    if board.room() < size + _SPARE:
        board.remove(BEFORE)  # the last but one
    if (room := board.room()) < size + _SPARE:
        raise Unusable(f"{board.port}: {room:,} bytes are free, {size + _SPARE:,} are needed beside what is there")
    made = {""}
    for name, data in files.items():
        folder = f"{NEW}/{name}".rsplit("/", 1)[0]
        parts = folder.split("/")
        for i in range(1, len(parts) + 1):
            if (path := "/".join(parts[:i])) not in made:
                board.make_folder(path)
                made.add(path)
        board.put(f"{NEW}/{name}", data)
        advance(len(data))
    board.remove(BEFORE)
    board.make_folder(BEFORE)
    names = sorted({name.split("/")[0] for name in files} - {MAIN})
    board.swap([*names, MAIN])
    board.remove(NEW)
    for name, data in files.items():
        if not board.has(name, hashlib.sha256(data).digest()):
            raise Unusable(f"{board.port}: {name}: another SHA-256 on the board than here")


def kept_names(board: BoardFiles) -> list[str]:
    """What lies in BEFORE. Raises Unusable when nothing does."""
    code = f"import os\nif {BEFORE!r} in os.listdir():\n    print('\\n'.join(os.listdir({BEFORE!r})))"
    found = board.execute(code).split()
    if not found:
        raise Unusable(f"{board.port}: no version from before is on the board")
    return found


def bring_back(board: BoardFiles) -> None:
    """Put what lies in BEFORE in its place again; what is there now goes. Raises Unusable when nothing lies there."""
    found = kept_names(board)
    names = sorted(set(found) - {MAIN})
    for name in [*names, *([MAIN] if MAIN in found else [])]:
        board.remove(name)
        board.execute(f"import os; os.rename({f'{BEFORE}/{name}'!r}, {name!r})")
    board.remove(BEFORE)


def _last_line(error: Exception) -> str:
    text = getattr(error, "error_output", None) or str(error)
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
