"""Blocks that could not be searched: they hold up no other, and are tried again for as long as it takes."""

import logging
import time
from collections.abc import Callable

from host_bridge.limits import MAX_MISSING_BLOCKS

log = logging.getLogger("lightclient.bridge")

_FIRST_PAUSE = 5.0  # seconds; each is twice the one before
_LONGEST_PAUSE = 300.0


class MissingBlocks:
    """By height, of one chain."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._pauses: dict[int, tuple[float, float]] = {}  # when to try again, and the pause after that
        self._clock = clock

    def __len__(self) -> int:
        return len(self._pauses)

    def add(self, height: int, error: Exception) -> None:
        """It could not be searched, for the first time or once more."""
        known = self._pauses.get(height)
        if known is None and len(self._pauses) >= MAX_MISSING_BLOCKS:
            log.warning("block %d can't be searched, and is one too many to be tried again: %s", height, error)
            return
        if known is None:
            log.warning("block %d can't be searched, it is tried again later: %s", height, error)
        pause = known[1] if known else _FIRST_PAUSE
        self._pauses[height] = (self._clock() + pause, min(2 * pause, _LONGEST_PAUSE))

    def due(self) -> list[int]:
        """Those to be tried now."""
        now = self._clock()
        return [height for height, (when, _) in self._pauses.items() if when <= now]

    def seconds_left(self, most: float) -> float:
        """Until the next is due."""
        left = [when - self._clock() for when, _ in self._pauses.values()]
        return max(min([*left, most]), 0)

    def found(self, height: int) -> None:
        if self._pauses.pop(height, None):
            log.info("block %d has been searched now", height)

    def forget(self, lowest: int, highest: int) -> None:
        """All but those from `lowest` to `highest`: pruned, or replaced."""
        for height in [height for height in self._pauses if not lowest <= height <= highest]:
            del self._pauses[height]
