"""For tests of the bridge: lines in memory, devices on real sockets, and what the log says (CPython)."""

import asyncio
import io
import json
import ssl
import time

from joined_pair import make_client

from host_bridge.demo.recording import Recording
from host_bridge.service.log import DEBUG, Log
from host_bridge.sessions.archive import ArchiveChain
from lightclient.messages import HELLO, encode
from lightclient.wire import encode_frame

RECORDING = Recording.load_default()
SETTLE = 20.0  # seconds that anything may take on a busy computer


class Said:
    """A log that keeps what is said."""

    def __init__(self):
        self._stream = io.StringIO()
        self.log = Log(DEBUG, True, self._stream)

    @property
    def lines(self):
        self.log.flush()
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    @property
    def texts(self):
        return [f"{line.get('device', '')}: {line['text']}" for line in self.lines]


class NoDevices:
    """A list of paired devices that the test holds: device_id -> key."""

    def __init__(self, **keys):
        self.keys = {name.encode(): key for name, key in keys.items()}

    def key_of(self, device_id):
        return self.keys.get(device_id, b"")

    def name_of(self, device_id):
        return device_id.decode(errors="replace")


class LiveArchive(ArchiveChain):
    """The recorded chain as a source that runs; move `best_height` and call the bridge's announce."""

    def __init__(self):
        super().__init__("regtest", RECORDING.headers, 0)

    async def run(self, on_change):
        await asyncio.Event().wait()


async def until(condition, seconds=SETTLE, what="it"):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come in {seconds} s"
        await asyncio.sleep(0.01)


class MemoryLine:
    """A line whose far end is the test: `say` gives bytes to the bridge, `heard` is what it wrote.

    While `takes` is cleared, the far end reads nothing.
    """

    def __init__(self, name="memory", is_network=False):
        self.name = name
        self.is_network = is_network
        self.in_session = False
        self.turned_away = ""
        self.heard = bytearray()
        self.written = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self._incoming = asyncio.Queue(16)
        self.closed = asyncio.Event()

    async def say(self, data):
        await self._incoming.put(bytes(data))

    async def read(self):
        if self.closed.is_set():
            return b""
        get = asyncio.create_task(self._incoming.get())
        shut = asyncio.create_task(self.closed.wait())
        try:
            await asyncio.wait({get, shut}, return_when=asyncio.FIRST_COMPLETED)
            return get.result() if get.done() else b""
        finally:
            get.cancel()
            shut.cancel()

    async def write(self, data):
        await self.takes.wait()
        if self.closed.is_set():
            raise ConnectionError("closed")
        self.heard += data
        self.written += len(data)

    def close(self):
        self.closed.set()

    async def wait_closed(self):
        await self.closed.wait()


def hello(device_id=b"test", network="regtest", credit=4):
    """The frame of a HELLO."""
    payload = bytearray(200)
    length = encode(HELLO, (1, network, 4096, credit, device_id, "0", 0, bytes(16)), payload)
    return encode_frame(HELLO, 0, payload[:length])


class DeviceOnLine:
    """The real protocol client at the far end of a MemoryLine, or of asyncio streams."""

    def __init__(self, key=b"", device_id=b"test"):
        self.client = make_client(pairing_key=key)
        self.client._device_id = device_id
        self.ended = asyncio.Event()

    @property
    def height(self):
        return self.client.chain.tip_height

    def _tick(self):
        self.client.tick(int(time.monotonic() * 1000))

    async def on_memory(self, line):
        while not line.closed.is_set():
            self._tick()
            heard, line.heard = bytes(line.heard), bytearray()
            self.client.receive(heard, 0, len(heard))
            while data := self.client.next_output():
                await line.say(data)
            await asyncio.sleep(0.002)
        self.ended.set()

    async def on_network(self, address, context=None):
        host, port = address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=context, server_hostname="lightclient.bridge" if context else None
        )
        try:
            while True:
                self._tick()
                while data := self.client.next_output():
                    writer.write(data)
                await writer.drain()
                try:
                    async with asyncio.timeout(0.1):
                        data = await reader.read(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                self.client.receive(data, 0, len(data))
        except OSError:
            return
        finally:
            self.ended.set()
            writer.close()


def trusting(certificate):
    """A client's context that takes this certificate (`host_bridge.pairing.certificate.Certificate`) and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.der)
    return context
