"""HeaderRules against a slow and plain telling of Core's rules, on chains that hypothesis makes up.

Epochs are 12 blocks here instead of 2016, so that a short chain sees many retargets.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mining import START_TIME, mine, trivial_network

import lightclient.headers.difficulty as difficulty_module
import lightclient.headers.rules as rules_module
import lightclient.headers.state as state_module
from lightclient.errors import (
    BadLink,
    BadProofOfWork,
    BadVersion,
    LightClientError,
    MalformedBits,
    TimeTooNew,
    TimeTooOld,
    TimeWarp,
    WrongBits,
)
from lightclient.hashes import hash256
from lightclient.headers.rules import HeaderRules
from lightclient.params import Network

EPOCH = 12
SPACING = 600
TIMESPAN = EPOCH * SPACING
# Harder than the limit of the other mined tests, so that bits can go both ways, and cheap to mine.
LIMIT_BITS = 0x207FFFFF
LIMIT = 0x7FFFFF << 8 * (0x20 - 3)
Refusal = type[LightClientError]


@pytest.fixture(autouse=True, scope="module")
def _short_epochs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (rules_module, difficulty_module, state_module):
            patch.setattr(module, "EPOCH", EPOCH)
        yield


def network_of(kind: str) -> Network:
    network = {
        "full": lambda: trivial_network("full", bip34_height=20, bip66_height=30, bip65_height=40),
        "testnet3": lambda: trivial_network("t3", allow_min_difficulty=True, bip34_height=15, bip66_height=25),
        "testnet4": lambda: trivial_network("t4", allow_min_difficulty=True, bip94=True),
        "regtest": lambda: trivial_network("reg", allow_min_difficulty=True, retargets=False),
    }[kind]()
    network.target_timespan = TIMESPAN
    return network


KINDS = ("full", "testnet3", "testnet4", "regtest")


# --- Core, told plainly ---


@dataclass
class Plain:
    """All headers of a chain, each as (time, bits, hash); what Core's functions say about the next one."""

    network: Network
    headers: list[tuple[int, int, bytes]] = field(default_factory=list)
    work: int = 0

    def add(self, raw: bytes) -> None:
        _, _, _, time, bits, _ = struct.unpack("<i32s32sIII", raw)
        self.headers.append((time, bits, hash256(raw)))
        self.work += (1 << 256) // (self.target(bits) + 1)

    @staticmethod
    def target(bits: int) -> int:
        exponent, mantissa = bits >> 24, bits & 0x7FFFFF
        return mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)

    @staticmethod
    def compact(target: int) -> int:
        size = (target.bit_length() + 7) // 8
        mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
        if mantissa & 0x800000:
            mantissa, size = mantissa >> 8, size + 1
        return size << 24 | mantissa

    def median_time_past(self) -> int:
        times = sorted(time for time, _, _ in self.headers[-11:])
        return times[len(times) // 2]

    def next_bits(self, time: int) -> int:
        """GetNextWorkRequired, CalculateNextWorkRequired."""
        network = self.network
        last = len(self.headers) - 1
        last_time, last_bits, _ = self.headers[last]
        if (last + 1) % EPOCH:
            if network.allow_min_difficulty:
                if time > last_time + 2 * SPACING:
                    return LIMIT_BITS
                index = last
                while index > 0 and index % EPOCH and self.headers[index][1] == LIMIT_BITS:
                    index -= 1
                return self.headers[index][1]
            return last_bits
        if not network.retargets:
            return last_bits
        first_time, first_bits, _ = self.headers[last - (EPOCH - 1)]
        actual = min(max(last_time - first_time, TIMESPAN // 4), TIMESPAN * 4)
        base = first_bits if network.bip94 else last_bits
        return self.compact(min(self.target(base) * actual // TIMESPAN, LIMIT))

    def judge(self, raw: bytes, now: int) -> Refusal | None:
        """CheckBlockHeader and ContextualCheckBlockHeader, in their order; the link first."""
        version, prev, _, time, bits, _ = struct.unpack("<i32s32sIII", raw)
        height = len(self.headers)
        network = self.network
        if prev != self.headers[-1][2]:
            return BadLink
        overflow = bits >> 24 > 34 or (bits >> 24 > 33 and bits & 0x7FFFFF > 0xFF)
        overflow = overflow or (bits >> 24 > 32 and bits & 0x7FFFFF > 0xFFFF)
        if bits & 0x800000 or overflow or self.target(bits) == 0 or self.target(bits) > LIMIT:
            return MalformedBits
        if int.from_bytes(hash256(raw), "little") > self.target(bits):
            return BadProofOfWork
        if bits != self.next_bits(time):
            return WrongBits
        if time <= self.median_time_past():
            return TimeTooOld
        if network.bip94 and height % EPOCH == 0 and time < self.headers[-1][0] - 600:
            return TimeWarp
        if now and time > now + 7200:
            return TimeTooNew
        if (
            (version < 2 and height >= network.bip34_height)
            or (version < 3 and height >= network.bip66_height)
            or (version < 4 and height >= network.bip65_height)
        ):
            return BadVersion
        return None


# --- headers, good and bad ---

# What a header does: how far its time is from the header before (or from a limit), bits, version, damage.
STEPS = st.one_of(
    st.sampled_from([60, 60, 100, 100, 300, 300, 600, 600, 1199, 1200, 1201, 6000]),
    st.sampled_from([60, 60, 100, 300, 300, 300, "edge", "edge"]),
    st.sampled_from([1, 0, -1, -599, -600, -601, -3000, 100_000, "mtp", "mtp+1", "now", "now+1"]),
)
HEADERS = st.tuples(
    STEPS,
    st.sampled_from(["right"] * 20 + ["limit", "last", "last", "harder", "sign", "easier"]),
    st.sampled_from([4] * 8 + [1, 2, 3, -1, 0x20000000, 0x7FFFFFFF]),
    st.sampled_from([""] * 15 + ["link", "work"]),
)


def build(plain: Plain, what: tuple[int | str, str, int, str], now: int, salt: int) -> bytes:
    step, bits_kind, version, damage = what
    last_time = plain.headers[-1][0]
    if step == "mtp":
        time = plain.median_time_past()
    elif step == "mtp+1":
        time = plain.median_time_past() + 1
    elif step == "edge":  # around BIP94's 600 s at the start of an epoch, and the 20 minutes elsewhere
        place = len(plain.headers) % EPOCH
        near = salt % 3 - 1
        time = last_time + (3000 if place == EPOCH - 1 else near - 600 if place == 0 else 1200 + near)
    elif isinstance(step, str):
        time = min(now + 7200 + (step == "now+1"), last_time + 20_000) if now else last_time + 600
    else:
        time = last_time + step
    right = plain.next_bits(time)
    bits = {
        "right": right,
        "limit": LIMIT_BITS,
        "last": plain.next_bits(last_time + 1),
        "harder": plain.compact(plain.target(right) // 2),
        "easier": 0x2100FFFF,
        "sign": right | 0x800000,
    }[bits_kind]
    mined_bits = bits if not bits & 0x800000 and plain.target(bits) <= LIMIT else LIMIT_BITS
    raw = bytearray(80)
    mine(raw, 0, plain.headers[-1][2], time, mined_bits, plain.network, version, salt)
    struct.pack_into("<I", raw, 72, bits)
    if damage == "link":
        raw[4] ^= 1
    if damage == "work":
        nonce = 0
        while int.from_bytes(hash256(bytes(raw)), "little") <= plain.target(mined_bits) and nonce < 200:
            nonce += 1
            struct.pack_into("<I", raw, 76, nonce)
    return bytes(raw)


def same_state(rules: HeaderRules, plain: Plain) -> None:
    state = rules.state
    time, bits, found = plain.headers[-1]
    assert (state.height, state.block_hash, state.time, state.bits) == (len(plain.headers) - 1, found, time, bits)
    assert state.chainwork == plain.work
    assert state.median_time_past() == plain.median_time_past()
    assert state.epoch_first_time == plain.headers[state.height - state.height % EPOCH][0]


def begun(kind: str) -> tuple[Plain, HeaderRules]:
    network = network_of(kind)
    plain = Plain(network)
    plain.add(network.genesis_header)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0)
    return plain, rules


@given(st.sampled_from(KINDS), st.lists(HEADERS, min_size=1, max_size=90), st.data())
@settings(max_examples=250, deadline=None)
def test_the_same_headers_are_accepted_and_refused_as_by_core(
    kind: str, wanted: list[tuple[int | str, str, int, str]], data: st.DataObject
) -> None:
    plain, rules = begun(kind)
    has_clock = data.draw(st.booleans())
    batch = b""
    size = data.draw(st.integers(1, 40))
    fill = False
    for number, what in enumerate(wanted):
        now = plain.headers[-1][0] + 50_000 if has_clock else 0
        if has_clock and number % 7 == 0:
            now = plain.headers[-1][0] - 7000
        raw = build(plain, what, now, number & 0xFF)
        refusal = plain.judge(raw, now)
        if refusal is None:
            plain.add(raw)
            batch += raw
            # a clock that no header of this batch can offend, for the flush of good ones
            if len(batch) // 80 >= size:
                extend(rules, plain, batch, has_clock, fill)
                batch = b""
                fill = not fill
            continue
        # the good ones together with the bad one: the error is the bad one's, at its height
        buffer = bytearray(batch + raw)
        if refusal is TimeTooNew or now < plain.headers[-1][0] + 50_000:
            extend(rules, plain, batch, has_clock, False)
            buffer = bytearray(raw)
        with pytest.raises(LightClientError) as caught:
            rules.extend(buffer, 0, len(buffer) // 80, now)
        assert type(caught.value) is refusal, (kind, len(plain.headers), what)
        assert caught.value.height == len(plain.headers)
        batch = b""
        same_state(rules, plain)
    extend(rules, plain, batch, has_clock, fill)
    same_state(rules, plain)
    assert set(rules.unverified) <= (set() if has_clock else {"future_time"})


def extend(rules: HeaderRules, plain: Plain, batch: bytes, has_clock: bool, fill: bool) -> None:
    buffer = bytearray(batch)
    if fill:
        for i in range(0, len(buffer), 80):
            buffer[i + 4 : i + 36] = b"\xee" * 32
    rules.extend(buffer, 0, len(buffer) // 80, plain.headers[-1][0] + 1_000_000 if has_clock else 0, fill)
    assert bytes(buffer) == batch  # with the links filled in, byte for byte


GOOD = st.lists(st.sampled_from([1, 60, 600, 600, 600, 601, 1200, 1201, 3000, -300]), min_size=72, max_size=90)


def good_chain(plain: Plain, steps: list[int]) -> list[bytes]:
    chain = []
    for number, step in enumerate(steps):
        time = max(plain.headers[-1][0] + step, plain.median_time_past() + 1)
        if plain.network.bip94:
            time = max(time, plain.headers[-1][0] - 600)
        raw = bytearray(80)
        mine(raw, 0, plain.headers[-1][2], time, plain.next_bits(time), plain.network, 4, number & 0xFF)
        assert plain.judge(bytes(raw), 0) is None
        plain.add(bytes(raw))
        chain.append(bytes(raw))
    return chain


@given(st.sampled_from(KINDS), GOOD, st.integers(1, 45), st.integers(1, 40), HEADERS)
@settings(max_examples=120, deadline=None)
def test_an_anchor_refuses_nothing_that_is_good_and_learns_the_rest(
    kind: str, steps: list[int], anchor: int, size: int, bad: tuple[int | str, str, int, str]
) -> None:
    plain, _ = begun(kind)
    chain = good_chain(plain, steps)
    rules = HeaderRules(plain.network)
    rules.begin_at_anchor(chain[anchor - 1], 0, anchor, 0)
    rest = chain[anchor:]
    for start in range(0, len(rest), size):
        part = rest[start : start + size]
        rules.extend(bytearray(b"".join(part)), 0, len(part), 0)
    state = rules.state
    assert (state.height, state.block_hash, state.bits) == (len(chain), plain.headers[-1][2], plain.headers[-1][1])
    assert state.median_time_past() == plain.median_time_past()
    work = sum((1 << 256) // (plain.target(bits) + 1) for _, bits, _ in plain.headers[anchor:])
    assert state.chainwork == work and not state.complete
    # each omission is counted: the anchor's own median and those of the ten after it
    assert rules.unverified["link"] == 1 and rules.unverified["median_time_past"] == 11
    assert rules.unverified.get("retarget", 0) <= 1
    # two epoch borders later nothing is missing any more: it judges as one who has seen everything
    border = (anchor + EPOCH - 1) // EPOCH * EPOCH + EPOCH
    assert len(chain) > border
    before = dict(rules.unverified)
    raw = build(plain, bad, 0, 7)
    refusal = plain.judge(raw, 0)
    try:
        rules.extend(bytearray(raw), 0, 1, 0)
        found = None
    except LightClientError as error:
        found = type(error)
    assert found is refusal
    before["future_time"] = rules.unverified["future_time"]
    assert rules.unverified == before


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(0, 10))
def test_a_time_above_one_that_passed_its_own_check_passes_too(steps: list[int], backwards: int) -> None:
    """The claim that `ordinary_headers` rests on, of any times that the median rule allows."""
    times = [START_TIME]
    for number, step in enumerate(steps):
        median = sorted(times[-11:])[len(times[-11:]) // 2]
        checked = len(times) > 1
        # sometimes as far back as is allowed, sometimes just above the header before
        time = median + 1 if number % 11 < backwards else times[-1] + step
        if checked and time > times[-1]:
            assert time > median
        times.append(max(time, median + 1))
