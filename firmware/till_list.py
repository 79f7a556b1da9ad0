"""Takes a list of addresses for the till from the device's owner (docs/PROTOCOL.md, "A list for the till").

It is written into that of two files which settings.json does not name; the change of settings.json that names it
is the one moment in which it is taken: a power cut leaves the old list or the new one, whole. It begins with the
addresses that invoices have had, of those that are not watched any more the end alone, which is enough to know
them again. So the till's record (till.py) goes on counting through it, and what had an invoice gets none again.
"""

from binascii import hexlify

from firmware.till import KNOWN, TillRecord, TillSettings
from lightclient.compat import const
from lightclient.errors import BadMessage, LightClientError, LimitExceeded, StoreError
from lightclient.limits import MAX_INVOICE_ADDRESSES, MAX_TILL_PIECE

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from lightclient.headers.store import Files

NAMES = ("till.1", "till.2")
_PIECE = const(512)


class TillList:
    """A list on its way into `folder`, where the till keeps its record; `values` are the settings as they stand there.

    Raises StoreError, for a till of which it is not known any more which addresses it has used.
    """

    def __init__(self, files: "Files", folder: str, values: "dict[str, Any]") -> None:
        self._files = files
        self._came = 0
        self._kept = 0
        self._is_whole = True  # no write has failed half-way
        self._used = TillRecord(files).next
        old = values.get("till")
        present = old.get("addresses") if isinstance(old, dict) else ""
        is_first = isinstance(present, str) and present.split("/")[-1] == NAMES[0]  # by hand with its folder
        self.name = NAMES[1 if is_first else 0]
        self._old = present if present in NAMES else ""
        self._path = folder + "/" + self.name
        files.write(self.name, b"")
        if self._used:
            self._begin_with_used(old, folder)
        files.sync()

    def _begin_with_used(self, old: "Any", folder: str) -> None:
        """Of a till that has used none, the old list does not matter, nor whether it can be read."""
        watched = [invoice[0] for invoice in TillRecord(self._files).invoices]
        count = 0
        text = ""
        try:
            settings = TillSettings(old)
            settings.folder = folder
            for line in settings.lines():
                if count < self._used:
                    text += (line if count in watched else line[-KNOWN:]).lower() + "\n"
                    count += 1
                if len(text) >= _PIECE:
                    self._files.append(self.name, text.encode())
                    text = ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError("the list of the addresses used so far cannot be read: " + str(error))
        if count < self._used:
            raise StoreError("till.a and till.b tell of more addresses than the list has")
        self._files.append(self.name, text.encode())

    def take(self, argument: memoryview) -> bytes:
        """The next piece. The answer is how many addresses were left out by now: they have had an invoice."""
        self._require_whole()
        number, scripts = read_piece(argument)
        if number == self._came:
            self._add(scripts)
        elif number + len(scripts) != self._came:  # else it has come a second time
            raise BadMessage("addresses: a piece is missing")
        return (self._came - self._kept).to_bytes(4, "little")

    def _add(self, scripts: "list[str]") -> None:
        if self._came + len(scripts) > MAX_INVOICE_ADDRESSES:
            raise LimitExceeded("addresses: more than " + str(MAX_INVOICE_ADDRESSES))
        new = {script[-KNOWN:] for script in scripts}
        with open(self._path) as file:
            for line in file:
                new.discard(line.rstrip()[-KNOWN:])
        text = ""
        kept = 0
        for script in scripts:
            if script[-KNOWN:] in new:
                new.discard(script[-KNOWN:])
                text += script + "\n"
                kept += 1
        self._is_whole = False
        self._files.append(self.name, text.encode())
        self._files.sync()
        self._is_whole = True
        self._kept += kept
        self._came += len(scripts)

    def _require_whole(self) -> None:
        if not self._is_whole:
            raise StoreError("a piece of the list could not be written: begin anew")

    def finish(self, count: "Any") -> None:
        """All has come, and may be taken. Raises BadMessage, StoreError."""
        self._require_whole()
        if count != self._came:
            raise BadMessage("addresses: " + str(self._came) + " have come")
        if not self._kept:
            raise BadMessage("addresses: every one of them has had an invoice")
        if TillRecord(self._files).next != self._used:
            raise StoreError("an invoice took an address meanwhile: begin anew")
        with open(self._path) as file:
            lines = 0
            for _ in file:
                lines += 1
        if lines != self._used + self._kept:
            raise StoreError("the list of addresses does not read back")

    def remove_old(self) -> None:
        """The settings name the new one. What stays is in the way of nothing."""
        if self._old:
            try:
                self._files.remove(self._old)
            except (LightClientError, OSError):
                pass


def read_piece(argument: memoryview) -> "tuple[int, list[str]]":
    """How many addresses came before, and script_pubkeys in hex. Raises BadMessage, LimitExceeded."""
    size = len(argument)
    if size > MAX_TILL_PIECE:
        raise LimitExceeded("addresses: a piece of " + str(size) + " bytes, at most " + str(MAX_TILL_PIECE))
    number = int.from_bytes(bytes(argument[:4]), "little")
    scripts = []
    at = 4
    while at < size:
        end = at + 1 + argument[at]
        if end == at + 1 or end > size:
            break
        scripts.append(hexlify(bytes(argument[at + 1 : end])).decode())
        at = end
    if at != size or not scripts:
        raise BadMessage("addresses: a piece holds whole script_pubkeys")
    return number, scripts


def till_as_told(settings: TillSettings, files: "Files") -> "dict[str, Any]":
    """What the owner is told of a till. Raises CorruptStore, OSError."""
    count = 0
    for _ in settings.lines():
        count += 1
    return {
        "items": [{"name": name, "amount": amount} for name, amount in settings.items],
        "confirmations": settings.confirmations,
        "minutes": settings.minutes,
        "addresses": count,
        "used": min(TillRecord(files).next, count),
    }
