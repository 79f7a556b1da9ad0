"""Packed headers: round trip on every real header file, and the one allowed way to pack."""

from struct import pack, pack_into, unpack_from

from support import data_path, no_allocation, raises

from lightclient.errors import LimitExceeded, NonCanonicalEncoding, TrailingData, TruncatedInput
from lightclient.headers.compact import MAX_PACKED_HEADER, pack_headers, unpack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS

ROOT = bytes(range(100, 132))
NONCE = b"\xf0\xf1\xf2\xf3"
BITS = 0x1702C4E4
FULL = b"\x00\x10\x00\x60" + pack("<I", BITS)  # time 0x60001000
TIME = 0x60001000


def header(version, time=TIME, bits=BITS, previous=bytes(32)):
    return pack("<I", version) + previous + ROOT + pack("<II", time, bits) + NONCE


def packed(headers):
    out = bytearray(MAX_PACKED_HEADER * MAX_BATCH_HEADERS)
    count, length = pack_headers(headers, 0, len(headers) // HEADER_SIZE, out, 0, len(out))
    assert count == len(headers) // HEADER_SIZE
    return bytes(out[:length])


def unpacked(data, count):
    target = bytearray(count * HEADER_SIZE)
    unpack_headers(data, 0, len(data), count, target, 0)
    return bytes(target)


def round_trip(name):
    """Pack and unpack a whole file in batches; returns the bytes a header."""
    total = number = 0
    out = bytearray(MAX_PACKED_HEADER * MAX_BATCH_HEADERS + 5)
    target = bytearray(MAX_BATCH_HEADERS * HEADER_SIZE)
    batch = bytearray(MAX_BATCH_HEADERS * HEADER_SIZE)
    with open(data_path("headers/" + name), "rb") as file:
        while True:
            size = file.readinto(batch)
            if not size:
                break
            count = size // HEADER_SIZE
            assert size == count * HEADER_SIZE
            done, length = pack_headers(batch, 0, count, out, 5, len(out) - 5)
            assert done == count
            for i in range(0, size, HEADER_SIZE):
                for j in range(i, i + HEADER_SIZE, 4):
                    pack_into("<I", target, j, 0xA5A5A5A5)
                target[i + 4 : i + 36] = batch[i + 4 : i + 36]  # prev_block_hash is left as it is
            no_allocation(unpack_headers, out, 5, 5 + length, count, target, 0)
            assert memoryview(target)[:size] == memoryview(batch)[:size]
            total += length
            number += count
    return total / number


def test_recent_mainnet_is_under_39_8_bytes():
    assert 39.6 < round_trip("mainnet_822528_830592.bin") < 39.8


def test_early_mainnet():
    assert round_trip("mainnet_000000_010236.bin") < 38.2


def test_mainnet_of_2014():
    assert round_trip("mainnet_300000_300499.bin") < 38.4


def test_testnet3():
    assert round_trip("testnet3_000000_009999.bin") < 38.2


def test_signet():
    assert round_trip("signet_000000_002015.bin") < 38.1


def test_short_files():
    for name in (
        "mainnet_stale_823226.bin",
        "regtest_000000_000100.bin",
        "testnet3_fork_000001_000002.bin",
        "testnet4_000000_000100.bin",
    ):
        assert round_trip(name) <= MAX_PACKED_HEADER


def test_each_version_form():
    forms = (
        (0, b"", 0),  # that of the (all-zero) header before
        (0x20000000, b"", 1),
        (0x20002000, b"\x01", 2),
        (0x201FE000, b"\xff", 2),
        (0x20200000, b"\x01", 3),
        (0x3FE00000, b"\xff", 3),
        (0x3FFFE000, b"\xff\xff", 4),
        (0x20202000, b"\x01\x01", 4),
        (1, b"\x01\x00\x00\x00", 5),
        (0x20000001, b"\x01\x00\x00\x20", 5),
        (0x60000000, b"\x00\x00\x00\x60", 5),
        (0xFFFFFFFF, b"\xff\xff\xff\xff", 5),
    )
    for version, data, form in forms:
        expected = bytes([0x80 | form << 4]) + FULL + data + ROOT + NONCE
        assert packed(header(version)) == expected
        assert unpacked(expected, 1) == header(version)
        # a second header alike costs 38 bytes
        assert packed(header(version) * 2) == expected + b"\x01\x00" + ROOT + NONCE


def test_times():
    first = header(4)
    for delta, data in (
        (-256, b"\x00\x00"),
        (-1, b"\x00\xff"),
        (0, b"\x01\x00"),
        (600, b"\x03\x58"),
        (3839, b"\x0f\xff"),
        (-257, None),
        (3840, None),
        (0x40000000, None),
        (0x80000000 - 256, None),
        (0xFFFFFFFF - TIME, None),
        (-TIME, None),
    ):
        second = header(4, TIME + delta)
        expected = (data or b"\x80" + pack("<II", TIME + delta, BITS)) + ROOT + NONCE
        assert packed(first + second) == packed(first) + expected
        assert unpacked(packed(first + second), 2) == first + second


def test_times_wrap_around():
    # mod 2^32, on 32-bit machine words as on the host's
    for times in ((0xFFFFFFFF, 5, 0xFFFFFFF0), (0, 0xFFFFFFFF, 0), (0x7FFFFFFF, 0x80000000, 0x7FFFFFFF)):
        batch = b"".join([header(0xFFFFFFFF, time) for time in times])
        data = packed(batch)
        assert unpacked(data, 3) == batch
        assert len(data) == 49 + 38 + 38


def test_bits_change():
    batch = header(4) + header(4, bits=0x1702C4E5) + header(4, bits=0xFF02C4E5) + header(4, bits=0xFF02C4E5)
    data = packed(batch)
    assert len(data) == 49 + 45 + 45 + 38
    assert unpacked(data, 4) == batch


def refused(data, count=1):
    error = raises(NonCanonicalEncoding, unpacked, data, count)
    assert str(error).startswith("packed header " + str(count - 1)), str(error)


def test_only_one_way_to_pack():
    tail = ROOT + NONCE
    for form, data in (
        (2, b"\x00"),
        (3, b"\x00"),
        (4, b"\x00\x00"),
        (4, b"\x01\x00"),
        (4, b"\x00\x01"),
        (5, b"\x00\x00\x00\x00"),  # that of the header before
        (5, b"\x00\x00\x00\x20"),
        (5, b"\x00\x20\x00\x20"),
        (5, b"\x00\xe0\xff\x3f"),
        (6, b"\x00\x00\x00\x10"),
        (7, b"\x00\x00\x00\x10"),
    ):
        refused(bytes([0x80 | form << 4]) + FULL + data + tail)
    for low in range(1, 16):
        refused(bytes([0xD0 | low]) + FULL + b"\x04\x00\x00\x00" + tail)
    # full where the difference is enough
    refused(b"\x80" + bytes(8) + tail)
    first = packed(header(0x20002000))
    refused(first + b"\x80" + FULL + tail, 2)
    refused(first + b"\x80" + pack("<II", TIME - 256, BITS) + tail, 2)
    refused(first + b"\x80" + pack("<II", TIME + 3839, BITS) + tail, 2)
    # the version of the header before, written out
    refused(first + b"\x21\x00\x01" + tail, 2)
    refused(packed(header(0x20000000)) + b"\x11\x00" + tail, 2)
    refused(packed(header(7)) + b"\x51\x00\x07\x00\x00\x00" + tail, 2)


def test_whatever_unpacks_packs_to_the_same_bytes():
    # a cheap generator; every accepted mutation must be the packing of what it unpacks to
    base = bytearray(packed(header(0x20002000) + header(0x3FFFE000, TIME + 9) + header(0x3FFFE000, TIME + 20)))
    seed = 1
    accepted = 0
    for _ in range(400):
        seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
        data = bytearray(base)
        data[(seed >> 8) % len(data)] = seed >> 20 & 0xFF
        data[0] = base[0] if seed & 1 else data[0]
        try:
            headers = unpacked(data, 3)
        except (NonCanonicalEncoding, TruncatedInput, TrailingData):
            continue
        accepted += 1
        assert packed(headers) == bytes(data)
    assert accepted > 100


def test_lengths():
    batch = header(0x20002000) + header(0x3FFFE000, TIME + 9)
    data = packed(batch)
    target = bytearray(160)
    for cut in range(len(data)):
        error = raises(TruncatedInput, unpack_headers, data[:cut], 0, cut, 2, target, 0)
        assert "packed header " + ("0" if cut < 46 else "1") in str(error), (cut, str(error))
    raises(TruncatedInput, unpack_headers, data, 0, len(data) + 1, 2, target, 0)
    raises(TruncatedInput, unpack_headers, data, 0, len(data), 3, bytearray(240), 0)
    raises(TrailingData, unpack_headers, data, 0, len(data), 1, target, 0)
    raises(TrailingData, unpack_headers, data + b"\x00", 0, len(data) + 1, 2, target, 0)
    raises(TrailingData, unpack_headers, data, 0, 1, 0, target, 0)
    unpack_headers(data, 7, 7, 0, target, 160)
    raises(LimitExceeded, unpack_headers, data, 0, len(data), -1, target, 0)
    raises(LimitExceeded, unpack_headers, data, 0, len(data), 2, target, 1)
    raises(LimitExceeded, unpack_headers, data, 0, len(data), MAX_BATCH_HEADERS + 1, bytearray(97 * 80), 0)


def test_offsets_and_other_buffers():
    batch = header(0x20002000) + header(0x3FFFE000, TIME + 9)
    data = b"~~~" + packed(batch) + b"~~"
    target = bytearray(b"\x55" * 170)
    unpack_headers(memoryview(data), 3, len(data) - 2, 2, memoryview(target), 5)
    assert target[:5] == b"\x55" * 5
    assert target[165:] == b"\x55" * 5
    for i in (5, 85):
        assert target[i + 4 : i + 36] == b"\x55" * 32
        assert target[i + 36 : i + 68] == ROOT
    assert unpack_from("<II", target, 85 + 68) == (TIME + 9, BITS)


def test_packing_stops_where_room_ends():
    batch = header(0x20002000) + header(0x3FFFE000, TIME + 9) + header(0x20000000, TIME + 10)
    whole = packed(batch)
    for room in range(len(whole) + 1):
        out = bytearray(b"\x55" * (len(whole) + 2))
        count, length = pack_headers(batch, 0, 3, out, 1, room)
        assert length <= room
        assert count == (0 if room < 46 else 1 if room < 86 else 2 if room < 124 else 3), room
        assert bytes(out) == b"\x55" + whole[:length] + b"\x55" * (len(whole) + 1 - length)
    raises(LimitExceeded, pack_headers, batch, 0, 3, bytearray(50), 1, 50)
    raises(TruncatedInput, pack_headers, batch, 1, 3, bytearray(200), 0, 200)
    raises(TruncatedInput, pack_headers, batch, 0, -1, bytearray(200), 0, 200)
    out = bytearray(5000)
    assert pack_headers(bytes(97 * 80), 0, 97, out, 0, 5000) == (96, 38 * 96)
