"""Builds payment proofs (`.lcproof`) from blocks, merkleblocks and JSON; judges them with the device's own verifier.

Nothing is decided here that the verifier decides: whatever the form of the input, it ends as a
container that `lightclient.spv.proof.ProofVerifier` reads.
"""

from binascii import unhexlify
from typing import TYPE_CHECKING

from host_bridge.payments.json_proofs import UnreadableProof, fields_of, proof_from_json, stated_hash, text_field
from host_bridge.payments.raw_block import branch_of, merkle_levels, parse_block, walk_transaction
from lightclient.cbor import Reader
from lightclient.errors import HeaderNotInChain, HeightMismatch, MissingCoinbaseProof, TxidMismatch, WrongNetwork
from lightclient.hashes import hash256, hash_to_hex
from lightclient.headers.header import read_bits, read_version
from lightclient.limits import HEADER_SIZE, MAX_HEIGHT, MAX_NAME
from lightclient.params import NETWORKS, Network
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import MAX_PAIRS, encode_proof, with_path
from lightclient.spv.merkleblock import MerkleBlock
from lightclient.spv.proof import ProofVerifier

if TYPE_CHECKING:
    from host_bridge.chain.path_index import PathIndex
    from lightclient.headers.accumulator import Accumulator
    from lightclient.spv.anchor import Chain


__all__ = [
    "CannotProve",
    "UnreadableProof",
    "network_of",
    "proof_from_block",
    "proof_from_branches",
    "proof_from_json",
    "proof_from_merkleblock",
    "proof_from_parsed",
    "raw_or_hex",
    "verify",
    "verify_json",
]


class CannotProve(ValueError):
    """The given files do not hold what a proof is made of; the text says what is missing."""


# --- verifying ---


def verify(
    container: bytes, network: Network, chain: "Chain | None" = None, script_pubkey: bytes | None = None
) -> ProofVerifier:
    """The finished verifier of a valid proof. Raises the error of the first rule that is broken."""
    verifier = ProofVerifier()
    verifier.begin(network, chain, script_pubkey)
    verifier.feed(container, 0, len(container))
    verifier.close()
    return verifier


def verify_json(
    entry: object, network: Network, chain: "Chain | None" = None, script_pubkey: bytes | None = None
) -> ProofVerifier:
    """Like `verify` for a JSON proof. What it states beside the proof must hold too.

    Raises also UnreadableProof, HeaderNotInChain (`block_hash` is another one), TxidMismatch (`coinbase_txid`).
    """
    fields = fields_of(entry)
    block_hash = stated_hash(fields, "block_hash")
    coinbase_txid = stated_hash(fields, "coinbase_txid")
    verifier = verify(proof_from_json(entry), network, chain, script_pubkey)
    if block_hash not in (None, verifier.block_hash):
        raise HeaderNotInChain("the header is not that of the block_hash stated", verifier.height)
    if coinbase_txid not in (None, verifier.coinbase_txid):
        raise TxidMismatch("the coinbase has another txid than the proof says")
    return verifier


def network_of(proof: "bytes | object") -> Network:
    """The network that a container (bytes) or a JSON proof names, before anything of it has been verified.

    Raises WrongNetwork for an unknown name, UnreadableProof, and what a container's encoding breaks.
    """
    if isinstance(proof, bytes):
        reader = Reader()
        reader.reset(proof, 0, len(proof))
        reader.map(MAX_PAIRS)
        for _ in range(3):  # key 0, format version, key 1
            reader.uint(MAX_PAIRS)
        name = reader.text(MAX_NAME)
    else:
        name = text_field(fields_of(proof), "network")
    if name not in NETWORKS:
        raise WrongNetwork("no network is called " + ascii(name[:MAX_NAME]))
    return NETWORKS[name]


# --- building ---


def raw_or_hex(data: bytes) -> bytes:
    """The bytes of a file that holds them raw, or as hex the way bitcoin-cli prints them.

    Raises CannotProve for other text: no block, merkleblock or transaction begins like text.
    """
    beginning = data[:HEADER_SIZE].translate(None, b"\t\n\r")
    if any(byte < 0x20 or byte > 0x7E for byte in beginning):
        return data
    try:
        return unhexlify(data.strip())
    except ValueError:
        raise CannotProve("text that is not hex") from None


def proof_from_block(network: Network, block: bytes, txid: bytes, height: int | None = None) -> bytes:
    """A verified container for `txid` (internal order) from a whole raw block.

    Without `height` it is read from the coinbase, where BIP34 vouches for it. Raises CannotProve when the
    txid is not in the block or the height is unknown, HeightMismatch when the coinbase tells another one,
    WrongNetwork for bits that the network never has; otherwise what parsing or verifying raises.
    """
    transactions = parse_block(block)
    row = [entry[2] for entry in transactions]
    if txid not in row:
        raise CannotProve(
            f"transaction {hash_to_hex(txid)} is not in block {hash_to_hex(hash256(block[:HEADER_SIZE]))}"
        )
    return proof_from_parsed(network, block, transactions, merkle_levels(row), row.index(txid), height)


