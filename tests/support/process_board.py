"""A board that is a process: the device program on MicroPython unix over littlefs, or on CPython with Blinka's pins.

It has what BoardAndBridge uses of an EmulatedPico. Its process tells, in order, each change of its flash and each
move of its relay; they happen here when `run` reads of them. What it has not been read of when it is ended has not
happened: the power was cut before.
"""

import json
import os
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulated_pico import FILES_SIZE
from littlefs_image import make_image

from host_bridge.emulator.rom import device_command

ROOT = Path(__file__).resolve().parent.parent.parent
SUPPORT = ROOT / "tests" / "support"
HEAP = "256k"
BLOCK = 4096
_ENTRY = struct.Struct("<cIII")
_PIECE = 65536


class LittlefsImage:
    """Flash with a littlefs on it; `files` are its bytes, as an EmulatedPico has them."""

    def __init__(self, files: bytes, folder: Path) -> None:
        self._image = bytearray(files)
        self.path = folder / "flash"
        self.path.write_bytes(files)

    def change(self, kind: bytes, number: int, offset: int, data: bytes) -> None:
        at = number * BLOCK + offset
        data = data if kind == b"W" else b"\xff" * BLOCK
        self._image[at : at + len(data)] = data

    @property
    def files(self) -> bytes:
        return bytes(self._image)


class CopiedFolder:
    """A folder; `files` is a copy of it as it was after the last change."""

    def __init__(self, files: Path, folder: Path) -> None:
        self.path = folder / "device"
        self.files = files
        shutil.copytree(files, self.path)

    def change(self, kind: bytes, number: int, offset: int, data: bytes) -> None:
        self.files = self.path.with_name(f"{self.path.name}-{number}")


class ProcessBoard:
    def __init__(self, command: list[str], environment: dict[str, str], disk: LittlefsImage | CopiedFolder) -> None:
        self.on_bytes: Callable[[bytes], None] = lambda data: None
        self.next_bytes: Callable[[], bytes] = lambda: b""
        self.on_flash_write: Callable[[], None] = lambda: None
        self._disk = disk
        self._on_relay: Callable[[bool], None] = lambda on: None
        self._queue = b""
        self._told = b""
        self._began = time.monotonic()
        self._line, line_end = os.openpty()
        self._journal, journal_end = os.pipe()
        tty.setraw(line_end)
        attributes = termios.tcgetattr(line_end)
        attributes[6][termios.VMIN] = attributes[6][termios.VTIME] = 0
        termios.tcsetattr(line_end, termios.TCSANOW, attributes)
        for end in (self._line, line_end, self._journal):
            os.set_blocking(end, False)
        self._console = (disk.path.parent / "console").open("w+")
        self._process = subprocess.Popen(
            [*command, str(disk.path), str(journal_end)],
            stdin=line_end,
            stdout=line_end,
            stderr=self._console,
            env={**os.environ, **environment},
            pass_fds=[journal_end],
            start_new_session=True,
        )
        os.close(line_end)
        os.close(journal_end)

    @property
    def files(self) -> Any:
        return self._disk.files

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def watch_pin(self, number: int, on_change: Callable[[bool], None]) -> None:
        """The relay is the one that tells."""
        self._on_relay = on_change

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until the condition holds; False when it did not within `seconds`, or the program has ended."""
        end = self.seconds + seconds
        while not until():
            if self.seconds >= end or self._process.poll() is not None:
                self._console.seek(0)
                print(f"exit code {self._process.poll()}, console: {self._console.read()[-2000:]}")
                return False
            self._queue = self._queue or self.next_bytes()
            writable = [self._line] if self._queue else []
            ready, room, _ = select.select([self._line, self._journal], writable, [], 0.02)
            if room:
                self._queue = self._queue[os.write(self._line, self._queue[:_PIECE]) :]
            if self._journal in ready and not self._take_journal():
                return until()
            if self._line in ready:
                self.on_bytes(os.read(self._line, _PIECE))
        return True

    def run_for(self, seconds: float) -> None:
        end = self.seconds + seconds
        self.run(lambda: self.seconds >= end, seconds + 1)

    def _take_journal(self) -> bool:
        piece = os.read(self._journal, _PIECE)
        told = self._told + piece
        at = 0
        while at + _ENTRY.size <= len(told):
            kind, number, offset, size = _ENTRY.unpack_from(told, at)
            if at + _ENTRY.size + size > len(told):
                break
            at += _ENTRY.size + size
            if kind == b"R":
                self._on_relay(bool(number))
            else:
                self._disk.change(kind, number, offset, told[at - size : at])
                self.on_flash_write()
        self._told = told[at:]
        return bool(piece)

    def cut(self) -> None:
        """The power is gone."""
        self._process.kill()
        self._process.wait()
        self._console.close()
        os.close(self._line)
        os.close(self._journal)


class ProcessBoards:
    """Boards of one kind, one after the other: each start, and the end of the block, cuts the power of the last one."""

    inexact = 0.9  # other programs run, too

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._count = 0
        self._board: ProcessBoard | None = None

    def __enter__(self) -> "ProcessBoards":
        return self

    def __exit__(self, *_: object) -> None:
        self._cut()

    def _cut(self) -> None:
        if self._board is not None:
            self._board.cut()
            self._board = None

    def _next_folder(self) -> Path:
        self._cut()
        self._count += 1
        path = self._folder / str(self._count)
        path.mkdir()
        return path

    def new(self, settings: dict[str, Any]) -> Any:
        """The files of a device that has just its settings."""
        if self._kind == "littlefs":
            return make_image({"settings.json": json.dumps(settings).encode(), "store": None}, FILES_SIZE)
        path = self._next_folder()
        (path / "store").mkdir()
        (path / "settings.json").write_text(json.dumps(settings))
        return path

    def start(self, files: Any) -> ProcessBoard:
        folder = self._next_folder()
        if self._kind == "littlefs":
            command, environment = device_command(HEAP)
            self._board = ProcessBoard(
                [*command, str(SUPPORT / "unix_board.py")], environment, LittlefsImage(files, folder)
            )
        else:
            command = [sys.executable, str(SUPPORT / "blinka_board.py")]
            environment = {"PYTHONPATH": f"{ROOT}:{SUPPORT}"}
            self._board = ProcessBoard(command, environment, CopiedFolder(files, folder))
        return self._board
