"""When a device looks for garbage. It is a matter of speed: collections can take as long as all the rest of a sync.

One takes 14 ms on an RP2040, as much as 35 headers. After each, MicroPython looks for room from the start of the
heap again, past all that stays, until small objects have filled the holes in it. So:

* while modules and buffers are loaded, it collects often, for garbage between them would leave the heap in pieces;
* once all that stays is there, only when about three quarters of what is free have been used up, between two batches.

(To fill the holes at once with objects that nobody keeps costs as much as it saves: measured.)
"""

import gc
import sys

from lightclient.compat import IS_MICROPYTHON, const

_WHILE_LOADING = const(16 * 1024)  # bytes allocated between two collections
_GARBAGE = const(14)  # bytes of garbage that a byte from the line makes, about: headers 13, proofs 9


def begin() -> None:
    """Collect often."""
    if IS_MICROPYTHON:
        gc.threshold(_WHILE_LOADING)  # type: ignore[attr-defined]


def loaded() -> int:
    """All that stays is there. Returns how many bytes may come from the line before `gc.collect` is due."""
    if not IS_MICROPYTHON:
        return sys.maxsize
    gc.collect()
    free: int = gc.mem_free()  # type: ignore[attr-defined]
    # A net under it, and a full heap is another. Here counts as well what was freed at once: about as much again.
    gc.threshold(max(_WHILE_LOADING, 2 * free))  # type: ignore[attr-defined]
    return free // 4 * 3 // _GARBAGE
