"""What commands with `--node URL` share: the option, and work with a node that ends it in one line when it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from host_bridge.commands.common import errors_end_the_command
from host_bridge.files import Unusable
from host_bridge.nodes.node import Node
from host_bridge.nodes.url import open_node

NODE_HELP = (
    "The node: core://[USER@]HOST[:PORT] (core:// alone is this computer's), electrum://HOST, electrums://HOST, "
    "esplora+https://HOST/PATH, archive:DIR."
)
NodeOption = Annotated[str, typer.Option("--node", metavar="URL", help=NODE_HELP)]
MaybeNodeOption = Annotated[str | None, typer.Option("--node", metavar="URL", help=NODE_HELP)]

T = TypeVar("T")


def with_node(url: str, as_json: bool, work: Callable[[Node], Awaitable[T]]) -> T:
    """What `work` makes of the node, which is closed afterwards. Errors end the command."""

    async def run() -> T:
        try:
            node = open_node(url)
        except ValueError as error:
            raise Unusable(f"--node: {error}") from None
        try:
            return await work(node)
        finally:
            await node.close()

    with errors_end_the_command(as_json):
        return asyncio.run(run())
