"""An Esplora server that lies, stalls or talks nonsense: a named error in one line."""

import asyncio
import gzip
import tracemalloc

import pytest
from fake_electrum import BLOCK_HASH, HEIGHT, TXIDS, branch_hex
from fake_esplora import ENDLESS, NAME, FakeEsplora, Raw, described, entry
from known_blocks import BLOCK_100000_HEADER, BLOCK_100000_TRANSACTIONS, BLOCK_100000_TXIDS_HEX

from host_bridge.nodes import esplora, esplora_http
from host_bridge.nodes.esplora import EsploraNode
from host_bridge.nodes.lookup import script_hash_hex
from host_bridge.nodes.node import NodeLied, NodeRefused, NodeUnreachable, NotThere, Tip, TooManyPayments
from host_bridge.payments.proofs import verify
from host_bridge.payments.raw_block import list_outputs
from lightclient.params import MAINNET

BLOCK = Tip(HEIGHT, BLOCK_HASH)
SCRIPTS = [list_outputs(transaction)[0].script_pubkey for transaction in BLOCK_100000_TRANSACTIONS]
TIP_HEIGHT = "/blocks/tip/height"
BLOCKS = f"/blocks/{HEIGHT}"
TX = f"/tx/{BLOCK_100000_TXIDS_HEX[1]}"


def run(use, changed=None):
    async def main():
        async with FakeEsplora(changed or {}) as server:
            node = EsploraNode(server.url)
            try:
                return await asyncio.wait_for(use(node, server), 20)
            finally:
                await node.close()

    return asyncio.run(main())


def failure(error, ask, changed) -> str:
    async def use(node, server):
        with pytest.raises(error) as caught:
            await ask(node)
        assert isinstance(caught.value, error)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
        return str(caught.value)

    return run(use, changed)


async def ask_tip(node):
    await node.tip()


async def ask_headers(node):
    await node.headers(HEIGHT - 1, 2)


async def ask_proof(node):
    await node.prove(TXIDS[1], BLOCK)


def test_an_honest_one():
    async def use(node, server):
        server.history = lambda path: [] if path.count("/") > 4 else [entry(name) for name in BLOCK_100000_TXIDS_HEX]
        assert (await node.info()).network == "mainnet"
        assert await node.headers(HEIGHT, 3) == BLOCK_100000_HEADER
        assert await node.headers(HEIGHT + 1, 3) == b""
        assert await node.locate(TXIDS[2]) == BLOCK
        for index, txid in enumerate(TXIDS):
            assert verify(await node.prove(txid, BLOCK), MAINNET, None, SCRIPTS[index]).index == index
        return {entry.script_pubkey async for entry in node.payments(SCRIPTS, HEIGHT, HEIGHT)}

    assert run(use) == set(SCRIPTS)


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        ("<html>502 Bad Gateway</html>", NodeLied, "no number"),
        ("", NodeLied, "no number"),
        ("-1", NodeLied, "no number"),
        ("9" * 4000, NodeLied, "no number"),
        ("1" * 5000, NodeLied, "at most 4,096"),
        ((502, [], "<html>\n<body>bad gateway"), NodeUnreachable, "HTTP 502"),
        ((429, [], "Too many requests"), NodeRefused, "HTTP 429"),
        ((401, [], ""), NodeRefused, "HTTP 401"),
        ((404, [], "not found"), NotThere, "HTTP 404"),
        ((301, ["Location: https://elsewhere.example/"], ""), NodeRefused, "redirected to https://elsewhere.example/"),
        ((200, ["Content-Encoding: gzip"], gzip.compress(bytes(10_000_000))), NodeLied, "packed"),
        (Raw(b"no HTTP at all\r\n\r\n"), NodeLied, "no HTTP"),
        (Raw(b""), NodeUnreachable, TIP_HEIGHT),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n100"), NodeUnreachable, TIP_HEIGHT),
    ],
)
def test_answers_that_are_none(answer, error, word):
    assert word in failure(error, ask_tip, {TIP_HEIGHT: answer})


def test_a_tip_without_a_hash():
    assert "is no hash" in failure(NodeLied, ask_tip, {f"/block-height/{HEIGHT}": "<html>"})


def test_one_that_stalls(monkeypatch):
    monkeypatch.setattr(esplora_http, "ANSWER_SECONDS", 0.3)
    assert "no whole answer" in failure(NodeUnreachable, ask_tip, {TIP_HEIGHT: None})


def test_nobody_there():
    async def main():
        node = EsploraNode("http://127.0.0.1:1")
        with pytest.raises(NodeUnreachable):
            await node.tip()
        await node.close()

    asyncio.run(main())


def test_an_endless_answer_is_not_read():
    async def use(node, server):
        tracemalloc.start()
        with pytest.raises(NodeLied, match="at most 4,000,000"):
            await node.transaction(TXIDS[1])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert run(use, {TX + "/raw": ENDLESS}) < 12_000_000


def test_another_network():
    assert "no network" in failure(NodeLied, lambda node: node.info(), {"/block-height/0": NAME})


