"""The real path: bridge session on CPython, device program on MicroPython with 192 KB, a pty between them."""

import os
import select
import shutil
import signal
import time
from pathlib import Path

import pytest
from support import require

from host_bridge.demo.recording import Recording
from host_bridge.emulator.emulator import DeviceStopped, EmulatedDevice, Line
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment, Report
from lightclient.messages import (
    CREDIT,
    EVENT,
    EVENT_CONFIRMED,
    EVENT_REFUSED,
    EVENT_RELAY_OFF,
    EVENT_RELAY_ON,
    PING,
    STATUS,
)
from lightclient.params import REGTEST
from lightclient.wire import encode_frame

RECORDING = Recording.load_default()
PAYMENT = RECORDING.payments[0]
SETTINGS = {
    "network": "regtest",
    "replay": {"minimum_chainwork": "10"},
    "relay_seconds": 1,
    "requests": [
        {
            "request_id": 1,
            "script_pubkey": PAYMENT.script_pubkey.hex(),
            "min_amount": PAYMENT.amount,
            "min_confirmations": 2,
        }
    ],
}


@pytest.fixture(autouse=True)
def _needs_micropython() -> None:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))


def bridge() -> BridgeSession:
    archive = ArchiveChain("regtest", RECORDING.headers, 0)
    proof = proof_from_block(REGTEST, RECORDING.blocks[PAYMENT.block_hash], PAYMENT.txid)
    archive.add_payment(PAYMENT.script_pubkey, FoundPayment(PAYMENT.height, PAYMENT.block_hash, PAYMENT.txid, proof))
    return BridgeSession(archive, "test")


def drain(session: BridgeSession, into: list[Report]) -> list[int]:
    """Kinds of the events told so far."""
    while report := session.next_report():
        into.append(report)
    return [r.values[0] for r in into if r.kind == EVENT]


def test_syncs_verifies_and_moves_the_relay_once() -> None:
    session = bridge()
    reports: list[Report] = []
    with EmulatedDevice(SETTINGS) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: EVENT_RELAY_OFF in drain(session, reports), 60), reports[-3:]
    events = drain(session, reports)
    assert events.count(EVENT_CONFIRMED) == events.count(EVENT_RELAY_ON) == events.count(EVENT_RELAY_OFF) == 1
    tips = [r.values[1] for r in reports if r.kind == STATUS]
    assert max(tips) == RECORDING.tip_height
    free = [r.values[4] for r in reports if r.kind == STATUS]
    assert min(free) > 0


def test_a_line_cut_in_the_middle_of_a_frame_ends_the_device_cleanly() -> None:
    session = bridge()
    device = EmulatedDevice(SETTINGS)
    line = Line(device, session)
    try:
        assert line.pump_until(lambda: session.device_height >= 96, 30)
        os.write(device.line, b"\x7e\x07\x05\x00")
    finally:
        device.close()
    assert device._process.returncode == 0


def test_garbage_on_the_line_is_survived() -> None:
    session = bridge()
    reports: list[Report] = []
    with EmulatedDevice(SETTINGS) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: session.device_height >= 96, 30)
        device.write(bytes(range(256)) * 4)
        assert line.pump_until(lambda: EVENT_CONFIRMED in drain(session, reports), 60), reports[-3:]


def test_settings_that_cannot_be_used_end_with_one_line() -> None:
    with EmulatedDevice({"network": "nonsense"}) as device, pytest.raises(DeviceStopped, match="unknown network"):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            device.read(0.2)


def test_all_kinds_of_payment_are_verified_by_the_device() -> None:
    archive = ArchiveChain("regtest", RECORDING.headers, 0)
    for payment in RECORDING.payments:
        proof = proof_from_block(REGTEST, RECORDING.blocks[payment.block_hash], payment.txid)
        archive.add_payment(
            payment.script_pubkey, FoundPayment(payment.height, payment.block_hash, payment.txid, proof)
        )
    requests = [
        {"request_id": i, "script_pubkey": p.script_pubkey.hex(), "min_amount": p.amount, "min_confirmations": 2}
        for i, p in enumerate(RECORDING.payments)
    ]
    assert len({len(p.script_pubkey) for p in RECORDING.payments}) == 3  # P2PKH, P2WPKH, P2TR
    session = BridgeSession(archive, "test")
    reports: list[Report] = []
    with EmulatedDevice({**SETTINGS, "requests": requests}) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: drain(session, reports).count(EVENT_RELAY_OFF) == 3, 60), reports[-3:]
    confirmed = [r.values[1] for r in reports if r.kind == EVENT and r.values[0] == EVENT_CONFIRMED]
    assert sorted(confirmed) == [0, 1, 2]


def test_a_bridge_that_floods_and_does_not_read() -> None:
    session = bridge()
    reports: list[Report] = []
    with EmulatedDevice(SETTINGS) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: session.device_height >= 96, 30)
        sequence = session.endpoint._sequence
        flood = encode_frame(CREDIT, sequence, b"\x81\x1a\x3f\xff\xff\xff")
        flood += b"".join(encode_frame(PING, sequence + 1 + i, b"\x81\x01") for i in range(12_000))
        end = time.monotonic() + 60
        while flood and time.monotonic() < end:  # it takes all of it, though nobody reads its PONGs
            select.select([], [device.line], [], 1)
            flood = flood[device.write(flood[:4096]) :]
        assert not flood and device._process.poll() is None
        line.session = session = bridge()
        assert line.pump_until(lambda: EVENT_RELAY_OFF in drain(session, reports), 60), reports[-3:]


