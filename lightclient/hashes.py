"""Hashes. 32 bytes in internal order; only a name that ends in `_hex` is the reversed form that people see."""

from binascii import hexlify, unhexlify
from hashlib import sha256

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

ZERO_HASH = bytes(32)
_HMAC_BLOCK = 64  # FIPS 198-1: SHA-256 works on blocks of 64 bytes


def hash256(data: "Buffer") -> bytes:
    """Double SHA-256: the hash of headers, transactions and Merkle nodes."""
    return sha256(sha256(data).digest()).digest()


def hash_to_hex(block_hash: "Buffer") -> str:
    """The display form of a hash: byte-reversed hex."""
    return hexlify(bytes(reversed(bytes(block_hash)))).decode()


def hash_from_hex(text: str) -> bytes:
    """The 32 bytes of a display hash; ValueError when it is not 64 hex digits."""
    if len(text) != 64:  # MicroPython's unhexlify overlooks an odd digit
        raise ValueError("a hash has 64 hex digits")
    return bytes(reversed(unhexlify(text)))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 HMAC with SHA-256; stock MicroPython has no hmac module."""
    if len(key) > _HMAC_BLOCK:
        key = sha256(key).digest()
    key = key + bytes(_HMAC_BLOCK - len(key))
    inner = sha256(bytes([k ^ 0x36 for k in key]))
    inner.update(message)
    outer = sha256(bytes([k ^ 0x5C for k in key]))
    outer.update(inner.digest())
    return outer.digest()


def equal_constant_time(a: "Buffer", b: "Buffer") -> bool:
    """Compare two secrets without telling by the time taken where they differ."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
