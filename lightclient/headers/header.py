"""The 80 bytes of a header. A header is a (buffer, offset) pair; no object is made for it.

Layout (Core: CBlockHeader), integers little-endian, hashes in internal order:
version 4, prev_block_hash 32, merkle_root 32, time 4, bits 4, nonce 4.
"""

from lightclient.compat import const
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE
from lightclient.serialize import read_int32_le, read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

PREV_BLOCK_HASH = const(4)
MERKLE_ROOT = const(36)
TIME = const(68)
BITS = const(72)
NONCE = const(76)


def read_version(buffer: "Buffer", offset: int) -> int:
    """Signed, as Core compares it."""
    return read_int32_le(buffer, offset)


def read_prev_block_hash(buffer: "Buffer", offset: int) -> bytes:
    return bytes(buffer[offset + PREV_BLOCK_HASH : offset + MERKLE_ROOT])


def read_merkle_root(buffer: "Buffer", offset: int) -> bytes:
    return bytes(buffer[offset + MERKLE_ROOT : offset + TIME])


def read_time(buffer: "Buffer", offset: int) -> int:
    """Unix seconds."""
    return read_uint32_le(buffer, offset + TIME)


def read_bits(buffer: "Buffer", offset: int) -> int:
    """The target in compact form."""
    return read_uint32_le(buffer, offset + BITS)


def block_hash(buffer: "Buffer", offset: int) -> bytes:
    return hash256(memoryview(buffer)[offset : offset + HEADER_SIZE])
