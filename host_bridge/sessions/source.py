"""What a bridge session needs of where headers and proofs come from: a node, an archive of files, a recording."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Watch:
    """What a device waits for. Amount in satoshis."""

    request_id: int
    script_pubkey: bytes
    min_amount: int
    min_confirmations: int
    from_height: int


@dataclass(frozen=True)
class FoundPayment:
    """A payment in the source's chain, with its proof container (docs/PROOF.md). Hashes: internal order."""

    height: int
    block_hash: bytes
    txid: bytes
    proof: bytes


class Source(Protocol):
    """Where headers and proofs come from. Heights without a header are None or empty, never an error."""

    network: str

    @property
    def first_height(self) -> int: ...
    @property
    def best_height(self) -> int: ...
    def now(self) -> int:
        """Unix seconds."""
        ...

    def block_hash(self, height: int) -> bytes | None: ...

    def packed_headers(self, height: int, count: int, room: int) -> tuple[int, bytes]:
        """Up to `count` headers from `height` on, packed into at most `room` bytes; how many they are."""
        ...

    def path(self, height: int, size: int) -> bytes | None:
        """The accumulator path of a block among the first `size` (docs/ACCUMULATOR.md), if it can be made."""
        ...

    def find_payments(self, watch: Watch) -> Iterable[FoundPayment]:
        """What has been found so far, in the chain as it is now."""
        ...

    def watch(self, watcher: object, watch: Watch) -> None:
        """Look for this until `unwatch`; the same watcher and request_id replaces. Raises LimitExceeded."""
        ...

    def unwatch(self, watcher: object, request_id: int) -> None: ...
