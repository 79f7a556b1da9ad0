"""Integers at an offset, and compact_size with its edges (Core: serialize_tests)."""

from support import no_allocation, raises

from lightclient.errors import NonCanonicalEncoding, TruncatedInput
from lightclient.serialize import (
    compact_size_length,
    read_compact_size,
    read_int32_le,
    read_uint16_le,
    read_uint32_le,
    read_uint64_le,
    write_uint32_le,
)

COMPACT_SIZES = (
    (0, b"\x00"),
    (1, b"\x01"),
    (0xFC, b"\xfc"),
    (0xFD, b"\xfd\xfd\x00"),
    (0xFFFF, b"\xfd\xff\xff"),
    (0x10000, b"\xfe\x00\x00\x01\x00"),
    (0xFFFFFFFF, b"\xfe\xff\xff\xff\xff"),
    (0x100000000, b"\xff\x00\x00\x00\x00\x01\x00\x00\x00"),
    (0xFFFFFFFFFFFFFFFF, b"\xff" * 9),
)


def test_integers():
    data = b"~\x01\x02\x03\x84\x05\x06\x07\x88~"
    for buffer in (data, bytearray(data), memoryview(data)):
        assert read_uint16_le(buffer, 1) == 0x0201
        assert read_uint32_le(buffer, 1) == 0x84030201
        assert read_int32_le(buffer, 1) == 0x84030201 - (1 << 32)
        assert read_int32_le(buffer, 0) == 0x0302017E
        assert read_uint64_le(buffer, 1) == 0x8807060584030201
    assert read_uint16_le(b"\xff\xff", 0) == 0xFFFF
    assert read_uint32_le(b"\xff" * 4, 0) == 0xFFFFFFFF
    assert read_int32_le(b"\xff" * 4, 0) == -1
    assert read_uint64_le(b"\xff" * 8, 0) == 0xFFFFFFFFFFFFFFFF


def test_writing():
    for value in (0, 1, 0x84030201, 0xFFFFFFFF):
        buffer = bytearray(b"~" * 6)
        write_uint32_le(memoryview(buffer), 1, value)
        assert read_uint32_le(buffer, 1) == value
        assert buffer[0] == buffer[5] == ord("~")


def test_compact_size():
    for value, data in COMPACT_SIZES:
        assert compact_size_length(data[0]) == len(data)
        assert read_compact_size(data, 0, len(data)) == value
        assert read_compact_size(memoryview(b"~" + data + b"~"), 1, 1 + len(data)) == value
        for cut in range(len(data)):
            raises(TruncatedInput, read_compact_size, data, 0, cut)


def test_compact_size_must_be_shortest():
    # Core: serialize_tests, noncanonical
    for data in (
        b"\xfd\x00\x00",
        b"\xfd\xfc\x00",
        b"\xfe\x00\x00\x00\x00",
        b"\xfe\xff\xff\x00\x00",
        b"\xff" + bytes(8),
        b"\xff\xff\xff\xff\x01\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\xff\x00\x00\x00\x00",
    ):
        raises(NonCanonicalEncoding, read_compact_size, data, 0, len(data))


def test_small_ones_allocate_nothing():
    assert no_allocation(read_compact_size, b"\xfd\xfd\x00", 0, 3) == 0xFD
    assert no_allocation(read_uint16_le, b"\xff\xff", 0) == 0xFFFF
