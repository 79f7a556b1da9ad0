"""Pairing over a cable: the real device on MicroPython, and the code that `lightclient pair` runs."""

import contextlib
import json
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_files import Chance, MemoryFiles, PowerCut
from support import require

from firmware.pairing import pair_device, paired_settings, store_pairing
from firmware.settings import Settings, load_settings
from hardware.board import RESTART
from host_bridge.emulator.emulator import WHOLE_DEVICE_HEAP, DeviceStopped, EmulatedDevice
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from host_bridge.pairing.certificate import load_or_make
from host_bridge.pairing.line import pair_over
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.pairing.pairing import Offer, PairingFailed, PairingSession
from lightclient.endpoint import Endpoint
from lightclient.errors import BadMessage, StoreError, StoreFull, WrongNetwork
from lightclient.messages import BRIDGE, HELLO, PAIR, PAIRED
from lightclient.pairing import Pairing
from lightclient.wire import encode_frame

ID = b"door"
SETTINGS: dict[str, Any] = {"network": "regtest", "device_id": ID.hex(), "relay_seconds": 7}


class PtyCable:
    """An emulated device's line, as pair_over wants it."""

    def __init__(self, device: EmulatedDevice) -> None:
        self._device = device

    def read(self, size: int) -> bytes:
        return self._device.read(0.1)

    def write(self, data: bytes) -> int:
        select.select([], [self._device.line], [], 2)
        return self._device.write(data)


class PluggedIn:
    """A device that starts with `settings`, and what stands in its settings.json afterwards."""

    def __init__(self, device: EmulatedDevice) -> None:
        self.device = device
        self.cable = PtyCable(device)
        self.path = Path(device._folder.name) / "settings.json"

    @property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text()))

    @property
    def console(self) -> str:
        return (self.path.parent / "console").read_text()

    def ended_with(self) -> int:
        end = time.monotonic() + 20
        while self.device._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(DeviceStopped):
                self.device.read(0.1)
        return self.device._process.wait(1)


@contextlib.contextmanager
def plugged_in(settings: dict[str, Any]) -> Iterator[PluggedIn]:
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))
    with EmulatedDevice(settings, WHOLE_DEVICE_HEAP) as device:
        yield PluggedIn(device)


def test_a_new_device_is_paired_and_starts_anew(tmp_path: Path) -> None:
    certificate = load_or_make(tmp_path)
    devices = PairedDevices(tmp_path)
    offer = Offer(certificate.der, "192.168.1.20", 8433, "Küche 5", "pass word")
    with plugged_in(SETTINGS) as device:
        session = PairingSession(devices, offer, "front door")
        assert pair_over(device.cable, session, 30) == ID
        assert device.ended_with() == RESTART
        settings = device.settings
        assert f"paired with the bridge {certificate.fingerprint}\n" in device.console
        assert [path.name for path in device.path.parent.iterdir() if "part" in path.name] == []
    assert devices.key_of(ID).hex() == settings["pairing_key"] and devices.name_of(ID) == "front door"
    assert settings["bridge"] == {"host": "192.168.1.20", "port": 8433, "certificate": certificate.der.hex()}
    assert settings["wifi"] == {"ssid": "Küche 5", "password": "pass word"}
    assert settings["link"] == "tcp" and settings["relay_seconds"] == 7
    assert Settings(settings).host == "192.168.1.20"
    # plugged in again, it listens to the cable though its link is the network; its owner needs no reset
    with plugged_in({**settings, "bridge": {**settings["bridge"], "host": "127.0.0.1", "port": 1}}) as device:
        assert pair_over(device.cable, PairingSession(devices, Offer(certificate.der)), 30) == ID
        assert device.ended_with() == RESTART
        again = device.settings
    assert again["link"] == "stream" and again["wifi"] == settings["wifi"]
    assert devices.key_of(ID).hex() == again["pairing_key"] != settings["pairing_key"]


def paired(tmp_path: Path, name: str, key: bytes) -> PairedDevices:
    folder = tmp_path / name
    folder.mkdir()
    devices = PairedDevices(folder)
    if key:
        devices.add(ID, key)
    return devices


@pytest.mark.parametrize("known", [b"", bytes(32)], ids=["knows no key", "knows a wrong key"])
def test_a_stranger_does_not_take_a_paired_device_over(known: bytes, tmp_path: Path) -> None:
    stranger = paired(tmp_path, "stranger", known)
    before = {**SETTINGS, "pairing_key": "11" * 32}
    with plugged_in(before) as device:
        with pytest.raises(PairingFailed, match="paired with another bridge already: reset it"):
            pair_over(device.cable, PairingSession(stranger, Offer(b"der")), 30)
        assert device.settings == before and device.device._process.poll() is None
        assert "AuthenticationFailed" in device.console
        assert stranger.key_of(ID) == known
        # and it still is its owner's
        owner = paired(tmp_path, "owner", b"\x11" * 32)
        assert pair_over(device.cable, PairingSession(owner, Offer(b"der")), 30) == ID


