"""A device and a bridge around a store, and what must hold of them. Runs on both Pythons.

The epochs of the files are 16 headers long, the window is three of them.
"""

from binascii import crc32

from faulty_files import MemoryFiles
from mining import START_TIME, Miner, trivial_network

from lightclient.errors import AlreadyActed, NotSynced, StoreFull
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.envelope import HEAD_SIZE, MIGRATIONS, RECORD, seal
from lightclient.headers.header import block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.headers.window_store import WindowStore
from lightclient.spv.stored_payments import StoredPayments

NOW = START_TIME + 10 * 365 * 86400
NETWORK = trivial_network()
LENGTH = 16
EPOCHS = 3
BATCH = 4


def genesis():
    rules = HeaderRules(NETWORK)
    rules.begin_at_genesis(NETWORK.genesis_header, 0, Accumulator())
    return rules.state


class Branch:
    """A chain of headers from genesis on, in memory: what a bridge knows."""

    def __init__(self, headers=b"", miner=None):
        self.headers = bytearray(headers) or bytearray(NETWORK.genesis_header)
        self.miner = miner or Miner(NETWORK)

    def grow(self, count, salt=0, step=600):
        self.headers += self.miner.batch(count, step, salt)
        return self

    def fork(self, height):
        """The branch up to `height`, to grow differently."""
        miner = Miner(NETWORK)
        for i in range(1, height + 1):
            miner.state.absorb(NETWORK, self.headers, 80 * i, block_hash(self.headers, 80 * i))
        return Branch(self.headers[: 80 * (height + 1)], miner)

    @property
    def height(self):
        return len(self.headers) // 80 - 1

    def hash_at(self, height):
        return block_hash(self.headers, 80 * height)

    def header(self, height):
        return bytes(self.headers[80 * height : 80 * height + 80])


class Device:
    """A device's chain and payments on `files`; `relay` outlives it: what moved for whom."""

    def __init__(self, files, relay, network=NETWORK, epochs=EPOCHS, start=None):
        self.relay = relay
        self.acted = StoredPayments(files, network, 4)
        self.store = WindowStore(network, files, self.acted, epochs, BATCH, LENGTH)
        start = start or genesis()
        self.accumulates = start.accumulator is not None
        self.chain = HeaderChain(network, self.store, start)
        self.chain.before_reorg = self.acted.forget_above
        self.chain.floor = self.acted.floor
        self.acted.forget_above(self.chain.tip_height)

    def sync(self, branch, batch=24, limit=None):
        """Take `branch` from a bridge that knows nothing else, up to `limit`."""
        chain = self.chain
        self.store.best_height = branch.height
        limit = branch.height if limit is None else limit
        parent = self.common(branch)
        if parent >= limit:
            return
        goal = branch.hash_at(limit)
        turns = full = 0
        while chain.state.block_hash != goal:
            count = min(batch, limit - parent)
            if count == 0:  # the branch has no more work than what is there
                return
            data = bytearray(branch.headers[80 * (parent + 1) : 80 * (parent + 1 + count)])
            tip = chain.state.block_hash
            try:
                outcome = chain.accept(data, 0, count, parent, branch.hash_at(parent), NOW)
            except StoreFull:  # it has made room, if it could
                full += 1
                assert full < 4
                parent = self.common(branch)
                continue
            parent = self.common(branch) if outcome == 4 or chain.state.block_hash != tip else parent + count
            turns += 1
            assert turns < 1000

    def common(self, branch):
        chain = self.chain
        height = min(chain.tip_height, branch.height)
        while not chain.has_block(height, branch.hash_at(height)):
            height -= 1
            assert height >= chain.store.base_height
        return height

    def pay(self, txid, height):
        """Act on a payment unless that was done; the relay moves when it is on flash."""
        try:
            self.acted.add(txid, 0, height, 1, self.chain.tip_height)
        except AlreadyActed:
            return
        self.chain.floor = self.acted.floor
        self.relay.append(bytes(txid))
        self.acted.finish(1, txid)


def synced(branch, height, files=None, **options):
    """Files, and a device on them that has taken and committed `branch` up to `height`."""
    files = files or MemoryFiles()
    device = Device(files, [], **options)
    device.sync(branch, 24, height)
    device.store.commit(device.chain.state)
    return files, device


def reopened(files, **options):
    """A device on the files of one that has gone without closing them."""
    files.locked = False
    return Device(files, [], **options)


def check(device, branches, least_work, relay):
    """What must hold after every restart."""
    chain = device.chain
    store = device.store
    state = chain.state
    # a valid chain: that of a branch, in every header of the window
    branch = [b for b in branches if b.height >= state.height and b.hash_at(state.height) == state.block_hash]
    assert branch, "the tip is no block that was ever sent"
    record = bytearray(80)
    for height in range(store.first_height, store.tip_height + 1):
        store.read_into(height, record, 0)
        assert record == branch[0].header(height), height
    assert store.tip_height == state.height
    # no committed header is gone; only where there was no room for both, nothing is acted on until there is more work
    assert max(store.work, state.chainwork) >= least_work
    if state.chainwork < least_work:
        try:
            chain.require_ready(state.time)
            raise AssertionError("acting on less work than was committed")
        except NotSynced:
            pass
    # every fork of the window can be rebuilt
    if store.tip_height >= store.first_height:
        middle = (store.first_height + store.tip_height) // 2
        state_there = chain._state_at(middle)
        assert state_there.block_hash == branch[0].hash_at(middle)
        assert_covers(device, state_there, branch[0])
    assert_covers(device, state, branch[0])
    # no payment twice
    for txid in relay:
        try:
            device.acted.require_new(txid, 0, 10**6, 10**6)
            raise AssertionError("a payment could be acted on again")
        except AlreadyActed:
            pass
    assert len(set(relay)) == len(relay)


def assert_covers(device, state, branch):
    """The accumulator of `state` is that over all hashes of the branch from genesis on, if the device keeps one."""
    if not device.accumulates:
        assert state.accumulator is None
        return
    accumulator = Accumulator()
    for height in range(state.height + 1):
        accumulator.append(branch.hash_at(height))
    assert state.accumulator.count == accumulator.count
    assert state.accumulator.peaks() == accumulator.peaks()
    assert state.accumulator.unfinished() == accumulator.unfinished()


def picture(device):
    """The state that going on must end in."""
    store = device.store
    return (
        encode_checkpoint(NETWORK, device.chain.state),
        store.first_height,
        store.tip_height,
        device.chain.lowest_fork,
    )


def make_older(files, name):
    """Rewrite a file of version 1 as one of version 0."""
    buffer = bytearray(files.size(name))
    files.read_into(name, 0, buffer)
    length = int.from_bytes(buffer[6:10], "little") - 4
    del_at = HEAD_SIZE + 8
    older = bytearray(bytes(buffer[:del_at]) + bytes(buffer[del_at + 4 :]))
    seal(older, buffer[5], length, bytes(buffer[10:14]), int.from_bytes(buffer[14:18], "little"))
    older[4] = 0
    older[-4:] = crc32(bytes(older[:-4])).to_bytes(4, "little")
    files.write(name, older)
    files.sync()


def migrate_from_0(kind, content):
    return content[:8] + bytes(4) + content[8:] if kind == RECORD else content


MIGRATIONS[0] = migrate_from_0
