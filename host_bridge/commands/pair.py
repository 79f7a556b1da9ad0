"""`lightclient pair`."""

import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.commands.common import (
    REFUSED,
    UNUSABLE,
    JsonOption,
    complain,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    network_named,
    print_json,
    say,
    whole_number,
)
from host_bridge.commands.till import AddressesOption, ItemOption, TillOffer, said
from host_bridge.control.control import ControlFailed
from host_bridge.files import Unusable, read_file
from host_bridge.pairing.certificate import BadCertificate, load_or_make
from host_bridge.pairing.line import find_port, open_cable, pair_over
from host_bridge.pairing.paired_devices import BadDeviceList, PairedDevice, PairedDevices
from host_bridge.pairing.pairing import Offer, PairingFailed, PairingSession
from host_bridge.places import state_folder
from host_bridge.printable import printable

SHORT_HELP = "Pair a device on a serial line with the bridge on this computer; list and revoke devices."
EXAMPLES = examples(
    "lightclient pair --name door",
    "lightclient pair --name till --item Coffee=25000 --item Cake=40000 --invoice-addresses addresses.txt",
    "lightclient pair --address 192.168.1.20:8433 --wifi Home",
    "lightclient pair --list",
    "lightclient pair --revoke door",
)
_MAX_PASSWORD_FILE = 256


def pair(
    serial: Annotated[
        str, typer.Option("--serial", metavar="PATH|auto", help="The line that the device is on; auto: looks on USB.")
    ] = "auto",
    name: Annotated[str, typer.Option(metavar="NAME", help="What you call the device, up to 40 characters.")] = "",
    address: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the device reaches this bridge over the network; without it, it stays on the cable.",
        ),
    ] = "",
    wifi: Annotated[
        str, typer.Option(metavar="SSID", help="With --address: the Wi-Fi it shall join; its password is asked for.")
    ] = "",
    wifi_password_file: Annotated[
        Path | None, file_option("The Wi-Fi's password, instead of asking; empty for an open network.")
    ] = None,
    network: Annotated[
        str, typer.Option(metavar="NAME", help="The network of a device that was never set up; else mainnet.")
    ] = "",
    items: ItemOption = None,
    invoice_addresses: AddressesOption = None,
    list_devices: Annotated[bool, typer.Option("--list", help="List the devices that are paired.")] = False,
    revoke: Annotated[
        str, typer.Option(metavar="DEVICE", help="Serve this device no more: its name, or how its id begins.")
    ] = "",
    state_dir: Annotated[Path | None, file_option("The bridge's folder.", metavar="DIR")] = None,
    seconds: Annotated[
        int,
        typer.Option("--timeout", metavar="SECONDS", parser=whole_number(1, 3600), help="How long to wait for it."),
    ] = 30,
    as_json: JsonOption = False,
) -> None:
    """Pair a device on a serial line with the bridge on this computer.

    It is given the bridge's certificate and a key of its own, and with --address and --wifi the way to reach the
    bridge. A device that is paired takes no other bridge until it has been reset. With --item and --invoice-addresses
    it is a till then; `lightclient device till` changes that later.
    """
    if network:
        network_named(network)
    if (list_devices or revoke) and (address or wifi or name or network or items or invoice_addresses):
        fail(UNUSABLE, "--list and --revoke go with no other option but --state-dir and --json")
    if (wifi or wifi_password_file) and not (address and wifi):
        fail(UNUSABLE, "--wifi needs --address, and --wifi-password-file needs --wifi")
    with errors_end_the_command(as_json):
        try:
            folder = state_folder(state_dir)
            devices = PairedDevices(folder)
            if list_devices:
                _list(devices, as_json)
            elif revoke:
                _revoke(devices, revoke, as_json)
            else:
                till = TillOffer(items, invoice_addresses)
                if network:
                    till.check(network)
                certificate = load_or_make(folder)
                host, port = split_address(address) if address else ("", 0)
                password = _wifi_password(wifi, wifi_password_file) if wifi else ""
                offer = Offer(certificate.der, host, port, wifi, password, network)
                _pair(devices, offer, till, certificate.fingerprint, serial, name, seconds, as_json)
        except (BadCertificate, BadDeviceList) as error:
            raise Unusable(str(error)) from None
        except PairingFailed as error:
            if as_json:
                print_json({"error": "PairingFailed", "height": None, "detail": str(error)})
            fail(REFUSED, str(error))


def _pair(
    devices: PairedDevices,
    offer: Offer,
    till: TillOffer,
    fingerprint: str,
    serial: str,
    name: str,
    seconds: int,
    as_json: bool,
) -> None:
    try:
        cable = open_cable(find_port(serial))
    except PairingFailed as error:
        raise Unusable(str(error)) from None
    with cable:
        if not as_json:
            say(f"the bridge's certificate  {fingerprint}")
        session = PairingSession(devices, offer, name, till.check)
        device_id = pair_over(cable, session, seconds)
    called = devices.name_of(device_id)
    if not as_json:
        say(f"paired                    {printable(called)} (network {session.network}, firmware {session.firmware})")
        say("The device shows the same fingerprint, and starts anew.")
    given: dict[str, Any] = {}
    if till:
        try:
            given = till.send_after_pairing(serial, devices, device_id, seconds)
        except ControlFailed as error:
            raise PairingFailed(f"paired, but its till was not set ({error}): lightclient device till") from None
    if as_json:
        values = {"device_id": device_id.hex(), "name": called, "network": session.network}
        print_json({**values, "firmware_version": session.firmware, "fingerprint": fingerprint, **given})
    elif till:
        say(f"its till has              {said(given)}")


def _list(devices: PairedDevices, as_json: bool) -> None:
    for device in devices.list():
        if as_json:
            print_json({key: value for key, value in asdict(device).items() if not key.endswith("_key")})
        else:
            when = datetime.fromtimestamp(device.paired, UTC).strftime("%Y-%m-%d %H:%M UTC")
            state = "revoked" if device.revoked else "paired " + when
            say(f"{device.device_id:<32}  {state:<27}  {printable(device.name)}".rstrip())
    if not devices.list() and not as_json:
        complain(f"no device is paired yet ({devices.path})")


def _revoke(devices: PairedDevices, text: str, as_json: bool) -> None:
    found = devices.find(text)
    if not found:
        raise Unusable(f"no device is called {text!a}: see lightclient pair --list")
    if len(found) > 1:
        raise Unusable(f"{text!a} may be any of {', '.join(device.device_id for device in found)}")
    device: PairedDevice = found[0]
    devices.revoke(bytes.fromhex(device.device_id))
    if as_json:
        print_json({"device_id": device.device_id, "name": device.name, "revoked": True})
    else:
        say(f"revoked: {printable(device.name or device.device_id)} gets nothing any more")


def split_address(text: str) -> tuple[str, int]:
    """HOST:PORT, or [IPv6]:PORT. Raises Unusable."""
    host, colon, digits = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise Unusable(f"{text!a}: an IPv6 address stands in brackets: [::1]:8433")
    if not colon or not host or not digits.isascii() or not digits.isdigit() or not 0 < int(digits[:6]) < 65_536:
        raise Unusable(f"{text!a}: an address is HOST:PORT")
    return host, int(digits)


def _wifi_password(ssid: str, path: Path | None) -> str:
    if path is not None:
        if path.is_file() and path.stat().st_size == 0:
            return ""
        return read_file(path, _MAX_PASSWORD_FILE).decode(errors="replace").rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Unusable("there is no terminal to ask for the Wi-Fi's password: --wifi-password-file FILE")
    return getpass.getpass(f"Password of the Wi-Fi {printable(ssid)}: ")
