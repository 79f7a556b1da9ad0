"""docs/PROTOCOL.md says what the code does: its tables and its examples."""

import re
from pathlib import Path

from lightclient import errors, messages
from lightclient.cbor import BYTES, TEXT, UINT
from lightclient.errors import LightClientError
from lightclient.headers.compact import pack_headers
from lightclient.messages import BRIDGE, DEVICE, EITHER, MESSAGES, VIEW, encode
from lightclient.params import MAINNET
from lightclient.wire import encode_frame

DOCUMENT = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of the first table in a piece of Markdown."""
    match = re.search(r"^\|.*\n\|[-|]+\|\n((?:\|.*\n?)*)", text, re.MULTILINE)
    assert match is not None
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in match[1].splitlines()]


def section(title: str) -> str:
    return re.split(r"^##", DOCUMENT.split("\n## " + title + "\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def bounds(field: "messages.Field") -> str:
    _, _, minimum, maximum, multiple = field
    text = str(minimum) if minimum == maximum else f"{minimum} to {maximum}"
    return text + (f", multiple of {multiple}" if multiple > 1 else "")


def test_messages_are_documented() -> None:
    ends = {DEVICE: "device", BRIDGE: "bridge", EITHER: "either"}
    kinds = {UINT: "integer", BYTES: "bytes", TEXT: "text", VIEW: "bytes"}
    pieces = re.split(r"^### ", DOCUMENT, flags=re.MULTILINE)[1:]
    assert len(pieces) == len(MESSAGES)
    for number, (piece, (name, sender, fields)) in enumerate(zip(pieces, MESSAGES, strict=True), 1):
        assert piece.splitlines()[0] == f"{number} {name} ({ends[sender]})"
        documented = rows(piece)
        assert [row[:3] for row in documented] == [[field[0], kinds[field[1]], bounds(field)] for field in fields]
        assert all(len(row) == 4 and row[3] for row in documented), name


def test_states_and_events_are_documented() -> None:
    assert rows(section("States")) == [[str(i), name] for i, name in enumerate(messages.STATES)]
    assert rows(section("Events")) == [[str(i), name] for i, name in enumerate(messages.EVENTS)]


def test_questions_are_documented() -> None:
    assert [row[:2] for row in rows(section("The owner's questions"))] == [
        [str(i), name] for i, name in enumerate(messages.QUESTIONS)
    ]


def test_error_codes_are_documented_and_unique() -> None:
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, LightClientError)
    ]
    codes = {error.code: error.__name__ for error in classes}
    assert len(codes) == len(classes)
    assert rows(section("Error codes")) == [[f"0x{code:02X}", name] for code, name in sorted(codes.items())]


def test_examples_of_the_document() -> None:
    line = re.search(r"^line +([0-9a-f ]+)$", DOCUMENT, re.MULTILINE)
    raw = re.search(r"^unescaped +([0-9a-f ]+)$", DOCUMENT, re.MULTILINE)
    assert line is not None
    assert raw is not None
    buffer = bytearray(8)
    length = encode(messages.PING, (126,), buffer)
    assert encode_frame(messages.PING, 0, buffer[:length]) == bytes.fromhex(line[1])
    assert bytes.fromhex(raw[1])[4:-4] == buffer[:length]
    packed = re.search(r"^(d0 [0-9a-f ]+)$", DOCUMENT, re.MULTILINE)
    assert packed is not None
    out = bytearray(49)
    assert pack_headers(MAINNET.genesis_header, 0, 1, out, 0, 49) == (1, 49)
    assert out == bytes.fromhex(packed[1])
