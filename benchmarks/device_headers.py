"""device_headers.py FILE NETWORK START_HEIGHT NOW THRESHOLD ROUNDS: runs on MicroPython; see bench_headers.py.

Prints the microseconds of each round, and in bytes the heap, what the imports took of it, and the
most that was in use beyond that after a batch.
"""

import gc
import json
import sys
import time

gc.threshold(int(sys.argv[5]))

from hashlib import sha256  # noqa: E402

from lightclient.headers.rules import HeaderRules  # noqa: E402
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS  # noqa: E402
from lightclient.params import NETWORKS  # noqa: E402

gc.collect()
IMPORTS = gc.mem_alloc()
HEAP = IMPORTS + gc.mem_free()

BATCH = bytearray(MAX_BATCH_HEADERS * HEADER_SIZE)
VIEW = memoryview(BATCH)


def measured(path, take):
    """What `take(size)` needs for all batches of a file: microseconds, reading left out, and most bytes in use."""
    total = 0
    peak = 0
    with open(path, "rb") as file:
        size = file.readinto(BATCH)
        while size:
            started = time.ticks_us()
            take(size)
            total += time.ticks_diff(time.ticks_us(), started)
            peak = max(peak, gc.mem_alloc() - IMPORTS)
            size = file.readinto(BATCH)
    return total, peak


def hash_batch(size):
    view = VIEW
    for offset in range(0, size, HEADER_SIZE):
        sha256(sha256(view[offset : offset + HEADER_SIZE]).digest()).digest()


class Check:
    """The rules on one file: `batch` for each batch of it."""

    def __init__(self, network, height, now):
        self.rules = HeaderRules(network)
        self.height = height
        self.now = now
        self.begun = False

    def batch(self, size):
        skip = 0
        if not self.begun:
            self.begun = True
            skip = HEADER_SIZE
            if self.height:
                self.rules.begin_at_anchor(BATCH, 0, self.height, self.now)
            else:
                self.rules.begin_at_genesis(BATCH, 0)
        self.rules.extend(BATCH, skip, (size - skip) // HEADER_SIZE, self.now)


def main(path, network_name, start_height, now, rounds):
    hashing = [0] * rounds
    checking = [0] * rounds
    most = 0
    for i in range(rounds):
        gc.collect()
        hashing[i], _ = measured(path, hash_batch)
        gc.collect()
        check = Check(NETWORKS[network_name], start_height, now)
        checking[i], peak = measured(path, check.batch)
        most = max(most, peak)
    tip = check.rules.state.height
    print(
        json.dumps(
            {"hashing": hashing, "checking": checking, "imports": IMPORTS, "heap": HEAP, "peak": most, "tip": tip}
        )
    )


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[6]))
