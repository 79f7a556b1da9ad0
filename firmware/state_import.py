"""Takes a chain that was exported on a desk (docs/PROTOCOL.md, "Taking a state over").

Headers that follow the device's own chain are judged by it as those of a bridge: by every rule, most work
wins. The state below them cannot be judged by a device, so it is taken into a new store alone, one
that has nothing but what it was begun with and no payments; and only after every header above it
has been judged, in a first pass that stores nothing. A power cut leaves the new store as it was, or
one that stands at that state or on a header above it: an import, or a bridge, goes on from there.
"""

from lightclient.compat import const
from lightclient.errors import BadLink, BadMessage, CheckpointMismatch, NotEnoughWork, PathMismatch, StoreError
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint
from lightclient.headers.compact import unpack_headers
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.window_store import WindowStore
from lightclient.limits import HEADER_SIZE, LOCATOR_ENTRY, MAX_BATCH_HEADERS, MAX_LOCATOR
from lightclient.messages import ASK_ADD, ASK_END, ASK_JUDGE, ASK_STATE, ASK_TAKE

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.device import Device
    from firmware.hand import Hand

_BATCH_HEAD = const(37)  # parent_height (4, little-endian), parent_hash (32), count (1)
_HASH = const(32)


class StateImport:
    """One import, from ASK_STATE to ASK_END; `base` is the checkpoint below the headers that are to come."""

    def __init__(self, device: "Device", base: memoryview, hand: "Hand") -> None:
        self._device = device
        self._hand = hand
        self._chain = chain = device.client.chain
        if not isinstance(chain.store, WindowStore):
            raise StoreError("the device has no store: what it is given would be gone with the power")
        self._store = chain.store
        if len(base) > MAX_CHECKPOINT_SIZE:
            raise BadMessage("a checkpoint of " + str(len(base)) + " bytes")
        self._base = ChainState()
        decode_checkpoint(chain.network, bytes(base), self._base)
        self._batch = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
        self._judge: "HeaderRules | None" = None

    def take(self, question: int, argument: memoryview) -> bytes:
        """What is answered to a question. Raises a LightClientError, and nothing has changed by it.

        But where a write fails while the base is taken, chain and store stand apart: then nothing is taken until the
        device has started anew, which mends that.
        """
        if self._device.client.fault:
            raise StoreError(self._device.client.fault)
        if question == ASK_STATE:
            return self._begin()
        if question == ASK_JUDGE:
            self._judge_headers(argument)
        elif question == ASK_TAKE:
            self._take_base(bytes(argument))
        elif question == ASK_ADD:
            self._add_headers(argument)
        elif question == ASK_END:
            self._end(bytes(argument))
        return b""

    def _begin(self) -> bytes:
        """1 when the base may be taken, else 0; then the locator of our chain."""
        locator = bytearray(LOCATOR_ENTRY * MAX_LOCATOR)
        length = self._chain.write_locator(locator)
        return bytes([self._is_new()]) + bytes(locator[:length])

    def _is_new(self) -> bool:
        """Whether nothing has come into the store yet, so that nothing is lost with what it has."""
        state = self._chain.state
        start = self._device.settings.start
        return (
            state.height == start.height
            and state.block_hash == start.block_hash
            and self._device.payments_acted_on() == 0
            and self._chain.store.work <= start.chainwork
        )

    # --- the first pass: a new store ---

    def _judge_headers(self, argument: memoryview) -> None:
        if not self._is_new():
            raise CheckpointMismatch("the store has a chain: only a new one takes a state", self._base.height)
        if self._chain.accumulator is None:
            self._base.accumulator = None  # it is not kept here
        elif self._base.accumulator is None:
            raise PathMismatch("old_payments is set: the state has to have an accumulator")
        judge = self._judge
        if judge is None:
            self._judge = judge = HeaderRules(self._chain.network)
            judge.state.copy_from(self._base)
        parent_height, parent_hash, count = self._unpack(argument)
        if parent_height != judge.state.height or parent_hash != judge.state.block_hash:
            raise BadLink("the headers do not follow those before", parent_height)
        judge.extend(self._batch, 0, count, self._device.client.now(), True)

    def _take_base(self, tip_hash: bytes) -> None:
        judge = self._judge
        if judge is None or judge.state.block_hash != tip_hash:
            raise BadLink("not all headers have been judged")
        work = judge.state.chainwork
        if work <= self._chain.state.chainwork or work < self._chain.network.minimum_chainwork:
            raise NotEnoughWork("the state has too little work", judge.state.height)
        self._hand.require("NEW STATE?")
        self._judge = None
        try:
            self._chain.start_over(self._store, self._base)
        except BaseException:
            self._device.client.fault = "between two chains: starts anew"
            self._device.restart_soon("could not take the state, and starts anew")
            raise

    # --- the second pass, and the only one for a store that has a chain ---

    def _add_headers(self, argument: memoryview) -> None:
        parent_height, parent_hash, count = self._unpack(argument)
        chain = self._chain
        if parent_height <= chain.tip_height:  # else it is refused, and says nothing
            chain.store.best_height = max(chain.store.best_height, parent_height + count)
        chain.accept(self._batch, 0, count, parent_height, parent_hash, self._device.client.now(), True)

    def _end(self, tip_hash: bytes) -> None:
        self._chain.commit()
        if self._chain.state.block_hash != tip_hash:
            raise NotEnoughWork("our own chain has as much work", self._chain.tip_height)
        self._device.restart_soon("has a chain up to " + str(self._chain.tip_height))

    def _unpack(self, argument: memoryview) -> "tuple[int, bytes, int]":
        if len(argument) <= _BATCH_HEAD or argument[_BATCH_HEAD - 1] > MAX_BATCH_HEADERS:
            raise BadMessage("no batch of headers")
        count = argument[_BATCH_HEAD - 1]
        unpack_headers(argument[_BATCH_HEAD:], 0, len(argument) - _BATCH_HEAD, count, self._batch, 0)
        height = int.from_bytes(bytes(argument[:4]), "little")
        return height, bytes(argument[4 : 4 + _HASH]), count
