"""Proofs made from two well-known blocks, and the shared proofs as containers. Runs on both Pythons."""

from known_blocks import (
    BLOCK_170_HEADER,
    BLOCK_170_TRANSACTIONS,
    BLOCK_170_TXIDS_HEX,
    BLOCK_100000_HEADER,
    BLOCK_100000_TRANSACTIONS,
    BLOCK_100000_TXIDS_HEX,
    branch_of,
    feed,
    joined,
)
from support import hex_field

from lightclient.errors import (
    BadProofOfWork,
    DepthMismatch,
    HeaderNotInChain,
    IndexOutOfRange,
    LeftSiblingDuplicate,
    MerkleRootMismatch,
    MissingCoinbaseProof,
    SixtyFourByteTransaction,
    TxidMismatch,
)
from lightclient.hashes import hash_from_hex
from lightclient.spv.container import encode_proof, proof_parts
from lightclient.spv.proof import ProofVerifier


class OneHeaderChain:
    """Stands in for a chain whose window holds one header."""

    def __init__(self, height, header, accumulator=None):
        self.accumulator = accumulator
        self.height = height
        self.header = header

    def require_header(self, height, header):
        if height != self.height or bytes(header) != self.header:
            raise HeaderNotInChain("another header is there", height)


CHAIN_170 = OneHeaderChain(170, BLOCK_170_HEADER)
CHAIN_100000 = OneHeaderChain(100000, BLOCK_100000_HEADER)


def proof_170(index=1, path=None):
    return _proof(170, BLOCK_170_HEADER, BLOCK_170_TXIDS_HEX, BLOCK_170_TRANSACTIONS, index, path)


def proof_100000(index):
    return _proof(100000, BLOCK_100000_HEADER, BLOCK_100000_TXIDS_HEX, BLOCK_100000_TRANSACTIONS, index)


def _proof(height, header, txids_hex, transactions, index, path=None):
    branch = branch_of(txids_hex, index)
    return encode_proof(
        "mainnet",
        height,
        header,
        hash_from_hex(txids_hex[index]),
        index,
        len(branch) // 32,
        transactions[index],
        branch,
        transactions[0] if index else None,
        branch_of(txids_hex, 0) if index else b"",
        path,
    )


def verify(container, network, chain=None, script_pubkey=None, piece=0):
    """Feed a container or a list of its parts, `piece` bytes at a time (0: whole); returns the finished verifier."""
    verifier = ProofVerifier()
    verifier.begin(network, chain, script_pubkey)
    for part in container if isinstance(container, list) else (container,):
        feed(verifier, part, piece)
    verifier.close()
    return verifier


def parts_of(case, coinbase=None, coinbase_branch=b""):
    """A case of the shared proofs as the parts of a container; a coinbase proof is put in where the case has none."""
    own = hex_field(case, "coinbase_tx_hex")
    if own is not None:
        coinbase = own
        coinbase_branch = joined(case["coinbase_merkle_branch"])
    branch = joined(case["merkle_branch"])
    return proof_parts(
        case["network"],
        case["height"],
        hex_field(case, "block_header_hex"),
        hash_from_hex(case["txid"]),
        case["index"],
        len(branch if coinbase is None else coinbase_branch) // 32,
        hex_field(case, "tx_hex"),
        branch,
        coinbase,
        coinbase_branch,
    )


# What each kind of bad proof breaks, by the beginning of the case's `why`.
_EXPECTED = (
    ("first branch element has one bit flipped", MerkleRootMismatch),
    ("last branch element has one bit flipped", MerkleRootMismatch),
    ("index xor 1", MerkleRootMismatch),
    ("branch extended by one zero hash", DepthMismatch),
    ("branch truncated by one", DepthMismatch),
    ("branch elements in reversed order", MerkleRootMismatch),
    ("txid is that of another transaction", MerkleRootMismatch),
    ("nonce altered", BadProofOfWork),
    ("index has a bit above the tree depth", IndexOutOfRange),
    ("merkle root in the header altered", BadProofOfWork),
    ("txid computed over the witness", TxidMismatch),
    ("CVE-2012-2459 phantom leaf", LeftSiblingDuplicate),
    ("CVE-2017-12842 (node as leaf)", SixtyFourByteTransaction),
)


def expected_error(case, with_coinbase):
    """The class that refuses a mutated or adversarial case; `with_coinbase`: a genuine one was added if it had none."""
    if not with_coinbase and case.get("coinbase_tx_hex") is None and case["index"]:
        return MissingCoinbaseProof
    if case["height"] == 170 and case["why"].startswith("txid is that of another"):
        # the other one is the coinbase, which is at the same time the left sibling in the branch
        return LeftSiblingDuplicate
    for beginning, error_class in _EXPECTED:
        if case["why"].startswith(beginning):
            return error_class
    raise ValueError("unknown kind of case: " + case["why"])
