"""The search for payments, and the following of a node, on nodes that do what real ones seldom do."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from followed_node import OTHER, chain_with_payments, following, heights, in_sync, until, watch
from mining import Miner
from payments_on_chain import AMOUNT, SCRIPT, block_with
from scripted_node import UNREACHABLE, ScriptedNode

from host_bridge.nodes.node import NodeLied, NodeUnreachable
from host_bridge.payments import missing_blocks, payment_finder, watched_scripts
from host_bridge.payments.block_search import BlockSearch, OtherChain
from host_bridge.sessions.source import FoundPayment
from lightclient.params import REGTEST


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


def test_a_longer_chain_that_is_not_followed_is_not_searched(tmp_path: Path) -> None:
    """Else blocks would count as searched that its node has never seen."""
    node, _, _ = chain_with_payments({}, 50)
    other, _, _ = chain_with_payments({20: SCRIPT}, 60)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            search = BlockSearch(other, source.index, source.finder.scripts)
            with pytest.raises(OtherChain):
                await search.run(list(source.finder.scripts), 30, 40, lambda: None)
            assert not other.searches

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


def test_a_script_that_is_paid_too_often_is_left_out_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, _, miner = chain_with_payments({20: OTHER, 30: SCRIPT}, 400)
    node.busy = {SCRIPT}

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            source.watch("a", watch(OTHER, request_id=2))
            await until(lambda: heights(source, watch(OTHER)) == [20])
            block = block_with(miner, OTHER)
            node.pays(OTHER, block)
            node.chain += block.header
            await in_sync(source, node)
            assert source.finder.scripts.get(OTHER) is not None and node.searches[-1] == (1, 401, 401)
            assert heights(source, watch()) == []

    asyncio.run(run())
    said = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(said) == 1 and "not searched for any more: 20,000 transactions" in said[0] and SCRIPT.hex() in said[0]


@pytest.mark.parametrize(
    "absence", [None, NodeUnreachable("to be tried again"), NodeLied("what it gives is not that block")]
)
def test_a_new_block_that_can_not_be_had_holds_up_no_other(
    absence: Exception | None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_finder, "_TRIES", 1)
    monkeypatch.setattr(missing_blocks, "_FIRST_PAUSE", 0.3)
    caplog.set_level(logging.INFO)
    node, _, miner = chain_with_payments({}, 400)
    node.missing = {402}
    node.absence = absence or node.absence

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch(from_height=401))
            for _ in range(4):
                block = block_with(miner)
                node.pays(SCRIPT, block)
                node.chain += block.header
            await in_sync(source, node)
            await until(lambda: heights(source, watch()) == [401, 403, 404])
            node.missing.clear()
            await until(lambda: heights(source, watch()) == [401, 402, 403, 404])

    asyncio.run(run())
    assert caplog.text.count("block 402 can't be searched") == 1 and "block 402 has been searched now" in caplog.text


@pytest.mark.parametrize("absence", [None, NodeLied("what it gives is not that block")])
def test_an_old_block_is_tried_again(
    absence: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_finder, "_TRIES", 1)
    monkeypatch.setattr(missing_blocks, "_FIRST_PAUSE", 0.3)
    node, _, _ = chain_with_payments({20: SCRIPT, 211: SCRIPT, 390: SCRIPT}, 400)
    node.missing = {211}
    node.absence = absence or node.absence

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch())
            await until(lambda: heights(source, watch()) == [20, 390], 20)
            node.missing.clear()
            await until(lambda: heights(source, watch()) == [20, 211, 390])

    asyncio.run(run())


def test_what_had_no_room_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_scripts, "MAX_PAYMENTS", 4)
    node, _, _ = chain_with_payments({20: SCRIPT, 390: SCRIPT, 391: OTHER, 392: OTHER, 393: OTHER}, 400)

    async def run() -> None:
        async with following(node, tmp_path) as source:
            await in_sync(source, node)
            source.watch("a", watch(OTHER, request_id=2))
            source.watch("a", watch())
            await until(lambda: source.finder.scripts.payments == 4 and not source.finder._next_group())
            assert len(heights(source, watch(OTHER))) + len(heights(source, watch())) == 4
            monkeypatch.setattr(watched_scripts, "MAX_PAYMENTS", 10)
            source.finder._old_blocks.set()  # as every 30 s, and by any new request
            await until(lambda: heights(source, watch()) == [20, 390])
            await until(lambda: heights(source, watch(OTHER)) == [391, 392, 393])

    asyncio.run(run())
