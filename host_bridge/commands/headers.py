"""`lightclient headers check`, `headers info` and `headers sync`."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.chain.header_file import CheckedHeaders, check_header_file, load_checkpoint, look_at_header_file
from host_bridge.chain.header_sync import sync_headers
from host_bridge.commands.common import (
    Commands,
    JsonOption,
    NetworkOption,
    errors_end_the_command,
    examples,
    file_option,
    network_named,
    print_json,
    say,
    whole_number,
)
from host_bridge.commands.node import NodeOption, with_node
from host_bridge.printable import printable
from lightclient.hashes import hash_to_hex
from lightclient.headers.header import block_hash, read_bits, read_time
from lightclient.headers.target import bits_to_target
from lightclient.limits import EPOCH, MAX_HEIGHT
from lightclient.params import MAINNET

app = Commands(help="Files of raw 80-byte block headers.", no_args_is_help=True)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", readable=False, help="Raw headers of 80 bytes each, in order.")
]


def _example(command: str) -> str:
    return examples(f"lightclient headers {command} mainnet.bin --network mainnet \\", "    --start-height 822528")


@app.command(epilog=_example("check"))
def check(
    file: FileArgument,
    network: NetworkOption,
    start_height: Annotated[
        int | None,
        typer.Option(
            "--start-height",
            metavar="N",
            parser=whole_number(0, MAX_HEIGHT),
            help="Height of the first header, the trusted anchor. Default: 0, or the one after the checkpoint unless "
            "the file begins with the genesis header.",
        ),
    ] = None,
    checkpoint: Annotated[Path | None, file_option("Start from a checkpoint instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every rule that headers can carry, and add up the chainwork.

    What can't be checked just after an anchor, because it lies before it, is counted by name.

    Exit code: 0 good, 1 a rule is broken, 2 the file can't be used.
    """
    params = network_named(network)
    state = None
    if checkpoint is not None:
        with errors_end_the_command(as_json, checkpoint):
            state = load_checkpoint(checkpoint, params)
    with errors_end_the_command(as_json, file):
        checked = check_header_file(file, params, start_height, state)
    if as_json:
        print_json(_as_json(checked))
        return
    tip = checked.rules.state
    rate = checked.count / checked.seconds if checked.seconds else 0
    say(f"good        {checked.count:,} headers of {network}, {checked.first_height:,} to {tip.height:,}")
    say(f"tip         {hash_to_hex(tip.block_hash)}")
    say(f"chainwork   {tip.chainwork:064x}" + ("" if tip.complete else "  (of these headers alone)"))
    if checked.rules.unverified:
        names = ", ".join(f"{rule} {count}" for rule, count in sorted(checked.rules.unverified.items()))
        say(f"unverified  {names}  (what they need lies before the anchor)")
    say(f"time        {checked.seconds:.3f} s, {rate:,.0f} headers a second")


def _as_json(checked: CheckedHeaders) -> dict[str, Any]:
    tip = checked.rules.state
    return {
        "network": checked.rules.network.name,
        "first_height": checked.first_height,
        "tip_height": tip.height,
        "tip_hash": hash_to_hex(tip.block_hash),
        "headers": checked.count,
        "chainwork": f"{tip.chainwork:064x}",
        **({} if tip.complete else {"chainwork_of_run": True}),
        "unverified": checked.rules.unverified,
        "seconds": round(checked.seconds, 6),
    }


@app.command(
    epilog=examples(
        "lightclient headers sync --node core:// -o mainnet.bin",
        "lightclient headers sync -o signet.bin \\",
        "    --node 'core://127.0.0.1:38332/?cookie=/srv/bitcoin/signet/.cookie'",
    )
)
def sync(
    node: NodeOption,
    output: Annotated[Path, file_option("The file; one that is there is brought up to date.", "--output", "-o")],
    as_json: JsonOption = False,
) -> None:
    """Fetch a node's headers, and check every rule before they are written.

    What is fetched lies in FILE.part until the node's tip is reached: cut off, it goes on from there. FILE changes
    only to a chain with more work.

    Exit code: 0 it is the node's chain, 1 a rule is broken, 2 the node or the file can't be used.
    """
    started = time.perf_counter()
    synced = with_node(node, as_json, lambda opened: sync_headers(opened, output))
    tip = synced.rules.state
    if as_json:
        print_json(
            {
                "network": synced.rules.network.name,
                "first_height": synced.first_height,
                "tip_height": tip.height,
                "tip_hash": hash_to_hex(tip.block_hash),
                "headers": synced.count,
                "chainwork": f"{tip.chainwork:064x}",
                **({} if tip.complete else {"chainwork_of_run": True}),
                "unverified": synced.rules.unverified,
                "added": synced.added,
                "removed": synced.removed,
                "seconds": round(time.perf_counter() - started, 6),
            }
        )
        return
    news = f"{synced.added:,} new" + (f", {synced.removed:,} taken back by a reorg" if synced.removed else "")
    say(f"{printable(str(output))}: {synced.count:,} headers of {synced.rules.network.name}, {news}")
    say(f"tip         {hash_to_hex(tip.block_hash)} at height {tip.height:,}")


@app.command(epilog=_example("info"))
def info(
    file: FileArgument,
    network: NetworkOption,
    start_height: Annotated[
        int,
        typer.Option(
            "--start-height", metavar="N", parser=whole_number(0, MAX_HEIGHT), help="Height of the first header."
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a file of headers, without checking it."""
    params = network_named(network)
    with errors_end_the_command(as_json, file):
        found = look_at_header_file(file, start_height)
        tip = start_height + found.count - 1
        bits = read_bits(found.last, 0)
        # Core: GetDifficulty compares with mainnet's limit on every network
        difficulty = MAINNET.pow_limit / bits_to_target(bits, params, tip)
    if as_json:
        print_json(
            {
                "network": network,
                "first_height": start_height,
                "tip_height": tip,
                "headers": found.count,
                "first_hash": hash_to_hex(block_hash(found.first, 0)),
                "first_time": read_time(found.first, 0),
                "tip_hash": hash_to_hex(block_hash(found.last, 0)),
                "tip_time": read_time(found.last, 0),
                "bits": f"{bits:08x}",
                "different_bits": len(found.bits),
                "difficulty": difficulty,
            }
        )
        return
    say(f"network     {network}")
    say(f"headers     {found.count:,}, heights {start_height:,} to {tip:,}")
    say(f"first       {hash_to_hex(block_hash(found.first, 0))}  {_utc(read_time(found.first, 0))}")
    say(f"last        {hash_to_hex(block_hash(found.last, 0))}  {_utc(read_time(found.last, 0))}")
    say(f"epochs      {start_height // EPOCH:,} to {tip // EPOCH:,}")
    say(f"bits        {len(found.bits):,} different; of the last {bits:08x}")
    shown = f"{difficulty:,.2f}" if difficulty >= 1 else f"{difficulty:.4g}"
    say(f"difficulty  {shown} at the last")


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
