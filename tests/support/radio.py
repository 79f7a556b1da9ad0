"""A radio that does as the test says, on a board whose time passes when the test says so."""

from typing import Any

from hardware.simulated import SimulatedBoard


class Clock(SimulatedBoard):
    """A board whose time passes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0

    def milliseconds(self) -> int:
        return self.now

    def random(self, count: int) -> bytes:
        return bytes(count)  # the shortest pause


class Radio:
    """The `network` module and its WLAN in one: `answer` is what its status will be 3 s after a `connect`."""

    STA_IF = 0
    PM_NONE = 16
    PM_PERFORMANCE = 17

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answer = 3
        self.attempts: list[int] = []
        self.modes: list[int] = []
        self.names: list[tuple[str, str]] = []
        self.breaks = False
        self._up_at = -1
        self.WLAN: Any = type("WLAN", (), {"PM_NONE": 16, "PM_PERFORMANCE": 17, "__new__": lambda cls, mode: self})

    def active(self, on: bool) -> None:
        if self.breaks:
            raise OSError(5)

    def connect(self, name: str, password: str) -> None:
        self.attempts.append(self.clock.now)
        self.names.append((name, password))
        self._up_at = self.clock.now + 3000

    def disconnect(self) -> None:
        self._up_at = -1

    def status(self) -> int:
        return self.answer if 0 <= self._up_at <= self.clock.now else 1

    def isconnected(self) -> bool:
        return self.status() == 3

    def config(self, pm: int) -> None:
        self.modes.append(pm)
