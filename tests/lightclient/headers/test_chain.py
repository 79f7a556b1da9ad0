from mining import START_TIME, Miner, trivial_network
from support import raises

from lightclient.errors import (
    BadLink,
    BadProofOfWork,
    HeaderNotInChain,
    LightClientError,
    NotEnoughWork,
    NotSynced,
    ReorgTooDeep,
    StaleTip,
)
from lightclient.headers import chain as chain_module
from lightclient.headers.chain import BRANCH, EXTENDED, KNOWN, REFETCH, REORGANISED, HeaderChain
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.headers.store import RamStore
from lightclient.limits import EPOCH

NOW = START_TIME + 10 * 365 * 86400
NETWORK = trivial_network()


def begun(network=NETWORK, capacity=128, interval=16, headers=0, step=600):
    """A chain of so many headers above genesis, and a miner at its tip."""
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0)
    chain = HeaderChain(network, RamStore(capacity, interval), rules.state)
    miner = Miner(network)
    while headers:
        count = min(headers, 32)
        offer(chain, miner, miner.batch(count, step))
        headers -= count
    return chain, miner


def offer(chain, miner, batch):
    """Offer a batch that `miner` has just mined."""
    count = len(batch) // 80
    return chain.accept(batch, 0, count, miner.state.height - count, bytes(batch[4:36]), NOW)


def same_tip(chain, miner):
    return (chain.tip_height, chain.state.block_hash, chain.state.chainwork) == (
        miner.state.height,
        miner.state.block_hash,
        miner.state.chainwork,
    )


def test_extending():
    chain, miner = begun()
    assert offer(chain, miner, miner.batch(10)) == EXTENDED
    assert same_tip(chain, miner)
    assert chain.accept(bytearray(80), 0, 0, 10, miner.state.block_hash, NOW) == KNOWN


def test_a_bad_header_in_a_batch_changes_nothing():
    chain, miner = begun(headers=40)
    before = chain.state.block_hash
    good = miner.fork()
    batch = good.batch(12)
    while True:  # break the proof of work of the tenth
        batch[9 * 80 + 76] = (batch[9 * 80 + 76] + 1) & 0xFF
        try:
            chain.accept(batch, 0, 12, 40, before, NOW)
        except BadProofOfWork:
            break
        except BadLink:
            continue
    assert chain.tip_height == 40 and chain.state.block_hash == before
    assert chain.store.tip_height == 40
    assert offer(chain, miner, miner.batch(12)) == EXTENDED


class Failing:
    """A function that raises MemoryError at its nth call."""

    def __init__(self, function, calls):
        self.function = function
        self.calls = calls

    def __call__(self, *args):
        self.calls -= 1
        if self.calls == 0:
            raise MemoryError
        return self.function(*args)


def test_want_of_memory_changes_nothing():
    """In every place of a batch; then the same batch is taken."""
    chain, miner = begun(headers=43)
    fork = Miner(NETWORK)
    fork.batch(40)
    batch = miner.batch(12)
    branch = fork.batch(20, salt=7)
    before = (chain.tip_height, chain.state.block_hash, chain.state.chainwork)
    absorb_run = ChainState.absorb_run
    for offered, count, height, outcome in ((batch, 12, 43, EXTENDED), (branch, 20, 40, REORGANISED)):
        link = bytes(offered[4:36])
        calls = 0
        while True:
            calls += 1
            failing = [Failing(absorb_run, calls), Failing(encode_checkpoint, calls)][calls % 2]
            if calls % 2:
                chain_module.encode_checkpoint = failing
            else:
                ChainState.absorb_run = lambda *args, failing=failing: failing(*args)
            try:
                assert chain.accept(offered, 0, count, height, link, NOW) == outcome
                break
            except MemoryError:
                assert (chain.tip_height, chain.state.block_hash, chain.state.chainwork) == before
                assert chain.store.tip_height == before[0] and chain.joined == 0
            finally:
                chain_module.encode_checkpoint = encode_checkpoint
                ChainState.absorb_run = absorb_run
        assert calls > 1
        before = (chain.tip_height, chain.state.block_hash, chain.state.chainwork)
    assert same_tip(chain, fork)


