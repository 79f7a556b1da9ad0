# Runs on MicroPython unix: unix_board.py FLASH FD (see process_board.py). The device program with its files on
# littlefs, over a flash that is a file. Standard input and output are the line; what happens to flash and relay is
# told on the descriptor FD.
import os
import struct
import sys

import vfs

from firmware.main import main
from hardware.simulated import SimulatedBoard

BLOCK = 4096
journal = open("/dev/fd/" + sys.argv[2], "wb")


def tell(kind, number, offset, data=b""):
    entry = struct.pack("<BIII", ord(kind), number, offset, len(data)) + bytes(data)
    while entry:
        entry = entry[journal.write(entry) :]


class Flash:
    def __init__(self, path):
        self.count = os.stat(path)[6] // BLOCK
        self.file = open(path, "r+b")

    def readblocks(self, number, buffer, offset=0):
        self.file.seek(number * BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self.file.seek(number * BLOCK + offset)
        self.file.write(buffer)
        tell(b"W", number, offset, buffer)

    def ioctl(self, operation, number):
        if operation == 4:
            return self.count
        if operation == 5:
            return BLOCK
        if operation == 6:
            self.file.seek(number * BLOCK)
            self.file.write(b"\xff" * BLOCK)
            tell(b"E", number, 0)
        return 0


class Board(SimulatedBoard):
    def set_relay(self, on):
        if on != self.relay_is_on:
            tell(b"R", int(on), 0)
        SimulatedBoard.set_relay(self, on)


vfs.mount(vfs.VfsLfs2(Flash(sys.argv[1]), progsize=256), "/board")
os.chdir("/board")
main("settings.json", Board())
