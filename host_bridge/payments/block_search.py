"""One search of a range of blocks for payments to scripts that devices watch.

What a node says is believed only when the device would believe it, and when the block is in the index. A script
whose history the node does not give is left out from then on; the others' payments are found all the same.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.limits import SEARCH_SECONDS
from host_bridge.nodes.node import Node, NodePayment, TooManyPayments
from host_bridge.payments.proofs import verify
from host_bridge.payments.watched_scripts import WatchedScript, WatchedScripts
from host_bridge.trouble import answer
from lightclient.errors import LightClientError
from lightclient.hashes import hash256
from lightclient.limits import HEADER_SIZE

log = logging.getLogger("lightclient.bridge")

_QUICK_PROOF = 20_000  # bytes that are verified at once; a longer one in a thread, the loop goes on
_TELL_SECONDS = 0.2  # between two calls of on_change in a search that finds much


class OtherChain(Exception):
    """The node's chain is not the one that the index has: the next sync will see to it."""


class BlockSearch:
    """What it finds goes to `scripts`."""

    def __init__(self, node: Node, index: HeaderIndex, scripts: WatchedScripts) -> None:
        self._node = node
        self._index = index
        self._scripts = scripts

    async def run(
        self,
        scripts: list[WatchedScript],
        first: int,
        last: int,
        on_change: Callable[[], None],
        waits_for: asyncio.Event | None = None,
    ) -> None:
        """Keep the payments to `scripts` in the blocks `first` to `last`. `waits_for`: before each of them.

        Raises NodeError, OtherChain: it is to be done once more.
        """
        by_script = {script.script_pubkey: script for script in scripts if not script.is_too_busy}
        if first > last or not by_script:
            return
        await self._require_same_chain()
        payments = aiter(self._node.payments(list(by_script), first, last))
        told_at = 0.0
        untold = False
        try:
            while True:
                if waits_for:
                    await waits_for.wait()
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
        except TooManyPayments as error:  # the payments to the others have come
            self._scripts.leave_out(error.script_pubkey, str(error))
        finally:
            if untold:
                on_change()
            if isinstance(payments, AsyncGenerator):
                await payments.aclose()
        await self._require_same_chain()

    async def _require_same_chain(self) -> None:
        index = self._index
        tip = await answer(self._node.tip())
        height, block_hash = index.best_height, tip.block_hash
        if tip.height > height:  # the index is about to hear of it, or it is of a chain that is not followed
            raw = await answer(self._node.headers(height, 1))
            block_hash = hash256(raw[:HEADER_SIZE]) if len(raw) == HEADER_SIZE else b""
        if not index.has_block(min(tip.height, height), block_hash):
            raise OtherChain

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
            raise OtherChain
        return self._scripts.add(script, payment, amount)

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
