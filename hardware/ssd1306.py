"""An SSD1306 with 128 x 64 pixels on I2C, for MicroPython (data sheet: Solomon Systech SSD1306, revision 1.1)."""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Protocol

    class I2C(Protocol):
        def writeto(self, address: int, data: bytes | bytearray) -> int: ...


_PAGE = const(128)  # bytes of 8 rows
_DATA = const(0x40)  # control byte before picture data; 0x00 before commands

_SETUP = (
    b"\x00"
    b"\x20\x00"  # bytes go on from left to right, then to the next 8 rows
    b"\x40\xa8\x3f\xd3\x00"  # from line 0 on, 64 lines, no offset
    b"\xa1\xc8"  # the pins are above the picture
    b"\xda\x12\xd5\x80\xd9\xf1\xdb\x30"  # as the panel is wired; its timing
    b"\x81\x8f"  # brightness
    b"\xa4\xa6"  # shows its memory, 1 is light
    b"\x8d\x14"  # makes its own voltage
    b"\x21\x00\x7f\x22\x00\x07"  # what follows fills all columns of all pages
)
_ON = b"\x00\xaf"  # last: its memory is noise when its power comes


class Ssd1306:
    """The display at `address`. It may be unplugged at any time, so it is set up with each picture."""

    def __init__(self, i2c: "I2C", address: int) -> None:
        self._i2c = i2c
        self._address = address
        self._piece = bytearray(1 + _PAGE)
        self._piece[0] = _DATA

    def answers(self) -> bool:
        try:
            self._i2c.writeto(self._address, _SETUP)
        except OSError:
            return False
        return True

    def show_picture(self, buffer: bytearray) -> bool:
        """Send a Canvas' buffer: 25 ms. False when the display does not answer."""
        piece = self._piece
        try:
            self._i2c.writeto(self._address, _SETUP)
            for start in range(0, len(buffer), _PAGE):
                piece[1:] = buffer[start : start + _PAGE]
                self._i2c.writeto(self._address, piece)
            self._i2c.writeto(self._address, _ON)
        except OSError:
            return False
        return True
