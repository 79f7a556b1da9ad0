"""`lightclient prove` and `lightclient verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_bridge.chain.checkpoint_file import CheckpointChain, read_checkpoint
from host_bridge.chain.header_file import check_header_file
from host_bridge.chain.path_index import index_header_file
from host_bridge.commands.common import (
    GOOD,
    UNUSABLE,
    JsonOption,
    StartHeightOption,
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
from host_bridge.commands.node import MaybeNodeOption, with_node
from host_bridge.files import Unusable, check_output, read_raw, write_file
from host_bridge.payments.address import BadAddress, scripts_from_text
from host_bridge.payments.node_proofs import prove_from_node
from host_bridge.payments.proof_file import Wanted, judge_files
from host_bridge.payments.proofs import proof_from_block, proof_from_merkleblock, proof_with_path
from host_bridge.payments.proofs import verify as verify_container
from host_bridge.printable import printable
from host_bridge.stores.store_folder import OpenedStore, read_folder
from host_bridge.stores.store_folder import network_of as network_of_folder
from lightclient.errors import WrongNetwork
from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.limits import MAX_BLOCK_WEIGHT, MAX_HEIGHT, MAX_MONEY, MAX_TRANSACTION_SIZE
from lightclient.params import NETWORKS, Network
from lightclient.spv.proof import ProofVerifier

if TYPE_CHECKING:
    from host_bridge.payments.proof_file import ProofChain

PROVE_EXAMPLES = examples(
    "lightclient prove TXID --block 830000.blk -o paid.lcproof",
    'bitcoin-cli gettxoutproof \'["TXID", "COINBASE_TXID"]\' > proof.hex',
    "lightclient prove TXID --merkleblock proof.hex --tx tx.hex \\",
    "    --coinbase coinbase.hex -o paid.lcproof",
    "lightclient prove TXID --node core:// -o paid.lcproof",
    "lightclient prove TXID --block 830000.blk -o paid.lcproof \\",
    "    --for-size 900001 --headers mainnet.bin",
)
VERIFY_EXAMPLES = examples(
    "lightclient verify paid.lcproof --unanchored",
    "lightclient verify paid.lcproof --headers mainnet.bin \\",
    "    --start-height 822528 --min-confirmations 6 --min-sats 4000000 \\",
    "    --pay-to bc1qmtyef5ag3md2wj4zu3r970y6n9h497yr50qv4a",
    "lightclient verify paid.lcproof --checkpoint mainnet.checkpoint",
)


def prove(
    txid: Annotated[str, typer.Argument(metavar="TXID", help="64 hex digits, as people see it.")],
    output: Annotated[Path, file_option("Where the proof goes.", "--output", "-o", metavar="OUT.lcproof")],
    block: Annotated[
        Path | None, file_option("The whole block, raw or hex. With --node: the block's hash.", metavar="FILE|HASH")
    ] = None,
    merkleblock: Annotated[
        Path | None, file_option("What gettxoutproof gives for TXID and the coinbase's txid, raw or hex.")
    ] = None,
    tx: Annotated[Path | None, file_option("With --merkleblock: the transaction.")] = None,
    coinbase: Annotated[
        Path | None, file_option("With --merkleblock: the block's coinbase, unless TXID is that itself.")
    ] = None,
    node: MaybeNodeOption = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One of " + ", ".join(NETWORKS) + ". Default: mainnet; the node's own."),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(0, MAX_HEIGHT),
            help="The block's height; needed where the coinbase does not tell it (before BIP34), and of a node that "
            "can't find a transaction by itself.",
        ),
    ] = None,
    for_size: Annotated[
        int | None,
        typer.Option(
            "--for-size",
            metavar="N",
            parser=whole_number(1, MAX_HEIGHT + 1),
            help="Add the path for a device that has validated N blocks (its height + 1) and may have let go of this.",
        ),
    ] = None,
    headers: Annotated[
        Path | None, file_option("With --for-size: raw headers from genesis, N or more. A node has its own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a payment proof, from a node or from files.

    The proof is verified before it is written.

    Exit code: 0 written, 1 a rule is broken, 2 the files or the node can't be used or don't belong together.
    """
    params = network_named(network or "mainnet")
    wanted = _hash_named("TXID", txid)
    if (headers is not None and for_size is None) or (for_size is not None and headers is None and node is None):
        fail(UNUSABLE, "--for-size and --headers go together")
    with errors_end_the_command(as_json):
        check_output(output, block, merkleblock, tx, coinbase, headers)
    if node is not None:
        if merkleblock or tx or coinbase:
            fail(UNUSABLE, "--node excludes --merkleblock, --tx and --coinbase")
        block_hash = _hash_named("--block", str(block)) if block is not None else None
        named = params if network else None
        params, verified, proof = with_node(
            node, as_json, lambda n: prove_from_node(n, wanted, named, height, block_hash, for_size, headers)
        )
    else:
        verified, proof = _prove_from_files(params, wanted, block, merkleblock, tx, coinbase, height, as_json)
        with errors_end_the_command(as_json, headers):
            if headers is not None and for_size is not None:
                proof = proof_with_path(proof, params, index_header_file(headers, params), for_size)
    with errors_end_the_command(as_json):
        write_file(output, proof)
    if as_json:
        print_json(
            {
                "network": params.name,
                "txid": hash_to_hex(verified.txid),
                "height": verified.height,
                "block_hash": hash_to_hex(verified.block_hash),
                "index": verified.index,
                "for_size": for_size,
                "bytes": len(proof),
            }
        )
        return
    place = f"transaction {verified.index} of block {verified.height:,} on {params.name}"
    path = "" if for_size is None else f", with the path for {for_size:,} blocks"
    say(f"{printable(str(output))}: {len(proof):,} bytes; {place}{path}")


