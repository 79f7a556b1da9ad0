"""Something small that must survive a power cut at any moment: written twice, numbered, with a checksum."""

from lightclient.compat import const
from lightclient.errors import CorruptStore, StoreRolledBack
from lightclient.headers.envelope import ENVELOPE_SIZE, FORMAT, HEAD_SIZE, seal, unseal
from lightclient.serialize import read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.store import Files


class Pair:
    """NAME.a and NAME.b in `files`; at most `capacity` bytes of content stand in `buffer` from HEAD_SIZE on.

    The buffer grows with what is in it (`reserve`).

    With `both` each save writes both files, .a first: what was saved is then safe from one of
    them being lost or put back. Without, the files are written in turns: a save may be lost with
    its file, and the one before counts; for what can be had again from elsewhere.
    """

    def __init__(self, files: "Files", name: str, kind: int, network: bytes, capacity: int, both: bool) -> None:
        self.buffer = bytearray(ENVELOPE_SIZE)
        self.sequence = 0
        self.migrated = False
        self.broken = ""  # the copy that could not be read
        self._capacity = capacity
        self._files = files
        self._names = (name + ".a", name + ".b")
        self._kind = kind
        self._network = network
        self._both = both

    def reserve(self, length: int) -> bytearray:
        """The buffer, with room for `length` bytes of content; what is in it stays."""
        if ENVELOPE_SIZE + length > len(self.buffer):
            buffer = bytearray(ENVELOPE_SIZE + length)
            buffer[: len(self.buffer)] = self.buffer
            self.buffer = buffer
        return self.buffer

    def exists(self) -> bool:
        return self._files.size(self._names[0]) >= 0 or self._files.size(self._names[1]) >= 0

    def is_newborn(self) -> bool:
        """Whether no more than the first write of all, cut short, can be there."""
        return self._files.size(self._names[1]) < 0

    def load(self) -> int:
        """Read the content that counts; returns its length. Raises an error of the store."""
        first = self._read(0)
        sequence = self.sequence if first >= 0 else 0
        second = self._read(1)
        if first < 0 and second < 0:
            raise CorruptStore(self._names[0] + " and " + self._names[1] + ": neither copy can be read")
        if first >= 0 and second >= 0:
            ahead = sequence - self.sequence
            if not (0 <= ahead <= 1 if self._both else ahead in (-1, 1)):
                raise StoreRolledBack(
                    "%s has number %d, %s %d" % (self._names[0], sequence, self._names[1], self.sequence)
                )
        if second < 0 or (first >= 0 and sequence > self.sequence):
            second = self._read(0)
        if self._both:
            self._mend(second)
        return second

    def _read(self, which: int) -> int:
        """The length of that copy's content, which is now in the buffer; -1 when it cannot be read."""
        name = self._names[which]
        size = self._files.size(name)
        if size < 0:
            return -1
        try:
            if size > ENVELOPE_SIZE + self._capacity:
                raise CorruptStore(name + ": too long")
            self.reserve(size - ENVELOPE_SIZE)
            size = self._files.read_into(name, 0, memoryview(self.buffer)[:size])
            version = self.buffer[4]
            if version != FORMAT:
                self.reserve(self._capacity)  # what is migrated may grow
            length = unseal(self.buffer, size, self._kind, self._network, name)
        except CorruptStore:
            self.broken = name
            return -1
        self.migrated = version != FORMAT
        self.sequence = read_uint32_le(self.buffer, 14)
        return length

    def _mend(self, length: int) -> None:
        """Make both copies the same again, before either is written: a cut had come between them."""
        size = seal(self.buffer, self._kind, length, self._network, self.sequence)
        view = memoryview(self.buffer)[:size]
        for name in self._names:
            if not self._is_same(name, view):
                self._files.write(name, view)
                self._files.sync()

    def _is_same(self, name: str, view: memoryview) -> bool:
        if self._files.size(name) != len(view):
            return False
        piece = bytearray(64)
        for start in range(0, len(view), 64):
            length = min(64, len(view) - start)
            self._files.read_into(name, start, memoryview(piece)[:length])
            if view[start : start + length] != memoryview(piece)[:length]:
                return False
        return True

    def save(self, length: int) -> None:
        """Make the `length` bytes of content in the buffer durable. StoreFull: the one before still counts."""
        sequence = self.sequence + 1
        size = seal(self.buffer, self._kind, length, self._network, sequence)
        view = memoryview(self.buffer)[:size]
        if self._both:
            for name in self._names:
                self._files.write(name, view)
                self._files.sync()
        else:
            self._files.write(self._names[1 - (sequence & 1)], view)
            self._files.sync()
        self.sequence = sequence
        self.migrated = False


CONTENT = HEAD_SIZE  # where the content begins in a Pair's buffer
