"""A client and a bridge session, and the line between them, in memory (CPython)."""

from collections.abc import Callable

from host_bridge.sessions.session import BridgeSession
from lightclient.client import Client
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.store import RamStore
from lightclient.params import REGTEST
from lightclient.spv.acted import ActedPayments


def make_client(window: int = 256, pairing_key: bytes = b"") -> Client:
    network = REGTEST.replay(1)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0)
    counter = iter(range(1000))
    return Client(
        HeaderChain(network, RamStore(window), rules.state),
        ActedPayments(),
        b"test",
        "0",
        lambda n: next(counter).to_bytes(n, "little"),
        lambda: 0,
        pairing_key,
    )


class Pair:
    """A client and a session and the line between them; `spoil` may change what goes to the device."""

    def __init__(self, client: Client, session: BridgeSession, piece: int = 1 << 20) -> None:
        self.client = client
        self.session = session
        self.piece = piece
        self.now_ms = 0
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.events: list[tuple[int, int, bytes, int, int, str]] = []
        self.reports: list[tuple[int, list[object]]] = []

    def run(self, turns: int = 100_000) -> None:
        """Let them talk until both are silent."""
        for _ in range(turns):
            self.client.tick(self.now_ms)
            busy = False
            while data := self.client.next_output():
                busy = True
                for i in range(0, len(data), self.piece):
                    self.session.receive(data[i : i + self.piece])
            while data := self.session.next_output():
                busy = True
                data = self.spoil(data)
                for i in range(0, len(data), self.piece):
                    piece = data[i : i + self.piece]
                    self.client.receive(piece, 0, len(piece))
            while event := self.client.next_event():
                self.events.append(event)
            while report := self.session.next_report():
                self.reports.append((report.kind, report.values))
            if not busy:
                return
        raise AssertionError("they never stop talking")

    def kinds(self, *wanted: int) -> list[tuple[int, int, int]]:
        """(kind, request_id, confirmations) of the events wanted."""
        return [(e[0], e[1], e[4]) for e in self.events if e[0] in wanted]
