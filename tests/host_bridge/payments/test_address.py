"""Addresses and scripts of every kind and network."""

import json
from pathlib import Path

import pytest
from support import data_path

from host_bridge.payments.address import BadAddress, address_of, script_from_text, scripts_from_text
from host_bridge.payments.raw_block import list_outputs, parse_block
from lightclient.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET3, TESTNET4

# BIP173, BIP350 and Bitcoin Core's key_io_valid.json
KNOWN = [
    (MAINNET, "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62i", "76a91465a16059864a2fdbc7c99a4723a8395bc6f188eb88ac"),
    (MAINNET, "3CMNFxN1oHBc4R1EpboAL5yzHGgE611Xou", "a91474f209f6ea907e2ea48f74fae05782ae8a66525787"),
    (TESTNET3, "mo9ncXisMeAoXwqcV5EWuyncbmCcQN4rVs", "76a91453c0307d6851aa0ce7825ba883c6bd9ad242b48688ac"),
    (SIGNET, "2N2JD6wb56AfK4tfmM6PwdVmoYk2dCKf4Br", "a9146349a418fc4578d10a372b54b45c280cc8c4382f87"),
    (MAINNET, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (MAINNET, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        TESTNET4,
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        MAINNET,
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    (
        MAINNET,
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    (MAINNET, "BC1SW50QGDZ25J", "6002751e"),
    (MAINNET, "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (REGTEST, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
]
BAD = [
    "",
    " ",
    "hello",
    "6",
    "6a" * 521,
    "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW62j",  # a wrong checksum
    "1AGNa15ZQXAZUgFiqJ2i7Z2DPU2J6hW6",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4",  # mixed case
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # version 0 as bech32m
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",  # no character of it
    "bc1pw5dgrnzv",  # one byte
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",  # version 0 with 16 bytes
    "bc1gmk9yu",
    "5KN7MzqK5wt2TP1fQCYyHBtDrXdJuXbUzm4A9rKAteGu3Qi5CVR",  # a private key
    "\x00\x1b[2J",
    "é" * 34,
    "\ud800",
    "1" * 100_000,
]


@pytest.mark.parametrize(("network", "address", "script"), KNOWN, ids=[address for _, address, _ in KNOWN])
def test_known_addresses(network, address, script):
    assert script_from_text(address, network).hex() == script
    assert script_from_text(f" {address}\n", network).hex() == script
    assert script_from_text(script.upper(), network).hex() == script
    for other in NETWORKS.values():
        same = other.bech32_prefix == network.bech32_prefix or (
            address[0] in "mn2" and other is not MAINNET and network is not MAINNET
        )
        if same:
            assert script_from_text(address, other).hex() == script
        else:
            with pytest.raises(BadAddress, match=f"an address of another network than {other.name}"):
                script_from_text(address, other)
    names = scripts_from_text(address, list(NETWORKS.values()))
    assert network.name in names and set(names.values()) == {bytes.fromhex(script)}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_no_address(text):
    for network in (MAINNET, REGTEST):
        with pytest.raises(BadAddress) as caught:
            script_from_text(text, network)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 300
    with pytest.raises(BadAddress):
        scripts_from_text(text, list(NETWORKS.values()))


def test_both_ways_for_every_output_of_the_blocks():
    with_address = 0
    for entry in json.loads(Path(data_path("blocks/index.json")).read_text()):
        network = NETWORKS[entry["network"]]
        raw = Path(data_path(entry["file"])).read_bytes()
        transactions = parse_block(raw)
        for start, end, _ in transactions[:: max(1, len(transactions) // 100)]:
            for output in list_outputs(raw[start:end])[:5]:
                script = output.script_pubkey
                if not 1 <= len(script) <= 520:
                    continue
                address = address_of(script, network)
                assert script_from_text(address, network) == script
                with_address += address != script.hex()
    assert with_address > 1000


def test_scripts_without_address():
    for script in ("6a", "51", "0014", "76a914", "a914" + "00" * 20 + "88", "21" + "02" * 33 + "ac", "00" * 520):
        assert address_of(bytes.fromhex(script), MAINNET) == script
    assert address_of(b"", MAINNET) == ""
