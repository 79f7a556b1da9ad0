"""Bitcoin's integers, read and written at an offset of a buffer. All little-endian.

Nothing here checks that the buffer is long enough for a fixed-width read: the caller has
compared its lengths before. `read_compact_size` is given the end and checks it.
"""

from struct import pack_into, unpack_from

from lightclient.compat import const
from lightclient.errors import NonCanonicalEncoding, TruncatedInput

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview


def read_uint16_le(buffer: "Buffer", offset: int) -> int:
    return buffer[offset] | buffer[offset + 1] << 8


def read_uint32_le(buffer: "Buffer", offset: int) -> int:
    value: int = unpack_from("<I", buffer, offset)[0]
    return value


def read_int32_le(buffer: "Buffer", offset: int) -> int:
    value: int = unpack_from("<i", buffer, offset)[0]
    return value


def read_uint64_le(buffer: "Buffer", offset: int) -> int:
    value: int = unpack_from("<Q", buffer, offset)[0]
    return value


def write_uint32_le(buffer: "bytearray | memoryview", offset: int, value: int) -> None:
    pack_into("<I", buffer, offset, value)


def compact_size_length(first: int) -> int:
    """Bytes of a compact_size whose first byte is `first`: 1, 3, 5 or 9."""
    return 1 if first < 0xFD else 3 if first == 0xFD else 5 if first == 0xFE else 9


def read_compact_size(buffer: "Buffer", offset: int, end: int) -> int:
    """The compact_size at `offset`; it takes `compact_size_length(buffer[offset])` bytes.

    Raises TruncatedInput when it does not end by `end`, NonCanonicalEncoding when a shorter form
    exists (Core: ReadCompactSize, "non-canonical ReadCompactSize()").
    """
    if offset >= end:
        raise TruncatedInput("compact_size is missing")
    first = buffer[offset]
    if first < 0xFD:
        return first
    if offset + compact_size_length(first) > end:
        raise TruncatedInput("compact_size ends early")
    if first == 0xFD:
        value = read_uint16_le(buffer, offset + 1)
        floor = 0xFD
    elif first == 0xFE:
        value = read_uint32_le(buffer, offset + 1)
        floor = 0x10000
    else:
        value = read_uint64_le(buffer, offset + 1)
        floor = 0x100000000
    if value < floor:
        raise NonCanonicalEncoding("compact_size is longer than it needs to be")
    return value
