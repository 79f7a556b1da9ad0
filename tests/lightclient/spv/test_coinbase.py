from known_blocks import BLOCK_170_TRANSACTIONS, feed
from support import raises

from lightclient.errors import HeightMismatch, NotACoinbase
from lightclient.params import MAINNET, REGTEST, TESTNET3
from lightclient.spv.coinbase import check_coinbase, height_script, is_coinbase
from lightclient.spv.transaction import TransactionWalk

NULL_PREVOUT = bytes(32) + b"\xff\xff\xff\xff"


def walk(script, prevout=NULL_PREVOUT, inputs=1, piece=0):
    one = prevout + bytes([len(script)]) + script + b"\xff\xff\xff\xff"
    data = b"\x02\x00\x00\x00" + bytes([inputs]) + one * inputs + b"\x01" + bytes(8) + b"\x09abcdefghi" + bytes(4)
    parser = TransactionWalk()
    parser.begin(len(data))
    feed(parser, data, piece)
    parser.close()
    return parser


def test_height_script_is_what_core_pushes():
    """CScript() << height"""
    for height, script in (
        (0, b"\x00"),
        (1, b"\x51"),
        (16, b"\x60"),
        (17, b"\x01\x11"),
        (127, b"\x01\x7f"),
        (128, b"\x02\x80\x00"),
        (255, b"\x02\xff\x00"),
        (256, b"\x02\x00\x01"),
        (32767, b"\x02\xff\x7f"),
        (32768, b"\x03\x00\x80\x00"),
        (227931, b"\x03\x5b\x7a\x03"),
        (8388607, b"\x03\xff\xff\x7f"),
        (8388608, b"\x04\x00\x00\x80\x00"),
    ):
        assert height_script(height) == script, height


def test_height_counts_where_bip34_is_active():
    for height in (1, 16, 17, 128, 800000):
        for piece in (0, 1):
            check_coinbase(walk(height_script(height) + b"\x00\x00", piece=piece), REGTEST, height)
        raises(HeightMismatch, check_coinbase, walk(height_script(height) + b"\x00\x00"), REGTEST, height + 1)
    check_coinbase(walk(b"\x00\x00"), REGTEST, 0)
    check_coinbase(walk(b"\x00\x00"), MAINNET, 227930)
    raises(HeightMismatch, check_coinbase, walk(b"\x00\x00"), MAINNET, 227931)
    check_coinbase(walk(b"\x00\x00"), TESTNET3, 21110)
    raises(HeightMismatch, check_coinbase, walk(b"\x00\x00"), TESTNET3, 21111)


def test_push_must_be_the_one_core_makes():
    raises(HeightMismatch, check_coinbase, walk(b"\x01\x05\x00"), REGTEST, 5)  # OP_5 belongs there
    raises(HeightMismatch, check_coinbase, walk(b"\x02\x11\x00"), REGTEST, 17)
    raises(HeightMismatch, check_coinbase, walk(b"\x4c\x01\x11"), REGTEST, 17)  # OP_PUSHDATA1
    raises(HeightMismatch, check_coinbase, walk(b"\x02\x80"), REGTEST, 128)  # cut off; sequence follows
    raises(HeightMismatch, check_coinbase, walk(b"\x03\x00\x80\xff"), REGTEST, 32768)


def test_script_length():
    check_coinbase(walk(b"\x51\x00"), REGTEST, 1)
    check_coinbase(walk(b"\x51" + bytes(99)), REGTEST, 1)
    raises(NotACoinbase, check_coinbase, walk(b"\x51"), REGTEST, 1)
    raises(NotACoinbase, check_coinbase, walk(b"\x51" + bytes(100)), REGTEST, 1)
    assert not is_coinbase(walk(b""))


def test_prevout_must_be_null_and_alone():
    script = b"\x51\x00"
    raises(NotACoinbase, check_coinbase, walk(script, bytes(36)), REGTEST, 1)
    raises(NotACoinbase, check_coinbase, walk(script, b"\x01" + NULL_PREVOUT[1:]), REGTEST, 1)
    raises(NotACoinbase, check_coinbase, walk(script, bytes(32) + b"\xff\xff\xff\x7f"), REGTEST, 1)
    raises(NotACoinbase, check_coinbase, walk(script, inputs=2), REGTEST, 1)
    parser = TransactionWalk()
    parser.begin(len(BLOCK_170_TRANSACTIONS[1]))
    feed(parser, BLOCK_170_TRANSACTIONS[1])
    raises(NotACoinbase, check_coinbase, parser, MAINNET, 170)
    assert not is_coinbase(parser)
