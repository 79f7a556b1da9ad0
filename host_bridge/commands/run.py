"""`lightclient run`."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from firmware import main as program
from firmware.device import Device
from host_bridge.commands.common import (
    REFUSED,
    complain,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    network_named,
)
from host_bridge.emulator.emulated_board import SETTINGS_FILE, make_folder, write_settings
from host_bridge.files import Unusable
from host_bridge.links.device_line import DeviceLine
from host_bridge.places import state_folder
from lightclient.params import NETWORKS

SHORT_HELP = "Be a device: run the device program on this computer, or a Raspberry Pi."
EXAMPLES = examples(
    "lightclient run --network regtest --link /tmp/device",
    "lightclient pair --serial /tmp/device --name till --address 192.168.1.20:8433    # in another terminal",
    "",
    "lightclient run --board raspberry-pi --serial /dev/ttyGS0 --dir /var/lib/lightclient-device",
)
_RESTART = 3  # what a board of this computer ends with to be started anew


def run(
    folder: Annotated[
        Path | None,
        file_option("Where it keeps settings.json and its store; made when missing.", "--dir", metavar="DIR"),
    ] = None,
    settings: Annotated[
        Path | None, file_option("The settings, where they are elsewhere.", "--settings", metavar="FILE")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"For a new folder, else mainnet: one of {', '.join(NETWORKS)}."),
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="What is wired: raspberry-pi, simulated (nothing). It is kept in settings.json."
        ),
    ] = "",
    serial: Annotated[
        Path | None,
        file_option("The serial port that the bridge, or `pair`, is at the other end of.", "--serial", metavar="PATH"),
    ] = None,
    link: Annotated[
        Path | None,
        file_option("Without --serial: a symbolic link to the terminal that stands for one.", "--link", metavar="PATH"),
    ] = None,
) -> None:
    """Run the device program on this computer until Ctrl-C or SIGTERM; the relay is open then.

    How it reaches its bridge is in its settings, and comes from pairing: by TCP and TLS, or by the serial
    line. What it shows stands on standard error.
    """
    if network is not None:
        network_named(network)
    if settings is not None and (folder is not None or network is not None):
        raise typer.BadParameter("--settings goes without --dir and --network")
    with errors_end_the_command():
        path = settings if settings is not None else _settings_in(folder, network)
        if board:
            _set_board(path, board)
        try:
            with DeviceLine(serial, link) as line:
                if serial is None:
                    complain(f"serial line {line.path}")
                _run_until_stopped(path, line)
        except (ValueError, MemoryError) as error:
            raise Unusable(str(error) or type(error).__name__) from None


def _settings_in(folder: Path | None, network: str | None) -> Path:
    place = folder if folder is not None else state_folder() / "device"
    make_folder(place, network)
    return place / SETTINGS_FILE


def _set_board(path: Path, board: str) -> None:
    from host_bridge.emulator.emulated_board import read_settings  # noqa: PLC0415

    values = read_settings(path)
    if values.get("board") != board:
        write_settings(path, {**values, "board": board})


def _run_until_stopped(path: Path, line: DeviceLine) -> None:
    """The program takes standard input and output for its line; what it says goes to standard error."""
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    stdin, stdout = sys.stdin, sys.stdout
    Device.stop_wanted = False
    try:
        sys.stdin, sys.stdout = line.reader, line.writer
        while _run_once(path) and not Device.stop_wanted:
            pass
    finally:
        sys.stdin, sys.stdout = stdin, stdout
        for number, handler in before.items():
            signal.signal(number, handler)
    if not Device.stop_wanted:
        fail(REFUSED, "the line is closed for good")


def _run_once(path: Path) -> bool:
    """True: it wants to be started anew."""
    try:
        program.main(str(path))
    except SystemExit as end:
        return end.code == _RESTART
    return False


def _stop(number: int, frame: FrameType | None) -> None:
    Device.stop_wanted = True
