"""Makes settings.json durable, whole or not at all: with a pairing's keys, or as a new device needs it.

Set by a pairing: pairing_key, bridge (host, port, certificate), wifi (ssid, password), link, network. What
PAIR leaves empty of the last three stays as it was.
"""

import json
import os
from binascii import hexlify

from firmware.console import IS_BOARD
from lightclient.compat import const
from lightclient.errors import BadMessage, StoreError, StoreFull, WrongNetwork
from lightclient.params import NETWORKS

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lightclient.headers.store import Files
    from lightclient.pairing import Pairing

STORE = "store"  # the folder of a device that was given no other
BROKEN = "settings.bad"  # where settings go that could not be read
_PART = ".part"
_ENOENT = 2


def paired_settings(values: "dict[str, Any]", pairing: "Pairing") -> "dict[str, Any]":
    """`values` with what the pairing sets.

    Raises BadMessage when it is no text that can be written down, WrongNetwork for a device that has another one:
    its store and the payments it waits for are of that.
    """
    values = dict(values)
    if pairing.network:
        if pairing.network not in NETWORKS:
            raise WrongNetwork("this device does not know " + pairing.network)
        present = values.get("network", "mainnet") if values else pairing.network
        if present != pairing.network:
            raise WrongNetwork("this device is on " + str(present))
        values["network"] = pairing.network
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


def store_settings(files: "Files", name: str, values: "dict[str, Any]") -> None:
    """Write settings into the file `name`.

    When the power goes, or an error comes, the file is the old one or the new one. Raises StoreError.
    """
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


def change_settings(path: str, change: "Callable[[dict[str, Any]], dict[str, Any]]") -> None:
    """Have the settings file `path` say what `change` makes of what it says now.

    Raises StoreError, and what `change` raises.
    """
    try:
        values, is_broken = _read(path)
    except OSError as error:
        raise StoreError("the settings cannot be read: " + str(error))
    if is_broken:
        raise StoreError("the settings cannot be read: no JSON object")
    write_settings(path, change(values))


def store_pairing(files: "Files", name: str, values: "dict[str, Any]", pairing: "Pairing") -> "dict[str, Any]":
    """Write the settings `values` with the pairing into the file `name`; returns them. As store_settings raises."""
    values = paired_settings(values, pairing)
    store_settings(files, name, values)
    return values


def write_settings(path: str, values: "dict[str, Any]") -> None:
    """Write settings into the file `path`. Raises StoreError."""
    from firmware.files import FolderFiles  # noqa: PLC0415 - may be in use anyway, and costs memory

    folder, name = split(path)
    try:
        files = FolderFiles(folder)
    except OSError as error:
        raise StoreFull("the settings cannot be written: " + str(error))
    store_settings(files, name, values)


def make_store(path: str, values: "dict[str, Any]") -> "dict[str, Any]":
    """The settings with a store beside the file `path`; the folder is made first. Raises OSError, StoreError."""
    from firmware.files import FolderFiles  # noqa: PLC0415

    store = STORE if path.find("/") < 0 else path.rsplit("/", 1)[0] + "/" + STORE
    FolderFiles(store)
    values = dict(values)
    values["store"] = store
    return values


def pair_device(path: str, pairing: "Pairing") -> None:
    """Store the pairing in the settings file `path`. Raises StoreError, BadMessage, WrongNetwork.

    A device without settings, or with some that are no JSON, gets new ones; the old ones are kept in settings.bad.
    What it gets has a store, and so has whatever a board is given.
    """
    from firmware.files import FolderFiles  # noqa: PLC0415

    folder, name = split(path)
    try:
        files = FolderFiles(folder)
        values, is_broken = _read(path)
        paired = paired_settings(values, pairing)  # before anything changes
        if not values or (IS_BOARD and "store" not in values):
            paired = make_store(path, paired)
        if is_broken:
            os.rename(path, path[: -len(name)] + BROKEN)
    except (OSError, ValueError) as error:
        raise StoreError("the settings cannot be read: " + str(error))
    store_settings(files, name, paired)


def _read(path: str) -> "tuple[dict[str, Any], bool]":
    """The settings in the file, and whether it has some that cannot be read. Raises OSError."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError as error:
        if error.errno != _ENOENT:
            raise
        return {}, False
    except ValueError:
        return {}, True
    return (values, False) if isinstance(values, dict) else ({}, True)


def split(path: str) -> "tuple[str, str]":
    """Folder and name of a file."""
    folder, name = path.rsplit("/", 1) if "/" in path else (".", path)
    return folder or "/", name


def _hex(data: bytes) -> str:
    return hexlify(data).decode()
