"""Many protocol clients in one process, over TLS to a bridge: for tests and benchmarks (CPython).

Each client stands for a device: the same code, in a RAM of its own. It notes how long it waits for frames.
"""

import asyncio
import secrets
import ssl
import time

from host_bridge.pairing.certificate import Certificate
from host_bridge.pairing.paired_devices import PairedDevices
from lightclient.client import Client
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.store import RamStore
from lightclient.messages import STATE_READY
from lightclient.pairing import SERVER_NAME
from lightclient.params import REGTEST
from lightclient.spv.acted import ActedPayments


def make_client(device_id: bytes, key: bytes, window: int = 256) -> Client:
    rules = HeaderRules(REGTEST)
    rules.begin_at_genesis(REGTEST.genesis_header, 0)
    chain = HeaderChain(REGTEST, RamStore(window), rules.state)
    return Client(chain, ActedPayments(), device_id, "0", secrets.token_bytes, lambda: 0, key)


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """A context that takes this certificate and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.der)
    return context


class FleetClient:
    """Dials `port` until it is cancelled. `longest_wait`: seconds from a question to the first bytes that followed."""

    def __init__(self, device_id: bytes, key: bytes) -> None:
        self.client = make_client(device_id, key)
        self.longest_wait = 0.0
        self.sessions = 0
        self.events: list[tuple[int, int, bytes, int, int, str]] = []
        self._asked_at = 0.0

    @property
    def height(self) -> int:
        return self.client.chain.tip_height

    @property
    def is_ready(self) -> bool:
        return self.client.is_open and self.client.state == STATE_READY

    async def run(self, port: int, context: ssl.SSLContext) -> None:
        while True:
            try:
                await self._connected(port, context)
            except OSError:
                pass
            self.client.end_session()
            await asyncio.sleep(0.5)

    async def _connected(self, port: int, context: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=SERVER_NAME)
        self.sessions += 1
        client = self.client
        try:
            while True:
                client.tick(time.monotonic_ns() // 1_000_000, int(time.time()))
                while data := client.next_output():
                    writer.write(data)
                    self._asked_at = self._asked_at or time.monotonic()
                await writer.drain()
                if not client._awaited:  # what it has said last needs no answer
                    self._asked_at = 0.0
                try:
                    async with asyncio.timeout(1.0):
                        data = await reader.read(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                if self._asked_at:
                    self.longest_wait = max(self.longest_wait, time.monotonic() - self._asked_at)
                    self._asked_at = 0.0
                client.receive(data, 0, len(data))
                while event := client.next_event():
                    self.events.append(event)
        finally:
            writer.close()


def pair_fleet(devices: PairedDevices, names: list[str]) -> list[FleetClient]:
    """A client for each name, paired with the bridge of that list."""
    clients = []
    for name in names:
        key = secrets.token_bytes(32)
        devices.add(name.encode(), key, name)
        clients.append(FleetClient(name.encode(), key))
    return clients
