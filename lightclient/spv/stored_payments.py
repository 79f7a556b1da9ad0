"""The payments that were acted on: at most once each, across power cuts and reorgs.

An entry is a (txid, output index) with the height of its block. It is on flash, in both copies of
the record (store.py has the bytes), before the relay moves; a mark in it is taken away when the
pulse has ended, so a pulse that was cut short is known at the next start, reported, and never
repeated by itself.

What may be forgotten. The record is bounded. When it is full, finished entries whose blocks are
`FINAL_DEPTH` deep are forgotten from the lowest on, and `floor` is raised above them. Below `floor`
all is final for this device: a payment there is refused as acted on, whether or not it was, and a
reorg that reaches below it is refused as too deep. So a forgotten payment can come back neither in
its own block nor in another one. An entry whose block a reorg takes away (or a power cut: the
headers were not committed yet) could be mined again at any height; it becomes *uncertain*, and is
not forgotten unless it has been proved at a new height. What cannot be forgotten stays, and a full
record refuses further payments.
"""

from lightclient.compat import const
from lightclient.errors import AlreadyActed, CorruptStore, StoreFull
from lightclient.headers.envelope import PAYMENTS, network_id
from lightclient.headers.pair import CONTENT, Pair
from lightclient.serialize import read_uint32_le, write_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.store import Files
    from lightclient.headers.window_files import WindowFiles
    from lightclient.params import Network
    from lightclient.serialize import Buffer

FINAL_DEPTH = const(144)  # blocks, a day: half as deep again as a coinbase must be to be spent

_FIXED = const(12)
_FIRST = CONTENT + _FIXED  # where the entries begin in the buffer
_ENTRY = const(24)
_STEP = const(8)  # entries by which the buffer grows
_TXID = const(12)  # bytes of it that are kept: to find another txid that begins so takes 2^96 hashes
_UNCERTAIN = const(0x3FFFFFFF)
_OPEN = const(0x80)  # in the height's highest byte: the pulse is not known to have ended


