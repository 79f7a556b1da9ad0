"""A real node for the tests of the bridge. Tests that stop it, or throw blocks away, start one of their own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from regtest_node import NodeUnavailable, RegtestNode
from support import require


@pytest.fixture(scope="session")
def regtest_node() -> Iterator[RegtestNode]:
    """A node on regtest with REST, txindex and the wallet "miner", which has coins to spend; at least 120 blocks.

    It is one for the whole session: tests may pay and mine on it, and leave it running and on its best chain.
    """
    with ExitStack() as stack:
        try:
            node = stack.enter_context(RegtestNode())
        except NodeUnavailable as error:
            require(False, str(error))
            raise
        node.make_wallet()
        yield node
