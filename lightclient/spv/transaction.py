"""A transaction walked once, as it comes, in constant memory: its txid, its size, what it pays.

Theory of operation: every field is gathered into a small scratch buffer or passed on in pieces; what
belongs to the txid goes into one running SHA-256. Marker, flag and witness do not (BIP144). A claimed
count or length is compared with its ceiling and with the bytes that remain before it is used, so the
walk never reads beyond the size that the container announced.

Layout (BIP144; Core: UnserializeTransaction), integers little-endian, [] only with witness:
version 4, [marker 00, flag 01], inputs, outputs, [witness of each input], lock_time 4.

A transaction that comes in one piece is looked through by machine code first (ordinary.py). What is in
any way unusual there is left to the walk, which alone decides what is refused, and why.
"""

from array import array
from hashlib import sha256

from lightclient import limits
from lightclient.compat import const
from lightclient.errors import (
    LimitExceeded,
    NonCanonicalEncoding,
    SixtyFourByteTransaction,
    TrailingData,
    TruncatedInput,
)
from lightclient.hashes import ZERO_HASH
from lightclient.serialize import compact_size_length, read_compact_size, read_uint64_le
from lightclient.spv import ordinary
from lightclient.stream import StreamParser

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.serialize import Buffer

_OUTPOINT = const(36)  # bytes: txid 32, output index 4
_NULL_PREVOUT = ZERO_HASH + b"\xff\xff\xff\xff"  # Core: COutPoint::IsNull
_PREFIX = const(6)  # bytes kept of the coinbase's script: the height of BIP34 takes at most 5
_NODE_PAIR = const(64)  # an inner node of the Merkle tree is the hash of 64 bytes

# What has just been gathered or passed.
_VERSION = const(0)
_FLAG = const(1)
_INPUT_COUNT = const(2)
_INPUT = const(3)
_INPUT_SCRIPT = const(4)
_INPUT_END = const(5)
_OUTPUT_COUNT_HEAD = const(6)
_OUTPUT_COUNT = const(7)
_OUTPUT = const(8)
_OUTPUT_SCRIPT = const(9)
_OUTPUT_END = const(10)
_ITEM_COUNT_HEAD = const(11)
_ITEM_COUNT = const(12)
_ITEM_HEAD = const(13)
_ITEM = const(14)
_ITEM_END = const(15)
_LOCK_TIME = const(16)


