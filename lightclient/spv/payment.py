"""What was asked for, whether a proven transaction pays it, and what has been acted on."""

from lightclient.errors import (
    AlreadyActed,
    AmountTooLow,
    LimitExceeded,
    NotEnoughConfirmations,
    NotThePayment,
    StoreFull,
)
from lightclient.limits import MAX_HEIGHT, MAX_MONEY, MAX_SCRIPT_PUBKEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.serialize import Buffer
    from lightclient.spv.proof import ProofVerifier

_MAX_REQUEST_ID = 0xFFFFFFFF
_ENTRY = 36  # bytes: txid 32, output index 4 little-endian


class PaymentRequest:
    """At least `min_amount` satoshis to `script_pubkey` in one output, `min_confirmations` deep.

    Raises LimitExceeded for an empty or oversized script, and numbers out of range.
    """

    def __init__(self, request_id: int, script_pubkey: bytes, min_amount: int, min_confirmations: int) -> None:
        if not 0 <= request_id <= _MAX_REQUEST_ID:
            raise LimitExceeded("request id %d is no uint32" % request_id)
        if not 1 <= len(script_pubkey) <= MAX_SCRIPT_PUBKEY:
            raise LimitExceeded("script_pubkey of %d bytes, 1 to %d" % (len(script_pubkey), MAX_SCRIPT_PUBKEY))
        if not 0 <= min_amount <= MAX_MONEY:
            raise LimitExceeded("amount of %d satoshis, 0 to %d" % (min_amount, MAX_MONEY))
        if not 1 <= min_confirmations <= MAX_HEIGHT:
            raise LimitExceeded("%d confirmations, 1 to %d" % (min_confirmations, MAX_HEIGHT))
        self.request_id = request_id
        self.script_pubkey = script_pubkey
        self.min_amount = min_amount
        self.min_confirmations = min_confirmations

    def check_output(self, proof: "ProofVerifier") -> None:
        """Judge a proof that was verified with this request's script_pubkey.

        The largest output counts; outputs are never added up, because acting is once per output.
        Raises NotThePayment, AmountTooLow.
        """
        if proof.matches == 0:
            raise NotThePayment("no output pays the script_pubkey asked for")
        if proof.output_value < self.min_amount:
            raise AmountTooLow(
                "output %d pays %d of %d sat" % (proof.output_index, proof.output_value, self.min_amount)
            )

    def check_confirmations(self, confirmations: int) -> None:
        """Raises NotEnoughConfirmations. A block at the tip gives 1."""
        if confirmations < self.min_confirmations:
            raise NotEnoughConfirmations("%d of %d confirmations" % (confirmations, self.min_confirmations))


class ActedPayments:
    """The payments that were acted on, in RAM: at most `capacity`, each a (txid, output index).

    A full record refuses further payments: to forget one would let its proof be shown again.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._entries = bytearray(capacity * _ENTRY)
        self._wanted = bytearray(_ENTRY)
        self.count = 0

    def require_new(self, txid: "Buffer", output_index: int) -> None:
        """Raises AlreadyActed, StoreFull."""
        wanted = self._wanted
        wanted[:32] = txid
        wanted[32:] = output_index.to_bytes(4, "little")
        entries = memoryview(self._entries)
        for i in range(0, self.count * _ENTRY, _ENTRY):
            if entries[i : i + _ENTRY] == wanted:
                raise AlreadyActed("output %d of this transaction was acted on before" % output_index)
        if (self.count + 1) * _ENTRY > len(self._entries):
            raise StoreFull("the record of %d payments is full" % self.count)

    def add(self, txid: "Buffer", output_index: int) -> None:
        """Record a payment; to be done before acting on it. Raises AlreadyActed, StoreFull."""
        self.require_new(txid, output_index)
        start = self.count * _ENTRY
        self._entries[start : start + _ENTRY] = self._wanted
        self.count += 1
