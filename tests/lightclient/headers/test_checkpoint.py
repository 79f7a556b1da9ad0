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
)
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
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
    raises(LimitExceeded, decode_checkpoint, NETWORK, data[:2] + b"\3" + data[3:], state)
    liar = ChainState()
    liar.copy_from(miner.state)
    liar.block_hash = b"\xff" * 32
    raises(BadProofOfWork, decode_checkpoint, NETWORK, encode_checkpoint(NETWORK, liar), state)
    liar.copy_from(miner.state)
    liar.complete = True
    liar.epoch_first_time = 0
    raises(CheckpointMismatch, decode_checkpoint, NETWORK, encode_checkpoint(NETWORK, liar), state)


def test_every_cut_and_every_flip_ends_in_an_error_of_ours_or_in_another_checkpoint():
    miner = Miner(NETWORK)
    miner.batch(15)
    data = encode_checkpoint(NETWORK, miner.state)
    state = ChainState()
    for i in range(len(data)):
        raises_ours(data[:i], state, True)
        raises_ours(data[:i] + bytes([data[i] ^ 0x41]) + data[i + 1 :], state, False)


def raises_ours(data, state, must_fail):
    try:
        decode_checkpoint(NETWORK, data, state)
        assert not must_fail
    except LightClientError:
        pass
