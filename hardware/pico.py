"""A Raspberry Pi Pico, Pico W, Pico 2 or Pico 2 W, through MicroPython's `machine`."""

import gc
import os
import time

from machine import I2C, WDT, Pin, mem32, reset, unique_id

from hardware.board import EARLIEST_TIME, NO_DISPLAY, UNSET_CLOCK, WATCHDOG_MS
from hardware.pins import BUTTON, BUZZER, DISPLAY_ADDRESS, DISPLAY_SCL, DISPLAY_SDA, LED, LIGHT, RELAY
from hardware.ssd1306 import Ssd1306
from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

_HEAP_EVERY_MS = const(5_000)  # to count the free heap takes 9 ms
_DISPLAY_HZ = const(400_000)
# WATCHDOG_CTRL (RP2040 data sheet 4.7.6, RP2350 12.9.7). MicroPython can't stop what it started; the chip can.
_WATCHDOG_CTRL = 0x40058000
_WATCHDOG_CTRL_2350 = 0x400D8000
_ENABLE = const(1 << 30)


class PicoBoard:
    """The relay is open from the start."""

    shows = True

    def __init__(self) -> None:
        self.relay_is_on = False
        self._relay = Pin(RELAY, Pin.OUT, value=0)
        self.problems: "list[str]" = []
        self._button = Pin(BUTTON, Pin.IN, Pin.PULL_UP)
        self._light = Pin(LIGHT, Pin.OUT, value=0)
        self._led = Pin(LED, Pin.OUT, value=0)
        self._buzzer = Pin(BUZZER, Pin.OUT, value=0)
        self._last_ticks = time.ticks_ms()  # type: ignore[attr-defined]
        self._milliseconds = 0
        self._heap_free = 0
        self._heap_counted = -_HEAP_EVERY_MS
        self._watchdog: "Any" = None
        self.stop_watchdog()  # a soft reset leaves it running
        self.display = Ssd1306(I2C(0, sda=Pin(DISPLAY_SDA), scl=Pin(DISPLAY_SCL), freq=_DISPLAY_HZ), DISPLAY_ADDRESS)
        if not self.display.answers():
            self.problems.append(NO_DISPLAY)
        if not self.unix_time():
            self.problems.append(UNSET_CLOCK)

    def set_relay(self, on: bool) -> None:
        self._relay.value(1 if on else 0)
        self.relay_is_on = on

    def set_light(self, on: bool) -> None:
        """The light that is wired and the one on the board."""
        self._light.value(1 if on else 0)
        self._led.value(1 if on else 0)

    def set_buzzer(self, on: bool) -> None:
        self._buzzer.value(1 if on else 0)

    def button_is_down(self) -> bool:
        return not self._button.value()

    def show(self, text: str) -> None:
        """There is no console: USB is the link."""

    def restart(self) -> None:
        reset()

    def milliseconds(self) -> int:
        ticks = time.ticks_ms()  # type: ignore[attr-defined]
        self._milliseconds += time.ticks_diff(ticks, self._last_ticks)  # type: ignore[attr-defined]
        self._last_ticks = ticks
        return self._milliseconds

    def unix_time(self) -> int:
        """Its clock begins at 2021 with the power, and may have been set since (`mpremote rtc --set`)."""
        now = int(time.time())
        return now if now >= EARLIEST_TIME else 0

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

    def start_watchdog(self) -> None:
        if self._watchdog is None:
            self._watchdog = WDT(timeout=WATCHDOG_MS)

    def feed_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.feed()

    def stop_watchdog(self) -> None:
        is_2350 = "RP2350" in os.uname().machine
        mem32[_WATCHDOG_CTRL_2350 if is_2350 else _WATCHDOG_CTRL] &= ~_ENABLE
        self._watchdog = None
