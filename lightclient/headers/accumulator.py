"""All block hashes since genesis in about 1 KB: a Merkle mountain range. Specification: docs/ACCUMULATOR.md.

A leaf covers 8 consecutive block hashes and its own number; an inner node covers two subtrees of equal
size. Both are one SHA-256, told apart by their first byte. Where the binary form of the number of whole
leaves has a 1 in place k, there is one peak over 2^k of them; the largest peak covers the oldest. The
hashes of the leaf that is not whole yet are kept as they are.

Appending makes no object that stays, but for a peak of a new level, which twice as many hashes make.
"""

from hashlib import sha256
from struct import pack_into

from lightclient.compat import const, micropython, ptr32
from lightclient.errors import CheckpointMismatch
from lightclient.headers.path import LEAF_HASHES, LEAF_TAG, NODE_TAG
from lightclient.limits import HEADER_SIZE, MAX_HEIGHT

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

# The leaf's preimage begins at byte 3 of its buffer, so that the hashes in it are aligned to words.
_TAG = const(3)
_NUMBER = const(4)
_HASHES = const(8)


@micropython.viper
def _copy_links(leaf, held: int, buffer, word: int, count: int):  # type: ignore[no-untyped-def]
    """Put `count` hashes of 8 words, 20 words apart from `buffer[4 * word:]` on, after the `held & 7` in `leaf`.

    And the leaf's number before them.
    """
    target = ptr32(leaf)
    source = ptr32(buffer)
    target[1] = held >> 3
    to = 2 + 8 * (held & 7)
    end = to + 8 * count
    while to < end:
        i = 0
        while i < 8:
            target[to + i] = source[word + i]
            i += 1
        to += 8
        word += 20


@micropython.viper
def _copy_children(pair, peaks, level: int, node):  # type: ignore[no-untyped-def]
    """Put the peak of `level`, then `node`, into `pair`."""
    target = ptr32(pair)
    left = ptr32(peaks)
    right = ptr32(node)
    start = 8 * level
    i = 0
    while i < 8:
        target[1 + i] = left[start + i]
        target[9 + i] = right[i]
        i += 1


