"""Every rule that headers can carry, applied to a batch in place.

Theory of operation: nearly every header differs from the one before only in what its hash covers.
`ordinary_headers` runs ahead over a batch, in machine code on a device, and counts how many headers
from here on pass all cheap rules in their plainest form; for those only link and proof of work are
left. Where it stops, `_check_next` applies every rule in full, in Core's order, and names the one
that is broken. No object is made for a header.

Source of the order: Core CheckBlockHeader, then ContextualCheckBlockHeader.
"""

from array import array
from hashlib import sha256

from lightclient.compat import const, micropython, ptr32, uint
from lightclient.errors import (
    BadGenesis,
    BadLink,
    BadProofOfWork,
    BadVersion,
    TimeTooNew,
    TimeTooOld,
    TimeWarp,
    WrongBits,
)
from lightclient.headers.difficulty import UNKNOWN, expected_bits, is_permitted_retarget, retarget_base
from lightclient.headers.header import (
    MERKLE_ROOT,
    PREV_BLOCK_HASH,
    block_hash,
    read_bits,
    read_prev_block_hash,
    read_time,
    read_version,
)
from lightclient.headers.state import ChainState
from lightclient.headers.target import bits_to_target, check_proof_of_work, exceeds
from lightclient.limits import EPOCH, HEADER_SIZE, MAX_FUTURE_SECONDS, MAX_TIMEWARP_SECONDS

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.accumulator import Accumulator
    from lightclient.params import Network

_NO_CEILING = 0xFFFFFFFF


@micropython.viper
def ordinary_headers(buffer, word: int, count: int, rules) -> int:  # type: ignore[no-untyped-def]
    """How many of `count` headers at `buffer[4 * word:]` pass the cheap rules in their plainest form.

    `rules` (array of uint32): bits, time of the header before, largest time, largest step of the
    time, lowest version, 0x7fffffff. Version and bits are compared as Core does. A time above that
    of the header before is above the median-time-past too, if that header was above its own: the
    median of 11 can rise only to a value that is not above the newest of them.
    Allocates nothing.
    """
    words = ptr32(buffer)
    limits = ptr32(rules)
    bits = limits[0]
    before = uint(limits[1])
    latest = uint(limits[2])
    step = uint(limits[3])
    lowest = limits[4]
    highest = limits[5]
    first = word
    end = word + 20 * count
    while word < end and words[word + 18] == bits:
        version = words[word]
        time = uint(words[word + 17])  # unsigned: it goes on after 2038
        if version < lowest or version > highest or time <= before or time > latest or time - before > step:
            break
        before = time
        word += 20
    return (word - first) // 20


