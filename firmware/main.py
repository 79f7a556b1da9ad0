"""The device program. Importing it starts nothing; MicroPython runs it after boot.py, frozen or as a file."""

import gc
import json
import os
import sys
import time

from firmware import heap
from firmware.console import IS_BOARD, note, note_once, say_error
from lightclient.compat import const
from lightclient.errors import LightClientError, describe

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from firmware.device import Device
    from firmware.links import Link, StreamLink
    from firmware.settings import Settings
    from hardware.board import Board

heap.begin()  # before what is large is imported

SETTINGS = "settings.json"
_PAUSE = 10  # seconds before a board tries again: Ctrl-C in them gives the prompt
_ENOENT = 2


def main(settings_path: str = SETTINGS, board: "Board | None" = None, has_stuck_button: bool = False) -> None:
    """Run until the line is closed, or the device has been paired and starts anew.

    With a `board`, somebody may stand in front of it: what is wrong with settings or store is shown, and the program
    goes on with what still works. Without one the settings name the board, and what is wrong with them is raised.
    """
    if hasattr(os, "umask"):  # settings and store are for who runs the device alone
        os.umask(0o077)
    values, fault = read_settings(settings_path)
    if not board and (fault or not values):
        raise ValueError(fault or settings_path + ": missing or empty")
    if IS_BOARD and values and "store" not in values and not fault:
        values, fault = _with_store(settings_path, values)
    # Where modules are compiled on the device, the largest are loaded first, while there is most
    # room, and all of them before the buffers.
    if values.get("store"):
        __import__("lightclient.headers.window_store")
    from firmware.device import folder_of  # noqa: PLC0415
    from firmware.settings import check_settings, what_still_works  # noqa: PLC0415

    try:
        settings = check_settings(values)
    except (ValueError, LightClientError) as error:
        if not board:
            raise
        fault = _line(error)
        settings = check_settings(what_still_works(values))
    goes_on = board is not None
    if board is None:
        from hardware.board import open_board  # noqa: PLC0415

        board = open_board(settings.board_name, folder_of(settings_path))
    if has_stuck_button:
        settings.button = False
        board.problems.append("button: held for 30 s, so it is broken or wired wrongly; the program goes on without it")
    for problem in board.problems:
        board.show(problem)
        if IS_BOARD:
            note_once(problem)
    gc.collect()  # the largest buffers come next
    device = make_device(settings, board, settings_path, fault, goes_on)
    device.run()
    if device.restart_wanted:
        board.restart()


def read_settings(path: str) -> "tuple[dict[str, Any], str]":
    """What stands in the file, and what is wrong with it. A device without the file has not been set up yet: {}."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError as error:
        return {}, "" if error.errno == _ENOENT else path + ": " + str(error)
    except ValueError as error:
        return {}, path + ": no JSON: " + str(error)
    return (values, "") if isinstance(values, dict) else ({}, path + ": not an object")


def _with_store(path: str, values: "dict[str, Any]") -> "tuple[dict[str, Any], str]":
    """A board keeps what it knows: its store is made at its first start, and noted in its settings, once."""
    from firmware.pairing import make_store, write_settings  # noqa: PLC0415

    try:
        values = make_store(path, values)
        write_settings(path, values)
    except (LightClientError, OSError) as error:
        return values, _line(error)
    return values, ""


def make_device(settings: "Settings", board: "Board", path: str, fault: str, goes_on: bool) -> "Device":
    """The device; with a `fault`, or one found here when it `goes_on`, one that only answers."""
    from firmware.device import Device  # noqa: PLC0415

    link = open_link(settings, board)
    if not fault:
        try:
            return Device(settings, link, board, path)
        except (LightClientError, OSError, ValueError) as error:
            if not goes_on:
                raise
            fault = _line(error)
    if IS_BOARD:
        note("fault: " + fault)
    gc.collect()
    settings.forget_payments()
    return Device(settings, link, board, path, fault)


def _line(error: Exception) -> str:
    return describe(error) if isinstance(error, LightClientError) else " ".join(str(error).split())


def open_link(settings: "Settings", board: "Board") -> "Link":
    """The way to the bridge that the settings name; the cable alone where that one can't be taken."""
    cable = _open_cable()
    if settings.link == "stream":
        return cable
    try:
        from firmware.either_link import EitherLink  # noqa: PLC0415

        if settings.link == "uart":
            from firmware.uart import UartLink  # noqa: PLC0415

            return EitherLink(UartLink(settings.baud_rate), cable, board)
        from firmware.tcp_link import TcpLink  # noqa: PLC0415
        from firmware.wifi import over_wifi  # noqa: PLC0415

        network = over_wifi(settings.wifi, TcpLink(settings.host, settings.port, settings.certificate, board), board)
    except (ImportError, ValueError, OSError) as error:  # no TLS or UART here, or a certificate that is none
        board.show("no network: " + " ".join(str(error).split()))
        return cable  # by which it can be paired anew
    return EitherLink(network, cable, board)


def _open_cable() -> "StreamLink":
    if IS_BOARD:
        from firmware.usb import UsbLink  # noqa: PLC0415 - what is not used costs no memory

        return UsbLink()
    from firmware.links import StreamLink  # noqa: PLC0415

    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    # CPython keeps what is written, unless told not to: these are the streams below
    return StreamLink(getattr(reader, "raw", reader), getattr(writer, "raw", writer))


def run_on_board() -> None:
    """What a board does with its power: the program, again and again, unless its button says otherwise."""
    board: "Board | None" = None
    try:
        from firmware.rescue import BUTTON_STUCK, RESET_PAIRING, SAFE_MODE, forget_pairing, held_at_start  # noqa: PLC0415
        from hardware.board import open_board  # noqa: PLC0415

        board = open_board("pico")
        wish = held_at_start(board)
        if wish == SAFE_MODE:
            note("the button was held: the program does not start")
            return  # the prompt is there
        if wish == RESET_PAIRING:
            note("the button was held for 10 s: the pairing is forgotten")
            forget_pairing(SETTINGS)
        main(SETTINGS, board, wish == BUTTON_STUCK)
    except KeyboardInterrupt:
        if board is not None:
            board.stop_watchdog()
        raise
    except Exception as error:
        say_error(error)
        _show_error(board, error)
        time.sleep(_PAUSE)
    sys.exit()  # MicroPython resets itself and comes here again


def _show_error(board: "Board | None", error: Exception) -> None:
    """On the display, too, if there is memory for that."""
    try:
        if board is not None:
            from firmware.screen import FAULT, NO_PROGRESS, Screen  # noqa: PLC0415

            gc.collect()
            text = type(error).__name__ + ": " + str(error) + "\nstarts anew in %d s" % _PAUSE
            Screen(board).show((FAULT, "FAULT", text, NO_PROGRESS, None), 0)
            board.set_light(True)
    except Exception:
        pass


if __name__ == "__main__":
    if IS_BOARD:
        run_on_board()
    else:
        try:
            main(sys.argv[1] if len(sys.argv) > 1 else SETTINGS)
        except (ValueError, OSError, LightClientError, MemoryError) as error:
            # standard output is the link: what went wrong goes to the console
            say_error(error)
            sys.exit(1)
        except Exception as error:  # a fault in the program: MicroPython would print it on standard output
            if not hasattr(sys, "print_exception"):
                raise
            sys.print_exception(error, sys.stderr)
            sys.exit(1)
