"""A QR code of a payment URI (BIP21) for a display of 64 rows: version 3, level L, two pixels a module.

29 modules are 58 pixels high, with 3 left on each side. That takes 55 bytes: `BITCOIN:BC1Q...` in capitals
(a witness address is the same in both cases, and capitals take 5.5 bits each), `?amount=`, a number. One size
needs no interleaving and one alignment pattern only (ISO/IEC 18004, of which the chapters are cited).
"""

from lightclient.compat import const
from lightclient.errors import LimitExceeded

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from hardware.canvas import Canvas

SIZE = const(29)  # modules
_DATA = const(55)  # codewords (7.5.1: version 3-L)
_CHECK = const(15)
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"  # 7.3.4
# Coefficients of the generator polynomial of 15 check codewords, without the first (annex A).
_GENERATOR = b"\x1d\xc4\x6f\xa3\x70\x4a\x0a\x69\x69\x8b\x84\x97\x20\x86\x1a"
_FORMATS = (0x77C4, 0x72F3, 0x7DAA, 0x789D)  # level L with masks 0 to 3 (annex C)
_ALL = const(0x1FFFFFFF)  # a row of 29 modules, the leftmost in bit 0


def payment_uri(address: str, amount: int) -> "list[str]":
    """The parts of a BIP21 URI; `amount` is in satoshis. A witness address is put into capitals."""
    if address[:3].lower() in ("bc1", "tb1", "bcr"):
        parts = ["BITCOIN:" + address.upper()]
    else:
        parts = ["BITCOIN:", address]
    return parts + ["?amount=", bitcoins(amount)]


def bitcoins(amount: int) -> str:
    """Satoshis as a decimal number of bitcoins: "0.0001"."""
    whole, rest = divmod(amount, 100_000_000)
    fraction = ("%08d" % rest).rstrip("0")
    return str(whole) + ("." + fraction if fraction else "")


def encode(parts: "list[str]") -> "list[int]":
    """The code as 29 rows, a dark module is 1. Each part is written in the shorter of two ways.

    Raises LimitExceeded when they do not fit.
    """
    codewords = _codewords(parts)
    _append_check(codewords)
    fixed = [_fixed(y) for y in range(SIZE)]
    data = _place(codewords, fixed)
    best: "list[int]" = []
    lowest = 0
    for mask in range(len(_FORMATS)):
        rows = [data[y] ^ _mask(mask, y) & ~fixed[y] & _ALL for y in range(SIZE)]
        _draw_patterns(rows)
        _draw_format(rows, _FORMATS[mask])
        penalty = _penalty(rows)
        if not best or penalty < lowest:
            best = rows
            lowest = penalty
    return best


def draw(canvas: "Canvas", rows: "list[int]", x: int, y: int) -> None:
    """Dark modules onto a light ground, two pixels each."""
    for row in rows:
        for column in range(SIZE):
            if row >> column & 1:
                canvas.darken(x + 2 * column, y)
        y += 2


def _codewords(parts: "list[str]") -> bytearray:
    """The data codewords, padded (7.4). They have room for the check codewords behind them."""
    bits: "list[tuple[int, int]]" = []  # (value, how many bits)
    for part in parts:
        if all(letter in _ALPHANUMERIC for letter in part):
            bits.append((2, 4))
            bits.append((len(part), 9))
            for i in range(0, len(part) - 1, 2):
                bits.append((45 * _ALPHANUMERIC.find(part[i]) + _ALPHANUMERIC.find(part[i + 1]), 11))
            if len(part) % 2:
                bits.append((_ALPHANUMERIC.find(part[-1]), 6))
        else:
            bits.append((4, 4))
            bits.append((len(part), 8))
            for byte in part.encode():
                bits.append((byte, 8))
    length = sum([count for _, count in bits])
    if length > 8 * _DATA:
        raise LimitExceeded("%d bits, a QR code of version 3 has %d" % (length, 8 * _DATA))
    out = bytearray(_DATA + _CHECK)
    at = 0
    for value, count in bits:
        for i in range(count - 1, -1, -1):
            if value >> i & 1:
                out[at >> 3] |= 0x80 >> (at & 7)
            at += 1
    at = (min(at + 4, 8 * _DATA) + 7) // 8  # a terminator of up to four zeros, then whole bytes
    for i in range(at, _DATA):
        out[i] = 0x11 if (i - at) % 2 else 0xEC
    return out


