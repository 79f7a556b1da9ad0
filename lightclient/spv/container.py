"""The payment proof container (`.lcproof`): its keys, its ceilings, and how it is written.

Specification: docs/PROOF.md. A canonical CBOR map with integer keys in ascending order:

0 format version, 1 network, 2 height, 3 header, 4 txid, 5 index, 6 depth, 7 transaction,
8 merkle_branch, and where the transaction is not the coinbase itself, 9 coinbase and
10 coinbase_merkle_branch; for a header that its verifier no longer has, 11 path (docs/ACCUMULATOR.md):
the size it was made for, uint32_le, and then its hashes.

The number of pairs, the first byte of all, says which of them follow: an odd one has no path. So a proof
that lacks its coinbase can be refused before its transaction or branch is looked at.
"""

from lightclient.cbor import BYTES, MAP, MAX_HEAD, TEXT, UINT, Writer
from lightclient.compat import const
from lightclient.headers.path import MAX_PATH_HASHES, SIZE_BYTES
from lightclient.limits import (
    HEADER_SIZE,
    MAX_HEIGHT,
    MAX_MERKLE_DEPTH,
    MAX_NAME,
    MAX_PROOF_SIZE,
    MAX_TRANSACTION_SIZE,
)

FORMAT_VERSION = const(1)
WITHOUT_COINBASE = const(9)  # pairs of the map
WITH_COINBASE = const(11)
MAX_PAIRS = const(23)  # what a head of one byte can say
_MAX_UINT = 0xFFFFFFFFFFFFFFFF

# Keys.
VERSION = const(0)
NETWORK = const(1)
HEIGHT = const(2)
HEADER = const(3)
TXID = const(4)
INDEX = const(5)
DEPTH = const(6)
TRANSACTION = const(7)
BRANCH = const(8)
COINBASE = const(9)
COINBASE_BRANCH = const(10)
PATH = const(11)

KEYS = (
    "version",
    "network",
    "height",
    "header",
    "txid",
    "index",
    "depth",
    "transaction",
    "merkle_branch",
    "coinbase",
    "coinbase_merkle_branch",
    "path",
)
MAJOR = (UINT, TEXT, UINT, BYTES, BYTES, UINT, UINT, BYTES, BYTES, BYTES, BYTES, BYTES)
# A branch is compared with the depth, an index with the tree, so their own ceilings are wide.
MAXIMUM = (
    _MAX_UINT,
    MAX_NAME,
    MAX_HEIGHT,
    HEADER_SIZE,
    32,
    _MAX_UINT,
    MAX_MERKLE_DEPTH,
    MAX_TRANSACTION_SIZE,
    MAX_PROOF_SIZE,
    MAX_TRANSACTION_SIZE,
    MAX_PROOF_SIZE,
    SIZE_BYTES + 32 * MAX_PATH_HASHES,
)


def proof_parts(
    network_name: str,
    height: int,
    header: bytes,
    txid: bytes,
    index: int,
    depth: int,
    transaction: bytes,
    merkle_branch: bytes,
    coinbase: "bytes | None" = None,
    coinbase_merkle_branch: bytes = b"",
    path: "bytes | None" = None,
) -> "list[bytes]":
    """A container as pieces to be fed or written one after the other. Nothing is judged here.

    Hashes and raw bytes in internal order; `merkle_branch` is the siblings one after the other.
    `coinbase` None: the transaction is the coinbase itself. `path`: size and hashes, or None.
    """
    name = network_name.encode()
    parts = [
        _head(MAP, (WITHOUT_COINBASE if coinbase is None else WITH_COINBASE) + (path is not None)),
        _head(UINT, VERSION) + _head(UINT, FORMAT_VERSION),
        _head(UINT, NETWORK) + _head(TEXT, len(name)) + name,
        _head(UINT, HEIGHT) + _head(UINT, height),
        _head(UINT, HEADER) + _head(BYTES, len(header)),
        header,
        _head(UINT, TXID) + _head(BYTES, len(txid)),
        txid,
        _head(UINT, INDEX) + _head(UINT, index),
        _head(UINT, DEPTH) + _head(UINT, depth),
        _head(UINT, TRANSACTION) + _head(BYTES, len(transaction)),
        transaction,
        _head(UINT, BRANCH) + _head(BYTES, len(merkle_branch)),
        merkle_branch,
    ]
    if coinbase is not None:
        parts += [
            _head(UINT, COINBASE) + _head(BYTES, len(coinbase)),
            coinbase,
            _head(UINT, COINBASE_BRANCH) + _head(BYTES, len(coinbase_merkle_branch)),
            coinbase_merkle_branch,
        ]
    if path is not None:
        parts += [_head(UINT, PATH) + _head(BYTES, len(path)), path]
    return parts


def encode_proof(
    network_name: str,
    height: int,
    header: bytes,
    txid: bytes,
    index: int,
    depth: int,
    transaction: bytes,
    merkle_branch: bytes,
    coinbase: "bytes | None" = None,
    coinbase_merkle_branch: bytes = b"",
    path: "bytes | None" = None,
) -> bytes:
    """A whole container; the arguments are those of `proof_parts`."""
    return b"".join(
        proof_parts(
            network_name,
            height,
            header,
            txid,
            index,
            depth,
            transaction,
            merkle_branch,
            coinbase,
            coinbase_merkle_branch,
            path,
        )
    )


def with_path(container: bytes, path: bytes) -> bytes:
    """A container that has no path, with one put at its end."""
    return bytes([container[0] + 1]) + container[1:] + _head(UINT, PATH) + _head(BYTES, len(path)) + path


def _head(major: int, value: int) -> bytes:
    buffer = bytearray(MAX_HEAD)
    writer = Writer(buffer)
    writer.head(major, value)
    return bytes(buffer[: writer.offset])
