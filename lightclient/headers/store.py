"""Where a chain keeps its window of headers, and every byte of how a store lies on flash.

A store holds the 80-byte records of consecutive heights, `first_height` to `tip_height`
(`tip_height == first_height - 1`: none), and states to rebuild forks from. `RamStore` below keeps
the newest ones in one ring; `WindowStore` (window_store.py) keeps them in files as follows.

Format version 1. Integers are little-endian unless said otherwise. A store is one folder and paid.b,
which is FOLDER.paid, beside it (littlefs writes a folder as one log, whose newest entries are gone
with the first bit that flips in them, all to the same moment; what two folders say is told apart):

    NNNNNN.hdr          the headers of epoch NNNNNN (decimal, six digits or more; height // 2016)
    NNNNNN.new          the same on a branch that is about to replace the end of the chain
    chain.a, chain.b    the record: written in turns, each time with the next sequence number
    paid.a, paid.b      the payments acted on: both written each time, first .a, then .b
    lock                of no content; locked (flock) by the program that has the store open

What is not a header stands in an *envelope*. Every version keeps this envelope:

    0   4  "LCst"
    4   1  format version
    5   1  kind: 1 record, 2 payments acted on, 3 base of an epoch file
    6   4  n, bytes of the content
    10  4  network: the first four bytes of its genesis block's hash (internal order)
    14  4  sequence number, from 1 on; 0 in a base
    18  n  content
    .   4  CRC-32 (as in zlib) of all before it

Epoch file: bytes 0 to 1,599 are the base, an envelope whose content is the checkpoint
(checkpoint.py) of the block before the file's first header, then zeros. From byte 1,600 on stand
the headers as they are on the wire, 80 bytes each, without gaps. The first header is the epoch's
first; in the oldest file it may be a later one, where the store was begun there.

Record content:

    0   4  first height of the window: older files are remains of pruning, to be deleted
    4   4  0xffffffff: the window is in .hdr files; 0xfffffffe: there is no window (a first sync is
           under way that is far from its end); else a switch: this epoch's .new file, and those
           after it, are to be renamed to .hdr
    8   4  sequence number of the payments acted on, as it was; a lower one was rolled back
    12  32 highest chainwork ever accepted, big-endian; below it nothing is acted on
    44  .  checkpoint of the tip, whose headers were on flash before this record

Payments content:

    0   4  sequence number of the record, as it was; a lower one was rolled back
    4   4  floor: blocks below this height are final (spv/stored_payments.py)
    8   4  number of entries, 24 bytes each:
               0  12  first twelve bytes of the txid (internal order)
               12  4  output index
               16  4  bits 0-29: height of its block, 0x3fffffff: uncertain; bit 31: the relay's
                      pulse has begun (or was about to) and is not known to have ended
               20  4  request id

Rules. Headers are synced before the record that counts them. Headers behind the record's tip (they
were written, the record was not) are judged again at opening; what fails is cut off. Of chain.a and
chain.b the valid one with the higher number counts; two valid ones are neighbours. Of paid.a and
paid.b, paid.a has the same number or the next one: anything else cannot come about by itself
(StoreRolledBack). A file's unknown version is refused (WrongStoreVersion), an older one is read
through `MIGRATIONS[version](kind, content)`, which gives the content in the next version's form; the
record is then written anew at once, so that older programs refuse the store.

Ways out. Of a chain that is damaged, or was rolled back, or has to go back further than its window:
`lightclient store import FILE FOLDER --start-over` (WindowStore.start_over) takes another chain's
place; the payments stay. Payments that are damaged or were rolled back come back from nowhere: a
person deletes FOLDER and FOLDER.paid, makes FOLDER again, and gives each request a `from_height`
above all that may have been acted on.
"""

from lightclient.compat import const
from lightclient.errors import HeaderNotInChain, LimitExceeded
from lightclient.limits import HEADER_SIZE

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Protocol

    from lightclient.headers.rules import HeaderRules
    from lightclient.headers.state import ChainState
    from lightclient.headers.window_files import WindowFiles
    from lightclient.serialize import Buffer

    Borders = list[tuple[int, bytes]]  # (height, checkpoint) where a store wants a state

    class Files(Protocol):
        """A folder of files. What was written is there for certain after `sync`.

        Until then it may be there, in part, or not, in any order. StoreFull when there is no room.
        """

        def names(self) -> list[str]: ...
        def size(self, name: str) -> int: ...  # -1: there is none
        def read_into(self, name: str, position: int, buffer: bytearray | memoryview) -> int: ...
        def append(self, name: str, data: Buffer) -> None: ...  # makes the file when there is none
        def write(self, name: str, data: Buffer) -> None: ...  # the whole content
        def cut(self, name: str, size: int) -> None: ...
        def rename(self, name: str, new_name: str) -> None: ...  # over what is there
        def remove(self, name: str) -> None: ...
        def sync(self) -> None: ...
        def release(self) -> None: ...  # nothing is read for now: what reading takes may go
        def lock(self) -> None: ...  # raises StoreLocked
        def close(self) -> None: ...

    class Store(Protocol):
        """What a chain keeps its headers in; each method is described in RamStore."""

        interval: int
        capacity: int
        first_height: int
        tip_height: int
        best_height: int
        work: int

        @property
        def base_height(self) -> int: ...
        def resume(self, rules: HeaderRules) -> bool: ...
        def begin(self, height: int, checkpoint: bytes) -> None: ...
        def append(self, buffer: Buffer, offset: int, count: int, state: ChainState, borders: Borders) -> None: ...
        def truncate(self, height: int) -> None: ...
        def read_into(self, height: int, buffer: bytearray | memoryview, offset: int) -> None: ...
        def state_before(self, height: int) -> bytes: ...
        def promise(self, work: int) -> None: ...
        def revert(self, state: ChainState) -> None: ...
        def commit(self, state: ChainState) -> None: ...
        def release(self) -> None: ...
        def close(self) -> None: ...


