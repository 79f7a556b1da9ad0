"""Answers what a device's owner asks over the cable (docs/PROTOCOL.md, ASK). Loaded when the first question comes.

Who asks has proved to know the pairing key, or the device has none. Secrets are not told, and what is
set is a small named set of keys; for all else there is the prompt.
"""

import json
import sys
from binascii import hexlify

from firmware.console import IS_BOARD, read_log
from firmware.device import folder_of
from firmware.files import FolderFiles
from firmware.hand import Hand
from firmware.pairing import change_settings
from firmware.settings import check_settings
from lightclient import __version__
from lightclient.compat import const
from lightclient.errors import BadMessage, LightClientError, LimitExceeded, StoreError
from lightclient.hashes import hash_to_hex
from lightclient.limits import MAX_COUNT, MAX_TOLD
from lightclient.messages import (
    ASK_ADDRESSES,
    ASK_CHANGE,
    ASK_END,
    ASK_IDENTIFY,
    ASK_INFO,
    ASK_LOG,
    ASK_RESTART,
    ASK_SETTINGS,
    ASK_STATE,
    STATES,
)
from lightclient.pairing import short_fingerprint

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from firmware.device import Device
    from firmware.state_import import StateImport
    from firmware.till_list import TillList

# What may be told of settings.json, and what may be set. `board` takes a name that this computer has a driver for.
_SHOWN = (
    "network",
    "replay",
    "old_payments",
    "store",
    "epochs",
    "window",
    "board",
    "relay_seconds",
    "device_id",
    "link",
)
CHANGEABLE = ("relay_seconds", "board")
_BOARDS = ("pico",) if IS_BOARD else ("simulated", "terminal", "raspberry-pi")
_MAX_CHANGE = const(256)  # bytes of JSON
_MAX_TILL = const(3072)
_OF_TILL = ("items", "confirmations", "minutes", "addresses")


class Control:
    """For one device; `answer` is its client's `on_ask`."""

    def __init__(self, device: "Device", settings_path: str) -> None:
        self._device = device
        self._path = settings_path
        self._text = b""  # of the last answer, told piece by piece
        self._import: "StateImport | None" = None
        self._list: "TillList | None" = None
        self._hand = Hand(device)

    def answer(self, question: int, argument: memoryview) -> "tuple[bytes, int]":
        """A piece of the answer, and how many bytes follow it. Raises a LightClientError."""
        try:
            return self._answer(question, argument)
        except (OSError, ValueError, OverflowError) as error:  # a file that is not what it should be ends no program
            raise StoreError("the flash: " + str(error))

    def _answer(self, question: int, argument: memoryview) -> "tuple[bytes, int]":
        if question <= ASK_SETTINGS:
            return self._tell(question, argument)
        if question == ASK_IDENTIFY:
            self._identify()
        elif question == ASK_RESTART:
            self._device.restart_soon("restarts: its owner asked for it")
        elif question == ASK_CHANGE:
            self._change(argument)
        elif question <= ASK_END:
            return self._import_state(question, argument), 0
        else:
            return self._set_till(question, argument), 0
        return b"", 0

    # --- what is told, in pieces: the argument is where the next one begins ---

    def _tell(self, question: int, argument: memoryview) -> "tuple[bytes, int]":
        if len(argument) != 4:
            raise BadMessage("ASK.argument: 4 bytes, where the piece begins")
        start = int.from_bytes(bytes(argument), "little")
        if start == 0:
            if question == ASK_LOG:
                self._text = _log(self._device)
            else:
                values = self._info() if question == ASK_INFO else self._settings()
                self._text = json.dumps(values).encode()
        if start > len(self._text):
            raise LimitExceeded("the answer has " + str(len(self._text)) + " bytes")
        piece = self._text[start : start + MAX_TOLD]
        left = len(self._text) - start - len(piece)
        if not left:
            self._text = b""
        return piece, left

    def _info(self) -> "dict[str, Any]":
        device = self._device
        client = device.client
        chain = client.chain
        settings = device.settings
        return {
            "firmware_version": __version__,
            "python": sys.version,
            "network": chain.network.name,
            "tip_height": chain.tip_height,
            "tip_hash": hash_to_hex(chain.state.block_hash),
            "tip_time": chain.state.time,
            "state": STATES[client.state],
            "first_height": chain.store.first_height,
            "store": settings.store,
            "payments": device.payments_acted_on(),
            "cut_short": device.pulses_cut_short(),
            "heap_free": min(device.board.heap_free(), MAX_COUNT),
            "flash_free": _flash_free(settings.store or "."),
            "board": settings.board_name,
            "unique_id": hexlify(device.board.unique_id()).decode(),
            "device_id": hexlify(device.device_id).decode(),
            "paired": bool(settings.pairing_key),
            "fingerprint": _fingerprint(settings.certificate),
            "link": settings.link,
            "problem": device.link.problem,
        }

    def _read_settings(self) -> "dict[str, Any]":
        try:
            with open(self._path) as file:
                values = json.load(file)
        except (OSError, ValueError) as error:
            raise StoreError("the settings cannot be read: " + str(error))
        if not isinstance(values, dict):
            raise StoreError("the settings cannot be read: not an object")
        return values

    def _settings(self) -> "dict[str, Any]":
        values = self._read_settings()
        shown = {key: values[key] for key in _SHOWN if key in values}
        settings = self._device.settings
        shown["relay_seconds"] = settings.relay_ms // 1000  # also where it is left out
        shown["board"] = settings.board_name
        shown["paired"] = bool(settings.pairing_key)
        if settings.host:
            shown["bridge"] = {
                "host": settings.host,
                "port": settings.port,
                "fingerprint": _fingerprint(settings.certificate),
            }
        if settings.wifi[0]:
            shown["wifi"] = {"ssid": settings.wifi[0]}
        shown["requests"] = len(settings.requests)
        if settings.till is not None:
            from firmware.till_list import till_as_told  # noqa: PLC0415

            shown["till"] = till_as_told(settings.till, self._files())
        shown["changeable"] = list(CHANGEABLE)
        return shown

    # --- what is done ---

    def _identify(self) -> None:
        name = hexlify(self._device.device_id).decode()
        self._device.board.show("this is the device " + name)
        if self._device.face is not None:
            self._device.face.identify(name)

    def _change(self, argument: memoryview) -> None:
        """Set what the JSON object names, all of it or nothing."""
        changes = _object(argument, _MAX_CHANGE, CHANGEABLE)
        if "board" in changes and changes["board"] not in _BOARDS:
            raise BadMessage("settings: board is none of " + ", ".join(_BOARDS))
        change_settings(self._path, lambda values: _changed(values, changes))
        self._device.restart_soon("has new settings, and starts anew")

    def _set_till(self, question: int, argument: memoryview) -> bytes:
        """Addresses, in pieces; then what is to be changed of the till, the list included: all of it or nothing."""
        if question == ASK_ADDRESSES:
            if bytes(argument[:4]) == bytes(4):
                from firmware.till_list import TillList  # noqa: PLC0415 - asked seldom

                self._list = None
                self._list = TillList(self._files(), folder_of(self._path), self._read_settings())
            if self._list is None:
                raise BadMessage("no list of addresses has begun")
            return self._list.take(argument)
        changes = _object(argument, _MAX_TILL, _OF_TILL)
        given = None
        if "addresses" in changes:
            given = self._list
            if given is None:
                raise BadMessage("no list of addresses has begun")
            given.finish(changes["addresses"])
            changes["addresses"] = given.name

        def change(values: "dict[str, Any]") -> "dict[str, Any]":
            values = _changed(values, {"till": _changed_till(values, changes)})
            self._hand.require("NEW TILL?")
            return values

        change_settings(self._path, change)
        self._list = None
        if self._device.face is not None:
            self._device.face.till = None  # it has the old list
        self._device.restart_soon("has a new till, and starts anew")
        if given is not None:
            given.remove_old()
        return b""

    def _files(self) -> "FolderFiles":
        return FolderFiles(folder_of(self._path))

    def _import_state(self, question: int, argument: memoryview) -> bytes:
        from firmware.state_import import StateImport  # noqa: PLC0415 - once in a device's life

        if question == ASK_STATE:
            self._import = None
            self._import = StateImport(self._device, argument, self._hand)
        if self._import is None:
            raise BadMessage("no import of a state has begun")
        return self._import.take(question, argument)


