"""A UART as the way to the bridge: for a Raspberry Pi beside the board, or a line too long for USB.

UART0, GP0 (sends) and GP1 (receives), 8 bits, no parity. Its driver takes bytes as they come into a buffer of
its own; a frame's worth fits, and the credit that we grant keeps more from coming (docs/PROTOCOL.md).
"""

from machine import UART, Pin

from firmware.links import StreamLink
from lightclient.compat import const

_UART = const(0)
_SENDS = const(0)  # GP0
_RECEIVES = const(1)  # GP1
_BUFFER = const(4096)


class UartLink(StreamLink):
    """UART0 at `baud_rate`. Nobody can be there or not: `closed` stays False."""

    def __init__(self, baud_rate: int) -> None:
        uart = UART(_UART, baud_rate, tx=Pin(_SENDS), rx=Pin(_RECEIVES), rxbuf=_BUFFER, txbuf=512, timeout=0)
        StreamLink.__init__(self, uart, uart)

    def _read_what_is_there(self) -> "int | None":
        # Asked for more, it would wait for each byte as long as one takes, and so until the buffer is full.
        count = min(self._reader.any(), len(self.buffer))  # type: ignore[attr-defined]
        return self._reader.readinto(self.buffer, count) if count else None  # type: ignore[attr-defined]

    def close(self) -> None:
        """What is being sent is forgotten; the line stays."""
        self._unsent = b""