class HeaderRules:
    """Judges headers one after the other, keeping `state` at the last one that was accepted.

    `unverified` counts by name the rules that could not be applied because what they need lies
    before the anchor (or, `future_time`, because no clock is known).
    """

    def __init__(self, network: "Network") -> None:
        self.network = network
        self.state = ChainState()
        self.unverified: "dict[str, int]" = {}
        self._rules = array("I", [0] * 6)
        self._target_bits = 0
        self._target = b""

    def begin_at_genesis(
        self, buffer: "bytes | bytearray", offset: int, accumulator: "Accumulator | None" = None
    ) -> None:
        """Start with the network's own first header; an empty `accumulator` becomes part of the state.

        Raises BadGenesis when it is another one.
        """
        if bytes(buffer[offset : offset + HEADER_SIZE]) != self.network.genesis_header:
            raise BadGenesis("the first header is not the genesis header of " + self.network.name, 0)
        self.state = ChainState()
        self.state.accumulator = accumulator
        self.state.absorb(self.network, buffer, offset, block_hash(buffer, offset))
        self.state.complete = True
        self.state.time_checked = True

    def begin_at_anchor(self, buffer: "bytes | bytearray", offset: int, height: int, now: int) -> None:
        """Start with a header that is trusted for its place; what it carries itself is checked.

        Raises MalformedBits, BadProofOfWork, BadVersion, and TimeTooNew by the clock `now` (0: none).
        """
        network = self.network
        state = ChainState()
        state.height = height - 1
        bits = read_bits(buffer, offset)
        anchor_hash = block_hash(buffer, offset)
        check_proof_of_work(anchor_hash, bits_to_target(bits, network, height), height)
        self._check_clock_and_version(buffer, offset, height, now)
        state.absorb(network, buffer, offset, anchor_hash)
        self.state = state
        for rule in ("link", "bits", "median_time_past"):
            self._omit(rule)
        if network.bip94 and height % EPOCH == 0:
            self._omit("timewarp")

    def extend(self, buffer: "bytearray", offset: int, count: int, now: int, fill_links: bool = False) -> None:
        """Check `count` headers at `offset` (a multiple of 4) and make the last one the tip.

        `now` is the clock in unix seconds, 0 when there is none. With `fill_links`, prev_block_hash
        is written into the buffer instead of compared: packed headers travel without it.
        Raises the error of the first rule broken; `state` then stands before that header.
        """
        while count:
            run = self._ordinary_run(buffer, offset, count, now)
            if run:
                self._check_run(buffer, offset, run, fill_links)
                offset += run * HEADER_SIZE
                count -= run
            if count:
                self._check_next(buffer, offset, now, fill_links)
                offset += HEADER_SIZE
                count -= 1

    def _ordinary_run(self, buffer: "bytearray", offset: int, count: int, now: int) -> int:
        state = self.state
        network = self.network
        if not state.time_checked or state.normal_bits == UNKNOWN:
            return 0
        height = state.height + 1
        count = min(count, (EPOCH - height % EPOCH) % EPOCH)  # an epoch's first header is never ordinary
        version = network.minimum_version(height)
        if count == 0 or network.minimum_version(height + count - 1) != version:
            return 0
        rules = self._rules
        rules[0] = state.normal_bits
        rules[1] = state.time
        rules[2] = min(now + MAX_FUTURE_SECONDS, _NO_CEILING) if now else _NO_CEILING
        exception = network.allow_min_difficulty and state.normal_bits != network.pow_limit_bits
        rules[3] = 2 * network.target_spacing if exception else _NO_CEILING
        rules[4] = max(version, 0)
        rules[5] = 0x7FFFFFFF
        run: int = ordinary_headers(buffer, offset >> 2, count, rules)
        if run and not now:
            self._omit("future_time", run)
        return run

    @micropython.native
    def _check_run(self, buffer: "bytearray", offset: int, count: int, fill_links: bool) -> None:
        """Link and proof of work of `count` headers for which the other rules have been checked."""
        state = self.state
        view = memoryview(buffer)
        target = self._target_of(state.normal_bits)
        above = exceeds
        hasher = sha256  # a local name is found sooner
        previous = state.block_hash
        first = offset
        try:
            for start in range(first, first + count * HEADER_SIZE, HEADER_SIZE):
                header = view[start : start + HEADER_SIZE]
                if fill_links:
                    header[PREV_BLOCK_HASH:MERKLE_ROOT] = previous
                elif header[PREV_BLOCK_HASH:MERKLE_ROOT] != previous:
                    raise BadLink("prev_block_hash is not the hash of the header before", self._height(start, first))
                found = hasher(hasher(header).digest()).digest()
                if above(found, target):
                    raise BadProofOfWork("the hash does not meet its target", self._height(start, first))
                previous = found
                offset += HEADER_SIZE
        finally:
            if offset > first:
                state.absorb_run(self.network, buffer, first, (offset - first) // HEADER_SIZE, previous)

    def _height(self, offset: int, first: int) -> int:
        return self.state.height + 1 + (offset - first) // HEADER_SIZE

    def _check_next(self, buffer: "bytearray", offset: int, now: int, fill_links: bool) -> None:
        """Every rule on one header, in full."""
        state = self.state
        network = self.network
        height = state.height + 1
        if fill_links:
            buffer[offset + PREV_BLOCK_HASH : offset + MERKLE_ROOT] = state.block_hash
        elif read_prev_block_hash(buffer, offset) != state.block_hash:
            raise BadLink("prev_block_hash is not the hash of the header before", height)
        bits = read_bits(buffer, offset)
        time = read_time(buffer, offset)
        found = block_hash(buffer, offset)
        check_proof_of_work(found, bits_to_target(bits, network, height), height)
        learned = self._check_bits(bits, time, height)
        checked = state.times_complete()
        if checked:
            median = state.median_time_past()
            if time <= median:
                raise TimeTooOld("time %d is not above the median-time-past %d" % (time, median), height)
        else:
            self._omit("median_time_past")
        # BIP94: the first block of an epoch may not step back over 600 s (the timewarp attack)
        if network.bip94 and height % EPOCH == 0 and time < state.time - MAX_TIMEWARP_SECONDS:
            raise TimeWarp("time %d is over %d s before the last block's" % (time, MAX_TIMEWARP_SECONDS), height)
        self._check_clock_and_version(buffer, offset, height, now)
        state.absorb(network, buffer, offset, found)
        state.time_checked = checked
        if learned:
            state.normal_bits = bits

    def _check_bits(self, bits: int, time: int, height: int) -> bool:
        """Raises WrongBits. True when the bits could only be learned, not checked."""
        network = self.network
        state = self.state
        expected = expected_bits(network, state, time)
        if expected != UNKNOWN:
            if bits != expected:
                raise WrongBits("bits are %08x, the rules give %08x" % (bits, expected), height)
            return False
        if height % EPOCH:
            self._omit("bits")
            return True
        self._omit("retarget")
        base = retarget_base(network, state)
        if base == UNKNOWN:
            base = state.normal_bits
        if base != UNKNOWN and not is_permitted_retarget(network, base, bits):
            raise WrongBits("bits %08x are over a factor of 4 from %08x" % (bits, base), height)
        return False

    def _check_clock_and_version(self, buffer: "bytes | bytearray", offset: int, height: int, now: int) -> None:
        time = read_time(buffer, offset)
        if now == 0:
            self._omit("future_time")
        elif time > now + MAX_FUTURE_SECONDS:
            raise TimeTooNew("time %d is over 2 h ahead of the clock %d" % (time, now), height)
        version = read_version(buffer, offset)
        lowest = self.network.minimum_version(height)
        if version < lowest:  # BIP34, BIP66, BIP65
            raise BadVersion("version %d, at least %d is needed" % (version, lowest), height)

    def _omit(self, rule: str, count: int = 1) -> None:
        self.unverified[rule] = self.unverified.get(rule, 0) + count

    def _target_of(self, bits: int) -> bytes:
        """32 bytes, little-endian."""
        if bits != self._target_bits:
            self._target = bits_to_target(bits, self.network).to_bytes(32, "little")
            self._target_bits = bits
        return self._target
