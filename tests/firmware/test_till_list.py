"""A till that gets a new list of addresses, or new items, from its owner; what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import BEFORE, PAYMENTS, Desk, archive

from firmware.console import LOG, note_once
from firmware.control import Control
from firmware.till_list import read_piece
from lightclient.errors import BadMessage, LightClientError, LimitExceeded, StoreError, StoreFull
from lightclient.limits import MAX_INVOICE_ADDRESSES, MAX_TILL_PIECE
from lightclient.messages import ASK_ADDRESSES, ASK_CHANGE, ASK_SETTINGS, ASK_TILL

ITEMS = [{"name": "Coffee", "amount": PAYMENTS[0].amount}]
SCRIPTS = [payment.script_pubkey for payment in PAYMENTS]
FRESH = [bytes([0, 20]) + bytes([n]) * 20 for n in range(1, 30)]
LONG = 1.3


class Shop:
    """A till in `folder`, and its owner at the cable."""

    def __init__(self, folder: Path, scripts: list[bytes] | None = None) -> None:
        self.path = folder / "settings.json"
        self.folder = folder
        if scripts is not None:
            (folder / "store").mkdir()
            till = {"items": ITEMS, "addresses": [script.hex() for script in scripts], "confirmations": 2}
            values = {"network": "regtest", "replay": {"minimum_chainwork": "1"}, "relay_seconds": 1}
            self.path.write_text(json.dumps({**values, "store": str(folder / "store"), "till": till}))
        self.desk = Desk(self.settings, archive(BEFORE), None, self.path)
        self.desk.run(lambda: self.desk.view is not None and self.desk.view[1] == "Coffee")
        self.control = Control(self.desk.device, str(self.path))

    @property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text()))

    def restarted(self) -> "Shop":
        self.desk.device.client.chain.store.close()
        return Shop(self.folder)

    def invoice(self) -> str:
        """The address of a new one, which is cancelled at once."""
        self.desk.press(LONG)
        address = str(self.desk.view[4][0])
        self.desk.press(LONG)
        self.desk.run_for(6)
        return address

    def piece(self, number: int, scripts: list[bytes]) -> int:
        argument = number.to_bytes(4, "little") + b"".join(bytes([len(s)]) + s for s in scripts)
        return int.from_bytes(self.control.answer(ASK_ADDRESSES, memoryview(argument))[0], "little")

    def set(self, **changes: Any) -> None:
        self.control.answer(ASK_TILL, memoryview(json.dumps(changes).encode()))

    def give(self, scripts: list[bytes], **changes: Any) -> int:
        left_out = 0
        for start in range(0, len(scripts), 4):
            left_out = self.piece(start, scripts[start : start + 4])
        self.set(addresses=len(scripts), **changes)
        return left_out

    def told(self) -> dict[str, Any]:
        text, left = self.control.answer(ASK_SETTINGS, memoryview(bytes(4)))
        while left:
            piece, left = self.control.answer(ASK_SETTINGS, memoryview(len(text).to_bytes(4, "little")))
            text += piece
        return dict(json.loads(text)["till"])


def test_a_new_list_with_what_was_used_in_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:3])
    assert shop.invoice() == PAYMENTS[0].address
    assert shop.told()["used"] == 1 and shop.told()["addresses"] == 3
    # the whole list again, as a wallet exports it, and more; with an item beside it
    items = [*ITEMS, {"name": "Tea", "amount": 7}]
    assert shop.give([SCRIPTS[0], SCRIPTS[2], *FRESH[:5]], items=items) == 1
    assert shop.desk.device.restart_wanted and shop.desk.face.till is None  # the old list is not used any more
    again = shop.restarted()
    assert again.told() == {"items": items, "confirmations": 2, "minutes": 60, "addresses": 7, "used": 1}
    # the invoice of before is still watched
    again.desk.announce(PAYMENTS[0].height + 1)
    again.desk.run(lambda: bool(again.desk.board.relay_moves))
    again.desk.run_for(15)
    assert "PAID LATE" in again.desk.titles
    assert again.invoice() == PAYMENTS[2].address
    # a third list, over the second: both invoices are known, the paid one by its end alone
    assert again.give([*SCRIPTS[:4], *FRESH[3:6]]) == 2
    third = again.restarted()
    lines = (tmp_path / third.settings["till"]["addresses"]).read_text().splitlines()
    assert lines[:2] == [SCRIPTS[0].hex()[-20:], SCRIPTS[2].hex()] and lines[2] == SCRIPTS[1].hex()
    assert sorted(path.name for path in tmp_path.glob("till.[12]")) == [third.settings["till"]["addresses"]]
    assert third.invoice() == PAYMENTS[1].address


def test_items_alone_and_a_list_alone(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    shop.set(items=[{"name": "Coffee", "amount": 5}], confirmations=3, minutes=5)
    again = shop.restarted()
    assert again.told()["confirmations"] == 3 and again.settings["till"]["addresses"] == [s.hex() for s in SCRIPTS[:2]]
    assert "5 sat" in again.desk.view[2]
    again.give(FRESH)
    assert again.settings["till"]["minutes"] == 5 and again.restarted().told()["addresses"] == len(FRESH)


def test_what_comes_twice_or_out_of_its_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    before = shop.settings
    with pytest.raises(BadMessage, match="has begun"):
        shop.piece(4, FRESH[:4])
    shop.piece(0, FRESH[:4])
    shop.piece(4, FRESH[4:8])
    assert shop.piece(4, FRESH[4:8]) == 0  # its answer was lost
    for number, scripts in ((9, FRESH[8:9]), (5, FRESH[4:8])):
        with pytest.raises(BadMessage, match="missing"):
            shop.piece(number, scripts)
    with pytest.raises(BadMessage, match="8 have come"):
        shop.set(addresses=9)
    assert shop.settings == before
    shop.set(addresses=8)
    assert shop.restarted().told()["addresses"] == 8


def test_an_invoice_that_is_made_meanwhile(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:3])
    before = shop.settings
    shop.piece(0, SCRIPTS[:3])
    assert shop.invoice() == PAYMENTS[0].address
    with pytest.raises(StoreError, match="meanwhile"):
        shop.set(addresses=3)
    assert shop.settings == before
    assert shop.give(SCRIPTS[:3]) == 1
    assert shop.restarted().invoice() == PAYMENTS[1].address


def used_up(shop: Shop) -> None:
    shop.invoice()
    shop.give(SCRIPTS[:1])


def list_is_gone(shop: Shop) -> None:
    shop.invoice()
    values = shop.settings
    values["till"]["addresses"] = "nowhere"
    shop.path.write_text(json.dumps(values))
    shop.piece(0, FRESH[:1])


def list_is_shorter(shop: Shop) -> None:
    for _ in range(2):
        shop.invoice()
    values = shop.settings
    values["till"]["addresses"] = values["till"]["addresses"][:1]
    shop.path.write_text(json.dumps(values))
    shop.piece(0, FRESH[:1])


def too_many(shop: Shop) -> None:
    for number in range(0, MAX_INVOICE_ADDRESSES + 40, 40):
        shop.piece(number, [bytes([0, 20]) + (number + n + 1).to_bytes(20, "big") for n in range(40)])


def unreadable(shop: Shop) -> None:
    shop.path.write_text("{")
    shop.piece(0, FRESH[:1])


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (used_up, BadMessage, "has had an invoice"),
        (list_is_gone, StoreError, "cannot be read"),
        (list_is_shorter, StoreError, "more addresses than the list"),
        (too_many, LimitExceeded, "more than 2000"),
        (unreadable, StoreError, "settings cannot be read"),
        (lambda shop: shop.set(addresses=1), BadMessage, "has begun"),
        (lambda shop: shop.set(pairing_key=""), BadMessage, "not set over the line"),
        (lambda shop: shop.set(items=[]), BadMessage, "1 to 16 items"),
        (lambda shop: shop.set(items=[{"name": "x" * 21, "amount": 1}]), BadMessage, "1 to 20 letters"),
        (lambda shop: shop.set(items=[{"name": "x" * 20, "amount": 1}] * 100), LimitExceeded, "at most 3072"),
        (lambda shop: shop.set(minutes=0), BadMessage, "minutes"),
        (lambda shop: shop.set(), BadMessage, "empty"),
        (lambda shop: shop.piece(0, []), BadMessage, "whole script_pubkeys"),
        (lambda shop: shop.piece(0, [b""]), BadMessage, "whole script_pubkeys"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_refused(
    wrong: Callable[[Shop], object], error: type[LightClientError], words: str, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, SCRIPTS[:3])
    with pytest.raises(error, match=words) as caught:
        wrong(shop)
    assert "\n" not in str(caught.value) and not shop.desk.device.restart_wanted


def test_pieces_that_are_none() -> None:
    whole = bytes(4) + b"\x02\x51\x52" + b"\x01\x51"
    assert read_piece(memoryview(whole)) == (0, ["5152", "51"])
    for size in range(len(whole)):
        if size != 7:  # one script, whole
            with pytest.raises(BadMessage):
                read_piece(memoryview(whole[:size]))
    with pytest.raises(LimitExceeded):
        read_piece(memoryview(bytes(MAX_TILL_PIECE + 1)))


def test_a_full_flash_leaves_the_old_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    before = shop.settings

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    shop.piece(0, FRESH[:4])
    monkeypatch.setattr("firmware.files.FolderFiles._write", full)
    with pytest.raises(StoreError):
        shop.piece(4, FRESH[4:8])
    monkeypatch.undo()
    assert shop.settings == before and shop.restarted().invoice() == PAYMENTS[0].address


def test_a_till_of_which_an_address_was_typed_in_can_be_mended(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    values = shop.settings
    values["till"]["addresses"] = [PAYMENTS[0].address]
    shop.path.write_text(json.dumps(values))
    shop.give(SCRIPTS)
    assert shop.restarted().invoice() == PAYMENTS[0].address


def test_a_list_that_the_settings_name_by_its_path_is_not_written_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    present = tmp_path / "till.1"
    present.write_text(SCRIPTS[0].hex() + "\n")
    values = shop.settings
    values["till"]["addresses"] = str(present)
    shop.path.write_text(json.dumps(values))
    shop.piece(0, FRESH[:4])
    assert present.read_text() == SCRIPTS[0].hex() + "\n"
    shop.set(addresses=4)
    assert shop.settings["till"]["addresses"] == "till.2"


def test_a_piece_that_is_written_in_part_ends_the_list(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    before = shop.settings
    shop.piece(0, FRESH[:4])
    files: Any = shop.control._list._files  # type: ignore[union-attr]
    append = files.append

    def torn(name: str, data: bytes) -> None:
        append(name, data[:30])
        raise StoreFull("no room")

    files.append = torn
    with pytest.raises(StoreFull):
        shop.piece(4, FRESH[4:8])
    files.append = append
    for asked in (lambda: shop.piece(4, FRESH[4:8]), lambda: shop.set(addresses=4), lambda: shop.set(addresses=8)):
        with pytest.raises(StoreError, match="begin anew"):
            asked()
    assert shop.settings == before
    assert shop.give(FRESH) == 0 and shop.restarted().told()["addresses"] == len(FRESH)


def test_a_list_that_is_no_text_and_a_device_without_settings_are_refused_by_name(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SCRIPTS[:2])
    shop.give(FRESH)
    again = shop.restarted()
    (tmp_path / again.settings["till"]["addresses"]).write_bytes(b"0014" + b"00" * 20 + b"\n\xff\xfe\n")
    with pytest.raises(StoreError):
        again.told()
    control = Control(again.desk.device, str(tmp_path / "none.json"))
    for question, argument in ((ASK_CHANGE, b'{"relay_seconds": 5}'), (ASK_TILL, b'{"items": []}')):
        with pytest.raises(LightClientError):
            control.answer(question, memoryview(argument))
    with pytest.raises(StoreError, match="pair it first"):
        control.answer(ASK_CHANGE, memoryview(b'{"relay_seconds": 5}'))
    assert not (tmp_path / "none.json").exists()


def test_want_of_memory_while_what_answers_is_loaded_ends_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: object) -> None:
        raise MemoryError

    shop = Shop(tmp_path, SCRIPTS[:2])
    monkeypatch.setattr("firmware.control.Control", no_memory)
    with pytest.raises(LimitExceeded, match="memory"):
        shop.desk.device._answer(ASK_SETTINGS, memoryview(bytes(4)))


def test_a_log_that_is_no_text_gets_another_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(LOG).write_bytes(b"\xff\xfe\n")
    note_once("the display is gone")
    assert Path(LOG).read_bytes().endswith(b"\nthe display is gone\n")
