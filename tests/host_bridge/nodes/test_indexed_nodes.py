"""The Electrum back end, TCP and TLS, against a real server in front of a real node; Esplora against our own."""

import asyncio
import time
from binascii import unhexlify
from contextlib import ExitStack

import pytest
from electrum_server import ElectrumServer, ServerUnavailable
from esplora_server import EsploraServer
from regtest_node import NodeUnavailable, RegtestNode
from self_signed import write_certificate
from support import require

from host_bridge.nodes import electrum
from host_bridge.nodes.electrum import ElectrumNode
from host_bridge.nodes.esplora import EsploraNode
from host_bridge.nodes.node import NodeLied, NodeUnreachable, NotThere, Tip
from host_bridge.payments.proofs import verify
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import REGTEST

BACK_ENDS = ("electrum", "electrums", "esplora")
BURNT = b"\x00\x14" + bytes(20)  # the script_pubkey of BURN


class Servers:
    """What stands in front of one node."""

    def __init__(self, node: RegtestNode, stack: ExitStack) -> None:
        self.node = node
        try:
            self.electrum = stack.enter_context(ElectrumServer(node))
        except ServerUnavailable as error:
            require(False, str(error))
            raise
        self.esplora = stack.enter_context(EsploraServer(node))

    def open(self, kind: str):
        if kind == "esplora":
            return EsploraNode(self.esplora.url)
        if kind == "electrum":
            return ElectrumNode("127.0.0.1", self.electrum.tcp_port, tls=False)
        return ElectrumNode("127.0.0.1", self.electrum.tls_port, tls=True, certificate=self.electrum.certificate)

    def run(self, kind: str, use):
        """Await `use(node)` with a node that has caught up with what was mined before."""

        async def main():
            node = self.open(kind)
            try:
                await caught_up(node, self.node)
                return await asyncio.wait_for(use(node), 60)
            finally:
                await node.close()

        return asyncio.run(main())


async def caught_up(node, regtest: RegtestNode) -> Tip:
    best = hash_from_hex(regtest.rpc("getbestblockhash"))
    deadline = time.monotonic() + 20
    while (tip := await node.tip()).block_hash != best:
        assert time.monotonic() < deadline, "the server does not follow its node"
        await asyncio.sleep(0.05)
    return tip


async def collect(payments):
    return [payment async for payment in payments]


@pytest.fixture(scope="module")
def servers(regtest_node):
    with ExitStack() as stack:
        yield Servers(regtest_node, stack)


@pytest.fixture(scope="module")
def own_servers():
    """In front of a node whose blocks a test may throw away; 2,100 blocks that pay BURN."""
    with ExitStack() as stack:
        try:
            node = stack.enter_context(RegtestNode())
        except NodeUnavailable as error:
            require(False, str(error))
            raise
        node.mine(2100)
        yield Servers(node, stack)


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_info_says_what_the_node_is(servers, kind):
    info = servers.run(kind, lambda node: node.info())
    assert info.network == "regtest"
    assert info.tip == Tip(servers.node.rpc("getblockcount"), hash_from_hex(servers.node.rpc("getbestblockhash")))
    assert info.synced
    assert info.software.startswith("ElectrumX 1.20.0" if kind != "esplora" else "Esplora")
    assert str(servers.open(kind).name).startswith("electrum" if kind != "esplora" else "esplora+http://127.0.0.1:")


