"""A scripted node (scripted_node) that is followed and searched, as tests want it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mining import Miner
from payments_on_chain import AMOUNT, SCRIPT, Block, block_with
from scripted_node import ScriptedNode

from host_bridge.node_source import NodeSource, open_index
from host_bridge.sessions.source import Watch
from lightclient.params import REGTEST

OTHER = b"\x00\x14" + b"\x77" * 20


def watch(script: bytes = SCRIPT, from_height: int = 0, min_amount: int = AMOUNT, request_id: int = 1) -> Watch:
    return Watch(request_id, script, min_amount, 1, from_height)


def chain_with_payments(at: dict[int, bytes], height: int) -> tuple[ScriptedNode, dict[int, Block], Miner]:
    """A node with a payment to `at[h]` in block h."""
    miner = Miner(REGTEST)
    headers = bytearray(REGTEST.genesis_header)
    blocks = {}
    for h in range(1, height + 1):
        if h in at:
            blocks[h] = block_with(miner, at[h])
            headers += blocks[h].header
        else:
            headers += miner.batch(1)
    node = ScriptedNode(bytes(headers))
    for h, block in blocks.items():
        node.pays(at[h], block)
    return node, blocks, miner


@asynccontextmanager
async def following(node: ScriptedNode, folder: Path) -> AsyncIterator[NodeSource]:
    index = await open_index(folder, node, REGTEST)
    source = NodeSource(node, index)
    task = asyncio.create_task(source.run(lambda: None))
    try:
        yield source
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        index.close()


async def until(holds: Callable[[], bool], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def heights(source: NodeSource, wanted: Watch) -> list[int]:
    return [payment.height for payment in source.find_payments(wanted)]


async def in_sync(source: NodeSource, node: ScriptedNode) -> None:
    await until(lambda: source.best_height == len(node.chain) // 80 - 1)
    await until(lambda: source.finder.searched_to == source.best_height)
