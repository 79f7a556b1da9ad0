"""Messages: every one both ways, every bound from both sides, all of it driven by the table."""

from support import raises

from lightclient import messages
from lightclient.cbor import ARRAY, BYTES, TEXT, UINT, Reader, Writer
from lightclient.errors import BadMessage, LightClientError, LimitExceeded, TrailingData, TruncatedInput
from lightclient.limits import MAX_DETAIL, MAX_PAYLOAD
from lightclient.messages import BRIDGE, DEVICE, EITHER, MESSAGES, VIEW, cut_text, decode, encode, view_room


def value_of(field, size):
    """A value of the size that a bound speaks of."""
    kind = field[1]
    if kind == UINT:
        return size
    if kind == TEXT:
        return "x" * size
    return bytes([i & 0xFF for i in range(size)])


def largest(message_type):
    """The message with every field at its ceiling, but large fields so that the payload is just full."""
    fields = MESSAGES[message_type - 1][2]
    room = view_room(message_type, MAX_PAYLOAD)
    return [value_of(field, min(field[3], room) if field[1] == VIEW else field[3]) for field in fields]


def smallest(message_type):
    return [value_of(field, field[2]) for field in MESSAGES[message_type - 1][2]]


def test_every_message_both_ways():
    buffer = bytearray(MAX_PAYLOAD)
    for message_type in range(1, len(MESSAGES) + 1):
        sender = MESSAGES[message_type - 1][1]
        for values in (smallest(message_type), largest(message_type)):
            length = encode(message_type, values, buffer)
            decoded = decode(message_type, buffer, 0, length, sender)
            assert [bytes(v) if isinstance(v, memoryview) else v for v in decoded] == values
            # at an offset, of a memoryview
            shifted = memoryview(b"~" + bytes(buffer[:length]) + b"~")
            assert len(decode(message_type, shifted, 1, 1 + length)) == len(values)


def test_view_room_fills_the_payload():
    buffer = bytearray(2 * MAX_PAYLOAD)
    for message_type in (messages.HEADERS, messages.PROOF_DATA):
        assert encode(message_type, largest(message_type), buffer) == MAX_PAYLOAD
    for message in range(1, len(MESSAGES) + 1):
        if MESSAGES[message - 1][1] & BRIDGE and message != messages.PAIR:
            assert view_room(message, messages.MIN_PAYLOAD) > 0  # all that a bridge sends fits the smallest device
    assert view_room(messages.PAIR, MAX_PAYLOAD) > 2048


def test_views_are_not_copied():
    buffer = bytearray(MAX_PAYLOAD)
    length = encode(messages.PROOF_DATA, (1, 2, b"abc"), buffer)
    values = decode(messages.PROOF_DATA, buffer, 0, length)
    assert isinstance(values[2], memoryview)
    buffer[length - 1] ^= 0xFF
    assert values[2][2] == ord("c") ^ 0xFF


def test_every_bound():
    buffer = bytearray(3 * MAX_PAYLOAD)
    for message_type in range(1, len(MESSAGES) + 1):
        name, _, fields = MESSAGES[message_type - 1]
        for i in range(len(fields)):
            field = fields[i]
            values = smallest(message_type)
            values[i] = value_of(field, field[3] + field[4])
            error = raises(LimitExceeded, encode, message_type, values, buffer)
            assert str(error).startswith(name + "." + field[0])
            raises(LimitExceeded, decode, message_type, buffer, 0, write(values, buffer))
            if field[2] > 0:
                values[i] = value_of(field, field[2] - 1)
                error = raises(BadMessage, encode, message_type, values, buffer)
                assert str(error).startswith(name + "." + field[0])
                raises(BadMessage, decode, message_type, buffer, 0, write(values, buffer))
            if field[4] > 1:
                values[i] = value_of(field, field[3] - 1)
                raises(BadMessage, encode, message_type, values, buffer)
                raises(BadMessage, decode, message_type, buffer, 0, write(values, buffer))
            if field[1] == UINT:
                values[i] = -1
                raises(BadMessage, encode, message_type, values, buffer)


def write(values, buffer, count=-1):
    """The values as CBOR, without any check."""
    writer = Writer(buffer)
    writer.head(ARRAY, len(values) if count < 0 else count)
    for value in values:
        if isinstance(value, int):
            writer.uint(value)
        elif isinstance(value, str):
            writer.text(value)
        else:
            writer.bytes(value)
    return writer.offset


def test_wrong_kinds():
    buffer = bytearray(MAX_PAYLOAD)
    for message_type in range(1, len(MESSAGES) + 1):
        fields = MESSAGES[message_type - 1][2]
        for i in range(len(fields)):
            for other in (7, "seven", b"seven"):
                if isinstance(other, type(value_of(fields[i], 1))):
                    continue
                values = smallest(message_type)
                values[i] = other
                raises(BadMessage, encode, message_type, values, buffer)
                length = write(values, buffer)
                try:
                    decode(message_type, buffer, 0, length)
                except LightClientError:
                    continue
                raise AssertionError((message_type, i, other))


