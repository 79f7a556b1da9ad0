"""Block hashes made up for the accumulator's tests, and paths by their plain definition. Runs on both Pythons."""

import json
from hashlib import sha256

from support import repository_path

from lightclient.headers.accumulator import Accumulator


def vectors(part, kind):
    """A list of docs/accumulator-vectors.json."""
    with open(repository_path("docs/accumulator-vectors.json")) as file:
        return json.load(file)[part][kind]


def made_hash(height):
    """The block hashes that the vectors of part "made" are made of."""
    return sha256(height.to_bytes(4, "little")).digest()


def made(size):
    accumulator = Accumulator()
    for height in range(size):
        accumulator.append(made_hash(height))
    return accumulator


def naive_node(first, leaves, nodes, hash_of=made_hash):
    """The node over `leaves` leaves from `first` on; `nodes` remembers them by (first, leaves)."""
    if (first, leaves) not in nodes:
        if leaves == 1:
            data = b"\x00" + first.to_bytes(4, "little")
            for i in range(8):
                data += hash_of(8 * first + i)
        else:
            half = leaves // 2
            data = b"\x01" + naive_node(first, half, nodes, hash_of) + naive_node(first + half, half, nodes, hash_of)
        nodes[first, leaves] = sha256(data).digest()
    return nodes[first, leaves]


def naive_path(height, size, nodes, hash_of=made_hash):
    """Size and hashes of the path, by definition."""
    path = size.to_bytes(4, "little")
    leaf = height // 8
    if leaf == size // 8:
        return path
    for i in range(8 * leaf, 8 * leaf + 8):
        if i != height:
            path += hash_of(i)
    first = 0
    leaves = 1 << 20
    while not (size // 8 & leaves and first <= leaf < first + leaves):
        if size // 8 & leaves:
            first += leaves
        leaves //= 2
    width = 1
    while width < leaves:
        path += naive_node((leaf // width ^ 1) * width, width, nodes, hash_of)
        width *= 2
    return path
