"""One end of a link: frames, sequence numbers and credit. The device and the bridge both have one.

Sans-I/O: bytes that came in are given to `receive`, bytes to go out are taken from `next_output`.

Theory of operation: a session begins when the device says HELLO; both ends then count from 0. A
frame that carries a counted message (`messages.is_counted`) may be sent only while the other end
has granted credit for it; what has none waits in a queue of bounded length, and so does what the
line has not taken yet. A gap in the sequence numbers means that a frame was lost, a frame without
credit that the other end does not keep to the rules; the device then begins a new session, which is
the one way to recover from everything.
"""

from lightclient.compat import const
from lightclient.errors import BadFrame, LimitExceeded
from lightclient.limits import MAX_OUTPUT, MAX_PAYLOAD, MAX_QUEUE
from lightclient.messages import ASK, CHALLENGE, CREDIT, HELLO, PAIR, WELCOME, decode, encode, is_counted
from lightclient.wire import FrameReader, encode_frame

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from lightclient.messages import Value
    from lightclient.serialize import Buffer

_OPENING = (HELLO, CHALLENGE, WELCOME, PAIR, ASK)


class Endpoint:
    """`peer` is who the other end is (messages.DEVICE or BRIDGE); `window` is how many counted frames we take ahead.

    `largest` is the size of the largest payload that this end sends.
    """

    def __init__(self, peer: int, window: int, largest: int, max_payload: int = MAX_PAYLOAD) -> None:
        self.reader = FrameReader(max_payload)
        self.window = window
        self.values: "list[Any]" = []  # of the kinds that the table of messages says
        self._peer = peer
        self._scratch = bytearray(largest)
        self._view = memoryview(self._scratch)
        self._output: "list[bytes]" = []
        self._waiting: "list[tuple[int, bytes]]" = []
        self.begin(0)

    def begin(self, credit: int) -> None:
        """Start counting from 0; `credit` counted frames may be sent. What was queued is forgotten."""
        self._sequence = 0
        self._sent = 0
        self._received = 0
        self._allowed = credit
        self._granted = self.window
        self._output.clear()
        self._waiting.clear()

    def grant(self, credit: int) -> None:
        """The other end takes `credit` counted frames in all."""
        self._allowed = max(self._allowed, credit)
        while self._waiting and self._sent < self._allowed:
            message_type, payload = self._waiting.pop(0)
            self._sent += 1
            self._frame(message_type, payload)

    def send(self, message_type: int, values: "list[Value] | tuple[Value, ...]") -> None:
        """Queue a message. LimitExceeded when the other end, or the line, has taken nothing for too long."""
        length = encode(message_type, values, self._scratch)
        payload = self._view[:length]
        if not is_counted(message_type):
            self._frame(message_type, payload)
        elif self._sent < self._allowed and not self._waiting:
            self._sent += 1
            self._frame(message_type, payload)
        elif len(self._waiting) < MAX_QUEUE:
            self._waiting.append((message_type, bytes(payload)))
        else:
            raise LimitExceeded("the other end takes nothing: " + str(MAX_QUEUE) + " messages wait")

    def may_send(self) -> bool:
        """Whether a counted message would go out at once."""
        return self._sent < self._allowed and not self._waiting

    def has_places(self, count: int) -> bool:
        """Whether so many messages could still wait for credit, or for the line."""
        return len(self._waiting) + count <= MAX_QUEUE and len(self._output) + count <= MAX_OUTPUT

    def make_room(self) -> None:
        """For a last message: forget what waits for credit, and when the line takes nothing, that too."""
        self._waiting.clear()
        if len(self._output) >= MAX_OUTPUT:
            self._output.clear()

    @property
    def has_output(self) -> bool:
        return bool(self._output)

    def _frame(self, message_type: int, payload: "Buffer") -> None:
        if len(self._output) >= MAX_OUTPUT:
            raise LimitExceeded("the line takes nothing: " + str(MAX_OUTPUT) + " frames wait")
        self._output.append(encode_frame(message_type, self._sequence, bytes(payload)))
        self._sequence = self._sequence + 1 & 0xFF

    def next_output(self) -> bytes:
        """The next bytes for the line; empty when there are none."""
        return self._output.pop(0) if self._output else b""

    def receive(self, data: "Buffer", start: int, end: int) -> int:
        """Take `data[start:end]` up to the end of one frame; returns the offset of what is left.

        `message_ready` then says whether a message came; `read_message` decodes it.
        """
        return self.reader.feed(data, start, end)

    @property
    def message_ready(self) -> bool:
        reader = self.reader
        # the first frames of a session have the numbers 0 and 1, whatever came before them
        return reader.ready and (not reader.repeated or reader.frame_type in _OPENING)

    def read_message(self, in_session: bool) -> int:
        """Decode the message that is ready into `values`; returns its type.

        Raises BadFrame for a gap in the sequence, LimitExceeded for a frame without credit (both
        `in_session` only: before WELCOME and HELLO nothing can be missed), and what `messages.decode`
        raises. A CREDIT is taken care of here.
        """
        reader = self.reader
        if reader.lost and in_session:
            raise BadFrame(str(reader.lost) + " frames are missing")
        message_type = reader.frame_type
        if in_session and self._received >= self._granted and is_counted(message_type):
            raise LimitExceeded("a frame without credit: " + str(self._granted) + " were granted")
        self.values = decode(message_type, reader.buffer, reader.payload_start, reader.payload_end, self._peer)
        if in_session and message_type == CREDIT:
            self.grant(self.values[0])
        return message_type

    def taken(self, message_type: int) -> None:
        """The message has been dealt with and its buffer is free: grant more when half the window is used."""
        if is_counted(message_type):
            self._received += 1
            if self._granted - self._received <= self.window // 2:
                self._granted = self._received + self.window
                self.send(CREDIT, (self._granted,))
