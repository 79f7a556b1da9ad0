"""What one device watches for, and the proofs on their way to it: the payment half of a bridge session.

Nothing here grows by what a device does: a request that ends takes its proofs with it, and what is on its
way is not sent a second time. A payment is a transaction in a block: one block may hold several to the same
script, and the device's verdict on one (dust, say, that anybody can send) says nothing of the others.
"""

import logging
from collections import deque
from dataclasses import dataclass, field, replace

from host_bridge.limits import MAX_OFFERS, MAX_PROOFS_UNDER_WAY, MAX_WATCHES
from host_bridge.sessions.source import FoundPayment, Source, Watch
from lightclient.endpoint import Endpoint
from lightclient.errors import BadMessage, HeaderNotInChain, NotSynced, PathMismatch
from lightclient.messages import GONE, PROOF, PROOF_DATA, view_room
from lightclient.spv.container import with_path

log = logging.getLogger("lightclient.bridge")

PaymentKey = tuple[bytes, bytes]  # block_hash, txid

# What a device says that does not have the block, or not yet, or has let go of it: it may be other when it has
# moved on.
_NOT_HERE = (HeaderNotInChain.code, NotSynced.code, PathMismatch.code)


@dataclass(frozen=True)
class DevicePosition:
    """How far a device has come: the last header that it was sent, and the oldest from which it can still switch.

    Of a block above `lowest_fork` it has the header; below, it knows the hash alone and needs a path.
    """

    height: int
    block_hash: bytes
    lowest_fork: int


@dataclass
class _Outgoing:
    """A proof that is on its way, or waits for the device's verdict."""

    request_id: int
    proof_id: int
    proof: bytes
    payment: FoundPayment | None  # None: offered by hand
    sent: int = -1  # -1: PROOF itself has not been sent
    asked_again: bool = False  # the device has sent its WATCH anew meanwhile
    position: DevicePosition | None = None  # where the device was when it was sent

    @property
    def key(self) -> PaymentKey | None:
        return (self.payment.block_hash, self.payment.txid) if self.payment else None


@dataclass
class _Watching:
    watch: Watch
    settled: set[PaymentKey] = field(default_factory=set)  # payments whose proof the device has judged
    # those that it accepted: by which proof_id, and the block's height
    proved: dict[PaymentKey, tuple[int, int]] = field(default_factory=dict)
    # those whose block it did not have: where it was then
    not_here: dict[PaymentKey, DevicePosition | None] = field(default_factory=dict)
    flooded: bool = False  # MAX_OFFERS proofs were judged


