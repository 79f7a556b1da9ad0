"""The payments acted on, kept in files: both copies of a small record are written before anything moves."""

from lightclient.errors import CorruptStore
from lightclient.headers.envelope import PAYMENTS, network_id
from lightclient.headers.pair import CONTENT, Pair
from lightclient.serialize import read_uint32_le, write_uint32_le
from lightclient.spv.acted import ENTRY, FIRST, ActedPayments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.headers.store import Files
    from lightclient.headers.window_files import WindowFiles
    from lightclient.params import Network

_FIXED = FIRST - CONTENT


class StoredPayments(ActedPayments):
    """At most `capacity` entries in `files` (store.py has the bytes). The store of headers opens it."""

    def __init__(self, files: "Files", network: "Network", capacity: int = 64) -> None:
        self.chain_sequence = 0  # of the chain's record, when this was last written
        self._pair = Pair(files, "paid", PAYMENTS, network_id(network), _FIXED + capacity * ENTRY, True)
        self._store: "WindowFiles | None" = None
        ActedPayments.__init__(self, capacity)

    def _make_buffer(self) -> bytearray:
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
        if length < _FIXED or length != _FIXED + self.count * ENTRY:
            raise CorruptStore("paid: %d entries in %d bytes" % (self.count, length))

    def attach(self, store: "WindowFiles") -> None:
        """`store` holds the headers: what is written here notes how far its record had come."""
        self._store = store

    def _save(self) -> None:
        self.chain_sequence = self._store.sequence if self._store else self.chain_sequence
        write_uint32_le(self._buffer, CONTENT, self.chain_sequence)
        write_uint32_le(self._buffer, CONTENT + 4, self.floor)
        write_uint32_le(self._buffer, CONTENT + 8, self.count)
        self._pair.save(_FIXED + self.count * ENTRY)
