"""A till: choosing, the invoice, its payment, addresses that are used once each."""

import json
from pathlib import Path
from typing import Any

import pytest
from desk import BEFORE, PAYMENTS, Desk, archive, request

from firmware.files import FolderFiles
from firmware.settings import check_settings
from firmware.till import TillRecord
from lightclient.errors import CorruptStore, StoreFull

SCRIPTS = [payment.script_pubkey.hex() for payment in PAYMENTS]
ITEMS = [{"name": "Coffee", "amount": PAYMENTS[0].amount}, {"name": "Cake", "amount": 250_000}]
LONG, SHORT = 1.3, 0.2


def till(**values: Any) -> dict[str, Any]:
    return {"till": {"items": ITEMS, "addresses": SCRIPTS, "confirmations": 2, **values}}


def opened(folder: Path, best_height: int = BEFORE, **values: Any) -> Desk:
    desk = Desk(
        {**till(**values), "store": str(folder / "store")}, archive(best_height), None, folder / "settings.json"
    )
    desk.run(lambda: desk.view is not None and desk.view[1] == "Coffee")
    return desk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path


def record(folder: Path) -> list[Any]:
    return json.loads((folder / "till.a").read_bytes()[8:])  # type: ignore[no-any-return]


def test_from_choosing_to_the_relay(folder: Path) -> None:
    desk = opened(folder)
    desk.press(SHORT)
    assert desk.view[1] == "Cake" and "250,000 sat" in desk.view[2]
    desk.press(SHORT)
    assert desk.view[1] == "Coffee" and not desk.device.client.book.requests
    desk.press(LONG)
    address, amount, text = desk.view[4]
    assert amount == PAYMENTS[0].amount and "Coffee" in text and address == PAYMENTS[0].address
    assert record(folder)[0] == 1
    desk.announce(PAYMENTS[0].height + 1)
    desk.run(lambda: bool(desk.board.relay_moves))
    desk.run_for(1)
    assert desk.view[1] == "PAID" and "Coffee" in desk.view[2]
    desk.run_for(15)
    assert desk.view[1] == "Coffee" and desk.view[4] is None and len(desk.board.relay_moves) == 2
    assert record(folder) == [1, []]
    desk.press(LONG)
    assert desk.view[4][0] == PAYMENTS[1].address  # the next one


def test_a_cancelled_invoice_and_one_whose_time_is_up_still_count(folder: Path) -> None:
    desk = opened(folder, minutes=1)
    desk.press(LONG)
    desk.press(LONG)
    assert desk.view[1] == "CANCELLED"
    desk.run_for(6)
    desk.press(LONG)
    assert desk.view[4][0] == PAYMENTS[1].address
    desk.run_for(61)
    assert "TIME IS UP" in desk.titles and desk.view[1] in ("TIME IS UP", "Coffee")
    desk.announce(PAYMENTS[0].height + 1)
    desk.run(lambda: bool(desk.board.relay_moves))
    desk.run_for(0.5)
    assert desk.view[1] == "PAID LATE"


def test_late_payments_are_watched_across_a_restart_and_addresses_are_not_used_again(folder: Path) -> None:
    desk = opened(folder)
    desk.press(LONG)
    desk.device.client.chain.store.close()  # a power cut while the invoice is shown
    again = opened(folder)
    assert again.view[4] is None
    again.announce(PAYMENTS[0].height + 1)
    again.run(lambda: bool(again.board.relay_moves))
    again.run_for(15)
    again.press(LONG)
    assert again.view[4][0] == PAYMENTS[1].address


def test_no_address_is_given_out_that_is_not_written_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = opened(folder)

    def full(*_: object) -> None:
        assert desk.view[4] is None
        raise StoreFull("no room")

    monkeypatch.setattr(desk.face.till._record._files, "sync", full)
    desk.press(LONG)
    assert desk.view[1] == "NO INVOICE" and "no room" in desk.view[2] and not desk.device.client.book.requests
    monkeypatch.undo()
    desk.run_for(6)
    desk.press(LONG)
    assert desk.view[4][0] == PAYMENTS[1].address  # the first one counts as used


def test_it_says_when_the_addresses_are_used_up(folder: Path) -> None:
    (folder / "addresses").write_text("".join(script + "\n" for script in SCRIPTS[:2]))
    desk = opened(folder, addresses=str(folder / "addresses"))
    for i in range(2):
        desk.press(LONG)
        assert desk.view[4][0] == PAYMENTS[i].address
        desk.press(LONG)
        desk.run_for(6)
    desk.press(LONG)
    assert desk.view[1] == "NO ADDRESS" and record(folder)[0] == 2
    with (folder / "addresses").open("a") as file:
        file.write("no script\n")
    desk.run_for(6)
    desk.press(LONG)
    assert desk.view[1] == "NO ADDRESS"


