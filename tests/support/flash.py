"""A flash chip in memory, as a block device for MicroPython's littlefs. Runs on both Pythons.

Blocks of 4,096 bytes are erased whole, pages of 256 are programmed once after that; doing otherwise
is an error. Programs and erases are counted, erases also for each block. `cut_after = n` lets n of
them happen and tears the next one; from then on the chip answers nothing but errors, until its
`blocks` are put into another one: the power is back.
"""

BLOCK = 4096
PAGE = 256
_EIO = -5


class Flash:
    def __init__(self, count, blocks=None):
        self.count = count
        self.blocks = dict(blocks) if blocks else {}  # number: bytes or bytearray; absent: erased
        self.programs = 0
        self.erases = 0
        self.wear = {}
        self.cut_after = -1
        self.tear = 0  # which bytes of a torn operation happen
        self.dead = False
        self.mistakes = []

    @property
    def operations(self):
        return self.programs + self.erases

    def snapshot(self):
        return {number: bytes(data) for number, data in self.blocks.items()}

    def flip(self, number, offset, bit):
        self._writable(number)[offset] ^= 1 << bit

    def _writable(self, number):
        data = self.blocks.get(number)
        if not isinstance(data, bytearray):
            data = bytearray(data) if data is not None else bytearray(b"\xff" * BLOCK)
            self.blocks[number] = data
        return data

    def _is_cut(self):
        if self.operations == self.cut_after:
            self.dead = True
        return self.dead

    # --- the protocol of os.AbstractBlockDev ---

    def readblocks(self, number, buffer, offset=0):
        if self.dead:
            return _EIO
        data = self.blocks.get(number)
        view = memoryview(buffer)
        if data is None:
            for i in range(len(view)):
                view[i] = 0xFF
        else:
            view[:] = memoryview(data)[offset : offset + len(view)]
        return 0

    def writeblocks(self, number, buffer, offset=0):
        if self.dead:
            return _EIO
        data = self._writable(number)
        size = len(buffer)
        if offset % PAGE or size % PAGE:
            self.mistakes.append("program of %d bytes at %d" % (size, offset))
        for start in range(offset, offset + size, PAGE):
            if data[start : start + PAGE] != b"\xff" * PAGE:
                self.mistakes.append("block %d, page %d: programmed twice" % (number, start // PAGE))
            length = PAGE
            if self._is_cut():
                length = self.tear % (PAGE + 1)
            source = start - offset
            data[start : start + length] = memoryview(buffer)[source : source + length]
            if self.dead:
                if length < PAGE and self.tear & 1:  # the bits under way come out anyhow
                    data[start + length] = 0x5A
                return _EIO
            self.programs += 1
        return 0

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.count
        if operation == 5:
            return BLOCK
        if operation == 6:
            return self._erase(argument)
        return 0

    def _erase(self, number):
        if self.dead:
            return _EIO
        if self._is_cut():
            data = self._writable(number)
            length = self.tear * 16 % (BLOCK + 1)
            data[:length] = b"\xff" * length
            return _EIO
        self.erases += 1
        self.wear[number] = self.wear.get(number, 0) + 1
        self.blocks.pop(number, None)
        return 0
