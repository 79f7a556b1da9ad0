"""A payment proof, verified as it comes, in constant memory. The format: container.py, docs/PROOF.md.

Theory of operation: each value is checked as soon as it is whole, in the order of the keys; nothing is
kept but the header, two hashes and a few numbers. Whatever is refused, is refused at the first rule it breaks.
A header that the chain no longer has waits for the path, the last of the values.
"""

from lightclient.cbor import MAP, head_length, read_head
from lightclient.compat import const, micropython
from lightclient.errors import (
    DepthMismatch,
    EncodingError,
    LightClientError,
    MissingCoinbaseProof,
    NonCanonicalEncoding,
    PathMismatch,
    TruncatedInput,
    TxidMismatch,
    WrongNetwork,
)
from lightclient.hashes import ZERO_HASH
from lightclient.headers.header import block_hash, read_bits, read_merkle_root
from lightclient.headers.path import SIZE_BYTES
from lightclient.headers.target import bits_to_target, check_proof_of_work
from lightclient.limits import HEADER_SIZE
from lightclient.serialize import read_uint32_le
from lightclient.spv import container
from lightclient.spv.anchor import Anchor
from lightclient.spv.coinbase import check_coinbase
from lightclient.spv.container import MAJOR, MAXIMUM
from lightclient.spv.merkle import MerkleFold
from lightclient.spv.transaction import TransactionWalk
from lightclient.stream import GATHER, StreamParser

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.params import Network
    from lightclient.serialize import Buffer
    from lightclient.spv.anchor import Chain


# The keys of container.py, as numbers to the compiler.
_KEY_VERSION = const(0)
_KEY_NETWORK = const(1)
_KEY_HEIGHT = const(2)
_KEY_HEADER = const(3)
_KEY_TXID = const(4)
_KEY_INDEX = const(5)
_KEY_DEPTH = const(6)
_KEY_TRANSACTION = const(7)
_KEY_BRANCH = const(8)
_KEY_COINBASE = const(9)
_KEY_COINBASE_BRANCH = const(10)
_KEY_PATH = const(11)

# States: what has just been gathered or passed.
_MAP_HEAD = const(0)
_ITEM_HEAD = const(1)
_ITEM_VALUE = const(2)
_STRING = const(3)
_SIBLINGS = const(4)
_PATH_SIZE = const(5)

# `stage`: the check under way, for a display. The last one means that all have passed, and no byte is left over.
_BEFORE_PATH = ("format", "network", "header", "chain", "transaction", "branch", "coinbase", "coinbase branch")
STAGES = _BEFORE_PATH + ("path", "accepted")
_FORMAT = const(0)
_CHECK_NETWORK = const(1)
_CHECK_HEADER = const(2)
_CHECK_CHAIN = const(3)
_CHECK_TRANSACTION = const(4)
_CHECK_BRANCH = const(5)
_CHECK_COINBASE = const(6)
_CHECK_COINBASE_BRANCH = const(7)
_CHECK_PATH = const(8)
ACCEPTED = const(9)


