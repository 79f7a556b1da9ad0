"""sd_notify(3) by hand: tells systemd that the service is ready, stops, and still turns its loop."""

import asyncio
import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """`state` as in the manual, "READY=1" for one. Nothing happens without systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(state.encode(), address)


async def keep_watchdog() -> None:
    """For ever, as often as the unit's WatchdogSec asks for: a loop that hangs is started anew by systemd."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not microseconds.isdigit() or not int(microseconds) or not meant:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(microseconds) / 1_000_000 / 3)
