"""Between the bridge and a real node: passes everything on, or does what a test says in its place. On 127.0.0.1."""

import asyncio
import contextlib
import json
import threading

import aiohttp
from aiohttp import web

from lightclient.hashes import hash256

_HOP = ("Transfer-Encoding", "Content-Length", "Connection", "Content-Encoding")


class FaultyNode:
    """`mode`: "" passes on; else "stall", "half", "page", "network", "lie", "tip", "endless". For a `with` block."""

    def __init__(self, node):
        self._node = node
        self._ready = threading.Event()
        self.mode = ""
        self.port = 0

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self):
        self._end = asyncio.Event()
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        async with aiohttp.ClientSession() as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._end.wait()
            await runner.cleanup()

    async def _handle(self, request):
        mode = self.mode
        if mode == "stall":
            while self.mode == "stall":
                await asyncio.sleep(0.05)
        elif mode == "half":
            return web.Response(body=b'{"result": {"chain": "reg', content_type="application/json")
        elif mode == "page":
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        elif mode == "endless":
            return await _endless(request)
        asked = await request.read()
        kept = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with self._session.request(
            request.method, self._node.url + request.path_qs, data=asked, headers=kept
        ) as answer:
            body = await answer.read()
            headers = {name: value for name, value in answer.headers.items() if name not in _HOP}
            status = answer.status
        if mode == "network":
            body = body.replace(b'"chain":"regtest"', b'"chain":"signet"')
        elif mode == "lie":
            body = _lie(request.path, body)
        elif mode == "tip":
            body = _other_tip(asked, body)
        return web.Response(status=status, body=body, headers=headers)


def _lie(path, body):
    """Headers whose work is none."""
    if path.startswith("/rest/headers") and len(body) >= 80:
        nonces = (nonce.to_bytes(4, "little") for nonce in range(1_000))  # on regtest every other one is good
        headers = (body[-80:-4] + nonce for nonce in nonces)
        return body[:-80] + next(header for header in headers if hash256(header)[31] > 0x7F)
    return body


def _other_tip(asked, body):
    """A best block that nobody has."""
    with_method = json.loads(asked) if asked.startswith(b"{") else {}
    if with_method.get("method") in ("getblockchaininfo", "getbestblockhash"):
        answer = json.loads(body)
        result = answer["result"]
        if isinstance(result, dict):
            result["bestblockhash"] = "11" * 32
        else:
            answer["result"] = "11" * 32
        return json.dumps(answer).encode()
    return body


async def _endless(request):
    response = web.StreamResponse()
    response.content_type = "application/json"
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # whoever has had enough hangs up
        while True:
            await response.write(b'{"result": "' + b"x" * 65536)
            await asyncio.sleep(0)
    return response
