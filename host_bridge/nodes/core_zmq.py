"""News of blocks over ZMQ, where the node offers them and pyzmq is installed. Only that there is news counts."""

import asyncio
import importlib.util
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from host_bridge.limits import MAX_ZMQ_MESSAGE

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ANY = ("0.0.0.0", "*", "::")


def address_of(notifications: Any, host: str) -> str | None:
    """Where `getzmqnotifications` says that block hashes come from: only ever on the node's own host."""
    if not isinstance(notifications, list):
        return None
    for entry in notifications:
        if not isinstance(entry, dict) or entry.get("type") != "pubhashblock":
            continue
        try:
            parts = urlsplit(str(entry.get("address")))
            port = parts.port
        except ValueError:
            continue
        same = parts.hostname in _ANY or parts.hostname == host or (parts.hostname in _LOOPBACK and host in _LOOPBACK)
        if parts.scheme == "tcp" and port and same:
            return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    return None


class BlockNews:
    """Sets `event` whenever something is announced, until it is closed. Silence says nothing: polling goes on."""

    def __init__(self, address: str, event: asyncio.Event) -> None:
        self.address = address
        self._event = event
        self._task = asyncio.create_task(self._listen())

    @staticmethod
    def possible() -> bool:
        """Whether pyzmq is installed."""
        return importlib.util.find_spec("zmq") is not None

    async def _listen(self) -> None:
        import zmq  # noqa: PLC0415 - an extra, and only where it is used
        import zmq.asyncio  # noqa: PLC0415

        context = zmq.asyncio.Context()
        try:
            with context.socket(zmq.SUB) as socket:
                socket.setsockopt(zmq.LINGER, 0)
                socket.setsockopt(zmq.RCVHWM, 16)
                socket.setsockopt(zmq.MAXMSGSIZE, MAX_ZMQ_MESSAGE)
                socket.setsockopt(zmq.IPV6, 1)
                socket.subscribe(b"hashblock")
                socket.connect(self.address)
                while True:
                    await socket.recv_multipart()
                    self._event.set()
        except zmq.ZMQError:
            pass  # never required
        finally:
            context.term()

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):  # it was never required
            await self._task
