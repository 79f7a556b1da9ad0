import os
from binascii import unhexlify

from known_blocks import (
    BLOCK_100000_HASH_HEX,
    BLOCK_100000_HEADER,
    BLOCK_100000_TXIDS_HEX,
    branch_of,
)
from support import cases, list_field, raises

from lightclient.errors import (
    BadProofOfWork,
    IndexOutOfRange,
    LeftSiblingDuplicate,
    LightClientError,
    LimitExceeded,
    MerkleRootMismatch,
    NonCanonicalEncoding,
    TrailingData,
    TruncatedInput,
)
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import MAINNET, NETWORKS
from lightclient.spv.merkle import MerkleFold
from lightclient.spv.merkleblock import MerkleBlock

LEAVES = [hash_from_hex(text) for text in BLOCK_100000_TXIDS_HEX]
PAIRS = [hash256(LEAVES[0] + LEAVES[1]), hash256(LEAVES[2] + LEAVES[3])]


def serialized(hashes, flags, number_of_txs=4, header=BLOCK_100000_HEADER):
    """The four transactions of block 100,000; `flags` is a string of bits, first one first."""
    packed = bytearray((len(flags) + 7) // 8)
    for i in range(len(flags)):
        packed[i // 8] |= int(flags[i]) << i % 8
    return (
        header
        + number_of_txs.to_bytes(4, "little")
        + bytes([len(hashes)])
        + b"".join(hashes)
        + bytes([len(packed)])
        + bytes(packed)
    )


def read(data, network=MAINNET):
    tree = MerkleBlock()
    tree.read(data, 0, len(data), network)
    return tree


# Matches 0 and 3: both pairs are walked.
TWO = serialized(LEAVES, "1110101")


def test_block_100000():
    tree = read(TWO)
    assert (tree.number_of_txs, tree.depth, tree.match_count) == (4, 2, 2)
    assert hash_to_hex(tree.block_hash) == BLOCK_100000_HASH_HEX
    assert [(index, hash_to_hex(txid)) for index, txid in tree.matches()] == [
        (0, BLOCK_100000_TXIDS_HEX[0]),
        (3, BLOCK_100000_TXIDS_HEX[3]),
    ]
    assert tree.merkle_branch(0) == branch_of(BLOCK_100000_TXIDS_HEX, 0)
    assert tree.merkle_branch(3) == branch_of(BLOCK_100000_TXIDS_HEX, 3)
    for index in (1, 2, 4, -1):
        raises(IndexOutOfRange, tree.merkle_branch, index)


def test_reads_in_the_middle_of_a_buffer():
    tree = MerkleBlock()
    tree.read(bytearray(b"\xff" * 7 + TWO + b"\xff" * 9), 7, 7 + len(TWO), MAINNET)
    assert [index for index, _ in tree.matches()] == [0, 3]


def test_no_match():
    root = BLOCK_100000_HEADER[36:68]
    tree = read(serialized([root], "0"))
    assert tree.match_count == 0
    assert list(tree.matches()) == []
    raises(IndexOutOfRange, tree.merkle_branch, 0)


def test_one_match():
    tree = read(serialized([PAIRS[0], LEAVES[2], LEAVES[3]], "10110"))
    assert [index for index, _ in tree.matches()] == [2]
    assert tree.merkle_branch(2) == LEAVES[3] + PAIRS[0]


def test_every_rule_has_its_error():
    for error_class, data in (
        (LimitExceeded, serialized(LEAVES, "1110101", 0)),
        (LimitExceeded, serialized(LEAVES, "1110101", 3)),  # more hashes than transactions
        (LimitExceeded, serialized(LEAVES, "1110101", 0xFFFFFFFF)),
        (TruncatedInput, serialized(LEAVES[:3], "1110101")),
        (TruncatedInput, serialized(LEAVES, "")),
        (TruncatedInput, serialized([], "1")),
        (TrailingData, serialized([BLOCK_100000_HEADER[36:68], LEAVES[0]], "0")),
        (TrailingData, serialized(LEAVES, "1110101" + "00000")),
        (NonCanonicalEncoding, serialized(LEAVES, "11101011")),
        (MerkleRootMismatch, serialized([LEAVES[1], LEAVES[0]] + LEAVES[2:], "1110101")),
        (LeftSiblingDuplicate, serialized([PAIRS[0], PAIRS[0]], "100")),
        (LeftSiblingDuplicate, serialized([LEAVES[0], LEAVES[0], LEAVES[2], LEAVES[3]], "1110101")),
        (BadProofOfWork, serialized(LEAVES, "1110101", 4, BLOCK_100000_HEADER[:-1] + b"\x11")),
        (TrailingData, TWO + b"\x00"),
        (NonCanonicalEncoding, TWO[:84] + b"\xfd\x04\x00" + TWO[85:]),
    ):
        raises(error_class, read, data)


def test_padding_is_not_walked():
    """Three transactions have a tree of depth 2, whose last leaf has no right sibling of its own."""
    header = bytearray(BLOCK_100000_HEADER)
    tree = MerkleBlock()
    third = [LEAVES[0], LEAVES[1], LEAVES[2]]
    header[36:68] = hash256(PAIRS[0] + hash256(LEAVES[2] + LEAVES[2]))
    header[72:76] = b"\xff\xff\x7f\x20"
    regtest = NETWORKS["regtest"]
    for nonce in range(256):
        header[76] = nonce
        try:
            data = serialized(third, "110011", 3, bytes(header))
            tree.read(data, 0, len(data), regtest)
            break
        except BadProofOfWork:
            pass
    assert [index for index, _ in tree.matches()] == [2]
    assert tree.merkle_branch(2) == LEAVES[2] + PAIRS[0]
    # CVE-2012-2459: shown as a block of four it would have the same root
    raises(LimitExceeded, read, serialized(third + [LEAVES[2]], "1100101", 3, bytes(header)), regtest)
    data = serialized([PAIRS[0], LEAVES[2], LEAVES[2]], "10101", 4, bytes(header))
    raises(LeftSiblingDuplicate, read, data, regtest)


def test_every_cut_and_every_flip():
    for size in range(len(TWO)):
        raises(TruncatedInput, read, TWO[:size])
    for i in range(len(TWO)):
        for bit in (0, 3, 7):
            changed = bytearray(TWO)
            changed[i] ^= 1 << bit
            try:
                read(bytes(changed))
            except LightClientError:
                continue
            # only the flags of leaves whose hash is there anyway can say something else
            assert i == len(TWO) - 1, (i, bit)


INVALID = (
    ("one hash missing", TruncatedInput),
    ("number_of_txs above", LimitExceeded),
    ("root flag cleared", TrailingData),
    ("extra unused hash", TrailingData),
    ("number_of_txs = 0", LimitExceeded),
    ("one superfluous flag byte", TrailingData),
    ("one hash altered", MerkleRootMismatch),
    ("CVE-2012-2459", LeftSiblingDuplicate),
)


def raw(value):
    """As hex_field, but a large one in one allocation: 50 KB of 192."""
    if not isinstance(value, dict):
        return unhexlify(value)
    data = bytearray(os.stat(value["file"])[6])
    with open(value["file"], "rb") as file:
        file.readinto(data)
    return data


def test_real_merkleblocks():
    count = 0
    fold = MerkleFold()
    for case in cases("proofs/merkleblocks_bip37.json"):
        data = raw(case["merkleblock_hex"])
        count += 1
        if case["expected"] == "invalid":
            expected = [error for beginning, error in INVALID if case["why"].startswith(beginning)]
            raises(expected[0], read, data, NETWORKS[case["network"]])
            continue
        tree = read(data, NETWORKS[case["network"]])
        assert hash_to_hex(tree.block_hash) == case["block_hash"]
        assert tree.number_of_txs == case["number_of_txs"]
        found = tree.matches()
        checked = 0
        for match in list_field(case, "matches"):
            index, txid = next(found)
            assert (index, txid) == (match["index"], hash_from_hex(match["txid"]))
            checked += 1
            if checked > 5:  # each branch is a walk of its own
                continue
            branch = tree.merkle_branch(index)
            fold.start(txid, index, tree.depth)
            for offset in range(0, len(branch), 32):
                fold.add(branch, offset)
            fold.finish(data[36:68])
        assert checked == tree.match_count
        assert next(found, None) is None
    assert count == 22
