from mining import Miner, trivial_network
from support import cases

from lightclient.headers.difficulty import UNKNOWN, expected_bits, is_permitted_retarget, retarget
from lightclient.headers.state import ChainState
from lightclient.params import MAINNET, REGTEST, TESTNET3, TESTNET4


def test_413_real_retargets_and_the_cases_of_core():
    seen = 0
    for case in cases("vectors/retarget_and_pow.json", "cases"):
        seen += 1
        bits = int(case["bits"], 16)
        expected = int(case["expected_bits"], 16)
        assert retarget(MAINNET, bits, case["first_time"], case["last_time"]) == expected
        assert is_permitted_retarget(MAINNET, bits, expected)
        if "also_invalid_transition" in case:
            assert not is_permitted_retarget(MAINNET, bits, int(case["also_invalid_transition"], 16))
    assert seen == 417


def state_at(height, time=1_000_000, bits=0x1C00FFFF, normal_bits=0x1C00FFFF, first_time=1000, first_bits=0x1C00FFFF):
    state = ChainState()
    state.height = height
    state.time = time
    state.bits = bits
    state.normal_bits = normal_bits
    state.epoch_first_time = first_time
    state.epoch_first_bits = first_bits
    return state


def test_bits_stay_inside_an_epoch():
    assert expected_bits(MAINNET, state_at(5000), 1_000_001) == 0x1C00FFFF
    assert expected_bits(MAINNET, state_at(5000), 1_900_001) == 0x1C00FFFF


def test_twenty_minute_rule_of_the_testnets():
    after_exception = state_at(5000, bits=0x1D00FFFF)
    for network in (TESTNET3, TESTNET4):
        assert expected_bits(network, state_at(5000), 1_001_200) == 0x1C00FFFF  # exactly 20 minutes: not yet
        assert expected_bits(network, state_at(5000), 1_001_201) == 0x1D00FFFF
        assert expected_bits(network, after_exception, 1_001_200) == 0x1C00FFFF
    assert expected_bits(MAINNET, state_at(5000), 1_001_201) == 0x1C00FFFF


def test_testnet3_retargets_from_the_last_bits_and_bip94_from_the_first():
    timespan = 14 * 24 * 3600
    state = state_at(4031, time=1000 + timespan, bits=0x1D00FFFF, first_time=1000)
    assert expected_bits(TESTNET3, state, 0) == 0x1D00FFFF  # the exception resets the difficulty
    assert expected_bits(TESTNET4, state, 0) == 0x1C00FFFF


def test_regtest_never_retargets():
    state = state_at(4031, time=1001, bits=0x207FFFFF, first_time=1000)
    assert expected_bits(REGTEST, state, 0) == 0x207FFFFF


def test_what_lies_before_the_anchor_is_unknown():
    assert expected_bits(MAINNET, state_at(4031, first_time=0), 0) == UNKNOWN
    assert expected_bits(TESTNET4, state_at(4031, first_bits=0), 0) == UNKNOWN
    assert expected_bits(TESTNET3, state_at(5000, normal_bits=0), 1_000_001) == UNKNOWN
    assert expected_bits(TESTNET3, state_at(5000, normal_bits=0), 1_001_201) == 0x1D00FFFF


def test_retarget_never_passes_the_limit():
    network = trivial_network()
    miner = Miner(network)
    state = miner.state
    state.height = 2015
    state.time = state.epoch_first_time + 10 * network.target_timespan
    assert expected_bits(network, state, 0) == network.pow_limit_bits
