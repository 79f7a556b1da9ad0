"""A Raspberry Pi Pico, emulated (rp2040py), that runs a real firmware image; its flash can outlive it.

Everything runs in the caller's thread: time passes on the board only in `run`. The emulator counts a
cycle as 8 ns (125 MHz) and knows no wait states of the flash, so a real board is somewhat slower.

rp2040py's own host answers an idle endpoint with empty packets without end, each of which costs the
firmware thousands of cycles. A real host does not, and neither does this one: a packet is handed over when
there are bytes to send.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rp2040py.boards import BOARDS
from rp2040py.device.base_device import BaseDevice
from rp2040py.execute_batch import execute_batch
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.peripherals.i2c import R_TX_EMPTY

FLASH_SIZE = 2 << 20
FILES_SIZE = 1408 * 1024  # MICROPY_HW_FLASH_STORAGE_BYTES of RPI_PICO
FILES_START = FLASH_SIZE - FILES_SIZE
FREQUENCY = 125_000_000
_PACKET_DELAY = 60  # microseconds: a full-speed packet of 64 bytes takes about 50
_TICK_BATCH = 8  # instructions between looks at the clock
_LOOK_NANOS = 5_000_000
_ENDPOINT_ZERO = 0
_WRITING_COMMANDS = (0x02, 0x20, 0xD8)  # of the flash chip: program a page, erase a sector, a block


def _tell_of_flushed_fifo(i2c: Any) -> None:
    """An address that nobody answers ends a transfer at once, as it does on a chip.

    An abort flushes the transmit FIFO (RP2040 data sheet 4.3.14); rp2040py does not say that it is empty then, and
    the SDK waits for that until its time is out.
    """
    abort = i2c._abort

    def abort_and_tell(reason: int) -> None:
        abort(reason)
        i2c._set_interrupts(R_TX_EMPTY)

    i2c._abort = abort_and_tell


class BoardSilent(Exception):
    """The board did not do what was waited for in time."""


class EmulatedPico:
    """A board with `image` (a UF2 file) in its flash, and `files` (FILES_SIZE bytes) as its file system.

    `board` is rp2040py's name of it: pico or pico_w.
    `on_bytes` is called with what the board sends over USB; `next_bytes` is asked for what the host sends.
    """

    def __init__(self, image: Path, files: bytes | None = None, board: str = "pico") -> None:
        self._device = BaseDevice(board=dataclasses.replace(BOARDS[board], image=image))
        self._simulator = self._device.simulator
        self.mcu: Any = self._device.mcu
        self._look_again = self._simulator.clock.create_alarm(self.stop)
        self.is_connected = False
        self.on_bytes: Callable[[bytes], None] = lambda data: None
        self.next_bytes: Callable[[], bytes] = lambda: b""
        self.on_flash_write: Callable[[], None] = lambda: None  # after each page programmed, each sector erased
        self._queue = bytearray()
        self._waiting: list[tuple[int, int]] = []  # (endpoint, size) of reads that have no bytes yet
        self.sent = 0
        self.received = 0
        if files is not None:
            if len(files) != FILES_SIZE:
                raise ValueError(f"a file system of {len(files)} bytes, not {FILES_SIZE}")
            self.mcu.flash[FILES_START:FLASH_SIZE] = files
        cdc = self._device.cdc
        cdc.on_device_connected = self._connected
        cdc.on_serial_data = self._take
        usb = self.mcu.usb_ctrl
        answer = usb.on_endpoint_read

        def on_endpoint_read(endpoint: int, size: int) -> None:
            if endpoint == _ENDPOINT_ZERO or endpoint != cdc._out_endpoint:
                answer(endpoint, size)
            else:
                self._waiting.append((endpoint, size))
                self._hand_over()

        usb.on_endpoint_read = on_endpoint_read
        chip = self.mcu.ssi
        apply_command = chip._apply_command

        def on_command() -> None:
            writes = bool(chip._tx_buffer) and chip._tx_buffer[0] in _WRITING_COMMANDS
            apply_command()
            if writes:
                self.on_flash_write()

        chip._apply_command = on_command
        for i2c in self.mcu.i2c:
            _tell_of_flushed_fifo(i2c)
        self.mcu.core.pc = FLASH_START_ADDRESS

    # --- time ---

    @property
    def seconds(self) -> float:
        """Emulated seconds since the start."""
        return float(self._simulator.clock.nanos) / 1e9

    @property
    def cycles(self) -> int:
        return int(self.mcu.core.cycles)

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let emulated time pass until the condition holds; False when it did not within `seconds`.

        The condition is looked at every few thousand instructions, and at once after `stop`.
        """
        end = self.seconds + seconds
        simulator = self._simulator
        while not until():
            if self.seconds >= end:
                return False
            self._hand_over()
            simulator.stopped = False
            # Time stands still on a board that sleeps without an alarm set: at the prompt, say.
            self._look_again.cancel()
            self._look_again.schedule(_LOOK_NANOS)
            execute_batch(simulator, _TICK_BATCH)
        return True

    def run_for(self, seconds: float) -> None:
        """Let just so much emulated time pass."""
        done: list[bool] = []

        def ring() -> None:
            done.append(True)
            self.stop()

        self._simulator.clock.create_alarm(ring).schedule(seconds * 1e9)
        self.run(lambda: bool(done), seconds + 1)

    def stop(self) -> None:
        """Let `run` look at its condition now: for what is called while time passes."""
        self._simulator.stopped = True

    def watch_pin(self, number: int, on_change: Callable[[bool], None]) -> None:
        """Have `on_change` called with the level whenever an output changes."""

        def changed(state: int, before: int) -> None:
            if (int(state) == 1) != (int(before) == 1):
                on_change(int(state) == 1)

        self.mcu.gpio[number].add_listener(changed)

    @property
    def files(self) -> bytes:
        """The flash's file system, as a power cut would leave it."""
        return bytes(self.mcu.flash[FILES_START:FLASH_SIZE])

    # --- the line ---

    def send(self, data: bytes) -> None:
        self._queue += data
        self._hand_over()

    def _connected(self) -> None:
        self.is_connected = True

    def _take(self, data: bytes) -> None:
        self.received += len(data)
        self.on_bytes(bytes(data))
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting:
            while not self._queue:
                more = self.next_bytes()
                if not more:
                    return
                self._queue += more
            endpoint, size = self._waiting.pop(0)
            packet = bytes(self._queue[:size])
            del self._queue[:size]
            self.sent += len(packet)
            self.mcu.usb_ctrl.endpoint_read_done(endpoint, packet, _PACKET_DELAY)

    # --- the prompt of MicroPython ---

    def begin(self, source: str) -> None:
        """Start a script at the raw prompt, and no more. Raises BoardSilent."""
        heard = bytearray()
        before = self.on_bytes
        self.on_bytes = heard.extend
        try:
            self._begin(heard, source)
        finally:
            self.on_bytes = before

    def _begin(self, heard: bytearray, source: str) -> None:
        if not self.run(lambda: self.is_connected, 10):
            raise BoardSilent("no USB device has come up")
        self.send(b"\r\x03\x03\x01")
        self._expect(heard, b"raw REPL; CTRL-B to exit\r\n>", 10)
        self.send(source.encode() + b"\x04")
        self._expect(heard, b"OK", 10)

    def execute(self, source: str, seconds: float = 60.0) -> str:
        """Run a script at the raw prompt; what it printed. Raises BoardSilent, RuntimeError with the traceback."""
        heard = bytearray()
        before = self.on_bytes
        self.on_bytes = heard.extend
        try:
            self._begin(heard, source)
            output = self._expect(heard, b"\x04", seconds)
            error = self._expect(heard, b"\x04", seconds)
        finally:
            self.on_bytes = before
        if error:
            raise RuntimeError(error.decode(errors="replace"))
        return output.decode(errors="replace")

    def _expect(self, heard: bytearray, end: bytes, seconds: float) -> bytes:
        if not self.run(lambda: end in heard, seconds):
            raise BoardSilent(f"{end!r} did not come, but {bytes(heard[-200:])!r}")
        found = heard.index(end)
        said = bytes(heard[:found])
        del heard[: found + len(end)]
        return said
