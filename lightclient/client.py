"""The device's side of the link, sans-I/O: it asks, judges what comes, and tells what happened.

Theory of operation: bytes from the line go into `receive`, bytes for the line come out of
`next_output`, and `tick` is called now and then with the time. What a person or a relay should
know is read from `next_event`. A session begins with HELLO; whatever goes wrong on the line (a gap,
a message that cannot be, silence) ends it, and the next one begins by itself. What is wrong with a
header or a proof is answered, and the session goes on.

The clock: a device that has one passes it to `tick`. One that has none takes the bridge's word in
WELCOME and TIP, never letting it go back, and not before the median-time-past of its own tip, which
proof of work vouches for. So a bridge can make a device refuse by a clock that is too fast, and can
hide by one that is too slow that it withholds new blocks; it cannot make it believe a payment.
"""

from lightclient.compat import const
from lightclient.endpoint import Endpoint
from lightclient.errors import BadFrame, BadMessage, LightClientError, WrongNetwork
from lightclient.headers.chain import BRANCH, KNOWN, REFETCH, HeaderChain
from lightclient.headers.compact import unpack_headers
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_EVENTS, MAX_LOCATOR, MAX_PAYLOAD
from lightclient.messages import (
    AUTHENTICATE,
    BRIDGE,
    CHALLENGE,
    CREDIT,
    EVENT,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    GET_HEADERS,
    GONE,
    GOODBYE,
    HEADERS,
    HELLO,
    LOCATOR_ENTRY,
    NONCE_SIZE,
    PING,
    PONG,
    PROOF,
    PROOF_DATA,
    PROTOCOL_VERSION,
    REFUSED,
    STATE_READY,
    STATE_STARTING,
    STATE_SYNCING,
    STATE_WAITING,
    STATUS,
    TIP,
    VERDICT,
    WATCH,
    WELCOME,
    authentication_mac,
    cut_text,
)
from lightclient.payments import PaymentBook, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.serialize import Buffer
    from lightclient.spv.acted import ActedPayments
    from lightclient.spv.payment import PaymentRequest

    Event = tuple[int, int, bytes, int, int, str]  # as the fields of EVENT

WINDOW = const(4)  # frames that the bridge may send ahead: they wait in the line's buffers, not in ours
ANSWER_TIMEOUT = const(15_000)  # ms without an answer before a new session
QUIET_TIMEOUT = const(30_000)  # ms of silence before a PING
LARGEST_MESSAGE = const(608)  # bytes of the largest payload that a device sends: WATCH

_PLACES_KEPT = const(6)  # in the queue, for messages that a session cannot do without

_CLOSED = const(0)
_GREETING = const(1)
_OPEN = const(2)


