"""The files of one epoch of headers each: their names, and the checkpoint at their base."""

from lightclient.headers.envelope import BASE, BASE_SIZE, unseal
from lightclient.headers.pair import CONTENT

TYPE_CHECKING = False
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
    buffer = bytearray(BASE_SIZE)
    size = max(files.read_into(name, 0, buffer) if files.size(name) >= 0 else 0, 0)
    length = unseal(buffer, size, BASE, network, name)
    return bytes(buffer[CONTENT : CONTENT + length])
