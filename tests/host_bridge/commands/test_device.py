"""`lightclient device` as people use it: on the real device program, over a serial line that is a pty."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from bridge_process import Process
from command_line import complaint, one_complaint, put, run
from support import require

from host_bridge.control.control import ControlFailed, DeviceControl
from host_bridge.control.state_transfer import send_state
from host_bridge.demo.recording import Recording
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.pairing.line import open_cable
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.payments.address import address_of
from host_bridge.stores.state_file import Exported, read_export
from lightclient.hashes import hash_to_hex
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.messages import ASK_CHANGE, ASK_INFO
from lightclient.params import REGTEST

HEADERS = Recording.load_default().headers


class Plugged:
    """`lightclient emulate` on a folder, and the options that lead other commands to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dev"
        self.link = folder / "line"
        self.state = folder / "state"
        self.process = Process("emulate", "--dir", self.folder, "--network", "regtest", "--link", self.link)
        self.wait("no bridge")

    def wait(self, words: str, count: int = 1) -> None:
        end = time.monotonic() + 30
        while sum(words in line for line in list(self.process.lines)) < count:
            assert time.monotonic() < end, (words, self.process.lines)
            time.sleep(0.02)

    @contextmanager
    def button_held(self, asked: str) -> Iterator[None]:
        """By a person, who tries again until the device says that it may be let go."""
        button = self.folder / "button"
        words = asked + " let go of the button"

        def count() -> int:
            return sum(words in line for line in list(self.process.lines))

        before = count()

        def hold() -> None:
            end = time.monotonic() + 30
            while count() == before:
                assert time.monotonic() < end, self.process.lines
                time.sleep(0.8)
                button.touch()
                time.sleep(0.8)
                button.unlink()

        with ThreadPoolExecutor(1) as person:
            held = person.submit(hold)
            yield
            held.result()

    def options(self) -> list[object]:
        return ["--serial", self.link, "--state-dir", self.state]

    def device(self, *arguments: object, code: int = 0) -> Any:
        return run("device", *arguments, *self.options(), code=code)

    def info(self) -> dict[str, Any]:
        return dict(json.loads(self.device("info", "--json").stdout))

    @property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "settings.json").read_text()))


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Plugged]:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))
    device = Plugged(tmp_path)
    with device.process:
        yield device


def state_at(height: int) -> HeaderRules:
    rules = HeaderRules(REGTEST)
    rules.begin_at_genesis(REGTEST.genesis_header, 0, Accumulator())
    rules.extend(bytearray(HEADERS[80 : 80 * (height + 1)]), 0, height, 0)
    return rules


def export(base: int, tip: int) -> bytes:
    """As `store export` writes it: from the header above `base` to `tip`."""
    checkpoint = encode_checkpoint(REGTEST, state_at(base).state)
    values = {0: 1, 1: "regtest", 2: checkpoint, 3: HEADERS[80 * (base + 1) : 80 * (tip + 1)]}
    return cbor2.dumps(values, canonical=True)


def exported(base: int, tip: int) -> Exported:
    return read_export(export(base, tip), 0)


def test_what_a_device_tells_and_does(plugged: Plugged) -> None:
    settings = plugged.settings
    info = plugged.info()
    assert info["device_id"] == settings["device_id"] and info["network"] == "regtest" and info["board"] == "simulated"
    assert info["tip_height"] == 0 and info["tip_hash"] == hash_to_hex(state_at(0).state.block_hash)
    assert info["paired"] is False and info["payments"] == 0 and info["heap_free"] > 0
    assert "tip height        0\n" in plugged.device("info").stdout
    assert settings["device_id"] in plugged.device("identify").stdout
    plugged.wait("this is the device " + settings["device_id"])
    assert plugged.device("log").stdout.splitlines()[-1] == "this is the device " + settings["device_id"]
    assert "starts anew" in plugged.device("reset").stdout
    plugged.wait("starts anew")
    plugged.wait("no bridge", 2)
    assert plugged.settings == settings


