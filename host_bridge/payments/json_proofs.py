"""A JSON proof (fields: docs/COMMANDS.md) turned into a container; the verifier judges it afterwards."""

from binascii import unhexlify
from typing import Any

from host_bridge.payments.raw_block import walk_transaction
from lightclient.errors import IndexOutOfRange, LightClientError, LimitExceeded, MissingCoinbaseProof
from lightclient.hashes import ZERO_HASH, hash_from_hex
from lightclient.limits import HEADER_SIZE, MAX_HEIGHT
from lightclient.spv.coinbase import is_coinbase
from lightclient.spv.container import encode_proof


class UnreadableProof(ValueError):
    """A JSON proof that lacks a field, or has one of the wrong type or with bad hex."""


def proof_from_json(entry: object) -> bytes:
    """The container of a JSON proof (fields: docs/COMMANDS.md). It has not been verified.

    Raises UnreadableProof; MissingCoinbaseProof when the coinbase is neither given nor the transaction
    itself; IndexOutOfRange and LimitExceeded for numbers that no container can hold.
    """
    fields = fields_of(entry)
    network = text_field(fields, "network")
    height = _number(fields, "height")
    header = _hex(fields, "block_header_hex")
    if len(header) != HEADER_SIZE:
        raise UnreadableProof("block_header_hex: 80 bytes belong there")
    transaction = _hex(fields, "tx_hex")
    index = _number(fields, "index")
    branch = _branch(fields, "merkle_branch")
    txid = stated_hash(fields, "txid") or _txid_or_zero(transaction)
    if index >> 64:
        raise IndexOutOfRange("the index has over 64 bits")
    if height > MAX_HEIGHT:
        raise LimitExceeded(f"the height is over {MAX_HEIGHT}")
    coinbase: bytes | None = None
    coinbase_branch = b""
    if fields.get("coinbase_tx_hex") is not None:
        coinbase = _hex(fields, "coinbase_tx_hex")
        coinbase_branch = _branch(fields, "coinbase_merkle_branch")
    else:
        # null says that the transaction is the coinbase; where nothing is said, it has to show it
        if "coinbase_tx_hex" not in fields and index == 0 and not _is_coinbase(transaction):
            raise MissingCoinbaseProof("the coinbase is not given, and the transaction is none")
        if fields.get("coinbase_merkle_branch") not in (None, []):
            coinbase_branch = _branch(fields, "coinbase_merkle_branch")
            if index == 0 and coinbase_branch != branch and _is_coinbase(transaction):
                coinbase = transaction  # a second branch for it was given: let it be checked
            else:
                coinbase_branch = b""
    depth = len(branch if coinbase is None else coinbase_branch) // 32
    return encode_proof(network, height, header, txid, index, depth, transaction, branch, coinbase, coinbase_branch)


def _is_coinbase(transaction: bytes) -> bool:
    try:
        return is_coinbase(walk_transaction(transaction))
    except LightClientError:
        return False


def _txid_or_zero(transaction: bytes) -> bytes:
    """The verifier will say what is wrong with a transaction that has no txid."""
    try:
        return walk_transaction(transaction).txid
    except LightClientError:
        return ZERO_HASH


def fields_of(entry: object) -> dict[str, Any]:
    """Raises UnreadableProof unless it is an object."""
    if not isinstance(entry, dict):
        raise UnreadableProof("a proof is a JSON object")
    return entry


def _required(fields: dict[str, Any], key: str) -> Any:
    if key not in fields:
        raise UnreadableProof(f"{key} is missing")
    return fields[key]


def text_field(fields: dict[str, Any], key: str) -> str:
    """Raises UnreadableProof unless the field is there and is text."""
    value = _required(fields, key)
    if not isinstance(value, str) or not value.isascii():
        raise UnreadableProof(f"{key}: text belongs there")
    return value


def _number(fields: dict[str, Any], key: str) -> int:
    value = _required(fields, key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnreadableProof(f"{key}: a whole number belongs there")
    return value


def _hex(fields: dict[str, Any], key: str) -> bytes:
    text = text_field(fields, key)
    try:
        return unhexlify(text)
    except ValueError:
        raise UnreadableProof(f"{key}: bad hex") from None


def stated_hash(fields: dict[str, Any], key: str) -> bytes | None:
    """A display hash in internal order; None when the field is absent or null."""
    value = fields.get(key)
    return None if value is None else _hash(value, key)


def _hash(value: object, key: str) -> bytes:
    if not isinstance(value, str):
        raise UnreadableProof(f"{key}: a hash in hex belongs there")
    try:
        return hash_from_hex(value)
    except ValueError:
        raise UnreadableProof(f"{key}: a hash has 64 hex digits") from None


def _branch(fields: dict[str, Any], key: str) -> bytes:
    value = _required(fields, key)
    if not isinstance(value, list):
        raise UnreadableProof(f"{key}: a list of hashes belongs there")
    return b"".join(_hash(entry, key) for entry in value)