def test_a_revoked_device_is_paired_again_by_its_bridge(tmp_path: Path) -> None:
    devices = paired(tmp_path, "owner", b"\x11" * 32)
    devices.revoke(ID)
    with plugged_in({**SETTINGS, "pairing_key": "11" * 32}) as device:
        pair_over(device.cable, PairingSession(devices, Offer(b"der")), 30)
        assert device.ended_with() == RESTART
        assert devices.key_of(ID).hex() == device.settings["pairing_key"] != "11" * 32


@pytest.mark.parametrize("had", [b"", b"\x11" * 32], ids=["new", "paired before"])
def test_a_cable_pulled_out_before_the_answer_loses_no_device(had: bytes, tmp_path: Path) -> None:
    devices = paired(tmp_path, "owner", had)
    with plugged_in({**SETTINGS, "pairing_key": had.hex()}) as device:
        lost = PairingSession(devices, Offer(b"der"))
        lost._paired = lambda *_: None  # type: ignore[method-assign]  # PAIRED does not come
        with pytest.raises((PairingFailed, DeviceStopped)):
            pair_over(device.cable, lost, 30)
        assert device.ended_with() == RESTART
        settings = device.settings
    assert devices.key_of(ID) == had and devices.pending_key(ID).hex() == settings["pairing_key"]
    with plugged_in(settings) as device:
        assert pair_over(device.cable, PairingSession(devices, Offer(b"der")), 30) == ID
    assert devices.key_of(ID).hex() == settings["pairing_key"]


def test_a_certificate_that_is_none_locks_nobody_out(tmp_path: Path) -> None:
    devices = paired(tmp_path, "owner", b"\x11" * 32)
    broken = {"host": "127.0.0.1", "port": 1, "certificate": "00"}
    with plugged_in({**SETTINGS, "pairing_key": "11" * 32, "link": "tcp", "bridge": broken}) as device:
        assert pair_over(device.cable, PairingSession(devices, Offer(b"der")), 30) == ID
        assert "no network: " in device.console


# --- the bridge's side alone ---


class FakeDevice:
    def __init__(self, session: PairingSession) -> None:
        self.session = session
        self.endpoint = Endpoint(BRIDGE, 4, 600)

    def say(self, kind: int, *values: Any) -> list[int]:
        """Say it; the types of what comes back."""
        if kind == HELLO:
            self.endpoint.begin(0)
        self.endpoint.send(kind, values)
        self.session.receive(self.endpoint.next_output())
        heard = []
        while output := self.session.next_output():
            self.endpoint.receive(output, 0, len(output))
            heard.append(self.endpoint.read_message(False))
        return heard

    def hello(self, device_id: bytes = ID, room: int = 4096, version: int = 1) -> list[int]:
        return self.say(HELLO, version, "regtest", room, 4, device_id, "1", 0, bytes(16))


def test_what_a_device_may_get_wrong(tmp_path: Path) -> None:
    devices = PairedDevices(tmp_path)
    cases: list[tuple[str, Callable[[FakeDevice], object]]] = [
        ("version 2", lambda d: d.hello(version=2)),
        ("no device_id", lambda d: d.hello(b"")),
        ("too few", lambda d: d.hello(room=256)),
        ("another device", lambda d: (d.hello(), d.hello(b"other"))),
        ("another certificate", lambda d: (d.hello(), d.say(PAIRED, ID, bytes(32)))),
        ("another certificate", lambda d: (d.hello(), d.say(PAIRED, ID, b""))),
        ("refuses: StoreFull", lambda d: (d.hello(), d.say(20, 0x84, "StoreFull: no room"))),
        ("another bridge", lambda d: (d.hello(), d.say(20, 0xA4, ""))),
    ]
    for words, wrong in cases:
        with pytest.raises(PairingFailed, match=words) as caught:
            wrong(FakeDevice(PairingSession(devices, Offer(bytes(400)))))
        assert "\n" not in str(caught.value)
        assert devices.key_of(ID) == b""


def test_what_is_no_answer_is_passed_over(tmp_path: Path) -> None:
    session = PairingSession(PairedDevices(tmp_path), Offer(b"der"))
    device = FakeDevice(session)
    assert device.say(PAIRED, ID, bytes(32)) == [] and device.say(20, 0xA4, "") == []  # to no PAIR of ours
    for junk in (b"\x00\xffMicroPython v1.28\r\n>>> ", encode_frame(99, 0, b""), encode_frame(HELLO, 0, b"\x80")):
        session.receive(junk)
    assert session.next_output() == b"" and not session.has_heard
    assert device.hello() == [PAIR] and device.hello() == [PAIR]


class Silent:
    def read(self, size: int) -> bytes:
        time.sleep(0.01)
        return b""

    def write(self, data: bytes) -> int:
        return len(data)


