"""What the next header is judged by: a few numbers, whatever the height."""

from array import array

from lightclient.compat import const, micropython, ptr32
from lightclient.headers.header import TIME, read_bits, read_time
from lightclient.headers.target import bits_to_target, work
from lightclient.limits import EPOCH, MEDIAN_TIME_SPAN

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.accumulator import Accumulator
    from lightclient.params import Network
    from lightclient.serialize import Buffer

    Snapshot = tuple[int, bytes, int, int, bytes, int, bool, int, int, int, int, bool, tuple[int, bytearray] | None]


@micropython.viper
def _copy_times(times, height: int, buffer, word: int, count: int):  # type: ignore[no-untyped-def]
    """Put `count` times, the last of them that of `height` at `buffer[4 * word:]`, into their slots of `times`."""
    target = ptr32(times)
    source = ptr32(buffer)
    slot = height % 11  # MEDIAN_TIME_SPAN
    while count > 0:
        target[slot] = source[word]
        word -= 20
        count -= 1
        slot = slot - 1 if slot > 0 else 10


class ChainState:
    """The tip and what its rules remember.

    `times` holds the last header times, that of height h in slot h % 11; `times_known` of them are
    there. `normal_bits` are the last bits that were not a 20-minute exception; `epoch_first_time`
    and `epoch_first_bits` belong to the first block of the tip's epoch. 0 in these three: unknown,
    it lies before the anchor. `chainwork` counts from genesis when `complete`, else from the anchor.
    `time_checked`: the tip itself passed the median-time-past rule (see `rules.ordinary_headers`).
    `accumulator` holds the hashes of all blocks from genesis to the tip; None where what lies before an
    anchor is not known, or where nobody will ask for it.
    """

    def __init__(self) -> None:
        self.height = -1
        self.block_hash = bytes(32)
        self.time = 0
        self.bits = 0
        self.times = array("I", bytes(4 * MEDIAN_TIME_SPAN))
        self.times_known = 0
        self.time_checked = False
        self.normal_bits = 0
        self.epoch_first_time = 0
        self.epoch_first_bits = 0
        self.chainwork = 0
        self.complete = False
        self.accumulator: "Accumulator | None" = None
        self._work_bits = 0
        self._work = 0

    def snapshot(self) -> "Snapshot":
        """All of it as it stands, for `go_back`: quickly made, and small."""
        return (
            self.height,
            self.block_hash,
            self.time,
            self.bits,
            bytes(self.times),
            self.times_known,
            self.time_checked,
            self.normal_bits,
            self.epoch_first_time,
            self.epoch_first_bits,
            self.chainwork,
            self.complete,
            None if self.accumulator is None else self.accumulator.snapshot(),
        )

    def go_back(self, snapshot: "Snapshot") -> None:
        """Be again as when `snapshot` was made."""
        (
            self.height,
            self.block_hash,
            self.time,
            self.bits,
            times,
            self.times_known,
            self.time_checked,
            self.normal_bits,
            self.epoch_first_time,
            self.epoch_first_bits,
            self.chainwork,
            self.complete,
            hashes,
        ) = snapshot
        self.times = array("I", times)
        if hashes is None or self.accumulator is None:
            self.accumulator = None
        else:
            self.accumulator.go_back(hashes)

    def copy_from(self, other: "ChainState") -> None:
        if other.accumulator is not None and self.accumulator is None:
            self.accumulator = other.accumulator.copy()
        self.go_back(other.snapshot())

    def times_complete(self) -> bool:
        """Whether the median-time-past of the tip is known: 11 times, or all since genesis."""
        return self.times_known == MEDIAN_TIME_SPAN or self.times_known == self.height + 1

    def median_time_past(self) -> int:
        """Median of the last 11 times, of those that are known (BIP113; Core: GetMedianTimePast)."""
        times = sorted(self.times[(self.height - i) % MEDIAN_TIME_SPAN] for i in range(self.times_known))
        return times[len(times) // 2] if times else 0

    def work_of(self, bits: int, network: "Network") -> int:
        """The work of one header with these bits, remembered until the bits change."""
        if bits != self._work_bits:
            self._work = work(bits_to_target(bits, network))
            self._work_bits = bits
        return self._work

    def absorb(self, network: "Network", buffer: "Buffer", offset: int, block_hash: bytes) -> None:
        """Make the header at `offset`, which has been accepted, the tip."""
        time = read_time(buffer, offset)
        bits = read_bits(buffer, offset)
        self.height += 1
        self.block_hash = block_hash
        self.time = time
        self.bits = bits
        self.times[self.height % MEDIAN_TIME_SPAN] = time
        if self.times_known < MEDIAN_TIME_SPAN:
            self.times_known += 1
        if self.height % EPOCH == 0:
            self.epoch_first_time = time
            self.epoch_first_bits = bits
            self.normal_bits = bits
        elif not (network.allow_min_difficulty and bits == network.pow_limit_bits):
            self.normal_bits = bits
        self.chainwork += self.work_of(bits, network)
        if self.accumulator is not None:
            self.accumulator.append(block_hash)

    def absorb_run(self, network: "Network", buffer: "Buffer", offset: int, count: int, block_hash: bytes) -> None:
        """As `absorb` for `count` linked headers of `normal_bits` that do not start an epoch.

        `offset` is a multiple of 4, `block_hash` that of the last one.
        """
        height = self.height + count
        _copy_times(self.times, height, buffer, (offset + TIME) // 4 + 20 * (count - 1), min(count, MEDIAN_TIME_SPAN))
        self.times_known = min(self.times_known + count, MEDIAN_TIME_SPAN)
        self.height = height
        self.block_hash = block_hash
        self.time = self.times[height % MEDIAN_TIME_SPAN]
        self.bits = self.normal_bits
        self.chainwork += count * self.work_of(self.bits, network)
        if self.accumulator is not None:
            self.accumulator.append_links(buffer, offset, count, block_hash)
