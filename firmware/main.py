"""The device program. Importing it starts nothing; MicroPython runs it after boot.py, frozen or as a file."""

import gc
import json
import sys
import time

if sys.implementation.name == "micropython":
    # Collect often, from the first import on: loading modules would else leave the heap in pieces,
    # and garbage would fill it up before the first collection.
    gc.threshold(16 * 1024)  # type: ignore[attr-defined]

from firmware.console import IS_BOARD, say_error
from lightclient.errors import LightClientError

SETTINGS = "settings.json"
_PAUSE = 10  # seconds before a board tries again: Ctrl-C in them gives the prompt


def main(settings_path: str = SETTINGS) -> None:
    """Run until the line is closed."""
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
    Device(settings, _open_link(), open_board(settings.board_name)).run()


def _open_link() -> "StreamLink":
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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware.links import StreamLink

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
