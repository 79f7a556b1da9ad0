"""No board is ever locked out: what its button does while it starts, and a watchdog that can be got rid of.

* A Ctrl-C on USB gives the prompt at any time, and disarms the watchdog.
* The watchdog is armed only when settings.json asks for it, and not before 3 s after the start: so a
  program that hangs at once leaves that time, at each of its starts, for a Ctrl-C.
* Held while the power comes, the button keeps the program from starting (the prompt is there). Held for
  `RESET_MS` and then let go, it makes the device forget its pairing. Held for `STUCK_MS` it is taken for
  broken, and the program starts.
"""

import json
import time

from firmware.screen import FAULT, NO_PROGRESS, NOT_PAIRED, STALE, Screen
from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from hardware.board import Board

RESET_MS = const(10_000)
STUCK_MS = const(30_000)
_LOOK_SECONDS = 0.02
_SETTLE_MS = const(50)  # what is shorter is a contact that bounces, or a pin that has just been pulled up

START = const(0)  # what is to be done
SAFE_MODE = const(1)
RESET_PAIRING = const(2)
BUTTON_STUCK = const(3)

_FORGOTTEN = ("pairing_key", "bridge", "wifi", "link")


def held_at_start(board: "Board") -> int:
    """What the button, held while the board started, asks for. Returns when it is up, or held too long."""
    began = board.milliseconds()
    screen = Screen(board)
    shown = -1
    while board.button_is_down():
        held = board.milliseconds() - began
        stage = 0 if held < _SETTLE_MS else 1 if held < RESET_MS else 2
        if stage != shown:
            shown = stage
            if stage == 1:
                screen.show((STALE, "SAFE MODE", _SAFE_TEXT, NO_PROGRESS, None), held)
            elif stage == 2:
                screen.show((NOT_PAIRED, "RESET", _RESET_TEXT, NO_PROGRESS, None), held)
        screen.tick(held)
        if held >= STUCK_MS:
            screen.show((FAULT, "BUTTON", "It is stuck", NO_PROGRESS, None), held)
            return BUTTON_STUCK
        time.sleep(_LOOK_SECONDS)
    held = board.milliseconds() - began
    board.set_light(False)
    if held < _SETTLE_MS:
        return START
    return SAFE_MODE if held < RESET_MS else RESET_PAIRING


_RESET_TEXT = "Let go now: the\ndevice forgets its\npairing"
_SAFE_TEXT = "The program does not\nstart. USB is free.\nHold on for 10 s to\nforget the pairing"


def forget_pairing(path: str) -> None:
    """Take the pairing out of the settings file, whole or not at all. Raises StoreError, OSError, ValueError."""
    from firmware.pairing import write_settings  # noqa: PLC0415 - it comes once in a device's life

    with open(path) as file:
        values = json.load(file)
    for key in _FORGOTTEN:
        values.pop(key, None)
    write_settings(path, values)
