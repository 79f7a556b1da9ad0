"""A device's session with a bridge: greeting, silence, end. What is said in it is the client's.

Theory of operation: a session begins with HELLO, and is open once the WELCOME to just this HELLO has
come. An answer that does not come in time ends it, and so does whatever goes wrong on the line (a
gap, a message that cannot be, one too many); the next one begins by itself, after a pause, so that a
bridge that refuses us is not asked without end.
"""

from lightclient.clock import Clock
from lightclient.compat import const
from lightclient.endpoint import Endpoint
from lightclient.errors import AuthenticationFailed, BadMessage, LightClientError, StoreError, WrongNetwork, describe
from lightclient.limits import MAX_COUNT, MAX_PAYLOAD
from lightclient.messages import (
    ASK,
    AUTHENTICATE,
    BRIDGE,
    CHALLENGE,
    CREDIT,
    GOODBYE,
    HELLO,
    NONCE_SIZE,
    PAIR,
    PAIRED,
    PING,
    PONG,
    PROTOCOL_VERSION,
    TOLD,
    WELCOME,
    authentication_mac,
    cut_text,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.messages import Value
    from lightclient.pairing import Pairing
    from lightclient.params import Network
    from lightclient.serialize import Buffer

WINDOW = const(4)  # frames that the bridge may send ahead: they wait in the line's buffers, not in ours
ANSWER_TIMEOUT = const(15_000)  # ms without an answer before a new session
QUIET_TIMEOUT = const(30_000)  # ms of silence before a PING
PAUSE = const(1_000)  # ms between a session that has failed and the next one
LARGEST_MESSAGE = const(608)  # bytes of the largest payload that a device sends: WATCH

_CLOSED = const(0)
_GREETING = const(1)
_OPEN = const(2)
_NOTHING = const(0)


class DeviceSession:
    """Sans-I/O. `random(n)` gives n random bytes, `heap_free()` the bytes of heap left (for HELLO)."""

    def __init__(
        self,
        network: "Network",
        device_id: bytes,
        firmware_version: str,
        random: "Callable[[int], bytes]",
        heap_free: "Callable[[], int]",
        pairing_key: bytes,
    ) -> None:
        self.endpoint = Endpoint(BRIDGE, WINDOW, LARGEST_MESSAGE)
        self.clock = Clock()
        self.best_height = 0  # what the bridge says
        # Set only while the line is point to point (a cable): makes a pairing durable, or raises a
        # LightClientError and has changed nothing. None: nobody on this line can pair us.
        self.on_pair: "Callable[[Pairing], None] | None" = None
        # Set, and None, as `on_pair`: answers a question of the device's owner with a piece of the answer and how
        # many bytes are left of it, or raises a LightClientError. Called with the question, its argument (a view,
        # good only for now).
        self.on_ask: "Callable[[int, memoryview], tuple[bytes, int]] | None" = None
        self._network = network
        self._device_id = device_id
        self._firmware_version = firmware_version
        self._random = random
        self._heap_free = heap_free
        self._pairing_key = pairing_key
        self._session = _CLOSED
        self._nonce = b""
        self._heard_ms = 0
        self._awaited = _NOTHING  # the type of the answer that is due
        self._since_ms = 0  # when it was asked for; while closed: when the session ended
        self._pause_ms = 0

    # --- what the client says and does in a session ---

    def _opened(self, time: int) -> None:
        """The session is open; `time` is the bridge's clock."""

    def _take(self, message_type: int) -> None:
        """A message has come in an open session: `endpoint.values`."""

    def _break_silence(self) -> None:
        """Nothing has come for a while: ask something."""

    def _look_again(self) -> None:
        """Time has passed in an open session."""

    def _closed(self) -> None:
        """The session has ended: forget what is half done."""

    def _refused(self, detail: str) -> None:
        """Something came that cannot be, or the bridge refuses us: tell it to people."""

    # --- what the program around it calls ---

    @property
    def is_open(self) -> bool:
        return bool(self._session == _OPEN)

    @property
    def in_session(self) -> bool:
        """Whether a session is open, or has been asked for."""
        return bool(self._session != _CLOSED)

    def tick(self, now_ms: int, clock: int = 0) -> None:
        """Let time pass: `now_ms` is any monotonic clock; `clock` the device's own unix time if it has one."""
        self.clock.tick(now_ms, clock)
        if self._session == _CLOSED:
            if now_ms - self._since_ms >= self._pause_ms:
                self._begin()
            return
        if self._awaited and now_ms - self._since_ms > ANSWER_TIMEOUT:
            self.end_session()
            self._begin()
        if self._session != _OPEN:
            return
        try:
            if not self._awaited and now_ms - self._heard_ms > QUIET_TIMEOUT:
                self._break_silence()
            self._look_again()
        except StoreError as error:
            self._refused(describe(error))
            self.end_session()
        except LightClientError:  # the bridge takes nothing any more
            self.end_session()

    def receive(self, data: "Buffer", start: int, end: int) -> None:
        """Take bytes from the line. Raises nothing, whatever they are."""
        while start < end:
            start = self.endpoint.receive(data, start, end)
            if not self.endpoint.message_ready or self._session == _CLOSED:
                continue
            try:
                self._handle(self.endpoint.read_message(self._session == _OPEN))
            except LightClientError as error:
                # The line, or who is at its other end, cannot be followed: begin again.
                self._refused(describe(error))
                self.end_session()

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none."""
        return self.endpoint.next_output()

    def end_session(self) -> None:
        """Forget the session: the line is gone, or not to be trusted. `tick` begins the next one."""
        self._leave_session()
        self.endpoint.begin(0)

    def _leave_session(self) -> None:
        """End the session, but what was said last still goes out."""
        self._session = _CLOSED
        self._awaited = _NOTHING
        self._since_ms = self.clock.now_ms
        self._pause_ms = PAUSE
        self._nonce = b""
        self._closed()
        self.endpoint.reader.restart()

    # --- inside ---

    def _begin(self) -> None:
        self.endpoint.begin(0)
        self._session = _GREETING
        self._nonce = self._random(NONCE_SIZE)
        self._ask(
            HELLO,
            (
                PROTOCOL_VERSION,
                self._network.name,
                MAX_PAYLOAD,
                WINDOW,
                self._device_id,
                self._firmware_version,
                min(self._heap_free(), MAX_COUNT),
                self._nonce,
            ),
            WELCOME,
        )

    def _ask(self, message_type: int, values: "tuple[Value, ...]", answer: int) -> None:
        """Send a message to which an answer is due."""
        self.endpoint.send(message_type, values)
        self._awaited = answer
        self._since_ms = self.clock.now_ms

    def _answered(self, answer: int) -> None:
        if self._awaited == answer:
            self._awaited = _NOTHING

    def _ping(self) -> None:
        self._ask(PING, (0,), PONG)

    def _handle(self, message_type: int) -> None:
        self._heard_ms = self.clock.now_ms
        if message_type == GOODBYE:
            if self.endpoint.values[0]:
                self._refused("bridge: " + str(self.endpoint.values[1]))
            self.end_session()
        elif self._session == _GREETING:
            if message_type == CHALLENGE:
                mac = authentication_mac(self._pairing_key, self.endpoint.values[0], self._nonce, self._device_id)
                self.endpoint.send(AUTHENTICATE, (mac,))
            elif message_type == WELCOME:
                self._welcomed()
            elif message_type == PAIR:
                self._take_pair()
            elif message_type == ASK:
                self._take_ask()
            # anything else is left over from a session that is gone
        elif message_type in (WELCOME, CHALLENGE, PAIR, ASK):
            raise BadMessage("a second greeting")
        else:
            if message_type == PING:
                self.endpoint.send(PONG, self.endpoint.values)
            elif message_type == PONG:
                self._answered(PONG)
            elif message_type != CREDIT:  # which the endpoint has taken
                self._take(message_type)
            self.endpoint.taken(message_type)

    def _welcomed(self) -> None:
        version, network, nonce, time, credit, _, best_height = self.endpoint.values
        if nonce != self._nonce:
            return  # the answer to an older HELLO
        if version != PROTOCOL_VERSION:
            raise BadMessage("the bridge speaks version " + str(version) + " of the protocol")
        if network != self._network.name:
            raise WrongNetwork("the bridge is on " + cut_text(network))
        self._session = _OPEN
        self._answered(WELCOME)
        self.endpoint.grant(credit)
        self.best_height = best_height
        self._opened(time)

    def _take_pair(self) -> None:
        """Take the bridge's pairing, or say GOODBYE and stay as we are; either ends the greeting."""
        from lightclient.pairing import read_pairing  # noqa: PLC0415 - it comes once in a device's life

        reader = self.endpoint.reader
        payload = memoryview(reader.buffer)[reader.payload_start : reader.payload_end]
        try:
            pairing = read_pairing(self.endpoint.values, payload, self._nonce, self._pairing_key)
            if self.on_pair is None:
                raise AuthenticationFailed("a device is paired over a cable alone")
            self.on_pair(pairing)
        except LightClientError as error:
            self._refused(describe(error))
            self.endpoint.send(GOODBYE, (error.code, cut_text(describe(error))))
        else:
            self._pairing_key = pairing.pairing_key
            self.endpoint.send(PAIRED, (self._device_id, pairing.fingerprint))
        self._leave_session()

    def _take_ask(self) -> None:
        """Answer a question, each in one message; the greeting goes on, for the next one."""
        from lightclient.pairing import require_owner  # noqa: PLC0415 - it comes seldom

        reader = self.endpoint.reader
        payload = memoryview(reader.buffer)[reader.payload_start : reader.payload_end]
        question, argument, mac = self.endpoint.values
        self._since_ms = self.clock.now_ms  # who asks has another 15 seconds
        try:
            require_owner(mac, payload, self._nonce, self._pairing_key)
            if self.on_ask is None:
                raise AuthenticationFailed("a device is asked over a cable alone")
            data, left = self.on_ask(question, argument)
            self.endpoint.send(TOLD, (0, left, data))
        except LightClientError as error:
            text = cut_text(describe(error))
            if error.code == AuthenticationFailed.code:
                self._refused(text)
            self.endpoint.send(TOLD, (error.code, 0, text.encode()))
