"""The line of the device program on this computer: a serial port, or a terminal (pty) that others open as one."""

import fcntl
import io
import os
import termios
import tty
from pathlib import Path
from types import TracebackType

from host_bridge.files import Unusable


class _Stream:
    """Stands for standard input or output: the program takes the `buffer` of it."""

    def __init__(self, raw: io.FileIO) -> None:
        self.buffer = raw


class DeviceLine:
    """`path` is the port, or what others open. Neither end waits: a read gives what is there, a write what has room.

    Raises Unusable, OSError. Close it, or use it in a `with` block.
    """

    def __init__(self, port: Path | None, link: Path | None = None) -> None:
        self._link: Path | None = None
        self._user_end = -1
        if port is None:
            # that the other end stays open here keeps path and settings, whoever comes and goes
            self._end, self._user_end = os.openpty()
        else:
            self._end = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            if port is not None:
                self._claim(port)
            _make_raw(self._end if port is not None else self._user_end)
            os.set_blocking(self._end, False)
            self.path = port if port is not None else Path(os.ttyname(self._user_end))
            if link is not None:
                self._point(link)
            self.reader = _Stream(io.FileIO(self._end, "rb", closefd=False))
            self.writer = _Stream(io.FileIO(self._end, "wb", closefd=False))
        except BaseException:
            self.close()
            raise

    def _claim(self, port: Path) -> None:
        if not os.isatty(self._end):
            raise Unusable(f"{port}: not a serial port")
        try:
            fcntl.flock(self._end, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unusable(f"{port} is in use by another program") from None

    def _point(self, link: Path) -> None:
        if link.exists() and not link.is_symlink():
            raise Unusable(f"{link}: there is a file of that name, and no symbolic link")
        link.unlink(missing_ok=True)
        link.symlink_to(self.path)
        self.path = self._link = link

    def close(self) -> None:
        for end in (self._end, self._user_end):
            if end >= 0:
                os.close(end)
        self._end = self._user_end = -1
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link = None

    def __enter__(self) -> "DeviceLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _make_raw(terminal: int) -> None:
    tty.setraw(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[2] |= termios.CLOCAL  # a UART without a modem's wires
    attributes[4] = attributes[5] = termios.B115200
    attributes[6][termios.VMIN] = 0
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
