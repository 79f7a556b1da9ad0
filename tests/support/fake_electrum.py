"""An Electrum server that says what a test tells it to: else that of mainnet's block 100,000, as if it were the tip."""

import asyncio
import json

from known_blocks import BLOCK_100000_HEADER, BLOCK_100000_TRANSACTIONS, BLOCK_100000_TXIDS_HEX, branch_of

from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.params import MAINNET

HEIGHT = 100_000
TXIDS = [hash_from_hex(name) for name in BLOCK_100000_TXIDS_HEX]
BLOCK_HASH = hash256(BLOCK_100000_HEADER)


def branch_hex(index: int) -> list[str]:
    branch = branch_of(BLOCK_100000_TXIDS_HEX, index)
    return [hash_to_hex(branch[i : i + 32]) for i in range(0, len(branch), 32)]


class Refuse(Exception):
    """Answer with a JSON-RPC error."""


HONEST = {
    "server.version": lambda *_: ["Fake 1.0", "1.4.2"],
    "server.features": lambda: {"genesis_hash": hash_to_hex(hash256(MAINNET.genesis_header))},
    "blockchain.headers.subscribe": lambda: {"hex": BLOCK_100000_HEADER.hex(), "height": HEIGHT},
    "blockchain.block.header": lambda height: BLOCK_100000_HEADER.hex(),
    "blockchain.block.headers": lambda height, count: {
        "hex": MAINNET.genesis_header.hex() if height == 0 else BLOCK_100000_HEADER.hex(),
        "count": 1,
        "max": 2016,
    },
    "blockchain.transaction.get": lambda txid, verbose=False: BLOCK_100000_TRANSACTIONS[
        BLOCK_100000_TXIDS_HEX.index(txid)
    ].hex(),
    "blockchain.transaction.get_merkle": lambda txid, height: {
        "merkle": branch_hex(BLOCK_100000_TXIDS_HEX.index(txid)),
        "pos": BLOCK_100000_TXIDS_HEX.index(txid),
        "block_height": height,
    },
    "blockchain.transaction.id_from_pos": lambda height, pos, merkle: {
        "tx_hash": BLOCK_100000_TXIDS_HEX[pos],
        "merkle": branch_hex(pos),
    },
    "blockchain.scripthash.get_history": lambda script: [
        {"tx_hash": name, "height": HEIGHT} for name in BLOCK_100000_TXIDS_HEX
    ],
}


class FakeElectrum:
    """`async with`; answers[METHOD](*params) is the result, or bytes that are sent as they are; None: silence."""

    def __init__(self, **changed) -> None:
        self.answers = HONEST | {name.replace("__", "."): answer for name, answer in changed.items()}
        self.calls: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "FakeElectrum":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                call = json.loads(line)
                self.calls.append(call["method"])
                self.answer(writer, call)
                await writer.drain()
        except ConnectionError:
            pass

    def answer(self, writer, call) -> None:
        try:
            result = self.answers[call["method"]](*call["params"])
        except Refuse as error:
            message = {"id": call["id"], "error": {"code": error.args[1], "message": error.args[0]}}
            writer.write(json.dumps(message).encode() + b"\n")
            return
        if isinstance(result, bytes):
            writer.write(result.replace(b"@ID@", str(call["id"]).encode()))
        elif result is not None:
            writer.write(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode() + b"\n")
