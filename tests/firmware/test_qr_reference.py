"""The small QR encoder against segno, an independent one."""

import importlib.util
import random

from support import require

from firmware.qr import _ALPHANUMERIC, _FORMATS, encode, payment_uri
from host_bridge.payments.address import address_of as reference_address
from lightclient.address import address_of
from lightclient.params import NETWORKS


def segno_rows(parts: list[str], mask: int) -> list[int]:
    from segno import consts, encoder  # noqa: PLC0415 - of the `dev` extra

    segments = encoder.Segments()
    for part in parts:
        alphanumeric = all(letter in _ALPHANUMERIC for letter in part)
        segments.add_segment(encoder.make_segment(part, consts.MODE_ALPHANUMERIC if alphanumeric else consts.MODE_BYTE))
    code = encoder._encode(segments, consts.ERROR_LEVEL_L, 3, mask, False, False)
    return [sum(bool(module) << x for x, module in enumerate(row)) for row in code.matrix]


def test_codes_are_those_of_an_independent_encoder() -> None:
    require(importlib.util.find_spec("segno") is not None, "segno is not installed (extra: dev)")
    chance = random.Random(3)
    masks = set()
    for _ in range(60):
        script = chance.choice([b"\x00\x14" + chance.randbytes(20), b"\xa9\x14" + chance.randbytes(20) + b"\x87"])
        address = address_of(script, chance.choice(list(NETWORKS.values())))
        parts = payment_uri(address, chance.randrange(1, 10 ** chance.randrange(1, 10)))
        if address[0] not in "bt":
            parts = parts[:-2]
        if len(address) == 44:
            parts[-1] = parts[-1][:9]
        rows = encode(parts)
        found = [mask for mask in range(len(_FORMATS)) if segno_rows(parts, mask) == rows]
        assert len(found) == 1, parts
        masks.add(found[0])
    assert len(masks) > 1


def test_addresses_are_those_of_embit() -> None:
    chance = random.Random(4)
    for network in NETWORKS.values():
        for _ in range(50):
            short, long = chance.randbytes(20), chance.randbytes(32)
            scripts = [b"\x76\xa9\x14" + short + b"\x88\xac", b"\xa9\x14" + short + b"\x87"]
            for script in [*scripts, b"\x00\x14" + short, b"\x00\x20" + long, b"\x51\x20" + long]:
                assert address_of(script, network) == reference_address(script, network)
