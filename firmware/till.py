"""A small till: one button, a display, and addresses that are used once each.

A short press goes to the next item, a long one makes an invoice for it and shows it; a long press on an
invoice cancels it. An invoice ends with its payment, by cancelling, or after `minutes`. Its payment
counts whenever it comes: the last few invoices are watched until it does, also across restarts.

Each invoice has the next address of the list, which is never used again: that it is taken is on flash, in
both copies of the till's record, before anybody sees it. So a power cut may waste an address.
"""

import json
from binascii import crc32, hexlify

from firmware.button import LONG, SHORT
from firmware.screen import INVOICE, NO_PROGRESS, REFUSED
from firmware.settings import read_script
from firmware.views import invoice_view, replay_line, thousands
from lightclient.compat import const
from lightclient.errors import CorruptStore, LightClientError, StoreError, describe
from lightclient.limits import MAX_HEIGHT, MAX_MONEY, MAX_REQUESTS
from lightclient.messages import STATE_READY
from lightclient.spv.payment import PaymentRequest

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from firmware.screen import View
    from lightclient.client import Client
    from lightclient.headers.store import Files

    Notice = tuple[int, str, str]  # light, title, text

FIRST_REQUEST = const(0x10000)  # request ids of invoices: this and the number of their address
MAX_ITEMS = const(16)
MAX_ADDRESSES = const(200)  # in settings; a file has any number
KNOWN = const(20)  # hex digits at the end of a script_pubkey: 64 bits of its hash at least
_MAX_NAME = const(20)
_RECORDS = ("till.a", "till.b")
_MAX_RECORD = const(2048)
_CRC = const(8)  # hex digits before the record's JSON
_OF_ADDRESSES = "for addresses: lightclient device till"


class TillSettings:
    """`till` in settings.json (settings.py); `folder` is where that is. Raises ValueError, and what leads to one."""

    def __init__(self, values: "dict[str, Any]") -> None:
        self.items: "list[tuple[str, int]]" = []
        for item in values["items"]:
            name, amount = item["name"], item["amount"]
            if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME or not _is_printable(name):
                raise ValueError("settings: the name of an item has 1 to 20 letters of ASCII")
            if not isinstance(amount, int) or isinstance(amount, bool) or not 1 <= amount <= MAX_MONEY:
                raise ValueError("settings: the amount of an item is no number of satoshis")
            self.items.append((name, amount))
        if not 1 <= len(self.items) <= MAX_ITEMS:
            raise ValueError("settings: a till has 1 to 16 items")
        addresses = values["addresses"]
        self.folder = "."
        self.file = addresses if isinstance(addresses, str) else ""
        self.scripts = [] if self.file else [read_script(text, _OF_ADDRESSES) for text in addresses]
        if not self.file and not 1 <= len(self.scripts) <= MAX_ADDRESSES:
            raise ValueError("settings: a till has 1 to 200 addresses, or more in a file")
        if len(set(self.scripts)) < len(self.scripts):
            raise ValueError("settings: an address of the till stands there twice")
        self.confirmations = _number(values, "confirmations", 1, 100)
        self.minutes = _number(values, "minutes", 60, 24 * 60)

    def _path(self) -> str:
        return self.file if "/" in self.file else self.folder + "/" + self.file

    def script(self, index: int) -> bytes:
        """The script_pubkey of an address; empty when there are no more. Raises ValueError, OSError."""
        if not self.file:
            return self.scripts[index] if index < len(self.scripts) else b""
        with open(self._path(), "rb") as file:
            for i, line in enumerate(file):
                if i == index:
                    return read_script(line.strip().decode(), _OF_ADDRESSES)
        return b""

    def next_script(self, index: int) -> "tuple[int, bytes]":
        """The number of the first from `index` on that can be used, and it; a list by hand may have others."""
        while True:
            try:
                script = self.script(index)
                if not script or not self._has_before(index, hexlify(script)[-KNOWN:]):
                    return index, script
            except ValueError:
                pass
            index += 1

    def _has_before(self, index: int, ending: bytes) -> bool:
        if not self.file:
            return False
        with open(self._path(), "rb") as file:
            for i, line in enumerate(file):
                if i == index:
                    break
                if line.strip().lower()[-KNOWN:] == ending:
                    return True
        return False

    def lines(self) -> "Iterator[str]":
        """The list, as hex. To be read to its end: only then its file is closed. Raises OSError."""
        if not self.file:
            for script in self.scripts:
                yield hexlify(script).decode()
            return
        with open(self._path()) as file:
            for line in file:
                yield line.strip()


def _is_printable(text: str) -> bool:
    """As the display has letters for; and one byte each in the record, which is read back up to a ceiling."""
    return all(" " <= letter <= "~" for letter in text)


def _number(values: "dict[str, Any]", key: str, default: int, highest: int) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise ValueError("settings: " + key + " of the till is not between 1 and " + str(highest))
    return value


