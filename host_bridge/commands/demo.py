"""`lightclient demo`."""

from pathlib import Path
from typing import Annotated

import typer

from host_bridge.chain.header_file import check_header_file
from host_bridge.commands.common import (
    REFUSED,
    UNUSABLE,
    NetworkOption,
    StartHeightOption,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    network_named,
    output_failed,
)
from host_bridge.demo.demo import Demo, DemoFailed
from host_bridge.demo.recording import BadRecording, Recording
from host_bridge.demo.screen import DemoScreen
from host_bridge.demo.script import DemoScript, script_from_files, script_from_recording
from host_bridge.emulator.emulator import DeviceStopped
from host_bridge.emulator.micropython import MicroPythonNotFound, require_micropython
from host_bridge.files import Unusable, read_raw
from lightclient.hashes import hash_from_hex
from lightclient.limits import MAX_BLOCK_WEIGHT
from lightclient.params import Network

EXAMPLES = examples(
    "lightclient demo",
    "lightclient demo --headers mainnet.bin --start-height 822528 \\",
    "    --block 830000.blk --txid TXID",
)
SHORT_HELP = "Watch a device verify real payments, and refuse forged ones."
_PAUSE = 0.4  # seconds before a block, when a person watches


def demo(
    headers: Annotated[Path | None, file_option("Raw headers of your own, instead of the recording.")] = None,
    start_height: StartHeightOption = 0,
    network: NetworkOption = "mainnet",
    block: Annotated[Path | None, file_option("With --headers: a whole block of that chain, raw or hex.")] = None,
    txid: Annotated[
        str | None,
        typer.Option(metavar="TXID", help="With --block: its largest output is the payment."),
    ] = None,
) -> None:
    """Watch a device on real MicroPython verify payments, and refuse forged ones.

    Without options it replays a chain that was recorded from a real regtest node: no file, no network.
    """
    given = [headers is not None, block is not None, txid is not None]
    if any(given) and not all(given):
        fail(UNUSABLE, "--headers, --block and --txid go together")
    if headers is None and (start_height or network != "mainnet"):
        fail(UNUSABLE, "--start-height and --network need --headers, --block and --txid")
    screen = DemoScreen()
    with errors_end_the_command():
        try:
            if headers is not None and block is not None and txid is not None:
                script = _script_from_options(headers, start_height, network_named(network), block, txid)
            else:
                script = script_from_recording(Recording.load_default())
            require_micropython()
            Demo(script, screen, _PAUSE if screen.is_terminal else 0.0).run()
        except (BadRecording, MicroPythonNotFound) as error:
            raise Unusable(str(error)) from None
        except OSError as error:
            if error.filename is not None:
                raise
            raise typer.Exit(output_failed(error)) from None  # the screen writes by itself
        except DemoFailed as error:
            fail(REFUSED, str(error))
        except DeviceStopped as error:
            fail(REFUSED, f"the device program ended: {error}")


def _script_from_options(headers: Path, start_height: int, network: Network, block: Path, txid: str) -> DemoScript:
    try:
        wanted = hash_from_hex(txid)
    except ValueError:
        raise Unusable("--txid: 64 hex digits belong there") from None
    checked = check_header_file(headers, network, start_height, keep=True)
    raw = read_raw(block, MAX_BLOCK_WEIGHT)
    return script_from_files(network, checked.headers, start_height, raw, wanted)
