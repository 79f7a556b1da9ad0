# ruff: noqa: F401, F821, I001 - constants are put before it, and the first import comes first
# Runs on the emulated board with NAMES of proofs in its flash; see bench_device.py.
import firmware.main  # sets gc.threshold
import gc
import json
import time

from lightclient.params import REGTEST
from lightclient.spv.proof import ACCEPTED, ProofVerifier

piece = bytearray(4000)
verifier = ProofVerifier()
found = {}
for name in NAMES:
    for measures_memory in (False, True, False):  # the first time loads and warms
        gc.collect()
        base = gc.mem_alloc()
        total = most = 0
        verifier.begin(REGTEST, None, b"\x00\x14" + bytes(range(20)))
        with open(name, "rb") as file:
            size = file.readinto(piece)
            while size:
                started = time.ticks_us()
                verifier.feed(piece, 0, size)
                total += time.ticks_diff(time.ticks_us(), started)
                if measures_memory:
                    most = max(most, gc.mem_alloc() - base)
                size = file.readinto(piece)
        verifier.close()
        accepted = verifier.stage == ACCEPTED and bool(verifier.matches)
        result = found.setdefault(name, {"accepted": accepted})
        if measures_memory:
            result["most"] = most
        else:
            result["us"] = total
print(json.dumps(found))
