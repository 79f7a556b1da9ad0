"""Frames on a byte stream: serial line, socket or pty; both ends use this file (docs/PROTOCOL.md).

On the line every frame stands between delimiters 0x7E, and the bytes 0x7E, 0x7D and 0x03 inside
are sent as 0x7D and the byte XOR 0x20 (0x03 because USB CDC of a MicroPython board takes it for
Ctrl-C). Unescaped: type (1), sequence number (1), payload length (2), payload, CRC-32 (4);
integers little-endian. After garbage, reading goes on at the next delimiter.
"""

from array import array
from binascii import crc32
from struct import pack

from lightclient.compat import const, micropython, ptr8, ptr32
from lightclient.errors import LimitExceeded
from lightclient.limits import MAX_PAYLOAD
from lightclient.serialize import read_uint16_le, read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

_DELIMITER = const(0x7E)
_ESCAPE = const(0x7D)
_CTRL_C = const(0x03)
_FLIP = const(0x20)

_HEAD = const(4)  # type, sequence number, payload length
FRAME_OVERHEAD = const(8)  # head and CRC-32

# Why a frame was dropped. Only bytes of the line are at fault, so nothing is raised.
SHORT = const(1)  # fewer bytes than an empty frame has: noise, or a frame cut off
OVERLONG = const(2)  # more than the reader takes
BAD_ESCAPE = const(3)  # an escape of a byte that needs none, a raw 0x03, or a frame cut inside an escape
BAD_LENGTH = const(4)  # the payload is not as long as the frame says
BAD_CRC = const(5)
REASONS = (
    "",
    "frame is too short",
    "frame is too long",
    "frame has a wrong escape",
    "frame has a wrong length",
    "frame has a wrong CRC",
)

# Words of the state that the unescaping loop keeps between calls.
_HAVE = const(0)  # bytes of the frame in the buffer
_XOR = const(1)  # 0x20 after an escape, else 0
_FAULT = const(2)  # reason why the frame will be dropped, else 0
_ENDED = const(3)  # 1 when a delimiter has just been taken


def encode_frame(frame_type: int, sequence: int, payload: "Buffer") -> bytes:
    """The bytes on the line of one frame, delimiters included; `sequence` counts mod 256.

    Raises LimitExceeded when the payload is over MAX_PAYLOAD bytes.
    """
    length = len(payload)
    if length > MAX_PAYLOAD:
        raise LimitExceeded("frame: payload of " + str(length) + " bytes, at most " + str(MAX_PAYLOAD))
    frame = pack("<BBH", frame_type, sequence & 0xFF, length) + payload
    frame += pack("<I", crc32(frame))
    frame = frame.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e").replace(b"\x03", b"\x7d\x23")
    return b"\x7e" + frame + b"\x7e"


@micropython.viper
def _unescape(data, start: int, end: int, buffer, size: int, state) -> int:  # type: ignore[no-untyped-def]
    """Take `data[start:end]` up to the first delimiter, unescaped, into `buffer` of `size` bytes.

    Returns the offset after the last byte taken. Allocates nothing; `state` says what is open.
    """
    source = ptr8(data)
    target = ptr8(buffer)
    words = ptr32(state)
    have = words[_HAVE]
    xor = words[_XOR]
    fault = words[_FAULT]
    words[_ENDED] = 0
    stop = end  # as far as there is room whatever comes
    if stop - start > size - have:
        stop = start + size - have
    while start < end:
        if xor | fault == 0:
            while start < stop:  # most bytes are taken as they are
                byte = source[start]
                if byte < _ESCAPE:
                    if byte == _CTRL_C:
                        break
                elif byte <= _DELIMITER:  # or an escape: it is the number below
                    break
                target[have] = byte
                have += 1
                start += 1
            if start >= end:
                break
        byte = source[start]
        start += 1
        if byte == _DELIMITER:
            if xor != 0:
                fault = BAD_ESCAPE
            words[_ENDED] = 1
            break
        if byte == _ESCAPE:
            if xor != 0:
                fault = BAD_ESCAPE
            xor = _FLIP
            continue
        if byte == _CTRL_C:
            fault = BAD_ESCAPE
        if xor != 0:
            byte ^= _FLIP
            xor = 0
            if byte != _DELIMITER and byte != _ESCAPE and byte != _CTRL_C:  # noqa: PLR1714 - no tuples in viper
                fault = BAD_ESCAPE
        if fault == 0:
            if have < size:
                target[have] = byte
                have += 1
            else:
                fault = OVERLONG
    words[_HAVE] = have
    words[_XOR] = xor
    words[_FAULT] = fault
    return start


class FrameReader:
    """Finds the frames in a stream that comes in pieces of any size, in one buffer made here.

    While `ready`: `frame_type`, `sequence`, and the payload `buffer[payload_start:payload_end]`
    (`view` is a memoryview of the buffer) hold the frame, until the next `feed`. `lost` is how many
    frames are missing before it by its sequence number (0..254); `repeated` says that it carries
    the number of the frame before. What to do then is the session's to say, not the reader's.

    `dropped` counts frames and runs of garbage thrown away, `dropped_by[reason]` by kind, and
    `last_error` is the text of the last one.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self.buffer = bytearray(max_payload + FRAME_OVERHEAD)
        self.view = memoryview(self.buffer)
        self._state = array("i", [0, 0, 0, 0])
        self.ready = False
        self.frame_type = 0
        self.sequence = 0
        self.payload_start = _HEAD
        self.payload_end = _HEAD
        self.expected = 0  # sequence number that the next frame should have
        self.lost = 0
        self.repeated = False
        self.dropped = 0
        self.dropped_by = [0] * len(REASONS)
        self.last_error = ""

    def is_inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._state[_HAVE] != 0

    def restart(self) -> None:
        """Forget a half-received frame and expect sequence number 0: for a line newly opened."""
        for i in range(len(self._state)):
            self._state[i] = 0
        self.ready = False
        self.expected = 0
        self.lost = 0
        self.repeated = False

    def feed(self, data: "Buffer", start: int, end: int) -> int:
        """Take `data[start:end]` until a good frame is there (`ready`) or all is taken.

        Returns the offset of the first byte not taken: feed again from there. The frame of the
        feed before is gone. Never raises, whatever the bytes are.
        """
        self.ready = False
        state = self._state
        while start < end:
            start = _unescape(data, start, end, self.buffer, len(self.buffer), state)
            if state[_ENDED]:
                have = state[_HAVE]
                fault = state[_FAULT] or self._check(have)
                state[_HAVE] = state[_XOR] = state[_FAULT] = 0
                if fault:
                    self._drop(fault)
                elif have:  # else two delimiters in a row
                    self._accept(have)
                    break
        return start

    def _check(self, have: int) -> int:
        if have == 0:
            return 0
        if have < FRAME_OVERHEAD:
            return SHORT
        if read_uint16_le(self.buffer, 2) != have - FRAME_OVERHEAD:
            return BAD_LENGTH
        if crc32(self.view[: have - 4]) != read_uint32_le(self.buffer, have - 4):
            return BAD_CRC
        return 0

    def _drop(self, fault: int) -> None:
        self.dropped += 1
        self.dropped_by[fault] += 1
        self.last_error = REASONS[fault]

    def _accept(self, have: int) -> None:
        self.ready = True
        self.frame_type = self.buffer[0]
        self.sequence = self.buffer[1]
        self.payload_end = have - 4
        ahead = self.sequence - self.expected & 0xFF
        self.repeated = ahead == 0xFF  # one behind what was expected
        self.lost = 0 if self.repeated else ahead
        self.expected = self.sequence + 1 & 0xFF
