"""Pairing, the bridge's side, sans-I/O: what answers a device's HELLO over a cable (docs/PROTOCOL.md).

The device has one of the keys that are known of it, or none. Which, only the device knows: so one after
the other is tried, each with the next HELLO. A device that knows none of them is another bridge's.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from host_bridge.pairing.paired_devices import PairedDevices
from lightclient.endpoint import Endpoint
from lightclient.errors import AuthenticationFailed, LightClientError
from lightclient.limits import MAX_PAYLOAD, MAX_SSID, MAX_WIFI_PASSWORD
from lightclient.messages import DEVICE, GOODBYE, HELLO, PAIR, PAIRED, PROTOCOL_VERSION, cut_text, encode
from lightclient.pairing import PAIRING_KEY_SIZE, pairing_mac

_MIN_WIFI_PASSWORD = 8  # WPA2; none at all is an open network


class PairingFailed(Exception):
    """The device could not be paired, and has not changed; the text is one line."""


class Offer:
    """What a device is given, besides a key of its own: `certificate` in DER; an empty host leaves it on the cable.

    Raises PairingFailed for what the message has no room for.
    """

    def __init__(
        self,
        certificate: bytes,
        host: str = "",
        port: int = 0,
        wifi_ssid: str = "",
        wifi_password: str = "",
        network: str = "",
    ) -> None:
        ssid = wifi_ssid.encode()
        if len(ssid) > MAX_SSID:
            raise PairingFailed(f"the name of the Wi-Fi has {len(ssid)} bytes, at most {MAX_SSID}")
        if wifi_password and not _MIN_WIFI_PASSWORD <= len(wifi_password) <= MAX_WIFI_PASSWORD:
            raise PairingFailed("the password of the Wi-Fi must have 8 to 63 characters")
        if cut_text(wifi_password) != wifi_password or cut_text(host, len(host)) != host:
            raise PairingFailed("the password of the Wi-Fi, or the host, has characters that are not ASCII")
        self.certificate = certificate
        self.network = network
        self.values = (certificate, host, port, ssid, wifi_password, network)
        try:
            encode(PAIR, (bytes(PAIRING_KEY_SIZE), *self.values, b""), bytearray(MAX_PAYLOAD))
        except LightClientError as error:
            raise PairingFailed(str(error)) from None


class PairingSession:
    """Pairs the device at the other end; `device_id` is not None once that is done.

    `may_begin` is told the device's network before anything is done, and raises what ends it there.
    The key is in `devices` as pending before the device is given it, and as its own when it has said so.
    """

    def __init__(
        self,
        devices: PairedDevices,
        offer: Offer,
        name: str = "",
        may_begin: Callable[[str], None] = lambda network: None,
    ) -> None:
        self.device_id: bytes | None = None
        self.firmware = ""
        self.network = ""
        self._devices = devices
        self._offer = offer
        self._name = name
        self._may_begin = may_begin
        self._endpoint = Endpoint(DEVICE, 1, MAX_PAYLOAD)
        self._hello: list[Any] = []
        self._candidates: list[bytes] = []  # keys that it may have
        self._key = b""

    @property
    def has_heard(self) -> bool:
        """Whether a device of ours has said HELLO."""
        return bool(self._hello)

    def receive(self, data: bytes) -> None:
        """Take bytes from the line. Raises PairingFailed when the device does not let itself be paired."""
        start = 0
        while start < len(data) and self.device_id is None:
            start = self._endpoint.receive(data, start, len(data))
            if not self._endpoint.message_ready:
                continue
            try:
                kind = self._endpoint.read_message(False)
            except LightClientError:
                continue  # left over from a session with somebody else
            if kind == HELLO:
                self._answer(list(self._endpoint.values))
            elif kind == PAIRED and self._key:
                self._paired(*self._endpoint.values)
            elif kind == GOODBYE and self._key:
                self._refused(*self._endpoint.values)

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none."""
        return self._endpoint.next_output()

    def _answer(self, hello: list[Any]) -> None:
        version, self.network, room, _, device_id, self.firmware, _, nonce = hello
        if version != PROTOCOL_VERSION:
            raise PairingFailed(f"the device speaks version {version} of the protocol, this bridge {PROTOCOL_VERSION}")
        if not device_id:
            raise PairingFailed("the device has no device_id, so no bridge can know it again")
        if self._hello and bytes(device_id) != bytes(self._hello[4]):
            raise PairingFailed("another device is on the line now")
        self._may_begin(self._offer.network or self.network)
        self._hello = hello
        if not self._key:
            self._candidates = list(self._devices.known_keys(device_id))
            # a key that was about to be given it before is given it again: it may have that one already
            self._key = self._devices.pending_key(device_id) or secrets.token_bytes(PAIRING_KEY_SIZE)
            self._devices.begin(device_id, self._key, self._name)
        present = self._candidates[0] if self._candidates else b""
        buffer = bytearray(MAX_PAYLOAD)
        length = encode(PAIR, (self._key, *self._offer.values, b""), buffer)
        mac = pairing_mac(present, nonce, buffer[: length - 1]) if present else b""
        if length + len(mac) + 1 > room:
            raise PairingFailed(f"the device takes {room} bytes at once, too few for a certificate")
        self._endpoint.begin(0)
        self._endpoint.send(PAIR, (self._key, *self._offer.values, mac))

    def _paired(self, device_id: bytes, fingerprint: bytes) -> None:
        expected = sha256(self._offer.certificate).digest() if self._offer.certificate else b""
        if bytes(device_id) != bytes(self._hello[4]) or bytes(fingerprint) != expected:
            raise PairingFailed("the device has stored another certificate than it was given")
        self._devices.add(device_id, self._key, self._name)
        self.network = self._offer.network or self.network
        self.device_id = bytes(device_id)

    def _refused(self, code: int, detail: str) -> None:
        if code != AuthenticationFailed.code:
            raise PairingFailed(f"the device refuses: {detail}")
        del self._candidates[:1]
        if not self._candidates:
            raise PairingFailed(
                "the device is paired with another bridge already: reset it first"
                " (hold its button while it starts, or take pairing_key out of its settings.json with mpremote)"
            )
