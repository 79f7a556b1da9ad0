"""A file of raw 80-byte headers: checked in batches, never read whole unless it is asked for."""

import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import iter_unpack

from host_bridge.files import Unusable, open_regular, read_file
from host_bridge.progress import PROGRESS_AFTER_BYTES, progress_bar
from lightclient.cbor import MAP
from lightclient.errors import BadGenesis, CheckpointMismatch, HeaderNotInChain
from lightclient.headers.accumulator import Accumulator
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
            _refuse_hex(path, file.peek(HEADER_SIZE)[:HEADER_SIZE])
            raise Unusable(f"{path}: TruncatedInput: {size} bytes are no multiple of {HEADER_SIZE}, so not headers")
        if start_height + total - 1 > MAX_HEIGHT:
            raise Unusable(f"{path}: LimitExceeded: {total} headers from {start_height} on, at most to {MAX_HEIGHT}")
        _refuse_hex(path, file.peek(HEADER_SIZE)[:HEADER_SIZE])
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


def _refuse_hex(path: Path, beginning: bytes) -> None:
    if all(byte in _HEX for byte in beginning):
        raise Unusable(f"{path}: headers as hex text; they must be raw, 80 bytes each (xxd -r -p makes them so)")


_HEX = (string.hexdigits + string.whitespace).encode()


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
    path: Path, network: Network, start_height: int | None, checkpoint: ChainState | None = None, keep: bool = False
) -> CheckedHeaders:
    """Check every header of a file; `keep` keeps them in memory as well.

    With a checkpoint those up to it are skipped, and count for nothing (`Beginning`); its own, if there, counts.
    Raises the error of the first rule broken, Unusable, OSError.
    """
    rules = HeaderRules(network)
    beginning = Beginning(path, rules, start_height, checkpoint)
    first = beginning.first_height
    skipped = max(checkpoint.height - first, 0) if checkpoint else 0
    checked = CheckedHeaders(rules, first + skipped)
    kept = bytearray()
    with header_batches(path, first, "checking headers") as batches:
        for buffer, count in batches:
            started = time.perf_counter()
            skip = beginning.skip(buffer, count)
            rules.extend(buffer, skip * HEADER_SIZE, count - skip, beginning.now)
            checked.seconds += time.perf_counter() - started
            checked.count += count
            if keep:
                kept += memoryview(buffer)[: count * HEADER_SIZE]
    beginning.require_checkpoint()
    checked.count -= skipped
    checked.headers = bytes(kept)
    return checked


class Beginning:
    """Where checking a file of headers begins: at genesis, at an anchor, or after a checkpoint.

    With a checkpoint the file may begin at any height up to the one after it. What lies below the checkpoint is
    not looked at, but its own header must be there, or the next one must follow it. `start_height` None: the
    one after the checkpoint, or 0 when there is none or the file begins with the genesis header.
    """

    def __init__(self, path: Path, rules: HeaderRules, start_height: int | None, checkpoint: ChainState | None) -> None:
        self.path = path
        self.now = int(time.time())
        self._rules = rules
        self._checkpoint = checkpoint
        if start_height is None:
            start_height = 0
            if checkpoint is not None and not _begins_at_genesis(path, rules.network):
                start_height = checkpoint.height + 1
        if checkpoint is not None:
            if start_height > checkpoint.height + 1:
                raise Unusable(f"{path} begins at {start_height}, the checkpoint stands at {checkpoint.height}")
            rules.state.copy_from(checkpoint)
        self.first_height = start_height
        self._at = start_height  # the height of the next batch

    def skip(self, buffer: bytearray, count: int, accumulator: Accumulator | None = None) -> int:
        """How many headers of the next batch come before the first to be checked.

        Raises CheckpointMismatch, or what the first header breaks.
        """
        at = self._at
        self._at += count
        base = self._checkpoint
        if base is not None:
            if at <= base.height < at + count:
                if block_hash(buffer, (base.height - at) * HEADER_SIZE) != base.block_hash:
                    raise CheckpointMismatch("another header stands there than the checkpoint's", base.height)
            elif at == self.first_height == base.height + 1 and buffer[4:36] != base.block_hash:
                raise CheckpointMismatch("the first header does not follow the checkpoint's", at)
            return min(max(base.height + 1 - at, 0), count)
        if at != self.first_height:
            return 0
        if at > 0:
            self._rules.begin_at_anchor(buffer, 0, at, self.now)
            return 1
        try:
            self._rules.begin_at_genesis(buffer, 0, accumulator)
        except BadGenesis as error:
            raise BadGenesis(f"{error} (a file that begins later needs --start-height)", 0) from None
        return 1

    def require_checkpoint(self) -> None:
        """Raises Unusable when the file ended below the checkpoint."""
        if self._checkpoint is not None and self._at <= self._checkpoint.height:
            raise Unusable(
                f"{self.path} holds heights {self.first_height} to {self._at - 1}, "
                f"the checkpoint stands at {self._checkpoint.height}"
            )


def _begins_at_genesis(path: Path, network: Network) -> bool:
    with open_regular(path) as (file, _):
        return file.read(HEADER_SIZE) == network.genesis_header


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
