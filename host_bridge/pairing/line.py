"""The cable that a device is paired over: finds and opens the serial line, and talks over it until it is done."""

import time
from collections.abc import Callable
from typing import Protocol

import serial

from host_bridge.links.serial_line import PortUnusable, open_port
from host_bridge.links.serial_ports import AUTO, find_boards
from host_bridge.pairing.pairing import PairingFailed, PairingSession
from lightclient.messages import GOODBYE
from lightclient.wire import encode_frame

_READ_SIZE = 4096
_NUDGE_SECONDS = 2.0  # a device pauses for one before it greets again


class Cable(Protocol):
    """A serial line: pyserial's, or a test's own."""

    def read(self, size: int) -> bytes: ...
    def write(self, data: bytes) -> int | None: ...


def find_port(chosen: str) -> str:
    """`chosen`, or for "auto" the one port that a device is on. Raises PairingFailed."""
    if chosen != AUTO:
        return chosen
    found = find_boards()
    if not found:
        raise PairingFailed(
            "no device was found on USB (2e8a:0005): is it plugged in, with a cable that has data lines?"
            " --serial PATH names another line"
        )
    if len(found) > 1:
        raise PairingFailed(f"several devices are plugged in: choose one with --serial, of {', '.join(found)}")
    return found[0]


def open_cable(path: str) -> serial.Serial:
    """The serial line, for us alone. Raises PairingFailed."""
    try:
        return open_port(path, timeout=0.1, write_timeout=2)
    except PortUnusable as error:
        way_out = ": if that is the bridge, stop it while you pair" if error.is_busy else ""
        raise PairingFailed(f"{path}: {error}{way_out}") from None


def pair_over(
    cable: Cable, session: PairingSession, seconds: float, stopped: Callable[[], bool] = lambda: False
) -> bytes:
    """Pair the device on the line; returns its device_id. Raises PairingFailed, also when `stopped` says so."""
    end = time.monotonic() + seconds
    nudge_at = 0.0
    nudges = 0
    try:
        while session.device_id is None:
            now = time.monotonic()
            if now > end or stopped():
                raise PairingFailed(
                    "the device does not answer to its pairing"
                    if session.has_heard
                    else "nothing that speaks lightclient is on the line: does the device's program run?"
                )
            if now >= nudge_at and not session.has_heard:
                # a device that waits for an answer from before, or talks over a network, greets us after this
                cable.write(encode_frame(GOODBYE, nudges, b"\x82\x00\x60"))
                nudges += 1
                nudge_at = now + _NUDGE_SECONDS
            session.receive(cable.read(_READ_SIZE))
            while output := session.next_output():
                cable.write(output)
    except (serial.SerialException, OSError) as error:
        raise PairingFailed(f"the line is gone: {error}") from None
    return session.device_id
