"""A serial port: there, open to this user, and held by nobody else; then the device that is on it."""

import os
import shutil
import stat
from pathlib import Path

from host_bridge.doctor.access import let_in, may, owner_of
from host_bridge.doctor.device import look_at_device
from host_bridge.doctor.finding import Finding, Seen, broken, good, warning
from host_bridge.doctor.processes import Users, running, users_of
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import as_root, command, quote
from host_bridge.links.serial_ports import AUTO, find_boards

RULES = Path(__file__).resolve().parents[1] / "udev" / "60-lightclient.rules"
RULE_FOLDERS = [Path(f"{folder}/udev/rules.d") for folder in ("/etc", "/run", "/usr/lib", "/lib", "/usr/local/lib")]
MODEM_MANAGER = "ModemManager"
_USB_DEVICES = Path("/sys/bus/usb/devices")
_PICO_VENDOR = "2e8a"
_PICO_BOOT_LOADERS = ("0003", "000f")  # RP2040, RP2350: without a program of its own


def chosen_ports(setup: Setup) -> list[str]:
    """Paths of the ports that the bridge would serve now."""
    named = [path for path in setup.config.serial if path != AUTO]
    found = find_boards() if AUTO in setup.config.serial else []
    known = {os.path.realpath(path) for path in named}
    return named + [path for path in found if os.path.realpath(path) not in known]


def look_for_boards(setup: Setup, ports: list[str]) -> list[Finding]:
    """When no port at all is there."""
    if ports or not setup.config.serial:
        return []
    if _boot_loaders():
        text = "a Pico is plugged in, but in its boot loader: it shows itself as a drive, and runs no program"
        return [broken("serial", text, "lsblk -o NAME,LABEL,MOUNTPOINT")]
    text = "auto: no board is plugged in (USB 2e8a:0005). Some cables carry no data"
    if setup.config.listen:
        return [good("serial", text)]
    return [warning("serial", text, "lsusb -d 2e8a:")]


def _boot_loaders() -> bool:
    def read(path: Path) -> str:
        try:
            return path.read_text().strip()
        except (OSError, ValueError):
            return ""

    places = list(_USB_DEVICES.glob("*/idProduct")) if _USB_DEVICES.is_dir() else []
    return any(read(p) in _PICO_BOOT_LOADERS and read(p.with_name("idVendor")) == _PICO_VENDOR for p in places)


def look_at_port(setup: Setup, seen: Seen, path: str) -> list[Finding]:
    found = _port(setup, path)
    if found.result == "good":
        users = users_of(path).programs
        if users:
            text = f"{path}: not asked, the bridge has the port; its log tells of the device"
            return [found, good("device", text)]
        return [found, look_at_device(setup, seen, path)]
    return [found]


def _port(setup: Setup, path: str) -> Finding:
    place = Path(path)
    try:
        status = place.stat()
        owner = owner_of(place)
    except FileNotFoundError:
        return broken("serial", f"{path}: not plugged in", _others(setup, path))
    except OSError as error:
        return broken("serial", f"{path}: {error.strerror or error}", command("ls", "-l", path))
    if not stat.S_ISCHR(status.st_mode):
        return broken("serial", f"{path}: not a serial port", _others(setup, path))
    if not (may(place, os.R_OK) and may(place, os.W_OK)):
        return broken("serial", f"{path}: closed to this user ({owner})", let_in(place, owner, "rw"))
    return _users(setup, path, users_of(path)) or good("serial", f"{path} is open to this user ({owner})")


def _others(setup: Setup, path: str) -> str:
    """The ports that there are."""
    boards = find_boards()
    if boards:
        return setup.with_changed("serial", [boards[0] if port == path else port for port in setup.config.serial])
    return "ls -l /dev/serial/by-id/ /dev/ttyACM* /dev/ttyUSB*"


def _users(setup: Setup, path: str, users: Users) -> Finding | None:
    """Who else has it open."""
    bridge = setup.bridge
    if bridge is not None and [user.pid for user in users.programs] == [bridge.pid]:
        return good("serial", f"{path} is served by the bridge ({bridge})")
    others = [user for user in users.programs if bridge is None or user.pid != bridge.pid]
    for user in others:
        text = f"{path} is held by {user}: a port has one user at a time"
        if user.name == MODEM_MANAGER and not installed_rule():
            return broken("serial", f"{text}; it takes the board for a modem", install_rule())
        return broken("serial", text, user.how_to_end())
    return None


# --- udev and ModemManager ---


def look_at_rule(setup: Setup) -> list[Finding]:
    """The udev rule, where boards on USB are served."""
    if AUTO not in setup.config.serial and not any(path in find_boards() for path in setup.config.serial):
        return []
    rule = installed_rule()
    manager = running(MODEM_MANAGER)
    if rule is None and not (has_udev() or manager):
        return [good("udev", "this computer has no udev: no rule is needed")]
    if rule is None:
        danger = f"{manager[0]} talks to every board as to a modem" if manager else "a board's port has no fixed name"
        return [warning("udev", f"the rule for boards is not installed: {danger}", install_rule())]
    try:
        if rule.read_bytes() != RULES.read_bytes():
            return [warning("udev", f"{rule} is another rule than this program's", install_rule())]
    except OSError as error:
        return [warning("udev", f"{rule}: {error.strerror or error}", as_root(command("chmod", "a+r", rule)))]
    return [good("udev", f"{rule} is installed" + (": ModemManager leaves boards alone" if manager else ""))]


def installed_rule() -> Path | None:
    """The one that counts: a file in an earlier folder stands for those of its name in later ones."""
    places = (folder / RULES.name for folder in RULE_FOLDERS)
    return next((place for place in places if os.path.exists(place)), None)


def has_udev() -> bool:
    return os.path.isdir("/run/udev") or shutil.which("udevadm") is not None


def install_rule() -> str:
    copy = f"cp {quote(RULES)} {quote(RULE_FOLDERS[0])}/"
    restart = [command("systemctl", "restart", MODEM_MANAGER)] if running(MODEM_MANAGER) else []
    return " && ".join(as_root(part) for part in (copy, "udevadm control --reload", "udevadm trigger", *restart))
