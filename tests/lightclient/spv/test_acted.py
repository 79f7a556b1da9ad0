from faulty_files import MemoryFiles
from mining import trivial_network
from support import heap_used, raises

from lightclient.errors import AlreadyActed, CorruptStore, StoreFull, StoreRolledBack
from lightclient.spv.acted import ActedPayments
from lightclient.spv.stored_payments import FINAL_DEPTH, StoredPayments

NETWORK = trivial_network()
FIRST, SECOND, THIRD = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


def opened(files, capacity=3, may_create=True):
    acted = StoredPayments(files, NETWORK, capacity)
    acted.open(may_create)
    return acted


def test_acted_once_for_each_output():
    acted = ActedPayments(3)
    acted.require_new(FIRST, 0, 5, 10)
    acted.add(FIRST, 0, 5, 1, 10)
    raises(AlreadyActed, acted.require_new, FIRST, 0, 5, 10)
    raises(AlreadyActed, acted.add, FIRST, 0, 6, 1, 10)
    acted.add(FIRST, 1, 5, 1, 10)
    acted.add(SECOND, 0, 5, 1, 10)
    assert acted.count == 3


def test_a_full_record_forgets_only_what_is_final():
    acted = opened(MemoryFiles(), 2)
    for index, height in ((0, 500), (70000, 502)):
        acted.add(FIRST, index, height, 7, height)
        acted.finish(7, FIRST)
    raises(StoreFull, acted.add, SECOND, 0, 510, 1, 499 + FINAL_DEPTH)
    acted.add(SECOND, 0, 510, 1, 500 + FINAL_DEPTH)
    assert acted.floor == 501 and acted.count == 2
    # what was forgotten is refused by its height, and so is what never was there
    raises(AlreadyActed, acted.require_new, FIRST, 0, 500, 700)
    raises(AlreadyActed, acted.require_new, THIRD, 0, 499, 700)
    raises(AlreadyActed, acted.require_new, FIRST, 70000, 502, 700)
    acted.require_new(THIRD, 0, 501, 700)


def test_what_is_unfinished_or_uncertain_is_not_forgotten():
    acted = opened(MemoryFiles(), 2)
    acted.add(FIRST, 0, 100, 1, 100)  # its pulse has not ended
    acted.add(SECOND, 0, 101, 2, 101)
    acted.finish(2, SECOND)
    acted.forget_above(100)  # a reorg took block 101
    raises(StoreFull, acted.add, THIRD, 0, 9000, 3, 9000)
    raises(AlreadyActed, acted.require_new, SECOND, 0, 120, 9000)  # mined again: now its place is known
    acted.add(THIRD, 0, 9000, 3, 9000)
    assert acted.floor == 121 and acted.unfinished() == [(1, FIRST[:12]), (3, THIRD[:12])]


def test_the_record_outlives_a_restart():
    files = MemoryFiles()
    acted = opened(files)
    acted.add(FIRST, 0, 5, 1, 10)
    acted.add(SECOND, 4, 6, 2, 10)
    acted.finish(1, FIRST)
    again = opened(files, 3, False)
    raises(AlreadyActed, again.require_new, FIRST, 0, 5, 10)
    raises(AlreadyActed, again.require_new, SECOND, 4, 6, 10)
    assert again.unfinished() == [(2, SECOND[:12])] and again.sequence == acted.sequence == 4


def test_one_copy_lost_or_damaged_loses_nothing_and_an_older_one_is_refused():
    for name in ("paid.a", "paid.b"):
        files = MemoryFiles()
        acted = opened(files)
        old = files.content(name)
        acted.add(FIRST, 0, 5, 1, 10)
        acted.add(SECOND, 0, 5, 1, 10)
        new = files.content(name)
        for damage in (b"", new[:-1], new[:30] + b"\xff" + new[31:]):
            files.write(name, damage)
            raises(AlreadyActed, opened(files, 3, False).require_new, SECOND, 0, 5, 10)
            assert files.content(name) == new  # both copies are there again before anything is written
        files.remove(name)
        raises(AlreadyActed, opened(files, 3, False).require_new, SECOND, 0, 5, 10)
        files.write(name, old)
        raises(StoreRolledBack, opened, files, 3, False)
    files.remove("paid.a")
    files.remove("paid.b")
    raises(CorruptStore, opened, files, 3, False)


def test_record_has_its_memory_from_the_start():
    acted = ActedPayments(64)
    before = heap_used()
    for i in range(64):
        acted.add(bytes([i]) * 32, i, 1000, 1, 1000)
    assert heap_used() - before < 512  # the record itself has 2,304
