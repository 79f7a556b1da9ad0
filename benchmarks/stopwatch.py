"""Microseconds on both Pythons, as floats (CPython) or integers (MicroPython)."""

import gc
import sys
import time

if sys.implementation.name == "micropython":

    def since(started):
        return time.ticks_diff(time.ticks_us(), started)

    now = time.ticks_us

else:

    def now():
        return time.perf_counter_ns() / 1000

    def since(started):
        return now() - started


def best_of(rounds, times, function, *values):
    """Microseconds of one call: the best of `rounds` rounds of `times` calls."""
    best = None
    for _ in range(rounds):
        gc.collect()
        started = now()
        for _ in range(times):
            function(*values)
        took = since(started)
        best = took if best is None or took < best else best
    return best / times
