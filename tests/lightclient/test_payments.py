"""Payments through the client: each is acted on at most once."""

from payments_on_chain import AMOUNT, OTHER_SCRIPT, block_with, confirmed, paid, verdict
from scripted_bridge import make_client, opened, request
from support import raises

from lightclient.errors import (
    AlreadyActed,
    AmountTooLow,
    BadMessage,
    HeaderNotInChain,
    LimitExceeded,
    MerkleRootMismatch,
    NotThePayment,
    StoreFull,
    TrailingData,
    TruncatedInput,
)
from lightclient.limits import MAX_COUNT, MAX_REQUESTS
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    UNWATCH,
    VERDICT,
    WATCH,
)
from lightclient.spv.acted import ActedPayments
from lightclient.spv.payment import NOT_GIVEN


def test_a_payment_is_confirmed_once():
    client, bridge, miner, block, _ = paid([request(1, confirmations=3)])
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == 0 and bridge.kinds(EVENT_PAYMENT_SEEN) == [(EVENT_PAYMENT_SEEN, 1, 1)]
    assert confirmed(client, bridge) == []
    bridge.mined(miner, 1)
    bridge.send_proof(1, block.proof)  # again, before it is acted on
    assert verdict(bridge) == 0 and confirmed(client, bridge) == []
    bridge.mined(miner, 1)
    assert confirmed(client, bridge) == [1]
    for _ in range(3):
        bridge.mined(miner, 1)
        bridge.send_proof(1, block.proof)
        assert verdict(bridge) == BadMessage.code
        bridge.turn(1000)
    assert confirmed(client, bridge) == [1] and client.book.requests == {}


def test_blocks_that_a_failed_record_has_made_final_are_final():
    client, bridge, miner, block, _ = paid([request(1, confirmations=2)])
    bridge.send_proof(1, block.proof)
    acted = client.book._acted

    def add(*payment):
        acted.floor = 1
        raise StoreFull("no room")

    acted.add = add
    bridge.mined(miner, 1)
    assert confirmed(client, bridge) == [] and client.chain.floor == 1


def test_two_requests_for_one_output():
    client, bridge, miner, block, _ = paid([request(1, confirmations=2), request(2, confirmations=2)])
    bridge.send_proof(1, block.proof)
    bridge.send_proof(2, block.proof)
    assert verdict(bridge) == 0
    bridge.mined(miner, 1)
    assert len(confirmed(client, bridge)) == 1
    bridge.send_proof(2, block.proof)
    assert verdict(bridge) == AlreadyActed.code
    client.wait_for(request(1, confirmations=1, from_height=0))
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == AlreadyActed.code
    assert len(confirmed(client, bridge)) == 1


def test_what_is_not_the_payment():
    client, bridge, _, block, _ = paid([request(1, amount=AMOUNT + 1), request(2, OTHER_SCRIPT)])
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == AmountTooLow.code
    bridge.send_proof(2, block.proof)
    assert verdict(bridge) == NotThePayment.code
    bridge.send_proof(3, block.proof)
    assert verdict(bridge) == BadMessage.code
    forged = bytearray(block.proof)
    forged[-1] ^= 1
    bridge.send_proof(1, bytes(forged))
    assert verdict(bridge) == MerkleRootMismatch.code
    bridge.send_proof(1, block.proof[:-1])
    assert verdict(bridge) == TruncatedInput.code
    bridge.send_proof(1, block.proof + b"\x00")
    assert verdict(bridge) == TrailingData.code
    assert client.is_open and confirmed(client, bridge) == []


def test_a_request_that_is_met_while_another_proof_for_it_comes():
    client, bridge, miner, block, _ = paid([request(1, confirmations=2)])
    second = block_with(miner, salt=9)
    bridge.send_proof(1, block.proof)
    proof_id, sent = bridge.send_proof(1, block.proof, stop=200)
    bridge.block(second)
    assert confirmed(client, bridge) == [1]
    bridge.send_pieces(proof_id, block.proof, sent)
    assert verdict(bridge) == BadMessage.code
    # nor does another payment of it count
    client, bridge, miner, block, _ = paid([request(1, confirmations=2)])
    second = block_with(miner, salt=9)
    bridge.send_proof(1, block.proof)
    parent = miner.fork()
    bridge.block(second, best_height=99)  # NotSynced: nothing is acted on yet
    proof_id, sent = bridge.send_proof(1, second.proof, stop=200)
    bridge.mined(parent, 1)
    assert confirmed(client, bridge) == [1]
    bridge.send_pieces(proof_id, second.proof, sent)
    bridge.mined(parent, 3)
    assert confirmed(client, bridge) == [1]


