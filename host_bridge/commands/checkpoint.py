"""`lightclient checkpoint make`, `show` and `verify`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from host_bridge.chain.checkpoint_file import compare, read_checkpoint, state_from_headers
from host_bridge.chain.header_file import load_checkpoint
from host_bridge.chain.node_headers import network_of, state_from_node
from host_bridge.commands.common import (
    UNUSABLE,
    Commands,
    JsonOption,
    errors_end_the_command,
    examples,
    fail,
    file_option,
    network_named,
    print_json,
    say,
    whole_number,
)
from host_bridge.commands.node import MaybeNodeOption, with_node
from host_bridge.files import Unusable, check_output, write_file
from host_bridge.nodes.node import Node
from host_bridge.printable import printable
from lightclient.hashes import hash_to_hex
from lightclient.headers.checkpoint import FORMAT, encode_checkpoint
from lightclient.headers.state import ChainState
from lightclient.limits import MAX_HEIGHT, MEDIAN_TIME_SPAN
from lightclient.params import NETWORKS, Network

app = Commands(help="Starting points, made from headers or recomputed.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="A checkpoint.")]
HeadersOption = Annotated[Path, file_option("Raw headers of 80 bytes each, in order.", "--headers")]
FromOption = Annotated[
    Path | None, file_option("Begin after an earlier checkpoint, which is trusted.", "--from", metavar="CHECKPOINT")
]
StartOption = Annotated[
    int | None,
    typer.Option(
        "--start-height",
        metavar="N",
        parser=whole_number(0, MAX_HEIGHT),
        help="Height of the first header in the file of headers. Default: 0, or the one after --from unless the file "
        "begins with the genesis header. Without --from and above 0 that header is the trusted anchor: no accumulator "
        "then, and no chainwork since genesis.",
    ),
]


class _Origin:
    """Where a computation begins, and what has to be trusted for it."""

    def __init__(self, network: Network, earlier: Path | None, start_height: int | None, as_json: bool) -> None:
        self.base = None
        if earlier is not None:
            with errors_end_the_command(as_json, earlier):
                self.base = load_checkpoint(earlier, network)
        self.start_height = start_height
        if self.base is not None:
            self.kind, self.height = "checkpoint", self.base.height
            self.text = f"from the checkpoint {printable(str(earlier))} at height {self.height:,}, which is trusted"
        elif start_height:
            self.kind, self.height = "anchor", start_height
            self.text = f"from the anchor at height {self.height:,}, which is trusted"
        else:
            self.kind, self.height = "genesis", 0
            self.text = "from genesis"


@app.command(
    epilog=examples(
        "lightclient checkpoint make --headers mainnet.bin --network mainnet \\",
        "    --height 900000 -o mainnet.checkpoint",
        "lightclient checkpoint make --headers newer.bin --network mainnet \\",
        "    --from mainnet.checkpoint -o newer.checkpoint",
        "lightclient checkpoint make --node core:// -o mainnet.checkpoint",
    )
)
def make(
    output: Annotated[Path, file_option("Where the checkpoint goes.", "--output", "-o", metavar="OUT")],
    height: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole_number(0, MAX_HEIGHT), help="The checkpoint's height. Default: the last header's."
        ),
    ] = None,
    headers: Annotated[Path | None, file_option("Raw headers of 80 bytes each, in order.", "--headers")] = None,
    node: MaybeNodeOption = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --headers: one of " + ", ".join(NETWORKS) + "; a node knows its own."),
    ] = None,
    earlier: FromOption = None,
    start_height: StartOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a checkpoint from headers, of a file or of a node.

    Every rule is checked; what a device needs to go on from the last header is written down.

    Exit code: 0 written, 1 a rule is broken, 2 a file can't be used.
    """
    if (headers is None) == (node is None):
        fail(UNUSABLE, "either --headers or --node is needed")
    if headers is not None and network is None:
        fail(UNUSABLE, "--headers needs --network")
    with errors_end_the_command(as_json):
        check_output(output, headers, earlier)
    if node is not None:
        params, origin, state = _from_node(node, network, earlier, start_height, height, as_json)
    else:
        params = network_named(network or "")
        origin = _Origin(params, earlier, start_height, as_json)
        with errors_end_the_command(as_json, headers):
            state = state_from_headers(headers or Path(), params, origin.start_height, origin.base, height)
    with errors_end_the_command(as_json, headers):
        data = encode_checkpoint(params, state)
        write_file(output, data)
    if as_json:
        print_json(
            {
                "network": params.name,
                "height": state.height,
                "block_hash": hash_to_hex(state.block_hash),
                "computed_from": origin.kind,
                "from_height": origin.height,
                "accumulator": state.accumulator is not None,
                "bytes": len(data),
            }
        )
        return
    where = f"{params.name} at height {state.height:,}"
    say(f"{printable(str(output))}: {len(data):,} bytes; {where}, computed {origin.text}")
    if state.accumulator is None:
        say("no accumulator: the blocks before the anchor are unknown, so payments in them can't be verified")


