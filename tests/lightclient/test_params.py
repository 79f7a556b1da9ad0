from binascii import hexlify

from lightclient.hashes import hash_from_hex, hash_to_hex
from lightclient.headers.header import NONCE, block_hash, read_bits, read_merkle_root, read_time, read_version
from lightclient.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET3, TESTNET4
from lightclient.serialize import read_uint32_le

# Well-known: the hash of each network's first block, its time, bits and nonce.
GENESIS = (
    (MAINNET, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", 1231006505, 0x1D00FFFF, 2083236893),
    (TESTNET3, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", 1296688602, 0x1D00FFFF, 414098458),
    (TESTNET4, "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043", 1714777860, 0x1D00FFFF, 393743547),
    (SIGNET, "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", 1598918400, 0x1E0377AE, 52613770),
    (REGTEST, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", 1296688602, 0x207FFFFF, 2),
)
MERKLE_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
MERKLE_ROOT_TESTNET4 = "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e"


def test_genesis_headers_are_the_well_known_ones():
    assert len(GENESIS) == len(NETWORKS)
    for network, hash_hex, time, bits, nonce in GENESIS:
        header = network.genesis_header
        assert len(header) == 80
        assert block_hash(header, 0) == hash_from_hex(hash_hex)
        assert (read_version(header, 0), read_time(header, 0)) == (1, time)
        assert (read_bits(header, 0), read_uint32_le(header, NONCE)) == (bits, nonce)
        root = MERKLE_ROOT_TESTNET4 if network is TESTNET4 else MERKLE_ROOT
        assert hash_to_hex(read_merkle_root(header, 0)) == root


def test_the_whole_first_header_of_mainnet():
    assert hexlify(MAINNET.genesis_header) == (
        b"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f61"
        b"7fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    )


def test_networks_are_found_by_name_and_differ_where_they_should():
    for name, network in NETWORKS.items():
        assert network.name == name and not network.is_replay
    assert [n.allow_min_difficulty for n, _, _, _, _ in GENESIS] == [False, True, True, False, True]
    assert [n.bip94 for n, _, _, _, _ in GENESIS] == [False, False, True, False, False]
    assert [n.retargets for n, _, _, _, _ in GENESIS] == [True, True, True, True, False]
    assert [n.bech32_prefix for n, _, _, _, _ in GENESIS] == ["bc", "tb", "tb", "tb", "bcrt"]


def test_version_floors():
    assert MAINNET.minimum_version(227930) < 0
    assert [MAINNET.minimum_version(h) for h in (227931, 363724, 363725, 388380, 388381)] == [2, 2, 3, 3, 4]
    assert [TESTNET3.minimum_version(h) for h in (21111, 330776, 581885)] == [2, 3, 4]
    assert SIGNET.minimum_version(1) == 4 and SIGNET.minimum_version(0) < 4


def test_a_replay_is_a_copy_that_says_so():
    replay = MAINNET.replay(12345)
    assert replay.is_replay and replay.minimum_chainwork == 12345
    for name, value in vars_of(MAINNET).items():
        if name not in ("is_replay", "minimum_chainwork"):
            assert getattr(replay, name) == value, name
    assert MAINNET.minimum_chainwork == 0xDEE8E2A309AD8A9820433C68


def vars_of(thing):
    """`vars` does not exist on MicroPython."""
    return dict(thing.__dict__)
