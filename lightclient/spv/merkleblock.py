"""A BIP37 merkleblock, which is what `gettxoutproof` returns, read in place.

Layout, integers little-endian: header 80, number of transactions 4, compact_size and that many hashes
of 32 bytes, compact_size and that many bytes of flags, their bits lowest first.

Source of the rules: BIP37; Core `merkleblock.cpp`, CPartialMerkleTree::ExtractMatches and
TraverseAndExtract. The tree is walked without recursion, because a device's stack is small.
"""

from lightclient.compat import const
from lightclient.errors import (
    IndexOutOfRange,
    LeftSiblingDuplicate,
    LimitExceeded,
    MerkleRootMismatch,
    NonCanonicalEncoding,
    TrailingData,
    TruncatedInput,
)
from lightclient.hashes import ZERO_HASH, hash256
from lightclient.headers.header import block_hash, read_bits, read_merkle_root
from lightclient.headers.target import bits_to_target, check_proof_of_work
from lightclient.limits import HEADER_SIZE, MAX_BLOCK_TRANSACTIONS
from lightclient.serialize import compact_size_length, read_compact_size, read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightclient.params import Network
    from lightclient.serialize import Buffer


class MerkleBlock:
    """Made once; `read` for each merkleblock. It stays in the caller's buffer, which must not change after.

    Results: `block_hash`, `number_of_txs`, `depth` of the tree, `match_count`.
    """

    def __init__(self) -> None:
        self.block_hash = ZERO_HASH
        self.number_of_txs = 0
        self.depth = 0
        self.match_count = 0
        self._pair = bytearray(64)
        self._buffer: "Buffer" = b""
        self._start = 0
        self._hashes = 0  # offset, and how many
        self._hash_count = 0
        self._flags = 0
        self._flag_bytes = 0

    def read(self, buffer: "Buffer", start: int, end: int, network: "Network") -> None:
        """Check `buffer[start:end]` whole: header, proof of work, tree.

        Raises TruncatedInput, TrailingData, LimitExceeded, NonCanonicalEncoding, MalformedBits,
        BadProofOfWork, LeftSiblingDuplicate, MerkleRootMismatch.
        """
        self.match_count = 0
        self._lay_out(buffer, start, end)
        self.block_hash = block_hash(buffer, start)
        check_proof_of_work(self.block_hash, bits_to_target(read_bits(buffer, start), network))
        count = 0
        for _ in self._traverse(-1, None):
            count += 1
        self.match_count = count

    def matches(self) -> "Iterator[tuple[int, bytes]]":
        """(index, txid) of each transaction that the merkleblock was made for, in the block's order."""
        if self.match_count == 0:
            return
        for index, offset in self._traverse(-1, None):
            yield index, bytes(self._buffer[offset : offset + 32])

    def merkle_branch(self, index: int) -> bytes:
        """The siblings of a matched transaction from the leaf up, 32 * depth bytes.

        Raises IndexOutOfRange when the merkleblock has no match at `index`.
        """
        branch = bytearray(32 * self.depth)
        matched = False
        if self.match_count:
            for found, _ in self._traverse(index, branch):
                if found == index:
                    matched = True
        if not matched:
            raise IndexOutOfRange("transaction %d is no match of the merkleblock" % index)
        return bytes(branch)

    def _lay_out(self, buffer: "Buffer", start: int, end: int) -> None:
        offset = start + HEADER_SIZE + 4
        if end - start < HEADER_SIZE + 4:
            raise TruncatedInput("merkleblock of %d bytes, its fixed part has %d" % (end - start, HEADER_SIZE + 4))
        number_of_txs = read_uint32_le(buffer, start + HEADER_SIZE)
        if not 0 < number_of_txs <= MAX_BLOCK_TRANSACTIONS:
            raise LimitExceeded("merkleblock of %d transactions, 1 to %d" % (number_of_txs, MAX_BLOCK_TRANSACTIONS))
        hash_count = read_compact_size(buffer, offset, end)
        offset += compact_size_length(buffer[offset])
        if hash_count > number_of_txs:
            raise LimitExceeded("merkleblock: %d hashes for %d transactions" % (hash_count, number_of_txs))
        if hash_count * 32 > end - offset:
            raise TruncatedInput("merkleblock: %d hashes do not fit in it" % hash_count)
        hashes = offset
        offset += hash_count * 32
        flag_bytes = read_compact_size(buffer, offset, end)
        offset += compact_size_length(buffer[offset])
        if flag_bytes > end - offset:
            raise TruncatedInput("merkleblock: %d bytes of flags do not fit in it" % flag_bytes)
        if offset + flag_bytes != end:
            raise TrailingData("merkleblock: %d bytes left over" % (end - offset - flag_bytes))
        if flag_bytes * 8 < hash_count:
            raise TruncatedInput("merkleblock: %d hashes, but flags for %d" % (hash_count, flag_bytes * 8))
        self._buffer = buffer
        self._start = start
        self._hashes = hashes
        self._hash_count = hash_count
        self._flags = offset
        self._flag_bytes = flag_bytes
        self.number_of_txs = number_of_txs
        self.depth = 0
        while (1 << self.depth) < number_of_txs:
            self.depth += 1

    def _traverse(self, wanted: int, branch: "bytearray | None") -> "Iterator[tuple[int, int]]":
        """Walk the tree depth first, yield (index, offset of the txid) of the matches, then judge the whole.

        The siblings of leaf `wanted` are written to `branch`, 32 * depth bytes.
        """
        buffer = self._buffer
        depth = self.depth
        level = depth  # the root's; leaves are at 0
        position = 0  # of the node in its row
        bits_used = 0
        hashes_used = 0
        left_nodes = bytearray(32 * depth)  # one for each level; not shared, so that walks may overlap
        while True:
            if bits_used >= self._flag_bytes * 8:
                raise TruncatedInput("merkleblock: flags end early, at bit %d" % bits_used)
            flag = buffer[self._flags + (bits_used >> 3)] >> (bits_used & 7) & 1
            bits_used += 1
            if level and flag:
                level -= 1  # parent of a match: down to its left child
                position *= 2
                continue
            if hashes_used >= self._hash_count:
                raise TruncatedInput("merkleblock: hashes end early, at number %d" % hashes_used)
            offset = self._hashes + 32 * hashes_used
            hashes_used += 1
            if flag:
                yield position, offset
            node = bytes(buffer[offset : offset + 32])
            # up, until a right child has to be walked first
            while level < depth:
                if position & 1 == 0 and position + 1 < (self.number_of_txs + (1 << level) - 1) >> level:
                    left_nodes[32 * level : 32 * level + 32] = node
                    position += 1
                    break
                if position & 1:
                    left = bytes(left_nodes[32 * level : 32 * level + 32])
                    # CVE-2012-2459: the padding of an odd row is never walked, so no node here may be a copy
                    if left == node:
                        raise LeftSiblingDuplicate("merkleblock: at level %d the node equals its left sibling" % level)
                else:
                    left = node
                if branch is not None and wanted >> level >> 1 == position >> 1:
                    branch[32 * level : 32 * level + 32] = left if wanted >> level & 1 else node
                node = self._parent(left, node)
                level += 1
                position >>= 1
            else:
                break
        self._judge(node, bits_used, hashes_used)

    def _parent(self, left: bytes, right: bytes) -> bytes:
        pair = self._pair
        pair[:32] = left
        pair[32:] = right
        return hash256(pair)

    def _judge(self, root: bytes, bits_used: int, hashes_used: int) -> None:
        if hashes_used != self._hash_count:
            raise TrailingData("merkleblock: %d hashes left over" % (self._hash_count - hashes_used))
        if (bits_used + 7) >> 3 != self._flag_bytes:
            raise TrailingData("merkleblock: %d bytes of flags, %d bits used" % (self._flag_bytes, bits_used))
        last = self._buffer[self._flags + self._flag_bytes - 1]
        if bits_used & 7 and last >> (bits_used & 7):
            raise NonCanonicalEncoding("merkleblock: the bits after the last flag are not zero")
        if root != read_merkle_root(self._buffer, self._start):
            raise MerkleRootMismatch("the tree leads to another merkle_root than the header's")
