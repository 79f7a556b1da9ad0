"""The chain with most work, a window of it, and whether it is fit to act on.

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
from lightclient.errors import (
    BadLink,
    HeaderNotInChain,
    LimitExceeded,
    NotEnoughWork,
    NotSynced,
    ReorgTooDeep,
    StaleTip,
    TimeTooNew,
)
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.header import MERKLE_ROOT, PREV_BLOCK_HASH
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE, LOCATOR_ENTRY, MAX_BATCH_HEADERS, MAX_FUTURE_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.headers.accumulator import Accumulator
    from lightclient.headers.state import Snapshot
    from lightclient.headers.store import Borders, Store
    from lightclient.params import Network
    from lightclient.serialize import Buffer

# What `accept` did with a batch.
EXTENDED = const(0)  # the chain has grown
KNOWN = const(1)  # nothing new in it
BRANCH = const(2)  # a branch that has no more work than the chain so far
REORGANISED = const(3)  # a branch has replaced the end of the chain
REFETCH = const(4)  # a branch has won: the chain stands at the fork, send the branch again


class HeaderChain:
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
        self.network = network
        self.store = store
        self.rules = HeaderRules(network)
        self.floor = 0
        self.before_reorg: "Callable[[int], None] | None" = None
        self.reorg_depth = 0  # headers that the last reorg took back
        self.joined = 0  # headers of the last batch that are in the chain now and were not before
        self._branch: "ChainState | None" = None  # the end of a branch under way; without an accumulator
        self._fork_height = -1
        self._record = bytearray(HEADER_SIZE)
        state = self.rules.state
        if not store.resume(self.rules):
            state.copy_from(start)
            store.begin(start.height, encode_checkpoint(network, start))
        store.release()

    @property
    def state(self) -> ChainState:
        """Read it, do not change it."""
        return self.rules.state

    @property
    def accumulator(self) -> "Accumulator | None":
        """All block hashes since genesis, where they are known."""
        return self.rules.state.accumulator

    @property
    def tip_height(self) -> int:
        return self.rules.state.height

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

    def _is_own(self, height: int, buffer: bytearray, offset: int) -> bool:
        self.store.read_into(height, self._record, 0)
        return self._record == memoryview(buffer)[offset : offset + HEADER_SIZE]

    @property
    def lowest_fork(self) -> int:
        """The lowest height that a branch may begin at."""
        return max(self.store.base_height, self.floor - 1)

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

    def block_hash_at(self, height: int) -> bytes:
        """The block_hash of a header of the window, its base included: the header above it carries it."""
        if height == self.tip_height:
            return self.rules.state.block_hash
        self.store.read_into(height + 1, self._record, 0)
        return bytes(self._record[PREV_BLOCK_HASH:MERKLE_ROOT])

    def require_header(self, height: int, header: "Buffer") -> None:
        """Raises HeaderNotInChain unless these 80 bytes are the header at `height` of the window."""
        self.store.read_into(height, self._record, 0)
        if self._record != header:
            raise HeaderNotInChain("another header is at height %d of the chain" % height, height)

    def has_block(self, height: int, block_hash: bytes) -> bool:
        """Whether that block is (still) in the chain; for heights below the window: False."""
        return self.store.first_height - 1 <= height <= self.tip_height and self.block_hash_at(height) == block_hash

    def confirmations(self, height: int) -> int:
        """1 for the tip's own transactions."""
        return self.tip_height - height + 1

    def write_locator(self, out: "bytearray", parent_height: int = -1, parent_hash: "Buffer" = b"") -> int:
        """Fill `out` with (height, block_hash) pairs of 36 bytes; returns the length.

        First the end of a branch under way, then our own chain: newest first, at doubling distances,
        the last one the oldest from which a branch can begin. Given the parent of a batch that has
        just extended the chain, that one stands for all between: each of the others is a read from flash.
        """
        length = 0
        if parent_height > self.lowest_fork:
            length = _write_entry(out, 0, self.tip_height, self.rules.state.block_hash)
            length = _write_entry(out, length, parent_height, parent_hash)
            length = _write_entry(out, length, self.lowest_fork, self.block_hash_at(self.lowest_fork))
            self.store.release()
            return length
        if self._branch is not None:
            length = _write_entry(out, 0, self._branch.height, self._branch.block_hash)
        step = 1
        height = self.tip_height
        lowest = self.lowest_fork
        while length + LOCATOR_ENTRY <= len(out):
            length = _write_entry(out, length, height, self.block_hash_at(height))
            if height == lowest:
                break
            if length + 2 * LOCATOR_ENTRY > len(out):
                height = lowest
            else:
                height = max(height - step, lowest)
                step *= 2
        self.store.release()
        return length

    def require_ready(self, now: int, best_height: int = 0) -> None:
        """Raises unless the chain is fit to act on; accepting headers does not need it.

        NotEnoughWork: below the network's minimum chainwork. NotSynced: the bridge knows more blocks,
        or a branch that has won is still being fetched. StaleTip: the tip is older than the network
        allows by the clock `now`, or there is no clock. TimeTooNew: the tip is over 2 h ahead of the
        clock; it was accepted while none was known, or the clock was put back.
        """
        state = self.rules.state
        if state.chainwork < self.network.minimum_chainwork:
            raise NotEnoughWork("the chain has less work than %s must have by now" % self.network.name, state.height)
        if state.chainwork < self.store.work:
            raise NotSynced("a longer branch is still being fetched", state.height)
        if state.height < best_height:
            raise NotSynced("at %d of %d" % (state.height, best_height), state.height)
        if now == 0:
            raise StaleTip("no clock: the age of the tip is unknown", state.height)
        if now - state.time > self.network.max_tip_age:
            raise StaleTip("the tip is %d s old" % (now - state.time), state.height)
        if state.time > now + MAX_FUTURE_SECONDS:
            raise TimeTooNew("the tip is %d s ahead of the clock" % (state.time - now), state.height)


def _write_entry(out: bytearray, offset: int, height: int, block_hash: bytes) -> int:
    """Write a pair of a locator; returns the offset after it."""
    out[offset : offset + 4] = height.to_bytes(4, "little")
    out[offset + 4 : offset + LOCATOR_ENTRY] = block_hash
    return offset + LOCATOR_ENTRY