class ProofVerifier(StreamParser):
    """Made once; for each proof `begin`, `feed` in pieces of any size, `close`.

    When `close` returns, every rule has been checked (`stage == ACCEPTED`), and these hold: `height`,
    `header` (80 bytes), `block_hash`, `txid`, `index`, `coinbase_txid`; `anchored`, whether the header
    is in a chain; for the script_pubkey asked for, `matches` (outputs that pay it), `output_index` and
    `output_value` (satoshis) of the largest. Hashes: 32 bytes, internal order.

    After an error the verifier takes no more bytes until the next `begin`.
    """

    def __init__(self) -> None:
        StreamParser.__init__(self, HEADER_SIZE)
        self.header = bytearray(HEADER_SIZE)
        self.txid = bytearray(32)
        self._walk = TransactionWalk()
        self._fold = MerkleFold()
        self.anchor = Anchor()
        self._network: "Network | None" = None
        self._script_pubkey: "bytes | None" = None
        # Of 29 attributes MicroPython makes a table without a free place, and looks for a method in all of it first.
        self._thirtieth = 0
        self._reset()

    def _reset(self) -> None:
        self.stage = _FORMAT
        self.height = -1
        self.block_hash = ZERO_HASH
        self.index = 0
        self.coinbase_txid = ZERO_HASH
        self.anchored = False
        self.matches = 0
        self.output_index = -1
        self.output_value = 0
        self._refused = True  # until `begin`
        self._key = _KEY_VERSION
        self._pairs = 0
        self._depth = 0
        self._has_path = False
        self._left = 0  # hashes of the path

    def begin(self, network: "Network", chain: "Chain | None", script_pubkey: "bytes | None" = None) -> None:
        """Start on a proof for `network`.

        `chain.require_header(height, header)` raises HeaderNotInChain; `chain.accumulator`, where there is
        one, decides by the proof's path then. With None the header's own proof of work is all that is
        known of it, and `anchored` stays False.
        """
        self._restart()
        self._reset()
        self._network = network
        self.anchor.begin(chain)
        self._script_pubkey = script_pubkey
        self._gather(1, _MAP_HEAD)
        self._refused = False

    def feed(self, data: "Buffer", start: int, end: int) -> None:
        """Take `data[start:end]`. Raises the error of the first rule that is broken."""
        if self._refused:
            raise LightClientError("the verifier takes bytes from begin() to the first error only")
        self._refused = True
        try:
            StreamParser.feed(self, data, start, end)
        except EncodingError as error:
            error.detail += " (%s, to byte %d)" % (container.KEYS[self._key], self.position + self._want)
            raise
        self._refused = False

    def close(self) -> None:
        """No more bytes come. Raises TruncatedInput unless the proof is whole; if it returns, the proof is valid."""
        if self._refused:
            raise LightClientError("the proof was refused before, or not begun")
        self._refused = True
        StreamParser.close(self)
        self.stage = ACCEPTED

    # --- how the bytes come ---

    def _passed(self, data: "Buffer", start: int, end: int) -> None:
        self._walk.feed(data, start, end)

    def _recorded(self, data: "Buffer", start: int, count: int) -> None:
        if self._key != _KEY_PATH:
            self._fold.add_run(data, start, count)
            return
        for offset in range(start, start + 32 * count, 32):
            self.anchor.add(data, offset)

    @micropython.native
    def _item(self, key: int, size: int = 2) -> None:
        """Next comes `key` and the head of its value: `_gather(size, _ITEM_HEAD)`, without the call.

        `size` is 3 where a value whose head is of one byte is refused in any case, so the third byte can't be its.
        """
        self._key = key
        self._mode = GATHER
        self._have = 0
        self._want = size
        self._state = _ITEM_HEAD

    @micropython.native
    def _step(self, state: int) -> None:
        scratch = self.scratch
        if state == _ITEM_HEAD:
            if scratch[0] != self._key:  # keys of one byte, in ascending order, none left out
                raise NonCanonicalEncoding("byte %02x where key %d belongs" % (scratch[0], self._key))
            have = self._have
            more = 1 + head_length(scratch[1]) - have
            if more > 0:
                self._gather(more, _ITEM_VALUE, have)
            else:
                self._take_value(read_head(scratch, 1, MAJOR[self._key], MAXIMUM[self._key]))
        elif state == _ITEM_VALUE:
            self._take_value(read_head(scratch, 1, MAJOR[self._key], MAXIMUM[self._key]))
        elif state == _STRING:
            self._take_string()
        elif state == _SIBLINGS:
            self._end_of_siblings()
        elif state == _PATH_SIZE:
            self.anchor.begin_path(self.height, self.block_hash, read_uint32_le(scratch, 0), self._left)
            self._records(self._left, 32, _SIBLINGS)
        else:
            if head_length(scratch[0]) != 1:
                raise NonCanonicalEncoding("not a map of a few pairs")
            self._pairs = read_head(scratch, 0, MAP, container.MAX_PAIRS)
            self._item(_KEY_VERSION)

    # --- what they are ---

    def _take_value(self, value: int) -> None:
        """The value of an integer, the length of a string."""
        key = self._key
        if key == _KEY_VERSION:
            if value != container.FORMAT_VERSION:
                raise NonCanonicalEncoding("format version %d, 1 belongs" % value)
            if not container.WITHOUT_COINBASE <= self._pairs <= container.WITH_COINBASE + 1:
                raise NonCanonicalEncoding("map of %d pairs, 9 to 12 belong" % self._pairs)
            self._has_path = self._pairs % 2 == 0  # one pair more than 9 or 11
            self._pairs -= self._has_path
            self.stage = _CHECK_NETWORK
            self._item(_KEY_NETWORK)
        elif key == _KEY_NETWORK:
            self._gather(value, _STRING)
        elif key == _KEY_HEIGHT:
            self.height = value
            self._item(_KEY_HEADER, 3)
        elif key in (_KEY_HEADER, _KEY_TXID):
            if value != MAXIMUM[key]:
                raise TruncatedInput("%s of %d bytes, it has %d" % (container.KEYS[key], value, MAXIMUM[key]))
            self._gather(value, _STRING)
        elif key == _KEY_INDEX:
            self.index = value
            if value and self._pairs == container.WITHOUT_COINBASE:
                # CVE-2017-12842: only the coinbase's branch pins the depth of the tree
                raise MissingCoinbaseProof("index %d is not the coinbase, and its proof is missing" % value)
            self._item(_KEY_DEPTH)
        elif key == _KEY_DEPTH:
            self._depth = value
            self.stage = _CHECK_TRANSACTION
            self._item(_KEY_TRANSACTION, 3)
        elif key in (_KEY_TRANSACTION, _KEY_COINBASE):
            self._walk.begin(value, self._script_pubkey if key == _KEY_TRANSACTION else None)
            self._pass(value, _STRING)
        elif key == _KEY_PATH:
            if value % 32 != SIZE_BYTES:
                raise PathMismatch("path of %d bytes, 4 and 32 a hash belong there" % value, self.height)
            self._left = value // 32
            self._gather(SIZE_BYTES, _PATH_SIZE)
        else:
            if value != 32 * self._depth:
                raise DepthMismatch(
                    "%s of %d bytes, a tree of depth %d needs %d"
                    % (container.KEYS[key], value, self._depth, 32 * self._depth)
                )
            self._records(self._depth, 32, _SIBLINGS)

    def _take_string(self) -> None:
        key = self._key
        if key == _KEY_NETWORK:
            self._check_network()
            self._item(_KEY_HEIGHT)
        elif key == _KEY_HEADER:
            self.header[:] = self.scratch
            self._check_header()
            self._item(_KEY_TXID, 3)
        elif key == _KEY_TXID:
            self.txid[:] = self.scratch[:32]
            self._item(_KEY_INDEX)
        elif key == _KEY_TRANSACTION:
            self._check_transaction()
            self._item(_KEY_BRANCH, 3 if self._depth else 2)
        else:
            self._check_coinbase()
            self._item(_KEY_COINBASE_BRANCH)

    def _params(self) -> "Network":
        network = self._network
        if network is None:
            raise LightClientError("begin() was not called")
        return network

    def _check_network(self) -> None:
        network = self._params()
        if bytes(self.scratch[: self._have]) != network.name.encode():
            raise WrongNetwork("the proof is for another network than " + network.name)
        self.stage = _CHECK_HEADER

    def _check_header(self) -> None:
        header = self.header
        height = self.height
        self.block_hash = block_hash(header, 0)
        check_proof_of_work(self.block_hash, bits_to_target(read_bits(header, 0), self._params(), height), height)
        self.stage = _CHECK_CHAIN
        self.anchor.check_header(height, header, self._has_path)
        self.anchored = self.anchor.anchored

    def _check_transaction(self) -> None:
        walk = self._walk
        walk.close()
        if walk.txid != self.txid:
            raise TxidMismatch("the transaction has another txid than the proof says")
        self.matches = walk.matches
        self.output_index = walk.output_index
        self.output_value = walk.output_value
        if self._pairs == container.WITHOUT_COINBASE:
            self.coinbase_txid = walk.txid
            check_coinbase(walk, self._params(), self.height)
        self._fold.start(walk.txid, self.index, self._depth)
        self.stage = _CHECK_BRANCH

    def _check_coinbase(self) -> None:
        walk = self._walk
        walk.close()
        self.coinbase_txid = walk.txid
        check_coinbase(walk, self._params(), self.height)
        # its index is 0 and its branch as long as the transaction's: so the leaves lie at this depth
        self._fold.start(walk.txid, 0, self._depth)
        self.stage = _CHECK_COINBASE_BRANCH

    def _end_of_siblings(self) -> None:
        if self._key == _KEY_PATH:
            self.anchor.finish()
            self.anchored = self.anchor.anchored
            self._finish()
            return
        self._fold.finish(read_merkle_root(self.header, 0))
        if self._key == _KEY_BRANCH and self._pairs == container.WITH_COINBASE:
            self.stage = _CHECK_COINBASE
            self._item(_KEY_COINBASE, 3)
        elif self._has_path:
            self.stage = _CHECK_PATH
            self._item(_KEY_PATH)
        else:
            self._finish()
