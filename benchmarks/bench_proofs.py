"""Verifying payment proofs on both Pythons: time, and the heap that it takes on MicroPython.

The proofs are made up here, on regtest: a transaction of ordinary size in a tree of 12 levels, and
two of a megabyte, one of many inputs (work for the walk) and one of a single script (work for SHA-256).
"""

import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from measure import Figure, arguments, on_cpython, on_micropython, report

from host_bridge.payments.proofs import verify
from lightclient.hashes import hash256
from lightclient.params import REGTEST
from lightclient.spv.coinbase import height_script
from lightclient.spv.container import encode_proof

DEPTH = 12
HEIGHT = 100_000
MEGABYTE = 1_000_000
PROCESSES = 2


def compact_size(value: int) -> bytes:
    if value < 0xFD:
        return bytes([value])
    if value < 0x10000:
        return b"\xfd" + value.to_bytes(2, "little")
    return b"\xfe" + value.to_bytes(4, "little")


def transaction(inputs: list[bytes], scripts: list[bytes], prevout: bytes = b"") -> bytes:
    """One whose inputs spend made-up outputs (or `prevout`) with `inputs`, and pay 50,000 sat to each of `scripts`."""
    parts = [(2).to_bytes(4, "little"), compact_size(len(inputs))]
    for number, script in enumerate(inputs):
        spent = prevout or sha256(number.to_bytes(4, "little")).digest() + bytes(4)
        parts += [spent, compact_size(len(script)), script, b"\xff\xff\xff\xff"]
    parts.append(compact_size(len(scripts)))
    for script in scripts:
        parts += [(50_000).to_bytes(8, "little"), compact_size(len(script)), script]
    return b"".join([*parts, bytes(4)])


PAY_TO = b"\x00\x14" + bytes(range(20))
SIGNATURE = b"\x48" + bytes(72) + b"\x21" + bytes(33)  # what spends a P2PKH output
COINBASE = transaction([height_script(HEIGHT) + b"benchmark"], [PAY_TO], bytes(32) + b"\xff\xff\xff\xff")
INPUT_SIZE = 36 + 1 + len(SIGNATURE) + 4

SUBJECTS = {
    "12-level proof of 1 kB": transaction([SIGNATURE], [PAY_TO] * 3),
    "1 MB, many inputs": transaction([SIGNATURE] * (MEGABYTE // INPUT_SIZE), [PAY_TO]),
    "1 MB, one script": transaction([SIGNATURE], [PAY_TO, b"\x6a" + bytes(MEGABYTE)]),
}


def make_proof(subject: bytes) -> bytes:
    """A container for `subject`, the first leaf in the right half of a tree of DEPTH levels."""
    siblings = [sha256(bytes([level])).digest() for level in range(DEPTH - 1)]
    left, right = hash256(COINBASE), hash256(subject)
    for sibling in siblings:
        left, right = hash256(left + sibling), hash256(right + sibling)
    branch = b"".join(siblings)
    root = hash256(left + right)
    nonce = 0
    while True:
        header = (
            (4).to_bytes(4, "little")
            + bytes(32)
            + root
            + (1_700_000_000).to_bytes(4, "little")
            + REGTEST.pow_limit_bits.to_bytes(4, "little")
            + nonce.to_bytes(4, "little")
        )
        if int.from_bytes(hash256(header), "little") <= REGTEST.pow_limit:
            break
        nonce += 1
    index = 1 << (DEPTH - 1)
    proof = encode_proof(
        "regtest",
        HEIGHT,
        header,
        hash256(subject),
        index,
        DEPTH,
        subject,
        branch + left,
        COINBASE,
        branch + right,
    )
    verify(proof, REGTEST)
    return proof


def figures_of(python: str, name: str, size: int, runs: list[dict[str, Any]]) -> list[Figure]:
    best = min(us for run in runs for us in run["us"])
    figures = [
        Figure(f"{python}: {name} ({size:,} bytes)", best / 1000, "ms"),
        Figure(f"{python}: {name}: speed", 1e6 * size / best, "bytes/s"),
    ]
    if runs[0]["heap"]:
        figures += [
            Figure(f"{python}: {name}: most in use beyond imports", max(run["peak"] for run in runs), "bytes"),
            Figure(f"{python}: {name}: of it the verifier and a piece", max(run["kept"] for run in runs), "bytes"),
        ]
    return figures


def main() -> int:
    options = arguments(__doc__ or "")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="lightclient-") as folder:
        path = Path(folder) / "proof.lcproof"
        for name, subject in SUBJECTS.items():
            proof = make_proof(subject)
            path.write_bytes(proof)
            rounds = max(options.rounds // PROCESSES // (12 if len(proof) > MEGABYTE else 1), 1)
            for python, run in (("CPython", on_cpython), ("MicroPython", on_micropython)):
                runs = [run("both_proofs.py", path, rounds) for _ in range(PROCESSES)]
                if None not in runs:
                    figures += figures_of(python, name, len(proof), runs)
    report("proofs", figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
