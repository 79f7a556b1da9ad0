"""The device dials the bridge: real MicroPython, real TLS, a pinned certificate and a pairing key."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import require
from tls_bridge import TlsBridge

from firmware.either_link import EitherLink
from firmware.tcp_link import TcpLink
from hardware.simulated import SimulatedBoard
from host_bridge.demo.recording import Recording
from host_bridge.emulator.emulator import WHOLE_DEVICE_HEAP, DeviceStopped, EmulatedDevice
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.pairing.certificate import Certificate, load_or_make
from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.messages import EVENT, EVENT_CONFIRMED, EVENT_RELAY_OFF
from lightclient.params import REGTEST

RECORDING = Recording.load_default()
PAYMENT = RECORDING.payments[0]
DEVICE_ID = b"door"
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return load_or_make(tmp_path_factory.mktemp("right"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return load_or_make(tmp_path_factory.mktemp("other"))


def sessions(keys: dict[bytes, bytes]) -> Callable[[], BridgeSession]:
    archive = ArchiveChain("regtest", RECORDING.headers, 0)
    proof = proof_from_block(REGTEST, RECORDING.blocks[PAYMENT.block_hash], PAYMENT.txid)
    archive.add_payment(PAYMENT.script_pubkey, FoundPayment(PAYMENT.height, PAYMENT.block_hash, PAYMENT.txid, proof))
    return lambda: BridgeSession(archive, "test", lambda device_id: keys.get(device_id, b""))


def settings(port: int, certificate: Certificate, key: bytes = KEY) -> dict[str, Any]:
    script = PAYMENT.script_pubkey.hex()
    request = {"request_id": 1, "script_pubkey": script, "min_amount": PAYMENT.amount, "min_confirmations": 2}
    return {
        "network": "regtest",
        "replay": {"minimum_chainwork": "10"},
        "relay_seconds": 1,
        "device_id": DEVICE_ID.hex(),
        "pairing_key": key.hex(),
        "link": "tcp",
        "bridge": {"host": "127.0.0.1", "port": port, "certificate": certificate.der.hex()},
        "requests": [request],
    }


@contextlib.contextmanager
def running(values: dict[str, Any]) -> Iterator[EmulatedDevice]:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))
    with EmulatedDevice(values, WHOLE_DEVICE_HEAP) as device:
        try:
            yield device
        finally:
            device._process.kill()  # it would not end when its cable does


def wait_for(device: EmulatedDevice, condition: Callable[[], Any], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        with contextlib.suppress(DeviceStopped):
            device.read(0.05)
        assert device._process.poll() is None, console(device)
    return False


def console(device: EmulatedDevice) -> str:
    return (Path(device._folder.name) / "console").read_text()


def events(bridge: TlsBridge, found: list[int]) -> list[int]:
    for session in list(bridge.sessions):
        while report := session.next_report():
            if report.kind == EVENT:
                found.append(report.values[0])
    return found


def test_the_right_certificate_and_the_right_key(certificate: Certificate) -> None:
    found: list[int] = []
    with TlsBridge(sessions({DEVICE_ID: KEY}), certificate.server_context()) as bridge:
        with running(settings(bridge.port, certificate)) as device:
            assert wait_for(device, lambda: EVENT_RELAY_OFF in events(bridge, found), 60), console(device)
        assert found.count(EVENT_CONFIRMED) == 1


def test_another_certificate_is_refused_before_anything_is_said(certificate: Certificate, other: Certificate) -> None:
    with (
        TlsBridge(sessions({DEVICE_ID: KEY}), other.server_context()) as bridge,
        running(settings(bridge.port, certificate)) as device,
    ):
        assert wait_for(device, lambda: "another certificate than at pairing" in console(device)), console(device)
        assert not wait_for(device, lambda: any(bridge.heard), 2)
        assert not bridge.sessions


def test_a_server_without_tls_hears_no_word_of_the_device(certificate: Certificate) -> None:
    with (
        TlsBridge(sessions({DEVICE_ID: KEY}), None) as bridge,
        running(settings(bridge.port, certificate)) as device,
    ):
        assert wait_for(device, lambda: any(bridge.heard))
        assert not wait_for(device, lambda: any(session.next_report() for session in bridge.sessions), 2)
        assert DEVICE_ID not in b"".join(map(bytes, bridge.heard))


@pytest.mark.parametrize(
    ("keys", "error"),
    [({DEVICE_ID: bytes(32)}, "AuthenticationFailed"), ({}, "NotPaired"), ({DEVICE_ID: b""}, "NotPaired")],
    ids=["wrong key", "stranger", "revoked"],
)
def test_who_is_not_paired_gets_nothing(certificate: Certificate, keys: dict[bytes, bytes], error: str) -> None:
    with (
        TlsBridge(sessions(keys), certificate.server_context()) as bridge,
        running(settings(bridge.port, certificate)) as device,
    ):
        assert wait_for(device, lambda: error in console(device)), console(device)
        assert all(session.device_height == -1 for session in bridge.sessions)


def test_a_replayed_handshake_is_refused(certificate: Certificate) -> None:
    with TlsBridge(sessions({DEVICE_ID: KEY}), certificate.server_context()) as bridge:
        with running(settings(bridge.port, certificate)) as device:
            assert wait_for(device, lambda: any(s.device_height > 0 for s in bridge.sessions)), console(device)
        said = bytes(bridge.heard[0])
        count = len(bridge.sessions)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=certificate.der)
        raw = socket.create_connection(("127.0.0.1", bridge.port), 5)
        with context.wrap_socket(raw, server_hostname="lightclient.bridge") as line:
            line.sendall(said)
            answer = b""
            line.settimeout(5)
            while b"AuthenticationFailed" not in answer:
                data = line.recv(4096)
                assert data, answer
                answer += data
        assert bridge.sessions[count].device_height == -1


def test_a_line_that_is_cut_and_a_bridge_that_comes_back(certificate: Certificate) -> None:
    make = sessions({DEVICE_ID: KEY})
    found: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with running(settings(port, certificate)) as device:
        assert wait_for(device, lambda: "no bridge: refused" in console(device))
        with TlsBridge(make, certificate.server_context(), port) as bridge:
            assert wait_for(device, lambda: any(s.device_height > 0 for s in bridge.sessions)), console(device)
            bridge.drop_all()
            count = len(bridge.sessions)
            assert wait_for(device, lambda: any(s.device_height > 0 for s in bridge.sessions[count:]))
        with TlsBridge(make, certificate.server_context(), port) as bridge:
            assert wait_for(device, lambda: EVENT_RELAY_OFF in events(bridge, found), 60), console(device)


# --- the same link on CPython ---


class Board(SimulatedBoard):
    now = 0

    def milliseconds(self) -> int:
        return self.now


def until(link: TcpLink, board: Board, condition: Callable[[], bool], seconds: float = 5) -> int:
    """Read until the condition holds; returns what the last read did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        count = link.read(10)
        if condition() or count:
            return count
    raise AssertionError(link.problem)


