from support import heap_used, raises

from lightclient.errors import HeaderNotInChain, LimitExceeded
from lightclient.headers.store import RamStore


def record(height):
    return height.to_bytes(4, "little") * 20


def filled(capacity, first, count):
    store = RamStore(capacity)
    store.begin(first - 1, b"")
    for height in range(first, first + count):
        store.append(b"\0" * 80 + record(height), 80, 1, None, [])
    return store


def heights(store):
    out = bytearray(80)
    found = []
    for height in range(store.first_height, store.tip_height + 1):
        store.read_into(height, out, 0)
        assert out == record(height)
        found.append(height)
    return found


def test_keeps_the_newest():
    assert heights(filled(10, 5, 4)) == [5, 6, 7, 8]
    assert heights(filled(10, 5, 27)) == list(range(22, 32))


def test_truncate_then_append():
    store = filled(10, 5, 27)
    store.truncate(25)
    assert heights(store) == [22, 23, 24, 25]
    store.append(b"".join([record(h) for h in range(26, 40)]), 0, 14, None, [])
    assert heights(store) == list(range(30, 40))
    raises(LimitExceeded, store.truncate, 28)
    raises(LimitExceeded, store.truncate, 40)


def test_what_is_outside_the_window_is_not_found():
    store = filled(10, 5, 27)
    for height in (-1, 0, 21, 32):
        raises(HeaderNotInChain, store.read_into, height, bytearray(80), 0)


def test_appending_takes_no_memory():
    store = filled(10, 5, 27)
    used = heap_used()
    for height in range(32, 500):
        store.append(record(height), 0, 1, None, [])
    assert heap_used() - used < 512
