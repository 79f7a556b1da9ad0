"""The bridge process on a real node, among strangers, devices and nodes that mean no good: it serves the others."""

import asyncio
import contextlib
import os
import time
from contextlib import ExitStack

import pytest
from bridge_runs import best_hash, core_url, pay, wanted_payments
from bridge_scene import Scene
from faulty_node import FaultyNode
from fleet import pair_fleet, trusting
from hostile_device import HostileDevice
from regtest_node import NodeUnavailable, RegtestNode
from support import require
from unsteady_lines import Relay

from lightclient.hashes import hash256
from lightclient.messages import EVENT_CONFIRMED, GET_HEADERS, WATCH
from lightclient.pairing import SERVER_NAME
from lightclient.params import REGTEST
from lightclient.spv.payment import PaymentRequest

GENESIS = bytes(4) + hash256(REGTEST.genesis_header)  # as a locator
SCRIPTS = 100_000  # a bridge keeps 8,192


@pytest.fixture(scope="module")
def node():
    with ExitStack() as stack:
        try:
            node = stack.enter_context(RegtestNode())
        except NodeUnavailable as error:
            require(False, str(error))
            raise
        node.rpc("setmocktime", int(time.time()) - 3 * 3600)  # tests/host_bridge/test_end_to_end.py says why
        node.make_wallet()
        node.mine(1_880)
        node.rpc("setmocktime", 0)
        node.mine(11)
        yield node


# --- strangers ---


async def closed(reader):
    """Until the other end hangs up; what it said."""
    heard = b""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(20):
            while data := await reader.read(4096):
                heard += data
    return heard


async def strangers(port):
    """One after the other from another address of this computer: no TLS, a frame in plain text, bad TLS."""
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x7e\x01\x00", b"\x16\x03\x01\x00\x05hello"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        writer.write(said)
        assert b"regtest" not in await closed(reader)
        writer.close()


