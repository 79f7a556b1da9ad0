"""What `lightclient pair` and `lightclient device till` have in common: a till's items, and its list of addresses."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.commands.common import complain, file_option
from host_bridge.control.control import ControlFailed, DeviceControl
from host_bridge.control.till_transfer import send_till
from host_bridge.files import Unusable
from host_bridge.pairing.line import find_port, open_cable
from host_bridge.pairing.paired_devices import PairedDevices
from host_bridge.pairing.pairing import PairingFailed
from host_bridge.payments.address_list import AddressList
from host_bridge.progress import progress_bar
from lightclient.errors import NotConfirmed
from lightclient.limits import MAX_MONEY
from lightclient.params import NETWORKS, Network

_MAX_ITEMS = 16  # firmware/till.py
_MAX_NAME = 20
_RESTART_SECONDS = 1.0  # until a device that has been paired is gone
_TRIES = 3

ItemOption = Annotated[
    list[str] | None,
    typer.Option("--item", metavar="NAME=SATOSHIS", help="What the till sells; once for each, in their order."),
]
AddressesOption = Annotated[
    Path | None,
    file_option("Addresses for the till's invoices, one a line; each is used once.", "--invoice-addresses"),
]


class TillOffer:
    """What a till is given; false when that is nothing. Raises Unusable, before anything is sent."""

    def __init__(
        self,
        items: list[str] | None,
        addresses: Path | None,
        confirmations: int | None = None,
        minutes: int | None = None,
    ) -> None:
        self.changes: dict[str, Any] = {}
        self.scripts: list[bytes] = []
        self._list = AddressList(addresses) if addresses is not None else None
        if items:
            self.changes["items"] = [_item(text) for text in items]
            if len(items) > _MAX_ITEMS:
                raise Unusable(f"--item: {len(items)} items, at most {_MAX_ITEMS}")
        if confirmations is not None:
            self.changes["confirmations"] = confirmations
        if minutes is not None:
            self.changes["minutes"] = minutes

    def __bool__(self) -> bool:
        return bool(self.changes or self._list)

    def check(self, network_name: str) -> None:
        """Make the list one of scripts of the device's network. Raises Unusable."""
        network: Network | None = NETWORKS.get(network_name)
        if network is None:
            raise Unusable(f"the device is on {network_name[:40]!a}, which is not known here")
        if self._list is not None:
            self.scripts = self._list.scripts(network)

    def send(self, control: DeviceControl) -> dict[str, Any]:
        """What became of it, for people and programs. Raises ControlFailed, Unusable."""
        self.check(control.network)
        with progress_bar("addresses", len(self.scripts)) as advance:
            left_out = send_till(control, self.changes, self.scripts, advance)
        given = {"addresses": len(self.scripts) - left_out, "left_out": left_out} if self.scripts else {}
        return {**{key: value for key, value in self.changes.items() if key != "items"}, **given}

    def send_after_pairing(
        self, serial: str, devices: PairedDevices, device_id: bytes, seconds: float
    ) -> dict[str, Any]:
        """The same, when the device starts anew: its port may go and come back. Raises ControlFailed, Unusable."""
        end = time.monotonic() + seconds
        tries = 0
        while True:
            time.sleep(_RESTART_SECONDS)
            try:
                with open_cable(find_port(serial)) as cable:
                    control = DeviceControl(cable, devices, max(end - time.monotonic(), 1), complain)
                    control.greet()
                    if control.device_id != device_id:
                        raise ControlFailed("another device is on the line now")
                    tries += 1
                    return self.send(control)
            except PairingFailed as error:
                if time.monotonic() > end:
                    raise ControlFailed(str(error)) from None
            except ControlFailed as error:  # the start may have come between
                if error.name == NotConfirmed.__name__ or tries >= _TRIES or time.monotonic() > end:
                    raise


def said(given: dict[str, Any]) -> str:
    """One line for people about what `send` has returned."""
    text = f"{given['addresses']} new addresses" if "addresses" in given else "what was given"
    if given.get("left_out"):
        text += f" ({given['left_out']} of the file have had an invoice already, and are left out)"
    return text


def _item(text: str) -> dict[str, Any]:
    name, equals, amount = text.rpartition("=")
    name = name.strip()
    if not equals or not amount.isascii() or not amount.isdigit() or not 1 <= int(amount[:17]) <= MAX_MONEY:
        raise Unusable(f"--item {text[:60]!a}: not NAME=SATOSHIS")
    if not 1 <= len(name) <= _MAX_NAME or not (name.isascii() and name.isprintable()):
        raise Unusable(f"--item {text[:60]!a}: a name has 1 to {_MAX_NAME} letters that the display has (ASCII)")
    return {"name": name, "amount": int(amount)}
