"""settings.json: what a device is told when it is set up; of it only pairing comes over a line, and that is a cable.

network              name of the network
checkpoint           hex of a checkpoint to start from; left out: the network's genesis header
replay               for recorded headers only: {"minimum_chainwork": hex}
old_payments         true: keep the accumulator over all blocks, so that payments older than the headers that
                     are kept can be proved; a checkpoint brings its own or has none
store                folder that headers and payments acted on are kept in, made when the device is set up (one that
                     is not there is not made: it may have been lost, and the payments acted on with it); empty or
                     left out: RAM, gone with the power. A board that has none given makes "store", and notes it here
epochs               epochs of 2016 headers that the store keeps, the growing one included; 0: all
window               without a store: headers that are held in RAM, 80 bytes each;
                     a reorg can go back 160 less than that
board                name of the board: pico, raspberry-pi, simulated, terminal
button               true: one is wired, and a person settles with it what a power cut has left open
watchdog             true: the board starts anew when its program hangs for 8 s (firmware/rescue.py)
relay_seconds        how long the relay closes for a payment
device_id            hex of up to 16 bytes: its name in the bridge's list; left out: that of the board
pairing_key          hex of 32 bytes, shared with the bridge; left out or empty: none. To let a device be paired
                     by another bridge, take this key away (or reset the device)
link                 "stream": the cable, or what standard input and output are; "tcp": TLS to `bridge`;
                     "uart": a board's UART0 (firmware/uart.py)
baud_rate            of the UART: 115200 if left out, as the bridge has it
bridge               {"host": name or address, "port": number, "certificate": hex of its DER}; from pairing
wifi                 {"ssid": name, "password": text}; from pairing
requests             payments to wait for: request_id (each its own), script_pubkey (hex), min_amount (satoshis),
                     min_confirmations, from_height (blocks below it do not count; left out: 0, so all that come
                     after the device's start, for these requests are made before the first headers arrive: give
                     a height wherever a script_pubkey may have been paid before)
till                 with a button and a display (firmware/till.py): items, a list of {"name", "amount" in satoshis};
                     addresses, a list of script_pubkeys in hex, or the name of a file beside this one with one in each
                     line, in the order in which invoices get them; confirmations, 1 if left out; minutes until an
                     invoice that is not paid leaves the display, 60 if left out. The owner sets it over the cable
                     (firmware/till_list.py)
"""

import json
from binascii import unhexlify

from lightclient.compat import const
from lightclient.errors import LightClientError
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import MAX_CERTIFICATE, MAX_HEIGHT, MAX_HOST, MAX_REQUESTS, MAX_SCRIPT_PUBKEY
from lightclient.params import NETWORKS
from lightclient.spv.payment import PaymentRequest

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from firmware.till import TillSettings
    from lightclient.params import Network

_MIN_WINDOW = 192
_MAX_WINDOW = 4096
_MAX_EPOCHS = 10_000
_PAIRING_KEY_SIZE = 32
_MAX_DEVICE_ID = 16


class Settings:
    """The settings, checked. Raises ValueError with one line about the first that is wrong."""

    def __init__(self, values: "dict[str, Any]") -> None:
        if not isinstance(values, dict):
            raise ValueError("settings: not an object")
        name = values.get("network", "mainnet")
        if name not in NETWORKS:
            raise ValueError("settings: unknown network")
        network = NETWORKS[name]
        replay = values.get("replay")
        if replay is not None:
            network = network.replay(_work(replay["minimum_chainwork"]))
        self.network: "Network" = network
        self.start = _start(network, values.get("checkpoint", ""), values.get("old_payments") is True)
        self.window = _number(values, "window", 256, _MIN_WINDOW, _MAX_WINDOW)
        self.store = values.get("store", "")
        self.epochs = _number(values, "epochs", 3, 0, _MAX_EPOCHS)
        if not isinstance(self.store, str) or self.epochs == 1:
            raise ValueError("settings: store is the name of a folder, epochs at least 2, or 0 for all")
        self.board_name = values.get("board", "simulated")
        if not isinstance(self.board_name, str):
            raise ValueError("settings: board is not a name")
        self.watchdog = values.get("watchdog") is True
        self.relay_ms = 1000 * _number(values, "relay_seconds", 3, 1, 600)
        self.pairing_key = _bytes(values.get("pairing_key", ""))
        if len(self.pairing_key) not in (0, _PAIRING_KEY_SIZE):
            raise ValueError("settings: pairing_key is not of 32 bytes")
        self.device_id = _bytes(values.get("device_id", ""))
        if len(self.device_id) > _MAX_DEVICE_ID:
            raise ValueError("settings: device_id is longer than 16 bytes")
        self._read_link(values)
        requests = values.get("requests", [])
        if not isinstance(requests, list) or len(requests) > MAX_REQUESTS:
            raise ValueError("settings: requests is no list, or too long")
        self.requests = [_request(request) for request in requests]
        if len({request.request_id for request in self.requests}) < len(requests):
            raise ValueError("settings: two requests have the same request_id")
        self.till: "TillSettings | None" = None
        if "till" in values:
            from firmware.till import FIRST_REQUEST, TillSettings  # noqa: PLC0415 - what is not used costs no memory

            self.till = TillSettings(values["till"])
            if len(self.requests) >= MAX_REQUESTS or any(r.request_id >= FIRST_REQUEST for r in self.requests):
                raise ValueError("settings: requests leave no place for the till's, or have ids over 65535")
        self.button = values.get("button") is True or self.till is not None

    def forget_payments(self) -> None:
        """Of a device that has a fault: it keeps nothing and waits for nothing."""
        self.store = ""
        self.requests = []
        self.till = None

    def _read_link(self, values: "dict[str, Any]") -> None:
        self.link = values.get("link", "stream")
        if self.link not in ("stream", "tcp", "uart"):
            raise ValueError("settings: link is neither stream nor tcp nor uart")
        self.baud_rate = _number(values, "baud_rate", 115_200, 9_600, 4_000_000)
        bridge = values.get("bridge", {})
        self.host = bridge.get("host", "")
        self.port = _number(bridge, "port", 0, 0, 0xFFFF)
        self.certificate = _bytes(bridge.get("certificate", ""))
        if len(self.certificate) > MAX_CERTIFICATE or not isinstance(self.host, str) or len(self.host) > MAX_HOST:
            raise ValueError("settings: the bridge's host or certificate is too long")
        if self.link == "tcp" and not (self.pairing_key and self.host and self.port and self.certificate):
            raise ValueError("settings: tcp needs pairing_key and the bridge's host, port and certificate: pair it")
        wifi = values.get("wifi", {})
        self.wifi = (wifi.get("ssid", ""), wifi.get("password", ""))
        if not isinstance(self.wifi[0], str) or not isinstance(self.wifi[1], str):
            raise ValueError("settings: wifi is not a name and a password")


