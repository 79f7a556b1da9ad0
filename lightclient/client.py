"""The device's side of the link, sans-I/O: it asks, judges what comes, and tells what happened.

Theory of operation: bytes from the line go into `receive`, bytes for the line come out of
`next_output`, and `tick` is called now and then with the time. What a person or a relay should
know is read from `next_event`. What is wrong with a header or a proof is answered, and the session
(session.py) goes on.

Nothing is acted on but in an open session: a device that is cut off does not know what it misses.
"""

from lightclient.compat import const
from lightclient.errors import BadFrame, BadMessage, LightClientError, describe
from lightclient.headers.chain import EXTENDED, REORGANISED, HeaderChain
from lightclient.headers.compact import unpack_headers
from lightclient.limits import (
    HEADER_SIZE,
    LOCATOR_ENTRY,
    MAX_BATCH_HEADERS,
    MAX_COUNT,
    MAX_EVENTS,
    MAX_HEIGHT,
    MAX_LOCATOR,
)
from lightclient.messages import (
    EVENT,
    EVENT_CONFIRMED,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    EVENT_TAKEN_BACK,
    GET_HEADERS,
    GONE,
    HEADERS,
    PROOF,
    PROOF_DATA,
    REFUSED,
    STATE_READY,
    STATE_STARTING,
    STATE_STOPPED,
    STATE_SYNCING,
    STATE_WAITING,
    STATUS,
    TIP,
    UNWATCH,
    VERDICT,
    WATCH,
    cut_text,
)
from lightclient.payments import PaymentBook
from lightclient.session import DeviceSession
from lightclient.spv.payment import NOT_GIVEN

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.spv.acted import ActedPayments
    from lightclient.spv.payment import PaymentRequest
    from lightclient.spv.stored_payments import StoredPayments

    Event = tuple[int, int, bytes, int, int, str]  # as the fields of EVENT

_REPLAY = "replay, not for money"
_PLACES_KEPT = const(6)  # in the queue, for messages that a session cannot do without


