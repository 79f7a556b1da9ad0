"""Paths: those of the vectors, every one of small chains, and every attack on them."""

from binascii import unhexlify

from accumulators import made, made_hash, naive_node, naive_path, vectors
from support import heap_used, raises

from lightclient.errors import LightClientError, PathMismatch
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.path import PathVerifier, path_hashes, verify_path


def test_paths_of_the_vectors():
    for part in ("made", "mainnet"):
        states = {}
        for state in vectors(part, "states"):
            accumulator = Accumulator()
            peaks = unhexlify("".join(state["peaks"]))
            accumulator.restore(state["size"], peaks, unhexlify("".join(state["unfinished"])))
            states[state["size"]] = accumulator
        for case in vectors(part, "paths"):
            if case["size"] not in states:
                states[case["size"]] = made(case["size"])
            accumulator = states[case["size"]]
            verify_path(accumulator, case["height"], unhexlify(case["block_hash"]), unhexlify(case["path"]))


def test_a_path_stays_good_while_its_peak_stands():
    for case in vectors("made", "still_good"):
        at_size = case["at_size"]
        assert at_size > case["size"]
        verify_path(made(at_size), case["height"], unhexlify(case["block_hash"]), unhexlify(case["path"]))


def test_refusals_of_the_vectors():
    for case in vectors("made", "refused"):
        path = unhexlify(case["path"])
        error = raises(
            PathMismatch, verify_path, made(case["size"]), case["height"], unhexlify(case["block_hash"]), path
        )
        assert error.height == case["height"], case["why"]


def test_every_size_and_height_of_small_chains():
    nodes = {}
    for size in range(1, 100, 3):
        accumulator = made(size)
        for height in range(size):
            path = naive_path(height, size, nodes)
            verify_path(accumulator, height, made_hash(height), path)


def test_no_block_stands_at_another_height():
    size = 48 + 5
    accumulator = made(size)
    nodes = {}
    for height in (0, 7, 13, 31, 40, 47, 48, 52):
        path = naive_path(height, size, nodes)
        for other in range(size):
            if other != height:
                raises(PathMismatch, verify_path, accumulator, other, made_hash(height), path)
                raises(PathMismatch, verify_path, accumulator, height, made_hash(other), path)


def test_every_flipped_byte_is_refused():
    size = 100
    accumulator = made(size)
    path = bytearray(naive_path(21, size, {}))
    for i in range(4, len(path)):
        path[i] ^= 0x10
        raises(PathMismatch, verify_path, accumulator, 21, made_hash(21), path)
        path[i] ^= 0x10
    verify_path(accumulator, 21, made_hash(21), path)


def test_every_other_length_is_refused():
    accumulator = made(100)
    path = naive_path(21, 100, {})
    for length in range(len(path)):
        raises(PathMismatch, verify_path, accumulator, 21, made_hash(21), path[:length])
    for extra in (b"\0", bytes(32), path[-32:]):
        raises(PathMismatch, verify_path, accumulator, 21, made_hash(21), path + extra)


def test_an_inner_node_is_no_leaf_and_a_leaf_no_inner_node():
    nodes = {}
    accumulator = made(128)  # 16 leaves, one peak
    path = naive_path(0, 128, nodes)
    # the children of the node over leaves 0 and 1, given out as the first two hashes of a leaf
    left, right = naive_node(0, 1, nodes), naive_node(1, 1, nodes)
    raises(PathMismatch, verify_path, accumulator, 0, left, path[:4] + right + bytes(6 * 32) + path[-96:])
    raises(PathMismatch, verify_path, accumulator, 0, left, path[:4] + right + path[-96:])
    # a leaf of this chain's own hashes one level higher: its sibling is missing
    raises(PathMismatch, verify_path, accumulator, 0, made_hash(0), path[:-32])
    # a size that makes the path one shorter, where the chain has another peak
    smaller = (64).to_bytes(4, "little") + path[4:-32]
    error = raises(PathMismatch, verify_path, accumulator, 0, made_hash(0), smaller)
    assert "out of date" in str(error) and "128" in str(error)


def test_a_leaf_moved_to_another_number_is_refused():
    """The same 8 hashes twice in a chain: the number in the leaf tells them apart."""
    accumulator = Accumulator()
    for i in range(16):
        accumulator.append(made_hash(i % 8))
    nodes = {}
    path = naive_path(3, 16, nodes, lambda height: made_hash(height % 8))
    verify_path(accumulator, 3, made_hash(3), path)
    raises(PathMismatch, verify_path, accumulator, 11, made_hash(3), path)


def test_sizes():
    path = naive_path(5, 16, {})
    for size in (16, 17, 23):  # the peak over leaves 0 and 1 stands until there are 4 leaves
        verify_path(made(size), 5, made_hash(5), path)
    verify_path(made(31), 5, made_hash(5), path)
    error = raises(PathMismatch, verify_path, made(32), 5, made_hash(5), path)
    assert "make one for 32" in str(error)
    error = raises(PathMismatch, verify_path, made(15), 5, made_hash(5), path)
    assert "made for 16" in str(error) and "has 15" in str(error)
    for size in (0, 5, 0x40000001, 0xFFFFFFFF):
        raises(PathMismatch, verify_path, made(16), 5, made_hash(5), size.to_bytes(4, "little") + path[4:])


def test_an_unfinished_leaf_is_compared_directly():
    accumulator = made(13)
    for height in range(8, 13):
        for size in range(height + 1, 14):
            verify_path(accumulator, height, made_hash(height), size.to_bytes(4, "little"))
        raises(PathMismatch, verify_path, accumulator, height, made_hash(height - 1), b"\x0d\0\0\0")
    # what a going back has left in the buffer is not in the chain
    longer = made(14)
    longer.copy_from(accumulator)
    raises(PathMismatch, verify_path, longer, 13, made_hash(13), b"\x0e\0\0\0")


def test_hashes_one_at_a_time():
    accumulator = made(100)
    path = naive_path(21, 100, {})
    verifier = PathVerifier()
    for _ in range(2):  # it is made once and used again
        verifier.begin(21, made_hash(21), 100, 10)
        verifier.add(path, 4)
        raises(PathMismatch, verifier.finish, accumulator)
        for offset in range(36, len(path), 32):
            verifier.add(path, offset)
        verifier.finish(accumulator)
        raises(PathMismatch, verifier.add, path, 4)
    raises(PathMismatch, verifier.begin, 21, made_hash(21), 100, 9)
    raises(PathMismatch, verifier.begin, 100, made_hash(21), 100, 0)
    verifier.begin(21, made_hash(21), 100, path_hashes(21, 100))
    raises(PathMismatch, verifier.require_fit, made(99))


def test_memory_does_not_grow_with_the_path():
    verifier = PathVerifier()
    sibling = bytes(32)
    verifier.begin(0, sibling, 1 << 30, 34)
    for _ in range(8):
        verifier.add(sibling, 0)
    used = heap_used()
    for _ in range(26):
        verifier.add(sibling, 0)
    assert heap_used() - used < 64
    try:
        verifier.finish(made(8))
        raise AssertionError("a path of zeros")
    except LightClientError as error:
        assert isinstance(error, PathMismatch)
