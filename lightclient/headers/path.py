"""A path from a block hash to a peak of the accumulator, verified one hash at a time in constant memory.

Specification: docs/ACCUMULATOR.md. Of the path's hashes the first 7 are the others of the leaf, in order;
then comes one sibling a level up to the peak. A hash in the unfinished leaf has a path of no hashes.
"""

from hashlib import sha256

from lightclient.compat import const
from lightclient.errors import PathMismatch
from lightclient.limits import MAX_HEIGHT
from lightclient.serialize import read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.accumulator import Accumulator
    from lightclient.serialize import Buffer

LEAF_HASHES = const(8)  # block hashes of a leaf
LEAF_TAG = const(0)
NODE_TAG = const(1)
SIZE_BYTES = const(4)  # a path begins with the size it was made for, uint32_le
MAX_PEAKS = const(28)  # 2^30 hashes make at most 2^27 leaves: levels 0 to 27
MAX_PEAKS_SIZE = const(896)  # 28 x 32 bytes
MAX_UNFINISHED_SIZE = const(224)  # 7 x 32 bytes
MAX_PATH_HASHES = const(34)  # 7 others of the leaf, then one a level up to the peak


def peak_level(height: int, size: int) -> int:
    """The level of the peak over the hash at `height` < `size`, among `size` hashes; -1: in the unfinished leaf.

    The hash's leaf and the number of whole leaves first differ in the place of that peak.
    """
    difference = height // LEAF_HASHES ^ size // LEAF_HASHES
    level = -1
    while difference:
        difference >>= 1
        level += 1
    return level


def path_hashes(height: int, size: int) -> int:
    """How many hashes the path of the hash at `height` < `size` has, among `size` hashes."""
    level = peak_level(height, size)
    return LEAF_HASHES - 1 + level if level >= 0 else 0


class PathVerifier:
    """Made once; for each path `begin`, `add` for each of its hashes, `finish`."""

    def __init__(self) -> None:
        self._pair = bytearray(65)
        self._pair[0] = NODE_TAG
        self._hash = sha256(b"")
        self._node: "Buffer" = b""
        self._block_hash: "Buffer" = b""
        self._height = 0
        self._size = 0
        self._level = -1
        self._taken = 0
        self._count = 0

    def begin(self, height: int, block_hash: "Buffer", size: int, count: int) -> None:
        """Start on a path of `count` hashes, made among `size` block hashes, for the one at `height`.

        Raises PathMismatch when these three numbers cannot belong together.
        """
        if not height < size <= MAX_HEIGHT + 1:
            raise PathMismatch("a path among %d blocks cannot lead from height %d" % (size, height), height)
        if count != path_hashes(height, size):
            raise PathMismatch(
                "path of %d hashes, from height %d among %d blocks it has %d"
                % (count, height, size, path_hashes(height, size)),
                height,
            )
        self._height = height
        self._block_hash = block_hash
        self._size = size
        self._level = peak_level(height, size)
        self._taken = 0
        self._count = count
        self._node = block_hash
        if count:
            self._hash = sha256(bytes([LEAF_TAG]) + (height >> 3).to_bytes(4, "little"))

    def fits(self, accumulator: "Accumulator") -> bool:
        """Whether the path leads to a peak (or a hash of the unfinished leaf) that `accumulator` has."""
        count = accumulator.count
        return self._size <= count and peak_level(self._height, count) == self._level

    def require_fit(self, accumulator: "Accumulator") -> None:
        """Raises PathMismatch unless `fits`.

        A path made for fewer blocks does, as long as the peak that it leads to has not been merged.
        """
        if self.fits(accumulator):
            return
        count = accumulator.count
        if self._size > count:
            raise PathMismatch(
                "the path was made for %d blocks, this chain has %d: sync on, or make one for %d"
                % (self._size, count, count),
                self._height,
            )
        raise PathMismatch(
            "the path was made for %d blocks and is out of date: make one for %d" % (self._size, count),
            self._height,
        )

    def add(self, buffer: "Buffer", offset: int) -> None:
        """Take the next hash, `buffer[offset:offset + 32]`. Raises PathMismatch for one too many."""
        taken = self._taken
        if taken >= self._count:
            raise PathMismatch("path of more than %d hashes" % self._count, self._height)
        self._taken = taken + 1
        given = buffer[offset : offset + 32]
        if taken >= LEAF_HASHES - 1:
            pair = self._pair
            if self._height >> (taken - LEAF_HASHES + 4) & 1:  # bit taken - 7 of the leaf's number
                pair[1:33] = given
                pair[33:65] = self._node
            else:
                pair[1:33] = self._node
                pair[33:65] = given
            self._node = sha256(pair).digest()
            return
        slot = self._height & 7
        if taken == slot:
            self._hash.update(self._block_hash)
        self._hash.update(given)
        if taken == LEAF_HASHES - 2:
            if slot == LEAF_HASHES - 1:
                self._hash.update(self._block_hash)
            self._node = self._hash.digest()

    def finish(self, accumulator: "Accumulator") -> None:
        """Raises PathMismatch unless the path was whole, fits, and leads to the accumulator's own hash."""
        if self._taken != self._count:
            raise PathMismatch("path of %d hashes, %d belong there" % (self._taken, self._count), self._height)
        self.require_fit(accumulator)
        if self._level < 0:
            own = accumulator.unfinished_hash(self._height)
        else:
            own = accumulator.peak(self._level)
        if bytes(own) != bytes(self._node):
            raise PathMismatch("the path does not lead from this header to the chain's own peak", self._height)


def verify_path(accumulator: "Accumulator", height: int, block_hash: "Buffer", path: "Buffer") -> None:
    """Raises PathMismatch unless `path` (size and hashes, as in a proof) shows `block_hash` at `height`."""
    if len(path) % 32 != SIZE_BYTES:
        raise PathMismatch("path of %d bytes, 4 and 32 a hash belong there" % len(path), height)
    verifier = PathVerifier()
    verifier.begin(height, block_hash, read_uint32_le(path, 0), len(path) // 32)
    verifier.require_fit(accumulator)
    for offset in range(SIZE_BYTES, len(path), 32):
        verifier.add(path, offset)
    verifier.finish(accumulator)
