"""A real node asked for what the bridge needs: a proof in a block of 2,000 transactions, a scan, headers, news.

The block is mined on regtest, 0.9 MB; beside it a proof from mainnet's block 830,000, where the data is there. The
way through gettxoutproof, which fetches less and asks more often, is there to compare.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from large_block import mine_large_block
from measure import DATA, Figure, arguments, report
from regtest_node import NodeUnavailable, RegtestNode, free_port

from host_bridge.limits import MAX_RPC_TRANSACTION
from host_bridge.nodes.core import CoreNode
from host_bridge.nodes.node import Tip
from host_bridge.nodes.url import open_node
from host_bridge.payments.proofs import proof_from_merkleblock, verify
from host_bridge.payments.raw_block import list_outputs, parse_block
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import REGTEST

TRANSACTIONS = 2000
GOAL = 0.3  # seconds for a proof
SCRIPTS = [bytes([0, 20]) + number.to_bytes(20) for number in range(1, 1001)]
MOST_ROUNDS = 20


async def seconds_of(rounds: int, work: Callable[[], Awaitable[Any]]) -> float:
    """The median of some rounds, after one that does not count."""
    await work()
    took = []
    for _ in range(min(rounds, MOST_ROUNDS)):
        started = time.perf_counter()
        await work()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


async def longest_pause(work: Awaitable[Any]) -> float:
    """Seconds that the loop was held up at most while `work` ran beside it."""
    worst = 0.0
    task = asyncio.ensure_future(work)
    while not task.done():
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - started - 0.001)
    await task
    return worst


async def by_txoutproof(node: CoreNode, txid: bytes, block: Tip) -> bytes:
    """The other way to a proof: a merkleblock, and the two transactions."""
    call, block_hash = node._rpc.call, hash_to_hex(block.block_hash)
    coinbase = (await call("getblock", block_hash, 1))["tx"][0]
    merkleblock = await call("gettxoutproof", [hash_to_hex(txid), coinbase], block_hash)
    raw = [
        bytes.fromhex(await call("getrawtransaction", wanted, False, block_hash, most=MAX_RPC_TRANSACTION))
        for wanted in (hash_to_hex(txid), coinbase)
    ]
    return proof_from_merkleblock(REGTEST, bytes.fromhex(merkleblock), *raw, block.height)


async def all_payments(node: CoreNode, scripts: list[bytes], height: int) -> int:
    return len([found async for found in node.payments(scripts, height, height)])


async def news_latency(node: CoreNode, regtest: RegtestNode, rounds: int) -> float:
    took = []
    for _ in range(min(rounds, 5)):
        await node.tip()
        waiting = asyncio.create_task(node.wait_for_news(30))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(regtest.mine)
        started = time.perf_counter()
        await waiting
        took.append(time.perf_counter() - started)
    return max(took)


async def figures_of(regtest: RegtestNode, rounds: int) -> list[Figure]:
    block_hash, txids = mine_large_block(regtest, TRANSACTIONS, SCRIPTS)
    block = Tip(regtest.rpc("getblockcount"), hash_from_hex(block_hash))
    size = regtest.rpc("getblock", block_hash)["size"]
    node = open_node(f"core://127.0.0.1:{regtest.port}/?cookie={regtest.cookie_file}")
    if not isinstance(node, CoreNode):
        raise TypeError
    txid = txids[TRANSACTIONS // 2]
    verify(await node.prove(txid, block), REGTEST)
    absent = [b"\x00\x14" + bytes([255 - i]) * 20 for i in range(16)]
    figures = [Figure(f"block of {TRANSACTIONS + 1:,} transactions", size, "bytes")]

    async def measured(what: str, work: Callable[[], Awaitable[Any]], goal: float | None = None) -> None:
        figures.append(Figure(what, 1000 * await seconds_of(rounds, work), "ms", goal and 1000 * goal))

    try:
        for name, rest in (("REST", None), ("RPC alone", False)):
            node._rest = rest
            await measured(f"{name}: proof", lambda: node.prove(txid, block), GOAL)
            await measured(f"{name}: 16 scripts, none paid", lambda: all_payments(node, absent, block.height))
            await measured(f"{name}: headers, {block.height + 1}", lambda: node.headers(0, 2000))
        await measured("gettxoutproof: proof", lambda: by_txoutproof(node, txid, block))
        await measured("1,000 scripts, 1 paid twice", lambda: all_payments(node, [*SCRIPTS[:1], *more()], block.height))
        pause = await longest_pause(all_payments(node, [*SCRIPTS[:1], *more()], block.height))
        figures.append(Figure("longest pause of the loop in that scan", 1000 * pause, "ms", 50))
        figures.append(
            Figure("news of a block, by asking: slowest", 1000 * await news_latency(node, regtest, rounds), "ms")
        )
    finally:
        await node.close()
    return figures


def more() -> list[bytes]:
    """999 scripts that nobody pays."""
    return [b"\x51\x20" + number.to_bytes(32) for number in range(1, 1000)]


async def zmq_figure(regtest: RegtestNode, rounds: int) -> list[Figure]:
    regtest.restart(f"-zmqpubhashblock=tcp://127.0.0.1:{free_port()}")
    node = open_node(f"core://127.0.0.1:{regtest.port}/?cookie={regtest.cookie_file}")
    try:
        if isinstance(node, CoreNode):
            return [Figure("news of a block, ZMQ: slowest", 1000 * await news_latency(node, regtest, rounds), "ms")]
    finally:
        await node.close()
    return []


async def archive_figures(rounds: int) -> list[Figure]:
    path = DATA / "blocks" / "mainnet_830000.blk"
    if not path.is_file():
        return []
    raw = path.read_bytes()
    transactions = parse_block(raw)
    start, end, txid = transactions[len(transactions) // 2]
    block = Tip(830_000, hash256(raw[:80]))
    node = open_node(f"archive:{DATA}?network=mainnet")
    scripts = [list_outputs(raw[start:end])[0].script_pubkey]

    async def scan() -> None:
        async for _ in node.payments(scripts, 830_000, 830_000):
            pass

    what = f"mainnet 830,000 from a file ({len(transactions):,} transactions)"
    return [
        Figure(f"{what}: proof", 1000 * await seconds_of(rounds, lambda: node.prove(txid, block)), "ms", 1000 * GOAL),
        Figure(f"{what}: scan, 1 script", 1000 * await seconds_of(rounds, scan), "ms"),
    ]


def main() -> int:
    options = arguments(__doc__ or "")
    try:
        with RegtestNode() as regtest:
            figures = asyncio.run(figures_of(regtest, options.rounds))
            figures += asyncio.run(zmq_figure(regtest, options.rounds))
    except NodeUnavailable as error:
        sys.exit(f"bench_node: {error}")
    figures += asyncio.run(archive_figures(options.rounds))
    report("node", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
