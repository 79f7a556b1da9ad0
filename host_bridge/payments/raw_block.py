"""A raw block taken apart: its transactions, their txids and outputs, Merkle branches.

What the device's walk only looks for, a host may list.
"""

from dataclasses import dataclass

from lightclient.errors import LimitExceeded, TrailingData, TruncatedInput
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE, MAX_BLOCK_TRANSACTIONS
from lightclient.serialize import compact_size_length, read_compact_size, read_uint64_le
from lightclient.spv.transaction import TransactionWalk


@dataclass(frozen=True)
class Output:
    """`start` and `end` say where the output stands in the transaction; the amount is in satoshis."""

    start: int
    end: int
    amount: int
    script_pubkey: bytes


def walk_transaction(transaction: bytes) -> TransactionWalk:
    """The finished walk of a whole transaction; raises what it breaks."""
    walk = TransactionWalk()
    walk.begin(len(transaction))
    walk.feed(transaction, 0, len(transaction))
    walk.close()
    return walk


def parse_block(block: bytes) -> list[tuple[int, int, bytes]]:
    """(start, end, txid) of each transaction; txids in internal order.

    Raises TruncatedInput, TrailingData, LimitExceeded, NonCanonicalEncoding.
    """
    if len(block) <= HEADER_SIZE:
        raise TruncatedInput(f"block of {len(block)} bytes")
    cursor = _Cursor(block, HEADER_SIZE)
    count = cursor.compact_size()
    if not 0 < count <= MAX_BLOCK_TRANSACTIONS:
        raise LimitExceeded(f"block of {count} transactions, 1 to {MAX_BLOCK_TRANSACTIONS}")
    transactions = []
    for _ in range(count):
        start = cursor.offset
        txid = cursor.transaction()
        transactions.append((start, cursor.offset, txid))
    if cursor.offset != len(block):
        raise TrailingData(f"block: {len(block) - cursor.offset} bytes left over")
    return transactions


def list_outputs(transaction: bytes) -> list[Output]:
    """Every output, in order. The transaction has been verified before; raises TruncatedInput if not."""
    cursor = _Cursor(transaction, 0)
    cursor.inputs()
    return [cursor.output() for _ in range(cursor.compact_size())]


class _Cursor:
    """Finds where transactions end that announce no size. The verifier judges the one that is proved."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset = offset

    def compact_size(self) -> int:
        value = read_compact_size(self.data, self.offset, len(self.data))
        self.offset += compact_size_length(self.data[self.offset])
        return value

    def skip(self, count: int) -> None:
        self.offset += count
        if self.offset > len(self.data):
            raise TruncatedInput(f"ends early, at byte {len(self.data)}")

    def inputs(self) -> tuple[int, bool]:
        """Step over a transaction's beginning; returns the number of inputs, and whether it has witnesses."""
        self.skip(4)
        segwit = self.data[self.offset : self.offset + 2] == b"\x00\x01"  # BIP144
        if segwit:
            self.skip(2)
        count = self.compact_size()
        for _ in range(count):
            self.skip(36)
            self.skip(self.compact_size() + 4)
        return count, segwit

    def output(self) -> Output:
        start = self.offset
        self.skip(8)
        length = self.compact_size()
        self.skip(length)
        script_pubkey = self.data[self.offset - length : self.offset]
        return Output(start, self.offset, read_uint64_le(self.data, start), script_pubkey)

    def transaction(self) -> bytes:
        """Step over a transaction; returns its txid."""
        data = self.data
        start = self.offset
        inputs, segwit = self.inputs()
        for _ in range(self.compact_size()):
            self.output()
        body, end = start + (6 if segwit else 4), self.offset
        for _ in range(inputs if segwit else 0):
            for _ in range(self.compact_size()):
                self.skip(self.compact_size())
        self.skip(4)
        return hash256(data[start : start + 4] + data[body:end] + data[self.offset - 4 : self.offset])


def merkle_levels(row: list[bytes]) -> list[list[bytes]]:
    """The rows of the Merkle tree from the leaves (the txids of the block) up to the root alone."""
    levels = [row]
    while len(row) > 1:
        if len(row) & 1:
            row = [*row, row[-1]]
            levels[-1] = row
        row = [hash256(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
        levels.append(row)
    return levels


def branch_of(levels: list[list[bytes]], index: int) -> bytes:
    """The siblings of leaf `index` from the leaf up, 32 bytes each; `levels` as `merkle_levels` gives them."""
    return b"".join(row[index >> level ^ 1] for level, row in enumerate(levels[:-1]))


def merkle_branch(row: list[bytes], index: int) -> bytes:
    """The siblings of `row[index]` from the leaf up, 32 bytes each; `row` is the txids of the block."""
    return branch_of(merkle_levels(row), index)