class Watches:
    """Requests by id, a queue of proofs, and those that wait for their verdict."""

    def __init__(self, source: Source, endpoint: Endpoint) -> None:
        self._source = source
        self._endpoint = endpoint
        self._watching: dict[int, _Watching] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._judged: dict[int, _Outgoing] = {}
        self._next_proof_id = 1
        self._position: DevicePosition | None = None
        self._has_more = False  # payments that wait until fewer proofs are under way

    @property
    def pending(self) -> bool:
        """Whether a proof is on its way, or waits for its verdict."""
        return bool(self._outgoing or self._judged)

    def clear(self) -> None:
        for request_id in self._watching:
            self._source.unwatch(self, request_id)
        self._watching.clear()
        self._outgoing.clear()
        self._judged.clear()
        self._position = None

    def watch(self, watch: Watch) -> None:
        """Add a request, or start it anew. Raises BadMessage above MAX_WATCHES, what the source raises.

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
            self._drop_proofs(watch.request_id)
        self._source.watch(self, watch)
        self._watching[watch.request_id] = _Watching(watch)

    def unwatch(self, request_id: int) -> None:
        if self._watching.pop(request_id, None) is not None:
            self._source.unwatch(self, request_id)
        self._drop_proofs(request_id)

    def _drop_proofs(self, request_id: int) -> None:
        self._outgoing = deque(o for o in self._outgoing if o.request_id != request_id)
        self._judged = {i: o for i, o in self._judged.items() if o.request_id != request_id}

    def offer(self, request_id: int, proof: bytes, payment: FoundPayment | None = None) -> None:
        """Queue a proof."""
        self._outgoing.append(_Outgoing(request_id, self._next_proof_id, proof, payment))
        self._next_proof_id += 1

    def check(self, position: DevicePosition | None) -> bool:
        """Offer the proofs that the device can check by now; tell it when a proved payment has gone.

        True: when there is room again, there is more to tell.
        """
        self._position = position
        self._has_more = False
        told_all = True
        under_way = {(o.request_id, o.key) for o in (*self._outgoing, *self._judged.values())}
        for request_id, watching in self._watching.items():
            told_all &= self._tell_gone(request_id, watching)
            if position is None:
                continue
            for payment in self._source.find_payments(watching.watch):
                key = (payment.block_hash, payment.txid)
                if payment.height > position.height or key in watching.settled or (request_id, key) in under_way:
                    continue
                if key in watching.not_here and watching.not_here[key] == position:
                    continue  # it would say the same again
                if self._is_flooded(watching):
                    break
                if len(self._outgoing) + len(self._judged) >= MAX_PROOFS_UNDER_WAY:
                    self._has_more = True
                    break
                self.offer(request_id, payment.proof, payment)
        return not told_all

    def _tell_gone(self, request_id: int, watching: _Watching) -> bool:
        """False: there is no room for all of it."""
        for key, (proof_id, height) in list(watching.proved.items()):
            if self._source.block_hash(height) != key[0]:
                if not self._endpoint.may_send():
                    return False
                del watching.proved[key]
                watching.settled.discard(key)
                self._endpoint.send(GONE, (request_id, proof_id))
        return True

    def _is_flooded(self, watching: _Watching) -> bool:
        if len(watching.settled) < MAX_OFFERS:
            return False
        if not watching.flooded:
            watching.flooded = True
            script = watching.watch.script_pubkey.hex()
            log.error("script %s: a device has judged %d proofs for one request, no more are sent", script, MAX_OFFERS)
        return True

    def push(self, max_payload: int) -> None:
        """Send the next frame of the first proof; the endpoint has room for it."""
        if not self._outgoing:
            return
        proof = self._outgoing[0]
        if proof.sent < 0:
            proof.sent = 0
            proof.position = self._position
            proof.proof = self._with_path(proof)
            self._endpoint.send(PROOF, (proof.request_id, proof.proof_id, len(proof.proof)))
            return
        piece = proof.proof[proof.sent : proof.sent + view_room(PROOF_DATA, max_payload)]
        self._endpoint.send(PROOF_DATA, (proof.proof_id, proof.sent, piece))
        proof.sent += len(piece)
        if proof.sent == len(proof.proof):
            proof.proof = b""
            self._judged[proof.proof_id] = self._outgoing.popleft()

    def _with_path(self, outgoing: _Outgoing) -> bytes:
        """For a block whose header the device has let go of, the proof with a path for the size that it is at."""
        position, payment = self._position, outgoing.payment
        if position is None or payment is None or payment.height > position.lowest_fork:
            return outgoing.proof
        path = self._source.path(payment.height, position.height + 1)
        return with_path(outgoing.proof, path) if path is not None else outgoing.proof

    def take_verdict(self, proof_id: int, code: int) -> bool:
        """`code` 0: accepted, else the error's. True: there is something to offer now, perhaps the same again."""
        proof = self._judged.pop(proof_id, None)
        if proof is None and self._outgoing and self._outgoing[0].proof_id == proof_id:
            proof = self._outgoing.popleft()  # refused before its end: the rest is not sent
        watching = self._watching.get(proof.request_id) if proof else None
        if proof is None or watching is None or proof.payment is None or proof.key is None:
            return self._has_more
        if code in _NOT_HERE:
            watching.not_here[proof.key] = proof.position
            return self._has_more or proof.position != self._position  # it has moved on meanwhile
        watching.not_here.pop(proof.key, None)
        if code == BadMessage.code and proof.asked_again:
            return True  # it was begun for the request as it was before
        watching.settled.add(proof.key)
        if code == 0:
            watching.proved[proof.key] = (proof_id, proof.payment.height)
        return self._has_more
