"""`lightclient device info`, `log`, `identify`, `reset`, `settings`, `till` and `import-state`."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.commands.common import (
    REFUSED,
    UNUSABLE,
    Commands,
    JsonOption,
    complain,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    print_json,
    say,
    whole_number,
)
from host_bridge.commands.till import AddressesOption, ItemOption, TillOffer, said
from host_bridge.control.control import ControlFailed, DeviceControl
from host_bridge.control.state_transfer import headers_to_send, send_state
from host_bridge.files import Unusable, read_file
from host_bridge.pairing.line import find_port, open_cable
from host_bridge.pairing.paired_devices import BadDeviceList, PairedDevices
from host_bridge.pairing.pairing import PairingFailed
from host_bridge.places import state_folder
from host_bridge.printable import printable
from host_bridge.progress import progress_bar
from host_bridge.stores.state_file import read_export
from lightclient.hashes import hash_to_hex
from lightclient.messages import (
    ASK_CHANGE,
    ASK_IDENTIFY,
    ASK_INFO,
    ASK_LOG,
    ASK_RESTART,
    ASK_SETTINGS,
)

_MOST_EXPORT = 64 << 20

app = Commands(
    help="Ask a device on a serial line, and set it up. A paired one answers its own bridge's computer alone.",
    no_args_is_help=True,
)

SerialOption = Annotated[
    str, typer.Option("--serial", metavar="PATH|auto", help="The line that the device is on; auto: looks on USB.")
]
StateOption = Annotated[Path | None, file_option("The bridge's folder, which has the keys.", metavar="DIR")]
TimeoutOption = Annotated[
    int,
    typer.Option("--timeout", metavar="SECONDS", parser=whole_number(1, 3600), help="How long to wait for an answer."),
]


@contextmanager
def _device(serial: str, state_dir: Path | None, seconds: int, as_json: bool = False) -> Iterator[DeviceControl]:
    """The device on the line, which is ours alone meanwhile; whatever goes wrong ends the command."""
    with errors_end_the_command(as_json):
        try:
            devices = PairedDevices(state_folder(state_dir))
            cable = open_cable(find_port(serial))
        except (PairingFailed, BadDeviceList) as error:
            raise Unusable(str(error)) from None
        with cable:
            try:
                control = DeviceControl(cable, devices, seconds, complain)
                control.greet()
                yield control
            except ControlFailed as error:
                if as_json:
                    print_json({"error": error.name, "height": None, "detail": str(error)})
                fail(REFUSED, str(error))


def _told(control: DeviceControl, question: int) -> dict[str, Any]:
    try:
        values = json.loads(control.ask_all(question))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ControlFailed("what the device tells is no JSON object")
    return {key: values[key] for key in sorted(values)}


def _say_all(values: dict[str, Any]) -> None:
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        say(printable(f"{str(key).replace('_', ' '):18}{text}").rstrip())


@app.command(epilog=examples("lightclient device info", "lightclient device info --serial /dev/ttyACM0 --json"))
def info(
    serial: SerialOption = "auto",
    state_dir: StateOption = None,
    seconds: TimeoutOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what runs on a device, and how it stands."""
    with _device(serial, state_dir, seconds, as_json) as control:
        values = _told(control, ASK_INFO)
        if as_json:
            print_json(values)
        else:
            _say_all(values)


@app.command(epilog=examples("lightclient device log"))
def log(serial: SerialOption = "auto", state_dir: StateOption = None, seconds: TimeoutOption = 20) -> None:
    """Show what a device has said last: on a board the end of its log files."""
    with _device(serial, state_dir, seconds) as control:
        for line in control.ask_all(ASK_LOG).decode("utf-8", "replace").splitlines():
            say(printable(line))


@app.command(epilog=examples("lightclient device identify --serial /dev/ttyACM1"))
def identify(serial: SerialOption = "auto", state_dir: StateOption = None, seconds: TimeoutOption = 20) -> None:
    """Have a device blink, and show its name."""
    with _device(serial, state_dir, seconds) as control:
        control.ask(ASK_IDENTIFY)
        say(f"this is the device {control.device_id.hex()}: it blinks")


