"""A file of raw 80-byte headers: checked in batches, never read whole unless it is asked for."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from host_bridge.cli_common import PROGRESS_AFTER_BYTES, Unusable, progress_bar, regular_size
from lightclient.errors import CheckpointMismatch, HeaderNotInChain
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_HEIGHT
from lightclient.params import Network

BATCH = EPOCH  # headers read and checked at a time


def header_count(path: Path, file: BinaryIO) -> int:
    """How many headers an open file holds. Raises Unusable when that is no whole number above 0."""
    size = regular_size(path, file.fileno())
    if size == 0:
        raise Unusable(f"{path}: TruncatedInput: the file is empty")
    if size % HEADER_SIZE:
        raise Unusable(f"{path}: TruncatedInput: {size} bytes are no multiple of {HEADER_SIZE}, so not headers")
    if size // HEADER_SIZE > MAX_HEIGHT:
        raise Unusable(f"{path}: LimitExceeded: {size // HEADER_SIZE} headers")
    return size // HEADER_SIZE


def load_checkpoint(path: Path, network: Network) -> ChainState:
    """The state of a checkpoint file. Raises Unusable, an error of the checkpoint, OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_CHECKPOINT_SIZE + 1)
    if not data or len(data) > MAX_CHECKPOINT_SIZE:
        raise Unusable(f"{path}: not a checkpoint: it has 1 to {MAX_CHECKPOINT_SIZE} bytes")
    state = ChainState()
    decode_checkpoint(network, data, state)
    return state


class CheckedHeaders:
    """What checking a file has shown. `seconds` is the validation alone."""

    def __init__(self, rules: HeaderRules, first_height: int, headers: bytes) -> None:
        self.rules = rules
        self.first_height = first_height
        self.count = 0
        self.seconds = 0.0
        self.headers = headers  # empty unless they were to be kept
        self.accumulator: Accumulator | None = None  # every header is there: paths are not needed

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
    now = int(time.time())
    with path.open("rb") as file:
        total = header_count(path, file)
        if start_height + total - 1 > MAX_HEIGHT:
            raise Unusable(f"{path}: LimitExceeded: a height of {start_height + total - 1}")
        checked = CheckedHeaders(rules, start_height, b"")
        kept: list[bytes] = []
        buffer = bytearray(BATCH * HEADER_SIZE)
        with progress_bar("checking headers", total, total * HEADER_SIZE > PROGRESS_AFTER_BYTES) as progress:
            while checked.count < total:
                read = file.readinto(buffer)
                count = read // HEADER_SIZE
                if count == 0 or read % HEADER_SIZE:
                    raise Unusable(f"{path}: TruncatedInput: the file became shorter while it was read")
                started = time.perf_counter()
                try:
                    skip = 0
                    if checked.count == 0:
                        skip = _begin(rules, buffer, start_height, checkpoint, now)
                    rules.extend(buffer, skip * HEADER_SIZE, count - skip, now)
                finally:
                    checked.seconds += time.perf_counter() - started
                if keep:
                    kept.append(bytes(buffer[:read]))
                checked.count += count
                progress.advance(progress.task_ids[0], count)
    checked.headers = b"".join(kept)
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


def each_header(path: Path, take: Callable[[bytearray, int], None]) -> tuple[int, bytes, bytes]:
    """Call `take(buffer, offset)` for each header, unchecked; returns their count, the first and the last."""
    with path.open("rb") as file:
        total = header_count(path, file)
        buffer = bytearray(BATCH * HEADER_SIZE)
        first = last = b""
        done = 0
        with progress_bar("reading headers", total, total * HEADER_SIZE > PROGRESS_AFTER_BYTES) as progress:
            while done < total:
                count = file.readinto(buffer) // HEADER_SIZE
                if count == 0:
                    raise Unusable(f"{path}: TruncatedInput: the file became shorter while it was read")
                for offset in range(0, count * HEADER_SIZE, HEADER_SIZE):
                    take(buffer, offset)
                first = first or bytes(buffer[:HEADER_SIZE])
                last = bytes(buffer[(count - 1) * HEADER_SIZE : count * HEADER_SIZE])
                done += count
                progress.advance(progress.task_ids[0], count)
    return total, first, last
