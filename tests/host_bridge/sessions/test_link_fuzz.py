"""The link under attack, and against other people's code: cbor2, hmac, zlib."""

import hmac
import random
import re
import struct
import tracemalloc
import zlib

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightclient import messages
from lightclient.cbor import TEXT, UINT, Reader
from lightclient.errors import LightClientError
from lightclient.headers.compact import pack_headers, unpack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_PAYLOAD
from lightclient.messages import BRIDGE, DEVICE, EITHER, MESSAGES, decode, encode
from lightclient.wire import REASONS, FrameReader, encode_frame

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
MESSAGE_TYPES = range(1, len(MESSAGES) + 1)
Frame = tuple[int, int, bytes]


# --- frames ---


def frames_of(reader: FrameReader, line: bytes, pieces: random.Random | None = None) -> list[Frame]:
    """All frames of a line, fed in random pieces; fails when the reader stands still or writes past its buffer."""
    found = []
    size = len(reader.buffer)
    start = 0
    while start < len(line):
        end = min(len(line), start + pieces.randint(1, 200)) if pieces else len(line)
        while start < end:
            taken = reader.feed(line, start, end)
            assert start < taken <= end
            start = taken
            if reader.ready:
                payload = bytes(reader.buffer[reader.payload_start : reader.payload_end])
                found.append((reader.frame_type, reader.sequence, payload))
            else:
                assert start == end
    assert len(reader.buffer) == size
    assert reader.dropped == sum(reader.dropped_by)
    assert reader.last_error in REASONS
    return found


def oracle(line: bytes, max_payload: int) -> list[Frame]:
    """What the document says, in the plainest way: split, unescape, compare."""
    found = []
    for part in line.split(b"\x7e")[:-1]:
        if b"\x03" in part or re.search(rb"\x7d(?![\x5e\x5d\x23])", part):
            continue
        raw = re.sub(rb"\x7d(.)", lambda match: bytes([match[1][0] ^ 0x20]), part, flags=re.DOTALL)
        if not 8 <= len(raw) <= max_payload + 8:
            continue
        frame_type, sequence, length = struct.unpack_from("<BBH", raw)
        if length == len(raw) - 8 and zlib.crc32(raw[:-4]) == struct.unpack("<I", raw[-4:])[0]:
            found.append((frame_type, sequence, raw[4:-4]))
    return found


spiced = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"\x7e", b"\x7d", b"\x03", b"\x7d\x7d", b"\x7d\x7e", b"\x7d\x5e", b"\x7e\x7e"]),
        st.builds(encode_frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40)),
        st.builds(
            lambda line, at, bit: bytes(b ^ (1 << bit if i == at % len(line) else 0) for i, b in enumerate(line)),
            st.builds(encode_frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40)),
            st.integers(0, 99),
            st.integers(0, 7),
        ),
        st.builds(
            lambda line, cut: line[:cut],
            st.builds(encode_frame, st.just(3), st.just(4), st.binary()),
            st.integers(0, 20),
        ),
    ),
    max_size=12,
).map(b"".join)


