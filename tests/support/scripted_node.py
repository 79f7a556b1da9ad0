"""A node that does what a test says: for what no real node does. Its chain is mined by the test (payments_on_chain)."""

import asyncio
from collections.abc import AsyncIterator, Collection

from payments_on_chain import Block

from host_bridge.nodes.node import NodeInfo, NodePayment, NodeUnreachable, NotThere, Tip, TooManyPayments
from host_bridge.sessions.source import FoundPayment
from lightclient.headers.header import block_hash


class ScriptedNode:
    """`headers`: from genesis on, may be exchanged. `fault`: raised by every call while it is there."""

    def __init__(self, headers: bytes) -> None:
        self.name = "scripted"
        self.first_height = 0
        self.chain = headers
        self.network = "regtest"
        self.paid: list[tuple[bytes, FoundPayment]] = []
        self.lowest_block = 0
        self.missing: set[int] = set()
        self.absence: Exception = NotThere("no such block")  # what is said of them
        self.busy: set[bytes] = set()  # scripts with too long a history
        self.fault: Exception | None = None
        self.stalls = asyncio.Event()
        self.stalls.set()
        self.searches: list[tuple[int, int, int]] = []  # scripts, first, last
        self.most_at_once = 0
        self._at_once = 0

    def pays(self, script_pubkey: bytes, block: Block) -> None:
        payment = FoundPayment(block.height, block.block_hash, block.txid, block.proof)
        self.paid.append((script_pubkey, payment))

    def _hash(self, height: int) -> bytes:
        return block_hash(self.chain, 80 * height)

    async def _may_fail(self) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault

    async def info(self) -> NodeInfo:
        await self._may_fail()
        return NodeInfo(self.network, "scripted", await self.tip(), True, self.lowest_block)

    async def tip(self) -> Tip:
        await self._may_fail()
        height = len(self.chain) // 80 - 1
        return Tip(height, self._hash(height))

    async def headers(self, height: int, count: int) -> bytes:
        await self._may_fail()
        return self.chain[80 * height : 80 * (height + count)]

    async def wait_for_news(self, seconds: float) -> None:
        await asyncio.sleep(0.01)

    async def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        await self._may_fail()
        self.searches.append((len(scripts), first, last))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self.stalls.wait()
            if first < self.lowest_block:
                raise NotThere("a block has been pruned")
            if self.missing & set(range(first, last + 1)):
                raise self.absence
            for script, payment in sorted(self.paid, key=lambda paid: paid[1].height):
                there = 80 * payment.height < len(self.chain) and self._hash(payment.height) == payment.block_hash
                if script in scripts and script not in self.busy and first <= payment.height <= last and there:
                    yield NodePayment(script, payment)
            for script in sorted(self.busy & set(scripts)):
                raise TooManyPayments("20,000 transactions", script)
        finally:
            self._at_once -= 1

    async def locate(self, txid: bytes) -> Tip:
        raise NotThere("not here")

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        raise NotThere("not here")

    async def close(self) -> None:
        pass


UNREACHABLE = NodeUnreachable("nobody listens")
