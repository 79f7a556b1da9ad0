from faulty_files import MemoryFiles
from store_model import NOW, Branch, Device, check, picture, reopened, synced
from support import raises

from lightclient.errors import (
    HeaderNotInChain,
    StoreFull,
    StoreLocked,
)

BRANCH = Branch().grow(100)


def test_a_restart_goes_on_where_it_was():
    for height in (1, 5, 15, 16, 47, 70):
        files, device = synced(BRANCH, height)
        again = reopened(files)
        assert picture(again) == picture(device) and again.chain.tip_height == height
        check(again, [BRANCH], device.chain.state.chainwork, [])
        again.sync(BRANCH)
        assert picture(again) == picture(synced(BRANCH, 100)[1])


def test_the_newest_epochs_are_kept():
    files, device = synced(BRANCH, 100)
    assert files.names() == ["000004.hdr", "000005.hdr", "000006.hdr", "chain.a", "chain.b", "paid.a", "paid.b"]
    assert device.store.first_height == 64
    raises(HeaderNotInChain, device.store.read_into, 63, bytearray(80), 0)
    all_files, device = synced(BRANCH, 100, epochs=0)
    assert len(all_files.names()) == 7 + 4 and device.store.first_height == 1
    check(device, [BRANCH], 0, [])


def test_headers_are_appended_in_batches_and_what_was_not_is_fetched_again():
    files, _ = synced(BRANCH, 50)
    device = reopened(files)
    steps = files.steps
    newest = Branch(BRANCH.headers[: 80 * 56])
    device.sync(newest, 1, 54)
    assert files.steps == steps and device.store.committed_height == 50
    assert reopened(files).chain.tip_height == 50
    device.sync(newest, 1, 55)
    assert files.steps > steps and device.store.committed_height == 55


def test_far_from_its_end_a_sync_leaves_headers_uncommitted_that_opening_finds():
    files, _ = synced(BRANCH, 50)
    device = reopened(files)
    sequence = device.store.sequence
    device.sync(BRANCH, 6, 62)
    assert device.store.sequence == sequence and device.store.committed_height == 50
    assert reopened(files).chain.tip_height == 62


def test_two_hours_of_chain_time_are_enough_for_a_batch():
    slow = Branch().grow(60).grow(1, step=7100).grow(1, step=100)
    device = Device(MemoryFiles(), [])
    device.sync(slow, 24, 60)
    device.store.commit(device.chain.state)
    device.sync(slow, 1, 61)
    assert device.store.committed_height == 60
    device.sync(slow, 1, 62)
    assert device.store.committed_height == 62


def test_headers_behind_the_record_are_judged_again():
    files, _ = synced(BRANCH, 60)
    before = files.content("chain.a"), files.content("chain.b")
    for good, junk in ((0, b""), (2, b""), (2, b"\x01" * 50), (1, b"\x01" * 200), (0, b"\x01" * 80)):
        files, _ = synced(BRANCH, 60)
        tail = b"".join([BRANCH.header(h) for h in range(61, 61 + good)]) + junk
        files.append("000003.hdr", tail)
        assert (files.content("chain.a"), files.content("chain.b")) == before
        again = reopened(files)
        assert again.chain.tip_height == 60 + good
        again.sync(BRANCH)
        assert picture(again) == picture(synced(BRANCH, 100)[1])


def test_two_programs_cannot_open_one_store():
    files, device = synced(BRANCH, 20)
    raises(StoreLocked, Device, files, [])
    device.store.close()
    Device(files, [])


def test_a_full_flash_loses_nothing():
    files, device = synced(BRANCH, 50)
    files.room = sum([files.size(name) for name in files.names()])
    data = bytearray(BRANCH.headers[80 * 51 : 80 * 60])
    raises(StoreFull, device.chain.accept, data, 0, 9, 50, BRANCH.hash_at(50), NOW)
    assert device.chain.tip_height == 50 == device.store.tip_height
    check(device, [BRANCH], device.chain.state.chainwork, [])
    check(reopened(files), [BRANCH], device.chain.state.chainwork, [])
    files.room = -1
    again = reopened(files)
    again.sync(BRANCH)
    assert picture(again) == picture(synced(BRANCH, 100)[1])


def test_starting_from_a_checkpoint_inside_an_epoch():
    miner = BRANCH.fork(37).miner
    device = Device(MemoryFiles(), [], start=miner.state)
    files = device.store.files
    device.sync(BRANCH, 24, 70)
    device.store.commit(device.chain.state)
    assert device.store.first_height == 38
    check(reopened(files, start=miner.state), [BRANCH], device.chain.state.chainwork, [])
    device.sync(BRANCH)
    assert device.store.first_height == 64