@pytest.mark.parametrize("kind", [*BACK_ENDS, "1.4.2"])
def test_headers_are_those_of_the_chain(own_servers, kind, monkeypatch):
    if kind == "1.4.2":  # there they come in one string
        monkeypatch.setattr(electrum, "PROTOCOL_VERSIONS", ("1.4", "1.4.2"))
        kind = "electrum"

    async def all_headers(node):
        best = (await node.tip()).height
        first = await node.headers(0, 2000)
        rest = await node.headers(2000, 2000)
        assert await node.headers(best, 5) == rest[-80:]
        assert await node.headers(best + 1, 5) == b""
        assert await node.headers(best + 100, 1) == b""
        return best, first, rest

    best, first, rest = own_servers.run(kind, all_headers)
    assert len(first) == 2000 * 80
    assert len(rest) == (best + 1 - 2000) * 80
    raw = first + rest
    assert raw[:80] == REGTEST.genesis_header
    for height in (1, 777, 1999, 2000, best):
        name = hash_to_hex(hash256(raw[80 * height : 80 * height + 80]))
        assert name == own_servers.node.rpc("getblockhash", height)


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_payments_are_found_and_proved(servers, kind):
    regtest = servers.node
    expected = {}
    for form in ("bech32", "bech32m", "legacy"):  # P2WPKH, P2TR, P2PKH
        address = regtest.rpc("getnewaddress", "", form, wallet="miner")
        script = unhexlify(regtest.rpc("getaddressinfo", address, wallet="miner")["scriptPubKey"])
        txid = hash_from_hex(regtest.pay(address, 100_000))
        expected[script] = txid
    regtest.mine()
    height = regtest.rpc("getblockcount")

    async def look(node):
        found = await collect(node.payments(expected, 0, height))
        assert await collect(node.payments(expected, 0, height - 1)) == []
        assert await collect(node.payments([bytes(22)], 0, height)) == []
        located = [await node.locate(txid) for txid in expected.values()]
        with pytest.raises(NotThere):
            await node.locate(bytes(32))
        waiting = hash_from_hex(regtest.pay(address, 1000))
        with pytest.raises(NotThere):
            await node.locate(waiting)
        return found, located

    found, located = servers.run(kind, look)
    regtest.mine()
    block = Tip(height, hash_from_hex(regtest.rpc("getblockhash", height)))
    assert located == [block] * 3
    assert {entry.script_pubkey: entry.payment.txid for entry in found} == expected
    for entry in found:
        assert (entry.payment.height, entry.payment.block_hash) == (block.height, block.block_hash)
        verifier = verify(entry.payment.proof, REGTEST, None, entry.script_pubkey)
        assert (verifier.height, verifier.block_hash, verifier.output_value) == (height, block.block_hash, 100_000)


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_a_script_that_is_paid_often(own_servers, kind):
    """2,100 payments, each a coinbase, index 0 and no branch; Esplora gives them page by page."""
    found = own_servers.run(kind, lambda node: collect(node.payments([BURNT], 1990, 2029)))
    assert [entry.payment.height for entry in found] == list(range(1990, 2030))


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_a_proof_takes_no_second(own_servers, kind):
    """ElectrumX holds short answers back for a second each, if it is let."""

    async def prove(node):
        block = await node.block_at(50)
        txid = hash_from_hex(own_servers.node.rpc("getblock", hash_to_hex(block.block_hash))["tx"][0])
        started = time.monotonic()
        await node.prove(txid, block)
        assert await node.locate(txid) == block
        return time.monotonic() - started

    assert own_servers.run(kind, prove) < 1


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_news_of_a_block_within_two_seconds(own_servers, kind):
    async def wait(node):
        await node.wait_for_news(0.2)  # what came before
        started = time.monotonic()
        await node.wait_for_news(0.3)
        assert 0.25 < time.monotonic() - started < 1.5, "nothing has happened"
        waiting = asyncio.create_task(node.wait_for_news(10))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        (mined,) = await asyncio.to_thread(own_servers.node.mine)
        await waiting
        took = time.monotonic() - started
        assert (await node.tip()).block_hash == hash_from_hex(mined)
        return took

    assert own_servers.run(kind, wait) < 2


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_a_reorg_takes_blocks_and_proofs_back(own_servers, kind):
    regtest = own_servers.node
    other = unhexlify("0014" + "01" * 20)  # the same blocks again would be refused again
    address = regtest.rpc("decodescript", other.hex())["address"]

    async def go(node):
        regtest.mine(3)
        before = await caught_up(node, regtest)
        fork = before.height - 3
        old = await collect(node.payments([BURNT, other], fork + 1, before.height))
        assert len(old) == 3
        await asyncio.to_thread(regtest.rpc, "invalidateblock", hash_to_hex(old[0].payment.block_hash))
        await asyncio.to_thread(regtest.mine, 4, address)
        tip = await caught_up(node, regtest)
        assert tip.height == fork + 4
        new = await collect(node.payments([BURNT, other], fork + 1, tip.height))
        assert [entry.payment.height for entry in new] == list(range(fork + 1, fork + 5))
        assert not {entry.payment.block_hash for entry in old} & {entry.payment.block_hash for entry in new}
        gone = old[0].payment
        with pytest.raises(NotThere):
            await node.prove(gone.txid, Tip(gone.height, gone.block_hash))
        kept = new[0].payment
        assert await node.prove(kept.txid, Tip(kept.height, kept.block_hash)) == kept.proof
        headers = await node.headers(fork, 10)
        assert hash256(headers[-80:]) == tip.block_hash

    own_servers.run(kind, go)


