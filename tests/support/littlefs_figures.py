"""littlefs_figures.py HEADERS_FILE: what the store costs on real littlefs with real mainnet headers, as JSON.

Runs on MicroPython, with a heap that holds the flash. HEADERS_FILE begins an epoch and holds four. The
device keeps the accumulator and as many payments as it can.
"""

import gc
import json
import os
import sys
import time

import vfs
from flash import BLOCK, Flash

from firmware.files import FolderFiles
from lightclient.errors import StoreFull
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.window_store import WindowStore
from lightclient.limits import MAX_BATCH_HEADERS
from lightclient.params import MAINNET
from lightclient.spv.stored_payments import StoredPayments

_BLOCKS = 212  # the Pico W's file system: 848 KiB
_FIRST_HEIGHT = 822528
_SYNCED = 2 * 2016 + 1700  # headers before the daily ones: most of the third file is filled

flash = Flash(_BLOCKS)
vfs.VfsLfs2.mkfs(flash, progsize=256)
vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
batch = bytearray(80 * MAX_BATCH_HEADERS)
file = open(sys.argv[1], "rb")


def checkpoint():
    """The state after the file's first 12 headers; what was before them is made up, of its true size."""
    data = memoryview(batch)[: 80 * 12]
    file.readinto(data)
    rules = HeaderRules(MAINNET)
    rules.begin_at_anchor(batch, 0, _FIRST_HEIGHT, 0)
    rules.extend(batch, 80, 11, 0)
    state = rules.state
    count = state.height + 1
    ones = sum([count >> (3 + level) & 1 for level in range(28)])
    unfinished = bytes(32 * ((count & 7) - 1)) + bytes(state.block_hash) if count & 7 else b""
    state.accumulator = Accumulator()
    state.accumulator.restore(count, bytes(32 * ones), unfinished)
    state.chainwork = MAINNET.minimum_chainwork
    state.complete = True
    return state


def feed(chain, count, size):
    while count:
        n = min(count, size)
        data = memoryview(batch)[: 80 * n]
        file.readinto(data)
        chain.accept(batch, 0, n, chain.tip_height, chain.state.block_hash, 0)
        count -= n


def feed_to_full(chain):
    """As full as a window gets: the next header but one needs a new file, and the oldest goes."""
    while (chain.tip_height + 2) % 2016:
        feed(chain, min(96, 2016 - (chain.tip_height + 2) % 2016), MAX_BATCH_HEADERS)
    chain.store.commit(chain.state)


def pay(acted, height):
    """As many payments as are kept, none of which may be forgotten."""
    paid = 0
    try:
        while True:
            acted.add(paid.to_bytes(32, "little"), paid, height, paid, height)
            acted.finish(paid, paid.to_bytes(32, "little"))
            paid += 1
    except StoreFull:
        return paid


def blocks_by_statvfs():
    status = os.statvfs("/flash")
    return status[2] - status[3]


def blocks_used():
    """By what still fits: MicroPython's statvfs counts the two blocks of each folder twice."""
    piece = bytes(256)
    fitted = 0
    fill = open("/flash/fill", "wb")
    try:
        while True:
            fitted += fill.write(piece)
    except OSError:
        pass
    try:
        fill.close()
    except OSError:
        pass
    os.remove("/flash/fill")
    return _BLOCKS - (fitted + BLOCK - 1) // BLOCK


def costs(before):
    return {"programs": flash.programs - before[0], "erases": flash.erases - before[1]}


def opened(start):
    files = FolderFiles("/flash/store")
    acted = StoredPayments(files, MAINNET)
    return HeaderChain(MAINNET, WindowStore(MAINNET, files, acted), start), acted


out = {}
start = checkpoint()
chain, acted = opened(start)
before = (flash.programs, flash.erases)
feed(chain, _SYNCED, MAX_BATCH_HEADERS)
out["sync"] = costs(before)
out["sync_headers"] = _SYNCED
before = (flash.programs, flash.erases)
out["payments"] = pay(acted, chain.tip_height)
out["paying"] = costs(before)
before = (flash.programs, flash.erases)
feed(chain, 144, 1)
out["daily"] = costs(before)
feed_to_full(chain)
before = (flash.programs, flash.erases)
feed(chain, 144, 1)
out["daily_with_prune"] = costs(before)
feed_to_full(chain)
out["window"] = [chain.store.first_height, chain.store.tip_height]
out["files"] = sum([os.stat("/flash/store/" + name)[6] for name in os.listdir("/flash/store")])
out["bytes_by_statvfs"] = blocks_by_statvfs() * BLOCK
out["bytes_used"] = blocks_used() * BLOCK
del chain, acted
before = (flash.programs, flash.erases)
gc.collect()
heap = gc.mem_alloc()
started = time.ticks_us()
chain, acted = opened(start)
out["opening_ms"] = time.ticks_diff(time.ticks_us(), started) / 1000
chain.store.read_into(chain.tip_height - 5, batch, 0)
gc.collect()
out["ram_with_chain"] = gc.mem_alloc() - heap
out["opening"] = costs(before)
out["most_worn"] = max(flash.wear.values())
out["mistakes"] = flash.mistakes
print(json.dumps(out))
