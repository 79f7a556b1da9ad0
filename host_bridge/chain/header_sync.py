"""A file of headers brought up to a node's tip: whole, or not touched.

What is fetched goes to FILE.part beside it, in whole batches that have passed every rule; that becomes FILE when
the node's tip is reached and there is more work below it than FILE has. A run that was cut off goes on from there.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from host_bridge.chain.header_file import CheckedHeaders, check_header_file
from host_bridge.chain.node_headers import TRIES, ChainMoved, begin, checked_batches, fork_with, network_of
from host_bridge.files import Unusable, check_output
from host_bridge.nodes.node import Node
from lightclient.errors import LightClientError, NotEnoughWork
from lightclient.headers.rules import HeaderRules
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@dataclass
class Synced:
    """What has been done. `removed`: headers of FILE that a reorg took back; `rules` stand at the tip."""

    rules: HeaderRules
    first_height: int
    added: int
    removed: int

    @property
    def count(self) -> int:
        return self.rules.state.height + 1 - self.first_height


async def sync_headers(node: Node, path: Path) -> Synced:
    """Raises the error of the first rule broken, NotEnoughWork when FILE knows better, Unusable, NodeError, OSError."""
    check_output(path)
    path = Path(os.path.realpath(path))  # a link stays a link
    network = await network_of(node)
    before = check_header_file(path, network, node.first_height) if path.exists() else None
    part = path.with_name(path.name + ".part")
    try:
        return await _onto(node, network, path, part, before)
    finally:
        if part.exists() and part.stat().st_size == 0:
            part.unlink()


async def _onto(node: Node, network: Network, path: Path, part: Path, before: CheckedHeaders | None) -> Synced:
    with part.open("ab") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Unusable(f"{part} is being written by another program") from None
        for _ in range(TRIES):
            try:
                rules, fork = await _bring_up(node, network, path, part, before)
                break
            except ChainMoved:
                continue
        else:
            raise Unusable(f"{node.name}: its chain does not hold still: reorg after reorg")
    if before is None:
        part.replace(path)
        return Synced(rules, node.first_height, rules.state.height + 1 - node.first_height, 0)
    if not _is_better(rules, before, node, part):
        part.unlink()
        return Synced(before.rules, before.first_height, 0, 0)
    part.replace(path)
    return Synced(rules, before.first_height, rules.state.height - fork, before.tip_height - fork)


def _is_better(rules: HeaderRules, before: CheckedHeaders, node: Node, part: Path) -> bool:
    """Whether the node's chain takes the place of the file's: by its work, as for every node."""
    ours, theirs = before.rules.state, rules.state
    if theirs.chainwork < ours.chainwork:
        part.unlink()
        raise NotEnoughWork(
            f"the chain of {node.name} has less work than the file's, which ends at {ours.height}: nothing is written",
            theirs.height,
        )
    return theirs.chainwork > ours.chainwork


async def _bring_up(
    node: Node, network: Network, path: Path, part: Path, before: CheckedHeaders | None
) -> tuple[HeaderRules, int]:
    """Make `part` the node's chain. Returns the rules at its tip, and where it leaves the chain of `path`."""
    rules = await _resume(node, network, part)
    if rules is None and before is not None:
        shutil.copyfile(path, part)
        rules = HeaderRules(network)  # of its own: `before` stays where it is
        rules.state.copy_from(before.rules.state)
        rules.unverified = dict(before.rules.unverified)
        rules = await _cut_to_fork(node, network, part, rules)
        if rules is None:
            raise Unusable(f"{path} has no header in common with {node.name}: another chain")
    if rules is None:
        rules, first = await begin(node, network, None, None, None)
        part.write_bytes(first)
    with part.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        async for batch in checked_batches(node, rules):
            file.write(batch)
            file.flush()
        os.fsync(file.fileno())
    common = 0 if before is None else _common(path, part, before.count)
    return rules, node.first_height + common - 1


async def _resume(node: Node, network: Network, part: Path) -> HeaderRules | None:
    """The rules at the end of what a run before has left, cut to what the node still has; None: nothing of use."""
    size = part.stat().st_size
    os.truncate(part, size - size % HEADER_SIZE)  # a header that the power cut in two
    if size < HEADER_SIZE:
        return None
    try:
        return await _cut_to_fork(node, network, part, check_header_file(part, network, node.first_height).rules)
    except LightClientError:
        os.truncate(part, 0)  # of another network, or damaged
        return None


async def _cut_to_fork(node: Node, network: Network, part: Path, rules: HeaderRules) -> HeaderRules | None:
    """The rules at the fork, None when there is nothing in common; the file ends there then."""
    first = node.first_height
    fork = await fork_with(node, part, first, rules.state.height + 1 - first)
    if fork == rules.state.height:
        return rules
    os.truncate(part, (fork + 1 - first) * HEADER_SIZE)
    return check_header_file(part, network, first).rules if fork >= first else None


def _common(path: Path, part: Path, count: int) -> int:
    """How many headers two files begin with alike: the first difference ends it, for each names the one before."""
    with path.open("rb") as old, part.open("rb") as new:

        def same(number: int) -> bool:
            old.seek(number * HEADER_SIZE)
            new.seek(number * HEADER_SIZE)
            return old.read(HEADER_SIZE) == new.read(HEADER_SIZE)

        low, high = 0, count  # `low` are alike
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if same(middle) else (low, middle)
        return low
