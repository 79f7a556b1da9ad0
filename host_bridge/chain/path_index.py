"""Accumulator paths for any block of a chain, from an index in memory. Specification: docs/ACCUMULATOR.md.

Every block hash and every node over a whole subtree is kept, level by level: 32 bytes a block and 8 for
the nodes, 40 MB for a million blocks. A node never changes once its subtree is whole, so one index serves
every size up to its own.
"""

import sys
from hashlib import sha256
from pathlib import Path

from host_bridge.chain.header_file import header_batches
from lightclient.errors import BadGenesis, BadLink
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.path import LEAF_HASHES, LEAF_TAG, MAX_PEAKS, NODE_TAG, peak_level
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network

_LEAF_SIZE = 32 * LEAF_HASHES
_NODE = bytes([NODE_TAG])
_LEAF = bytes([LEAF_TAG])


class PathIndex:
    """Block hashes of heights 0 to `count - 1`. Hashes: 32 bytes, internal order."""

    def __init__(self) -> None:
        self._hashes = bytearray()
        self._levels = [bytearray() for _ in range(MAX_PEAKS)]  # level 0: the leaves' own hashes

    @property
    def count(self) -> int:
        return len(self._hashes) // 32

    def memory(self) -> int:
        """Bytes that the index takes."""
        return sum(sys.getsizeof(buffer) for buffer in (self._hashes, *self._levels))

    def append(self, block_hashes: bytes | bytearray | memoryview) -> None:
        """Take the hashes of the next blocks, one after the other."""
        if len(block_hashes) % 32:
            raise ValueError("hashes have 32 bytes each")
        self._hashes += block_hashes
        leaves = self._levels[0]
        for start in range(len(leaves) // 32 * _LEAF_SIZE, len(self._hashes) - _LEAF_SIZE + 1, _LEAF_SIZE):
            number = start // _LEAF_SIZE
            leaves += sha256(_LEAF + number.to_bytes(4, "little") + self._hashes[start : start + _LEAF_SIZE]).digest()
        for k in range(1, MAX_PEAKS):
            below = self._levels[k - 1]
            for start in range(2 * len(self._levels[k]), len(below) - 63, 64):
                self._levels[k] += sha256(_NODE + below[start : start + 64]).digest()

    def truncate(self, count: int) -> None:
        """Forget the blocks from height `count` on: a reorg."""
        del self._hashes[32 * count :]
        for k, level in enumerate(self._levels):
            del level[32 * (count // LEAF_HASHES >> k) :]

    def block_hash(self, height: int) -> bytes:
        """Raises IndexError for a height that is not there."""
        if not 0 <= height < self.count:
            raise IndexError(height)
        return bytes(self._hashes[32 * height : 32 * height + 32])

    def path(self, height: int, size: int) -> bytes:
        """The path of the block at `height` among the first `size`: size (uint32_le), then its hashes.

        Raises ValueError unless height < size <= count.
        """
        if not 0 <= height < size <= self.count:
            raise ValueError(f"no path from height {height} among {size} blocks of {self.count}")
        top = peak_level(height, size)
        parts: list[bytes | bytearray] = [size.to_bytes(4, "little")]
        if top >= 0:
            leaf = height // LEAF_HASHES * _LEAF_SIZE
            own = 32 * height
            parts += [self._hashes[leaf:own], self._hashes[own + 32 : leaf + _LEAF_SIZE]]
        number = height // LEAF_HASHES
        for level in range(top):
            sibling = 32 * (number >> level ^ 1)
            parts.append(self._levels[level][sibling : sibling + 32])
        return b"".join(parts)

    def accumulator(self, size: int) -> Accumulator:
        """What a device has after the first `size` blocks. Raises ValueError for more than there are."""
        if not 0 <= size <= self.count:
            raise ValueError(f"{size} blocks of {self.count}")
        leaves = size // LEAF_HASHES
        peaks = b""
        for k in reversed(range(MAX_PEAKS)):
            if leaves >> k & 1:
                node = 32 * ((leaves >> k) - 1)
                peaks += self._levels[k][node : node + 32]
        accumulator = Accumulator()
        accumulator.restore(size, peaks, self._hashes[_LEAF_SIZE * leaves : 32 * size])
        return accumulator


def index_header_file(path: Path, network: Network) -> PathIndex:
    """The index of a file of raw headers from genesis on. Links are checked; the rules are for who verifies.

    Raises BadGenesis, BadLink, Unusable, OSError.
    """
    index = PathIndex()
    previous = bytes(32)
    with header_batches(path, 0, "hashing headers") as batches:
        for buffer, count in batches:
            if index.count == 0 and buffer[:HEADER_SIZE] != network.genesis_header:
                raise BadGenesis(f"the first header is not the genesis header of {network.name}", 0)
            hashes = bytearray()
            for i in range(0, count * HEADER_SIZE, HEADER_SIZE):
                if buffer[i + 4 : i + 36] != previous:
                    height = index.count + i // HEADER_SIZE
                    raise BadLink("prev_block_hash is not the hash of the header before", height)
                previous = sha256(sha256(buffer[i : i + HEADER_SIZE]).digest()).digest()
                hashes += previous
            index.append(hashes)
    return index
