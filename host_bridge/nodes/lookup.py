"""What the back ends of servers with an index of scripts have in common: from histories to proved payments."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from host_bridge.nodes.answers import AnswerTooLong, check_transaction, scripts_paid
from host_bridge.nodes.node import NodeError, NodePayment, NodeUnreachable, NotThere, Tip, TooManyPayments
from host_bridge.sessions.session import FoundPayment

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Entry:
    """A confirmed transaction in the history of a script: it pays it, or spends from it."""

    height: int
    txid: bytes


class IndexedNode(Protocol):
    async def history(self, script_hash_hex: str, first: int, last: int) -> list[Entry]:
        """Raises TooMuchHistory."""
        ...

    async def transaction(self, txid: bytes) -> bytes: ...
    async def block_at(self, height: int) -> Tip: ...
    async def prove_transaction(self, txid: bytes, transaction: bytes, block: Tip) -> bytes: ...


class TooMuchHistory(NodeError):
    """The server does not list it, or it is longer than is looked through."""


def script_hash_hex(script_pubkey: bytes) -> str:
    """How Electrum and Esplora call a script: its SHA-256, byte-reversed."""
    return sha256(script_pubkey).digest()[::-1].hex()


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The results of calls made at once; the first error ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def checked_transaction(raw: bytes, txid: bytes) -> bytes:
    return await asyncio.to_thread(check_transaction, raw, txid)


async def find_payments(
    node: IndexedNode,
    scripts: Collection[bytes],
    first: int,
    last: int,
    at_once: int,
    alone: AbstractAsyncContextManager[Any],
) -> AsyncIterator[NodePayment]:
    """`Node.payments`, in the words of an IndexedNode. Raises TooManyPayments after all other scripts' payments.

    `alone` is entered while histories are looked up: where too long an answer ends the connection for all calls,
    one must be known to be at fault.
    """
    wanted = list(dict.fromkeys(scripts))
    found: dict[Entry, set[bytes]] = {}
    too_much: list[TooManyPayments] = []

    async def look_up(script: bytes) -> None:
        try:
            entries = await node.history(script_hash_hex(script), first, last)
        except TooMuchHistory as error:
            too_much.append(TooManyPayments(str(error), script))
            return
        for entry in entries:
            found.setdefault(entry, set()).add(script)

    async with alone:
        for start in range(0, len(wanted), at_once):
            scripts_now = wanted[start : start + at_once]
            try:
                await all_of(look_up(script) for script in scripts_now)
            except AnswerTooLong:
                for script in scripts_now:  # one by one: which of them it is must not keep the others' from being found
                    try:
                        await look_up(script)
                    except AnswerTooLong as error:
                        too_much.append(TooManyPayments(str(error), script))
    for entry in sorted(found):
        try:
            transaction = await node.transaction(entry.txid)
            paid = (await asyncio.to_thread(scripts_paid, transaction)) & found[entry]
            if not paid:
                continue  # it only spends from them
            block = await node.block_at(entry.height)
            proof = await node.prove_transaction(entry.txid, transaction, block)
        except NotThere:
            raise NodeUnreachable("the chain changed while payments were looked up: to be tried again") from None
        for script in sorted(paid):
            yield NodePayment(script, FoundPayment(entry.height, block.block_hash, entry.txid, proof))
    if too_much:
        raise too_much[0]
