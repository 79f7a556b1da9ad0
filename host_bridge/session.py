"""The bridge's side of the link to one device, sans-I/O.

Bytes from the line go into `receive`, bytes for the line come out of `next_output`; `announce` is
called when the chain of the source has changed, `offer` to send a proof for a request. What the
device says of itself is read from `next_report`. The source is where headers and proofs come from:
a node, an archive of files, a recording.
"""

import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightclient.endpoint import Endpoint
from lightclient.errors import (
    AuthenticationFailed,
    BadMessage,
    HeaderNotInChain,
    LightClientError,
    ReorgTooDeep,
    WrongNetwork,
)
from lightclient.hashes import equal_constant_time
from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE, MAX_PAYLOAD
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    DEVICE,
    EVENT,
    GET_HEADERS,
    GONE,
    GOODBYE,
    HEADERS,
    HELLO,
    LOCATOR_ENTRY,
    PING,
    PONG,
    PROOF,
    PROOF_DATA,
    PROTOCOL_VERSION,
    REFUSED,
    STATUS,
    TIP,
    UNWATCH,
    VERDICT,
    WATCH,
    WELCOME,
    authentication_mac,
    cut_text,
    view_room,
)

WINDOW = 32  # frames that the device may send ahead
MAX_WATCHES = 64  # of one device
MAX_REPORTS = 10_000


@dataclass(frozen=True)
class Watch:
    """What a device waits for. Amount in satoshis."""

    request_id: int
    script_pubkey: bytes
    min_amount: int
    min_confirmations: int
    from_height: int


@dataclass(frozen=True)
class FoundPayment:
    """A payment in the source's chain, with its proof container (docs/PROOF.md)."""

    height: int
    block_hash: bytes
    proof: bytes


class Source(Protocol):
    """Where headers and proofs come from. Heights without a header are None or empty, never an error."""

    network: str

    @property
    def first_height(self) -> int: ...
    @property
    def best_height(self) -> int: ...
    def now(self) -> int:
        """Unix seconds."""
        ...

    def block_hash(self, height: int) -> bytes | None: ...
    def headers(self, height: int, count: int) -> bytes: ...
    def find_payments(self, watch: Watch) -> Iterable[FoundPayment]: ...


@dataclass
class Report:
    """What the device said: `kind` is the frame type, `values` its fields."""

    kind: int
    values: list[Any]


@dataclass
class _Outgoing:
    """A proof that is on its way, or waits for the device's verdict."""

    request_id: int
    proof_id: int
    proof: bytes
    block_hash: bytes | None
    sent: int = -1  # -1: PROOF itself has not been sent


@dataclass
class _Watching:
    watch: Watch
    settled: set[bytes] = field(default_factory=set)  # blocks whose proof the device has judged
    proved_in: bytes | None = None  # block of the proof that it accepted


