from mining import START_TIME, Miner, trivial_network
from support import raises

from lightclient.errors import (
    BadProofOfWork,
    CheckpointMismatch,
    LightClientError,
    LimitExceeded,
    TrailingData,
    TruncatedInput,
    WrongNetwork,
    WrongStoreVersion,
)
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint, encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import EPOCH, MAX_HEIGHT
from lightclient.params import MAINNET

NOW = START_TIME + 10 * 365 * 86400
NETWORK = trivial_network("trivial-testnet", allow_min_difficulty=True)


def test_going_on_from_a_checkpoint_equals_going_on():
    miner = Miner(NETWORK)
    for stop in (0, 1, 5, 11, 30):
        rules = HeaderRules(NETWORK)
        rules.begin_at_genesis(NETWORK.genesis_header, 0)
        miner = Miner(NETWORK)
        rules.extend(miner.batch(stop), 0, stop, NOW)
        data = encode_checkpoint(NETWORK, rules.state)
        resumed = HeaderRules(NETWORK)
        decode_checkpoint(NETWORK, data, resumed.state)
        assert encode_checkpoint(NETWORK, resumed.state) == data
        rest = miner.batch(40)
        resumed.extend(rest, 0, 40, NOW)
        rules.extend(rest, 0, 40, NOW)
        assert encode_checkpoint(NETWORK, resumed.state) == encode_checkpoint(NETWORK, rules.state)
        assert resumed.unverified == {}


def test_a_checkpoint_of_an_anchor_keeps_what_is_unknown():
    miner = Miner(NETWORK)
    miner.batch(50)
    buffer = miner.batch(20)
    rules = HeaderRules(NETWORK)
    rules.begin_at_anchor(buffer, 0, 51, NOW)
    resumed = HeaderRules(NETWORK)
    decode_checkpoint(NETWORK, encode_checkpoint(NETWORK, rules.state), resumed.state)
    resumed.extend(buffer, 80, 19, NOW)
    assert not resumed.state.complete and resumed.unverified["median_time_past"] == 10


def test_lies_are_refused():
    miner = Miner(NETWORK)
    miner.batch(30)
    state = ChainState()
    data = encode_checkpoint(NETWORK, miner.state)
    raises(WrongNetwork, decode_checkpoint, MAINNET, data, state)
    raises(TrailingData, decode_checkpoint, NETWORK, data + b"\0", state)
    raises(TruncatedInput, decode_checkpoint, NETWORK, data[:-1], state)
    for head in (data[:2], b"\xb1\0"):  # a later version may have more fields
        raises(WrongStoreVersion, decode_checkpoint, NETWORK, head + b"\3" + data[3:], state)
    liar = ChainState()
    liar.copy_from(miner.state)
    liar.block_hash = b"\xff" * 32
    raises(BadProofOfWork, decode_checkpoint, NETWORK, encode_checkpoint(NETWORK, liar), state)
    liar.copy_from(miner.state)
    liar.complete = True
    liar.epoch_first_time = 0
    raises(CheckpointMismatch, decode_checkpoint, NETWORK, encode_checkpoint(NETWORK, liar), state)


def lie(network, state, **changes):
    """A checkpoint of `state` with these values changed, refused."""
    liar = ChainState()
    liar.copy_from(state)
    for name, value in changes.items():
        setattr(liar, name, value)
    return str(raises(CheckpointMismatch, decode_checkpoint, network, encode_checkpoint(network, liar), ChainState()))


def test_values_that_cannot_belong_together():
    plain = trivial_network()
    miner = Miner(plain)
    other = plain.pow_limit_bits - 1
    for height in (0, 30, EPOCH - 1, EPOCH, EPOCH + 1):
        while miner.state.height < height:
            miner.batch(min(48, height - miner.state.height), step=300)
        state = miner.state
        data = encode_checkpoint(plain, state)
        decode_checkpoint(plain, data, ChainState())
        lie(plain, state, normal_bits=other)
        lie(plain, state, epoch_first_bits=other)
        assert "less work" in lie(plain, state, chainwork=height)
        if height % EPOCH == 0:
            assert "begins an epoch" in lie(plain, state, epoch_first_time=state.time - 1)
            lie(plain, state, complete=False, epoch_first_bits=0)
        else:
            liar = ChainState()
            liar.copy_from(state)
            liar.epoch_first_time -= 1  # nothing in it shows that
            decode_checkpoint(plain, encode_checkpoint(plain, liar), ChainState())
    assert state.bits != plain.pow_limit_bits


