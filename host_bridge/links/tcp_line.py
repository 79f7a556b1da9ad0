"""One TLS connection as a line."""

import contextlib
import socket
import ssl

from host_bridge.links.line import NotReady, ReadyLine

_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 120_000))
_SEND_BUFFER = 65_536  # what waits in the system for a device that reads slowly
_TLS_HANDSHAKE = b"\x16\x03"  # RFC 8446, 5.1: content type handshake, legacy_record_version 3.x


class NotTls(Exception):
    """The first bytes of a connection are of something else."""


class TlsLine(ReadyLine):
    """A connection that was accepted, without TLS yet: `handshake` comes first. Reading takes from the system
    only what is asked for, so a device that sends too much is made to wait by TCP."""

    is_network = True

    def __init__(self, connection: socket.socket, name: str) -> None:
        connection.setblocking(False)
        super().__init__(name, connection.fileno())
        self._raw: socket.socket | None = connection
        self._tls: ssl.SSLSocket | None = None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # not everywhere
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    async def first_bytes(self) -> None:
        """Wait for the first bytes, and leave them there. Raises NotTls, OSError."""
        while not self._closed.is_set() and self._raw is not None:
            try:
                first = self._raw.recv(len(_TLS_HANDSHAKE), socket.MSG_PEEK)
            except BlockingIOError:
                await self._ready(False)
                continue
            if not first or not _TLS_HANDSHAKE.startswith(first):
                raise NotTls(first)
            return
        raise ConnectionError("the line is closed")

    async def handshake(self, context: ssl.SSLContext) -> None:
        """Raises OSError (ssl.SSLError is one)."""
        if self._raw is None:
            raise ConnectionError("the line is closed")
        # (it takes the descriptor over)
        self._tls = context.wrap_socket(self._raw, server_side=True, do_handshake_on_connect=False)
        self._raw = None
        while not self._closed.is_set():
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._ready(False)
            except ssl.SSLWantWriteError:
                await self._ready(True)
            else:
                return
        raise ConnectionError("the line is closed")

    def _take(self, size: int) -> bytes:
        if self._tls is None:
            raise ConnectionError("no TLS yet")
        try:
            return self._tls.recv(size)
        except ssl.SSLWantReadError:
            raise NotReady(False) from None
        except ssl.SSLWantWriteError:
            raise NotReady(True) from None

    def _send(self, data: memoryview) -> int:
        if self._tls is None:
            raise ConnectionError("no TLS yet")
        try:
            return self._tls.send(data)
        except ssl.SSLWantReadError:
            raise NotReady(False) from None
        except ssl.SSLWantWriteError:
            raise NotReady(True) from None

    def _release(self) -> None:
        if self._tls is not None:
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()  # our close_notify, as far as it goes out at once
            self._tls.close()
        elif self._raw is not None:
            self._raw.close()
