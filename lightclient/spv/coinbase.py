"""What a coinbase must look like: the transaction that pins a Merkle tree's depth and its block's height."""

from lightclient.compat import const
from lightclient.errors import HeightMismatch, NotACoinbase
from lightclient.limits import MAX_COINBASE_SCRIPT, MIN_COINBASE_SCRIPT

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.params import Network
    from lightclient.spv.transaction import TransactionWalk


def height_script(height: int) -> bytes:
    """What a coinbase's script begins with at `height` (BIP34): `CScript() << height`."""
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([0x50 + height])  # OP_1 ... OP_16
    number = bytearray()
    while height:
        number.append(height & 0xFF)
        height >>= 8
    if number[len(number) - 1] & 0x80:
        number.append(0)  # the top bit would be the sign
    return bytes([len(number)]) + bytes(number)


def is_coinbase(walk: "TransactionWalk") -> bool:
    """Whether the transaction of a finished walk is a well-formed coinbase, of whatever height."""
    return walk.is_coinbase and MIN_COINBASE_SCRIPT <= walk.coinbase_script_size <= MAX_COINBASE_SCRIPT


def check_coinbase(walk: "TransactionWalk", network: "Network", height: int) -> None:
    """Judge the transaction of a finished walk as the coinbase of the block at `height`.

    Raises NotACoinbase, or HeightMismatch where BIP34 is active.
    """
    size = walk.coinbase_script_size
    if not is_coinbase(walk):  # Core CheckTransaction: bad-cb-length
        if walk.is_coinbase:
            raise NotACoinbase("the coinbase's script has %d bytes, 2 to 100 are allowed" % size)
        raise NotACoinbase("the transaction has not one input with a null prevout")
    if height >= network.bip34_height:  # Core ContextualCheckBlock: bad-cb-height
        expected = height_script(height)
        if size < len(expected) or walk.coinbase_prefix[: len(expected)] != expected:
            raise HeightMismatch("the coinbase does not begin with height %d (BIP34)" % height, height)
