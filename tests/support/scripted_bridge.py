"""A bridge that says just what a test tells it to, joined to a Client in memory. Runs on both Pythons."""

import gc

from support import IS_MICROPYTHON

if IS_MICROPYTHON:
    gc.threshold(1024)  # as firmware/main.py: loading modules would else leave the heap in pieces

from mining import START_TIME, Miner, trivial_network

from lightclient.client import Client
from lightclient.clock import Clock
from lightclient.endpoint import Endpoint
from lightclient.headers.chain import HeaderChain
from lightclient.headers.compact import MAX_PACKED_HEADER, pack_headers
from lightclient.headers.rules import HeaderRules
from lightclient.headers.store import RamStore
from lightclient.messages import (
    BRIDGE,
    CREDIT,
    DEVICE,
    EVENT,
    EVENT_CONFIRMED,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    GET_HEADERS,
    HEADERS,
    HELLO,
    PROOF,
    PROOF_DATA,
    PROTOCOL_VERSION,
    STATE_STARTING,
    TIP,
    WELCOME,
    encode,
)
from lightclient.payments import PaymentBook
from lightclient.spv.acted import ActedPayments
from lightclient.spv.payment import NOT_GIVEN, PaymentRequest
from lightclient.wire import encode_frame

NETWORK = trivial_network()
INTERVAL = 15
MAX_BATCH = 16  # headers that this bridge sends at once
# With a client and its code, 192 KB are nearly full: on MicroPython all tests of a file use the
# same large objects, one after the other. CPython makes them anew.
_STORE = RamStore(112, INTERVAL)
_PACKED = bytearray(MAX_PACKED_HEADER * MAX_BATCH)
_kept = []
_next_nonce = [0]


def _nonce(count):
    _next_nonce[0] += 1
    return _next_nonce[0].to_bytes(count, "little")


def make_client(network=NETWORK, pairing_key=b"", start=None, acted=None):
    """A new client; the one before is of no use any more."""
    if _kept:
        _kept[0].chain = _kept[0].book._chain = None
        _kept[0]._events.clear()
        gc.collect()
    if start is None:
        rules = HeaderRules(network)
        rules.begin_at_genesis(network.genesis_header, 0)
        start = rules.state
    chain = HeaderChain(network, _STORE, start)
    acted = acted or ActedPayments(8)
    if not _kept or not IS_MICROPYTHON:
        _kept.clear()
        _kept.append(Client(chain, acted, b"device", "1", _nonce, lambda: 1000, pairing_key))
        _kept.append(Endpoint(DEVICE, 1000, 900, 700))
        return _kept[0]
    client = _kept[0]
    client.end_session()
    client.chain = chain
    verifier = client.book.verifier
    client.book = PaymentBook(chain, acted, client._report, verifier)
    client.clock = Clock()
    client.best_height = client.headers_validated = client._pause_ms = client._heard_ms = client._since_ms = 0
    client.state = STATE_STARTING
    client._network = network
    client._pairing_key = pairing_key
    return client


