"""The scenario that a device goes through on every board: 2,100 headers, payments of each kind, forgeries, power cuts.

It is the same for an emulated Pico, MicroPython unix on littlefs, and CPython with a Raspberry Pi's pins: `Boards`
says how one is started.
"""

import random
from typing import Any, Protocol

from board_and_bridge import BoardAndBridge

from host_bridge.demo.recording import Recording
from host_bridge.demo.script import script_from_recording
from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import FoundPayment
from lightclient.errors import AlreadyActed
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


class Boards(Protocol):
    inexact: float  # seconds that a relay's move may be seen too late

    def new(self, settings: dict[str, Any]) -> Any:
        """The files of a device that has just its settings."""

    def start(self, files: Any) -> Any:
        """A board with these files, for BoardAndBridge; the one before has lost its power."""


def start(boards: Boards, files: Any, best_height: int) -> BoardAndBridge:
    chain = archive(best_height)
    return BoardAndBridge(files, chain, boards.start(files))


def sync_with_power_cuts(boards: Boards, board: str) -> Any:
    """The files of a device that has synced BEFORE headers, with its power cut at random moments."""
    moments = random.Random(7)
    files = boards.new({**SETTINGS, "board": board})
    height = 0
    for cut in (True, True, False):
        run = start(boards, files, BEFORE)
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


def pay_and_forge(boards: Boards, synced: Any) -> BoardAndBridge:
    """It verifies a payment of each kind, and believes no forged one."""
    run = start(boards, synced, BEFORE)
    run.run(lambda: run.state == STATE_READY)
    assert run.heights[0] > BEFORE - 96  # at most the last batch is fetched again
    run.announce(RECORDING.tip_height)
    run.run(lambda: len(run.events(EVENT_RELAY_OFF)) == len(PAYMENTS))
    assert sorted(values[1] for values in run.events(EVENT_CONFIRMED)) == [1, 2, 3]
    assert len({len(payment.script_pubkey) for payment in PAYMENTS}) == 3  # P2PKH, P2WPKH, P2TR
    assert run.times_closed == len(PAYMENTS) and len(run.relay_moves) == 2 * len(PAYMENTS)
    for (on, _), (off, _) in zip(run.relay_moves[::2], run.relay_moves[1::2], strict=True):
        assert abs(off - on - SETTINGS["relay_seconds"]) < boards.inexact, (on, off)

    assert len(SCRIPT.forgeries) >= 4
    for forgery in SCRIPT.forgeries:
        before = len(run.verdicts)
        run.session.offer(UNPAID, forgery.proof)
        run.run(lambda before=before: len(run.verdicts) > before)  # type: ignore[misc]
        assert run.verdicts[-1][1] != 0, forgery.story
    run.board.run_for(1.5)
    assert run.times_closed == len(PAYMENTS)
    return run


def cut_around_the_pulse(boards: Boards, synced: Any) -> None:
    """The flash as it is at each write around the pulse, and in the pulse: none leads to a second one."""
    run = start(boards, synced, BEFORE)
    run.run(lambda: run.state == STATE_READY)
    cuts: list[tuple[int, Any]] = []  # (times closed before, flash)

    def keep() -> None:
        if not cuts or cuts[-1][1] != run.files:
            cuts.append((run.times_closed, run.files))

    run.board.on_flash_write = keep
    run.on_relay = lambda on: keep()
    run.announce(PAYMENTS[0].height + 1)
    run.run(lambda: bool(run.events(EVENT_RELAY_OFF)))
    run.board.run_for(0.3)
    assert run.times_closed == 1 and len(cuts) >= 4
    for closed, files in cuts:
        again = start(boards, files, PAYMENTS[0].height + 1)
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
