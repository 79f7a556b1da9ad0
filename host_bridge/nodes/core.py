"""Bitcoin Core (or Knots) as a node: JSON-RPC always; REST and ZMQ where they are offered.

REST carries the same bytes at a third of the cost, and asks for no login; what comes over it is checked as all
else is: a header by the hash that was asked for, a block by its header and its transactions.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection

from host_bridge.limits import (
    ANSWER_SECONDS,
    CORE_POLL_SECONDS,
    MAX_ASKED_HEADERS,
    MAX_BLOCKS_AT_ONCE,
    MAX_RAW_BLOCK,
    MAX_REORG_STEPS,
    MAX_RPC_BLOCK,
)
from host_bridge.nodes.block_scan import ParsedBlock, check_block, find_payments
from host_bridge.nodes.bounded_http import HttpAnswer
from host_bridge.nodes.core_find import find_transaction, height_of_block
from host_bridge.nodes.core_login import Login
from host_bridge.nodes.core_rpc import CoreRpc, shown
from host_bridge.nodes.core_zmq import BlockNews, address_of
from host_bridge.nodes.node import NodeError, NodeInfo, NodeLied, NodePayment, NotThere, Tip
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.limits import HEADER_SIZE, MAX_HEIGHT
from lightclient.params import NETWORKS, Network

# Core: ChainTypeToString
NETWORK_OF_CHAIN = {
    "main": "mainnet",
    "test": "testnet3",
    "testnet4": "testnet4",
    "signet": "signet",
    "regtest": "regtest",
}


class CoreNode:
    """`network`: what it has to be, None for whatever it says. All else: `host_bridge.nodes.node.Node`."""

    first_height = 0

    def __init__(
        self,
        host: str,
        port: int,
        login: Login,
        network: Network | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        shown_host = f"[{host}]" if ":" in host else host
        self.name = f"core://{shown_host}:{port}"
        self._host = host
        self._rpc = CoreRpc(shown_host, port, login, self.name, answer_seconds)
        self._wanted = network
        self._network: Network | None = None
        self._rest: bool | None = None  # None: not tried since the node was last out of reach
        self._blocks = asyncio.Semaphore(MAX_BLOCKS_AT_ONCE)
        self._seen = ""  # the best block hash last seen
        self._event = asyncio.Event()
        self._news: BlockNews | None = None
        self._news_tried = False

    # --- what it says of itself ---

    async def info(self) -> NodeInfo:
        self._rest = self._rest or None  # after a restart it may have what it had not before
        self._news_tried = self._news is not None
        chain = await self._rpc.call("getblockchaininfo")
        try:
            network = NETWORK_OF_CHAIN[chain["chain"]]
            tip = Tip(self._whole(chain["blocks"]), hash_from_hex(chain["bestblockhash"]))
            pruned = bool(chain.get("pruned", False))
            lowest = self._whole(chain.get("pruneheight") or 0) if pruned else 0
            syncing = bool(chain["initialblockdownload"]) or self._whole(chain["headers"]) > tip.height
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NodeLied(f"{self.name}: getblockchaininfo: fields are missing, or of another kind") from None
        await self._settle_network(network)
        return NodeInfo(network, await self._software(), tip, not syncing, lowest, await self._has_txindex())

    async def _settle_network(self, name: str) -> None:
        """Believe the name once the genesis block is that network's. Raises NodeLied."""
        wanted = self._wanted or self._network
        if wanted is not None and wanted.name != name:
            raise NodeLied(f"{self.name} is on {name}, not on {wanted.name}")
        if self._network is None:
            network = NETWORKS[name]
            if await self._hash_at(0) != hash256(network.genesis_header):
                raise NodeLied(f"{self.name} says that it is on {name}, but has another genesis block")
            self._network = network

    async def _known_network(self) -> Network:
        if self._network is None:
            await self.info()
        if self._network is None:
            raise NodeLied(f"{self.name}: its network is not known")
        return self._network

    async def _software(self) -> str:
        try:
            told = await self._rpc.call("getnetworkinfo")
            return shown(told["subversion"]).strip("/") or "Bitcoin Core"
        except (NodeError, KeyError, TypeError):
            return "Bitcoin Core"  # for people only, and it may not be allowed

    async def _has_txindex(self) -> bool | None:
        try:
            indexes = await self._rpc.call("getindexinfo")
            return "txindex" in indexes
        except (NodeError, TypeError):
            return None

    async def tip(self) -> Tip:
        # one call: of two, a block may come between
        chain = await self._rpc.call("getblockchaininfo")
        try:
            tip = Tip(self._whole(chain["blocks"]), hash_from_hex(chain["bestblockhash"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NodeLied(f"{self.name}: getblockchaininfo: fields are missing, or of another kind") from None
        self._seen = hash_to_hex(tip.block_hash)
        return tip

    async def wait_for_news(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        await self._listen()
        while True:
            self._event.clear()
            best = await self._rpc.call("getbestblockhash")
            if not isinstance(best, str):
                raise NodeLied(f"{self.name}: getbestblockhash: a hash belongs there")
            if best != self._seen:
                self._seen = best
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, CORE_POLL_SECONDS)):
                    await self._event.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(0.01)  # whoever floods the port gets no more than this out of us

    async def _listen(self) -> None:
        """Subscribe to ZMQ, if there is one. Tried once for as long as the node is there."""
        if self._news_tried or not BlockNews.possible():
            return
        self._news_tried = True
        try:
            address = address_of(await self._rpc.call("getzmqnotifications"), self._host)
        except NodeError:
            return
        if address is not None and (self._news is None or self._news.address != address):
            if self._news is not None:
                await self._news.close()
            self._news = BlockNews(address, self._event)

    # --- headers ---

    async def headers(self, height: int, count: int) -> bytes:
        count = min(count, MAX_ASKED_HEADERS)
        if count < 1 or not 0 <= height <= MAX_HEIGHT:
            return b""
        try:
            first = await self._hash_at(height)
        except NotThere:
            return b""  # above its tip
        answer = await self._rest_get(f"/rest/headers/{count}/{hash_to_hex(first)}.bin", count * HEADER_SIZE)
        if answer is None or not answer.body:  # empty: `first` is not in the best chain any more
            return await self._rpc_headers(height, count)
        raw = answer.body
        if len(raw) % HEADER_SIZE or hash256(raw[:HEADER_SIZE]) != first:
            raise NodeLied(f"{self.name}: what it gives for header {height} is another one, or none")
        return raw

    async def _rpc_headers(self, height: int, count: int) -> bytes:
        hashes = await self._rpc.batch("getblockhash", [(height + i,) for i in range(count)])
        hashes = hashes[: next((i for i, h in enumerate(hashes) if isinstance(h, NotThere)), len(hashes))]
        found = await self._rpc.batch("getblockheader", [(h, False) for h in hashes])
        raw = bytearray()
        for i, (block_hash, text) in enumerate(zip(hashes, found, strict=True)):
            try:
                header = bytes.fromhex(text)
                if len(header) != HEADER_SIZE or hash256(header) != hash_from_hex(block_hash):
                    raise ValueError
            except (TypeError, ValueError):
                raise NodeLied(f"{self.name}: what it gives for header {height + i} is another one, or none") from None
            raw += header
        return bytes(raw)

    async def _hash_at(self, height: int) -> bytes:
        """Raises NotThere above its tip."""
        text = await self._rpc.call("getblockhash", height)
        try:
            return hash_from_hex(text)
        except (TypeError, ValueError, AttributeError):
            raise NodeLied(f"{self.name}: getblockhash: 64 hex digits belong there") from None

    def _whole(self, value: object) -> int:
        if not isinstance(value, int) or not 0 <= value <= MAX_HEIGHT:
            raise ValueError
        return value

    # --- REST ---

    async def _rest_get(self, path: str, most: int) -> HttpAnswer | None:
        """The answer, None where REST is not offered or does not have it: RPC will say why."""
        if self._rest is False:
            return None
        try:
            answer = await self._rpc.http.get(path, max(most, 4096))
        except NodeError:
            self._rest = None  # it may be another node that comes back
            raise
        if answer.status == 200 and len(answer.body) <= most:
            self._rest = True
            return answer
        self._rest = answer.status == 404 and bool(answer.body)  # without REST: a 404 that says nothing
        return None

    # --- blocks ---

    async def _block(self, height: int, block_hash: bytes) -> bytes:
        """The raw block, which begins with the header of that hash. Raises NotThere when it has been pruned."""
        shown_hash = hash_to_hex(block_hash)
        answer = await self._rest_get(f"/rest/block/{shown_hash}.bin", MAX_RAW_BLOCK)
        if answer is not None:
            block = answer.body
        else:
            try:
                text = await self._rpc.call("getblock", shown_hash, 0, most=MAX_RPC_BLOCK)
            except NotThere as error:
                raise await self._absence(height, error) from None
            try:
                block = bytes.fromhex(text)
            except (TypeError, ValueError):
                raise NodeLied(f"{self.name}: block {height}: hex belongs there") from None
        check_block(block, block_hash, self.name)
        return block

    async def _absence(self, height: int, error: NotThere) -> NotThere:
        if "pruned" not in str(error):
            return NotThere(f"{self.name} does not have block {height}: {error}")
        lowest = (await self.info()).lowest_block
        return NotThere(f"{self.name} has pruned block {height}: it has blocks from {lowest} on")

    async def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        """As `Node.payments`. When the chain changes meanwhile, it goes back to the fork and on from there: what it
        gave of the other branch is told by its block_hash."""
        network = await self._known_network()
        wanted = frozenset(scripts)
        hashes: dict[int, bytes] = {}  # of the blocks looked at
        height, steps = first, 0
        while wanted and height <= last:
            try:
                block_hash = await self._hash_at(height)
            except NotThere:
                return  # above its tip
            async with self._blocks:
                block = await self._block(height, block_hash)
                if height - 1 in hashes and block[4:36] != hashes[height - 1]:
                    height, steps = height - 1, steps + 1
                    if steps > MAX_REORG_STEPS:
                        raise NodeLied(f"{self.name}: its chain does not hold together at block {height}")
                    continue
                found = await asyncio.to_thread(find_payments, network, block, height, wanted, self.name)
                del block
            for payment in found:
                yield payment
            hashes[height] = block_hash
            hashes.pop(height - MAX_REORG_STEPS, None)
            height += 1

    async def locate(self, txid: bytes) -> Tip:
        return await find_transaction(self._rpc, txid, self.name)

    async def locate_block(self, block_hash: bytes) -> Tip:
        """The block of that hash, in the best chain. Raises NotThere."""
        return Tip(await height_of_block(self._rpc, block_hash, self.name), block_hash)

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        network = await self._known_network()
        async with self._blocks:
            raw = await self._block(block.height, block.block_hash)

            def build() -> bytes:
                return ParsedBlock(network, raw, block.height, self.name).prove(txid)

            return await asyncio.to_thread(build)

    async def close(self) -> None:
        if self._news is not None:
            await self._news.close()
            self._news = None
        await self._rpc.close()
