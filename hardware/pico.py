"""A Raspberry Pi Pico, Pico W, Pico 2 or Pico 2 W, through MicroPython's `machine`."""

import gc
import os
import time

from machine import Pin, reset, unique_id

from hardware.pins import BUTTON, LED, RELAY
from lightclient.compat import const

_HEAP_EVERY_MS = const(5_000)  # to count the free heap takes 9 ms


class PicoBoard:
    """The relay is open from the start. Nothing here waits."""

    def __init__(self) -> None:
        self.relay_is_on = False
        self._relay = Pin(RELAY, Pin.OUT, value=0)
        self._button = Pin(BUTTON, Pin.IN, Pin.PULL_UP)
        self._led = Pin(LED, Pin.OUT, value=0)
        self._last_ticks = time.ticks_ms()  # type: ignore[attr-defined]
        self._milliseconds = 0
        self._heap_free = 0
        self._heap_counted = -_HEAP_EVERY_MS

    def set_relay(self, on: bool) -> None:
        self._relay.value(1 if on else 0)
        self.relay_is_on = on

    def set_light(self, on: bool) -> None:
        """The light on the board."""
        self._led.value(1 if on else 0)

    def show(self, text: str) -> None:
        """One line for a person: this board has no display."""

    def restart(self) -> None:
        reset()

    def button_is_down(self) -> bool:
        return not self._button.value()

    def milliseconds(self) -> int:
        ticks = time.ticks_ms()  # type: ignore[attr-defined]
        self._milliseconds += time.ticks_diff(ticks, self._last_ticks)  # type: ignore[attr-defined]
        self._last_ticks = ticks
        return self._milliseconds

    def unix_time(self) -> int:
        return 0  # its clock starts at 2021 with the power

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def unique_id(self) -> bytes:
        return bytes(unique_id())

    def heap_free(self) -> int:
        """Garbage counts as used: to collect it takes 14 ms."""
        now = self.milliseconds()
        if now - self._heap_counted >= _HEAP_EVERY_MS:
            self._heap_counted = now
            self._heap_free = gc.mem_free()  # type: ignore[attr-defined]
        return self._heap_free
