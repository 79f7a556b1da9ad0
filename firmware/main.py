"""The device program. Importing it starts nothing; MicroPython runs it after boot.py, frozen or as a file."""

import gc
import json
import os
import sys
import time

from firmware import heap
from firmware.console import IS_BOARD, say_error
from lightclient.errors import LightClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware.links import Link, StreamLink
    from firmware.settings import Settings
    from hardware.board import Board

heap.begin()  # before what is large is imported

SETTINGS = "settings.json"
_PAUSE = 10  # seconds before a board tries again: Ctrl-C in them gives the prompt


def main(settings_path: str = SETTINGS) -> None:
    """Run until the line is closed, or the device has been paired and starts anew."""
    if hasattr(os, "umask"):  # settings and store are for who runs the device alone
        os.umask(0o077)
    with open(settings_path) as file:
        values = json.load(file)
    # Where modules are compiled on the device, the largest are loaded first, while there is most
    # room, and all of them before the buffers.
    if isinstance(values, dict) and values.get("store"):
        __import__("lightclient.headers.window_store")
    from firmware.device import Device  # noqa: PLC0415
    from firmware.settings import check_settings  # noqa: PLC0415
    from hardware.board import open_board  # noqa: PLC0415

    settings = check_settings(values)
    gc.collect()  # the largest buffers come next
    board = open_board(settings.board_name)
    device = Device(settings, open_link(settings, board), board, settings_path)
    device.run()
    if device.restart_wanted:
        board.restart()


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

    return StreamLink(sys.stdin.buffer, sys.stdout.buffer)


def run_on_board() -> None:
    """What a board does with its power: nothing without settings, else the program, again and again."""
    try:
        open(SETTINGS).close()
    except OSError:
        return  # fresh from the flashing: the prompt is there
    try:
        main()
    except Exception as error:
        say_error(error)
        time.sleep(_PAUSE)
    sys.exit()  # MicroPython resets itself and comes here again


if __name__ == "__main__":
    if IS_BOARD:
        run_on_board()
    else:
        try:
            main(*sys.argv[1:])
        except (ValueError, OSError, LightClientError, MemoryError) as error:
            # standard output is the link: what went wrong goes to the console
            say_error(error)
            sys.exit(1)
        except Exception as error:  # a fault in the program: MicroPython would print it on standard output
            if not hasattr(sys, "print_exception"):
                raise
            sys.print_exception(error, sys.stderr)
            sys.exit(1)
