"""What one device watches for, and the proofs on their way to it: the payment half of a bridge session.

Nothing here grows by what a device does: a request that ends takes its proofs with it, and what is on its
way is not sent a second time. A payment is a transaction in a block: one block may hold several to the same
script, and the device's verdict on one (dust, say, that anybody can send) says nothing of the others.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lightclient.endpoint import Endpoint
from lightclient.errors import BadMessage, HeaderNotInChain, NotSynced
from lightclient.messages import GONE, PROOF, PROOF_DATA, view_room

if TYPE_CHECKING:
    from host_bridge.session import Source, Watch

MAX_WATCHES = 64  # of one device

PaymentKey = tuple[bytes, bytes]  # block_hash, txid


@dataclass
class _Outgoing:
    """A proof that is on its way, or waits for the device's verdict."""

    request_id: int
    proof_id: int
    proof: bytes
    key: PaymentKey | None  # None: offered by hand
    sent: int = -1  # -1: PROOF itself has not been sent
    asked_again: bool = False  # the device has sent its WATCH anew meanwhile


@dataclass
class _Watching:
    watch: "Watch"
    settled: set[PaymentKey] = field(default_factory=set)  # payments whose proof the device has judged
    proved: dict[PaymentKey, int] = field(default_factory=dict)  # those that it accepted, by which proof_id


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
        """Add a request, or start it anew. Raises BadMessage above MAX_WATCHES.

        When it asks for the same as before, the proofs on their way serve: the device has judged none of
        them when it asked, or its verdict would have come before.
        """
        if len(self._watching) >= MAX_WATCHES and watch.request_id not in self._watching:
            raise BadMessage(f"a device watches {MAX_WATCHES} payments at most")
        earlier = self._watching.get(watch.request_id)
        if earlier is not None and replace(earlier.watch, from_height=watch.from_height) == watch:
            for outgoing in (*self._outgoing, *self._judged.values()):
                outgoing.asked_again |= outgoing.request_id == watch.request_id
        else:
            self.unwatch(watch.request_id)
        self._watching[watch.request_id] = _Watching(watch)

    def unwatch(self, request_id: int) -> None:
        self._watching.pop(request_id, None)
        self._outgoing = deque(o for o in self._outgoing if o.request_id != request_id)
        self._judged = {i: o for i, o in self._judged.items() if o.request_id != request_id}

    def offer(self, request_id: int, proof: bytes, key: PaymentKey | None = None) -> None:
        """Queue a proof."""
        self._outgoing.append(_Outgoing(request_id, self._next_proof_id, proof, key))
        self._next_proof_id += 1

    def check(self, device_height: int) -> None:
        """Offer the proofs that the device can check by now; tell it when a proved payment has gone."""
        under_way = {(o.request_id, o.key) for o in (*self._outgoing, *self._judged.values())}
        for request_id, watching in self._watching.items():
            found = {(p.block_hash, p.txid): p for p in self._source.find_payments(watching.watch)}
            for key in [key for key in watching.proved if key not in found]:
                watching.settled.discard(key)
                self._endpoint.send(GONE, (request_id, watching.proved.pop(key)))
            for key, payment in found.items():
                wanted = key not in watching.settled and (request_id, key) not in under_way
                if wanted and payment.height <= device_height:
                    self.offer(request_id, payment.proof, key)

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

    def take_verdict(self, proof_id: int, code: int) -> bool:
        """`code` 0: accepted, else the error's. True: its payment is to be offered again at once."""
        proof = self._judged.pop(proof_id, None)
        if proof is None and self._outgoing and self._outgoing[0].proof_id == proof_id:
            proof = self._outgoing.popleft()  # refused before its end: the rest is not sent
        watching = self._watching.get(proof.request_id) if proof else None
        if proof is None or watching is None or proof.key is None:
            return False
        if code in (HeaderNotInChain.code, NotSynced.code):
            return False  # it has not come that far, or a reorg is under way: offered again when it moves on
        if code == BadMessage.code and proof.asked_again:
            return True  # it was begun for the request as it was before
        watching.settled.add(proof.key)
        if code == 0:
            watching.proved[proof.key] = proof_id
        return False
