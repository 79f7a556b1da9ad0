"""An Esplora server that says what a test tells it to: else that of mainnet's block 100,000, as if it were the tip."""

import asyncio
import json
from contextlib import suppress
from struct import unpack_from

from fake_electrum import BLOCK_HASH, HEIGHT, branch_hex
from known_blocks import BLOCK_100000_HEADER, BLOCK_100000_TRANSACTIONS, BLOCK_100000_TXIDS_HEX

from lightclient.hashes import hash256, hash_to_hex
from lightclient.params import MAINNET

NAME = hash_to_hex(BLOCK_HASH)


def described(header: bytes = BLOCK_100000_HEADER, height: int = HEIGHT) -> dict:
    version, time, bits, nonce = unpack_from("<i", header)[0], *unpack_from("<III", header, 68)
    return {
        "id": hash_to_hex(hash256(header)),
        "height": height,
        "version": version,
        "timestamp": time,
        "bits": bits,
        "nonce": nonce,
        "merkle_root": hash_to_hex(header[36:68]),
        "previousblockhash": hash_to_hex(header[4:36]),
    }


def entry(txid: str, height: int = HEIGHT) -> dict:
    return {"txid": txid, "status": {"confirmed": True, "block_height": height, "block_hash": NAME}}


HONEST = {
    "/block-height/0": hash_to_hex(hash256(MAINNET.genesis_header)),
    f"/block-height/{HEIGHT}": NAME,
    "/blocks/tip/height": str(HEIGHT),
    "/blocks/tip/hash": NAME,
    f"/blocks/{HEIGHT}": [described()],
    f"/block/{NAME}/header": BLOCK_100000_HEADER.hex(),
    f"/block/{NAME}/txid/0": BLOCK_100000_TXIDS_HEX[0],
}
for _i, _txid in enumerate(BLOCK_100000_TXIDS_HEX):
    HONEST[f"/tx/{_txid}/raw"] = BLOCK_100000_TRANSACTIONS[_i]
    HONEST[f"/tx/{_txid}/status"] = {"confirmed": True, "block_height": HEIGHT, "block_hash": NAME}
    HONEST[f"/tx/{_txid}/merkle-proof"] = {"block_height": HEIGHT, "merkle": branch_hex(_i), "pos": _i}


class Raw(bytes):
    """Sent as it is, in place of an HTTP answer; then the connection is closed."""


ENDLESS = object()


class FakeEsplora:
    """`async with`; answers[PATH] is the body (text, bytes, JSON), or (status, head lines, body), Raw, ENDLESS.

    None: silence.

    Paths that it does not know are asked of `history(path)`, which is empty at first.
    """

    def __init__(self, changed: dict) -> None:
        self.answers = HONEST | changed
        self.history = lambda path: []
        self.heads: list[bytes] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "FakeEsplora":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = "http://127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        self._writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                self.heads.append(head)
                if path in self.answers:
                    answer = self.answers[path]
                elif path.startswith("/scripthash/"):
                    answer = self.history(path)
                else:
                    answer = (404, [], "not found")
                if isinstance(answer, Raw):
                    writer.write(answer)
                    await writer.drain()
                    writer.close()
                    return
                if answer is None:
                    continue
                if answer is ENDLESS:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                    while True:
                        writer.write(bytes(65_536))
                        await writer.drain()
                status, lines, body = answer if isinstance(answer, tuple) else (200, [], answer)
                if isinstance(body, dict | list):
                    body = json.dumps(body)
                if isinstance(body, str):
                    body = body.encode()
                lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *lines]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
