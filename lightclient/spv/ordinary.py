"""An ordinary transaction, looked through by machine code: where its parts are, and what it pays.

It decides nothing: what is in any way unusual is left to transaction.py, which says what is refused, and why.
"""

from lightclient.compat import const, micropython, ptr8, ptr32

# Words of what `look_through` finds. Names with an underscore are numbers to the compiler.
_BODY = const(0)  # where the count of inputs stands
_BODY_END = const(1)  # after the last output
_ONE_INPUT = const(2)  # 1 where there is one only: it may be a coinbase's
_SCRIPT = const(3)  # the first input's script, and its size
_SCRIPT_SIZE = const(4)
_MATCHES = const(5)  # outputs that pay the script_pubkey wanted
_LARGEST = const(6)  # the largest of them, the first among equals, and where it stands
_LARGEST_AT = const(7)

BODY = _BODY
BODY_END = _BODY_END
ONE_INPUT = _ONE_INPUT
SCRIPT = _SCRIPT
SCRIPT_SIZE = _SCRIPT_SIZE
MATCHES = _MATCHES
LARGEST = _LARGEST
LARGEST_AT = _LARGEST_AT
WORDS = const(8)

_MAX_MONEY_HIGH = const(0x775F05A)  # MAX_MONEY >> 24
_SMALLEST = const(60)  # MIN_TRANSACTION_SIZE


@micropython.viper
def look_through(data, at: int, end: int, wanted, wanted_size: int, found) -> int:  # type: ignore[no-untyped-def]
    """1 if `data[at:end]` is an ordinary transaction, its parts then in `found`; 0 if it may be something else.

    Ordinary: well-formed, under 253 inputs, outputs and witness items of each input, sizes of 1 or 3 bytes, and no
    more money than there is, however the amounts' lower 24 bits are rounded. Machine words: see compat.py.
    """
    source = ptr8(data)
    script = ptr8(wanted)
    words = ptr32(found)
    if end - at < _SMALLEST:
        return 0
    at += 4
    segwit = 0
    if source[at] == 0:  # BIP144: the marker
        if source[at + 1] != 1:
            return 0
        segwit = 1
        at += 2
    words[_BODY] = at
    inputs = source[at]
    if inputs == 0 or inputs > 252:
        return 0
    words[_ONE_INPUT] = 1 if inputs == 1 else 0
    at += 1
    i = 0
    while i < inputs:
        at += 36
        if at + 3 > end:
            return 0
        size = source[at]
        at += 1
        if size > 252:
            if size != 253:
                return 0
            size = source[at] | source[at + 1] << 8
            if size < 253:
                return 0
            at += 2
        if i == 0:
            words[_SCRIPT] = at
            words[_SCRIPT_SIZE] = size
        at += size + 4
        if at >= end:
            return 0
        i += 1
    outputs = source[at]
    if outputs == 0 or outputs > 252:
        return 0
    at += 1
    total = 0
    matches = 0
    largest = 0
    largest_high = 0
    largest_low = 0
    i = 0
    while i < outputs:
        value = at
        at += 8
        if at + 3 > end:
            return 0
        if source[value + 7] != 0 or source[value + 6] > 7:
            return 0
        low = source[value] | source[value + 1] << 8 | source[value + 2] << 16
        high = source[value + 3] | source[value + 4] << 8 | source[value + 5] << 16 | source[value + 6] << 24
        total += high + 1
        if total > _MAX_MONEY_HIGH:
            return 0
        size = source[at]
        at += 1
        if size > 252:
            if size != 253:
                return 0
            size = source[at] | source[at + 1] << 8
            if size < 253:
                return 0
            at += 2
        if at + size >= end:
            return 0
        if size == wanted_size:
            j = 0
            while j < size and source[at + j] == script[j]:
                j += 1
            if j == size:
                matches += 1
                if matches == 1 or high > largest_high or (high == largest_high and low > largest_low):
                    largest = i
                    largest_high = high
                    largest_low = low
                    words[_LARGEST_AT] = value
        at += size
        i += 1
    words[_BODY_END] = at
    words[_MATCHES] = matches
    words[_LARGEST] = largest
    if segwit != 0:
        any_item = 0
        i = 0
        while i < inputs:
            items = source[at]
            if items > 252:
                return 0
            any_item |= items
            at += 1
            while items > 0:
                if at + 3 > end:
                    return 0
                size = source[at]
                at += 1
                if size > 252:
                    if size != 253:
                        return 0
                    size = source[at] | source[at + 1] << 8
                    if size < 253:
                        return 0
                    at += 2
                at += size
                items -= 1
            if at >= end:
                return 0
            i += 1
        if any_item == 0:
            return 0
    return 1 if at + 4 == end else 0
