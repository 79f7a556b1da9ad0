"""`lightclient emulate` and `lightclient pair` as people use them: processes, and a serial line between."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from command_line import PROCESS, ROOT, complaint, one_complaint, run, run_process
from support import require
from tls_bridge import TlsBridge

from host_bridge.demo.recording import Recording
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.pairing.certificate import load_or_make
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession
from lightclient.messages import GOODBYE
from lightclient.params import REGTEST
from lightclient.wire import encode_frame

RECORDING = Recording.load_default()
HEADERS = RECORDING.headers[: 80 * 201]


@pytest.fixture(autouse=True)
def _needs_micropython() -> None:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))


class Emulation:
    """`lightclient emulate` with these arguments; `lines` is what it has said."""

    def __init__(self, *arguments: object) -> None:
        command = [*PROCESS, "emulate", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )
        self.lines: list[str] = []
        self.said: str | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, "") if self._keep(line))

    def _keep(self, line: str) -> bool:
        self.lines.append(line.rstrip("\n"))
        return False

    def wait(self, words: str, seconds: float = 30, count: int = 1) -> str:
        """The last line with these words, once there are `count`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in self.lines if words in line]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError((words, self.lines))

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; its exit code and what it said on stderr."""
        if self.said is None:
            if self.process.poll() is None:
                self.process.send_signal(number)
            self.process.wait(15)
            self._thread.join(5)
            assert self.process.stderr is not None and self.process.stdout is not None
            self.said = self.process.stderr.read()
            self.process.stderr.close()
            self.process.stdout.close()
        return self.process.returncode, self.said


@contextlib.contextmanager
def emulating(*arguments: object) -> Iterator[Emulation]:
    emulation = Emulation(*arguments)
    try:
        yield emulation
    finally:
        emulation.stop()


class SerialBridge:
    """A bridge on a serial line, by pyserial; a thread of its own."""

    def __init__(self, path: Path, state: Path) -> None:
        archive = ArchiveChain("regtest", HEADERS, 0)
        self.session = BridgeSession(archive, "test", PairedDevices(state).key_of)
        self._port = serial.Serial(str(path), timeout=0.05, exclusive=True)
        for number in (0, 1):  # so that a device that waits for whoever was there before greets us soon
            self._port.write(encode_frame(GOODBYE, number, b"\x82\x00\x60"))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            while output := self.session.next_output():
                self._port.write(output)
            self.session.receive(self._port.read(4096))

    def __enter__(self) -> "SerialBridge":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._port.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_as_with_a_board(tmp_path: Path) -> None:
    folder, state, link = tmp_path / "dev1", tmp_path / "state", tmp_path / "line"
    with emulating("--dir", folder, "--network", "regtest", "--link", link) as device:
        assert device.wait("serial line").endswith(str(link)) and link.is_symlink()
        device.wait("not paired, no bridge")
        pair = ["pair", "--serial", link, "--state-dir", state]
        shown = run_process(*pair, "--name", "door").stdout
        fingerprint = load_or_make(state).fingerprint
        assert fingerprint in shown and "door" in shown
        device.wait(f"paired with the bridge {fingerprint}")
        device.wait("starts anew")
        assert stat.S_IMODE((folder / "settings.json").stat().st_mode) == 0o600
        (listed,) = [
            json.loads(line) for line in run("pair", "--list", "--state-dir", state, "--json").stdout.splitlines()
        ]
        assert (listed["name"], listed["revoked"]) == ("door", False)
        assert not any("key" in field for field in listed)
        with SerialBridge(link, state):
            device.wait("ready, tip 200")
            assert "busy: another program has it open" in run_process(*pair, code=2).stderr
        # another computer's bridge does not get it
        refused = run_process("pair", "--serial", link, "--state-dir", tmp_path / "other", code=1)
        assert "paired with another bridge" in one_complaint(refused.stderr)
        # again by its own, for programs
        again = json.loads(run_process(*pair, "--json").stdout)
        assert again["name"] == "door" and again["fingerprint"] == fingerprint and again["network"] == "regtest"
        run("pair", "--revoke", "door", "--state-dir", state)
        assert "revoked" in run("pair", "--list", "--state-dir", state).stdout
        device.wait("no bridge", count=2)
        with SerialBridge(link, state):
            device.wait("NotPaired")
        children = device.children()
        assert len(children) == 1
        assert device.stop(signal.SIGINT) == (0, "")
    assert not any(map(alive, children)) and not link.is_symlink()
    # what it knew stays in its folder
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["device_id"] == listed["device_id"] and (folder / "store" / "chain.a").exists()


def test_a_fleet_that_dials(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    archive = ArchiveChain("regtest", HEADERS, 0)
    certificate = load_or_make(state)
    devices = PairedDevices(state)
    with TlsBridge(lambda: BridgeSession(archive, "test", devices.key_of), certificate.server_context()) as bridge:
        options = ["--network", "regtest", "--devices", 3, "--connect", f"127.0.0.1:{bridge.port}"]
        options += ["--dir", tmp_path / "fleet", "--state-dir", state]
        with emulating(*options) as fleet:
            fleet.wait("ready, tip 200", 60, 3)
            names = {line.split()[0] for line in fleet.lines if "ready, tip 200" in line}
            assert names == {"dev1", "dev2", "dev3"}
            assert sorted(device.name for device in devices.list()) == ["dev1", "dev2", "dev3"]
            assert len({device.device_id for device in devices.list()}) == 3
            children = fleet.children()
            assert len(children) == 3 and fleet.stop() == (0, "")
        assert not any(map(alive, children))
        keys = [device.pairing_key for device in devices.list()]
        with emulating(*options) as fleet:  # paired already
            fleet.wait("ready, tip 200", 60, 3)
        assert [device.pairing_key for device in devices.list()] == keys


def test_a_device_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "dev1"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"network": "regtest", "window": 1}))
    result = run_process("emulate", "--dir", folder, code=1)
    assert "window is not between" in result.stdout and "dev1  ended with exit code 1" in result.stdout
    assert "dev1" in one_complaint(result.stderr)


def test_what_it_is_to_wait_for(tmp_path: Path) -> None:
    payment = RECORDING.payments[0]
    with emulating(
        "--dir", tmp_path, "--network", "regtest", "--wait-for", f"{payment.script_pubkey.hex()}:5000:2:150",
        "--wait-for", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080:7",
    ) as device:  # fmt: skip
        device.wait("no bridge")
    requests = json.loads((tmp_path / "settings.json").read_text())["requests"]
    assert requests[0] == {
        "request_id": 1,
        "script_pubkey": payment.script_pubkey.hex(),
        "min_amount": 5000,
        "min_confirmations": 2,
        "from_height": 150,
    }
    assert requests[1]["min_amount"] == 7 and requests[1]["from_height"] == 0 and requests[1]["min_confirmations"] == 1
    assert requests[1]["script_pubkey"].startswith("0014")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--network", "nonsense"],
        ["--devices", "0"],
        ["--devices", "65"],
        ["--connect", "nowhere"],
        ["--connect", "host:0"],
        ["--connect", "::1:8433"],
        ["--wait-for", "00"],
        ["--wait-for", "00:x"],
        ["--wait-for", "00:-1"],
        ["--wait-for", "00:1:0"],
        ["--wait-for", "00:1:1:x"],
        ["--wait-for", "00:1:1:1:1"],
        ["--wait-for", "00:1:1:1073741824"],
        ["--wait-for", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080:7"],  # of another network
        ["--wait-for", "51:1"] * 9,
    ],
)
def test_arguments_that_cannot_be_used(arguments: list[str], tmp_path: Path) -> None:
    result = run("emulate", "--dir", tmp_path / "dev", *arguments, code=2)
    assert "Traceback" not in result.stderr


def test_a_folder_of_another_network_and_a_link_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"network": "signet"}))
    assert "is on signet, not regtest" in complaint("emulate", "--dir", tmp_path, "--network", REGTEST.name, code=2)
    (tmp_path / "file").write_text("kept")
    words = complaint("emulate", "--dir", tmp_path, "--link", tmp_path / "file", code=2)
    assert "no symbolic link" in words and (tmp_path / "file").read_text() == "kept"
    (tmp_path / "settings.json").write_text("[]")
    assert "not an object" in complaint("emulate", "--dir", tmp_path, code=2)


# --- pair, without a device ---


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--serial", "/dev/no-such-port"], 2, "not plugged in"),
        (["--serial", "/dev/null"], 2, "/dev/null"),
        (["--list", "--name", "x"], 2, "no other option"),
        (["--wifi", "x"], 2, "--wifi needs --address"),
        (["--address", "host"], 2, "HOST:PORT"),
        (["--address", "h:1", "--wifi", "x"], 2, "no terminal"),
        (["--address", "h:1", "--wifi", "s" * 33, "--wifi-password-file", "/dev/null"], 2, "/dev/null"),
        (["--revoke", "nobody"], 2, "no device is called"),
    ],
)
def test_pair_that_cannot_be_done(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    assert words in complaint("pair", "--state-dir", tmp_path, *arguments, code=code)


def test_no_board_on_usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_bridge.links.serial_ports.list_ports.comports", list)
    assert "no device was found on USB" in complaint("pair", "--state-dir", tmp_path, code=2)


def test_nothing_is_paired_yet(tmp_path: Path) -> None:
    assert "no device is paired yet" in complaint("pair", "--list", "--state-dir", tmp_path, code=0)


def test_a_key_that_others_can_read_ends_it(tmp_path: Path) -> None:
    load_or_make(tmp_path).key_path.chmod(0o644)
    assert "chmod 600" in complaint("pair", "--serial", "/dev/null", "--state-dir", tmp_path, code=2)


def test_wifi_password_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("short\n")
    options = ["--address", "h:1", "--wifi", "x", "--wifi-password-file", tmp_path / "password"]
    assert "8 to 63" in complaint("pair", "--state-dir", tmp_path, "--serial", "/dev/null", *options, code=1)
