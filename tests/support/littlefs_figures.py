"""littlefs_figures.py HEADERS_FILE: what the store costs on real littlefs with real mainnet headers, as JSON.

Runs on MicroPython, with a heap that holds the flash. HEADERS_FILE begins at height 0.
"""

import gc
import json
import os
import sys
import time

import vfs
from flash import BLOCK, Flash

from firmware.files import FolderFiles
from lightclient.headers.chain import HeaderChain
from lightclient.headers.rules import HeaderRules
from lightclient.headers.window_store import WindowStore
from lightclient.limits import MAX_BATCH_HEADERS
from lightclient.params import MAINNET
from lightclient.spv.stored_payments import StoredPayments

_BLOCKS = 212  # the Pico W's file system: 848 KiB
_SYNCED = 3 * 2016 + 1900  # headers before the daily ones: most of the third file is filled

flash = Flash(_BLOCKS)
vfs.VfsLfs2.mkfs(flash, progsize=256)
vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
batch = bytearray(80 * MAX_BATCH_HEADERS)
rules = HeaderRules(MAINNET)
rules.begin_at_genesis(MAINNET.genesis_header, 0)
start = rules.state


def opened():
    files = FolderFiles("/flash/store")
    acted = StoredPayments(files, MAINNET, 64)
    return HeaderChain(MAINNET, WindowStore(MAINNET, files, acted), start)


def feed(chain, file, count, size):
    while count:
        n = min(count, size)
        data = memoryview(batch)[: 80 * n]
        file.readinto(data)
        chain.accept(batch, 0, n, chain.tip_height, chain.state.block_hash, 0)
        count -= n


def used_blocks():
    status = os.statvfs("/flash")
    return status[2] - status[3]


def costs(before):
    return {"programs": flash.programs - before[0], "erases": flash.erases - before[1]}


out = {}
gc.collect()
heap = gc.mem_alloc()
chain = opened()
gc.collect()
empty = used_blocks()
file = open(sys.argv[1], "rb")
file.seek(80)
before = (flash.programs, flash.erases)
feed(chain, file, _SYNCED - 1, MAX_BATCH_HEADERS)
out["sync"] = costs(before)
out["sync_headers"] = _SYNCED - 1
before = (flash.programs, flash.erases)
peak = 0
for _ in range(144):
    feed(chain, file, 1, 1)
    peak = max(peak, used_blocks())
out["daily"] = costs(before)
chain.store.commit(chain.state)
while (chain.tip_height + 2) % 2016:  # the fullest that a window gets
    feed(chain, file, min(96, 2016 - (chain.tip_height + 2) % 2016), MAX_BATCH_HEADERS)
chain.store.commit(chain.state)
out["bytes_used"] = used_blocks() * BLOCK
out["window"] = [chain.store.first_height, chain.store.tip_height]
before = (flash.programs, flash.erases)
feed(chain, file, 144, 1)
out["daily_with_prune"] = costs(before)
chain.store.commit(chain.state)
saved = chain.store
del chain, saved
before = (flash.programs, flash.erases)
gc.collect()
heap = gc.mem_alloc()
files = FolderFiles("/flash/store")
acted = StoredPayments(files, MAINNET, 64)
store = WindowStore(MAINNET, files, acted)
started = time.ticks_us()
chain = HeaderChain(MAINNET, store, start)
out["opening_ms"] = time.ticks_diff(time.ticks_us(), started) / 1000
chain.store.read_into(chain.tip_height - 5, batch, 0)
gc.collect()
out["ram_with_chain"] = gc.mem_alloc() - heap
chain = None
gc.collect()
out["ram"] = gc.mem_alloc() - heap
out["opening"] = costs(before)
out["most_worn"] = max(flash.wear.values())
out["mistakes"] = flash.mistakes
print(json.dumps(out))