def _from_node(
    url: str, network: str | None, earlier: Path | None, start_height: int | None, height: int | None, as_json: bool
) -> tuple[Network, _Origin, ChainState]:
    async def compute(node: Node) -> tuple[Network, _Origin, ChainState]:
        params = await network_of(node)
        if network not in (None, params.name):
            raise Unusable(f"{node.name} is on {params.name}, not on {network}")
        first = node.first_height if start_height is None and earlier is None else start_height
        origin = _Origin(params, earlier, first, as_json)
        return params, origin, await state_from_node(node, params, origin.start_height, origin.base, height)

    return with_node(url, as_json, compute)


@app.command(epilog=examples("lightclient checkpoint show mainnet.checkpoint"))
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Show what a checkpoint states. It is read, not believed: see `verify`.

    Exit code: 0 good, 1 it contradicts itself, 2 the file can't be used.
    """
    with errors_end_the_command(as_json, file):
        network, state = read_checkpoint(file)
    shown = _as_json(network, state)
    if as_json:
        print_json(shown)
        return
    accumulator = shown.pop("accumulator")
    shown["times"] = " ".join(map(str, shown["times"])) + ("" if state.times_complete() else "  (and unknown ones)")
    for name in ("epoch_first_time", "epoch_first_bits", "normal_bits"):
        shown[name] = shown[name] or "unknown: before the anchor"
    shown["chainwork"] += "" if state.complete else "  (from the anchor)"
    del shown["chainwork_from_anchor"]
    for name, value in shown.items():
        say(f"{name:<17} {value}")
    if accumulator is None:
        say("accumulator       none: payments older than the device's headers can't be verified")
        return
    say(f"accumulator       of {accumulator['size']:,} blocks")
    for name in ("peaks", "unfinished"):
        for value in accumulator[name]:
            say(f"  {name:<15} {value}")


def _as_json(network: Network, state: ChainState) -> dict[str, Any]:
    """Block hashes as people see them, peaks as they are hashed; unknown: null."""
    accumulator = None
    if state.accumulator is not None:
        peaks, unfinished = state.accumulator.peaks(), state.accumulator.unfinished()
        accumulator = {
            "size": state.accumulator.count,
            "peaks": [peaks[i : i + 32].hex() for i in range(0, len(peaks), 32)],
            "unfinished": [hash_to_hex(unfinished[i : i + 32]) for i in range(0, len(unfinished), 32)],
        }
    known = range(state.height - state.times_known + 1, state.height + 1)
    return {
        "format": FORMAT,
        "network": network.name,
        "height": state.height,
        "block_hash": hash_to_hex(state.block_hash),
        "bits": f"{state.bits:08x}",
        "times": [state.times[height % MEDIAN_TIME_SPAN] for height in known],
        "epoch_first_time": state.epoch_first_time or None,
        "epoch_first_bits": f"{state.epoch_first_bits:08x}" if state.epoch_first_bits else None,
        "normal_bits": f"{state.normal_bits:08x}" if state.normal_bits else None,
        "chainwork": f"{state.chainwork:064x}",
        "chainwork_from_anchor": not state.complete,
        "accumulator": accumulator,
    }


@app.command(
    epilog=examples(
        "lightclient checkpoint verify mainnet.checkpoint --headers mainnet.bin",
        "lightclient checkpoint verify newer.checkpoint --headers newer.bin \\",
        "    --from mainnet.checkpoint",
    )
)
def verify(
    file: FileArgument,
    headers: HeadersOption,
    earlier: FromOption = None,
    start_height: StartOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute a checkpoint from headers.

    Then nobody has to trust who made it.

    Exit code: 0 it is what the headers give, 1 it is not or a header breaks a rule, 2 a file can't be used.
    """
    with errors_end_the_command(as_json, file):
        network, stated = read_checkpoint(file)
    origin = _Origin(network, earlier, start_height, as_json)
    with errors_end_the_command(as_json, headers):
        found = state_from_headers(headers, network, origin.start_height, origin.base, stated.height)
    with errors_end_the_command(as_json, file):
        try:
            left_open = compare(stated, found)
        except Unusable as error:
            raise Unusable(f"{file}: {error}") from None
    if as_json:
        print_json(
            {
                "network": network.name,
                "height": stated.height,
                "computed_from": origin.kind,
                "from_height": origin.height,
                "left_open": left_open,
            }
        )
        return
    say(f"good        {printable(str(file))}: {network.name} at height {stated.height:,}")
    say(f"computed    {origin.text}")
    if left_open:
        say(f"left open   {', '.join(left_open)}  (the checkpoint does not state it)")
