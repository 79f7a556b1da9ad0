"""Devices on the network: TLS connections, and strangers who would like to be in the way.

Theory of operation: a connection is a stranger's until the bridge has opened a session on it, which takes a
pairing key. Strangers are bounded in number, in all and from one address, and in time; they cost a socket
until they send the first bytes of TLS, and what is anything else is closed at once. When all places of
strangers are taken, a newcomer takes the oldest one of the address that holds most of them: who floods the
port displaces himself. The places of devices with a session are not touched.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass

from host_bridge.limits import (
    ACCEPTS_PER_SECOND,
    AUTHENTICATION_SECONDS,
    FIRST_BYTES_SECONDS,
    HANDSHAKE_SECONDS,
    HANDSHAKES_BURST,
    HANDSHAKES_PER_SECOND,
    LISTEN_BACKLOG,
    MAX_ADDRESSES,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    MAX_STRANGERS,
    MAX_STRANGERS_PER_ADDRESS,
)
from host_bridge.links.serial_ports import Serve
from host_bridge.links.tcp_line import NotTls, TlsLine
from host_bridge.service.log import Log

_SWEEP_SECONDS = 1.0
_TELL_SECONDS = 60.0  # between two lines of the log about strangers


@dataclass(frozen=True)
class Ceilings:
    """How many connections there may be, and how long they may stay without a session."""

    connections: int = MAX_CONNECTIONS
    per_address: int = MAX_CONNECTIONS_PER_ADDRESS
    strangers: int = MAX_STRANGERS
    strangers_per_address: int = MAX_STRANGERS_PER_ADDRESS
    first_bytes_seconds: float = FIRST_BYTES_SECONDS
    handshake_seconds: float = HANDSHAKE_SECONDS
    authentication_seconds: float = AUTHENTICATION_SECONDS


@dataclass(eq=False)
class _Connection:
    line: TlsLine
    address: str
    since: float  # when it became a stranger's
    had_session: bool = False


class TlsListener:
    """Serves what connects to `addresses` (host, port). `serve` is called with each line after its handshake."""

    def __init__(
        self,
        addresses: list[tuple[str, int]],
        context: ssl.SSLContext,
        serve: Serve,
        log: Log,
        ceilings: Ceilings = Ceilings(),
    ) -> None:
        self._addresses = addresses
        self._context = context
        self._serve = serve
        self._log = log
        self._ceilings = ceilings
        self._sockets: list[socket.socket] = []
        self._connections: dict[_Connection, None] = {}  # oldest first
        self._handshakes: dict[str, tuple[float, float]] = {}  # address: how many are left, and as of when
        self._refused: Counter[str] = Counter()
        self._refused_from: Counter[str] = Counter()
        self._told = -_TELL_SECONDS

    async def open(self) -> list[str]:
        """Bind; returns the addresses, as people write them. Raises OSError."""
        loop = asyncio.get_running_loop()
        try:
            for host, port in self._addresses:
                flags = socket.AI_PASSIVE
                for family, kind, _, _, address in await loop.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=flags
                ):
                    listener = socket.socket(family, kind)
                    self._sockets.append(listener)
                    listener.setblocking(False)
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    listener.bind(address)
                    listener.listen(LISTEN_BACKLOG)
        except BaseException:
            self.close()
            raise
        return [_written(s.getsockname()) for s in self._sockets]

    async def run(self) -> None:
        """Accept for ever; cancel it to close everything."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for listener in self._sockets:
                    tasks.create_task(self._accept(listener, tasks))
                tasks.create_task(self._sweep())
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more."""
        while self._sockets:
            self._sockets.pop().close()

    # --- coming in ---

    async def _accept(self, listener: socket.socket, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        trouble = ""
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:  # no descriptor left, or gone before it was accepted
                if str(error) != trouble:
                    trouble = str(error)
                    self._log.warning(f"can't accept a connection: {error.strerror or error}")
                await asyncio.sleep(1.0)
                continue
            self._admit(connection, peer, tasks)
            await asyncio.sleep(1.0 / ACCEPTS_PER_SECOND)

    def _admit(self, connection: socket.socket, peer: tuple[str, int], tasks: asyncio.TaskGroup) -> None:
        address = _network_of(peer[0])
        reason = self._make_room(address)
        if reason:
            self._refuse(reason, peer[0])
            connection.close()
            return
        try:
            line = TlsLine(connection, _written(peer))
        except OSError:  # gone already
            connection.close()
            return
        held = _Connection(line, address, time.monotonic())
        self._connections[held] = None
        tasks.create_task(self._attend(held))

    def _make_room(self, address: str) -> str:
        """Why a connection from there can't be taken; empty when it can. May end a stranger's in its favour."""
        ceilings = self._ceilings
        strangers = Counter(held.address for held in self._connections if not held.line.in_session)
        from_there = sum(held.address == address for held in self._connections)
        if from_there >= ceilings.per_address or strangers[address] >= ceilings.strangers_per_address:
            return "too many connections from one address"
        if len(self._connections) < ceilings.connections and strangers.total() < ceilings.strangers:
            return ""
        worst, most = strangers.most_common(1)[0] if strangers else ("", 0)
        if most <= strangers[address]:
            return "too many connections"
        oldest = next(held for held in self._connections if held.address == worst and not held.line.in_session)
        self._refuse("displaced by another", worst)
        self._drop(oldest)
        return ""

    def _may_handshake(self, address: str) -> bool:
        now = time.monotonic()
        left, since = self._handshakes.pop(address, (float(HANDSHAKES_BURST), now))
        left = min(HANDSHAKES_BURST, left + (now - since) * HANDSHAKES_PER_SECOND)
        self._handshakes[address] = (max(left - 1.0, 0.0), now)
        if len(self._handshakes) > MAX_ADDRESSES:
            del self._handshakes[next(iter(self._handshakes))]
        return left >= 1.0

    async def _attend(self, held: _Connection) -> None:
        line = held.line
        try:
            if await self._secure(held):
                await self._serve(line)
                if line.turned_away:
                    self._refuse(line.turned_away, held.address)
        finally:
            self._drop(held)

    async def _secure(self, held: _Connection) -> bool:
        """TLS, in time. False: there is none, and it has been told."""
        line = held.line
        reason = ""
        try:
            async with asyncio.timeout(self._ceilings.first_bytes_seconds):
                await line.first_bytes()
            if not self._may_handshake(held.address):
                reason = "too many handshakes from one address"
            else:
                async with asyncio.timeout(self._ceilings.handshake_seconds):
                    await line.handshake(self._context)
        except NotTls as error:
            reason = "no TLS" if error.args[0] else "nothing said"
        except TimeoutError:
            reason = "no TLS in time"
        except ssl.SSLError as error:
            reason = f"TLS handshake failed ({(error.reason or 'cut off').lower().replace('_', ' ')})"
        except OSError:
            reason = "cut off"
        if reason:
            self._refuse(reason, held.address)
        return not reason

    def _drop(self, held: _Connection) -> None:
        self._connections.pop(held, None)
        held.line.close()

    # --- once a second ---

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for held in list(self._connections):
                if held.line.in_session:
                    held.had_session = True
                elif held.had_session:
                    held.had_session = False
                    held.since = now
                elif now - held.since > self._ceilings.authentication_seconds:
                    self._refuse("no session in time", held.address)
                    self._drop(held)
            self._tell()

    # --- the log ---

    def _refuse(self, reason: str, address: str) -> None:
        self._refused[reason if reason in self._refused or len(self._refused) < 16 else "other reasons"] += 1
        if address in self._refused_from or len(self._refused_from) < MAX_ADDRESSES:
            self._refused_from[address] += 1

    def _tell(self) -> None:
        """One line a minute at most, however many there were."""
        now = time.monotonic()
        if not self._refused or now - self._told < _TELL_SECONDS:
            return
        self._told = now
        count = self._refused.total()
        reasons = ", ".join(f"{reason}: {n}" for reason, n in self._refused.most_common())
        worst = self._refused_from.most_common(1)[0][0] if self._refused_from else "unknown"
        others = f" and {len(self._refused_from) - 1} other addresses" if len(self._refused_from) > 1 else ""
        connections = "a connection" if count == 1 else f"{count} connections"
        text = f"turned away {connections} from {worst}{others} ({reasons})"
        self._log.warning(text, event="turned_away", count=count, reasons=dict(self._refused), address=worst)
        self._refused.clear()
        self._refused_from.clear()


def _network_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one line has in IPv6."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host


def _written(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
