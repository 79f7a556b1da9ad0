"""Branches and reorgs through the client."""

from scripted_bridge import last_locator, opened
from support import raises

from lightclient.errors import NotSynced, ReorgTooDeep
from lightclient.messages import REFUSED, STATE_READY, STATE_WAITING


def test_branches_with_less_equal_and_more_work_in_one_batch():
    for count, wins in ((2, False), (3, False), (4, True)):
        client, bridge, miner = opened(10)
        fork = miner.fork()
        bridge.mined(miner, 3)
        bridge.heard = []
        bridge.mined(fork, count, salt=5, best_height=13)
        assert (client.chain.state.block_hash == fork.state.block_hash) == wins
        assert client.chain.tip_height == (14 if wins else 13)
        asked = last_locator(bridge)
        if wins:
            assert asked is None and client.state == STATE_READY
        else:
            # it asks for what follows on the branch; a bridge that has no more says so, and that is all
            assert asked[0] == (10 + count, fork.state.block_hash) and asked[1][0] == 13
            bridge.headers(10 + count, fork.state.block_hash, b"", best_height=13)
            assert last_locator(bridge) is None
            client.chain.require_ready(bridge.time, client.best_height)


def test_a_branch_in_several_batches():
    client, bridge, miner = opened(10)
    fork = miner.fork()
    bridge.mined(miner, 14)
    first = (10, fork.state.block_hash, fork.batch(12, salt=5))
    second = (22, fork.state.block_hash, fork.batch(12, salt=5))
    bridge.headers(*first, best_height=34)
    assert client.chain.tip_height == 24
    assert last_locator(bridge)[0] == (22, second[1])
    bridge.headers(*second, best_height=34)
    # it has won: the chain stands at the fork, and is not fit to act on whatever the bridge says
    assert client.chain.tip_height == 10 and last_locator(bridge)[0] == (10, first[1])
    bridge.headers(*first, best_height=0)
    assert client.chain.tip_height == 22 and client.state == STATE_WAITING
    raises(NotSynced, client.chain.require_ready, client.chain.state.time)
    bridge.time = fork.state.time + 60
    bridge.tell_time()
    bridge.headers(*second, best_height=34)
    assert client.chain.state.block_hash == fork.state.block_hash and client.state == STATE_READY


def test_promised_work_that_never_comes_ends_when_the_old_chain_has_outgrown_it():
    client, bridge, miner = opened(10)
    fork = miner.fork()
    parent = fork.state.block_hash
    old = bridge.mined(miner, 5)
    batch = fork.batch(4, salt=5)
    bridge.headers(10, parent, batch)
    bridge.headers(14, fork.state.block_hash, fork.batch(4, salt=5), best_height=10)
    bridge.turn()
    assert client.chain.tip_height == 10 and client.state == STATE_WAITING  # 18 were promised
    client.end_session()
    bridge.turn(1000)
    bridge.greet(best_height=15)
    bridge.headers(10, parent, old, best_height=15)
    assert client.chain.state.block_hash == miner.state.block_hash and client.state == STATE_WAITING
    bridge.mined(miner, 2)
    assert client.chain.tip_height == 17 and client.state == STATE_WAITING
    bridge.mined(miner, 1)
    assert client.chain.tip_height == 18 and client.state == STATE_READY


def test_a_fork_guessed_too_low_is_found():
    client, bridge, miner = opened(40)
    fork = miner.fork()
    bridge.mined(miner, 3)
    trunk = client.chain
    low = bytearray(0)
    record = bytearray(80)
    for height in range(31, 41):
        trunk.store.read_into(height, record, 0)
        low += record
    parent = trunk.block_hash_at(30)
    bridge.headers(30, parent, low, best_height=45)  # our own headers, so far
    assert last_locator(bridge)[0] == (40, fork.state.block_hash)
    branch = fork.batch(5, salt=5)
    bridge.headers(30, parent, low + branch, best_height=45)
    assert client.chain.state.block_hash == fork.state.block_hash and client.chain.reorg_depth == 3


def test_a_reorg_below_the_window_is_refused():
    client, bridge, miner = opened()
    old = miner.fork()
    for _ in range(16):
        bridge.mined(miner, 16)
    bridge.take(REFUSED)
    assert client.chain.store.base_height >= client.chain.store.first_height - 1
    bridge.headers(0, old.state.block_hash, old.batch(15, salt=5))
    assert bridge.take(REFUSED)[0][0] == ReorgTooDeep.code
    assert client.chain.state.block_hash == miner.state.block_hash
