"""Servers that are no node, or a node that lies: one line each, a bounded answer, never believed."""

import asyncio
import time
import tracemalloc

import pytest
from aiohttp import web
from hostile_node import endless, rpc_server, serving
from node_calls import all_payments
from support import data_path

from host_bridge.limits import MAX_RAW_BLOCK, MAX_RPC_ANSWER
from host_bridge.nodes.answers import AnswerTooLong
from host_bridge.nodes.core import CoreNode
from host_bridge.nodes.core_login import PasswordLogin
from host_bridge.nodes.node import NodeError, NodeLied, NodeRefused, NodeUnreachable, NotThere, Tip
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import MAINNET, REGTEST

GENESIS = hash_to_hex(hash256(REGTEST.genesis_header))
CHAIN = {
    "chain": "regtest",
    "blocks": 0,
    "headers": 0,
    "bestblockhash": GENESIS,
    "initialblockdownload": False,
    "pruned": False,
}
HONEST = {
    "getblockchaininfo": CHAIN,
    "getnetworkinfo": {"subversion": "/Test:1/"},
    "getindexinfo": {},
    "getblockhash": lambda height: GENESIS if height == 0 else KeyError(-8, "Block height out of range"),
    "getblockheader": REGTEST.genesis_header.hex(),
    "getbestblockhash": GENESIS,
}


def outcome(handler, work, seconds=5):
    """The NodeError that `work(node)` ends with against that server."""

    async def run():
        async with serving(handler) as port:
            node = CoreNode("127.0.0.1", port, PasswordLogin("user", "secret"), answer_seconds=seconds)
            try:
                await work(node)
            finally:
                await node.close()

    try:
        asyncio.run(run())
    except NodeError as error:
        text = str(error)
        assert text.startswith("core://127.0.0.1:") and "secret" not in text and text.isprintable() and len(text) < 400
        return error
    raise AssertionError("no NodeError was raised")


def info(node):
    return node.info()


def answering(body, status=200, content_type="application/json"):
    async def handle(request):
        return web.Response(body=body, status=status, content_type=content_type)

    return handle


def with_answers(**changed):
    return rpc_server({**HONEST, **changed})


def test_the_honest_server_is_believed():
    async def run():
        async with serving(with_answers()) as port:
            node = CoreNode("127.0.0.1", port, PasswordLogin("user", "secret"))
            try:
                assert (await node.info()).network == "regtest"
                assert await node.headers(0, 10) == REGTEST.genesis_header
            finally:
                await node.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (answering(b'{"result": {"chain": "reg'), NodeLied, "half or no JSON"),
        (answering(b"<html>502 Bad Gateway</html>", 502, "text/html"), NodeLied, "status 502"),
        (answering(b"<html>hello</html>", 200, "text/html"), NodeLied, "no Bitcoin Core"),
        (answering(b"[" * 150_000), NodeLied, "JSON"),
        (answering(b"[],[],[],[]," * 80_000), NodeLied, "200000 values"),
        (answering(b"1" * 100_000), NodeLied, "JSON"),
        (answering(b"null"), NodeLied, "no JSON-RPC answer"),
        (answering(b"\xff\xfe{}"), NodeLied, "JSON"),
        (answering(b'{"result": {}, "error": null, "id": 99}'), NodeLied, "something else"),
        (answering(b'{"result": 1, "id": 1}'), NodeLied, "fields are missing"),
        (answering(b'{"error": "no", "id": 1}'), NodeLied, "without a code"),
        (answering(b"x" * (MAX_RPC_ANSWER + 1)), AnswerTooLong, "at most"),
        (endless, AnswerTooLong, "without end"),
        (answering(b"", 401, "text/html"), NodeRefused, "user or password is wrong"),
        (answering(b"", 403, "text/html"), NodeRefused, "rpcallowip"),
        (answering(b"Work queue depth exceeded", 503, "text/plain"), NodeUnreachable, "busy"),
        (
            answering(b'{"error":{"code":-28,"message":"Loading\\nP2P \\u0007"},"id":1}', 500),
            NodeUnreachable,
            "is starting",
        ),
        (answering(b'{"error":{"code":-32601,"message":"Method not found"},"id":1}', 404), NodeRefused, "it has no"),
        (with_answers(getblockchaininfo={**CHAIN, "chain": "liquid"}), NodeLied, "fields"),
        (with_answers(getblockchaininfo={**CHAIN, "blocks": -1}), NodeLied, "fields"),
        (with_answers(getblockchaininfo={**CHAIN, "blocks": "7"}), NodeLied, "fields"),
        (with_answers(getblockchaininfo={**CHAIN, "bestblockhash": "zz"}), NodeLied, "fields"),
        (with_answers(getblockchaininfo={**CHAIN, "chain": "main"}), NodeLied, "another genesis block"),
        (with_answers(getblockhash="xyz"), NodeLied, "64 hex digits"),
    ],
)
def test_answers_that_can_not_be(handler, kind, words):
    error = outcome(handler, info)
    assert type(error) is kind and words in str(error), error


def test_a_redirect_is_not_followed():
    async def elsewhere(request):
        raise web.HTTPFound("http://127.0.0.1:1/")

    assert "status 302" in str(outcome(elsewhere, info))


def test_what_is_no_http_and_what_stops_in_the_middle():
    async def run(spoken):
        async def talk(reader, writer):
            await reader.read(10)
            writer.write(spoken)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            node = CoreNode("127.0.0.1", server.sockets[0].getsockname()[1], PasswordLogin("user", "secret"))
            try:
                await node.tip()
            except NodeError as error:
                return error
            finally:
                await node.close()

    half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    for spoken, kind in ((b"SSH-2.0-x\r\n", NodeLied), (b"", NodeUnreachable), (half, NodeUnreachable)):
        assert type(asyncio.run(run(spoken))) is kind, spoken
    header = b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000
    assert type(asyncio.run(run(header))) is NodeLied


