"""The list of paired devices: who is served, and what a damaged or open file does."""

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from host_bridge.pairing import paired_devices, private_files
from host_bridge.pairing.paired_devices import DEVICES_FILE, BadDeviceList, PairedDevices

DOOR = b"door-001"
TILL = b"\x00\xff"
KEY = bytes(range(32))
OTHER = bytes(32)


def test_from_pending_to_revoked_and_back(tmp_path: Path) -> None:
    devices = PairedDevices(tmp_path)
    assert devices.key_of(DOOR) == b"" and devices.list() == []
    devices.begin(DOOR, KEY, "front door")
    assert devices.key_of(DOOR) == b"" and devices.list() == []  # it has not said that it has it
    assert devices.pending_key(DOOR) == KEY and list(devices.known_keys(DOOR)) == [KEY]
    devices.add(DOOR, KEY)
    assert devices.key_of(DOOR) == KEY and devices.name_of(DOOR) == "front door"
    devices.begin(DOOR, OTHER)
    assert devices.key_of(DOOR) == KEY and list(devices.known_keys(DOOR)) == [OTHER, KEY]
    devices.revoke(DOOR)
    assert devices.key_of(DOOR) == b"" and list(devices.known_keys(DOOR)) == [OTHER, KEY]
    assert [device.revoked for device in devices.list()] == [True]
    devices.add(DOOR, OTHER, "back door")
    assert devices.key_of(DOOR) == OTHER and devices.name_of(DOOR) == "back door"
    assert devices.name_of(TILL) == "00ff"


def test_a_running_bridge_sees_what_pair_and_revoke_do(tmp_path: Path) -> None:
    bridge, tool = PairedDevices(tmp_path), PairedDevices(tmp_path)
    for i in range(5):
        tool.add(DOOR, bytes([i]) * 32)
        assert bridge.key_of(DOOR) == bytes([i]) * 32
    tool.revoke(DOOR)
    assert bridge.key_of(DOOR) == b""
    bridge.add(TILL, KEY)  # what the other has written is kept
    assert [device.device_id for device in tool.list()] == [TILL.hex(), DOOR.hex()]
    tool.path.unlink()
    assert bridge.key_of(TILL) == b""


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = PairedDevices(tmp_path)
    devices.add(DOOR, KEY)
    assert devices.key_of(DOOR) == KEY
    monkeypatch.setattr(paired_devices, "_devices_in", lambda _: pytest.fail("read again"))
    for _ in range(3):
        assert devices.key_of(DOOR) == KEY


def test_found_by_name_or_by_how_its_id_begins(tmp_path: Path) -> None:
    devices = PairedDevices(tmp_path)
    devices.add(b"\xab\xcd\x01", KEY, "a")
    devices.add(b"\xab\xcd\x02", KEY, "b")
    devices.add(b"\xff", KEY, "abcd")
    assert [d.device_id for d in devices.find("a")] == ["abcd01"]
    assert [d.device_id for d in devices.find("ABCD0")] == ["abcd01", "abcd02"]
    assert [d.device_id for d in devices.find("abcd")] == ["ff"]  # the name goes first
    assert list(devices.find("")) == [] and list(devices.find("zz")) == []


def test_the_file_is_for_its_owner(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        devices = PairedDevices(tmp_path)
        devices.add(DOOR, KEY)
    finally:
        os.umask(old)
    assert stat.S_IMODE(devices.path.stat().st_mode) == 0o600 and os.listdir(tmp_path) == [DEVICES_FILE]


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = PairedDevices(tmp_path)
    devices.add(DOOR, KEY)
    before = devices.path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        devices.add(TILL, KEY)
    assert devices.path.read_bytes() == before and os.listdir(tmp_path) == [DEVICES_FILE]
    assert PairedDevices(tmp_path).key_of(DOOR) == KEY


DEVICE = {"device_id": "ab", "name": "x", "pairing_key": "00" * 32}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"format": 2, "devices": []}),
        json.dumps({"format": 1}),
        json.dumps({"format": 1, "devices": [1]}),
        json.dumps({"format": 1, "devices": [{}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "pairing_key": "00"}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "pairing_key": 5}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "pending_key": "zz"}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "device_id": ""}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "device_id": "00" * 17}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "name": 7}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "revoked": "no"}]}),
        json.dumps({"format": 1, "devices": [{**DEVICE, "more": 1}]}),
        json.dumps({"format": 1, "devices": [DEVICE] * 10_001}),
    ],
)
def test_a_file_that_is_wrong_serves_nobody(content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    devices = PairedDevices(tmp_path)
    devices.add(DOOR, KEY)
    assert devices.key_of(DOOR) == KEY
    devices.path.write_text(content)
    with caplog.at_level(logging.ERROR):
        assert devices.key_of(DOOR) == b""
    assert "no device is served" in caplog.text and KEY.hex() not in caplog.text
    with pytest.raises(BadDeviceList) as caught:
        PairedDevices(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadDeviceList):
        devices.add(TILL, KEY)
    assert devices.path.read_text() == content


def test_a_file_that_others_can_read_serves_nobody(tmp_path: Path) -> None:
    devices = PairedDevices(tmp_path)
    devices.add(DOOR, KEY)
    assert devices.key_of(DOOR) == KEY
    devices.path.chmod(0o644)
    assert devices.key_of(DOOR) == b""
    with pytest.raises(BadDeviceList, match="chmod 600"):
        PairedDevices(tmp_path)
    devices.path.chmod(0o600)
    assert devices.key_of(DOOR) == KEY
