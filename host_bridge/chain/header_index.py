"""All headers of the node, judged by every rule, and what a bridge is asked about them."""

from collections.abc import Callable
from pathlib import Path

from host_bridge.chain.headers_on_disk import HeadersOnDisk, Progress
from host_bridge.chain.packed_batches import PackedBatches
from host_bridge.limits import MAX_INDEXED_HEADERS
from lightclient.errors import LimitExceeded
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network


def index_file(folder: Path, first_height: int) -> Path:
    """Where the index of a chain is: raw headers, for every command that takes such a file."""
    return folder / f"headers_{first_height}.bin"


class HeaderIndex:
    """The headers of one network from `first_height` on, in `folder`. Hashes: 32 bytes, internal order.

    An index of all headers begins with the network's own first one; one that begins above takes `first_header`
    as it is, and makes no paths. What is in the file is checked; `progress` is told (done, there are).
    Raises StoreLocked while another bridge has it, CorruptStore, OSError.
    """

    def __init__(
        self,
        folder: Path,
        network: Network,
        first_height: int = 0,
        first_header: bytes = b"",
        progress: Progress | None = None,
    ) -> None:
        if first_height == 0:
            first_header = network.genesis_header
        elif not first_header and not index_file(folder, first_height).exists():
            raise ValueError("an index that begins above 0 needs its first header")
        self.network = network
        self.first_height = first_height
        self.on_reorg: Callable[[int], None] = lambda fork_height: None
        self._store = HeadersOnDisk(index_file(folder, first_height), network, first_height, first_header, progress)
        try:
            self._chain = HeaderChain(network, self._store, _start(network, first_height, first_header))
        except BaseException:
            self._store.close()
            raise
        self._chain.before_reorg = self._going_back
        self._packed = PackedBatches(self._store.read)

    def close(self) -> None:
        self._store.close()

    # --- reading ---

    @property
    def path_of_file(self) -> Path:
        return self._store.path

    @property
    def best_height(self) -> int:
        return self._store.tip_height

    @property
    def state(self) -> ChainState:
        """Of the tip. Read it, do not change it."""
        return self._chain.state

    def block_hash(self, height: int) -> bytes | None:
        """None for a height without a header."""
        if not self.first_height <= height <= self.best_height:
            return None
        return self._store.hashes.block_hash(height - self.first_height)

    def has_block(self, height: int, block_hash: bytes) -> bool:
        return self.block_hash(height) == block_hash

    def headers(self, height: int, count: int) -> bytes:
        """Up to `count` raw headers from `height` on."""
        return self._store.read(height, count)

    def packed_headers(self, height: int, count: int, room: int) -> tuple[int, bytes]:
        """Up to `count` headers from `height` on, packed into at most `room` bytes; how many they are."""
        return self._packed.get(height, count, room)

    def path(self, height: int, size: int) -> bytes | None:
        """The accumulator path of the block at `height` among the first `size`; None where it can't be made."""
        if self.first_height or not 0 <= height < size <= self.best_height + 1:
            return None
        return self._store.hashes.path(height, size)

    def accumulator(self, size: int) -> Accumulator | None:
        """What a device has after the first `size` blocks."""
        if self.first_height or not 0 <= size <= self.best_height + 1:
            return None
        return self._store.hashes.accumulator(size)

    def memory(self) -> int:
        """Bytes that the hashes and the nodes over them take."""
        return self._store.hashes.memory()

    # --- writing ---

    def accept(self, raw: bytes, parent_height: int, now: int) -> int:
        """Judge raw headers that follow the one at `parent_height`; what became of them, as HeaderChain.accept.

        Raises the error of the first rule broken, BadLink for an unknown parent; the chain is as before then.
        LimitExceeded above MAX_INDEXED_HEADERS, StoreFull, OSError.
        """
        count = len(raw) // HEADER_SIZE
        if parent_height + count - self.first_height >= MAX_INDEXED_HEADERS:
            raise LimitExceeded(f"more than {MAX_INDEXED_HEADERS} headers", parent_height)
        return self._chain.accept(bytearray(raw), 0, count, parent_height, raw[4:36], now)

    def sync(self) -> None:
        """Wait until the disk has what was written. May be called in another thread."""
        self._store.sync()

    @property
    def not_synced(self) -> int:
        """Headers that only the operating system has so far."""
        return self._store.not_synced

    def _going_back(self, fork_height: int) -> None:
        self._packed.clear()
        self.on_reorg(fork_height)


def _start(network: Network, first_height: int, first_header: bytes) -> ChainState:
    """The state after the first header; an empty one where the file must have it."""
    rules = HeaderRules(network)
    if first_height == 0:
        rules.begin_at_genesis(first_header, 0)
    elif first_header:
        rules.begin_at_anchor(first_header, 0, first_height, 0)
    return rules.state
