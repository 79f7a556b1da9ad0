"""Cut the power after each program and erase while a till gets a new list of addresses, under real littlefs.

Runs on MicroPython. Prints the number of points; a list that is half, or an address that is used twice, ends it with
an exception.
"""

import json

import vfs
from flash import Flash

from firmware.control import Control
from firmware.files import FolderFiles
from firmware.till import TillRecord, TillSettings
from lightclient.errors import LightClientError
from lightclient.messages import ASK_ADDRESSES, ASK_TILL

_BLOCKS = 24
_PATH = "/flash/settings.json"


def script(number):
    return bytes([0, 20]) + (number * 0x9E3779B97F4A7C15 & (1 << 160) - 1).to_bytes(20, "big")


_OLD = [script(n) for n in range(1, 9)]
_USED = 5  # of the old ones; the last two are watched
_NEW = [script(n) for n in range(4, 60)]
_ITEMS = [{"name": "Tea", "amount": 2}]


class Face:
    till = None


class Device:
    face = Face()
    is_paired = False

    def restart_soon(self, why):
        self.why = why


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")


def unmount():
    try:
        vfs.umount("/flash")
    except OSError:
        pass


def prepare():
    with open("/flash/till.1", "w") as file:
        file.write("".join([s.hex() + "\n" for s in _OLD]))
    till = {"items": [{"name": "Coffee", "amount": 1}], "addresses": "till.1"}
    with open(_PATH, "w") as file:
        json.dump({"network": "regtest", "till": till}, file)
    record = TillRecord(FolderFiles("/flash"))
    record.next = _USED
    record.invoices = [[3, "Coffee", 1, 0], [4, "Coffee", 1, 0]]
    record.save()


def give(scripts):
    control = Control(Device(), _PATH)
    left_out = b""
    for start in range(0, len(scripts), 20):
        piece = start.to_bytes(4, "little") + b"".join([bytes([len(s)]) + s for s in scripts[start : start + 20]])
        for _ in range(2):  # an answer that was lost: it is asked again
            left_out, _ = control.answer(ASK_ADDRESSES, memoryview(piece))
    changes = {"items": _ITEMS, "addresses": len(scripts)}
    control.answer(ASK_TILL, memoryview(json.dumps(changes).encode()))
    return int.from_bytes(left_out, "little")


def look():
    """Whether it has the new list. It has one or the other, whole, and knows what it has used."""
    with open(_PATH) as file:
        values = json.load(file)["till"]
    settings = TillSettings(values)
    settings.folder = "/flash"
    record = TillRecord(FolderFiles("/flash"))
    assert record.next == _USED and [i[0] for i in record.invoices] == [3, 4]
    assert [settings.script(n) for n in (3, 4)] == _OLD[3:5]  # what is watched
    is_new = values["items"] == _ITEMS
    rest = [settings.script(n) for n in range(_USED, 80)]
    rest = [s for s in rest if s]
    assert rest == (_NEW[2:] if is_new else _OLD[_USED:]), rest  # script(4) and script(5) have had an invoice
    return is_new


def main():
    flash = Flash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, progsize=256)
    mounted(flash)
    prepare()
    assert not look()
    unmount()
    before = flash.snapshot()

    flash = Flash(_BLOCKS, before)
    mounted(flash)
    assert give(_NEW) == 2 and look()
    unmount()
    operations = flash.operations
    assert not flash.mistakes, flash.mistakes

    outcomes = set()
    for point in range(operations):
        flash = Flash(_BLOCKS, before)
        flash.cut_after = point
        flash.tear = point * 37 + 11
        mounted(flash)
        try:
            give(_NEW)
        except (OSError, LightClientError):
            pass
        assert flash.dead, point
        unmount()
        flash = Flash(_BLOCKS, flash.snapshot())
        mounted(flash)
        is_new = look()
        outcomes.add(is_new)
        assert give(_NEW) == 2 and look()  # what was left is no hindrance; given again, nothing is used twice
        unmount()
    assert outcomes == {False, True}
    print("points:", operations)


main()
