"""The Raspberry Pi's board: on a Blinka that behaves, and on the real one where it is installed."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fake_blinka
import pytest
from desk import PAYMENTS, Desk, archive, request
from support import require

from hardware import pins
from hardware.board import RESTART, open_board
from lightclient.messages import STATE_READY

RELAY = f"D{pins.PI_RELAY}"
BUTTON = f"D{pins.PI_BUTTON}"
LIGHT = f"D{pins.PI_LIGHT}"


@pytest.fixture
def blinka() -> Iterator[fake_blinka.Pins]:
    with fake_blinka.installed() as found:
        yield found


def test_its_pins(blinka: fake_blinka.Pins) -> None:
    board = open_board("raspberry-pi")
    assert blinka.level[RELAY] is False and not board.relay_is_on and not board.problems
    board.set_relay(True)
    assert blinka.level[RELAY] is True and board.relay_is_on
    board.set_light(True)
    board.set_buzzer(True)
    assert blinka.level[LIGHT] is True and blinka.level[f"D{pins.PI_BUZZER}"] is True
    assert not board.button_is_down()
    blinka.pulled_down.add(BUTTON)
    assert board.button_is_down()
    assert len(board.unique_id()) == 8 and board.unique_id() == open_board("raspberry-pi").unique_id()
    assert abs(board.unix_time() - time.time()) < 5 and board.heap_free() > 0 and len(board.random(16)) == 16
    with pytest.raises(SystemExit) as ended:
        board.restart()
    assert ended.value.code == RESTART


def test_a_display_that_is_wired_not_wired_or_goes(blinka: fake_blinka.Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    board = open_board("raspberry-pi")
    assert board.display is not None and board.display.answers()
    assert board.display.show_picture(bytearray(b"\xa5" * 1024))
    assert blinka.display == b"\xa5" * 1024
    blinka.display = None
    assert not board.display.show_picture(bytearray(1024)) and not board.display.show_picture(bytearray(1024))
    blinka.display = b""
    assert board.display.show_picture(bytearray(b"\x01" * 1024)) and blinka.display == b"\x01" * 1024
    later = time.monotonic() + 30
    blinka.display = b"noise"  # unplugged and plugged in again between two pictures: its chip knows nothing of before
    blinka.displays_set_up = 0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert board.display.show_picture(bytearray(1024)) and blinka.displays_set_up == 1
    assert board.display.show_picture(bytearray(1024)) and blinka.displays_set_up == 1
    blinka.display = None
    without = open_board("raspberry-pi")
    assert without.display is not None and not without.display.answers() and "display" in without.problems[0]


def test_a_clock_at_2021(blinka: fake_blinka.Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_609_459_200.0)
    board = open_board("raspberry-pi")
    assert board.unix_time() == 0 and "clock" in board.problems[0]


def test_a_watchdog_of_systemd(blinka: fake_blinka.Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = open_board("raspberry-pi")
    board.feed_watchdog()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    board.start_watchdog()
    board.feed_watchdog()
    listener.settimeout(5)
    assert listener.recv(64) == b"WATCHDOG=1"
    listener.close()
    board.feed_watchdog()  # nobody listens


def test_a_payment_moves_its_relay_once(blinka: fake_blinka.Pins) -> None:
    board = open_board("raspberry-pi")
    now = [0]
    board.milliseconds = lambda: now[0]  # type: ignore[method-assign]
    board.unix_time = lambda: 0  # type: ignore[method-assign]
    desk = Desk({"requests": [request(0)]}, archive(PAYMENTS[0].height), board)  # type: ignore[arg-type]
    for _ in range(400):
        now[0] += 50
        assert desk.device.step()
        while desk.session.next_report():
            pass
        if desk.device.client.state == STATE_READY:
            desk.announce(PAYMENTS[0].height + 1)
    assert [level for pin, level in blinka.moves if pin == RELAY] == [False, True, False]
    assert blinka.display and blinka.display != bytes(1024)


def test_a_computer_that_is_none() -> None:
    if importlib.util.find_spec("digitalio") is None:
        with pytest.raises(ValueError, match="no board of the kind raspberry-pi"):
            open_board("raspberry-pi")
    with pytest.raises(ValueError, match="no board of the kind pico"):
        open_board("pico")
    with pytest.raises(ValueError, match="unknown board: toaster"):
        open_board("toaster")


def test_the_real_blinka() -> None:
    """Smoke: its generic board has no pins by number, so the numbers are named for it."""
    require(importlib.util.find_spec("digitalio") is not None, "adafruit-blinka is not installed (extra: pi)")
    script = (
        "import board\n"
        "for number in range(28):\n"
        "    setattr(board, f'D{number}', board.Dx_INPUT_TRUE_PULL_UP if number == 27 else board.Dx_OUTPUT)\n"
        "from hardware.board import open_board\n"
        "b = open_board('raspberry-pi')\n"
        "b.set_relay(True); b.set_relay(False); b.set_light(True); print(b.button_is_down(), b.problems)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "BLINKA_OS_AGNOSTIC": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0 and run.stdout.startswith("False"), run.stderr[-500:]
