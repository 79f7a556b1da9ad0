from binascii import unhexlify
from hashlib import sha256

from known_blocks import (
    BLOCK_170_TRANSACTIONS,
    BLOCK_170_TXIDS_HEX,
    BLOCK_100000_TRANSACTIONS,
    BLOCK_100000_TXIDS_HEX,
    feed,
)
from support import IS_MICROPYTHON, cases, heap_used, hex_field, raises

from lightclient.errors import (
    LightClientError,
    LimitExceeded,
    NonCanonicalEncoding,
    SixtyFourByteTransaction,
    TrailingData,
    TruncatedInput,
)
from lightclient.hashes import hash256, hash_from_hex, hash_to_hex
from lightclient.limits import MAX_MONEY, MAX_TRANSACTION_SIZE
from lightclient.spv.transaction import TransactionWalk

INPUT = bytes(range(32)) + b"\x01\x00\x00\x00" + b"\x00" + b"\xff\xff\xff\xff"
LOCK_TIME = b"\x11\x22\x33\x44"


def output(value, script):
    return value.to_bytes(8, "little") + bytes([len(script)]) + script


ONE_OUTPUT = (output(5, b"\x51"),)


def transaction(inputs=(INPUT,), outputs=ONE_OUTPUT, witness=None, flag=b"\x00\x01"):
    """Serialize; `witness` is a list of items for each input."""
    data = b"\x02\x00\x00\x00" + (b"" if witness is None else flag)
    data += bytes([len(inputs)]) + b"".join(inputs) + bytes([len(outputs)]) + b"".join(outputs)
    for items in witness or ():
        data += bytes([len(items)]) + b"".join([bytes([len(item)]) + item for item in items])
    return data + LOCK_TIME


def walk(data, script_pubkey=None, piece=0, size=-1):
    parser = TransactionWalk()
    parser.begin(len(data) if size < 0 else size, script_pubkey)
    feed(parser, data, piece)
    parser.close()
    return parser


def test_well_known_txids():
    for i in range(4):
        found = walk(BLOCK_100000_TRANSACTIONS[i])
        assert hash_to_hex(found.txid) == BLOCK_100000_TXIDS_HEX[i]
        assert found.is_coinbase == (i == 0)
        assert found.stripped_size == len(BLOCK_100000_TRANSACTIONS[i])
    for i in range(2):
        assert hash_to_hex(walk(BLOCK_170_TRANSACTIONS[i]).txid) == BLOCK_170_TXIDS_HEX[i]


def test_pays_hal_finney_ten_coins():
    data = BLOCK_170_TRANSACTIONS[1]
    to_finney = unhexlify(
        "4104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414"
        "e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac"
    )
    for piece in (0, 1, 3, 64):
        found = walk(data, to_finney, piece)
        assert (found.matches, found.output_index, found.output_value) == (1, 0, 1000000000)
    assert walk(data, to_finney[:-1]).matches == 0
    assert walk(data, to_finney[:-1] + b"\xad").matches == 0
    assert walk(data, to_finney[1:] + b"\xac").matches == 0


def test_coinbase_script():
    found = walk(BLOCK_100000_TRANSACTIONS[0])
    assert found.coinbase_script_size == 8
    assert found.coinbase_prefix == unhexlify("044c86041b02")
    assert walk(BLOCK_100000_TRANSACTIONS[0], None, 1).coinbase_prefix == unhexlify("044c86041b02")


def test_largest_output_counts():
    wanted = b"\x52\x53"
    outputs = (output(3, wanted), output(9, b"\x52\x54"), output(7, wanted), output(7, wanted), output(8, wanted[:1]))
    found = walk(transaction(outputs=outputs), wanted)
    assert (found.matches, found.output_index, found.output_value) == (3, 2, 7)
    found = walk(transaction(outputs=(output(0, wanted),)), wanted)
    assert (found.matches, found.output_index, found.output_value) == (1, 0, 0)
    assert walk(transaction(outputs=outputs)).matches == 0


def test_one_walk_serves_many():
    parser = TransactionWalk()
    for data in BLOCK_100000_TRANSACTIONS + BLOCK_170_TRANSACTIONS:
        parser.begin(len(data))
        feed(parser, data, 50)
        parser.close()
        assert parser.txid == hash256(data)


def test_witness_is_left_out():
    plain = transaction(inputs=(INPUT, INPUT))
    for witness in ([[b"abc", b""], []], [[], [b""]], [[b"x" * 100] * 20, [b"y"]]):
        data = transaction(inputs=(INPUT, INPUT), witness=witness)
        for piece in (0, 1, 5):
            found = walk(data, None, piece)
            assert found.txid == hash256(plain)
            assert found.stripped_size == len(plain)