def test_on_cpython(certificate: Certificate, other: Certificate) -> None:
    board = Board()
    with TlsBridge(sessions({}), certificate.server_context()) as bridge:
        link = TcpLink("127.0.0.1", bridge.port, certificate.der, board)
        assert not link.connected and not link.point_to_point
        link.write(b"lost")  # there is nobody yet
        until(link, board, lambda: link.connected)
        link.write(b"x" * 3000)
        end = time.monotonic() + 5
        while b"".join(map(bytes, bridge.heard)) != b"x" * 3000:
            assert time.monotonic() < end
            link.read(10)
            link.flush()
        link.close()
        wrong = TcpLink("127.0.0.1", bridge.port, other.der, board)
        until(wrong, board, lambda: "another certificate" in wrong.problem)
        assert wrong.failures == 1 and not wrong.connected


def test_a_server_that_says_nothing_is_left(certificate: Certificate) -> None:
    board = Board()
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = TcpLink("127.0.0.1", server.getsockname()[1], certificate.der, board)
        until(link, board, lambda: link.connected)
        board.now += 30_001
        until(link, board, lambda: link.problem == "the bridge is silent")
        assert not link.connected


def test_pauses_grow_and_are_not_all_the_same(certificate: Certificate) -> None:
    board = Board()
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    link = TcpLink("127.0.0.1", port, certificate.der, board)
    pauses = []
    for count in range(1, 10):
        until(link, board, lambda count=count: link.failures == count)  # type: ignore[misc]
        pauses.append(link._pause)
        link.read(0)
        assert link.failures == count
        board.now += link._pause
    for i, pause in enumerate(pauses):
        longest = min(1000 << i, 60_000)
        assert longest // 2 <= pause <= longest
    link.failures = 0
    until(link, board, lambda: link.failures == 1)
    assert link._pause <= 1000


def test_a_name_that_nobody_knows(certificate: Certificate) -> None:
    board = Board()
    link = TcpLink("no-such-host.invalid", 8433, certificate.der, board)
    until(link, board, lambda: link.failures == 1, 20)
    assert link.problem == "the bridge's name is not known here: no-such-host.invalid"


# --- a cable beside the network ---


class Recorded:
    """A link that gives what it is told to."""

    closed = False
    point_to_point = False
    problem = ""

    def __init__(self) -> None:
        self.buffer = bytearray(16)
        self.connected = True
        self.failures = 0
        self.coming: list[bytes] = []
        self.sent = b""
        self.closings = 0

    def read(self, timeout_ms: int) -> int:
        data = self.coming.pop(0) if self.coming else b""
        self.buffer[: len(data)] = data
        return -1 if data == b"end" else len(data)

    def write(self, data: bytes) -> None:
        self.sent += data

    def flush(self) -> bool:
        return True

    def close(self) -> None:
        self.closings += 1


def test_whoever_talks_over_the_cable_has_the_device() -> None:
    network, cable, board = Recorded(), Recorded(), Board()
    link = EitherLink(network, cable, board)  # type: ignore[arg-type]
    network.coming = [b"net"]
    assert link.read(0) == 3 and link.connected and not link.point_to_point
    assert bytes(link.buffer[:3]) == b"net"
    cable.coming = [b"noise\r\n"]  # no frame
    assert link.read(0) == 0 and not link.point_to_point
    cable.coming = [b"\x7e\x12", b"more"]
    assert link.read(0) == 0 and not link.connected and network.closings == 1  # one moment without a line
    assert link.read(0) == 4 and link.connected and link.point_to_point
    link.write(b"to the cable")
    assert (cable.sent, network.sent) == (b"to the cable", b"")
    board.now += 20_000
    assert link.read(0) == 0 and link.point_to_point
    board.now += 1
    assert link.read(0) == 0 and not link.connected
    network.connected = False
    assert link.read(0) == 0 and not link.connected and not link.point_to_point
    network.connected = True
    assert link.read(0) == 0 and link.connected
    link.failures = 0
    cable.coming = [b"end"]  # pulled out: the network goes on
    network.coming = [b"net"]
    assert link.read(0) == 3 and cable.closed and not link.closed
