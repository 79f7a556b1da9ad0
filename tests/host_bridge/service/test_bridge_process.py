"""`lightclient bridge` as a user runs it, with the device on real MicroPython: on a serial line, and over TLS."""

import json
import os
import signal
import socket
import time

import pytest
from bridge_process import RECORDING, BridgeProcess, Process, write_archive
from support import require

from host_bridge.emulator.micropython import MicroPythonNotFound, require_micropython

TIP = RECORDING.tip_height
REPLAY = {"replay": {"minimum_chainwork": "10"}}

ENDS_WITHIN = 2.0  # seconds, as docs/BRIDGE.md promises


def _needs_micropython():
    try:
        require_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))


def device(tmp_path, *arguments, name="dev"):
    """A device on real MicroPython, of its own folder; it comes with a clock that stands in the replay."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    settings = folder / "settings.json"
    if not settings.exists():
        settings.write_text(json.dumps({"network": "regtest", "epochs": 2, "store": "", **REPLAY}))
        settings.chmod(0o600)
    return Process("emulate", "--dir", folder, *arguments)


def test_a_device_on_a_serial_line_and_a_bridge_that_comes_and_goes(tmp_path):
    _needs_micropython()
    node = write_archive(tmp_path / "archive")
    port = tmp_path / "ttyDEV"
    options = ["--node", node, "--serial", port, "--state-dir", tmp_path / "state", "--serial-unpaired"]
    with device(tmp_path, "--link", port), BridgeProcess(*options) as bridge:
        bridge.event(event="status", height=TIP, state="ready")
        assert bridge.event(event="unpaired")["level"] == "warning"
        assert bridge.memory() < 120 << 20
        bridge.end(signal.SIGKILL)
        with BridgeProcess(*options) as second:
            second.event(event="connected", seconds=10)
            code, seconds = second.end()
            assert (code, second.complaints) == (0, [])
            assert seconds < ENDS_WITHIN
            assert second.events[-1]["event"] == "stopped"
        with BridgeProcess(*options) as third:
            third.event(event="connected", seconds=10)
            assert third.end(signal.SIGINT)[0] == 0


def test_a_device_that_is_unplugged_and_comes_back(tmp_path):
    _needs_micropython()
    port = tmp_path / "ttyDEV"
    options = ["--node", write_archive(tmp_path / "archive"), "--serial", port, "--state-dir", tmp_path / "state"]
    with BridgeProcess(*options, "--serial-unpaired") as bridge:
        bridge.wait_for(lambda line: "not plugged in" in line)
        for times in (1, 2):
            with device(tmp_path, "--link", port):
                bridge.wait_for(lambda _: len(connected(bridge)) == times)  # noqa: B023 - called at once
        assert bridge.end()[0] == 0


def connected(bridge):
    return [event for event in bridge.events if event.get("event") == "connected"]


def test_devices_over_tls_paired_then_revoked(tmp_path):
    _needs_micropython()
    state = tmp_path / "state"
    with BridgeProcess(
        "--node", write_archive(tmp_path / "archive"), "--listen", "127.0.0.1:0", "--state-dir", state
    ) as bridge:
        address = bridge.event(event="listening")["address"]
        with device(tmp_path, "--connect", address, "--state-dir", state):
            device_id = bridge.event(event="connected")["device_id"]
            bridge.event(event="status", height=TIP, state="ready")
            with Process("pair", "--revoke", device_id, "--state-dir", state) as revoke:
                assert revoke.wait() == 0, revoke.complaints
            bridge.wait_for(lambda line: "revoked" in line, 3)
            bridge.wait_for(lambda line: '"turned_away"' in line and "NotPaired" in line)
        assert len(connected(bridge)) == 1
        assert bridge.end()[0] == 0


def test_an_unpaired_device_on_a_serial_line_gets_nothing(tmp_path):
    _needs_micropython()
    port = tmp_path / "ttyDEV"
    options = ["--node", write_archive(tmp_path / "archive"), "--serial", port, "--state-dir", tmp_path / "state"]
    with device(tmp_path, "--link", port), BridgeProcess(*options) as bridge:
        bridge.event(event="ended", error="NotPaired")
        time.sleep(2)
        assert not connected(bridge)
        assert sum(event.get("error") == "NotPaired" for event in bridge.events) == 1


def test_one_bridge_on_a_state_folder(tmp_path):
    options = ["--node", write_archive(tmp_path / "archive"), "--listen", "127.0.0.1:0", "--state-dir", tmp_path / "s"]
    with BridgeProcess(*options) as bridge:
        bridge.event(event="index")
        with BridgeProcess(*options) as second:
            assert second.wait() == 2
        assert "another bridge" in second.complaints[0] and len(second.complaints) == 1
        assert bridge.end()[0] == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "s").iterdir() if path.is_file()}
    assert set(modes.values()) == {0o600}, modes


def test_a_node_of_another_network_ends_it_and_one_that_is_away_does_not(tmp_path):
    archive = write_archive(tmp_path / "archive")
    common = ["--listen", "127.0.0.1:0", "--state-dir", tmp_path / "state"]
    with BridgeProcess("--node", archive, "--network", "signet", *common) as bridge:
        assert bridge.wait() == 2
    assert "regtest, not on signet" in bridge.complaints[0]
    with socket.create_server(("127.0.0.1", 0)) as nobody:  # it takes connections, and says nothing
        away = f"core://user:secret@127.0.0.1:{nobody.getsockname()[1]}"
        for options, word in ((["--network", "regtest"], "listening"), ([], "started")):
            with BridgeProcess("--node", away, *options, *common) as bridge:
                bridge.event(event=word)
                time.sleep(0.5)
                code, seconds = bridge.end()
                assert code == 0 and seconds < ENDS_WITHIN
            assert "secret" not in "".join(bridge.lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no device could reach this bridge"),
        (["--listen", "8433"], "ADDR:PORT"),
        (["--serial", "auto", "--network", "moon"], "unknown network"),
        (["--serial", "auto", "--node", "http://x"], "node: a node URL begins with"),
        (["--config", "no/such/file"], "no/such/file"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, words):
    with Process("bridge", "--state-dir", tmp_path / "state", *arguments) as bridge:
        assert bridge.wait() == 2
    assert len(bridge.complaints) == 1 and words in bridge.complaints[0], bridge.complaints


def test_systemd_is_told(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(path)
        channel.settimeout(20)
        options = ["--node", write_archive(tmp_path / "a"), "--listen", "127.0.0.1:0"]
        environment = {"NOTIFY_SOCKET": path, "STATE_DIRECTORY": str(tmp_path / "state"), "WATCHDOG_USEC": "1000000"}
        with BridgeProcess(*options, **environment) as bridge:
            said: list[bytes] = []
            while b"STATUS=serving devices" not in said or said.count(b"WATCHDOG=1") < 2:
                said.append(channel.recv(100))
            assert [word for word in said if word != b"WATCHDOG=1"] == [b"READY=1", b"STATUS=serving devices"]
            bridge.end()
            while (word := channel.recv(100)) == b"WATCHDOG=1":
                pass
            assert word == b"STOPPING=1"
        assert os.path.exists(tmp_path / "state" / "bridge.lock")


def test_a_block_of_a_real_node_reaches_every_device_within_two_seconds(tmp_path, regtest_node):
    _needs_micropython()
    node = f"core://127.0.0.1:{regtest_node.port}/?cookie={regtest_node.cookie_file}"
    state, port = tmp_path / "state", tmp_path / "ttyDEV"
    options = ["--node", node, "--listen", "127.0.0.1:0", "--serial", port, "--serial-unpaired", "--state-dir", state]
    with BridgeProcess(*options) as bridge, device(tmp_path, "--link", port, name="cable"):
        address = bridge.event(event="listening")["address"]
        with device(tmp_path, "--connect", address, "--state-dir", state, name="wifi"):
            height = regtest_node.rpc("getblockcount")
            bridge.wait_for(lambda _: at_height(bridge, height) == 2)
            regtest_node.mine(1)
            started = time.monotonic()
            bridge.wait_for(lambda _: at_height(bridge, height + 1) == 2)
            assert time.monotonic() - started < 2.0
        assert bridge.end()[0] == 0


def at_height(bridge, height):
    """How many devices have come to it."""
    found = {e["device"] for e in bridge.events if e.get("event") == "status" and e["height"] == height}
    return len(found)
