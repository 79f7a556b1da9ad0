"""A board without hardware: it behaves, and records what it did."""

import gc
import os
import sys
import time

from hardware.board import RESTART
from lightclient.compat import const

_MAX_KEPT = 20
TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from hardware.board import Display


class SimulatedBoard:
    """Its relay is a list of (milliseconds, on or off); `shown` are the last lines on its console.

    `light_is_on`, `buzzer_is_on`, `button_down` are its light, buzzer and button; `picture` is what the
    display shows (as Canvas.buffer; None before the first), `display_works` whether it takes any.
    With a `folder`, the button is also down while there is a file `button` in it.
    `clock` is its unix time: 0, like a Pico that has none.
    """

    def __init__(self, has_display: bool = False, folder: str = "") -> None:
        self._button_file = folder + "/button" if folder else ""
        self.relay_is_on = False
        self.relay_moves: "list[tuple[int, bool]]" = []
        self.shown: "list[str]" = []
        self.problems: "list[str]" = []
        self.light_is_on = False
        self.buzzer_is_on = False
        self.button_down = False
        self.clock = 0
        self.shows = has_display
        self.display: "Display | None" = self if has_display else None
        self.display_works = True
        self.picture: "bytearray | None" = None
        self.watchdog_runs = False
        self.fed = 0  # times that the watchdog was fed
        self._ticks_ms = getattr(time, "ticks_ms", None)
        self._last_ticks = self._ticks_ms() if self._ticks_ms else 0
        self._milliseconds = 0

    def set_relay(self, on: bool) -> None:
        if on != self.relay_is_on:
            self.relay_is_on = on  # first: to remember it may need memory that there is not
            self.relay_moves.append((self.milliseconds(), on))

    def set_light(self, on: bool) -> None:
        self.light_is_on = on

    def set_buzzer(self, on: bool) -> None:
        self.buzzer_is_on = on

    def button_is_down(self) -> bool:
        if self._button_file:
            try:
                os.stat(self._button_file)
                return True
            except OSError:
                pass
        return self.button_down

    def answers(self) -> bool:
        return self.display_works

    def show_picture(self, buffer: bytearray) -> bool:
        if self.display_works:
            if self.picture is None:
                self.picture = bytearray(len(buffer))
            self.picture[:] = buffer
        return self.display_works

    def milliseconds(self) -> int:
        if self._ticks_ms is None:
            return time.monotonic_ns() // 1_000_000
        ticks = self._ticks_ms()  # wraps around
        self._milliseconds += time.ticks_diff(ticks, self._last_ticks)  # type: ignore[attr-defined]
        self._last_ticks = ticks
        return self._milliseconds

    def unix_time(self) -> int:
        return self.clock

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def unique_id(self) -> bytes:
        return b"simulated"

    def heap_free(self) -> int:
        gc.collect()  # cheap on a computer
        mem_free = getattr(gc, "mem_free", None)
        return mem_free() if mem_free else 0

    def show(self, text: str) -> None:
        if len(self.shown) == _MAX_KEPT:
            self.shown.pop(0)
        self.shown.append(text)
        self._print(text)

    def _print(self, text: str) -> None:
        try:
            sys.stderr.write(text + "\n")
        except OSError:  # nobody looks
            pass

    def start_watchdog(self) -> None:
        self.watchdog_runs = True

    def feed_watchdog(self) -> None:
        self.fed += 1

    def stop_watchdog(self) -> None:
        self.watchdog_runs = False

    def restart(self) -> None:
        sys.exit(RESTART)
