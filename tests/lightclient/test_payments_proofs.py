"""Proofs that come in pieces: out of place, put aside, overtaken by a reorg."""

from payments_on_chain import confirmed, paid, verdict
from scripted_bridge import request

from lightclient.errors import (
    HeaderNotInChain,
)
from lightclient.messages import (
    EVENT_PAYMENT_SEEN,
    PROOF_DATA,
    WATCH,
)


def test_proof_data_out_of_place():
    for where in ("ahead", "behind", "beyond"):
        client, bridge, _, block, _ = paid([request(1)])
        proof_id, sent = bridge.send_proof(1, block.proof, stop=200)
        start = {"ahead": sent + 1, "behind": sent - 1, "beyond": sent}[where]
        data = bytes(len(block.proof)) if where == "beyond" else b"data"
        bridge.say(PROOF_DATA, proof_id, start, data)
        assert not client.is_open, where
        bridge.turn(1000)
        bridge.greet(best_height=7)
        bridge.take(WATCH)
        bridge.send_pieces(proof_id, block.proof, 0)  # of a session that is gone
        assert verdict(bridge) is None and client.is_open
        bridge.send_proof(1, block.proof)
        assert verdict(bridge) == 0


def test_one_proof_at_a_time():
    client, bridge, _, block, _ = paid([request(1), request(2)])
    old, sent = bridge.send_proof(1, block.proof, stop=200)
    new, taken = bridge.send_proof(2, block.proof, stop=200)
    bridge.send_pieces(old, block.proof, sent)  # of the one that was put aside: ignored
    bridge.send_pieces(99, block.proof, 0)  # of one that never was
    assert verdict(bridge) is None and client.is_open
    bridge.send_pieces(new, block.proof, taken)
    assert verdict(bridge) == 0
    bridge.send_pieces(new, block.proof, 0)  # and it is done with
    assert verdict(bridge) is None
    half, sent = bridge.send_proof(1, block.proof, stop=200)
    bridge.send_proof(77, block.proof)  # for no request
    bridge.heard = []
    bridge.send_pieces(half, block.proof, sent)
    assert verdict(bridge) is None and client.is_open


def test_a_session_that_ends_in_the_middle_of_a_proof():
    client, bridge, _, block, _ = paid([request(1)])
    proof_id, sent = bridge.send_proof(1, block.proof, stop=200)
    client.end_session()
    bridge.turn(1000)
    bridge.greet(best_height=7)
    bridge.send_pieces(proof_id, block.proof, sent)
    assert verdict(bridge) is None and client.is_open
    bridge.send_proof(1, block.proof)
    assert verdict(bridge) == 0


def test_a_block_that_is_replaced_while_its_proof_comes():
    client, bridge, _, block, fork = paid([request(1, confirmations=1)])
    proof_id, sent = bridge.send_proof(1, block.proof, stop=len(block.proof) - 1)
    bridge.mined(fork, 2, salt=4)
    assert client.chain.state.block_hash == fork.state.block_hash
    bridge.send_pieces(proof_id, block.proof, sent)
    assert verdict(bridge) == HeaderNotInChain.code
    assert confirmed(client, bridge) == [] and bridge.kinds(EVENT_PAYMENT_SEEN) == []


def test_a_replaced_block_is_not_believed_when_the_window_has_left_it_behind():
    """The proof begins while its block is in the chain, and ends when nothing tells any more that it is not."""
    client, bridge, _, block, fork = paid([request(1, confirmations=1)])
    proof_id, sent = bridge.send_proof(1, block.proof, stop=len(block.proof) - 1)
    bridge.mined(fork, 2, salt=4)
    while client.chain.store.first_height <= block.height + 1:
        bridge.mined(fork, 16)
    assert client.is_open
    bridge.heard = []
    bridge.send_pieces(proof_id, block.proof, sent)
    assert verdict(bridge) == HeaderNotInChain.code
    bridge.turn(1000)
    assert confirmed(client, bridge) == []
