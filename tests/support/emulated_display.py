"""An SSD1306 with 128 x 64 pixels, emulated, on I2C0 of an emulated Pico.

After the data sheet (Solomon Systech SSD1306, revision 1.1): control bytes (8.1.5.2), commands (9), the three ways of
addressing (10.1.3), and what it holds when its power comes: registers as in 9, noise in its memory. A byte takes
nine periods of the clock that the firmware has set. A command that the chip does not have is an AssertionError.
"""

from collections.abc import Callable
from random import Random

from emulated_pico import FREQUENCY, EmulatedPico
from rp2040py.peripherals.i2c import I2CMode

from hardware import pins

WIDTH = 128
PAGES = 8
_I2C = 3  # the function that a pin of the RP2040 has when it is the I2C's
_ARGUMENTS = {0x20: 1, 0x21: 2, 0x22: 2, 0x81: 1, 0x8D: 1, 0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1}


class EmulatedDisplay:
    """Wired to `board` as hardware/pins.py says. `is_plugged` may change at any time, through plug and unplug.

    `pictures` counts the times that its memory was filled to the last byte of the window.
    """

    def __init__(self, board: EmulatedPico, is_plugged: bool = True) -> None:
        self._board = board
        self._i2c = board.mcu.i2c[0]
        self._alarm = board._simulator.clock.create_alarm(self._end_of_byte)
        self._then: Callable[[], None] = lambda: None
        self._noise = Random(1306)
        self.is_plugged = is_plugged
        self.pictures = 0
        self.bytes = 0  # on the line, addresses among them
        self.unplug_at: int | None = None  # when so many have come
        self._power_up()
        i2c = self._i2c
        i2c.on_connect = self._connect
        i2c.on_write_byte = self._write

    def _power_up(self) -> None:
        self.memory = bytearray(self._noise.randbytes(WIDTH * PAGES))
        self.registers = {0x20: [2], 0x21: [0, 127], 0x22: [0, 7], 0x81: [0x7F], 0x8D: [0x10], 0xA8: [63]}
        self.registers |= {0xD3: [0], 0xDA: [0x12]}
        self.is_on = self.is_mirrored = self.is_upside_up = self.is_inverted = self.is_all_lit = False
        self._start_line = 0
        self._column = self._page = 0
        self._command: list[int] = []

    def plug(self) -> None:
        self._power_up()
        self.is_plugged = True

    def unplug(self) -> None:
        self.is_plugged = False

    @property
    def picture(self) -> bytes | None:
        """What a person sees, as Canvas.buffer; None when it is dark. Pins above the picture."""
        registers = self.registers
        if not (self.is_plugged and self.is_on and registers[0x8D] == [0x14]):
            return None
        as_wired = registers[0xA8] == [63] and registers[0xD3] == [0] and registers[0xDA] == [0x12]
        assert as_wired and not self._start_line, "64 lines, no offset, the panel's pins alternating"
        assert self.is_mirrored and self.is_upside_up and not self.is_inverted and not self.is_all_lit
        return bytes(self.memory)

    # --- the bus ---

    def _later(self, then: Callable[[], None]) -> None:
        """Nine periods of the clock, as it has been set."""
        i2c = self._i2c
        self._then = then
        self._alarm.schedule(9 * (i2c.scl_high_period + i2c.scl_low_period) * 1e9 / FREQUENCY)

    def _end_of_byte(self) -> None:
        self._then()

    def _count(self) -> None:
        self.bytes += 1
        if self.bytes == self.unplug_at:
            self.unplug()

    def _connect(self, address: int, mode: I2CMode) -> None:
        self._count()
        gpio = self._board.mcu.gpio
        is_wired = gpio[pins.DISPLAY_SDA].function_select == gpio[pins.DISPLAY_SCL].function_select == _I2C
        answers = is_wired and self.is_plugged and address == pins.DISPLAY_ADDRESS and mode == I2CMode.WRITE
        self._control: int | None = None
        self._later(lambda: self._i2c.complete_connect(answers))

    def _write(self, value: int) -> None:
        self._count()
        if self.is_plugged:
            self._take(value)
        self._later(lambda: self._i2c.complete_write(self.is_plugged))

    # --- the chip ---

    def _take(self, value: int) -> None:
        if self._control is None:
            assert value & 0x3F == 0, f"control byte {value:#x}"
            self._control = value
            return
        if self._control & 0x40:
            self._take_data(value)
        else:
            self._take_command(value)
        if self._control & 0x80:  # Co: another control byte comes
            self._control = None

    def _take_command(self, value: int) -> None:
        self._command.append(value)
        code, *values = self._command
        if len(values) < _ARGUMENTS.get(code, 0):
            return
        self._command = []
        if code in _ARGUMENTS:
            self.registers[code] = values
            if code == 0x21:
                self._column = values[0]
            elif code == 0x22:
                self._page = values[0]
        elif code < 0x10:
            self._column = self._column & 0xF0 | code
        elif code < 0x20:
            self._column = (self._column & 0x0F | code << 4) & 0x7F
        elif 0x40 <= code < 0x80:
            self._start_line = code & 0x3F
        elif code in (0xA0, 0xA1):
            self.is_mirrored = code == 0xA1
        elif code in (0xA4, 0xA5):
            self.is_all_lit = code == 0xA5
        elif code in (0xA6, 0xA7):
            self.is_inverted = code == 0xA7
        elif code in (0xAE, 0xAF):
            self.is_on = code == 0xAF
        elif 0xB0 <= code < 0xB8:
            self._page = code & 7
        elif code in (0xC0, 0xC8):
            self.is_upside_up = code == 0xC8
        else:
            assert code == 0xE3, f"command {code:#x}"  # do nothing

    def _take_data(self, value: int) -> None:
        self.memory[self._page * WIDTH + self._column] = value
        (mode,), (first, last), (top, bottom) = (self.registers[code] for code in (0x20, 0x21, 0x22))
        if mode == 2:  # within a page
            self._column = (self._column + 1) % WIDTH
            return
        self.pictures += (self._column, self._page) == (last, bottom)
        if mode == 0:
            self._column, ended = (first, True) if self._column == last else (self._column + 1, False)
            if ended:
                self._page = top if self._page == bottom else self._page + 1
        else:
            self._page, ended = (top, True) if self._page == bottom else (self._page + 1, False)
            if ended:
                self._column = first if self._column == last else self._column + 1
