"""both_proofs.py PROOF ROUNDS: a proof on regtest verified from a file, in pieces; runs on both Pythons.

Prints the microseconds of each round (reading is not counted); on MicroPython also, in bytes beyond
the imports, the most that was in use after a piece, and what stays in use.
"""

import gc
import json
import sys

from stopwatch import now, since

IS_MICROPYTHON = sys.implementation.name == "micropython"
if IS_MICROPYTHON:
    gc.threshold(16 * 1024)

from lightclient.params import REGTEST  # noqa: E402
from lightclient.spv.proof import ACCEPTED, ProofVerifier  # noqa: E402

PIECE = 4000  # bytes: about what a PROOF_DATA message carries


def in_use():
    return gc.mem_alloc() if IS_MICROPYTHON else 0


gc.collect()
IMPORTS = in_use()


def main(path, rounds):
    verifier = ProofVerifier()
    piece = bytearray(PIECE)
    times = []
    peak = 0
    for _ in range(rounds):
        gc.collect()
        total = 0
        verifier.begin(REGTEST, None, b"\x00\x14" + bytes(range(20)))
        with open(path, "rb") as file:
            size = file.readinto(piece)
            while size:
                started = now()
                verifier.feed(piece, 0, size)
                total += since(started)
                peak = max(peak, in_use() - IMPORTS)
                size = file.readinto(piece)
        verifier.close()
        if verifier.stage != ACCEPTED or not verifier.matches:
            raise SystemExit("the proof was not accepted")
        times.append(total)
    gc.collect()
    kept = in_use() - IMPORTS
    print(json.dumps({"us": times, "heap": IS_MICROPYTHON, "peak": peak, "kept": kept}))


main(sys.argv[1], int(sys.argv[2]))
