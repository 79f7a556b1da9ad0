"""The payments that were acted on, in RAM: gone with the power. StoredPayments keeps them."""

from lightclient.compat import const
from lightclient.errors import AlreadyActed, StoreFull

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

_ENTRY = 36  # bytes: txid 32, output index 4 little-endian


class ActedPayments:
    """At most `capacity` payments, each a (txid, output index).

    A full record refuses further payments: to forget one would let its proof be shown again.
    """

    floor = 0  # blocks below this height are final: see StoredPayments

    def __init__(self, capacity: int = 64) -> None:
        self._entries = bytearray(capacity * _ENTRY)
        self._wanted = bytearray(_ENTRY)
        self.count = 0

    def require_new(self, txid: "Buffer", output_index: int, height: int, tip_height: int) -> None:
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

    def add(self, txid: "Buffer", output_index: int, height: int, request_id: int, tip_height: int) -> None:
        """Record a payment; to be done before acting on it. Raises AlreadyActed, StoreFull."""
        self.require_new(txid, output_index, height, tip_height)
        start = self.count * _ENTRY
        self._entries[start : start + _ENTRY] = self._wanted
        self.count += 1

    def finish(self, request_id: int, txid: "Buffer") -> None:
        """The relay's pulse has ended: of no matter where nothing is kept."""

    def unfinished(self) -> "list[tuple[int, bytes]]":
        """Payments whose pulse a power cut has cut short: none are known."""
        return []

    def forget_above(self, height: int) -> None:
        """Blocks leave the chain: nothing is forgotten here, so it does not matter which."""