def test_want_of_memory_in_the_store():
    """Extending changes nothing; in a reorg, whose old end is overwritten, the chain stands at the fork."""
    chain, miner = begun(headers=200)
    fork = miner.fork()
    batch = miner.batch(90)
    pages = chain.store._pages
    for failures in range(4):
        chain.store._pages = FailingPages(pages, failures)
        raises(MemoryError, chain.accept, batch, 0, 90, 200, bytes(batch[4:36]), NOW)
        chain.store._pages = pages
        assert same_tip(chain, fork) and chain.store.tip_height == 200 and chain.joined == 0
        header = bytearray(80)
        for height in range(chain.store.first_height, 201):  # what the window says it has, it has
            chain.store.read_into(height, header, 0)
            assert chain.block_hash_at(height) == block_hash(header, 0)
        out = bytearray(36 * 12)
        chain.write_locator(out)
    assert offer(chain, miner, batch) == EXTENDED and chain.joined == 90
    branch = miner.fork()
    own = miner.batch(2)
    assert offer(chain, miner, own) == EXTENDED
    longer = branch.batch(3, salt=5)
    chain.store._pages = FailingPages(pages, 0)
    raises(MemoryError, chain.accept, longer, 0, 3, 290, bytes(longer[4:36]), NOW)
    chain.store._pages = pages
    assert chain.tip_height == chain.store.tip_height == 290 and chain.joined == 0
    assert offer(chain, branch, longer) == EXTENDED and chain.joined == 3 and same_tip(chain, branch)


class FailingPages:
    """The pages of a store; after so many that were taken to be written, memory is wanting."""

    def __init__(self, pages, left):
        self.pages = pages
        self.left = left

    def __getitem__(self, index):
        return Page(self, self.pages[index])


class Page:
    def __init__(self, owner, page):
        self.owner = owner
        self.page = page

    def __getitem__(self, where):
        return self.page[where]

    def __setitem__(self, where, data):
        if self.owner.left == 0:
            raise MemoryError
        self.owner.left -= 1
        self.page[where] = data


def test_only_what_joined_is_counted():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    own = miner.batch(3)
    offer(chain, miner, own)
    assert chain.joined == 3
    middle = fork.batch(2)  # the same headers again, and then a branch
    branch = bytearray(middle + fork.batch(4, salt=7))
    assert chain.accept(branch, 0, 6, 40, bytes(branch[4:36]), NOW) == REORGANISED
    assert same_tip(chain, fork) and (chain.reorg_depth, chain.joined) == (1, 4)
    assert chain.accept(branch, 0, 6, 40, bytes(branch[4:36]), NOW) == KNOWN and chain.joined == 0


def test_a_branch_needs_more_work_and_equal_work_changes_nothing():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    assert offer(chain, miner, miner.batch(3)) == EXTENDED
    assert offer(chain, fork, fork.batch(3, salt=7)) == BRANCH
    assert same_tip(chain, miner)
    assert offer(chain, fork, fork.batch(1, salt=7)) == REFETCH  # it came in two batches
    assert chain.tip_height == 40
    raises(NotSynced, chain.require_ready, NOW)


def test_reorg_in_one_batch():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    offer(chain, miner, miner.batch(3))
    assert offer(chain, fork, fork.batch(4, salt=7)) == REORGANISED
    assert same_tip(chain, fork) and chain.reorg_depth == 3
    assert offer(chain, fork, fork.batch(30)) == EXTENDED


def test_a_batch_that_begins_too_low_is_cut_to_what_is_new():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    own = miner.batch(3)
    offer(chain, miner, own)
    more = miner.batch(2)
    whole = bytearray(own + more)
    assert chain.accept(whole, 0, 5, 40, fork.state.block_hash, NOW) == EXTENDED
    assert same_tip(chain, miner) and chain.reorg_depth == 0
    assert chain.accept(bytearray(own), 0, 3, 40, fork.state.block_hash, NOW) == KNOWN
    assert same_tip(chain, miner)


def test_reorg_in_two_passes():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    for _ in range(3):
        offer(chain, miner, miner.batch(20))
    batches = [fork.batch(31, salt=9), fork.batch(30, salt=9)]
    middle = Miner(NETWORK, fork.state)
    assert chain.accept(batches[0], 0, 31, 40, bytes(batches[0][4:36]), NOW) == BRANCH
    assert chain.accept(batches[1], 0, 30, 71, bytes(batches[1][4:36]), NOW) == REFETCH
    assert chain.tip_height == 40
    raises(NotSynced, chain.require_ready, NOW)
    assert chain.accept(batches[0], 0, 31, 40, bytes(batches[0][4:36]), NOW) == EXTENDED
    raises(NotSynced, chain.require_ready, chain.state.time)
    assert chain.accept(batches[1], 0, 30, 71, bytes(batches[1][4:36]), NOW) == EXTENDED
    assert same_tip(chain, middle)
    chain.require_ready(chain.state.time)


def test_a_broken_branch_is_forgotten():
    chain, miner = begun(headers=40)
    fork = miner.fork()
    offer(chain, miner, miner.batch(3))
    batch = fork.batch(4, salt=3)
    batch[3 * 80 + 72] ^= 0xFF
    raises_any(chain.accept, batch, 0, 4, 40, bytes(batch[4:36]), NOW)
    assert same_tip(chain, miner)


