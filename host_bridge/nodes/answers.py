"""What a server's answers must be before anything is made of them. All raise NodeLied, in one line."""

import json
from typing import Any

from host_bridge.limits import MAX_JSON_VALUES
from host_bridge.nodes.node import NodeLied
from host_bridge.payments.proofs import proof_from_branches
from host_bridge.payments.raw_block import list_outputs, walk_transaction
from lightclient.errors import LightClientError
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.headers.header import block_hash, read_prev_block_hash
from lightclient.limits import (
    HEADER_SIZE,
    MAX_BLOCK_TRANSACTIONS,
    MAX_HEIGHT,
    MAX_MERKLE_DEPTH,
    MAX_TRANSACTION_SIZE,
)
from lightclient.params import NETWORKS, Network


class AnswerTooLong(NodeLied):
    """Over the ceiling for what was asked: not read to its end."""


def shown(text: object, most: int = 100) -> str:
    """What a server says, fit for one line of a log."""
    line = str(text)[: 2 * most]
    return "".join(c if c.isprintable() else " " for c in line).strip()[:most]


def parse_json(data: bytes, what: str) -> Any:
    """The value of a JSON text whose size has been bounded before."""
    # each value but the first stands behind one of these: counted before anything is made of them
    if data.count(b",") + data.count(b":") + data.count(b"[") + data.count(b"{") > MAX_JSON_VALUES:
        raise AnswerTooLong(f"{what}: JSON of over {MAX_JSON_VALUES:,} values")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise NodeLied(f"{what}: not JSON: {shown(ascii(data[:40])[2:-1])!r}") from None


def field(answer: object, name: str, what: str) -> Any:
    """A value of a JSON object; None where it is not."""
    if not isinstance(answer, dict):
        raise NodeLied(f"{what}: {shown(json.dumps(answer), 40)} instead of an object")
    return answer.get(name)


def int_of(value: object, what: str, most: int = MAX_HEIGHT, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise NodeLied(f"{what}: {shown(value, 40)!r} is no number from {least} to {most}")
    return value


def hex_of(value: object, what: str, most: int) -> bytes:
    """The bytes of a hex string, at most `most` of them."""
    if not isinstance(value, str):
        raise NodeLied(f"{what}: {shown(value, 40)!r} instead of hex")
    if len(value) > 2 * most:
        raise NodeLied(f"{what}: {len(value) // 2:,} bytes, at most {most:,}")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise NodeLied(f"{what}: {shown(value, 40)!r} instead of hex") from None


def hash_of(value: object, what: str) -> bytes:
    """A hash in internal order, from its display form."""
    if isinstance(value, str):
        try:
            return hash_from_hex(value)
        except ValueError:
            pass
    raise NodeLied(f"{what}: {shown(value, 40)!r} is no hash")


def branch_of(value: object, what: str) -> bytes:
    """A Merkle branch, hashes one after the other, from a list of display hashes: Electrum's form and Esplora's."""
    if not isinstance(value, list) or len(value) > MAX_MERKLE_DEPTH:
        raise NodeLied(f"{what}: no list of at most {MAX_MERKLE_DEPTH} hashes")
    return b"".join(hash_of(entry, what) for entry in value)


def position_of(value: object, what: str) -> int:
    return int_of(value, what, MAX_BLOCK_TRANSACTIONS - 1)


def check_header(header: bytes, expected_hash: bytes | None, what: str) -> bytes:
    """One raw header, with the block_hash that it must have."""
    if len(header) != HEADER_SIZE:
        raise NodeLied(f"{what}: {len(header)} bytes, a header has {HEADER_SIZE}")
    if expected_hash not in (None, block_hash(header, 0)):
        raise NodeLied(f"{what}: its hash is {hash_to_hex(block_hash(header, 0))}")
    return header


def linked(headers: bytes) -> int:
    """How many of these raw headers, from the first on, are of one chain."""
    for offset in range(HEADER_SIZE, len(headers), HEADER_SIZE):
        if read_prev_block_hash(headers, offset) != block_hash(headers, offset - HEADER_SIZE):
            return offset // HEADER_SIZE
    return len(headers) // HEADER_SIZE


def network_of_genesis(genesis_hash: bytes) -> Network:
    """The network whose block 0 this is."""
    for network in NETWORKS.values():
        if hash256(network.genesis_header) == genesis_hash:
            return network
    raise NodeLied(f"its block 0 is {hash_to_hex(genesis_hash)}, of no network that is known here")


def check_transaction(transaction: bytes, txid: bytes) -> bytes:
    """A whole transaction that is the one asked for. Takes up to a second for the largest: not for the loop."""
    name = hash_to_hex(txid)
    if len(transaction) > MAX_TRANSACTION_SIZE:
        raise NodeLied(f"transaction {name}: {len(transaction):,} bytes")
    try:
        found = bytes(walk_transaction(transaction).txid)
    except LightClientError as error:
        raise NodeLied(f"transaction {name}: {error}") from None
    if found != txid:
        raise NodeLied(f"transaction {name}: got {hash_to_hex(found)}")
    return transaction


def scripts_paid(transaction: bytes) -> set[bytes]:
    """The script_pubkeys of a checked transaction."""
    return {output.script_pubkey for output in list_outputs(transaction)}


def build_proof(
    network: Network,
    height: int,
    header: bytes,
    txid: bytes,
    index: int,
    transaction: bytes,
    branch: bytes,
    coinbase: bytes,
    coinbase_branch: bytes,
) -> bytes:
    """The verified container. Not for the loop."""
    try:
        return proof_from_branches(network, height, header, txid, index, transaction, branch, coinbase, coinbase_branch)
    except (LightClientError, ValueError) as error:
        raise NodeLied(f"proof of {hash_to_hex(txid)}: {type(error).__name__}: {shown(error)}") from None
