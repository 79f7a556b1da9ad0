"""UF2 images for tests."""

import struct

RP2040 = 0xE48BFF56
RP2350 = 0xE48BFF59


def make_uf2(blocks: int = 4, family: int = RP2040, fill: int = 0) -> bytes:
    """A whole image."""
    data = b""
    for i in range(blocks):
        head = (0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * i, 256, i, blocks, family)
        data += struct.pack("<8I", *head) + bytes([fill + i & 0xFF]) * 256 + bytes(220) + struct.pack("<I", 0x0AB16F30)
    return data


def make_drive(folder, board_id="RPI-RP2"):
    """What a board shows with BOOTSEL held."""
    folder.mkdir()
    text = f"UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {board_id}\r\n"
    (folder / "INFO_UF2.TXT").write_bytes(text.encode())
    (folder / "INDEX.HTM").write_bytes(b"<html>")
    return folder
