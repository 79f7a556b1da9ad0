"""make_accumulator_vectors.py HEADERS.bin OUT.json: the test vectors of docs/ACCUMULATOR.md.

HEADERS.bin: raw mainnet headers from genesis, at least 10,237 (of those, as many are used). Nothing of
lightclient is imported: this is the specification once more, by its recursive definition, so that vectors
and implementation can't share a fault.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

LEAF_HASHES = 8
SIZES = (0, 1, 7, 8, 9, 15, 16, 17, 24, 63, 64, 65, 100, 255, 256)
PATHS = ((1, 0), (8, 0), (8, 7), (9, 8), (17, 3), (17, 16), (24, 17), (100, 0), (100, 63), (100, 99), (256, 200))
MAINNET_SIZES = (1, 171, 2016, 4032, 8192, 10000, 10237)
MAINNET_PATHS = ((171, 170), (8192, 170), (10237, 0), (10237, 170), (10237, 8191), (10237, 10230), (10237, 10236))


def tree(hashes: list[bytes], first_leaf: int, leaves: int) -> bytes:
    """The node over `leaves` (a power of two) whole leaves from `first_leaf` on."""
    if leaves == 1:
        eight = hashes[LEAF_HASHES * first_leaf : LEAF_HASHES * first_leaf + LEAF_HASHES]
        return sha256(b"\x00" + first_leaf.to_bytes(4, "little") + b"".join(eight)).digest()
    half = leaves // 2
    return sha256(b"\x01" + tree(hashes, first_leaf, half) + tree(hashes, first_leaf + half, half)).digest()


def peak_ranges(size: int) -> list[tuple[int, int]]:
    """(first leaf, leaves) of each peak, the largest first."""
    ranges = []
    first, left = 0, size // LEAF_HASHES
    while left:
        leaves = 1 << (left.bit_length() - 1)
        ranges.append((first, leaves))
        first += leaves
        left -= leaves
    return ranges


def state(hashes: list[bytes], size: int) -> dict[str, Any]:
    return {
        "size": size,
        "peaks": [tree(hashes, *entry).hex() for entry in peak_ranges(size)],
        "unfinished": [h.hex() for h in hashes[size - size % LEAF_HASHES : size]],
    }


def path(hashes: list[bytes], size: int, height: int) -> bytes:
    leaf = height // LEAF_HASHES
    parts = [size.to_bytes(4, "little")]
    for first, leaves in peak_ranges(size):
        if first <= leaf < first + leaves:
            own = range(LEAF_HASHES * leaf, LEAF_HASHES * leaf + LEAF_HASHES)
            parts += [hashes[i] for i in own if i != height]
            width = 1
            while width < leaves:  # the sibling of the node of `width` leaves that holds ours
                parts.append(tree(hashes, (leaf // width ^ 1) * width, width))
                width *= 2
    return b"".join(parts)


def path_vector(hashes: list[bytes], size: int, height: int) -> dict[str, Any]:
    return {
        "size": size,
        "height": height,
        "block_hash": hashes[height].hex(),
        "path": path(hashes, size, height).hex(),
    }


def refused_vectors(hashes: list[bytes]) -> list[dict[str, Any]]:
    """What a verifier that stands at `size` must refuse, and why."""

    def vector(why: str, size: int, height: int, block_hash: bytes, data: bytes) -> dict[str, Any]:
        return {"why": why, "size": size, "height": height, "block_hash": block_hash.hex(), "path": data.hex()}

    whole = path(hashes, 100, 21)
    node = tree(hashes, 2, 1)
    swapped = whole[:4] + whole[36:68] + whole[4:36] + whole[68:]
    return [
        vector("another block_hash", 100, 21, hashes[22], whole),
        vector("another height in the same leaf", 100, 22, hashes[21], whole),
        vector("the same place in another leaf", 100, 29, hashes[21], whole),
        vector("two hashes of the leaf exchanged", 100, 21, hashes[21], swapped),
        vector("the last hash is missing", 100, 21, hashes[21], whole[:-32]),
        vector("a hash too many", 100, 21, hashes[21], whole + node),
        vector("half a hash", 100, 21, hashes[21], whole[:-16]),
        vector("a leaf's own hash as a block_hash", 100, 16, node, whole[:4] + whole[-96:]),
        vector("made for more blocks", 99, 21, hashes[21], whole),
        vector("made for fewer blocks, its peak has been merged", 100, 21, hashes[21], path(hashes, 24, 21)),
        vector("made when its leaf was unfinished", 100, 21, hashes[21], path(hashes, 22, 21)),
        vector("size is not above the height", 100, 21, hashes[21], (21).to_bytes(4, "little") + whole[4:]),
        vector("an unfinished leaf needs the very hash", 100, 97, hashes[98], path(hashes, 100, 97)),
    ]


def main(headers_file: str, out: str) -> None:
    raw = Path(headers_file).read_bytes()[: 80 * max(MAINNET_SIZES)]
    mainnet = [sha256(sha256(raw[i : i + 80]).digest()).digest() for i in range(0, len(raw), 80)]
    made = [sha256(i.to_bytes(4, "little")).digest() for i in range(max(SIZES))]
    vectors = {
        "made": {
            "states": [state(made, size) for size in SIZES],
            "paths": [path_vector(made, *entry) for entry in PATHS],
            "still_good": [{**path_vector(made, 40, 21), "at_size": 63}, {**path_vector(made, 97, 96), "at_size": 100}],
            "refused": refused_vectors(made),
        },
        "mainnet": {
            "states": [state(mainnet, size) for size in MAINNET_SIZES],
            "paths": [path_vector(mainnet, *entry) for entry in MAINNET_PATHS],
        },
    }
    Path(out).write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