def _request(values: "dict[str, Any]") -> PaymentRequest:
    return PaymentRequest(
        _integer(values["request_id"], "request_id"),
        read_script(values["script_pubkey"], "of an address: bitcoin-cli validateaddress"),
        _integer(values["min_amount"], "min_amount"),
        _integer(values["min_confirmations"], "min_confirmations"),
        _number(values, "from_height", 0, 0, MAX_HEIGHT),
    )


def _integer(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):  # True is an int as well
        raise ValueError("settings: " + key + " is not an integer")
    return value


def _number(values: "dict[str, Any]", key: str, default: int, lowest: int, highest: int) -> int:
    value = _integer(values.get(key, default), key)
    if not lowest <= value <= highest:
        raise ValueError("settings: " + key + " is not between " + str(lowest) + " and " + str(highest))
    return value


def _bytes(text: str) -> bytes:
    if len(text) % 2:  # MicroPython's unhexlify overlooks an odd digit
        raise ValueError("settings: hex with an odd number of digits")
    return unhexlify(text)


def read_script(text: str, hint: str) -> bytes:
    """A script_pubkey in hex. Raises ValueError, with a hint for who has put an address there."""
    try:
        if 2 <= len(text) <= 2 * MAX_SCRIPT_PUBKEY:
            return _bytes(text)
    except ValueError:
        pass
    raise ValueError('settings: "' + text[:8] + '..." is no script_pubkey in hex; ' + hint)


def _work(text: str) -> int:
    """A chainwork in hex."""
    return int.from_bytes(_bytes("0" * (len(text) % 2) + text), "big")


def _start(network: "Network", checkpoint_hex: str, accumulate: bool) -> ChainState:
    if len(checkpoint_hex) > 2 * MAX_CHECKPOINT_SIZE:
        raise ValueError("settings: the checkpoint is too long")
    if checkpoint_hex:
        state = ChainState()
        decode_checkpoint(network, _bytes(checkpoint_hex), state)
        return state
    rules = HeaderRules(network)
    accumulator = None
    if accumulate:
        from lightclient.headers.accumulator import Accumulator  # noqa: PLC0415 - what is not used costs no memory

        accumulator = Accumulator()
    rules.begin_at_genesis(network.genesis_header, 0, accumulator)
    return rules.state


def check_settings(values: "dict[str, Any]") -> Settings:
    """The settings in an object. Raises ValueError, and what a checkpoint or request that cannot be raises."""
    try:
        return Settings(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("settings: missing, or not of the type it should be: " + str(error))


_OF_THE_WAY = (("network",), ("board",), ("device_id",), ("watchdog",), ("pairing_key",), ("wifi", "link", "bridge"))


def what_still_works(values: object) -> "dict[str, Any]":
    """Of settings that are wrong somewhere: who the device is and the way to its bridge, so that it can be mended.

    Nothing by which a payment could be judged or acted on, for one of these with another one missing may be too lax.
    """
    kept: "dict[str, Any]" = {}
    if isinstance(values, dict):
        for keys in _OF_THE_WAY:
            tried = dict(kept)
            tried.update([(key, values[key]) for key in keys if key in values])
            try:
                check_settings(tried)
                kept = tried
            except (ValueError, LightClientError):
                pass
    return kept


def load_settings(path: str) -> Settings:
    """The settings in a file. Raises OSError, and what `check_settings` raises."""
    with open(path) as file:
        return check_settings(json.load(file))
