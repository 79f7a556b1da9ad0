"""The block of a transaction, as a Bitcoin Core finds it: by its transaction index, or by an output not yet spent."""

from typing import Any

from host_bridge.limits import MAX_RPC_TRANSACTION, MAX_SPENDABLE_TRIED, MAX_TXOUT_ANSWER
from host_bridge.nodes.core_rpc import CoreRpc
from host_bridge.nodes.node import NodeLied, NotThere, Tip
from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.limits import MAX_HEIGHT


async def find_transaction(rpc: CoreRpc, txid: bytes, name: str) -> Tip:
    """Raises NotThere, with the way out, where the node can't tell; the Merkle proof will say whether it is true."""
    text = hash_to_hex(txid)
    found = await _by_unspent_output(rpc, text, name) or await _by_index(rpc, text, name)
    if await rpc.call("getblockhash", found.height) != hash_to_hex(found.block_hash):
        raise NotThere(f"{name}: transaction {text}: the chain has just changed")
    return found


async def _by_unspent_output(rpc: CoreRpc, text: str, name: str) -> Tip | None:
    outputs = await rpc.batch("gettxout", [(text, i, False) for i in range(MAX_SPENDABLE_TRIED)], MAX_TXOUT_ANSWER)
    for output in outputs:
        if isinstance(output, dict):
            best = await height_of_block(rpc, _hash(output.get("bestblock"), name), name)
            height = best - _number(output.get("confirmations"), name) + 1
            if height < 0:
                raise NodeLied(f"{name}: gettxout: more confirmations than blocks")
            return Tip(height, _hash(await rpc.call("getblockhash", height), name))
    return None


async def _by_index(rpc: CoreRpc, text: str, name: str) -> Tip:
    try:
        transaction = await rpc.call("getrawtransaction", text, True, most=MAX_RPC_TRANSACTION)
    except NotThere as error:
        if "txindex" not in str(error):
            raise NotThere(f"{name} has no transaction {text}") from None
        raise NotThere(
            f"{name} can't tell the block of transaction {text}: it has no index of transactions (txindex=1) "
            "and its first outputs are spent, or it does not exist: give the block's height or hash"
        ) from None
    if not isinstance(transaction, dict):
        raise NodeLied(f"{name}: getrawtransaction: an object belongs there")
    if "blockhash" not in transaction:
        raise NotThere(f"{name}: transaction {text} is in no block yet")
    block_hash = _hash(transaction["blockhash"], name)
    return Tip(await height_of_block(rpc, block_hash, name), block_hash)


async def height_of_block(rpc: CoreRpc, block_hash: bytes, name: str) -> int:
    """Raises NotThere for a block that it does not know, or that is not in its best chain."""
    header = await rpc.call("getblockheader", hash_to_hex(block_hash))
    if not isinstance(header, dict):
        raise NodeLied(f"{name}: getblockheader: an object belongs there")
    if header.get("confirmations") == -1:
        raise NotThere(f"{name}: block {hash_to_hex(block_hash)} is not in the best chain")
    return _number(header.get("height"), name)


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_HEIGHT:
        raise NodeLied(f"{name}: a number of blocks belongs there")
    return value


def _hash(value: Any, name: str) -> bytes:
    try:
        return hash_from_hex(value)
    except (TypeError, ValueError, AttributeError):
        raise NodeLied(f"{name}: a block hash belongs there") from None
