"""Checkpoints on the host: made from headers, recomputed, compared; and as the chain that old proofs are judged by."""

from pathlib import Path

from host_bridge.chain.header_file import Beginning, header_batches
from host_bridge.files import Unusable, read_file
from lightclient.cbor import MAP, Reader
from lightclient.errors import CheckpointMismatch, HeaderNotInChain, PathMismatch, WrongNetwork
from lightclient.hashes import hash_to_hex
from lightclient.headers.accumulator import Accumulator
from lightclient.headers.checkpoint import MAX_CHECKPOINT_SIZE, decode_checkpoint
from lightclient.headers.header import block_hash
from lightclient.headers.path import verify_path
from lightclient.headers.rules import HeaderRules
from lightclient.headers.state import ChainState
from lightclient.limits import HEADER_SIZE, MAX_NAME, MEDIAN_TIME_SPAN
from lightclient.params import NETWORKS, Network


def read_checkpoint(path: Path) -> tuple[Network, ChainState]:
    """A checkpoint file of whatever network it names. Raises Unusable, what the checkpoint breaks, OSError."""
    data = read_file(path, MAX_CHECKPOINT_SIZE)
    if data[0] >> 5 != MAP:
        raise Unusable(f"{path}: not a checkpoint")
    reader = Reader()
    reader.reset(data, 0, len(data))
    reader.map(0xFF)
    for _ in range(3):  # key 0, format version, key 1
        reader.uint(0xFF)
    name = reader.text(MAX_NAME)
    if name not in NETWORKS:
        raise WrongNetwork("no network is called " + ascii(name))
    state = ChainState()
    decode_checkpoint(NETWORKS[name], data, state)
    return NETWORKS[name], state


def state_from_headers(
    path: Path, network: Network, start_height: int | None, base: ChainState | None = None, height: int | None = None
) -> ChainState:
    """The state after the header at `height` (None: the last) of a file of headers from `start_height` on.

    It begins after `base`, if there is one; else at genesis, or at the anchor `start_height`, which is trusted.
    Every rule is checked. Raises the error of the first one broken, Unusable, OSError.
    """
    rules = HeaderRules(network)
    beginning = Beginning(path, rules, start_height, base)
    first_height = beginning.first_height
    if base is not None:
        if height is not None and height < base.height:
            raise Unusable(f"height {height} lies below the checkpoint to begin from, which stands at {base.height}")
    elif height is not None and height < first_height:
        raise Unusable(f"{path} begins at {first_height}, above the height wanted, which is {height}")
    at = first_height
    with header_batches(path, first_height, "checking headers") as batches:
        for buffer, count in batches:
            skip = beginning.skip(buffer, count, Accumulator())
            end = count if height is None else min(count, height + 1 - at)
            if end > skip:
                rules.extend(buffer, skip * HEADER_SIZE, end - skip, beginning.now)
            at += count
            if height is not None and at > height:
                break
    beginning.require_checkpoint()
    wanted = at - 1 if height is None else height
    if rules.state.height != wanted:
        raise Unusable(f"{path} holds heights {first_height} to {at - 1}, and {wanted} is wanted")
    return rules.state


def compare(stated: ChainState, found: ChainState) -> list[str]:
    """What a checkpoint states and recomputing confirms: the names of the parts that it leaves open.

    A checkpoint made from an anchor leaves open what lies before. Raises CheckpointMismatch for the first
    difference, Unusable where `found` itself does not know enough.
    """
    if stated.complete and not found.complete:
        raise Unusable("it counts from genesis: what is recomputed must begin there, or at a checkpoint that does")
    if stated.accumulator is not None and found.accumulator is None:
        raise Unusable("its accumulator counts from genesis: a checkpoint without one is no place to begin from")
    left_open = []
    _same("block_hash", hash_to_hex(stated.block_hash), hash_to_hex(found.block_hash), stated.height)
    _same("bits", f"{stated.bits:08x}", f"{found.bits:08x}", stated.height)
    known = min(stated.times_known, found.times_known)
    _same("times", _last_times(stated, known), _last_times(found, known), stated.height)
    if stated.times_known < min(MEDIAN_TIME_SPAN, stated.height + 1):
        left_open.append("times")
    for name in ("epoch_first_time", "epoch_first_bits", "normal_bits"):
        if getattr(stated, name) == 0:
            left_open.append(name)
        else:
            _same(name, getattr(stated, name), getattr(found, name), stated.height)
    if stated.complete == found.complete:
        _same("chainwork", f"{stated.chainwork:x}", f"{found.chainwork:x}", stated.height)
    else:
        left_open.append("chainwork")
    if stated.accumulator is None or found.accumulator is None:
        left_open.append("accumulator")
    else:
        _same("peaks", stated.accumulator.peaks(), found.accumulator.peaks(), stated.height)
        _same("unfinished", stated.accumulator.unfinished(), found.accumulator.unfinished(), stated.height)
    return left_open


def _last_times(state: ChainState, count: int) -> list[int]:
    return [state.times[(state.height - i) % MEDIAN_TIME_SPAN] for i in range(count)]


def _same(name: str, stated: object, found: object, height: int) -> None:
    if stated != found:
        shown = "" if isinstance(stated, bytes | list) else f": it says {stated}, the headers give {found}"
        raise CheckpointMismatch(f"{name} differs{shown}", height)


class CheckpointChain:
    """The chain up to a checkpoint, which keeps no headers: `spv.anchor.Chain`."""

    def __init__(self, state: ChainState) -> None:
        self.accumulator = state.accumulator
        self._tip = state

    @property
    def tip_height(self) -> int:
        return self._tip.height

    def require_header(self, height: int, header: bytes | bytearray | memoryview) -> None:
        """Raises HeaderNotInChain unless it is the checkpoint's own block, or one of its unfinished leaf."""
        found = block_hash(header, 0)
        if height == self._tip.height and found == self._tip.block_hash:
            return
        if height > self._tip.height:
            raise HeaderNotInChain(f"the checkpoint stands at {self._tip.height}, below the block", height)
        if self.accumulator is None:
            raise HeaderNotInChain("the checkpoint has no accumulator: of the blocks below it it knows nothing", height)
        try:
            # the shortest path there is: none, where the hash itself is kept
            verify_path(self.accumulator, height, found, self.accumulator.count.to_bytes(4, "little"))
        except PathMismatch:
            raise HeaderNotInChain(
                f"a checkpoint keeps no headers: the proof needs a path (prove --for-size {self.accumulator.count})",
                height,
            ) from None
