"""littlefs_cuts.py SCENARIO...: cut the power after each program and erase of simulated flash under real littlefs.

Runs on MicroPython, with a heap that holds the flash. One line a scenario: its name and the number
of points; anything that is lost ends it with an exception.
"""

import gc
import sys

import vfs
from flash import Flash
from store_model import Device, check, picture
from store_scenarios import all_scenarios

from firmware.files import FolderFiles
from lightclient.errors import LightClientError

_BLOCKS = 32


def mounted(flash, fresh=False):
    if fresh:
        vfs.VfsLfs2.mkfs(flash, progsize=256)
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
    return FolderFiles("/flash/store")


def unmount():
    try:
        vfs.umount("/flash")
    except OSError:
        pass


def run(scenario):
    blocks = _BLOCKS
    flash = Flash(blocks)
    files = mounted(flash, True)
    scenario.prepare(Device(files, [], scenario.network))
    files.close()
    unmount()
    before = flash.snapshot()

    flash = Flash(blocks, before)
    files = mounted(flash)
    device = Device(files, [], scenario.network)
    scenario.run(device)
    operations = flash.operations
    scenario.finish(device)
    device.store.commit(device.chain.state)
    goal = picture(device)
    files.close()
    unmount()
    assert not flash.mistakes, flash.mistakes

    for point in range(operations):
        flash = Flash(blocks, before)
        flash.cut_after = point
        flash.tear = point * 37 + 11
        relay = []
        work = 0
        device = None
        try:
            files = mounted(flash)
            device = Device(files, relay, scenario.network)
            scenario.run(device)
        except (OSError, LightClientError):
            pass
        assert flash.dead and not flash.mistakes, (point, flash.mistakes)
        if device is not None:
            work = device.store.committed_work
        unmount()
        flash = Flash(blocks, flash.snapshot())
        files = mounted(flash)
        device = Device(files, relay, scenario.network)
        check(device, scenario.branches, work, relay)
        scenario.finish(device)
        device.store.commit(device.chain.state)
        check(device, scenario.branches, work, relay)
        assert picture(device) == goal
        files.close()
        unmount()
        assert not flash.mistakes, flash.mistakes
    return operations


if __name__ == "__main__":
    for scenario in all_scenarios():
        if scenario.name in sys.argv[1:] or len(sys.argv) == 1:
            print(scenario.name + ":", run(scenario))
            gc.collect()
