"""Shows a person how things are: on the light, the buzzer and the display, as far as the board has them.

What there is to show is a *view* (views.py): (light, title, text, progress, invoice). The light repeats a
pattern of two seconds, so that it can be read without a display:

    on                 ready
    slow blinking      waiting for a payment (1 a second); synchronising (2 a second)
    fast blinking      paid (4 a second)
    long, short        which device this is (1 a second)
    2 long, a pause    no Wi-Fi
    flashes, a pause   1 no bridge, 2 not paired, 3 stale tip or too little work, 4 refused, 5 fault
"""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from hardware.board import Board
    from hardware.canvas import Canvas

    Invoice = tuple[str, int, str]  # address, satoshis, lines beside the code
    View = tuple[int, str, str, int, "Invoice | None"]

# What the light shows: 16 steps of an eighth of a second, the first in bit 0.
READY = const(0xFFFF)
INVOICE = const(0x0F0F)
SYNCING = const(0x3333)
PAID = const(0x5555)
HERE = const(0x5F5F)
NO_BRIDGE = const(0x0001)
NO_WIFI = const(0x00EE)
NOT_PAIRED = const(0x0005)
STALE = const(0x0015)
REFUSED = const(0x0055)
FAULT = const(0x0155)

# What the buzzer sounds, once, in the same steps.
BEEP_PAID = const(0b111_0_1_0_1)
BEEP_REFUSED = const(0b11111)

NO_PROGRESS = const(-1)
_STEP_MS = const(128)
_STEPS = const(16)
_AGAIN_MS = const(30_000)  # a display may have been unplugged, and plugged in again
_QR_AT = const(3)  # pixels of light ground around the code
_BESIDE_QR = const(67)
_LINES = const(8)


class Screen:
    """The light, the buzzer and the display of `board`. The picture's memory is taken when there is a display."""

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._display = board.display
        self.view: "View | None" = None
        self._beeps = 0
        self._step = -1
        self._canvas: "Canvas | None" = None
        self._drawn: "View | None" = None
        self._asked_at = 0
        self._failed = False  # the display did not answer

    def beep(self, pattern: int) -> None:
        self._beeps = pattern

    def tick(self, now_ms: int) -> None:
        """Let the light blink and the buzzer sound: call it a few times in each step."""
        step = now_ms // _STEP_MS
        if step == self._step:
            return
        self._step = step
        light = self.view[0] if self.view else NOT_PAIRED
        self._board.set_light(bool(light >> step % _STEPS & 1))
        self._board.set_buzzer(bool(self._beeps & 1))
        self._beeps >>= 1

    def show(self, view: "View", now_ms: int) -> None:
        """Show a view. The display gets it when it is another one, and again from time to time."""
        self.view = view
        display = self._display
        if display is None:
            return
        if (self._failed or view == self._drawn) and now_ms - self._asked_at <= _AGAIN_MS:
            return
        self._asked_at = now_ms
        self._failed = not display.answers()
        if self._failed:
            return
        if self._canvas is None:
            from hardware.canvas import Canvas  # noqa: PLC0415 - what is not wired costs no memory

            self._canvas = Canvas()
        if view != self._drawn:
            self._draw(self._canvas, view)
            self._drawn = view
        self._failed = not display.show_picture(self._canvas.buffer)

    def _draw(self, canvas: "Canvas", view: "View") -> None:
        _, title, text, progress, invoice = view
        canvas.clear()
        if invoice is not None and self._draw_invoice(canvas, invoice):
            return
        canvas.large(0, 0, title)
        page = 3
        for line in wrapped(text, 21):
            if page < _LINES - (progress != NO_PROGRESS):
                canvas.text(0, page, line)
                page += 1
        if progress != NO_PROGRESS:
            canvas.bar(_LINES - 1, progress, 100)

    def _draw_invoice(self, canvas: "Canvas", invoice: "Invoice") -> bool:
        """A QR code with text beside it. False when the address is too long for one."""
        from firmware import qr  # noqa: PLC0415 - only a till that has a display needs it
        from lightclient.errors import LimitExceeded  # noqa: PLC0415

        address, amount, text = invoice
        parts = qr.payment_uri(address, amount)
        try:
            rows = qr.encode(parts)
        except LimitExceeded:
            try:
                rows = qr.encode(parts[:-2])  # 62 characters of a taproot address leave no room for the amount
            except LimitExceeded:
                return False
        canvas.light(0, 64)
        qr.draw(canvas, rows, _QR_AT, _QR_AT)
        for page, line in enumerate(text.split("\n")[:_LINES]):
            canvas.text(_BESIDE_QR, page, line)
        return True


def wrapped(text: str, width: int) -> "list[str]":
    """Lines of at most `width` letters, broken between words where that is possible."""
    lines = []
    for line in text.split("\n"):
        rest = line
        while len(rest) > width:
            at = rest.rfind(" ", 0, width + 1)
            if at <= 0:
                at = width
            lines.append(rest[:at])
            rest = rest[at:].lstrip(" ")
        lines.append(rest)
    return lines