def test_electrum_comes_back_when_the_server_does(own_servers):
    async def go(node):
        await asyncio.to_thread(own_servers.electrum.stop)
        with pytest.raises(NodeUnreachable):
            await node.tip()
        with pytest.raises(NodeUnreachable):
            await node.wait_for_news(1)
        await asyncio.to_thread(own_servers.electrum.start)
        return (await node.info()).tip

    tip = own_servers.run("electrum", go)
    assert tip.block_hash == hash_from_hex(own_servers.node.rpc("getbestblockhash"))


def test_a_busy_script_does_not_hide_where_a_transaction_is(own_servers, monkeypatch):
    """Where histories are too long, ElectrumX passes on what its node says of the transaction."""
    monkeypatch.setattr(electrum, "MAX_HISTORY", 100)
    block = own_servers.node.rpc("getblock", own_servers.node.rpc("getblockhash", 1000))
    located = own_servers.run("electrum", lambda node: node.locate(hash_from_hex(block["tx"][0])))
    assert located == Tip(1000, hash_from_hex(block["hash"]))


@pytest.mark.parametrize("lacks", ["coinbase", "branches", "txid"])
def test_a_server_without_the_branch_of_a_coinbase_gives_the_whole_block(servers, lacks):
    regtest = servers.node
    address = regtest.rpc("getnewaddress", "", "bech32", wallet="miner")
    script = unhexlify(regtest.rpc("getaddressinfo", address, wallet="miner")["scriptPubKey"])
    txid = hash_from_hex(regtest.pay(address, 100_000))
    regtest.mine()
    block = Tip(regtest.rpc("getblockcount"), hash_from_hex(regtest.rpc("getbestblockhash")))

    async def look(node):
        with_branches = await node.prove(txid, block)
        servers.esplora.lacks = lacks
        try:
            (found,) = await collect(node.payments([script], block.height, block.height))
            assert found.payment.txid == txid and found.payment.proof == with_branches
            assert await node.prove(txid, block) == with_branches
            with pytest.raises(NotThere):
                await node.prove(txid, Tip(block.height - 1, await hash_at(node, block.height - 1)))
        finally:
            servers.esplora.lacks = ""

    async def hash_at(node, height):
        return (await node.block_at(height)).block_hash

    servers.run("esplora", look)


def test_electrums_trusts_no_unknown_certificate(servers, tmp_path):
    async def refused(certificate):
        node = ElectrumNode("127.0.0.1", servers.electrum.tls_port, tls=True, certificate=certificate)
        try:
            with pytest.raises(NodeLied, match="certificate") as caught:
                await node.tip()
            assert "\n" not in str(caught.value)
        finally:
            await node.close()

    asyncio.run(refused(None))
    write_certificate(tmp_path / "other.crt", tmp_path / "other.key")
    asyncio.run(refused(tmp_path / "other.crt"))
    with pytest.raises(ValueError, match="no certificate that can be read"):
        ElectrumNode("127.0.0.1", 1, tls=True, certificate=tmp_path / "other.key")
    with pytest.raises(ValueError, match="no certificate that can be read"):
        ElectrumNode("127.0.0.1", 1, tls=True, certificate=tmp_path / "missing")
    with pytest.raises(ValueError, match="electrums"):
        ElectrumNode("127.0.0.1", 1, tls=False, certificate=tmp_path / "other.crt")
