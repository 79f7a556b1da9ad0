"""A payment's block leaves the chain, comes back, or lies in a chain that is not fit to act on."""

from payments_on_chain import Block, block_with, payment
from scripted_bridge import NETWORK, opened, request

from lightclient.errors import AlreadyActed, BadMessage, HeaderNotInChain
from lightclient.limits import MAX_ACTED_WATCHED
from lightclient.messages import EVENT_CONFIRMED, EVENT_TAKEN_BACK, TIP, VERDICT, WATCH


def paid(confirmations, headers=6, **options):
    client, bridge, miner = opened(headers, [request(1, confirmations=confirmations)], **options)
    fork = miner.fork()
    block = block_with(miner)
    bridge.block(block)
    bridge.send_proof(1, block.proof)
    return client, bridge, miner, block, fork


def test_taken_back_and_asked_for_again():
    client, bridge, _, _, fork = paid(3)
    bridge.heard = []
    bridge.mined(fork, 2, salt=4)
    assert bridge.kinds(EVENT_TAKEN_BACK) == [(EVENT_TAKEN_BACK, 1, 0)]
    assert [values[0] for values in bridge.take(WATCH)] == [1]
    bridge.mined(fork, 5)
    assert bridge.kinds(EVENT_CONFIRMED) == []
    assert 1 in client.book.requests


def test_the_same_payment_mined_again():
    """Before it was acted on: it counts anew. After: it is not acted on again."""
    for confirmations in (2, 1):
        client, bridge, _, block, fork = paid(confirmations)
        again = Block(fork, payment(), 600, 9)
        assert again.txid == block.txid and again.block_hash != block.block_hash
        tail = fork.fork()
        bridge.block(again, best_height=8)
        bridge.mined(tail, 1, best_height=8)  # the branch has more work now, in two batches: it is fetched again
        bridge.block(again, best_height=8)
        bridge.mined(fork, 1, salt=0)
        assert client.chain.tip_height == 8 and client.chain.has_block(7, again.block_hash)
        taken_back = bridge.kinds(EVENT_TAKEN_BACK)
        bridge.take(VERDICT)
        bridge.send_proof(1, again.proof)
        code = bridge.take(VERDICT)[-1][1]
        if confirmations == 2:
            assert taken_back == [(EVENT_TAKEN_BACK, 1, 0)] and code == 0
            assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 2)]
        else:
            # the relay has moved: it is told, and that is all
            assert taken_back == [(EVENT_TAKEN_BACK, 1, 0)] and code == BadMessage.code
            client.wait_for(request(1, confirmations=1, from_height=0))
            bridge.send_proof(1, again.proof)
            assert bridge.take(VERDICT)[-1][1] == AlreadyActed.code
            assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 1)]


def test_a_payment_acted_on_is_taken_back_once_and_never_acted_on_again():
    client, bridge, miner, block, fork = paid(2)
    bridge.mined(miner, 1)
    assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 2)] and bridge.kinds(EVENT_TAKEN_BACK) == []
    bridge.heard = []
    told = []
    report = client.book._report
    client.book._report = lambda *event: (told.append(event), report(*event))
    bridge.mined(fork, 3, salt=4)
    assert [event[:3] for event in told] == [(EVENT_TAKEN_BACK, 1, block.txid)]
    assert told[0][5].startswith("already acted on")
    assert bridge.take(WATCH) == []
    bridge.mined(fork, 5)
    assert len(bridge.kinds(EVENT_TAKEN_BACK)) == 1 and len(bridge.kinds(EVENT_CONFIRMED)) == 1


def test_payments_acted_on_are_looked_after_in_the_window_alone_and_not_without_end():
    client, bridge, miner = opened(3)
    for salt in range(MAX_ACTED_WATCHED + 2):
        if salt == 2:
            fork = miner.fork()
        client.book._acted.count = 0  # there is room
        client.wait_for(request(salt, confirmations=1))
        block = block_with(miner, salt=salt + 1)
        bridge.block(block)
        bridge.send_proof(salt, block.proof)
    assert len(bridge.kinds(EVENT_CONFIRMED)) == MAX_ACTED_WATCHED + 2
    assert len(client.book._acted_on) == MAX_ACTED_WATCHED
    bridge.events = []
    bridge.mined(fork, 12, salt=5)
    assert len(bridge.kinds(EVENT_TAKEN_BACK)) == MAX_ACTED_WATCHED and client.book._acted_on == []
    client.wait_for(request(1, confirmations=1))
    block = block_with(fork, salt=77)
    bridge.block(block)
    client.book._acted.count = 0
    bridge.send_proof(1, block.proof)
    assert len(client.book._acted_on) == 1
    while client.chain.store.first_height <= block.height + 1:
        bridge.mined(fork, 16)
        bridge.events = []
    assert client.book._acted_on == [] and bridge.kinds(EVENT_TAKEN_BACK) == []


