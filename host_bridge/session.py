"""The bridge's side of the link to one device, sans-I/O.

Bytes from the line go into `receive`, bytes for the line come out of `next_output`; `announce` is
called when the chain of the source has changed, `offer` to send a proof for a request. What the
device says of itself is read from `next_report`. The source is where headers and proofs come from:
a node, an archive of files, a recording.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from host_bridge.watches import Watches
from lightclient.endpoint import Endpoint
from lightclient.errors import (
    AuthenticationFailed,
    BadMessage,
    LightClientError,
    NotPaired,
    ReorgTooDeep,
    WrongNetwork,
)
from lightclient.hashes import equal_constant_time
from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE, LOCATOR_ENTRY, MAX_COUNT, MAX_PAYLOAD
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    DEVICE,
    EVENT,
    GET_HEADERS,
    GOODBYE,
    HEADERS,
    HELLO,
    PING,
    PONG,
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
    """A payment in the source's chain, with its proof container (docs/PROOF.md). Hashes: internal order."""

    height: int
    block_hash: bytes
    txid: bytes
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


class BridgeSession:
    """One device at the other end.

    `pairing_key_of` gives the pairing key of a device_id, empty for a device that is not paired (any
    more); the device then has to prove that it knows the key. None: whoever is on the line is served.
    """

    def __init__(self, source: Source, version: str, pairing_key_of: Callable[[bytes], bytes] | None = None) -> None:
        self.source = source
        self.endpoint = Endpoint(DEVICE, WINDOW, MAX_PAYLOAD)
        self.device_height = -1
        self._device_tip: bytes | None = None  # block_hash of the header at device_height
        self._version = version
        self._pairing_key_of = pairing_key_of
        self._pairing_key = b""
        self._challenge = b""
        self._hello: list[Any] = []
        self._open = False
        self._reports: deque[Report] = deque(maxlen=MAX_REPORTS)
        self._watches = Watches(source, self.endpoint)
        self._told_tip = b""
        self._tip_due = False
        self._said_goodbye = False
        self._pings = 0
        self.last_pong = 0  # the number of the last PING that the device has answered

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
                if self._open:
                    self.endpoint.taken(kind)
            except LightClientError as error:
                self._say_goodbye(error)

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none, or the device has no room."""
        if self._open and not self.endpoint.has_output:
            # one frame at a time, when the line has taken the one before: a device may grant any credit
            try:
                self._push()
            except LightClientError as error:
                self._say_goodbye(error)
        return self.endpoint.next_output()

    def next_report(self) -> Report | None:
        """What the device said, in order."""
        return self._reports.popleft() if self._reports else None

    @property
    def proofs_pending(self) -> bool:
        """Whether a proof is on its way, or waits for the device's verdict."""
        return self._watches.pending

    def announce(self) -> None:
        """The source's chain has changed: tell the device as soon as it has room. Raises nothing."""
        self._tip_due = self._open

    def ping(self) -> int:
        """Send PING; its number, 0 without a session. When `last_pong` is that, all said before it has come."""
        if not self._open:
            return 0
        self._pings = self._pings % MAX_COUNT + 1
        self.endpoint.send(PING, (self._pings,))
        return self._pings

    def offer(self, request_id: int, proof: bytes) -> None:
        """Send a proof for a request of the device, once, whatever becomes of it."""
        self._watches.offer(request_id, proof)

    # --- the session ---

    def _forget(self) -> None:
        self._watches.clear()
        self._tip_due = False
        self.device_height = -1  # of this session alone: the next device on the line may be another

    def _say_goodbye(self, error: LightClientError) -> None:
        self._open = False
        self._forget()
        if self._said_goodbye:  # once: what comes before the next HELLO is not answered
            return
        self._said_goodbye = True
        self.endpoint.make_room()
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
            self._watches.watch(Watch(*values))
            self._check_watches()
        elif kind == UNWATCH:
            self._watches.unwatch(values[0])
        elif kind == VERDICT:
            if self._watches.take_verdict(values[0], values[1]):
                self._check_watches()
        elif kind == PING:
            self.endpoint.send(PONG, values)
        elif kind == PONG:
            self.last_pong = values[0]
        elif kind == GOODBYE:
            self._open = False
            self._forget()
        if kind in (HELLO, STATUS, EVENT, REFUSED, VERDICT):
            self._reports.append(Report(kind, list(values)))

    def _greet(self, hello: list[Any]) -> None:
        self._open = False
        self._hello = hello
        self.endpoint.begin(0)
        self._said_goodbye = False
        self._challenge = b""
        self._forget()
        if hello[0] != PROTOCOL_VERSION:
            raise BadMessage(f"protocol version {hello[0]}, this bridge speaks {PROTOCOL_VERSION}")
        if hello[1] != self.source.network:
            raise WrongNetwork(f"the device is on {cut_text(hello[1], 40)}, the bridge on {self.source.network}")
        if self._pairing_key_of is None:
            self._welcome()
            return
        self._pairing_key = self._pairing_key_of(bytes(hello[4]))
        if not self._pairing_key:
            raise NotPaired(f"device {bytes(hello[4]).hex() or 'without a name'} is not paired with this bridge")
        self._challenge = secrets.token_bytes(32)
        self.endpoint.send(CHALLENGE, (self._challenge,))

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
        self._device_tip = source.block_hash(self.device_height)
        self._check_watches()

    def _check_watches(self) -> None:
        """Offer what the device can check; after a reorg that it has not heard of, nothing: headers come first."""
        if self.device_height < 0 or self.source.block_hash(self.device_height) == self._device_tip:
            self._watches.check(self.device_height)

    # --- what waits for room at the device ---

    def _push(self) -> None:
        """Send the next frame: news of the tip, else of a proof."""
        if self._tip_due and self.endpoint.may_send():
            self._tip_due = False
            best = self.source.block_hash(self.source.best_height)
            if best is not None and best != self._told_tip:
                self._told_tip = best
                self.endpoint.send(TIP, (self.source.best_height, best, self.source.now()))
            self._check_watches()
        if not self.endpoint.has_output and self.endpoint.may_send():
            self._watches.push(self._hello[2])
