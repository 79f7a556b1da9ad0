"""The devices that a bridge serves: `devices.json`, for its owner alone, written whole or not at all.

A pairing has two steps, so that a cable pulled out in between leaves no device that nobody can pair: the
new key is written down as pending before the device gets it, and becomes its key once the device has
said that it has it. A revoked device keeps its entry: what is known of its key lets it be paired anew.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from host_bridge.pairing.private_files import NotPrivate, read_private, write_private
from lightclient.messages import cut_text
from lightclient.pairing import PAIRING_KEY_SIZE

DEVICES_FILE = "devices.json"
MAX_DEVICES = 10_000
_MAX_FILE = 8 << 20
_MAX_ID = 16
_log = logging.getLogger("lightclient.devices")


class BadDeviceList(Exception):
    """devices.json can't be used; the text is one line."""


@dataclass(frozen=True)
class PairedDevice:
    """Bytes are in hex. `pairing_key` is empty until the device has said that it has it; `paired` in Unix seconds."""

    device_id: str
    name: str
    pairing_key: str = ""
    pending_key: str = ""
    paired: int = 0
    revoked: bool = False

    @property
    def is_served(self) -> bool:
        return bool(self.pairing_key) and not self.revoked


class PairedDevices:
    """Raises BadDeviceList where the file is wrong or others can read it, OSError where it can't be read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / DEVICES_FILE
        self._seen: tuple[int, ...] | None = None
        self._devices: dict[str, PairedDevice] = {}
        self._refresh()

    def key_of(self, device_id: bytes) -> bytes:
        """The pairing key of a device that is served, else empty. Reads the file again when it has changed.

        Raises nothing: while the file can't be used, no device is served, and the log says why.
        """
        try:
            self._refresh()
        except (BadDeviceList, OSError) as error:
            _log.error("no device is served: %s", error)
            self._devices = {}
            return b""
        device = self._devices.get(device_id.hex())
        return bytes.fromhex(device.pairing_key) if device and device.is_served else b""

    def name_of(self, device_id: bytes) -> str:
        """The name that people gave it, else its device_id in hex."""
        device = self._devices.get(device_id.hex())
        return device.name if device and device.name else device_id.hex()

    def list(self) -> Sequence[PairedDevice]:
        """All that are or were paired, by name."""
        self._refresh()
        return sorted((d for d in self._devices.values() if d.pairing_key), key=lambda d: (d.name, d.device_id))

    def find(self, text: str) -> Sequence[PairedDevice]:
        """Those of this name, or whose device_id is or begins with `text` (hex)."""
        found = [d for d in self.list() if text in (d.name, d.device_id)]
        return found or [d for d in self.list() if text and d.device_id.startswith(text.lower())]

    def known_keys(self, device_id: bytes) -> Sequence[bytes]:
        """Keys that the device may have, the likeliest first: also of one that is revoked."""
        self._refresh()
        device = self._devices.get(device_id.hex())
        keys = [device.pending_key, device.pairing_key] if device else []
        return [bytes.fromhex(key) for key in keys if key]

    def pending_key(self, device_id: bytes) -> bytes:
        """The key that it was about to be given, empty when there is none."""
        self._refresh()
        device = self._devices.get(device_id.hex())
        return bytes.fromhex(device.pending_key) if device else b""

    def begin(self, device_id: bytes, key: bytes, name: str = "") -> None:
        """Write down that the device is about to be given `key`; it is not served by it yet."""
        self._change(device_id, key, name, is_pending=True)

    def add(self, device_id: bytes, key: bytes, name: str = "") -> None:
        """The device has this key, and is served from now on. An empty name leaves it the one it has."""
        self._change(device_id, key, name, is_pending=False)

    def revoke(self, device_id: bytes) -> None:
        """Serve it no more. (A bridge that runs ends its session when it looks: `key_of`.)"""
        with self._alone():
            device = self._devices.get(device_id.hex())
            if device is not None:
                self._devices[device.device_id] = replace(device, revoked=True)
                self._write()

    def _change(self, device_id: bytes, key: bytes, name: str, is_pending: bool) -> None:
        if len(key) != PAIRING_KEY_SIZE or not 0 < len(device_id) <= _MAX_ID:
            raise ValueError("a pairing key has 32 bytes, a device_id 1 to 16")
        with self._alone():
            device = self._devices.get(device_id.hex()) or PairedDevice(device_id.hex(), "")
            device = replace(device, name=cut_text(name, 40) or device.name)
            if is_pending:
                device = replace(device, pending_key=key.hex())
            else:
                device = replace(device, pairing_key=key.hex(), pending_key="", paired=int(time.time()), revoked=False)
            if len(self._devices) >= MAX_DEVICES and device.device_id not in self._devices:
                raise BadDeviceList(f"{self.path}: {MAX_DEVICES} devices are all that it takes")
            self._devices[device.device_id] = device
            self._write()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Read, change and write without another program in between."""
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._refresh()
            yield
        finally:
            os.close(handle)

    def _refresh(self) -> None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            self._seen = None
            self._devices = {}
            return
        # whoever writes it puts a new file in its place
        seen = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
        if seen != self._seen:
            self._seen = None
            self._devices = _devices_in(self.path)
            self._seen = seen

    def _write(self) -> None:
        entries = [asdict(device) for _, device in sorted(self._devices.items())]
        write_private(self.path, json.dumps({"format": 1, "devices": entries}, indent=1).encode())


def _devices_in(path: Path) -> dict[str, PairedDevice]:
    try:
        values = json.loads(read_private(path, _MAX_FILE))
        if values["format"] != 1 or len(values["devices"]) > MAX_DEVICES:
            raise ValueError("of another format, or too long")
        devices = [PairedDevice(**entry) for entry in values["devices"]]
        for device in devices:
            sizes = [len(bytes.fromhex(text)) for text in (device.pairing_key, device.pending_key)]
            if any(size not in (0, PAIRING_KEY_SIZE) for size in sizes):
                raise ValueError("a key that is not of 32 bytes")
            if not 0 < len(bytes.fromhex(device.device_id)) <= _MAX_ID or device.revoked not in (True, False):
                raise ValueError("a device_id that is not of 1 to 16 bytes")
            if not isinstance(device.name, str) or not isinstance(device.paired, int):
                raise ValueError("a name or time that is none")
    except NotPrivate as error:
        raise BadDeviceList(str(error)) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadDeviceList(f"{path}: not a list of devices: {error}") from None
    return {device.device_id.lower(): device for device in devices}
