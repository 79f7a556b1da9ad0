"""One button, two meanings: a short press and a long one."""

from lightclient.compat import const

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from hardware.board import Board

NOTHING = const(0)
SHORT = const(1)
LONG = const(2)
_LONG_MS = const(1_000)
_BOUNCE_MS = const(20)


class Button:
    """The button of `board`. One that is down from the start counts for nothing until it has been up."""

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._since = 0
        self._is_down = True
        self._is_told = True  # the press that is under way

    def forget(self) -> None:
        """What is under way counts for nothing until it has been up."""
        self._is_down = self._is_told = True

    def press(self, now_ms: int) -> int:
        """What has come since the last look: NOTHING, SHORT (it is up again) or LONG (it is still held)."""
        is_down = self._board.button_is_down()
        if is_down != self._is_down:
            held = now_ms - self._since
            self._is_down = is_down
            self._since = now_ms
            if is_down:
                self._is_told = False
            elif not self._is_told and held >= _BOUNCE_MS:
                self._is_told = True
                return SHORT
        elif is_down and not self._is_told and now_ms - self._since >= _LONG_MS:
            self._is_told = True
            return LONG
        return NOTHING
