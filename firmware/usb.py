"""The USB serial line of a board (CDC), through MicroPython's own console.

The console reads as many bytes as it is asked for and waits for them, and cannot say how many are
there. To ask for one at a time costs six times as much as many at once, so we ask for a buffer full
and are called back when the line is empty: MicroPython asks a second terminal (`os.dupterm`) for
input when its own has none. Ours presses Ctrl-C there, which ends the reading. How many bytes had
come shows in the buffer, filled with 0x03 beforehand: the framing never sends that byte
(docs/PROTOCOL.md). A Ctrl-C from the host itself ends the program as ever, so a board can be rescued.
"""

import io
import os
import sys

from firmware.links import StreamLink
from lightclient.compat import const

_CTRL_C = b"\x03"
_POLL = const(3)  # MP_STREAM_POLL


class _NothingMore(io.IOBase):
    """The second terminal: asked only when the line is empty."""

    def __init__(self) -> None:
        self.was_asked = False

    def readinto(self, buffer: "bytearray | memoryview") -> int:
        self.was_asked = True
        buffer[0] = _CTRL_C[0]
        return 1

    def write(self, data: bytes) -> int:
        return len(data)

    def ioctl(self, request: int, argument: int) -> int:
        return 0


class UsbLink(StreamLink):
    """Standard input and output of a board. Needs `micropython.kbd_intr(3)`, which is what a board starts with."""

    def __init__(self) -> None:
        StreamLink.__init__(self, sys.stdin.buffer, sys.stdout.buffer)
        self._empty = _NothingMore()
        self._blank = _CTRL_C * len(self.buffer)
        self._view = memoryview(self.buffer)

    def _read_what_is_there(self) -> int:
        empty = self._empty
        empty.was_asked = False
        self._view[:] = self._blank
        os.dupterm(empty)  # type: ignore[attr-defined]
        try:
            return self._reader.readinto(self.buffer)  # type: ignore[attr-defined, no-any-return]
        except KeyboardInterrupt:
            if not empty.was_asked:
                raise
            return max(self.buffer.find(_CTRL_C), 0)
        finally:
            os.dupterm(None)  # type: ignore[attr-defined]
