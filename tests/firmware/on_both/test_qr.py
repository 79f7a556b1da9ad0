"""QR codes: the whole code is compared in test_qr_reference.py; here what must hold on both Pythons."""

from support import raises

from firmware.qr import SIZE, bitcoins, draw, encode, payment_uri
from hardware.canvas import Canvas
from lightclient.errors import LimitExceeded

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TAPROOT = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
BASE58 = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"


def test_a_uri():
    assert payment_uri(ADDRESS, 10_000) == ["BITCOIN:" + ADDRESS.upper(), "?amount=", "0.0001"]
    assert payment_uri(BASE58, 100_000_000) == ["BITCOIN:", BASE58, "?amount=", "1"]


def test_amounts():
    for amount, text in (
        (1, "0.00000001"),
        (10_000, "0.0001"),
        (100_000_000, "1"),
        (2_100_000_000_000_000, "21000000"),
    ):
        assert bitcoins(amount) == text
    assert bitcoins(123_456_789) == "1.23456789"


def test_what_fits():
    assert len(encode(payment_uri(ADDRESS, 2_099_999_999_999_999)[:1])) == SIZE
    encode(payment_uri(ADDRESS, 9_999_999_999))
    encode(payment_uri(TAPROOT, 1)[:1])
    encode(payment_uri(BASE58, 1)[:2])
    raises(LimitExceeded, encode, payment_uri(TAPROOT, 1))
    raises(LimitExceeded, encode, payment_uri(BASE58, 12_345))
    raises(LimitExceeded, encode, ["A" * 200])


def test_the_patterns_that_every_code_has():
    for amount in (1, 10_000, 99_999_999):
        rows = encode(payment_uri(ADDRESS, amount))
        assert len(rows) == SIZE and max(rows) < 1 << SIZE
        for y in (0, 6):
            assert rows[y] & 0x7F == 0x7F and rows[y] >> 22 == 0x7F and rows[22 + y] & 0x7F == 0x7F
        assert rows[3] & 0x7F == 0x5D and rows[7] & 0xFF == 0 and rows[22] >> 20 & 0x1F == 0x15
        assert [rows[6] >> x & 1 for x in range(8, 21)] == [1, 0] * 6 + [1]


def test_it_is_drawn_dark_on_light():
    rows = encode(payment_uri(ADDRESS, 10_000))
    canvas = Canvas()
    canvas.light(0, 64)
    draw(canvas, rows, 3, 3)
    buffer = canvas.buffer
    for y in range(64):
        for x in range(64):
            module_x, module_y = (x - 3) // 2, (y - 3) // 2
            dark = 0 <= module_x < SIZE and 0 <= module_y < SIZE and rows[module_y] >> module_x & 1
            assert buffer[(y >> 3) * 128 + x] >> (y & 7) & 1 == (0 if dark else 1)
        assert buffer[(y >> 3) * 128 + 64 :][:64] == bytes(64)
