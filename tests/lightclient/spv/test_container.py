from binascii import unhexlify

from proof_cases import proof_170

from lightclient.spv.container import KEYS, MAJOR, MAXIMUM, encode_proof


def test_every_byte_of_a_small_container():
    """The example of docs/PROOF.md in small: without coinbase, all values distinct."""
    container = encode_proof("regtest", 5, b"\xaa" * 80, b"\xbb" * 32, 0, 1, b"\xcc" * 60, b"\xdd" * 32)
    assert container == unhexlify(
        "a9" "0001" "0167" "72656774657374" "0205" "035850" + "aa" * 80 + "045820" + "bb" * 32 + "0500" "0601"
        "07583c" + "cc" * 60 + "085820" + "dd" * 32
    )  # fmt: skip


def test_coinbase_follows_last():
    short = encode_proof("regtest", 5, b"\xaa" * 80, b"\xbb" * 32, 1, 1, b"\xcc" * 60, b"\xdd" * 32)
    long = encode_proof("regtest", 5, b"\xaa" * 80, b"\xbb" * 32, 1, 1, b"\xcc" * 60, b"\xdd" * 32, b"\xee", b"\xff")
    assert short[0] == 0xA9 and long[0] == 0xAB
    assert long[1:] == short[1:] + unhexlify("0941ee0a41ff")


def test_heads_are_the_shortest():
    container = encode_proof("mainnet", 830000, b"", b"", 70000, 17, bytes(300), b"")
    assert unhexlify("021a000caa30") in container
    assert unhexlify("051a0001117006110759012c") in container


def test_size_of_block_170():
    assert len(proof_170()) == 623


def test_tables_go_together():
    assert len(KEYS) == len(MAJOR) == len(MAXIMUM) == 12
