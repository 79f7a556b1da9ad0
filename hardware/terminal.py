"""A simulated board that draws itself on a terminal: display, light, relay, and its last words.

It draws on the terminal that the program was started from (/dev/tty), for standard input and output may
be the link. Enter presses the button, `l` and Enter holds it. In a window of 132 columns and more the
pixels are half blocks, and a phone reads a QR code from them; in a smaller one braille dots.
"""

import select

from hardware.canvas import HEIGHT, WIDTH
from hardware.simulated import SimulatedBoard
from lightclient.compat import IS_MICROPYTHON, const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

_SHORT_MS = const(200)
_LONG_MS = const(1_500)
_LINES = const(5)  # of its last words
_BLOCKS = " \u2580\u2584\u2588"  # none, upper, lower, both
_BRAILLE = const(0x2800)
_HOME = "\x1b[H"  # cursor to the top
_END_OF_LINE = "\x1b[K\n"
_REST = "\x1b[J"
_LIGHT = "\x1b[1;33m\u25cf\x1b[0m"


def block_lines(buffer: "bytearray | bytes") -> "list[str]":
    """A picture (Canvas.buffer) as 32 lines of 128 half blocks."""
    lines = []
    for y in range(0, HEIGHT, 2):
        page = (y >> 3) * WIDTH
        lines.append("".join([_BLOCKS[buffer[page + x] >> (y & 7) & 3] for x in range(WIDTH)]))
    return lines


def braille_lines(buffer: "bytearray | bytes") -> "list[str]":
    """A picture as 16 lines of 64 braille signs: two columns of four dots each."""
    lines = []
    for y in range(0, HEIGHT, 4):
        page = (y >> 3) * WIDTH
        line = []
        for x in range(page, page + WIDTH, 2):
            left = buffer[x] >> (y & 7) & 15
            right = buffer[x + 1] >> (y & 7) & 15
            # dots 1 2 3 7 are the left column, 4 5 6 8 the right one
            line.append(chr(_BRAILLE + (left & 7 | (left & 8) << 3 | (right & 7) << 3 | (right & 8) << 4)))
        lines.append("".join(line))
    return lines


class TerminalBoard(SimulatedBoard):
    """Draws what has changed, when something has. Without a terminal it is a simulated board."""

    def __init__(self) -> None:
        SimulatedBoard.__init__(self, True)
        self._wide = False
        self._screen: "Any" = None
        self._keys: "Any" = None
        self._poll = select.poll()
        self._down_until = 0
        try:
            self._screen = open("/dev/tty", "w")
            self._keys = open("/dev/tty", "rb")
            self._poll.register(self._keys, select.POLLIN)
            self._wide = _columns(self._keys) >= WIDTH + 4
            self._screen.write("\x1b[2J")
        except OSError:
            self._screen = None

    def set_relay(self, on: bool) -> None:
        SimulatedBoard.set_relay(self, on)
        self._draw()

    def set_light(self, on: bool) -> None:
        if on != self.light_is_on:
            self.light_is_on = on
            self._draw()

    def show_picture(self, buffer: bytearray) -> bool:
        SimulatedBoard.show_picture(self, buffer)
        self._draw()
        return True

    def button_is_down(self) -> bool:
        now = self.milliseconds()
        if self._screen is not None and self._poll.poll(0):
            line = self._keys.readline()
            self._down_until = now + (_LONG_MS if line.strip() else _SHORT_MS)
            self._draw()
        return now < self._down_until

    def _print(self, text: str) -> None:
        if self._screen is None:
            SimulatedBoard._print(self, text)
        else:
            self._draw()

    def lines(self) -> "list[str]":
        """What it looks like now, a line each."""
        picture = self.picture or bytes(WIDTH * HEIGHT // 8)
        lines = block_lines(picture) if self._wide else braille_lines(picture)
        edge = "+" + "-" * len(lines[0]) + "+"
        lines = [edge] + ["|" + line + "|" for line in lines] + [edge]
        light = _LIGHT if self.light_is_on else "\u25cb"
        relay = "closed" if self.relay_is_on else "open"
        lines.append(" light " + light + "   relay " + relay + "   Enter: press the button, l Enter: hold it")
        return lines + self.shown[-_LINES:]

    def _draw(self) -> None:
        if self._screen is None:
            return
        try:
            self._screen.write(_HOME + _END_OF_LINE.join(self.lines()) + _END_OF_LINE + _REST)
            if not IS_MICROPYTHON:
                self._screen.flush()
        except OSError:  # the terminal has gone
            self._screen = None


def _columns(terminal: "Any") -> int:
    """How wide the terminal is; MicroPython does not know."""
    if IS_MICROPYTHON:
        return 0
    import os  # noqa: PLC0415 - get_terminal_size is CPython's

    try:
        return os.get_terminal_size(terminal.fileno()).columns
    except OSError:
        return 0
