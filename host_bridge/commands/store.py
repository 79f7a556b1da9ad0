"""`lightclient store info`, `check`, `export` and `import`."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.commands.common import (
    Commands,
    JsonOption,
    errors_end_the_command,
    examples,
    print_json,
    say,
    whole_number,
)
from host_bridge.files import check_output, read_file, write_file
from host_bridge.printable import printable
from host_bridge.stores.state_file import export_store, import_store, read_export
from host_bridge.stores.store_check import check_store
from host_bridge.stores.store_folder import OpenedStore, network_of, path_beside, read_folder
from lightclient.hashes import hash_to_hex
from lightclient.headers.state import ChainState

_MOST_EXPORT = 256 << 20  # bytes: all of mainnet for decades
_MOST_EPOCHS = 10_000

app = Commands(help="A device's store: its headers and payments.", no_args_is_help=True)

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="The store's folder.")]


def _tip(state: ChainState) -> dict[str, Any]:
    result: dict[str, Any] = {
        "tip_height": state.height,
        "tip_hash": hash_to_hex(state.block_hash),
        "chainwork": f"{state.chainwork:064x}",
    }
    if not state.complete:
        result["chainwork_of_run"] = True
    return result


def _say_all(values: dict[str, Any]) -> None:
    for key, value in values.items():
        for line in value if isinstance(value, list) else [value]:
            text = f"{line:,}" if type(line) is int else str(line)
            say(printable(f"{key.replace('_', ' '):18}{text}"))


@app.command(epilog=examples("lightclient store info /media/pico/store"))
def info(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Show what is in a store.

    As the device will find it when it starts. Nothing is changed.

    Exit code: 0 good, 1 it would be refused, 2 it can't be used.
    """
    with errors_end_the_command(as_json, folder):
        files = read_folder(folder)
        network = network_of(files)
        sizes = {name: files.size(name) for name in files.names()}
        opened = OpenedStore(files, network)
    store, acted = opened.store, opened.acted
    values: dict[str, Any] = {"network": network.name, "first_height": store.first_height, **_tip(opened.chain.state)}
    values["work_ever_seen"] = f"{store.work:064x}"
    values["lowest_fork"] = opened.chain.lowest_fork
    values["payments"] = acted.count
    values["cut_short"] = [
        f"request {request}: txid ends in {hash_to_hex(txid)}" for request, txid in acted.unfinished()
    ]
    values["payments_final_below"] = acted.floor
    values["bytes"] = sum(sizes.values())
    if as_json:
        print_json({**values, "files": sizes})
    else:
        _say_all(values)


@app.command(epilog=examples("lightclient store check /media/pico/store --json"))
def check(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Check every byte of a store.

    Copies, checksums, every header by every rule, and that all fit together. Nothing is changed.

    Exit code: 0 good, 1 something is wrong, 2 it can't be used.
    """
    with errors_end_the_command(as_json, folder):
        files = read_folder(folder)
        checked = check_store(files, network_of(files), int(time.time()))
    values = {
        "network": checked.network.name,
        "first_height": checked.first_height,
        **_tip(checked.tip),
        "headers": checked.headers,
        "payments": checked.payments,
        "notes": checked.notes,
    }
    if as_json:
        print_json(values)
    else:
        say("good")
        _say_all(values)


@app.command(epilog=examples("lightclient store export ./store -o desk.lcstate"))
def export(
    folder: FolderArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the state goes.")],
) -> None:
    """Write a store as one file.

    That is its window of headers and the state below it. Payments stay with their device.
    """
    with errors_end_the_command(about=folder):
        check_output(output, path_beside(folder), folder=folder)
        files = read_folder(folder)
        network = network_of(files)
        check_store(files, network, int(time.time()))
        opened = OpenedStore(files, network)
        data = export_store(opened)
        write_file(output, data)
    say(f"{printable(str(output))}: {len(data):,} bytes; {network.name} up to {opened.tip_height:,}")


@app.command("import", epilog=examples("lightclient store import desk.lcstate /media/pico/store"))
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="What `store export` wrote.")],
    folder: FolderArgument,
    epochs: Annotated[
        int,
        typer.Option(
            metavar="K",
            parser=whole_number(0, _MOST_EPOCHS),
            help="Epochs of 2016 headers that the device keeps; 0: all.",
        ),
    ] = 3,
    start_over: Annotated[
        bool,
        typer.Option("--start-over", help="Leave the chain that is there, damaged or not; payments acted on stay."),
    ] = False,
) -> None:
    """Bring a store to an exported chain.

    Sync on the desk, deploy in the field.

    Every header is checked first. The chain must have more work than the store has seen. The
    state below the exported headers is taken as it is: make sure of it (`lightclient checkpoint`).
    """
    now = int(time.time())
    with errors_end_the_command(about=file):
        exported = read_export(read_file(file, _MOST_EXPORT), now)
    with errors_end_the_command(about=folder):
        tip = import_store(folder, exported, epochs, start_over, now)
    say(f"{printable(str(folder))}: {exported.network.name} up to {tip.height:,}, {hash_to_hex(tip.block_hash)}")
