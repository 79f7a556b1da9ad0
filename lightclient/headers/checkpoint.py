"""A checkpoint: all that the next header is judged by, as canonical CBOR. A device starts from one.

A CBOR map with these integer keys, in this order (RFC 8949, 4.2.1):

| key | value |
|---|---|
| 0 | format version: 1 |
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
"""

from lightclient.cbor import MAP, Reader, Writer
from lightclient.compat import const
from lightclient.errors import BadProofOfWork, CheckpointMismatch, LimitExceeded, TruncatedInput, WrongNetwork
from lightclient.headers.state import ChainState
from lightclient.headers.target import bits_to_target
from lightclient.limits import MAX_HEIGHT, MAX_NAME, MEDIAN_TIME_SPAN
from lightclient.serialize import read_uint32_le, write_uint32_le

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightclient.params import Network
    from lightclient.serialize import Buffer

FORMAT = const(1)
MAX_CHECKPOINT_SIZE = const(256)  # bytes
_FIELDS = const(11)
_UINT32 = const(0xFFFFFFFF)


def encode_checkpoint(network: "Network", state: ChainState) -> bytes:
    """The checkpoint that stands for `state`."""
    writer = Writer(bytearray(MAX_CHECKPOINT_SIZE))
    times = bytearray(4 * state.times_known)
    for i in range(state.times_known):
        height = state.height - state.times_known + 1 + i
        write_uint32_le(times, 4 * i, state.times[height % MEDIAN_TIME_SPAN])
    writer.head(MAP, _FIELDS)
    writer.uint(0)
    writer.uint(FORMAT)
    writer.uint(1)
    writer.text(network.name)
    writer.uint(2)
    writer.uint(state.height)
    writer.uint(3)
    writer.bytes(state.block_hash)
    writer.uint(4)
    writer.uint(state.bits)
    writer.uint(5)
    writer.bytes(times)
    writer.uint(6)
    writer.uint(state.epoch_first_time)
    writer.uint(7)
    writer.uint(state.epoch_first_bits)
    writer.uint(8)
    writer.uint(state.normal_bits)
    writer.uint(9)
    writer.bytes(state.chainwork.to_bytes(32, "big"))
    writer.uint(10)
    writer.uint(1 if state.complete else 0)
    return bytes(writer.buffer[: writer.offset])


def decode_checkpoint(network: "Network", data: "Buffer", state: ChainState) -> None:
    """Set `state` from a checkpoint of `network`.

    Raises an encoding error, WrongNetwork, or CheckpointMismatch for values that cannot belong together.
    """
    reader = Reader()
    reader.reset(data, 0, len(data))
    if reader.map(_FIELDS) != _FIELDS:
        raise TruncatedInput("checkpoint: fields are missing")
    _key(reader, 0)
    if reader.uint(_UINT32) != FORMAT:
        raise LimitExceeded("checkpoint: unknown format version")
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


def _key(reader: Reader, key: int) -> None:
    if reader.uint(_FIELDS - 1) != key:
        raise TruncatedInput("checkpoint: field " + str(key) + " is missing")
