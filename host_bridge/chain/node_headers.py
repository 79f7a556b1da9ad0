"""Headers of a node, judged by every rule as they come: for commands that need the chain, not for the bridge."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

from host_bridge.chain.path_index import PathIndex
from host_bridge.files import Unusable
from host_bridge.limits import MAX_ASKED_HEADERS
from host_bridge.nodes.node import Node, NodeLied
from host_bridge.progress import progress_bar
from lightclient.errors import BadLink
from lightclient.hashes import hash256
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE
from lightclient.params import NETWORKS, Network

TRIES = 5  # reorgs in the middle of a run that are gone along with


class ChainMoved(Exception):
    """The node's best chain is another one than when the headers before were asked for."""


async def network_of(node: Node) -> Network:
    return NETWORKS[(await node.info()).network]


async def checked_batches(node: Node, rules: HeaderRules, last: int | None = None) -> AsyncIterator[bytearray]:
    """The node's headers after the tip of `rules` (up to `last`), batch by batch, when they have passed.

    Raises ChainMoved, the error of the first rule broken, NodeError.
    """
    now = int(time.time())
    tip = (await node.tip()).height if last is None else last
    with progress_bar("fetching headers", tip + 1) as advance:
        advance(rules.state.height + 1)
        while last is None or rules.state.height < last:
            height = rules.state.height + 1
            most = MAX_ASKED_HEADERS if last is None else min(MAX_ASKED_HEADERS, last + 1 - height)
            batch = bytearray(await node.headers(height, most))
            if not batch:
                return
            if len(batch) % HEADER_SIZE or len(batch) > most * HEADER_SIZE:
                raise NodeLied(f"{node.name}: {len(batch)} bytes for {most} headers")
            if batch[4:36] != rules.state.block_hash:
                raise ChainMoved
            try:
                rules.extend(batch, 0, len(batch) // HEADER_SIZE, now)
            except BadLink as error:
                if (await node.headers(error.height, 1)) != batch[(error.height - height) * HEADER_SIZE :][
                    :HEADER_SIZE
                ]:
                    raise ChainMoved from None  # a reorg between its answers to one question
                raise
            advance(len(batch) // HEADER_SIZE)
            yield batch


async def begin(
    node: Node, network: Network, start_height: int | None, base: ChainState | None, accumulator: Accumulator | None
) -> tuple[HeaderRules, bytes]:
    """Rules that stand after `base`, or else at the node's header `start_height` (None: its first), which comes too.

    Above genesis that header is a trusted anchor. Raises what it breaks, Unusable, NodeError.
    """
    rules = HeaderRules(network)
    if base is not None:
        rules.state.copy_from(base)
        own = await node.headers(base.height, 1)
        if own and hash256(own) != base.block_hash:
            raise Unusable(f"{node.name} has another block than the checkpoint at height {base.height}")
        return rules, b""
    height = node.first_height if start_height is None else start_height
    first = await node.headers(height, 1)
    if len(first) != HEADER_SIZE:
        raise Unusable(f"{node.name} has no header at height {height}")
    if height == 0:
        rules.begin_at_genesis(first, 0, accumulator)
    else:
        rules.begin_at_anchor(first, 0, height, int(time.time()))
    return rules, first


async def state_from_node(
    node: Node, network: Network, start_height: int | None, base: ChainState | None, height: int | None
) -> ChainState:
    """As `checkpoint_file.state_from_headers`, of a node's best chain up to `height` (None: its tip)."""
    for _ in range(TRIES):
        rules, _first = await begin(node, network, start_height, base, Accumulator())
        if height is not None and height < rules.state.height:
            raise Unusable(f"height {height} lies below the beginning, which is at {rules.state.height}")
        try:
            async for _batch in checked_batches(node, rules, height):
                pass
        except ChainMoved:
            continue
        if height not in (None, rules.state.height):
            raise Unusable(f"{node.name} stands at height {rules.state.height}, and {height} is wanted")
        return rules.state
    raise Unusable(f"{node.name}: its chain does not hold still: reorg after reorg")


async def index_of_node(node: Node, network: Network, size: int) -> PathIndex:
    """The index of a node's first `size` blocks, for paths. Every rule is checked. Raises as above."""
    for _ in range(TRIES):
        rules, first = await begin(node, network, 0, None, None)
        index = PathIndex()
        index.append(hash256(first))
        try:
            async for batch in checked_batches(node, rules, size - 1):
                index.append(b"".join(hash256(batch[i : i + HEADER_SIZE]) for i in range(0, len(batch), HEADER_SIZE)))
        except ChainMoved:
            continue
        return index
    raise Unusable(f"{node.name}: its chain does not hold still: reorg after reorg")


async def fork_with(node: Node, path: Path, first_height: int, count: int) -> int:
    """Height of the last header that a file of `count` headers from `first_height` on has in common with the node.

    Below `first_height` where there is none. Asks for few headers: twice the logarithm of the fork's depth.
    """
    with path.open("rb") as file:

        async def same(height: int) -> bool:
            file.seek((height - first_height) * HEADER_SIZE)
            return file.read(HEADER_SIZE) == await node.headers(height, 1)

        low, high, step = first_height + count, first_height + count, 1  # `high` and above: not in common
        while low > first_height:
            low = max(high - step, first_height)
            if await same(low):
                break
            high, step = low, 2 * step
        else:
            return first_height - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await same(middle) else (low, middle)
        return low