class TransactionWalk(StreamParser):
    """Made once; `begin` for each transaction, then `feed` and `close`.

    Results, valid after `close`: `txid` (32 bytes, internal order), `stripped_size` (bytes without
    witness), `is_coinbase` (one input, null prevout), of a coinbase `coinbase_script_size` and its first
    bytes, `coinbase_prefix`; and for the script_pubkey given to `begin`: `matches`, the number of outputs
    that pay it, and `output_index`, `output_value` (satoshis) of the largest, the first among equals.
    """

    def __init__(self) -> None:
        StreamParser.__init__(self, 48)
        self._view = memoryview(self.scratch)
        self.coinbase_prefix = bytearray(_PREFIX)
        self._wanted: "bytes | None" = None
        self._sha = sha256()
        self._size = 0
        self._found = array("i", [0] * ordinary.WORDS)
        self._reset()
        self._reset_walk()

    def _reset(self) -> None:
        self.txid = ZERO_HASH
        self.stripped_size = 0
        self.is_coinbase = False
        self.coinbase_script_size = 0
        self.matches = 0
        self.output_index = -1
        self.output_value = 0

    def _reset_walk(self) -> None:
        self._at = 0  # where in the scratch the compact_size stands
        self._tail = 0  # bytes that must at least follow what is being read
        self._segwit = False
        self._inputs = 0
        self._outputs = 0
        self._left = 0  # inputs, outputs, or inputs with witness still to come
        self._items = 0
        self._any_item = False
        self._total = 0
        self._value = 0  # of the present output
        self._hashing = True
        self._matching = False
        self._run = 0  # bytes of the present script that have passed

    def begin(self, size: int, script_pubkey: "bytes | None" = None) -> None:
        """Start on a transaction of `size` bytes, witness included, looking for outputs to `script_pubkey`.

        Raises SixtyFourByteTransaction, LimitExceeded, TruncatedInput (no transaction is that small).
        """
        if size == _NODE_PAIR:
            # CVE-2017-12842: an inner node of the tree could be shown as a transaction, or the reverse
            raise SixtyFourByteTransaction("a transaction of 64 bytes could be an inner Merkle node")
        if size > limits.MAX_TRANSACTION_SIZE:
            raise LimitExceeded("transaction of %d bytes, at most %d" % (size, limits.MAX_TRANSACTION_SIZE))
        if size < limits.MIN_TRANSACTION_SIZE:
            raise TruncatedInput("transaction of %d bytes, the smallest has %d" % (size, limits.MIN_TRANSACTION_SIZE))
        self._restart()
        self._reset()
        self._size = size
        self._wanted = script_pubkey
        self._gather(5, _VERSION)

    # --- how the bytes come ---

    def feed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`. Raises the error of the first rule that is broken."""
        if self.position == 0 and start < end:
            if end - start == self._size and self._take_ordinary(data, start, end):
                return
            self._reset_walk()
            self._sha = sha256()
        StreamParser.feed(self, data, start, end)

    def _take_ordinary(self, data: "Buffer", start: int, end: int) -> bool:
        """Take the whole transaction at once, if it is an ordinary one; False: nothing is done."""
        wanted = self._wanted
        found = self._found
        if wanted is None:
            is_ordinary = ordinary.look_through(data, start, end, b"", -1, found)
        else:
            is_ordinary = ordinary.look_through(data, start, end, wanted, len(wanted), found)
        body = found[ordinary.BODY]
        body_end = found[ordinary.BODY_END]
        stripped_size = body_end - body + 8  # version and lock_time
        if not is_ordinary or stripped_size == _NODE_PAIR:
            return False
        view = memoryview(data)
        if body == start + 4:
            sha = sha256(view[start:end])
        else:
            sha = sha256(view[start : start + 4])
            sha.update(view[body:body_end])
            sha.update(view[end - 4 : end])
        self.txid = sha256(sha.digest()).digest()
        self.stripped_size = stripped_size
        self.position = self._size
        if found[ordinary.ONE_INPUT]:
            script = found[ordinary.SCRIPT]
            size = self.coinbase_script_size = found[ordinary.SCRIPT_SIZE]
            self.is_coinbase = view[body + 1 : body + 1 + _OUTPOINT] == _NULL_PREVOUT
            if self.is_coinbase:
                count = min(_PREFIX, size + 4)
                self.coinbase_prefix[:count] = view[script : script + count]
        self.matches = found[ordinary.MATCHES]
        if self.matches:
            self.output_index = found[ordinary.LARGEST]
            self.output_value = read_uint64_le(data, found[ordinary.LARGEST_AT])
        self._want = 0
        self._finish()
        return True

    def _passed(self, data: "Buffer", start: int, end: int) -> None:
        if self._hashing:
            self._sha.update(memoryview(data)[start:end])
            self.stripped_size += end - start
        run = self._run
        if self._matching:
            wanted = self._wanted
            if wanted is None or data[start:end] != wanted[run : run + end - start]:
                self._matching = False
        if self.is_coinbase and self._outputs == 0 and run < _PREFIX:
            count = min(_PREFIX - run, end - start)
            self.coinbase_prefix[run : run + count] = data[start : start + count]
        self._run = run + end - start

    def _absorb(self, start: int, end: int) -> None:
        """`scratch[start:end]` belongs to the txid."""
        self._sha.update(self._view[start:end])
        self.stripped_size += end - start

    def _require(self, count: int, what: str) -> None:
        if count + self._tail > self._size - self.position:
            raise TruncatedInput("transaction of %d bytes has no room for %s at %d" % (self._size, what, self.position))

    def _compact(self, at: int, state: int) -> None:
        """A compact_size begins with scratch[at], the last byte gathered: get the rest, then `state`."""
        self._at = at
        more = compact_size_length(self.scratch[at]) - 1
        if more:
            self._require(more, "compact_size")
            self._gather(more, state, at + 1)
        else:
            self._step(state)

    def _number(self, maximum: int, what: str) -> int:
        """The compact_size announced by `_compact`."""
        at = self._at
        try:
            value = read_compact_size(self.scratch, at, len(self.scratch))
        except NonCanonicalEncoding:
            raise NonCanonicalEncoding("overlong compact_size before byte %d of the transaction" % self.position)
        if value > maximum:
            raise LimitExceeded("transaction: %d %s, at most %d, at byte %d" % (value, what, maximum, self.position))
        return value

    def _number_end(self) -> int:
        return self._at + compact_size_length(self.scratch[self._at])

    def _pass_script(self, size: int, sequence: int, state: int) -> None:
        """Take the length that stands in the scratch, then the script and what goes the same way."""
        self._require(size + sequence, "script")
        self._absorb(0, self._number_end())
        self._run = 0
        self._pass(size + sequence, state)

    # --- what they are ---

    def _step(self, state: int) -> None:
        if state == _INPUT:
            self._compact(_OUTPOINT, _INPUT_SCRIPT)
        elif state == _INPUT_SCRIPT:
            size = self._number(limits.MAX_SCRIPT_SIZE, "bytes of script")
            if self._inputs == 1:
                self.is_coinbase = self.scratch[:_OUTPOINT] == _NULL_PREVOUT
                self.coinbase_script_size = size
            self._pass_script(size, 4, _INPUT_END)
        elif state == _INPUT_END:
            self._next_input()
        elif state == _OUTPUT:
            self._value = read_uint64_le(self.scratch, 0)
            self._total += self._value
            # Core CheckTransaction: bad-txns-vout-toolarge, bad-txns-txouttotal-toolarge
            if self._value > limits.MAX_MONEY or self._total > limits.MAX_MONEY:
                raise LimitExceeded("output before byte %d of the transaction: over all money" % self.position)
            self._compact(8, _OUTPUT_SCRIPT)
        elif state == _OUTPUT_SCRIPT:
            size = self._number(limits.MAX_SCRIPT_SIZE, "bytes of script")
            self._matching = self._wanted is not None and len(self._wanted) == size
            self._pass_script(size, 0, _OUTPUT_END)
        elif state == _OUTPUT_END:
            if self._matching:
                self.matches += 1
                if self.output_index < 0 or self._value > self.output_value:
                    self.output_index = self._outputs - self._left - 1
                    self.output_value = self._value
                self._matching = False
            self._next_output()
        elif state == _VERSION:
            self._absorb(0, 4)
            if self.scratch[4] == 0:  # BIP144: the marker, where a count of inputs stands otherwise
                self._gather(2, _FLAG, 5)
            else:
                self._compact(4, _INPUT_COUNT)
        elif state == _FLAG:
            if self.scratch[5] != 1:
                raise NonCanonicalEncoding("transaction without inputs, or with an unknown flag %02x" % self.scratch[5])
            self._segwit = True
            self._compact(6, _INPUT_COUNT)
        elif state == _INPUT_COUNT:
            count = self._number(limits.MAX_INPUTS, "inputs")
            if count == 0:
                raise NonCanonicalEncoding("transaction without inputs")  # Core: bad-txns-vin-empty
            self._inputs = self._left = count
            self._tail = count * limits.MIN_INPUT_SIZE + 1 + limits.MIN_OUTPUT_SIZE + (count if self._segwit else 0) + 4
            self._require(0, "inputs")
            self._absorb(self._at, self._number_end())
            self._next_input()
        elif state == _OUTPUT_COUNT_HEAD:
            self._compact(0, _OUTPUT_COUNT)
        elif state == _OUTPUT_COUNT:
            count = self._number(limits.MAX_OUTPUTS, "outputs")
            if count == 0:
                raise NonCanonicalEncoding("transaction without outputs")  # Core: bad-txns-vout-empty
            self._outputs = self._left = count
            self._tail += (count - 1) * limits.MIN_OUTPUT_SIZE
            self._require(0, "outputs")
            self._absorb(0, self._number_end())
            self._next_output()
        else:
            self._witness_step(state)

    def _witness_step(self, state: int) -> None:
        if state == _ITEM_HEAD:
            self._compact(0, _ITEM)
        elif state == _ITEM:
            size = self._number(limits.MAX_SCRIPT_SIZE, "bytes of witness")
            self._require(size, "witness")
            self._pass(size, _ITEM_END)
        elif state == _ITEM_END:
            self._next_item()
        elif state == _ITEM_COUNT_HEAD:
            self._compact(0, _ITEM_COUNT)
        elif state == _ITEM_COUNT:
            self._items = self._number(limits.MAX_WITNESS_ITEMS, "witness items")
            self._tail += self._items
            self._require(0, "witness items")
            self._any_item = self._any_item or self._items > 0
            self._next_item()
        else:
            self._end()

    def _next_input(self) -> None:
        if self._left:
            self._left -= 1
            self._tail -= limits.MIN_INPUT_SIZE
            self._gather(37, _INPUT)  # prevout and the first byte of the script's length
        else:
            self._tail -= 1
            self._gather(1, _OUTPUT_COUNT_HEAD)

    def _next_output(self) -> None:
        if self._left:
            self._left -= 1
            self._tail -= limits.MIN_OUTPUT_SIZE
            self._gather(9, _OUTPUT)  # value and the first byte of the script's length
            return
        self._hashing = False  # BIP144: the txid leaves the witness out
        self._left = self._inputs if self._segwit else 0
        self._next_witness()

    def _next_witness(self) -> None:
        if self._left:
            self._left -= 1
            self._tail -= 1
            self._gather(1, _ITEM_COUNT_HEAD)
            return
        if self._segwit and not self._any_item:
            raise NonCanonicalEncoding("superfluous witness, all of it empty")  # Core says the same
        self._gather(4, _LOCK_TIME)

    def _next_item(self) -> None:
        if self._items:
            self._items -= 1
            self._tail -= 1
            self._gather(1, _ITEM_HEAD)
        else:
            self._next_witness()

    def _end(self) -> None:
        self._absorb(0, 4)
        if self.position != self._size:
            raise TrailingData("transaction ends at byte %d of %d" % (self.position, self._size))
        if self.stripped_size == _NODE_PAIR:  # CVE-2017-12842: the txid covers these 64 bytes
            raise SixtyFourByteTransaction("without witness the transaction has 64 bytes, as an inner Merkle node has")
        self.txid = sha256(self._sha.digest()).digest()
        self._finish()
