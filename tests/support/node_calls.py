"""Small helpers for tests that talk with a node: run something with it opened, what it fails with, wallet scripts."""

import asyncio

from host_bridge.nodes.node import NodeError
from host_bridge.nodes.url import open_node


def with_opened(url, work):
    """The result of `await work(node)`, with the node of that URL."""

    async def run():
        node = open_node(url)
        try:
            return await work(node)
        finally:
            await node.close()

    return asyncio.run(run())


def failure(url, work):
    """The NodeError that `work` ends with: one line without secrets."""
    try:
        with_opened(url, work)
    except NodeError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert "secret" not in str(error)
        return error
    raise AssertionError("no NodeError was raised")


def core_url(node):
    """A RegtestNode's URL, by its cookie."""
    return f"core://127.0.0.1:{node.port}/?cookie={node.cookie_file}"


def new_script(node, kind="bech32", wallet="miner"):
    """(address, script_pubkey) of a wallet. `kind`: legacy, bech32, bech32m."""
    address = node.rpc("getnewaddress", "", kind, wallet=wallet)
    return address, bytes.fromhex(node.rpc("getaddressinfo", address, wallet=wallet)["scriptPubKey"])


async def all_payments(node, scripts, first=0, last=10**6):
    return [found async for found in node.payments(scripts, first, last)]
