"""The bridge over lines in memory: what one device does never reaches another."""

import asyncio
import resource
import time
from contextlib import asynccontextmanager

import pytest
from bridge_lines import DeviceOnLine, LiveArchive, MemoryLine, NoDevices, Said, hello, until

from host_bridge.service import device_link
from host_bridge.service.bridge import Bridge
from lightclient.limits import MAX_OUTPUT
from lightclient.messages import GET_HEADERS, GOODBYE, PING, encode
from lightclient.wire import FrameReader, encode_frame

KEY = b"k" * 32


@asynccontextmanager
async def running(devices=None, **options):
    said = Said()
    bridge = Bridge(LiveArchive(), devices or NoDevices(test=KEY), said.log, "test", **options)
    looking = asyncio.create_task(bridge.look_after())
    tasks = [looking]

    def plug_in(line, device=None):
        tasks.append(asyncio.create_task(bridge.serve(line)))
        if device:
            tasks.append(asyncio.create_task(device.on_memory(line)))
        return line

    bridge.plug_in = plug_in
    try:
        yield bridge, said
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        said.log.close()


def frames(data):
    """(type, payload) of the frames in what was heard."""
    reader = FrameReader()
    start = 0
    while start < len(data):
        start = reader.feed(data, start, len(data))
        if reader.ready:
            yield reader.frame_type, bytes(reader.buffer[reader.payload_start : reader.payload_end])


def test_many_devices_sync_and_hear_of_a_block_within_two_seconds():
    async def main():
        keys = {f"d{i}": KEY for i in range(24)}
        async with running(NoDevices(**keys)) as (bridge, said):
            source = bridge._source
            source.best_height -= 1
            devices = [DeviceOnLine(KEY, name.encode()) for name in keys]
            for i, device in enumerate(devices):
                bridge.plug_in(MemoryLine(f"line{i}", is_network=True), device)
            await until(lambda: all(device.height == source.best_height for device in devices), 60, "the sync")
            source.best_height += 1
            started = time.monotonic()
            bridge.announce()
            await until(lambda: all(device.height == source.best_height for device in devices))
            assert time.monotonic() - started < 2.0
            assert sum("connected" in text for text in said.texts) == 24
            assert any(text.startswith("d7 (line7): in sync at height 2,") for text in said.texts)

    asyncio.run(main())


def test_an_unpaired_device_gets_nothing_and_is_named_once():
    async def main():
        async with running(NoDevices()) as (bridge, said):
            line = bridge.plug_in(MemoryLine("ttyACM0"), DeviceOnLine())
            await until(lambda: any("NotPaired" in text for text in said.texts))
            await asyncio.sleep(2.5)  # the device asks again after a second
            assert sum("NotPaired" in text for text in said.texts) == 1
            assert {kind for kind, _ in frames(line.heard)} <= {GOODBYE}
            assert not line.in_session and line.written < 1000

    asyncio.run(main())


def test_a_stranger_on_the_network_is_hung_up_on():
    async def main():
        async with running(NoDevices(test=KEY)) as (bridge, said):
            for device in (DeviceOnLine(KEY, b"other"), DeviceOnLine(b"x" * 32, b"test")):
                line = bridge.plug_in(MemoryLine("1.2.3.4:5", is_network=True), device)
                await until(line.closed.is_set)
                assert line.turned_away.startswith(("NotPaired", "AuthenticationFailed"))
            assert not [line for line in said.lines if line["level"] != "debug"]  # the listener tells of them

    asyncio.run(main())


def test_serial_unpaired_serves_whoever_is_there():
    async def main():
        async with running(NoDevices(), serial_unpaired=True) as (bridge, said):
            device = DeviceOnLine()
            bridge.plug_in(MemoryLine("ttyACM0"), device)
            await until(lambda: device.height == bridge._source.best_height)
            assert any("not asked for a pairing key" in text for text in said.texts)
            stranger = bridge.plug_in(MemoryLine("1.2.3.4:5", is_network=True), DeviceOnLine())
            await until(stranger.closed.is_set)

    asyncio.run(main())


@pytest.mark.parametrize("is_network", [False, True])
def test_revoking_ends_a_session_at_once(is_network):
    async def main():
        devices = NoDevices(test=KEY)
        async with running(devices) as (bridge, said):
            device = DeviceOnLine(KEY)
            line = bridge.plug_in(MemoryLine("line", is_network), device)
            await until(lambda: device.height == bridge._source.best_height)
            devices.keys.clear()
            await until(lambda: not line.in_session, 3)
            assert any("revoked" in text for text in said.texts)
            if is_network:
                await until(line.closed.is_set, 3)

    asyncio.run(main())


def test_a_device_that_connects_anew_has_one_connection():
    async def main():
        async with running() as (bridge, said):
            first = bridge.plug_in(MemoryLine("a:1", is_network=True), DeviceOnLine(KEY))
            await until(lambda: first.in_session)
            second = bridge.plug_in(MemoryLine("a:2", is_network=True), DeviceOnLine(KEY))
            await until(first.closed.is_set)
            assert second.in_session
            assert any("connected anew" in text for text in said.texts)

    asyncio.run(main())


