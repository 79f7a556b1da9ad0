"""What nobody on the line may do alone to a paired device: a person holds its button meanwhile (docs/PROTOCOL.md)."""

from lightclient.compat import const
from lightclient.errors import NotConfirmed

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.device import Device

_HAND_MS = const(5_000)


class Hand:
    """At the button of `device`."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self._title = ""
        self._until = 0
        self._shown_until = 0

    def require(self, title: str) -> None:
        """Raise NotConfirmed, and show what to do, until the button is held; who asks repeats the question.

        Only a press counts that came after the device had shown `title`: a button that is stuck, or held for
        something else, says nothing. A device that is not paired is being set up: it asks for no hand.
        """
        device = self._device
        if not device.is_paired:
            return
        now = device.board.milliseconds()
        is_down = device.board.button_is_down()
        is_given = is_down and title == self._title and now < self._until
        text = "let go of the button" if is_given else "hold the button"
        if device.face is not None:
            device.face.ask_for_hand(title, text)
        if is_given or now >= self._shown_until:
            device.board.show(title + " " + text)
        self._shown_until = now + _HAND_MS
        if is_given:
            self._title = ""
            return
        if not is_down:
            self._title = title
            self._until = now + _HAND_MS
        raise NotConfirmed(title + " hold the device's button")