def test_superfluous_witness():
    raises(NonCanonicalEncoding, walk, transaction(outputs=(output(5, b"\x51\x52"),), witness=[[]]))
    raises(NonCanonicalEncoding, walk, transaction(inputs=(INPUT, INPUT), witness=[[], []]))


def test_marker_and_flag():
    for flag in (b"\x00\x00", b"\x00\x02", b"\x00\x81"):
        raises(NonCanonicalEncoding, walk, transaction(witness=[[b"a"]], flag=flag))
    # a marker, and then no inputs after all
    raises(NonCanonicalEncoding, walk, transaction(inputs=(), outputs=(output(1, b"a" * 60),), witness=[]))


def test_no_inputs_no_outputs():
    raises(NonCanonicalEncoding, walk, b"\x02\x00\x00\x00\x00\x00" + bytes(60))
    # room for one smallest output, so that it is the count that is refused
    raises(NonCanonicalEncoding, walk, transaction(outputs=()) + bytes(9))


def test_sixty_four_bytes():
    error = raises(SixtyFourByteTransaction, walk, transaction(outputs=(output(5, b"\x51" * 4),)))
    assert "64" in str(error)
    assert walk(transaction(outputs=(output(5, b"\x51" * 3),))).stripped_size == 63
    # with witness the size is another, the txid still covers 64 bytes
    raises(SixtyFourByteTransaction, walk, transaction(outputs=(output(5, b"\x51" * 4),), witness=[[b"a"]]))
    # and 64 bytes with witness in them are refused as well
    data = transaction(outputs=(output(5, b""),), witness=[[]])
    raises(SixtyFourByteTransaction, walk, data + bytes(64 - len(data)))


def test_sizes():
    raises(LimitExceeded, TransactionWalk().begin, MAX_TRANSACTION_SIZE + 1)
    for size in (0, 1, 59):
        raises(TruncatedInput, TransactionWalk().begin, size)
    TransactionWalk().begin(60)
    TransactionWalk().begin(MAX_TRANSACTION_SIZE)


def test_every_cut():
    for data in (BLOCK_170_TRANSACTIONS[1], transaction(inputs=(INPUT, INPUT), witness=[[b"abc", b"d"], []])):
        for size in range(len(data)):
            if size == 64:
                raises(SixtyFourByteTransaction, walk, data[:size])
                continue
            raises(TruncatedInput, walk, data[:size])
            # announced whole, but not all of it came
            raises(TruncatedInput, walk, data[:size], None, 0, len(data))


def test_left_over():
    for data in (BLOCK_170_TRANSACTIONS[1], transaction(witness=[[b"abc"]])):
        raises(TrailingData, walk, data + b"\x00")
        raises(TrailingData, walk, data + b"\x00", None, 1, len(data))


def test_claims_that_cannot_fit_are_refused_at_once():
    """The claim alone has come, not what it claims."""
    head = b"\x02\x00\x00\x00"
    one_input = head + b"\x01" + INPUT
    claims = (
        (TruncatedInput, head + b"\x03"),
        (TruncatedInput, head + b"\xfd\xff\x00"),
        (LimitExceeded, head + b"\xfe\xff\xff\xff\x7f"),
        (LimitExceeded, head + b"\xff" + b"\xff" * 8),
        (TruncatedInput, head + b"\x01" + INPUT[:36] + b"\xfd\x00\x01"),
        (LimitExceeded, head + b"\x01" + INPUT[:36] + b"\xfe\xff\xff\xff\xff"),
        (TruncatedInput, one_input + b"\x08"),
        (LimitExceeded, one_input + b"\xff" + b"\xff" * 8),
        (TruncatedInput, one_input + b"\x01" + bytes(8) + b"\x40"),
        (LimitExceeded, one_input + b"\x01" + bytes(8) + b"\xff" + b"\xff" * 8),
    )
    for error_class, data in claims:
        parser = TransactionWalk()
        parser.begin(110)
        raises(error_class, parser.feed, data, 0, len(data))


def test_claims_in_witness():
    head = transaction(witness=[])[:-4]
    for error_class, claim in (
        (TruncatedInput, b"\x20"),
        (LimitExceeded, b"\xff" + b"\xff" * 8),
        (TruncatedInput, b"\x01\x20"),
        (LimitExceeded, b"\x01\xfe\xff\xff\xff\xff"),
    ):
        parser = TransactionWalk()
        parser.begin(len(head) + 20)
        raises(error_class, parser.feed, head + claim, 0, len(head) + len(claim))


