"""What time it is on a device, with a clock of its own or without one.

A device that has a clock passes it in. One that has none takes the bridge's word, never letting it
go back, and not before a time that proof of work vouches for. So a bridge can make a device refuse
by a clock that is too fast (until the device starts anew), and can hide by one that is too slow that
it withholds new blocks; it cannot make it believe a payment.
"""


class Clock:
    """Unix seconds, running on by a monotonic clock of milliseconds."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._own = False
        self._seconds = 0  # unix time at `_since_ms`; 0: not known
        self._since_ms = 0

    def tick(self, now_ms: int, seconds: int) -> None:
        """`now_ms` is any monotonic clock; `seconds` the device's own unix time, 0 when it has none."""
        self.now_ms = now_ms
        if seconds:
            self._own = True
            self._set(seconds)

    def hint(self, seconds: int, earliest: int) -> None:
        """The bridge says that it is `seconds`; nothing up to `earliest` is believed, nor any step back."""
        if not self._own and seconds > max(self.now(), earliest):
            self._set(seconds)

    def _set(self, seconds: int) -> None:
        self._seconds = seconds
        self._since_ms = self.now_ms

    def now(self) -> int:
        """Unix seconds, 0 when no clock is known."""
        return self._seconds + (self.now_ms - self._since_ms) // 1000 if self._seconds else 0
