# ruff: noqa: F401, F821, I001, PLW0603 - constants are put before it, and the first import comes first
# Runs on the emulated board, its settings, UNTIL and what else is in capitals put before it; see bench_device.py.
# The program as it is, its parts timed. It leaves what it found in bench.json, for its line is the link.
import firmware.main  # sets gc.threshold
import gc
import json
import time

from firmware.device import Device
from firmware.files import FolderFiles
from firmware.settings import check_settings
from firmware.usb import UsbLink
from hardware.board import open_board

FLASH = ("names", "size", "read_into", "append", "write", "cut", "rename", "remove", "sync", "release")
took = {}
most = most_garbage = 0


def timed(owner, name):
    function = getattr(owner, name)

    def call(*values):
        global most, most_garbage
        started = time.ticks_us()
        try:
            return function(*values)
        finally:
            took[name] = took.get(name, 0) + time.ticks_diff(time.ticks_us(), started)
            if MEMORY:
                most_garbage = max(most_garbage, gc.mem_alloc())
                gc.collect()  # what is left is in use: by whoever has called, too
                most = max(most, gc.mem_alloc())

    setattr(owner, name, call)


device = Device(check_settings(SETTINGS), UsbLink(), open_board("pico"))
client = device.client
gc.collect()
free = gc.mem_free()
base = gc.mem_alloc()
timed(client.chain, "accept")
timed(client.chain.rules, "extend")
timed(client.chain.state.accumulator, "append_links")
timed(device.link, READING)
if not MEMORY:
    for name in FLASH:
        timed(FolderFiles, name)
if MEMORY:
    timed(client, "receive")
    timed(client.endpoint, "read_message")
    timed(client.endpoint, "send")
    timed(client.chain.store, "append")
device.all_is_loaded()
first = 0
while client.chain.tip_height < UNTIL:
    device.step()
    if not first and client.chain.tip_height >= FIRST + 96:  # all is loaded, all is warm
        first = client.chain.tip_height
        took.clear()
        started = time.ticks_us()
total = time.ticks_diff(time.ticks_us(), started)
gc.collect()
with open("bench.json", "w") as file:
    json.dump(
        {
            "headers": client.chain.tip_height - first,
            "total": total,
            "took": took,
            "flash": sum([took.get(name, 0) for name in FLASH]),
            "free": free,
            "most": most - base,
            "garbage": most_garbage - base,
            "kept": gc.mem_alloc() - base,
        },
        file,
    )
