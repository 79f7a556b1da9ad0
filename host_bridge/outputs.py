"""The outputs of a transaction: what the device's walk only looks for, a host may list."""

from dataclasses import dataclass

from lightclient.errors import TruncatedInput
from lightclient.serialize import compact_size_length, read_compact_size, read_uint64_le


@dataclass(frozen=True)
class Output:
    """`start` and `end` say where the output stands in the transaction; the amount is in satoshis."""

    start: int
    end: int
    amount: int
    script_pubkey: bytes


def list_outputs(transaction: bytes) -> list[Output]:
    """Every output, in order. The transaction has been verified before; raises TruncatedInput if not."""
    offset = 6 if transaction[4:6] == b"\x00\x01" else 4  # BIP144
    count, offset = _compact_size(transaction, offset)
    for _ in range(count):
        length, offset = _compact_size(transaction, offset + 36)
        offset += length + 4
    outputs = []
    count, offset = _compact_size(transaction, offset)
    for _ in range(count):
        start = offset
        length, offset = _compact_size(transaction, start + 8)
        offset += length
        if offset > len(transaction):
            raise TruncatedInput(f"output at byte {start} ends early")
        amount = read_uint64_le(transaction, start)
        outputs.append(Output(start, offset, amount, transaction[offset - length : offset]))
    return outputs


def _compact_size(data: bytes, offset: int) -> tuple[int, int]:
    """The value, and the offset behind it."""
    value = read_compact_size(data, offset, len(data))
    return value, offset + compact_size_length(data[offset])
