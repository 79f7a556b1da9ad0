"""Headers through the client: what a bridge can do with them, and what it cannot."""

from mining import START_TIME, Miner
from scripted_bridge import NETWORK, ScriptedBridge, last_locator, make_client, opened
from support import raises

from lightclient.errors import NotSynced, TimeTooNew
from lightclient.messages import (
    GET_HEADERS,
    HEADERS,
    PONG,
    REFUSED,
    STATE_READY,
    STATE_STOPPED,
    STATE_SYNCING,
    STATE_WAITING,
    STATUS,
    TIP,
)
from lightclient.session import QUIET_TIMEOUT


def test_a_chain_is_synced_batch_by_batch():
    client, bridge, miner = opened()
    bridge.mined(miner, 10, best_height=26)
    assert client.state == STATE_SYNCING and last_locator(bridge)[0] == (10, miner.state.block_hash)
    bridge.mined(miner, 16, best_height=26)
    assert client.state == STATE_READY and last_locator(bridge) is None
    assert client.chain.tip_height == 26 and client.headers_validated == 26
    assert client.chain.rules.unverified == {}


def test_a_tip_is_asked_about_once():
    _, bridge, miner = opened(5)
    for i in range(50):
        bridge.say(TIP, 6, bytes([i]) * 32, bridge.time)
    assert len(bridge.take(GET_HEADERS)) == 1
    bridge.mined(miner, 1)
    bridge.heard = []
    bridge.say(TIP, 6, miner.state.block_hash, bridge.time)
    assert bridge.take(GET_HEADERS) == []


def test_headers_without_headers_end_the_asking():
    client, bridge, _ = opened(5)
    for _ in range(20):
        bridge.headers(5, client.chain.state.block_hash, b"", best_height=99)
    assert bridge.take(GET_HEADERS) == [] and client.state == STATE_SYNCING
    raises(NotSynced, client.chain.require_ready, bridge.time, client.best_height)
    bridge.turn(QUIET_TIMEOUT + 1)
    assert len(bridge.take(GET_HEADERS)) == 1  # now and then it asks again
    # a count that is not that of the headers
    client, bridge, _ = opened(5)
    bridge.say(HEADERS, 5, client.chain.state.block_hash, 9, 3, b"")
    assert bridge.take(REFUSED)[0][0] == 0x11 and client.is_open and client.chain.tip_height == 5


def test_known_headers_count_nothing_and_end_where_the_bridge_ends():
    client, bridge, miner = opened()
    batch = bridge.mined(miner, 16)
    bridge.heard = []
    genesis = client.chain.block_hash_at(0)
    for _ in range(10):
        bridge.headers(0, genesis, batch, best_height=16)
        asked = last_locator(bridge)
        assert asked[0] == asked[1] == (16, miner.state.block_hash)
    bridge.headers(16, miner.state.block_hash, b"")
    assert last_locator(bridge) is None
    assert client.headers_validated == 16 and client.state == STATE_READY


def test_headers_of_another_parent():
    client, bridge, miner = opened(10)
    batch = miner.fork().batch(3)
    for height, parent in ((10, b"\x01" * 32), (11, miner.state.block_hash), (9, miner.state.block_hash)):
        bridge.headers(height, parent, batch)
        assert len(bridge.take(REFUSED)) == 1 and client.chain.tip_height == 10
    assert client.is_open and client.headers_validated == 10
    bridge.headers(10, miner.state.block_hash, batch)
    assert client.chain.tip_height == 13


def test_a_batch_whose_last_header_is_bad_changes_nothing():
    client, bridge, miner = opened(10)
    before = client.chain.state.block_hash
    spoilt = miner.fork().batch(12)
    spoilt[11 * 80 + 72] ^= 1  # bits
    bridge.headers(10, before, spoilt)
    refused = bridge.take(REFUSED)
    assert refused[0][:2] in ([0x23, 22], [0x25, 22])
    assert client.chain.state.block_hash == before and client.chain.store.tip_height == 10
    assert client.chain.rules.unverified == {} and client.headers_validated == 10
    assert client.state == STATE_WAITING
    bridge.mined(miner, 1)
    assert client.chain.tip_height == 11 and client.state == STATE_READY


def test_unverified_tells_of_the_chain_alone():
    client = make_client()
    bridge = ScriptedBridge(client)
    bridge.greet(time=0)  # no clock: future_time cannot be checked
    bridge.time = 0
    miner = Miner(NETWORK)
    fork = miner.fork()
    bridge.headers(0, miner.state.block_hash, miner.batch(6))
    assert client.chain.rules.unverified == {"future_time": 6}
    known = fork.state.block_hash
    for _ in range(3):
        bridge.headers(0, known, fork.fork().batch(5, salt=3))  # a branch that loses
        spoilt = miner.fork().batch(9)
        spoilt[8 * 80 + 72] ^= 1
        bridge.headers(6, miner.state.block_hash, spoilt)
    assert client.chain.rules.unverified == {"future_time": 6} and client.headers_validated == 6


