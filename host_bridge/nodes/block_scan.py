"""A raw block judged, searched for payments to many scripts at once, and proved from."""

from collections.abc import Collection

from host_bridge.limits import FEW_SCRIPTS, MAX_RAW_BLOCK
from host_bridge.nodes.node import NodeLied, NodePayment, NotThere
from host_bridge.payments.proofs import CannotProve, proof_from_parsed
from host_bridge.payments.raw_block import list_outputs, merkle_levels, parse_block
from host_bridge.sessions.session import FoundPayment
from lightclient.errors import LightClientError, MerkleRootMismatch
from lightclient.hashes import hash256, hash_to_hex
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network


def check_block(block: bytes, block_hash: bytes, name: str) -> None:
    """Raises NodeLied unless it begins with the header of `block_hash`. `name`: the node's, for people."""
    if not HEADER_SIZE < len(block) <= MAX_RAW_BLOCK or hash256(block[:HEADER_SIZE]) != block_hash:
        raise NodeLied(f"{name}: what it gives for block {hash_to_hex(block_hash)} is not that block")


class ParsedBlock:
    """A raw block whose transactions are all there: they give its Merkle root. Takes 10 to 50 ms: for a thread.

    Raises NodeLied.
    """

    def __init__(self, network: Network, block: bytes, height: int, name: str) -> None:
        self._network = network
        self._block = block
        self._height = height
        self._name = name
        try:
            self._transactions = parse_block(block)
            self._levels = merkle_levels([txid for _, _, txid in self._transactions])
            if self._levels[-1][0] != block[36:68]:
                raise MerkleRootMismatch("its transactions don't give its merkle_root", height)
        except LightClientError as error:
            raise self._lie(error) from None

    def _lie(self, error: Exception) -> NodeLied:
        return NodeLied(f"{self._name}: block {self._height}: {type(error).__name__}: {error}")

    def _prove(self, number: int) -> bytes:
        try:
            return proof_from_parsed(self._network, self._block, self._transactions, self._levels, number, self._height)
        except (LightClientError, CannotProve) as error:
            raise self._lie(error) from None

    def prove(self, txid: bytes) -> bytes:
        """The verified container of a transaction (txid in internal order). Raises NotThere, NodeLied."""
        for number, (_, _, found) in enumerate(self._transactions):
            if found == txid:
                return self._prove(number)
        raise NotThere(f"{self._name}: transaction {hash_to_hex(txid)} is not in block {self._height}")

    def payments(self, scripts: Collection[bytes]) -> list[NodePayment]:
        """The transactions that pay one of `scripts`, in order; once for each script that they pay."""
        found = []
        block_hash = hash256(self._block[:HEADER_SIZE])
        for number, (start, end, txid) in enumerate(self._transactions):
            paid = {output.script_pubkey for output in list_outputs(self._block[start:end])}
            hit = [script for script in scripts if script in paid] if len(scripts) < len(paid) else paid & set(scripts)
            if hit:
                payment = FoundPayment(self._height, block_hash, txid, self._prove(number))
                found += [NodePayment(script, payment) for script in sorted(hit)]
        return found


def find_payments(
    network: Network, block: bytes, height: int, scripts: Collection[bytes], name: str
) -> list[NodePayment]:
    """All payments to `scripts` in a block that `check_block` has passed. For a thread. Raises NodeLied."""
    if len(scripts) <= FEW_SCRIPTS and not any(script in block for script in scripts):
        return []  # a script that is not in the bytes is in no output
    return ParsedBlock(network, block, height, name).payments(scripts)
