"""A chain from files or a recording, as a source for bridge sessions. It has its own clock."""

from collections.abc import Iterable

from host_bridge.chain.packed_batches import pack
from host_bridge.sessions.source import FoundPayment, Watch
from lightclient.headers.header import block_hash, read_time
from lightclient.limits import HEADER_SIZE


class ArchiveChain:
    """Headers from `first_height` on, shown up to `best_height`, which the caller moves.

    `headers` are raw 80-byte records. Its clock is the time of the best header: it is a replay, and
    says nothing of today.
    """

    def __init__(self, network: str, headers: bytes, first_height: int) -> None:
        self.network = network
        self.first_height = first_height
        self.best_height = first_height + len(headers) // HEADER_SIZE - 1
        self._headers = bytearray(headers)
        self._hashes = [block_hash(headers, i) for i in range(0, len(headers), HEADER_SIZE)]
        self._payments: list[tuple[bytes, FoundPayment]] = []

    @property
    def last_height(self) -> int:
        """Height of the last header there is, shown or not."""
        return self.first_height + len(self._hashes) - 1

    def replace(self, fork_height: int, headers: bytes) -> None:
        """Reorg: the headers above `fork_height` are exchanged for these, and the new end is shown."""
        keep = fork_height + 1 - self.first_height
        self._headers[keep * HEADER_SIZE :] = headers
        self._hashes[keep:] = [block_hash(headers, i) for i in range(0, len(headers), HEADER_SIZE)]
        self.best_height = self.last_height

    def add_payment(self, script_pubkey: bytes, payment: FoundPayment) -> None:
        """A payment that can be proved while its block is in the chain that is shown."""
        self._payments.append((script_pubkey, payment))

    def now(self) -> int:
        return read_time(self._headers, (self.best_height - self.first_height) * HEADER_SIZE)

    def block_hash(self, height: int) -> bytes | None:
        return self._hashes[height - self.first_height] if self.first_height <= height <= self.best_height else None

    def headers(self, height: int, count: int) -> bytes:
        start = max(height - self.first_height, 0) * HEADER_SIZE
        stop = (min(height + count - 1, self.best_height) + 1 - self.first_height) * HEADER_SIZE
        return bytes(self._headers[start:stop])

    def packed_headers(self, height: int, count: int, room: int) -> tuple[int, bytes]:
        return pack(self.headers(height, count), room)

    def path(self, height: int, size: int) -> bytes | None:
        return None

    def watch(self, watcher: object, watch: Watch) -> None:
        """Nothing has to be looked for: `add_payment` has said it all."""

    def unwatch(self, watcher: object, request_id: int) -> None: ...

    def find_payments(self, watch: Watch) -> Iterable[FoundPayment]:
        for script_pubkey, payment in self._payments:
            if script_pubkey == watch.script_pubkey and self.block_hash(payment.height) == payment.block_hash:
                yield payment
