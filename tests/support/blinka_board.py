"""The device program on CPython with the Raspberry Pi's board, on pins that behave: blinka_board.py FOLDER FD.

Standard input and output are the line. After each change in FOLDER, a copy of it is made beside it; those and the
relay's pin are told on the descriptor FD (see process_board.py).
"""

import os
import shutil
import struct
import sys
from itertools import count
from pathlib import Path
from typing import Any

import fake_blinka

from firmware.files import FolderFiles
from firmware.main import main
from hardware import pins
from hardware.board import open_board

FOLDER = Path(sys.argv[1])
JOURNAL = int(sys.argv[2])
RELAY = f"D{pins.PI_RELAY}"
_copies = count(1)


def tell(kind: bytes, number: int) -> None:
    os.write(JOURNAL, struct.pack("<cIII", kind, number, 0, 0))


class Moves(list[tuple[str, bool]]):
    def append(self, move: tuple[str, bool]) -> None:
        if move[0] == RELAY and (move[1] or self):  # the first move says that it is open, as it was
            tell(b"R", move[1])
        super().append(move)


def copied(name: str) -> None:
    function = getattr(FolderFiles, name)

    def call(self: FolderFiles, *values: Any) -> Any:
        found = function(self, *values)
        number = next(_copies)
        shutil.copytree(FOLDER, FOLDER.with_name(f"{FOLDER.name}-{number}"))
        tell(b"C", number)
        return found

    setattr(FolderFiles, name, call)


for changing in ("append", "write", "cut", "rename", "remove", "sync"):
    copied(changing)
os.chdir(FOLDER)
with fake_blinka.installed() as found:
    found.moves = Moves()
    board = open_board("raspberry-pi")
    board.unix_time = lambda: 0  # type: ignore[method-assign] # the recording's tip is of another day
    main("settings.json", board)
