"""A checkpoint: all that the next header is judged by, as canonical CBOR. A device starts from one.

Without keys 11 and 12 it has no accumulator (docs/ACCUMULATOR.md): it was made from an anchor, so the hashes
before are unknown, and payments older than the window cannot be verified from it.

A CBOR map with these integer keys, in this order (RFC 8949, 4.2.1):

| key | value |
|---|---|
| 0 | format version: 2 |
| 1 | network name, text |
| 2 | height of the tip |
| 3 | its block_hash, 32 bytes, internal order |
| 4 | its bits |
| 5 | the last 11 times (fewer near genesis or an anchor), oldest first, 4 bytes little-endian each |
| 6 | time of the first block of the tip's epoch; 0: unknown, it lies before the anchor |
| 7 | bits of that block; 0: unknown |
| 8 | the last bits that were not a 20-minute exception; 0: unknown |
| 9 | chainwork, 32 bytes big-endian |
| 10 | 1: chainwork counts from genesis; 0: from the anchor |
| 11 | peaks of the accumulator over all block hashes to the tip, 32 bytes each, the largest first |
| 12 | hashes of its unfinished leaf, 32 bytes each, oldest first |
"""

from struct import pack

from lightclient.cbor import BYTES, TEXT, UINT, Reader
from lightclient.compat import const
from lightclient.errors import BadProofOfWork, CheckpointMismatch, TruncatedInput, WrongNetwork, WrongStoreVersion
from lightclient.headers.path import MAX_PEAKS_SIZE, MAX_UNFINISHED_SIZE
from lightclient.headers.state import ChainState
from lightclient.headers.target import bits_to_target
from lightclient.limits import EPOCH, MAX_HEIGHT, MAX_NAME, MEDIAN_TIME_SPAN
from lightclient.serialize import read_uint32_le

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.params import Network
    from lightclient.serialize import Buffer

FORMAT = const(2)
MAX_CHECKPOINT_SIZE = const(1322)  # bytes: the sum of what its fields take at most
_WITHOUT_ACCUMULATOR = const(195)  # of these, the fields 0 to 10
_FIELDS = const(11)
_FIELDS_WITH_ACCUMULATOR = const(13)
_MOST_FIELDS = const(23)  # of any version
_UINT32 = const(0xFFFFFFFF)


def encode_checkpoint(network: "Network", state: ChainState) -> bytes:
    """The checkpoint that stands for `state`."""
    accumulator = state.accumulator
    name = network.name.encode()
    oldest = 4 * ((state.height + 1 - state.times_known) % MEDIAN_TIME_SPAN)
    # little-endian, as both Pythons' hosts are
    times = (bytes(state.times) * 2)[oldest : oldest + 4 * state.times_known]
    # not with cbor.Writer, which takes three times as long: a store makes one every few batches
    fields = [
        b"\xab\x00\x02\x01" if accumulator is None else b"\xad\x00\x02\x01",
        _head(TEXT, len(name)),
        name,
        b"\x02",
        _head(UINT, state.height),
        b"\x03\x58\x20",
        state.block_hash,
        b"\x04",
        _head(UINT, state.bits),
        b"\x05",
        _head(BYTES, len(times)),
        times,
        b"\x06",
        _head(UINT, state.epoch_first_time),
        b"\x07",
        _head(UINT, state.epoch_first_bits),
        b"\x08",
        _head(UINT, state.normal_bits),
        b"\x09\x58\x20",
        state.chainwork.to_bytes(32, "big"),
        b"\x0a\x01" if state.complete else b"\x0a\x00",
    ]
    if accumulator is not None:
        peaks = accumulator.peaks()
        unfinished = accumulator.unfinished()
        fields.extend((b"\x0b", _head(BYTES, len(peaks)), peaks, b"\x0c", _head(BYTES, len(unfinished)), unfinished))
    return b"".join(fields)


def _head(major: int, value: int) -> bytes:
    """The head of a CBOR item: its type, and an integer below 2^32 in the shortest form."""
    if value > 0xFFFF:
        return pack(">BI", major << 5 | 26, value)
    if value < 24:
        return bytes((major << 5 | value,))
    return pack(">BB", major << 5 | 24, value) if value < 0x100 else pack(">BH", major << 5 | 25, value)


