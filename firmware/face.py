"""The device as the person in front of it knows it: what it shows at any moment, and what its button does."""

from firmware.button import LONG, NOTHING, SHORT, Button
from firmware.screen import BEEP_PAID, BEEP_REFUSED, FAULT, HERE, NO_PROGRESS, PAID, READY, REFUSED, Screen
from firmware.views import invoice_view, replay_line, state_view, thousands
from lightclient.compat import const
from lightclient.hashes import hash_to_hex
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_REFUSED,
    EVENT_TAKEN_BACK,
    STATE_READY,
)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.device import Device
    from firmware.screen import View
    from firmware.settings import Settings
    from firmware.till import Till
    from hardware.board import Board
    from lightclient.client import Event

_LOOK_MS = const(250)  # how often it is looked at what is to be shown
_PAID_MS = const(10_000)  # what has happened stays on the display
_NOTICE_MS = const(5_000)


class Face:
    """The light, the display, the buzzer and the button of `device`; `folder` is where a till keeps its record.

    Raises CorruptStore for such a record.
    """

    def __init__(self, device: "Device", settings: "Settings", folder: str, board: "Board") -> None:
        self.screen = Screen(board)
        self.till: "Till | None" = None
        self._device = device
        self._client = device.client
        self._board = board
        self._button = Button(board) if settings.button else None
        self._hides_invoice = False  # a person wants to see how things are
        self._seen: "dict[int, int]" = {}  # confirmations by request id, not enough yet
        self._look_at = 0
        self._notice: "View | None" = None  # what has just happened, and until when it is shown
        self._notice_until = 0
        self._hand_until = 0  # so long the button confirms, and does nothing else
        if settings.till is not None:
            from firmware.files import FolderFiles  # noqa: PLC0415 - what is not used costs no memory
            from firmware.till import Till  # noqa: PLC0415

            settings.till.folder = folder
            self.till = Till(settings.till, FolderFiles(folder), self._client, len(settings.requests))

    def tick(self, now_ms: int) -> None:
        """Look at the button and at how things are: call it a few times in an eighth of a second."""
        self._press(now_ms)
        if now_ms >= self._look_at:
            self._look_at = now_ms + _LOOK_MS
            self.screen.show(self.view(now_ms), now_ms)
        self.screen.tick(now_ms)

    def view(self, now_ms: int) -> "View":
        """What is to be shown now. An address is in it only in STATE_READY."""
        device = self._device
        client = self._client
        is_asked = self._notice is not None and self._notice[0] == HERE
        if device.cut_short and self._button is not None and not is_asked:
            request_id, txid = device.cut_short[0]
            text = "Request %d\ntxid ...%s\nDid the relay move?\nHold: settled" % (request_id, hash_to_hex(txid)[-8:])
            return (FAULT, "CUT SHORT", text, NO_PROGRESS, None)
        if self._notice is not None:
            if now_ms < self._notice_until or (self._board.relay_is_on and self._notice[0] == PAID):
                return self._notice
            self._notice = None
        if client.state == STATE_READY and client.is_open and not client.fault:
            if self.till is not None:
                return self.till.view(now_ms, self._seen)
            if client.book.requests and not self._hides_invoice:
                request_id = min(client.book.requests)
                return invoice_view(client, client.book.requests[request_id], "", self._seen.get(request_id, 0), "")
        return state_view(client, device.is_paired, device.link)

    def paired(self, fingerprint: str) -> None:
        """Show by which bridge, for a person to compare."""
        self._notify((READY, "PAIRED", "with the bridge\n" + fingerprint, NO_PROGRESS, None), _PAID_MS)
        self.screen.show(self.view(self._board.milliseconds()), self._board.milliseconds())

    def identify(self, name: str) -> None:
        """Show which device this is, whatever else there is to be shown."""
        self._notify((HERE, "HERE I AM", "device\n" + name, NO_PROGRESS, None), _PAID_MS)

    def ask_for_hand(self, title: str, text: str) -> None:
        """The button is for what comes over the cable, whatever else it may be for."""
        self._notify((HERE, title, text, NO_PROGRESS, None), _NOTICE_MS)
        self._hand_until = self._notice_until

    def _notify(self, view: "View", milliseconds: int) -> None:
        self._notice = view
        self._notice_until = self._board.milliseconds() + milliseconds
        self._look_at = 0

    def take_event(self, event: "Event") -> None:
        kind, request_id, _, amount, confirmations, detail = event
        if kind == EVENT_PAYMENT_SEEN:
            self._seen[request_id] = confirmations
        elif kind == EVENT_CONFIRMED:
            self._seen.pop(request_id, None)
            name, is_late = self.till.paid(request_id) if self.till is not None else ("", False)
            text = thousands(amount) + " sat\n" + (name or "request " + str(request_id)) + replay_line(self._client)
            self._notify((PAID, "PAID LATE" if is_late else "PAID", text, NO_PROGRESS, None), _PAID_MS)
            self.screen.beep(BEEP_PAID)
        elif kind == EVENT_TAKEN_BACK:
            self._seen.pop(request_id, None)
            self._notify((REFUSED, "TAKEN BACK", "by a reorg: request %d" % request_id, NO_PROGRESS, None), _NOTICE_MS)
        elif kind == EVENT_REFUSED and (self._notice is None or self._notice[0] != PAID):
            self._notify((REFUSED, "REFUSED", detail, NO_PROGRESS, None), _NOTICE_MS)
            self.screen.beep(BEEP_REFUSED)

    def _press(self, now_ms: int) -> None:
        press = NOTHING
        if self._button is not None:
            if now_ms < self._hand_until:
                self._button.forget()
            press = self._button.press(now_ms)
        if press != NOTHING:
            self._look_at = 0
        if press == LONG and self._device.cut_short:
            self._device.settle()
        elif self.till is None:
            if press == SHORT:
                self._hides_invoice = not self._hides_invoice
        elif press != NOTHING and self._notice is not None:
            self._notice = None  # a person has read it
        else:
            self.till.press(press, now_ms)
            if self.till.notice is not None:
                light, title, text = self.till.notice
                self.till.notice = None
                self._notify((light, title, text, NO_PROGRESS, None), _NOTICE_MS)
