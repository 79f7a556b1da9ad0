"""A payment in a header that the device has long let go of. Runs on both Pythons."""

from accumulators import naive_path
from mining import START_TIME, Miner, trivial_network

from lightclient.errors import AlreadyActed, HeaderNotInChain, LightClientError
from lightclient.hashes import hash256
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import EXTENDED, HeaderChain
from lightclient.headers.header import MERKLE_ROOT, TIME, block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.store import RamStore
from lightclient.headers.target import bits_to_target
from lightclient.headers.window_store import WindowStore
from lightclient.messages import EVENT_CONFIRMED, EVENT_PAYMENT_SEEN, EVENT_PROOF_STAGE, EVENT_REFUSED
from lightclient.payments import PaymentBook
from lightclient.serialize import write_uint32_le
from lightclient.spv.acted import ActedPayments
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import encode_proof
from lightclient.spv.payment import PaymentRequest
from lightclient.spv.stored_payments import StoredPayments

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
    """A device's chain, in RAM or in `files`, and all that a bridge knows of it."""

    def __init__(self, files=None):
        self.start(files)
        self.miner = Miner(NETWORK)
        self.hashes = bytearray(block_hash(NETWORK.genesis_header, 0))
        self.paid_header = b""

    def start(self, files):
        """The device's power is back."""
        rules = HeaderRules(NETWORK)
        rules.begin_at_genesis(NETWORK.genesis_header, 0, Accumulator())
        if files is None:
            self.acted = ActedPayments()
            store = RamStore(128, 16)
        else:
            self.acted = StoredPayments(files, NETWORK, 4)
            store = WindowStore(NETWORK, files, self.acted, 3, 4, 16)
        self.device = HeaderChain(NETWORK, store, rules.state)

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


def begun(count=180, files=None):
    chain = Chain(files)
    chain.grow(PAID_HEIGHT - 1)
    chain.grow(1, hash256(coinbase(PAID_HEIGHT)))
    chain.grow(count)
    assert chain.device.store.first_height > PAID_HEIGHT
    return chain


def offer(chain, proof, piece=50):
    """The book's events after a proof has come; the error it was refused with, or None."""
    events = []
    book = PaymentBook(chain.device, chain.acted, lambda *event: events.append(event))
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


def outlives_restarts(files, restarted):
    """In a store that is closed and opened again: verified once, and not a second time."""
    chain = begun(files=files)
    good = chain.proof(chain.path(chain.device.tip_height + 1))
    newest = chain.device.state.block_hash
    chain.device.commit()
    for error_class in (None, AlreadyActed):
        chain.device.store.close()
        chain.start(restarted())
        assert chain.device.state.block_hash == newest and chain.device.store.first_height > PAID_HEIGHT
        assert type(offer(chain, chain.proof(None))[1]) is HeaderNotInChain
        events, error = offer(chain, good)
        assert type(error) is error_class if error_class else error is None
        told = [event[0] for event in events if event[0] != EVENT_PROOF_STAGE]
        assert told == ([EVENT_REFUSED] if error_class else [EVENT_PAYMENT_SEEN, EVENT_CONFIRMED]), told
