"""Frames: what encode_frame sends FrameReader finds again, whatever stands around it on the line."""

from binascii import crc32
from struct import pack

from support import heap_used, no_allocation, raises

from lightclient import wire
from lightclient.errors import LimitExceeded
from lightclient.limits import MAX_PAYLOAD
from lightclient.wire import FRAME_OVERHEAD, FrameReader, encode_frame

EXAMPLE = b"\x7e\x12\x00\x7d\x23\x00\x81\x18\x7d\x5e\x9c\x9d\xdc\xff\x7e"  # of docs/PROTOCOL.md


def frames_of(reader, data, step=0):
    """(type, sequence, payload, lost, repeated) of every frame that `data`, in pieces of `step`, holds."""
    found = []
    step = step or len(data) or 1
    for piece in range(0, len(data), step):
        start = piece
        end = min(piece + step, len(data))
        while start < end:
            start = reader.feed(data, start, end)
            if reader.ready:
                payload = bytes(reader.buffer[reader.payload_start : reader.payload_end])
                assert bytes(reader.view[reader.payload_start : reader.payload_end]) == payload
                found.append((reader.frame_type, reader.sequence, payload, reader.lost, reader.repeated))
    return found


def escape(raw):
    """Escaping as the document says it, byte by byte."""
    line = bytearray(b"\x7e")
    for byte in raw:
        if byte in (0x7E, 0x7D, 0x03):
            line += bytes([0x7D, byte ^ 0x20])
        else:
            line.append(byte)
    return bytes(line) + b"\x7e"


def with_crc(raw):
    return raw + pack("<I", crc32(raw))


def test_worked_example():
    assert encode_frame(0x12, 0, b"\x81\x18\x7e") == EXAMPLE
    assert frames_of(FrameReader(), EXAMPLE) == [(0x12, 0, b"\x81\x18\x7e", 0, False)]


def test_every_byte_passes():
    payload = bytes(range(256))
    line = encode_frame(5, 0, payload)
    assert line == escape(with_crc(b"\x05\x00\x00\x01" + payload))
    assert b"\x03" not in line
    assert line.count(b"\x7e") == 2
    assert frames_of(FrameReader(), line) == [(5, 0, payload, 0, False)]


def test_payload_may_be_any_buffer():
    line = encode_frame(5, 0, b"abc")
    assert encode_frame(5, 256, bytearray(b"abc")) == line
    assert encode_frame(5, 0, memoryview(b"xabcx")[1:4]) == line


def test_empty_and_largest_payload():
    for payload in (b"", b"\x7e" * MAX_PAYLOAD, bytes(MAX_PAYLOAD)):
        assert frames_of(FrameReader(), encode_frame(1, 0, payload)) == [(1, 0, payload, 0, False)]
    raises(LimitExceeded, encode_frame, 1, 0, bytes(MAX_PAYLOAD + 1))


def test_pieces_of_any_size():
    line = b"".join([encode_frame(i, i, bytes(range(i, i + 40))) for i in range(1, 140, 23)])
    whole = frames_of(FrameReader(), line)
    assert len(whole) == 7
    for step in (1, 2, 3, 7, 64):
        assert frames_of(FrameReader(), line, step) == whole


def test_feed_stops_after_a_frame():
    first = encode_frame(1, 0, b"one")
    line = first + encode_frame(2, 1, b"two")
    reader = FrameReader()
    assert reader.feed(line, 0, len(line)) == len(first)
    assert reader.ready
    assert reader.feed(line, len(first), len(line)) == len(line)
    assert reader.ready
    assert reader.frame_type == 2
    assert reader.feed(line, len(line), len(line)) == len(line)
    assert not reader.ready


def test_delimiters_may_be_shared_or_many():
    one = encode_frame(1, 0, b"one")
    two = encode_frame(2, 1, b"two")
    shared = one + two[1:]
    many = b"\x7e\x7e\x7e" + one + b"\x7e\x7e" + two
    for line in (shared, many, one[1:] + two):
        reader = FrameReader()
        assert [frame[2] for frame in frames_of(reader, line)] == [b"one", b"two"]
        assert reader.dropped == 0


def dropped_by(line, reason, max_payload=64):
    """`line` counts as one bad frame for `reason`, and the frame after it is found."""
    reader = FrameReader(max_payload)
    assert frames_of(reader, line + encode_frame(9, 0, b"good")) == [(9, 0, b"good", 0, False)]
    assert reader.dropped == 1, reader.dropped_by
    assert reader.dropped_by[reason] == 1, reader.dropped_by
    assert reader.last_error == wire.REASONS[reason]


