"""What goes wrong with a node again and again is said once, and tried again after growing pauses."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from host_bridge.limits import MAX_PAUSE_SECONDS, NODE_SECONDS
from host_bridge.nodes.node import NodeUnreachable

T = TypeVar("T")

log = logging.getLogger("lightclient.bridge")


async def answer(question: Awaitable[T], seconds: float = NODE_SECONDS) -> T:
    """What a node answers. Raises NodeUnreachable when it takes longer."""
    try:
        async with asyncio.timeout(seconds):  # (wait_for of Python 3.11 may swallow that its task is cancelled)
            return await question
    except TimeoutError:
        raise NodeUnreachable(f"no answer in {seconds:.0f} s") from None


class Trouble:
    """With `what`, for as long as it lasts. `first_pause` in seconds; each pause is twice the one before."""

    def __init__(self, what: str, first_pause: float = 1.0, longest_pause: float = MAX_PAUSE_SECONDS) -> None:
        self._what = what
        self._first = first_pause
        self._longest = longest_pause
        self._pause = first_pause
        self._said = ""

    async def pause(self, error: BaseException) -> None:
        """Say what is wrong, unless it is what was said last, and wait before the next try."""
        text = f"{self._what}: {type(error).__name__}: {' '.join(str(error).split())}"
        if text != self._said:
            self._said = text
            log.error("%s", text)
        pause = self._pause
        self._pause = min(2 * pause, self._longest)
        await asyncio.sleep(pause)

    def over(self) -> None:
        """It has worked."""
        if self._said:
            log.info("%s: works again", self._what)
            self._said = ""
        self._pause = self._first
