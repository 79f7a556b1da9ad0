"""The rules, one after the other, on proofs made from well-known blocks."""

from binascii import unhexlify

from known_blocks import (
    BLOCK_170_HEADER,
    BLOCK_170_TRANSACTIONS,
    BLOCK_170_TXIDS_HEX,
    BLOCK_100000_HASH_HEX,
    BLOCK_100000_HEADER,
    BLOCK_100000_TRANSACTIONS,
    BLOCK_100000_TXIDS_HEX,
    branch_of,
    feed,
    joined,
)
from proof_cases import CHAIN_170, CHAIN_100000, OneHeaderChain, proof_170, proof_100000, verify
from support import raises

from lightclient.errors import (
    BadProofOfWork,
    DepthMismatch,
    HeaderNotInChain,
    HeightMismatch,
    IndexOutOfRange,
    LeftSiblingDuplicate,
    LightClientError,
    LimitExceeded,
    MalformedBits,
    MerkleRootMismatch,
    MissingCoinbaseProof,
    NonCanonicalEncoding,
    NotACoinbase,
    SixtyFourByteTransaction,
    TrailingData,
    TruncatedInput,
    TxidMismatch,
    WrongNetwork,
)
from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.params import MAINNET, REGTEST, TESTNET3
from lightclient.spv.container import encode_proof
from lightclient.spv.proof import ACCEPTED, STAGES, ProofVerifier

TXIDS = [hash_from_hex(text) for text in BLOCK_100000_TXIDS_HEX]


def changed(number=3, **fields):
    """The proof of a transaction of block 100,000 with some fields changed."""
    values = {
        "name": "mainnet",
        "height": 100000,
        "header": BLOCK_100000_HEADER,
        "txid": TXIDS[number],
        "index": number,
        "depth": 2,
        "transaction": BLOCK_100000_TRANSACTIONS[number],
        "branch": branch_of(BLOCK_100000_TXIDS_HEX, number),
        "coinbase": BLOCK_100000_TRANSACTIONS[0],
        "coinbase_branch": branch_of(BLOCK_100000_TXIDS_HEX, 0),
    }
    values.update(fields)
    return encode_proof(
        values["name"],
        values["height"],
        values["header"],
        values["txid"],
        values["index"],
        values["depth"],
        values["transaction"],
        values["branch"],
        values["coinbase"],
        values["coinbase_branch"],
    )


def refused(error_class, container, network=MAINNET, chain=None):
    """Refused with that class, whole and byte by byte; returns the stage at which it was."""
    for piece in (0, 1):
        verifier = ProofVerifier()
        verifier.begin(network, chain)

        def run():
            feed(verifier, container, piece)  # noqa: B023 - called at once
            verifier.close()  # noqa: B023

        raises(error_class, run)
        assert verifier.stage != ACCEPTED
    return STAGES[verifier.stage]


def test_block_100000():
    for index in range(4):
        for piece in (0, 1, 7, 80):
            proof = verify(proof_100000(index), MAINNET, CHAIN_100000, None, piece)
            assert proof.stage == ACCEPTED and STAGES[proof.stage] == "accepted"
            assert proof.anchored
            assert (proof.height, proof.index, proof.matches) == (100000, index, 0)
            assert proof.header == BLOCK_100000_HEADER
            assert hash_to_hex(proof.block_hash) == BLOCK_100000_HASH_HEX
            assert proof.txid == TXIDS[index]
            assert proof.coinbase_txid == TXIDS[0]


def test_block_170_pays():
    script = BLOCK_170_TRANSACTIONS[1][-72:-4][1:]
    assert script[-1] == 0xAC
    proof = verify(proof_170(), MAINNET, CHAIN_170, script, 3)
    assert (proof.matches, proof.output_index, proof.output_value) == (1, 1, 4000000000)
    # an output of the coinbase does not count for the transaction
    script = BLOCK_170_TRANSACTIONS[0][-71:-4]
    assert verify(proof_170(0), MAINNET, CHAIN_170, script).output_value == 5000000000
    assert verify(proof_170(1), MAINNET, CHAIN_170, script).matches == 0


def test_one_verifier_serves_many():
    verifier = ProofVerifier()
    for chain, container in ((CHAIN_170, proof_170()), (CHAIN_100000, proof_100000(2)), (CHAIN_170, proof_170(0))):
        verifier.begin(MAINNET, chain)
        feed(verifier, container, 100)
        verifier.close()
        assert verifier.stage == ACCEPTED
        # and is not spoilt by a bad one in between
        verifier.begin(REGTEST, None)
        raises(WrongNetwork, feed, verifier, container)


def test_unanchored():
    proof = verify(proof_100000(1), MAINNET)
    assert proof.stage == ACCEPTED and not proof.anchored


