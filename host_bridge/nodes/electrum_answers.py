"""What the answers of the Electrum protocol say. All raise NodeLied."""

from host_bridge.nodes.answers import check_header, field, hash_of, hex_of, int_of, linked
from host_bridge.nodes.lookup import Entry
from host_bridge.nodes.node import NodeLied, Tip
from lightclient.headers.header import block_hash
from lightclient.limits import HEADER_SIZE


def tip_of(answer: object) -> Tip:
    """Of blockchain.headers.subscribe."""
    what = "headers.subscribe"
    header = check_header(hex_of(field(answer, "hex", what), what, HEADER_SIZE), None, what)
    return Tip(int_of(field(answer, "height", what), what + ": height"), block_hash(header, 0))


def headers_of(answer: object, most: int) -> bytes:
    """Of 1.4 a string of hex, of 1.6 a list of them."""
    what = "block.headers"
    rows = field(answer, "headers", what)
    if rows is None:
        raw = hex_of(field(answer, "hex", what), what, most * HEADER_SIZE)
    elif isinstance(rows, list) and len(rows) <= most:
        raw = b"".join(check_header(hex_of(row, what, HEADER_SIZE), None, what) for row in rows)
    else:
        raise NodeLied(f"{what}: no list of at most {most} headers")
    if len(raw) % HEADER_SIZE:
        raise NodeLied(f"{what}: half a header")
    if linked(raw) * HEADER_SIZE != len(raw):
        raise NodeLied(f"{what}: header {linked(raw)} of the answer does not follow the one before")
    return raw


def history_of(answer: object) -> list[Entry]:
    """Of blockchain.scripthash.get_history: what is in a block has a height above 0."""
    what = "get_history"
    if not isinstance(answer, list):
        raise NodeLied(f"{what}: no list")
    return [
        Entry(
            int_of(field(entry, "height", what), what + ": height", least=-1),
            hash_of(field(entry, "tx_hash", what), what + ": tx_hash"),
        )
        for entry in answer
    ]
