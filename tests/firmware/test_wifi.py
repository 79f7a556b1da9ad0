"""The Wi-Fi link's logic with a radio that does as the test says; on an emulated Pico W where an image is at hand."""

import os
from pathlib import Path
from typing import Any

import pytest
from emulated_pico import EmulatedPico
from radio import Clock, Radio

from firmware.either_link import EitherLink
from firmware.wifi import Wifi, WifiLink, over_wifi

_MINUTE = 60_000


class Line:
    """A TcpLink that connects at once and gives what it is told."""

    point_to_point = False
    closed = False
    problem = ""
    failures = 0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.buffer = bytearray(2048)
        self.connected = False
        self.reads = 0
        self.comes = 0
        self.closings = 0

    def rest(self, timeout_ms: int) -> None:
        self.clock.now += timeout_ms

    def read(self, timeout_ms: int) -> int:
        self.clock.now += timeout_ms
        self.reads += 1
        self.connected = True
        return self.comes

    def close(self) -> None:
        self.connected = False
        self.closings += 1

    def write(self, data: bytes) -> None: ...

    def flush(self) -> bool:
        return True


def link() -> tuple[WifiLink, Radio, Line, Clock]:
    clock = Clock()
    radio = Radio(clock)
    line: Any = Line(clock)
    return WifiLink(Wifi("shop", "secret", clock, radio), line, clock), radio, line, clock


def run(wifi: WifiLink, clock: Clock, milliseconds: int) -> None:
    end = clock.now + milliseconds
    while clock.now < end:
        wifi.read(50)


def test_it_joins_and_the_line_is_used_then() -> None:
    wifi, radio, line, clock = link()
    run(wifi, clock, 2900)
    assert not wifi.connected and line.reads == 0
    run(wifi, clock, 500)
    assert wifi.connected and line.reads and radio.names == [("shop", "secret")] and wifi.problem == ""


def test_what_is_wrong_is_said_and_tried_again_ever_less_often() -> None:
    for answer, word in ((-3, "wrong password"), (-2, "no such access point"), (-1, "no connection"), (1, "no answer")):
        wifi, radio, line, clock = link()
        radio.answer = answer
        run(wifi, clock, 60 * _MINUTE)
        assert wifi.problem == "wifi: " + word and line.reads == 0 and not wifi.connected
        pauses = [after - before for before, after in zip(radio.attempts, radio.attempts[1:], strict=False)]
        assert pauses == sorted(pauses) and 30_000 <= pauses[-1] <= 80_000
        radio.answer = 3
        run(wifi, clock, 2 * _MINUTE)
        assert wifi.connected and wifi.problem == ""


def test_an_access_point_that_is_gone_for_an_hour() -> None:
    wifi, radio, line, clock = link()
    run(wifi, clock, 10_000)
    assert wifi.connected
    radio.answer = -2
    run(wifi, clock, 60 * _MINUTE)
    assert line.closings == 1 and not wifi.connected
    assert len(radio.attempts) < 140
    radio.answer = 3
    run(wifi, clock, 2 * _MINUTE)
    assert wifi.connected


def test_a_radio_that_fails_ends_nothing() -> None:
    wifi, radio, _, clock = link()
    radio.breaks = True
    run(wifi, clock, _MINUTE)
    assert wifi.problem.startswith("wifi: radio") and not wifi.connected
    radio.breaks = False
    run(wifi, clock, 2 * _MINUTE)
    assert wifi.connected


def test_the_radio_sleeps_when_little_comes_and_never_while_syncing() -> None:
    wifi, radio, line, clock = link()
    run(wifi, clock, 4000)
    assert radio.modes == [16]
    line.comes = 1000
    run(wifi, clock, 20_000)
    assert radio.modes == [16]
    line.comes = 0
    run(wifi, clock, 20_000)
    assert radio.modes == [16, 17]
    line.comes = 1000
    run(wifi, clock, 200)
    assert radio.modes == [16, 17, 16]


def test_a_cable_comes_before_wifi() -> None:
    wifi, _, line, clock = link()
    cable: Any = Line(clock)
    cable.buffer[0] = 0x7E
    either = EitherLink(wifi, cable, clock)
    for _ in range(100):
        either.read(50)
    assert either.connected and not either.point_to_point
    cable.comes = 1
    either.read(50)
    either.read(50)
    assert either.connected and either.point_to_point and line.closings == 1 and not wifi.connected


def test_without_a_radio_the_system_sees_to_the_network() -> None:
    clock = Clock()
    line: Any = Line(clock)
    assert over_wifi(("", ""), line, clock) is line
    assert over_wifi(("shop", "secret"), line, clock) is line


def test_on_an_emulated_pico_w() -> None:
    image = os.environ.get("LIGHTCLIENT_PICO_W_UF2", "")
    if not image:  # the one thing that no script here can fetch: Debian has no driver of the radio
        pytest.skip("not tried on an emulated Pico W: $LIGHTCLIENT_PICO_W_UF2 names no image (docs/FIRMWARE.md)")
    board = EmulatedPico(Path(image), board="pico_w")
    said = board.execute(
        "import network\n"
        "from firmware.wifi import Wifi\n"
        "from hardware.pico import PicoBoard\n"
        "board = PicoBoard()\n"
        "wifi = Wifi('RP2040PY-GUEST', '', board, network)\n"  # the emulator's access point
        "while not wifi.is_joined() and board.milliseconds() < 20000:\n"
        "    pass\n"
        "print(wifi.is_joined(), wifi.problem)\n",
        60,
    )
    assert said.strip() == "True", said
