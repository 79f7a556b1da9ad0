"""A file of raw 80-byte headers: checked in batches, never read whole unless it is asked for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import iter_unpack

from host_bridge.cli_common import PROGRESS_AFTER_BYTES, Unusable, open_regular, progress_bar, read_file
from lightclient.cbor import MAP
from lightclient.errors import CheckpointMismatch, HeaderNotInChain
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_HEIGHT
from lightclient.params import Network

BATCH = EPOCH  # headers read and checked at a time


@contextmanager
def header_batches(path: Path, start_height: int, doing: str) -> Iterator[Iterator[tuple[bytearray, int]]]:
    """Iterates over (buffer, number of headers in it); the buffer is the same each time.

    Raises Unusable for a file that is no whole number of headers above 0, OSError.
    """
    with open_regular(path) as (file, size):
        total = size // HEADER_SIZE
        if size % HEADER_SIZE:
            raise Unusable(f"{path}: TruncatedInput: {size} bytes are no multiple of {HEADER_SIZE}, so not headers")
        if start_height + total - 1 > MAX_HEIGHT:
            raise Unusable(f"{path}: LimitExceeded: {total} headers from {start_height} on, at most to {MAX_HEIGHT}")
        with progress_bar(doing, total, size > PROGRESS_AFTER_BYTES) as advance:

            def batches() -> Iterator[tuple[bytearray, int]]:
                buffer = bytearray(BATCH * HEADER_SIZE)
                left = total
                while left:
                    count = min(left, BATCH)
                    if file.readinto(memoryview(buffer)[: count * HEADER_SIZE]) != count * HEADER_SIZE:
                        raise Unusable(f"{path}: TruncatedInput: the file became shorter while it was read")
                    yield buffer, count
                    left -= count
                    advance(count)

            yield batches()


# --- checking ---


def load_checkpoint(path: Path, network: Network) -> ChainState:
    """The state of a checkpoint file. Raises Unusable, an error of the checkpoint, OSError."""
    data = read_file(path, MAX_CHECKPOINT_SIZE)
    if data[0] >> 5 != MAP:
        raise Unusable(f"{path}: not a checkpoint")
    state = ChainState()
    decode_checkpoint(network, data, state)
    return state


class CheckedHeaders:
    """What checking a file has shown. `seconds` is the validation alone."""

    def __init__(self, rules: HeaderRules, first_height: int) -> None:
        self.rules = rules
        self.first_height = first_height
        self.count = 0
        self.seconds = 0.0
        self.headers = b""  # unless they were to be kept

    @property
    def tip_height(self) -> int:
        return self.rules.state.height

    def require_header(self, height: int, header: bytes | bytearray | memoryview) -> None:
        """Raises HeaderNotInChain unless these 80 bytes are the header at `height` of the file."""
        start = (height - self.first_height) * HEADER_SIZE
        if not 0 <= start < len(self.headers):
            raise HeaderNotInChain(
                f"height {height} is not in the headers given, {self.first_height} to {self.tip_height}", height
            )
        if self.headers[start : start + HEADER_SIZE] != header:
            raise HeaderNotInChain(f"another header is at height {height} of the chain", height)


def check_header_file(
    path: Path, network: Network, start_height: int, checkpoint: ChainState | None = None, keep: bool = False
) -> CheckedHeaders:
    """Check every header of a file; `keep` keeps them in memory as well.

    With a checkpoint the file begins with the checkpoint's own header, or with the one after it.
    Raises the error of the first rule broken, Unusable, OSError.
    """
    rules = HeaderRules(network)
    checked = CheckedHeaders(rules, start_height)
    kept = bytearray()
    now = int(time.time())
    with header_batches(path, start_height, "checking headers") as batches:
        for buffer, count in batches:
            started = time.perf_counter()
            skip = 0 if checked.count else _begin(rules, buffer, start_height, checkpoint, now)
            rules.extend(buffer, skip * HEADER_SIZE, count - skip, now)
            checked.seconds += time.perf_counter() - started
            checked.count += count
            if keep:
                kept += memoryview(buffer)[: count * HEADER_SIZE]
    checked.headers = bytes(kept)
    return checked


def _begin(rules: HeaderRules, buffer: bytearray, height: int, checkpoint: ChainState | None, now: int) -> int:
    """Start with the first header; returns how many headers that took."""
    if checkpoint is not None:
        rules.state.copy_from(checkpoint)
        if height == checkpoint.height:
            if block_hash(buffer, 0) != checkpoint.block_hash:
                raise CheckpointMismatch("the first header is not the checkpoint's", height)
            return 1
        if height != checkpoint.height + 1:
            raise Unusable(f"the file begins at {height}, the checkpoint stands at {checkpoint.height}")
        if buffer[4:36] != checkpoint.block_hash:
            raise CheckpointMismatch("the first header does not follow the checkpoint's", height)
        return 0
    if height == 0:
        rules.begin_at_genesis(buffer, 0)
    else:
        rules.begin_at_anchor(buffer, 0, height, now)
    return 1


# --- looking ---


@dataclass
class HeaderFileInfo:
    """What is in a file, unchecked."""

    count: int
    first: bytes
    last: bytes
    bits: set[int]


def look_at_header_file(path: Path, start_height: int) -> HeaderFileInfo:
    """Raises Unusable, OSError."""
    info = HeaderFileInfo(0, b"", b"", set())
    with header_batches(path, start_height, "reading headers") as batches:
        for buffer, count in batches:
            end = count * HEADER_SIZE
            info.first = info.first or bytes(buffer[:HEADER_SIZE])
            info.last = bytes(buffer[end - HEADER_SIZE : end])
            info.count += count
            info.bits.update(bits for (bits,) in iter_unpack("<72xI4x", memoryview(buffer)[:end]))
    return info
