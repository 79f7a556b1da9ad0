"""All headers of a chain in one file, 80 bytes each: where a HeaderChain keeps them on a computer.

Nothing else is written: no record, no state. At the start every header is judged by every rule, as if it had
just come; that takes a few seconds for all of mainnet, finds any damage, and gives the states that forks are
rebuilt from, and the index of block hashes. So a kill at any moment costs at most what was being written: a
header that is torn off, or garbage that a power cut has left near the end, is cut off and fetched again.
Damage further down is not what a cut can do; it is named, and left to a person.
"""

import errno
import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path

from host_bridge.chain.path_index import PathIndex
from lightclient.errors import CorruptStore, HeaderError, LimitExceeded, StoreFull, StoreLocked
from lightclient.hashes import hash256
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.header import MERKLE_ROOT, PREV_BLOCK_HASH
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import require_within
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import Network

log = logging.getLogger("lightclient.bridge")

SYNC_EVERY = 20_000  # headers that may be written before the disk must have them
TORN = SYNC_EVERY + 2 * EPOCH  # headers at the end of the file that a power cut may have spoilt

Progress = Callable[[int, int], None]  # headers checked, headers there


class HeadersOnDisk:
    """The header of height `base_height` stands first in the file; a chain may fork anywhere above it.

    `first_header` begins a new file. Raises StoreLocked, CorruptStore, OSError.
    """

    def __init__(
        self, path: Path, network: Network, base_height: int, first_header: bytes, progress: Progress | None = None
    ) -> None:
        self.path = path
        self.interval = EPOCH
        self.capacity = 0  # no number of headers bounds it
        self.base_height = base_height
        self.first_height = base_height + 1  # as a chain counts: above its start
        self.tip_height = base_height
        self.best_height = 0
        self.work = 0
        self.hashes = PathIndex()  # in it, the block at `base_height` is the first
        self.not_synced = 0  # headers written since the last fsync
        self._network = network
        self._first_header = first_header
        self._progress = progress or (lambda done, total: None)
        self._states: list[tuple[int, bytes]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise StoreLocked(f"{path}: another bridge has it open") from None

    def close(self) -> None:
        """Let another bridge have the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # --- opening ---

    def resume(self, rules: HeaderRules) -> bool:
        """Judge every header of the file; False: there is none."""
        size = os.fstat(self._file).st_size
        total = size // HEADER_SIZE
        if total == 0:
            return False
        buffer = bytearray(EPOCH * HEADER_SIZE)
        try:
            self._judge_first(rules)
            while self.tip_height - self.base_height + 1 < total:
                first = self.tip_height + 1
                count = min(EPOCH - first % EPOCH, total - (first - self.base_height))
                self._read(first, memoryview(buffer)[: count * HEADER_SIZE])
                self._judge(rules, buffer, count)
                self._progress(self.tip_height - self.base_height + 1, total)
        except HeaderError as error:
            self._cut(rules.state, total, error)
        else:
            os.ftruncate(self._file, total * HEADER_SIZE)  # part of a header
        return True

    def _judge_first(self, rules: HeaderRules) -> None:
        first = bytearray(HEADER_SIZE)
        self._read(self.base_height, memoryview(first))
        if self._first_header not in (b"", bytes(first)):
            raise CorruptStore(f"{self.path}: begins with another header than the node's chain: {_WAY_OUT}")
        try:
            if self.base_height == 0:
                rules.begin_at_genesis(first, 0)
            else:
                rules.begin_at_anchor(first, 0, self.base_height, 0)
        except HeaderError as error:
            raise CorruptStore(f"{self.path}: {error}: {_WAY_OUT}", self.base_height) from None
        self.begin(self.base_height, encode_checkpoint(self._network, rules.state))

    def _judge(self, rules: HeaderRules, buffer: bytearray, count: int) -> None:
        """Take the headers up to the first that breaks a rule."""
        try:
            rules.extend(buffer, 0, count, 0)  # the clock was asked when they came
        finally:
            self._note(buffer, 0, rules.state)
            if (self.tip_height + 1) % EPOCH == 0:
                self._states.append((self.tip_height, encode_checkpoint(self._network, rules.state)))

    def _cut(self, state: ChainState, total: int, error: HeaderError) -> None:
        left = total - (state.height - self.base_height + 1)
        if left > TORN:
            raise CorruptStore(f"{self.path}: header {state.height + 1}: {error}: {_WAY_OUT}", state.height + 1)
        log.warning("%s: the last %d headers are spoilt (%s): they are fetched again", self.path, left, error)
        os.ftruncate(self._file, self._place(state.height + 1))

    def begin(self, height: int, checkpoint: bytes) -> None:
        """The chain starts with the first header, whose state `checkpoint` is."""
        if os.fstat(self._file).st_size < HEADER_SIZE:
            os.ftruncate(self._file, 0)
            self._write(self._first_header, 0)
            self.sync()
        first = bytearray(HEADER_SIZE)
        self._read(height, memoryview(first))
        self._states = [(height, checkpoint)]
        self.hashes.append(hash256(first))

    # --- writing ---

    def append(
        self,
        buffer: bytes | bytearray | memoryview,
        offset: int,
        count: int,
        state: ChainState,
        borders: list[tuple[int, bytes]],
    ) -> None:
        """Take `count` records that follow the tip; `state` is that after the last one."""
        piece = memoryview(buffer)[offset : offset + count * HEADER_SIZE]
        self._write(piece, self._place(self.tip_height + 1))
        self._states.extend(borders)
        self._note(buffer, offset, state)
        self.not_synced += count

    def _note(self, buffer: bytes | bytearray | memoryview, offset: int, state: ChainState) -> None:
        """Take the hashes of the headers at `offset` up to `state`: each stands in the header after it."""
        count = state.height - self.tip_height
        if count <= 0:
            return
        links = range(offset + HEADER_SIZE, offset + count * HEADER_SIZE, HEADER_SIZE)
        hashes = [bytes(buffer[i + PREV_BLOCK_HASH : i + MERKLE_ROOT]) for i in links]
        self.hashes.append(b"".join(hashes) + state.block_hash)
        self.tip_height = state.height

    def truncate(self, height: int) -> None:
        """Forget the headers above `height`."""
        if not self.base_height <= height <= self.tip_height:
            raise LimitExceeded("truncate outside the file", height)
        os.ftruncate(self._file, self._place(height + 1))
        self.tip_height = height
        self.hashes.truncate(height + 1 - self.base_height)
        while len(self._states) > 1 and self._states[-1][0] > height:
            self._states.pop()
        self.not_synced += 1

    def revert(self, state: ChainState) -> None:
        """After a write that failed: back to the tip that `state` stands at."""
        self.truncate(min(state.height, self.tip_height))

    def promise(self, work: int) -> None:
        """A branch of so much work has been seen."""
        self.work = max(self.work, work)

    def release(self) -> None:
        """The file stays open: a host has room for that."""

    def commit(self, state: object) -> None:
        self.sync()

    def sync(self) -> None:
        """Wait until the disk has it. May be called in another thread."""
        self.not_synced = 0
        os.fsync(self._file)

    def _write(self, data: bytes | memoryview, position: int) -> None:
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._file, memoryview(data)[done:], position + done)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(f"{self.path}: {error.strerror}") from None
            raise

    # --- reading ---

    def _place(self, height: int) -> int:
        return (height - self.base_height) * HEADER_SIZE

    def _read(self, height: int, view: memoryview) -> None:
        if os.preadv(self._file, [view], self._place(height)) != len(view):
            raise CorruptStore(f"{self.path} ends early: {_WAY_OUT}", height)

    def read(self, height: int, count: int) -> bytes:
        """The headers from `height` on, up to the tip. Raises CorruptStore for one that is not what it was."""
        count = min(count, self.tip_height - height + 1)
        if height < self.base_height or count <= 0:
            return b""
        raw = bytearray(count * HEADER_SIZE)
        self._read(height, memoryview(raw))
        for i in range(count):
            header = raw[i * HEADER_SIZE : (i + 1) * HEADER_SIZE]
            if hash256(header) != self.hashes.block_hash(height + i - self.base_height):
                raise CorruptStore(f"{self.path} has changed at header {height + i}: {_WAY_OUT}", height + i)
        return bytes(raw)

    def read_into(self, height: int, buffer: bytearray | memoryview, offset: int) -> None:
        """Copy the record of `height`. Raises HeaderNotInChain when it is not there, CorruptStore."""
        require_within(self, height)
        buffer[offset : offset + HEADER_SIZE] = self.read(height, 1)

    def state_before(self, height: int) -> bytes:
        """The newest checkpoint kept at or below `height`."""
        i = len(self._states) - 1
        while self._states[i][0] > height:
            i -= 1
        return self._states[i][1]


_WAY_OUT = "end the bridge and delete the file, its headers are fetched anew"