@app.command(epilog=examples("lightclient device reset"))
def reset(serial: SerialOption = "auto", state_dir: StateOption = None, seconds: TimeoutOption = 20) -> None:
    """Have a device start anew. What it has stored stays."""
    with _device(serial, state_dir, seconds) as control:
        control.ask(ASK_RESTART)
        say(f"the device {control.device_id.hex()} starts anew")


@app.command(epilog=examples("lightclient device settings", "lightclient device settings relay_seconds=5"))
def settings(
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Set these, all or none; the device then starts anew."),
    ] = None,
    serial: SerialOption = "auto",
    state_dir: StateOption = None,
    seconds: TimeoutOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show a device's settings, without secrets; or set some of them.

    What can be set here stands behind `changeable`. All else is in settings.json on the device (docs/FIRMWARE.md).
    """
    wanted = dict(_change(text) for text in changes or [])
    if len(wanted) < len(changes or []):
        fail(UNUSABLE, "a key is given twice")
    with _device(serial, state_dir, seconds, as_json) as control:
        if wanted:
            control.ask(ASK_CHANGE, json.dumps(wanted).encode())
            if as_json:
                print_json(wanted)
            else:
                say(f"the device {control.device_id.hex()} has new settings, and starts anew")
            return
        values = _told(control, ASK_SETTINGS)
        if as_json:
            print_json(values)
        else:
            _say_all(values)


@app.command(
    epilog=examples(
        "lightclient device till",
        "lightclient device till --invoice-addresses addresses.txt",
        'lightclient device till --item Coffee=26000 --item "Apple pie=41000" --confirmations 2',
    )
)
def till(
    items: ItemOption = None,
    invoice_addresses: AddressesOption = None,
    confirmations: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole_number(1, 100), help="Blocks until an invoice is paid; 1 at first."),
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole_number(1, 1440), help="Until an unpaid invoice is gone; 60 at first."),
    ] = None,
    serial: SerialOption = "auto",
    state_dir: StateOption = None,
    seconds: TimeoutOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show a device's till: what it sells, and how many addresses are left; or give it new ones.

    --item replaces all items. --invoice-addresses replaces the list: an address that has had an invoice gets no other,
    even if it is in the new list, and is still watched. All is taken or nothing; the device then starts anew.
    """
    with errors_end_the_command(as_json):
        offer = TillOffer(items, invoice_addresses, confirmations, minutes)
    with _device(serial, state_dir, seconds, as_json) as control:
        if offer:
            given = offer.send(control)
            if as_json:
                print_json(given)
            else:
                say(f"the till of {control.device_id.hex()} has {said(given)}; it starts anew")
            return
        present = _told(control, ASK_SETTINGS).get("till")
        if not isinstance(present, dict):
            raise ControlFailed("the device is no till: give it --item and --invoice-addresses")
        if as_json:
            print_json(present)
        else:
            _say_till(present)


def _say_till(values: dict[str, Any]) -> None:
    """What a device has told; whatever it is."""
    items = values.pop("items", None)
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            say(printable(f"{item.get('name')!s:20}  {item.get('amount')!s} sat"))
    _say_all(values)


@app.command("import-state", epilog=examples("lightclient device import-state desk.lcstate"))
def import_state(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="What `store export` wrote.")],
    serial: SerialOption = "auto",
    state_dir: StateOption = None,
    seconds: TimeoutOption = 60,
) -> None:
    """Bring a device to a chain that was exported on the desk.

    Every header is judged here, and again on the device. Where they follow its chain, they join it
    as those of a bridge would. A new device, whose store is empty, takes the state below them as it is:
    make sure of it (`lightclient checkpoint`).
    """
    now = int(time.time())
    with errors_end_the_command(about=file):
        exported = read_export(read_file(file, _MOST_EXPORT), now)
    with _device(serial, state_dir, seconds) as control, progress_bar("headers", headers_to_send(exported)) as advance:
        took_base = send_state(control, exported, advance)
        device_id = control.device_id.hex()
    how = "took the state as it is, and every header above it" if took_base else "took the headers that it lacked"
    say(f"the device {device_id} {how}; it starts anew")
    say(f"{exported.network.name} up to {exported.tip.height:,}, {hash_to_hex(exported.tip.block_hash)}")


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        fail(UNUSABLE, f"{text!a}: not KEY=VALUE")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value
