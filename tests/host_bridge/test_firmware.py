"""The device program's own parts, on CPython: settings, the line, and a relay that opens whatever the line does."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.device import Device
from firmware.links import StreamLink
from firmware.settings import Settings, load_settings
from hardware.simulated import SimulatedBoard
from lightclient.errors import LightClientError, StoreFull
from lightclient.pairing import Pairing

SCRIPT = "0014" + "42" * 20
REQUEST = {"request_id": 1, "script_pubkey": SCRIPT, "min_amount": 1, "min_confirmations": 1}

BRIDGE = {"host": "h", "port": 1, "certificate": "00"}


class Pipes:
    """A line: what the device reads, and what it writes and nobody reads unless a test does."""

    def __init__(self) -> None:
        self.device_in, self.to_device = os.pipe()
        self.from_device, self.device_out = os.pipe()
        os.set_blocking(self.device_out, False)
        os.set_blocking(self.from_device, False)
        self.reader = os.fdopen(self.device_in, "rb", buffering=0)
        self.writer = os.fdopen(self.device_out, "wb", buffering=0)
        self.link = StreamLink(self.reader, self.writer)

    def fill(self) -> int:
        """Write until the line takes no more."""
        count = 0
        while self.link.flush():
            self.link.write(bytes(64))
            count += 64
        return count


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    line = Pipes()
    yield line
    line.reader.close()
    line.writer.close()
    for end in (line.to_device, line.from_device):
        try:
            os.close(end)
        except OSError:  # a test has closed it
            pass


class Board(SimulatedBoard):
    now = 0

    def milliseconds(self) -> int:
        return self.now


def test_a_relay_opens_in_time_while_the_line_takes_nothing(pipes: Pipes) -> None:
    board = Board()
    device = Device(Settings({"network": "regtest", "relay_seconds": 2, "requests": [REQUEST]}), pipes.link, board)
    device._paid += [(1, b"t" * 32), (1, b"u" * 32)]
    assert pipes.fill() > 1000
    for _ in range(60):
        os.write(pipes.to_device, b"\x7e")
        assert device.step()
        board.now += 100
    assert [on for _, on in board.relay_moves] == [True, False, True, False]
    assert [moment for moment, _ in board.relay_moves] == [0, 2000, 2100, 4100]
    assert len(device.client.endpoint._output) <= 2
    # what is read makes room, and every byte comes in order
    taken = 0
    while True:
        try:
            taken += len(os.read(pipes.from_device, 65536))
        except BlockingIOError:
            break
    os.write(pipes.to_device, b"\x7e")
    assert device.step() and taken > 1000
    assert os.read(pipes.from_device, 65536).lstrip(b"\x00").startswith(b"\x7e\x01\x00")


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [None, MemoryError, Broken, KeyboardInterrupt])
@pytest.mark.parametrize("store_fails", [False, True])
def test_a_relay_opens_whatever_ends_the_program(
    pipes: Pipes, error: type[BaseException] | None, store_fails: bool
) -> None:
    board = Board()
    device = Device(Settings({"network": "regtest", "requests": [REQUEST]}), pipes.link, board)
    device._paid.append((1, b"t" * 32))
    os.write(pipes.to_device, b"\x7e")
    assert device.step() and board.relay_is_on
    if error is None:
        os.close(pipes.to_device)  # the cable is pulled out during the pulse
    else:

        def fail(*_: object) -> None:
            raise error

        device.client.tick = fail  # type: ignore[method-assign]
    if store_fails:

        def full(_: object) -> None:
            raise StoreFull("no room")

        device.client.chain.store.commit = full  # type: ignore[method-assign]
    expected = StoreFull if store_fails else error
    if expected is None:
        device.run()
    else:
        with pytest.raises(expected):
            device.run()
    assert not board.relay_is_on


def test_a_line_that_closes_ends_the_program(pipes: Pipes) -> None:
    device = Device(Settings({"network": "regtest"}), pipes.link, Board())
    os.close(pipes.to_device)
    assert not device.step()


def test_a_line_that_breaks_while_the_device_writes_ends_the_program(pipes: Pipes) -> None:
    device = Device(Settings({"network": "regtest"}), pipes.link, Board())
    os.close(pipes.from_device)
    os.write(pipes.to_device, b"\x7e")
    assert not device.step()


@pytest.mark.parametrize(
    "values",
    [
        {"network": "nonsense"},
        {"network": ["mainnet"]},
        [],
        None,
        {"window": 32},
        {"window": "256"},
        {"window": 100_000},
        {"relay_seconds": 0},
        {"pairing_key": "zz"},
        {"pairing_key": "abc"},
        {"pairing_key": 5},
        {"pairing_key": "00"},
        {"pairing_key": "00" * 31},
        {"pairing_key": "00" * 33},
        {"relay_seconds": True},
        {"device_id": "00" * 17},
        {"device_id": "abc"},
        {"device_id": 5},
        {"link": "usb"},
        {"link": "tcp"},
        {"link": "tcp", "bridge": BRIDGE},
        {"link": "tcp", "pairing_key": "00" * 32},
        {"link": "tcp", "pairing_key": "00" * 32, "bridge": {**BRIDGE, "host": ""}},
        {"link": "tcp", "pairing_key": "00" * 32, "bridge": {**BRIDGE, "port": 0}},
        {"link": "tcp", "pairing_key": "00" * 32, "bridge": {**BRIDGE, "certificate": ""}},
        {"bridge": []},
        {"bridge": {**BRIDGE, "host": 7}},
        {"bridge": {**BRIDGE, "host": "h" * 254}},
        {"bridge": {**BRIDGE, "port": 65_536}},
        {"bridge": {**BRIDGE, "port": True}},
        {"bridge": {**BRIDGE, "certificate": "00" * 1025}},
        {"wifi": 1},
        {"wifi": {"ssid": 1}},
        {"wifi": {"password": None}},
        {"window": 256.0},
        {"epochs": 3.0},
        {"board": 7},
        {"checkpoint": "00" * 300},
        {"checkpoint": "a0"},
        {"checkpoint": "abc"},
        {"replay": {}},
        {"replay": {"minimum_chainwork": "xyz"}},
        {"replay": 1},
        {"replay": {"minimum_chainwork": "-1"}},
        {"replay": {"minimum_chainwork": 1}},
        {"requests": [{}]},
        {"requests": [1]},
        {"requests": 7},
        {"requests": [{**REQUEST, "request_id": i} for i in range(9)]},
        {"requests": {"1": REQUEST}},
        {"requests": [REQUEST, {**REQUEST, "min_amount": 7}]},
        {"requests": [{**REQUEST, "request_id": 1.5}]},
        {"requests": [{**REQUEST, "request_id": True}]},
        {"requests": [{**REQUEST, "min_amount": 1000.0}]},
        {"requests": [{**REQUEST, "min_amount": True}]},
        {"requests": [{**REQUEST, "min_confirmations": 1.0}]},
        {"requests": [{**REQUEST, "from_height": 1.0}]},
        {"requests": [{**REQUEST, "from_height": -1}]},
        {"requests": [{**REQUEST, "from_height": 1 << 30}]},
        {"requests": [{**REQUEST, "script_pubkey": "001"}]},
        {"requests": [{**REQUEST, "script_pubkey": ""}]},
        {"requests": [{**REQUEST, "min_amount": "1"}]},
        {"requests": [{**REQUEST, "min_confirmations": 0}]},
    ],
)
def test_settings_that_cannot_be_used(values: object, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(values))
    with pytest.raises((ValueError, LightClientError)) as caught:
        load_settings(str(path))
    assert "\n" not in str(caught.value)


def test_settings_that_can() -> None:
    key = bytes(range(32))
    settings = Settings(
        {
            "replay": {"minimum_chainwork": "f0f"},
            "pairing_key": key.hex(),
            "requests": [REQUEST, {**REQUEST, "request_id": 2, "from_height": 800_000}],
        }
    )
    assert settings.pairing_key == key and settings.network.minimum_chainwork == 0xF0F
    assert [request.from_height for request in settings.requests] == [0, 800_000]


def test_settings_that_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("relay_seconds = 3")
    with pytest.raises(ValueError, match="Expecting"):
        load_settings(str(path))


def test_a_device_that_is_paired_starts_anew_after_its_last_pulse(pipes: Pipes, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"network": "regtest"}))
    board = Board()
    device = Device(load_settings(str(path)), pipes.link, board, str(path))
    device._paid += [(1, b"t" * 32), (2, b"u" * 32)]
    device._pair(Pairing(bytes(32), b"der", "", 0, b"", ""))
    os.write(pipes.to_device, b"\x7e")
    steps = 0
    while device.step():
        os.write(pipes.to_device, b"\x7e")
        board.now += 100
        steps += 1
        assert steps < 200
    assert device.restart_wanted and [on for _, on in board.relay_moves] == [True, False, True, False]
    assert load_settings(str(path)).pairing_key == bytes(32)
