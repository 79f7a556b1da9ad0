"""What was asked for, and whether a proven transaction pays it.

Of several outputs of one transaction that pay the same script_pubkey only one can be paid for: the
largest, of equal ones the first. So two requests of equal script_pubkey are never met by one transaction.
"""

from lightclient.compat import const
from lightclient.errors import AmountTooLow, LimitExceeded, NotEnoughConfirmations, NotThePayment
from lightclient.limits import MAX_COUNT, MAX_HEIGHT, MAX_MONEY, MAX_SCRIPT_PUBKEY

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.spv.proof import ProofVerifier

NOT_GIVEN = const(-1)


class PaymentRequest:
    """At least `min_amount` satoshis to `script_pubkey` in one output, `min_confirmations` deep.

    A payment in a block below `from_height` is older than the request and does not meet it: a script_pubkey
    that is used again has old payments. NOT_GIVEN: `Client.wait_for` takes the height after its tip. (A
    payment made since that a reorg lets into a lower block is refused too: that is the safe side.)
    Raises LimitExceeded for an empty or oversized script, and numbers out of range.
    """

    def __init__(
        self,
        request_id: int,
        script_pubkey: bytes,
        min_amount: int,
        min_confirmations: int,
        from_height: int = NOT_GIVEN,
    ) -> None:
        if not 0 <= request_id <= MAX_COUNT:
            raise LimitExceeded("request id %d, 0 to %d" % (request_id, MAX_COUNT))
        if not 1 <= len(script_pubkey) <= MAX_SCRIPT_PUBKEY:
            raise LimitExceeded("script_pubkey of %d bytes, 1 to %d" % (len(script_pubkey), MAX_SCRIPT_PUBKEY))
        if not 0 <= min_amount <= MAX_MONEY:
            raise LimitExceeded("amount of %d satoshis, 0 to %d" % (min_amount, MAX_MONEY))
        if not 1 <= min_confirmations <= MAX_HEIGHT:
            raise LimitExceeded("%d confirmations, 1 to %d" % (min_confirmations, MAX_HEIGHT))
        if not NOT_GIVEN <= from_height <= MAX_HEIGHT:
            raise LimitExceeded("from height %d, 0 to %d" % (from_height, MAX_HEIGHT))
        self.request_id = request_id
        self.script_pubkey = script_pubkey
        self.min_amount = min_amount
        self.min_confirmations = min_confirmations
        self.from_height = from_height

    def check_output(self, proof: "ProofVerifier") -> None:
        """Judge a proof that was verified with this request's script_pubkey.

        The largest output counts; outputs are never added up, because acting is once per output.
        Raises NotThePayment, AmountTooLow.
        """
        if proof.matches == 0:
            raise NotThePayment("no output pays the script_pubkey asked for")
        if proof.height < self.from_height:
            raise NotThePayment(
                "an old payment: block %d, only blocks from %d on count" % (proof.height, self.from_height)
            )
        if proof.output_value < self.min_amount:
            raise AmountTooLow(
                "output %d pays %d of %d sat" % (proof.output_index, proof.output_value, self.min_amount)
            )

    def check_confirmations(self, confirmations: int) -> None:
        """Raises NotEnoughConfirmations. A block at the tip gives 1."""
        if confirmations < self.min_confirmations:
            raise NotEnoughConfirmations("%d of %d confirmations" % (confirmations, self.min_confirmations))