def test_overlong_compact_sizes():
    head = b"\x02\x00\x00\x00"
    rest = b"\x01" + output(5, b"\x51") + LOCK_TIME
    for data in (
        head + b"\xfd\x01\x00" + INPUT + rest,
        head + b"\xfe\x01\x00\x00\x00" + INPUT + rest,
        head + b"\xff\x01" + bytes(7) + INPUT + rest,
        head + b"\x01" + INPUT[:36] + b"\xfd\x00\x00" + INPUT[37:] + rest,
        head + b"\x01" + INPUT + b"\xfd" + b"\x01\x00" + rest[1:],
        head + b"\x01" + INPUT + b"\x01" + bytes(8) + b"\xfd\x01\x00\x51" + LOCK_TIME,
        head + b"\x00\x01\x01" + INPUT + rest[:-4] + b"\xfd\x01\x00\x01\x51" + LOCK_TIME,
        head + b"\x00\x01\x01" + INPUT + rest[:-4] + b"\x01\xfd\x01\x00\x51" + LOCK_TIME,
    ):
        assert len(data) != 64
        raises(NonCanonicalEncoding, walk, data)
        raises(NonCanonicalEncoding, walk, data, None, 1)


def test_money():
    assert walk(transaction(outputs=(output(MAX_MONEY, b"a"),)), b"a").output_value == MAX_MONEY
    raises(LimitExceeded, walk, transaction(outputs=(output(MAX_MONEY + 1, b"a"),)))
    raises(LimitExceeded, walk, transaction(outputs=(output(MAX_MONEY, b"a"), output(1, b"a"))))
    raises(LimitExceeded, walk, transaction(outputs=(output(0xFFFFFFFFFFFFFFFF, b"a"),)))


def test_every_flip_is_another_txid_or_refused():
    data = transaction(inputs=(INPUT, INPUT), witness=[[b"abc", b"d"], []])
    txid = walk(data).txid
    plain = walk(transaction(inputs=(INPUT, INPUT))).stripped_size
    witness = (plain - 4 + 2, len(data) - 4)  # behind marker and flag, before lock_time
    for i in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[i] ^= 1 << bit
            try:
                found = walk(bytes(changed)).txid
            except LightClientError:
                continue
            assert (found == txid) == (witness[0] <= i < witness[1]), (i, bit)


def test_real_transactions():
    """Each has its txid, with witness and without, whole and in pieces."""
    count = 0
    for case in cases("proofs/proofs_valid_from_blocks.json"):
        data = hex_field(case, "tx_hex")
        txid = hash_from_hex(case["txid"])
        assert walk(data).txid == walk(data, None, 7).txid == txid
        stripped = hex_field(case, "tx_stripped_hex")
        if stripped is not None:
            assert walk(stripped).txid == txid
            assert walk(data).stripped_size == len(stripped)
        count += 1
    assert count == 112


def big_transaction(in_witness):
    """1,000,000 bytes and more as pieces of 512: (size, txid, function that yields them)."""
    script = b"\xfe" + (1000000).to_bytes(4, "little")
    head = b"\x02\x00\x00\x00"
    if in_witness:
        before = head + b"\x00\x01\x01" + INPUT + b"\x01" + output(5, b"\x51") + b"\x01" + script
        txid = hash256(head + b"\x01" + INPUT + b"\x01" + output(5, b"\x51") + LOCK_TIME)
    else:
        before = head + b"\x01" + INPUT + b"\x01" + bytes(8) + script
        inner = sha256(before)
        for _ in range(1000):
            inner.update(b"\xab" * 1000)
        inner.update(LOCK_TIME)
        txid = sha256(inner.digest()).digest()

    def pieces(buffer):
        """Fill the one buffer again and again; yields how much of it holds."""
        buffer[: len(before)] = before
        yield len(before)
        for i in range(512):
            buffer[i] = 0xAB
        left = 1000000
        while left:
            count = min(left, 512)
            yield count
            left -= count
        buffer[:4] = LOCK_TIME
        yield 4

    return len(before) + 1000000 + 4, txid, pieces


def test_a_megabyte_in_constant_memory():
    buffer = bytearray(512)
    for in_witness in (False, True):
        size, txid, pieces = big_transaction(in_witness)
        parser = TransactionWalk()
        before = heap_used()
        peak = before
        parser.begin(size, b"\x51")
        for count in pieces(buffer):
            parser.feed(buffer, 0, count)
            if parser.position % 16384 < 512:
                peak = max(peak, heap_used())
        parser.close()
        assert parser.txid == txid
        assert peak - before < 4096
        if IS_MICROPYTHON:
            print("transaction of", size, "bytes: heap grew by", peak - before)
