"""A catalogue: one test for each way in which a header can be invalid, on headers mined here."""

from array import array
from struct import pack_into

from mining import START_TIME, Miner, mine, trivial_network
from support import no_allocation, raises

from lightclient.errors import (
    BadGenesis,
    BadLink,
    BadProofOfWork,
    BadVersion,
    MalformedBits,
    TimeTooNew,
    TimeTooOld,
    TimeWarp,
    WrongBits,
)
from lightclient.headers.rules import HeaderRules, ordinary_headers
from lightclient.limits import EPOCH
from lightclient.params import MAINNET, NETWORKS, TESTNET3

NOW = START_TIME + 10 * 365 * 86400
NETWORK = trivial_network()
TESTNET = trivial_network("trivial-testnet", allow_min_difficulty=True)
TESTNET94 = trivial_network("trivial-bip94", allow_min_difficulty=True, bip94=True)


def begun(network, now=NOW, headers=0, step=600):
    """Rules that stand `headers` above genesis, and a miner at the same tip."""
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0)
    miner = Miner(network)
    buffer = bytearray(80 * 96)
    while headers:
        count = min(headers, 96)
        for i in range(count):
            miner.next_into(buffer, 80 * i, step)
        rules.extend(buffer, 0, count, now)
        headers -= count
    return rules, miner


