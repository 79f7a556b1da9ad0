"""The accumulator alone: docs/accumulator-vectors.json, which another program has made, and its bytes."""

from binascii import hexlify

from accumulators import made, made_hash, vectors
from mining import Miner, trivial_network
from support import data_path, heap_used, no_allocation, raises

from lightclient.errors import CheckpointMismatch
from lightclient.headers.accumulator import (
    Accumulator,
    _copy_links,
)
from lightclient.headers.path import MAX_PATH_HASHES, MAX_PEAKS, path_hashes, peak_level
from lightclient.headers.rules import HeaderRules
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_HEIGHT
from lightclient.params import MAINNET

NETWORK = trivial_network()
NOW = 1_790_000_000


def parts(accumulator):
    return (accumulator.count, accumulator.peaks(), accumulator.unfinished())


def in_hex(accumulator):
    """As a state of the vectors."""
    peaks = hexlify(accumulator.peaks()).decode()
    unfinished = hexlify(accumulator.unfinished()).decode()
    return {
        "size": accumulator.count,
        "peaks": [peaks[i : i + 64] for i in range(0, len(peaks), 64)],
        "unfinished": [unfinished[i : i + 64] for i in range(0, len(unfinished), 64)],
    }


def test_states_of_the_vectors():
    states = vectors("made", "states")
    accumulator = Accumulator()
    for state in states:
        while accumulator.count < state["size"]:
            accumulator.append(made_hash(accumulator.count))
        assert in_hex(accumulator) == state


def test_real_mainnet_chainwork_and_peaks_at_known_heights():
    states = {state["size"]: state for state in vectors("mainnet", "states")}
    work = {0: 0x100010001, 170: 171 * 0x100010001, 10236: 10237 * 0x100010001}
    buffer = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
    rules = HeaderRules(MAINNET)
    rules.begin_at_genesis(MAINNET.genesis_header, 0, Accumulator())
    seen = 0
    with open(data_path("headers/mainnet_000000_010236.bin"), "rb") as file:
        file.read(HEADER_SIZE)
        while True:
            size = rules.state.height + 1
            assert rules.state.accumulator.count == size
            if size in states:
                seen += 1
                assert in_hex(rules.state.accumulator) == states[size]
                assert rules.state.chainwork == work.get(size - 1, size * 0x100010001)
            stop = min([known for known in states if known > size] + [size + MAX_BATCH_HEADERS])
            view = memoryview(buffer)[: HEADER_SIZE * min(stop - size, MAX_BATCH_HEADERS)]
            count = file.readinto(view) // HEADER_SIZE
            if count == 0:
                break
            rules.extend(buffer, 0, count, NOW)
    assert seen == len(states) and rules.state.height == 10236


def test_linked_headers_in_runs_of_any_length_equal_single_hashes():
    miner = Miner(NETWORK)
    batch = miner.batch(70)
    one = Accumulator()
    run = Accumulator()
    at = 0
    for count in (1, 2, 7, 8, 9, 16, 17, 10):
        end = at + count
        for i in range(at, end):
            follower = batch[HEADER_SIZE * (i + 1) :] if i < 69 else None
            one.append(follower[4:36] if follower else miner.state.block_hash)
        last = batch[HEADER_SIZE * end + 4 : HEADER_SIZE * end + 36] if end < 70 else miner.state.block_hash
        run.append_links(batch, HEADER_SIZE * at, count, last)
        assert parts(run) == parts(one)
        at = end
    assert at == 70


def test_copying_takes_everything():
    for size in (0, 5, 8, 100):
        copy = made(37)
        copy.copy_from(made(size))
        assert parts(copy) == parts(made(size))
        for height in range(size, size + 20):
            copy.append(made_hash(height))
        assert parts(copy) == parts(made(size + 20))


def test_going_back_is_a_copy_and_appending_again():
    saved = made(45)
    accumulator = made(45)
    for _ in range(30):
        accumulator.append(b"\xee" * 32)
    accumulator.copy_from(saved)
    for height in range(45, 90):
        accumulator.append(made_hash(height))
    assert parts(accumulator) == parts(made(90))


def test_bytes_there_and_back():
    back = made(11)
    for size in (0, 1, 7, 8, 9, 63, 64, 127, 200):
        accumulator = made(size)
        peaks, unfinished = accumulator.peaks(), accumulator.unfinished()
        assert (len(peaks), len(unfinished)) == (32 * bin(size >> 3).count("1"), 32 * (size % 8))
        back.restore(size, peaks, unfinished)
        assert parts(back) == parts(accumulator)
        raises(CheckpointMismatch, back.restore, size, peaks + bytes(32), unfinished)
        raises(CheckpointMismatch, back.restore, size, peaks, unfinished + bytes(1))
        raises(CheckpointMismatch, back.restore, size + 1, peaks, unfinished)
        assert parts(back) == parts(accumulator)


def test_restoring_checks_the_sizes_first():
    accumulator = made(9)
    raises(CheckpointMismatch, accumulator.restore, 16, bytes(64), b"")
    raises(CheckpointMismatch, accumulator.restore, 16, b"", b"")
    raises(CheckpointMismatch, accumulator.restore, 17, bytes(32), b"")
    raises(CheckpointMismatch, accumulator.restore, MAX_HEIGHT + 2, bytes(32), bytes(32))
    assert parts(accumulator) == parts(made(9))
    accumulator.restore(MAX_HEIGHT + 1, bytes(32), b"")  # 2^30 blocks: one peak, the highest there is room for
    assert accumulator.peaks() == bytes(32) and bytes(accumulator.peak(MAX_PEAKS - 1)) == bytes(32)


def test_lengths_of_paths():
    assert (peak_level(0, 1), path_hashes(0, 1)) == (-1, 0)
    assert (peak_level(7, 8), path_hashes(7, 8)) == (0, 7)
    assert (peak_level(8, 9), peak_level(0, 9), peak_level(0, 16), peak_level(15, 17)) == (-1, 0, 1, 1)
    assert path_hashes(0, 1_000_000) == 7 + 16  # 125,000 leaves: the largest peak has 65,536
    assert path_hashes(0, MAX_HEIGHT + 1) == MAX_PATH_HASHES
    for size in range(1, 200):
        for height in range(size):
            # by definition: the first peak, the largest first, whose leaves reach over ours
            first = 0
            expected = -1
            for level in range(10, -1, -1):
                if size // 8 >> level & 1:
                    if first <= height // 8 < first + (1 << level):
                        expected = level
                    first += 1 << level
            assert peak_level(height, size) == expected


def test_memory():
    accumulator = Accumulator()
    used = heap_used()
    another = Accumulator()
    assert heap_used() - used < 2048
    batch = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
    no_allocation(_copy_links, accumulator._leaf, 0, batch, 21, 8)
    last = bytes(32)
    for _ in range(4):  # 48 leaves
        another.append_links(batch, 0, MAX_BATCH_HEADERS, last)
    accumulator.copy_from(another)
    used = heap_used()
    another.append_links(batch, 0, MAX_BATCH_HEADERS, last)  # 60: no peak of a new level
    accumulator.copy_from(another)
    assert heap_used() - used < 64  # nothing stays
