"""The chain with most work, a window of it: how it grows, and how a branch takes its place.

Theory of operation: headers come in batches that follow a parent. If the parent is the tip, the
batch extends the chain. If it is an older header of the window, the batch is a branch: it is judged
from the state at the fork, its work is added up, and nothing of it is stored. As soon as a branch
has more work than the chain it wins: if it lies whole in the batch buffer it is taken over at once;
if not, the chain goes back to the fork and the branch is fetched again (two branches would not fit
a device). Until the promised work is there again, nothing is acted on; it need not be that branch
that brings it. If the branch never comes again, a bridge with the old chain brings that back from
the fork on, as any headers, and the device is ready again once the old chain has grown past the work
that it has seen in the branch: there it would have changed back anyway.

A long branch, and one whose fork the bridge guessed too low, comes in several batches. So that a
bridge that keeps nothing in mind can go on with it, its last header stands first in the locator.

States for forks are rebuilt from checkpoints that the store keeps every `store.interval` headers,
out of headers that have been accepted before. What the store has made durable is where the next
start goes on; the work that was promised is remembered with it.
"""

from lightclient.compat import const
from lightclient.errors import BadLink, LimitExceeded, ReorgTooDeep
from lightclient.headers.chain_view import ChainView
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.header import MERKLE_ROOT, PREV_BLOCK_HASH
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.headers.state import Snapshot
    from lightclient.headers.store import Borders, Store
    from lightclient.headers.window_store import WindowStore
    from lightclient.params import Network
    from lightclient.serialize import Buffer

# What `accept` did with a batch.
EXTENDED = const(0)  # the chain has grown
KNOWN = const(1)  # nothing new in it
BRANCH = const(2)  # a branch that has no more work than the chain so far
REORGANISED = const(3)  # a branch has replaced the end of the chain
REFETCH = const(4)  # a branch has won: the chain stands at the fork, send the branch again


