from faulty_files import MemoryFiles
from store_model import NETWORK, NOW, Branch, Device, check, picture, reopened, synced
from support import raises

from lightclient.errors import (
    NotSynced,
    ReorgTooDeep,
)
from lightclient.headers.chain import BRANCH as BRANCH_SO_FAR
from lightclient.headers.chain import EXTENDED, REFETCH

BRANCH = Branch().grow(100)


def test_a_reorg_waits_on_flash_until_it_has_more_work():
    old = BRANCH.fork(70)
    new = BRANCH.fork(45).grow(30, 9)
    device = Device(MemoryFiles(), [])
    device.sync(old)
    device.store.commit(device.chain.state)
    files = device.store.files
    for parent in list(range(45, 71, 8)) + [45, 53]:  # once to judge it; the second time only a part comes
        data = bytearray(new.headers[80 * (parent + 1) : 80 * min(parent + 9, 73)])
        outcome = device.chain.accept(data, 0, len(data) // 80, parent, new.hash_at(parent), NOW)
        assert outcome == (REFETCH if parent == 69 else EXTENDED if device.chain.tip_height < 70 else BRANCH_SO_FAR)
    assert device.chain.tip_height == 61 and "000002.new" in files.names()
    raises(NotSynced, device.chain.require_ready, device.chain.state.time)
    again = reopened(files)
    assert again.chain.tip_height == 70 and again.chain.state.block_hash == old.hash_at(70)
    raises(NotSynced, again.chain.require_ready, again.chain.state.time)  # the promise is remembered
    again.sync(new, 8)
    again.store.commit(again.chain.state)
    check(again, [new], again.store.work, [])
    again.chain.require_ready(again.chain.state.time)
    assert not [name for name in files.names() if name[-4:] == ".new"]


class SmallPieces(MemoryFiles):
    """Remembers the longest piece that was read or written at once."""

    longest = 0

    def read_into(self, name, position, buffer):
        self.longest = max(self.longest, len(buffer))
        return MemoryFiles.read_into(self, name, position, buffer)

    def write(self, name, data):
        self.longest = max(self.longest, len(data))
        MemoryFiles.write(self, name, data)


def test_the_base_of_an_epoch_takes_no_large_piece_of_memory():
    files = SmallPieces()
    device = Device(files, [])
    device.sync(BRANCH.fork(47), 8)  # the last of an epoch: the next one's file is made
    device.store.commit(device.chain.state)
    assert files.size("000003.hdr") == 1600
    files.longest = 0
    assert len(device.store.state_before(47)) > 60
    assert files.longest < 800  # a whole base was more than a device had in one piece at a reorg


def test_below_the_window_nothing_is_changed():
    _, device = synced(BRANCH, 100)
    before = picture(device)
    new = BRANCH.fork(60)
    new.grow(4, 9)
    data = bytearray(new.headers[80 * 61 :])
    error = raises(ReorgTooDeep, device.chain.accept, data, 0, 4, 60, new.hash_at(60), NOW)
    assert error.height == 60 and picture(device) == before
    device.chain.floor = 90
    del new, data
    branch = BRANCH.fork(80)
    branch.grow(4, 3)
    data = bytearray(branch.headers[80 * 81 :])
    raises(ReorgTooDeep, device.chain.accept, data, 0, 4, 80, branch.hash_at(80), NOW)


def test_a_long_first_sync_writes_only_what_is_kept():
    network = NETWORK.replay(BRANCH.miner.state.chainwork * 98 // 100)
    files = MemoryFiles()
    device = Device(files, [], network)
    device.sync(BRANCH, 10, 60)
    assert [name for name in files.names() if name[-4:] == ".hdr"] == []
    assert device.store.first_height == 61 == device.chain.tip_height + 1
    again = Device(files.copy(), [], network)
    assert again.chain.tip_height == 47  # an epoch's end is where a first sync goes on
    for one in (device, again):
        one.sync(BRANCH)
        one.store.commit(one.chain.state)
        assert picture(one) == picture(synced(BRANCH, 100)[1])
        check(one, [BRANCH], one.chain.state.chainwork, [])


def test_with_enough_work_every_header_is_kept_whatever_the_bridge_says():
    files = MemoryFiles()
    device = Device(files, [])
    device.store.best_height = 10**6
    data = bytearray(BRANCH.headers[80 : 80 * 21])
    device.chain.accept(data, 0, 20, 0, BRANCH.hash_at(0), NOW)
    assert device.store.first_height == 1