def _append_check(codewords: bytearray) -> None:
    """Reed-Solomon over GF(256): the remainder of the data by the generator polynomial (7.5.2)."""
    check = bytearray(_CHECK)
    for i in range(_DATA):
        factor = codewords[i] ^ check[0]
        for j in range(_CHECK - 1):
            check[j] = check[j + 1] ^ _multiply(_GENERATOR[j], factor)
        check[_CHECK - 1] = _multiply(_GENERATOR[_CHECK - 1], factor)
    codewords[_DATA:] = check


def _multiply(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return product


def _fixed(y: int) -> int:
    """The modules of a row that carry no data: finders, timing, alignment, format (7.3)."""
    if y == 6:
        return _ALL
    row = 1 << 6
    if y < 9:
        row |= 0x1FF | 0xFF << SIZE - 8
    elif y >= SIZE - 8:
        row |= 0x1FF
    if 20 <= y <= 24:
        row |= 0x1F << 20
    return row


def _place(codewords: bytearray, fixed: "list[int]") -> "list[int]":
    """In columns two wide from the right, up and down in turns; the bits that are left over are 0 (7.7.3)."""
    rows = [0] * SIZE
    at = 0
    upwards = True
    right = SIZE - 1
    while right > 0:
        if right == 6:  # the column of the timing pattern
            right = 5
        for step in range(SIZE):
            y = SIZE - 1 - step if upwards else step
            for x in (right, right - 1):
                if not fixed[y] >> x & 1:
                    if at < 8 * len(codewords) and codewords[at >> 3] & 0x80 >> (at & 7):
                        rows[y] |= 1 << x
                    at += 1
        upwards = not upwards
        right -= 2
    return rows


def _mask(mask: int, y: int) -> int:
    """A row of one of the masks 0 to 3, whose rows repeat after three modules at most (7.8.2)."""
    if mask == 0:
        return 0x15555555 >> (y & 1)
    if mask == 1:
        return 0 if y & 1 else _ALL
    if mask == 2:
        return 0x09249249
    return (0x09249249, 0x04924924, 0x12492492)[y % 3]  # (x + y) % 3 == 0


def _draw_patterns(rows: "list[int]") -> None:
    for i in range(7):
        finder = 0x7F if i in (0, 6) else 0x41 if i in (1, 5) else 0x5D
        rows[i] |= finder | finder << SIZE - 7
        rows[SIZE - 7 + i] |= finder
    for i in range(5):
        rows[20 + i] |= (0x1F if i in (0, 4) else 0x11 if i in (1, 3) else 0x15) << 20
    for i in range(8, SIZE - 8, 2):
        rows[6] |= 1 << i
        rows[i] |= 1 << 6
    rows[SIZE - 8] |= 1 << 8  # the one that is always dark


def _draw_format(rows: "list[int]", bits: int) -> None:
    """Level and mask, twice (7.9.1)."""
    for i in range(15):
        if bits >> i & 1:
            if i < 8:
                rows[i if i < 6 else i + 1] |= 1 << 8
                rows[8] |= 1 << SIZE - 1 - i
            else:
                rows[8] |= 1 << (7 if i == 8 else 14 - i)
                rows[SIZE - 15 + i] |= 1 << 8


def _penalty(rows: "list[int]") -> int:
    """How hard it is to read: squares of one colour, runs along a row, what looks like a finder (7.8.3, in part)."""
    penalty = 0
    for y in range(SIZE):
        row = rows[y]
        alike = ~(row ^ row >> 1) & _ALL >> 1  # equal to the right neighbour
        penalty += _ones(alike & alike >> 1 & alike >> 2 & alike >> 3)
        for shift in range(SIZE - 10):
            if row >> shift & 0x7FF in (0x05D, 0x5D0):
                penalty += 40
        if y:
            above = rows[y - 1]
            same = ~(row ^ above) & _ALL
            penalty += 3 * _ones(alike & ~(above ^ above >> 1) & same & same >> 1)
    return penalty


def _ones(value: int) -> int:
    return bin(value).count("1")
