"""Canonical CBOR: vectors of RFC 8949 appendix A, and everything that is refused."""

from binascii import unhexlify

from support import no_allocation, raises

from lightclient.cbor import ARRAY, BYTES, MAP, TEXT, UINT, Reader, Writer, head_length, read_head
from lightclient.errors import LimitExceeded, NonCanonicalEncoding, TrailingData, TruncatedInput

UINT64_MAX = (1 << 64) - 1

# RFC 8949, appendix A
INTEGERS = (
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
)
EDGES = (
    (255, "18ff"),
    (256, "190100"),
    (65535, "19ffff"),
    (65536, "1a00010000"),
    (4294967295, "1affffffff"),
    (4294967296, "1b0000000100000000"),
)


def reader(data):
    made = Reader()
    made.reset(data, 0, len(data))
    return made


def written(write):
    writer = Writer(bytearray(80))
    write(writer)
    return bytes(writer.buffer[: writer.offset])


def test_integers():
    for value, text in INTEGERS + EDGES:
        data = unhexlify(text)
        assert written(lambda writer, value=value: writer.uint(value)) == data
        item = reader(data)
        assert item.uint(UINT64_MAX) == value
        item.finish()
        assert reader(data).uint(value) == value
        assert head_length(data[0]) == len(data)
        assert read_head(data, 0, UINT, UINT64_MAX) == value
        if value:
            raises(LimitExceeded, reader(data).uint, value - 1)
        for cut in range(len(data)):
            raises(TruncatedInput, reader(data[:cut]).uint, UINT64_MAX)


def test_strings():
    for value, text in ((b"", "40"), (b"\x01\x02\x03\x04", "4401020304"), (bytes(24), "5818" + "00" * 24)):
        data = unhexlify(text)
        assert written(lambda writer, value=value: writer.bytes(value)) == data
        assert reader(data).bytes(len(value)) == value
        item = reader(data)
        assert item.skip_string(BYTES, 24) == len(value)
        assert data[item.offset - len(value) : item.offset] == value
        for cut in range(len(data)):
            raises(TruncatedInput, reader(data[:cut]).bytes, 24)
        if value:
            raises(LimitExceeded, reader(data).bytes, len(value) - 1)
    for value, text in (("", "60"), ("a", "6161"), ("IETF", "6449455446"), (" ~", "62207e")):
        data = unhexlify(text)
        assert written(lambda writer, value=value: writer.text(value)) == data
        assert reader(data).text(24) == value
        for cut in range(len(data)):
            raises(TruncatedInput, reader(data[:cut]).text, 24)


def test_text_must_be_printable_ascii():
    """Well-formed UTF-8 or not: MicroPython takes some of what is not."""
    for bad in (
        b"\xff",
        b"\xc3\x28",
        b"\x80",
        b"\xc3\xbc",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe0\x80\x80",
    ):
        raises(NonCanonicalEncoding, reader(bytes([0x60 | len(bad)]) + bad).text, 24)
    for value in range(256):
        data = b"\x63a" + bytes([value]) + b"b"
        if 0x20 <= value <= 0x7E:
            assert reader(data).text(3) == "a" + chr(value) + "b"
        else:
            raises(NonCanonicalEncoding, reader(data).text, 3)
    for bad in ("\u00fc", "a\n", "\x7f"):
        raises(NonCanonicalEncoding, Writer(bytearray(9)).text, bad)


def test_arrays_and_maps():
    data = unhexlify("83010203")
    item = reader(data)
    assert item.array(3) == 3
    assert [item.uint(9), item.uint(9), item.uint(9)] == [1, 2, 3]
    item.finish()
    raises(LimitExceeded, reader(data).array, 2)
    data = unhexlify("a201020304")
    item = reader(data)
    assert item.map(2) == 2
    raises(TrailingData, item.finish)
    raises(LimitExceeded, reader(data).map, 1)
    assert written(lambda writer: writer.head(ARRAY, 25)) == b"\x98\x19"
    assert written(lambda writer: writer.head(MAP, 2)) == b"\xa2"


def test_longer_heads_than_needed_are_refused():
    for major, read in ((UINT, "uint"), (BYTES, "bytes"), (TEXT, "text"), (ARRAY, "array"), (MAP, "map")):
        for text in ("1800", "1817", "190000", "1900ff", "1a" + "00" * 4, "1a0000ffff", "1b00000000ffffffff"):
            data = bytearray(unhexlify(text) + bytes(300))
            data[0] |= major << 5
            raises(NonCanonicalEncoding, getattr(reader(data), read), UINT64_MAX)


def test_whatever_else_cbor_has_is_refused():
    # reserved and indefinite lengths, negative integers, tags
    for text in (
        "1c",
        "1d",
        "1e",
        "1f",
        "20",
        "3903e7",
        "5f4101ff",
        "7f6161ff",
        "9fff",
        "bfff",
        "c001",
        "c11a514b67b0",
    ):
        for read in ("uint", "bytes", "text", "array", "map"):
            raises(NonCanonicalEncoding, getattr(reader(unhexlify(text)), read), 100)
    # simple values, floats, break
    for text in ("f4", "f5", "f6", "f7", "f0", "f818", "f90000", "fa47c35000", "fb3ff199999999999a", "ff"):
        for read in ("uint", "bytes", "text", "array", "map"):
            raises(NonCanonicalEncoding, getattr(reader(unhexlify(text)), read), 100)


def test_wrong_types():
    items = (("uint", "01"), ("bytes", "4101"), ("text", "6161"), ("array", "80"), ("map", "a0"))
    for read, _ in items:
        for other, text in items:
            if read != other:
                error = raises(NonCanonicalEncoding, getattr(reader(unhexlify(text)), read), 100)
                assert "where" in str(error)


def test_a_length_is_not_believed():
    for text in ("5affffffff", "7affffffff", "5bffffffffffffffff", "581900"):
        data = unhexlify(text)
        read = "text" if data[0] >> 5 == TEXT else "bytes"
        raises(TruncatedInput, getattr(reader(data), read), UINT64_MAX)
        raises(LimitExceeded, getattr(reader(data), read), 24)


def test_limits_of_the_slice():
    data = b"\x00\x01\x02\x03"
    item = Reader()
    item.reset(memoryview(data), 1, 2)
    assert item.uint(9) == 1
    item.finish()
    raises(TruncatedInput, item.uint, 9)
    item.reset(data, 1, 4)
    assert item.uint(9) == 1
    error = raises(TrailingData, item.finish)
    assert "2 bytes" in str(error)


def test_a_full_buffer():
    for size in range(9):
        raises(LimitExceeded, Writer(bytearray(size)).uint, UINT64_MAX)
    writer = Writer(bytearray(9))
    writer.uint(UINT64_MAX)
    assert writer.offset == 9
    raises(LimitExceeded, writer.uint, 0)
    raises(LimitExceeded, Writer(bytearray(4)).bytes, b"abcd")
    raises(LimitExceeded, Writer(bytearray(4)).text, "abcd")
    writer = Writer(bytearray(5), 1)
    writer.text("abc")
    assert bytes(writer.buffer) == b"\x00cabc"


def test_reading_allocates_nothing():
    item = reader(unhexlify("83190100" + "43010203" + "05"))
    assert no_allocation(item.array, 3) == 3
    assert no_allocation(item.uint, 1000) == 256
    assert no_allocation(item.skip_string, BYTES, 3) == 3
    assert no_allocation(item.uint, 5) == 5
    no_allocation(item.finish)
