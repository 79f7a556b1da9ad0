"""What can be asked of a chain of headers: where it stands, what is in it, whether it is fit to act on."""

from lightclient.compat import const
from lightclient.errors import HeaderNotInChain, NotEnoughWork, NotSynced, StaleTip, TimeTooNew
from lightclient.headers.header import MERKLE_ROOT, PREV_BLOCK_HASH
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE, LOCATOR_ENTRY, MAX_FUTURE_SECONDS

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.accumulator import Accumulator
    from lightclient.headers.store import Store
    from lightclient.params import Network
    from lightclient.serialize import Buffer


class ChainView:
    """What HeaderChain is built on."""

    def __init__(self, network: "Network", store: "Store") -> None:
        self.network = network
        self.store = store
        self.rules = HeaderRules(network)
        self.floor = 0
        self._branch: "ChainState | None" = None  # the end of a branch under way; without an accumulator
        self._record = bytearray(HEADER_SIZE)
        self._lowest = (-1, b"")  # the lowest fork as it was last told, and its hash

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

    @property
    def lowest_fork(self) -> int:
        """The lowest height that a branch may begin at."""
        return max(self.store.base_height, self.floor - 1)

    def _is_own(self, height: int, buffer: bytearray, offset: int) -> bool:
        self.store.read_into(height, self._record, 0)
        return self._record == memoryview(buffer)[offset : offset + HEADER_SIZE]

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

    def write_locator(self, out: "bytearray", parent_height: int = -1, parent_hash: bytes = b"") -> int:
        """Fill `out` with (height, block_hash) pairs of 36 bytes; returns the length.

        First the end of a branch under way, then our own chain: newest first, at doubling distances,
        the last one the oldest from which a branch can begin. Given the parent of a batch that has
        just extended the chain, that one stands for all between: they would be read from flash.
        """
        length = 0
        if parent_height > self.lowest_fork:
            length = _write_entry(out, 0, self.tip_height, self.rules.state.block_hash)
            length = _write_entry(out, length, parent_height, parent_hash)
            lowest = self.lowest_fork
            if self._lowest[0] != lowest:  # which no reorg replaces
                self._lowest = (lowest, self.block_hash_at(lowest))
                self.store.release()
            return _write_entry(out, length, lowest, self._lowest[1])
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


def _write_entry(out: "bytearray", offset: int, height: int, block_hash: "Buffer") -> int:
    """Write a pair of a locator; returns the offset after it."""
    out[offset : offset + 4] = height.to_bytes(4, "little")
    out[offset + 4 : offset + LOCATOR_ENTRY] = block_hash
    return offset + LOCATOR_ENTRY