def test_an_exceptions_bits_are_its_own():
    """Where a block of 20 minutes may have the lowest difficulty, it alone differs from the ordinary bits."""
    miner = Miner(NETWORK)
    for _ in range(EPOCH // 48):
        miner.batch(48, step=300)
    miner.batch(3, step=300)
    ordinary = ChainState()
    ordinary.copy_from(miner.state)
    assert ordinary.bits == ordinary.normal_bits != NETWORK.pow_limit_bits
    lie(NETWORK, ordinary, normal_bits=NETWORK.pow_limit_bits)
    miner.batch(1, step=1300)
    state = miner.state
    assert state.bits == NETWORK.pow_limit_bits != state.normal_bits
    decode_checkpoint(NETWORK, encode_checkpoint(NETWORK, state), ChainState())


def test_every_cut_and_every_flip_ends_in_an_error_of_ours_or_in_another_checkpoint():
    data = encode_checkpoint(NETWORK, accumulated(28)[0].state)
    state = ChainState()
    for i in range(len(data)):
        raises_ours(data[:i], state, True)
        raises_ours(data[:i] + bytes([data[i] ^ 0x41]) + data[i + 1 :], state, False)


def accumulated(headers):
    """Rules that stand so many headers above genesis, with the accumulator; and a miner at the same tip."""
    rules = HeaderRules(NETWORK)
    rules.begin_at_genesis(NETWORK.genesis_header, 0, Accumulator())
    miner = Miner(NETWORK)
    while headers:
        count = min(headers, 40)
        rules.extend(miner.batch(count), 0, count, NOW)
        headers -= count
    return rules, miner


def test_the_accumulator_comes_along():
    for headers in (0, 6, 7, 8, 100):
        rules, miner = accumulated(headers)
        data = encode_checkpoint(NETWORK, rules.state)
        resumed = HeaderRules(NETWORK)
        decode_checkpoint(NETWORK, data, resumed.state)
        assert resumed.state.accumulator.count == headers + 1
        assert encode_checkpoint(NETWORK, resumed.state) == data
        batch = miner.batch(30)
        rules.extend(batch, 0, 30, NOW)
        resumed.extend(batch, 0, 30, NOW)
        assert encode_checkpoint(NETWORK, resumed.state) == encode_checkpoint(NETWORK, rules.state)


def test_a_checkpoint_without_accumulator_takes_it_away():
    state = accumulated(20)[0].state
    without = ChainState()
    without.copy_from(state)
    without.accumulator = None
    data = encode_checkpoint(NETWORK, without)
    assert len(data) < len(encode_checkpoint(NETWORK, state))
    decode_checkpoint(NETWORK, data, state)
    assert state.accumulator is None


def test_lies_about_the_accumulator():
    rules = accumulated(29)[0]  # 30 hashes: peaks of 2 and 1 leaves, 6 hashes
    state = rules.state
    data = encode_checkpoint(NETWORK, state)
    peaks = state.accumulator.peaks()
    unfinished = state.accumulator.unfinished()
    head = data[: len(data) - 32 * 8 - 6]
    keys = [b"\x0b\x58", b"\x0c\x58"]
    assert data == head + keys[0] + b"\x40" + peaks + keys[1] + b"\xc0" + unfinished
    target = ChainState()
    for error_class, end in (
        (CheckpointMismatch, keys[0] + b"\x60" + peaks + bytes(32) + keys[1] + b"\xc0" + unfinished),
        (CheckpointMismatch, keys[0] + b"\x20" + peaks[:32] + keys[1] + b"\xc0" + unfinished),
        (CheckpointMismatch, keys[0] + b"\x40" + peaks + keys[1] + b"\xa0" + unfinished[32:]),
        (CheckpointMismatch, keys[0] + b"\x40" + peaks + keys[1] + b"\xc0" + unfinished[:-1] + b"\0"),
        (CheckpointMismatch, keys[0] + b"\x40" + peaks + b"\x0c\x40"),
        (TruncatedInput, keys[1] + b"\x40" + peaks + keys[0] + b"\xc0" + unfinished),
        (TruncatedInput, keys[0] + b"\x40" + peaks),
    ):
        raises(error_class, decode_checkpoint, NETWORK, head + end, target)
        assert target.height == -1 and target.accumulator is None
    state.complete = False  # an anchor knows no peaks
    raises(CheckpointMismatch, decode_checkpoint, NETWORK, encode_checkpoint(NETWORK, state), target)
    raises(LimitExceeded, decode_checkpoint, NETWORK, head + keys[0][:1] + b"\x59\x03\xa0" + bytes(928), target)


def test_the_largest_checkpoint_fits():
    network = trivial_network("n" * 40)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0, Accumulator())
    state = rules.state
    state.height = MAX_HEIGHT - 1
    state.times_known = 11
    state.accumulator.restore(MAX_HEIGHT, bytes(32 * 27), bytes(32 * 7))
    assert MAX_CHECKPOINT_SIZE - 64 < len(encode_checkpoint(network, state)) <= MAX_CHECKPOINT_SIZE


def raises_ours(data, state, must_fail):
    try:
        decode_checkpoint(NETWORK, data, state)
        assert not must_fail
    except LightClientError:
        pass
