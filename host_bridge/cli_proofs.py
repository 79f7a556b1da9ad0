"""`lightclient prove` and `lightclient verify`."""

from pathlib import Path
from typing import Annotated

import typer

from host_bridge.address import BadAddress
from host_bridge.cli_common import (
    GOOD,
    REFUSED,
    UNUSABLE,
    JsonOption,
    NetworkOption,
    StartHeightOption,
    Unusable,
    errors_end_the_command,
    fail,
    network_named,
    print_json,
    read_file,
    write_file,
)
from host_bridge.header_file import check_header_file
from host_bridge.proof_file import UNREADABLE, VALID, Wanted, judge_file
from host_bridge.proofs import CannotProve, proof_from_block, proof_from_merkleblock, raw_or_hex
from host_bridge.proofs import verify as verify_container
from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.limits import MAX_BLOCK_WEIGHT, MAX_HEIGHT, MAX_MONEY, MAX_TRANSACTION_SIZE

# Files may hold hex, and bitcoin-cli ends it with a new line.
_MOST_BLOCK = 2 * MAX_BLOCK_WEIGHT + 2
_MOST_TRANSACTION = 2 * MAX_TRANSACTION_SIZE + 2


def prove(
    txid: Annotated[str, typer.Argument(metavar="TXID", help="64 hex digits, as people see it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.lcproof", help="Where the proof goes.")],
    block: Annotated[Path | None, typer.Option(metavar="FILE", help="The whole block, raw or hex.")] = None,
    merkleblock: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What gettxoutproof gives for TXID and the coinbase's txid.")
    ] = None,
    tx: Annotated[Path | None, typer.Option(metavar="FILE", help="With --merkleblock: the transaction.")] = None,
    coinbase: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --merkleblock: the block's coinbase transaction.")
    ] = None,
    network: NetworkOption = "mainnet",
    height: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=MAX_HEIGHT, help="The block's height, where the coinbase lacks it (BIP34)."
        ),
    ] = None,
) -> None:
    """Make a payment proof from a block, or from a merkleblock and two transactions.

    The proof is verified before it is written. Files may be raw or hex.

    Examples:
    lightclient prove TXID --block 830000.blk -o paid.lcproof;
    lightclient prove TXID --merkleblock mb.hex --tx tx.hex --coinbase cb.hex -o paid.lcproof
    """
    params = network_named(network)
    try:
        wanted = hash_from_hex(txid)
    except ValueError:
        fail(UNUSABLE, "TXID: 64 hex digits belong there")
    if (block is None) == (merkleblock is None):
        fail(UNUSABLE, "either --block, or --merkleblock with --tx and --coinbase")
    if block is not None and (tx or coinbase):
        fail(UNUSABLE, "--tx and --coinbase go with --merkleblock")
    with errors_end_the_command():
        try:
            if block is not None:
                proof = proof_from_block(params, raw_or_hex(read_file(block, _MOST_BLOCK)), wanted, height)
            elif merkleblock is not None:
                if tx is None:
                    raise Unusable("--merkleblock needs --tx")
                proof = proof_from_merkleblock(
                    params,
                    raw_or_hex(read_file(merkleblock, _MOST_BLOCK)),
                    raw_or_hex(read_file(tx, _MOST_TRANSACTION)),
                    raw_or_hex(read_file(coinbase, _MOST_TRANSACTION)) if coinbase else None,
                    height,
                )
        except CannotProve as error:
            raise Unusable(str(error)) from None
        verified = verify_container(proof, params)
        if bytes(verified.txid) != wanted:
            raise Unusable(f"the transaction given is {hash_to_hex(verified.txid)}")
        write_file(output, proof)
    typer.echo(
        f"{output}: {len(proof):,} bytes; transaction {verified.index} of block {verified.height:,} on {network}"
    )


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Proofs: .lcproof or JSON.")],
    headers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Raw headers: the chain that the blocks have to be in.")
    ] = None,
    start_height: StartHeightOption = 0,
    unanchored: Annotated[
        bool, typer.Option("--unanchored", help="Without headers: a block's own proof of work is all that is asked.")
    ] = False,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The network that proofs must be of. Default: each its own, or mainnet."),
    ] = None,
    pay_to: Annotated[
        str | None, typer.Option(metavar="ADDRESS|SCRIPTHEX", help="What the transaction has to pay to.")
    ] = None,
    min_sats: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=MAX_MONEY, help="With --pay-to: at least so many satoshis.")
    ] = None,
    min_confirmations: Annotated[
        int | None, typer.Option(metavar="K", min=1, max=MAX_HEIGHT, help="At least so many confirmations.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify payment proofs, offline.

    Exit code: 0 all valid, 1 one is refused, 2 one can't be read or the arguments are wrong.

    Example: lightclient verify paid.lcproof --headers mainnet.bin --start-height 822528 --pay-to bc1q... --min-sats 500
    """
    if headers is None and not unanchored:
        fail(UNUSABLE, "--headers FILE is needed (or --unanchored, which believes any block with its own work)")
    if headers is not None and unanchored:
        fail(UNUSABLE, "--headers and --unanchored exclude each other")
    if headers is None and min_confirmations is not None:
        fail(UNUSABLE, "--min-confirmations needs --headers: without a chain nothing is known of confirmations")
    if min_sats is not None and pay_to is None:
        fail(UNUSABLE, "--min-sats needs --pay-to")
    params = network_named(network or "mainnet") if network or headers else None
    with errors_end_the_command():
        chain = check_header_file(headers, params, start_height, keep=True) if headers and params else None
    wanted = Wanted(params, chain, pay_to, min_sats or 0, min_confirmations or 1)
    code = GOOD
    number = 0
    for path in files:
        try:
            for verdict in judge_file(path, wanted):
                if as_json:
                    print_json({"n": number, **verdict.as_json()})
                else:
                    typer.echo(f"{path}: {verdict.as_text()}")
                if verdict.result == UNREADABLE:
                    code = UNUSABLE
                elif verdict.result != VALID:
                    code = max(code, REFUSED)
                number += 1
        except BadAddress as error:
            fail(UNUSABLE, f"--pay-to: {error}")
    raise typer.Exit(code)
