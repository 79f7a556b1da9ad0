"""Files of proofs, `.lcproof` or JSON, judged one after the other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.address import script_from_text
from host_bridge.cli_common import Unusable, progress_bar, read_file
from host_bridge.header_file import CheckedHeaders
from host_bridge.proofs import UnreadableProof, network_of, verify, verify_json
from lightclient.cbor import MAP
from lightclient.errors import LightClientError, WrongNetwork
from lightclient.hashes import hash_to_hex
from lightclient.limits import MAX_PROOF_SIZE
from lightclient.params import Network
from lightclient.spv.payment import PaymentRequest

VALID = "valid"
REFUSED = "refused"
UNREADABLE = "unreadable"

MAX_JSON_SIZE = 64 << 20  # bytes: a few thousand proofs
_BAR_FROM = 500  # proofs that take over a second


@dataclass(frozen=True)
class Wanted:
    """What a proof has to be. `network` None: each proof's own; `chain` None: unanchored."""

    network: Network | None
    chain: CheckedHeaders | None
    pay_to: str | None
    min_sats: int
    min_confirmations: int


@dataclass
class Verdict:
    result: str
    error: str | None = None
    detail: str = ""
    txid: str | None = None
    height: int | None = None
    confirmations: int | None = None
    anchored: bool = False

    def as_json(self) -> dict[str, Any]:
        return vars(self)

    def as_text(self) -> str:
        if self.result != VALID:
            return f"{self.result}: {self.error}: {self.detail}"
        depth = f"{self.confirmations:,} confirmations" if self.anchored else "not anchored in a chain"
        return f"valid: {self.txid} in block {self.height:,}, {depth}{', ' + self.detail if self.detail else ''}"


def judge_file(path: Path, wanted: Wanted) -> Iterator[Verdict]:
    """A verdict for each proof of a file. Raises BadAddress for a `pay_to` that no network knows."""
    try:
        proofs = _load(path)
    except Unusable as error:
        yield Verdict(UNREADABLE, "UnreadableProof", str(error))
        return
    except OSError as error:
        yield Verdict(UNREADABLE, "UnreadableProof", f"{path}: {error.strerror or error}")
        return
    with progress_bar("verifying proofs", len(proofs), len(proofs) >= _BAR_FROM) as progress:
        for proof in proofs:
            yield _judge(proof, wanted)
            progress.advance(progress.task_ids[0])


def _load(path: Path) -> list[Any]:
    """The proofs of a file: containers as bytes, JSON proofs as what they decode to."""
    data = read_file(path, MAX_JSON_SIZE)
    if data[0] >> 5 == MAP:
        if len(data) > MAX_PROOF_SIZE:
            raise Unusable(f"{path}: LimitExceeded: {len(data)} bytes, at most {MAX_PROOF_SIZE}")
        return [data]
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Unusable(f"{path}: neither a payment proof (.lcproof) nor JSON") from None
    return value if isinstance(value, list) else [value]


def _judge(proof: Any, wanted: Wanted) -> Verdict:
    verdict = Verdict(VALID)
    if not isinstance(proof, bytes) and isinstance(proof, dict):
        # what it claims to be, so that a refusal names it
        txid, height = proof.get("txid"), proof.get("height")
        verdict.txid = txid if isinstance(txid, str) else None
        verdict.height = height if isinstance(height, int) else None
    try:
        _check(proof, wanted, verdict)
    except UnreadableProof as error:
        verdict.result, verdict.error, verdict.detail = UNREADABLE, "UnreadableProof", str(error)
    except LightClientError as error:
        verdict.result, verdict.error, verdict.detail = REFUSED, type(error).__name__, str(error)
    return verdict


def _check(proof: Any, wanted: Wanted, verdict: Verdict) -> None:
    network = network_of(proof)
    if wanted.network is not None and network is not wanted.network:
        raise WrongNetwork(f"a proof of {network.name}, not {wanted.network.name}")
    script = script_from_text(wanted.pay_to, network) if wanted.pay_to is not None else None
    judge = verify if isinstance(proof, bytes) else verify_json
    verifier = judge(proof, network, wanted.chain, script)
    verdict.txid = hash_to_hex(verifier.txid)
    verdict.height = verifier.height
    verdict.anchored = verifier.anchored
    request = PaymentRequest(0, script or b"\x00", wanted.min_sats, wanted.min_confirmations)
    if script is not None:
        request.check_output(verifier)
        verdict.detail = f"output {verifier.output_index} pays {verifier.output_value:,} sat"
    if wanted.chain is not None:
        verdict.confirmations = wanted.chain.tip_height - verifier.height + 1
        request.check_confirmations(verdict.confirmations)
