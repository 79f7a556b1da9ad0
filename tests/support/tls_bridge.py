"""A real TLS server on 127.0.0.1 with a BridgeSession for every connection, in a thread of its own."""

import asyncio
import ssl
import threading
from collections.abc import Callable

from host_bridge.sessions.session import BridgeSession


class TlsBridge:
    """Use it in a `with` block. `sessions` are all that were opened, `heard` the raw bytes of each connection.

    `spoil` may answer a connection in its own way: it is given the reader and the writer.
    """

    def __init__(
        self, make_session: Callable[[], BridgeSession], context: ssl.SSLContext | None, port: int = 0
    ) -> None:
        self.sessions: list[BridgeSession] = []
        self.heard: list[bytearray] = []
        self.handshake_errors: list[str] = []
        self.port = port
        self._make_session = make_session
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, about: self.handshake_errors.append(str(about)))
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "TlsBridge":
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._drop()
        await asyncio.sleep(0.05)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def drop_all(self) -> None:
        """Cut every connection there is."""
        self._loop.call_soon_threadsafe(self._drop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = self._make_session()
        heard = bytearray()
        self.sessions.append(session)
        self.heard.append(heard)
        self._writers.add(writer)
        try:
            while data := await reader.read(4096):
                heard += data
                session.receive(data)
                while output := session.next_output():
                    writer.write(output)
                    await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
