"""A hostile device: whatever it sends, the bridge raises nothing and holds no more than it has set aside."""

import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mining import Miner
from payments_on_chain import SCRIPT, block_with
from scripted_node import ScriptedNode

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.limits import MAX_WATCHES
from host_bridge.node_source import NodeSource
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.endpoint import Endpoint
from lightclient.limits import MAX_OUTPUT, MAX_PAYLOAD, MAX_QUEUE
from lightclient.messages import (
    AUTHENTICATE,
    BRIDGE,
    CREDIT,
    GET_HEADERS,
    GOODBYE,
    HELLO,
    MESSAGES,
    PING,
    PROOF_DATA,
    STATUS,
    TIP,
    UNWATCH,
    VERDICT,
    WATCH,
    WELCOME,
    encode,
)
from lightclient.params import REGTEST
from lightclient.wire import encode_frame

MINER = Miner(REGTEST)
HEADERS = REGTEST.genesis_header + bytes(MINER.batch(20))
MINER_OF_INDEX = MINER.fork()
BLOCK = block_with(MINER)
HELLO_VALUES = (1, "regtest", MAX_PAYLOAD, 4, b"device", "1", 0, b"n" * 16)
LOCATOR = bytes(4) + Miner(REGTEST).state.block_hash


def make_archive(proof: bytes = BLOCK.proof) -> ArchiveChain:
    archive = ArchiveChain("regtest", HEADERS + BLOCK.header, 0)
    archive.add_payment(SCRIPT, FoundPayment(BLOCK.height, BLOCK.block_hash, BLOCK.txid, proof))
    return archive


class Hostile:
    """A device that sends what it likes, and reads only when it is told to."""

    def __init__(self, session: BridgeSession) -> None:
        self.session = session
        self.sequence = 0
        self.buffer = bytearray(MAX_PAYLOAD)

    def line(self, kind: int, *values: int | str | bytes) -> bytes:
        if kind == HELLO:
            self.sequence = 0
        length = encode(kind, values, self.buffer)
        self.sequence += 1
        return encode_frame(kind, self.sequence - 1, bytes(self.buffer[:length]))

    def say(self, kind: int, *values: int | str | bytes) -> None:
        self.session.receive(self.line(kind, *values))

    def heard(self) -> list[int]:
        kinds = []
        while data := self.session.next_output():
            kinds.append(data[1])
        return kinds

    def greet(self, credit: int = 4) -> "Hostile":
        self.say(HELLO, *HELLO_VALUES[:3], credit, *HELLO_VALUES[4:])
        return self


def held(session: BridgeSession) -> int:
    """Frames and proofs that the bridge holds for the device."""
    endpoint, watches = session.endpoint, session._watches
    frames = len(endpoint._output) + len(endpoint._waiting)
    return frames + len(watches._outgoing) + len(watches._judged) + len(watches._watching)


def floods() -> dict[str, tuple[int, tuple[int | str | bytes, ...]]]:
    return {
        "hello": (HELLO, HELLO_VALUES),
        "ping": (PING, (1,)),
        "status": (STATUS, (0, 0, bytes(32), 0, 0, "x" * 100)),
        "get_headers": (GET_HEADERS, (LOCATOR, 96)),
        "authenticate": (AUTHENTICATE, (bytes(32),)),
        "credit": (CREDIT, (1 << 29,)),
        "goodbye": (GOODBYE, (0, "")),
        "watch": (WATCH, (1, SCRIPT, 0, 1, 0)),
        "wrong end": (TIP, (1, bytes(32), 0)),
        "verdict": (VERDICT, (1, 0, 0, "")),
    }


@pytest.mark.parametrize("greeted", [True, False])
@pytest.mark.parametrize("name", floods())
def test_floods_of_a_device_that_reads_nothing(name: str, greeted: bool) -> None:
    kind, values = floods()[name]
    session = BridgeSession(make_archive(), "test", None if greeted else lambda device_id: b"k" * 32)
    device = Hostile(session)
    if greeted:
        device.greet()
    for i in range(3000):
        device.say(kind, *values)
        if i % 100 == 0:
            session.announce()
    assert held(session) <= MAX_OUTPUT + MAX_QUEUE + 4
    device.heard()
    session.receive(b"\x7e" * 10)
    device.greet()  # and the next one is welcome
    assert device.heard()


def test_watches_come_and_go() -> None:
    session = BridgeSession(make_archive(), "test")
    device = Hostile(session).greet(credit=8)
    device.heard()
    for i in range(2000):
        if i % 8 == 0:
            device.say(HELLO, *HELLO_VALUES)
            device.say(GET_HEADERS, LOCATOR, 96)
        device.say(WATCH, i, SCRIPT, 0, 1, 0)
        device.say(WATCH, i, SCRIPT, 0, 1, 0)
        device.say(UNWATCH, i)
        device.heard()
        assert held(session) < 10
    device.greet()
    for i in range(MAX_WATCHES + 1):
        assert GOODBYE not in device.heard()
        device.say(WATCH, i, SCRIPT, 0, 1, 0)
    assert GOODBYE in device.heard() and held(session) == 0


def test_credit_without_end_does_not_put_a_whole_proof_on_the_line() -> None:
    session = BridgeSession(make_archive(bytes(2_000_000)), "test")
    device = Hostile(session).greet(credit=(1 << 30) - 1)
    device.heard()
    device.say(WATCH, 1, SCRIPT, 0, 1, 0)
    device.say(GET_HEADERS, LOCATOR, 96)
    pieces = 0
    while data := session.next_output():
        assert len(session.endpoint._output) <= 2
        pieces += data[1] == PROOF_DATA
    assert pieces > 400


