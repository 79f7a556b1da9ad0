"""littlefs_faults.py flips|room|locked|old: faults of simulated flash under real littlefs, and a device on it.

Runs on MicroPython, with a heap that holds the flash. Prints what it counted, as JSON; what must not be
ends it with an exception.
"""

import gc
import json
import sys

from flash import BLOCK, Flash
from littlefs_cuts import mounted, unmount
from store_model import Branch, Device, check, picture

from lightclient.errors import CorruptStore, StoreError, StoreFull, StoreRolledBack

_BLOCKS = 32
_STEP = 53  # bytes from one flip to the next
_TXID = b"\x07" * 32


def flips():
    """One bit of flash is wrong after a restart: found and named, or without harm."""
    branch = Branch().grow(90)
    flash = Flash(_BLOCKS)
    files = mounted(flash, True)
    device = Device(files, [])
    device.sync(branch, 24, 60)
    device.pay(_TXID, 55)
    device.sync(branch, 24, 70)
    device.store.commit(device.chain.state)
    files.close()
    unmount()
    whole = flash.snapshot()
    goal = None
    counts = {}
    for number in [-1] + sorted(whole):
        for offset in range(number % _STEP, BLOCK, _STEP) if number >= 0 else [0]:
            flash = Flash(_BLOCKS, whole)
            if number >= 0:
                flash.flip(number, offset, (offset + number) & 7)
            outcome = after_flip(flash, branch, goal)
            if goal is None:
                goal = outcome
                outcome = "harmless"
            key = outcome if outcome != "again" else "again@%d" % number
            counts[key] = counts.get(key, 0) + 1
        gc.collect()
    return counts


def after_flip(flash, branch, goal):
    try:
        files = mounted(flash)
    except OSError:
        return "no file system"
    try:
        device = Device(files, [])
        check(device, [branch], 0, [])
        try:
            check(device, [branch], 0, [_TXID])
        except AssertionError:
            return "again"
        device.sync(branch, 24)
        device.store.commit(device.chain.state)
        assert goal in (None, picture(device))
        return picture(device) if goal is None else "harmless"
    except StoreError as error:
        return type(error).__name__
    finally:
        files.close()
        unmount()


print(json.dumps({"flips": flips}[sys.argv[1]]()))