def test_a_device_that_restarts_in_the_middle_begins_anew() -> None:
    session = bridge()
    reports: list[Report] = []
    with EmulatedDevice(SETTINGS) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: session.device_height >= 96, 30)
    with EmulatedDevice(SETTINGS) as device:  # the same bridge session, a fresh device
        line = Line(device, session)
        assert line.pump_until(lambda: EVENT_RELAY_OFF in drain(session, reports), 60), reports[-3:]
    assert drain(session, reports).count(EVENT_CONFIRMED) == 1


def test_a_bridge_that_restarts_in_the_middle_is_found_again() -> None:
    session = bridge()
    reports: list[Report] = []
    with EmulatedDevice(SETTINGS) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: session.device_height >= 96, 30)
        session = line.session = bridge()  # knows of nothing: the device's frames mean nothing to it
        # a fresh bridge is silent until the device says HELLO; so here it gets a reason at once
        device.write(encode_frame(23, 0, b""))
        assert line.pump_until(lambda: EVENT_CONFIRMED in drain(session, reports), 60), reports[-3:]


def test_frames_cut_and_repeated_on_the_line() -> None:
    session = bridge()
    reports: list[Report] = []
    spoilt = 0

    class Noisy(Line):
        def _flush(self) -> None:
            nonlocal spoilt
            while data := self.session.next_output():
                spoilt += 1
                if spoilt in (3, 9):
                    data = data[: len(data) // 2]
                    self.session.endpoint.send(PING, (1,))  # what follows shows that something is missing
                elif spoilt in (5, 14):
                    data = data * 2
                elif spoilt in (7, 12):
                    data = b"\x00" * 600 + data
                while data:
                    data = data[self.device.write(data) :]

    with EmulatedDevice(SETTINGS) as device:
        line = Noisy(device, session)
        assert line.pump_until(lambda: EVENT_RELAY_OFF in drain(session, reports), 60), reports[-3:]
    assert drain(session, reports).count(EVENT_RELAY_ON) == 1 and spoilt > 14


# --- with a store: killed in the middle, it goes on; a pulse cut short is told and not repeated ---


def kill(device: EmulatedDevice) -> None:
    """The power is gone, at once."""
    os.kill(device._process.pid, signal.SIGKILL)
    device._process.wait()


def with_store(folder: Path) -> dict[str, object]:
    folder.mkdir()
    return {**SETTINGS, "store": str(folder), "relay_seconds": 2}


def heights(reports: list[Report]) -> list[int]:
    return [report.values[1] for report in reports if report.kind == STATUS]


def test_a_killed_device_goes_on_and_pays_no_second_time(tmp_path: Path) -> None:
    settings = with_store(tmp_path / "store")
    session: BridgeSession = bridge()
    reports: list[Report] = []
    with EmulatedDevice(settings) as device:
        line = Line(device, session)
        assert line.pump_until(lambda: EVENT_RELAY_ON in drain(session, reports), 60), reports[-3:]
        kill(device)
    assert EVENT_RELAY_OFF not in drain(session, reports)

    session = bridge()
    reports = []
    with EmulatedDevice(settings) as device:
        line = Line(device, session)
        # the bridge offers the same proof again
        assert line.pump_until(lambda: EVENT_REFUSED in drain(session, reports), 60), reports[-3:]
        assert line.pump_until(lambda: RECORDING.tip_height in heights(reports), 60) or drain(session, reports)
        session.end(None)  # it was just going, and may have written down nothing: the next one is told as well
        line.pump(0.2)
        line.session, later = bridge(), []
        assert line.pump_until(lambda: EVENT_RELAY_OFF in drain(line.session, later), 60), later[-3:]
        line.pump_until(lambda: False, 6)  # for so long it must go on
        assert drain(line.session, later).count(EVENT_RELAY_OFF) == 1
    events = drain(session, reports)
    told = [report.values for report in reports if report.kind == EVENT]
    assert heights(reports)[0] > RECORDING.tip_height - 97  # it began where it was, not at genesis
    assert EVENT_CONFIRMED not in events and EVENT_RELAY_ON not in events
    (cut_short,) = [values for values in told if values[0] == EVENT_RELAY_OFF]
    assert cut_short[1] == 1 and "before the pulse" in cut_short[5]
    assert [values for values in told if values[0] == EVENT_REFUSED and "AlreadyActed" in values[5]]

    session = bridge()
    reports = []
    with EmulatedDevice(settings) as device:  # told once
        line = Line(device, session)
        assert line.pump_until(lambda: EVENT_REFUSED in drain(session, reports), 60), reports[-3:]
    assert EVENT_RELAY_OFF not in drain(session, reports)


def test_a_damaged_store_ends_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    settings = with_store(folder)
    session = bridge()
    with EmulatedDevice(settings) as device:
        assert Line(device, session).pump_until(lambda: session.device_height >= 96, 30)
    for name in ("chain.a", "chain.b"):
        (folder / name).write_bytes(b"")
    with EmulatedDevice(settings) as device:
        device._process.wait(20)
        assert device._last_words().startswith("CorruptStore: chain.a and chain.b")
    shutil.rmtree(folder)  # no new device: what it had acted on is lost
    with EmulatedDevice(settings) as device:
        device._process.wait(20)
        assert device._last_words().startswith("CorruptStore: " + str(folder) + ": missing")
