"""The clock of this computer, which devices are told: by what the system says of it, and by the node's chain."""

import shutil
import subprocess
import time

from host_bridge.doctor.finding import Finding, NodeSeen, Seen, broken, good, warning
from host_bridge.doctor.shell import as_root, command
from lightclient.limits import MAX_FUTURE_SECONDS

MAX_OFF_SECONDS = MAX_FUTURE_SECONDS  # two hours: no node takes a block that is further ahead of its clock
_TOOL_SECONDS = 5


def ask_system(seen: Seen) -> None:
    """Whether the clock is kept by NTP, where systemd knows."""
    if shutil.which("timedatectl") is None:
        return
    try:
        run = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    seen.clock_synced = {b"yes": True, b"no": False}.get(run.stdout.strip())


def judge_clock(seen: Seen, now: float | None = None) -> Finding:
    """`now`: Unix seconds by this computer's clock."""
    now = time.time() if now is None else now
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    node = seen.node
    if node is not None:
        ahead = max(node.tip_time, node.median_time) - now
        if ahead > MAX_OFF_SECONDS:
            text = f"{shown}: the node's newest block is {_duration(ahead)} ahead of this clock, so this clock is wrong"
            return broken("clock", text, _set_clock(node.tip_time))
        old = _is_old(node, now)
        if old and seen.clock_synced is not True:
            text = f"{shown}: the node's newest block is {old} old: this clock is ahead, or the node has no connection"
            return broken("clock", text, _set_clock(None))
        if old:
            text = f"{shown}, kept by NTP; but the node's newest block is {old} old: has it a connection?"
            return warning("clock", text, "bitcoin-cli getconnectioncount")
    if seen.clock_synced is False:
        return warning("clock", f"{shown}; the system says that no time server keeps it right", _set_clock(None))
    known = "kept by NTP" if seen.clock_synced else "whether it is kept by NTP is not known"
    by_node = ", and the node's newest block agrees" if node else ""
    return good("clock", f"{shown}, {known}{by_node}")


def _is_old(node: NodeSeen, now: float) -> str:
    """For how long there was no block, if that is more than chance does: under 1 in 100,000 on all networks but one."""
    age = now - node.tip_time
    if node.network == "regtest" or not node.synced or age <= MAX_OFF_SECONDS:
        return ""
    return _duration(age)


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    return f"{minutes // 1440} days" if minutes >= 2 * 1440 else f"{minutes // 60} h {minutes % 60} min"


def _set_clock(tip_time: int | None) -> str:
    """By a time server; without systemd by the node's newest block, which is right to within two hours."""
    if shutil.which("timedatectl"):
        return as_root("timedatectl set-ntp true")
    if tip_time is not None:
        return as_root(command("date", "-u", "-s", f"@{tip_time}"))
    return as_root("ntpdate pool.ntp.org")