def raises_any(function, *args):
    try:
        function(*args)
    except LightClientError:
        return
    raise AssertionError("nothing was raised")


def test_reorg_over_an_epoch_border():
    chain, miner = begun(headers=EPOCH - 10, step=300)
    fork = miner.fork()
    offer(chain, miner, miner.batch(20, step=300))
    assert offer(chain, fork, fork.batch(24, step=200, salt=1)) == REORGANISED
    assert same_tip(chain, fork)
    assert chain.state.epoch_first_bits == fork.state.epoch_first_bits
    offer(chain, fork, fork.batch(30))
    assert same_tip(chain, fork)


def test_unknown_parents_and_forks_below_the_window():
    chain, miner = begun(headers=20)
    old = miner.fork()
    for _ in range(10):
        offer(chain, miner, miner.batch(32))
    batch = old.batch(4, salt=5)
    error = raises(ReorgTooDeep, chain.accept, batch, 0, 4, 20, bytes(batch[4:36]), NOW)
    assert error.height == 20
    raises(BadLink, chain.accept, batch, 0, 4, chain.tip_height, bytes(32), NOW)
    raises(BadLink, chain.accept, batch, 0, 4, chain.tip_height - 3, bytes(32), NOW)
    raises(BadLink, chain.accept, batch, 0, 4, chain.tip_height + 1, bytes(32), NOW)
    assert same_tip(chain, miner)


def test_reorg_as_deep_as_the_window_says():
    capacity, interval, batch = 128, 16, 32
    chain, miner = begun(capacity=capacity, interval=interval, headers=320)
    depth = capacity - interval - batch
    trunk = Miner(NETWORK)
    for _ in range(10):
        trunk.batch((320 - depth) // 10)
    assert trunk.state.height == 320 - depth
    batches = []
    while trunk.state.chainwork <= miner.state.chainwork:
        batches.append((trunk.state.height, trunk.batch(27, salt=4)))
    outcomes = [chain.accept(b, 0, 27, height, bytes(b[4:36]), NOW) for height, b in batches]
    assert outcomes == [BRANCH] * (len(batches) - 1) + [REFETCH]
    for height, b in batches:
        assert chain.accept(b, 0, 27, height, bytes(b[4:36]), NOW) == EXTENDED
    assert same_tip(chain, trunk)


def test_ready_needs_work_a_fresh_tip_and_all_blocks():
    network = trivial_network()
    chain, _ = begun(network, headers=20)
    tip_time = chain.state.time
    chain.require_ready(tip_time + 100)
    chain.require_ready(tip_time + network.max_tip_age)
    raises(StaleTip, chain.require_ready, tip_time + network.max_tip_age + 1)
    raises(StaleTip, chain.require_ready, 0)
    raises(NotSynced, chain.require_ready, tip_time, 21)
    replay = network.replay(chain.state.chainwork + 1)
    assert replay.is_replay and not network.is_replay
    chain.network = replay
    raises(NotEnoughWork, chain.require_ready, tip_time)


def test_headers_of_the_window_are_found_and_others_not():
    chain, miner = begun(capacity=128, headers=160)
    header = bytearray(80)
    chain.store.read_into(150, header, 0)
    chain.require_header(150, header)
    raises(HeaderNotInChain, chain.require_header, 151, header)
    raises(HeaderNotInChain, chain.require_header, 161, header)
    raises(HeaderNotInChain, chain.require_header, 3, header)
    assert chain.confirmations(160) == 1 and chain.confirmations(150) == 11
    assert chain.has_block(160, miner.state.block_hash)
    assert not chain.has_block(161, miner.state.block_hash) and not chain.has_block(3, miner.state.block_hash)


def test_locator_goes_down_to_the_windows_base():
    chain, _ = begun(headers=100)
    out = bytearray(36 * 12)
    length = chain.write_locator(out)
    heights = [int.from_bytes(out[i : i + 4], "little") for i in range(0, length, 36)]
    assert heights == [100, 99, 97, 93, 85, 69, 37, 0]
    for i, height in enumerate(heights):
        assert bytes(out[36 * i + 4 : 36 * i + 36]) == chain.block_hash_at(height)
    fresh = begun()[0]
    assert fresh.write_locator(out) == 36


def test_a_locator_without_room_for_all_steps_still_ends_at_the_base():
    chain, _ = begun(headers=100)
    out = bytearray(36 * 4)
    length = chain.write_locator(out)
    assert [int.from_bytes(out[i : i + 4], "little") for i in range(0, length, 36)] == [100, 99, 97, 0]