def test_a_promised_branch_holds_everything_back():
    client, bridge, miner, block, fork = paid(2)
    parent = fork.state.block_hash
    first = fork.batch(1, salt=4)
    middle = fork.state.block_hash
    second = fork.batch(3, salt=4)
    bridge.time = fork.state.time + 60
    bridge.tell_time()
    bridge.headers(6, parent, first, best_height=0)
    bridge.headers(7, middle, second, best_height=0)
    assert client.chain.tip_height == 6 and bridge.kinds(EVENT_TAKEN_BACK) == [(EVENT_TAKEN_BACK, 1, 0)]
    bridge.take(VERDICT)
    bridge.send_proof(1, block.proof)
    assert bridge.take(VERDICT)[-1][1] == HeaderNotInChain.code
    # the old chain comes again: the payment is in it, but 10 blocks are promised
    bridge.headers(6, parent, bytearray(block.header), best_height=0)
    bridge.send_proof(1, block.proof)
    assert bridge.take(VERDICT)[-1][1] == 0
    bridge.mined(miner, 2, best_height=0)
    bridge.turn()
    assert client.chain.confirmations(block.height) == 3 and bridge.kinds(EVENT_CONFIRMED) == []
    assert "NotSynced" in client.book.held_back
    bridge.mined(miner, 1, best_height=0)
    assert client.chain.tip_height == 10 and bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 4)]


def test_nothing_is_acted_on_in_the_call_that_takes_the_block_away():
    client, bridge, miner, _, fork = paid(2)
    bridge.mined(miner, 1, best_height=99)  # deep enough, but the bridge knows more
    assert bridge.kinds(EVENT_CONFIRMED) == []
    bridge.mined(fork, 3, salt=4)  # READY again, and the payment gone
    assert bridge.kinds(EVENT_CONFIRMED) == [] and len(bridge.kinds(EVENT_TAKEN_BACK)) == 1
    assert client.chain.state.block_hash == fork.state.block_hash


def test_not_enough_work_and_stale_tips_hold_back():
    network = NETWORK.replay(1 << 200)
    client, bridge, miner, _, _ = paid(1, network=network)
    bridge.mined(miner, 3)
    assert bridge.kinds(EVENT_CONFIRMED) == [] and "NotEnoughWork" in client.book.held_back
    client, bridge, miner, _, _ = paid(2)
    bridge.say(TIP, 7, client.chain.state.block_hash, miner.state.time + NETWORK.max_tip_age + 700)
    bridge.mined(miner, 1)
    assert bridge.kinds(EVENT_CONFIRMED) == [] and "StaleTip" in client.book.held_back
    bridge.mined(miner, 1, step=NETWORK.max_tip_age)
    assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 3)]


def test_a_bridge_without_a_clock_has_nothing_acted_on():
    client, bridge, miner, _, _ = paid(1)
    client.clock.__init__()
    assert bridge.kinds(EVENT_CONFIRMED) != []  # with a clock it was
    client, bridge, miner = opened(0, [request(1, confirmations=1)])
    client.clock.__init__()
    bridge.time = 0
    block = block_with(miner)
    bridge.headers(0, block.header[4:36], bytearray(block.header))
    bridge.send_proof(1, block.proof)
    bridge.turn()
    assert bridge.kinds(EVENT_CONFIRMED) == [] and "no clock" in client.book.held_back


def test_nothing_is_acted_on_without_a_session():
    client, bridge, miner, _, _ = paid(2)
    bridge.mined(miner, 1, best_height=99)
    client.best_height = 0  # even so
    client.end_session()
    for ms in range(10):
        client.tick(bridge.now_ms + ms)
    assert not client.is_open and [e for e in client._events if e[0] == EVENT_CONFIRMED] == []
