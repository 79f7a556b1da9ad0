"""Pairing: what a device is given over a cable by the one bridge that it will serve (docs/PROTOCOL.md).

A device that has no pairing key takes any. One that has a key takes a new one only from whoever proves
to know the present one, so that nobody takes a device over by plugging in a cable for a moment.
"""

from binascii import hexlify
from hashlib import sha256

from lightclient.compat import const
from lightclient.errors import AuthenticationFailed
from lightclient.hashes import equal_constant_time, hmac_sha256

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from lightclient.serialize import Buffer

SERVER_NAME = "lightclient.bridge"  # the name in every bridge's certificate, whatever its address
PAIRING_KEY_SIZE = const(32)
_PAIRING = b"lightclient-pair-1"
_ASKING = b"lightclient-ask-1"
MAC_FIELD = const(7)  # its place in PAIR
_MAC_ITEM = const(34)  # bytes of the last item of PAIR and ASK: head (2) and mac (32)


class Pairing:
    """The fields of PAIR but `mac`; `fingerprint` is SHA-256 of the certificate, empty when there is none."""

    def __init__(
        self,
        pairing_key: bytes,
        certificate: bytes,
        host: str,
        port: int,
        wifi_ssid: bytes,
        wifi_password: str,
        network: str = "",
    ) -> None:
        self.pairing_key = pairing_key
        self.certificate = certificate
        self.host = host
        self.port = port
        self.wifi_ssid = wifi_ssid
        self.wifi_password = wifi_password
        self.network = network
        self.fingerprint = sha256(certificate).digest() if certificate else b""


def pairing_mac(present_key: bytes, hello_nonce: bytes, payload_before_mac: "Buffer") -> bytes:
    """The mac of PAIR; `payload_before_mac` is the payload up to where the item `mac` begins."""
    return hmac_sha256(present_key, _PAIRING + hello_nonce + bytes(payload_before_mac))


def read_pairing(values: "list[Any]", payload: "Buffer", hello_nonce: bytes, present_key: bytes) -> Pairing:
    """The pairing in a PAIR of these values and this payload. `present_key` is empty while there is none.

    Raises AuthenticationFailed unless there is none, or the mac proves that the sender knows it.
    """
    if present_key:
        _require_mac(values[MAC_FIELD], _PAIRING, payload, hello_nonce, present_key)
    return Pairing(*values[:MAC_FIELD])


def asking_mac(present_key: bytes, hello_nonce: bytes, payload_before_mac: "Buffer") -> bytes:
    """The mac of ASK; `payload_before_mac` is the payload up to where the item `mac` begins."""
    return hmac_sha256(present_key, _ASKING + hello_nonce + bytes(payload_before_mac))


def require_owner(mac: bytes, payload: "Buffer", hello_nonce: bytes, present_key: bytes) -> None:
    """Raises AuthenticationFailed unless an ASK of this payload is from who knows `present_key`; empty: all do."""
    if present_key:
        _require_mac(mac, _ASKING, payload, hello_nonce, present_key)


def _require_mac(mac: bytes, what: bytes, payload: "Buffer", hello_nonce: bytes, present_key: bytes) -> None:
    if not mac:
        raise AuthenticationFailed("paired already, with a bridge that has another key")
    before = bytes(memoryview(payload)[: len(payload) - _MAC_ITEM])
    if not equal_constant_time(mac, hmac_sha256(present_key, what + hello_nonce + before)):
        raise AuthenticationFailed("paired already; this bridge does not know the present key")


def short_fingerprint(fingerprint: bytes) -> str:
    """What people compare: the first 6 bytes as three groups of four hex digits, "3F2A 91C0 77D1"."""
    if not fingerprint:
        return "without a certificate"
    digits = hexlify(fingerprint[:6]).decode().upper()
    return digits[:4] + " " + digits[4:8] + " " + digits[8:]
