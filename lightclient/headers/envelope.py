"""The envelope around what is kept in files and is no header: see store.py for its bytes."""

from binascii import crc32

from lightclient.compat import const
from lightclient.errors import CorruptStore, LimitExceeded, WrongNetwork, WrongStoreVersion
from lightclient.hashes import hash256
from lightclient.serialize import read_uint32_le, write_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.params import Network

FORMAT = const(1)
RECORD = const(1)
PAYMENTS = const(2)
BASE = const(3)
HEAD_SIZE = const(18)
ENVELOPE_SIZE = const(22)  # HEAD_SIZE and the CRC
BASE_SIZE = const(1600)
_MAGIC = b"LCst"

MIGRATIONS: "dict[int, Callable[[int, bytes], bytes]]" = {}


def network_id(network: "Network") -> bytes:
    """Four bytes that tell the networks apart."""
    return hash256(network.genesis_header)[:4]


def seal(buffer: bytearray, kind: int, length: int, network: bytes, sequence: int) -> int:
    """Put the envelope around the `length` bytes of content at HEAD_SIZE; returns the size of all."""
    buffer[0:4] = _MAGIC
    buffer[4] = FORMAT
    buffer[5] = kind
    write_uint32_le(buffer, 6, length)
    buffer[10:14] = network
    write_uint32_le(buffer, 14, sequence)
    end = HEAD_SIZE + length
    write_uint32_le(buffer, end, crc32(memoryview(buffer)[:end]))
    return end + 4


def unseal(buffer: bytearray, size: int, kind: int, network: bytes, name: str) -> int:
    """Check the envelope in `buffer[:size]`; returns the length of its content, migrated if need be.

    `network` of no bytes: any. Raises CorruptStore, WrongStoreVersion, WrongNetwork.
    """
    length = read_uint32_le(buffer, 6) if size >= ENVELOPE_SIZE else 0
    end = HEAD_SIZE + length
    if size < ENVELOPE_SIZE or buffer[0:4] != _MAGIC or end + 4 > size:
        raise CorruptStore(name + ": not whole")
    if crc32(memoryview(buffer)[:end]) != read_uint32_le(buffer, end):
        raise CorruptStore(name + ": its checksum is wrong")
    version = buffer[4]
    if version != FORMAT and version not in MIGRATIONS:
        raise WrongStoreVersion("%s: format version %d, this program knows %d" % (name, version, FORMAT))
    if buffer[5] != kind:
        raise CorruptStore(name + ": holds something else")
    if network and buffer[10:14] != network:
        raise WrongNetwork(name + " is of another network")
    while version != FORMAT:
        content = MIGRATIONS[version](kind, bytes(buffer[HEAD_SIZE:end]))
        length = len(content)
        end = HEAD_SIZE + length
        if end + 4 > len(buffer):
            raise LimitExceeded(name + ": too long once migrated")
        buffer[HEAD_SIZE:end] = content
        version += 1
    return length
