"""A device that has long let go of a header verifies a payment in it: chain, proof and payment book together."""

from accumulators import naive_path
from mining import START_TIME, Miner, trivial_network
from support import raises

from lightclient.errors import HeaderNotInChain, LightClientError, PathMismatch
from lightclient.hashes import hash256
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import EXTENDED, REORGANISED, HeaderChain
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.header import MERKLE_ROOT, TIME, block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore
from lightclient.headers.target import bits_to_target
from lightclient.messages import EVENT_CONFIRMED, EVENT_PAYMENT_SEEN, EVENT_PROOF_STAGE, EVENT_REFUSED
from lightclient.payments import PaymentBook
from lightclient.serialize import write_uint32_le
from lightclient.spv.acted import ActedPayments
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import encode_proof
from lightclient.spv.payment import PaymentRequest

NETWORK = trivial_network()
NOW = START_TIME + 270 * 600
PAID_HEIGHT = 5
SCRIPT = b"\x00\x14" + b"\x07" * 20


def coinbase(height):
    script = height_script(height) + b"test"
    return (
        b"\x01\0\0\0\x01" + bytes(32) + b"\xff\xff\xff\xff" + bytes([len(script)]) + script + b"\xff\xff\xff\xff\x01"
    ) + ((50_000).to_bytes(8, "little") + bytes([len(SCRIPT)]) + SCRIPT + bytes(4))


class Chain:
    """A device's chain, and all that a bridge knows of it."""

    def __init__(self):
        rules = HeaderRules(NETWORK)
        rules.begin_at_genesis(NETWORK.genesis_header, 0, Accumulator())
        self.device = HeaderChain(NETWORK, RamStore(128, 16), rules.state)
        self.miner = Miner(NETWORK)
        self.hashes = bytearray(block_hash(NETWORK.genesis_header, 0))
        self.paid_header = b""

    def grow(self, count, root=None):
        while count:
            batch = self.miner.batch(min(count, 32)) if root is None else self.batch_with(root)
            size = len(batch) // 80
            assert self.device.accept(batch, 0, size, self.device.tip_height, bytes(batch[4:36]), NOW) == EXTENDED
            for i in range(size):
                self.hashes += block_hash(batch, 80 * i)
            if root is not None:
                self.paid_header = bytes(batch)
            count -= size

    def batch_with(self, root):
        """One header over a block with this merkle_root."""
        before = self.miner.fork()
        batch = self.miner.batch(1)
        batch[MERKLE_ROOT:TIME] = root
        nonce = 0
        while int.from_bytes(block_hash(batch, 0), "little") > bits_to_target(NETWORK.pow_limit_bits, NETWORK):
            nonce += 1
            write_uint32_le(batch, 76, nonce)
        self.miner = before
        self.miner.state.absorb(NETWORK, batch, 0, block_hash(batch, 0))
        return batch

    def path(self, size):
        return naive_path(PAID_HEIGHT, size, {}, lambda height: self.hashes[32 * height : 32 * height + 32])

    def proof(self, path):
        transaction = coinbase(PAID_HEIGHT)
        return encode_proof(
            NETWORK.name, PAID_HEIGHT, self.paid_header, hash256(transaction), 0, 0, transaction, b"", None, b"", path
        )


def begun(count=180):
    chain = Chain()
    chain.grow(PAID_HEIGHT - 1)
    chain.grow(1, hash256(coinbase(PAID_HEIGHT)))
    chain.grow(count)
    assert chain.device.store.first_height > PAID_HEIGHT
    return chain


def offer(chain, proof, piece=50):
    """The book's events after a proof has come; the error it was refused with, or None."""
    events = []
    book = PaymentBook(chain.device, ActedPayments(), lambda *event: events.append(event))
    book.wait_for(PaymentRequest(1, SCRIPT, 50_000, 6))
    book.begin_proof(1, 1, len(proof))
    try:
        for offset in range(0, len(proof), piece):
            book.take_proof_data(1, offset, proof[offset : offset + piece])
        error = None
    except LightClientError as refusal:
        error = refusal
    book.update(NOW, chain.device.tip_height)
    return events, error


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
