"""`lightclient doctor` and serial lines: the device on real MicroPython, ports held by others, hostile devices."""

import json
import os
import subprocess
import sys
import threading
import time
import tty
from contextlib import contextmanager

import pytest
from bridge_process import BridgeProcess, Process, write_archive
from doctor_calls import diagnose, only, repair, results
from support import require

from host_bridge.doctor import device, processes, serial_port
from host_bridge.emulator.micropython import MicroPythonNotFound, require_micropython
from lightclient.messages import HELLO, encode
from lightclient.wire import encode_frame

HOLDS = "import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(1, flush=True); time.sleep(60)"
REPLAY = {"replay": {"minimum_chainwork": "10"}}


@pytest.fixture
def bridge(tmp_path):
    """Options of the bridge, but for the port."""
    return ["--node", write_archive(tmp_path / "archive"), "--state-dir", tmp_path / "state"]


@contextmanager
def plugged_in(tmp_path, **settings):
    """The path of a device on real MicroPython."""
    try:
        require_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))
    folder = tmp_path / "device"
    folder.mkdir()
    values = {"network": "regtest", "epochs": 2, "store": "", "device_id": "d00f", **REPLAY, **settings}
    values = {key: value for key, value in values.items() if value is not None}
    (folder / "settings.json").write_text(json.dumps(values))
    port = tmp_path / "ttyDEV"
    with Process("emulate", "--dir", folder, "--link", port) as emulator:
        end = time.monotonic() + 20
        while not port.exists() and time.monotonic() < end:
            time.sleep(0.05)
        yield port, emulator


