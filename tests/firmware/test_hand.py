"""A till that is paired takes a new list only while its button is held, and that press does nothing else."""

import json
from pathlib import Path

import pytest
from desk import BEFORE, PAYMENTS, Desk, archive

from firmware.control import Control
from lightclient.errors import BadMessage, NotConfirmed
from lightclient.messages import ASK_ADDRESSES, ASK_TILL

OTHER = bytes([0, 20]) + bytes([0x66]) * 20
CHANGES = json.dumps({"items": [{"name": "Coffee", "amount": 1}], "addresses": 1}).encode()


class Counter:
    """A paired till, or a paired lock, and whoever has its cable and its key."""

    def __init__(self, folder: Path, is_till: bool = True) -> None:
        (folder / "store").mkdir()
        self.path = folder / "settings.json"
        values = {"network": "regtest", "store": str(folder / "store"), "pairing_key": "aa" * 32}
        addresses = [payment.script_pubkey.hex() for payment in PAYMENTS]
        till = {"items": [{"name": "Coffee", "amount": PAYMENTS[0].amount}], "addresses": addresses}
        self.path.write_text(json.dumps({**values, "till": till} if is_till else values))
        self.before = self.path.read_text()
        self.desk = Desk(json.loads(self.before), archive(BEFORE), None, self.path)
        self.desk.run(lambda: self.desk.device.client.state == 3)
        self.control = Control(self.desk.device, str(self.path))
        piece = bytes(4) + bytes([len(OTHER)]) + OTHER
        assert self.control.answer(ASK_ADDRESSES, memoryview(piece)) == (bytes(4), 0)

    def asks(self, changes: bytes = CHANGES) -> bool:
        try:
            self.control.answer(ASK_TILL, memoryview(changes))
        except NotConfirmed:
            assert self.path.read_text() == self.before
            return False
        return True


def test_it_is_taken_while_the_button_is_held_and_the_device_starts_anew_when_it_is_let_go(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    desk = counter.desk
    for _ in range(4):
        assert not counter.asks()
        desk.run_for(0.5)
        assert desk.view[1:3] == ("NEW TILL?", "hold the button")
    desk.board.button_down = True
    desk.run_for(0.4)
    assert counter.asks() and json.loads(counter.path.read_text())["till"]["addresses"] == "till.1"
    desk.run_for(5)  # else it would hold the button while it starts
    assert desk.device.restart_wanted and desk.view[1:3] == ("NEW TILL?", "let go of the button")
    desk.board.button_down = False
    assert not desk.device.step() and not (tmp_path / "till.a").exists()


def test_the_press_is_no_long_press_of_the_till(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    desk = counter.desk
    assert not counter.asks()
    desk.board.button_down = True
    desk.run_for(8)  # who had asked does not ask any more
    assert desk.view[1] == "Coffee" and not (tmp_path / "till.a").exists()
    assert not counter.asks()
    desk.board.button_down = False
    desk.run_for(6)
    desk.press(1.3)
    assert desk.view[4][0] == PAYMENTS[0].address


def test_what_is_wrong_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    counter = Counter(tmp_path, is_till=False)
    for changes in (b'{"addresses": 2}', b'{"items": [], "addresses": 1}', b'{"addresses": 1}'):
        with pytest.raises(BadMessage):
            counter.asks(changes)
    assert "NEW TILL?" not in counter.desk.board.shown
    assert not counter.asks() and "NEW TILL? hold the button" in counter.desk.board.shown
    counter.desk.board.button_down = True
    assert counter.asks()


def test_a_device_that_has_just_been_paired_is_paired(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.desk.device.is_paired = False
    counter.desk.device.settings.pairing_key = b""
    pairing = type("Pairing", (), {"network": "", "pairing_key": bytes(32), "certificate": b"", "host": "", "port": 0})
    pairing.wifi_ssid, pairing.fingerprint = b"", b""  # type: ignore[attr-defined]
    counter.desk.device._pair(pairing())
    counter.before = counter.path.read_text()
    assert not counter.asks()
