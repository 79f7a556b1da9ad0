"""A picture of 128 x 64 pixels, and letters on it. The bytes lie as the display wants them, so a letter is five bytes.

Byte 128 * page + x holds the 8 pixels of column x in rows 8 * page to 8 * page + 7, the topmost in bit 0.
A line of text is one page high: 8 lines of 21 letters; large letters take two pages: 10 of them in a line.
"""

from hardware.font import FIRST, FONT, LETTER
from lightclient.compat import const

WIDTH = const(128)
HEIGHT = const(64)
CELL = const(6)  # columns of a letter, with the gap after it
COLUMNS = const(21)  # letters in a line
LARGE_COLUMNS = const(10)
_UNKNOWN = const(0x3F)  # a question mark
# each of the 4 bits twice
_DOUBLED = b"\x00\x03\x0c\x0f\x30\x33\x3c\x3f\xc0\xc3\xcc\xcf\xf0\xf3\xfc\xff"


class Canvas:
    """All dark at first. What would stand outside the picture is left out."""

    def __init__(self) -> None:
        self.buffer = bytearray(WIDTH * HEIGHT // 8)

    def clear(self) -> None:
        buffer = self.buffer
        for i in range(len(buffer)):
            buffer[i] = 0

    def text(self, x: int, page: int, text: str) -> None:
        """Letters from column `x` on; what is not printable ASCII is a question mark."""
        buffer = self.buffer
        at = page * WIDTH + x
        for letter in text[: (WIDTH - x + 1) // CELL]:
            source = _offset(letter)
            buffer[at : at + LETTER] = FONT[source : source + LETTER]
            at += CELL

    def large(self, x: int, page: int, text: str) -> None:
        """Letters twice as high and wide."""
        buffer = self.buffer
        at = page * WIDTH + x
        for letter in text[: (WIDTH - x + 2) // (2 * CELL)]:
            source = _offset(letter)
            for i in range(source, source + LETTER):
                buffer[at] = buffer[at + 1] = _DOUBLED[FONT[i] & 15]
                buffer[at + WIDTH] = buffer[at + WIDTH + 1] = _DOUBLED[FONT[i] >> 4]
                at += 2
            at += 2

    def bar(self, page: int, part: int, whole: int) -> None:
        """A bar over the whole width, filled to part / whole."""
        filled = (WIDTH - 2) * min(part, whole) // max(whole, 1)
        at = page * WIDTH
        for x in range(WIDTH):
            self.buffer[at + x] = 0x7E if x in (0, WIDTH - 1) or x <= filled else 0x42

    def light(self, x: int, width: int) -> None:
        """All pixels of some columns are light."""
        for page in range(0, HEIGHT // 8 * WIDTH, WIDTH):
            for at in range(page + x, page + x + width):
                self.buffer[at] = 0xFF

    def darken(self, x: int, y: int) -> None:
        """Two by two pixels are dark; x and y are the upper left one's."""
        for row in (y, y + 1):
            at = (row >> 3) * WIDTH + x
            mask = ~(1 << (row & 7)) & 0xFF
            self.buffer[at] &= mask
            self.buffer[at + 1] &= mask


def _offset(letter: str) -> int:
    """Where a letter stands in the font."""
    code = ord(letter)
    if not FIRST <= code < FIRST + len(FONT) // LETTER:
        code = _UNKNOWN
    return (code - FIRST) * LETTER
