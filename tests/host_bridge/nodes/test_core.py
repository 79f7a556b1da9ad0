"""Bitcoin Core as a node, against a real one."""

import asyncio

import pytest
from node_calls import all_payments, core_url, failure, new_script, with_opened
from regtest_node import RegtestNode, rpcauth

from host_bridge.nodes.node import NodeLied, NodeRefused, NodeUnreachable, NotThere, Tip
from host_bridge.payments.proofs import verify
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.limits import HEADER_SIZE
from lightclient.params import REGTEST


def all_headers(node: RegtestNode) -> bytes:
    hashes = [node.rpc("getblockhash", height) for height in range(node.rpc("getblockcount") + 1)]
    return b"".join(bytes.fromhex(node.rpc("getblockheader", block_hash, False)) for block_hash in hashes)


def test_it_says_what_it_is(regtest_node):
    info = with_opened(core_url(regtest_node), lambda node: node.info())
    assert info.network == "regtest" and "Satoshi" in info.software and "/" not in info.software[:1]
    assert info.tip == with_opened(core_url(regtest_node), lambda node: node.tip())
    assert hash_to_hex(info.tip.block_hash) == regtest_node.rpc("getbestblockhash")
    assert info.synced and info.lowest_block == 0 and info.has_txindex is True


@pytest.mark.parametrize("rest", [True, False])
def test_headers_are_the_nodes(regtest_node, rest):
    expected = all_headers(regtest_node)

    async def fetch(node):
        if not rest:
            node._rest = False
        whole = await node.headers(0, 2000)
        assert node._rest is rest
        assert await node.headers(100, 3) == expected[100 * HEADER_SIZE : 103 * HEADER_SIZE]
        assert await node.headers(len(expected) // HEADER_SIZE - 1, 5) == expected[-HEADER_SIZE:]
        for height, count in ((len(expected) // HEADER_SIZE, 2000), (0, 0), (-1, 5), (2**40, 1)):
            assert await node.headers(height, count) == b""
        return whole

    assert with_opened(core_url(regtest_node), fetch) == expected


@pytest.mark.parametrize("rest", [True, False])
def test_payments_are_found_and_proved(regtest_node, rest):
    wanted = [new_script(regtest_node, kind) for kind in ("legacy", "bech32", "bech32m")]
    first = regtest_node.rpc("getblockcount") + 1
    txids = []
    for address, _ in wanted:
        txids.append(regtest_node.pay(address, 50_000))
        regtest_node.mine()
    both = regtest_node.rpc("sendmany", "", {wanted[0][0]: "0.001", wanted[1][0]: "0.002"}, wallet="miner")
    regtest_node.mine()
    scripts = [script for _, script in wanted]
    more = [bytes([0, 20, *i.to_bytes(20)]) for i in range(1, 101)]  # too many to look for one by one

    async def look(node):
        node._rest = None if rest else False
        for asked in (scripts, scripts + more):
            found = await all_payments(node, asked, first)
            assert [(p.payment.height - first, hash_to_hex(p.payment.txid)) for p in found[:3]] == [
                (i, txid) for i, txid in enumerate(txids)
            ]
            assert {(p.script_pubkey, hash_to_hex(p.payment.txid)) for p in found[3:]} == {
                (scripts[0], both),
                (scripts[1], both),
            }
        assert await all_payments(node, scripts, first + 1, first + 1) == [found[1]]
        assert await all_payments(node, [], first) == []
        for payment in found:
            tip = await node.locate(payment.payment.txid)
            assert tip == Tip(payment.payment.height, payment.payment.block_hash)
            assert await node.prove(payment.payment.txid, tip) == payment.payment.proof
            verifier = verify(payment.payment.proof, REGTEST, script_pubkey=payment.script_pubkey)
            assert verifier.height == tip.height and verifier.block_hash == tip.block_hash
        return found

    assert len(with_opened(core_url(regtest_node), look)) == 5


def test_a_transaction_that_is_not_there(regtest_node):
    address, _ = new_script(regtest_node)
    waiting = hash_from_hex(regtest_node.pay(address, 10_000))
    url = core_url(regtest_node)
    error = failure(url, lambda node: node.locate(waiting))
    assert isinstance(error, NotThere) and "in no block yet" in str(error)
    regtest_node.mine()
    error = failure(url, lambda node: node.locate(bytes(32)))
    assert isinstance(error, NotThere) and "has no transaction" in str(error)

    async def elsewhere(node):
        tip = await node.locate(waiting)
        header = await node.headers(tip.height - 1, 1)
        await node.prove(waiting, Tip(tip.height - 1, hash256(header)))

    error = failure(url, elsewhere)
    assert isinstance(error, NotThere) and "is not in block" in str(error)
    assert isinstance(failure(url, lambda node: node.prove(waiting, Tip(5, bytes(32)))), NotThere)


def test_it_may_be_on_another_network_than_wanted(regtest_node):
    error = failure(core_url(regtest_node) + "&network=signet", lambda node: node.info())
    assert isinstance(error, NodeLied) and "is on regtest, not on signet" in str(error)


def test_cookie_password_and_restart():
    async def count(node):
        return (await node.tip()).height

    with RegtestNode(rpcauth("till", "secret/#word")) as node:
        node.mine(2)
        assert with_opened(f"core://till:secret%2F%23word@127.0.0.1:{node.port}", count) == 2
        error = failure(f"core://till:secret@127.0.0.1:{node.port}", count)
        assert isinstance(error, NodeRefused) and "user or password is wrong" in str(error)
        wrong = node.datadir / "cookie"
        error = failure(f"core://127.0.0.1:{node.port}/?cookie={wrong}", count)
        assert isinstance(error, NodeRefused) and "there is no cookie" in str(error)
        wrong.write_text("__cookie__:secret")
        error = failure(f"core://127.0.0.1:{node.port}/?cookie={wrong}", count)
        assert isinstance(error, NodeRefused) and "is not this node's" in str(error)

        async def across_restarts(opened):
            assert await count(opened) == 2
            assert opened._rest is None and len(await opened.headers(0, 9)) == 3 * HEADER_SIZE and opened._rest
            await asyncio.to_thread(node.stop)
            for work in (opened.tip(), opened.info(), opened.headers(0, 5), opened.wait_for_news(0)):
                try:
                    await work
                except NodeUnreachable as gone:
                    assert "can't be reached" in str(gone)
                else:
                    raise AssertionError("it answers")
            await asyncio.to_thread(node.restart, "-rest=0")
            node.mine()
            assert len(await opened.headers(0, 9)) == 4 * HEADER_SIZE and not opened._rest
            block = Tip(3, hash256((await opened.headers(3, 1))[:HEADER_SIZE]))
            coinbase = hash_from_hex(node.rpc("getblock", hash_to_hex(block.block_hash))["tx"][0])
            assert verify(await opened.prove(coinbase, block), REGTEST).height == 3
            return await count(opened)

        assert with_opened(core_url(node), across_restarts) == 3


def test_a_pruned_node_serves_the_blocks_that_it_has():
    with RegtestNode("-txindex=0", "-fastprune", "-prune=1") as node:
        miner = node.make_wallet(blocks=120)
        address, script = new_script(node)
        node.pay(address, 70_000)
        node.mine()
        spent = node.pay(miner, 60_000)
        node.mine(479)
        address2, script2 = new_script(node)
        txid = hash_from_hex(node.pay(address2, 80_000))
        node.mine()
        node.rpc("pruneblockchain", 400)

        async def look(opened):
            info = await opened.info()
            assert 121 < info.lowest_block < 500 and info.has_txindex is False
            assert len(await opened.headers(0, 2000)) == 602 * HEADER_SIZE  # of those it has all
            (found,) = await all_payments(opened, [script2], info.lowest_block)
            assert found.payment.txid == txid and found.payment.height == 601
            assert await opened.locate(txid) == Tip(601, found.payment.block_hash)  # its output is unspent
            return info.lowest_block

        lowest = with_opened(core_url(node), look)
        error = failure(core_url(node), lambda opened: all_payments(opened, [script], 121))
        assert isinstance(error, NotThere)
        assert f"has pruned block 121: it has blocks from {lowest} on" in str(error)
        assert isinstance(failure(core_url(node), lambda opened: all_payments(opened, [script], lowest - 1)), NotThere)
        assert spent
        error = failure(core_url(node), lambda opened: opened.locate(bytes(32)))
        assert isinstance(error, NotThere) and "txindex=1" in str(error) and "height" in str(error)


def test_reorgs_between_calls():
    with RegtestNode() as node:
        node.make_wallet()
        address, script = new_script(node)
        txid = node.pay(address, 90_000)
        stale = node.mine()[0]
        node.mine()

        async def look(opened):
            (before,) = await all_payments(opened, [script])
            old = await opened.locate(hash_from_hex(txid))
            assert hash_to_hex(old.block_hash) == stale and old.height == 121
            node.rpc("invalidateblock", stale)
            # no block in its place yet: the chain is shorter
            assert (await opened.tip()).height == 120
            assert await all_payments(opened, [script]) == []
            assert await opened.headers(121, 5) == b""
            node.rpc("generateblock", address, [])
            node.mine(2)
            await opened.wait_for_news(5)
            (after,) = [p for p in await all_payments(opened, [script]) if hash_to_hex(p.payment.txid) == txid]
            assert after.payment.height == 122 and after.payment.block_hash != before.payment.block_hash
            assert (await opened.locate(hash_from_hex(txid))).height == 122
            # a stale block can be proved from for as long as the node has it: who asks knows its hash
            assert await opened.prove(hash_from_hex(txid), old) == before.payment.proof
            try:
                await opened.locate_block(old.block_hash)
            except NotThere as error:
                assert "not in the best chain" in str(error)
            else:
                raise AssertionError("a stale block was located")

        with_opened(core_url(node), look)


def test_a_reorg_in_the_middle_of_a_scan_is_followed_back():
    with RegtestNode() as node:
        node.make_wallet()
        address, script = new_script(node)
        node.mine(3, address)  # every block pays

        async def look(opened):
            found = []
            async for payment in opened.payments([script], 119, 10**6):
                found.append(payment.payment)
                if len(found) == 2:  # 121 and 122 were given; both go
                    node.rpc("invalidateblock", node.rpc("getblockhash", 121))
                    node.mine(1)
                    node.mine(4, address)
            return found

        found = with_opened(core_url(node), look)
        assert [p.height for p in found] == [121, 122, 122, 123, 124, 125]
        for payment in found[2:]:
            assert hash_to_hex(payment.block_hash) == node.rpc("getblockhash", payment.height)
