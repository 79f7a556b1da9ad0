from lightclient.hashes import hash_to_hex
from lightclient.headers.header import (
    NONCE,
    block_hash,
    read_bits,
    read_merkle_root,
    read_prev_block_hash,
    read_time,
    read_version,
)
from lightclient.params import MAINNET
from lightclient.serialize import read_uint32_le

# Block 170, the first with a payment, is well-known.
HEADER_170 = bytes.fromhex(
    "0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a00000000ff104ccb05421ab93e63f8c3"
    "ce5c2c2e9dbb37de2764b3a3175c8166562cac7d51b96a49ffff001d283e9e70"
)


def test_fields_of_block_170():
    buffer = bytes(80) + HEADER_170
    assert read_version(buffer, 80) == 1
    assert hash_to_hex(read_prev_block_hash(buffer, 80)).startswith("000000002a22cfee1f2c846adbd12b3e")
    assert hash_to_hex(read_merkle_root(buffer, 80)).startswith("7dac2c5666815c17a3b36427de37bb9d")
    assert read_time(buffer, 80) == 1231731025
    assert read_bits(buffer, 80) == 0x1D00FFFF
    assert read_uint32_le(buffer, 80 + NONCE) == 1889418792
    assert hash_to_hex(block_hash(buffer, 80)) == "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"


def test_genesis_of_mainnet():
    genesis = MAINNET.genesis_header
    assert hash_to_hex(block_hash(genesis, 0)) == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"


def test_version_is_signed():
    assert read_version(b"\xff\xff\xff\xff" + bytes(76), 0) == -1
