"""Finds the payments that devices watch for: in new blocks as they come, and in old ones from a given height on.

Two searches are under way at most. One follows the chain's tip, for all scripts at once. The other goes from the
tip down, piece by piece, so that what is new is found first: a script that is added later starts at the tip, and
joins the others where it has caught up with them; it never makes them start again. Between two pieces, and before
each payment that the node has found, the old blocks wait for the new ones.

A block that the node can't give stops the search of no other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.limits import MAX_SEARCHED_BLOCKS, SEARCH_PIECE_SECONDS
from host_bridge.nodes.node import Node, NodeError, NotThere
from host_bridge.payments.block_search import BlockSearch, OtherChain
from host_bridge.payments.missing_blocks import MissingBlocks
from host_bridge.payments.watched_scripts import WatchedScript, WatchedScripts
from host_bridge.sessions.source import FoundPayment, Watch
from host_bridge.trouble import Trouble, answer
from lightclient.errors import LightClientError

log = logging.getLogger("lightclient.bridge")

_FIRST_PIECE = 144  # blocks
_FAIRNESS = 4  # every so many pieces, whoever has waited longest comes first
_IDLE_SECONDS = 30.0
_OTHER_CHAIN_SECONDS = 0.5
_TRIES = 4  # with growing pauses: then it is the block that can't be searched, and the others go on


class PaymentFinder:
    """`searched_to`: all blocks up to it have been searched for the scripts that were watched then."""

    def __init__(self, node: Node, index: HeaderIndex) -> None:
        self._node = node
        self._index = index
        self.scripts = WatchedScripts()
        self._search = BlockSearch(node, index, self.scripts)
        self.searched_to = index.best_height
        self._target = index.best_height  # up to where the search of new blocks under way goes
        self._lowest_block = 0  # below, the node has pruned them
        self._missing = MissingBlocks()
        self._forks = 0  # reorgs so far
        self._piece = _FIRST_PIECE
        self._pieces = 0
        self._new_blocks = asyncio.Event()
        self._old_blocks = asyncio.Event()
        self._up_to_date = asyncio.Event()
        self._up_to_date.set()
        self._logged_at = 0.0

    # --- what sessions ask ---

    def watch(self, watcher: object, watch: Watch) -> None:
        """Raises LimitExceeded."""
        if self.scripts.watch(watcher, watch, max(self.searched_to, self._target)):
            self._old_blocks.set()

    def unwatch(self, watcher: object, request_id: int) -> None:
        self.scripts.unwatch(watcher, request_id)

    def find(self, watch: Watch) -> Iterable[FoundPayment]:
        """What has been found so far, in the chain as it is now."""
        return self.scripts.find(watch)

    # --- what the chain does ---

    def went_back(self, fork_height: int) -> None:
        """The blocks above are replaced: they are searched anew."""
        self._forks += 1
        self.searched_to = min(self.searched_to, fork_height)
        self._target = min(self._target, fork_height)
        self.scripts.went_back(fork_height)
        self._missing.forget(0, fork_height)

    def chain_changed(self) -> None:
        """There are new blocks to search."""
        if self.searched_to < self._index.best_height:
            self._up_to_date.clear()
            self._new_blocks.set()

    # --- the two searches ---

    async def run(self, on_change: Callable[[], None]) -> None:
        """For ever. `on_change` is called when something has been found."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(on_change))
            group.create_task(self._look_back(on_change))

    async def _follow(self, on_change: Callable[[], None]) -> None:
        trouble = Trouble(f"{self._node.name}: search of new blocks")
        tries = 0
        while True:
            await self._new_blocks.wait()
            self._new_blocks.clear()
            try:
                while self.searched_to < self._index.best_height:
                    await self._search_new(on_change, tries >= _TRIES)
                    tries = 0
                trouble.over()
            except (NodeError, LightClientError, OSError, OtherChain) as error:
                tries += isinstance(error, NodeError)
                self._new_blocks.set()
                self._up_to_date.set()  # what is old can be looked for all the same
                await _pause(trouble, error)
            else:
                self._up_to_date.set()

    async def _search_new(self, on_change: Callable[[], None], is_careful: bool) -> None:
        """The next new blocks. Being careful it is up to the one that can't be searched, which is left out."""
        forks = self._forks
        last = min(self._index.best_height, self.searched_to + MAX_SEARCHED_BLOCKS)
        self._target = last
        while self.searched_to < last and forks == self._forks:
            first = max(self.searched_to + 1, self._lowest_block)
            end = min(first, last) if is_careful else last
            missed = None
            try:
                await self._search.run(list(self.scripts), first, end, on_change)
            except NodeError as error:
                if isinstance(error, NotThere) and await self._is_pruned(first):
                    continue
                if not is_careful:
                    raise
                await answer(self._node.tip())  # it is there, then
                missed = error
            if forks == self._forks:
                self.searched_to = end
                if missed:
                    self._missing.add(first, missed)
                    self._old_blocks.set()
                    return

    async def _look_back(self, on_change: Callable[[], None]) -> None:
        trouble = Trouble(f"{self._node.name}: search of old blocks")
        tries = 0
        while True:
            self.scripts.drop_idle()
            self.scripts.refill()
            group, missing = self._next_group(), self._missing.due()
            if not group and not missing:
                self._old_blocks.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._missing.seconds_left(_IDLE_SECONDS)):
                        await self._old_blocks.wait()
                continue
            await self._up_to_date.wait()
            try:
                if missing:
                    await self._search_missing(missing, on_change)
                await self._search_piece(self._next_group(), on_change, tries >= _TRIES)
                tries = 0
                trouble.over()
            except (NodeError, LightClientError, OSError, OtherChain) as error:
                tries += isinstance(error, NodeError)
                await _pause(trouble, error)

    async def _search_missing(self, heights: list[int], on_change: Callable[[], None]) -> None:
        for height in heights:
            self._missing.forget(self._lowest_block, self._index.best_height)
            try:
                await self._search.run(list(self.scripts), height, height, on_change, self._up_to_date)
                self._missing.found(height)
            except NodeError as error:
                await answer(self._node.tip())
                self._missing.add(height, error)

    def _next_group(self) -> list[WatchedScript]:
        """Scripts of which the same block is the next: the highest, now and then those that have waited longest."""
        waiting = [s for s in self.scripts if s.watchers and max(s.low, self._index.first_height) <= s.top]
        if not waiting:
            return []
        if self._pieces % _FAIRNESS == _FAIRNESS - 1:
            top = min(waiting, key=lambda s: s.served).top
        else:
            top = max(s.top for s in waiting)
        return [s for s in waiting if s.top == top]

    async def _search_piece(self, group: list[WatchedScript], on_change: Callable[[], None], is_careful: bool) -> None:
        if not group:
            return
        last = group[0].top
        first = max(min(s.low for s in group), last - self._piece + 1, self._index.first_height)
        for other in self.scripts:  # where another one waits, it joins
            if other.watchers and other.low <= other.top < last:
                first = max(first, other.top + 1)
        if first < self._lowest_block <= last:
            first = self._lowest_block
        self._pieces += 1
        for script in group:
            script.served = self._pieces
        forks = self._forks
        started = time.monotonic()
        try:
            if last >= self._lowest_block:
                await self._search.run(group, first, last, on_change, self._up_to_date)
        except NodeError as error:
            if isinstance(error, NotThere) and await self._is_pruned(first):
                return
            if not isinstance(error, NotThere) and not is_careful:
                raise
            await answer(self._node.tip())  # it is there, then
            if first < last:
                self._piece = max((last - first + 1) // 2, 1)  # which one is it?
                return
            self._missing.add(first, error)
        if forks != self._forks:
            return  # what was searched may be gone: once more
        self._adapt(time.monotonic() - started)
        if last < self._lowest_block:
            first = min(script.low for script in group)
            log.warning("%d scripts: blocks %d to %d can't be searched, they are pruned", len(group), first, last)
        for script in group:
            if script.top == last:  # else it has been asked for anew
                script.top = first - 1
        self._tell_progress(group, first)

    async def _is_pruned(self, height: int) -> bool:
        """Ask the node which blocks it still has."""
        self._lowest_block = (await answer(self._node.info())).lowest_block
        return height < self._lowest_block

    def _adapt(self, seconds: float) -> None:
        if seconds < SEARCH_PIECE_SECONDS / 2:
            self._piece = min(2 * self._piece, MAX_SEARCHED_BLOCKS)
        elif seconds > 2 * SEARCH_PIECE_SECONDS:
            self._piece = max(self._piece // 2, 1)

    def _tell_progress(self, group: list[WatchedScript], first: int) -> None:
        now = time.monotonic()
        left = first - min(script.low for script in group)
        if left > 0 and now - self._logged_at > 10:
            self._logged_at = now
            log.info("search of old blocks: %d scripts, down to %d, %d blocks to go", len(group), first, left)


async def _pause(trouble: Trouble, error: Exception) -> None:
    if isinstance(error, OtherChain):
        await asyncio.sleep(_OTHER_CHAIN_SECONDS)
    else:
        await trouble.pause(error)