def test_order_of_the_rules():
    """A proof that breaks every rule from one on is refused for that one."""
    bad_header = BLOCK_100000_HEADER[:-1] + b"\x11"
    short = BLOCK_100000_TRANSACTIONS[3][:-1]
    everything = {
        "name": "testnet3",
        "header": bad_header,
        "height": 99999,
        "coinbase": None,
        "transaction": short,
        "txid": TXIDS[1],
        "index": 7,
        "branch": bytes(96),
        "depth": 2,
    }
    assert refused(WrongNetwork, changed(**everything)) == "network"
    everything["name"] = "mainnet"
    assert refused(BadProofOfWork, changed(**everything), MAINNET, CHAIN_100000) == "header"
    everything["header"] = BLOCK_100000_HEADER
    assert refused(HeaderNotInChain, changed(**everything), MAINNET, CHAIN_100000) == "chain"
    everything["height"] = 100000
    refused(MissingCoinbaseProof, changed(**everything), MAINNET, CHAIN_100000)
    everything["coinbase"] = BLOCK_100000_TRANSACTIONS[1]
    everything["coinbase_branch"] = bytes(32)
    assert refused(TruncatedInput, changed(**everything)) == "transaction"
    everything["transaction"] = bytes(64)
    assert refused(SixtyFourByteTransaction, changed(**everything)) == "transaction"
    everything["transaction"] = BLOCK_100000_TRANSACTIONS[3]
    assert refused(TxidMismatch, changed(**everything)) == "transaction"
    everything["txid"] = TXIDS[3]
    refused(IndexOutOfRange, changed(**everything))
    everything["index"] = 3
    assert refused(DepthMismatch, changed(**everything)) == "branch"
    everything["branch"] = TXIDS[3] + bytes(32)
    assert refused(LeftSiblingDuplicate, changed(**everything)) == "branch"
    everything["branch"] = bytes(64)
    assert refused(MerkleRootMismatch, changed(**everything)) == "branch"
    everything["branch"] = branch_of(BLOCK_100000_TXIDS_HEX, 3)
    assert refused(NotACoinbase, changed(**everything)) == "coinbase"
    everything["coinbase"] = BLOCK_100000_TRANSACTIONS[0]
    assert refused(DepthMismatch, changed(**everything)) == "coinbase branch"
    everything["coinbase_branch"] = bytes(64)
    assert refused(MerkleRootMismatch, changed(**everything)) == "coinbase branch"
    everything["coinbase_branch"] = branch_of(BLOCK_100000_TXIDS_HEX, 0)
    assert verify(changed(**everything), MAINNET, CHAIN_100000).stage == ACCEPTED


def test_coinbase_of_another_block():
    container = changed(coinbase=BLOCK_170_TRANSACTIONS[0])
    assert refused(MerkleRootMismatch, container) == "coinbase branch"


def test_coinbase_itself():
    """Without a coinbase the transaction has to be it, whatever the branch."""
    assert verify(changed(0, coinbase=None), MAINNET).coinbase_txid == TXIDS[0]
    assert verify(changed(0), MAINNET).coinbase_txid == TXIDS[0]
    container = changed(3, coinbase=None, index=0, branch=bytes(64))
    assert refused(NotACoinbase, container) == "transaction"
    refused(MissingCoinbaseProof, changed(3, coinbase=None))
    refused(MissingCoinbaseProof, changed(3, coinbase=None, index=1 << 63))


def test_empty_coinbase_is_no_coinbase():
    assert refused(TruncatedInput, changed(3, coinbase=b"", coinbase_branch=b"")) == "coinbase"


def test_bip34_height():
    """testnet3 asks for it from 21,111 on: this coinbase begins with other numbers."""
    refused(HeightMismatch, changed(3, name="testnet3"), TESTNET3)
    refused(HeightMismatch, changed(0, name="testnet3", coinbase=None), TESTNET3)
    assert verify(changed(3, name="testnet3", height=21110), TESTNET3).stage == ACCEPTED


def test_header():
    for bits in ("00000000", "ffff7f20", "0486841b", "00000024"):
        header = BLOCK_100000_HEADER[:72] + unhexlify(bits) + BLOCK_100000_HEADER[76:]
        refused(MalformedBits, changed(header=header))
    refused(HeaderNotInChain, changed(), MAINNET, CHAIN_170)
    refused(HeaderNotInChain, changed(), MAINNET, OneHeaderChain(100000, BLOCK_170_HEADER))


def test_index_of_any_size():
    for index in (4, 7, 1 << 17, (1 << 64) - 1):
        refused(IndexOutOfRange, changed(3, index=index))


