# ruff: noqa: F821 - constants are put before it
# Runs on the emulated board: what a byte from the UART costs, in cycles; see device_lines.py, which feeds it.
import time

from machine import UART, Pin

TURNS = 30_000


def turns():
    """How long a loop takes beside the interrupts."""
    started = time.ticks_us()
    for _ in range(TURNS):
        pass
    return time.ticks_diff(time.ticks_us(), started)


uart = UART(0, BAUD_RATE, tx=Pin(0), rx=Pin(1), rxbuf=4096, txbuf=512, timeout=0)
block = bytearray(512)
alone = turns()
uart.write(b"G")
beside = turns()
while uart.any() < SIZE:
    pass
started = time.ticks_us()
count = 0
while count < SIZE:
    count += uart.readinto(block, uart.any())
copied = time.ticks_diff(time.ticks_us(), started)
print("ANSWERS %d %d" % ((beside - alone) * 125 // SIZE, copied * 125 // SIZE))
