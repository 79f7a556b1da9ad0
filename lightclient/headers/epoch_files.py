"""The files of one epoch of headers each: their names, and the checkpoint at their base."""

from lightclient.compat import const
from lightclient.headers.envelope import BASE, BASE_SIZE, ENVELOPE_SIZE, HEAD_SIZE, unseal
from lightclient.headers.pair import CONTENT
from lightclient.serialize import read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.store import Files


def epoch_file(epoch: int, new: bool = False) -> str:
    """Name of the file of that epoch's headers, of the chain or of a branch."""
    return "%06d.new" % epoch if new else "%06d.hdr" % epoch


def epoch_of(name: str) -> int:
    """The epoch whose headers are in the file of that name; -1 when it is no name that we give."""
    digits = name[:-4]
    return int(digits) if digits.isdigit() and name in (epoch_file(int(digits)), epoch_file(int(digits), True)) else -1


def read_base(files: "Files", name: str, network: bytes) -> bytes:
    """The checkpoint at the base of an epoch file. Raises CorruptStore, WrongNetwork, WrongStoreVersion."""
    # It takes some 500 bytes, and the whole base more than a device may have in one piece at a reorg.
    buffer = bytearray(HEAD_SIZE)
    size = files.size(name)
    if size >= BASE_SIZE and files.read_into(name, 0, buffer) == HEAD_SIZE:
        buffer = bytearray(min(ENVELOPE_SIZE + read_uint32_le(buffer, 6), BASE_SIZE))
        size = files.read_into(name, 0, buffer)
    length = unseal(buffer, max(min(size, len(buffer)), 0), BASE, network, name)
    return bytes(buffer[CONTENT : CONTENT + length])