class TillRecord:
    """What the till must not forget: `next`, the number of the next address, and the `invoices` that are watched.

    An invoice is [number of its address, name, satoshis, from_height]. Raises CorruptStore.
    """

    def __init__(self, files: "Files") -> None:
        self.next = 0
        self.invoices: "list[list[Any]]" = []
        self._files = files
        found = [self._read(name) for name in _RECORDS]
        good = [record for record in found if record]
        if not good and found != [None, None]:
            raise CorruptStore("till.a and till.b cannot be read: which addresses are used is not known")
        for record in good:
            if record[0] >= self.next:  # the first copy is written first
                self.next, self.invoices = record

    def _read(self, name: str) -> "Any":
        """[next, invoices]; None when there is no such file, [] when it cannot be read."""
        size = self._files.size(name)
        if size < 0:
            return None
        data = bytearray(min(size, _MAX_RECORD))
        try:
            self._files.read_into(name, 0, data)
            text = bytes(data[_CRC:])
            if data[:_CRC] != _crc(text):
                return []
            return json.loads(text)
        except (LightClientError, ValueError):
            return []

    def save(self) -> None:
        """Make both copies durable. Raises StoreError, OSError."""
        text = json.dumps([self.next, self.invoices]).encode()
        for name in _RECORDS:
            self._files.write(name + ".part", _crc(text) + text)
            self._files.sync()
            self._files.rename(name + ".part", name)
            self._files.sync()


def _crc(text: bytes) -> bytes:
    return hexlify(crc32(text).to_bytes(4, "big"))


class Till:
    """Asks for payments. `taken` is how many requests the device has of its own. Raises CorruptStore."""

    def __init__(self, settings: TillSettings, files: "Files", client: "Client", taken: int) -> None:
        self.notice: "Notice | None" = None  # for the device to show for a while, and forget
        self._settings = settings
        self._record = TillRecord(files)
        self._client = client
        self._room = max(MAX_REQUESTS - taken, 1)
        self._item = 0
        self._request: "PaymentRequest | None" = None  # of the invoice that is shown
        self._ends_at = 0
        del self._record.invoices[: -self._room]
        for number, _, amount, from_height in self._record.invoices:
            script = settings.script(number)
            if script:
                client.wait_for(self._make(number, script, amount, from_height))

    def _make(self, number: int, script: bytes, amount: int, from_height: int) -> PaymentRequest:
        return PaymentRequest(FIRST_REQUEST + number, script, amount, self._settings.confirmations, from_height)

    def press(self, press: int, now_ms: int) -> None:
        """What a person did, and whether the invoice's time is over."""
        if self._request is not None:
            if press == LONG:
                self._end("CANCELLED")
            elif now_ms >= self._ends_at:
                self._end("TIME IS UP")
        elif press == SHORT:
            self._item = (self._item + 1) % len(self._settings.items)
        elif press == LONG:
            if self._client.state == STATE_READY and self._client.is_open:
                self._begin(now_ms)
            else:
                self.notice = (REFUSED, "NOT READY", "No payment can be\nseen now")

    def _end(self, title: str) -> None:
        self._request = None
        self.notice = (INVOICE, title, "A payment that is on\nits way still counts")

    def _begin(self, now_ms: int) -> None:
        """Take the next address, for good; then ask for the payment, then show it."""
        record = self._record
        name, amount = self._settings.items[self._item]
        try:
            number, script = self._settings.next_script(record.next)
            if not script:
                self.notice = (REFUSED, "NO ADDRESS", "All %d are used: run\nlightclient device\ntill" % record.next)
                return
            self._make_room()
            from_height = min(self._client.chain.tip_height + 1, MAX_HEIGHT)
            record.next = number + 1
            record.invoices.append([number, name, amount, from_height])
            record.save()
            self._request = self._make(number, script, amount, from_height)
            self._client.wait_for(self._request)
        except LightClientError as error:
            self._failed(describe(error))
        except (OSError, ValueError) as error:
            self._failed(str(error))
        self._ends_at = now_ms + 60_000 * self._settings.minutes

    def _failed(self, text: str) -> None:
        """Nothing is shown of an invoice that is not written down. The address counts as used."""
        self._request = None
        self.notice = (REFUSED, "NO INVOICE", text)

    def _make_room(self) -> None:
        """Of the invoices that nobody looks at any more, the oldest goes when there are too many."""
        while len(self._record.invoices) >= self._room:
            self._client.stop_waiting(FIRST_REQUEST + self._record.invoices.pop(0)[0])

    def paid(self, request_id: int) -> "tuple[str, bool]":
        """An invoice has been paid: its name, and whether nobody waited for it any more. ("", False): not ours."""
        for invoice in self._record.invoices:
            if FIRST_REQUEST + invoice[0] == request_id:
                self._record.invoices.remove(invoice)
                try:
                    self._record.save()
                except (StoreError, OSError) as error:  # it stays in the record, and is refused as acted on
                    self.notice = (REFUSED, "FLASH", str(error))
                late = self._request is None or self._request.request_id != request_id
                if not late:
                    self._request = None
                return invoice[1], late
        return "", False

    def view(self, now_ms: int, seen: "dict[int, int]") -> "View":
        """Only for a device in STATE_READY. `seen` are the confirmations of payments by request id."""
        name, amount = self._settings.items[self._item]
        request = self._request
        if request is None:
            text = thousands(amount) + " sat\n" + replay_line(self._client) + "\n\npress: next  hold: pay"
            return (INVOICE, name, text, NO_PROGRESS, None)
        minutes = (self._ends_at - now_ms + 59_999) // 60_000
        return invoice_view(self._client, request, name, seen.get(request.request_id, 0), "%d min" % minutes)