_PAGE = const(32)  # headers


class RamStore:
    """The newest `capacity` headers (80 bytes each); older ones are overwritten.

    `interval` is the distance of the states kept for forks: a reorg can go back at least
    `capacity - interval` less one batch.
    """

    def __init__(self, capacity: int, interval: int = 64) -> None:
        self.capacity = capacity
        self.interval = interval
        self.first_height = 0
        self.tip_height = -1
        self.best_height = 0  # what the bridge says
        self.work = 0  # highest chainwork promised by a branch that is to be fetched again
        # in pages: a small heap that modules have been loaded into has no long stretch left
        self._pages = [memoryview(bytearray(_PAGE * HEADER_SIZE)) for _ in range((capacity + _PAGE - 1) // _PAGE)]
        self._states: "Borders" = []

    @property
    def base_height(self) -> int:
        """The lowest height that a branch may begin at."""
        return self._states[0][0]

    def resume(self, rules: "HeaderRules") -> bool:
        """Whether there was a chain here before; RAM has none."""
        return False

    def begin(self, height: int, checkpoint: bytes) -> None:
        """Empty the store; the tip is the block of `checkpoint`, at `height`."""
        self.first_height = height + 1
        self.tip_height = height
        self._states = [(height, checkpoint)]
        self.work = 0

    def append(self, buffer: "Buffer", offset: int, count: int, state: "ChainState", borders: "Borders") -> None:
        """Keep `count` records that follow the tip; `state` is that after the last one."""
        # what is about to be overwritten is given up first: the copying may fail for want of memory
        self._states.extend(borders)
        self.first_height = max(self.first_height, self.tip_height + count - self.capacity + 1)
        # a state is of use only while the headers that follow it are in the window
        while self._states and self._states[0][0] + 1 < self.first_height:
            del self._states[0]
        view = memoryview(buffer)
        while count:
            slot = (self.tip_height + 1) % self.capacity
            run = min(count, _PAGE - slot % _PAGE, self.capacity - slot)  # what lies together
            at = slot % _PAGE * HEADER_SIZE
            end = offset + run * HEADER_SIZE
            self._pages[slot // _PAGE][at : at + run * HEADER_SIZE] = view[offset:end]
            self.tip_height += run
            count -= run
            offset = end

    def truncate(self, height: int) -> None:
        """Forget the headers above `height`."""
        if not self.first_height - 1 <= height <= self.tip_height:
            raise LimitExceeded("truncate outside the window", height)
        self.tip_height = height
        while len(self._states) > 1 and self._states[-1][0] > height:
            self._states.pop()

    def read_into(self, height: int, buffer: "bytearray | memoryview", offset: int) -> None:
        """Copy the record of `height`. Raises HeaderNotInChain when it is not in the window."""
        require_within(self, height)
        slot = height % self.capacity
        at = slot % _PAGE * HEADER_SIZE
        buffer[offset : offset + HEADER_SIZE] = self._pages[slot // _PAGE][at : at + HEADER_SIZE]

    def state_before(self, height: int) -> bytes:
        """The newest checkpoint kept at or below `height`."""
        i = len(self._states) - 1
        while self._states[i][0] > height:
            i -= 1
        return self._states[i][1]

    def promise(self, work: int) -> None:
        """A branch of so much work has been seen: nothing is acted on below it."""
        self.work = max(self.work, work)

    def revert(self, state: "ChainState") -> None:
        """After a write that failed, for want of memory: back to the tip that `state` stands at."""
        self.truncate(state.height)

    def commit(self, state: "ChainState") -> None:
        """Make everything durable: RAM is not."""

    def release(self) -> None:
        """Nothing is read for now."""

    def close(self) -> None:
        """Nothing to let go of."""


def require_within(store: "RamStore | WindowFiles | Store", height: int) -> None:
    """Raises HeaderNotInChain unless the header of `height` is in the window."""
    if not store.first_height <= height <= store.tip_height:
        raise HeaderNotInChain(
            "height %d is not in the window %d to %d" % (height, store.first_height, store.tip_height), height
        )
