"""adafruit-blinka as far as hardware/raspberry_pi.py uses it, with pins that behave. `installed()` puts it in place."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Pins:
    """`level` of each pin by its name; what is not driven floats, and a pull-up makes it high."""

    def __init__(self) -> None:
        self.level: dict[str, bool] = {}
        self.moves: list[tuple[str, bool]] = []
        self.pulled_down: set[str] = set()  # by a button, to ground
        self.display: bytes | None = b""  # what it shows; None: none is wired
        self.displays_set_up = 0


class DigitalInOut:
    pins: Pins

    def __init__(self, pin: str) -> None:
        self._pin = pin
        self._output = False
        self.pull: Any = None

    def switch_to_output(self, value: bool = False) -> None:
        self._output = True
        self.value = value

    @property
    def direction(self) -> Any:
        return Direction.OUTPUT if self._output else Direction.INPUT

    @direction.setter
    def direction(self, direction: Any) -> None:
        self._output = direction is Direction.OUTPUT

    @property
    def value(self) -> bool:
        if self._output:
            return self.pins.level[self._pin]
        if self._pin in self.pins.pulled_down:
            return False
        assert self.pull is Pull.UP, "an input that floats"
        return True

    @value.setter
    def value(self, level: bool) -> None:
        assert self._output, "an input is not driven"
        if self.pins.level.get(self._pin) != level:
            self.pins.moves.append((self._pin, level))
        self.pins.level[self._pin] = level


class Direction:
    INPUT = object()
    OUTPUT = object()


class Pull:
    UP = object()
    DOWN = object()


class SSD1306_I2C:
    pins: Pins

    def __init__(self, width: int, height: int, i2c: object, addr: int = 0x3C) -> None:
        assert (width, height, addr) == (128, 64, 0x3C)
        if self.pins.display is None:
            raise ValueError("No I2C device at address: 0x3c")
        self.pins.displays_set_up += 1
        self.buf = bytearray(width * height // 8)

    def show(self) -> None:
        if self.pins.display is None:
            raise OSError(121, "Remote I/O error")
        self.pins.display = bytes(self.buf)


@contextmanager
def installed() -> Iterator[Pins]:
    pins = Pins()
    board = ModuleType("board")
    for number in range(28):
        setattr(board, f"D{number}", f"D{number}")
    board.I2C = object  # type: ignore[attr-defined]
    digitalio = ModuleType("digitalio")
    digitalio.DigitalInOut = type("DigitalInOut", (DigitalInOut,), {"pins": pins})  # type: ignore[attr-defined]
    digitalio.Direction = Direction  # type: ignore[attr-defined]
    digitalio.Pull = Pull  # type: ignore[attr-defined]
    display = ModuleType("adafruit_ssd1306")
    display.SSD1306_I2C = type("SSD1306_I2C", (SSD1306_I2C,), {"pins": pins})  # type: ignore[attr-defined]
    names = {"board": board, "digitalio": digitalio, "adafruit_ssd1306": display}
    before = {name: sys.modules.get(name) for name in [*names, "hardware.raspberry_pi"]}
    sys.modules.update(names)
    sys.modules.pop("hardware.raspberry_pi", None)
    try:
        yield pins
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
