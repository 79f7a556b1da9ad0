"""The files of a header window: opening, checking, reading, and the record. Writing is in window_store.py."""

from lightclient.compat import const
from lightclient.errors import CorruptStore, EncodingError, HeaderError, StoreRolledBack
from lightclient.hashes import hash256
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint, encode_checkpoint
from lightclient.headers.envelope import BASE, BASE_SIZE, ENVELOPE_SIZE, RECORD, network_id, seal
from lightclient.headers.epoch_files import epoch_file, epoch_of, read_base
from lightclient.headers.header import MERKLE_ROOT, PREV_BLOCK_HASH
from lightclient.headers.pair import CONTENT, Pair
from lightclient.headers.store import require_within
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.serialize import read_uint32_le, write_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.state import ChainState
    from lightclient.headers.store import Files
    from lightclient.params import Network
    from lightclient.spv.stored_payments import StoredPayments

FIXED = const(44)  # bytes of the record before its checkpoint
NO_SWITCH = const(0xFFFFFFFF)
NO_WINDOW = const(0xFFFFFFFE)
NO_BRANCH = const(-1)
_ZEROS = const(256)  # bytes of padding written at a time


class WindowFiles:
    """What WindowStore is built on."""

    def __init__(
        self,
        network: "Network",
        files: "Files",
        acted: "StoredPayments",
        epochs: int = 3,
        batch: int = 12,
        epoch_length: int = EPOCH,
    ) -> None:
        self.network = network
        self.files = files
        self.acted = acted
        self.interval = epoch_length
        self.capacity = 0  # no number of headers bounds it
        self.first_height = 0
        self.tip_height = -1
        self.committed_height = -1
        self.best_height = 0  # what the bridge says
        self.work = 0  # highest chainwork accepted or promised
        self._epochs = epochs
        self._id = network_id(network)
        self._pair = Pair(files, "chain", RECORD, self._id, FIXED + MAX_CHECKPOINT_SIZE, False)
        self._pending = bytearray(batch * HEADER_SIZE)
        self._count = 0  # headers in `_pending`
        self._written = -1  # height of the last header in files
        self._length = 0  # bytes of the record's content
        self.committed_work = 0
        self._committed_time = 0
        self._windowed = False
        self._branch = NO_BRANCH  # epoch from which on .new files count
        self._branch_made = False
        self._fork = -1
        self._is_exact = False  # the file that grows ends with the last header written
        self._pair_of_headers = bytearray(HEADER_SIZE + MERKLE_ROOT)

    # --- opening ---

    def _resume(self, state: "ChainState") -> bool:
        """Set `state` to the last commit's and check what can be checked at once; False: a new store."""
        exists = self._pair.exists()
        self.acted.open(not exists)
        if not exists or (self._pair.is_newborn() and not self._any_headers()):
            if exists:
                try:
                    self._load(state)
                    return True
                except CorruptStore:
                    pass  # the first record of all, torn while it was written
            if self._any_headers():
                raise CorruptStore("chain.a: missing, though there are headers")
            if self.acted.chain_sequence:
                raise CorruptStore("chain.a and chain.b: missing, though payments were acted on")
            return False
        self._load(state)
        return True

    def _any_headers(self) -> bool:
        files = self.files
        return any(name[-4:] == ".hdr" and files.size(name) > BASE_SIZE for name in files.names())

    def _load(self, state: "ChainState") -> None:
        self._length = self._pair.load()
        content = self._pair.buffer
        if self._length < FIXED:
            raise CorruptStore("chain: the record is too short")
        self._to_committed(state)
        known = read_uint32_le(content, CONTENT + 8)
        if self.acted.sequence < known:
            raise StoreRolledBack("paid: number %d, the record knew %d" % (self.acted.sequence, known))
        known = self.acted.chain_sequence
        if self._pair.sequence < known:
            raise StoreRolledBack("chain: number %d, the payments knew %d" % (self._pair.sequence, known))
        switch = read_uint32_le(content, CONTENT + 4)
        self._windowed = switch != NO_WINDOW
        if self._windowed and switch != NO_SWITCH:
            self._finish_switch(switch)
        self._sweep()
        if self._windowed:
            self._check_files(state)
        self.acted.attach(self)
        if self._pair.migrated:
            self._write_record(NO_SWITCH)

    def _to_committed(self, state: "ChainState") -> None:
        """Everything as the record in the pair's buffer says."""
        content = self._pair.buffer
        start = CONTENT + FIXED
        try:
            decode_checkpoint(self.network, bytes(content[start : CONTENT + self._length]), state)
        except (EncodingError, HeaderError) as error:
            raise CorruptStore("chain: " + str(error))
        self.first_height = read_uint32_le(content, CONTENT)
        self.work = max(self.work, int.from_bytes(content[CONTENT + 12 : CONTENT + 44], "big"))
        self.tip_height = self._written = self.committed_height = state.height
        self.committed_work = state.chainwork
        self._committed_time = state.time
        self._count = 0
        self._branch = NO_BRANCH
        self._is_exact = False
        if self.first_height > self.tip_height + 1:
            raise CorruptStore("chain: the window begins above the tip")

    def _sweep(self) -> None:
        """Delete what a cut left over: pruned files, branches, files that no record counts."""
        first = self.first_height // self.interval if self._windowed else NO_WINDOW
        last = (self.tip_height + 1) // self.interval
        swept = False
        for name in self.files.names():
            kind = name[-4:]
            if kind == ".new" or (kind == ".hdr" and not first <= epoch_of(name) <= last):
                self.files.remove(name)
                swept = True
        if swept:
            self.files.sync()

    def _check_files(self, state: "ChainState") -> None:
        """Every file of the window is there in full, and the tip is the record's."""
        last = (self.tip_height + 1) // self.interval
        for epoch in range(self.first_height // self.interval, last + 1):
            name = epoch_file(epoch)
            size = self.files.size(name)
            expected = self._size_up_to(epoch, min(self.tip_height, (epoch + 1) * self.interval - 1))
            if expected == BASE_SIZE:
                checkpoint = encode_checkpoint(self.network, state)
                if size < BASE_SIZE or not self._has_base(name, checkpoint):
                    # a cut came between the record and this file: the record has the same state
                    self._make_file(name, checkpoint)
            elif size < 0:
                raise CorruptStore(name + ": missing")
            elif BASE_SIZE <= size < expected and (size - BASE_SIZE) % HEADER_SIZE == 0:
                raise StoreRolledBack(
                    "%s ends %d headers before what was committed" % (name, (expected - size) // HEADER_SIZE)
                )
            elif size < expected or (epoch < last and size > expected):
                raise CorruptStore(name + ": %d bytes, %d belong there" % (size, expected))
        if self.tip_height >= self.first_height:
            header = self._pair_of_headers
            self._read_file(self.tip_height, memoryview(header)[:HEADER_SIZE])
            if hash256(memoryview(header)[:HEADER_SIZE]) != state.block_hash:
                raise CorruptStore("the header at the tip is not the one committed", self.tip_height)

    def _has_base(self, name: str, checkpoint: bytes) -> bool:
        try:
            return read_base(self.files, name, self._id) == checkpoint
        except CorruptStore:
            return False

    def _finish_switch(self, first: int) -> None:
        """Rename the .new files from epoch `first` on; done again after a cut, it comes to the same."""
        last = (self.tip_height + 1) // self.interval
        for name in self.files.names():
            epoch = epoch_of(name)
            if epoch >= first and name[-4:] == ".new":
                if epoch <= last:
                    self.files.rename(name, epoch_file(epoch))
                else:
                    self.files.remove(name)
            elif epoch > last and name[-4:] == ".hdr":
                self.files.remove(name)
        self.files.sync()

    def _read_tail(self, height: int, buffer: bytearray) -> int:
        """Read headers above `height` that the file of the tip's epoch holds; returns how many.

        Not the epoch's last one: whoever needs it fetches it again, and its state with it.
        """
        epoch = (self._written + 1) // self.interval
        if not self._windowed or height + 1 >= (epoch + 1) * self.interval:
            return 0
        count = min(len(buffer) // HEADER_SIZE, (epoch + 1) * self.interval - 2 - height)
        view = memoryview(buffer)[: count * HEADER_SIZE]
        return self.files.read_into(epoch_file(epoch), self._size_up_to(epoch, height), view) // HEADER_SIZE

    # --- reading ---

    @property
    def base_height(self) -> int:
        """The lowest height that a branch may begin at."""
        return self.first_height - 1

    def read_into(self, height: int, buffer: "bytearray | memoryview", offset: int) -> None:
        """Copy the record of `height`; from a file, the next header's link vouches for it.

        Raises HeaderNotInChain when it is not in the window, CorruptStore.
        """
        require_within(self, height)
        view = memoryview(buffer)[offset : offset + HEADER_SIZE]
        if height > self._written:
            start = (height - self._written - 1) * HEADER_SIZE
            view[:] = memoryview(self._pending)[start : start + HEADER_SIZE]
            return
        both = memoryview(self._pair_of_headers)
        own = both[:HEADER_SIZE]
        link = both[HEADER_SIZE + PREV_BLOCK_HASH : HEADER_SIZE + MERKLE_ROOT]
        if height < self._written and (height + 1) % self.interval:
            self._read_file(height, both)
        else:
            self._read_file(height, own)
            if height < self._written:
                self._read_file(height + 1, both[HEADER_SIZE:])
            elif self._count:
                link = memoryview(self._pending)[PREV_BLOCK_HASH:MERKLE_ROOT]
        if height < self.tip_height and hash256(own) != link:
            raise CorruptStore("the header at %d does not belong below the next one" % height, height)
        view[:] = own

    def _read_file(self, height: int, view: memoryview) -> None:
        epoch = height // self.interval
        name = self._name_of(epoch)
        if self.files.read_into(name, self._size_up_to(epoch, height - 1), view) != len(view):
            raise CorruptStore(name + ": ends early", height)

    def state_before(self, height: int) -> bytes:
        """The checkpoint at the base of the epoch file of `height + 1`."""
        epoch = (height + 1) // self.interval
        if not self._windowed:
            return bytes(self._pair.buffer[CONTENT + FIXED : CONTENT + self._length])
        return read_base(self.files, self._name_of(epoch), self._id)

    def _name_of(self, epoch: int) -> str:
        new = self._branch != NO_BRANCH and self._branch_made and epoch >= self._branch
        return epoch_file(epoch, new)

    def _first_in(self, epoch: int) -> int:
        return max(epoch * self.interval, self.first_height)

    def _size_up_to(self, epoch: int, height: int) -> int:
        """Bytes of that epoch's file when `height` is its last header."""
        return BASE_SIZE + (height + 1 - self._first_in(epoch)) * HEADER_SIZE

    def release(self) -> None:
        """Nothing is read for now: an open file takes over 1 KB."""
        self.files.release()

    def close(self) -> None:
        """Let another program have the files."""
        self.files.close()

    # --- the record ---

    def _make_file(self, name: str, checkpoint: bytes) -> None:
        # in pieces: all of it at once is more than a device may have in one piece of memory
        buffer = bytearray(ENVELOPE_SIZE + len(checkpoint))
        buffer[CONTENT : CONTENT + len(checkpoint)] = checkpoint
        left = BASE_SIZE - seal(buffer, BASE, len(checkpoint), self._id, 0)
        self.files.write(name, buffer)
        zeros = bytes(_ZEROS)
        while left > 0:
            self.files.append(name, memoryview(zeros)[: min(left, _ZEROS)])
            left -= _ZEROS
        self.files.sync()

    def _record_state(self, checkpoint: bytes) -> None:
        start = CONTENT + FIXED
        self._pair.reserve(FIXED + len(checkpoint))[start : start + len(checkpoint)] = checkpoint
        self._length = FIXED + len(checkpoint)

    def _write_record(self, switch: int) -> None:
        content = self._pair.buffer
        write_uint32_le(content, CONTENT, self.first_height if self._windowed else self.committed_height + 1)
        write_uint32_le(content, CONTENT + 4, switch if self._windowed else NO_WINDOW)
        write_uint32_le(content, CONTENT + 8, self.acted.sequence)
        content[CONTENT + 12 : CONTENT + 44] = self.work.to_bytes(32, "big")
        self._pair.save(self._length)

    @property
    def sequence(self) -> int:
        """Number of the last record written."""
        return self._pair.sequence
