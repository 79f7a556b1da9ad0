"""The messages of the link: each is one frame whose payload is a canonical CBOR array of flat values.

One table gives for every frame type its name, who sends it, and its fields with their bounds.
Encoding and decoding follow it; tests compare docs/PROTOCOL.md with it.
"""

from lightclient.cbor import ARRAY, BYTES, TEXT, UINT, Reader, Writer
from lightclient.compat import const
from lightclient.errors import BadMessage, LimitExceeded
from lightclient.hashes import hmac_sha256
from lightclient.limits import (
    LOCATOR_ENTRY,
    MAX_BATCH_HEADERS,
    MAX_CERTIFICATE,
    MAX_DETAIL,
    MAX_HEIGHT,
    MAX_HOST,
    MAX_LOCATOR,
    MAX_MONEY,
    MAX_NAME,
    MAX_PAYLOAD,
    MAX_PROOF_SIZE,
    MAX_SCRIPT_PUBKEY,
    MAX_SSID,
    MAX_TOLD,
    MAX_WIFI_PASSWORD,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from lightclient.serialize import Buffer

    Value = int | str | Buffer
    # name, kind, minimum, maximum, and for bytes what their length is a multiple of;
    # bounds are of the value of an integer and of the length in bytes of anything else
    Field = tuple[str, int, int, int, int]
    Message = tuple[str, int, tuple[Field, ...]]

PROTOCOL_VERSION = const(1)
NONCE_SIZE = const(16)  # bytes of the nonce of HELLO
MIN_PAYLOAD = const(256)  # bytes of payload that every device takes

HELLO = const(1)
WELCOME = const(2)
CREDIT = const(3)
CHALLENGE = const(4)
AUTHENTICATE = const(5)
GET_HEADERS = const(6)
HEADERS = const(7)
TIP = const(8)
WATCH = const(9)
UNWATCH = const(10)
PROOF = const(11)
PROOF_DATA = const(12)
VERDICT = const(13)
GONE = const(14)
STATUS = const(15)
EVENT = const(16)
REFUSED = const(17)
PING = const(18)
PONG = const(19)
GOODBYE = const(20)
PAIR = const(21)
PAIRED = const(22)
ASK = const(23)
TOLD = const(24)

# Who sends a message.
DEVICE = const(1)
BRIDGE = const(2)
EITHER = const(3)

VIEW = const(8)  # kind of a field: a byte string that is decoded as a memoryview, without a copy

# Codes of STATUS.state and EVENT.kind are the places in these.
STATES = ("starting", "syncing", "waiting", "ready", "stopped")
STATE_STARTING = const(0)
STATE_SYNCING = const(1)  # headers are on their way
STATE_WAITING = const(2)  # in sync, but nothing is acted on: too little work, or a stale tip
STATE_READY = const(3)
STATE_STOPPED = const(4)  # a person must look at it

EVENTS = ("proof stage passed", "payment seen", "confirmed", "taken back", "relay on", "relay off", "refused")
EVENT_PROOF_STAGE = const(0)
EVENT_PAYMENT_SEEN = const(1)
EVENT_CONFIRMED = const(2)
EVENT_TAKEN_BACK = const(3)  # by a reorg
EVENT_RELAY_ON = const(4)
EVENT_RELAY_OFF = const(5)
EVENT_REFUSED = const(6)

# The code of ASK.question is the place in this; what each is about: docs/PROTOCOL.md.
QUESTIONS = (
    "info",
    "log",
    "settings",
    "identify",
    "restart",
    "change settings",
    "state",
    "judge headers",
    "take state",
    "add headers",
    "end of state",
    "addresses",
    "till",
)
ASK_INFO = const(0)
ASK_LOG = const(1)
ASK_SETTINGS = const(2)
ASK_IDENTIFY = const(3)
ASK_RESTART = const(4)
ASK_CHANGE = const(5)
ASK_STATE = const(6)
ASK_JUDGE = const(7)
ASK_TAKE = const(8)
ASK_ADD = const(9)
ASK_END = const(10)
ASK_ADDRESSES = const(11)
ASK_TILL = const(12)

_COUNT = const(0x3FFFFFFF)  # a small integer on a 32-bit MicroPython
_UINT32 = const(0xFFFFFFFF)
_AUTHENTICATION = b"lightclient-auth-1"

# Fields; most stand in more than one message.
_AMOUNT = ("amount", UINT, 0, MAX_MONEY, 1)
_BEST_HEIGHT = ("best_height", UINT, 0, MAX_HEIGHT, 1)
_BRIDGE_VERSION = ("bridge_version", TEXT, 0, MAX_NAME, 1)
_CODE = ("code", UINT, 0, 0xFF, 1)
_CONFIRMATIONS = ("confirmations", UINT, 0, MAX_HEIGHT, 1)
_COUNT_HEADERS = ("count", UINT, 0, MAX_BATCH_HEADERS, 1)
_CREDIT = ("credit", UINT, 1, _COUNT, 1)
_DETAIL = ("detail", TEXT, 0, MAX_DETAIL, 1)
_DEVICE_ID = ("device_id", BYTES, 0, 16, 1)
_EVENT = ("kind", UINT, 0, len(EVENTS) - 1, 1)
_FIRMWARE = ("firmware_version", TEXT, 0, MAX_NAME, 1)
_FROM_HEIGHT = ("from_height", UINT, 0, MAX_HEIGHT, 1)
_HEAP_FREE = ("heap_free", UINT, 0, _COUNT, 1)
_HEIGHT = ("height", UINT, 0, MAX_HEIGHT, 1)
_LOCATOR = ("locator", BYTES, LOCATOR_ENTRY, MAX_LOCATOR * LOCATOR_ENTRY, LOCATOR_ENTRY)
_MAX_HEADERS = ("max_headers", UINT, 1, MAX_BATCH_HEADERS, 1)
_MAX_PAYLOAD = ("max_payload", UINT, MIN_PAYLOAD, MAX_PAYLOAD, 1)
_MIN_AMOUNT = ("min_amount", UINT, 0, MAX_MONEY, 1)
_MIN_CONFIRMATIONS = ("min_confirmations", UINT, 0, MAX_HEIGHT, 1)
_NETWORK = ("network", TEXT, 0, MAX_NAME, 1)
_NONCE = ("nonce", BYTES, NONCE_SIZE, NONCE_SIZE, 1)
_NUMBER = ("number", UINT, 0, _COUNT, 1)
_OFFSET = ("offset", UINT, 0, MAX_PROOF_SIZE, 1)
_PACKED = ("packed_headers", VIEW, 0, MAX_PAYLOAD, 1)
_PARENT_HASH = ("parent_hash", BYTES, 32, 32, 1)
_PARENT_HEIGHT = ("parent_height", UINT, 0, MAX_HEIGHT, 1)
_PROOF = ("proof_id", UINT, 0, _COUNT, 1)
_REQUEST = ("request_id", UINT, 0, _COUNT, 1)
_SCRIPT_PUBKEY = ("script_pubkey", BYTES, 1, MAX_SCRIPT_PUBKEY, 1)
_SIZE = ("size", UINT, 1, MAX_PROOF_SIZE, 1)
_STATE = ("state", UINT, 0, len(STATES) - 1, 1)
_TIME = ("time", UINT, 0, _UINT32, 1)
_TIP_HASH = ("tip_hash", BYTES, 32, 32, 1)
_TIP_HEIGHT = ("tip_height", UINT, 0, MAX_HEIGHT, 1)
_TXID = ("txid", BYTES, 0, 32, 32)
_VALIDATED = ("headers_validated", UINT, 0, _COUNT, 1)
_VERSION = ("protocol_version", UINT, 1, 0xFFFF, 1)

# One entry for each frame type, from 1.
MESSAGES: "tuple[Message, ...]" = (
    ("HELLO", DEVICE, (_VERSION, _NETWORK, _MAX_PAYLOAD, _CREDIT, _DEVICE_ID, _FIRMWARE, _HEAP_FREE, _NONCE)),
    ("WELCOME", BRIDGE, (_VERSION, _NETWORK, _NONCE, _TIME, _CREDIT, _BRIDGE_VERSION, _BEST_HEIGHT)),
    ("CREDIT", EITHER, (("up_to", UINT, 0, _COUNT, 1),)),
    ("CHALLENGE", BRIDGE, (("challenge", BYTES, 32, 32, 1),)),
    ("AUTHENTICATE", DEVICE, (("mac", BYTES, 32, 32, 1),)),
    ("GET_HEADERS", DEVICE, (_LOCATOR, _MAX_HEADERS)),
    ("HEADERS", BRIDGE, (_PARENT_HEIGHT, _PARENT_HASH, _BEST_HEIGHT, _COUNT_HEADERS, _PACKED)),
    ("TIP", BRIDGE, (_BEST_HEIGHT, ("block_hash", BYTES, 32, 32, 1), _TIME)),
    ("WATCH", DEVICE, (_REQUEST, _SCRIPT_PUBKEY, _MIN_AMOUNT, _MIN_CONFIRMATIONS, _FROM_HEIGHT)),
    ("UNWATCH", DEVICE, (_REQUEST,)),
    ("PROOF", BRIDGE, (_REQUEST, _PROOF, _SIZE)),
    ("PROOF_DATA", BRIDGE, (_PROOF, _OFFSET, ("data", VIEW, 1, MAX_PAYLOAD, 1))),
    ("VERDICT", DEVICE, (_PROOF, _CODE, _CONFIRMATIONS, _DETAIL)),
    ("GONE", BRIDGE, (_REQUEST, _PROOF)),
    ("STATUS", DEVICE, (_STATE, _TIP_HEIGHT, _TIP_HASH, _VALIDATED, _HEAP_FREE, _DETAIL)),
    ("EVENT", DEVICE, (_EVENT, _REQUEST, _TXID, _AMOUNT, _CONFIRMATIONS, _DETAIL)),
    ("REFUSED", DEVICE, (_CODE, _HEIGHT, _DETAIL)),
    ("PING", EITHER, (_NUMBER,)),
    ("PONG", EITHER, (_NUMBER,)),
    ("GOODBYE", EITHER, (_CODE, _DETAIL)),
    (
        "PAIR",
        BRIDGE,
        (
            ("pairing_key", BYTES, 32, 32, 1),
            ("certificate", BYTES, 0, MAX_CERTIFICATE, 1),
            ("host", TEXT, 0, MAX_HOST, 1),
            ("port", UINT, 0, 0xFFFF, 1),
            ("wifi_ssid", BYTES, 0, MAX_SSID, 1),
            ("wifi_password", TEXT, 0, MAX_WIFI_PASSWORD, 1),
            _NETWORK,
            ("mac", BYTES, 0, 32, 32),
        ),
    ),
    ("PAIRED", DEVICE, (_DEVICE_ID, ("fingerprint", BYTES, 0, 32, 32))),
    (
        "ASK",
        BRIDGE,
        (
            ("question", UINT, 0, len(QUESTIONS) - 1, 1),
            ("argument", VIEW, 0, MAX_PAYLOAD, 1),
            ("mac", BYTES, 0, 32, 32),
        ),
    ),
    ("TOLD", DEVICE, (_CODE, ("left", UINT, 0, _COUNT, 1), ("data", VIEW, 0, MAX_TOLD, 1))),
)


def is_counted(message_type: int) -> bool:
    """Whether a message uses up credit: all do but those that make, pace and end a session."""
    return AUTHENTICATE < message_type < GOODBYE


def _message(message_type: int, sender: int) -> "Message":
    if message_type < 1 or message_type > len(MESSAGES):
        raise BadMessage("unknown frame type " + str(message_type))
    message = MESSAGES[message_type - 1]
    if not message[1] & sender:
        raise BadMessage(message[0] + " comes from the wrong end")
    return message


def encode(message_type: int, values: "tuple[Value, ...] | list[Value]", buffer: bytearray) -> int:
    """Write a message to the start of `buffer`; returns its length.

    `values` are in the order of the table. Raises BadMessage and LimitExceeded where `decode`
    would raise them at the other end, and LimitExceeded when the buffer is too short.
    """
    name, _, fields = _message(message_type, EITHER)
    if len(values) != len(fields):
        raise BadMessage(name + ": " + str(len(values)) + " values, not " + str(len(fields)))
    writer = Writer(buffer)
    writer.head(ARRAY, len(fields))
    for i, field in enumerate(fields):
        kind = field[1]
        value = values[i]
        if isinstance(value, int):
            if kind != UINT:
                raise BadMessage(name + "." + field[0] + " is not an integer")
            _check(name, field, value)
            writer.uint(value)
        elif isinstance(value, str):
            if kind != TEXT:
                raise BadMessage(name + "." + field[0] + " is not text")
            _check(name, field, len(value))
            writer.text(value)
        else:
            if kind in (UINT, TEXT):
                raise BadMessage(name + "." + field[0] + " is not a byte string")
            _check(name, field, len(value))
            writer.bytes(value)
    return writer.offset


def decode(message_type: int, buffer: "Buffer", start: int, end: int, sender: int = EITHER) -> "list[Any]":
    """The values of the message in `buffer[start:end]` that came from `sender`, in the order of the table.

    Byte strings are copied, but a VIEW field (packed headers, proof data) is a memoryview of
    `buffer`: good only until the buffer is used again, at the next `FrameReader.feed`. Raises
    BadMessage for an unknown type, the wrong end, a wrong number of values or a value out of
    range, LimitExceeded above a ceiling, the other encoding errors for anything but canonical CBOR.
    """
    name, _, fields = _message(message_type, sender)
    reader = Reader()
    reader.reset(buffer, start, end)
    count = reader.array(0xFF)
    if count != len(fields):
        raise BadMessage(name + ": " + str(count) + " values, not " + str(len(fields)))
    values: "list[Any]" = []
    for field in fields:
        kind = field[1]
        if kind == UINT:
            number = reader.uint(field[3])
            _check(name, field, number)
            values.append(number)
        elif kind == TEXT:
            values.append(reader.text(field[3]))
        else:
            length = reader.skip_string(BYTES, field[3])
            _check(name, field, length)
            view = memoryview(buffer)[reader.offset - length : reader.offset]
            values.append(view if kind == VIEW else bytes(view))
    reader.finish()
    return values


def _check(name: str, field: "Field", size: int) -> None:
    """Compare the value of an integer, or the length in bytes of anything else, with its bounds."""
    if size > field[3]:
        raise LimitExceeded(name + "." + field[0] + ": " + str(size) + ", at most " + str(field[3]))
    if size < field[2]:
        raise BadMessage(name + "." + field[0] + ": " + str(size) + ", at least " + str(field[2]))
    if size % field[4]:
        raise BadMessage(name + "." + field[0] + ": " + str(size) + " bytes, no multiple of " + str(field[4]))


def view_room(message_type: int, max_payload: int) -> int:
    """How many bytes the VIEW field of a message may have, so that it fits `max_payload` whatever the rest is."""
    room = max_payload - 1
    for _, kind, _, maximum, _ in MESSAGES[message_type - 1][2]:
        room -= (
            1 if maximum < 24 else 2 if maximum < 0x100 else 3 if maximum < 0x10000 else 5 if maximum >> 32 == 0 else 9
        )
        if kind in (BYTES, TEXT):
            room -= maximum
    return room


def cut_text(text: str, maximum: int = MAX_DETAIL) -> str:
    """The start of `text` as a text field takes it: what is not printable ASCII is a question mark."""
    text = text[:maximum]
    for value in text.encode(
        "utf-8", "surrogatepass"
    ):  # MicroPython keeps each letter that it makes of a text for good
        if not 0x20 <= value <= 0x7E:
            return "".join([c if " " <= c <= "~" else "?" for c in text])
    return text


def authentication_mac(pairing_key: bytes, challenge: bytes, hello_nonce: bytes, device_id: bytes) -> bytes:
    """The mac of AUTHENTICATE. Compare it with `hashes.equal_constant_time`."""
    return hmac_sha256(pairing_key, _AUTHENTICATION + challenge + hello_nonce + device_id)
