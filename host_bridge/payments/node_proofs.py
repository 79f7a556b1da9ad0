"""`lightclient prove --node`: a proof from a node, with the path for a device that has let go of the header."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from host_bridge.chain.node_headers import index_of_node, network_of
from host_bridge.chain.path_index import index_header_file
from host_bridge.files import Unusable
from host_bridge.nodes.node import Node, NotThere, Tip
from host_bridge.payments.proofs import proof_with_path, verify
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network
from lightclient.spv.proof import ProofVerifier


@runtime_checkable
class LocatesBlocks(Protocol):
    """A node that can tell the height of a block hash."""

    async def locate_block(self, block_hash: bytes) -> Tip: ...


async def prove_from_node(
    node: Node,
    txid: bytes,
    network: Network | None = None,
    height: int | None = None,
    block_hash: bytes | None = None,
    for_size: int | None = None,
    headers: Path | None = None,
) -> tuple[Network, ProofVerifier, bytes]:
    """The network, what the verifier has found, and the container.

    `network`: what the node has to be on; `headers`: a file for the path.

    Raises NodeError, Unusable, CannotProve, LightClientError.
    """
    found = await network_of(node)
    if network not in (None, found):
        raise Unusable(f"{node.name} is on {found.name}, not on {network.name if network else ''}")
    proof = await node.prove(txid, await _block_of(node, txid, height, block_hash))
    verified = verify(proof, found)
    if for_size is not None:
        index = index_header_file(headers, found) if headers else await index_of_node(node, found, for_size)
        proof = proof_with_path(proof, found, index, for_size)
    return found, verified, proof


async def _block_of(node: Node, txid: bytes, height: int | None, block_hash: bytes | None) -> Tip:
    if block_hash is not None:
        if not isinstance(node, LocatesBlocks):
            raise Unusable(f"{node.name} does not find blocks by their hash: give --height N")
        block = await node.locate_block(block_hash)
        if height not in (None, block.height):
            raise Unusable(f"the block of that hash is at height {block.height}, not {height}")
        return block
    if height is not None:
        header = await node.headers(height, 1)
        if len(header) != HEADER_SIZE:
            raise NotThere(f"{node.name} has no block at height {height}")
        return Tip(height, hash256(header))
    try:
        return await node.locate(txid)
    except NotThere as error:
        if "height" in str(error):
            raise NotThere(f"{error} (--height N, or --block HASH)") from None
        raise
