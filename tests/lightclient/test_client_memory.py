"""What a client takes of the heap, whatever comes. On CPython the same steps run, and nothing is measured."""

import gc
from binascii import crc32
from hashlib import sha256
from struct import pack

from mining import Miner
from payments_on_chain import AMOUNT, coinbase, mine_root
from scripted_bridge import NETWORK, ScriptedBridge, make_client, opened, request
from support import IS_MICROPYTHON, heap_used

from lightclient.cbor import ARRAY, BYTES, TEXT, UINT, Writer
from lightclient.hashes import hash256
from lightclient.headers.compact import pack_headers
from lightclient.limits import MAX_BATCH_HEADERS, MAX_PAYLOAD
from lightclient.messages import BRIDGE, EVENT_CONFIRMED, HEADERS, MESSAGES, PROOF, PROOF_DATA, VERDICT, WELCOME, encode
from lightclient.session import PAUSE
from lightclient.spv.container import proof_parts
from lightclient.wire import encode_frame

HOSTILE_FRAMES = 10_000
LONG_SCRIPT = b"\x76" * 24 + b"\xac"

if IS_MICROPYTHON:
    gc.threshold(4096)  # these tests run long


def ballast(free):
    """Fill the heap until at most `free` bytes are left: what works then needs no more. Keep what it returns."""
    kept = []
    if IS_MICROPYTHON:
        gc.collect()
        size = 4096
        while gc.mem_free() > free:
            try:
                kept.append(bytearray(min(size, max(gc.mem_free() - free, 16))))
            except MemoryError:  # no piece of that size is left
                size //= 2
        gc.collect()
        assert gc.mem_free() <= free
    return kept


