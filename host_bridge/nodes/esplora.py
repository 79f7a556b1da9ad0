"""A node behind an Esplora server (REST), of a URL that the user gives: Blockstream's electrs, mempool's.

Headers come from /blocks/:start, ten at a time, put together from what describes them: a tenth of the
requests that /block/:hash/header would need, and their hashes tell whether they are right. The server tells
nothing by itself: it is asked for its tip every second while news are waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import nullcontext
from struct import pack
from time import monotonic
from typing import Any

from host_bridge.limits import (
    ESPLORA_AT_ONCE,
    ESPLORA_POLL_SECONDS,
    MAX_ASKED_HEADERS,
    MAX_BLOCKS_ANSWER,
    MAX_BLOCKS_AT_ONCE,
    MAX_BRANCH_ANSWER,
    MAX_HISTORY,
    MAX_HISTORY_ANSWER,
    MAX_RAW_BLOCK,
)
from host_bridge.nodes.answers import (
    branch_of,
    build_proof,
    check_header,
    field,
    hash_of,
    hex_of,
    int_of,
    linked,
    network_of_genesis,
    position_of,
    shown,
)
from host_bridge.nodes.block_scan import ParsedBlock, check_block
from host_bridge.nodes.esplora_http import EsploraHttp
from host_bridge.nodes.lookup import Entry, TooMuchHistory, all_of, checked_transaction, find_payments
from host_bridge.nodes.node import NodeInfo, NodeLied, NodePayment, NotThere, Tip
from lightclient.hashes import hash256, hash_to_hex
from lightclient.limits import HEADER_SIZE, MAX_TRANSACTION_SIZE
from lightclient.params import Network

_PAGE = 10  # blocks of /blocks/:start; a server may give more or fewer


class EsploraNode:
    """See `Node`. `base_url`: see EsploraHttp. Raises ValueError, in one line, for one that can't be used."""

    first_height = 0

    def __init__(self, base_url: str) -> None:
        self._http = EsploraHttp(base_url)
        self.name = self._http.name
        self._network: Network | None = None
        self._known_tip: bytes | None = None  # the last that the caller has heard of
        self._blocks = asyncio.Semaphore(MAX_BLOCKS_AT_ONCE)

    # --- Node ---

    async def info(self) -> NodeInfo:
        self._network = None  # asked anew: the server may be another one by now
        network = await self._found_network()
        return NodeInfo(network.name, "Esplora", await self.tip(), synced=True)

    async def tip(self) -> Tip:
        block = await self.block_at(await self._best_height())
        self._known_tip = block.block_hash
        return block

    async def headers(self, height: int, count: int) -> bytes:
        count = min(count, MAX_ASKED_HEADERS)
        if height < 0 or count <= 0:
            return b""
        last = min(height + count - 1, await self._best_height())
        limit = asyncio.Semaphore(ESPLORA_AT_ONCE)

        async def piece(first: int) -> bytes:
            async with limit:
                return await self._headers_between(first, min(first + _PAGE - 1, last))

        raw = b"".join(await all_of(piece(first) for first in range(height, last + 1, _PAGE)))
        return raw[: linked(raw) * HEADER_SIZE]  # a reorg came between: what follows is asked for again

    async def wait_for_news(self, seconds: float) -> None:
        deadline = monotonic() + seconds
        while True:
            best = hash_of(await self._http.text("/blocks/tip/hash"), "/blocks/tip/hash")
            if self._known_tip not in (None, best):
                return
            self._known_tip = best
            left = deadline - monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, ESPLORA_POLL_SECONDS))

    def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        return find_payments(self, scripts, first, last, ESPLORA_AT_ONCE, nullcontext())

    async def locate(self, txid: bytes) -> Tip:
        path = f"/tx/{hash_to_hex(txid)}/status"
        answer = await self._http.json(path)
        if field(answer, "confirmed", path) is not True:
            raise NotThere(f"transaction {hash_to_hex(txid)} is in no block yet")
        block = await self.block_at(int_of(field(answer, "block_height", path), path + ": block_height"))
        if block.block_hash != hash_of(field(answer, "block_hash", path), path + ": block_hash"):
            raise NotThere(f"the block of transaction {hash_to_hex(txid)} is not in the server's best chain")
        return block

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        return await self.prove_transaction(txid, await self.transaction(txid), block)

    async def close(self) -> None:
        await self._http.close()

    # --- IndexedNode ---

    async def history(self, script_hash_hex: str, first: int, last: int) -> list[Entry]:
        """Newest first, page after page, down to `first`."""
        path = f"/scripthash/{script_hash_hex}/txs/chain"
        found: dict[bytes, Entry] = {}
        seen: set[bytes] = set()
        page_path = path
        while True:
            page = await self._http.json(page_path, MAX_HISTORY_ANSWER)
            if not isinstance(page, list):
                raise NodeLied(f"{path}: no list")
            entries = [_entry_of(transaction, path) for transaction in page]
            found.update((entry.txid, entry) for entry in entries if first <= entry.height <= last)
            if not entries or entries[-1].height < first:
                return list(found.values())
            if seen.issuperset(entry.txid for entry in entries):
                raise NodeLied(f"{path}: the same page again and again")
            seen.update(entry.txid for entry in entries)
            if len(seen) > MAX_HISTORY:
                raise TooMuchHistory(f"script {script_hash_hex}: over {MAX_HISTORY:,} transactions")
            page_path = f"{path}/{hash_to_hex(entries[-1].txid)}"

    async def transaction(self, txid: bytes) -> bytes:
        """A raw transaction, checked to be the one asked for."""
        raw = await self._http.get(f"/tx/{hash_to_hex(txid)}/raw", MAX_TRANSACTION_SIZE)
        return await checked_transaction(raw, txid)

    async def block_at(self, height: int) -> Tip:
        path = f"/block-height/{height}"
        return Tip(height, hash_of(await self._http.text(path), path))

    async def prove_transaction(self, txid: bytes, transaction: bytes, block: Tip) -> bytes:
        block_name = hash_to_hex(block.block_hash)
        if await self.block_at(block.height) != block:
            raise NotThere(f"block {block_name} is not in the server's best chain")
        try:
            return await self._prove_by_branches(txid, transaction, block)
        except NotThere as error:  # some servers have no branch of a coinbase, or none at all: the block has them
            async with self._blocks:
                return await self._prove_by_block(txid, block, error)

    async def _prove_by_block(self, txid: bytes, block: Tip, without: NotThere) -> bytes:
        """`without` is raised where there is no block either."""
        try:
            raw = await self._http.get(f"/block/{hash_to_hex(block.block_hash)}/raw", MAX_RAW_BLOCK)
        except NotThere:
            raise without from None
        check_block(raw, block.block_hash, self.name)
        network = await self._found_network()

        def build() -> bytes:
            return ParsedBlock(network, raw, block.height, self.name).prove(txid)

        return await asyncio.to_thread(build)

    async def _prove_by_branches(self, txid: bytes, transaction: bytes, block: Tip) -> bytes:
        block_name = hash_to_hex(block.block_hash)
        header_path, coinbase_path = f"/block/{block_name}/header", f"/block/{block_name}/txid/0"
        asked: list[Awaitable[Any]] = [
            self._http.text(header_path),
            self._http.text(coinbase_path),
            self._branch(txid, block),
        ]
        header_hex, coinbase_hex, (index, branch) = await all_of(asked)
        header = check_header(hex_of(header_hex, header_path, HEADER_SIZE), block.block_hash, header_path)
        coinbase_txid = hash_of(coinbase_hex, coinbase_path)
        coinbase, coinbase_branch = transaction, branch
        if coinbase_txid != txid:
            asked = [self.transaction(coinbase_txid), self._branch(coinbase_txid, block)]
            coinbase, (_, coinbase_branch) = await all_of(asked)
        network = await self._found_network()
        try:
            return await asyncio.to_thread(
                build_proof, network, block.height, header, txid, index, transaction, branch, coinbase, coinbase_branch
            )
        except NodeLied:
            if await self.block_at(block.height) != block:  # the branches were of another block already
                raise NotThere(f"block {block_name} is gone from the best chain") from None
            raise

    # --- calls ---

    async def _found_network(self) -> Network:
        if self._network is None:
            self._network = network_of_genesis((await self.block_at(0)).block_hash)
        return self._network

    async def _best_height(self) -> int:
        path = "/blocks/tip/height"
        text = await self._http.text(path)
        if not text.isdecimal():
            raise NodeLied(f"{path}: {shown(text, 40)!r} is no number")
        return int_of(int(text[:20]), path)

    async def _branch(self, txid: bytes, block: Tip) -> tuple[int, bytes]:
        """Index and branch of a transaction. NotThere when it is in another block (by now)."""
        path = f"/tx/{hash_to_hex(txid)}/merkle-proof"
        answer = await self._http.json(path, MAX_BRANCH_ANSWER)
        if int_of(field(answer, "block_height", path), path + ": block_height") != block.height:
            raise NotThere(f"transaction {hash_to_hex(txid)} is not in block {block.height}")
        return position_of(field(answer, "pos", path), path + ": pos"), branch_of(
            field(answer, "merkle", path), path + ": merkle"
        )

    async def _headers_between(self, first: int, last: int) -> bytes:
        """Of `first` to `last`, fewer when its chain became shorter just now."""
        raw = b""
        while last >= first:
            path = f"/blocks/{last}"
            try:
                page = await self._http.json(path, MAX_BLOCKS_ANSWER)
            except NotThere:
                return b""
            if not isinstance(page, list) or not page:
                raise NodeLied(f"{path}: no list of blocks")
            rows: list[bytes] = []
            for block in page[: last - first + 1]:
                if field(block, "height", path) != last - len(rows):
                    raise NodeLied(f"{path}: the blocks are not one below the other")
                rows.append(_header_of(block, path))
            piece = b"".join(reversed(rows))
            if linked(piece) != len(rows):
                raise NodeLied(f"{path}: the blocks do not follow each other")
            raw = piece + raw
            last -= len(rows)
        return raw


# --- what its answers say ---


def _entry_of(transaction: Any, path: str) -> Entry:
    status = field(transaction, "status", path)
    return Entry(
        int_of(field(status, "block_height", path), path + ": block_height"),
        hash_of(field(transaction, "txid", path), path + ": txid"),
    )


def _header_of(block: Any, path: str) -> bytes:
    """The header of a block that is described, whose `id` says whether the description is right."""
    names = ("timestamp", "bits", "nonce")
    time, bits, nonce = (int_of(field(block, name, path), f"{path}: {name}", 0xFFFFFFFF) for name in names)
    version = int_of(field(block, "version", path), path + ": version", 0xFFFFFFFF, -0x80000000)
    previous = field(block, "previousblockhash", path)  # the genesis block has none
    header = (
        pack("<I", version & 0xFFFFFFFF)
        + (bytes(32) if previous is None else hash_of(previous, path + ": previousblockhash"))
        + hash_of(field(block, "merkle_root", path), path + ": merkle_root")
        + pack("<III", time, bits, nonce)
    )
    if hash256(header) != hash_of(field(block, "id", path), path + ": id"):
        raise NodeLied(f"{path}: what describes block {shown(block['id'])} is not of its header")
    return header