def test_a_line_without_a_device(tmp_path: Path) -> None:
    with pytest.raises(PairingFailed, match="nothing that speaks lightclient"):
        pair_over(Silent(), PairingSession(PairedDevices(tmp_path), Offer(b"")), 0.1)


@pytest.mark.parametrize(
    "values",
    [
        (bytes(1025),),
        (b"", "h" * 254, 1),
        (b"", "h", 65_536),
        (b"", "höst", 1),
        (b"", "h", 1, "s" * 33),
        (b"", "h", 1, "ü" * 17),
        (b"", "h", 1, "s", "short"),
        (b"", "h", 1, "s", "p" * 65),
        (b"", "h", 1, "s", "pässwörter"),
    ],
)
def test_what_cannot_be_offered(values: tuple[Any, ...]) -> None:
    with pytest.raises(PairingFailed) as caught:
        Offer(*values)
    assert "\n" not in str(caught.value)


def test_every_pairing_has_a_key_of_its_own(tmp_path: Path) -> None:
    devices = PairedDevices(tmp_path)
    names = [b"a", b"b", b"c"]
    for name in names:
        FakeDevice(PairingSession(devices, Offer(b""))).hello(name)
    keys = {devices.pending_key(name) for name in names}
    assert len(keys) == 3 and all(len(key) == 32 for key in keys)


# --- settings.json, whole or not at all ---

NEW = Pairing(bytes(32), b"der" * 100, "host", 1, b"ssid", "password")


def test_power_cut_at_every_step_of_writing_the_settings() -> None:
    old = {"network": "regtest", "pairing_key": "11" * 32, "wifi": {"ssid": "a", "password": "b"}}
    new = json.dumps(paired_settings(old, NEW)).encode()
    before = MemoryFiles()
    before.write("settings.json", json.dumps(old).encode())
    before.write("other", b"kept")
    whole = before.copy()
    store_pairing(whole, "settings.json", old, NEW)
    assert whole.content("settings.json") == new and whole.names() == ["other", "settings.json"]
    seen = set()
    for step in range(whole.steps):
        for variant in range(40):
            files = before.copy()
            files.cut_after = step
            files.chance = Chance(step * 100 + variant)
            with pytest.raises(PowerCut):
                store_pairing(files, "settings.json", old, NEW)
            content = bytes(files.content("settings.json"))
            assert content in (json.dumps(old).encode(), new) and files.content("other") == b"kept"
            seen.add((step, content == new))
            files.cut_after = -1
            store_pairing(files, "settings.json", old, NEW)  # what the cut left is no hindrance
            assert files.content("settings.json") == new
    assert (0, False) in seen and (whole.steps - 1, True) in seen


def test_a_full_flash_changes_nothing() -> None:
    old = {"network": "regtest"}
    files = MemoryFiles(400)
    files.write("settings.json", json.dumps(old).encode())
    with pytest.raises(StoreFull):
        store_pairing(files, "settings.json", old, NEW)
    assert json.loads(files.content("settings.json")) == old


def test_settings_that_cannot_be_read_or_written_down(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        pair_device(str(path), NEW)
    for wrong in (
        Pairing(bytes(32), b"der", "host", 1, b"\xff", ""),
        Pairing(bytes(32), b"der", "host", 0, b"", ""),
        Pairing(bytes(32), b"", "host", 1, b"", ""),
    ):
        with pytest.raises(BadMessage):
            paired_settings({}, wrong)


@pytest.mark.parametrize("before", [None, "{", "[]"])
def test_a_device_that_was_never_set_up_gets_settings_and_a_store(before: str | None, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    if before is not None:
        path.write_text(before)
    pairing = Pairing(bytes(32), b"der", "", 0, b"", "", "signet")
    pair_device(str(path), pairing)
    settings = load_settings(str(path))
    assert settings.network.name == "signet" and settings.store == str(tmp_path / "store")
    assert (tmp_path / "store").is_dir() and settings.pairing_key == bytes(32)
    assert before is None or (tmp_path / "settings.bad").read_text() == before
    # it has a network now, and keeps it
    with pytest.raises(WrongNetwork):
        pair_device(str(path), Pairing(bytes(32), b"der", "", 0, b"", "", "mainnet"))
    pair_device(str(path), Pairing(b"n" * 32, b"der", "", 0, b"", ""))
    assert load_settings(str(path)).network.name == "signet"


def test_networks_that_a_device_does_not_take() -> None:
    pairing = Pairing(bytes(32), b"", "", 0, b"", "", "signet")
    for values in ({"store": "store"}, {"network": "regtest"}):  # the first is on mainnet
        with pytest.raises(WrongNetwork):
            paired_settings(values, pairing)
    with pytest.raises(WrongNetwork):
        paired_settings({}, Pairing(bytes(32), b"", "", 0, b"", "", "nonsense"))