class Chance:
    """The same numbers on both Pythons."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self.state >> 8) % limit


def hostile_values(chance, fields, client, bridge):
    values = []
    for name, kind, minimum, maximum, multiple in fields:
        if kind == UINT:
            near = (
                minimum,
                maximum,
                min(maximum, max(minimum, client.chain.tip_height)),
                min(maximum, max(minimum, 1)),
            )
            values.append(near[chance.below(4)])
        elif kind == TEXT:
            values.append("x" * chance.below(min(maximum, 20) + 1))
        elif name in ("parent_hash", "block_hash"):
            values.append((client.chain.state.block_hash, NETWORK.genesis_header[4:36])[chance.below(2)])
        elif name == "nonce":
            values.append(client._nonce if chance.below(8) and client._nonce else bytes(16))
        else:
            least = minimum // multiple
            count = least + chance.below(min(maximum // multiple, least + 40) - least + 1)
            values.append(bytes([chance.below(256)]) * (count * multiple))
    return values


def test_hostile_frames_take_no_memory():
    client = make_client()
    client.wait_for(request(0))
    client.wait_for(request(1))
    bridge = ScriptedBridge(client)
    miner = Miner(NETWORK)
    real = miner.batch(4)
    chance = Chance(7)
    buffer = bytearray(500)
    view = memoryview(buffer)
    now = 0
    sequence = 0
    start = 0
    opened_sessions = 0
    for i in range(HOSTILE_FRAMES):
        if i % 2000 == 1999:
            client._events.clear()
            client.end_session()  # what waits for the line or for credit is bounded by itself
            used = heap_used()
            if start == 0:
                start = used
            assert used - start < 1024, (i, used - start)
        if not client.is_open:
            now += PAUSE
            client.tick(now)
            while client.next_output():
                pass
            if client._nonce:
                values = (1, NETWORK.name, client._nonce, bridge.time, 1 + chance.below(100), "", chance.below(9))
                line = encode_frame(WELCOME, 0, bytes(view[: encode(WELCOME, values, buffer)]))
                client.receive(line, 0, len(line))
                sequence = 1
                opened_sessions += client.is_open
        kind = chance.below(40)
        if kind >= len(MESSAGES) or (kind > 0 and not MESSAGES[kind - 1][1] & BRIDGE and chance.below(8)):
            kind = (HEADERS, 8, 11, 12, 14, 18)[kind % 6]
        if kind == 0:
            payload = bytes([chance.below(256)]) * chance.below(60)
            kind = chance.below(256)
        elif kind == HEADERS and chance.below(2):
            writer = Writer(buffer)
            writer.head(ARRAY, 5)
            writer.uint(chance.below(2))
            writer.bytes(NETWORK.genesis_header[4:36] if chance.below(2) else client.chain.block_hash_at(0))
            writer.uint(chance.below(6))
            count = 1 + chance.below(4)
            count, length = pack_headers(real, 0, count, view, 250, 240)
            writer.uint(count)
            writer.bytes(bytes(view[250 : 250 + length - (chance.below(5) == 0)]))
            payload = bytes(view[: writer.offset])
        else:
            payload = bytes(view[: encode(kind, hostile_values(chance, MESSAGES[kind - 1][2], client, bridge), buffer)])
        line = encode_frame(kind, sequence, payload)
        sequence = sequence + (chance.below(30) != 0)
        client.receive(line, 0, len(line))
        now += chance.below(200)
        client.tick(now)
        for _ in range(chance.below(12)):
            client.next_output()
        if chance.below(20) == 0:
            client._events.clear()
    assert opened_sessions > 100 and client.chain.tip_height == 4


class HeaderLine:
    """HEADERS frames as large as they come, without more buffers than one payload: a frame is sent in pieces."""

    def __init__(self):
        self.payload = bytearray(MAX_PAYLOAD)

    def frame(self, client, miner, count):
        """The frame of the next `count` headers, as a list of pieces of the line."""
        raw = client._batch  # free between two calls of receive
        height = miner.state.height
        parent = miner.state.block_hash
        for i in range(count):
            miner.next_into(raw, 80 * i)
        payload = self.payload
        writer = Writer(payload)
        writer.head(ARRAY, 5)
        writer.uint(height)
        writer.bytes(parent)
        writer.uint(0)
        writer.uint(count)
        start = writer.offset + 3
        done, length = pack_headers(raw, 0, count, payload, start, MAX_PAYLOAD - start)
        assert done == count and length > 255
        writer.head(BYTES, length)
        assert writer.offset == start
        return start + length

    def pieces(self, sequence, length):
        """The bytes on the line, some at a time."""
        head = pack("<BBH", HEADERS, sequence & 0xFF, length)
        crc = crc32(memoryview(self.payload)[:length], crc32(head))
        yield b"\x7e" + escaped(head)
        for start in range(0, length, 256):
            yield escaped(bytes(memoryview(self.payload)[start : min(start + 256, length)]))
        yield escaped(pack("<I", crc)) + b"\x7e"


def escaped(data):
    return data.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e").replace(b"\x03", b"\x7d\x23")


def test_2000_headers_in_24_kb():
    line = HeaderLine()
    client, bridge, miner = opened()
    while client.next_output():
        pass
    bridge.heard = []
    sequence = bridge.endpoint._sequence
    start = heap_used()
    kept = ballast(24 * 1024)
    while client.chain.tip_height < 2000:
        length = line.frame(client, miner, MAX_BATCH_HEADERS)
        client.tick(0, miner.state.time)
        for piece in line.pieces(sequence, length):
            client.receive(piece, 0, len(piece))
        sequence += 1
        while client.next_output():
            pass
        client._events.clear()
        assert client.chain.tip_height == miner.state.height and client.is_open
    del kept
    assert heap_used() - start < 4096  # a few states for forks


class LargePayment:
    """A proof of a payment in a transaction of about a megabyte, made piece by piece."""

    def __init__(self, miner, script_bytes, outputs):
        self.script_bytes = script_bytes
        self.outputs = outputs
        self.size = 4 + 1 + 36 + 5 + script_bytes + 4 + 3 + outputs * 34 + 4
        hasher = sha256()
        for piece in self.transaction():
            hasher.update(piece)
        self.txid = sha256(hasher.digest()).digest()
        self.coinbase = coinbase(miner.state.height + 1)
        self.coinbase_txid = hash256(self.coinbase)
        self.height = miner.state.height + 1
        self.header = mine_root(miner, hash256(self.coinbase_txid + self.txid))
        self.parts = proof_parts(
            miner.network.name,
            self.height,
            self.header,
            self.txid,
            1,
            1,
            b"",
            self.coinbase_txid,
            self.coinbase,
            self.txid,
        )
        writer = Writer(bytearray(10))
        writer.uint(7)  # the key of the transaction
        writer.head(BYTES, self.size)
        self.parts[10] = bytes(writer.buffer[: writer.offset])
        self.proof_size = self.size
        for part in self.parts:
            self.proof_size += len(part)

    def transaction(self):
        yield pack("<iB", 2, 1) + b"\x05" * 36 + b"\xfe" + pack("<I", self.script_bytes)
        filler = b"\x51" * 500
        for _ in range(self.script_bytes // 500):
            yield filler
        yield pack("<IBH", 0xFFFFFFFF, 0xFD, self.outputs)
        output = pack("<QB", 1000, 25) + b"\x76" * 25
        for _ in range(self.outputs - 1):
            yield output
        yield pack("<QB", AMOUNT, 25) + LONG_SCRIPT
        yield pack("<I", 0)

    def pieces(self):
        for i in range(len(self.parts)):
            if self.parts[i]:
                yield self.parts[i]
            if i == 10:
                yield from self.transaction()


def test_a_payment_in_a_megabyte_in_8_kb():
    _, bridge, miner = opened(3, [request(1, LONG_SCRIPT, AMOUNT, 1)])
    large = LargePayment(miner, 850_000, 5_000)
    assert large.size > 1_000_000
    bridge.headers(3, large.header[4:36], bytearray(large.header))
    bridge.time = miner.state.time
    bridge.tell_time()
    bridge.say(PROOF, 1, 1, large.proof_size)
    bridge.heard = []
    kept = ballast(8 * 1024)
    offset = 0
    for piece in large.pieces():
        bridge.say(PROOF_DATA, 1, offset, piece)
        offset += len(piece)
    del kept
    assert offset == large.proof_size
    assert bridge.take(VERDICT)[-1][1] == 0
    assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 1)]
