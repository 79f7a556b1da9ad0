"""What a person sees of a network that is not there: light, display and log tell the reasons apart; it comes back."""

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import BEFORE, Board, archive
from radio import Radio
from tls_bridge import TlsBridge

from firmware import device as device_program
from firmware.device import Device
from firmware.screen import NO_BRIDGE, NO_WIFI, READY
from firmware.settings import check_settings
from firmware.tcp_link import TcpLink
from firmware.wifi import Wifi, WifiLink
from host_bridge.pairing.certificate import load_or_make
from host_bridge.sessions.session import BridgeSession

ID = b"door"
KEY = bytes(range(32))


class Line(TcpLink):
    """Its pauses take none of the test's time."""

    def rest(self, timeout_ms: int) -> None: ...


class Scene:
    """A paired device on Wi-Fi, and what it shows. Its clock runs 20 times too fast."""

    def __init__(self, certificate: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            self.port = reserved.getsockname()[1]
        values = {
            "network": "regtest",
            "replay": {"minimum_chainwork": "1"},
            "device_id": ID.hex(),
            "pairing_key": KEY.hex(),
            "link": "tcp",
            "bridge": {"host": "127.0.0.1", "port": self.port, "certificate": certificate.hex()},
        }
        self.board = Board()
        self.radio = Radio(self.board)  # type: ignore[arg-type]
        line = Line("127.0.0.1", self.port, certificate, self.board)
        link = WifiLink(Wifi("shop", "secret", self.board, self.radio), line, self.board)
        self.device = Device(check_settings(values), link, self.board)

    def see(self, light: int, title: str, words: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while True:
            self.board.now += 50
            assert self.device.step()
            screen: Any = self.device.face.screen if self.device.face else None
            shown = screen.view
            if shown is not None and (shown[0], shown[1]) == (light, title) and words in shown[2]:
                return
            assert time.monotonic() < end, (shown, self.board.shown[-6:])
            time.sleep(0.002)


def test_each_reason_is_seen_and_it_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    certificate = load_or_make(tmp_path)
    other = load_or_make(tmp_path / "other")
    chain = archive(BEFORE)
    log: list[str] = []
    monkeypatch.setattr(device_program, "IS_BOARD", True)
    monkeypatch.setattr(device_program, "note", log.append)
    monkeypatch.setattr(device_program, "_POLL_MS", 1)

    def make() -> BridgeSession:
        return BridgeSession(chain, "test", {ID: KEY}.get)  # type: ignore[arg-type]

    scene = Scene(certificate.der)
    scene.radio.answer = -3
    scene.see(NO_WIFI, "NO WI-FI", "wrong password")
    scene.radio.answer = -2
    scene.see(NO_WIFI, "NO WI-FI", "no such access point")
    scene.radio.answer = 3
    scene.see(NO_BRIDGE, "NO BRIDGE", "refused: no bridge runs there")
    with contextlib.closing(socket.create_server(("127.0.0.1", scene.port))):
        scene.see(NO_BRIDGE, "NO BRIDGE", "the bridge is silent", 90)
    with TlsBridge(make, other.server_context(), scene.port) as bridge:
        scene.see(NO_BRIDGE, "NO BRIDGE", "another certificate than at pairing", 60)
        assert not any(bridge.heard)
    with TlsBridge(make, certificate.server_context(), scene.port):
        scene.see(READY, "READY", "tip", 60)
        scene.radio.answer = -2
        scene.see(NO_WIFI, "NO WI-FI", "the access point is gone")
        scene.radio.answer = 3
        scene.see(READY, "READY", "tip", 60)
    words = (
        "wifi: wrong password",
        "wifi: no such access point",
        "refused: no bridge runs there",
        "the bridge is silent",
        "another certificate than at pairing",
        "wifi: the access point is gone",
    )
    for word in words:
        assert sum(word in line for line in log) == 1, (word, log)
    assert log.count("the bridge is back") == 2


def test_a_connection_that_nobody_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scene = Scene(load_or_make(tmp_path).der)

    class Nothing:
        def poll(self, timeout_ms: int) -> list[Any]:
            return []

    see: Callable[..., None] = TcpLink._see_connection

    def nothing_comes(self: TcpLink, timeout_ms: int, now: int) -> None:
        self._poll = Nothing()
        see(self, timeout_ms, now)

    monkeypatch.setattr(TcpLink, "_see_connection", nothing_comes)
    scene.see(NO_BRIDGE, "NO BRIDGE", "the bridge does not answer")