class Accumulator:
    """`count` block hashes: those of heights 0 to `count - 1`. Hashes: 32 bytes, internal order."""

    def __init__(self) -> None:
        self.count = 0
        self._peaks = bytearray(0)  # the peak of level k, if there is one, at 32 * k
        self._leaf = bytearray(_HASHES + 32 * LEAF_HASHES)
        self._leaf[_TAG] = LEAF_TAG
        self._pair = bytearray(_TAG + 65)
        self._pair[_TAG] = NODE_TAG
        self._peaks_view = memoryview(self._peaks)
        self._leaf_view = memoryview(self._leaf)
        self._leaf_preimage = self._leaf_view[_TAG:]
        self._pair_preimage = memoryview(self._pair)[_TAG:]

    def clear(self) -> None:
        """Nothing has been appended."""
        self.count = 0

    def snapshot(self) -> "tuple[int, bytearray]":
        """All of it as it stands, for `go_back`."""
        return (self.count, self._leaf + self._peaks)

    def go_back(self, snapshot: "tuple[int, bytearray]") -> None:
        """Be again as when `snapshot` was made, here or in another one."""
        self.count, hashes = snapshot
        leaf = len(self._leaf)
        self._reserve((len(hashes) - leaf) // 32)
        view = memoryview(hashes)
        self._leaf[:] = view[:leaf]
        self._peaks[: len(hashes) - leaf] = view[leaf:]

    def copy_from(self, other: "Accumulator") -> None:
        self.go_back(other.snapshot())

    def copy(self) -> "Accumulator":
        copy = Accumulator()
        copy.copy_from(self)
        return copy

    def append(self, block_hash: "Buffer") -> None:
        """Take the hash of the block at height `count`."""
        at = _HASHES + 32 * (self.count & 7)
        self._leaf[at : at + 32] = block_hash
        self.count += 1
        if self.count & 7 == 0:
            pack_into("<I", self._leaf, _NUMBER, (self.count >> 3) - 1)
            self._close_leaf()

    def append_links(self, buffer: "Buffer", offset: int, count: int, block_hash: "Buffer") -> None:
        """Take the hashes of `count` (at least 1) linked headers at `offset`, a multiple of 4.

        A header's hash stands in the one that follows it; that of the last is `block_hash`.
        """
        leaf = self._leaf
        word = (offset + HEADER_SIZE + 4) >> 2  # prev_block_hash of the second header
        held = self.count
        last = held + count - 1
        while held < last:
            step = 8 - (held & 7)
            step = min(step, last - held)
            _copy_links(leaf, held, buffer, word, step)
            word += 20 * step
            held += step
            self.count = held
            if held & 7 == 0:
                self._close_leaf()
        self.append(block_hash)

    def _close_leaf(self) -> None:
        node = sha256(self._leaf_preimage).digest()
        number = (self.count >> 3) - 1
        level = 0
        # as in adding 1 to a binary number: each 1 at its end is a peak of the size of our node
        while number & 1:
            _copy_children(self._pair, self._peaks, level, node)
            node = sha256(self._pair_preimage).digest()
            number >>= 1
            level += 1
        at = 32 * level
        if at == len(self._peaks):
            self._reserve(level + 1)
        self._peaks[at : at + 32] = node

    def _reserve(self, levels: int) -> None:
        """Have room for peaks of so many levels: 18 are enough for 2 million blocks."""
        if 32 * levels > len(self._peaks):
            peaks = bytearray(32 * levels)
            peaks[: len(self._peaks)] = self._peaks
            self._peaks = peaks
            self._peaks_view = memoryview(peaks)

    def peak(self, level: int) -> "memoryview":
        """The peak over 2^level leaves; there is one where bit `level` of count // 8 is 1."""
        return self._peaks_view[32 * level : 32 * level + 32]

    def unfinished_hash(self, height: int) -> "memoryview":
        """The hash at `height`, which is in the unfinished leaf (`peak_level` -1)."""
        at = _HASHES + 32 * (height & 7)
        return self._leaf_view[at : at + 32]

    # --- as bytes ---

    def peaks(self) -> bytes:
        """The peaks one after the other, the largest (over the oldest hashes) first."""
        leaves = self.count >> 3
        peaks = bytearray(32 * _ones(leaves))
        end = len(peaks)
        at = 0
        while leaves:
            if leaves & 1:
                peaks[end - 32 : end] = self._peaks_view[at : at + 32]
                end -= 32
            leaves >>= 1
            at += 32
        return bytes(peaks)

    def unfinished(self) -> bytes:
        """The hashes of the unfinished leaf, 0 to 7, oldest first."""
        return bytes(self._leaf[_HASHES : _HASHES + 32 * (self.count & 7)])

    def restore(self, count: int, peaks: "Buffer", unfinished: "Buffer") -> None:
        """Set everything from what `peaks` and `unfinished` gave. CheckpointMismatch when the sizes do not fit."""
        leaves = count >> 3
        if not 0 <= count <= MAX_HEIGHT + 1 or len(unfinished) != 32 * (count & 7):
            raise CheckpointMismatch("accumulator: %d bytes of hashes for %d blocks" % (len(unfinished), count))
        if len(peaks) != 32 * _ones(leaves):
            raise CheckpointMismatch("accumulator: %d bytes of peaks for %d blocks" % (len(peaks), count))
        self.count = count
        end = len(peaks)
        levels = 0
        while leaves >> levels:
            levels += 1
        self._reserve(levels)
        for level in range(levels):
            if leaves >> level & 1:
                self._peaks[32 * level : 32 * level + 32] = peaks[end - 32 : end]
                end -= 32
        self._leaf[_HASHES : _HASHES + len(unfinished)] = unfinished


def _ones(number: int) -> int:
    count = 0
    while number:
        count += number & 1
        number >>= 1
    return count