@given(spiced, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_line_gives_the_frames_of_the_document(line: bytes, pieces: random.Random) -> None:
    reader = FrameReader(32)
    assert frames_of(reader, line, pieces) == oracle(line, 32)
    # and whatever came, the next frame is found once a delimiter has come
    good = encode_frame(9, 1, b"good")
    assert frames_of(reader, b"\x7e" + good, pieces)[-1] == (9, 1, b"good")


def test_garbage_then_a_good_frame() -> None:
    source = random.Random(1)
    good = encode_frame(7, 3, bytes(range(256)))
    for i in range(400):
        reader = FrameReader(512)
        weights = [1.0] * 256
        weights[0x7E] = weights[0x7D] = weights[0x03] = i % 50
        garbage = bytes(source.choices(range(256), weights, k=source.randint(0, 1500)))
        assert frames_of(reader, garbage + good, source)[-1] == (7, 3, bytes(range(256)))


def test_cut_spliced_repeated_reordered() -> None:
    source = random.Random(2)
    for _ in range(200):
        frames = [encode_frame(source.randrange(256), i, source.randbytes(source.randint(0, 60))) for i in range(12)]
        sent = {frame for line in frames for frame in oracle(line, 64)}
        parts = []
        for _ in range(20):
            one, two = source.choice(frames), source.choice(frames)
            at, to = sorted((source.randint(0, len(one)), source.randint(0, len(one))))
            parts.append(source.choice([one, one[:at], one[at:], one[:at] + two[at:], one[:at] + one[to:], one + one]))
        line = b"".join(parts)
        reader = FrameReader(64)
        found = frames_of(reader, line, source)
        assert found == oracle(line, 64)
        # a splice never makes a new frame: the CRC covers type, number and length too
        assert set(found) <= sent


def test_sequence_numbers_tell_loss_and_repetition() -> None:
    source = random.Random(3)
    reader = FrameReader(64)
    number = 0
    for _ in range(2000):
        skip = source.choice([0, 0, 0, 1, 2, 100, 254, -1])
        number += skip
        line = encode_frame(1, number, b"")
        assert reader.feed(line, 0, len(line)) == len(line)
        assert reader.ready
        assert reader.repeated == (skip == -1)
        assert reader.lost == max(skip, 0)
        number += 1


def test_memory_is_constant() -> None:
    source = random.Random(4)
    line = source.randbytes(20_000) + encode_frame(1, 0, bytes(4096)) + b"\x41" * 20_000
    reader = FrameReader()
    reader.feed(line, 0, len(line))
    tracemalloc.start()
    try:
        frames_of(reader, line)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            frames_of(reader, line)
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()


# --- messages ---


def values_of(fields: "tuple[messages.Field, ...]") -> st.SearchStrategy[list[object]]:
    strategies: list[st.SearchStrategy[object]] = []
    for _, kind, minimum, maximum, multiple in fields:
        if kind == UINT:
            strategies.append(st.integers(minimum, maximum))
        elif kind == TEXT:
            strategies.append(st.text(PRINTABLE, max_size=maximum))
        else:
            count = st.integers(minimum // multiple, min(maximum, 700) // multiple)
            strategies.append(count.flatmap(lambda n, m=multiple: st.binary(min_size=n * m, max_size=n * m)))
    return st.tuples(*strategies).map(list)


any_message = st.sampled_from(MESSAGE_TYPES).flatmap(
    lambda message_type: st.tuples(st.just(message_type), values_of(MESSAGES[message_type - 1][2]))
)


def plain(values: list[object]) -> list[object]:
    return [bytes(value) if isinstance(value, memoryview) else value for value in values]


@given(any_message)
@settings(max_examples=400, deadline=None)
def test_every_message_across_cbor2(message: tuple[int, list[object]]) -> None:
    message_type, values = message
    buffer = bytearray(MAX_PAYLOAD)
    length = encode(message_type, values, buffer)  # type: ignore[arg-type]
    # ours read by cbor2, cbor2's read by us, and byte for byte the same
    assert cbor2.loads(bytes(buffer[:length])) == values
    theirs = cbor2.dumps(values, canonical=True)
    assert theirs == bytes(buffer[:length])
    assert plain(decode(message_type, theirs, 0, len(theirs), MESSAGES[message_type - 1][1])) == values  # type: ignore[arg-type]


@given(any_message, st.data())
@settings(max_examples=400, deadline=None)
def test_a_damaged_message_raises_one_of_our_errors(message: tuple[int, list[object]], data: st.DataObject) -> None:
    message_type, values = message
    raw = bytearray(cbor2.dumps(values))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not raw:
            raw = bytearray(b"\x00")
    try:
        decoded = decode(message_type, raw, 0, len(raw))
    except LightClientError:
        return
    # what is accepted is canonical: there is no second way to write it
    buffer = bytearray(MAX_PAYLOAD)
    assert bytes(buffer[: encode(message_type, decoded, buffer)]) == bytes(raw)


@given(st.integers(-1, 30), st.binary(max_size=80), st.sampled_from([DEVICE, BRIDGE, EITHER]))
@settings(max_examples=300, deadline=None)
def test_random_payloads_raise_one_of_our_errors(message_type: int, payload: bytes, sender: int) -> None:
    try:
        decode(message_type, payload, 0, len(payload), sender)
    except LightClientError:
        pass


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.binary(max_size=20)
    | st.text(PRINTABLE, max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(json_like)
@settings(max_examples=300, deadline=None)
def test_the_reader_reads_what_cbor2_writes_or_refuses(value: object) -> None:
    raw = cbor2.dumps(value)
    reader = Reader()
    reader.reset(raw, 0, len(raw))
    try:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
            assert reader.uint((1 << 64) - 1) == value
        elif isinstance(value, bytes):
            assert reader.bytes(100) == value
        elif isinstance(value, str):
            assert reader.text(100) == value
        elif isinstance(value, list):
            assert reader.array(100) == len(value)
            return
        elif isinstance(value, dict):
            assert reader.map(100) == len(value)
            return
        else:
            for read in (reader.uint, reader.bytes, reader.text, reader.array, reader.map):
                with pytest.raises(LightClientError):
                    read(1 << 70)
            return
    except LightClientError as error:
        raise AssertionError("a plain value was refused") from error
    reader.finish()


def test_authentication_mac_is_hmac() -> None:
    key, challenge, nonce = bytes(range(32)), b"\x05" * 32, b"\x06" * 16
    expected = hmac.digest(key, b"lightclient-auth-1" + challenge + nonce + b"door", "sha256")
    assert messages.authentication_mac(key, challenge, nonce, b"door") == expected


# --- packed headers ---


@given(st.binary(max_size=300), st.integers(0, 6))
@settings(max_examples=300, deadline=None)
def test_random_packed_headers(packed: bytes, count: int) -> None:
    target = bytearray(count * HEADER_SIZE)
    try:
        unpack_headers(packed, 0, len(packed), count, target, 0)
    except LightClientError:
        return
    out = bytearray(len(packed))
    assert pack_headers(target, 0, count, out, 0, len(out)) == (count, len(packed))
    assert bytes(out) == packed


words = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF).map(lambda rolled: 0x20000000 | rolled << 13))
headers = st.lists(
    st.tuples(words, st.integers(-300, 5000), st.sampled_from([0x1D00FFFF, 0x1702C4E4])), max_size=MAX_BATCH_HEADERS
)


@given(headers, st.integers(0, 0xFFFFFFFF))
@settings(max_examples=200, deadline=None)
def test_any_headers_survive_packing(rows: list[tuple[int, int, int]], time: int) -> None:
    batch = bytearray()
    for version, delta, bits in rows:
        time = (time + delta) % (1 << 32)
        batch += struct.pack("<I32s32sIII", version, bytes(32), b"\x07" * 32, time, bits, version ^ time)
    out = bytearray(49 * len(rows))
    count, length = pack_headers(batch, 0, len(rows), out, 0, len(out))
    assert count == len(rows)
    target = bytearray(len(batch))
    unpack_headers(out, 0, length, count, target, 0)
    assert target == batch
