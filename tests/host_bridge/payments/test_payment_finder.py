"""The search for payments, and the following of a node, on nodes that do what real ones seldom do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mining import Miner
from payments_on_chain import AMOUNT, SCRIPT, Block, block_with
from scripted_node import UNREACHABLE, ScriptedNode

from host_bridge.node_source import NodeSource, open_index
from host_bridge.nodes.node import NodeLied
from host_bridge.payments import watched_scripts
from host_bridge.payments.watched_scripts import WatchedScripts
from host_bridge.sessions.source import FoundPayment, Watch
from lightclient.errors import LimitExceeded
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


def test_old_payments_are_found_once_and_a_second_script_joins(tmp_path: Path) -> None:
    node, _, _ = chain_with_payments({20: SCRIPT, 400: OTHER, 450: SCRIPT}, 500)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch(from_height=10))
            await until(lambda: heights(source, watch()) == [20, 450])
            searched = [s for s in node.searches if s[1] <= 500]
            assert sum(last - first + 1 for _, first, last in searched) == 491
            node.searches.clear()
            source.watch("b", watch(from_height=10))
            source.watch("b", watch(OTHER, 300, request_id=2))
            await until(lambda: heights(source, watch(OTHER)) == [400])
            assert sum(s[2] - s[1] + 1 for s in node.searches) == 201  # the first script is not searched again
            assert heights(source, watch(from_height=21)) == [450]
            assert heights(source, watch(min_amount=AMOUNT + 1)) == []
            assert node.most_at_once <= 2

    asyncio.run(run())


def test_new_blocks_come_before_old_ones(tmp_path: Path) -> None:
    node, _, miner = chain_with_payments({20: SCRIPT}, 3000)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            node.stalls.clear()
            source.watch("a", watch())
            await until(lambda: len(node.searches) == 1)  # of old blocks, and it stands still
            block = block_with(miner)
            node.pays(SCRIPT, block)
            node.chain += block.header
            await until(lambda: (1, 3001, 3001) in node.searches)
            assert node.most_at_once == 2
            node.stalls.set()
            await until(lambda: heights(source, watch()) == [20, 3001])

    asyncio.run(run())


def test_payments_of_blocks_that_are_gone(tmp_path: Path) -> None:
    node, blocks, _ = chain_with_payments({50: SCRIPT, 58: SCRIPT}, 60)
    fork = Miner(REGTEST)
    short = bytearray(REGTEST.genesis_header)
    short += node.chain[80 : 80 * 55]
    for h in range(1, 55):
        fork.state.absorb(REGTEST, node.chain, 80 * h, source_hash(node, h))
    again = block_with(fork, salt=0, step=700)
    branch = bytes(short) + again.header + bytes(fork.batch(10))

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            await until(lambda: heights(source, watch()) == [50, 58])
            node.pays(SCRIPT, again)
            node.chain = branch
            await in_sync(source, node)
            await until(lambda: heights(source, watch()) == [50, 55])
            assert [p.block_hash for p in source.find_payments(watch())] == [blocks[50].block_hash, again.block_hash]
            assert source.finder.scripts.payments == 2

    asyncio.run(run())


def source_hash(node: ScriptedNode, height: int) -> bytes:
    return node._hash(height)


def test_pruned_blocks_are_said_and_the_rest_is_searched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, _, _ = chain_with_payments({20: SCRIPT, 250: SCRIPT, 390: SCRIPT}, 400)
    node.lowest_block = 200

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            await until(lambda: "they are pruned" in caplog.text)
            assert heights(source, watch()) == [250, 390]

    asyncio.run(run())
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1


def test_a_block_that_can_not_be_had_hides_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, _, _ = chain_with_payments({20: SCRIPT, 390: SCRIPT}, 400)
    node.missing = {211}

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            await until(lambda: heights(source, watch()) == [20, 390])

    asyncio.run(run())
    assert "block 211 can't be searched" in caplog.text


def test_proofs_that_lie_are_named_and_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, blocks, _ = chain_with_payments({20: SCRIPT, 30: OTHER, 40: SCRIPT}, 50)
    good = node.paid[0][1]
    node.paid[0] = (SCRIPT, replace(good, proof=good.proof[:-1] + b"\x00"))
    node.paid[1] = (SCRIPT, node.paid[1][1])  # it pays another script
    node.paid.append((SCRIPT, FoundPayment(40, blocks[40].block_hash, bytes(32), blocks[40].proof)))

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            await until(lambda: heights(source, watch()) == [40])

    asyncio.run(run())
    assert len([r for r in caplog.records if "breaks a rule" in r.message]) == 3


def test_a_node_that_fails_is_told_of_once_and_followed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, _, miner = chain_with_payments({}, 10)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            node.fault = UNREACHABLE
            await asyncio.sleep(1.5)
            node.fault = None
            node.chain += bytes(miner.batch(1))
            await in_sync(source, node)

    asyncio.run(run())
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "scripted: NodeUnreachable: nobody listens"
    ]


Spoil = Callable[[ScriptedNode], None]


def other_network(node: ScriptedNode) -> None:
    node.network = "signet"


def broken_header(node: ScriptedNode) -> None:
    node.chain = node.chain[: 80 * 15] + bytes(80) + node.chain[80 * 16 :]


def other_genesis(node: ScriptedNode) -> None:
    node.chain = bytes(Miner(REGTEST).batch(30))


def half_a_header(node: ScriptedNode) -> None:
    async def headers(height: int, count: int) -> bytes:
        return bytes(79)

    node.headers = headers  # type: ignore[method-assign]


def no_headers_at_all(node: ScriptedNode) -> None:
    async def headers(height: int, count: int) -> bytes:
        return b""

    node.headers = headers  # type: ignore[method-assign]


@pytest.mark.parametrize("spoil", [other_network, broken_header, other_genesis, half_a_header, no_headers_at_all])
def test_a_node_that_lies_is_named_and_not_followed(
    spoil: Spoil, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node, _, _ = chain_with_payments({}, 20)
    good = node.chain
    headers = node.headers
    spoil(node)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await until(lambda: "NodeLied" in caplog.text)
            assert source.best_height == 0
            node.chain, node.network = good, "regtest"
            node.headers = headers  # type: ignore[method-assign]
            await in_sync(source, node)

    asyncio.run(run())


def test_a_chain_of_less_work_is_not_followed_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, _, _ = chain_with_payments({}, 20)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            node.chain = REGTEST.genesis_header + bytes(Miner(REGTEST).batch(15, salt=9))
            await until(lambda: "less work" in caplog.text)
            await asyncio.sleep(0.2)
            assert source.best_height == 20
            source.watch("a", watch())
            await asyncio.sleep(0.1)
            node.chain = REGTEST.genesis_header + bytes(Miner(REGTEST).batch(25, salt=9))
            await in_sync(source, node)

    asyncio.run(run())
    assert len(caplog.records) == 1


def test_a_long_branch_comes_in_batches(tmp_path: Path) -> None:
    node, _, _ = chain_with_payments({}, 3000)
    fork = Miner(REGTEST)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            node.chain = REGTEST.genesis_header + bytes(fork.batch(4500, salt=2))
            await in_sync(source, node)
            assert source.index.headers(0, 5000) == node.chain

    asyncio.run(run())


def test_a_node_that_never_ends(tmp_path: Path) -> None:
    node, _, _ = chain_with_payments({}, 20)
    assert issubclass(NodeLied, Exception)
    forks = [bytes(Miner(REGTEST).batch(30 + i, salt=i)) for i in range(6)]

    async def run() -> None:
        async with following(node, tmp_path) as source:
            for branch in forks:
                node.chain = REGTEST.genesis_header + branch
                await in_sync(source, node)

    asyncio.run(run())


# --- ceilings ---


def paid(number: int, size: int) -> FoundPayment:
    return FoundPayment(number, number.to_bytes(32, "little"), bytes(32), bytes(size))


def test_the_script_that_takes_most_loses_what_has_no_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched_scripts, "MAX_PROOF_BYTES", 100_000)
    scripts = WatchedScripts()
    scripts.watch("greedy", watch(SCRIPT), 0)
    scripts.watch("modest", watch(OTHER), 0)
    greedy, modest = scripts.get(SCRIPT), scripts.get(OTHER)
    assert greedy is not None and modest is not None
    for i in range(300):
        scripts.add(greedy, paid(i, 1000), AMOUNT)
    assert scripts.add(modest, paid(1000, 900), AMOUNT) and scripts.proof_bytes <= 100_000
    assert [p.height for p in scripts.find(watch(OTHER))] == [1000] and len(greedy.found) == 99
    assert len(caplog.records) == 1 and "no room" in caplog.text
    scripts.went_back(0)
    assert (scripts.proof_bytes, scripts.payments) == (1000, 1)  # the payment in block 0


def test_ceilings_of_scripts_and_of_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(watched_scripts, "MAX_SCRIPTS", 10)
    scripts = WatchedScripts(lambda: now[0])
    for i in range(10):
        scripts.watch("a", watch(bytes([i + 1]), request_id=i), 0)
    with pytest.raises(LimitExceeded, match="10 scripts"):
        scripts.watch("b", watch(), 0)
    scripts.unwatch("a", 3)
    scripts.watch("b", watch(), 0)
    assert len(scripts) == 10 and scripts.get(bytes([4])) is None
    script = scripts.get(SCRIPT)
    assert script is not None
    for i in range(2000):
        scripts.add(script, paid(i, 10), AMOUNT)
    assert len(script.found) == 512 and not scripts.add(script, paid(3000, 1), AMOUNT - 1)
    scripts.unwatch("b", 1)
    scripts.drop_idle()
    assert scripts.get(SCRIPT) is script  # a device comes back
    now[0] = 601.0
    scripts.drop_idle()
    assert scripts.get(SCRIPT) is None and (scripts.payments, scripts.proof_bytes) == (0, 0)


def test_what_has_to_be_searched_again_and_what_not() -> None:
    scripts = WatchedScripts()
    assert scripts.watch("a", watch(from_height=50), 100)
    script = scripts.get(SCRIPT)
    assert script is not None and (script.low, script.top) == (50, 100)
    script.top = 49  # searched
    assert not scripts.watch("b", watch(from_height=60), 100)
    assert scripts.watch("b", watch(from_height=20), 100) and (script.low, script.top) == (20, 49)
    script.top = 19
    assert scripts.watch("c", watch(from_height=60, min_amount=1), 100) and (script.low, script.top) == (20, 100)
    assert scripts.watch("c", watch(OTHER, 101), 100) is False
    assert len(script.watchers) == 2  # a request that is replaced watches the other script alone
