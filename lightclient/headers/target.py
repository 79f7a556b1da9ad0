"""Targets: the compact form (`bits`), the 256-bit number, and the work it stands for.

Source: Core `arith_uint256::SetCompact`, `GetCompact`; `pow.cpp` DeriveTarget; `chain.cpp` GetBlockProof.
"""

from lightclient.compat import const, micropython, ptr8
from lightclient.errors import BadProofOfWork, MalformedBits

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.params import Network
    from lightclient.serialize import Buffer


def bits_to_target(bits: int, network: "Network", height: int = -1) -> int:
    """The target that `bits` stands for; a hash has to be at most this number.

    Raises MalformedBits for a sign, an overflow, zero, or a target above the network's limit.
    """
    exponent = bits >> 24
    mantissa = bits & 0x7FFFFF
    if exponent < 3:
        mantissa >>= 8 * (3 - exponent)
        exponent = 3
    if mantissa == 0:
        raise MalformedBits("bits %08x: the target is zero" % bits, height)
    if bits & 0x800000:
        raise MalformedBits("bits %08x: the target is negative" % bits, height)
    if exponent > 34 or (exponent > 33 and mantissa > 0xFF) or (exponent > 32 and mantissa > 0xFFFF):
        raise MalformedBits("bits %08x: the target overflows 256 bits" % bits, height)
    target = mantissa << 8 * (exponent - 3)
    if target > network.pow_limit:
        raise MalformedBits("bits %08x: easier than the limit of %s" % (bits, network.name), height)
    return target


def target_to_bits(target: int) -> int:
    """The compact form of a positive number below 2^256; what does not fit three bytes is cut off."""
    size = 0
    rest = target
    while rest:
        rest >>= 8
        size += 1
    if size <= 3:
        mantissa = target << 8 * (3 - size)
    else:
        mantissa = target >> 8 * (size - 3)
    if mantissa & 0x800000:  # the top bit is the sign: move one byte up
        mantissa >>= 8
        size += 1
    return size << 24 | mantissa


def work(target: int) -> int:
    """Hashes that it takes on average to meet `target`: 2^256 / (target + 1)."""
    return (1 << 256) // (target + 1)


def check_proof_of_work(block_hash: "Buffer", target: int, height: int = -1) -> None:
    """Raises BadProofOfWork when the hash, as a little-endian number, is above the target."""
    if int.from_bytes(block_hash, "little") > target:
        raise BadProofOfWork("the hash does not meet its target", height)


@micropython.viper
def exceeds(block_hash, target) -> int:  # type: ignore[no-untyped-def]
    """1 when the hash, as a little-endian number, is above `target`, 32 bytes little-endian. Makes no object."""
    found = ptr8(block_hash)
    most = ptr8(target)
    i = 31
    while i >= 0:
        if found[i] != most[i]:
            return 1 if found[i] > most[i] else 0
        i -= 1
    return 0
