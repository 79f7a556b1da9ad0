"""What the bridge needs of a full node, or of a server in front of one.

Nothing that comes from here is believed: the header index judges the headers, every proof is verified
before anyone gets it, and the device judges both again. All a node can do is keep silent.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Protocol

from host_bridge.sessions.session import FoundPayment


class NodeError(Exception):
    """The node can't be used as it is; the text is one line, without secrets."""


class NodeUnreachable(NodeError):
    """It is not there, or does not answer in time: to be tried again."""


class NodeRefused(NodeError):
    """It does not let us in: wrong cookie, user or password, or a method that it does not allow."""


class NodeLied(NodeError):
    """What it says can't be: no or half a JSON, an error page, too long, another network, a header or a proof
    that breaks a rule."""


class NotThere(NodeError):
    """It does not have what was asked for: a block that it has pruned, a transaction that it does not know."""


class TooManyPayments(NodeError):
    """A script has a longer history than the server lists or than is looked through. Raised after the payments
    to the other scripts have been handed on."""

    def __init__(self, text: str, script_pubkey: bytes) -> None:
        super().__init__(text)
        self.script_pubkey = script_pubkey


@dataclass(frozen=True)
class Tip:
    height: int
    block_hash: bytes  # internal order


@dataclass(frozen=True)
class NodeInfo:
    """What a node says of itself."""

    network: str  # our names: mainnet, testnet3, testnet4, signet, regtest
    software: str  # for people: name and version
    tip: Tip
    synced: bool  # it has, as far as it knows, all blocks
    lowest_block: int = 0  # blocks below this height are pruned
    has_txindex: bool | None = None  # None: it can't tell, or needs none


@dataclass(frozen=True)
class NodePayment:
    """A transaction that pays `script_pubkey`, proved."""

    script_pubkey: bytes
    payment: FoundPayment


class Node(Protocol):
    """A back end. All methods raise NodeError; a cancelled call leaves nothing behind.

    `name`: its URL without secrets, for people. `first_height`: of the first header that it has (0 but for an
    archive). Every answer is bounded by a ceiling before it is read.
    """

    name: str
    first_height: int

    async def info(self) -> NodeInfo: ...

    async def tip(self) -> Tip: ...

    async def headers(self, height: int, count: int) -> bytes:
        """Up to `count` raw headers (at most 2,000) of its best chain, from `height` on; empty above its tip.

        They may be of two chains where a reorg comes between: the caller checks the links.
        """
        ...

    async def wait_for_news(self, seconds: float) -> None:
        """Return when it has told us of a new block, at the latest after `seconds`."""
        ...

    def payments(self, scripts: Collection[bytes], first: int, last: int) -> AsyncIterator[NodePayment]:
        """All payments to `scripts` in the blocks `first` to `last` of its best chain, lowest blocks first.

        Raises NotThere when one of the blocks has been pruned; TooManyPayments, after all others, for a script
        whose history is too long: it alone is to be left out then.
        """
        ...

    async def locate(self, txid: bytes) -> Tip:
        """The block that a confirmed transaction is in. `txid` in internal order. Raises NotThere."""
        ...

    async def prove(self, txid: bytes, block: Tip) -> bytes:
        """The verified proof container (docs/PROOF.md) of a transaction in `block`."""
        ...

    async def close(self) -> None: ...
