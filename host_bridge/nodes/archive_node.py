"""`archive:DIR`: files of headers and blocks in the place of a node. It never changes; what it lacks it names.

Headers lie in files NETWORK_FIRST_LAST.bin (raw, 80 bytes each, heights with or without leading zeros), blocks in
files *.blk (raw), in DIR itself or in folders `headers` and `blocks` below it. The headers of one network that join
up are one chain: of several chains the one with the highest header is shown, unless `network=` and `from=` name one.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path

from host_bridge.limits import MAX_ARCHIVE_FILES, MAX_ASKED_HEADERS, MAX_RAW_BLOCK
from host_bridge.nodes.block_scan import ParsedBlock, check_block, find_payments
from host_bridge.nodes.node import NodeInfo, NodeLied, NodePayment, NodeUnreachable, NotThere, Tip
from lightclient.hashes import hash256, hash_to_hex
from lightclient.limits import HEADER_SIZE, MAX_HEIGHT
from lightclient.params import NETWORKS, Network

_NAME = re.compile(r"([a-z0-9]+)_(\d{1,10})_(\d{1,10})\.bin", re.ASCII)


@dataclass(frozen=True)
class HeaderRun:
    """A file of headers: heights `first` to `last`."""

    network: str
    first: int
    last: int
    path: Path


def _files(folder: Path, below: str, ending: str) -> list[Path]:
    """Raises NodeUnreachable, NodeLied."""
    found: list[Path] = []
    try:
        for place in (folder, folder / below):
            if place == folder or place.is_dir():
                found += [path for path in place.iterdir() if path.name.endswith(ending)]
    except OSError as error:
        raise NodeUnreachable(f"archive:{folder}: {error.strerror or error}") from None
    if len(found) > MAX_ARCHIVE_FILES:
        raise NodeLied(f"archive:{folder}: {len(found)} files, at most {MAX_ARCHIVE_FILES}")
    return sorted(found)


def header_runs(folder: Path) -> list[HeaderRun]:
    """The files of headers in a folder. Raises NodeUnreachable, NodeLied for one whose length is not what it says."""
    runs = []
    for path in _files(folder, "headers", ".bin"):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] not in NETWORKS:
            continue
        run = HeaderRun(match[1], int(match[2]), int(match[3]), path)
        size = (run.last - run.first + 1) * HEADER_SIZE
        if run.last > MAX_HEIGHT or not 0 < size == path.stat().st_size:
            raise NodeLied(f"{path}: its name says heights {run.first} to {run.last}, its length does not")
        runs.append(run)
    return runs


def choose_chain(runs: list[HeaderRun], network: str | None, first: int | None) -> list[HeaderRun]:
    """The runs of one chain, in order: each begins where the one before ends. Empty when there is none."""
    chains: list[list[HeaderRun]] = []
    for run in sorted(runs, key=lambda r: (r.network, r.first, r.last)):
        if network not in (None, run.network):
            continue
        last = chains[-1][-1] if chains else None
        if last is not None and (last.network, last.last + 1) == (run.network, run.first):
            chains[-1].append(run)
        else:
            chains.append([run])
    chains = [chain for chain in chains if first in (None, chain[0].first)]
    return max(chains, key=lambda chain: chain[-1].last, default=[])


class ArchiveNode:
    """`network`, `first`: which chain of the folder (None: the highest). All else: `host_bridge.nodes.node.Node`.

    Raises NodeUnreachable, NodeLied, NotThere.
    """

    def __init__(self, folder: Path, network: Network | None = None, first: int | None = None) -> None:
        self.name = f"archive:{folder}"
        self._folder = folder
        runs = choose_chain(header_runs(folder), network.name if network else None, first)
        if not runs:
            wanted = (f"of {network.name} " if network else "") + (f"from height {first} on " if first else "")
            raise NotThere(f"{self.name}: no headers {wanted}in it (files NETWORK_FIRST_LAST.bin)")
        self._network = NETWORKS[runs[0].network]
        self.first_height = runs[0].first
        try:
            self._headers = b"".join(run.path.read_bytes() for run in runs)
        except OSError as error:
            raise NodeUnreachable(f"{self.name}: {error.strerror or error}") from None
        self._blocks: dict[bytes, Path] = {}
        for path in _files(folder, "blocks", ".blk"):
            with path.open("rb") as file:
                self._blocks[hash256(file.read(HEADER_SIZE))] = path
        self._heights: dict[bytes, int] = {}  # of the blocks that are there
        self._tip = self._check_links()

    def _check_links(self) -> Tip:
        """The last header; the heights of the blocks are found on the way. Raises NodeLied."""
        previous = b""
        for number in range(len(self._headers) // HEADER_SIZE):
            header = self._headers[number * HEADER_SIZE : (number + 1) * HEADER_SIZE]
            if previous and header[4:36] != previous:
                raise NodeLied(f"{self.name}: header {self.first_height + number} does not follow the one before")
            previous = hash256(header)
            if previous in self._blocks:
                self._heights[previous] = self.first_height + number
        self._blocks = {block_hash: path for block_hash, path in self._blocks.items() if block_hash in self._heights}
        return Tip(self.first_height + len(self._headers) // HEADER_SIZE - 1, previous)

    async def info(self) -> NodeInfo:
        return NodeInfo(self._network.name, f"files, {len(self._blocks)} blocks", self._tip, synced=True)

    async def tip(self) -> Tip:
        return self._tip

    async def headers(self, height: int, count: int) -> bytes:
        start = (height - self.first_height) * HEADER_SIZE
        return self._headers[start : start + max(min(count, MAX_ASKED_HEADERS), 0) * HEADER_SIZE] if start >= 0 else b""

    async def wait_for_news(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _block(self, block: Tip) -> bytes:
        path = self._blocks.get(block.block_hash)
        if path is None or self._heights[block.block_hash] != block.height:
            raise NotThere(f"{self.name} has no file of block {block.height} ({hash_to_hex(block.block_hash)})")
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_RAW_BLOCK + 1)
        except OSError as error:
            raise NodeUnreachable(f"{path}: {error.strerror or error}") from None
        check_block(raw, block.block_hash, str(path))
        return raw

    async def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        """As `Node.payments`. Blocks whose files are not there are passed over: an archive is of a few blocks."""
        wanted = frozenset(scripts)
        there = sorted((self._heights[block_hash], block_hash) for block_hash in self._blocks)
        for height, block_hash in there:
            if wanted and first <= height <= last:
                raw = self._block(Tip(height, block_hash))
                for payment in await asyncio.to_thread(find_payments, self._network, raw, height, wanted, self.name):
                    yield payment

    def _look_through(self, txid: bytes) -> Tip:
        """Reads every block there is."""
        for block_hash, path in self._blocks.items():
            tip = Tip(self._heights[block_hash], block_hash)
            try:
                ParsedBlock(self._network, self._block(tip), tip.height, str(path)).prove(txid)
            except NotThere:
                continue
            return tip
        raise NotThere(f"{self.name}: transaction {hash_to_hex(txid)} is in none of its {len(self._blocks)} blocks")

    async def locate(self, txid: bytes) -> Tip:
        return await asyncio.to_thread(self._look_through, txid)

    async def locate_block(self, block_hash: bytes) -> Tip:
        """The block of that hash, if it is there. Raises NotThere."""
        if block_hash not in self._heights:
            raise NotThere(f"{self.name} has no file of block {hash_to_hex(block_hash)}")
        return Tip(self._heights[block_hash], block_hash)

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        raw = self._block(block)
        return await asyncio.to_thread(lambda: ParsedBlock(self._network, raw, block.height, self.name).prove(txid))

    async def close(self) -> None:
        pass
