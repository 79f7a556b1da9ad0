"""The accumulator and the host's index against plain lists of hashes."""

import time
from hashlib import sha256
from pathlib import Path

import pytest
from accumulators import made_hash, naive_path
from hypothesis import given, settings
from hypothesis import strategies as st
from support import data_path

from host_bridge.chain.path_index import PathIndex, index_header_file
from lightclient.errors import PathMismatch
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.path import PathVerifier, path_hashes, peak_level, verify_path
from lightclient.params import MAINNET

MOST = 300


def indexed(hashes: list[bytes]) -> PathIndex:
    index = PathIndex()
    index.append(b"".join(hashes))
    return index


def parts(accumulator: Accumulator) -> tuple[int, bytes, bytes]:
    return accumulator.count, accumulator.peaks(), accumulator.unfinished()


def naive_parts(hashes: list[bytes]) -> tuple[int, bytes, bytes]:
    """The state by its definition, recomputed from the whole list."""

    def node(first: int, leaves: int) -> bytes:
        if leaves == 1:
            return sha256(b"\x00" + first.to_bytes(4, "little") + b"".join(hashes[8 * first : 8 * first + 8])).digest()
        return sha256(b"\x01" + node(first, leaves // 2) + node(first + leaves // 2, leaves // 2)).digest()

    peaks, first = b"", 0
    for k in reversed(range(20)):
        if len(hashes) // 8 >> k & 1:
            peaks += node(first, 1 << k)
            first += 1 << k
    return len(hashes), peaks, b"".join(hashes[8 * first :])


def test_every_path_of_every_height_of_every_size() -> None:
    """45,150 paths, each accepted by the state of its size, and refused by that of another height."""
    hashes = [made_hash(height) for height in range(MOST)]
    index = indexed(hashes)
    accumulator = Accumulator()
    nodes: dict[tuple[int, int], bytes] = {}
    for size in range(1, MOST + 1):
        accumulator.append(hashes[size - 1])
        assert parts(index.accumulator(size)) == parts(accumulator)
        for height in range(size):
            path = index.path(height, size)
            assert len(path) == 4 + 32 * path_hashes(height, size)
            verify_path(accumulator, height, hashes[height], path)
            if size % 37 == 0:
                assert path == naive_path(height, size, nodes)
            with pytest.raises(PathMismatch):
                verify_path(accumulator, (height + 1) % size if size > 1 else 1, hashes[height], path)


def test_a_path_is_good_exactly_as_long_as_its_peak_stands() -> None:
    hashes = [made_hash(height) for height in range(150)]
    index = indexed(hashes)
    states = [index.accumulator(size) for size in range(151)]
    verifier = PathVerifier()
    for made_for in range(1, 151, 7):
        for height in range(0, made_for, 5):
            path = index.path(height, made_for)
            level = peak_level(height, made_for)
            for size in range(1, 151):
                stands = (
                    size >= made_for
                    and peak_level(height, size) == level
                    and (level < 0 or states[size].peak(level) == states[made_for].peak(level))
                )
                verifier.begin(height, hashes[height], made_for, len(path) // 32)
                assert verifier.fits(states[size]) == stands
                if stands:
                    verify_path(states[size], height, hashes[height], path)
                else:
                    with pytest.raises(PathMismatch):
                        verify_path(states[size], height, hashes[height], path)


@st.composite
def actions(draw: st.DrawFn) -> list[tuple[str, int]]:
    kinds = st.sampled_from(["append", "append_links", "save", "back", "restore"])
    return draw(st.lists(st.tuples(kinds, st.integers(1, 40)), min_size=1, max_size=25))


@settings(max_examples=150, deadline=None)
@given(actions(), st.integers(0, 2**32))
def test_against_a_list(todo: list[tuple[str, int]], seed: int) -> None:
    """Appending one by one and in runs, going back to a saved state, bytes there and back."""
    model: list[bytes] = []
    accumulator = Accumulator()
    saved, saved_model = Accumulator(), list[bytes]()
    index = PathIndex()
    branch = seed
    for kind, number in todo:
        new = [sha256(f"{branch} {len(model) + i}".encode()).digest() for i in range(number)]
        if kind == "append":
            for each in new:
                accumulator.append(each)
            model += new
            index.append(b"".join(new))
        elif kind == "append_links":
            buffer = bytearray(80 * number)
            for i in range(1, number):
                buffer[80 * i + 4 : 80 * i + 36] = new[i - 1]
            accumulator.append_links(buffer, 0, number, new[-1])
            model += new
            index.append(b"".join(new))
        elif kind == "save":
            saved.copy_from(accumulator)
            saved_model = list(model)
        elif kind == "back":
            accumulator.copy_from(saved)
            common = next((i for i, (a, b) in enumerate(zip(model, saved_model, strict=False)) if a != b), None)
            keep = min(len(model), len(saved_model)) if common is None else common
            model = list(saved_model)
            index.truncate(keep)
            index.append(b"".join(model[keep:]))
            branch += 1
        else:
            other = Accumulator()
            other.restore(accumulator.count, accumulator.peaks(), accumulator.unfinished())
            accumulator = other
        assert parts(accumulator) == naive_parts(model) == parts(index.accumulator(len(model)))
    for height in range(0, len(model), 1 + len(model) // 10):
        verify_path(accumulator, height, model[height], index.path(height, len(model)))


@settings(max_examples=300, deadline=None)
@given(st.integers(1, MOST), st.data())
def test_no_changed_path_is_accepted(size: int, data: st.DataObject) -> None:
    hashes = [made_hash(height) for height in range(size)]
    index = indexed(hashes)
    height = data.draw(st.integers(0, size - 1))
    path = bytearray(index.path(height, size))
    kind = data.draw(st.sampled_from(["flip", "cut", "add", "height", "hash"]))
    claimed, block_hash = height, hashes[height]
    if kind == "flip" and len(path) > 4:
        path[data.draw(st.integers(4, len(path) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del path[data.draw(st.integers(0, len(path) - 1)) :]
    elif kind == "add":
        path += data.draw(st.binary(min_size=1, max_size=100))
    elif kind == "height":
        claimed = data.draw(st.integers(0, size + 20).filter(lambda other: other != height))
    else:
        block_hash = data.draw(st.binary(min_size=32, max_size=32))
    with pytest.raises(PathMismatch):
        verify_path(index.accumulator(size), claimed, block_hash, bytes(path))


def test_requests_that_cannot_be_met() -> None:
    index = indexed([made_hash(height) for height in range(20)])
    for height, size in ((-1, 20), (20, 20), (5, 5), (5, 21), (5, 0)):
        with pytest.raises(ValueError, match="no path"):
            index.path(height, size)
    for height in (-1, 20):
        with pytest.raises(IndexError):
            index.block_hash(height)
    for size in (-1, 21):
        with pytest.raises(ValueError, match="of 20"):
            index.accumulator(size)
    with pytest.raises(ValueError, match="32"):
        index.append(bytes(33))


def test_real_headers() -> None:
    index = index_header_file(Path(data_path("headers/mainnet_000000_010236.bin")), MAINNET)
    assert index.count == 10237
    accumulator = index.accumulator(10237)
    for height in range(0, 10237, 13):
        verify_path(accumulator, height, index.block_hash(height), index.path(height, 10237))


def test_a_million_blocks() -> None:
    """Time and memory: goals of the design, with room for a busy machine."""
    index = PathIndex()
    for i in range(125):
        index.append(b"".join(made_hash(height) for height in range(8000 * i, 8000 * i + 8000)))
    assert index.count == 1_000_000
    assert index.memory() < 120 << 20
    accumulator = index.accumulator(index.count)
    took = []
    for height in range(0, 1_000_000, 9973):
        started = time.perf_counter()
        path = index.path(height, index.count)
        took.append(time.perf_counter() - started)
        assert len(path) <= 4 + 32 * 23
        verify_path(accumulator, height, index.block_hash(height), path)
    assert sorted(took)[len(took) // 2] < 0.005
