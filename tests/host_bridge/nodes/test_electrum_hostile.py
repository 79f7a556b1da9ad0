"""An Electrum server that lies, stalls or talks nonsense: a named error in one line, and the next call starts anew."""

import asyncio
import tracemalloc
from contextlib import suppress

import pytest
from fake_electrum import BLOCK_HASH, HEIGHT, HONEST, TXIDS, FakeElectrum, Refuse, branch_hex
from known_blocks import BLOCK_100000_HEADER, BLOCK_100000_TRANSACTIONS, BLOCK_100000_TXIDS_HEX

from host_bridge.nodes import electrum_connection
from host_bridge.nodes.electrum import ElectrumNode
from host_bridge.nodes.lookup import script_hash_hex
from host_bridge.nodes.node import NodeLied, NodeRefused, NodeUnreachable, NotThere, Tip, TooManyPayments
from host_bridge.payments.proofs import verify
from host_bridge.payments.raw_block import list_outputs
from lightclient.params import MAINNET

BLOCK = Tip(HEIGHT, BLOCK_HASH)
SCRIPTS = [list_outputs(transaction)[0].script_pubkey for transaction in BLOCK_100000_TRANSACTIONS]


def run(use, **changed):
    """Await `use(node, server)`; answers that are changed: blockchain__block__header=function."""

    async def main():
        async with FakeElectrum(**changed) as server:
            node = ElectrumNode("127.0.0.1", server.port, tls=False)
            try:
                return await asyncio.wait_for(use(node, server), 20)
            finally:
                await node.close()

    return asyncio.run(main())


def refuse(text, code=1):
    def answer(*_):
        raise Refuse(text, code)

    return answer


def failure(error, ask, **changed) -> str:
    async def use(node, server):
        with pytest.raises(error) as caught:
            await ask(node)
        assert type(caught.value) is error or error is NodeRefused
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
        return str(caught.value)

    return run(use, **changed)


async def ask_tip(node):
    await node.tip()


async def ask_headers(node):
    await node.headers(100_000, 3)


async def ask_proof(node):
    await node.prove(TXIDS[1], BLOCK)


def test_an_honest_one():
    async def use(node, server):
        assert (await node.info()).network == "mainnet"
        assert await node.tip() == BLOCK
        assert await node.headers(100_000, 3) == BLOCK_100000_HEADER
        assert await node.locate(TXIDS[2]) == BLOCK
        for index, txid in enumerate(TXIDS):
            proof = await node.prove(txid, BLOCK)
            assert verify(proof, MAINNET, None, SCRIPTS[index]).index == index
        return [entry async for entry in node.payments(SCRIPTS, HEIGHT, HEIGHT)]

    found = run(use)
    assert {entry.script_pubkey for entry in found} == set(SCRIPTS)


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        (b'{"id": @ID@, "result": {"hex": \n', NodeLied, "not JSON"),
        (b"<html><body>502 Bad Gateway</body></html>\n", NodeLied, "not JSON"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NodeLied, "not JSON"),
        (b"\xff\xfe\n", NodeLied, "not JSON"),
        (b"[" * 3000 + b"\n", NodeLied, "not JSON"),
        (b"[]\n", NodeLied, "no JSON-RPC"),
        (b'"x"\n', NodeLied, "no JSON-RPC"),
        (b'{"id": 77, "result": 1}\n', NodeLied, "an answer to no call"),
        (b'{"id": null, "error": {"code": -32700, "message": "x"}}\n', NodeLied, "an answer to no call"),
        (b'{"id": true, "result": 1}\n', NodeLied, "an answer to no call"),
        (b'{"id": @ID@}\n', NodeLied, "without a result"),
        (b'{"id": @ID@, "result": {}}\n', NodeLied, "instead of hex"),
        (b'{"id": @ID@, "result": [1]}\n', NodeLied, "instead of an object"),
        (b'{"id": @ID@, "result": {"hex": "00", "height": 1}}\n', NodeLied, "a header has 80"),
        (b'{"id": @ID@, "error": {"code": 5, "message": "no\\nway"}}\n', NodeRefused, "no way"),
        (b'{"id": @ID@, "error": "no"}\n', NodeRefused, "no"),
        (b'{"id": @ID@, "error": {"code": -101, "message": "excessive resource usage"}}\n', NodeRefused, "excessive"),
    ],
)
def test_answers_that_are_none(answer, error, word):
    assert word in failure(error, ask_tip, blockchain__headers__subscribe=lambda: answer)