class BridgeSession:
    """One device at the other end. With a `pairing_key` it has to prove that it knows it."""

    def __init__(self, source: Source, version: str, pairing_key: bytes = b"") -> None:
        self.source = source
        self.endpoint = Endpoint(DEVICE, WINDOW, MAX_PAYLOAD)
        self.device_height = -1
        self._version = version
        self._pairing_key = pairing_key
        self._challenge = b""
        self._hello: list[Any] = []
        self._open = False
        self._reports: deque[Report] = deque(maxlen=MAX_REPORTS)
        self._watching: dict[int, _Watching] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._judged: dict[int, _Outgoing] = {}
        self._next_proof_id = 1
        self._told_tip = b""

    # --- what the program around it calls ---

    def receive(self, data: bytes) -> None:
        """Take bytes from the line. Raises nothing, whatever they are."""
        start = 0
        while start < len(data):
            start = self.endpoint.receive(data, start, len(data))
            if not self.endpoint.message_ready:
                continue
            try:
                kind = self.endpoint.read_message(self._open and self.endpoint.reader.frame_type != HELLO)
                self._handle(kind)
                self.endpoint.taken(kind)
            except LightClientError as error:
                self._say_goodbye(error)

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none, or the device has no room."""
        self._push_proofs()
        return self.endpoint.next_output()

    def next_report(self) -> Report | None:
        """What the device said, in order."""
        return self._reports.popleft() if self._reports else None

    @property
    def proofs_pending(self) -> bool:
        """Whether a proof is on its way, or waits for the device's verdict."""
        return bool(self._outgoing or self._judged)

    def announce(self) -> None:
        """The source's chain has changed: tell the device."""
        best = self.source.block_hash(self.source.best_height)
        if self._open and best is not None and best != self._told_tip:
            self._told_tip = best
            self.endpoint.send(TIP, (self.source.best_height, best, self.source.now()))
            self._check_watches()

    def offer(self, request_id: int, proof: bytes, block_hash: bytes | None = None) -> None:
        """Send a proof for a request of the device."""
        self._outgoing.append(_Outgoing(request_id, self._next_proof_id, proof, block_hash))
        self._next_proof_id += 1

    # --- the session ---

    def _say_goodbye(self, error: LightClientError) -> None:
        self._open = False
        self._outgoing.clear()
        self.endpoint.send(GOODBYE, (error.code, cut_text(f"{type(error).__name__}: {error}")))

    def _handle(self, kind: int) -> None:
        values = self.endpoint.values
        if kind == HELLO:
            self._greet(list(values))
        elif kind == AUTHENTICATE:
            self._authenticate(values[0])
        elif not self._open:
            return  # left over from a session that is gone
        elif kind == GET_HEADERS:
            self._send_headers(values[0], values[1])
        elif kind == WATCH:
            self._take_watch(Watch(*values))
        elif kind == UNWATCH:
            self._watching.pop(values[0], None)
        elif kind == VERDICT:
            self._take_verdict(*values)
        elif kind == PING:
            self.endpoint.send(PONG, values)
        elif kind == GOODBYE:
            self._open = False
        if kind in (HELLO, STATUS, EVENT, REFUSED, VERDICT):
            self._reports.append(Report(kind, list(values)))

    def _greet(self, hello: list[Any]) -> None:
        self._open = False
        self._hello = hello
        self.endpoint.begin(0)
        self._watching.clear()
        self._outgoing.clear()
        self._judged.clear()
        if hello[0] != PROTOCOL_VERSION:
            raise BadMessage(f"protocol version {hello[0]}, this bridge speaks {PROTOCOL_VERSION}")
        if hello[1] != self.source.network:
            raise WrongNetwork(f"the device is on {cut_text(hello[1], 40)}, the bridge on {self.source.network}")
        if self._pairing_key:
            self._challenge = secrets.token_bytes(32)
            self.endpoint.send(CHALLENGE, (self._challenge,))
        else:
            self._welcome()

    def _authenticate(self, mac: bytes) -> None:
        challenge, self._challenge = self._challenge, b""  # each is good once
        if not challenge:
            raise AuthenticationFailed("no challenge is open")
        expected = authentication_mac(self._pairing_key, challenge, self._hello[7], self._hello[4])
        if not equal_constant_time(mac, expected):
            raise AuthenticationFailed("the device does not know the pairing key")
        self._welcome()

    def _welcome(self) -> None:
        source = self.source
        self._told_tip = source.block_hash(source.best_height) or b""
        self.endpoint.send(
            WELCOME,
            (
                PROTOCOL_VERSION,
                source.network,
                self._hello[7],
                source.now(),
                WINDOW,
                self._version,
                max(source.best_height, 0),
            ),
        )
        self.endpoint.grant(self._hello[3])
        self._open = True

    # --- headers ---

    def _send_headers(self, locator: bytes, most: int) -> None:
        source = self.source
        for i in range(0, len(locator), LOCATOR_ENTRY):
            height = int.from_bytes(locator[i : i + 4], "little")
            block_hash = locator[i + 4 : i + LOCATOR_ENTRY]
            if source.block_hash(height) == block_hash:
                break
        else:
            raise ReorgTooDeep("the node's chain has none of the device's headers")
        raw = source.headers(height + 1, most)
        room = view_room(HEADERS, self._hello[2])
        packed = bytearray(room)
        count, length = pack_headers(raw, 0, len(raw) // HEADER_SIZE, packed, 0, room)
        self.endpoint.send(HEADERS, (height, block_hash, source.best_height, count, memoryview(packed)[:length]))
        self.device_height = height + count  # it will have judged them before it reads what follows
        self._check_watches()

    # --- payments ---

    def _take_watch(self, watch: Watch) -> None:
        if len(self._watching) >= MAX_WATCHES and watch.request_id not in self._watching:
            raise BadMessage(f"a device watches {MAX_WATCHES} payments at most")
        self._watching[watch.request_id] = _Watching(watch)
        self._check_watches()

    def _check_watches(self) -> None:
        """Offer the proofs that the device can check by now; tell it when a proved block has gone."""
        for request_id, watching in self._watching.items():
            gone = watching.proved_in
            found = [p for p in self.source.find_payments(watching.watch) if p.height <= self.device_height]
            if gone is not None and all(p.block_hash != gone for p in found):
                watching.proved_in = None
                watching.settled.discard(gone)
                self.endpoint.send(GONE, (request_id, 0))
            for payment in found:
                under_way = any(
                    o.request_id == request_id and o.block_hash == payment.block_hash
                    for o in (*self._outgoing, *self._judged.values())
                )
                if payment.block_hash not in watching.settled and not under_way:
                    self.offer(request_id, payment.proof, payment.block_hash)

    def _push_proofs(self) -> None:
        room = 0
        while self._open and self._outgoing and self.endpoint.may_send():
            proof = self._outgoing[0]
            if proof.sent < 0:
                proof.sent = 0
                self.endpoint.send(PROOF, (proof.request_id, proof.proof_id, len(proof.proof)))
                continue
            room = room or view_room(PROOF_DATA, self._hello[2])
            piece = proof.proof[proof.sent : proof.sent + room]
            self.endpoint.send(PROOF_DATA, (proof.proof_id, proof.sent, piece))
            proof.sent += len(piece)
            if proof.sent == len(proof.proof):
                self._judged[proof.proof_id] = self._outgoing.popleft()

    def _take_verdict(self, proof_id: int, code: int, confirmations: int, detail: str) -> None:
        proof = self._judged.pop(proof_id, None)
        if proof is None and self._outgoing and self._outgoing[0].proof_id == proof_id:
            proof = self._outgoing.popleft()  # refused before its end: the rest is not sent
        watching = self._watching.get(proof.request_id) if proof else None
        if proof is None or watching is None or proof.block_hash is None:
            return
        if code == HeaderNotInChain.code:
            return  # it has not come that far, or a reorg is under way: offered again when it moves on
        watching.settled.add(proof.block_hash)
        if code == 0:
            watching.proved_in = proof.block_hash
