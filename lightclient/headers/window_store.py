"""The window of headers in files: how it is written so that a power cut at any moment loses nothing.

The bytes are specified in store.py. Theory of operation: headers are collected in RAM until there
are over `batch` of them or two hours of chain time have passed; then they are appended to the file
of their epoch, that is synced, and the record is written, which makes them *committed*. In a sync
that is far from its end the record is written less often: what is in the file is found there
after a cut, and judged again. The file of the epoch that comes next is made as soon as its base is
known, so each file begins with the state that forks inside it are rebuilt from. What a branch adds
is in window_branches.py.

During a first sync, as long as the chain has less than the network's minimum work (nothing can be
acted on anyway) and the epoch is one that will be pruned, only the record is written, once an epoch.
"""

from lightclient.compat import const
from lightclient.errors import LightClientError, LimitExceeded, StoreFull
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.epoch_files import epoch_file
from lightclient.headers.state import ChainState
from lightclient.headers.window_branches import WindowBranches
from lightclient.headers.window_files import NO_BRANCH, NO_SWITCH
from lightclient.limits import HEADER_SIZE

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.rules import HeaderRules
    from lightclient.headers.store import Borders
    from lightclient.serialize import Buffer

_MAX_AGE = const(7200)  # seconds of chain time that may be uncommitted
_MOST_AHEAD = const(384)  # headers of a sync that may be written and uncommitted: opening judges them again
_TAIL = const(1280)  # bytes of it judged at a time


