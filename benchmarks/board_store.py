# ruff: noqa: F401, F821, I001, PLW0603 - constants are put before it, and the first import comes first
# Runs on the emulated board, SETTINGS, NEXT (a file of headers) and STEP put before it; see device_store.py.
import firmware.main  # sets gc.threshold
import gc
import json
import time

from firmware import heap
from firmware.device import open_chain
from firmware.files import FolderFiles
from firmware.settings import check_settings
from lightclient.headers.rules import HeaderRules

HEADER = 80
flash = 0
FAR = 900_000
BYTES = 45  # of a header on the line, about


def timed(name):
    """What takes time in flash, without what takes time in Python around it."""
    function = getattr(FolderFiles, name)

    def call(self, *values):
        global flash
        started = time.ticks_us()
        try:
            return function(self, *values)
        finally:
            flash += time.ticks_diff(time.ticks_us(), started)

    setattr(FolderFiles, name, call)


def over_all(take):
    """(microseconds that `take` takes for all batches, flash left out, of the collections between them)."""
    global flash, count
    took = collections = count = until = 0
    with open(NEXT, "rb") as file:
        while file.readinto(batch) == len(batch):
            flash = 0
            started = time.ticks_us()
            take()
            took += time.ticks_diff(time.ticks_us(), started) - flash
            count += STEP
            until += STEP * BYTES
            if until + STEP * BYTES > every:  # as firmware/device.py does
                until = 0
                started = time.ticks_us()
                gc.collect()
                collections += time.ticks_diff(time.ticks_us(), started)
    return took, collections


for name in ("headers.window_store", "spv.stored_payments"):  # modules are loaded before
    __import__("lightclient." + name)
settings = check_settings(SETTINGS)
started = time.ticks_us()
chain, acted = open_chain(settings)
opening = time.ticks_diff(time.ticks_us(), started)
tip = chain.tip_height
chain.store.close()
chain = acted = None
gc.collect()
base = gc.mem_alloc()
chain, acted = open_chain(settings)
gc.collect()
most = opened = gc.mem_alloc() - base
batch = bytearray(STEP * HEADER)
count = rules_alone = accepted = collections = every = 0
if NEXT:
    for name in ("names", "size", "read_into", "append", "write", "cut", "rename", "remove", "sync", "release"):
        timed(name)
    chain.store.best_height = FAR  # a long sync: the record is written now and then
    rules = HeaderRules(settings.network)
    rules.state.copy_from(chain.state)
    rules.state.accumulator = None
    every = heap.loaded()
    rules_alone, _ = over_all(lambda: rules.extend(batch, 0, STEP, 0, True))
    rules = None
    accepted, collections = over_all(
        lambda: chain.accept(batch, 0, STEP, chain.tip_height, chain.state.block_hash, 0, True)
    )
    gc.collect()
    most = max(most, gc.mem_alloc() - base - len(batch))
print(
    json.dumps(
        {
            "opened": opened,
            "opening": opening,
            "tip": tip,
            "after": most,
            "count": count,
            "took": accepted - rules_alone,
            "collections": collections,
        }
    )
)
