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
    b"\xae"  # display off
    b"\x20\x00"  # bytes go on from left to right, then to the next 8 rows
    b"\x40\xa8\x3f\xd3\x00"  # from line 0 on, 64 lines, no offset
    b"\xa1\xc8"  # the pins are above the picture
    b"\xda\x12\xd5\x80\xd9\xf1\xdb\x30"  # as the panel is wired; its timing
    b"\x81\x8f"  # brightness
    b"\xa4\xa6"  # shows its memory, 1 is light
    b"\x8d\x14"  # makes its own voltage
    b"\xaf"  # display on
)
_WHOLE = b"\x00\x21\x00\x7f\x22\x00\x07"  # what follows fills all columns of all pages


class Ssd1306:
    """The display at `address`. One that does not answer is asked again with the next picture."""

    def __init__(self, i2c: "I2C", address: int) -> None:
        self._i2c = i2c
        self._address = address
        self._piece = bytearray(1 + _PAGE)
        self._piece[0] = _DATA
        self._is_set_up = False

    def answers(self) -> bool:
        """Whether there is a display; it is set up then."""
        try:
            self._i2c.writeto(self._address, _SETUP)
            self._is_set_up = True
        except OSError:
            self._is_set_up = False
        return self._is_set_up

    def show_picture(self, buffer: bytearray) -> bool:
        """Send a Canvas' buffer: about 25 ms. False when the display does not answer."""
        if not self._is_set_up and not self.answers():
            return False
        piece = self._piece
        try:
            self._i2c.writeto(self._address, _WHOLE)
            for start in range(0, len(buffer), _PAGE):
                piece[1:] = buffer[start : start + _PAGE]
                self._i2c.writeto(self._address, piece)
        except OSError:
            self._is_set_up = False
        return self._is_set_up
