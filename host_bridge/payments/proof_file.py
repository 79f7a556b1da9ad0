"""Files of proofs, `.lcproof` or JSON, judged one after the other."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host_bridge.files import Unusable, open_regular
from host_bridge.payments.proofs import UnreadableProof, network_of, verify, verify_json
from host_bridge.progress import progress_bar
from lightclient.cbor import MAP
from lightclient.errors import LightClientError, LimitExceeded, NotEnoughConfirmations, WrongNetwork
from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.limits import MAX_HEIGHT, MAX_PROOF_SIZE
from lightclient.params import Network
from lightclient.spv.payment import PaymentRequest

if TYPE_CHECKING:
    from typing import Protocol

    from lightclient.spv.anchor import Chain

    class ProofChain(Chain, Protocol):
        """What blocks have to be in: headers from a file, or the chain that a checkpoint stands for."""

        @property
        def tip_height(self) -> int: ...


RESULTS = VALID, REFUSED, UNREADABLE = "valid", "refused", "unreadable"  # in the order of their exit codes

MAX_JSON_SIZE = 64 << 20  # bytes: a few thousand proofs
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")  # PowerShell's > writes such text
_BAR_FROM = 200  # proofs that take over a second on a small computer


@dataclass(frozen=True)
class Wanted:
    """What a proof has to be.

    `network` None: each proof's own; `chain` None: unanchored. `scripts`: by network name the
    script_pubkey to be paid; None: whatever.
    """

    network: Network | None
    chain: "ProofChain | None"
    scripts: dict[str, bytes] | None
    min_sats: int
    min_confirmations: int


@dataclass
class Verdict:
    result: str = VALID
    error: str | None = None
    detail: str = ""
    txid: str | None = None
    height: int | None = None
    confirmations: int | None = None
    anchored: bool = False
    output_index: int | None = None  # of the output that pays what was asked for
    amount_sats: int | None = None

    @property
    def exit_code(self) -> int:
        return RESULTS.index(self.result)

    def as_json(self) -> dict[str, Any]:
        return vars(self)

    def as_text(self, where: str) -> str:
        """One line for a person; `where` the proof stands."""
        if self.result == UNREADABLE:
            return f"{where}: unreadable: {self.detail.removeprefix(where + ': ')}"
        if self.result == REFUSED:
            height = "" if self.height is None else f" at height {self.height}"
            return f"{where}: refused: {self.error}{height}: {self.detail}"
        depth = f"{self.confirmations:,} confirmations" if self.anchored else "not anchored in a chain"
        payment = f", {self.detail}" if self.detail else ""
        return f"{where}: valid: {self.txid} in block {self.height:,}, {depth}{payment}"

    def refuse(self, error: LightClientError) -> None:
        self.result, self.error, self.detail = REFUSED, type(error).__name__, str(error)
        if self.height is None and error.height >= 0:
            self.height = error.height

    def give_up(self, detail: str) -> None:
        self.result, self.error, self.detail = UNREADABLE, "UnreadableProof", detail


def judge_files(paths: list[Path], wanted: Wanted) -> Iterator[tuple[str, Verdict]]:
    """For each proof of the files where it stands (`FILE`, `FILE[index]`) and a verdict."""
    many = len(paths) >= _BAR_FROM
    with _bar("verifying files", len(paths), many) as advance:
        for path in paths:
            yield from _judge_file(path, wanted, not many)
            advance(1)


def _bar(text: str, count: int, wanted: bool) -> AbstractContextManager[Callable[[int], None]]:
    # on a terminal the verdicts themselves show how far it is
    return progress_bar(text, count, wanted and not (sys.stdout and sys.stdout.isatty()))


def _judge_file(path: Path, wanted: Wanted, wants_bar: bool) -> Iterator[tuple[str, Verdict]]:
    verdict = Verdict()
    try:
        proofs = _load(path)
    except LightClientError as error:
        verdict.refuse(error)
    except Unusable as error:
        verdict.give_up(str(error))
    except OSError as error:
        verdict.give_up(f"{path}: {error.strerror or error}")
    if verdict.result != VALID:
        yield str(path), verdict
        return
    with _bar("verifying proofs", len(proofs), wants_bar and len(proofs) >= _BAR_FROM) as advance:
        for where, proof in proofs.items():
            yield where, _judge(proof, wanted)
            advance(1)


def _load(path: Path) -> dict[str, Any]:
    """The proofs of a file, by where they stand: a container as bytes, JSON proofs as what they decode to.

    Raises LimitExceeded for a container, Unusable, OSError.
    """
    with open_regular(path) as (file, size):
        data = file.read(1)
        if data[0] >> 5 == MAP:
            if size > MAX_PROOF_SIZE:
                raise LimitExceeded(f"{size} bytes, a proof has at most {MAX_PROOF_SIZE}")
            return {str(path): data + file.read(MAX_PROOF_SIZE)}
        if size > MAX_JSON_SIZE:
            raise Unusable(f"{path}: no payment proof (.lcproof), and for JSON {size} bytes are over {MAX_JSON_SIZE}")
        data += file.read(MAX_JSON_SIZE)
    try:
        text = data.decode("utf-16" if data[:2] in _UTF16_MARKS else "utf-8-sig")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        said = f"neither a payment proof (.lcproof) nor JSON: byte {error.start} is not text (utf-8)"
        raise Unusable(f"{path}: {said}") from None
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: neither a payment proof (.lcproof) nor good JSON: {error}") from None
    if not isinstance(value, list):
        return {str(path): value}
    if not value:
        raise Unusable(f"{path}: a JSON array of no proofs")
    return {f"{path}[{i}]": proof for i, proof in enumerate(value)}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for a key, one reader takes the first and another the last."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _judge(proof: Any, wanted: Wanted) -> Verdict:
    verdict = Verdict()
    if isinstance(proof, dict):
        _take_claims(proof, verdict)
    try:
        _check(proof, wanted, verdict)
    except UnreadableProof as error:
        verdict.give_up(str(error))
    except LightClientError as error:
        verdict.refuse(error)
    return verdict


def _take_claims(proof: dict[str, Any], verdict: Verdict) -> None:
    """What a JSON proof says of itself, so that a refusal names it."""
    txid, height = proof.get("txid"), proof.get("height")
    if type(height) is int and 0 <= height <= MAX_HEIGHT:
        verdict.height = height
    if isinstance(txid, str):
        try:
            verdict.txid = hash_to_hex(hash_from_hex(txid))
        except ValueError:
            pass


def _check(proof: Any, wanted: Wanted, verdict: Verdict) -> None:
    network = network_of(proof)
    if wanted.network is not None and network is not wanted.network:
        raise WrongNetwork(f"a proof of {network.name}, not {wanted.network.name}")
    script = None
    if wanted.scripts is not None:
        script = wanted.scripts.get(network.name)
        if script is None:
            raise WrongNetwork(f"a proof of {network.name}, and the address to be paid is of another network")
    judge = verify if isinstance(proof, bytes) else verify_json
    verifier = judge(proof, network, wanted.chain, script)
    verdict.txid = hash_to_hex(verifier.txid)
    verdict.height = verifier.height
    verdict.anchored = verifier.anchored
    if wanted.chain is not None:
        verdict.confirmations = wanted.chain.tip_height - verifier.height + 1
    if script is not None:
        if verifier.matches:
            verdict.output_index, verdict.amount_sats = verifier.output_index, verifier.output_value
        request = PaymentRequest(0, script, wanted.min_sats, wanted.min_confirmations)
        request.check_output(verifier)
        verdict.detail = f"output {verifier.output_index} pays {verifier.output_value:,} sat"
    if verdict.confirmations is not None and verdict.confirmations < wanted.min_confirmations:
        raise NotEnoughConfirmations(f"{verdict.confirmations} of {wanted.min_confirmations} confirmations")