def test_settings_are_shown_without_secrets_and_few_are_set(plugged: Plugged) -> None:
    before = plugged.settings
    assert json.loads(plugged.device("settings", "--json").stdout)["relay_seconds"] == 3
    for change, word in {
        "relay_seconds=0": "not between 1 and 600",
        "relay_seconds=soon": "not an integer",
        "board=nonsense": "board is none of",
        "pairing_key=" + "00" * 32: "not set over the line",
        "store=elsewhere": "not set over the line",
        "network=mainnet": "not set over the line",
    }.items():
        result = plugged.device(
            "settings", "relay_seconds=5" if change[0] != "r" else "board=simulated", change, code=1
        )
        assert word in one_complaint(result.stderr)
        assert plugged.settings == before  # nothing of it
    plugged.device("settings", "relay_seconds=7", "board=simulated")
    plugged.wait("no bridge", 2)
    assert plugged.settings == {**before, "relay_seconds": 7}
    with open_cable(str(plugged.link)) as cable:
        control = DeviceControl(cable, PairedDevices(plugged.state))
        for argument in (b"", b"[]", b"{}", b"\xff", b"[" * 256, b'{"relay_seconds": 1}' + b" " * 300, b'{"a": 1'):
            with pytest.raises(ControlFailed) as caught:
                control.ask(ASK_CHANGE, argument)
            assert caught.value.name in ("BadMessage", "LimitExceeded")
        with pytest.raises(ControlFailed):
            control.ask(ASK_INFO, b"")
        with pytest.raises(ControlFailed):
            control.ask(ASK_INFO, b"\xff\xff\xff\x0f")
    assert plugged.settings == {**before, "relay_seconds": 7}


def test_a_paired_device_answers_its_owner_alone(plugged: Plugged, tmp_path: Path) -> None:
    run("pair", *plugged.options(), "--name", "door")
    plugged.wait("no bridge", 2)
    key = plugged.settings["pairing_key"]
    said = plugged.device("settings").stdout + plugged.device("info").stdout
    assert key not in said and "paired            true" in said
    for stranger in (tmp_path / "stranger", tmp_path / "liar"):
        if stranger.name == "liar":  # it knows of a device of this name, with another key
            stranger.mkdir()
            PairedDevices(stranger).add(bytes.fromhex(plugged.settings["device_id"]), bytes(32))
        for command in (["info"], ["settings", "relay_seconds=5"], ["reset"], ["log"], ["identify"]):
            words = complaint("device", *command, "--serial", plugged.link, "--state-dir", stranger, code=1)
            assert "paired with another bridge" in words
    assert "relay_seconds" not in plugged.settings
    plugged.device("settings", "relay_seconds=5")
    assert plugged.settings["pairing_key"] == key


def test_a_new_device_takes_a_state_and_then_what_follows_it(plugged: Plugged, tmp_path: Path) -> None:
    first = plugged.device("import-state", put(tmp_path / "first", export(100, 150)))
    assert "took the state as it is" in first.stdout and "regtest up to 150" in first.stdout
    plugged.wait("no bridge", 2)
    info = plugged.info()
    assert (info["tip_height"], info["first_height"]) == (150, 101)
    assert info["tip_hash"] == hash_to_hex(state_at(150).state.block_hash)
    # older than what it has
    older = put(tmp_path / "older", export(100, 140))
    assert "NotEnoughWork" in one_complaint(plugged.device("import-state", older, code=1).stderr)
    assert plugged.info()["tip_height"] == 150
    # from another base, beyond its tip
    second = plugged.device("import-state", put(tmp_path / "second", export(60, 200)))
    assert "took the headers that it lacked" in second.stdout
    plugged.wait("no bridge", 3)
    assert plugged.info()["tip_height"] == 200
    # what has nothing in common with it is for new devices alone
    beyond = put(tmp_path / "beyond", export(202, 204))
    assert "only a new store" in one_complaint(plugged.device("import-state", beyond, code=1).stderr)
    checked = run("store", "check", plugged.folder / "store", code=None)
    assert "StoreLocked" in checked.stderr or "good" in checked.stdout
    assert plugged.info()["tip_height"] == 200


