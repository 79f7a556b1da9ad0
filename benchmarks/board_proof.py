# ruff: noqa: F401, F821, I001 - constants are put before it, and the first import comes first
# Runs on the emulated board with NAMES of proofs in its flash, and ACCEPTED put before it; see bench_device.py.
import firmware.main  # sets gc.threshold
import gc
import json
import time

from firmware.heap import loaded
from lightclient.params import REGTEST
from lightclient.spv.proof import ProofVerifier

PIECE = 4000
SMALL_PIECE = 300  # in which the memory is measured
TIMES = 5
LONG_US = 100_000

piece = bytearray(PIECE)
verifier = ProofVerifier()
found = {}
loaded()
for name in NAMES:
    for run in range(2 + TIMES):  # the first one loads and warms, the second measures memory
        measures_memory = run == 1
        if measures_memory:
            gc.collect()
        base = gc.mem_alloc()
        total = most = 0
        verifier.begin(REGTEST, None, b"\x00\x14" + bytes(range(20)))
        view = memoryview(piece)[: SMALL_PIECE if measures_memory else PIECE]
        with open(name, "rb") as file:
            size = file.readinto(view)
            while size:
                started = time.ticks_us()
                verifier.feed(piece, 0, size)
                total += time.ticks_diff(time.ticks_us(), started)
                if measures_memory:
                    gc.collect()
                    most = max(most, gc.mem_alloc() - base)
                size = file.readinto(view)
        started = time.ticks_us()
        verifier.close()
        total += time.ticks_diff(time.ticks_us(), started)
        accepted = verifier.stage == ACCEPTED and bool(verifier.matches)
        result = found.setdefault(name, {"accepted": accepted, "us": 0})
        if measures_memory:
            result["most"] = most
        elif run:
            result["us"] += total // TIMES
        result["garbage"] = gc.mem_alloc() - base
        if total > LONG_US:  # of a large transaction: its garbage fills the heap
            gc.collect()
print(json.dumps(found))
