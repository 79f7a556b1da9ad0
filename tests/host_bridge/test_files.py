"""A store's folder on a computer's disk, as a device uses it (on littlefs: tests/test_littlefs.py)."""

import os
from pathlib import Path

import pytest
from store_model import Branch, Device, check, reopened, synced

from firmware.files import FolderFiles
from lightclient.errors import CorruptStore, StoreLocked, StoreRolledBack

BRANCH = Branch().grow(70)
TXID = b"\x07" * 32


def made(folder: Path) -> Device:
    device = synced(BRANCH, 60, FolderFiles(str(folder)))[1]
    device.pay(TXID, 50)
    return device


def test_one_copy_of_the_payments_stands_beside_the_folder(tmp_path: Path) -> None:
    device = made(tmp_path / "store")
    device.store.close()
    assert sorted(os.listdir(tmp_path)) == ["store", "store.paid"]
    assert "paid.b" not in os.listdir(tmp_path / "store")
    assert device.store.files.names()[-2:] == ["paid.a", "paid.b"]
    again = reopened(FolderFiles(str(tmp_path / "store") + "/", False))
    check(again, [BRANCH], device.store.committed_work, [TXID])
    again.store.close()


def test_a_folder_put_back_is_told_by_what_is_beside_it(tmp_path: Path) -> None:
    device = made(tmp_path / "store")
    older = {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()}
    device.pay(b"\x08" * 32, 51)
    device.store.close()
    for name, data in older.items():
        (tmp_path / "store" / name).write_bytes(data)
    with pytest.raises(StoreRolledBack, match=r"paid\.a"):
        reopened(FolderFiles(str(tmp_path / "store")))


def test_a_device_does_not_make_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CorruptStore, match="missing"):
        FolderFiles(str(tmp_path / "store"), False)
    assert not os.listdir(tmp_path)


def test_two_programs_cannot_open_one_folder(tmp_path: Path) -> None:
    device = made(tmp_path / "store")
    with pytest.raises(StoreLocked, match="another program"):
        reopened(FolderFiles(str(tmp_path / "store")))
    device.sync(BRANCH)
    device.store.close()
    reopened(FolderFiles(str(tmp_path / "store"))).store.close()


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    files = FolderFiles(str(tmp_path / "store"))
    for call in (files.remove, lambda name: files.rename(name, "b"), lambda name: files.read_into(name, 0, b"")):
        with pytest.raises(CorruptStore, match="a: missing"):
            call("a")
