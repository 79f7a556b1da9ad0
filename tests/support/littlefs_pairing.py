"""Cut the power after each program and erase while a pairing is stored in settings.json, under real littlefs.

Runs on MicroPython. Prints the number of points; anything that is lost ends it with an exception.
"""

import json

import vfs
from flash import Flash

from firmware.pairing import pair_device, paired_settings
from lightclient.errors import LightClientError
from lightclient.pairing import Pairing

_BLOCKS = 16
_PATH = "/flash/settings.json"
_OLD = {"network": "regtest", "pairing_key": "11" * 32, "checkpoint": "a5" * 300}
_NEW = Pairing(bytes(32), bytes(range(256)) * 2, "192.168.1.20", 8433, b"ssid", "password")


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")


def settings():
    with open(_PATH) as file:
        return json.load(file)


def main():
    flash = Flash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, progsize=256)
    mounted(flash)
    with open(_PATH, "w") as file:
        json.dump(_OLD, file)
    vfs.umount("/flash")
    before = flash.snapshot()

    new = paired_settings(_OLD, _NEW)
    flash = Flash(_BLOCKS, before)
    mounted(flash)
    pair_device(_PATH, _NEW)
    assert settings() == new
    vfs.umount("/flash")
    operations = flash.operations
    assert not flash.mistakes, flash.mistakes

    outcomes = set()
    for point in range(operations):
        for tear in (0, 11, 100, 255):
            flash = Flash(_BLOCKS, before)
            flash.cut_after = point
            flash.tear = point * 37 + tear
            mounted(flash)
            try:
                pair_device(_PATH, _NEW)
            except (OSError, LightClientError):
                pass
            assert flash.dead, point
            try:
                vfs.umount("/flash")
            except OSError:
                pass
            flash = Flash(_BLOCKS, flash.snapshot())
            mounted(flash)
            found = settings()
            assert found in (_OLD, new), point
            outcomes.add(found == new)
            pair_device(_PATH, _NEW)  # what was left is no hindrance
            assert settings() == new
            vfs.umount("/flash")
    assert False in outcomes
    print("points:", operations)


main()