def refused(error_class, rules, buffer, now=NOW):
    """The error, after making sure that nothing of the bad header was kept."""
    before = (rules.state.height, rules.state.block_hash, rules.state.chainwork)
    error = raises(error_class, rules.extend, buffer, 0, len(buffer) // 80, now)
    assert (rules.state.height, rules.state.block_hash, rules.state.chainwork) == before
    assert error.height == before[0] + 1
    return error


def test_genesis_headers_of_all_networks_are_their_own_and_no_others():
    for network in NETWORKS.values():
        rules = HeaderRules(network)
        rules.begin_at_genesis(network.genesis_header, 0)
        assert rules.state.height == 0 and rules.state.complete and rules.unverified == {}
        for other in NETWORKS.values():
            if other is not network:
                raises(BadGenesis, HeaderRules(network).begin_at_genesis, other.genesis_header, 0)


def test_a_chain_over_an_epoch_border_is_accepted_and_its_work_added_up():
    rules, miner = begun(NETWORK, headers=EPOCH + 20)
    assert rules.state.height == EPOCH + 20
    assert rules.state.block_hash == miner.state.block_hash
    assert rules.state.chainwork == miner.state.chainwork
    assert rules.unverified == {}


def test_link():
    rules, miner = begun(NETWORK, headers=20)
    buffer = miner.batch(2)
    swapped = bytearray(buffer[80:] + buffer[:80])
    refused(BadLink, rules, swapped)
    rules.extend(buffer, 0, 2, NOW)


def test_link_inside_an_ordinary_run_names_its_height():
    rules, miner = begun(NETWORK, headers=20)
    buffer = miner.batch(5)
    mine(buffer, 160, bytes(32), rules.state.time + 1800, NETWORK.pow_limit_bits, NETWORK)
    error = raises(BadLink, rules.extend, buffer, 0, 5, NOW)
    assert error.height == 23 and rules.state.height == 22  # the first two were good


def test_proof_of_work():
    rules, miner = begun(NETWORK, headers=20)
    buffer = miner.batch(1)
    for nonce in range(1000):
        pack_into("<I", buffer, 76, nonce)
        try:
            probe = HeaderRules(NETWORK)
            probe.state.copy_from(rules.state)
            probe.extend(buffer, 0, 1, NOW)
        except BadProofOfWork:
            break
    refused(BadProofOfWork, rules, buffer)


def test_malformed_bits():
    rules, miner = begun(NETWORK, headers=20)
    for bits in (0x2080FFFF, 0x04923456, 0xFF7FFFFF, 0, 0x2100FFFF):
        buffer = miner.fork().batch(1)
        pack_into("<I", buffer, 72, bits)
        refused(MalformedBits, rules, buffer)


def test_wrong_bits_inside_an_epoch():
    rules, miner = begun(NETWORK, headers=20)
    buffer = bytearray(80)
    miner.next_into(buffer, 0, bits=0x207FFFFE)
    refused(WrongBits, rules, buffer)


def test_wrong_retarget_by_one():
    rules, miner = begun(NETWORK, headers=EPOCH - 1, step=300)
    good = bytearray(80)
    miner.fork().next_into(good, 0)
    bits = int.from_bytes(good[72:76], "little")
    assert bits != NETWORK.pow_limit_bits
    for wrong in (bits + 1, bits - 1, NETWORK.pow_limit_bits):
        buffer = bytearray(80)
        miner.fork().next_into(buffer, 0, bits=wrong)
        refused(WrongBits, rules, buffer)
    rules.extend(good, 0, 1, NOW)


def test_min_difficulty_needs_its_twenty_minutes():
    rules, miner = begun(TESTNET, headers=EPOCH + 5, step=300)
    assert rules.state.normal_bits != TESTNET.pow_limit_bits
    early = bytearray(80)
    miner.fork().next_into(early, 0, step=1200, bits=TESTNET.pow_limit_bits)
    refused(WrongBits, rules, early)
    late_but_normal = bytearray(80)
    miner.fork().next_into(late_but_normal, 0, step=1201, bits=rules.state.normal_bits)
    refused(WrongBits, rules, late_but_normal)
    normal_bits = rules.state.normal_bits
    good = bytearray(160)
    miner.next_into(good, 0, step=1201)
    miner.next_into(good, 80, step=600)  # back to the last bits that were no exception
    rules.extend(good, 0, 2, NOW)
    assert int.from_bytes(good[72:76], "little") == TESTNET.pow_limit_bits
    assert rules.state.bits == normal_bits


def test_median_time_past():
    rules, miner = begun(NETWORK, headers=20)
    median = rules.state.median_time_past()
    assert median == rules.state.time - 5 * 600
    buffer = bytearray(80)
    miner.fork().next_into(buffer, 0, time=median)
    refused(TimeTooOld, rules, buffer)
    miner.next_into(buffer, 0, time=median + 1)
    rules.extend(buffer, 0, 1, NOW)
    assert rules.state.time == median + 1


def test_median_time_past_after_steps_back_equals_a_plain_count():
    """The short cut of `ordinary_headers` and the full rule agree on a jagged run of times."""
    steps = (600, -900, 5, 1, 7000, -6000, 3, -2000, 9000, 1, 1, 1, -5000, 600, 2, 600, 1, 3000, -2500, 1)
    rules, miner = begun(NETWORK, headers=12)
    times = [rules.state.times[h % 11] for h in range(2, 13)]
    buffer = bytearray(80)
    for i in range(120):
        time = rules.state.time + steps[i % len(steps)]
        fork = miner.fork()
        fork.next_into(buffer, 0, time=time)
        if time > sorted(times[-11:])[5]:
            rules.extend(buffer, 0, 1, NOW)
            times.append(time)
            miner = fork
        else:
            refused(TimeTooOld, rules, buffer)
    assert len(times) > 60


def test_future_time_is_judged_by_the_clock_given():
    rules, miner = begun(NETWORK, headers=20)
    buffer = miner.batch(1)
    now = int.from_bytes(buffer[68:72], "little") - 7200
    refused(TimeTooNew, rules, buffer, now - 1)
    rules.extend(buffer, 0, 1, now)


def test_without_a_clock_future_time_is_counted():
    rules, miner = begun(NETWORK, headers=20)
    rules.extend(miner.batch(7), 0, 7, 0)
    assert rules.unverified == {"future_time": 7}


def test_timewarp_at_an_epoch_border_of_bip94_only():
    for network in (TESTNET94, TESTNET):
        rules, miner = begun(network, headers=EPOCH - 1)
        buffer = bytearray(80)
        miner.fork().next_into(buffer, 0, step=-601)
        if network.bip94:
            refused(TimeWarp, rules, buffer)
            miner.fork().next_into(buffer, 0, step=-600)
        rules.extend(buffer, 0, 1, NOW)


def test_bip94_retargets_from_the_first_blocks_bits():
    rules, miner = begun(TESTNET94, headers=EPOCH - 1, step=300)
    rules, miner = begun(TESTNET94, headers=2 * EPOCH - 2, step=300)
    first_bits = rules.state.epoch_first_bits
    assert first_bits != TESTNET94.pow_limit_bits
    buffer = bytearray(160)
    miner.next_into(buffer, 0, step=1201)  # an exception as the last block of the epoch
    assert miner.state.bits == TESTNET94.pow_limit_bits
    miner.next_into(buffer, 80)
    rules.extend(buffer, 0, 2, NOW)
    assert rules.state.height == 2 * EPOCH
    assert rules.state.bits != TESTNET94.pow_limit_bits


def test_version_floors():
    network = trivial_network("floors", bip34_height=10, bip66_height=20, bip65_height=30)
    for height, lowest in ((9, -1), (10, 2), (19, 2), (20, 3), (29, 3), (30, 4), (40, 4)):
        rules, miner = begun(network, headers=height - 1)
        buffer = bytearray(80)
        for version in (-0x80000000, -1, 0, lowest - 1):
            miner.fork().next_into(buffer, 0, version=version)
            if lowest == -1:
                fork = HeaderRules(network)
                fork.state.copy_from(rules.state)
                fork.extend(buffer, 0, 1, NOW)
            else:
                refused(BadVersion, rules, buffer)
        miner.fork().next_into(buffer, 0, version=lowest)
        rules.extend(buffer, 0, 1, NOW)


def test_an_activation_inside_a_batch_is_seen():
    network = trivial_network("floors", bip34_height=1, bip66_height=1, bip65_height=30)
    rules = HeaderRules(network)
    rules.begin_at_genesis(network.genesis_header, 0)
    miner = Miner(network)
    buffer = bytearray(80 * 40)
    for i in range(40):
        miner.next_into(buffer, 80 * i, version=3)
    error = raises(BadVersion, rules.extend, buffer, 0, 40, NOW)
    assert error.height == 30 and rules.state.height == 29


def test_an_anchor_leaves_rules_unverified_and_counts_them():
    _, miner = begun(NETWORK, headers=100)
    anchored = HeaderRules(NETWORK)
    buffer = miner.batch(30)
    anchored.begin_at_anchor(buffer, 0, 101, NOW)
    anchored.extend(buffer, 80, 29, NOW)
    assert anchored.unverified == {"link": 1, "bits": 1, "median_time_past": 11}
    assert anchored.state.height == 130 and not anchored.state.complete


def test_the_first_retarget_after_an_anchor_is_held_to_its_bounds():
    rules, miner = begun(NETWORK, headers=EPOCH - 20, step=300)
    buffer = miner.batch(30, step=300)
    anchored = HeaderRules(NETWORK)
    anchored.begin_at_anchor(buffer, 0, EPOCH - 19, NOW)
    anchored.extend(buffer, 80, 29, NOW)
    assert anchored.unverified["retarget"] == 1
    # the same headers, were the network allowed only a quarter of that step
    bad = bytearray(buffer)
    fork = Miner(NETWORK, rules.state)
    for i in range(19):
        fork.next_into(bad, 80 * i, 300)
    fork.next_into(bad, 80 * 19, 300, bits=0x201FFFFE)  # just over a factor of 4 harder
    anchored = HeaderRules(NETWORK)
    anchored.begin_at_anchor(bad, 0, EPOCH - 19, NOW)
    error = raises(WrongBits, anchored.extend, bad, 80, 19, NOW)
    assert error.height == EPOCH


def test_testnet_bits_before_the_anchor_are_learned_once():
    _, miner = begun(TESTNET, headers=EPOCH + 5, step=300)
    buffer = bytearray(80 * 20)
    miner.next_into(buffer, 0, step=1201)  # the anchor is a 20-minute exception
    for i in range(1, 20):
        miner.next_into(buffer, 80 * i)
    anchored = HeaderRules(TESTNET)
    anchored.begin_at_anchor(buffer, 0, EPOCH + 6, NOW)
    anchored.extend(buffer, 80, 19, NOW)
    assert anchored.unverified["bits"] == 2  # the anchor's own, and the first that is no exception


def test_an_anchor_must_carry_its_own_work():
    raises(BadProofOfWork, HeaderRules(MAINNET).begin_at_anchor, bytearray(72) + b"\xff\xff\x00\x1d\0\0\0\0", 0, 9, NOW)
    header = bytearray(TESTNET3.genesis_header)
    raises(BadVersion, HeaderRules(MAINNET).begin_at_anchor, header, 0, 400_000, NOW)


def test_filled_links_are_written_not_believed():
    rules, miner = begun(NETWORK, headers=20)
    buffer = miner.batch(40)
    bare = bytearray(buffer)
    for i in range(40):
        bare[80 * i + 4 : 80 * i + 36] = bytes(32)
    rules.extend(bare, 0, 40, NOW, True)
    assert bare == buffer


def test_ordinary_headers_allocates_nothing():
    _, miner = begun(NETWORK, headers=20)
    limits = array("I", [NETWORK.pow_limit_bits, miner.state.time, 0xFFFFFFFF, 0xFFFFFFFF, 4, 0x7FFFFFFF])
    buffer = miner.batch(30)
    assert no_allocation(ordinary_headers, buffer, 0, 30, limits) == 30
    assert no_allocation(ordinary_headers, buffer, 20, 29, limits) == 29
    buffer[80 * 7 + 3] = 0x80  # a negative version
    assert no_allocation(ordinary_headers, buffer, 0, 30, limits) == 7
    buffer[80 * 3 + 72] ^= 1
    assert no_allocation(ordinary_headers, buffer, 0, 30, limits) == 3