def test_garbage_is_dropped_by_name_and_the_others_go_on():
    async def main():
        async with running() as (bridge, said):
            noisy = bridge.plug_in(MemoryLine("noisy", is_network=True))
            cable = bridge.plug_in(MemoryLine("cable"))
            device = DeviceOnLine(KEY)
            for i in range(20):
                for line in (noisy, cable):
                    if not line.closed.is_set():
                        await line.say(bytes(j * i & 0xFF for j in range(8192)))
                if i == 2:
                    bridge.plug_in(MemoryLine("good"), device)
            await until(noisy.closed.is_set)
            await until(lambda: device.height == bridge._source.best_height)
            assert "no lightclient" in noisy.turned_away
            warnings = [line for line in said.lines if line["level"] == "warning"]
            assert [line["device"] for line in warnings] == ["cable"] and "no lightclient" in warnings[0]["text"]
            assert not cable.closed.is_set()  # a board may stop to print, and begin to speak

    asyncio.run(main())


def test_who_asks_and_never_reads_is_made_to_wait_then_dropped(monkeypatch):
    monkeypatch.setattr(device_link, "WRITE_SECONDS", 1.0)

    async def main():
        async with running(serial_unpaired=True) as (bridge, said):
            line = bridge.plug_in(MemoryLine("greedy"))
            await until(lambda: bool(line.heard))
            await line.say(hello(credit=1_000_000))
            await until(lambda: line.in_session)
            line.takes.clear()
            payload = bytearray(500)
            locator = (0).to_bytes(4, "little") + bridge._source.block_hash(0)
            length = encode(GET_HEADERS, (locator, 96), payload)
            sent = 0

            async def ask():
                nonlocal sent
                while True:
                    await line.say(encode_frame(GET_HEADERS, sent + 1, payload[:length]))
                    sent += 1

            asking = asyncio.create_task(ask())
            await asyncio.sleep(0.5)
            link = next(iter(bridge._links))
            assert len(link.session.endpoint._output) <= MAX_OUTPUT
            assert sent < 200  # the line makes it wait
            await until(line.closed.is_set)
            asking.cancel()
            assert any(text.startswith("greedy: has taken nothing") for text in said.texts)

    asyncio.run(main())


def test_silence_ends_a_session(monkeypatch):
    monkeypatch.setattr(device_link, "SILENCE_SECONDS", 0.5)

    async def main():
        async with running(serial_unpaired=True) as (bridge, said):
            line = bridge.plug_in(MemoryLine("quiet"))
            await line.say(hello())
            await until(lambda: line.in_session)
            await until(lambda: not line.in_session, 5)
            assert any("nothing was heard" in text for text in said.texts)
            await line.say(hello())
            await until(lambda: line.in_session)

    asyncio.run(main())


def test_a_board_that_does_not_answer_is_told_of_once(monkeypatch):
    monkeypatch.setattr(device_link, "_PATIENCE_SECONDS", 0.5)

    async def main():
        async with running() as (bridge, said):
            bridge.plug_in(MemoryLine("ttyACM0"))
            await until(lambda: any("does the device program run" in text for text in said.texts))
            await asyncio.sleep(2.1)
            assert len(said.lines) == 1

    asyncio.run(main())


def test_a_flood_of_reports_does_not_fill_the_log():
    async def main():
        async with running(serial_unpaired=True) as (bridge, said):
            line = bridge.plug_in(MemoryLine("chatty"))
            for _ in range(300):  # each is a new session
                await line.say(hello())
            await until(lambda: line.in_session)
            await until(line._incoming.empty)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            payload = bytearray(20)
            for i in range(2000):
                length = encode(PING, (i,), payload)
                await line.say(encode_frame(PING, i + 1, payload[:length]))
                line.heard.clear()
            await until(line._incoming.empty)
            assert len(said.lines) < 80
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000

    asyncio.run(main())


def test_an_error_of_ours_drops_one_line_only():
    async def main():
        async with running(serial_unpaired=True) as (bridge, said):
            line = bridge.plug_in(MemoryLine("unlucky"))
            await until(lambda: bool(line.heard))
            next(iter(bridge._links)).session.receive = None
            await line.say(b"x")
            await until(line.closed.is_set)
            assert any("an error of this program" in text for text in said.texts)
            device = DeviceOnLine()
            bridge.plug_in(MemoryLine("lucky"), device)
            await until(lambda: device.height == bridge._source.best_height)

    asyncio.run(main())


def test_goodbye_reaches_who_reads_and_waits_for_nobody_else():
    async def main():
        async with running(serial_unpaired=True) as (bridge, said):
            lines = [bridge.plug_in(MemoryLine(f"line{i}")) for i in range(2)]
            for line in lines:
                await line.say(hello())
            await until(lambda: all(line.in_session for line in lines))
            lines[1].takes.clear()
            lines[0].heard.clear()
            started = time.monotonic()
            await bridge.say_goodbye()
            assert time.monotonic() - started < 1.5
            assert [kind for kind, _ in frames(lines[0].heard)] == [GOODBYE]
            assert not any("goodbye" in text for text in said.texts)  # that is what a device says

    asyncio.run(main())
