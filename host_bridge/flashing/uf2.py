"""UF2 images (github.com/microsoft/uf2): whether one is whole, and for which chip."""

from host_bridge.files import Unusable
from lightclient.serialize import read_uint32_le

BLOCK = 512
MOST_BYTES = 16 << 20  # a Pico's flash has 2 MB, at 256 bytes in a block of 512; a Pico 2's 4 MB
_START = (0x0A324655, 0x9E5D5157)
_END = 0x0AB16F30
_MOST_PAYLOAD = 476
_HAS_FAMILY = 0x2000
_NOT_FOR_FLASH = 0x1
_ABSOLUTE = 0xE48BFF57  # a block that the SDK puts before RP2350 images (erratum E10)
FAMILIES = {
    0xE48BFF56: "RP2040",
    0xE48BFF59: "RP2350",  # its ARM cores
    0xE48BFF5A: "RP2350",  # its RISC-V cores
}
# Board-ID in INFO_UF2.TXT → chip
BOARDS = {"RPI-RP2": "RP2040", "RP2350": "RP2350"}


def check_uf2(data: bytes) -> str:
    """The chip that the image is for. Raises Unusable unless it is whole and for one chip."""
    if not data or len(data) % BLOCK:
        raise Unusable(f"no UF2 image: {len(data):,} bytes are no blocks of {BLOCK}")
    families: dict[int, list[int]] = {}
    totals: dict[int, int] = {}
    for i, start in enumerate(range(0, len(data), BLOCK)):
        words = [read_uint32_le(data, start + 4 * j) for j in range(8)]
        if (words[0], words[1]) != _START or read_uint32_le(data, start + BLOCK - 4) != _END:
            raise Unusable(f"no UF2 image: block {i} has no magic numbers")
        flags, _, size, number, total, family = words[2:]
        if not flags & _HAS_FAMILY or flags & _NOT_FOR_FLASH or size > _MOST_PAYLOAD:
            raise Unusable(f"block {i} of the image is not for the flash of a known chip")
        if family == _ABSOLUTE:
            continue
        if totals.setdefault(family, total) != total:
            raise Unusable(f"block {i} of the image says {total} blocks, others {totals[family]}")
        families.setdefault(family, []).append(number)
    if len(families) != 1:
        raise Unusable("the image is for none, or several kinds of chip")
    ((family, numbers),) = families.items()
    if family not in FAMILIES:
        raise Unusable(f"the image is for the family {family:#010x}, not for RP2040 or RP2350")
    if numbers != list(range(totals[family])):
        raise Unusable(f"the image is not whole: {len(numbers)} of {totals[family]} blocks")
    return FAMILIES[family]
