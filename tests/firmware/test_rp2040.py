"""The firmware image, booted on an emulated RP2040, with the real bridge session on its USB line (DESIGN: rung 3)."""

import re
from typing import Any

import pytest
from board_and_bridge import files_with, firmware_image
from board_scenario import RECORDING, cut_around_the_pulse, pay_and_forge, sync_with_power_cuts
from emulated_pico import EmulatedPico
from littlefs_image import read_image

from hardware.board import NO_DISPLAY, UNSET_CLOCK
from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE


def test_it_boots_without_settings_and_ctrl_c_gives_the_prompt() -> None:
    board = EmulatedPico(firmware_image())
    said = board.execute(
        "import gc, sys\n"
        "from lightclient import __version__\n"
        "import firmware.main\n"
        "gc.collect()\n"
        "print(sys.implementation[2], __version__, firmware.main.__file__, gc.mem_free())\n"
    )
    match = re.fullmatch(r"Raspberry Pi Pico with RP2040 ([\d.]+) (\S+) (\d+)\r\n", said)
    assert match and match[2] == "firmware/main.py", said  # frozen: no path of a file system
    assert int(match[3]) > 200 * 1024


def test_a_till_takes_a_list_of_addresses() -> None:
    """On the chip's own littlefs, in pieces; 4 of the 200 have had an invoice."""
    scripts = [(b"\0\x14" + bytes(19) + bytes([n])).hex() for n in range(1, 9)]
    till = {"items": [{"name": "Coffee", "amount": 5}], "addresses": scripts}
    board = EmulatedPico(firmware_image(), files_with({"network": "regtest", "till": till}))
    said = board.execute(
        "import json, os\n"
        "from firmware.control import Control\n"
        "from firmware.files import FolderFiles\n"
        "from firmware.till import TillRecord\n"
        "class Device:\n"
        "    face = None\n"
        "    is_paired = False\n"
        "    def restart_soon(self, why): print(why)\n"
        "record = TillRecord(FolderFiles('.'))\n"
        "record.next = 6\n"
        "record.save()\n"
        "control = Control(Device(), 'settings.json')\n"
        "for n in range(0, 200, 40):\n"
        "    piece = b''.join([b'\\x16\\x00\\x14' + (n + i + 3).to_bytes(20, 'big') for i in range(40)])\n"
        "    told = control.answer(11, memoryview(n.to_bytes(4, 'little') + piece))\n"
        "control.answer(12, memoryview(b'{\"addresses\": 200}'))\n"
        "till = json.load(open('settings.json'))['till']\n"
        "print(told[0][0], len(open('till.1').read().split()), till['addresses'])\n",
        60,
    )
    assert said.split("\r\n") == ["has a new till, and starts anew", "4 202 till.1", ""]


def test_frozen_machine_code_reads_its_large_constants() -> None:
    """Where it lay between two words of the flash, `_unpack` took a long gap in time for a wrong encoding."""
    headers = bytearray(RECORDING.headers[: 8 * HEADER_SIZE])
    for i in range(4, 8):  # a gap of 4096 seconds and more, with the bits as before
        at = i * HEADER_SIZE + 68
        headers[at : at + 4] = (int.from_bytes(headers[at : at + 4], "little") + 9953).to_bytes(4, "little")
    packed = bytearray(1024)
    count, size = pack_headers(headers, 0, 8, packed, 0, len(packed))
    said = EmulatedPico(firmware_image()).execute(
        "from lightclient.headers.compact import unpack_headers\n"
        f"out = bytearray({len(headers)})\n"
        f"unpack_headers({bytes(packed[:size])!r}, 0, {size}, {count}, out, 0)\n"
        "print(out.hex())\n"
    )
    unpacked = bytes.fromhex(said)
    for i in range(0, len(headers), HEADER_SIZE):  # prev_block_hash does not travel
        assert unpacked[i : i + 4] + unpacked[i + 36 : i + 80] == headers[i : i + 4] + headers[i + 36 : i + 80]


class Picos:
    inexact = 0.2

    def new(self, settings: dict[str, Any]) -> bytes:
        return files_with(settings)

    def start(self, files: bytes) -> EmulatedPico:
        return EmulatedPico(firmware_image(), files)


BOARDS = Picos()


@pytest.fixture(scope="module")
def synced() -> bytes:
    files: bytes = sync_with_power_cuts(BOARDS, "pico")
    return files


def test_it_verifies_a_payment_of_each_kind_and_believes_no_forged_one(synced: bytes) -> None:
    run = pay_and_forge(BOARDS, synced)
    log = read_image(run.files)["log.txt"].decode().splitlines()
    assert set(log) <= {NO_DISPLAY, UNSET_CLOCK} | {line for line in log if line.startswith(("paid", "refused"))}


def test_the_relay_closes_once_wherever_the_power_is_cut(synced: bytes) -> None:
    cut_around_the_pulse(BOARDS, synced)
