"""A chain that keeps the accumulator: growing, refusing, changing branches, starting from a checkpoint."""

from mining import START_TIME, Miner, trivial_network
from support import raises

from lightclient.errors import BadProofOfWork, LightClientError
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import BRANCH, EXTENDED, REFETCH, REORGANISED, HeaderChain
from lightclient.headers.checkpoint import decode_checkpoint, encode_checkpoint
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore

NOW = START_TIME + 10 * 365 * 86400
NETWORK = trivial_network()
CAPACITY = 160


class Model:
    """A miner, and the hashes of all blocks up to its tip as a plain list."""

    def __init__(self, miner=None, hashes=None):
        self.miner = miner or Miner(NETWORK)
        self.hashes = hashes or [block_hash(NETWORK.genesis_header, 0)]

    def fork(self):
        return Model(self.miner.fork(), list(self.hashes))

    def batch(self, count, salt=0):
        batch = self.miner.batch(count, 600, salt)
        for i in range(count):
            self.hashes.append(block_hash(batch, 80 * i))
        return batch

    def accumulator(self):
        accumulator = Accumulator()
        for each in self.hashes:
            accumulator.append(each)
        return accumulator


def parts(accumulator):
    return (accumulator.count, accumulator.peaks(), accumulator.unfinished())


def begun(headers=0):
    rules = HeaderRules(NETWORK)
    rules.begin_at_genesis(NETWORK.genesis_header, 0, Accumulator())
    chain = HeaderChain(NETWORK, RamStore(CAPACITY, 16), rules.state)
    model = Model()
    while headers:
        count = min(headers, 29)
        offer(chain, model.batch(count))
        headers -= count
    same(chain, model)
    return chain, model


def offer(chain, batch, parent_height=None):
    parent_height = chain.tip_height if parent_height is None else parent_height
    return chain.accept(batch, 0, len(batch) // 80, parent_height, bytes(batch[4:36]), NOW)


def same(chain, model):
    assert chain.tip_height + 1 == len(model.hashes)
    assert parts(chain.accumulator) == parts(model.accumulator())
    assert chain.accumulator is chain.state.accumulator


def test_growing():
    chain, model = begun()
    for count in (1, 5, 8, 1, 2, 30, 7, 64):
        assert offer(chain, model.batch(count)) == EXTENDED
        same(chain, model)


def test_a_refused_batch_leaves_it_as_it_was():
    chain, model = begun(53)
    for bad in (0, 3, 11, 19):
        batch = model.fork().batch(20)
        batch[80 * bad + 76] ^= 1
        try:
            offer(chain, batch)
            raise AssertionError("a header without work or link")
        except LightClientError:
            pass
        same(chain, model)
    offer(chain, model.batch(3))
    same(chain, model)


def test_reorgs():
    for depth in (1, 2, 7, 8, 9, 17):
        chain, model = begun(50)
        branch = model.fork()
        offer(chain, model.batch(depth))
        batch = branch.batch(depth + 1, 1)
        assert offer(chain, batch, chain.tip_height - depth) == REORGANISED
        same(chain, branch)
        offer(chain, branch.batch(20))
        same(chain, branch)


def test_a_branch_in_two_passes():
    chain, model = begun(50)
    fork_height = chain.tip_height
    branch = model.fork()
    offer(chain, model.batch(20))
    first = branch.batch(15, 1)
    same(chain, model)
    assert offer(chain, first, fork_height) == BRANCH
    same(chain, model)
    second = branch.batch(10, 1)
    assert offer(chain, second, fork_height + 15) == REFETCH
    assert chain.accumulator.count == fork_height + 1
    assert offer(chain, first) == EXTENDED
    assert offer(chain, second) == EXTENDED
    same(chain, branch)


def test_from_a_checkpoint():
    chain, model = begun(77)
    state = ChainState()
    decode_checkpoint(NETWORK, encode_checkpoint(NETWORK, chain.state), state)
    chain = HeaderChain(NETWORK, RamStore(CAPACITY, 16), state)
    same(chain, model)
    branch = model.fork()
    offer(chain, model.batch(12))
    same(chain, model)
    assert offer(chain, branch.batch(13, 1), 77) == REORGANISED
    same(chain, branch)


def test_without_one_nothing_is_kept():
    rules = HeaderRules(NETWORK)
    rules.begin_at_genesis(NETWORK.genesis_header, 0)
    chain = HeaderChain(NETWORK, RamStore(CAPACITY, 16), rules.state)
    model = Model()
    branch = model.fork()
    offer(chain, model.batch(40))
    assert offer(chain, branch.batch(41, 1), 0) == REORGANISED
    assert chain.accumulator is None
    batch = branch.batch(2)
    batch[156] ^= 1
    raises(BadProofOfWork, offer, chain, batch)
    assert chain.accumulator is None