def decode_checkpoint(network: "Network", data: "Buffer", state: ChainState) -> None:
    """Set `state` from a checkpoint of `network`.

    Raises an encoding error, WrongStoreVersion, WrongNetwork, or CheckpointMismatch for values that
    cannot belong together.
    """
    reader = Reader()
    reader.reset(data, 0, len(data))
    fields = reader.map(_MOST_FIELDS)
    _key(reader, 0)
    version = reader.uint(_UINT32)
    if version != FORMAT:
        raise WrongStoreVersion("checkpoint: format version %d, this program knows %d" % (version, FORMAT))
    if fields not in (_FIELDS, _FIELDS_WITH_ACCUMULATOR):
        raise TruncatedInput("checkpoint: %d fields" % fields)
    _key(reader, 1)
    name = reader.text(MAX_NAME)
    if name != network.name:
        raise WrongNetwork("checkpoint of " + name + ", not " + network.name)
    _key(reader, 2)
    height = reader.uint(MAX_HEIGHT)
    _key(reader, 3)
    block_hash = reader.bytes(32)
    _key(reader, 4)
    bits = reader.uint(_UINT32)
    _key(reader, 5)
    times = reader.bytes(4 * MEDIAN_TIME_SPAN)
    _key(reader, 6)
    first_time = reader.uint(_UINT32)
    _key(reader, 7)
    first_bits = reader.uint(_UINT32)
    _key(reader, 8)
    normal_bits = reader.uint(_UINT32)
    _key(reader, 9)
    chainwork = reader.bytes(32)
    _key(reader, 10)
    complete = reader.uint(1)
    peaks = unfinished = b""
    if fields == _FIELDS_WITH_ACCUMULATOR:
        _key(reader, 11)
        peaks = reader.bytes(MAX_PEAKS_SIZE)
        _key(reader, 12)
        unfinished = reader.bytes(MAX_UNFINISHED_SIZE)
    reader.finish()
    known = len(times) // 4
    if len(block_hash) != 32 or len(chainwork) != 32 or len(times) % 4 or not 1 <= known <= height + 1:
        raise CheckpointMismatch("checkpoint: a field has the wrong size")
    target = bits_to_target(bits, network, height)
    for other in (first_bits, normal_bits):
        if other:
            bits_to_target(other, network, height)
    if int.from_bytes(block_hash, "little") > target:
        raise BadProofOfWork("checkpoint: the tip's hash does not meet its bits", height)
    if complete and (0 in (first_time, first_bits, normal_bits) or known != min(MEDIAN_TIME_SPAN, height + 1)):
        raise CheckpointMismatch("checkpoint: says that it is complete and is not")
    _require_agreement(
        network, height, bits, read_uint32_le(times, 4 * (known - 1)), first_time, first_bits, normal_bits
    )
    if complete and int.from_bytes(chainwork, "big") <= height:  # every block is worth at least 1
        raise CheckpointMismatch("checkpoint: less work than a chain of %d blocks has" % (height + 1), height)
    _set_accumulator(state, height, fields == _FIELDS_WITH_ACCUMULATOR, peaks, unfinished, complete, block_hash)
    state.height = height
    state.block_hash = block_hash
    state.bits = bits
    state.times_known = known
    for i in range(known):
        state.times[(height - known + 1 + i) % MEDIAN_TIME_SPAN] = read_uint32_le(times, 4 * i)
    state.time = state.times[height % MEDIAN_TIME_SPAN]
    state.time_checked = False  # the next header is checked in full
    state.epoch_first_time = first_time
    state.epoch_first_bits = first_bits
    state.normal_bits = normal_bits
    state.chainwork = int.from_bytes(chainwork, "big")
    state.complete = bool(complete)


def _require_agreement(
    network: "Network", height: int, bits: int, time: int, first_time: int, first_bits: int, normal_bits: int
) -> None:
    """The tip's epoch as ChainState.absorb leaves it. Raises CheckpointMismatch for what it never leaves."""
    if height % EPOCH == 0 and (first_time != time or first_bits != bits or normal_bits != bits):
        raise CheckpointMismatch("checkpoint: the tip begins an epoch, and yet another block is said to", height)
    if network.allow_min_difficulty:
        exception = bits == network.pow_limit_bits  # the tip may be one: then the others are not its own
    else:
        exception = False
        if first_bits not in (0, bits):
            raise CheckpointMismatch("checkpoint: the epoch's first bits are not its bits", height)
    if not exception and normal_bits not in (0, bits):
        raise CheckpointMismatch("checkpoint: the last ordinary bits are not the tip's", height)


def _set_accumulator(
    state: ChainState, height: int, present: bool, peaks: bytes, unfinished: bytes, complete: int, block_hash: bytes
) -> None:
    if not present:
        state.accumulator = None
        return
    if not complete:
        raise CheckpointMismatch("checkpoint: an accumulator, and yet nothing is known from before the anchor")
    if unfinished and unfinished[-32:] != block_hash:
        raise CheckpointMismatch("checkpoint: the accumulator's last hash is not that of the tip")
    from lightclient.headers.accumulator import Accumulator  # noqa: PLC0415 - what is not used costs no memory

    accumulator = state.accumulator or Accumulator()
    accumulator.restore(height + 1, peaks, unfinished)
    state.accumulator = accumulator


def _key(reader: Reader, key: int) -> None:
    if reader.uint(_FIELDS_WITH_ACCUMULATOR - 1) != key:
        raise TruncatedInput("checkpoint: field " + str(key) + " is missing")
