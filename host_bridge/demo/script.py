"""What `lightclient demo` plays: from the recording that comes with the package, or from the user's files."""

from dataclasses import dataclass, field
from typing import Any

from host_bridge.demo.forgeries import Forgery, forge
from host_bridge.demo.recording import Recording
from host_bridge.payments.address import address_of, kind_of
from host_bridge.payments.proofs import CannotProve, proof_from_block, verify
from host_bridge.payments.raw_block import list_outputs, parse_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import FoundPayment
from lightclient.errors import HeaderNotInChain
from lightclient.hashes import hash256, hash_to_hex
from lightclient.headers.checkpoint import encode_checkpoint
from lightclient.headers.rules import HeaderRules
from lightclient.limits import HEADER_SIZE
from lightclient.params import NETWORKS, Network

CONFIRMATIONS = 3
RELAY_SECONDS = 1
UNPAID_AMOUNT = 5_000_000  # satoshis of the invoice that only forgeries pretend to pay


@dataclass(frozen=True)
class DemoPayment:
    """A payment that the device waits for."""

    request_id: int
    kind: str
    address: str
    script_pubkey: bytes
    amount: int


@dataclass(frozen=True)
class Reorg:
    """When the chain shown stands at `at_height`, its end above `fork_height` is replaced."""

    at_height: int
    fork_height: int
    headers: bytes


@dataclass
class DemoScript:
    """`archive` shows its chain up to the height before the first payment; the rest comes live."""

    network: Network
    source: str
    archive: ArchiveChain
    checkpoint: bytes
    minimum_chainwork: int
    confirmations: int
    payments: list[DemoPayment]
    unpaid: DemoPayment
    reorg: Reorg | None = None
    forgeries: list[Forgery] = field(default_factory=list)

    def settings(self) -> dict[str, Any]:
        """settings.json of the device (firmware/settings.py)."""
        return {
            "network": self.network.name,
            "replay": {"minimum_chainwork": f"{self.minimum_chainwork:x}"},
            "checkpoint": self.checkpoint.hex(),
            "relay_seconds": RELAY_SECONDS,
            "requests": [
                {
                    "request_id": payment.request_id,
                    "script_pubkey": payment.script_pubkey.hex(),
                    "min_amount": payment.amount,
                    "min_confirmations": self.confirmations,
                }
                for payment in [*self.payments, self.unpaid]
            ],
        }


def script_from_recording(recording: Recording) -> DemoScript:
    """Three payments in a regtest chain, one of them moved by a reorg."""
    network = NETWORKS[recording.network]
    stale_end = recording.fork_height + len(recording.stale_headers) // HEADER_SIZE
    archive = ArchiveChain(network.name, recording.stale_chain(), 0)
    payments = []
    for i, recorded in enumerate(recording.payments):
        payments.append(
            DemoPayment(i + 1, recorded.kind.upper(), recorded.address, recorded.script_pubkey, recorded.amount)
        )
        for block_hash in (recorded.block_hash, recorded.stale_block_hash):
            if block_hash is not None:
                proof = proof_from_block(network, recording.blocks[block_hash], recorded.txid)
                height = verify(proof, network).height
                archive.add_payment(recorded.script_pubkey, FoundPayment(height, block_hash, recorded.txid, proof))
    first, second = recording.payments[0], recording.payments[1]
    archive.best_height = first.height - 1
    unpaid = _unpaid(network, len(payments) + 1)
    return DemoScript(
        network,
        "recorded from a real regtest node",
        archive,
        b"",
        _chainwork(network, recording.headers[: first.height * HEADER_SIZE], 0),
        CONFIRMATIONS,
        payments,
        unpaid,
        Reorg(
            stale_end,
            recording.fork_height,
            recording.headers[(recording.fork_height + 1) * HEADER_SIZE :],
        ),
        forge(network, second.height, recording.blocks[second.block_hash], second.txid, unpaid.script_pubkey),
    )


def script_from_files(network: Network, headers: bytes, start_height: int, block: bytes, txid: bytes) -> DemoScript:
    """A payment in a block of the user's own headers. `headers` have been checked.

    Raises CannotProve, HeaderNotInChain, and whatever is wrong with the block.
    """
    archive = ArchiveChain(network.name, headers, start_height)
    block_hash = hash256(block[:HEADER_SIZE])
    heights = range(start_height, archive.last_height + 1)
    height = next((h for h in heights if archive.block_hash(h) == block_hash), None)
    if height is None:
        raise HeaderNotInChain(f"block {hash_to_hex(block_hash)} is not in the headers given")
    if height == start_height:
        raise CannotProve("the payment's block has to come after the first header, which is the anchor")
    proof = proof_from_block(network, block, txid, height)
    verify(proof, network)
    outputs = list_outputs(_transaction(block, txid))
    largest = max(outputs, key=lambda output: output.amount)
    script = largest.script_pubkey
    archive.add_payment(script, FoundPayment(height, block_hash, txid, proof))
    archive.best_height = height - 1
    confirmations = min(CONFIRMATIONS, archive.last_height - height + 1)
    payment = DemoPayment(1, kind_of(script), address_of(script, network), script, largest.amount)
    unpaid = _unpaid(network, 2)
    return DemoScript(
        network,
        "from the files given",
        archive,
        _anchor(network, headers, start_height),
        _chainwork(network, headers[: (height - start_height) * HEADER_SIZE], start_height),
        confirmations,
        [payment],
        unpaid,
        None,
        forge(network, height, block, txid, unpaid.script_pubkey),
    )


def _transaction(block: bytes, txid: bytes) -> bytes:
    return next(block[start:end] for start, end, found in parse_block(block) if found == txid)


def _unpaid(network: Network, request_id: int) -> DemoPayment:
    """An invoice for a P2WPKH script that nobody has the key of."""
    script = b"\x00\x14" + hash256(b"lightclient demo: an invoice that nobody pays")[:20]
    return DemoPayment(request_id, kind_of(script), address_of(script, network), script, UNPAID_AMOUNT)


def _anchor(network: Network, headers: bytes, start_height: int) -> bytes:
    """The checkpoint of the first header, empty for genesis: the device starts from that by itself."""
    if start_height == 0:
        return b""
    rules = HeaderRules(network)
    rules.begin_at_anchor(headers, 0, start_height, 0)
    return encode_checkpoint(network, rules.state)


def _chainwork(network: Network, headers: bytes, start_height: int) -> int:
    """The work of these headers, which a replay takes for its minimum."""
    rules = HeaderRules(network)
    if start_height == 0:
        rules.begin_at_genesis(headers, 0)
    else:
        rules.begin_at_anchor(headers, 0, start_height, 0)
    rules.extend(bytearray(headers), HEADER_SIZE, len(headers) // HEADER_SIZE - 1, 0)
    return rules.state.chainwork
