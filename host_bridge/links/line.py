"""A line: the byte stream between the bridge and one device, whatever it runs over.

`ReadyLine` is the part that serial ports and sockets share: a file descriptor that never blocks. Nothing
is read unless somebody asks for it, so what a device sends too much waits in the system's buffer, and
then at the device; no line keeps a buffer of its own.
"""

import asyncio
from typing import Protocol

from host_bridge.limits import READ_SIZE


class Line(Protocol):
    """`name` is for the log. `is_network`: anybody may be at its other end, not just who has the cable.

    `in_session` is kept by the bridge: whether a session is open. A listener ends lines that stay without.
    `turned_away` is why the bridge has opened none, for the listener to tell of.
    """

    name: str
    is_network: bool
    in_session: bool
    turned_away: str

    async def read(self) -> bytes:
        """The next bytes; empty when the line is closed, at either end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of it; waits while the other end takes nothing. Raises ConnectionError when the line is closed."""
        ...

    def close(self) -> None:
        """Close it at once, whatever waits; `read` then says so. May be called again."""
        ...

    async def wait_closed(self) -> None: ...


class NotReady(Exception):
    """The descriptor has to be ready first: for writing, else for reading."""

    def __init__(self, for_writing: bool) -> None:
        super().__init__()
        self.for_writing = for_writing


class ReadyLine:
    """A line over a file descriptor that does not block. Subclasses say how bytes are taken and sent."""

    is_network = False

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.in_session = False
        self.turned_away = ""
        self._fd = fd
        self._closed = asyncio.Event()
        self._waiting: dict[bool, list[asyncio.Future[None]]] = {False: [], True: []}

    # --- what a subclass has ---

    def _take(self, size: int) -> bytes:
        """Up to `size` bytes that are there; empty at the end. Raises NotReady, OSError."""
        raise NotImplementedError

    def _send(self, data: memoryview) -> int:
        """Send what goes; how much that was. Raises NotReady, OSError."""
        raise NotImplementedError

    def _release(self) -> None:
        """Give the descriptor back."""
        raise NotImplementedError

    # --- the line ---

    async def read(self) -> bytes:
        while not self._closed.is_set():
            try:
                data = self._take(READ_SIZE)
            except NotReady as wait:
                await self._ready(wait.for_writing)
            except OSError:  # unplugged, reset, or no TLS any more
                break
            else:
                if data:
                    return data
                break
        self.close()
        return b""

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._closed.is_set():
                raise ConnectionError("the line is closed")
            try:
                view = view[self._send(view) :]
            except NotReady as wait:
                await self._ready(wait.for_writing)
            except OSError as error:
                self.close()
                raise ConnectionError(error.strerror or "the line is closed") from None

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._wake(False)
            self._wake(True)
            self._release()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    # --- waiting for the descriptor ---

    async def _ready(self, for_writing: bool) -> None:
        """Wait until the descriptor is ready, or closed. Reading and writing may both wait for either."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting = self._waiting[for_writing]
        if not waiting:
            (loop.add_writer if for_writing else loop.add_reader)(self._fd, self._wake, for_writing)
        waiting.append(future)
        try:
            await future
        finally:
            if future in waiting:  # cancelled
                waiting.remove(future)
                if not waiting and not self._closed.is_set():
                    self._unwatch(for_writing)

    def _wake(self, for_writing: bool) -> None:
        self._unwatch(for_writing)
        waiting = self._waiting[for_writing]
        while waiting:
            future = waiting.pop()
            if not future.done():
                future.set_result(None)

    def _unwatch(self, for_writing: bool) -> None:
        loop = asyncio.get_running_loop()
        (loop.remove_writer if for_writing else loop.remove_reader)(self._fd)
