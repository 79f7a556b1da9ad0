"""A Raspberry Pi (or another computer that adafruit-blinka knows), through `digitalio` and `adafruit_ssd1306`.

The watchdog is systemd's: it starts the program anew when it has not heard of it for the unit's WatchdogSec.
"""

import os
import socket
import time
from hashlib import sha256

import board
import digitalio

from hardware import pins
from hardware.board import EARLIEST_TIME, NO_DISPLAY, RESTART, UNSET_CLOCK
from hardware.canvas import HEIGHT, WIDTH
from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

_MACHINE_ID = "/etc/machine-id"
_ID_SIZE = 8
_MEMORY = "/proc/meminfo"
_OPEN_AGAIN = 25  # seconds: a display that was unplugged meanwhile has to be set up anew, which clears it for 25 ms


class RaspberryPiBoard:
    """The relay is open from the start."""

    shows = True

    def __init__(self) -> None:
        self.relay_is_on = False
        self._relay = _output(pins.PI_RELAY)
        self.problems: list[str] = []
        self._light = _output(pins.PI_LIGHT)
        self._buzzer = _output(pins.PI_BUZZER)
        self._button = digitalio.DigitalInOut(_pin(pins.PI_BUTTON))
        self._button.direction = digitalio.Direction.INPUT
        self._button.pull = digitalio.Pull.UP
        self._watchdog: socket.socket | None = None
        self._driver: Any = None
        self._opened_at = 0.0
        self.display = self
        if not self._open_display():
            self.problems.append(NO_DISPLAY)
        if not self.unix_time():
            self.problems.append(UNSET_CLOCK)

    def set_relay(self, on: bool) -> None:
        self._relay.value = on
        self.relay_is_on = on

    def set_light(self, on: bool) -> None:
        self._light.value = on

    def set_buzzer(self, on: bool) -> None:
        self._buzzer.value = on

    def button_is_down(self) -> bool:
        return not self._button.value

    def _open_display(self) -> bool:
        try:
            import adafruit_ssd1306  # noqa: PLC0415 - a device without a display does not need it

            i2c = board.I2C()
            self._driver = adafruit_ssd1306.SSD1306_I2C(WIDTH, HEIGHT, i2c, addr=pins.DISPLAY_ADDRESS)
            self._opened_at = time.monotonic()
        except (ImportError, AttributeError, ValueError, OSError, RuntimeError):  # no I2C, or nothing answers
            self._driver = None
        return self._driver is not None

    def answers(self) -> bool:
        if self._driver is not None and time.monotonic() - self._opened_at < _OPEN_AGAIN:
            return True
        return self._open_display()

    def show_picture(self, buffer: bytearray) -> bool:
        if not self.answers():
            return False
        try:
            self._driver.buf[:] = buffer
            self._driver.show()
        except (OSError, RuntimeError):
            self._driver = None
        return self._driver is not None

    def show(self, text: str) -> None:
        """Standard error, which systemd puts into its journal."""
        try:
            os.write(2, text.encode() + b"\n")
        except OSError:  # nobody looks
            pass

    def milliseconds(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def unix_time(self) -> int:
        """Without a network a Pi goes on from the time it was switched off at: too slow, never too fast."""
        now = int(time.time())
        return now if now >= EARLIEST_TIME else 0

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def unique_id(self) -> bytes:
        """Of the machine-id, which is not to be told to others as it is (machine-id(5))."""
        try:
            with open(_MACHINE_ID, "rb") as file:
                machine = file.read().strip()
        except OSError:
            machine = os.uname().nodename.encode()
        return sha256(b"lightclient" + machine).digest()[:_ID_SIZE]

    def heap_free(self) -> int:
        """Memory that the whole computer has left."""
        try:
            with open(_MEMORY) as file:
                for line in file:
                    if line.startswith("MemAvailable:"):
                        return int(line.split()[1]) * 1024
        except (OSError, ValueError):
            pass
        return 0

    def start_watchdog(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        if address and self._watchdog is None:
            self._watchdog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._watchdog.setblocking(False)
            self._watchdog.connect("\0" + address[1:] if address[0] == "@" else address)

    def feed_watchdog(self) -> None:
        if self._watchdog is not None:
            try:
                self._watchdog.send(b"WATCHDOG=1")
            except OSError:
                pass

    def stop_watchdog(self) -> None:
        """systemd stops watching when the program ends."""

    def restart(self) -> None:
        raise SystemExit(RESTART)


def _pin(number: int) -> "Any":
    """Blinka's name for a GPIO of the BCM."""
    return getattr(board, "D" + str(number))


def _output(number: int) -> "Any":
    pin = digitalio.DigitalInOut(_pin(number))
    pin.switch_to_output(value=False)
    return pin
