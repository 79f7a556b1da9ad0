"""The device program with a board: what the relay does, and what a person sees of it."""

import itertools
import shutil
from pathlib import Path

import pytest
from desk import BEFORE, PAYMENTS, Board, Desk, archive, request

from firmware.control import Control
from lightclient.messages import ASK_IDENTIFY, STATE_READY, STATE_WAITING

AMOUNT = f"{PAYMENTS[0].amount:,}"


def ready(desk: Desk) -> bool:
    return bool(
        desk.device.client.state == STATE_READY and desk.device.client.chain.tip_height == desk.chain.best_height
    )


def closed(desk: Desk) -> int:
    return sum(on for _, on in desk.board.relay_moves)


def test_what_a_payment_looks_like() -> None:
    desk = Desk({"requests": [request(0)]}, archive())
    while not ready(desk):
        assert desk.view is None or desk.view[4] is None  # no address before it is in sync and armed
        desk.step()
    desk.run_for(0.5)
    address, amount, beside = desk.view[4]
    assert amount == PAYMENTS[0].amount and AMOUNT in beside and address[-8:] in beside
    desk.announce(PAYMENTS[0].height)
    desk.run(lambda: "seen 1/2" in desk.view[4][2] if desk.view[4] else False)
    assert "PAID" not in desk.titles and not desk.board.relay_moves
    desk.announce(PAYMENTS[0].height + 1)
    desk.run(lambda: closed(desk) == 1)
    desk.run_for(0.3)
    assert desk.view[1] == "PAID" and AMOUNT in desk.view[2] and desk.view[4] is None
    desk.run_for(20)
    assert desk.view[1] == "READY"
    (on, _), (off, _) = desk.board.relay_moves
    assert 1000 <= off - on <= 1100
    assert desk.titles[:2] == ["NOT PAIRED", "SYNCING"] and desk.titles[-2:] == ["PAID", "READY"]


def test_nothing_moves_on_a_stale_tip() -> None:
    chain = archive(PAYMENTS[0].height + 1)
    board = Board()
    board.clock = chain.now() + 25 * 3600
    desk = Desk({"requests": [request(0)]}, chain, board)
    desk.run(lambda: desk.device.client.state == STATE_WAITING)
    desk.run_for(10)
    assert desk.view[1] == "STALE TIP" and "25 h old" in desk.view[2]
    assert not board.relay_moves and "PAID" not in desk.titles
    board.clock = chain.now() + 23 * 3600  # somebody has set the clock right
    desk.run(lambda: closed(desk) == 1)


def test_nothing_moves_below_the_minimum_work() -> None:
    chain = archive(PAYMENTS[0].height + 1)
    desk = Desk({"requests": [request(0)], "replay": {"minimum_chainwork": "ffffffff"}}, chain)
    desk.run(lambda: desk.device.client.state == STATE_WAITING)
    desk.run_for(10)
    assert desk.view[1] == "LOW WORK" and not desk.board.relay_moves and "PAID" not in desk.titles


def test_a_pulse_cut_short_waits_for_a_person(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    values = {"requests": [request(0)], "store": str(store), "button": True}
    desk = Desk(values, archive())
    desk.run(lambda: ready(desk))
    desk.announce(PAYMENTS[0].height + 1)
    desk.run(lambda: closed(desk) == 1)
    for name in ("store", "store.paid"):  # as a power cut leaves it
        source, copy = tmp_path / name, tmp_path / ("cut" + name[5:])
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    desk.device.close()

    values["store"] = str(tmp_path / "cut")
    for settled in (False, True):
        again = Desk(values, archive(PAYMENTS[0].height + 1))
        again.run(lambda again=again: ready(again))  # type: ignore[misc]
        again.run_for(20)
        assert again.view[1] == "CUT SHORT" and not again.board.relay_moves
        assert sum("relay cut short: request 1" in line for line in again.board.shown) == 1
        if settled:
            again.press(0.3)
            assert again.view[1] == "CUT SHORT"  # a short press is none
            again.press(1.5)
            again.run_for(1)
            assert again.view[1] != "CUT SHORT" and "settled: request 1" in again.board.shown
        again.device.close()
    last = Desk(values, archive(PAYMENTS[0].height + 1))
    last.run(lambda: ready(last))
    last.run_for(20)
    assert "CUT SHORT" not in last.titles and not last.board.relay_moves


def test_a_display_that_is_unplugged_and_comes_back() -> None:
    desk = Desk({}, archive())
    desk.run(lambda: desk.board.picture is not None)
    desk.board.display_works = False
    desk.run(lambda: ready(desk))
    before = bytes(desk.board.picture or b"")
    desk.run_for(5)
    assert desk.board.picture == before
    desk.board.display_works = True
    desk.run_for(35)
    assert desk.board.picture != before


def test_the_light_says_how_things_are() -> None:
    desk = Desk({}, archive(BEFORE))
    desk.run(lambda: ready(desk))
    desk.run_for(1)
    for _ in range(50):
        desk.step()
        assert desk.board.light_is_on
    desk.link.connected = False  # type: ignore[misc]
    desk.run(lambda: not desk.device.client.is_open, 120)
    desk.run_for(1)
    flashes = 0
    was_on = True
    for _ in range(int(2.048 / 0.05)):
        desk.step()
        flashes += desk.board.light_is_on and not was_on
        was_on = desk.board.light_is_on
    assert flashes == 2  # not paired


def test_the_watchdog_is_armed_after_its_grace_and_fed() -> None:
    for wanted in (False, True):
        desk = Desk({"watchdog": wanted}, archive())
        desk.run_for(2.9)
        assert not desk.board.watchdog_runs
        desk.run_for(0.3)
        assert desk.board.watchdog_runs == wanted
        fed = desk.board.fed
        desk.run_for(5)
        assert desk.board.fed - fed >= 90


@pytest.mark.parametrize("cut_short", [False, True])
def test_asked_which_one_it_is_it_blinks_and_says_so(cut_short: bool) -> None:
    desk = Desk({"device_id": "d00f", "button": True}, archive(BEFORE))
    desk.run(lambda: ready(desk))
    if cut_short:  # whatever else it has to say
        desk.device.cut_short.append((1, bytes(32)))
        desk.run(lambda: desk.view[1] == "CUT SHORT")
    before = desk.view
    Control(desk.device, "").answer(ASK_IDENTIFY, memoryview(b""))
    desk.run_for(0.2)
    assert desk.view[1] == "HERE I AM" and "d00f" in desk.view[2] and "d00f" in desk.board.shown[-1]
    lit = []
    for _ in range(int(9 / 0.05)):
        desk.step()
        lit.append(desk.board.light_is_on)
    changes = sum(a != b for a, b in itertools.pairwise(lit))
    assert desk.view[1] == "HERE I AM" and 34 <= changes <= 38  # long, short: four in each second of 1.024 s
    desk.run_for(1.5)
    assert desk.view[:2] == before[:2]
