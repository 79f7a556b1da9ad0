"""Finds the payments that devices watch for: in new blocks as they come, and in old ones from a given height on.

Two searches are under way at most. One follows the chain's tip, for all scripts at once. The other goes from the
tip down, piece by piece, so that what is new is found first: a script that is added later starts at the tip, and
joins the others where it has caught up with them; it never makes them start again. Between two pieces, and before
each payment that the node has found, the old blocks wait for the new ones.

What a node says is believed only when the device would believe it, and when the block is in the index.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.limits import MAX_SEARCHED_BLOCKS, SEARCH_PIECE_SECONDS, SEARCH_SECONDS
from host_bridge.nodes.node import Node, NodeError, NodePayment, NotThere
from host_bridge.payments.proofs import verify
from host_bridge.payments.watched_scripts import WatchedScript, WatchedScripts
from host_bridge.sessions.source import FoundPayment, Watch
from host_bridge.trouble import Trouble, answer
from lightclient.errors import LightClientError

log = logging.getLogger("lightclient.bridge")

_FIRST_PIECE = 144  # blocks
_FAIRNESS = 4  # every so many pieces, whoever has waited longest comes first
_QUICK_PROOF = 20_000  # bytes that are verified at once; a longer one in a thread, the loop goes on
_IDLE_SECONDS = 30.0
_TELL_SECONDS = 0.2  # between two calls of on_change in a search that finds much
_OTHER_CHAIN_SECONDS = 0.5


class _OtherChain(Exception):
    """The node's chain is not the one that the index has: the next sync will see to it."""


class PaymentFinder:
    """`searched_to`: all blocks up to it have been searched for the scripts that were watched then."""

    def __init__(self, node: Node, index: HeaderIndex) -> None:
        self._node = node
        self._index = index
        self.scripts = WatchedScripts()
        self.searched_to = index.best_height
        self._target = index.best_height  # up to where the search of new blocks under way goes
        self._lowest_block = 0  # below, the node has pruned them
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
        while True:
            await self._new_blocks.wait()
            self._new_blocks.clear()
            try:
                while self.searched_to < self._index.best_height:
                    await self._search_new(on_change)
                trouble.over()
            except (NodeError, LightClientError, OSError, _OtherChain) as error:
                self._new_blocks.set()
                self._up_to_date.set()  # what is old can be looked for all the same
                await _pause(trouble, error)
            else:
                self._up_to_date.set()

    async def _search_new(self, on_change: Callable[[], None]) -> None:
        first = max(self.searched_to + 1, self._lowest_block)
        last = min(self._index.best_height, self.searched_to + MAX_SEARCHED_BLOCKS)
        forks = self._forks
        self._target = last
        if len(self.scripts):
            try:
                await self._search(list(self.scripts), first, last, on_change, False)
            except NotThere:
                if not await self._is_pruned(first):
                    raise
                await self._search(list(self.scripts), self._lowest_block, last, on_change, False)
        if forks == self._forks:
            self.searched_to = last

    async def _look_back(self, on_change: Callable[[], None]) -> None:
        trouble = Trouble(f"{self._node.name}: search of old blocks")
        while True:
            self.scripts.drop_idle()
            group = self._next_group()
            if not group:
                self._old_blocks.clear()
                try:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._old_blocks.wait()
                except TimeoutError:
                    continue
            await self._up_to_date.wait()
            try:
                await self._search_piece(self._next_group(), on_change)
                trouble.over()
            except (NodeError, LightClientError, OSError, _OtherChain) as error:
                await _pause(trouble, error)

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

    async def _search_piece(self, group: list[WatchedScript], on_change: Callable[[], None]) -> None:
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
                await self._search(group, first, last, on_change, True)
        except NotThere as error:
            if await self._is_pruned(first):
                return
            if first < last:
                self._piece = max((last - first + 1) // 2, 1)  # which one is it?
                return
            log.warning("block %d can't be searched: %s", first, error)
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

    # --- one search ---

    async def _search(
        self, scripts: list[WatchedScript], first: int, last: int, on_change: Callable[[], None], gives_way: bool
    ) -> None:
        """Raises NodeError, _OtherChain: it is to be done once more."""
        if first > last:
            return
        by_script = {script.script_pubkey: script for script in scripts}
        await self._require_same_chain()
        payments = aiter(self._node.payments(list(by_script), first, last))
        told_at = 0.0
        untold = False
        try:
            while True:
                if gives_way:
                    await self._up_to_date.wait()
                found = await answer(_next(payments), SEARCH_SECONDS)
                if found is None:
                    break
                if first <= found.payment.height <= last:
                    untold |= await self._take(by_script.get(found.script_pubkey), found)
                if untold and time.monotonic() - told_at > _TELL_SECONDS:
                    told_at = time.monotonic()
                    untold = False
                    on_change()
                await asyncio.sleep(0)
        finally:
            if untold:
                on_change()
            if isinstance(payments, AsyncGenerator):
                await payments.aclose()
        await self._require_same_chain()

    async def _require_same_chain(self) -> None:
        tip = await answer(self._node.tip())
        # a higher tip the index is about to hear of; should a reorg come with it, all is searched again
        if tip.height <= self._index.best_height and not self._index.has_block(tip.height, tip.block_hash):
            raise _OtherChain

    async def _take(self, script: WatchedScript | None, found: NodePayment) -> bool:
        """True when a device can be told of it."""
        payment = found.payment
        if script is None or (payment.block_hash, payment.txid) in script.found:
            return False
        try:
            if len(payment.proof) > _QUICK_PROOF:
                amount = await asyncio.to_thread(self._judge, found)
            else:
                amount = self._judge(found)
        except LightClientError as error:
            log.error("%s: a proof that breaks a rule: %s: %s", self._node.name, type(error).__name__, error)
            return False
        if not self._index.has_block(payment.height, payment.block_hash):
            raise _OtherChain
        return self.scripts.add(script, payment, amount)

    def _judge(self, found: NodePayment) -> int:
        """The amount. Raises the error of the first rule broken."""
        payment = found.payment
        judged = verify(payment.proof, self._index.network, None, found.script_pubkey)
        told = (payment.height, payment.block_hash, payment.txid)
        if (judged.height, bytes(judged.block_hash), bytes(judged.txid)) != told or not judged.matches:
            raise LightClientError("it proves something else than was asked for", payment.height)
        return judged.output_value


async def _next(payments: AsyncIterator[NodePayment]) -> NodePayment | None:
    return await anext(payments, None)


async def _pause(trouble: Trouble, error: Exception) -> None:
    if isinstance(error, _OtherChain):
        await asyncio.sleep(_OTHER_CHAIN_SECONDS)
    else:
        await trouble.pause(error)