def test_a_replay_is_called_one_on_every_view(folder: Path) -> None:
    desk = opened(folder)
    assert "\nreplay, not for money\n" in desk.view[2]
    assert any(line.startswith("ready, tip") and line.endswith(", replay") for line in desk.board.shown)
    desk.press(LONG)
    assert "REPLAY" in desk.view[4][2].split("\n")
    desk.announce(PAYMENTS[0].height)
    desk.run(lambda: "seen 1/2" in desk.view[2])
    assert "REPLAY" in desk.view[4][2].split("\n") and len(desk.view[4][2].split("\n")) == 8
    desk.announce(PAYMENTS[0].height + 1)
    desk.run(lambda: bool(desk.view[1] == "PAID"))
    assert desk.view[2].endswith("\nreplay, not for money")


def test_eight_invoices_with_the_longest_names_are_read_back(folder: Path) -> None:
    longest = '"' * 20  # as JSON twice as long
    check_settings(till(items=[{"name": longest, "amount": 1}]))
    files = FolderFiles(str(folder))
    written = TillRecord(files)
    written.next = 1 << 29
    written.invoices = [[(1 << 29) - i, longest, 2_100_000_000_000_000, 1 << 29] for i in range(8)]
    written.save()
    assert TillRecord(files).invoices == written.invoices


def test_lines_of_a_list_by_hand_that_cannot_be_used_count_as_used(folder: Path) -> None:
    lines = [SCRIPTS[0], "", SCRIPTS[0].upper(), "# the rest", SCRIPTS[1], SCRIPTS[0], SCRIPTS[2]]
    (folder / "list").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    desk = opened(folder, addresses="list")
    for payment, used in ((PAYMENTS[0], 1), (PAYMENTS[1], 5), (PAYMENTS[2], 7)):
        desk.press(LONG)
        assert desk.view[4][0] == payment.address and record(folder)[0] == used
        desk.press(LONG)
        desk.run_for(6)
    desk.press(LONG)
    assert desk.view[1] == "NO ADDRESS"


def test_the_oldest_invoice_gives_way(folder: Path) -> None:
    scripts = ["0014" + f"{i:040x}" for i in range(12)]
    desk = opened(folder, addresses=scripts)
    for _ in range(10):
        desk.press(LONG)
        assert desk.view[4] is not None
        desk.press(LONG)
        desk.run_for(6)
    assert len(desk.device.client.book.requests) == 8 == len(record(folder)[1])
    assert min(desk.device.client.book.requests) == 0x10002


def test_nothing_is_asked_for_before_it_is_ready(folder: Path) -> None:
    desk = Desk({**till(), "replay": {"minimum_chainwork": "ffffffff"}}, archive(), None, folder / "settings.json")
    desk.run(lambda: "LOW WORK" in desk.titles)
    desk.press(LONG)
    assert desk.view[1] == "NOT READY" and not (folder / "till.a").exists()
    # and what is shown goes when the device is not ready any more
    desk = opened(folder)
    desk.press(LONG)
    assert desk.view[4] is not None
    desk.link.connected = False  # type: ignore[misc]
    desk.run_for(0.5)
    assert desk.view[4] is None


@pytest.mark.parametrize("broken", ["till.a", "till.b", "both"])
def test_a_record_that_is_damaged(broken: str, folder: Path) -> None:
    desk = opened(folder)
    desk.press(LONG)
    desk.device.client.chain.store.close()
    for name in ("till.a", "till.b"):
        if broken in (name, "both"):
            (folder / name).write_bytes(b"0000" + (folder / name).read_bytes()[4:])
    if broken == "both":
        with pytest.raises(CorruptStore, match="till"):
            opened(folder)
    else:
        again = opened(folder)
        again.press(LONG)
        assert again.view[4][0] == PAYMENTS[1].address


@pytest.mark.parametrize(
    "values",
    [
        {"items": []},
        {"items": ITEMS * 9},
        {"items": [{"name": "", "amount": 1}]},
        {"items": [{"name": "x" * 21, "amount": 1}]},
        {"items": [{"name": 7, "amount": 1}]},
        {"items": [{"name": "Caf\u00e9", "amount": 1}]},  # as JSON longer than the record may be
        {"items": [{"name": "a\nb", "amount": 1}]},
        {"items": [{"name": "\ud800", "amount": 1}]},
        {"items": [{"name": "x", "amount": 0}]},
        {"items": [{"name": "x", "amount": True}]},
        {"items": [{"name": "x", "amount": 1.5}]},
        {"items": [{"name": "x"}]},
        {"items": 7},
        {"addresses": []},
        {"addresses": ["0"]},
        {"addresses": ["zz"]},
        {"addresses": [7]},
        {"addresses": SCRIPTS[:1] * 2},
        {"addresses": ["0014" + f"{i:040x}" for i in range(201)]},
        {"confirmations": 0},
        {"minutes": 0},
        {"minutes": True},
    ],
)
def test_settings_that_cannot_be_used(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"settings|hex"):
        check_settings(till(**values))


def test_settings_that_do_not_go_with_a_till() -> None:
    with pytest.raises(ValueError, match="settings"):
        check_settings({**till(), "requests": [{**request(0), "request_id": 65_536}]})
    with pytest.raises(ValueError, match="settings"):
        check_settings({**till(), "requests": [{**request(0), "request_id": i} for i in range(8)]})
    with pytest.raises(ValueError, match="settings"):
        check_settings({"till": 7})
