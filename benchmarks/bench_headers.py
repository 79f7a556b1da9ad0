"""Checking headers against hashing them: time on both Pythons, and the heap on MicroPython.

The headers are checked by what `lightclient headers check` runs on CPython, and in batches of a
device's size on MicroPython. They are compared with hashing the same headers, double SHA-256 with
hashlib and nothing else, in the same process and with the same garbage collection.
"""

import sys
import time
from argparse import Namespace
from functools import partial
from hashlib import sha256

from measure import Figure, alternate, arguments, best_and_median, on_micropython, ratio, report

from host_bridge.chain.header_file import check_header_file
from lightclient.limits import HEADER_SIZE
from lightclient.params import NETWORKS

CPYTHON_GOAL = 2.0  # times hashing
MICROPYTHON_GOAL = 1.6
HEAP_GOAL = 64 * 1024  # bytes in use beyond what the imports took
DEVICE_HEAP = 192 * 1024
PROCESSES = 4  # where objects happen to lie on the heap makes a difference of its own
NO_THRESHOLD = -1


def hash_all(headers: bytes) -> float:
    """Seconds to hash every header, each cut out of the file's bytes."""
    started = time.perf_counter()
    for offset in range(0, len(headers), HEADER_SIZE):
        sha256(sha256(headers[offset : offset + HEADER_SIZE]).digest()).digest()
    return time.perf_counter() - started


def on_this_python(options: Namespace) -> list[Figure]:
    headers = options.headers.read_bytes()
    network = NETWORKS[options.network]
    rules: list[float] = []

    def check_all() -> float:
        started = time.perf_counter()
        checked = check_header_file(options.headers, network, options.start_height)
        whole = time.perf_counter() - started
        rules.append(1000 * checked.seconds)
        return 1000 * whole

    hashing, whole = alternate(options.rounds, lambda: 1000 * hash_all(headers), check_all)
    rules = rules[1:]  # the first round does not count
    count = len(headers) // HEADER_SIZE
    return [
        *best_and_median(f"CPython: hashing {count:,} headers", hashing, "ms"),
        *best_and_median("CPython: checking them (`seconds`)", rules, "ms"),
        *best_and_median("CPython: checking them, whole call", whole, "ms"),
        Figure("CPython: headers checked", count / min(rules) * 1000, "headers/s"),
        *ratio("CPython: checking / hashing", rules, hashing, CPYTHON_GOAL),
        *ratio("CPython: whole call / hashing", whole, hashing, CPYTHON_GOAL),
    ]


def on_a_device(options: Namespace) -> list[Figure]:
    threshold = on_micropython("device_imports.py")
    if threshold is None:
        return []
    last = options.start_height + options.headers.stat().st_size // HEADER_SIZE - 1
    measure = partial(
        on_micropython, "device_headers.py", options.headers, options.network, options.start_height, int(time.time())
    )
    figures = [Figure("MicroPython: imports of the device program", threshold["bytes"], "bytes")]
    for name, bytes_between in (
        (f"MicroPython, gc.threshold {threshold['threshold']:,}", threshold["threshold"]),
        ("MicroPython, no gc.threshold", NO_THRESHOLD),
    ):
        runs = [measure(bytes_between, max(options.rounds // PROCESSES, 1)) for _ in range(PROCESSES)]
        if any(run["tip"] != last for run in runs):
            raise SystemExit("the device did not come to the last header")
        hashing = [us / 1000 for run in runs for us in run["hashing"]]
        checking = [us / 1000 for run in runs for us in run["checking"]]
        figures += [
            *best_and_median(f"{name}: hashing", hashing, "ms"),
            *best_and_median(f"{name}: checking", checking, "ms"),
            *ratio(f"{name}: checking / hashing", checking, hashing, MICROPYTHON_GOAL),
        ]
        if bytes_between != NO_THRESHOLD:
            figures += [
                Figure(f"{name}: imports", max(run["imports"] for run in runs), "bytes"),
                Figure(f"{name}: most in use beyond them", max(run["peak"] for run in runs), "bytes", HEAP_GOAL),
            ]
            heap = runs[0]
    # The proof: the same run on a heap that has no more. Some of a heap is its own book-keeping.
    size = (heap["imports"] + HEAP_GOAL) * DEVICE_HEAP // heap["heap"]
    run = measure(threshold["threshold"], 1, heap=str(size))
    room = run["heap"] - run["imports"]
    figures.append(Figure("MicroPython: room beyond imports on which it runs as well", room, "bytes", HEAP_GOAL))
    return figures


def main() -> int:
    options = arguments(__doc__ or "")
    report("headers", [*on_this_python(options), *on_a_device(options)], options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
