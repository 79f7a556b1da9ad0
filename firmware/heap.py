"""When a board looks for garbage. It is a matter of speed: what is freed when makes a header cost twice as much or not.

A collection takes 14 ms on an RP2040, as much as 50 headers. And after each, MicroPython looks for room from the
start of the heap again, past all that stays (up to 11,000 cycles), for each object of more than one block of 16
bytes; where it begins to look moves on only as objects of one block fill the holes between what stays. So:

* while modules and buffers are loaded, it collects often, for garbage between them would leave the heap in pieces;
* once all that stays is there, only when about half of what is free has been used up, between two batches;
* after each collection the holes are filled at once.
"""

import gc
import sys
from array import array

from lightclient.compat import IS_MICROPYTHON, const

_WHILE_LOADING = const(16 * 1024)  # bytes allocated between two collections
_HOLES = const(400)
_GARBAGE = const(10)  # bytes of garbage that a byte from the line makes, about: headers 9, proofs 9

_one_block_each = array("f", bytes(4 * _HOLES))  # an element taken out is an object of one block


def begin() -> None:
    """Collect often."""
    if IS_MICROPYTHON:
        gc.threshold(_WHILE_LOADING)  # type: ignore[attr-defined]


def loaded() -> int:
    """All that stays is there. Returns how many bytes may come from the line before `collect` is due."""
    if not IS_MICROPYTHON:
        return sys.maxsize
    gc.collect()
    free: int = gc.mem_free()  # type: ignore[attr-defined]
    # A net under it: for what makes more garbage than is thought here. What was freed at once counts here as well.
    gc.threshold(max(_WHILE_LOADING, free))  # type: ignore[attr-defined]
    _fill_holes()
    return free // 2 // _GARBAGE


def collect() -> None:
    gc.collect()
    _fill_holes()


def _fill_holes() -> None:
    """Make objects that are garbage at once, without a loop of bytecode: 1.6 ms."""
    max(_one_block_each)
