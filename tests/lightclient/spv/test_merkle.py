from known_blocks import (
    BLOCK_170_HEADER,
    BLOCK_170_TXIDS_HEX,
    BLOCK_100000_HEADER,
    BLOCK_100000_TXIDS_HEX,
    branch_of,
    joined,
)
from support import cases, heap_used, hex_field, list_field, raises

from lightclient.errors import (
    DepthMismatch,
    IndexOutOfRange,
    LeftSiblingDuplicate,
    LimitExceeded,
    MerkleRootMismatch,
)
from lightclient.hashes import hash256, hash_from_hex
from lightclient.limits import MAX_MERKLE_DEPTH
from lightclient.spv.merkle import MerkleFold


def fold(leaf, branch, index, root, depth=-1):
    """`branch` is the siblings one after the other."""
    merkle = MerkleFold()
    merkle.start(leaf, index, len(branch) // 32 if depth < 0 else depth)
    for offset in range(0, len(branch), 32):
        merkle.add(branch, offset)
    merkle.finish(root)


def test_block_100000():
    root = BLOCK_100000_HEADER[36:68]
    leaves = joined(BLOCK_100000_TXIDS_HEX)
    for index in range(4):
        leaf = leaves[32 * index : 32 * index + 32]
        branch = branch_of(BLOCK_100000_TXIDS_HEX, index)
        assert len(branch) == 64
        fold(leaf, branch, index, root)
        for other in range(4):
            if other != index:
                raises(MerkleRootMismatch, fold, leaf, branch, other, root)
        for other in (4, 4 + index, 1 << 40):
            raises(IndexOutOfRange, fold, leaf, branch, other, root)
        raises(IndexOutOfRange, fold, leaf, branch, -1, root)


def test_block_170():
    leaf = hash_from_hex(BLOCK_170_TXIDS_HEX[1])
    sibling = hash_from_hex(BLOCK_170_TXIDS_HEX[0])
    fold(leaf, sibling, 1, BLOCK_170_HEADER[36:68])
    raises(MerkleRootMismatch, fold, leaf, sibling, 0, BLOCK_170_HEADER[36:68])


def test_a_tree_of_one():
    leaf = b"\x07" * 32
    fold(leaf, b"", 0, leaf)
    raises(MerkleRootMismatch, fold, leaf, b"", 0, b"\x08" * 32)
    raises(IndexOutOfRange, fold, leaf, b"", 1, leaf)


def test_padding_on_the_right_only():
    """Three leaves: the third is paired with itself. Shown as the fourth it is CVE-2012-2459."""
    a, b, c = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
    ab = hash256(a + b)
    root = hash256(ab + hash256(c + c))
    fold(c, c + ab, 2, root)
    raises(LeftSiblingDuplicate, fold, c, c + ab, 3, root)
    # the same one level up, in a tree of six
    d, e, f = b"\x04" * 32, b"\x05" * 32, b"\x06" * 32
    abcd = hash256(ab + hash256(c + d))
    ef = hash256(e + f)
    root = hash256(abcd + hash256(ef + ef))
    fold(f, e + ef + abcd, 5, root)
    raises(LeftSiblingDuplicate, fold, f, e + ef + abcd, 7, root)


def test_depth():
    leaf = b"\x07" * 32
    raises(LimitExceeded, MerkleFold().start, leaf, 0, MAX_MERKLE_DEPTH + 1)
    MerkleFold().start(leaf, (1 << MAX_MERKLE_DEPTH) - 1, MAX_MERKLE_DEPTH)
    raises(DepthMismatch, fold, leaf, bytes(32), 0, leaf, 2)
    raises(DepthMismatch, fold, leaf, bytes(64), 0, leaf, 1)


def test_summa():
    """Leaf, branch and root one after the other; two of the forms that summa has."""
    results = []
    for case in cases("proofs/summa_bitcoin_spv.json", "merkle"):
        if "leaf" in case:
            leaf = hash_from_hex(case["leaf"])
            branch = joined(list_field(case, "merkle_branch"))
            root = hash_from_hex(case["merkle_root"])
        else:
            whole = hex_field(case, "proof_hex")
            leaf, branch, root = whole[:32], whole[32:-32], whole[-32:]
        try:
            if len(leaf) != 32 or len(branch) % 32:
                raise DepthMismatch("not hashes of 32 bytes")
            fold(leaf, branch, case["index"], root)
            result = "valid"
        except (DepthMismatch, MerkleRootMismatch):
            result = "invalid"
        assert result == case["expected"], case["index"]
        results.append(result)
    assert len(results) == 11
    assert results.count("valid") == 8


def test_memory_does_not_grow():
    merkle = MerkleFold()
    siblings = bytes(range(32))
    before = heap_used()
    peak = before
    merkle.start(b"\x07" * 32, 0, MAX_MERKLE_DEPTH)
    for _ in range(MAX_MERKLE_DEPTH):
        merkle.add(siblings, 0)
        peak = max(peak, heap_used())
    assert peak - before < 512
