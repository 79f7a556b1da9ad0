"""A node as the source of bridge sessions: follows it for ever, whatever it does, and searches it for payments."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from host_bridge.chain.header_index import HeaderIndex, index_file
from host_bridge.chain.headers_on_disk import SYNC_EVERY, Progress
from host_bridge.limits import MAX_ASKED_HEADERS, NEWS_SECONDS
from host_bridge.nodes.node import Node, NodeError, NodeLied, Tip
from host_bridge.payments.payment_finder import PaymentFinder
from host_bridge.sessions.source import FoundPayment, Watch
from host_bridge.trouble import Trouble, answer
from lightclient.errors import BadLink, HeaderError, LightClientError
from lightclient.hashes import hash256
from lightclient.headers.chain import REFETCH
from lightclient.limits import HEADER_SIZE
from lightclient.params import Network

log = logging.getLogger("lightclient.bridge")

_SHORTEST_PAUSE = 0.05  # seconds between two questions, however much news a node has
_TRIES = 3  # while the node's chain changes under our hands


async def open_index(folder: Path, node: Node, network: Network, progress: Progress | None = None) -> HeaderIndex:
    """The index of a node's headers in `folder`; checked in a thread. Raises NodeError, StoreError, OSError."""
    first_header = b""
    if node.first_height and not index_file(folder, node.first_height).exists():
        first_header = await answer(node.headers(node.first_height, 1))
        if len(first_header) != HEADER_SIZE:
            raise NodeLied(f"{node.name}: no header at its first height {node.first_height}")
    return await asyncio.to_thread(HeaderIndex, folder, network, node.first_height, first_header, progress)


