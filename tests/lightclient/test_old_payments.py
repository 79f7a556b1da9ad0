"""A device that has long let go of a header verifies a payment in it: chain, proof and payment book together."""

from faulty_files import MemoryFiles
from old_payments import NETWORK, NOW, PAID_HEIGHT, SCRIPT, Chain, begun, coinbase, offer, outlives_restarts
from support import raises

from lightclient.errors import HeaderNotInChain, PathMismatch
from lightclient.hashes import hash256
from lightclient.headers.chain import REORGANISED, HeaderChain
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore
from lightclient.messages import EVENT_CONFIRMED, EVENT_PAYMENT_SEEN, EVENT_PROOF_STAGE, EVENT_REFUSED
from lightclient.payments import PaymentBook
from lightclient.spv.acted import ActedPayments
from lightclient.spv.payment import PaymentRequest


def test_it_is_seen_and_confirmed():
    chain = begun()
    size = chain.device.tip_height + 1
    events, error = offer(chain, chain.proof(chain.path(size)))
    assert error is None
    stages = [event[5] for event in events if event[0] == EVENT_PROOF_STAGE]
    assert stages[-1] == "path" and "chain" not in stages
    told = [(event[0], event[3], event[4]) for event in events if event[0] != EVENT_PROOF_STAGE]
    confirmations = size - PAID_HEIGHT
    assert told == [(EVENT_PAYMENT_SEEN, 50_000, confirmations), (EVENT_CONFIRMED, 50_000, confirmations)]


def test_without_a_good_path_it_is_refused():
    chain = begun()
    size = chain.device.tip_height + 1
    good = chain.path(size)
    for path, error_class in (
        (None, HeaderNotInChain),
        (good[:-32] + bytes(32), PathMismatch),
        (good[:-32], PathMismatch),
        (chain.path(60), PathMismatch),
        ((size + 1).to_bytes(4, "little") + good[4:], PathMismatch),
    ):
        events, error = offer(chain, chain.proof(path))
        assert type(error) is error_class
        assert [event[0] for event in events if event[0] != EVENT_PROOF_STAGE] == [EVENT_REFUSED]


def test_a_header_of_a_branch_that_lost_is_not_in_the_chain():
    """Its path was good when the device had it; the branch that won has other peaks."""
    chain = Chain()
    chain.grow(PAID_HEIGHT - 1)
    fork = chain.miner.fork()
    chain.grow(1, hash256(coinbase(PAID_HEIGHT)))
    chain.grow(20)
    proof = chain.proof(chain.path(PAID_HEIGHT + 21))
    assert offer(chain, proof)[1] is None
    batch = fork.batch(40, 600, 1)
    device = chain.device
    assert device.accept(batch, 0, 40, PAID_HEIGHT - 1, bytes(batch[4:36]), NOW) == REORGANISED
    assert type(offer(chain, proof)[1]) is PathMismatch
    chain.miner = fork
    chain.grow(150)
    assert type(offer(chain, proof)[1]) is PathMismatch


def test_headers_that_come_while_the_proof_does():
    """The path is judged by the peaks that the chain has at the path's end."""
    chain = begun(150)
    size = chain.device.tip_height + 1
    assert size == 156
    proof = chain.proof(chain.path(size))
    verifier_events = []
    book = PaymentBook(chain.device, ActedPayments(), lambda *event: verifier_events.append(event))
    for grown, error_class in ((40, None), (60, PathMismatch)):  # the peak over 128 blocks is merged at 256
        book.wait_for(PaymentRequest(1, SCRIPT, 50_000, 6))
        book.begin_proof(1, grown, len(proof))
        book.take_proof_data(grown, 0, proof[:-40])
        chain.grow(grown)
        if error_class is None:
            assert book.take_proof_data(grown, len(proof) - 40, proof[-40:])
        else:
            raises(error_class, book.take_proof_data, grown, len(proof) - 40, proof[-40:])


def test_after_a_restart():
    files = MemoryFiles()
    outlives_restarts(files, lambda: files)


def test_a_device_that_started_from_a_checkpoint():
    chain = begun()
    size = chain.device.tip_height + 1
    state = ChainState()
    decode_checkpoint(NETWORK, encode_checkpoint(NETWORK, chain.device.state), state)
    chain.device = HeaderChain(NETWORK, RamStore(128, 16), state)
    assert offer(chain, chain.proof(chain.path(size)))[1] is None
    state.accumulator = None
    chain.device = HeaderChain(NETWORK, RamStore(128, 16), state)
    assert type(offer(chain, chain.proof(chain.path(size)))[1]) is HeaderNotInChain