class Client:
    """One device. `random(n)` gives n random bytes, `heap_free()` the bytes of heap left (for STATUS)."""

    def __init__(
        self,
        chain: HeaderChain,
        acted: "ActedPayments",
        device_id: bytes,
        firmware_version: str,
        random: "Callable[[int], bytes]",
        heap_free: "Callable[[], int]",
        pairing_key: bytes = b"",
    ) -> None:
        self.chain = chain
        self.book = PaymentBook(chain, acted, self._report)
        self.endpoint = Endpoint(BRIDGE, WINDOW, LARGEST_MESSAGE)
        self.best_height = 0  # what the bridge says
        self.headers_validated = 0
        self.state = STATE_STARTING
        self._device_id = device_id
        self._firmware_version = firmware_version
        self._random = random
        self._heap_free = heap_free
        self._pairing_key = pairing_key
        self._batch = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
        self._locator = bytearray(LOCATOR_ENTRY * MAX_LOCATOR)
        self._events: "list[Event]" = []
        self._session = _CLOSED
        self._nonce = b""
        self._now_ms = 0
        self._heard_ms = 0
        self._asked_ms = -1  # since when an answer is due
        self._clock = 0  # unix seconds at `_clock_ms`, 0: not known
        self._clock_ms = 0

    # --- what the program around it calls ---

    def wait_for(self, request: "PaymentRequest") -> None:
        """Wait for a payment, from the present tip on. LimitExceeded above MAX_REQUESTS."""
        self.book.wait_for(request)
        if self._session == _OPEN:
            self._watch(request)

    def now(self) -> int:
        """Unix seconds, 0 when no clock is known."""
        return self._clock + (self._now_ms - self._clock_ms) // 1000 if self._clock else 0

    def tick(self, now_ms: int, clock: int = 0) -> None:
        """Let time pass: `now_ms` is any monotonic clock; `clock` the device's own unix time if it has one."""
        self._now_ms = now_ms
        if clock:
            self._clock = clock
            self._clock_ms = now_ms
        if self._session == _CLOSED:
            self._begin()
        elif self._asked_ms >= 0 and now_ms - self._asked_ms > ANSWER_TIMEOUT:
            self.end_session()
            self._begin()
        try:
            if self._session == _OPEN and self._asked_ms < 0 and now_ms - self._heard_ms > QUIET_TIMEOUT:
                if self.chain.tip_height < self.best_height:
                    self._ask_for_headers()
                else:
                    self.endpoint.send(PING, (0,))
                    self._asked_ms = now_ms
            if self._session == _OPEN:
                self._look_again()
        except LightClientError as error:  # the bridge takes nothing any more, or the store cannot be read
            self._report(EVENT_REFUSED, 0, b"", 0, 0, _text(error))
            self.end_session()

    def receive(self, data: "Buffer", start: int, end: int) -> None:
        """Take bytes from the line. Raises nothing, whatever they are."""
        while start < end:
            start = self.endpoint.receive(data, start, end)
            if not self.endpoint.message_ready:
                continue
            try:
                self._handle(self.endpoint.read_message(self._session == _OPEN))
            except LightClientError as error:
                # The line, or who is at its other end, cannot be followed: begin again.
                self._report(EVENT_REFUSED, 0, b"", 0, 0, _text(error))
                self.end_session()

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none."""
        return self.endpoint.next_output()

    def tell(self, kind: int, request_id: int, txid: bytes, detail: str = "") -> bool:
        """Let the bridge know what the program did: EVENT_RELAY_ON, EVENT_RELAY_OFF. False: not now."""
        if self._session != _OPEN or not self.endpoint.has_places(_PLACES_KEPT):
            return False
        self.endpoint.send(EVENT, (kind, request_id, txid, 0, 0, cut_text(detail)))
        return True

    def next_event(self) -> "Event | None":
        """What happened: kind, request_id, txid, amount, confirmations, detail (see messages.EVENTS)."""
        return self._events.pop(0) if self._events else None

    def end_session(self) -> None:
        """Forget the session: the line is gone, or not to be trusted. `tick` begins the next one."""
        self._session = _CLOSED
        self._asked_ms = -1
        self.book.drop_proof()
        self.endpoint.begin(0)
        self.endpoint.reader.restart()

    # --- the session ---

    def _begin(self) -> None:
        self.endpoint.begin(0)
        self._session = _GREETING
        self._asked_ms = self._now_ms
        self._nonce = self._random(NONCE_SIZE)
        self.endpoint.send(
            HELLO,
            (
                PROTOCOL_VERSION,
                self.chain.network.name,
                MAX_PAYLOAD,
                WINDOW,
                self._device_id,
                self._firmware_version,
                self._heap_free(),
                self._nonce,
            ),
        )

    def _handle(self, message_type: int) -> None:
        self._heard_ms = self._now_ms
        if self._session == _OPEN:
            if message_type == HEADERS:
                self._take_headers()
            elif message_type == PROOF:
                self._begin_proof()
            elif message_type == PROOF_DATA:
                self._take_proof_data()
            elif message_type == TIP:
                self._take_tip()
            elif message_type == PING:
                self.endpoint.send(PONG, self.endpoint.values)
            elif message_type == PONG:
                self._asked_ms = -1
            elif message_type in (WELCOME, CHALLENGE):
                raise BadMessage("a second greeting")
            elif message_type == GOODBYE:
                self.end_session()
            elif message_type not in (CREDIT, GONE):  # GONE is advice; our own chain says so too
                raise BadMessage("a bridge does not send this")
            self.endpoint.taken(message_type)
        elif message_type == CHALLENGE:
            mac = authentication_mac(
                self._pairing_key,
                bytes(self.endpoint.values[0]),
                self._nonce,
                self._device_id,
            )
            self.endpoint.send(AUTHENTICATE, (mac,))
        elif message_type == WELCOME:
            self._open()
        elif message_type == GOODBYE:
            self._report(EVENT_REFUSED, 0, b"", 0, 0, "bridge: " + str(self.endpoint.values[1]))
        # anything else is left over from a session that is gone

    def _open(self) -> None:
        _, network, nonce, time, credit, _, best_height = self.endpoint.values
        if nonce != self._nonce:
            return  # the answer to an older HELLO
        if network != self.chain.network.name:
            raise WrongNetwork("the bridge is on " + str(network))
        self._session = _OPEN
        self.endpoint.grant(credit)
        self._take_clock(time)
        self.best_height = best_height
        for request in self.book.requests.values():
            self._watch(request)
        self._ask_for_headers()

    def _watch(self, request: "PaymentRequest") -> None:
        self.endpoint.send(
            WATCH,
            (
                request.request_id,
                request.script_pubkey,
                request.min_amount,
                request.min_confirmations,
                max(self.chain.store.first_height, 0),
            ),
        )

    def _take_clock(self, time: int) -> None:
        if time > max(self.now(), self.chain.state.median_time_past()):
            self._clock = time
            self._clock_ms = self._now_ms

    # --- headers ---

    def _ask_for_headers(self) -> None:
        length = self.chain.write_locator(self._locator)
        self.endpoint.send(GET_HEADERS, (memoryview(self._locator)[:length], MAX_BATCH_HEADERS))
        self._asked_ms = self._now_ms
        self._tell_status(STATE_SYNCING)

    def _take_tip(self) -> None:
        best_height, block_hash, time = self.endpoint.values
        self._take_clock(time)
        self.best_height = best_height
        if block_hash != self.chain.state.block_hash and self._asked_ms < 0:
            self._ask_for_headers()

    def _take_headers(self) -> None:
        self._asked_ms = -1
        parent_height, parent_hash, best_height, count, packed = self.endpoint.values
        self.best_height = best_height
        self.chain.store.best_height = best_height
        batch = self._batch
        try:
            unpack_headers(packed, 0, len(packed), count, batch, 0)
            outcome = self.chain.accept(batch, 0, count, parent_height, parent_hash, self.now(), True)
        except LightClientError as error:
            # nothing of the batch was kept; what the bridge has next is asked for at its next TIP
            self.endpoint.send(REFUSED, (error.code, max(error.height, 0), _text(error)))
            self._report(EVENT_REFUSED, 0, b"", 0, 0, _text(error))
            self._tell_status(STATE_WAITING)
            return
        self.headers_validated += count
        self._look_again()
        if count and outcome != KNOWN and (outcome in (BRANCH, REFETCH) or self.chain.tip_height < best_height):
            self._ask_for_headers()

    # --- payments ---

    def _begin_proof(self) -> None:
        request_id, proof_id, size = self.endpoint.values
        try:
            self.book.begin_proof(request_id, proof_id, size)
        except LightClientError as error:
            self.endpoint.send(VERDICT, (proof_id, error.code, 0, _text(error)))

    def _take_proof_data(self) -> None:
        proof_id, offset, data = self.endpoint.values
        try:
            if not self.book.take_proof_data(proof_id, offset, data):
                return
        except BadFrame:
            raise
        except LightClientError as error:
            self.endpoint.send(VERDICT, (proof_id, error.code, 0, _text(error)))
            return
        confirmations = self.chain.confirmations(self.book.verifier.height)
        self.endpoint.send(VERDICT, (proof_id, 0, confirmations, ""))
        self._look_again()

    def _look_again(self) -> None:
        """The chain or the clock has changed: what does that mean for payments and for the state told?"""
        self.book.update(self.now(), self.best_height)
        if self.chain.tip_height < self.best_height:
            state = STATE_SYNCING
        else:
            try:
                self.chain.require_ready(self.now(), self.best_height)
                state = STATE_READY
            except LightClientError:
                state = STATE_WAITING
        if state != self.state:
            self._tell_status(state)

    # --- telling ---

    def _tell_status(self, state: int) -> None:
        self.state = state
        chain = self.chain
        if not self.endpoint.has_places(_PLACES_KEPT):
            return
        self.endpoint.send(
            STATUS,
            (
                state,
                chain.tip_height,
                chain.state.block_hash,
                self.headers_validated,
                self._heap_free(),
                cut_text(self.book.held_back),
            ),
        )

    def _report(self, kind: int, request_id: int, txid: bytes, amount: int, confirmations: int, detail: str) -> None:
        event = (kind, request_id, txid, amount, confirmations, cut_text(detail))
        if len(self._events) < MAX_EVENTS:
            self._events.append(event)
        # for people to read: it must not take the places of what the session needs
        places = 2 * _PLACES_KEPT if kind == EVENT_PROOF_STAGE else _PLACES_KEPT
        if self._session == _OPEN and self.endpoint.has_places(places):
            self.endpoint.send(EVENT, event)


def _text(error: LightClientError) -> str:
    return cut_text(describe(error))
