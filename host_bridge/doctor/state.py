"""The state folder: this user's, writable, with room, on one bridge at a time; and the list of paired devices."""

import os
import shutil
import tempfile
from pathlib import Path

from host_bridge.doctor.access import is_mine, let_in, may, owner_of
from host_bridge.doctor.finding import Finding, broken, good, warning
from host_bridge.doctor.setup import Setup, take_over
from host_bridge.doctor.shell import as_root, command, quote
from host_bridge.pairing.paired_devices import DEVICES_FILE, BadDeviceList, PairedDevices

_ROOM = 128 << 20  # bytes: all headers of mainnet are under 80 MB
_UNIT = Path("/etc/systemd/system/lightclient-bridge.service")


def look_at_folder(setup: Setup) -> list[Finding]:
    folder = setup.folder
    if not os.path.lexists(folder):
        return [_not_there(setup)]
    if not folder.is_dir():
        return [broken("state", f"{folder} is no folder", command("mv", folder, f"{folder}.old"))]
    owner = owner_of(folder)
    if not (may(folder, os.R_OK) and may(folder, os.W_OK) and may(folder, os.X_OK)):
        fix = let_in(folder, owner, "rwx") if is_mine(owner) else take_over(folder)
        return [broken("state", f"{folder} is closed to this user ({owner})", fix)]
    if owner.mode & 0o022:
        text = f"{folder} can be written by others than its owner ({owner}): they could put another list of devices in"
        return [broken("state", text, _owners(is_mine(owner), command("chmod", "700", folder)))]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return [broken("state", f"{folder}: nothing can be written: {error.strerror or error}", _see_disk(folder))]
    if free < _ROOM:
        text = f"{folder}: {free >> 20} MB are free, and all headers of mainnet need {_ROOM >> 20}"
        return [warning("state", text, _see_disk(folder))]
    by = f", in use by the bridge ({setup.bridge})" if setup.bridge else ""
    if owner.mode & 0o077:
        text = f"{folder} can be looked into by others than its owner ({owner})"
        return [warning("state", text, _owners(is_mine(owner), command("chmod", "700", folder)))]
    return [good("state", f"{folder} can be written{by}")]


def _owners(mine: bool, fix: str) -> str:
    return fix if mine else as_root(fix)


def _see_disk(folder: Path) -> str:
    return command("df", "-h", folder) + " && " + command("findmnt", "-T", folder)


def _not_there(setup: Setup) -> Finding:
    folder = setup.folder
    if _UNIT.exists() and not setup.config.state_dir and not os.environ.get("STATE_DIRECTORY"):
        text = f"{folder} is not there, but a service is installed: its folder is another, and needs its user"
        return warning("state", text, as_service(setup))
    parent = next(parent for parent in folder.parents if parent.is_dir())
    if may(parent, os.W_OK | os.X_OK):
        return good("state", f"{folder} is not there yet: the bridge makes it")
    make = as_root(command("install", "-d", "-m", "700", "-o") + ' "$(id -u)" -g "$(id -g)" ' + quote(folder))
    return broken("state", f"{folder} is not there, and {parent} is closed to this user ({owner_of(parent)})", make)


def as_service(setup: Setup) -> str:
    """This command, as the service runs (docs/BRIDGE.md)."""
    options = [f"-p {o}" for o in ("DynamicUser=yes", "User=lightclient", "StateDirectory=lightclient")]
    groups = "-p SupplementaryGroups=dialout"
    return as_root(f"systemd-run --pty {' '.join(options)} {groups} {setup.bridge_command('doctor')}")


def look_at_devices(setup: Setup) -> list[Finding]:
    path = setup.folder / DEVICES_FILE
    if path.parent.is_dir() and not may(path.parent, os.X_OK):
        return []  # told of by who looks at the folder
    try:
        if path.exists() and not may(path, os.R_OK):
            owner = owner_of(path)
            fix = let_in(path, owner, "r") if is_mine(owner) else take_over(path)
            return [broken("devices", f"{path} can't be read by this user ({owner})", fix)]
        devices = PairedDevices(setup.folder)
        served = sum(device.is_served for device in devices.list())
    except (BadDeviceList, OSError) as error:
        text = str(error)
        if path.is_file() and owner_of(path).mode & 0o077:
            fix = _owners(is_mine(owner_of(path)), command("chmod", "600", path))
        else:
            fix = command("mv", path, f"{path}.old") + " && " + setup.pair_command()
        return [broken("devices", text, fix)]
    if served:
        return [good("devices", "one is paired" if served == 1 else f"{served} are paired")]
    if setup.config.serial_unpaired:
        return [good("devices", "none is paired; on a cable they are served all the same (serial_unpaired)")]
    return [warning("devices", "no device is paired, and an unpaired one gets nothing", setup.pair_command())]
