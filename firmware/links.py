"""The byte streams that a device talks over."""

import select

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import BinaryIO, Protocol

    class Link(Protocol):
        """What a device asks of its line: StreamLink, TcpLink, EitherLink."""

        failures: int

        @property
        def buffer(self) -> bytearray: ...
        @property
        def closed(self) -> bool: ...  # for good
        @property
        def connected(self) -> bool: ...
        @property
        def point_to_point(self) -> bool: ...
        @property
        def problem(self) -> str: ...
        def read(self, timeout_ms: int) -> int: ...
        def write(self, data: bytes) -> None: ...
        def flush(self) -> bool: ...


_READ_SIZE = 1024  # a quarter of a frame: each time round the program's loop costs as much as 30 bytes
_WRITE_SIZE = 64  # what a line that says it is ready takes at once: one USB packet


class StreamLink:
    """A pair of binary streams: standard input and output on a board's USB, a terminal on a computer.

    Neither side is ever waited for but in `read`, and there no longer than is said: a bridge that
    does not read must not keep a device from opening its relay again. The reader must give what is
    there without waiting for more: a terminal in raw mode with VMIN = 0, VTIME = 0 does.
    """

    point_to_point = True  # whoever is at the other end holds the cable
    connected = True
    failures = 0
    problem = ""

    def __init__(self, reader: "BinaryIO", writer: "BinaryIO") -> None:
        self.buffer = bytearray(_READ_SIZE)
        self.closed = False
        self._reader = reader
        self._writer = writer
        self._unsent = b""
        self._readable = select.poll()
        self._readable.register(reader, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(writer, select.POLLOUT)

    def read(self, timeout_ms: int) -> int:
        """Wait for bytes; returns how many stand in `buffer`: 0 for none in time, -1 when the line is closed."""
        try:
            if not self._readable.poll(timeout_ms):
                return 0
            count = self._read_what_is_there()
        except OSError:  # the other end of a terminal has gone
            self.closed = True
            return -1
        if count is None:  # nothing there after all
            return 0
        return count or -1

    def _read_what_is_there(self) -> "int | None":
        """Fill `buffer` from its start without waiting; None: nothing there after all, 0: closed."""
        return self._reader.readinto(self.buffer)  # type: ignore[attr-defined, no-any-return]

    def write(self, data: bytes) -> None:
        """Send `data` after what was left before. What the line does not take now is kept: see `flush`."""
        self._unsent = self._unsent + data if self._unsent else data
        self.flush()

    def flush(self) -> bool:
        """Send as much as the line takes now of what is left. True when nothing is left."""
        try:
            while self._unsent and self._writable.poll(0):
                count = self._writer.write(self._unsent[:_WRITE_SIZE])
                if not count:
                    break
                self._unsent = self._unsent[count:]
        except OSError:
            self.closed = True
            self._unsent = b""
        return not self._unsent