async def flood(port, ended):
    """Connections without end from one address, of which nothing comes."""
    held, count = [], 0
    while not ended.is_set():
        with contextlib.suppress(OSError):
            held.append((await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.3", 0)))[1])
            count += 1
        if len(held) > 300:
            held.pop(0).close()
        await asyncio.sleep(0.002)
    for writer in held:
        writer.close()
    return count


async def replayed(port, certificate, said):
    """What the bridge answers to a session that somebody has recorded."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusting(certificate), server_hostname=SERVER_NAME
    )
    writer.write(said)
    heard = await closed(reader)
    writer.close()
    return heard


def test_strangers_of_every_kind_hurt_no_device_that_syncs(node, tmp_path):
    with ExitStack() as stack:
        scene = Scene(stack, tmp_path, core_url(node), [f"good-{i}" for i in range(8)])
        scene.start()
        bridge = scene.bridge
        wire = stack.enter_context(contextlib.closing(Relay(bridge.port)))

        async def main():
            ended = asyncio.Event()
            flooding = asyncio.create_task(flood(bridge.port, ended))
            await asyncio.sleep(0.3)
            async with scene.running():
                attacks = asyncio.create_task(strangers(bridge.port))
                # what a device has said to open a session, said again: in TLS of one's own, and the bytes of TLS
                one = scene.hostile("recorded")
                await one.dial(wire.port, bridge.certificate)
                said = await one.open()
                one.close()
                assert b"AuthenticationFailed" in await replayed(bridge.port, bridge.certificate, said)
                reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
                writer.write(bytes(wire.said))
                assert b"regtest" not in await closed(reader)
                writer.close()
                # another's name without its key; nobody's name
                for name in ("good-1", "nobody"):
                    with pytest.raises(ConnectionError, match=r"AuthenticationFailed|NotPaired"):
                        thief = HostileDevice(name, bytes(32))
                        await thief.dial(bridge.port, bridge.certificate)
                        await thief.open()
                    thief.close()
                await scene.all_at(best_hash(node))
                await attacks
                node.mine(1)
                await scene.all_at(best_hash(node), 5)
                ended.set()
                assert await flooding > 100

        asyncio.run(main())
        assert any(e.get("event") == "turned_away" for e in bridge.events)
        scene.end()


# --- devices ---


async def talk_garbage(scene):
    device = scene.hostile("garbage")
    await device.dial(scene.bridge.port, scene.bridge.certificate)
    await device.open()
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            device.writer.write(os.urandom(16_384))
            await device.writer.drain()
    await scene.said('"garbage (', "BadFrame")
    device.close()


async def ask_for_everything(scene):
    """All headers, again and again, and never read a byte."""
    device = scene.hostile("greedy")
    await device.dial(scene.bridge.port, scene.bridge.certificate)
    await device.open(credit=1_000_000)
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(8):
            while True:
                device.writer.write(device.frame(GET_HEADERS, GENESIS, 96))
                await device.writer.drain()
    return device  # that stays as it is


async def watch_too_much(scene):
    """One more than a device may; then as many scripts as possible, 64 in each of session after session."""
    device = scene.hostile("watcher")
    await device.dial(scene.bridge.port, scene.bridge.certificate)
    await device.open(credit=1_000_000)
    for i in range(65):
        device.writer.write(device.frame(WATCH, i, script_number(i), 0, 1, 0))
    assert "64 payments at most" in await device.last_words()
    await scene.said('"watcher (', "BadMessage")
    device.close()
    await device.dial(scene.bridge.port, scene.bridge.certificate)
    for first in range(0, SCRIPTS, 32):  # so many it may send ahead
        await device.open()
        for i in range(32):
            device.writer.write(device.frame(WATCH, i, script_number(first + i), 0, 1, 0))
        await device.writer.drain()
    device.close()


def script_number(i):
    return b"\x00\x20" + i.to_bytes(32)


def test_devices_that_misbehave_while_the_node_stalls(node, tmp_path):
    with ExitStack() as stack:
        faulty = stack.enter_context(FaultyNode(node))
        scene = Scene(stack, tmp_path, core_url(node, faulty.port), ["good-1", "good-2"])
        scene.start()
        wanted = wanted_payments(node, 2, (2,))
        for client, one in zip(scene.good, wanted, strict=True):
            request = PaymentRequest(1, one.script_pubkey, one.amount, one.confirmations, one.from_height)
            client.client.wait_for(request)

        async def main():
            async with scene.running():
                await scene.all_at(best_hash(node))
                faulty.mode = "stall"
                for one in wanted:
                    pay(node, one)
                node.mine(2)
                results = await asyncio.gather(talk_garbage(scene), ask_for_everything(scene), watch_too_much(scene))
                # (a device that comes now is served from the bridge's own headers)
                await come_late(scene)
                await scene.said("NodeUnreachable", "no whole answer")
                faulty.mode = ""
                await scene.all_at(best_hash(node))
                async with asyncio.timeout(30):
                    while not all(any(e[0] == EVENT_CONFIRMED for e in one.events) for one in scene.good):
                        await asyncio.sleep(0.05)
                # the end does not wait for a node that stalls and a device that does not read
                faulty.mode = "stall"
                await asyncio.sleep(1)
                await asyncio.to_thread(scene.end)
                faulty.mode = ""
                results[1].close()

        asyncio.run(main())


async def come_late(scene):
    (late,) = pair_fleet(scene.devices, ["late"])
    task = asyncio.create_task(late.run(scene.bridge.port, trusting(scene.bridge.certificate)))
    async with asyncio.timeout(20):
        while late.height < 2_000:
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- nodes ---


def test_a_node_that_lies_and_comes_to_its_senses(node, tmp_path):
    with ExitStack() as stack:
        faulty = stack.enter_context(FaultyNode(node))
        scene = Scene(stack, tmp_path, core_url(node, faulty.port), ["good"])
        scene.start()

        async def main():
            async with scene.running():
                await scene.all_at(best_hash(node))
                for mode, words in (
                    ("half", ("NodeLied", "half or no JSON")),
                    ("page", ("NodeLied", "status 502")),
                    ("network", ("NodeLied", "is on signet")),
                    ("lie", ("NodeLied", "another one, or none")),
                    ("tip", ("NodeLied", "the tip that it told of")),
                    ("endless", ("AnswerTooLong", "without end")),
                ):
                    since = len(scene.bridge.now.lines)
                    if mode == "network":  # another node in its place: that one ends first
                        faulty.mode = "page"
                        await scene.said("status 502", since=since)
                    faulty.mode = mode
                    before = best_hash(node)
                    node.mine(1)
                    line = await scene.said(*words, since=since)
                    assert '"level": "error"' in line, line
                    if mode != "tip":  # (its headers are right)
                        assert scene.good[0].client.chain.rules.state.block_hash == before
                    faulty.mode = ""
                    await scene.all_at(best_hash(node))
                    await scene.said("works again", since=since)
                    errors = [one for one in scene.bridge.now.lines[since:] if '"level": "error"' in one]
                    assert len(errors) <= 3, errors

        asyncio.run(main())
        scene.end()
