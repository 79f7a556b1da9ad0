# Runs on the emulated board: what a byte costs to read, in cycles; see bench_device.py, which feeds it.
import gc
import select
import sys
import time

from firmware.usb import UsbLink

SIZE = 2048


def cycles(started, count):
    return time.ticks_diff(time.ticks_us(), started) * 125 / count


link = UsbLink()
console = sys.stdin.buffer
block = bytearray(512)
one = memoryview(block)[:1]
poll = select.poll()
poll.register(console, select.POLLIN)
gc.collect()
print("READY")
while link.read(10) < 1:
    pass
started = time.ticks_us()
count = 0
while count < SIZE:
    count += link.read(1000)
answers = ["link %d" % cycles(started, count)]
started = time.ticks_us()
for _ in range(2):
    console.readinto(block)
answers.append("block %d" % cycles(started, 1024))
started = time.ticks_us()
for _ in range(256):
    poll.poll(100)
    console.readinto(one)
answers.append("single %d" % cycles(started, 256))
print("ANSWERS " + ", ".join(answers))
