"""A node behind an Electrum server (protocol 1.4 and later): Fulcrum, electrs, ElectrumX.

Of the protocol this needs: server.version, blockchain.headers.subscribe, blockchain.block.header(s),
blockchain.scripthash.get_history, blockchain.transaction.get (raw), .get_merkle and .id_from_pos with
the branch. server.features and verbose transactions are used where the server has them. A server that
counts what a client costs (ElectrumX: COST_SOFT_LIMIT) has to be told not to, for the first download of
all headers of mainnet.

Histories are asked for, not subscribed to: the news of a script may come after that of its block, so that
nothing could be left out because of it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from host_bridge.limits import (
    CALLS_AT_ONCE,
    ELECTRUM_HEADERS,
    MAX_ASKED_HEADERS,
    MAX_BRANCH_ANSWER,
    MAX_HEADERS_ANSWER,
    MAX_HISTORY,
    MAX_HISTORY_ANSWER,
    MAX_RAW_JSON,
    MAX_SHORT_ANSWER,
)
from host_bridge.nodes.answers import (
    AnswerTooLong,
    branch_of,
    build_proof,
    check_header,
    field,
    hash_of,
    hex_of,
    int_of,
    network_of_genesis,
    position_of,
    shown,
)
from host_bridge.nodes.electrum_answers import headers_of, history_of, tip_of
from host_bridge.nodes.electrum_connection import ElectrumConnection, ServerError, pinning_context
from host_bridge.nodes.lookup import Entry, TooMuchHistory, all_of, checked_transaction, find_payments, script_hash_hex
from host_bridge.nodes.node import NodeInfo, NodeLied, NodePayment, NodeRefused, NotThere, Tip
from host_bridge.payments.raw_block import list_outputs
from lightclient.hashes import hash_to_hex
from lightclient.headers.header import block_hash
from lightclient.limits import HEADER_SIZE, MAX_TRANSACTION_SIZE
from lightclient.params import Network

CLIENT_NAME = "lightclient"
PROTOCOL_VERSIONS = ("1.4", "1.6")  # lowest and highest that is spoken here
LOOKED_AT_OUTPUTS = 4  # whose histories are searched for where a transaction is
OP_RETURN = 0x6A

# JSON-RPC: -32601 no such method; ElectrumX: -101 excessive resource usage, -102 server busy
_NO_METHOD = -32601
_REFUSALS = {_NO_METHOD, -101, -102}


class ElectrumNode:
    """See `Node`. `certificate`: PEM file of a server's self-signed certificate, the only one that is taken then.

    Raises ValueError, in one line, for a certificate that can't be read.
    """

    first_height = 0

    def __init__(self, host: str, port: int, tls: bool, certificate: Path | None = None) -> None:
        shown_host = f"[{host}]" if ":" in host else host
        self.name = f"electrum{'s' if tls else ''}://{shown_host}:{port}"
        self._host = host
        self._port = port
        self._context = None
        self._pinned: bytes | None = None
        if certificate is not None:
            if not tls:
                raise ValueError("a certificate is for electrums:// only")
            self._context, self._pinned = pinning_context(certificate)
        elif tls:
            self._context = ssl.create_default_context()
        self._connection: ElectrumConnection | None = None
        self._connecting = asyncio.Lock()
        self._looking_up = asyncio.Lock()
        self._news = asyncio.Event()
        self._network: Network | None = None
        self._software = ""

    # --- Node ---

    async def info(self) -> NodeInfo:
        tip = await self.tip()
        return NodeInfo((await self._found_network()).name, self._software, tip, synced=True)

    async def tip(self) -> Tip:
        # asked each time: it shows that the server still answers
        return tip_of(await self._call("blockchain.headers.subscribe"))

    async def headers(self, height: int, count: int) -> bytes:
        count = min(count, MAX_ASKED_HEADERS, ELECTRUM_HEADERS)
        if count <= 0:
            return b""
        try:
            answer = await self._call("blockchain.block.headers", height, count, ceiling=MAX_HEADERS_ANSWER)
        except ServerError:
            if height > (await self.tip()).height:
                return b""  # some servers call that an error
            raise
        return headers_of(answer, count)

    async def wait_for_news(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._connected()
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        return find_payments(self, scripts, first, last, CALLS_AT_ONCE, self._looking_up)

    async def locate(self, txid: bytes) -> Tip:
        name = hash_to_hex(txid)
        transaction = await self.transaction(txid)
        outputs = await asyncio.to_thread(list_outputs, transaction)
        scripts = [output.script_pubkey for output in outputs if output.script_pubkey[:1] != bytes([OP_RETURN])]
        for script in scripts[:LOOKED_AT_OUTPUTS]:
            try:
                history = await self._history(script_hash_hex(script))
            except (TooMuchHistory, AnswerTooLong):
                continue  # a busy one: the next may have less
            for entry in history:
                if entry.txid == txid:
                    if entry.height <= 0:
                        raise NotThere(f"transaction {name} is in no block yet")
                    return await self.block_at(entry.height)
        return await self._locate_verbosely(txid)

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        return await self.prove_transaction(txid, await self.transaction(txid), block)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    # --- IndexedNode ---

    async def history(self, script_hash_hex: str, first: int, last: int) -> list[Entry]:
        return [entry for entry in await self._history(script_hash_hex) if first <= entry.height <= last]

    async def transaction(self, txid: bytes) -> bytes:
        """A raw transaction, checked to be the one asked for."""
        name = hash_to_hex(txid)
        try:
            answer = await self._call("blockchain.transaction.get", name, ceiling=MAX_RAW_JSON)
        except ServerError as error:
            raise NotThere(f"transaction {name}: {error}") from None
        return await checked_transaction(hex_of(answer, f"transaction {name}", MAX_TRANSACTION_SIZE), txid)

    async def block_at(self, height: int) -> Tip:
        return Tip(height, block_hash(await self._header(height), 0))

    async def prove_transaction(self, txid: bytes, transaction: bytes, block: Tip) -> bytes:
        name, height = hash_to_hex(txid), block.height
        try:
            header, place, first = await all_of(
                (
                    self._header(height),
                    self._call("blockchain.transaction.get_merkle", name, height, ceiling=MAX_BRANCH_ANSWER),
                    self._call("blockchain.transaction.id_from_pos", height, 0, True, ceiling=MAX_BRANCH_ANSWER),
                )
            )
        except ServerError as error:
            raise NotThere(f"transaction {name} in block {height}: {error}") from None
        if block_hash(header, 0) != block.block_hash:
            raise NotThere(f"block {hash_to_hex(block.block_hash)} is not in the server's best chain")
        index = position_of(field(place, "pos", "get_merkle"), "get_merkle: pos")
        branch = branch_of(field(place, "merkle", "get_merkle"), "get_merkle: merkle")
        coinbase_txid = hash_of(field(first, "tx_hash", "id_from_pos"), "id_from_pos: tx_hash")
        coinbase_branch = branch_of(field(first, "merkle", "id_from_pos"), "id_from_pos: merkle")
        coinbase = transaction if coinbase_txid == txid else await self.transaction(coinbase_txid)
        network = await self._found_network()
        try:
            return await asyncio.to_thread(
                build_proof, network, height, header, txid, index, transaction, branch, coinbase, coinbase_branch
            )
        except NodeLied:
            if await self._header(height) != header:  # the branches were of another block already
                raise NotThere(f"block {hash_to_hex(block.block_hash)} is gone from the best chain") from None
            raise

    # --- calls ---

    async def _connected(self) -> ElectrumConnection:
        """The connection, made anew when the last one has ended."""
        async with self._connecting:
            if self._connection is not None and not self._connection.ended:
                return self._connection
            connection = await ElectrumConnection.open(
                self._host, self._port, self._context, self._pinned, self._hear, self._news.set
            )
            try:
                await self._introduce(connection)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
            return connection

    async def _introduce(self, connection: ElectrumConnection) -> None:
        version = await connection.call("server.version", CLIENT_NAME, PROTOCOL_VERSIONS)
        if not isinstance(version, list) or len(version) != 2:
            raise NodeLied("server.version: no name and version")
        genesis = headers_of(await connection.call("blockchain.block.headers", 0, 1), 1)
        genesis_hash = block_hash(check_header(genesis, None, "block 0"), 0)
        network = network_of_genesis(genesis_hash)
        try:
            features = await connection.call("server.features", ceiling=MAX_BRANCH_ANSWER)
        except ServerError as error:
            if error.code != _NO_METHOD:
                raise
        else:
            stated = field(features, "genesis_hash", "server.features")
            if hash_of(stated, "server.features: genesis_hash") != genesis_hash:
                raise NodeLied(f"server.features: genesis_hash {shown(stated)}, but its block 0 is another")
        if self._network not in (None, network):
            raise NodeLied(f"the server is on {network.name} now")
        tip_of(await connection.call("blockchain.headers.subscribe"))
        self._network = network
        self._software = f"{shown(version[0], 60)}, protocol {shown(version[1], 10)}"

    async def _found_network(self) -> Network:
        if self._network is None:
            await self._connected()
        if self._network is None:
            raise NodeLied("no network")
        return self._network

    async def _call(self, method: str, *params: object, ceiling: int = MAX_SHORT_ANSWER) -> Any:
        """As ElectrumConnection.call. ServerError is then about what was asked for, not about who asks."""
        connection = await self._connected()
        try:
            return await connection.call(method, *params, ceiling=ceiling)
        except ServerError as error:
            if error.code in _REFUSALS:
                raise NodeRefused(str(error)) from None
            raise

    def _hear(self, method: str, params: object) -> None:
        if method == "blockchain.headers.subscribe":
            self._news.set()

    async def _header(self, height: int) -> bytes:
        try:
            answer = await self._call("blockchain.block.header", height)
        except ServerError as error:
            raise NotThere(f"no block at height {height}: {error}") from None
        return check_header(hex_of(answer, "header", HEADER_SIZE), None, "header")

    async def _history(self, script_hash: str) -> list[Entry]:
        try:
            answer = await self._call("blockchain.scripthash.get_history", script_hash, ceiling=MAX_HISTORY_ANSWER)
        except ServerError as error:
            raise TooMuchHistory(f"script {script_hash}: {error}") from None
        history = history_of(answer)
        if len(history) > MAX_HISTORY:
            raise TooMuchHistory(f"script {script_hash}: {len(history):,} transactions, at most {MAX_HISTORY:,}")
        return history

    async def _locate_verbosely(self, txid: bytes) -> Tip:
        """For a transaction of outputs whose histories are too long: some servers pass on what the node knows."""
        name = hash_to_hex(txid)
        try:
            answer = await self._call("blockchain.transaction.get", name, True, ceiling=MAX_HISTORY_ANSWER)
        except NodeRefused as error:
            raise NotThere(f"the server does not tell where transaction {name} is: {error}") from None
        if field(answer, "blockhash", "transaction.get") is None:
            raise NotThere(f"transaction {name} is in no block yet")
        wanted = hash_of(field(answer, "blockhash", "transaction.get"), "transaction.get: blockhash")
        confirmations = int_of(field(answer, "confirmations", "transaction.get"), "transaction.get: confirmations")
        tip = await self.tip()
        for height in range(tip.height - confirmations + 1, tip.height - confirmations + 4):  # blocks may have come
            if 0 <= height <= tip.height:
                block = await self.block_at(height)
                if block.block_hash == wanted:
                    return block
        raise NotThere(f"the block of transaction {name} is not where the server says")