def _hash_named(name: str, text: str) -> bytes:
    try:
        return hash_from_hex(text)
    except ValueError:
        fail(UNUSABLE, f"{name}: 64 hex digits belong there")


def _prove_from_files(
    network: Network,
    txid: bytes,
    block: Path | None,
    merkleblock: Path | None,
    tx: Path | None,
    coinbase: Path | None,
    height: int | None,
    as_json: bool,
) -> tuple[ProofVerifier, bytes]:
    with errors_end_the_command(as_json, block):
        if block is not None and not (merkleblock or tx or coinbase):
            proof = proof_from_block(network, read_raw(block, MAX_BLOCK_WEIGHT), txid, height)
        elif merkleblock is not None and tx is not None and block is None:
            proof = proof_from_merkleblock(
                network,
                read_raw(merkleblock, MAX_BLOCK_WEIGHT),
                read_raw(tx, MAX_TRANSACTION_SIZE),
                read_raw(coinbase, MAX_TRANSACTION_SIZE) if coinbase else None,
                height,
            )
        else:
            raise Unusable("either --block is needed, or --merkleblock with --tx and --coinbase, or --node")
        verified = verify_container(proof, network)
        if bytes(verified.txid) != txid:
            raise Unusable(f"the transaction given is {hash_to_hex(verified.txid)}")
    return verified, proof


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", readable=False, help="Proofs: .lcproof or JSON.")],
    headers: Annotated[Path | None, file_option("Raw headers: the chain that the blocks have to be in.")] = None,
    start_height: StartHeightOption = 0,
    checkpoint: Annotated[
        Path | None, file_option("Instead of headers: the chain up to a checkpoint; proofs need a path (--for-size).")
    ] = None,
    state: Annotated[
        Path | None, file_option("A device's store: its window of headers.", "--state", metavar="DIR")
    ] = None,
    unanchored: Annotated[
        bool, typer.Option("--unanchored", help="Without headers: a block's own proof of work is all that is asked.")
    ] = False,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The network that proofs must be of. Default: mainnet; unanchored, each its own."
        ),
    ] = None,
    pay_to: Annotated[
        str | None, typer.Option(metavar="ADDRESS|SCRIPTHEX", help="What one output has to pay to.")
    ] = None,
    min_sats: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole_number(0, MAX_MONEY), help="With --pay-to: that output's least satoshis."
        ),
    ] = None,
    min_confirmations: Annotated[
        int | None,
        typer.Option(
            metavar="K", parser=whole_number(1, MAX_HEIGHT), help="With a chain: the least number of confirmations."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify payment proofs, offline.

    What is valid is told on stdout, what is not on stderr; with --json all of it on stdout, a line a proof.

    Exit code: 0 all valid, 1 one is refused, 2 one can't be read or the arguments are wrong.
    """
    sources = [headers is not None, checkpoint is not None, state is not None, unanchored]
    if not any(sources):
        needed = "--headers FILE, --checkpoint FILE or --state DIR is needed"
        fail(UNUSABLE, needed + " (or --unanchored, which believes any block with its own work)")
    if sum(sources) > 1:
        fail(UNUSABLE, "--headers, --checkpoint, --state and --unanchored exclude each other")
    if headers is None and start_height:
        fail(UNUSABLE, "--start-height needs --headers")
    if unanchored and min_confirmations:
        fail(UNUSABLE, "--min-confirmations needs --headers, --checkpoint or --state")
    if min_sats is not None and pay_to is None:
        fail(UNUSABLE, "--min-sats needs --pay-to")
    params = network_named(network or "mainnet") if network or headers else None
    chain: "ProofChain | None" = None
    if checkpoint is not None:
        with errors_end_the_command(as_json, checkpoint):
            stated, tip = read_checkpoint(checkpoint)
            if params not in (None, stated):
                raise WrongNetwork(f"checkpoint of {stated.name}, not {network}")
        params, chain = stated, CheckpointChain(tip)
    elif state is not None:
        with errors_end_the_command(as_json, state):
            folder = read_folder(state)
            params = params or network_of_folder(folder)
            chain = OpenedStore(folder, params)
    scripts = _scripts(pay_to, [params] if params else list(NETWORKS.values()))
    if headers is not None and params is not None:
        with errors_end_the_command(as_json, headers):
            chain = check_header_file(headers, params, start_height, keep=True)
    wanted = Wanted(params, chain, scripts, min_sats or 0, min_confirmations or 1)
    code = GOOD
    for number, (where, verdict) in enumerate(judge_files(files, wanted)):
        code = max(code, verdict.exit_code)
        if as_json:
            print_json({"n": number, **verdict.as_json()})
        elif verdict.exit_code == GOOD:
            say(printable(verdict.as_text(where)))
        else:
            complain(verdict.as_text(where))
    raise typer.Exit(code)


def _scripts(pay_to: str | None, networks: list[Network]) -> dict[str, bytes] | None:
    if pay_to is None:
        return None
    try:
        return scripts_from_text(pay_to, networks)
    except BadAddress as error:
        fail(UNUSABLE, f"--pay-to: {error}")
