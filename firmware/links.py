"""The byte streams that a device talks over."""

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_READ_SIZE = 512


class StreamLink:
    """A pair of binary streams: standard input and output on a board's USB, a terminal on a computer.

    The reader must give what is there without waiting for more: a terminal in raw mode with
    VMIN = 0, VTIME = 0 does.
    """

    def __init__(self, reader: "BinaryIO", writer: "BinaryIO") -> None:
        self.buffer = bytearray(_READ_SIZE)
        self._reader = reader
        self._writer = writer
        self._poll = select.poll()
        self._poll.register(reader, select.POLLIN)

    def read(self, timeout_ms: int) -> int:
        """Wait for bytes; returns how many stand in `buffer`: 0 for none in time, -1 when the line is closed."""
        try:
            if not self._poll.poll(timeout_ms):
                return 0
            return self._reader.readinto(self.buffer) or -1  # type: ignore[attr-defined]
        except OSError:  # the other end of a terminal has gone
            return -1

    def write(self, data: bytes) -> bool:
        """Write all of `data`: a write may take a part only. False when the line is closed."""
        written = 0
        try:
            while written < len(data):
                written += self._writer.write(data[written:] if written else data) or 0
        except OSError:
            return False
        return True
