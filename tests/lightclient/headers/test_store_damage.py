from store_model import Branch, Device, check, migrate_from_0, picture, synced
from support import raises

from lightclient.errors import (
    CorruptStore,
    StoreRolledBack,
    WrongNetwork,
    WrongStoreVersion,
)
from lightclient.headers.envelope import MIGRATIONS, seal

BRANCH = Branch().grow(70)


def damages(whole, older):
    """None stands for the file's absence."""
    yield None
    if older is not None:
        yield older
    for size in (0, len(whole) // 2, len(whole) - 80, len(whole) - 1):
        yield whole[:size]
    for i in range(0, len(whole), max(len(whole) // 40, 1)):
        yield whole[:i] + bytes([whole[i] ^ 0x10]) + whole[i + 1 :]


def test_every_file_damaged_in_every_way_is_found_or_does_no_harm():
    files, device = synced(BRANCH, 70)
    device.pay(b"\x07" * 32, 60)
    older, _ = synced(BRANCH, 55)
    goal = picture(device)
    named = {}
    for name in files.names():
        whole = files.content(name)
        for damaged in damages(whole, older.content(name) if older.size(name) >= 0 else None):
            other = files.copy()
            if damaged is None:
                other.remove(name)
            else:
                other.write(name, damaged)
            try:
                again = Device(other, [])
                check(again, [BRANCH], 0, [b"\x07" * 32])
                again.sync(BRANCH, 24, 70)
                assert picture(again) == goal
            except (CorruptStore, StoreRolledBack) as error:
                named[type(error).__name__] = named.get(type(error).__name__, 0) + 1
                continue
    assert named["CorruptStore"] > 50 and named["StoreRolledBack"] >= 3


def test_files_of_another_network_and_of_another_version_are_refused():
    files, _ = synced(BRANCH, 70)
    for name in files.names():
        other = files.copy()
        data = bytearray(other.content(name))
        length = int.from_bytes(data[6:10], "little")
        seal(data, data[5], length, b"othr", int.from_bytes(data[14:18], "little"))
        other.write(name, data)
        raises(WrongNetwork, use_all, other)
        if name[-4:] == ".hdr":
            continue
        data = bytearray(files.content(name))
        data[4] = 9
        data[-4:] = crc(data[:-4])
        other.write(name, data)
        raises(WrongStoreVersion, use_all, other)
    assert MIGRATIONS[0] is migrate_from_0


def use_all(files):
    device = Device(files, [])
    for height in range(device.store.base_height, device.chain.tip_height):
        device.store.state_before(height)


def crc(data):
    from binascii import crc32  # noqa: PLC0415

    return crc32(bytes(data)).to_bytes(4, "little")


def test_headers_without_a_record_are_no_new_store():
    files, device = synced(BRANCH, 50)
    device.pay(b"\x07" * 32, 40)
    files.remove("chain.a")
    files.remove("chain.b")
    files.locked = False
    raises(CorruptStore, Device, files, [])
    for name in files.names():
        if name[-4:] == ".hdr":
            files.remove(name)
    files.locked = False
    raises(CorruptStore, Device, files, [])  # payments were acted on, or may have been
