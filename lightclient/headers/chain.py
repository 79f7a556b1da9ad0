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

States for forks are rebuilt from checkpoints that are taken every `interval` headers; rebuilding
reads headers that have been accepted before and hashes nothing.
"""

from lightclient.compat import const
from lightclient.errors import (
    BadLink,
    HeaderNotInChain,
    LightClientError,
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
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS, MAX_FUTURE_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.headers.store import RamStore
    from lightclient.params import Network
    from lightclient.serialize import Buffer

# What `accept` did with a batch.
EXTENDED = const(0)  # the chain has grown
KNOWN = const(1)  # nothing new in it
BRANCH = const(2)  # a branch that has no more work than the chain so far
REORGANISED = const(3)  # a branch has replaced the end of the chain
REFETCH = const(4)  # a branch has won: the chain stands at the fork, send the branch again

_NO_FORK = const(-2)


class HeaderChain:
    """The chain of `network` from `start` (a ChainState) on, its newest headers in `store`.

    `interval` is the distance of the states kept for forks: a reorg can go back at least the
    store's capacity less `interval` and one batch. LimitExceeded for a store that is smaller than
    these two: what a batch replaces must still be in the window after it, to be missed there.
    """

    def __init__(self, network: "Network", store: "RamStore", start: ChainState, interval: int = 64) -> None:
        if store.capacity <= interval + MAX_BATCH_HEADERS:
            raise LimitExceeded(
                "a window of %d headers, over %d are needed" % (store.capacity, interval + MAX_BATCH_HEADERS)
            )
        self.network = network
        self.store = store
        self.rules = HeaderRules(network)
        self.rules.state.copy_from(start)
        self._interval = interval
        self._saved = ChainState()
        self._branch = ChainState()
        self._fork_height = _NO_FORK
        self._record = bytearray(HEADER_SIZE)
        self._checkpoints: "list[tuple[int, bytes]]" = []
        self._promised_work = 0
        self.reorg_depth = 0  # headers that the last reorg took back
        store.begin(start.height + 1)
        self._take_checkpoint()

    @property
    def state(self) -> ChainState:
        """Read it, do not change it."""
        return self.rules.state

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

        Returns EXTENDED, KNOWN, BRANCH, REORGANISED or REFETCH. Raises the error of the first rule
        broken (the chain is as before then), BadLink for an unknown parent, ReorgTooDeep for one
        below the window.
        """
        if count == 0:
            return KNOWN
        unverified = dict(self.rules.unverified)
        outcome = KNOWN
        try:
            outcome = self._accept(buffer, offset, count, parent_height, parent_hash, now, fill_links)
        finally:
            if outcome not in (EXTENDED, REORGANISED):
                self.rules.unverified = unverified  # it tells of the chain, not of what is not in it
        return outcome

    def _accept(
        self,
        buffer: bytearray,
        offset: int,
        count: int,
        parent_height: int,
        parent_hash: "Buffer",
        now: int,
        fill_links: bool,
    ) -> int:
        state = self.rules.state
        branch = self._branch
        if parent_height == state.height and parent_hash == state.block_hash:
            self._extend(buffer, offset, count, now, fill_links)
            self._fork_height = _NO_FORK
            return EXTENDED
        if self._fork_height == _NO_FORK or parent_height != branch.height or parent_hash != branch.block_hash:
            self._begin_branch(parent_height, parent_hash)
        return self._accept_branch(buffer, offset, count, now, fill_links)

    def _extend(self, buffer: bytearray, offset: int, count: int, now: int, fill_links: bool) -> None:
        rules = self.rules
        self._saved.copy_from(rules.state)
        try:
            rules.extend(buffer, offset, count, now, fill_links)
        except LightClientError:
            rules.state.copy_from(self._saved)
            raise
        self._append(buffer, offset, count)

    def _begin_branch(self, parent_height: int, parent_hash: "Buffer") -> None:
        self._fork_height = _NO_FORK
        if parent_height > self.tip_height:
            raise BadLink("the parent is above the tip", parent_height)
        if parent_height < self._checkpoints[0][0]:
            raise ReorgTooDeep(
                "the fork lies at %d, below %d where the window begins" % (parent_height, self._checkpoints[0][0]),
                parent_height,
            )
        if parent_hash != self.block_hash_at(parent_height):
            raise BadLink("the parent is not in the chain", parent_height)
        self._state_at(parent_height, self._branch)
        self._fork_height = parent_height

    def _accept_branch(self, buffer: bytearray, offset: int, count: int, now: int, fill_links: bool) -> int:
        rules = self.rules
        chain = rules.state
        branch = self._branch
        fork_height = self._fork_height
        whole = branch.height == fork_height  # no batch of it has come before
        self._fork_height = _NO_FORK  # a branch that breaks a rule is forgotten
        rules.state = branch
        try:
            rules.extend(buffer, offset, count, now, fill_links)
        finally:
            rules.state = chain
        # headers at its start may be our own: the bridge guessed the fork too low
        while whole and count and fork_height < chain.height and self._is_own(fork_height + 1, buffer, offset):
            fork_height += 1
            offset += HEADER_SIZE
            count -= 1
        self._fork_height = fork_height
        if count == 0:
            return KNOWN  # what comes next may be a branch from here
        if branch.chainwork <= chain.chainwork:
            return BRANCH  # equal work: what was seen first stays
        self._fork_height = _NO_FORK
        self.reorg_depth = chain.height - fork_height
        if not whole:
            self._promised_work = max(self._promised_work, branch.chainwork)
            self._state_at(fork_height, chain)
            self._go_back(fork_height)
            return REFETCH
        self._go_back(fork_height)
        chain.copy_from(branch)
        self._append(buffer, offset, count)
        return REORGANISED if self.reorg_depth else EXTENDED

    def _is_own(self, height: int, buffer: bytearray, offset: int) -> bool:
        self.store.read_into(height, self._record, 0)
        return self._record == memoryview(buffer)[offset : offset + HEADER_SIZE]

    def _go_back(self, height: int) -> None:
        self.store.truncate(height)
        while self._checkpoints[-1][0] > height:
            self._checkpoints.pop()

    def _append(self, buffer: bytearray, offset: int, count: int) -> None:
        """Store headers that the state has taken in already."""
        self.store.append(buffer, offset, count)
        if self.rules.state.height - self._checkpoints[-1][0] >= self._interval:
            self._take_checkpoint()
        # a state is of use only while the headers that follow it are in the window
        while self._checkpoints[0][0] + 1 < self.store.first_height:
            del self._checkpoints[0]

    def _take_checkpoint(self) -> None:
        state = self.rules.state
        self._checkpoints.append((state.height, encode_checkpoint(self.network, state)))

    def _state_at(self, height: int, state: ChainState) -> None:
        """Rebuild the state after the header at `height` of the window."""
        i = len(self._checkpoints) - 1
        while self._checkpoints[i][0] > height:
            i -= 1
        decode_checkpoint(self.network, self._checkpoints[i][1], state)
        if state.height == height:
            return
        last_hash = self.block_hash_at(height)
        while state.height < height:
            self.store.read_into(state.height + 1, self._record, 0)
            state.absorb(self.network, self._record, 0, last_hash)

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

    def write_locator(self, out: "bytearray") -> int:
        """Fill `out` with (height, block_hash) pairs of 36 bytes; returns the length.

        First the end of a branch under way, then our own chain: newest first, at doubling distances,
        the last one the oldest from which a branch can begin.
        """
        length = 0
        if self._fork_height != _NO_FORK:
            length = _write_entry(out, 0, self._branch.height, self._branch.block_hash)
        step = 1
        height = self.tip_height
        lowest = self._checkpoints[0][0]
        while length + 36 <= len(out):
            length = _write_entry(out, length, height, self.block_hash_at(height))
            if height == lowest:
                break
            if length + 72 > len(out):
                height = lowest
            else:
                height = max(height - step, lowest)
                step *= 2
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
        if state.chainwork < self._promised_work:
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
    out[offset + 4 : offset + 36] = block_hash
    return offset + 36