class HeaderChain(ChainView):
    """The chain of `network`, its newest headers in `store`: where that left off, or from `start` on.

    Raises what opening a store raises, and LimitExceeded for a window in RAM that is smaller than
    the distance of its states and a batch: what a batch replaces must still be in it, to be missed there.
    `floor`: blocks below this height are final, a reorg that reaches them is refused. `before_reorg`
    is called with the fork's height before a reorg.
    """

    def __init__(self, network: "Network", store: "Store", start: ChainState) -> None:
        least = store.interval + MAX_BATCH_HEADERS
        if 0 < store.capacity <= least:
            raise LimitExceeded("a window of %d headers, over %d are needed" % (store.capacity, least))
        super().__init__(network, store)
        self.before_reorg: "Callable[[int], None] | None" = None
        self.reorg_depth = 0  # headers that the last reorg took back
        self.joined = 0  # headers of the last batch that are in the chain now and were not before
        self._fork_height = -1
        state = self.rules.state
        if not store.resume(self.rules):
            state.copy_from(start)
            store.begin(start.height, encode_checkpoint(network, start))
        store.release()

    def accept(
        self,
        buffer: bytearray,
        offset: int,
        count: int,
        parent_height: int,
        parent_hash: "Buffer",
        now: int,
        fill_links: bool = False,
    ) -> int:
        """Judge `count` headers that follow the header `parent_hash` at `parent_height`.

        Returns EXTENDED, KNOWN, BRANCH, REORGANISED or REFETCH. Raises the error of the first rule broken
        (the chain is as before then), BadLink for an unknown parent, ReorgTooDeep for one below the window.
        """
        self.joined = 0
        if count == 0:
            return KNOWN
        state = self.rules.state
        branch = self._branch
        try:
            if parent_height == state.height and parent_hash == state.block_hash:
                self._extend(buffer, offset, count, now, fill_links)
                self._branch = None
                return EXTENDED
            if branch is None or parent_height != branch.height or parent_hash != branch.block_hash:
                self._branch = None
                branch = self._begin_branch(parent_height, parent_hash)
            return self._accept_branch(branch, buffer, offset, count, now, fill_links)
        finally:
            self.store.release()

    def _extend(self, buffer: bytearray, offset: int, count: int, now: int, fill_links: bool) -> None:
        state = self.rules.state
        before = state.snapshot()
        unverified = dict(self.rules.unverified)
        try:
            borders = self._judge(buffer, offset, count, now, fill_links)
        except BaseException:  # want of memory, too, must not leave the state ahead of the store
            state.go_back(before)
            self.rules.unverified = unverified
            raise
        self._store_batch(buffer, offset, count, borders, before)

    def _judge(self, buffer: bytearray, offset: int, count: int, now: int, fill_links: bool) -> "Borders":
        """Extend `rules.state`; returns the states at the heights that the store wants them of."""
        rules = self.rules
        interval = self.store.interval
        borders = []
        while count:
            piece = min(count, interval - (rules.state.height + 1) % interval)
            rules.extend(buffer, offset, piece, now, fill_links)
            if (rules.state.height + 1) % interval == 0:
                borders.append((rules.state.height, encode_checkpoint(self.network, rules.state)))
            offset += piece * HEADER_SIZE
            count -= piece
        return borders

    def _store_batch(self, buffer: bytearray, offset: int, count: int, borders: "Borders", before: "Snapshot") -> None:
        """Hand the store what now ends in `rules.state`.

        If it fails, the chain is back at the last commit; in RAM, as it was `before`.
        """
        state = self.rules.state
        try:
            self.store.append(buffer, offset, count, state, borders)
        except BaseException:
            state.go_back(before)
            self.store.revert(state)
            raise
        self.joined = count

    def _truncate(self, height: int) -> None:
        try:
            self.store.truncate(height)
        except BaseException:
            self.store.revert(self.rules.state)
            raise

    def commit(self) -> None:
        """Have the store make durable what it has: before the power is switched off."""
        if self.store.tip_height == self.rules.state.height:  # else going back has failed: what is durable stays
            self.store.commit(self.rules.state)

    def start_over(self, store: "WindowStore", start: ChainState) -> None:
        """Leave the chain in `store`, which is ours, for the state `start`: see WindowStore.start_over.

        If that raises, this chain is of no use any more: the store has to be opened anew.
        """
        self._branch = None
        store.start_over(start.height, encode_checkpoint(self.network, start))
        self.rules.state.copy_from(start)
        self.rules.unverified.clear()

    def _begin_branch(self, parent_height: int, parent_hash: "Buffer") -> ChainState:
        if parent_height > self.tip_height:
            raise BadLink("the parent is above the tip", parent_height)
        if parent_height < self.lowest_fork:
            raise ReorgTooDeep(
                "the fork lies at %d, below %d where the window begins" % (parent_height, self.lowest_fork),
                parent_height,
            )
        if parent_hash != self.block_hash_at(parent_height):
            raise BadLink("the parent is not in the chain", parent_height)
        self._fork_height = parent_height
        state = self._state_at(parent_height)
        state.accumulator = None  # made anew if the branch wins
        return state

    def _accept_branch(
        self, branch: ChainState, buffer: bytearray, offset: int, count: int, now: int, fill_links: bool
    ) -> int:
        rules = self.rules
        chain = rules.state
        fork_height = self._fork_height
        whole = branch.height == fork_height  # no batch of it has come before
        unverified = dict(rules.unverified)
        self._branch = None  # a branch that breaks a rule is forgotten
        rules.state = branch
        try:
            rules.extend(buffer, offset, count, now, fill_links)
        finally:
            rules.state = chain
            rules.unverified = dict(unverified)  # it tells of the chain, not of what is not in it
        # headers at its start may be our own: the bridge guessed the fork too low
        while whole and count and fork_height < chain.height and self._is_own(fork_height + 1, buffer, offset):
            fork_height += 1
            offset += HEADER_SIZE
            count -= 1
        if count == 0 or branch.chainwork <= chain.chainwork:  # equal work: what was seen first stays
            self._branch = branch
            self._fork_height = fork_height
            return BRANCH if count else KNOWN  # what comes next may be a branch from here
        self.reorg_depth = chain.height - fork_height
        if self.reorg_depth and self.before_reorg:
            self.before_reorg(fork_height)
        fork = self._state_at(fork_height)
        if not whole:
            self.store.promise(branch.chainwork)
            self._truncate(fork_height)
            rules.state = fork
            return REFETCH
        before = fork.snapshot()
        rules.state = fork
        try:
            borders = self._judge(buffer, offset, count, now, fill_links)  # again, with the accumulator
        except BaseException:
            rules.state = chain
            rules.unverified = unverified
            raise
        self._truncate(fork_height)
        self._store_batch(buffer, offset, count, borders, before)
        return REORGANISED if self.reorg_depth else EXTENDED

    def _state_at(self, height: int) -> ChainState:
        """Rebuild the state after the header at `height` of the window."""
        state = ChainState()
        decode_checkpoint(self.network, self.store.state_before(height), state)
        if state.height == height:
            return state
        last_hash = self.block_hash_at(height)
        record = self._record
        following = bytearray(HEADER_SIZE)
        self.store.read_into(state.height + 1, record, 0)
        while state.height < height - 1:
            # a header's hash stands in the one after it
            self.store.read_into(state.height + 2, following, 0)
            state.absorb(self.network, record, 0, bytes(following[PREV_BLOCK_HASH:MERKLE_ROOT]))
            record, following = following, record
        state.absorb(self.network, record, 0, last_hash)
        return state
