"""The bridge over a network: TCP and TLS to the one bridge whose certificate was given at pairing.

Never waits but in `read`, and there no longer than is said (a host *name* is looked up by the system,
which may take its time; an address is not). A connection that fails or falls silent is made anew, after
a pause that doubles each time, up to `_LONGEST_PAUSE`; the program sets `failures` to 0 when a session
has opened. The clock of a device starts wrong: the bridge's certificate is valid from 2020 to 2060.
"""

import select
import socket
import ssl

from lightclient.compat import IS_MICROPYTHON, const
from lightclient.pairing import SERVER_NAME

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from hardware.board import Board

_READ_SIZE = const(512)
_CONNECT_MS = const(10_000)  # for TCP
_GREET_MS = const(30_000)  # for TLS and the bridge's first byte: a slow chip takes seconds for the signatures
_SILENCE_MS = const(90_000)  # after 30 s a client asks for a sign of life, and waits 15 s for it
_FIRST_PAUSE = const(1_000)
_LONGEST_PAUSE = const(60_000)
_BUSY = (11, 115, 119)  # EAGAIN, EINPROGRESS on Linux and on lwIP

# What MbedTLS and OpenSSL say of a certificate that is not the one, or is of another name.
_NOT_PINNED = ("not correctly signed", "CERTIFICATE_VERIFY_FAILED", "does not match with the expected CN")

_PAUSING = const(0)
_CONNECTING = const(1)
_CONNECTED = const(2)


class TcpLink:
    """Bytes to and from `host:port`, which has to prove that it has the key of `certificate` (DER).

    The same calls as StreamLink; `connected` says whether there is a line at all at the moment.
    `problem` is one line about why there was none the last time.
    """

    point_to_point = False
    closed = False  # never for good

    def __init__(self, host: str, port: int, certificate: bytes, board: "Board") -> None:
        self.buffer = bytearray(_READ_SIZE)
        self.failures = 0
        self.problem = ""
        self._address = (host, port)
        self._board = board
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.verify_mode = ssl.CERT_REQUIRED
        # by keyword: the first argument would be the name of a file
        self._context.load_verify_locations(cadata=certificate)
        self._socket: "Any" = None
        self._line: "Any" = None  # TLS over the socket
        self._poll: "Any" = None
        self._unsent = b""
        self._state = _PAUSING
        self._since = board.milliseconds()  # of the state; while connected: when something came last
        self._pause = 0
        self._heard = False

    @property
    def connected(self) -> bool:
        return self._state == _CONNECTED

    def read(self, timeout_ms: int) -> int:
        """Wait for bytes; returns how many stand in `buffer`, 0 for none in time."""
        now = self._board.milliseconds()
        if self._state == _CONNECTED:
            return self._read(timeout_ms, now)
        if self._state == _PAUSING:
            if now - self._since >= self._pause:
                self._connect()
            else:
                self.rest(min(timeout_ms, self._pause - (now - self._since)))
        elif self._state == _CONNECTING:
            self._see_connection(timeout_ms, now)
        return 0

    def rest(self, timeout_ms: int) -> None:
        """Let time pass: there is nothing to wait for."""
        select.poll().poll(timeout_ms)

    def write(self, data: bytes) -> None:
        """Send `data` after what was left before. What the line does not take now is kept: see `flush`."""
        if self._state == _CONNECTED:
            self._unsent = self._unsent + data if self._unsent else data
            self.flush()

    def flush(self) -> bool:
        """Send as much as the line takes now of what is left. True when nothing is left."""
        while self._unsent:
            try:
                count = self._line.write(self._unsent)
            except (OSError, ValueError) as error:  # ValueError: MicroPython, about the certificate
                if not _is_busy(error):
                    self._fail(_text(error))
                    return False
                count = None
            if not count:
                return False
            self._unsent = self._unsent[count:]
        return self._state == _CONNECTED

    def close(self) -> None:
        """Let go of the connection; the next `read` makes a new one at once."""
        self._drop()
        self._pause = 0

    # --- one state after the other ---

    def _connect(self) -> None:
        try:
            families = socket.getaddrinfo(self._address[0], self._address[1], 0, socket.SOCK_STREAM)
        except OSError:
            self._fail("the bridge's name is not known here: " + self._address[0])
            return
        try:
            family = families[0]
            self._socket = socket.socket(family[0], socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLOUT)
            self._state = _CONNECTING
            self._since = self._board.milliseconds()
            self._socket.connect(family[-1])
        except OSError as error:
            if error.errno not in _BUSY:
                self._fail(_text(error))

    def _see_connection(self, timeout_ms: int, now: int) -> None:
        ready = self._poll.poll(timeout_ms)
        if not ready:
            if now - self._since > _CONNECT_MS:
                self._fail("the bridge does not answer")
            return
        if ready[0][1] & (select.POLLERR | select.POLLHUP):
            self._fail("refused: no bridge runs there")
            return
        try:
            # the handshake is made by the first reads and writes
            self._line = self._context.wrap_socket(
                self._socket, server_hostname=SERVER_NAME, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:
            self._fail(_text(error))
            return
        self._poll = select.poll()
        self._poll.register(self._socket if IS_MICROPYTHON else self._line, select.POLLIN)
        self._state = _CONNECTED
        self._since = self._board.milliseconds()
        self._heard = False

    def _read(self, timeout_ms: int, now: int) -> int:
        try:
            count = self._take()  # first what TLS may hold already
            if count is None and self._poll.poll(timeout_ms):
                count = self._take()
        except (OSError, ValueError) as error:
            if not _is_busy(error):
                self._fail(_text(error))
                return 0
            count = None
        if count is None:
            if now - self._since > (_SILENCE_MS if self._heard else _GREET_MS):
                self._fail("the bridge is silent")
            return 0
        if count == 0:
            self._fail("the bridge has closed the connection")
            return 0
        self._since = now
        self._heard = True
        self.problem = ""
        return count

    def _take(self) -> "int | None":
        """Bytes now in `buffer`; None when there are none yet, 0 at the end."""
        if IS_MICROPYTHON:
            return self._line.readinto(self.buffer)  # type: ignore[no-any-return]
        try:
            return self._line.recv_into(self.buffer)  # type: ignore[no-any-return]
        except OSError as error:
            if _is_busy(error):
                return None
            raise

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._drop()
        pause = min(_FIRST_PAUSE << min(self.failures, 8), _LONGEST_PAUSE)
        self.failures += 1
        # half of it by chance: many devices do not come back at the same moment
        self._pause = pause // 2 + pause * self._board.random(1)[0] // 512

    def _drop(self) -> None:
        line = self._line or self._socket
        self._line = self._socket = self._poll = None
        self._unsent = b""
        self._state = _PAUSING
        self._since = self._board.milliseconds()
        if line is not None:
            try:
                line.close()
            except OSError:
                pass


def _is_busy(error: Exception) -> bool:
    """Whether the line only has nothing, or no room, at the moment."""
    if IS_MICROPYTHON:
        return isinstance(error, OSError) and error.errno in _BUSY
    return isinstance(error, (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError))


def _text(error: Exception) -> str:
    """One line about what went wrong."""
    text = " ".join(str(error).split())
    for words in _NOT_PINNED:
        if words in text:
            return "another certificate than at pairing: if it is your bridge, pair again"
    if isinstance(error, OSError) and error.args and isinstance(error.args[0], int):
        return "error " + " ".join([str(part) for part in error.args])
    return text