def test_wrong_number_of_values():
    buffer = bytearray(MAX_PAYLOAD)
    for message_type in range(1, len(MESSAGES) + 1):
        values = smallest(message_type)
        raises(BadMessage, encode, message_type, values + [1], buffer)
        raises(BadMessage, encode, message_type, values[1:], buffer)
        raises(BadMessage, decode, message_type, buffer, 0, write(values + [1], buffer))
        raises(BadMessage, decode, message_type, buffer, 0, write(values[1:], buffer))
        raises(TrailingData, decode, message_type, buffer, 0, write(values + [1], buffer, len(values)))
        raises(TruncatedInput, decode, message_type, buffer, 0, 0)
        length = write(values, buffer)
        for cut in range(1, length):
            raises(TruncatedInput, decode, message_type, buffer, 0, cut)


def test_unknown_types_and_wrong_ends():
    buffer = bytearray(MAX_PAYLOAD)
    for message_type in (-1, 0, len(MESSAGES) + 1, 255):
        raises(BadMessage, encode, message_type, (), buffer)
        raises(BadMessage, decode, message_type, b"\x80", 0, 1)
    for message_type in range(1, len(MESSAGES) + 1):
        sender = MESSAGES[message_type - 1][1]
        length = encode(message_type, smallest(message_type), buffer)
        for end in (DEVICE, BRIDGE):
            if sender & end:
                decode(message_type, buffer, 0, length, end)
            else:
                error = raises(BadMessage, decode, message_type, buffer, 0, length, end)
                assert MESSAGES[message_type - 1][0] in str(error)


def test_a_buffer_too_short():
    for message_type in range(1, len(MESSAGES) + 1):
        values = largest(message_type)
        buffer = bytearray(MAX_PAYLOAD)
        length = encode(message_type, values, buffer)
        raises(LimitExceeded, encode, message_type, values, bytearray(length - 1))
        assert encode(message_type, values, bytearray(length)) == length


def test_table_is_whole():
    names = [message[0] for message in MESSAGES]
    assert len(names) == 24
    for message_type in range(1, len(names) + 1):
        assert getattr(messages, names[message_type - 1]) == message_type
        _, sender, fields = MESSAGES[message_type - 1]
        assert sender in (DEVICE, BRIDGE, EITHER)
        assert len({field[0] for field in fields}) == len(fields)
        for _, kind, minimum, maximum, multiple in fields:
            assert kind in (UINT, BYTES, TEXT, VIEW)
            assert 0 <= minimum <= maximum
            assert multiple >= 1
            assert maximum % multiple == 0
            assert kind != TEXT or minimum == 0  # decode does not look
    uncounted = [names[i - 1] for i in range(1, 23) if not messages.is_counted(i)]
    assert uncounted == ["HELLO", "WELCOME", "CREDIT", "CHALLENGE", "AUTHENTICATE", "GOODBYE", "PAIR", "PAIRED"]


def test_a_message_byte_by_byte():
    buffer = bytearray(64)
    length = encode(messages.PING, (126,), buffer)
    assert bytes(buffer[:length]) == b"\x81\x18\x7e"
    length = encode(messages.VERDICT, (5, 0x41, 0, "no"), buffer)
    assert bytes(buffer[:length]) == b"\x84\x05\x18\x41\x00\x62no"
    reader = Reader()
    reader.reset(buffer, 0, length)
    assert reader.array(9) == 4


def test_cut_text():
    assert cut_text("plain") == "plain"
    assert cut_text("x" * (MAX_DETAIL + 1)) == "x" * MAX_DETAIL
    assert cut_text("a\u00e9b", 2) == "a?"
    assert cut_text("\U0001f600\n ~\x7f\0") == "?? ~??"
    assert cut_text("abc", 0) == ""
    assert cut_text("", 0) == ""


def test_authentication_mac():
    mac = messages.authentication_mac(bytes(32), b"\x01" * 32, b"\x02" * 16, b"door")
    assert len(mac) == 32
    for other in (
        (b"\x01" + bytes(31), b"\x01" * 32, b"\x02" * 16, b"door"),
        (bytes(32), b"\x02" + b"\x01" * 31, b"\x02" * 16, b"door"),
        (bytes(32), b"\x01" * 32, b"\x03" + b"\x02" * 15, b"door"),
        (bytes(32), b"\x01" * 32, b"\x02" * 16, b"doors"),
    ):
        assert messages.authentication_mac(*other) != mac
