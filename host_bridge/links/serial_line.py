"""One serial port as a line: a board's USB, a UART, a pseudo-terminal.

On POSIX the port's descriptor is watched by the event loop; elsewhere two threads wait in its place.
"""

import asyncio
import contextlib
import errno
import os

import serial

from host_bridge.limits import READ_SIZE
from host_bridge.links.line import Line, NotReady, ReadyLine

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

BAUD_RATE = 115_200  # of a UART; USB has none
TOUCH_BAUD_RATE = 1200  # opening a board's USB with it throws it into its boot loader
_THREAD_SECONDS = 0.2  # that a thread waits for bytes before it looks whether the line is closed


class PortUnusable(Exception):
    """A port can't be opened as it is; the text is one line for people. `is_busy`: another program has it."""

    def __init__(self, text: str, is_busy: bool = False) -> None:
        super().__init__(text)
        self.is_busy = is_busy


def open_port(
    path: str, baud_rate: int = BAUD_RATE, timeout: float = _THREAD_SECONDS, write_timeout: float | None = None
) -> serial.Serial:
    """A port for us alone. Raises PortUnusable.

    DTR and RTS are both on: a board's USB says nothing without DTR, and neither line resets a Pico.
    """
    if baud_rate == TOUCH_BAUD_RATE:
        raise PortUnusable("1200 baud would start a board's boot loader")
    port = serial.Serial(baudrate=baud_rate, timeout=timeout, write_timeout=write_timeout, exclusive=True)
    port.port = path
    port.dtr = True
    port.rts = True
    try:
        port.open()
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise _unusable(error) from None
    return port


def open_serial(path: str, name: str, baud_rate: int = BAUD_RATE) -> Line:
    """A port as a line. Raises PortUnusable. Call it from the event loop's thread."""
    port = open_port(path, baud_rate)
    if termios is None:
        return _ThreadLine(port, name)
    try:
        fd = port.fileno()
        attributes = termios.tcgetattr(fd)
        attributes[6][termios.VMIN] = 1  # else a read with nothing there looks as one at the end
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except (OSError, termios.error) as error:
        port.close()
        raise _unusable(error) from None
    return SerialLine(port, name)


def _unusable(error: Exception) -> PortUnusable:
    number = getattr(error, "errno", None) or next((a for a in error.args if isinstance(a, int)), None)
    if number in (errno.EACCES, errno.EPERM):
        return PortUnusable("permission denied: the user has to be in the group of the port, as a rule dialout")
    if number in (errno.EAGAIN, errno.EBUSY):
        return PortUnusable("busy: another program has it open", True)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return PortUnusable("not plugged in")
    if number == errno.ENOTTY or "not configure port" in str(error):
        return PortUnusable("not a serial port")
    return PortUnusable(os.strerror(number) if number else str(error))


class SerialLine(ReadyLine):
    """A port that has been opened (`open_serial`)."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        super().__init__(name, port.fileno())
        self._port = port

    def _take(self, size: int) -> bytes:
        try:
            return os.read(self._fd, size)
        except BlockingIOError:
            raise NotReady(False) from None

    def _send(self, data: memoryview) -> int:
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        if sent == 0:
            raise NotReady(True)
        return sent

    def _release(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            if self._port.out_waiting:  # closing would wait half a minute for a device that reads nothing
                termios.tcflush(self._fd, termios.TCOFLUSH)
        with contextlib.suppress(OSError, termios.error):
            self._port.close()


class _ThreadLine:
    """The same where ports have no descriptor that can be watched."""

    is_network = False

    def __init__(self, port: serial.Serial, name: str) -> None:
        self.name = name
        self.in_session = False
        self.turned_away = ""
        self._port = port
        self._closed = asyncio.Event()

    async def read(self) -> bytes:
        while not self._closed.is_set():
            try:
                data = await asyncio.to_thread(self._read)
            except (OSError, TypeError, AttributeError):  # pyserial, when the port is closed under it
                break
            if data:
                return data
        self.close()
        return b""

    def _read(self) -> bytes:
        return bytes(self._port.read(min(max(self._port.in_waiting, 1), READ_SIZE)))

    async def write(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self._port.write, data)
        except (OSError, TypeError, AttributeError):
            self.close()
            raise ConnectionError("the line is closed") from None

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            with contextlib.suppress(OSError):
                self._port.cancel_read()
                self._port.cancel_write()
            with contextlib.suppress(OSError):
                self._port.close()

    async def wait_closed(self) -> None:
        await self._closed.wait()
