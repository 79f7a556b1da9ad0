"""What the device program needs of a board. Pins and drivers are in the files beside this one.

    set_relay(on)          close or open the relay
    milliseconds()         a clock that only goes forward, from an unknown start
    unix_time()            seconds, or 0 when the board has no clock that can be trusted
    random(n)              n random bytes
    unique_id()            up to 16 bytes that no other board has
    heap_free()            bytes of heap left, after a collection when that is cheap
    show(text)             a line for the person in front of it: on a display, or wherever the console is
    restart()              start the program anew; does not return

A board is chosen by name, in the settings; only the driver that was chosen is imported.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Board(Protocol):
        relay_is_on: bool

        def set_relay(self, on: bool) -> None: ...
        def milliseconds(self) -> int: ...
        def unix_time(self) -> int: ...
        def random(self, count: int) -> bytes: ...
        def unique_id(self) -> bytes: ...
        def heap_free(self) -> int: ...
        def show(self, text: str) -> None: ...
        def restart(self) -> None: ...


def open_board(name: str) -> "Board":
    """The board of that name. Raises ValueError for an unknown one."""
    if name == "simulated":
        from hardware.simulated import SimulatedBoard  # noqa: PLC0415 - only the chosen driver costs memory

        return SimulatedBoard()
    if name == "pico":
        from hardware.pico import PicoBoard  # noqa: PLC0415

        return PicoBoard()
    raise ValueError("unknown board: " + name)
