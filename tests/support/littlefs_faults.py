"""littlefs_faults.py flips|room|old: a device on real littlefs over a flash that flips a bit, or is full.

Runs on MicroPython, with a heap that holds the flash. Prints what it counted, as JSON; what must not be
ends it with an exception.
"""

import gc
import json
import os
import sys

import vfs
from flash import BLOCK, Flash
from littlefs_cuts import mounted, unmount
from old_payments import outlives_restarts
from store_model import NOW, Branch, Device, check, picture

from firmware.files import FolderFiles
from lightclient.errors import StoreError, StoreFull

_BLOCKS = 32
_STEP = 131  # bytes from one flip to the next
_BRANCH = Branch().grow(110)


def used_for_a_while(rounds):
    """The flash of a device that has synced and paid in turns, and the payments it acted on."""
    flash = Flash(_BLOCKS)
    files = mounted(flash, True)
    relay = []
    device = Device(files, relay)
    for i in range(rounds):
        device.sync(_BRANCH, 3, 42 + 4 * i)
        if i % 3 == 0:
            device.pay(bytes([i + 1]) * 32, 38 + 4 * i)
    files.close()
    unmount()
    return flash.snapshot(), relay


def again(flash):
    """What comes of starting a device on it, as a device starts: no folder is made."""
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
    return FolderFiles("/flash/store", False)


def goes_on(files, relay):
    device = Device(files, relay)
    check(device, [_BRANCH], 0, relay)
    device.sync(_BRANCH)
    device.store.commit(device.chain.state)
    return picture(device)


def flips(rounds):
    """One bit is wrong at the next start: found and named, or without harm."""
    whole, relay = used_for_a_while(rounds)
    flash = Flash(_BLOCKS, whole)
    goal = goes_on(again(flash), relay)
    unmount()
    counts = {}
    for number in sorted(whole):
        for offset in range((7 * number + rounds) % _STEP, BLOCK, _STEP):
            flash = Flash(_BLOCKS, whole)
            flash.flip(number, offset, (offset + number) & 7)
            outcome = "harmless"
            try:
                assert goes_on(again(flash), relay) == goal
            except StoreError as error:
                outcome = type(error).__name__
            unmount()
            counts[outcome] = counts.get(outcome, 0) + 1
        gc.collect()
    return counts


def room():
    """Full, with 0 to 9 blocks left at first: refused by name, nothing lost, and it goes on when there is room."""
    whole, relay = used_for_a_while(5)
    flash = Flash(_BLOCKS, whole)
    goal = goes_on(again(flash), relay)
    unmount()
    full = {"headers": 0, "payments": 0}
    for left in range(10):
        flash = Flash(_BLOCKS, whole)
        files = again(flash)
        status = os.statvfs("/flash")
        with open("/flash/fill", "wb") as fill:
            for _ in range(status[3] + 2 - left):  # statvfs counts the folder's two blocks twice
                fill.write(bytes(BLOCK - 16))
        moved = list(relay)
        device = Device(files, moved)
        for height in range(device.chain.tip_height + 1, _BRANCH.height + 1):
            data = bytearray(_BRANCH.header(height))
            try:
                device.chain.accept(data, 0, 1, height - 1, _BRANCH.hash_at(height - 1), NOW)
            except StoreFull:
                full["headers"] += 1
                break
        try:
            device.pay(b"\x77" * 32, 50)
        except StoreFull:
            full["payments"] += 1
        work = device.store.committed_work
        check(device, [_BRANCH], work, moved)
        unmount()
        flash = Flash(_BLOCKS, flash.snapshot())
        files = again(flash)
        check(Device(files, moved), [_BRANCH], work, moved)
        files.close()
        os.remove("/flash/fill")
        assert goes_on(files, moved) == goal
        unmount()
        assert not flash.mistakes, flash.mistakes
    return full


def old():
    flashes = [Flash(64)]

    def restarted():
        unmount()
        flashes.append(Flash(64, flashes[-1].snapshot()))
        return again(flashes[-1])

    outlives_restarts(mounted(flashes[0], True), restarted)


print(json.dumps({"flips": lambda: [flips(1), flips(7)], "room": room, "old": old}[sys.argv[1]]()))