def test_a_slow_answer_ends_in_time():
    async def slow(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    started = time.monotonic()
    error = outcome(slow, info, seconds=0.5)
    assert type(error) is NodeUnreachable and "0.5 seconds" in str(error) and time.monotonic() - started < 3


def test_nobody_is_there():
    async def run():
        node = CoreNode("127.0.0.1", 1, PasswordLogin("user", "secret"))
        try:
            await node.tip()
        finally:
            await node.close()

    with pytest.raises(NodeUnreachable, match="can't be reached"):
        asyncio.run(run())


def test_an_endless_answer_takes_little_memory():
    tracemalloc.start()
    try:
        outcome(endless, lambda node: node._block(0, hash_from_hex(GENESIS)))
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_RAW_BLOCK
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "header",
    ["zz" * 80, "", "00", "00" * 80, REGTEST.genesis_header.hex() * 2, None, 5, {}, KeyError(-5, "Block not found")],
)
def test_headers_that_are_not_those_asked_for(header):
    error = outcome(with_answers(getblockheader=lambda *_: header), lambda node: node.headers(0, 3))
    assert type(error) is NodeLied and "header 0" in str(error)


def test_a_batch_with_an_answer_missing():
    async def handle(request):
        return web.json_response([])

    error = outcome(handle, lambda node: node._rpc_headers(0, 3))
    assert type(error) is NodeLied and "3 answers belong there" in str(error)


@pytest.mark.parametrize("rest", [b"", b"\0" * 79, b"\0" * 80, b"\0" * 800, MAINNET.genesis_header])
def test_rest_headers_are_checked_too(rest):
    """What REST says wrong is a lie, or (nothing, too much) is asked again over RPC."""
    rpc = with_answers()

    async def handle(request):
        return web.Response(body=rest) if request.method == "GET" else await rpc(request)

    async def run():
        async with serving(handle) as port:
            node = CoreNode("127.0.0.1", port, PasswordLogin("user", "secret"))
            try:
                return await node.headers(0, 3)
            except NodeLied as error:
                return error
            finally:
                await node.close()

    result = asyncio.run(run())
    assert result == REGTEST.genesis_header if rest in (b"", b"\0" * 800) else isinstance(result, NodeLied)


def real_block():
    """A mainnet block of some transactions, and its txids' count: served on the network `mainnet`."""
    with open(data_path("blocks/mainnet_169482.blk"), "rb") as file:
        return file.read()


def serving_block(block, told):
    """Answers of a node on mainnet whose block at 169,482 has the hash of `block`, and which gives `told` for it."""
    block_hash = hash_to_hex(hash256(block[:80]))
    genesis = hash_to_hex(hash256(MAINNET.genesis_header))
    return with_answers(
        getblockchaininfo={**CHAIN, "chain": "main", "blocks": 169482},
        getblockhash=lambda height: block_hash if height else genesis,
        getblock=lambda *_: told,
    )


def test_blocks_that_are_not_those_asked_for():
    block = real_block()
    tip = Tip(169482, hash256(block[:80]))
    coinbase_script = bytes([block[-1]])  # some byte: it is in every block, so every block is taken apart

    def ask_both(told):
        handler = serving_block(block, told)
        yield outcome(handler, lambda node: node.prove(bytes(32), tip))
        yield outcome(handler, lambda node: all_payments(node, [coinbase_script], 169482, 169482))

    flipped = bytearray(block)
    flipped[-30] ^= 1
    other = REGTEST.genesis_header + block[80:]
    for told in ("zz", None, "", block[:80].hex(), other.hex(), block[:-1].hex(), (block + b"\0").hex(), flipped.hex()):
        for error in ask_both(told):
            assert type(error) is NodeLied and "block" in str(error), (error, str(told)[:20])
    # a whole and honest block without the transaction is no lie
    assert type(next(ask_both(block.hex()))) is NotThere
    assert type(next(ask_both(KeyError(-5, "Block not found")))) is NotThere
    error = next(ask_both(KeyError(-1, "Block not available (pruned data)")))
    assert type(error) is NotThere and "has pruned block 169482" in str(error)


def test_a_block_whose_height_is_another():
    block = real_block()

    def wrong_height(node):
        return node.prove(hash256(b""), Tip(5, hash256(block[:80])))

    assert type(outcome(serving_block(block, block.hex()), wrong_height)) is NotThere


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"gettxout": {"bestblock": GENESIS, "confirmations": 7}}, NodeLied),
        ({"gettxout": {"bestblock": "no", "confirmations": 1}}, NodeLied),
        ({"gettxout": {}}, NodeLied),
        ({"gettxout": None, "getrawtransaction": "00"}, NodeLied),
        ({"gettxout": None, "getrawtransaction": {}}, NotThere),
        ({"gettxout": None, "getrawtransaction": {"blockhash": 7}}, NodeLied),
        ({"gettxout": None, "getrawtransaction": {"blockhash": "11" * 32}}, NotThere),
    ],
)
def test_a_transaction_located_wrongly(answers, kind):
    def header(block_hash, verbose=True):
        return {"height": 0, "confirmations": 1 if block_hash == GENESIS else -1}

    error = outcome(with_answers(**answers, getblockheader=header), lambda node: node.locate(bytes(32)))
    assert type(error) is kind, error
