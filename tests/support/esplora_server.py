"""A small Esplora server of the tests' own, on a regtest node's RPC and REST. A context manager, in its own thread.

    with EsploraServer(node) as server:
        EsploraNode(server.url)

It answers as Blockstream's electrs does where the bridge asks: pages of ten blocks, of 25 transactions.
"""

import asyncio
import base64
import threading
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp import web
from regtest_node import RegtestNode

from host_bridge.payments.raw_block import merkle_branch
from lightclient.hashes import hash_from_hex, hash_to_hex

BLOCKS = 10
TRANSACTIONS = 25


class EsploraServer:
    """Running between `with` and its end; `url` is its base, `requests` counts what it was asked."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node
        self._chain: list[str] = []
        self._blocks: dict[str, dict[str, Any]] = {}
        self._ready = threading.Event()
        self.url = ""
        self.requests = 0
        self.lacks = ""  # "coinbase": branches of coinbases; "branches": any; "txid": what a block has at an index

    def __enter__(self) -> "EsploraServer":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        self._following = asyncio.Lock()
        app = web.Application(middlewares=[self._count])
        for path, handler in (
            ("/blocks/tip/height", self._tip_height),
            ("/blocks/tip/hash", self._tip_hash),
            ("/block-height/{height}", self._block_height),
            ("/blocks/{height}", self._some_blocks),
            ("/block/{hash}/header", self._header),
            ("/block/{hash}/raw", self._raw_block),
            ("/block/{hash}/txid/{index}", self._txid_at),
            ("/scripthash/{script}/txs/chain", self._history),
            ("/scripthash/{script}/txs/chain/{last}", self._history),
            ("/tx/{txid}/status", self._status),
            ("/tx/{txid}/raw", self._raw),
            ("/tx/{txid}/merkle-proof", self._merkle_proof),
        ):
            app.router.add_get(path, handler)
        runner = web.AppRunner(app)
        async with aiohttp.ClientSession() as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = "http://127.0.0.1:%d" % runner.addresses[0][1]
            self._ready.set()
            await self._end.wait()
            await runner.cleanup()

    @web.middleware
    async def _count(self, request, handler):
        self.requests += 1
        return await handler(request)

    # --- the node ---

    async def _rpc(self, method: str, *params: object) -> Any:
        login = base64.b64encode(self._node.cookie_file.read_bytes()).decode()
        request = {"id": 0, "method": method, "params": params}
        headers = {"Authorization": f"Basic {login}"}
        async with self._session.post(self._node.url, json=request, headers=headers) as response:
            answer = await response.json(content_type=None)
        if answer["error"] is not None:
            raise web.HTTPNotFound(text=answer["error"]["message"])
        return answer["result"]

    async def _rest(self, path: str) -> bytes:
        async with self._session.get(f"{self._node.url}/rest/{path}") as response:
            if response.status != 200:
                raise web.HTTPNotFound(text="not found")
            return await response.read()

    async def _follow(self) -> None:
        """Read what blocks there are by now."""
        async with self._following:
            block_hash = await self._rpc("getbestblockhash")
            new = []
            while True:
                if block_hash not in self._blocks:
                    self._blocks[block_hash] = await self._rpc("getblock", block_hash, 3)
                height = self._blocks[block_hash]["height"]
                if self._chain[height : height + 1] == [block_hash]:
                    break
                new.append(block_hash)
                if height == 0:
                    height = -1
                    break
                block_hash = self._blocks[block_hash]["previousblockhash"]
            self._chain[height + 1 :] = reversed(new)

    # --- answers ---

    async def _tip_height(self, request):
        return web.Response(text=str(await self._rpc("getblockcount")))

    async def _tip_hash(self, request):
        return web.Response(text=await self._rpc("getbestblockhash"))

    async def _block_height(self, request):
        return web.Response(text=await self._rpc("getblockhash", int(request.match_info["height"])))

    async def _some_blocks(self, request):
        await self._follow()
        height = int(request.match_info["height"])
        if height >= len(self._chain):
            raise web.HTTPNotFound(text="Block not found")
        described = []
        for block_hash in self._chain[max(height - BLOCKS + 1, 0) : height + 1][::-1]:
            block = self._blocks[block_hash]
            described.append(
                {
                    "id": block["hash"],
                    "height": block["height"],
                    "version": block["version"],
                    "timestamp": block["time"],
                    "bits": int(block["bits"], 16),
                    "nonce": block["nonce"],
                    "merkle_root": block["merkleroot"],
                    "tx_count": block["nTx"],
                    "previousblockhash": block.get("previousblockhash"),
                }
            )
        return web.json_response(described)

    async def _header(self, request):
        return web.Response(text=await self._rpc("getblockheader", request.match_info["hash"], False))

    async def _raw_block(self, request):
        return web.Response(body=await self._rest(f"block/{request.match_info['hash']}.bin"))

    async def _txid_at(self, request):
        if self.lacks == "txid":
            raise web.HTTPNotFound(text="not found")
        block = await self._rpc("getblock", request.match_info["hash"])
        return web.Response(text=block["tx"][int(request.match_info["index"])])

    async def _history(self, request):
        await self._follow()
        wanted, last = request.match_info["script"], request.match_info.get("last")
        found = []
        for block_hash in reversed(self._chain):
            block = self._blocks[block_hash]
            for transaction in reversed(block["tx"]):
                if wanted in _script_hashes(transaction):
                    status = {"confirmed": True, "block_height": block["height"], "block_hash": block_hash}
                    found.append({"txid": transaction["txid"], "status": status})
        if last is not None:
            found = found[[entry["txid"] for entry in found].index(last) + 1 :]
        return web.json_response(found[:TRANSACTIONS])

    async def _block_of(self, request) -> tuple[str, dict[str, Any] | None]:
        txid = request.match_info["txid"]
        transaction = await self._rpc("getrawtransaction", txid, True)
        if "blockhash" not in transaction:
            return txid, None
        return txid, await self._rpc("getblock", transaction["blockhash"])

    async def _status(self, request):
        _, block = await self._block_of(request)
        if block is None:
            return web.json_response({"confirmed": False})
        return web.json_response({"confirmed": True, "block_height": block["height"], "block_hash": block["hash"]})

    async def _raw(self, request):
        return web.Response(body=bytes.fromhex(await self._rpc("getrawtransaction", request.match_info["txid"])))

    async def _merkle_proof(self, request):
        txid, block = await self._block_of(request)
        if block is None:
            raise web.HTTPNotFound(text="Transaction not found or is unconfirmed")
        index = block["tx"].index(txid)
        if self.lacks == "branches" or (self.lacks == "coinbase" and index == 0):
            raise web.HTTPNotFound(text="not found")
        branch = merkle_branch([hash_from_hex(name) for name in block["tx"]], index)
        hashes = [hash_to_hex(branch[i : i + 32]) for i in range(0, len(branch), 32)]
        return web.json_response({"block_height": block["height"], "merkle": hashes, "pos": index})


def _script_hashes(transaction: dict[str, Any]) -> set[str]:
    scripts = [output["scriptPubKey"]["hex"] for output in transaction["vout"]]
    scripts += [entry["prevout"]["scriptPubKey"]["hex"] for entry in transaction["vin"] if "prevout" in entry]
    return {sha256(bytes.fromhex(script)).digest()[::-1].hex() for script in scripts}
