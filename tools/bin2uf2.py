"""bin2uf2.py FIRMWARE.bin OUT.uf2: wrap a raw RP2040 flash image, from 0x10000000 on, as UF2."""

import struct
import sys
from pathlib import Path

FLASH_START = 0x10000000
PAYLOAD = 256
RP2040_FAMILY = 0xE48BFF56
FAMILY_PRESENT = 0x2000


def to_uf2(image: bytes) -> bytes:
    """UF2 blocks of 512 bytes (github.com/microsoft/uf2), the last one padded with zeros."""
    count = -(-len(image) // PAYLOAD)
    blocks = []
    for i in range(count):
        head = struct.pack(
            "<8I", 0x0A324655, 0x9E5D5157, FAMILY_PRESENT, FLASH_START + i * PAYLOAD, PAYLOAD, i, count, RP2040_FAMILY
        )
        body = image[i * PAYLOAD : (i + 1) * PAYLOAD].ljust(476, b"\0")
        blocks.append(head + body + struct.pack("<I", 0x0AB16F30))
    return b"".join(blocks)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(to_uf2(Path(sys.argv[1]).read_bytes()))
