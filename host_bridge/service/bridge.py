"""The bridge: one source of headers and proofs, any number of lines, a device at the end of each.

Nothing that a device does here reaches another one: see device_link.py.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from host_bridge.limits import STOP_SECONDS
from host_bridge.links.line import Line
from host_bridge.service.device_link import DeviceLink
from host_bridge.service.log import DeviceLog, Log
from host_bridge.sessions.source import Source
from lightclient.errors import LinkError
from lightclient.hashes import hash_to_hex

_LOOK_SECONDS = 1.0
_LAST_BYTES_SECONDS = 0.1  # for the system to send what it has taken


class Devices(Protocol):
    """The list of paired devices (host_bridge/pairing/paired_devices.py)."""

    def key_of(self, device_id: bytes) -> bytes:
        """Its pairing key; empty: not paired, or revoked."""
        ...

    def name_of(self, device_id: bytes) -> str: ...


class LiveSource(Source, Protocol):
    """A source that follows a node."""

    async def run(self, on_change: Callable[[], None]) -> None: ...


class Bridge:
    """`serial_unpaired`: a device on a serial line need not be paired: who has the cable is served."""

    def __init__(
        self, source: Source, devices: Devices, log: Log, version: str, *, serial_unpaired: bool = False
    ) -> None:
        self._source = source
        self._devices = devices
        self._log = log
        self._version = version
        self._serial_unpaired = serial_unpaired
        self._links: dict[DeviceLink, None] = {}
        self._told = (-1, b"")
        self._logs: dict[bytes, DeviceLog] = {}

    async def serve(self, line: Line) -> None:
        """A session on this line, until it is closed."""
        free = self._serial_unpaired and not line.is_network
        link = DeviceLink(
            line,
            self._source,
            self._version,
            self._log,
            None if free else self._devices.key_of,
            self._opened,
        )
        self._links[link] = None
        try:
            await link.run()
        finally:
            self._links.pop(link, None)

    def announce(self) -> None:
        """The node has news: tell every device."""
        tip = self._source.best_height, self._source.block_hash(self._source.best_height) or b""
        if tip != self._told:
            self._told = tip
            text = f"block {tip[0]:,}: {hash_to_hex(tip[1])}"
            self._log.info(text, event="block", height=tip[0], block_hash=hash_to_hex(tip[1]))
        for link in list(self._links):
            link.announce()

    async def look_after(self) -> None:
        """For ever: end the sessions of devices that were revoked, or are gone."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for link in list(self._links):
                link.look_after()

    async def say_goodbye(self) -> None:
        """Tell every device that the bridge stops, as far as their lines take it soon."""
        for link in list(self._links):
            link.end(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*(link.all_sent() for link in list(self._links)))
        await asyncio.sleep(_LAST_BYTES_SECONDS)

    def _opened(self, newest: DeviceLink) -> DeviceLog | None:
        """A session is open. A device on the network has one connection: what is left of an earlier one goes."""
        device_id = newest.session.device_id
        if self._serial_unpaired and not newest.line.is_network:
            return None  # it may call itself what it likes
        for link in list(self._links):
            same = link is not newest and link.session.is_open and link.session.device_id == device_id
            if same and link.line.is_network and newest.line.is_network:
                link.end(LinkError("the device has connected anew"))
        # (only of devices that know their pairing key, so there are no more than were paired)
        log = self._logs.setdefault(device_id, DeviceLog(self._log, ""))
        log.name = f"{self._devices.name_of(device_id)} ({newest.line.name})"
        return log
