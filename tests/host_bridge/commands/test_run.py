"""`lightclient run`: the device program on CPython, paired over its line, synced over TLS, ended by a signal."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from bridge_process import Process
from command_line import complaint, run
from tls_bridge import TlsBridge

from host_bridge.demo.recording import Recording
from host_bridge.pairing.certificate import load_or_make
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession

HEADERS = Recording.load_default().headers[: 80 * 201]


def wait(process: Process, words: str, count: int = 1) -> None:
    end = time.monotonic() + 30
    while sum(words in line for line in list(process.complaints)) < count:
        assert time.monotonic() < end, (words, process.complaints)
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_paired_over_its_line_it_syncs_over_tls_and_keeps_what_it_knows(number: int, tmp_path: Path) -> None:
    folder, state, link = tmp_path / "device", tmp_path / "state", tmp_path / "line"
    state.mkdir()
    certificate = load_or_make(state)
    devices = PairedDevices(state)
    archive = ArchiveChain("regtest", HEADERS, 0)
    with (
        TlsBridge(lambda: BridgeSession(archive, "test", devices.key_of), certificate.server_context()) as bridge,
        Process("run", "--dir", folder, "--network", "regtest", "--link", link) as device,
    ):
        wait(device, "no bridge")
        address = f"127.0.0.1:{bridge.port}"
        run("pair", "--serial", link, "--state-dir", state, "--name", "till", "--address", address)
        wait(device, "ready, tip 200")
        code, seconds = device.end(number)
        assert code == 0 and seconds < 5 and not link.is_symlink()
    assert "good" in run("store", "check", folder / "store").stdout
    values: dict[str, Any] = json.loads(run("store", "info", folder / "store", "--json").stdout)
    assert values["tip_height"] == 200
    assert json.loads((folder / "settings.json").read_text())["link"] == "tcp"
    assert (folder / "settings.json").stat().st_mode & 0o77 == 0


def test_asked_over_its_line_it_answers(tmp_path: Path) -> None:
    link = tmp_path / "line"
    options = ("--serial", link, "--state-dir", tmp_path / "state")
    with Process("run", "--dir", tmp_path / "device", "--network", "regtest", "--link", link) as device:
        wait(device, "no bridge")
        run("device", "settings", "relay_seconds=4", *options)
        wait(device, "no bridge", 2)
        assert json.loads(run("device", "settings", "--json", *options).stdout)["relay_seconds"] == 4


def test_what_cannot_be_used(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"network": "regtest", "window": 1}))
    words = run("run", "--settings", settings, code=2).stderr
    assert "window is not between" in words
    assert "unknown board" in run("run", "--dir", tmp_path / "d", "--board", "nonsense", code=2).stderr
    assert "not a serial port" in complaint("run", "--dir", tmp_path / "e", "--serial", settings, code=2)
    settings.write_text("{")
    assert run("run", "--settings", settings, code=2).exit_code == 2
    assert run("run", "--settings", settings, "--network", "regtest", code=2).exit_code == 2
    assert "unknown network" in complaint("run", "--dir", tmp_path / "f", "--network", "x", code=2)
