"""A device on the desk: its program with a simulated board, joined in memory with a bridge session on the recording.

Time passes only in `run`, 50 ms a step. `power_cut` leaves everything as it is on flash.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.device import Device
from firmware.settings import check_settings
from hardware.simulated import SimulatedBoard
from host_bridge.demo.recording import Recording
from host_bridge.payments.proofs import proof_from_block
from host_bridge.sessions.archive import ArchiveChain
from host_bridge.sessions.session import BridgeSession, FoundPayment
from lightclient.params import REGTEST

RECORDING = Recording.load_default()
PAYMENTS = sorted(RECORDING.payments, key=lambda payment: payment.height)
BEFORE = PAYMENTS[0].height - 1  # the chain up to here is synced before anything is paid
STEP_MS = 50


class Board(SimulatedBoard):
    """A board with a display and a clock that a test moves."""

    now = 0

    def __init__(self) -> None:
        SimulatedBoard.__init__(self, True)

    def milliseconds(self) -> int:
        return self.now

    def random(self, count: int) -> bytes:
        return bytes(count)


class DeskLink:
    """The line between the two, in memory."""

    closed = False
    connected = True
    point_to_point = True
    problem = ""
    failures = 0

    def __init__(self, session: BridgeSession) -> None:
        self.session = session
        self.buffer = bytearray(512)
        self._waiting = b""

    def read(self, timeout_ms: int) -> int:
        self._waiting = self._waiting or self.session.next_output()
        piece, self._waiting = self._waiting[: len(self.buffer)], self._waiting[len(self.buffer) :]
        self.buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data: bytes) -> None:
        self.session.receive(data)

    def flush(self) -> bool:
        return True


def archive(best_height: int = BEFORE) -> ArchiveChain:
    chain = ArchiveChain("regtest", RECORDING.headers, 0)
    chain.best_height = best_height
    for payment in PAYMENTS:
        proof = proof_from_block(REGTEST, RECORDING.blocks[payment.block_hash], payment.txid)
        chain.add_payment(payment.script_pubkey, FoundPayment(payment.height, payment.block_hash, payment.txid, proof))
    return chain


def request(number: int, confirmations: int = 2) -> dict[str, Any]:
    """Of the recording's payment `number`, from 0 on."""
    payment = PAYMENTS[number]
    return {
        "request_id": number + 1,
        "script_pubkey": payment.script_pubkey.hex(),
        "min_amount": payment.amount,
        "min_confirmations": confirmations,
    }


class Desk:
    """One start of a device, up to a power cut. `titles` are the views that were shown, in order."""

    def __init__(
        self, values: dict[str, Any], chain: ArchiveChain, board: Board | None = None, path: Path | str = ""
    ) -> None:
        self.board = board or Board()
        self.chain = chain
        self.session = BridgeSession(chain, "test")
        base = {"network": "regtest", "replay": {"minimum_chainwork": "1"}, "relay_seconds": 1}
        self.link = DeskLink(self.session)
        self.device = Device(check_settings({**base, **values}), self.link, self.board, str(path))
        self.titles: list[str] = []

    @property
    def face(self) -> Any:
        return self.device.face

    @property
    def view(self) -> Any:
        return self.face.screen.view if self.face is not None else None

    def run(self, until: Callable[[], bool], seconds: float = 60.0) -> None:
        end = self.board.now + seconds * 1000
        while not until():
            assert self.board.now < end, (self.titles[-5:], self.board.shown[-5:])
            self.step()

    def run_for(self, seconds: float) -> None:
        end = self.board.now + seconds * 1000
        self.run(lambda: self.board.now >= end, seconds + 1)

    def step(self) -> None:
        self.board.now += STEP_MS
        assert self.device.step()
        while self.session.next_report():
            pass
        if self.view is not None and (not self.titles or self.titles[-1] != self.view[1]):
            self.titles.append(self.view[1])

    def announce(self, height: int) -> None:
        self.chain.best_height = height
        self.session.announce()

    def press(self, seconds: float) -> None:
        self.board.button_down = True
        self.run_for(seconds)
        self.board.button_down = False
        self.run_for(0.2)
