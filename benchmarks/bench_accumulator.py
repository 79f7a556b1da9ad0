"""The accumulator: appending beside hashing the same headers, verifying a path, and the host's index of paths.

On both Pythons for what a device does; the index of a million made-up blocks on CPython.
"""

import sys
import time
from argparse import Namespace

from measure import Figure, alternate, arguments, on_cpython, on_micropython, ratio, report

from host_bridge.chain.header_file import header_batches
from host_bridge.chain.path_index import PathIndex
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.path import verify_path
from lightclient.headers.rules import HeaderRules
from lightclient.limits import HEADER_SIZE
from lightclient.params import NETWORKS

BLOCKS = 1_000_000
PATHS = 2000
APPEND_GOAL = 0.5  # of a header's double hash
PATH_GOAL = 5.0  # ms
INDEX_GOAL = 120.0  # MB


def the_index() -> list[Figure]:
    piece = 8000
    index = PathIndex()
    pieces = [bytes(number.to_bytes(4, "little") * 8 * piece) for number in range(BLOCKS // piece)]
    started = time.perf_counter()
    for hashes in pieces:
        index.append(hashes)
    built = time.perf_counter() - started
    accumulator = index.accumulator(index.count)
    took = []
    for i in range(PATHS):
        height = i * 7919 % BLOCKS
        started = time.perf_counter()
        path = index.path(height, index.count)
        took.append(1000 * (time.perf_counter() - started))
        verify_path(accumulator, height, index.block_hash(height), path)
    return [
        Figure(f"CPython: index of {BLOCKS:,} hashes built", built, "s"),
        Figure("CPython: memory of the index", index.memory() / 1e6, "MB", INDEX_GOAL),
        Figure("CPython: a path from it: median", sorted(took)[PATHS // 2], "ms", PATH_GOAL),
        Figure(f"CPython: a path from it: worst of {PATHS:,}", max(took), "ms", PATH_GOAL),
    ]


def checking(options: Namespace) -> list[Figure]:
    """What keeping the accumulator adds to checking headers."""
    network = NETWORKS[options.network]
    now = int(time.time())

    def check(accumulate: bool) -> float:
        rules = HeaderRules(network)
        seconds = 0.0
        with header_batches(options.headers, options.start_height, "checking headers") as batches:
            for buffer, count in batches:
                started = time.perf_counter()
                skip = 0
                if rules.state.height < 0:
                    skip = 1
                    if options.start_height:
                        rules.begin_at_anchor(buffer, 0, options.start_height, now)
                    else:
                        rules.begin_at_genesis(buffer, 0)
                    # what lies before does not change what it costs
                    rules.state.accumulator = Accumulator() if accumulate else None
                rules.extend(buffer, skip * HEADER_SIZE, count - skip, now)
                seconds += time.perf_counter() - started
        return seconds

    without, with_it = alternate(max(options.rounds // 4, 1), lambda: check(False), lambda: check(True))
    return ratio("CPython: checking with it / without", with_it, without)


def on_both(options: Namespace) -> list[Figure]:
    rounds = max(options.rounds // 10, 1)
    figures = []
    for python, run in (
        ("CPython", on_cpython("both_accumulator.py", rounds)),
        ("MicroPython", on_micropython("both_accumulator.py", rounds)),
    ):
        if run is None:
            continue
        figures += [
            Figure(f"{python}: hashing a header", run["hash"], "us"),
            Figure(f"{python}: appending it, in batches", run["append"], "us"),
            Figure(f"{python}: appending it, one at a time", run["append_one"], "us"),
            Figure(
                f"{python}: appending in batches / hashing",
                run["append"] / run["hash"],
                "x",
                APPEND_GOAL if python == "MicroPython" else None,
            ),
            Figure(f"{python}: verifying a path of 23 hashes", run["path"], "us"),
        ]
        if run["size"]:
            figures.append(Figure(f"{python}: an accumulator", run["size"], "bytes"))
    return figures


def main() -> int:
    options = arguments(__doc__ or "")
    report("accumulator", [*on_both(options), *checking(options), *the_index()], options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
