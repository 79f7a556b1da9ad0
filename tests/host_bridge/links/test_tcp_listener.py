"""TLS on real sockets: many devices, and strangers who can't hurt them."""

import asyncio
import socket
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from bridge_lines import DeviceOnLine, LiveArchive, NoDevices, Said, trusting, until

from host_bridge.links import tcp_listener
from host_bridge.links.tcp_listener import Ceilings, TlsListener
from host_bridge.pairing.certificate import load_or_make
from host_bridge.service.bridge import Bridge

KEY = b"k" * 32
QUICK = Ceilings(first_bytes_seconds=0.5, handshake_seconds=0.5, authentication_seconds=1.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return load_or_make(tmp_path_factory.mktemp("state"))


@asynccontextmanager
async def listening(certificate, ceilings=QUICK, devices=None):
    """(address, bridge, listener, log)."""
    said = Said()
    bridge = Bridge(LiveArchive(), devices or NoDevices(test=KEY), said.log, "test")
    addresses = [("127.0.0.1", 0)]
    listener = TlsListener(addresses, certificate.server_context(), bridge.serve, said.log, ceilings)
    (address,) = await listener.open()
    task = asyncio.create_task(listener.run())
    clients = []

    def dial(device):
        clients.append(asyncio.create_task(device.on_network(address, trusting(certificate))))
        return device

    bridge.dial = dial
    try:
        yield address, bridge, listener, said
    finally:
        for one in (task, *clients):
            one.cancel()
        await asyncio.gather(task, *clients, return_exceptions=True)
        assert not listener._connections
        said.log.close()


async def connect(address):
    host, port = address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def is_closed(reader, seconds=5.0):
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(4096):
                pass
    except ConnectionError:
        pass
    return True


def test_many_devices_at_once(certificate):
    async def main():
        keys = {f"d{i}": KEY for i in range(16)}
        async with listening(certificate, Ceilings(), NoDevices(**keys)) as (_, bridge, listener, said):
            devices = [bridge.dial(DeviceOnLine(KEY, name.encode())) for name in keys]
            await until(lambda: all(d.height == bridge._source.best_height for d in devices), 60, "the sync")
            assert len(listener._connections) == 16
            assert not [line for line in said.lines if line["level"] == "warning"]

    asyncio.run(main())


def test_plain_tcp_silence_and_half_a_handshake_are_refused(certificate):
    async def main():
        async with listening(certificate) as (address, bridge, listener, said):
            device = bridge.dial(DeviceOnLine(KEY))
            plain, _plain = await connect(address)
            _plain.write(b"GET / HTTP/1.1\r\n\r\n")
            started = time.monotonic()
            assert await is_closed(plain) and time.monotonic() - started < 0.4
            silent, _silent = await connect(address)
            half, _half = await connect(address)
            _half.write(b"\x16\x03\x01\x02\x00\x01")
            bad, _bad = await connect(address)
            _bad.write(b"\x16\x03\x01\x00\x05hello")
            assert await is_closed(silent) and await is_closed(half) and await is_closed(bad)
            await until(lambda: device.height == bridge._source.best_height)
            await until(lambda: len(listener._connections) == 1)
            listener._told = -100.0
            listener._tell()
            said_of_strangers = " ".join(line["text"] for line in said.lines if line.get("event") == "turned_away")
            assert all(word in said_of_strangers for word in ("no TLS: 1", "no TLS in time: 2", "handshake failed"))

    asyncio.run(main())


def test_another_certificate_is_refused_by_the_device(certificate, tmp_path):
    async def main():
        async with listening(certificate) as (address, _, _, _):
            host, port = address.rsplit(":", 1)
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(
                    host, int(port), ssl=trusting(load_or_make(tmp_path)), server_hostname="lightclient.bridge"
                )

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(certificate):
    async def main():
        async with listening(certificate) as (address, _, _, _):
            old = trusting(certificate)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
            old.set_ciphers("ALL:@SECLEVEL=0")
            host, port = address.rsplit(":", 1)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(host, int(port), ssl=old, server_hostname="lightclient.bridge")

    asyncio.run(main())


def test_who_does_not_authenticate_is_dropped(certificate):
    async def main():
        async with listening(certificate) as (address, bridge, listener, _):
            host, port = address.rsplit(":", 1)
            context = trusting(certificate)
            idle, _idle = await asyncio.open_connection(
                host, int(port), ssl=context, server_hostname="lightclient.bridge"
            )
            wrong = bridge.dial(DeviceOnLine(b"x" * 32))
            right = bridge.dial(DeviceOnLine(KEY))
            assert await is_closed(idle)
            await until(wrong.ended.is_set)
            assert wrong.height == 0
            await until(lambda: right.height == bridge._source.best_height)
            await asyncio.sleep(2.2)
            assert len(listener._connections) == 1 and not right.ended.is_set()

    asyncio.run(main())


def test_a_flood_of_strangers_hurts_no_device(certificate):
    async def main():
        few = replace(QUICK, strangers=8, strangers_per_address=8, first_bytes_seconds=5.0)
        devices = NoDevices(one=KEY, two=KEY)
        async with listening(certificate, few, devices) as (address, bridge, listener, said):
            one = bridge.dial(DeviceOnLine(KEY, b"one"))
            await until(lambda: one.height > 0)
            host, port = address.rsplit(":", 1)
            flood = []
            for _ in range(300):
                stranger = socket.socket()
                stranger.setblocking(False)
                stranger.bind(("127.0.0.2", 0))
                flood.append(stranger)
                await asyncio.get_running_loop().sock_connect(stranger, (host, int(port)))
            await until(lambda: one.height == bridge._source.best_height)
            # his places are full: a device at another address takes one of his
            two = bridge.dial(DeviceOnLine(KEY, b"two"))
            await until(lambda: two.height == bridge._source.best_height)
            assert len(listener._connections) <= 10
            assert not one.ended.is_set()
            for stranger in flood:
                stranger.close()
            assert sum(line.get("event") == "turned_away" for line in said.lines) <= 1

    asyncio.run(main())


def test_one_address_may_not_begin_handshakes_without_end(certificate, monkeypatch):
    monkeypatch.setattr(tcp_listener, "HANDSHAKES_BURST", 3)

    async def main():
        async with listening(certificate) as (address, _, listener, _):
            host, port = address.rsplit(":", 1)
            refused = 0
            for _ in range(8):
                try:
                    _, writer = await asyncio.open_connection(
                        host, int(port), ssl=trusting(certificate), server_hostname="lightclient.bridge"
                    )
                    writer.close()
                except (OSError, ssl.SSLError):
                    refused += 1
            assert refused >= 3
            assert listener._refused["too many handshakes from one address"] == refused

    asyncio.run(main())


def test_a_slow_reader_makes_only_itself_wait(certificate):
    async def main():
        async with listening(certificate, Ceilings(), NoDevices(slow=KEY, test=KEY)) as (address, bridge, _, _):
            slow = DeviceOnLine(KEY, b"slow")
            host, port = address.rsplit(":", 1)
            reader, writer = await asyncio.open_connection(
                host, int(port), ssl=trusting(certificate), server_hostname="lightclient.bridge", limit=1024
            )
            slow._tick()
            writer.write(slow.client.next_output())  # HELLO, and nothing is read from now on
            quick = bridge.dial(DeviceOnLine(KEY))
            await until(lambda: quick.height == bridge._source.best_height)
            writer.close()
            del reader

    asyncio.run(main())


def test_an_address_in_use_is_an_error_at_once(certificate):
    async def main():
        async with listening(certificate) as (address, bridge, _, said):
            host, port = address.rsplit(":", 1)
            second = TlsListener([(host, int(port))], certificate.server_context(), bridge.serve, said.log)
            with pytest.raises(OSError):
                await second.open()

    asyncio.run(main())


def test_addresses_of_one_line_count_as_one():
    assert tcp_listener._network_of("192.168.1.7") == "192.168.1.7"
    assert tcp_listener._network_of("::ffff:192.168.1.7") == "192.168.1.7"
    assert tcp_listener._network_of("2001:db8::1") == tcp_listener._network_of("2001:db8::2:3") == "2001:db8::/64"
    assert tcp_listener._network_of("fe80::1%eth0") == "fe80::/64"
