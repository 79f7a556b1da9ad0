from mining import Miner, trivial_network

from lightclient.headers.state import ChainState
from lightclient.params import MAINNET

NETWORK = trivial_network()


def test_median_of_odd_and_even_counts():
    state = ChainState()
    assert state.median_time_past() == 0
    for height, time in enumerate((50, 10, 40, 20, 30)):
        state.height = height
        state.times[height] = time
        state.times_known = height + 1
    assert state.median_time_past() == 30
    state.times_known = 4  # 10, 40, 20, 30: the upper of the middle two, as Core takes it
    assert state.median_time_past() == 30


def test_a_run_is_absorbed_like_single_headers():
    miner = Miner(NETWORK)
    miner.batch(3)
    for count in (1, 5, 11, 40):
        one = ChainState()
        one.copy_from(miner.state)
        run = ChainState()
        run.copy_from(miner.state)
        batch = miner.batch(count)
        for i in range(count):
            one.absorb(NETWORK, batch, 80 * i, b"\1" * 32)
        run.absorb_run(NETWORK, batch, 0, count, b"\1" * 32)
        for name in ("height", "block_hash", "time", "bits", "times", "times_known", "normal_bits", "chainwork"):
            assert getattr(one, name) == getattr(run, name), name


def test_genesis_state():
    state = ChainState()
    state.absorb(MAINNET, MAINNET.genesis_header, 0, bytes(32))
    assert state.height == 0 and state.chainwork == 0x100010001 and state.times_complete()
    assert state.epoch_first_time == state.time == 1231006505
