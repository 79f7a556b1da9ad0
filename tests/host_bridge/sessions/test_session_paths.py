"""Payments in blocks that the device has let go of, and proofs that it can't judge where it stands."""

import asyncio
from pathlib import Path

from joined_pair import Pair, make_client
from mining import Miner
from payments_on_chain import AMOUNT, SCRIPT, Block, block_with
from scripted_node import ScriptedNode

from firmware.files import FolderFiles
from host_bridge.limits import MAX_OFFERS, MAX_PROOFS_UNDER_WAY
from host_bridge.node_source import NodeSource, open_index
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.client import Client
from lightclient.errors import AmountTooLow, HeaderNotInChain
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.window_store import WindowStore
from lightclient.messages import EVENT_CONFIRMED, PROOF, VERDICT
from lightclient.params import REGTEST
from lightclient.spv.payment import PaymentRequest
from lightclient.spv.stored_payments import StoredPayments

OLD = 30
TIP = 1000


def windowed_client(folder: Path) -> Client:
    """A device with a store of two epochs of 100 headers."""
    network = REGTEST.replay(1)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0, Accumulator())
    files = FolderFiles(str(folder))
    acted = StoredPayments(files, network, 16)
    chain = HeaderChain(network, WindowStore(network, files, acted, 2, 12, 100), rules.state)
    counter = iter(range(1000))
    return Client(chain, acted, b"test", "0", lambda n: next(counter).to_bytes(n, "little"), lambda: 0)


def chain_with_an_old_payment() -> tuple[bytes, Block, Miner]:
    miner = Miner(REGTEST)
    headers = REGTEST.genesis_header + bytes(miner.batch(OLD - 1))
    block = block_with(miner)
    return headers + block.header + bytes(miner.batch(TIP - OLD)), block, miner


def test_a_payment_far_below_the_window_of_a_store(tmp_path: Path) -> None:
    headers, block, _ = chain_with_an_old_payment()
    node = ScriptedNode(headers)
    node.name = "archive:test"  # its clock is that of its headers
    node.pays(SCRIPT, block)

    async def run() -> None:
        index = await open_index(tmp_path / "index", node, REGTEST)
        source = NodeSource(node, index)
        pair = Pair(windowed_client(tmp_path / "device"), BridgeSession(source, "test"))
        task = asyncio.create_task(source.run(pair.session.announce))
        async with asyncio.timeout(10):
            while pair.client.chain.tip_height < TIP:
                await asyncio.sleep(0.01)
                pair.run()
            assert pair.client.chain.store.first_height > TIP - 200
            pair.client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 6, 1))
            while not pair.kinds(EVENT_CONFIRMED):
                await asyncio.sleep(0.01)
                pair.run()
        assert pair.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, TIP - OLD + 1)]
        assert [values[1] for kind, values in pair.reports if kind == VERDICT] == [0]
        pair.client.wait_for(PaymentRequest(2, SCRIPT, AMOUNT, 6, 1))  # it is acted on once
        pair.run()
        assert len(pair.kinds(EVENT_CONFIRMED)) == 1
        pair.session.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        index.close()

    asyncio.run(run())


def test_a_proof_that_a_device_can_not_place_is_offered_again_when_it_has_moved_on() -> None:
    headers, block, miner = chain_with_an_old_payment()
    archive = ArchiveChain("regtest", headers, 0)  # makes no paths
    archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    client = make_client()
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 1, 1))
    session = BridgeSession(archive, "test")
    sent: list[int] = []
    send = session.endpoint.send

    def noted(kind: int, values: tuple[object, ...]) -> None:
        sent.append(kind)
        send(kind, values)  # type: ignore[arg-type]

    session.endpoint.send = noted  # type: ignore[assignment, method-assign]
    archive.best_height = OLD - 1
    pair = Pair(client, session)
    pair.run()
    client.stop_waiting(1)
    archive.best_height = TIP
    session.announce()
    pair.run()
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 1, 1))
    for _ in range(20):
        session.announce()
        pair.run()
    assert sent.count(PROOF) == 1
    assert [values[1] for kind, values in pair.reports if kind == VERDICT] == [HeaderNotInChain.code]
    archive.replace(TIP, bytes(miner.batch(1)))
    for _ in range(20):
        session.announce()
        pair.run()
    assert sent.count(PROOF) == 2


def test_a_script_that_is_flooded_keeps_no_device_busy_for_ever() -> None:
    miner = Miner(REGTEST)
    headers = REGTEST.genesis_header + bytes(miner.batch(2))
    blocks = []
    for i in range(MAX_OFFERS + 20):
        blocks.append(block_with(miner, amount=1, salt=i % 256))
    archive = ArchiveChain("regtest", headers + b"".join(block.header for block in blocks), 0)
    for block in blocks:
        archive.add_payment(SCRIPT, FoundPayment(block.height, block.block_hash, block.txid, block.proof))
    client = make_client(1024)
    client.wait_for(PaymentRequest(1, SCRIPT, AMOUNT, 1, 1))
    pair = Pair(client, BridgeSession(archive, "test"))
    pair.run()
    for _ in range(5):
        pair.session.announce()
        pair.run()
    codes = [values[1] for kind, values in pair.reports if kind == VERDICT]
    assert set(codes) == {AmountTooLow.code} and MAX_OFFERS <= len(codes) < MAX_OFFERS + MAX_PROOFS_UNDER_WAY
