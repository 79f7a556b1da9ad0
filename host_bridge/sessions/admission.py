"""Whether a device may have a session: it has to show that it knows the pairing key (docs/PROTOCOL.md)."""

import secrets
from collections.abc import Callable
from typing import Any

from lightclient.errors import AuthenticationFailed, BadMessage, NotPaired, WrongNetwork
from lightclient.hashes import equal_constant_time
from lightclient.messages import PROTOCOL_VERSION, authentication_mac, cut_text


class Admission:
    """`pairing_key_of` gives the pairing key of a device_id, empty for one that is not paired; None: all may in."""

    def __init__(self, network: str, pairing_key_of: Callable[[bytes], bytes] | None) -> None:
        self._network = network
        self._pairing_key_of = pairing_key_of
        self._pairing_key = b""
        self.challenge = b""  # that is open

    def cancel(self) -> None:
        """No answer to a challenge is taken any more."""
        self.challenge = b""

    def begin(self, hello: list[Any]) -> bytes:
        """The challenge for the device that has said HELLO; empty: it is welcome.

        Raises BadMessage for another protocol version, WrongNetwork, NotPaired.
        """
        self.challenge = b""
        if hello[0] != PROTOCOL_VERSION:
            raise BadMessage(f"protocol version {hello[0]}, this bridge speaks {PROTOCOL_VERSION}")
        if hello[1] != self._network:
            raise WrongNetwork(f"the device is on {cut_text(hello[1], 40)}, the bridge on {self._network}")
        if self._pairing_key_of is None:
            return b""
        self._pairing_key = self._pairing_key_of(bytes(hello[4]))
        if not self._pairing_key:
            raise NotPaired(f"device {bytes(hello[4]).hex() or 'without a name'} is not paired with this bridge")
        self.challenge = secrets.token_bytes(32)
        return self.challenge

    def check(self, mac: bytes, hello: list[Any]) -> None:
        """Raises AuthenticationFailed unless `mac` answers the challenge; each is good once."""
        challenge, self.challenge = self.challenge, b""
        if not challenge:
            raise AuthenticationFailed("no challenge is open")
        expected = authentication_mac(self._pairing_key, challenge, hello[7], hello[4])
        if not equal_constant_time(mac, expected):
            raise AuthenticationFailed("the device does not know the pairing key")
