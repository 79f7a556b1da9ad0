"""Every header file of the shared data, through one batch buffer."""

from support import data_path, heap_used, raises

from lightclient.errors import BadGenesis, BadLink, BadProofOfWork, LightClientError, WrongBits
from lightclient.headers.rules import HeaderRules
from lightclient.limits import HEADER_SIZE, MAX_BATCH_HEADERS
from lightclient.params import MAINNET, REGTEST, SIGNET, TESTNET3, TESTNET4

NOW = 1_790_000_000


def check_file(name, network, start_height, edit=None):
    """Rules that have taken the whole file."""
    buffer = bytearray(HEADER_SIZE * MAX_BATCH_HEADERS)
    rules = HeaderRules(network)
    height = start_height
    with open(data_path("headers/" + name), "rb") as file:
        while True:
            count = file.readinto(buffer) // HEADER_SIZE
            if count == 0:
                return rules
            if edit:
                edit(buffer, height)
            done = 0
            if height == start_height:
                done = 1
                if height == 0:
                    rules.begin_at_genesis(buffer, 0)
                else:
                    rules.begin_at_anchor(buffer, 0, height, NOW)
            rules.extend(buffer, HEADER_SIZE * done, count - done, NOW)
            height += count


def epoch_chainwork(epoch, column):
    """chainwork_at_first (8) or chainwork_at_last (9) of a mainnet epoch."""
    with open(data_path("checkpoints/mainnet_epochs.csv")) as file:
        for line in file:
            if line.startswith(str(epoch) + ","):
                return int(line.split(",")[column], 16)
    raise ValueError("no such epoch")


def test_mainnet_from_genesis():
    rules = check_file("mainnet_000000_010236.bin", MAINNET, 0)
    assert rules.unverified == {} and rules.state.complete
    # 10,236 lies in epoch 5, which has no retarget before it: its work is that of 156 more blocks
    assert rules.state.chainwork == epoch_chainwork(5, 8) + (10236 - 10080) * 0x100010001


def test_mainnet_at_300000():
    rules = check_file("mainnet_300000_300499.bin", MAINNET, 300000)
    assert rules.unverified == {"link": 1, "bits": 1, "median_time_past": 11, "retarget": 1}


def test_mainnet_over_four_retargets():
    used = heap_used()
    rules = check_file("mainnet_822528_830592.bin", MAINNET, 822528)
    assert heap_used() - used < 12 * 1024  # one batch buffer of 7,680 bytes and the state
    assert rules.unverified == {"link": 1, "bits": 1, "median_time_past": 11}
    assert rules.state.height == 830592
    # from the first block of epoch 408 to the first block of epoch 412, both included
    difference = epoch_chainwork(412, 8) - epoch_chainwork(408, 8)
    first = epoch_chainwork(408, 8) - epoch_chainwork(407, 9)
    assert rules.state.chainwork == difference + first


def test_testnet3_from_genesis():
    assert check_file("testnet3_000000_009999.bin", TESTNET3, 0).unverified == {}


def test_testnet4_from_genesis():
    assert check_file("testnet4_000000_000100.bin", TESTNET4, 0).unverified == {}


def test_signet_from_genesis():
    rules = check_file("signet_000000_002015.bin", SIGNET, 0)
    assert rules.unverified == {} and rules.state.height == 2015


def test_regtest_from_genesis():
    rules = check_file("regtest_000000_000100.bin", REGTEST, 0)
    assert rules.unverified == {} and rules.state.chainwork == 202


def test_forks_link_only_to_their_own_parents():
    raises(BadGenesis, check_file, "testnet3_fork_000001_000002.bin", TESTNET3, 0)
    rules = HeaderRules(TESTNET3)
    rules.begin_at_genesis(TESTNET3.genesis_header, 0)
    with open(data_path("headers/testnet3_fork_000001_000002.bin"), "rb") as file:
        rules.extend(bytearray(file.read()), 0, 2, NOW)
    assert rules.state.height == 2
    # the stale block 823,226 of mainnet does not follow the tip of another height
    rules = check_file("mainnet_300000_300499.bin", MAINNET, 300000)
    with open(data_path("headers/mainnet_stale_823226.bin"), "rb") as file:
        raises(BadLink, rules.extend, bytearray(file.read()), 0, 1, NOW)


def test_a_wrong_network_is_refused():
    raises(BadGenesis, check_file, "signet_000000_002015.bin", MAINNET, 0)
    raises(BadGenesis, check_file, "mainnet_000000_010236.bin", TESTNET3, 0)
    raises(WrongBits, check_file, "mainnet_822528_830592.bin", TESTNET3, 822528)


def test_every_kind_of_flipped_byte_is_refused():
    for field, error_class in ((0, None), (4, BadLink), (36, None), (68, None), (72, None), (76, BadProofOfWork)):

        def flip(buffer, height, field=field):
            if height == 300096:
                buffer[HEADER_SIZE * 5 + field] ^= 1

        try:
            check_file("mainnet_300000_300499.bin", MAINNET, 300000, flip)
            error = None
        except LightClientError as found:
            error = found
        assert error is not None and error.height == 300101, field
        assert error_class is None or type(error) is error_class