def test_branches():
    branch = branch_of(BLOCK_100000_TXIDS_HEX, 3)
    for other in (b"", branch[:32], branch[:63], branch + bytes(32), bytes(32 * 100)):
        refused(DepthMismatch, changed(branch=other))
        refused(DepthMismatch, changed(coinbase_branch=other))
    refused(LimitExceeded, changed(depth=18))
    # both branches one too short, or one too long: the depth is right, the tree is not
    refused(IndexOutOfRange, changed(depth=1, branch=branch[:32], coinbase_branch=branch[:32]))
    longer = branch + bytes(32)
    assert refused(MerkleRootMismatch, changed(depth=3, branch=longer, coinbase_branch=longer)) == "branch"


def test_node_as_leaf():
    """CVE-2017-12842: two txids side by side are 64 bytes whose hash is an inner node."""
    node = joined(BLOCK_100000_TXIDS_HEX[:2])
    other = branch_of(BLOCK_100000_TXIDS_HEX, 0)[32:]
    container = changed(0, transaction=node, index=0, depth=1, branch=other, coinbase=None)
    refused(SixtyFourByteTransaction, container)
    container = changed(1, coinbase=node, coinbase_branch=other)
    refused(SixtyFourByteTransaction, container)


def test_phantom_transaction_behind_the_last():
    """CVE-2012-2459, in a block of two: no row is odd, so its last one is used for the rule itself."""
    container = encode_proof(
        "mainnet",
        170,
        BLOCK_170_HEADER,
        hash_from_hex(BLOCK_170_TXIDS_HEX[1]),
        1,
        1,
        BLOCK_170_TRANSACTIONS[1],
        hash_from_hex(BLOCK_170_TXIDS_HEX[1]),
        BLOCK_170_TRANSACTIONS[0],
        hash_from_hex(BLOCK_170_TXIDS_HEX[1]),
    )
    refused(LeftSiblingDuplicate, container)


def test_encoding():
    whole = changed()
    for size in (0, 1, 2, 50, len(whole) - 1):
        refused(TruncatedInput, whole[:size])
    refused(TrailingData, whole + b"\x00")
    for error_class, begin, end in (
        (MissingCoinbaseProof, 1, b"\xaa"),  # 10 pairs: a path and no coinbase
        (TruncatedInput, 1, b"\xac"),  # 12 pairs: the path is missing
        (NonCanonicalEncoding, 1, b"\xa8"),  # maps of other sizes
        (NonCanonicalEncoding, 1, b"\xad"),
        (NonCanonicalEncoding, 1, b"\xb8\x0b"),
        (NonCanonicalEncoding, 1, b"\xbf"),
        (NonCanonicalEncoding, 1, b"\x8b"),
        (NonCanonicalEncoding, 1, b"{"),
        (NonCanonicalEncoding, 3, b"\xab\x00\x02"),  # versions
        (NonCanonicalEncoding, 3, b"\xab\x00\x00"),
        (NonCanonicalEncoding, 3, b"\xab\x00\x18\x01"),
        (NonCanonicalEncoding, 3, b"\xab\x01\x01"),
        (NonCanonicalEncoding, 4, b"\xab\x00\x01\x18\x01"),
        (WrongNetwork, 12, b"\xab\x00\x01\x01\x60"),
        (WrongNetwork, 12, b"\xab\x00\x01\x01\x67\xff\xff\xff\xff\xff\xff\xff"),
        (NonCanonicalEncoding, 12, b"\xab\x00\x01\x01\x47mainnet"),
        (LimitExceeded, 12, b"\xab\x00\x01\x01\x79\xff\xff"),
    ):
        refused(error_class, end + whole[begin:])


def test_strings_of_another_length():
    for size in (0, 79):
        refused(TruncatedInput, changed(header=BLOCK_100000_HEADER[:size]))
    refused(LimitExceeded, changed(header=BLOCK_100000_HEADER + b"\x00"))
    refused(TruncatedInput, changed(txid=TXIDS[3][:31]))
    refused(LimitExceeded, changed(txid=TXIDS[3] + b"\x00"))
    refused(LimitExceeded, changed(height=0x40000000))
    error = raises(LimitExceeded, verify, changed(header=bytes(81)), MAINNET)
    assert "header" in str(error) and "byte" in str(error)


def test_nothing_is_taken_after_an_error():
    whole = changed()
    verifier = ProofVerifier()
    raises(LightClientError, verifier.feed, whole, 0, 1)  # not begun
    raises(LightClientError, verifier.close)
    verifier.begin(TESTNET3, None)
    raises(WrongNetwork, verifier.feed, whole, 0, len(whole))
    raises(LightClientError, verifier.feed, whole, 0, len(whole))
    raises(LightClientError, verifier.close)
    verifier.begin(MAINNET, None)
    verifier.feed(whole, 0, 100)
    raises(TruncatedInput, verifier.close)
    raises(LightClientError, verifier.feed, whole, 100, len(whole))
