"""Packed headers: how a batch of headers travels over the link, about 39.7 bytes a header.

A packed header is, in this order:

    control   1 byte    bits 0-3: time_delta bits 8-11; bits 4-6: version form; bit 7: full
    time      1 byte    time_delta bits 0-7; or, when full, 8 bytes: time and bits
    version   0-4 bytes by the version form
    merkle_root, nonce  32 + 4 bytes

prev_block_hash is left out: it is the hash of the header before. time_delta is the time since the
header before plus 256, from 0 to 4095; bits are those of the header before. Where either does not
fit, the header is full, with bits 0-3 of control zero. Version forms:

    0  that of the header before      3  0x20000000 | byte << 21
    1  0x20000000                     4  0x20000000 | uint16 << 13, both bytes not zero
    2  0x20000000 | byte << 13        5  4 bytes, none of the above

(BIP320 leaves bits 13-28 to miners for rolling; a byte of forms 2 and 3 is not zero.) The
first header of a batch has an all-zero header before it, so a batch stands alone. There is one
way to pack a batch; any other is refused. Integers are little-endian.
"""

from lightclient.compat import const, micropython, ptr8
from lightclient.errors import LimitExceeded, NonCanonicalEncoding, TrailingData, TruncatedInput
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS
from lightclient.serialize import read_uint32_le, write_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

MAX_PACKED_HEADER = const(49)  # control 1, time and bits 8, version 4, merkle_root 32, nonce 4

# Block times go back at times, never over long; measured: 256 is best on mainnet's 822,528 to 830,592.
_TIME_BIAS = const(256)
_FULL = const(0x80)

# Version forms.
_SAME = const(0)
_PLAIN = const(1)
_LOW = const(2)
_HIGH = const(3)
_ROLLED = const(4)
_WHOLE = const(5)

_BASE_VERSION = const(0x20000000)  # BIP9 top bits 001
_BELOW_ROLLED = const(0x1FFF)  # BIP320: bits 0-12 are not for rolling

# What _unpack found wrong, in the low two bits of its negated result.
_TRUNCATED = const(1)
_NOT_CANONICAL = const(2)


def pack_headers(
    headers: "Buffer", offset: int, count: int, out: "bytearray | memoryview", out_offset: int, room: int
) -> tuple[int, int]:
    """Pack up to `count` 80-byte headers from `headers[offset:]` into `out[out_offset:]`.

    Stops at MAX_BATCH_HEADERS and before the header that does not fit into `room` bytes. Returns
    how many headers were packed and how many bytes they take. Does not look at links or work.
    Raises TruncatedInput when the headers are not there, LimitExceeded when `out` is not.
    """
    if count < 0 or offset + count * HEADER_SIZE > len(headers):
        raise TruncatedInput("packed headers: " + str(count) + " headers are not in the buffer")
    if room > len(out) - out_offset:
        raise LimitExceeded("packed headers: " + str(room) + " bytes are not in the output buffer")
    count = min(count, MAX_BATCH_HEADERS)
    at = out_offset
    end = out_offset + room
    version = time = bits = 0
    for done in range(count):
        previous = version
        version = read_uint32_le(headers, offset)
        delta = (read_uint32_le(headers, offset + 68) - time + _TIME_BIAS) & 0xFFFFFFFF
        time = read_uint32_le(headers, offset + 68)
        full = delta >> 12 != 0 or read_uint32_le(headers, offset + 72) != bits
        bits = read_uint32_le(headers, offset + 72)
        form, size = _version_form(version, previous)
        size += 45 if full else 38
        if at + size > end:
            return done, at - out_offset
        if full:
            out[at] = _FULL | form << 4
            out[at + 1 : at + 9] = headers[offset + 68 : offset + 76]
            at += 9
        else:
            out[at] = form << 4 | delta >> 8
            out[at + 1] = delta & 0xFF
            at += 2
        if form == _WHOLE:
            write_uint32_le(out, at, version)
            at += 4
        elif form == _ROLLED:
            out[at] = version >> 13 & 0xFF
            out[at + 1] = version >> 21 & 0xFF
            at += 2
        elif form >= _LOW:
            out[at] = version >> (13 if form == _LOW else 21) & 0xFF
            at += 1
        out[at : at + 32] = headers[offset + 36 : offset + 68]
        out[at + 32 : at + 36] = headers[offset + 76 : offset + 80]
        at += 36
        offset += HEADER_SIZE
    return count, at - out_offset


def _version_form(version: int, previous: int) -> tuple[int, int]:
    """The one allowed form of `version` after `previous`, and its length in bytes."""
    if version == previous:
        return _SAME, 0
    if version >> 29 != 1 or version & _BELOW_ROLLED:
        return _WHOLE, 4
    low = version >> 13 & 0xFF
    high = version >> 21 & 0xFF
    if low and high:
        return _ROLLED, 2
    return (_LOW, 1) if low else (_HIGH, 1) if high else (_PLAIN, 0)