class StoredPayments:
    """At most `capacity` entries in `files` (store.py has the bytes); used as ActedPayments is.

    The store of headers opens it. littlefs keeps up to 19 entries (a file of at most 512 bytes) in
    the folder itself; more take two blocks, and some 15 programs and 3 erases a payment.
    """

    def __init__(self, files: "Files", network: "Network", capacity: int = 16) -> None:
        self.count = 0
        self.floor = 0  # blocks below this height are final
        self.chain_sequence = 0  # of the chain's record, when this was last written
        self._capacity = capacity
        self._pair = Pair(files, "paid", PAYMENTS, network_id(network), _FIXED + capacity * _ENTRY, True)
        self._pair.reserve(_FIXED)
        self._store: "WindowFiles | None" = None

    @property
    def _buffer(self) -> bytearray:
        return self._pair.buffer

    @property
    def sequence(self) -> int:
        """Number of the last write."""
        return self._pair.sequence

    def open(self, may_create: bool) -> None:
        """Read what is there. Raises CorruptStore, StoreRolledBack, WrongNetwork, WrongStoreVersion."""
        pair = self._pair
        if not pair.exists() or (may_create and pair.is_newborn()):
            if not may_create:
                raise CorruptStore("paid.a and paid.b: missing, though there is a chain")
            self._save()
            return
        length = pair.load()
        self.chain_sequence = read_uint32_le(self._buffer, CONTENT) if length >= _FIXED else 0
        self.floor = read_uint32_le(self._buffer, CONTENT + 4)
        self.count = read_uint32_le(self._buffer, CONTENT + 8)
        if length < _FIXED or length != _FIXED + self.count * _ENTRY:
            raise CorruptStore("paid: %d entries in %d bytes" % (self.count, length))

    def attach(self, store: "WindowFiles") -> None:
        """`store` holds the headers: what is written here notes how far its record had come."""
        self._store = store

    def require_new(self, txid: "Buffer", output_index: int, height: int, tip_height: int) -> None:
        """Raises AlreadyActed for a payment that was acted on, or may have been: its block is final.

        And StoreFull when the chain's tip is at `tip_height` and nothing may be forgotten.
        """
        start = self._find(txid, output_index)
        if start >= 0:
            if self._height(start) == _UNCERTAIN:  # proved in our chain again: this is where it stands now
                self._set_height(start, height)
            raise AlreadyActed("output %d of this transaction was acted on before" % output_index)
        if height < self.floor:
            raise AlreadyActed("blocks below %d are final: it may have been acted on before" % self.floor)
        if self.count == self._capacity and self._lowest_finished() > tip_height - FINAL_DEPTH:
            raise StoreFull("the record of %d payments is full" % self.count)

    def add(self, txid: "Buffer", output_index: int, height: int, request_id: int, tip_height: int) -> None:
        """Record a payment; to be done before acting on it. Raises AlreadyActed, StoreFull."""
        self.require_new(txid, output_index, height, tip_height)
        if self.count == self._capacity:
            self._forget()
        start = _FIRST + self.count * _ENTRY
        buffer = self._room()
        buffer[start : start + _TXID] = txid[:_TXID]
        write_uint32_le(buffer, start + 12, output_index)
        write_uint32_le(buffer, start + 16, height)
        buffer[start + 19] |= _OPEN
        write_uint32_le(buffer, start + 20, request_id)
        self.count += 1
        try:
            self._save()
        except StoreFull:
            self.count -= 1
            raise

    def _room(self) -> bytearray:
        """The buffer, with room for one entry more: the record takes as much memory as there are payments in it."""
        count = min(self.count + _STEP - self.count % _STEP, self._capacity)
        try:
            return self._pair.reserve(_FIXED + count * _ENTRY)
        except MemoryError:
            raise StoreFull("no memory for a record of %d payments" % count)

    def finish(self, request_id: int, txid: "Buffer") -> None:
        """The pulse for that payment has ended (or it has been reported that it was cut short)."""
        changed = False
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if (
                self._buffer[start + 19] & _OPEN
                and read_uint32_le(self._buffer, start + 20) == request_id
                and self._buffer[start : start + _TXID] == txid[:_TXID]
            ):
                self._buffer[start + 19] &= ~_OPEN & 0xFF
                changed = True
        if changed:
            self._save()

    def unfinished(self) -> "list[tuple[int, bytes]]":
        """(request_id, first bytes of the txid) of each payment whose pulse is not known to have ended."""
        found = []
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if self._buffer[start + 19] & _OPEN:
                found.append((read_uint32_le(self._buffer, start + 20), bytes(self._buffer[start : start + _TXID])))
        return found

    def forget_above(self, height: int) -> None:
        """The blocks above `height` are leaving the chain: where their payments end up is uncertain."""
        changed = False
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if height < self._height(start) < _UNCERTAIN:
                self._set_height(start, _UNCERTAIN)
                changed = True
        if changed:
            self._save()

    def _find(self, txid: "Buffer", output_index: int) -> int:
        buffer = self._buffer
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if buffer[start : start + _TXID] == txid[:_TXID] and read_uint32_le(buffer, start + 12) == output_index:
                return start
        return -1

    def _height(self, start: int) -> int:
        return read_uint32_le(self._buffer, start + 16) & _UNCERTAIN

    def _set_height(self, start: int, height: int) -> None:
        is_open = self._buffer[start + 19] & _OPEN
        write_uint32_le(self._buffer, start + 16, height)
        self._buffer[start + 19] |= is_open

    def _lowest_finished(self) -> int:
        lowest = _UNCERTAIN
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if not self._buffer[start + 19] & _OPEN:
                lowest = min(lowest, self._height(start))
        return lowest

    def _forget(self) -> None:
        """Make room: the lowest entries go, and their blocks become final."""
        self.floor = max(self.floor, self._lowest_finished() + 1)
        kept = _FIRST
        for start in range(_FIRST, _FIRST + self.count * _ENTRY, _ENTRY):
            if self._buffer[start + 19] & _OPEN or self._height(start) >= self.floor:
                self._buffer[kept : kept + _ENTRY] = self._buffer[start : start + _ENTRY]
                kept += _ENTRY
        self.count = (kept - _FIRST) // _ENTRY

    def _save(self) -> None:
        self.chain_sequence = self._store.sequence if self._store else self.chain_sequence
        write_uint32_le(self._buffer, CONTENT, self.chain_sequence)
        write_uint32_le(self._buffer, CONTENT + 4, self.floor)
        write_uint32_le(self._buffer, CONTENT + 8, self.count)
        self._pair.save(_FIXED + self.count * _ENTRY)