def test_announce_raises_nothing_and_the_last_tip_is_told_when_there_is_room() -> None:
    archive = make_archive()
    archive.best_height = 1
    session = BridgeSession(archive, "test")
    device = Hostile(session).greet(credit=2)
    device.heard()
    told = 0
    for height in range(2, archive.last_height + 1):
        archive.best_height = height
        session.announce()
        told += len(device.heard())
    assert told == 2
    device.say(CREDIT, 3)
    assert device.heard() == [TIP]
    assert session._told_tip == archive.block_hash(archive.last_height)


def test_asking_for_everything_from_everywhere(tmp_path: Path) -> None:
    index = HeaderIndex(tmp_path, REGTEST)
    index.accept(HEADERS[80:], 0, 0)
    miner = MINER_OF_INDEX
    index.accept(bytes(miner.batch(3000)), 20, 0)
    session = BridgeSession(NodeSource(ScriptedNode(HEADERS), index), "test")
    device = Hostile(session).greet(credit=(1 << 30) - 1)
    device.heard()

    def ask(height: int) -> None:
        device.say(GET_HEADERS, height.to_bytes(4, "little") + (index.block_hash(height) or b""), 96)

    tracemalloc.start()
    try:
        for height in range(0, 2900, 3):
            ask(height)
            device.heard()
        before = tracemalloc.get_traced_memory()[0]
        for height in range(0, 2900, 3):
            ask(height)
            device.heard()
        assert tracemalloc.get_traced_memory()[0] - before < 64 * 1024  # the second time costs nothing
    finally:
        tracemalloc.stop()
    for height in range(0, 200):  # and now it reads no more
        ask(height)
    assert held(session) <= MAX_OUTPUT + MAX_QUEUE + 4
    device.heard()
    device.greet()
    assert device.heard()
    index.close()


def test_a_script_too_many_ends_its_session_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_bridge.payments.watched_scripts.MAX_SCRIPTS", 40)
    index = HeaderIndex(tmp_path, REGTEST)
    source = NodeSource(ScriptedNode(HEADERS), index)
    modest, greedy = (Hostile(BridgeSession(source, "test")).greet(100) for _ in range(2))
    modest.heard(), greedy.heard()
    modest.say(WATCH, 1, SCRIPT, 0, 1, 0)
    for i in range(60):
        greedy.say(WATCH, i, bytes([1, i]), 0, 1, 0)
    assert GOODBYE in greedy.heard() and held(greedy.session) == 0
    assert not modest.heard() and [len(s.watchers) for s in source.finder.scripts].count(1) == 1
    modest.say(WATCH, 2, b"another", 0, 1, 0)
    assert not modest.heard()
    index.close()


def test_memory_of_an_hour_of_garbage() -> None:
    source = random.Random(5)
    session = BridgeSession(make_archive(), "test")
    device = Hostile(session)

    def some() -> None:
        for _ in range(200):
            kind = source.choice([HELLO, HELLO, PING, STATUS, GET_HEADERS, CREDIT, WATCH, VERDICT])
            device.say(kind, *next(v for k, v in floods().values() if k == kind))
            session.receive(source.randbytes(source.randint(0, 400)))
            session.receive(b"\x7e")
            if source.random() < 0.5:
                device.heard()
        while session.next_report():
            pass

    some()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            some()
        device.greet()
        assert tracemalloc.get_traced_memory()[0] - before < 64 * 1024
    finally:
        tracemalloc.stop()


FRAMES = st.lists(
    st.tuples(st.integers(0, 22), st.integers(0, 3), st.binary(max_size=80), st.booleans()), min_size=1, max_size=30
)


@given(FRAMES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_frames_at_all(frames: list[tuple[int, int, bytes, bool]], paired: bool) -> None:
    session = BridgeSession(make_archive(), "test", (lambda device_id: b"k" * 32) if paired else None)
    device = Hostile(session).greet()
    for number, (kind, skip, payload, read) in enumerate(frames):
        session.receive(encode_frame(kind, number + 1 + skip // 3, payload))
        session.announce()
        if read:
            device.heard()
    device.heard()
    device.greet()
    assert device.heard()


@given(st.lists(st.binary(max_size=200), max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_bytes_at_all(lines: list[bytes]) -> None:
    session = BridgeSession(make_archive(), "test")
    for line in lines:
        session.receive(line)
        while session.next_output():
            pass
    device = Endpoint(BRIDGE, 4, 600)
    session.receive(b"\x7e")
    device.send(HELLO, HELLO_VALUES)
    session.receive(device.next_output())
    assert session.next_output()


def test_every_message_that_a_bridge_sends_is_refused_from_a_device() -> None:
    for kind, (_, sender, _) in enumerate(MESSAGES, 1):
        if sender == BRIDGE:
            session = BridgeSession(make_archive(), "test")
            device = Hostile(session).greet()
            device.heard()
            session.receive(encode_frame(kind, 1, b"\x80"))
            assert device.heard() == [GOODBYE]


def test_an_invitation_has_a_waiting_device_greet_soon() -> None:
    session = BridgeSession(make_archive(), "test")
    session.invite()
    device = Endpoint(BRIDGE, 4, 600)
    heard = []
    while output := session.next_output():
        device.receive(output, 0, len(output))
        if device.message_ready:
            heard.append(device.read_message(False))
    assert heard == [GOODBYE, GOODBYE]
    device.send(HELLO, HELLO_VALUES)
    session.receive(device.next_output())
    assert session.next_output()[1] == WELCOME
