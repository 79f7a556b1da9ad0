"""Hashes against known facts: the genesis block, FIPS 180 and the cases of RFC 4231."""

from binascii import hexlify, unhexlify

from lightclient.hashes import ZERO_HASH, equal_constant_time, hash256, hash_from_hex, hash_to_hex, hmac_sha256
from lightclient.params import MAINNET

GENESIS_HEX = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

# RFC 4231, section 4: key, data, HMAC-SHA-256 (case 5 is truncated there)
RFC_4231 = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


def test_genesis():
    genesis = hash256(MAINNET.genesis_header)
    assert hash_to_hex(genesis) == GENESIS_HEX
    assert hash_from_hex(GENESIS_HEX) == genesis
    assert hash_to_hex(memoryview(genesis)) == GENESIS_HEX
    assert hash256(memoryview(MAINNET.genesis_header)) == genesis
    assert hash256(bytearray(MAINNET.genesis_header)) == genesis


def test_hash256_of_nothing():
    assert hexlify(hash256(b"")) == b"5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"


def test_hex_form():
    assert hash_to_hex(ZERO_HASH) == "00" * 32
    assert hash_to_hex(bytes(range(32))).startswith("1f1e1d")
    for bad in ("", "00", "00" * 31, "00" * 33, "0" * 63, "zz" * 32, GENESIS_HEX + " "):
        raises_value_error(hash_from_hex, bad)


def raises_value_error(function, *args):
    # binascii.Error is a subclass of ValueError on CPython
    try:
        function(*args)
    except ValueError:
        return
    raise AssertionError("no ValueError")


def test_hmac():
    for key, data, mac_hex in RFC_4231:
        mac = unhexlify(mac_hex)
        assert hmac_sha256(key, data)[: len(mac)] == mac
        assert len(hmac_sha256(key, data)) == 32


def test_hmac_key_of_a_block():
    # 64 bytes are used as they are, 65 are hashed first; a shorter key is padded with zeros
    assert hmac_sha256(b"k" * 63, b"m") == hmac_sha256(b"k" * 63 + b"\x00", b"m")
    assert hmac_sha256(b"k" * 64, b"m") != hmac_sha256(b"k" * 64 + b"\x00", b"m")


def test_equal_constant_time():
    assert equal_constant_time(b"", b"")
    assert equal_constant_time(b"abc", bytearray(b"abc"))
    assert not equal_constant_time(b"abc", b"abd")
    assert not equal_constant_time(b"abc", b"Abc")
    assert not equal_constant_time(b"abc", b"abcd")
    assert equal_constant_time(memoryview(b"abc"), b"abc")
