"""A Merkle branch folded one hash at a time: memory does not grow with the tree.

Source of the rules: Core `merkle.cpp` ComputeMerkleRoot (CVE-2012-2459) and Electrum `verifier.py`.
"""

from hashlib import sha256

from lightclient.compat import const
from lightclient.errors import (
    DepthMismatch,
    IndexOutOfRange,
    LeftSiblingDuplicate,
    LimitExceeded,
    MerkleRootMismatch,
)
from lightclient.limits import MAX_MERKLE_DEPTH

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer


class MerkleFold:
    """Made once; for each branch `start`, `add` for each sibling from the leaf upwards, `finish`.

    Hashes are 32 bytes in internal order.
    """

    def __init__(self) -> None:
        self._pair = bytearray(64)
        self._view = memoryview(self._pair)
        self._index = 0
        self._depth = 0
        self._level = 0
        self._node: "Buffer" = b""

    def start(self, txid: "Buffer", index: int, depth: int) -> None:
        """Begin at the leaf `txid`, number `index` of a tree of `depth` levels above the leaves.

        Raises LimitExceeded, IndexOutOfRange.
        """
        if depth > MAX_MERKLE_DEPTH:
            raise LimitExceeded("Merkle tree of depth %d, at most %d" % (depth, MAX_MERKLE_DEPTH))
        if index < 0 or index >> depth:
            # a fold looks at `depth` bits only: with more, many numbers would name one leaf
            raise IndexOutOfRange("index %d in a tree of depth %d" % (index, depth))
        self._index = index
        self._depth = depth
        self._level = 0
        self._node = txid

    def add(self, buffer: "Buffer", offset: int) -> None:
        """Fold in the sibling at `buffer[offset:offset + 32]`.

        Raises LeftSiblingDuplicate, DepthMismatch for a sibling too many.
        """
        self.add_run(buffer, offset, 1)

    def add_run(self, buffer: "Buffer", offset: int, count: int) -> None:
        """Fold in the `count` siblings that stand one after the other at `buffer[offset:]`; raises as `add` does."""
        hasher = sha256  # a local name is found sooner
        siblings = memoryview(buffer)
        pair = self._pair
        view = self._view
        depth = self._depth
        level = self._level
        path = self._index >> level
        node = self._node
        while count:
            if level >= depth:
                raise DepthMismatch("branch of more than %d hashes" % depth)
            if path & 1:
                view[:32] = siblings[offset : offset + 32]
                view[32:] = node
                # CVE-2012-2459: an odd row is padded with a copy of its last node on the right, so a node
                # that equals its left sibling is that copy and stands for no transaction. An equal right
                # sibling is the ordinary padding itself.
                if view[:32] == node:
                    raise LeftSiblingDuplicate("at level %d the node equals its left sibling" % level)
            else:
                view[:32] = node
                view[32:] = siblings[offset : offset + 32]
            node = hasher(hasher(pair).digest()).digest()
            path >>= 1
            level += 1
            offset += 32
            count -= 1
        self._node = node
        self._level = level

    def finish(self, merkle_root: "Buffer") -> None:
        """Raises DepthMismatch for missing siblings, MerkleRootMismatch."""
        if self._level != self._depth:
            raise DepthMismatch("branch of %d hashes in a tree of depth %d" % (self._level, self._depth))
        if bytes(self._node) != bytes(merkle_root):
            raise MerkleRootMismatch("the branch leads to another merkle_root than the header's")