class NodeSource:
    """Implements `host_bridge.sessions.source.Source` over a node and the index of its headers.

    Its clock is the computer's; over an archive the time of the best header, for that is a replay.
    """

    def __init__(self, node: Node, index: HeaderIndex) -> None:
        self.network = index.network.name
        self.node = node
        self.index = index
        self.finder = PaymentFinder(node, index)
        self._is_replay = node.name.startswith("archive:")
        self._greeted = False
        self._behind = Tip(-1, b"")  # the node's tip that has less work than ours and has been told of
        self._told = -1  # height that was last told of during a long sync
        index.on_reorg = self.finder.went_back

    # --- Source ---

    @property
    def first_height(self) -> int:
        return self.index.first_height

    @property
    def best_height(self) -> int:
        return self.index.best_height

    def now(self) -> int:
        return self.index.state.time if self._is_replay else int(time.time())

    def block_hash(self, height: int) -> bytes | None:
        return self.index.block_hash(height)

    def packed_headers(self, height: int, count: int, room: int) -> tuple[int, bytes]:
        return self.index.packed_headers(height, count, room)

    def path(self, height: int, size: int) -> bytes | None:
        return self.index.path(height, size)

    def find_payments(self, watch: Watch) -> Iterable[FoundPayment]:
        return self.finder.find(watch)

    def watch(self, watcher: object, watch: Watch) -> None:
        self.finder.watch(watcher, watch)

    def unwatch(self, watcher: object, request_id: int) -> None:
        self.finder.unwatch(watcher, request_id)

    # --- following ---

    async def run(self, on_change: Callable[[], None]) -> None:
        """For ever. `on_change` is called when the tip has changed, and when a payment has been found."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(on_change))
            group.create_task(self.finder.run(on_change))

    async def _follow(self, on_change: Callable[[], None]) -> None:
        trouble = Trouble(self.node.name)
        while True:
            try:
                if not self._greeted:
                    await self._greet()
                await self._sync(on_change)
                await self._news()
                trouble.over()
            except (NodeError, LightClientError, OSError) as error:
                self._greeted = False
                await trouble.pause(error)

    async def _greet(self) -> None:
        info = await answer(self.node.info())
        if info.network != self.network:
            raise NodeLied(f"it is on {info.network}, this bridge serves {self.network}")
        pruned = f", blocks from {info.lowest_block} on" if info.lowest_block else ""
        log.info("%s: %s at height %d%s", self.node.name, info.software, info.tip.height, pruned)
        self._greeted = True

    async def _news(self) -> None:
        await answer(self.node.wait_for_news(NEWS_SECONDS))
        await asyncio.sleep(_SHORTEST_PAUSE)

    async def _sync(self, on_change: Callable[[], None]) -> None:
        """Bring the index to the node's tip."""
        before = self.index.state.block_hash
        try:
            await self._follow_tip(on_change)
        finally:  # (headers that came before one that is wrong are there)
            if before != self.index.state.block_hash:
                self._changed(on_change)
        if self.index.not_synced:
            await asyncio.to_thread(self.index.sync)

    async def _follow_tip(self, on_change: Callable[[], None]) -> None:
        for left in reversed(range(_TRIES)):
            tip = await answer(self.node.tip())
            if tip.height <= self.best_height and self.index.has_block(tip.height, tip.block_hash):
                return
            try:
                await self._fetch(tip, on_change)
                self._tell_if_behind(tip)
                return
            except BadLink as error:  # a reorg came between two answers, or it contradicts itself
                if not left:
                    raise NodeLied(f"its headers do not link: {error}") from None
            except HeaderError as error:
                where = f" {error.height}" if error.height >= 0 else ""
                raise NodeLied(f"its header{where} breaks a rule: {type(error).__name__}: {error}") from None

    def _changed(self, on_change: Callable[[], None]) -> None:
        self.finder.chain_changed()
        on_change()

    async def _headers(self, height: int, count: int) -> bytes:
        count = min(count, MAX_ASKED_HEADERS)
        raw = await answer(self.node.headers(height, count))
        if len(raw) % HEADER_SIZE or len(raw) > count * HEADER_SIZE:
            raise NodeLied(f"{len(raw)} bytes where {count} headers of 80 bytes were asked for")
        return raw

    async def _fetch(self, tip: Tip, on_change: Callable[[], None]) -> None:
        """All headers of the node's chain that the index lacks. Raises NodeError, the error of a rule broken."""
        height, raw = await self._find_fork(tip)
        again, last = 0, b""
        while raw:
            last = hash256(raw[-HEADER_SIZE:])
            outcome = self.index.accept(raw, height, int(time.time()))
            height += len(raw) // HEADER_SIZE
            if outcome == REFETCH:  # a branch of several batches has won: once more, from the fork on
                again += 1
                if again > _TRIES:
                    raise NodeLied("its chain changes without end")
                height = self.best_height
            if self.index.not_synced >= SYNC_EVERY:
                self._tell_progress(tip)
                await asyncio.to_thread(self.index.sync)
                self._changed(on_change)
            await asyncio.sleep(0)
            raw = await self._headers(height + 1, tip.height - height) if height < tip.height else b""
        if Tip(height, last) != tip:
            raise BadLink("they don't lead to the tip that it told of", height)

    async def _find_fork(self, tip: Tip) -> tuple[int, bytes]:
        """The height of a block that both have, and the node's headers that follow it."""
        first = self.index.first_height
        if tip.height <= first:
            raise NodeLied(f"its tip is at height {tip.height}, and not the block that the index begins with")
        top = min(self.best_height, tip.height - 1)
        depth = 0
        while True:
            height = max(top - depth, first)
            raw = await self._headers(height + 1, tip.height - height)
            if raw and raw[4:36] == self.index.block_hash(height):
                return height, raw
            if not raw and depth == 0:
                raise BadLink("the tip that it told of has gone", height)
            if height == first:
                raise NodeLied(f"{self.index.path_of_file} begins with another block than its chain has there")
            depth = max(4 * depth, 4)

    def _tell_progress(self, tip: Tip) -> None:
        if self.best_height - self._told >= 100_000 or self._told < 0:
            self._told = self.best_height
            newest = time.strftime("%Y-%m-%d", time.gmtime(self.index.state.time))
            log.info("headers: %d of %d, to %s", self.best_height, tip.height, newest)

    def _tell_if_behind(self, tip: Tip) -> None:
        if self.index.has_block(tip.height, tip.block_hash) or tip == self._behind:
            return
        self._behind = tip
        log.warning(
            "%s: its chain, at height %d, has less work than the one here, at %d: not followed. If that is right, "
            "end the bridge and delete %s",
            self.node.name,
            tip.height,
            self.best_height,
            self.index.path_of_file,
        )