@micropython.viper
def _unpack(packed, start: int, end: int, count: int, target, at: int) -> int:  # type: ignore[no-untyped-def]
    """Unpack to `target[at:]`, which has room. Returns the offset after the last byte read, or what is wrong negated.

    Machine words: at 32 bits times and versions wrap around, on CPython they do not; every
    comparison is therefore of masked values or of values that came about in the same way.
    """
    source = ptr8(packed)
    out = ptr8(target)
    version = 0
    time = 0
    bits = 0
    index = 0
    while index < count:
        if start >= end:
            return -(index << 2 | _TRUNCATED)
        control = source[start]
        form = (control >> 4) & 7
        size = 38
        if control & _FULL:
            size = 45
        if form >= _WHOLE:
            size += 4
        elif form == _ROLLED:
            size += 2
        elif form >= _LOW:
            size += 1
        if start + size > end:
            return -(index << 2 | _TRUNCATED)

        if control & _FULL:
            full = source[start + 1] | source[start + 2] << 8 | source[start + 3] << 16 | source[start + 4] << 24
            delta = full - time + _TIME_BIAS
            time = full
            full = source[start + 5] | source[start + 6] << 8 | source[start + 7] << 16 | source[start + 8] << 24
            if control & 15 or (bits == full and (delta >> 12) & 0xFFFFF == 0):
                return -(index << 2 | _NOT_CANONICAL)
            bits = full
            start += 9
        else:
            time += ((control & 15) << 8 | source[start + 1]) - _TIME_BIAS
            start += 2

        if form != _SAME:
            low = 0
            high = 0
            value = _BASE_VERSION
            good = 1
            if form == _LOW:
                low = source[start]
                good = low
                start += 1
            elif form == _HIGH:
                high = source[start]
                good = high
                start += 1
            elif form == _ROLLED:
                low = source[start]
                high = source[start + 1]
                good = low * high
                start += 2
            elif form == _WHOLE:
                value = source[start] | source[start + 1] << 8 | source[start + 2] << 16 | source[start + 3] << 24
                if (value >> 29) & 7 == 1 and value & _BELOW_ROLLED == 0:
                    good = 0
                start += 4
            elif form != _PLAIN:
                good = 0
            value |= low << 13 | high << 21
            if good == 0 or value == version:
                return -(index << 2 | _NOT_CANONICAL)
            version = value

        out[at] = version & 0xFF
        out[at + 1] = (version >> 8) & 0xFF
        out[at + 2] = (version >> 16) & 0xFF
        out[at + 3] = (version >> 24) & 0xFF
        out[at + 68] = time & 0xFF
        out[at + 69] = (time >> 8) & 0xFF
        out[at + 70] = (time >> 16) & 0xFF
        out[at + 71] = (time >> 24) & 0xFF
        out[at + 72] = bits & 0xFF
        out[at + 73] = (bits >> 8) & 0xFF
        out[at + 74] = (bits >> 16) & 0xFF
        out[at + 75] = (bits >> 24) & 0xFF
        i = at + 36
        stop = at + 68
        while i < stop:
            out[i] = source[start]
            i += 1
            start += 1
        i = at + 76
        stop = at + 80
        while i < stop:
            out[i] = source[start]
            i += 1
            start += 1
        at += 80
        index += 1
    return start


def unpack_headers(
    packed: "Buffer", start: int, end: int, count: int, target: "bytearray | memoryview", target_offset: int
) -> None:
    """Unpack the `count` headers of `packed[start:end]` as 80-byte records to `target[target_offset:]`.

    Bytes 4 to 36 of each record (prev_block_hash) are left as they are: whoever validates the
    header fills them in. Allocates nothing. Raises LimitExceeded for more than MAX_BATCH_HEADERS
    or than fit the target, TruncatedInput, TrailingData, and NonCanonicalEncoding where a header
    is not packed in the one allowed way; the target may then be partly written.
    """
    if count < 0 or count > MAX_BATCH_HEADERS or target_offset + count * HEADER_SIZE > len(target):
        raise LimitExceeded("packed headers: a batch of " + str(count))
    if end > len(packed):
        raise TruncatedInput("packed headers: the batch is not in the buffer")
    at = _unpack(packed, start, end, count, target, target_offset)
    if at < 0:
        where = "packed header " + str(-at >> 2)
        if -at & 3 == _TRUNCATED:
            raise TruncatedInput(where + ": ends early")
        raise NonCanonicalEncoding(where + ": is not packed in the one allowed way")
    if at != end:
        raise TrailingData("packed headers: " + str(end - at) + " bytes left over")
