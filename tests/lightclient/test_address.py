"""Addresses: the examples of BIP173 and BIP350, and well-known ones of base58."""

from binascii import unhexlify

from lightclient.address import address_of
from lightclient.params import MAINNET, REGTEST, SIGNET, TESTNET4

KEY_HASH = "751e76e8199196d454941c45d1b3a323f1433bd6"
PROGRAM = "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"
X_ONLY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

KNOWN = (
    (MAINNET, "0014" + KEY_HASH, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    (SIGNET, "0014" + KEY_HASH, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
    (REGTEST, "0014" + KEY_HASH, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
    (TESTNET4, "0020" + PROGRAM, "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"),
    (MAINNET, "5120" + X_ONLY, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
    (MAINNET, "5128" + KEY_HASH * 2, "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y"),
    (MAINNET, "6002751e", "bc1sw50qgdz25j"),
    (MAINNET, "5210751e76e8199196d454941c45d1b3a323", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"),
    # the key of the first block, and BIP16's first payment
    (MAINNET, "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    (MAINNET, "76a914" + "00" * 20 + "88ac", "1111111111111111111114oLvT2"),
    (TESTNET4, "76a914" + KEY_HASH + "88ac", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"),
    (MAINNET, "a914748284390f9e263a4b766a75d0633c50426eb87587", "3CK4fEwbMP7heJarmU4eqA3sMbVJyEnU3V"),
)

WITHOUT = (
    "",
    "51",
    "6a0474657374",
    "0013" + KEY_HASH[2:],
    "0021" + PROGRAM + "00",
    "0014" + KEY_HASH + "00",
    "5101aa",
    "5129" + "00" * 41,
    "4f14" + KEY_HASH,
    "6114" + KEY_HASH,
    "76a914" + KEY_HASH + "88ad",
    "76a913" + KEY_HASH + "88ac",
    "a914" + KEY_HASH + "88",
    "210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798ac",
)


def test_known_addresses():
    for network, script, address in KNOWN:
        assert address_of(unhexlify(script), network) == address, script


def test_scripts_that_have_none():
    for script in WITHOUT:
        assert address_of(unhexlify(script), MAINNET) == "", script