def test_each_kind_of_fault():
    good = with_crc(b"\x01\x00\x03\x00abc")
    dropped_by(b"MPY: soft reboot\r\n", wire.BAD_LENGTH)
    dropped_by(b"\x7eshort\x7e", wire.SHORT)
    dropped_by(escape(with_crc(b"\x01\x00\x00")), wire.SHORT)
    dropped_by(escape(good)[:-4], wire.BAD_LENGTH)
    dropped_by(escape(with_crc(b"\x01\x00\x04\x00abc")), wire.BAD_LENGTH)
    dropped_by(escape(with_crc(b"\x01\x00\x02\x00abc")), wire.BAD_LENGTH)
    dropped_by(escape(with_crc(b"\x01\x00\xff\xffabc")), wire.BAD_LENGTH)
    for i in range(len(good)):
        for bit in range(8):
            flipped = bytearray(good)
            flipped[i] ^= 1 << bit
            dropped_by(escape(flipped), wire.BAD_LENGTH if i in (2, 3) else wire.BAD_CRC)


def test_wrong_escapes():
    good = escape(with_crc(b"\x01\x00\x05\x00ab~cd"))
    assert b"ab\x7d\x5ecd" in good
    dropped_by(good.replace(b"ab", b"\x7d\x41b"), wire.BAD_ESCAPE)  # escape of a byte that needs none
    dropped_by(good.replace(b"ab", b"\x03b"), wire.BAD_ESCAPE)  # a raw Ctrl-C
    dropped_by(good.replace(b"ab", b"\x7d\x7d\x5db"), wire.BAD_ESCAPE)  # an escaped escape
    dropped_by(good[:8] + b"\x7d\x7e", wire.BAD_ESCAPE)  # a frame cut inside an escape


def test_overlong_frames():
    dropped_by(encode_frame(1, 0, bytes(65)), wire.OVERLONG)
    dropped_by(b"\x41" * 20_000, wire.OVERLONG)
    assert frames_of(FrameReader(64), encode_frame(1, 0, bytes(64))) == [(1, 0, bytes(64), 0, False)]
    assert len(FrameReader(64).buffer) == 64 + FRAME_OVERHEAD


def test_sequence_numbers():
    reader = FrameReader()
    for i in range(600):
        assert [frame[3:] for frame in frames_of(reader, encode_frame(1, i, b""))] == [(0, False)]
    expected = 600 & 0xFF
    assert reader.expected == expected
    line = b"".join([encode_frame(1, expected + i, b"") for i in (0, 0, 1, 5, 6, 6, 2, 3)])
    assert [(frame[3], frame[4]) for frame in frames_of(reader, line)] == [
        (0, False),
        (0, True),  # the same number again
        (0, False),
        (3, False),  # three frames are missing
        (0, False),
        (0, True),
        (251, False),  # an old frame: far ahead, mod 256
        (0, False),
    ]


def test_restart():
    reader = FrameReader()
    line = encode_frame(1, 40, b"")
    reader.feed(line + line[:6], 0, len(line))
    assert reader.lost == 40
    reader.feed(line, 0, 6)
    reader.restart()
    assert not reader.ready
    assert frames_of(reader, encode_frame(1, 0, b"new")) == [(1, 0, b"new", 0, False)]
    assert reader.dropped == 0


def test_reading_allocates_nothing():
    line = encode_frame(7, 0, bytes(range(256)) * 8)
    reader = FrameReader()
    no_allocation(reader.feed, line, 0, len(line) - 1)
    reader.feed(line, len(line) - 1, len(line))
    assert reader.ready
    garbage = b"\x7d\x03" * 4000
    no_allocation(reader.feed, garbage, 0, len(garbage))
    view = memoryview(line)
    reader.restart()
    no_allocation(reader.feed, view, 0, len(line) - 1)


def test_memory_is_constant():
    reader = FrameReader(256)
    line = bytearray(encode_frame(7, 0, bytes(range(256))))
    garbage = bytes(range(255, 100, -1)) * 8
    frames = 0
    before = heap_used()
    for i in range(300):
        line[i % len(line)] ^= 0x10 if i % 3 else 0  # most frames are damaged
        frames += len(frames_of(reader, line, 50)) + len(frames_of(reader, garbage))
    assert frames < 300
    assert reader.dropped > 300
    assert heap_used() - before < 256
    assert frames_of(reader, b"\x7e" + encode_frame(9, 0, b"good"))[-1][2] == b"good"
