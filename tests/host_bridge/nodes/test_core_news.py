"""News of blocks from Bitcoin Core: by asking, and over ZMQ where it offers that."""

import asyncio
import time
from importlib.util import find_spec

from node_calls import core_url, with_opened
from regtest_node import RegtestNode, free_port
from support import require

from host_bridge.nodes.core_zmq import address_of


def test_news_come_at_once_or_at_the_latest_after_the_time_given(regtest_node):
    async def wait(node):
        await node.tip()
        started = time.monotonic()
        await node.wait_for_news(0.7)
        quiet = time.monotonic() - started
        waiting = asyncio.create_task(node.wait_for_news(20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.to_thread(regtest_node.mine)
        started = time.monotonic()
        await waiting
        return quiet, time.monotonic() - started

    quiet, news = with_opened(core_url(regtest_node), wait)
    assert 0.65 < quiet < 2 and news < 1.5


def test_zmq_brings_news_where_it_is_offered():
    require(find_spec("zmq") is not None, "pyzmq is not installed")
    with RegtestNode(f"-zmqpubhashblock=tcp://0.0.0.0:{free_port()}") as node:

        async def wait(opened):
            await opened.tip()
            await opened.wait_for_news(0.2)
            assert opened._news is not None
            waiting = asyncio.create_task(opened.wait_for_news(20))
            await asyncio.sleep(0.6)
            await asyncio.to_thread(node.mine)
            started = time.monotonic()
            await waiting
            return time.monotonic() - started

        assert with_opened(core_url(node), wait) < 0.4


def test_zmq_is_only_ever_on_the_nodes_own_host():
    def address(text, host="127.0.0.1", kind="pubhashblock"):
        return address_of([{"type": kind, "address": text, "hwm": 1}], host)

    assert address("tcp://127.0.0.1:28332") == "tcp://127.0.0.1:28332"
    assert address("tcp://0.0.0.0:28332", "node.local") == "tcp://node.local:28332"
    assert address("tcp://*:28332", "::1") == "tcp://[::1]:28332"
    for text in ("tcp://10.0.0.1:28332", "ipc:///tmp/x", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "", "tcp://["):
        assert address(text) is None
    assert address("tcp://127.0.0.1:28332", "node.local") is None
    assert address("tcp://127.0.0.1:28332", kind="pubhashtx") is None
    for nonsense in (None, {}, [1], [{}], [{"type": "pubhashblock"}], [{"type": "pubhashblock", "address": 5}]):
        assert address_of(nonsense, "127.0.0.1") is None