@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("{", "not JSON"),
        ({"id": 1}, "no list"),
        ([], "no list"),
        ([1], "instead of an object"),
        ([described(height=HEIGHT - 5)], "one below the other"),
        ([described() | {"nonce": 1}], "not of its header"),
        ([described() | {"nonce": -1}], "nonce"),
        ([described() | {"merkle_root": "x"}], "is no hash"),
        ([described(), described(height=HEIGHT - 1)], "do not follow"),
        ([described()] * 200, "one below the other"),
        (["x" * 300_000], "at most 200,000"),
    ],
)
def test_headers_that_are_none(page, word):
    assert word in failure(NodeLied, ask_headers, {BLOCKS: page})


@pytest.mark.parametrize(
    ("path", "answer", "error", "word"),
    [
        (TX + "/merkle-proof", {"block_height": HEIGHT, "merkle": branch_hex(2), "pos": 2}, NodeLied, "MerkleRoot"),
        (TX + "/merkle-proof", {"block_height": 7, "merkle": branch_hex(1), "pos": 1}, NotThere, "not in block"),
        (TX + "/merkle-proof", {"block_height": HEIGHT, "merkle": branch_hex(1)[:1], "pos": 1}, NodeLied, "Depth"),
        (TX + "/merkle-proof", "null", NodeLied, "instead of an object"),
        (TX + "/raw", BLOCK_100000_TRANSACTIONS[2], NodeLied, "got"),
        (TX + "/raw", b"", NodeLied, "transaction"),
        (TX + "/raw", (404, [], "Transaction not found"), NotThere, "not found"),
        (f"/block/{NAME}/header", MAINNET.genesis_header.hex(), NodeLied, "its hash is"),
        (f"/block/{NAME}/header", "00", NodeLied, "a header has 80"),
        (f"/block/{NAME}/txid/0", BLOCK_100000_TXIDS_HEX[2], NodeLied, "proof of"),
        (f"/block-height/{HEIGHT}", "00" * 32, NotThere, "best chain"),
    ],
)
def test_proofs_of_something_else(path, answer, error, word):
    assert word in failure(error, ask_proof, {path: answer})


def test_a_transaction_in_no_block():
    ask = lambda node: node.locate(TXIDS[1])  # noqa: E731
    assert "no block yet" in failure(NotThere, ask, {TX + "/status": {"confirmed": False}})
    stale = {"confirmed": True, "block_height": HEIGHT, "block_hash": "00" * 32}
    assert "best chain" in failure(NotThere, ask, {TX + "/status": stale})


@pytest.mark.parametrize("how", ["page", "pages"])
def test_a_script_with_too_long_a_history_is_named_and_the_others_found(how, monkeypatch):
    monkeypatch.setattr(esplora, "MAX_HISTORY", 100)
    busy = script_hash_hex(SCRIPTS[1])
    number = iter(range(1 << 30))

    def history(path):
        if busy in path:
            if how == "page":
                return ["x" * 3_000_000]
            return [entry(f"{next(number):064x}") for _ in range(25)]
        return [] if path.count("/") > 4 else [entry(name) for name in BLOCK_100000_TXIDS_HEX]

    async def use(node, server):
        server.history = history
        found = set()
        with pytest.raises(TooManyPayments) as caught:
            async for payment in node.payments(SCRIPTS, HEIGHT, HEIGHT):
                found.add(payment.script_pubkey)
        assert caught.value.script_pubkey == SCRIPTS[1]
        return found

    assert run(use) == set(SCRIPTS) - {SCRIPTS[1]}


def test_the_same_page_for_ever():
    async def ask(node):
        async for _ in node.payments([SCRIPTS[1]], HEIGHT, HEIGHT):
            pass

    page = [entry(BLOCK_100000_TXIDS_HEX[0])]
    first = f"/scripthash/{script_hash_hex(SCRIPTS[1])}/txs/chain"
    word = failure(NodeLied, ask, {first: page, f"{first}/{BLOCK_100000_TXIDS_HEX[0]}": page})
    assert "again and again" in word


def test_user_and_password_go_to_the_server_alone():
    async def main():
        async with FakeEsplora({}) as server:
            node = EsploraNode(server.url.replace("://", "://user:secret@"))
            try:
                assert await node.tip() == BLOCK
                assert "secret" not in node.name
                assert b"Authorization: Basic dXNlcjpzZWNyZXQ=\r\n" in server.heads[0]
                server.answers[TIP_HEIGHT] = (401, [], "who?")
                with pytest.raises(NodeRefused) as caught:
                    await node.tip()
                assert "secret" not in str(caught.value)
            finally:
                await node.close()

    asyncio.run(main())


def test_urls():
    assert EsploraNode("https://user:secret@host.example/api/").name == "esplora+https://host.example/api"
    assert EsploraNode("esplora+http://127.0.0.1:3000").name == "esplora+http://127.0.0.1:3000"
    for url in (
        "http://host.example",
        "ftp://127.0.0.1",
        "https://",
        "https://h/?q=1",
        "https://h:99999",
        "http://[::2]",
    ):
        with pytest.raises(ValueError) as caught:
            EsploraNode(url)
        assert "\n" not in str(caught.value)
