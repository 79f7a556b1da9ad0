"""The bridge on a real node: its chain followed through reorgs and restarts, payments found in new and old blocks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from electrum_server import ElectrumServer, ServerUnavailable
from esplora_server import EsploraServer
from joined_pair import Pair, make_client
from regtest_node import RegtestNode
from support import require

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.node_source import NodeSource, open_index
from host_bridge.nodes.node import Node
from host_bridge.nodes.url import open_node
from host_bridge.payments.address import script_from_text
from host_bridge.sessions.session import BridgeSession, Watch
from lightclient.hashes import hash_from_hex
from lightclient.messages import EVENT_CONFIRMED, EVENT_TAKEN_BACK, GONE, PROOF, STATE_READY
from lightclient.params import REGTEST
from lightclient.session import PAUSE
from lightclient.spv.payment import PaymentRequest

WALLET = "miner"


@pytest.fixture(scope="module")
def own_node() -> Iterator[RegtestNode]:
    """A node whose chain these tests may throw away."""
    with RegtestNode() as node:
        node.make_wallet()
        yield node


def url_of(node: RegtestNode) -> str:
    return f"core://127.0.0.1:{node.port}/?cookie={node.cookie_file}&network=regtest"


class Bridge:
    """A source that runs, and the sessions on it."""

    def __init__(self, source: NodeSource) -> None:
        self.source = source
        self.pairs: list[Pair] = []
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1
        for pair in self.pairs:
            pair.session.announce()

    def join(self, client: object = None, window: int = 256) -> Pair:
        pair = Pair(client or make_client(window), BridgeSession(self.source, "test"))  # type: ignore[arg-type]
        self.pairs.append(pair)
        pair.run()
        return pair

    async def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)
                for pair in self.pairs:
                    pair.run()

    async def at_tip_of(self, node: RegtestNode, seconds: float = 20) -> None:
        best = hash_from_hex(node.rpc("getbestblockhash"))
        await self.until(lambda: self.source.index.state.block_hash == best, seconds)


@asynccontextmanager
async def running(node: RegtestNode, folder: Path, url: str = "") -> AsyncIterator[Bridge]:
    back_end: Node = open_node(url or url_of(node))
    index: HeaderIndex = await open_index(folder, back_end, REGTEST)
    bridge = Bridge(NodeSource(back_end, index))
    task = asyncio.create_task(bridge.source.run(bridge.changed))
    try:
        yield bridge
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        index.close()
        await back_end.close()


@contextmanager
def in_front_of(node: RegtestNode, kind: str) -> Iterator[str]:
    """The URL of a back end of this kind."""
    if kind == "core":
        yield url_of(node)
    elif kind == "esplora":
        with EsploraServer(node) as esplora:
            yield f"esplora+{esplora.url}"
    else:
        try:
            server = ElectrumServer(node).__enter__()
        except ServerUnavailable as error:
            require(False, str(error))
            raise
        with closing(server):
            yield f"electrum://127.0.0.1:{server.tcp_port}"


def new_address(node: RegtestNode, kind: str = "bech32") -> tuple[str, bytes]:
    address: str = node.rpc("getnewaddress", "", kind, wallet=WALLET)
    return address, script_from_text(address, REGTEST)


def test_a_chain_is_followed_and_a_new_payment_reaches_the_device(own_node: RegtestNode, tmp_path: Path) -> None:
    async def run() -> None:
        async with running(own_node, tmp_path) as bridge:
            await bridge.at_tip_of(own_node)
            pair = bridge.join()
            height = own_node.rpc("getblockcount")
            assert pair.client.chain.tip_height == height
            requests = {}
            for i, kind in enumerate(("bech32", "bech32m", "legacy")):
                address, script = new_address(own_node, kind)
                pair.client.wait_for(PaymentRequest(i, script, 50_000, 2))
                pair.run()
                own_node.pay(address, 1_000)  # dust, which is not offered
                requests[i] = own_node.pay(address, 60_000)
            own_node.mine(1)
            await bridge.at_tip_of(own_node, 2)
            await bridge.until(lambda: len(pair.kinds(1)) >= 3, 5)
            own_node.mine(1)
            await bridge.until(lambda: len(pair.kinds(EVENT_CONFIRMED)) == 3, 5)
            paid = {event[1]: event[2] for event in pair.events if event[0] == EVENT_CONFIRMED}
            assert paid == {i: hash_from_hex(txid) for i, txid in requests.items()}
            assert bridge.source.finder.scripts.payments == 3

    asyncio.run(run())


def test_an_old_payment_is_found_from_a_height_on_and_proved_by_its_path(own_node: RegtestNode, tmp_path: Path) -> None:
    address, script = new_address(own_node)
    txid = own_node.pay(address, 70_000)
    own_node.mine(1)
    height = own_node.rpc("getblockcount")
    own_node.mine(400)

    async def run() -> None:
        async with running(own_node, tmp_path) as bridge:
            await bridge.at_tip_of(own_node)
            client = make_client_with_accumulator()
            pair = bridge.join(client)
            assert client.chain.store.first_height > height
            client.wait_for(PaymentRequest(1, script, 70_000, 6, height - 20))
            await bridge.until(lambda: len(pair.kinds(EVENT_CONFIRMED)) == 1, 10)
            assert [e[2] for e in pair.events if e[0] == EVENT_CONFIRMED] == [hash_from_hex(txid)]

    asyncio.run(run())


def make_client_with_accumulator() -> object:
    from lightclient.client import Client  # noqa: PLC0415
    from lightclient.headers.accumulator import Accumulator  # noqa: PLC0415
    from lightclient.headers.chain import HeaderChain  # noqa: PLC0415
    from lightclient.headers.rules import HeaderRules  # noqa: PLC0415
    from lightclient.headers.store import RamStore  # noqa: PLC0415
    from lightclient.spv.acted import ActedPayments  # noqa: PLC0415

    network = REGTEST.replay(1)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0, Accumulator())
    counter = iter(range(1000))
    return Client(
        HeaderChain(network, RamStore(256), rules.state),
        ActedPayments(),
        b"test",
        "0",
        lambda n: next(counter).to_bytes(n, "little"),
        lambda: 0,
    )


@pytest.mark.parametrize("kind", ["core", "electrum", "esplora"])
def test_a_reorg_takes_a_payment_back_and_gives_it_again(own_node: RegtestNode, tmp_path: Path, kind: str) -> None:
    async def run(url: str) -> None:
        async with running(own_node, tmp_path, url) as bridge:
            await bridge.at_tip_of(own_node)
            pair = bridge.join()
            sent: list[int] = []
            send = pair.session.endpoint.send

            def noted(kind: int, values: tuple[object, ...]) -> None:
                sent.append(kind)
                send(kind, values)  # type: ignore[arg-type]

            pair.session.endpoint.send = noted  # type: ignore[assignment, method-assign]
            address, script = new_address(own_node)
            pair.client.wait_for(PaymentRequest(1, script, 50_000, 6))
            pair.run()
            own_node.pay(address, 50_000)
            own_node.mine(3)
            await bridge.until(lambda: PROOF in sent, 5)
            fork = own_node.rpc("getblockcount") - 2
            own_node.rpc("invalidateblock", own_node.rpc("getblockhash", fork))
            own_node.mine(6, new_address(own_node)[0])  # else the first is the block thrown away
            await bridge.at_tip_of(own_node)
            await bridge.until(lambda: len(pair.kinds(EVENT_CONFIRMED)) == 1)
            assert len(pair.kinds(EVENT_TAKEN_BACK)) == 1
            assert GONE in sent and sent.count(PROOF) == 2
            assert pair.client.state == STATE_READY

    with in_front_of(own_node, kind) as url:
        asyncio.run(run(url))


def test_a_node_that_ends_and_starts_again_is_told_of_once(
    own_node: RegtestNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lightclient.bridge")

    async def run() -> None:
        async with running(own_node, tmp_path) as bridge:
            await bridge.at_tip_of(own_node)
            pair = bridge.join()
            await asyncio.to_thread(own_node.stop)
            await asyncio.sleep(2.5)
            errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
            assert 1 <= len(errors) <= 2, [r.message for r in errors]
            await asyncio.to_thread(own_node.start)
            own_node.rpc("loadwallet", WALLET)
            own_node.mine(1)
            await bridge.at_tip_of(own_node)
            await bridge.until(lambda: pair.client.chain.tip_height == bridge.source.best_height)
            await bridge.until(lambda: any("works again" in r.message for r in caplog.records), 5)

    asyncio.run(run())
    assert not [r for r in caplog.records if "cookie" in r.message and "__cookie__" in r.message]


def test_a_device_that_was_off_catches_up(own_node: RegtestNode, tmp_path: Path) -> None:
    async def run() -> None:
        async with running(own_node, tmp_path) as bridge:
            await bridge.at_tip_of(own_node)
            pair = bridge.join()
            address, script = new_address(own_node)
            pair.client.wait_for(PaymentRequest(1, script, 50_000, 1))
            pair.run()
            bridge.pairs.remove(pair)
            pair.session.close()
            pair.client.end_session()
            own_node.pay(address, 50_000)
            own_node.mine(3)
            await bridge.at_tip_of(own_node)
            pair.now_ms += PAUSE
            again = Pair(pair.client, BridgeSession(bridge.source, "test"))
            again.now_ms = pair.now_ms
            bridge.pairs.append(again)
            await bridge.until(lambda: len(again.kinds(EVENT_CONFIRMED)) == 1)

    asyncio.run(run())


def test_the_index_outlives_the_bridge(own_node: RegtestNode, tmp_path: Path) -> None:
    async def run() -> int:
        async with running(own_node, tmp_path) as bridge:
            await bridge.at_tip_of(own_node)
            return bridge.source.best_height

    best = asyncio.run(run())
    index = HeaderIndex(tmp_path, REGTEST)
    assert index.best_height == best
    index.close()


def test_nobody_watches_any_more(own_node: RegtestNode, tmp_path: Path) -> None:
    async def run() -> None:
        async with running(own_node, tmp_path) as bridge:
            session = BridgeSession(bridge.source, "test")
            _, script = new_address(own_node)
            session._watches.watch(Watch(1, script, 0, 1, 0))
            assert [len(s.watchers) for s in bridge.source.finder.scripts] == [1]
            session.close()
            assert [len(s.watchers) for s in bridge.source.finder.scripts] == [0]

    asyncio.run(run())