class Client(DeviceSession):
    """One device. `random(n)` gives n random bytes, `heap_free()` the bytes of heap left (for STATUS)."""

    def __init__(
        self,
        chain: HeaderChain,
        acted: "ActedPayments | StoredPayments",
        device_id: bytes,
        firmware_version: str,
        random: "Callable[[int], bytes]",
        heap_free: "Callable[[], int]",
        pairing_key: bytes = b"",
    ) -> None:
        DeviceSession.__init__(self, chain.network, device_id, firmware_version, random, heap_free, pairing_key)
        self.chain = chain
        self.book = PaymentBook(chain, acted, self._report)
        self.headers_validated = 0  # that joined the chain
        self.state = STATE_STARTING
        self.fault = ""  # why a person must look at the device; it asks for nothing then, and answers
        self._batch = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
        self._locator = bytearray(LOCATOR_ENTRY * MAX_LOCATOR)
        self._events: "list[Event]" = []

    # --- what the program around it calls, besides `tick`, `receive`, `next_output` and `end_session` ---

    def wait_for(self, request: "PaymentRequest") -> None:
        """Wait for a payment. LimitExceeded above MAX_REQUESTS.

        A request without `from_height` gets the height after the tip: what is in the chain already does not
        meet it. (As far as the chain is known: a device that is not in sync had better wait until it is.)
        """
        if request.from_height == NOT_GIVEN:
            request.from_height = min(self.chain.tip_height + 1, MAX_HEIGHT)
        self.book.wait_for(request)
        if self.is_open:
            try:
                self._watch(request)
            except LightClientError:  # the bridge takes nothing any more; the next one is told
                self.end_session()

    def stop_waiting(self, request_id: int) -> None:
        """Give a request up: nothing that comes for it is acted on any more. Unknown ids are ignored."""
        if self.book.stop_waiting(request_id) and self.is_open:
            try:
                self.endpoint.send(UNWATCH, (request_id,))
            except LightClientError:  # the bridge takes nothing any more; the next one is not told of it
                self.end_session()

    def now(self) -> int:
        """Unix seconds, 0 when no clock is known."""
        return self.clock.now()

    def tell(self, kind: int, request_id: int, txid: bytes, detail: str = "") -> bool:
        """Let the bridge know what the program did: EVENT_RELAY_ON, EVENT_RELAY_OFF. False: not now."""
        if not self.is_open or not self.endpoint.has_places(_PLACES_KEPT):
            return False
        self.endpoint.send(EVENT, (kind, request_id, txid, 0, 0, cut_text(detail)))
        return True

    def next_event(self) -> "Event | None":
        """What happened: kind, request_id, txid, amount, confirmations, detail (see messages.EVENTS)."""
        return self._events.pop(0) if self._events else None

    # --- the session ---

    def _opened(self, time: int) -> None:
        self.clock.hint(time, self.chain.state.median_time_past())
        for request in self.book.requests.values():
            self._watch(request)
        self._ask_for_headers()

    def _closed(self) -> None:
        self.book.drop_proof()

    def _refused(self, detail: str) -> None:
        self._report(EVENT_REFUSED, 0, b"", 0, 0, detail)

    def _break_silence(self) -> None:
        if self.chain.tip_height < self.best_height and not self.fault:
            self._ask_for_headers()
        else:
            self._ping()

    def _take(self, message_type: int) -> None:
        if message_type == HEADERS:
            self._take_headers()
        elif message_type == PROOF:
            self._begin_proof()
        elif message_type == PROOF_DATA:
            self._take_proof_data()
        elif message_type == TIP:
            self._take_tip()
        elif message_type != GONE:  # GONE is advice; our own chain says so too
            raise BadMessage("a bridge does not send this")

    def _watch(self, request: "PaymentRequest") -> None:
        from_height = max(request.from_height, 0)
        if self.chain.accumulator is None:  # what is older than the window cannot be proved
            from_height = max(from_height, self.chain.store.first_height)
        self.endpoint.send(
            WATCH,
            (
                request.request_id,
                request.script_pubkey,
                request.min_amount,
                request.min_confirmations,
                from_height,
            ),
        )

    # --- headers ---

    def _ask_for_headers(self, parent_height: int = -1, parent_hash: bytes = b"") -> None:
        """`parent_height`, `parent_hash`: of the batch that has just extended the chain."""
        if self.fault:
            self._tell_status(STATE_STOPPED)
            return
        length = self.chain.write_locator(self._locator, parent_height, parent_hash)
        self._ask(GET_HEADERS, (memoryview(self._locator)[:length], MAX_BATCH_HEADERS), HEADERS)
        self._tell_status(STATE_SYNCING)

    def _take_tip(self) -> None:
        best_height, block_hash, time = self.endpoint.values
        self.clock.hint(time, self.chain.state.median_time_past())
        self.best_height = best_height
        if block_hash != self.chain.state.block_hash and self._awaited != HEADERS:
            self._ask_for_headers()

    def _take_headers(self) -> None:
        self._answered(HEADERS)
        if self.fault:  # the chain is not to be touched
            return
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
            self._refused(describe(error))
            self._tell_status(STATE_WAITING)
            return
        grown = outcome in (EXTENDED, REORGANISED)
        if grown:
            self.headers_validated = min(self.headers_validated + self.chain.joined, MAX_COUNT)
        self._look_again()
        # A batch without headers ends the asking. KNOWN and BRANCH are followed up from where they
        # ended (that stands first in the locator), so an honest bridge comes to its tip and says so.
        if count and (not grown or self.chain.tip_height < best_height):
            if outcome == EXTENDED:
                self._ask_for_headers(parent_height, parent_hash)
            else:
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
        if not self.fault:
            self.book.update(self.now(), self.best_height)
        if self.fault:
            state = STATE_STOPPED
        elif self.chain.tip_height < self.best_height:
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
                min(self._heap_free(), MAX_COUNT),
                cut_text(self.fault or self.book.held_back or (_REPLAY if chain.network.is_replay else "")),
            ),
        )

    def _report(self, kind: int, request_id: int, txid: bytes, amount: int, confirmations: int, detail: str) -> None:
        event = (kind, request_id, txid, amount, confirmations, cut_text(detail))
        # a full list loses what is for people to read, never what is to be acted on: that comes once
        if len(self._events) < MAX_EVENTS or kind == EVENT_CONFIRMED:
            self._events.append(event)
        if not self.is_open:
            return
        # it must not take the places of what the session needs
        places = 2 * _PLACES_KEPT if kind == EVENT_PROOF_STAGE else _PLACES_KEPT
        if self.endpoint.has_places(places):
            self.endpoint.send(EVENT, event)
        if kind == EVENT_CONFIRMED and self.endpoint.has_places(_PLACES_KEPT):
            self.endpoint.send(UNWATCH, (request_id,))
        if kind == EVENT_TAKEN_BACK and request_id in self.book.requests:
            # the block may come back, in our chain alone: have its proof sent again
            self._watch(self.book.requests[request_id])


def _text(error: LightClientError) -> str:
    return cut_text(describe(error))
