"""What one device watches for, and the proofs on their way to it: the payment half of a bridge session.

Nothing here grows by what a device does: a request that ends, or starts anew, takes its proofs with it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lightclient.endpoint import Endpoint
from lightclient.errors import BadMessage, HeaderNotInChain, NotSynced
from lightclient.messages import GONE, PROOF, PROOF_DATA, view_room

if TYPE_CHECKING:
    from host_bridge.session import Source, Watch

MAX_WATCHES = 64  # of one device


@dataclass
class _Outgoing:
    """A proof that is on its way, or waits for the device's verdict."""

    request_id: int
    proof_id: int
    proof: bytes
    block_hash: bytes | None
    sent: int = -1  # -1: PROOF itself has not been sent


@dataclass
class _Watching:
    watch: "Watch"
    settled: set[bytes] = field(default_factory=set)  # blocks whose proof the device has judged
    proved_in: bytes | None = None  # block of the proof that it accepted


class Watches:
    """Requests by id, a queue of proofs, and those that wait for their verdict."""

    def __init__(self, source: "Source", endpoint: Endpoint) -> None:
        self._source = source
        self._endpoint = endpoint
        self._watching: dict[int, _Watching] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._judged: dict[int, _Outgoing] = {}
        self._next_proof_id = 1

    @property
    def pending(self) -> bool:
        """Whether a proof is on its way, or waits for its verdict."""
        return bool(self._outgoing or self._judged)

    def clear(self) -> None:
        self._watching.clear()
        self._outgoing.clear()
        self._judged.clear()

    def watch(self, watch: "Watch") -> None:
        """Add a request, or start it anew. Raises BadMessage above MAX_WATCHES."""
        if len(self._watching) >= MAX_WATCHES and watch.request_id not in self._watching:
            raise BadMessage(f"a device watches {MAX_WATCHES} payments at most")
        self.unwatch(watch.request_id)
        self._watching[watch.request_id] = _Watching(watch)

    def unwatch(self, request_id: int) -> None:
        self._watching.pop(request_id, None)
        self._outgoing = deque(o for o in self._outgoing if o.request_id != request_id)
        self._judged = {i: o for i, o in self._judged.items() if o.request_id != request_id}

    def offer(self, request_id: int, proof: bytes, block_hash: bytes | None) -> None:
        """Queue a proof."""
        self._outgoing.append(_Outgoing(request_id, self._next_proof_id, proof, block_hash))
        self._next_proof_id += 1

    def check(self, device_height: int) -> None:
        """Offer the proofs that the device can check by now; tell it when a proved block has gone."""
        for request_id, watching in self._watching.items():
            gone = watching.proved_in
            found = [p for p in self._source.find_payments(watching.watch) if p.height <= device_height]
            if gone is not None and all(p.block_hash != gone for p in found):
                watching.proved_in = None
                watching.settled.discard(gone)
                self._endpoint.send(GONE, (request_id, 0))
            for payment in found:
                under_way = any(
                    o.request_id == request_id and o.block_hash == payment.block_hash
                    for o in (*self._outgoing, *self._judged.values())
                )
                if payment.block_hash not in watching.settled and not under_way:
                    self.offer(request_id, payment.proof, payment.block_hash)

    def push(self, max_payload: int) -> None:
        """Send the next frame of the first proof; the endpoint has room for it."""
        if not self._outgoing:
            return
        proof = self._outgoing[0]
        if proof.sent < 0:
            proof.sent = 0
            self._endpoint.send(PROOF, (proof.request_id, proof.proof_id, len(proof.proof)))
            return
        piece = proof.proof[proof.sent : proof.sent + view_room(PROOF_DATA, max_payload)]
        self._endpoint.send(PROOF_DATA, (proof.proof_id, proof.sent, piece))
        proof.sent += len(piece)
        if proof.sent == len(proof.proof):
            self._judged[proof.proof_id] = self._outgoing.popleft()

    def take_verdict(self, proof_id: int, code: int) -> None:
        """`code` 0: accepted, else the error's."""
        proof = self._judged.pop(proof_id, None)
        if proof is None and self._outgoing and self._outgoing[0].proof_id == proof_id:
            proof = self._outgoing.popleft()  # refused before its end: the rest is not sent
        watching = self._watching.get(proof.request_id) if proof else None
        if proof is None or watching is None or proof.block_hash is None:
            return
        if code in (HeaderNotInChain.code, NotSynced.code):
            return  # it has not come that far, or a reorg is under way: offered again when it moves on
        watching.settled.add(proof.block_hash)
        if code == 0:
            watching.proved_in = proof.block_hash
