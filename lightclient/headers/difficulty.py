"""Which bits the next header must have. Source: Core `pow.cpp`, BIP94."""

from lightclient.compat import const
from lightclient.headers.target import bits_to_target, target_to_bits
from lightclient.limits import EPOCH

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from lightclient.headers.state import ChainState
    from lightclient.params import Network

UNKNOWN = 0  # no bits are 0: that target is zero


def retarget(network: "Network", bits: int, first_time: int, last_time: int) -> int:
    """The bits of the epoch after one that began at `first_time` and ended at `last_time`.

    `bits` is the base (see `expected_bits`). Core: CalculateNextWorkRequired; it counts 2015
    intervals, not 2016, and so do we.
    """
    timespan = network.target_timespan
    # Core: the step is at most a factor of 4 either way
    actual = min(max(last_time - first_time, timespan // 4), timespan * 4)
    target = bits_to_target(bits, network) * actual // timespan
    return target_to_bits(min(target, network.pow_limit))


def is_permitted_retarget(network: "Network", old_bits: int, new_bits: int) -> bool:
    """Whether some epoch could lead from `old_bits` to `new_bits` (Core: PermittedDifficultyTransition)."""
    timespan = network.target_timespan
    easiest = bits_to_target(retarget(network, old_bits, 0, timespan * 4), network)
    hardest = bits_to_target(retarget(network, old_bits, 0, timespan // 4), network)
    return hardest <= bits_to_target(new_bits, network) <= easiest


def retarget_base(network: "Network", state: "ChainState") -> int:
    """The bits that the next retarget starts from, or UNKNOWN."""
    # BIP94: from the first block's bits, which the 20-minute exception cannot touch. Elsewhere from
    # the last block's: testnet3 lets an exception at the end of an epoch reset its difficulty.
    return state.epoch_first_bits if network.bip94 else state.bits


def expected_bits(network: "Network", state: "ChainState", time: int) -> int:
    """The bits of the header after `state` whose time is `time`, or UNKNOWN (it lies before the anchor).

    Core: GetNextWorkRequired.
    """
    if (state.height + 1) % EPOCH == 0:
        if not network.retargets:
            return state.bits
        base = retarget_base(network, state)
        if base == UNKNOWN or state.epoch_first_time == 0:
            return UNKNOWN
        return retarget(network, base, state.epoch_first_time, state.time)
    # testnets: a block that comes over 20 minutes after the last one may be mined at the limit,
    # and the one after it goes back to the last bits that were no such exception
    if network.allow_min_difficulty and time > state.time + 2 * network.target_spacing:
        return network.pow_limit_bits
    return state.normal_bits