@contextmanager
def terminal():
    """(our end, path of the other)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    os.close(theirs)
    try:
        yield ours, path
    finally:
        os.close(ours)


def test_a_device_before_and_after_its_pairing_and_while_it_is_served(bridge, tmp_path):
    with plugged_in(tmp_path) as (port, _):
        arguments = [*bridge, "--serial", port]
        finding = only(diagnose(*arguments, code=1), "device")
        assert "firmware 0." in finding["detail"] and "regtest: it is not paired with this bridge" in finding["detail"]
        assert finding["fix"] == f"lightclient pair --serial {port} --state-dir {tmp_path}/state"
        repair(finding)
        found = diagnose(*arguments)
        assert only(found, "device")["detail"].endswith("regtest, paired with this bridge")
        assert results(found)["certificate"] == results(found)["devices"] == "good"
        with BridgeProcess(*arguments) as running:
            running.event(event="connected")
            found = diagnose(*arguments)
            served = only(found, "serial")["detail"]
            assert "is served by the bridge (python" in served and f" host_bridge (pid {running.pid}))" in served
            assert results(found)["device"] == "good"
            # from another state folder it is a stranger that holds the port
            found = diagnose(*bridge[:2], "--state-dir", tmp_path / "other", "--serial", port, code=1)
            assert only(found, "serial")["fix"] == f"kill {running.pid}"
            assert running.end()[0] == 0
        # paired with another key than the bridge has
        path = tmp_path / "state" / "devices.json"
        listed = json.loads(path.read_text())
        listed["devices"][0]["pairing_key"] = "11" * 32
        path.write_text(json.dumps(listed))
        assert "it has another pairing key" in only(diagnose(*arguments, code=1), "device")["detail"]


def test_a_device_of_another_network(bridge, tmp_path):
    with plugged_in(tmp_path, network="signet", replay=None) as (port, _):
        found = diagnose(*bridge, "--serial", port, code=1)
        told = [finding["detail"] for finding in found if finding["check"] == "device"]
        assert any("is on signet, but this bridge serves regtest" in text for text in told), told


def test_a_port_that_another_program_holds(bridge, monkeypatch):
    monkeypatch.setattr(device, "HELLO_SECONDS", 0.5)
    with terminal() as (_, path):
        with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE, text=True) as other:
            try:
                other.stdout.readline()
                finding = only(diagnose(*bridge, "--serial", path, code=1), "serial")
                assert f"{path} is held by" in finding["detail"] and finding["fix"] == f"kill {other.pid}"
                repair(finding)
                assert other.wait(10) != 0
            finally:
                other.kill()
        found = diagnose(*bridge, "--serial", path, code=1)
        assert results(found)["serial"] == "good"
        assert "nothing answers in" in only(found, "device")["detail"]


def test_ports_that_are_none(bridge, tmp_path):
    file = tmp_path / "a file"
    file.write_text("")
    found = diagnose(*bridge, "--serial", file, "--serial", tmp_path / "nothing", code=1)
    told = [finding["detail"] for finding in found if finding["check"] == "serial"]
    assert told == [f"{file}: not a serial port", f"{tmp_path}/nothing: not plugged in"]


def hello(firmware="1", network="regtest", name=b"\xd0", version=1):
    payload = bytearray(300)
    length = encode(HELLO, (version, network, 600, 4, name, firmware, 0, bytes(16)), payload)
    return encode_frame(HELLO, 0, payload[:length])


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"\x1b[2J\x1b]0;owned\x07 Traceback: no\r\n", "but this came:"),
        (b"\r\nMicroPython v1.28\r\n>>> ", "MicroPython's prompt answers"),
        (b"\x00\xff" * 2000, "answers"),
        (hello(version=9), "version 9 of the protocol"),
        (hello(name=b""), "a device without an id"),
        (hello()[:-3], "answers"),
        (hello().replace(b"regtest", b"reg\x1b\x07st"), "answers"),
    ],
)
def test_devices_that_are_none_of_ours(bridge, monkeypatch, says, words):
    monkeypatch.setattr(device, "HELLO_SECONDS", 1.0)
    with terminal() as (ours, path):
        os.write(ours, b"")
        stop = threading.Event()

        def talk():
            os.set_blocking(ours, False)
            while not stop.wait(0.1):
                try:
                    os.write(ours, says)
                except BlockingIOError:
                    pass

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            finding = only(diagnose(*bridge, "--serial", path, code=1), "device")
        finally:
            stop.set()
            talker.join()
        assert words in finding["detail"], finding


def test_a_device_that_reads_and_says_nothing_ends_in_time(bridge):
    with terminal() as (_, path):
        started = time.monotonic()
        assert "nothing answers" in only(diagnose(*bridge, "--serial", path, code=1), "device")["detail"]
        assert time.monotonic() - started < 15


# --- udev and ModemManager ---


def look_at_rule(tmp_path, monkeypatch, manager=()):
    monkeypatch.setattr(serial_port, "RULE_FOLDERS", [tmp_path / "etc", tmp_path / "lib"])
    monkeypatch.setattr(serial_port, "has_udev", lambda: True)
    monkeypatch.setattr(serial_port, "running", lambda name: list(manager))
    return only(diagnose("--node", "archive:none", "--state-dir", tmp_path / "s", "--serial", "auto", code=1), "udev")


def test_the_udev_rule(tmp_path, monkeypatch):
    manager = [processes.Program(1, "ModemManager", 0)]
    (tmp_path / "etc").mkdir()
    finding = look_at_rule(tmp_path, monkeypatch, manager)
    assert finding["result"] == "warning" and "ModemManager (pid 1) talks to every board" in finding["detail"]
    assert f"cp {serial_port.RULES} {tmp_path}/etc/ && " in finding["fix"]
    assert finding["fix"].endswith("systemctl restart ModemManager")
    rule = tmp_path / "etc" / serial_port.RULES.name
    rule.write_text("")
    assert "another rule than this program's" in look_at_rule(tmp_path, monkeypatch)["detail"]
    rule.write_bytes(serial_port.RULES.read_bytes())
    assert look_at_rule(tmp_path, monkeypatch, manager)["result"] == "good"


def test_nothing_plugged_in(tmp_path, monkeypatch):
    monkeypatch.setattr(serial_port, "find_boards", list)
    options = ["--node", write_archive(tmp_path / "a"), "--state-dir", tmp_path / "s"]
    assert only(diagnose(*options), "serial")["result"] == "warning"
    assert only(diagnose(*options, "--serial", "auto", "--listen", "127.0.0.1:0"), "serial")["result"] == "good"
