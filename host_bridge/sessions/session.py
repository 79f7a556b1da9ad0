"""The bridge's side of the link to one device, sans-I/O.

Bytes from the line go into `receive`, bytes for the line come out of `next_output`; `announce` is
called when the chain of the source has changed, `offer` to send a proof for a request. What the
device says of itself is read from `next_report`. The source is where headers and proofs come from:
a node, an archive of files, a recording.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from host_bridge.sessions.admission import Admission
from host_bridge.sessions.source import FoundPayment, Source, Watch
from host_bridge.sessions.watches import DevicePosition, Watches
from lightclient.endpoint import Endpoint
from lightclient.errors import (
    BadMessage,
    LightClientError,
    ReorgTooDeep,
    describe,
)
from lightclient.limits import LOCATOR_ENTRY, MAX_COUNT, MAX_PAYLOAD
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    DEVICE,
    EVENT,
    GET_HEADERS,
    GOODBYE,
    HEADERS,
    HELLO,
    PAIRED,
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
    cut_text,
    view_room,
)

__all__ = ["BridgeSession", "FoundPayment", "Report", "Source", "Watch"]

WINDOW = 32  # frames that the device may send ahead
MAX_REPORTS = 10_000


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
        self._position: DevicePosition | None = None
        self._version = version
        self._admission = Admission(source.network, pairing_key_of)
        self._hello: list[Any] = []
        self._open = False
        self._reports: deque[Report] = deque(maxlen=MAX_REPORTS)
        self._watches = Watches(source, self.endpoint)
        self._told_tip = b""
        self._tip_due = False
        self._check_due = False  # the watches are to be looked at, once, when there is room for what follows
        self._said_goodbye = False
        self._pings = 0
        self.last_pong = 0  # the number of the last PING that the device has answered
        self.ended_by: LightClientError | None = None  # why we said GOODBYE last; None since a session has begun

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
    def is_open(self) -> bool:
        """Whether the device has been let in, and its session has not ended."""
        return self._open

    @property
    def device_id(self) -> bytes:
        """What the device last called itself; proved while the session is open and asks for a pairing key."""
        return bytes(self._hello[4]) if self._hello else b""

    @property
    def firmware_version(self) -> str:
        """As the device last said."""
        return str(self._hello[5]) if self._hello else ""

    @property
    def proofs_pending(self) -> bool:
        """Whether a proof is on its way, or waits for the device's verdict."""
        return self._watches.pending or self._check_due

    def announce(self) -> None:
        """The source's chain has changed: tell the device as soon as it has room. Raises nothing."""
        self._tip_due = self._open

    def invite(self) -> None:
        """Have a device that still waits for an answer of whoever had the line before greet us soon: for a new line."""
        for _ in range(2):  # the first may have the number of the last frame that it heard
            self.endpoint.send(GOODBYE, (0, ""))

    def ping(self) -> int:
        """Send PING; its number, 0 without a session. When `last_pong` is that, all said before it has come."""
        if not self._open:
            return 0
        self._pings = self._pings % MAX_COUNT + 1
        self.endpoint.send(PING, (self._pings,))
        return self._pings

    def end(self, error: LightClientError | None) -> None:
        """Say GOODBYE, if there is a session: with this reason, or None because the bridge stops."""
        if self._open or self._admission.challenge:
            self._admission.cancel()
            self._say_goodbye(error)

    def offer(self, request_id: int, proof: bytes) -> None:
        """Send a proof for a request of the device, once, whatever becomes of it."""
        self._watches.offer(request_id, proof)

    @property
    def device_height(self) -> int:
        """Height of the last header that was sent; -1 before the first."""
        return self._position.height if self._position else -1

    def close(self) -> None:
        """The line is gone: what the device watched for is not looked for any more."""
        self._open = False
        self._forget()

    # --- the session ---

    def _forget(self) -> None:
        self._watches.clear()
        self._tip_due = False
        self._check_due = False
        self._position = None  # of this session alone: the next device on the line may be another

    def _say_goodbye(self, error: LightClientError | None) -> None:
        self._open = False
        self._forget()
        if self._said_goodbye:  # once: what comes before the next HELLO is not answered
            return
        self._said_goodbye = True
        self.ended_by = error
        self.endpoint.make_room()
        reason = (error.code, cut_text(describe(error))) if error else (0, "the bridge stops")
        self.endpoint.send(GOODBYE, reason)

    def _handle(self, kind: int) -> None:
        values = self.endpoint.values
        if kind == HELLO:
            self._greet(list(values))
        elif kind == AUTHENTICATE:
            self._admission.check(values[0], self._hello)
            self._welcome()
        elif not self._open:
            return  # left over from a session that is gone
        elif kind == GET_HEADERS:
            self._send_headers(values[0], values[1])
        elif kind == WATCH:
            self._watches.watch(Watch(*values))
            self._check_due = True
        elif kind == UNWATCH:
            self._watches.unwatch(values[0])
            self._check_due = True
        elif kind == VERDICT:
            self._check_due |= self._watches.take_verdict(values[0], values[1])
        elif kind == PING:
            self.endpoint.send(PONG, values)
        elif kind == PONG:
            self.last_pong = values[0]
        elif kind == GOODBYE:
            self._open = False
            self._forget()
        elif kind == PAIRED:
            raise BadMessage("nothing was paired here")
        if kind in (HELLO, STATUS, EVENT, REFUSED, VERDICT):
            self._reports.append(Report(kind, list(values)))

    def _greet(self, hello: list[Any]) -> None:
        self._open = False
        self._hello = hello
        self.endpoint.begin(0)
        self._said_goodbye = False
        self._forget()
        challenge = self._admission.begin(hello)
        if challenge:
            self.endpoint.send(CHALLENGE, (challenge,))
        else:
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
        self.ended_by = None

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
        count, packed = source.packed_headers(height + 1, most, view_room(HEADERS, self._hello[2]))
        self.endpoint.send(HEADERS, (height, block_hash, source.best_height, count, packed))
        # it will have judged them before it reads what follows
        reached = source.block_hash(height + count) or b""
        lowest_fork = int.from_bytes(locator[-LOCATOR_ENTRY : 4 - LOCATOR_ENTRY], "little")
        self._position = DevicePosition(height + count, reached, lowest_fork)
        self._check_due = True

    # --- what waits for room at the device ---

    def _push(self) -> None:
        """Send the next frame: news of the tip, of a payment that has gone, else of a proof."""
        if self._tip_due and self.endpoint.may_send():
            self._tip_due = False
            best = self.source.block_hash(self.source.best_height)
            if best is not None and best != self._told_tip:
                self._told_tip = best
                self.endpoint.send(TIP, (self.source.best_height, best, self.source.now()))
            self._check_due = True
        if self._check_due and not self.endpoint.has_output and self.endpoint.may_send():
            position = self._position
            # offer what the device can check; after a reorg that it has not heard of, nothing: headers come first
            if position is None or self.source.block_hash(position.height) == position.block_hash:
                self._check_due = self._watches.check(position)
            else:
                self._check_due = False
        if not self.endpoint.has_output and self.endpoint.may_send():
            self._watches.push(self._hello[2])