def test_a_paired_device_takes_a_state_while_its_button_is_held(
    plugged: Plugged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("pair", *plugged.options(), "--name", "door")
    plugged.wait("no bridge", 2)
    file = put(tmp_path / "first", export(100, 150))
    with monkeypatch.context() as patch:
        patch.setattr("host_bridge.control.control._HAND_SECONDS", 1.0)
        assert "nobody has held" in plugged.device("import-state", file, code=1).stderr
    assert plugged.info()["tip_height"] == 0
    with plugged.button_held("NEW STATE?"):
        assert "took the state as it is" in plugged.device("import-state", file).stdout
    plugged.wait("no bridge", 3)
    assert plugged.info()["tip_height"] == 150
    # what follows by its work needs nobody
    assert "headers that it lacked" in plugged.device("import-state", put(tmp_path / "second", export(60, 200))).stdout


def test_a_device_judges_all_headers_before_it_takes_a_state(plugged: Plugged) -> None:
    good = exported(100, 150)
    broken = bytearray(good.headers)
    broken[80 * 20 + 40] ^= 1
    with open_cable(str(plugged.link)) as cable:
        control = DeviceControl(cable, PairedDevices(plugged.state))
        control.greet()
        with pytest.raises(ControlFailed) as caught:
            send_state(control, Exported(REGTEST, good.base, good.checkpoint, bytes(broken), good.tip))
        assert caught.value.name in ("BadLink", "BadProofOfWork")
        with pytest.raises(ControlFailed) as caught:  # no checkpoint
            send_state(control, Exported(REGTEST, good.base, good.checkpoint[:-1], good.headers, good.tip))
        assert control.ask_all(ASK_INFO).count(b'"tip_height": 0')
        took_base = send_state(control, good)
        assert took_base
    plugged.wait("no bridge", 2)
    assert plugged.info()["tip_height"] == 150


def addresses(first: int, end: int) -> str:
    """Of all four kinds."""
    hashes = [sha256(b"%d" % n).digest() for n in range(first, end)]
    scripts = [
        (b"\0\x14" + h[:20], b"\x76\xa9\x14" + h[:20] + b"\x88\xac", b"\xa9\x14" + h[:20] + b"\x87", b"\x51\x20" + h)
        for h in hashes
    ]
    return "".join(f"{address_of(kinds[n % 4], REGTEST)}\n" for n, kinds in enumerate(scripts))


def test_a_till_gets_its_items_and_addresses_at_pairing_and_new_ones_later(
    plugged: Plugged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "addresses.txt"
    file.write_text("# of the shop\n" + addresses(0, 100))
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(addresses(0, 9) + "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\n")
    before = plugged.settings
    assert "is no till" in one_complaint(plugged.device("till", code=1).stderr)
    said = one_complaint(run("pair", *plugged.options(), "--invoice-addresses", wrong, code=2).stderr)
    assert "line 10" in said and "another network than regtest" in said
    assert plugged.settings == before and not list(PairedDevices(plugged.state).list())
    items = ("--item", "Coffee=25000", "--item", "Apple pie=40000")
    with plugged.button_held("NEW TILL?"):
        result = run("pair", *plugged.options(), "--invoice-addresses", file, *items)
    assert "100 new addresses" in result.stdout
    assert one_complaint(result.stderr) == "hold the device's button, until it says that you may let go"
    plugged.wait("no bridge", 3)  # it has been paired, and it is a till
    told = json.loads(plugged.device("till", "--json").stdout)
    assert told["items"] == [{"name": "Coffee", "amount": 25_000}, {"name": "Apple pie", "amount": 40_000}]
    assert (told["addresses"], told["used"]) == (100, 0)
    scripts = (plugged.folder / plugged.settings["till"]["addresses"]).read_text().split()
    assert [address_of(bytes.fromhex(script), REGTEST) for script in scripts] == addresses(0, 100).split()
    # later: new prices, and another list; nothing of it when a part is wrong
    paired_settings = plugged.settings
    said = one_complaint(plugged.device("till", "--item", "Tea=1", "--invoice-addresses", wrong, code=2).stderr)
    assert "line 10" in said and plugged.settings == paired_settings
    file.write_text(addresses(50, 350))
    with monkeypatch.context() as patch:  # nobody is there
        patch.setattr("host_bridge.control.control._HAND_SECONDS", 1.0)
        said = plugged.device("till", "--item", "Tea=1", code=1).stderr
        assert said.splitlines()[1] == "lightclient: nobody has held the device's button for 1 s: nothing has changed"
    assert plugged.settings == paired_settings
    with plugged.button_held("NEW TILL?"):
        plugged.device("till", "--item", "Tea=1", "--invoice-addresses", file, "--minutes", 5)
    plugged.wait("no bridge", 4)
    said = plugged.device("till").stdout
    assert "Tea                   1 sat" in said and "addresses         300" in said and "minutes           5" in said


@pytest.mark.parametrize(
    "item", ["Coffee", "=5", "Coffee=", "Coffee=0", "Coffee=-1", "C=1.5", "x" * 21 + "=1", "Caf\u00e9=1"]
)
def test_items_that_cannot_be_used(item: str, tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path, "--serial", tmp_path / "nowhere")
    assert "--item" in complaint("device", "till", "--item", item, *state, code=2)
    assert "--item" in complaint("pair", "--item", item, *state, code=2)
    assert "at most 16" in complaint("device", "till", *["--item", "x=1"] * 17, *state, code=2)


def test_what_cannot_be_used(tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path)
    nowhere = ("--serial", tmp_path / "nowhere", *state)
    assert "not plugged in" in complaint("device", "info", *nowhere, code=2)
    assert json.loads(run("device", "info", "--json", *nowhere, code=2).stdout)["error"] == "Unusable"
    assert "not KEY=VALUE" in complaint("device", "settings", "relay_seconds", *nowhere, code=2)
    assert "given twice" in complaint("device", "settings", "a=1", "a=2", *nowhere, code=2)
    assert "not an exported store" in complaint(
        "device", "import-state", put(tmp_path / "x", b"\x00"), *nowhere, code=2
    )
