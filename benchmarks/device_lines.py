"""What a byte costs an emulated RP2040 that comes another way than through the console: a UART, a USB interface."""

from pathlib import Path
from typing import Any

from board_and_bridge import firmware_image
from emulated_pico import FILES_SIZE, EmulatedPico
from littlefs_image import make_image, read_image

FOLDER = Path(__file__).resolve().parent
SIZE = 3072
BAUD_RATE = 921_600
_RECEIVED = 1 << 4  # bits of the PL011's interrupt registers
_FIFO_LEVEL = 4  # bytes; the SDK's choice
_OUT = 3  # the endpoint
_PACKET_DELAY = 60  # microseconds, as in emulated_pico
_SIE_CTRL = 0x4C
_PULL_UP = 1 << 16


def script(name: str, **values: object) -> str:
    """A script for the board with its constants in front."""
    return "".join(f"{key} = {value!r}\n" for key, value in values.items()) + (FOLDER / name).read_text()


def uart_cycles() -> tuple[float, float]:
    """What interrupts and copying cost for a byte."""
    board = EmulatedPico(firmware_image())
    uart: Any = board.mcu.uart[0]
    left = [SIZE]

    def check() -> None:
        # rp2040py has no transmit FIFO, and raises its interrupt whenever one is asked for.
        board.mcu.set_interrupt(uart.irq, bool(uart._interrupt_status & uart._interrupt_mask))

    def feed() -> None:
        if uart.rx_fifo.full:
            raise SystemExit("the UART has lost bytes")
        uart.rx_fifo.push(left[0] & 0xFF)
        left[0] -= 1
        if uart.rx_fifo.item_count >= _FIFO_LEVEL or not left[0]:
            uart._interrupt_status |= _RECEIVED
            check()
        if left[0]:
            alarm.schedule(10e9 / BAUD_RATE)

    alarm = board._simulator.clock.create_alarm(feed)
    uart.check_interrupts = check
    uart.on_byte = lambda byte: alarm.schedule(10e9 / BAUD_RATE)
    said = board.execute(script("board_uart.py", SIZE=SIZE, BAUD_RATE=BAUD_RATE))
    interrupts, copying = said.split("ANSWERS ")[1].split()
    return float(interrupts), float(copying)


def usb_device_cycles() -> float:
    """What a byte takes in transfers of 512 bytes to an interface of our own."""
    board = EmulatedPico(firmware_image(), make_image({}, FILES_SIZE))
    board.execute("pass")
    usb: Any = board.mcu.usb_ctrl
    answer, write = usb.on_endpoint_read, usb.write_uint32
    is_attached = True

    def on_endpoint_read(endpoint: int, size: int) -> None:
        if endpoint == _OUT:
            usb.endpoint_read_done(endpoint, bytes(min(size, 64)), _PACKET_DELAY)
        else:
            answer(endpoint, size)

    def write_uint32(offset: int, value: int) -> None:
        nonlocal is_attached
        write(offset, value)
        if offset == _SIE_CTRL and is_attached != bool(value & _PULL_UP):
            is_attached = not is_attached
            if is_attached:  # rp2040py's host does not look for a device that comes again
                board._device.cdc._on_controller_reset()
                usb.reset_device()

    usb.on_endpoint_read = on_endpoint_read
    usb.write_uint32 = write_uint32
    board.begin(script("board_usb_device.py", SIZE=4096, OUT=_OUT))
    board.run_for(2)
    return float(read_image(board.files)["usb.txt"] or b"nan")
