"""Brings a device, over its cable, to a chain that was exported on the desk (docs/PROTOCOL.md: a state)."""

from collections.abc import Callable, Iterator

from host_bridge.chain.packed_batches import pack
from host_bridge.control.control import MAX_ARGUMENT, ControlFailed, DeviceControl
from host_bridge.stores.state_file import Exported
from lightclient.errors import NotEnoughWork
from lightclient.limits import HEADER_SIZE, LOCATOR_ENTRY, MAX_BATCH_HEADERS
from lightclient.messages import ASK_ADD, ASK_END, ASK_JUDGE, ASK_STATE, ASK_TAKE

_HEAD = 37  # bytes before the packed headers: parent_height, parent_hash, count


def send_state(control: DeviceControl, exported: Exported, advance: Callable[[int], None] = lambda count: None) -> bool:
    """Whether the device, a new one, took the state below the headers too. Raises ControlFailed.

    `advance` is told how many headers more have been sent.
    """
    if control.network != exported.network.name:
        raise ControlFailed(f"the device is on {control.network}, the state of {exported.network.name}")
    answer, _ = control.ask(ASK_STATE, exported.checkpoint)
    parent = _common_height(exported, answer[1:])
    takes_base = parent is None and answer[:1] == b"\x01"
    if parent is None:
        if not takes_base:
            raise ControlFailed(
                "the device's chain and the exported one have no block in common that both still have,"
                " and only a new store takes a state as it is"
            )
        for _, count, batch in _batches(exported, exported.base.height):
            control.ask(ASK_JUDGE, batch)
            advance(count)
        control.ask_with_hand(ASK_TAKE, exported.tip.block_hash)
        parent = exported.base.height
    for is_last in (False, True):  # a longer branch is judged first, and fetched a second time
        for _, count, batch in _batches(exported, parent):
            control.ask(ASK_ADD, batch)
            advance(0 if is_last else count)
        try:
            control.ask(ASK_END, exported.tip.block_hash)
            break
        except ControlFailed as error:
            if is_last or error.name != NotEnoughWork.__name__:
                raise
    return takes_base


def headers_to_send(exported: Exported) -> int:
    """At most so many, for a progress bar."""
    return 2 * (exported.tip.height - exported.base.height)


def _hash_at(exported: Exported, height: int) -> bytes:
    """A header's hash stands in the one after it."""
    start = (height - exported.base.height) * HEADER_SIZE
    return exported.headers[start + 4 : start + 36] or exported.tip.block_hash


def _common_height(exported: Exported, locator: bytes) -> int | None:
    for start in range(0, len(locator), LOCATOR_ENTRY):
        height = int.from_bytes(locator[start : start + 4], "little")
        block_hash = locator[start + 4 : start + LOCATOR_ENTRY]
        if exported.base.height <= height <= exported.tip.height and block_hash == _hash_at(exported, height):
            return height
    return None


def _batches(exported: Exported, parent: int) -> Iterator[tuple[int, int, bytes]]:
    """(height of the parent, headers, argument) of all batches above `parent`."""
    while parent < exported.tip.height:
        start = (parent - exported.base.height) * HEADER_SIZE
        raw = exported.headers[start : start + HEADER_SIZE * MAX_BATCH_HEADERS]
        count, packed = pack(raw, MAX_ARGUMENT - _HEAD)
        head = parent.to_bytes(4, "little") + _hash_at(exported, parent) + bytes([count])
        yield parent, count, head + packed
        parent += count