def test_what_the_bridge_says_of_heights_and_time():
    client, bridge, miner = opened(10)
    # more blocks than there are: nothing is acted on
    bridge.say(TIP, 1 << 29, miner.state.block_hash, bridge.time)
    bridge.turn()
    assert client.state == STATE_SYNCING
    # fewer: our own headers count
    bridge.say(TIP, 3, miner.state.block_hash, bridge.time)
    bridge.turn()
    assert client.state == STATE_READY
    # time passes without blocks
    bridge.turn(1000 * NETWORK.max_tip_age)
    bridge.say(PONG, 0)
    assert client.now() - client.chain.state.time > NETWORK.max_tip_age
    bridge.turn()
    assert client.is_open and client.state == STATE_WAITING
    # a clock that is far too fast refuses for good
    bridge.say(TIP, 10, miner.state.block_hash, 0xFFFFFFFF)
    bridge.say(TIP, 10, miner.state.block_hash, miner.state.time + 60)
    assert client.now() >= 0xFFFFFFFF


def test_a_bridge_without_a_clock():
    client = make_client()
    bridge = ScriptedBridge(client)
    bridge.greet(time=0)
    miner = Miner(NETWORK)
    bridge.headers(0, miner.state.block_hash, miner.batch(5))
    assert client.now() == 0 and client.chain.tip_height == 5
    bridge.turn()
    assert client.state == STATE_WAITING
    # a clock that does not even reach the median-time-past is none
    bridge.say(TIP, 5, miner.state.block_hash, START_TIME + 600)
    assert client.now() == 0


def test_headers_that_a_clock_would_have_refused():
    client = make_client()
    bridge = ScriptedBridge(client)
    bridge.greet(time=0)
    miner = Miner(NETWORK)
    parent = miner.state.block_hash
    bridge.headers(0, parent, miner.batch(12) + miner.batch(1, step=50_000))
    assert client.chain.tip_height == 13
    bridge.say(TIP, 13, miner.state.block_hash, START_TIME + 12 * 600 + 60)
    assert client.now() > 0
    raises(TimeTooNew, client.chain.require_ready, client.now())
    bridge.turn()
    assert client.state == STATE_WAITING


def test_a_device_with_a_clock_lets_no_bridge_move_it():
    client, bridge, miner = opened(5)
    client.tick(0, miner.state.time)
    future = miner.fork()
    parent = future.state.block_hash
    batch = future.batch(1, step=100_000)
    bridge.say(TIP, 6, future.state.block_hash, future.state.time)
    bridge.headers(5, parent, batch)
    assert bridge.take(REFUSED)[0][0] == TimeTooNew.code and client.chain.tip_height == 5


def test_a_status_tells_of_the_tip():
    _, bridge, miner = opened(5)
    bridge.say(TIP, 6, b"\x01" * 32, bridge.time)
    assert bridge.take(STATUS)[-1][:2] == [STATE_SYNCING, 5]
    bridge.mined(miner, 1)
    status = bridge.take(STATUS)[-1]
    assert status[5] == ""
    assert status[:5] == [STATE_READY, 6, miner.state.block_hash, 6, 1000]


def test_a_replay_says_that_it_is_one():
    _, bridge, miner = opened(5, network=NETWORK.replay(1))
    bridge.mined(miner, 1)
    bridge.say(TIP, 7, b"\x01" * 32, bridge.time)
    assert [status[5] for status in bridge.take(STATUS)] != []
    _, bridge, miner = opened(0, network=NETWORK.replay(1))
    bridge.mined(miner, 1)
    assert bridge.take(STATUS)[-1][5] == "replay, not for money"


def test_headers_are_counted_once_in_a_reorg():
    client, bridge, miner = opened(5)
    fork = miner.fork()
    own = miner.batch(2)
    parent = fork.state.block_hash
    bridge.headers(5, parent, own)
    assert client.headers_validated == 7
    branch = fork.batch(1) + fork.batch(3, salt=7)
    bridge.headers(5, parent, branch)
    assert client.chain.tip_height == 9 and client.headers_validated == 7 + 3


def test_a_client_with_a_fault_touches_neither_chain_nor_payments():
    client, bridge, miner = opened(5)
    client.fault = "between two chains"
    bridge.heard = []
    bridge.mined(miner, 3)
    bridge.say(TIP, 9, bytes(32), bridge.time)
    bridge.turn(QUIET_TIMEOUT + 1)
    assert client.is_open and client.chain.tip_height == 5 and client.state == STATE_STOPPED
    assert bridge.take(GET_HEADERS) == []
    client.fault = ""  # the next test has the same client
