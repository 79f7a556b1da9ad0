"""The device program. Importing it starts nothing."""

import gc
import json
import sys

if sys.implementation.name == "micropython":
    # Collect often, from the first import on: loading modules would else leave the heap in pieces,
    # and garbage would fill it up before the first collection.
    gc.threshold(16 * 1024)  # type: ignore[attr-defined]

from lightclient.errors import LightClientError


def main(settings_path: str = "settings.json") -> None:
    """Run until the line is closed."""
    with open(settings_path) as file:
        values = json.load(file)
    # Where modules are compiled on the device, the largest are loaded first, while there is most
    # room, and all of them before the buffers.
    if isinstance(values, dict) and values.get("store"):
        __import__("lightclient.headers.window_store")
    from firmware.device import Device  # noqa: PLC0415
    from firmware.links import StreamLink  # noqa: PLC0415
    from firmware.settings import check_settings  # noqa: PLC0415
    from hardware.board import open_board  # noqa: PLC0415

    settings = check_settings(values)
    gc.collect()  # the largest buffers come next
    link = StreamLink(sys.stdin.buffer, sys.stdout.buffer)
    device = Device(settings, link, open_board(settings.board_name))
    if sys.implementation.name == "micropython":
        gc.collect()
        # all that stays is there: from now on each collection that is not needed only costs time (14 ms)
        gc.threshold(max(gc.threshold(), gc.mem_free() // 4))  # type: ignore[attr-defined]
    device.run()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError, LightClientError, MemoryError) as error:
        # standard output is the link: what went wrong goes to the console
        sys.stderr.write(type(error).__name__ + ": " + str(error) + "\n")
        sys.exit(1)
