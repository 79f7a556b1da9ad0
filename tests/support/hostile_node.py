"""A small HTTP server in the place of a node, that says what a test wants it to. On 127.0.0.1, a port of its own."""

import asyncio
import json
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(handler):
    """Serves with `handler(request)` while the block runs; gives the port."""
    application = web.Application(client_max_size=1 << 20)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


def rpc_server(answers):
    """A handler for JSON-RPC: `answers[method]` is the result, or a function of the parameters; REST is not there.

    A result that is a web.Response is the whole answer; an Exception with `args` (code, message) an RPC error.
    """

    def one(call):
        result = answers[call["method"]]
        if callable(result):
            result = result(*call["params"])
        if isinstance(result, Exception):
            error = {"code": result.args[0], "message": result.args[1]}
            return {"result": None, "error": error, "id": call["id"]}
        return result if isinstance(result, web.Response) else {"result": result, "error": None, "id": call["id"]}

    async def handle(request):
        if request.method != "POST":
            return web.Response(status=404)
        asked = json.loads(await request.read())
        if isinstance(asked, list):
            return web.json_response([one(call) for call in asked])
        answer = one(asked)
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    return handle


async def endless(request):
    """An answer that never ends."""
    response = web.StreamResponse()
    response.content_type = "application/json"
    await response.prepare(request)
    while True:
        await response.write(b'{"result": "' + b"x" * 65536)
        await asyncio.sleep(0)
