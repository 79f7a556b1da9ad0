"""A small canonical subset of CBOR (RFC 8949, section 4.2.1), read in place.

Unsigned integers, byte strings, text (printable ASCII), arrays and maps, all of definite length, each head in its
shortest form. Anything else is refused. A length is compared with the caller's ceiling and with
what is there before it is used; nothing is copied.
"""

from lightclient.compat import const
from lightclient.errors import LimitExceeded, NonCanonicalEncoding, TrailingData, TruncatedInput

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

UINT = const(0)
BYTES = const(2)
TEXT = const(3)
ARRAY = const(4)
MAP = const(5)
_NAMES = ("integer", "negative integer", "byte string", "text", "array", "map", "tag", "simple value")
MAX_HEAD = const(9)  # bytes of the longest head


def head_length(first: int) -> int:
    """Bytes of a head whose first byte is `first`. Raises NonCanonicalEncoding for an indefinite or reserved one."""
    short = first & 0x1F
    if short < 24:
        return 1
    if short > 27:
        raise NonCanonicalEncoding("CBOR: indefinite or reserved length")
    return 1 + (1 << (short - 24))


def read_head(buffer: "Buffer", offset: int, major: int, maximum: int) -> int:
    """The argument of the head at `offset`, which is whole and of type `major`; at most `maximum`."""
    first = buffer[offset]
    short = first & 0x1F
    if first >> 5 == major and short < 24 and short <= maximum:  # most are like this
        return short
    if first >> 5 != major:
        raise NonCanonicalEncoding("CBOR: " + _NAMES[first >> 5] + " where " + _NAMES[major] + " belongs")
    length = head_length(first)
    if length == 1:
        value = first & 0x1F
    else:
        value = buffer[offset + 1]
        for i in range(offset + 2, offset + length):
            value = value << 8 | buffer[i]
        # the shortest form: 24 and up need a byte, 256 and up two, 65,536 and up four
        if value < 24 or (length > 2 and value >> (4 * (length - 1)) == 0):
            raise NonCanonicalEncoding("CBOR: head is longer than it needs to be")
    if value > maximum:
        raise LimitExceeded("CBOR: " + _NAMES[major] + " of " + str(value) + ", at most " + str(maximum))
    return value


def _require_printable(raw: bytes) -> None:
    for value in raw:
        if not 0x20 <= value <= 0x7E:
            raise NonCanonicalEncoding("CBOR: byte %d in a text is not printable ASCII" % value)


class Reader:
    """Reads one item after the other from `buffer[start:end]`. Made once, `reset` for each message."""

    def __init__(self) -> None:
        self.buffer: "Buffer" = b""
        self.offset = 0
        self.end = 0

    def reset(self, buffer: "Buffer", start: int, end: int) -> None:
        self.buffer = buffer
        self.offset = start
        self.end = end

    def _head(self, major: int, maximum: int) -> int:
        if self.offset >= self.end:
            raise TruncatedInput("CBOR: ends before the next item")
        length = head_length(self.buffer[self.offset])
        if self.offset + length > self.end:
            raise TruncatedInput("CBOR: a head ends early")
        value = read_head(self.buffer, self.offset, major, maximum)
        self.offset += length
        return value

    def uint(self, maximum: int) -> int:
        return self._head(UINT, maximum)

    def array(self, maximum: int) -> int:
        """The number of items that follow."""
        return self._head(ARRAY, maximum)

    def map(self, maximum: int) -> int:
        """The number of pairs that follow."""
        return self._head(MAP, maximum)

    def skip_string(self, major: int, maximum: int) -> int:
        """Step over a byte string or text; returns its length: it stands at `offset - length`."""
        length = self._head(major, maximum)
        if length > self.end - self.offset:
            raise TruncatedInput("CBOR: a string ends early")
        self.offset += length
        return length

    def bytes(self, maximum: int) -> bytes:
        """A copy of a byte string of at most `maximum` bytes."""
        length = self.skip_string(BYTES, maximum)
        return bytes(self.buffer[self.offset - length : self.offset])

    def text(self, maximum: int) -> str:
        """Text of at most `maximum` characters of printable ASCII.

        More is not needed for names and messages, and the two Pythons do not refuse the same malformed UTF-8.
        """
        length = self.skip_string(TEXT, maximum)
        raw = bytes(self.buffer[self.offset - length : self.offset])
        _require_printable(raw)
        return str(raw, "utf-8")

    def finish(self) -> None:
        """Raises TrailingData unless everything has been read."""
        if self.offset != self.end:
            raise TrailingData("CBOR: " + str(self.end - self.offset) + " bytes left over")


class Writer:
    """Writes items into a buffer that the caller made. LimitExceeded when it is full."""

    def __init__(self, buffer: bytearray, start: int = 0) -> None:
        self.buffer = buffer
        self.offset = start

    def _room(self, count: int) -> None:
        if self.offset + count > len(self.buffer):
            raise LimitExceeded("CBOR: no room for " + str(count) + " bytes")

    def head(self, major: int, value: int) -> None:
        """The head alone, in its shortest form: what follows an ARRAY or MAP is written next."""
        extra = 0 if value < 24 else 1 if value < 0x100 else 2 if value < 0x10000 else 4 if value < 1 << 32 else 8
        self._room(1 + extra)
        buffer = self.buffer
        offset = self.offset
        short = value if extra == 0 else 24 if extra == 1 else 25 if extra == 2 else 26 if extra == 4 else 27
        buffer[offset] = major << 5 | short
        for i in range(extra):
            buffer[offset + extra - i] = value >> (8 * i) & 0xFF
        self.offset = offset + 1 + extra

    def uint(self, value: int) -> None:
        self.head(UINT, value)

    def bytes(self, data: "Buffer") -> None:
        self._string(BYTES, data)

    def text(self, text: str) -> None:
        raw = text.encode()
        _require_printable(raw)
        self._string(TEXT, raw)

    def _string(self, major: int, data: "Buffer") -> None:
        self.head(major, len(data))
        self._room(len(data))
        self.buffer[self.offset : self.offset + len(data)] = data
        self.offset += len(data)