def test_a_header_whose_height_is_none():
    for height in (-1, 1 << 40, True, "7", None, 1.5):
        answer = {"hex": BLOCK_100000_HEADER.hex(), "height": height}
        assert "height" in failure(NodeLied, ask_tip, blockchain__headers__subscribe=lambda a=answer: a)


@pytest.mark.parametrize("what", [b"x", b" ", b'{"id": 1, "result": "', b"[],"])
def test_an_endless_line_is_not_read(what, monkeypatch):
    monkeypatch.setattr(electrum_connection, "ANSWER_SECONDS", 1)
    piece = what * (60_000 // len(what))

    async def flood(writer):
        with suppress(ConnectionError):
            while True:
                writer.write(piece)
                await writer.drain()

    async def use(node, server):
        await node.tip()
        tracemalloc.start()
        server.answer = lambda writer, call: floods.append(asyncio.create_task(flood(writer)))
        # spaces alone are padding, and count for nothing but the time
        with pytest.raises((NodeLied, NodeUnreachable), match=r"a line of|no answer"):
            await node.tip()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del server.answer
        assert await node.tip() == BLOCK, "the next call starts anew"
        return peak

    floods = []
    assert run(use) < 2_000_000


def test_one_that_stalls(monkeypatch):
    monkeypatch.setattr(electrum_connection, "ANSWER_SECONDS", 0.2)

    async def use(node, server):
        await node.tip()
        server.answers["blockchain.headers.subscribe"] = lambda: None
        with pytest.raises(NodeUnreachable, match=r"no answer to blockchain\.headers\.subscribe"):
            await node.tip()
        with pytest.raises(NodeUnreachable, match="no answer"):  # not even at the beginning
            await node.tip()
        server.answers = dict(HONEST)
        assert await node.tip() == BLOCK

    run(use)


def test_nobody_there():
    async def main():
        node = ElectrumNode("127.0.0.1", 1, tls=False)
        with pytest.raises(NodeUnreachable, match=r"127.0.0.1:1: "):
            await node.tip()
        await node.close()

    asyncio.run(main())


def test_a_cancelled_call_leaves_nothing_behind():
    async def use(node, server):
        await node.tip()
        held = []
        answers = server.answers
        server.answers = {**answers, "blockchain.headers.subscribe": lambda: None}
        server.answer = lambda writer, call: held.append((writer, call))
        call = asyncio.create_task(node.tip())
        while not held:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        del server.answer
        server.answers = answers
        connection = node._connection
        server.answer(*held[0])  # the late answer is known for what it is
        assert await node.tip() == BLOCK
        assert node._connection is connection and not connection._calls

    run(use)


def test_unasked_lines_are_ignored_up_to_a_number():
    async def use(node, server):
        await node.tip()
        noise = b'{"method": "x.y", "params": [1]}\n'
        tip = b'{"id": @ID@, "result": {"hex": "%s", "height": 100000}}\n' % BLOCK_100000_HEADER.hex().encode()
        server.answers["blockchain.headers.subscribe"] = lambda: noise * 900 + tip
        assert await node.tip() == BLOCK
        server.answers["blockchain.headers.subscribe"] = lambda: noise * 1100 + tip
        with pytest.raises(NodeLied, match="notifications"):
            await node.tip()

    run(use)


def test_another_network():
    other = {"hex": BLOCK_100000_HEADER.hex(), "count": 1}
    assert "no network" in failure(NodeLied, ask_tip, blockchain__block__headers=lambda *_: other)
    empty = {"hex": "", "count": 0}
    assert "a header has 80" in failure(NodeLied, ask_tip, blockchain__block__headers=lambda *_: empty)
    stated = {"genesis_hash": "00" * 32}
    assert "genesis_hash" in failure(NodeLied, ask_tip, server__features=lambda: stated)
    assert "unsupported" in failure(NodeRefused, ask_tip, server__version=refuse("unsupported protocol version"))
    assert run(lambda node, server: node.tip(), server__features=refuse("unknown method", -32601)) == BLOCK


def test_headers_that_do_not_link():
    genesis = MAINNET.genesis_header

    def answer(hex_string):
        return lambda height, count: {"hex": genesis.hex() if height == 0 else hex_string, "count": 1}

    two = BLOCK_100000_HEADER.hex() * 2
    assert "does not follow" in failure(NodeLied, ask_headers, blockchain__block__headers=answer(two))
    assert "half a header" in failure(NodeLied, ask_headers, blockchain__block__headers=answer(two[:170]))
    assert "at most" in failure(NodeLied, ask_headers, blockchain__block__headers=answer(two * 2))
    rows = {"headers": [BLOCK_100000_HEADER.hex()] * 4}
    listed = answer("")
    assert "no list" in failure(
        NodeLied, ask_headers, blockchain__block__headers=lambda h, c: rows if h else listed(h, c)
    )


@pytest.mark.parametrize(
    ("method", "answer", "error", "word"),
    [
        ("get_merkle", {"merkle": branch_hex(2), "pos": 2}, NodeLied, "MerkleRootMismatch"),  # of another transaction
        ("get_merkle", {"merkle": branch_hex(1), "pos": 3}, NodeLied, "proof of"),
        ("get_merkle", {"merkle": branch_hex(1), "pos": 1 << 30}, NodeLied, "pos"),
        ("get_merkle", {"merkle": branch_hex(1)[:1], "pos": 1}, NodeLied, "DepthMismatch"),
        ("get_merkle", {"merkle": branch_hex(1) * 20, "pos": 1}, NodeLied, "at most 15 hashes"),
        ("get_merkle", {"merkle": ["x"], "pos": 1}, NodeLied, "is no hash"),
        ("get_merkle", {"merkle": None, "pos": 1}, NodeLied, "hashes"),
        ("id_from_pos", {"tx_hash": BLOCK_100000_TXIDS_HEX[2], "merkle": branch_hex(2)}, NodeLied, "proof of"),
        ("id_from_pos", {"tx_hash": BLOCK_100000_TXIDS_HEX[0], "merkle": branch_hex(3)}, NodeLied, "MerkleRoot"),
        ("get", BLOCK_100000_TRANSACTIONS[2].hex(), NodeLied, "got"),  # another transaction
        ("get", BLOCK_100000_TRANSACTIONS[1].hex()[:-2], NodeLied, "transaction"),
        ("get", "zz", NodeLied, "instead of hex"),
        ("get", {"hex": ""}, NodeLied, "instead of hex"),
    ],
)
def test_proofs_of_something_else(method, answer, error, word):
    changed = {"blockchain__transaction__" + method: lambda *_: answer}
    assert word in failure(error, ask_proof, **changed)


def test_what_it_does_not_have():
    no = refuse("daemon error: No such mempool or blockchain transaction", 2)
    assert "No such" in failure(NotThere, ask_proof, blockchain__transaction__get=no)
    assert "not in block" in failure(
        NotThere, ask_proof, blockchain__transaction__get_merkle=refuse("tx not in block at height 100,000")
    )
    other = MAINNET.genesis_header.hex()
    assert "best chain" in failure(NotThere, ask_proof, blockchain__block__header=lambda height: other)
    unknown = failure(
        NotThere,
        lambda node: node.locate(TXIDS[1]),
        blockchain__scripthash__get_history=lambda script: [{"tx_hash": BLOCK_100000_TXIDS_HEX[1], "height": 0}],
    )
    assert "no block yet" in unknown


@pytest.mark.parametrize("how", ["refused", "long", "very long"])
def test_a_script_with_too_long_a_history_is_named_and_the_others_found(how):
    busy = script_hash_hex(SCRIPTS[1])

    def history(script):
        if script != busy:
            return HONEST["blockchain.scripthash.get_history"](script)
        if how == "refused":
            raise Refuse("history too large", 1)
        return [{"tx_hash": "00" * 32, "height": 1}] * (10_001 if how == "long" else 60_000)

    async def use(node, server):
        found = []
        with pytest.raises(TooManyPayments) as caught:
            async for entry in node.payments(SCRIPTS, HEIGHT, HEIGHT):
                found.append(entry.script_pubkey)
        assert caught.value.script_pubkey == SCRIPTS[1]
        return found

    found = run(use, blockchain__scripthash__get_history=history)
    assert set(found) == set(SCRIPTS) - {SCRIPTS[1]}
