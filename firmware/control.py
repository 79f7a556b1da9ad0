"""Answers what a device's owner asks over the cable (docs/PROTOCOL.md, ASK). Loaded when the first question comes.

Who asks has proved to know the pairing key, or the device has none. Secrets are not told, and what is
set is a small named set of keys; for all else there is the prompt.
"""

import json
import sys
from binascii import hexlify

from firmware.console import IS_BOARD, read_log
from firmware.pairing import change_settings
from firmware.settings import check_settings
from lightclient import __version__
from lightclient.compat import const
from lightclient.errors import BadMessage, LightClientError, LimitExceeded, StoreError
from lightclient.hashes import hash_to_hex
from lightclient.limits import MAX_COUNT, MAX_TOLD
from lightclient.messages import (
    ASK_CHANGE,
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
_BLINK_MS = const(250)
_IDENTIFY_MS = const(10_000)


class Control:
    """For one device; `answer` is its client's `on_ask`."""

    def __init__(self, device: "Device", settings_path: str) -> None:
        self._device = device
        self._path = settings_path
        self._text = b""  # of the last answer, told piece by piece
        self._import: "StateImport | None" = None
        self._identify_until = 0

    def answer(self, question: int, argument: memoryview) -> "tuple[bytes, int]":
        """A piece of the answer, and how many bytes follow it. Raises a LightClientError."""
        if question <= ASK_SETTINGS:
            return self._tell(question, argument)
        if question == ASK_IDENTIFY:
            self._identify()
        elif question == ASK_RESTART:
            self._device.restart_soon("restarts: its owner asked for it")
        elif question == ASK_CHANGE:
            self._change(argument)
        else:
            return self._import_state(question, argument), 0
        return b"", 0

    def tick(self, now_ms: int) -> None:
        """Time has passed: blink, while that was asked for."""
        if self._identify_until:
            is_over = now_ms >= self._identify_until
            self._light(not is_over and now_ms // _BLINK_MS % 2 == 0)
            if is_over:
                self._identify_until = 0

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

    def _settings(self) -> "dict[str, Any]":
        try:
            with open(self._path) as file:
                values = json.load(file)
        except (OSError, ValueError) as error:
            raise StoreError("the settings cannot be read: " + str(error))
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
        shown["changeable"] = list(CHANGEABLE)
        return shown

    # --- what is done ---

    def _identify(self) -> None:
        name = hexlify(self._device.device_id).decode()
        self._device.board.show("this is the device " + name)
        self._identify_until = self._device.board.milliseconds() + _IDENTIFY_MS

    def _light(self, on: bool) -> None:
        set_light = getattr(self._device.board, "set_light", None)
        if set_light:
            set_light(on)

    def _change(self, argument: memoryview) -> None:
        """Set what the JSON object names, all of it or nothing."""
        if len(argument) > _MAX_CHANGE:
            raise LimitExceeded("settings: " + str(len(argument)) + " bytes, at most " + str(_MAX_CHANGE))
        try:
            changes = json.loads(bytes(argument).decode())
        except (ValueError, RuntimeError):
            raise BadMessage("settings: no JSON")
        if not isinstance(changes, dict) or not changes:
            raise BadMessage("settings: not an object, or empty")
        for key in changes:
            if key not in CHANGEABLE:
                raise BadMessage("settings: " + str(key) + " is not set over the line")
        if "board" in changes and changes["board"] not in _BOARDS:
            raise BadMessage("settings: board is none of " + ", ".join(_BOARDS))
        change_settings(self._path, lambda values: _changed(values, changes))
        self._device.restart_soon("has new settings, and starts anew")

    def _import_state(self, question: int, argument: memoryview) -> bytes:
        from firmware.state_import import StateImport  # noqa: PLC0415 - once in a device's life

        if question == ASK_STATE:
            self._import = None
            self._import = StateImport(self._device, argument)
        if self._import is None:
            raise BadMessage("no import of a state has begun")
        return self._import.take(question, argument)


def _changed(values: "dict[str, Any]", changes: "dict[str, Any]") -> "dict[str, Any]":
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