def proof_from_parsed(
    network: Network,
    block: bytes,
    transactions: list[tuple[int, int, bytes]],
    levels: list[list[bytes]],
    index: int,
    height: int | None,
) -> bytes:
    """Like `proof_from_block` for transaction `index` of a block that is taken apart: for many proofs of one block.

    `transactions` is of `parse_block`, `levels` of `merkle_levels`.
    """
    start, end, txid = transactions[index]
    first, behind, _ = transactions[0]
    return proof_from_branches(
        network,
        height,
        block[:HEADER_SIZE],
        txid,
        index,
        block[start:end],
        branch_of(levels, index),
        block[first:behind],
        branch_of(levels, 0),
    )


def proof_from_merkleblock(
    network: Network, merkleblock: bytes, transaction: bytes, coinbase: bytes | None, height: int | None = None
) -> bytes:
    """A verified container from a merkleblock that matches the coinbase and the transaction, and both of them raw.

    Ask the node for both at once: `gettxoutproof '["TXID", "COINBASE_TXID"]'`. `coinbase` None: the
    transaction is the coinbase. Raises CannotProve, MissingCoinbaseProof, TxidMismatch and more, as above.
    """
    tree = MerkleBlock()
    tree.read(merkleblock, 0, len(merkleblock), network)
    matches = {txid: index for index, txid in tree.matches()}
    txid = walk_transaction(transaction).txid
    if txid not in matches:
        raise CannotProve(f"the merkleblock does not match transaction {hash_to_hex(txid)}")
    index = matches[txid]
    if 0 not in matches.values():
        raise MissingCoinbaseProof("the merkleblock must match the coinbase too")
    if coinbase is None:
        if index != 0:
            raise CannotProve("the coinbase is needed too: the transaction is not the coinbase itself")
        coinbase = transaction
    if matches.get(walk_transaction(coinbase).txid) != 0:
        raise TxidMismatch("the given coinbase is not the first transaction of this block")
    branch = tree.merkle_branch(index)
    header = merkleblock[:HEADER_SIZE]
    return proof_from_branches(
        network, height, header, txid, index, transaction, branch, coinbase, tree.merkle_branch(0)
    )


class _ForgottenHeaders:
    """A chain that has let go of all its headers: what a path is made for."""

    def __init__(self, accumulator: "Accumulator") -> None:
        self.accumulator = accumulator

    def require_header(self, height: int, header: object) -> None:
        raise HeaderNotInChain(f"among {self.accumulator.count} blocks", height)


def proof_with_path(container: bytes, network: Network, index: "PathIndex", size: int) -> bytes:
    """A container without a path, and the path for a chain of `size` blocks; verified.

    Raises CannotProve when the index does not have the block there.
    """
    found = verify(container, network)
    height = found.height
    if size > index.count:
        raise CannotProve(f"a path for {size} blocks needs their headers, {index.count} are given")
    if height >= size:
        raise CannotProve(f"the block is at height {height}, so not among {size} blocks")
    if index.block_hash(height) != found.block_hash:
        raise CannotProve(f"the headers given have another block at height {height}")
    container = with_path(container, index.path(height, size))
    verify(container, network, _ForgottenHeaders(index.accumulator(size)))
    return container


def proof_from_branches(
    network: Network,
    height: int | None,
    header: bytes,
    txid: bytes,
    index: int,
    transaction: bytes,
    branch: bytes,
    coinbase: bytes,
    coinbase_branch: bytes,
) -> bytes:
    """A verified container from what servers hand out in pieces: every form of input ends here.

    Hashes in internal order, a branch is its hashes one after the other from the leaf up. At index 0 the
    transaction is the coinbase itself. Raises as `proof_from_block` does, and what verifying raises.
    """
    if not network.retargets and read_bits(header, 0) != network.pow_limit_bits:
        raise WrongNetwork(f"on {network.name} all bits are {network.pow_limit_bits:08x}, not this block's")
    told = _height_told(network, header, coinbase)
    if height is None:
        if told is None:
            raise CannotProve("the coinbase does not tell the block's height: it must be given")
        height = told
    elif told not in (None, height):
        raise HeightMismatch(f"the coinbase tells height {told} (BIP34)", height)
    depth = len(coinbase_branch) // 32
    coinbase_proof = (coinbase, coinbase_branch) if index else ()
    container = encode_proof(network.name, height, header, txid, index, depth, transaction, branch, *coinbase_proof)
    verify(container, network)
    return container


def _height_told(network: Network, header: bytes, coinbase: bytes) -> int | None:
    """The height in the coinbase, if it is one that BIP34 vouches for."""
    if header == network.genesis_header:
        return 0
    prefix = bytes(walk_transaction(coinbase).coinbase_prefix)
    first = prefix[0]
    height = first - 0x50 if 0x51 <= first <= 0x60 else int.from_bytes(prefix[1 : 1 + first], "little")
    # BIP34 came with version 2: before, other numbers stood there (bits, that look like a height)
    vouched = read_version(header, 0) >= 2 and network.bip34_height <= height <= MAX_HEIGHT
    return height if vouched and prefix.startswith(height_script(height)) else None
