"""Gives a device what its till sells, and the addresses of its invoices (docs/PROTOCOL.md, "A list for the till")."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from host_bridge.control.control import DeviceControl
from lightclient.limits import MAX_TILL_PIECE
from lightclient.messages import ASK_ADDRESSES, ASK_TILL

_HEAD = 4  # bytes of a piece before the scripts: how many came before


def send_till(
    control: DeviceControl,
    changes: dict[str, Any],
    scripts: list[bytes],
    advance: Callable[[int], None] = lambda count: None,
) -> int:
    """Set what is in `changes`, and the list of `scripts` unless it is empty: all of it or nothing.

    Returns how many of the list the device has left out, for they have had an invoice. Raises ControlFailed.
    """
    left_out = 0
    for number, piece in _pieces(scripts):
        answer, _ = control.ask(ASK_ADDRESSES, number.to_bytes(_HEAD, "little") + b"".join(piece))
        left_out = int.from_bytes(answer, "little")
        advance(len(piece))
    if scripts:
        changes = {**changes, "addresses": len(scripts)}
    control.ask_with_hand(ASK_TILL, json.dumps(changes).encode())
    return left_out


def _pieces(scripts: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """How many came before, and the next ones, each behind its length."""
    piece: list[bytes] = []
    for number, script in enumerate(scripts):
        item = bytes([len(script)]) + script
        if _HEAD + sum(map(len, piece)) + len(item) > MAX_TILL_PIECE:
            yield number - len(piece), piece
            piece = []
        piece.append(item)
    if piece:
        yield len(scripts) - len(piece), piece
