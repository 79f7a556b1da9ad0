"""`lightclient headers check` and `headers info`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.cli_common import (
    JsonOption,
    NetworkOption,
    StartHeightOption,
    errors_end_the_command,
    network_named,
    print_json,
)
from host_bridge.header_file import check_header_file, each_header, load_checkpoint
from lightclient.hashes import hash_to_hex
from lightclient.headers.header import block_hash, read_bits, read_time
from lightclient.headers.target import bits_to_target
from lightclient.limits import EPOCH, MAX_HEIGHT
from lightclient.params import MAINNET

app = typer.Typer(help="Files of raw 80-byte block headers.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Raw headers of 80 bytes each, in order.")]


@app.command(
    epilog="Example: lightclient headers check mainnet.bin --network mainnet --start-height 822528",
)
def check(
    file: FileArgument,
    network: NetworkOption,
    start_height: Annotated[
        int | None,
        typer.Option(
            "--start-height",
            metavar="N",
            min=0,
            max=MAX_HEIGHT,
            help="Height of the first header, the trusted anchor. Default: 0, or the one after the checkpoint.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", metavar="FILE", help="Start from a checkpoint instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every rule that headers can carry, and add up the chainwork.

    What can't be checked just after an anchor, because it lies before it, is counted by name.
    Exit code: 0 good, 1 a rule is broken, 2 the file can't be used.
    """
    params = network_named(network)
    with errors_end_the_command(as_json):
        state = load_checkpoint(checkpoint, params) if checkpoint else None
        first = start_height if start_height is not None else state.height + 1 if state else 0
        checked = check_header_file(file, params, first, state)
    tip = checked.rules.state
    result: dict[str, Any] = {
        "network": network,
        "first_height": first,
        "tip_height": tip.height,
        "tip_hash": hash_to_hex(tip.block_hash),
        "headers": checked.count,
        "chainwork": f"{tip.chainwork:064x}",
    }
    if not tip.complete:
        result["chainwork_of_run"] = True
    result["unverified"] = checked.rules.unverified
    result["seconds"] = round(checked.seconds, 6)
    if as_json:
        print_json(result)
        return
    rate = checked.count / checked.seconds if checked.seconds else 0
    typer.echo(f"good        {checked.count:,} headers of {network}, {first:,} to {tip.height:,}")
    typer.echo(f"tip         {result['tip_hash']}")
    typer.echo(f"chainwork   {result['chainwork']}" + ("" if tip.complete else "  (of these headers alone)"))
    if checked.rules.unverified:
        names = ", ".join(f"{rule} {count}" for rule, count in sorted(checked.rules.unverified.items()))
        typer.echo(f"unverified  {names}  (what they need lies before the anchor)")
    typer.echo(f"time        {checked.seconds:.3f} s, {rate:,.0f} headers a second")


@app.command(epilog="Example: lightclient headers info mainnet.bin --network mainnet --start-height 822528")
def info(file: FileArgument, network: NetworkOption, start_height: StartHeightOption = 0) -> None:
    """Show what is in a file of headers, without judging it."""
    params = network_named(network)
    bits_seen: set[int] = set()

    def take(buffer: bytearray, offset: int) -> None:
        bits_seen.add(read_bits(buffer, offset))

    with errors_end_the_command():
        count, first, last = each_header(file, take)
        difficulty = MAINNET.pow_limit / bits_to_target(read_bits(last, 0), params, start_height + count - 1)
    tip = start_height + count - 1
    typer.echo(f"network     {network}")
    typer.echo(f"headers     {count:,}, heights {start_height:,} to {tip:,}")
    typer.echo(f"first       {hash_to_hex(block_hash(first, 0))}  {_utc(read_time(first, 0))}")
    typer.echo(f"last        {hash_to_hex(block_hash(last, 0))}  {_utc(read_time(last, 0))}")
    typer.echo(f"epochs      {start_height // EPOCH:,} to {tip // EPOCH:,}")
    typer.echo(f"bits        {len(bits_seen)} different; of the last {read_bits(last, 0):08x}")
    typer.echo(f"difficulty  {difficulty:,.2f} at the last")


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
