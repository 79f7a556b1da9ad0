"""What a device does at its start when its button is held, when its settings are broken, when it has none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import BEFORE, Board, DeskLink, archive

from firmware import main as program
from firmware.device import Device
from firmware.main import make_device, read_settings
from firmware.rescue import BUTTON_STUCK, RESET_PAIRING, SAFE_MODE, START, forget_pairing, held_at_start
from firmware.settings import Settings, check_settings, what_still_works
from hardware.terminal import block_lines
from host_bridge.sessions.session import BridgeSession
from lightclient.messages import STATE_STOPPED

KEY = "11" * 32
BRIDGE = {"host": "10.0.0.1", "port": 8433, "certificate": "00" * 300}


class HeldBoard(Board):
    """Its button is up again after `held` milliseconds; None: never."""

    def __init__(self, held: int | None) -> None:
        Board.__init__(self)
        self._held = held
        self.pictures: list[bytes] = []

    def milliseconds(self) -> int:
        self.now += 10
        return self.now

    def button_is_down(self) -> bool:
        return self._held is None or self.now < self._held

    def show_picture(self, buffer: bytearray) -> bool:
        self.pictures.append(bytes(buffer))
        return True


@pytest.mark.parametrize(
    ("held", "wish", "pictures"),
    [(0, START, 0), (30, START, 0), (500, SAFE_MODE, 1), (9_000, SAFE_MODE, 1), (12_000, RESET_PAIRING, 2)],
)
def test_the_button_at_the_start(held: int, wish: int, pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.rescue.time.sleep", lambda seconds: None)
    board = HeldBoard(held)
    assert held_at_start(board) == wish and len(board.pictures) == pictures


def test_a_button_that_is_stuck_locks_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.rescue.time.sleep", lambda seconds: None)
    assert held_at_start(HeldBoard(None)) == BUTTON_STUCK


def test_a_reset_forgets_the_pairing_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    values = {"network": "signet", "store": "s", "device_id": "ab", "pairing_key": KEY, "link": "tcp", "bridge": BRIDGE}
    path.write_text(json.dumps({**values, "wifi": {"ssid": "a", "password": "b"}}))
    forget_pairing(str(path))
    assert json.loads(path.read_text()) == {"network": "signet", "store": "s", "device_id": "ab"}
    assert not check_settings(json.loads(path.read_text())).pairing_key


# --- settings that are broken, or not there ---


def test_what_is_kept_of_broken_settings() -> None:
    good = {"network": "signet", "device_id": "ab", "pairing_key": KEY, "link": "tcp", "bridge": BRIDGE}
    assert what_still_works({**good, "relay_seconds": 0, "requests": 7, "till": 1}) == good
    assert what_still_works({**good, "network": "nonsense"}) == {k: v for k, v in good.items() if k != "network"}
    # without the key there is no way over the network
    assert what_still_works({**good, "pairing_key": "11"}) == {"network": "signet", "device_id": "ab"}
    for nothing in ([], None, 7, {"requests": []}):
        assert what_still_works(nothing) == {}


@pytest.mark.parametrize(("content", "words"), [("{", "no JSON"), ("[]", "not an object"), ("", "no JSON")])
def test_a_settings_file_that_cannot_be_read(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    values, fault = read_settings(str(path))
    assert values == {} and words in fault
    assert read_settings(str(tmp_path / "none.json")) == ({}, "")


class Started:
    """A device as `main` makes it, on a board that somebody stands in front of."""

    def __init__(self, path: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
        self.board = board
        self.session = BridgeSession(archive(BEFORE), "test")
        self.device: Device | None = None

        def run(device: Device) -> None:
            self.device = device

        monkeypatch.setattr(program, "open_link", lambda settings, board: DeskLink(self.session))
        monkeypatch.setattr(Device, "run", run)
        program.main(str(path), board)

    def run(self, until: Callable[[Device], Any], steps: int = 200) -> None:
        assert self.device is not None
        while not until(self.device):
            steps -= 1
            assert steps
            self.board.now += 50
            self.device.step()
            while self.session.next_report():
                pass

    @property
    def view(self) -> Any:
        assert self.device is not None
        return self.device.face.screen.view if self.device.face else None


def test_a_device_without_settings_can_be_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(tmp_path / "settings.json", Board(), monkeypatch)
    started.run(lambda device: started.view is not None)
    assert started.view[1] == "NOT PAIRED" and started.device is not None
    assert started.device.client.on_pair is not None and started.device.client.chain.network.name == "mainnet"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "content",
    ["{", json.dumps({"network": "regtest", "relay_seconds": 0}), json.dumps({"network": "regtest", "till": 1})],
)
def test_a_device_with_broken_settings_says_so_and_answers(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(ValueError):
        program.main(str(path))  # nobody stands in front of it
    board = Board()
    started = Started(path, board, monkeypatch)
    started.run(lambda device: started.view is not None)
    assert started.view[1] == "FAULT" and "settings" in started.view[2]
    assert any(line.startswith("fault: ") for line in board.shown)
    if content != "{":
        started.run(lambda device: device.client.is_open and device.client.state == STATE_STOPPED)
        assert started.device is not None and started.device.client.chain.tip_height == 0  # it asks for nothing
    assert path.read_text() == content


def test_a_store_that_is_lost_is_said_and_nothing_is_acted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    request = {"request_id": 1, "script_pubkey": "51", "min_amount": 1, "min_confirmations": 1}
    path.write_text(json.dumps({"network": "regtest", "store": str(tmp_path / "store"), "requests": [request]}))
    started = Started(path, Board(), monkeypatch)
    started.run(lambda device: device.client.is_open)
    started.run(lambda device: started.view[1] == "FAULT")
    assert "missing" in started.view[2]
    assert started.device is not None and not started.device.client.book.requests
    assert not (tmp_path / "store").exists()
    # it tries again by itself after a while
    started.board.now += 601_000
    assert not started.device.step() and started.device.restart_wanted


def test_what_the_board_has_found_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    board.problems = ["display: not wired, or it does not answer"]
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"network": "regtest"}))
    started = Started(path, board, monkeypatch)
    assert started.board.shown[0] == board.problems[0]
    monkeypatch.undo()
    settings = Settings({"network": "regtest"})
    monkeypatch.setattr(program, "open_link", lambda settings, board: DeskLink(started.session))
    device = make_device(settings, board, str(path), "the fault", True)
    assert device.client.fault == "the fault" and "\n" in "\n".join(block_lines(bytes(1024)))
