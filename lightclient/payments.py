"""The payments that a device waits for: proof taken in, confirmed, taken back, acted on at most once.

A proof makes a payment *seen*. It is *confirmed* when it has the confirmations that were asked for
in a chain that is fit to act on (`HeaderChain.require_ready`); that is told once for each
(txid, output index). A reorg that drops its block *takes it back*; of the last payments acted on
that is told as long as their blocks are in the window, and nothing else can be done about it.
"""

from lightclient.compat import const
from lightclient.errors import (
    BadFrame,
    BadMessage,
    HeaderNotInChain,
    LightClientError,
    LimitExceeded,
    NotEnoughConfirmations,
    describe,
)
from lightclient.limits import MAX_ACTED_WATCHED, MAX_REQUESTS
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    EVENT_TAKEN_BACK,
)
from lightclient.spv.proof import STAGES, ProofVerifier

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from lightclient.headers.chain import HeaderChain
    from lightclient.serialize import Buffer
    from lightclient.spv.acted import ActedPayments
    from lightclient.spv.payment import PaymentRequest
    from lightclient.spv.stored_payments import StoredPayments

    # kind, request_id, txid, amount, confirmations, detail
    Report = Callable[[int, int, bytes, int, int, str], None]


class Payment:
    """A proved payment and where it stands in the chain."""

    def __init__(self, request: "PaymentRequest", verifier: "ProofVerifier") -> None:
        self.request = request
        self.txid = bytes(verifier.txid)
        self.output_index = verifier.output_index
        self.amount = verifier.output_value
        self.height = verifier.height
        self.block_hash = verifier.block_hash
        self.told = 0  # confirmations that were last told


_NO_PROOF = const(-1)