class WindowStore(WindowBranches):
    """Headers of `network` in `files`: the newest `epochs` epoch files (0: all), the growing one included.

    `epoch_length` differs from EPOCH in tests alone. Made, then `resume`, then `begin` where that
    found nothing. Every write can raise StoreFull; the caller then calls `revert`.
    """

    def resume(self, rules: "HeaderRules") -> bool:
        """Set `rules.state` to where the store left off, and check what can be checked at once; False: a new store.

        Raises StoreLocked, CorruptStore, StoreRolledBack, WrongNetwork, WrongStoreVersion.
        """
        self.files.lock()
        try:
            found = self._resume(rules.state)
            if found:
                self._take_tail(rules)
                if self._windowed:
                    self._prune((self.tip_height + 1) // self.interval)  # where a cut came first
            return found
        except LightClientError:
            self.files.close()
            raise

    def _take_tail(self, rules: "HeaderRules") -> None:
        """Headers that were written and not committed, after a power cut: judged like any that come."""
        buffer = bytearray(_TAIL)
        state = rules.state
        try:
            count = self._read_tail(state.height, buffer)
            while count:
                rules.extend(buffer, 0, count, 0)
                count = self._read_tail(state.height, buffer)
        except LightClientError:
            pass  # torn: `state` stands before it, and it will be fetched again
        if state.height > self.tip_height:
            self.tip_height = self._written = state.height
            self._cut_to_known()  # what follows is of no use
            try:
                self._commit(state)
            except StoreFull:
                self.revert(state)  # a full flash opens all the same; what is not committed comes again

    def begin(self, height: int, checkpoint: bytes) -> None:
        """A new store; the tip is the block of `checkpoint`, at `height`."""
        for name in self.files.names():  # of a store that was cut off while it was made
            if name[-4:] in (".hdr", ".new"):
                self.files.remove(name)
        self.first_height = height + 1
        self.tip_height = self._written = self.committed_height = height
        self._windowed = True
        self._make_file(epoch_file((height + 1) // self.interval), checkpoint)
        self._record_state(checkpoint)
        self._write_record(NO_SWITCH)
        self.acted.attach(self)

    def start_over(self, height: int, checkpoint: bytes) -> None:
        """Leave the chain for that of `checkpoint`: the way out of a reorg too deep, and of a damaged chain.

        Payments acted on stay; where they stand in the other chain is uncertain. What was the
        highest work is forgotten. Not to be done on the word of a bridge.
        """
        self.acted.attach(self)
        self.acted.forget_above(-1)
        self._pair.sequence = max(self._pair.sequence, self.acted.chain_sequence)
        self._drop_branch()
        self.work = 0
        self._count = 0
        self._open_window(height, checkpoint)

    # --- writing ---

    def append(self, buffer: "Buffer", offset: int, count: int, state: "ChainState", borders: "Borders") -> None:
        """Take `count` records that follow the tip; `state` is that after the last one.

        `borders` has the state at each end of an epoch among them.
        """
        may_skip = self._may_skip(state)
        if may_skip and self._is_pruned_anyway(self.tip_height + 1):
            self._windowed = False
        if not self._windowed:
            first = 0  # the first border from which on headers are kept
            while first < len(borders) and may_skip and self._is_pruned_anyway(borders[first][0] + 1):
                first += 1
            if first == len(borders):
                self._skip(state, borders)
                return
            height, checkpoint = borders[first]
            used = height - self.tip_height
            offset += used * HEADER_SIZE
            count -= used
            borders = borders[first + 1 :]
            self._open_window(height, checkpoint)
        batch = len(self._pending) // HEADER_SIZE
        is_far = self.best_height - state.height > batch  # there is more to come at once
        is_young = is_far or state.time - self._committed_time < _MAX_AGE
        if not borders and is_young and self._count + count <= batch:
            start = self._count * HEADER_SIZE
            self._pending[start : start + count * HEADER_SIZE] = memoryview(buffer)[
                offset : offset + count * HEADER_SIZE
            ]
            self._count += count
            self.tip_height += count
            return
        self._flush(buffer, offset, count, borders)
        if borders or self._branch != NO_BRANCH or not is_far or state.height - self.committed_height >= _MOST_AHEAD:
            self._commit(state)

    def commit(self, state: "ChainState") -> None:
        """Make everything up to the tip durable now."""
        if self._windowed and (self._count or self._written != self.committed_height):
            self._flush(b"", 0, 0, [])
            self._commit(state)

    def truncate(self, height: int) -> None:
        """Forget the headers above `height`; on flash they stay until a branch has more work."""
        if not self.first_height - 1 <= height <= self.tip_height:
            raise LimitExceeded("truncate outside the window", height)
        self.tip_height = height
        if height >= self._written:
            self._count = height - self._written
            return
        self._count = 0
        self._written = height
        self._is_exact = False
        if self._branch != NO_BRANCH and height >= self._fork:
            self._cut_to_known()  # the branch itself goes back
            return
        self._drop_branch()
        self._fork = height
        self._branch = (height + 1) // self.interval

    def promise(self, work: int) -> None:
        """A branch of so much work has been seen: nothing is acted on below it, whatever happens next."""
        if work > self.work:
            self.work = work
            self._write_record(NO_SWITCH)

    def revert(self, state: "ChainState") -> None:
        """After a failed write: back to what is committed."""
        self._drop_branch()
        self._length = self._pair.load()
        self._to_committed(state)

    def _commit(self, state: "ChainState") -> None:
        """Write the record, unless this is a branch that has no more work than what is committed."""
        if self._branch != NO_BRANCH and state.chainwork <= self.committed_work:
            return
        self._record_state(encode_checkpoint(self.network, state))
        self.work = max(self.work, state.chainwork)
        switch = self._branch if self._branch_made and self._branch != NO_BRANCH else NO_SWITCH
        self._write_record(switch)
        self.committed_height = state.height
        self.committed_work = state.chainwork
        self._committed_time = state.time
        self._branch = NO_BRANCH
        self._branch_made = False
        if switch != NO_SWITCH:
            self._finish_switch(switch)
            self._prune((self.tip_height + 1) // self.interval)

    def _flush(self, buffer: "Buffer", offset: int, count: int, borders: "Borders") -> None:
        """Write what is pending, then `count` headers of `buffer`. The record is the caller's."""
        if self._branch != NO_BRANCH and not self._branch_made:
            self._make_branch()
        end = self._written + self._count + count
        if self._count:
            self._append(memoryview(self._pending)[: self._count * HEADER_SIZE], self._count)
            self._count = 0
        view = memoryview(buffer)
        for height, checkpoint in borders:
            size = (height - self._written) * HEADER_SIZE
            self._append(view[offset : offset + size], height - self._written)
            offset += size
            self._pass_border(height, checkpoint)
        self._append(view[offset : offset + (end - self._written) * HEADER_SIZE], end - self._written)
        self.tip_height = end

    def _pass_border(self, height: int, checkpoint: bytes) -> None:
        """`height` was the last of its epoch: prune, and make the next file."""
        epoch = (height + 1) // self.interval
        if self._branch == NO_BRANCH:
            self.committed_height = height
            self._record_state(checkpoint)
            self._prune(epoch)
        self._in_room_for_both(self._make_file, self._name_of(epoch), checkpoint)

    def _prune(self, newest: int) -> None:
        """Leave room for `newest`: the record first, then the files."""
        first = newest - self._epochs + 1
        if self._epochs == 0 or first * self.interval <= self.first_height:
            return
        oldest = self.first_height // self.interval
        self.first_height = first * self.interval
        self._write_record(NO_SWITCH)
        for epoch in range(oldest, first):
            if self.files.size(epoch_file(epoch)) >= 0:
                self.files.remove(epoch_file(epoch))
        self.files.sync()

    # --- a first sync that is far from its end ---

    def _may_skip(self, state: "ChainState") -> bool:
        return (
            self._epochs > 0
            and self._branch == NO_BRANCH
            and state.chainwork < self.network.minimum_chainwork
            and (not self._windowed or self.tip_height < self.first_height)
        )

    def _is_pruned_anyway(self, height: int) -> bool:
        return height // self.interval <= self.best_height // self.interval - self._epochs

    def _skip(self, state: "ChainState", borders: "Borders") -> None:
        """Go on without writing headers, at the end of an epoch the record alone."""
        if borders:
            self.committed_height, checkpoint = borders[-1]
            self._record_state(checkpoint)
            self._write_record(NO_SWITCH)
            self._remove_headers()
        self.first_height = state.height + 1
        self.tip_height = self._written = state.height

    def _open_window(self, height: int, checkpoint: bytes) -> None:
        """The window begins anew above `height`. A cut before the record leaves what it said before."""
        name = epoch_file((height + 1) // self.interval)
        self._windowed = True
        self.first_height = height + 1
        self.tip_height = self._written = self.committed_height = height
        self._record_state(checkpoint)
        self._write_record(NO_SWITCH)
        self._remove_headers()
        self._make_file(name, checkpoint)

    def _remove_headers(self) -> None:
        for name in self.files.names():
            if name[-4:] == ".hdr":
                self.files.remove(name)
        self.files.sync()
