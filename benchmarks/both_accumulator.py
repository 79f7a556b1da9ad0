"""both_accumulator.py ROUNDS: appending and verifying a path, beside hashing a header; runs on both Pythons.

Prints microseconds a header (the best of the rounds), those of a path of 23 hashes, and on
MicroPython the bytes of an accumulator.
"""

import gc
import json
import sys
from hashlib import sha256

from stopwatch import best_of

from lightclient.errors import PathMismatch
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.path import PathVerifier
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS

MILLION = 1_000_000
HEIGHT = 123_456  # its path among a million blocks has 23 hashes
ANY_HASH = bytes(range(32))
BATCH = bytearray(MAX_BATCH_HEADERS * HEADER_SIZE)
VIEW = memoryview(BATCH)


def hash_batch():
    view = VIEW
    for offset in range(0, len(BATCH), HEADER_SIZE):
        sha256(sha256(view[offset : offset + HEADER_SIZE]).digest()).digest()


def append_one_by_one(accumulator):
    append = accumulator.append
    for _ in range(MAX_BATCH_HEADERS):
        append(ANY_HASH)


def verify_path(verifier, accumulator):
    verifier.begin(HEIGHT, ANY_HASH, MILLION, 23)
    for _ in range(23):
        verifier.add(ANY_HASH, 0)
    try:
        verifier.finish(accumulator)
    except PathMismatch:  # nothing has been appended here that it could lead to
        return
    raise SystemExit("a made-up path was accepted")


def main(rounds):
    accumulator = Accumulator()
    before = gc.mem_alloc() if sys.implementation.name == "micropython" else 0
    another = Accumulator()
    size = gc.mem_alloc() - before if before else 0
    another.count = MILLION
    figures = {
        "hash": best_of(rounds, 1, hash_batch) / MAX_BATCH_HEADERS,
        "append": best_of(rounds, 1, accumulator.append_links, BATCH, 0, MAX_BATCH_HEADERS, ANY_HASH)
        / MAX_BATCH_HEADERS,
        "append_one": best_of(rounds, 1, append_one_by_one, accumulator) / MAX_BATCH_HEADERS,
        "path": best_of(rounds, 1, verify_path, PathVerifier(), another),
        "size": size,
    }
    print(json.dumps(figures))


main(int(sys.argv[1]))