class ScriptedBridge:
    """`heard` are the (type, values) of what the client said and nobody has asked for yet; `events` what it told.

    `time` is the clock that it tells: far enough ahead for all headers, near enough for a fresh tip.
    """

    def __init__(self, client, credit=1000, deaf=False):
        self.client = client
        self.endpoint = _kept[1]
        self.endpoint.begin(0)
        self.endpoint.reader.restart()
        self.credit = credit
        self.heard = []
        self.events = []
        self.now_ms = 0
        self.hello = None
        self.best_height = 0
        self.time = START_TIME + 60
        self._next_proof = 1
        self.deaf = deaf  # grants nothing after the first credit

    # --- the line ---

    def turn(self, ms=0):
        """Let `ms` pass and hear what the client says."""
        self.now_ms += ms
        self.client.tick(self.now_ms)
        self.pump()

    def pump(self):
        """Pass on what there is, both ways, until both are silent."""
        while True:
            data = self.client.next_output()
            if data:
                self._hear(data)
                continue
            data = self.endpoint.next_output()
            if not data:
                break
            self.client.receive(data, 0, len(data))
        # stages and the like take room, and are heard above
        self.client._events[:] = [e for e in self.client._events if e[0] in (EVENT_CONFIRMED, EVENT_REFUSED)]

    def _hear(self, data):
        end = self.endpoint.receive(data, 0, len(data))
        assert end <= len(data) and self.endpoint.reader.dropped == 0
        kind = self.endpoint.read_message(self.hello is not None and self.endpoint.reader.frame_type != HELLO)
        values = self.endpoint.values
        if kind == HELLO:
            self.endpoint.begin(0)
            self.hello = values
        elif not self.deaf:
            self.endpoint.taken(kind)
        if kind == EVENT:
            if values[0] not in (EVENT_PROOF_STAGE, EVENT_REFUSED):
                self.events.append((values[0], values[1], values[4]))
        elif kind not in (CREDIT, EVENT):
            self.heard.append((kind, values))

    def take(self, kind):
        """The values of all messages of this type heard so far; everything heard is forgotten."""
        found = [values for heard, values in self.heard if heard == kind]
        self.heard = []
        return found

    def kinds(self, *kinds):
        """(kind, request_id, confirmations) of the events of these kinds, but for stages and refusals."""
        return [event for event in self.events if event[0] in kinds]

    # --- what it says ---

    def say(self, kind, *values):
        self.endpoint.send(kind, values)
        self.pump()

    def raw(self, kind, values, sequence=0, sender=BRIDGE):
        """A frame that keeps no rule: given to the client as it is."""
        buffer = bytearray(300)
        line = encode_frame(kind, sequence, bytes(memoryview(buffer)[: encode(kind, values, buffer)]))
        self.client.receive(line, 0, len(line))

    def greet(self, best_height=None, nonce=None, network=None, time=None, version=PROTOCOL_VERSION):
        """Hear HELLO and answer it."""
        self.turn()
        if self.hello is None:
            self.turn(1000)
        self.best_height = self.best_height if best_height is None else best_height
        time = self.time if time is None else time
        self.endpoint.grant(self.hello[3])
        self.say(
            WELCOME,
            version,
            network or self.client.chain.network.name,
            self.hello[7] if nonce is None else nonce,
            time,
            self.credit,
            "scripted",
            self.best_height,
        )

    def headers(self, parent_height, parent_hash, batch, best_height=None):
        """A HEADERS with the raw headers of `batch`."""
        count = len(batch) // 80
        packed = _PACKED
        done, length = pack_headers(batch, 0, count, packed, 0, len(packed))
        assert done == count
        if best_height is None:
            best_height = parent_height + count
        self.best_height = best_height
        self.say(HEADERS, parent_height, parent_hash, best_height, count, memoryview(packed)[:length])

    def mined(self, miner, count, salt=0, step=600, best_height=None):
        """Mine `count` headers and send them; returns the batch."""
        height = miner.state.height
        parent = miner.state.block_hash
        batch = miner.batch(count, step, salt)
        self.time = max(self.time, miner.state.time + 60)
        self.tell_time()
        self.headers(height, parent, batch, best_height)
        return batch

    def block(self, block, best_height=None):
        """Send the header of a block of payments_on_chain."""
        self.time += 600
        self.tell_time()
        self.headers(block.height - 1, block.header[4:36], bytearray(block.header), best_height)

    def tell_time(self):
        """A TIP that names the client's own tip: only its time is news."""
        self.say(TIP, self.best_height, self.client.chain.state.block_hash, self.time)

    def send_proof(self, request_id, proof, piece=200, stop=None):
        """Send a proof in pieces, up to byte `stop`; returns (proof_id, bytes sent)."""
        proof_id = self._next_proof
        self._next_proof += 1
        self.say(PROOF, request_id, proof_id, len(proof))
        return proof_id, self.send_pieces(proof_id, proof, 0, piece, stop)

    def send_pieces(self, proof_id, proof, start, piece=200, stop=None):
        stop = len(proof) if stop is None else stop
        while start < stop:
            data = proof[start : min(start + piece, stop)]
            self.say(PROOF_DATA, proof_id, start, data)
            start += len(data)
        return start


def opened(headers=0, requests=(), **options):
    """A client in an open session with so many headers, its bridge, and a miner at its tip."""
    client = make_client(**options)
    bridge = ScriptedBridge(client)
    miner = Miner(client.chain.network)
    for request in requests:
        client.wait_for(request)
    bridge.greet()
    while headers:
        count = min(headers, MAX_BATCH)
        bridge.mined(miner, count)
        headers -= count
    bridge.heard = []
    return client, bridge, miner


def last_locator(bridge):
    """(height, block_hash) pairs of the last GET_HEADERS heard, None when there was none."""
    asked = bridge.take(GET_HEADERS)
    if not asked:
        return None
    raw = asked[-1][0]
    return [(int.from_bytes(raw[i : i + 4], "little"), raw[i + 4 : i + 36]) for i in range(0, len(raw), 36)]


def request(
    request_id=1, script_pubkey=b"\x00\x14" + b"\x42" * 20, amount=50_000, confirmations=3, from_height=NOT_GIVEN
):
    return PaymentRequest(request_id, script_pubkey, amount, confirmations, from_height)


if IS_MICROPYTHON:
    make_client()  # while the heap is in one piece
