"""`lightclient demo`: plays a script to a real device program and shows what the device says.

Nothing that is shown is made up here: every line follows a message that the device has sent.
"""

import time
from collections.abc import Callable

from host_bridge.demo.screen import DemoScreen
from host_bridge.demo.script import DemoPayment, DemoScript
from host_bridge.emulator.emulator import EmulatedDevice, Line
from host_bridge.sessions.session import BridgeSession
from lightclient import __version__
from lightclient.messages import (
    EVENT,
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    EVENT_RELAY_OFF,
    EVENT_RELAY_ON,
    EVENT_TAKEN_BACK,
    REFUSED,
    STATE_SYNCING,
    STATUS,
    VERDICT,
)

_PATIENCE = 120.0  # seconds that any one step may take
_HEADER_PATIENCE = 0.02  # and for each header to sync


class DemoFailed(Exception):
    """The device did not do what the script says; the text is one line."""


class Demo:
    """One run. `pause` is how long a block is waited for, to let a person read."""

    def __init__(self, script: DemoScript, screen: DemoScreen, pause: float) -> None:
        self._script = script
        self._screen = screen
        self._pause = pause
        self._by_id: dict[int, DemoPayment] = {p.request_id: p for p in [*script.payments, script.unpaid]}
        self._session = BridgeSession(script.archive, f"lightclient {__version__}")
        self._tip = -1
        self._validated = 0
        self._ping = 0  # the number of the PING sent after a block, 0: none yet
        self._settled = False  # in sync with what the bridge shows, as the device sees it
        self._least_heap = 1 << 62
        self._confirmed: list[int] = []
        self._pulses = 0
        self._relay_on = False
        self._stages: list[str] = []
        self._verdicts: list[tuple[int, str]] = []

    def run(self) -> None:
        """Play the script. Raises DemoFailed, DeviceStopped, MicroPythonNotFound."""
        script = self._script
        screen = self._screen
        screen.opening(script)
        with EmulatedDevice(script.settings()) as device:
            self._line = Line(device, self._session)
            self._sync("syncing headers")
            screen.invoices([*script.payments, script.unpaid], script.confirmations)
            self._play_blocks()
            self._play_forgeries()
            if script.archive.best_height < script.archive.last_height:
                script.archive.best_height = script.archive.last_height
                screen.the_rest()
                self._session.announce()
                self._sync("syncing the rest")
        screen.ending(self._validated, self._least_heap, self._pulses, len(script.forgeries))

    def _sync(self, text: str) -> None:
        """Wait until the device has every header that is shown."""
        archive = self._script.archive
        started = time.monotonic()
        before = self._validated
        self._settled = False
        first = max(self._tip, archive.first_height)
        with self._screen.syncing(text, archive.best_height - first) as show:

            def done() -> bool:
                self._listen()
                show(max(self._tip - first, 0), self._least_heap)
                return self._tip == archive.best_height and self._settled

            self._wait(done, "sync the headers", (archive.best_height - first) * _HEADER_PATIENCE)
        self._screen.synced(self._tip, self._validated - before, time.monotonic() - started, self._least_heap)

    def _play_blocks(self) -> None:
        """Block after block, until every payment has been confirmed and the relay rests."""
        script = self._script
        archive = script.archive
        reorg = script.reorg
        wanted = len(script.payments)
        while len(self._confirmed) < wanted:
            if reorg and archive.best_height == reorg.at_height:
                archive.replace(reorg.fork_height, reorg.headers)
                archive.best_height = reorg.at_height + 1
                self._screen.reorg(reorg.fork_height, reorg.at_height - reorg.fork_height, archive.best_height)
                reorg = None
            elif archive.best_height < archive.last_height:
                archive.best_height += 1
                self._screen.block(archive.best_height, archive.block_hash(archive.best_height) or b"")
            else:
                raise DemoFailed("the headers end before every payment has its confirmations")
            time.sleep(self._pause)
            self._settled = False
            self._ping = 0
            self._session.announce()
            self._wait(self._block_is_dealt_with, "deal with a block")

    def _block_is_dealt_with(self) -> bool:
        self._listen()
        archive = self._script.archive
        in_sync = self._tip == archive.best_height and self._settled and not self._session.proofs_pending
        if not in_sync or self._relay_on or self._pulses != len(self._confirmed):
            self._ping = 0
            return False
        if self._ping == 0:  # a verdict comes before what follows from it: wait until that has come as well
            self._ping = self._session.ping()
            return False
        return self._session.last_pong == self._ping

    def _play_forgeries(self) -> None:
        script = self._script
        pulses = self._pulses
        for forgery in script.forgeries:
            self._screen.forgery(forgery.story, script.unpaid)
            time.sleep(self._pause)
            self._verdicts.clear()
            self._session.offer(script.unpaid.request_id, forgery.proof)
            self._wait(self._has_verdict, "judge a forged proof")
            code, detail = self._verdicts[-1]
            if code == 0:
                raise DemoFailed("the device believed a forged proof: " + forgery.story)
            self._screen.refused(self._stages, detail)
            self._stages = []
        if self._pulses != pulses or self._relay_on:
            raise DemoFailed("the relay moved for a forged proof")
        self._screen.relay_rested()

    def _has_verdict(self) -> bool:
        self._listen()
        return bool(self._verdicts)

    def _wait(self, condition: Callable[[], bool], what: str, more: float = 0.0) -> None:
        if not self._line.pump_until(condition, _PATIENCE + more):
            raise DemoFailed(f"the device did not {what} in time")

    def _listen(self) -> None:
        """Take what the device has said, and show it."""
        while report := self._session.next_report():
            values = report.values
            if report.kind == STATUS:
                state, self._tip, _, self._validated, heap_free, _ = values
                self._settled = state != STATE_SYNCING
                self._least_heap = min(self._least_heap, heap_free)
            elif report.kind == EVENT:
                self._take_event(*values)
            elif report.kind == VERDICT:
                _, code, _, detail = values
                self._verdicts.append((code, detail))
                if code == 0:
                    self._screen.proof_accepted(self._stages)
                    self._stages = []
            elif report.kind == REFUSED:
                raise DemoFailed(f"the device refused headers at height {values[1]}: {values[2]}")

    def _take_event(self, kind: int, request_id: int, txid: bytes, amount: int, count: int, detail: str) -> None:
        screen = self._screen
        payment = self._by_id.get(request_id)
        if kind == EVENT_PROOF_STAGE:
            self._stages.append(detail)
        elif kind == EVENT_REFUSED and payment is None:
            raise DemoFailed(detail)
        elif payment is None:
            return
        elif kind == EVENT_PAYMENT_SEEN:
            screen.seen(payment, txid, amount, count, self._script.confirmations)
        elif kind == EVENT_CONFIRMED:
            self._confirmed.append(request_id)
            screen.confirmed(payment)
        elif kind == EVENT_TAKEN_BACK:
            screen.taken_back(payment, detail)
        elif kind == EVENT_RELAY_ON:
            self._relay_on = True
            screen.relay(payment, True)
        elif kind == EVENT_RELAY_OFF:
            self._relay_on = False
            self._pulses += 1
            screen.relay(payment, False)