def test_the_deeper_of_two_payments_counts():
    client, bridge, miner, block, _ = paid([request(1, confirmations=3)])
    second = block_with(miner, salt=9)
    bridge.send_proof(1, block.proof)
    bridge.block(second)
    bridge.send_proof(1, second.proof)
    bridge.mined(miner, 1)
    assert confirmed(client, bridge) == [1] and client._events[-1][2] == block.txid


def test_confirmations_below_the_window():
    client, bridge, miner, block, _ = paid([request(1, confirmations=130)])
    bridge.send_proof(1, block.proof)
    while client.chain.tip_height < block.height + 128:
        bridge.mined(miner, min(16, block.height + 128 - client.chain.tip_height))
        bridge.events = []
    assert client.chain.store.first_height > block.height + 1
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == HeaderNotInChain.code  # not to be proved any more, but it was
    bridge.events = []
    bridge.mined(miner, 1)
    assert bridge.kinds(EVENT_CONFIRMED) == [(EVENT_CONFIRMED, 1, 130)]


def test_requests_are_bounded():
    client = make_client()
    for i in range(MAX_REQUESTS):
        client.wait_for(request(i))
    raises(LimitExceeded, client.wait_for, request(99))
    client.wait_for(request(3, confirmations=9))  # replaces
    assert len(client.book.requests) == MAX_REQUESTS
    raises(LimitExceeded, request, MAX_COUNT + 1)


def test_a_new_request_is_not_met_by_an_old_payment():
    client, bridge, miner, block, _ = paid([])
    bridge.mined(miner, 12)
    for from_height, watched in ((NOT_GIVEN, 20), (20, 20), (block.height + 1, block.height + 1)):
        client.wait_for(request(1, confirmations=3, from_height=from_height))
        assert bridge_hears(bridge, WATCH)[4] == watched
        bridge.send_proof(1, block.proof)
        code, _, detail = bridge_hears(bridge, VERDICT)[1:]
        assert code == NotThePayment.code and "old payment: block 7, only blocks from %d on" % watched in detail
        bridge.turn(100)
        assert confirmed(client, bridge) == []
    new = block_with(miner, salt=5)  # the same script_pubkey, paid again
    bridge.block(new)
    bridge.send_proof(1, new.proof)
    bridge.mined(miner, 2)
    assert confirmed(client, bridge) == [1] and client._events[-1][2] == new.txid
    # whoever wants the old one says so
    client.wait_for(request(2, confirmations=3, from_height=block.height))
    bridge.send_proof(2, block.proof)
    assert confirmed(client, bridge) == [1, 2]


def bridge_hears(bridge, kind):
    bridge.turn()
    return bridge.take(kind)[-1]


def test_a_request_that_is_given_up():
    client, bridge, miner, block, _ = paid([request(i, confirmations=2) for i in range(MAX_REQUESTS)])
    raises(LimitExceeded, client.wait_for, request(99))
    bridge.send_proof(1, block.proof)  # proved, and not deep enough yet
    assert verdict(bridge) == 0
    proof_id, sent = bridge.send_proof(2, block.proof, stop=200)
    for i in (1, 2):
        client.stop_waiting(i)
        assert bridge_hears(bridge, UNWATCH) == [i]
    bridge.send_pieces(proof_id, block.proof, sent)
    assert verdict(bridge) is None  # pieces of a proof that is forgotten
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == BadMessage.code
    bridge.mined(miner, 5)
    assert confirmed(client, bridge) == []
    client.stop_waiting(1)  # again: nothing to say
    client.stop_waiting(1234)
    bridge.turn()
    assert bridge.take(UNWATCH) == []
    client.wait_for(request(99))  # there is room again
    bridge.turn()
    client.end_session()
    client.stop_waiting(99)
    assert 99 not in client.book.requests


def test_the_bridge_need_not_watch_for_what_was_met():
    client, bridge, miner, block, _ = paid([request(1, confirmations=2), request(2, confirmations=3)])
    bridge.send_proof(1, block.proof)
    assert bridge.take(UNWATCH) == []
    bridge.mined(miner, 1)
    assert confirmed(client, bridge) == [1] and bridge.take(UNWATCH) == [[1]]


def test_a_full_record_acts_on_nothing():
    client, bridge, miner = opened(5, [request(1, confirmations=1)], acted=ActedPayments(0))
    block = block_with(miner)
    bridge.block(block)
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == 0x84 and confirmed(client, bridge) == []


def test_a_full_list_of_events_loses_no_confirmation():
    client, bridge, _, block, _ = paid([request(1, confirmations=1)])
    while len(client._events) < 32:
        client._refused("for people")
    bridge.send_proof(1, block.proof)
    assert [e[1] for e in client._events if e[0] == EVENT_CONFIRMED] == [1]
