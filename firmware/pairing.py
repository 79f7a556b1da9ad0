"""Makes a pairing durable: settings.json with the new keys, whole or not at all.

Set by it: pairing_key, bridge (host, port, certificate), wifi (ssid, password), link. What PAIR leaves
empty of the last two stays as it was.
"""

import json
from binascii import hexlify

from lightclient.errors import BadMessage, StoreError, StoreFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lightclient.headers.store import Files
    from lightclient.pairing import Pairing

_PART = ".part"


def paired_settings(values: "dict[str, Any]", pairing: "Pairing") -> "dict[str, Any]":
    """`values` with what the pairing sets. Raises BadMessage when it is no text that can be written down."""
    values = dict(values)
    values["pairing_key"] = _hex(pairing.pairing_key)
    values["bridge"] = {"host": pairing.host, "port": pairing.port, "certificate": _hex(pairing.certificate)}
    if pairing.wifi_ssid:
        try:
            ssid = str(pairing.wifi_ssid, "utf-8")
        except ValueError:
            raise BadMessage("PAIR.wifi_ssid is no UTF-8")
        values["wifi"] = {"ssid": ssid, "password": pairing.wifi_password}
    if pairing.host:
        if not pairing.port or not pairing.certificate:
            raise BadMessage("PAIR: a host without port or certificate")
        values["link"] = "tcp"
    elif values.get("link") != "uart":
        values["link"] = "stream"
    return values


def store_pairing(files: "Files", name: str, values: "dict[str, Any]", pairing: "Pairing") -> "dict[str, Any]":
    """Write the settings `values` with the pairing into the file `name`; returns them.

    When the power goes, or an error comes, the file is the old one or the new one. Raises StoreError.
    """
    values = paired_settings(values, pairing)
    data = json.dumps(values).encode()
    try:
        files.write(name + _PART, data)
        files.sync()
        check = bytearray(len(data))
        if files.read_into(name + _PART, 0, check) != len(data) or check != data:
            raise StoreError("the settings do not read back")
        files.rename(name + _PART, name)
        files.sync()
    except (OSError, MemoryError) as error:
        raise StoreFull("the settings cannot be written: " + str(error))
    return values


def pair_device(path: str, pairing: "Pairing") -> None:
    """Store the pairing in the settings file `path`. Raises StoreError, BadMessage."""
    from firmware.files import FolderFiles  # noqa: PLC0415 - may be in use anyway, and costs memory

    try:
        with open(path) as file:
            values = json.load(file)
        folder, name = path.rsplit("/", 1) if "/" in path else (".", path)
        files = FolderFiles(folder or "/")
    except (OSError, ValueError) as error:
        raise StoreError("the settings cannot be read: " + str(error))
    store_pairing(files, name, values, pairing)


def _hex(data: bytes) -> str:
    return hexlify(data).decode()
