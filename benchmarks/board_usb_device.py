# ruff: noqa: F821 - constants are put before it
# Runs on the emulated board: what a byte costs that comes by a USB interface of our own, beside the console's
# (machine.USBDevice); see device_lines.py, which feeds it. What it found it leaves in usb.txt.
import struct
import time

import machine

INTERFACE = 9
ENDPOINT = 7
BULK = 2
VENDOR = 0xFF
TRANSFER = 512

device = machine.USBDevice()
device.builtin_driver = builtin = device.BUILTIN_CDC
described = bytearray(builtin.desc_cfg)
described += bytes((INTERFACE, 4, builtin.itf_max, 0, 2, VENDOR, 0, 0, 0))
for address in (OUT, 0x80 | OUT):
    described += struct.pack("<BBBBHB", ENDPOINT, 5, address, BULK, 64, 0)
struct.pack_into("<H", described, 2, len(described))
described[4] = builtin.itf_max + 1
opened = []
done = []
device.config(
    builtin.desc_dev,
    bytes(described),
    None,
    lambda interface: opened.append(True),
    None,
    None,
    lambda endpoint, result, count: done.append(count),
)
device.active(True)  # it enumerates anew
while not opened:
    time.sleep_ms(1)
block = bytearray(TRANSFER)
started = time.ticks_us()
count = 0
while count < SIZE:
    done.clear()
    device.submit_xfer(OUT, block)
    while not done:
        machine.idle()
    count += done[0]
took = time.ticks_diff(time.ticks_us(), started)
with open("usb.txt", "w") as file:
    file.write("%d" % (took * 125 // SIZE))
