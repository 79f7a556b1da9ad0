"""A board without hardware: it behaves, and records what it did."""

import gc
import os
import sys
import time

RESTART = 3  # exit code of a board that starts anew: whoever runs it starts it again
_MAX_SHOWN = 20


class SimulatedBoard:
    """Its relay is a list of (milliseconds, on or off), its display the console; `shown` are the last lines on it."""

    def __init__(self) -> None:
        self.relay_is_on = False
        self.relay_moves: "list[tuple[int, bool]]" = []
        self.shown: "list[str]" = []
        self._ticks_ms = getattr(time, "ticks_ms", None)
        self._last_ticks = self._ticks_ms() if self._ticks_ms else 0
        self._milliseconds = 0

    def set_relay(self, on: bool) -> None:
        if on != self.relay_is_on:
            self.relay_is_on = on  # first: to remember it may need memory that there is not
            self.relay_moves.append((self.milliseconds(), on))

    def milliseconds(self) -> int:
        if self._ticks_ms is None:
            return time.monotonic_ns() // 1_000_000
        ticks = self._ticks_ms()  # wraps around
        self._milliseconds += time.ticks_diff(ticks, self._last_ticks)  # type: ignore[attr-defined]
        self._last_ticks = ticks
        return self._milliseconds

    def unix_time(self) -> int:
        return 0  # like a Pico: no clock that survives a power cut

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def unique_id(self) -> bytes:
        return b"simulated"

    def heap_free(self) -> int:
        gc.collect()  # cheap on a computer
        mem_free = getattr(gc, "mem_free", None)
        return mem_free() if mem_free else 0

    def show(self, text: str) -> None:
        if len(self.shown) == _MAX_SHOWN:
            self.shown.pop(0)
        self.shown.append(text)
        try:
            sys.stderr.write(text + "\n")
        except OSError:  # nobody looks
            pass

    def restart(self) -> None:
        sys.exit(RESTART)
