"""What the device program needs of a board. Pins and drivers are in the files beside this one.

    set_relay(on)          close or open the relay
    set_light(on)          the status light
    set_buzzer(on)         the buzzer, where one is wired
    button_is_down()       whether somebody holds the button
    shows                  whether it has a light or a display: somebody may look at it
    display                what to draw on, or None: `answers()` says whether one is there now, `show_picture(buffer)`
                           is given the 1,024 bytes of a Canvas and returns whether the display took them. It may be
                           plugged in later, and unplugged at any time
    milliseconds()         a clock that only goes forward, from an unknown start
    unix_time()            seconds, or 0 when the board has no clock that can be trusted
    random(n)              n random bytes
    unique_id()            up to 16 bytes that no other board has
    heap_free()            bytes of heap left, after a collection when that is cheap
    show(text)             a line for whoever looks at the console, where there is one
    start_watchdog()       from now on the board is reset when it is not fed for WATCHDOG_MS
    feed_watchdog()        nothing before start_watchdog
    stop_watchdog()        for a person who has stopped the program
    restart()              start the program anew; does not return
    problems               one line each about what is not there or not right, as found when it was opened

Nothing here waits for long. A board is chosen by name, in the settings; only the driver that was
chosen is imported.
"""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Protocol

    class Display(Protocol):
        def answers(self) -> bool: ...
        def show_picture(self, buffer: bytearray) -> bool: ...

    class Board(Protocol):
        relay_is_on: bool
        problems: list[str]
        shows: bool

        @property
        def display(self) -> "Display | None": ...
        def set_relay(self, on: bool) -> None: ...
        def set_light(self, on: bool) -> None: ...
        def set_buzzer(self, on: bool) -> None: ...
        def button_is_down(self) -> bool: ...
        def milliseconds(self) -> int: ...
        def unix_time(self) -> int: ...
        def random(self, count: int) -> bytes: ...
        def unique_id(self) -> bytes: ...
        def heap_free(self) -> int: ...
        def show(self, text: str) -> None: ...
        def start_watchdog(self) -> None: ...
        def feed_watchdog(self) -> None: ...
        def stop_watchdog(self) -> None: ...
        def restart(self) -> None: ...


RESTART = const(3)  # exit code, on a computer, of a program that wants to be started anew
WATCHDOG_MS = const(8_000)  # an RP2040 can count up to 8,388
# A clock before this has not been set since the power came (a Pico's begins at 2021): 2025-01-01.
EARLIEST_TIME = const(1_735_689_600)
UNSET_CLOCK = "clock: not set since the power came; the time is the bridge's"
NO_DISPLAY = "display: not wired, or it does not answer"


def open_board(name: str, folder: str = "") -> "Board":
    """The board of that name; `folder` is where a simulated one has its button.

    Raises ValueError for an unknown one, or one that is not of this computer.
    """
    if name == "simulated":
        from hardware.simulated import SimulatedBoard  # noqa: PLC0415 - only the chosen driver costs memory

        return SimulatedBoard(False, folder)
    if name == "terminal":
        from hardware.terminal import TerminalBoard  # noqa: PLC0415

        return TerminalBoard()
    try:
        if name == "pico":
            from hardware.pico import PicoBoard  # noqa: PLC0415

            return PicoBoard()
        if name == "raspberry-pi":
            from hardware.raspberry_pi import RaspberryPiBoard  # noqa: PLC0415

            return RaspberryPiBoard()
    except (ImportError, NotImplementedError, RuntimeError) as error:
        raise ValueError("this computer is no board of the kind " + name + ": " + str(error))
    raise ValueError("unknown board: " + name)