def _object(argument: memoryview, most: int, keys: "tuple[str, ...]") -> "dict[str, Any]":
    """The JSON object that says what to set: some of `keys`."""
    if len(argument) > most:
        raise LimitExceeded("settings: " + str(len(argument)) + " bytes, at most " + str(most))
    try:
        changes = json.loads(bytes(argument).decode())
    except (ValueError, RuntimeError):
        raise BadMessage("settings: no JSON")
    if not isinstance(changes, dict) or not changes:
        raise BadMessage("settings: not an object, or empty")
    for key in changes:
        if key not in keys:
            raise BadMessage("settings: " + str(key) + " is not set over the line")
    return changes


def _changed_till(values: "dict[str, Any]", changes: "dict[str, Any]") -> "dict[str, Any]":
    old = values.get("till")
    till = dict(old) if isinstance(old, dict) else {}
    till.update(changes)
    for key in ("items", "addresses"):
        if key not in till:
            raise BadMessage("the till has no " + key + " yet")
    return till


def _changed(values: "dict[str, Any]", changes: "dict[str, Any]") -> "dict[str, Any]":
    if not values:
        raise StoreError("no settings yet: pair it first")
    values = dict(values)
    values.update(changes)
    try:
        check_settings(values)
    except LightClientError:
        raise
    except ValueError as error:
        raise BadMessage(str(error))
    return values


def _log(device: "Device") -> bytes:
    if IS_BOARD:
        return read_log()
    return "\n".join(getattr(device.board, "shown", [])).encode()


def _flash_free(path: str) -> int:
    """Bytes; -1: not known."""
    import os  # noqa: PLC0415

    try:
        status = os.statvfs(path)
    except (OSError, AttributeError):
        return -1
    return min(status[1] * status[4], MAX_COUNT)  # f_frsize, f_bavail


def _fingerprint(certificate: bytes) -> str:
    from hashlib import sha256  # noqa: PLC0415

    return short_fingerprint(sha256(certificate).digest() if certificate else b"")
