"""The firmware image, booted on an emulated RP2040, with the real bridge session on its USB line (DESIGN: rung 3)."""

import random
import re

import pytest
from board_and_bridge import BoardAndBridge, files_with, firmware_image
from emulated_pico import EmulatedPico
from littlefs_image import read_image

from hardware.board import NO_DISPLAY, UNSET_CLOCK
from host_bridge.demo.recording import Recording
from host_bridge.demo.script import script_from_recording
from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import FoundPayment
from lightclient.errors import AlreadyActed
from lightclient.headers.compact import pack_headers
from lightclient.limits import HEADER_SIZE
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_REFUSED,
    EVENT_RELAY_OFF,
    EVENT_RELAY_ON,
    STATE_READY,
    STATE_SYNCING,
)
from lightclient.params import REGTEST

RECORDING = Recording.load_default()
PAYMENTS = sorted(RECORDING.payments, key=lambda payment: payment.height)
BEFORE = PAYMENTS[0].height - 1  # 2,114: the chain up to here is synced before anything is paid
UNPAID = len(PAYMENTS) + 1
SCRIPT = script_from_recording(RECORDING)
SETTINGS = {
    "network": "regtest",
    "replay": {"minimum_chainwork": "1"},
    "board": "pico",
    "store": "store",
    "relay_seconds": 1,
    "requests": [
        {"request_id": i + 1, "script_pubkey": p.script_pubkey.hex(), "min_amount": p.amount, "min_confirmations": 2}
        for i, p in enumerate(PAYMENTS)
    ]
    + [
        {
            "request_id": UNPAID,
            "script_pubkey": SCRIPT.unpaid.script_pubkey.hex(),
            "min_amount": SCRIPT.unpaid.amount,
            "min_confirmations": 2,
        }
    ],
}


def archive(best_height: int) -> ArchiveChain:
    chain = ArchiveChain("regtest", RECORDING.headers, 0)
    chain.best_height = best_height
    for payment in PAYMENTS:
        proof = proof_from_block(REGTEST, RECORDING.blocks[payment.block_hash], payment.txid)
        found = FoundPayment(payment.height, payment.block_hash, payment.txid, proof)
        chain.add_payment(payment.script_pubkey, found)
    return chain


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


@pytest.fixture(scope="module")
def synced() -> bytes:
    """The flash of a board that has synced BEFORE headers, with its power cut at random moments."""
    moments = random.Random(7)
    files = files_with(SETTINGS)
    chain = archive(BEFORE)
    height = 0
    for cut in (True, True, False):
        run = BoardAndBridge(files, chain)
        if cut:
            run.run(lambda run=run, wanted=height + 96: run.session.device_height >= wanted)  # type: ignore[misc]
            run.board.run_for(moments.uniform(0.2, 0.6))
            run.run(lambda: True)
        else:
            run.run(lambda run=run: BEFORE in run.heights and run.state != STATE_SYNCING)  # type: ignore[misc]
            run.board.run_for(0.2)
        assert run.heights[0] >= height  # what was there before the cut is there after it
        height = max(run.heights[0], run.heights[-1] - 96)
        files = run.files
        assert not run.relay_moves and not run.events(EVENT_REFUSED)
    assert height >= BEFORE - 96
    return files


def test_it_verifies_a_payment_of_each_kind_and_believes_no_forged_one(synced: bytes) -> None:
    run = BoardAndBridge(synced, archive(BEFORE))
    run.run(lambda: run.state == STATE_READY)
    assert run.heights[0] > BEFORE - 96  # at most the last batch is fetched again
    run.announce(RECORDING.tip_height)
    run.run(lambda: len(run.events(EVENT_RELAY_OFF)) == len(PAYMENTS))
    assert sorted(values[1] for values in run.events(EVENT_CONFIRMED)) == [1, 2, 3]
    assert len({len(payment.script_pubkey) for payment in PAYMENTS}) == 3  # P2PKH, P2WPKH, P2TR
    assert run.times_closed == len(PAYMENTS) and len(run.relay_moves) == 2 * len(PAYMENTS)
    for (on, _), (off, _) in zip(run.relay_moves[::2], run.relay_moves[1::2], strict=True):
        assert 1.0 <= off - on < 1.2

    assert len(SCRIPT.forgeries) >= 4
    for forgery in SCRIPT.forgeries:
        before = len(run.verdicts)
        run.session.offer(UNPAID, forgery.proof)
        run.run(lambda before=before: len(run.verdicts) > before)  # type: ignore[misc]
        assert run.verdicts[-1][1] != 0, forgery.story
    run.board.run_for(1.5)
    assert run.times_closed == len(PAYMENTS)
    log = read_image(run.files)["log.txt"].decode().splitlines()
    assert set(log) <= {NO_DISPLAY, UNSET_CLOCK} | {line for line in log if line.startswith(("paid", "refused"))}


def test_the_relay_closes_once_wherever_the_power_is_cut(synced: bytes) -> None:
    """The flash as it is at each write around the pulse, and in the pulse: none leads to a second one."""
    run = BoardAndBridge(synced, archive(BEFORE))
    run.run(lambda: run.state == STATE_READY)
    cuts: list[tuple[int, bytes]] = []  # (times closed before, flash)

    def keep() -> None:
        if not cuts or cuts[-1][1] != run.files:
            cuts.append((run.times_closed, run.files))

    run.board.on_flash_write = keep
    run.on_relay = lambda on: keep()
    run.announce(PAYMENTS[0].height + 1)
    run.run(lambda: bool(run.events(EVENT_RELAY_OFF)))
    run.board.run_for(0.3)
    assert run.times_closed == 1 and len(cuts) >= 4
    first = next(i for i, (closed, _) in enumerate(cuts) if closed)
    for closed, files in cuts[max(first - 2, 0) : first + 1] + cuts[-1:]:
        again = BoardAndBridge(files, archive(PAYMENTS[0].height + 1))
        again.run(
            lambda again=again: bool(again.events(EVENT_REFUSED) or again.events(EVENT_RELAY_OFF))  # type: ignore[misc]
        )
        again.board.run_for(0.5)
        again.run(lambda: True)
        assert closed + again.times_closed <= 1
        told = [values[5] for values in again.events(EVENT_REFUSED)]
        assert again.times_closed == 1 or all(AlreadyActed.__name__ in text for text in told), told
        if closed:
            assert not again.events(EVENT_RELAY_ON)