class PaymentBook:
    """Requests by id, and the proved payment of each. `report` is told what happens.

    One proof is taken in at a time, in pieces; a new one puts an unfinished one aside.
    """

    def __init__(
        self,
        chain: "HeaderChain",
        acted: "ActedPayments | StoredPayments",
        report: "Report",
        verifier: "ProofVerifier | None" = None,
    ) -> None:
        self.requests: "dict[int, PaymentRequest]" = {}
        self.held_back = ""  # why a payment with enough confirmations is not acted on
        self.verifier = verifier or ProofVerifier()
        self._chain = chain
        self._payments: "dict[int, Payment]" = {}
        self._acted_on: "list[Payment]" = []  # the newest, to tell when a reorg drops their blocks
        self._acted = acted
        self._report = report
        self._request: "PaymentRequest | None" = None
        self._proof_id = _NO_PROOF
        self._size = 0
        self._taken = 0
        self._stage_told = 0
        chain.before_reorg = acted.forget_above
        chain.floor = acted.floor
        acted.forget_above(chain.tip_height)  # blocks that a power cut has taken from the chain

    def wait_for(self, request: "PaymentRequest") -> None:
        """Add a request; one of the same id is replaced, and what was proved for it forgotten.

        Raises LimitExceeded above MAX_REQUESTS.
        """
        if len(self.requests) >= MAX_REQUESTS and request.request_id not in self.requests:
            raise LimitExceeded("at most " + str(MAX_REQUESTS) + " payments are waited for at a time")
        self.requests[request.request_id] = request
        self._payments.pop(request.request_id, None)

    def stop_waiting(self, request_id: int) -> bool:
        """Give a request up, and what was proved for it. False when there is no such request."""
        self._payments.pop(request_id, None)
        if self._request is not None and self._request.request_id == request_id:
            self.drop_proof()
        return self.requests.pop(request_id, None) is not None

    def begin_proof(self, request_id: int, proof_id: int, size: int) -> None:
        """A proof of `size` bytes for a request comes. Raises BadMessage when nothing like it was asked for."""
        self._proof_id = _NO_PROOF
        self._request = self.requests.get(request_id)
        if self._request is None:
            raise BadMessage("no such request")
        self._proof_id = proof_id
        self._size = size
        self._taken = 0
        self._stage_told = 0
        self.verifier.begin(self._chain.network, self._chain, self._request.script_pubkey)

    def drop_proof(self) -> None:
        """Forget the proof that is coming in."""
        self._proof_id = _NO_PROOF

    def take_proof_data(self, proof_id: int, offset: int, data: "Buffer") -> bool:
        """The next piece of the proof. True when it is whole and good: the payment has been noted.

        Raises BadFrame for a piece out of place, and the error of the first rule that the proof or
        the payment breaks; the proof is then forgotten. Pieces of a forgotten proof are ignored.
        """
        if proof_id != self._proof_id or self._request is None:
            return False
        if offset != self._taken or offset + len(data) > self._size:
            raise BadFrame("proof data for byte %d where %d belongs" % (offset, self._taken))
        self._taken += len(data)
        try:
            self.verifier.feed(data, 0, len(data))
            if self._taken < self._size:
                return False
            self.verifier.close()
            self._require_still_wanted(self._request)
            self._request.check_output(self.verifier)
            self._acted.require_new(
                self.verifier.txid, self.verifier.output_index, self.verifier.height, self._chain.tip_height
            )
        except LightClientError as error:
            self._proof_id = _NO_PROOF
            self._refuse(self._request, error)
            raise
        finally:
            self._tell_stages(self._request)
        self._proof_id = _NO_PROOF
        earlier = self._payments.get(self._request.request_id)
        if earlier is None or earlier.height > self.verifier.height:  # else the other one is deeper
            self._payments[self._request.request_id] = Payment(self._request, self.verifier)
        return True

    def _require_still_wanted(self, request: "PaymentRequest") -> None:
        """What was so when the proof began may have changed while its pieces came.

        Raises BadMessage when the request has been met meanwhile, HeaderNotInChain when a reorg has
        replaced the block, or the window has left it behind: then nobody would see it replaced. (A block
        that came with an accumulator path lies below the window, where nothing is replaced.)
        """
        if self.requests.get(request.request_id) is not request:
            raise BadMessage("the request is not waited for any more")
        verifier = self.verifier
        if not verifier.anchor.needs_path and not self._chain.has_block(verifier.height, verifier.block_hash):
            raise HeaderNotInChain("the block is not in the window any more", verifier.height)

    def _tell_stages(self, request: "PaymentRequest") -> None:
        while self._stage_told < self.verifier.stage:
            stage = STAGES[self._stage_told]
            # a header that the window no longer has is looked for by its path, at the end
            if stage != ("chain" if self.verifier.anchor.needs_path else "path"):
                self._report(EVENT_PROOF_STAGE, request.request_id, bytes(self.verifier.txid), 0, 0, stage)
            self._stage_told += 1

    def _refuse(self, request: "PaymentRequest", error: LightClientError) -> None:
        self._tell_stages(request)
        self._report(EVENT_REFUSED, request.request_id, bytes(self.verifier.txid), 0, 0, describe(error))

    def update(self, now: int, best_height: int) -> None:
        """Look at every payment again: the chain, the clock or what the bridge knows has changed."""
        chain = self._chain
        self.held_back = ""
        self._look_after_acted()
        for request_id in sorted(self._payments):
            payment = self._payments[request_id]
            if self._was_dropped(payment):
                del self._payments[request_id]
                self._tell(EVENT_TAKEN_BACK, payment, 0, "its block is no longer in the chain")
                continue
            confirmations = chain.confirmations(payment.height)
            if confirmations != payment.told:
                payment.told = confirmations
                self._tell(EVENT_PAYMENT_SEEN, payment, confirmations, "")
            try:
                payment.request.check_confirmations(confirmations)
                chain.require_ready(now, best_height)
            except NotEnoughConfirmations:
                continue
            except LightClientError as error:
                self.held_back = describe(error)
                continue
            self._act(payment, confirmations)

    def _was_dropped(self, payment: Payment) -> bool:
        """Whether its block has been replaced; one below the window cannot be any more."""
        chain = self._chain
        in_window = payment.height >= chain.store.first_height - 1
        return in_window and not chain.has_block(payment.height, payment.block_hash)

    def _look_after_acted(self) -> None:
        for payment in list(self._acted_on):
            if payment.height < self._chain.store.first_height - 1:
                self._acted_on.remove(payment)
            elif self._was_dropped(payment):
                self._acted_on.remove(payment)
                self._tell(EVENT_TAKEN_BACK, payment, 0, "already acted on, and its block is no longer in the chain")

    def _act(self, payment: Payment, confirmations: int) -> None:
        request_id = payment.request.request_id
        del self._payments[request_id]
        try:
            # recorded before anything moves: once, whatever happens next
            self._acted.add(payment.txid, payment.output_index, payment.height, request_id, self._chain.tip_height)
        except LightClientError as error:  # AlreadyActed, or StoreFull: without the record nothing may move
            self._tell(EVENT_REFUSED, payment, confirmations, describe(error))
            return
        finally:
            self._chain.floor = self._acted.floor
        self.requests.pop(request_id, None)
        if len(self._acted_on) == MAX_ACTED_WATCHED:
            self._acted_on.pop(0)
        self._acted_on.append(payment)
        self._tell(EVENT_CONFIRMED, payment, confirmations, "")

    def _tell(self, kind: int, payment: Payment, confirmations: int, detail: str) -> None:
        self._report(kind, payment.request.request_id, payment.txid, payment.amount, confirmations, detail)
