"""The scripts that all devices together watch, what has been searched for each, and the payments found.

Nothing here is without a ceiling (limits.py). What one script takes too much of, it alone is made to lose.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from host_bridge.limits import (
    MAX_PAYMENTS,
    MAX_PAYMENTS_OF_SCRIPT,
    MAX_PROOF_BYTES,
    MAX_SCRIPTS,
    SCRIPT_LINGERS_SECONDS,
)
from host_bridge.sessions.source import FoundPayment, Watch
from lightclient.errors import LimitExceeded

log = logging.getLogger("lightclient.bridge")


@dataclass(frozen=True)
class PaymentOfScript:
    """`amount`: of the largest output that pays the script, satoshis."""

    payment: FoundPayment
    amount: int


@dataclass
class WatchedScript:
    """Blocks `low` to `top` are still to be searched, from above; none where low > top. Above `top` all has been."""

    script_pubkey: bytes
    low: int
    top: int
    min_amount: int  # payments of less are not kept
    watchers: dict[tuple[object, int], Watch] = field(default_factory=dict)
    found: dict[tuple[bytes, bytes], PaymentOfScript] = field(default_factory=dict)  # by block_hash, txid
    proof_bytes: int = 0
    idle_since: float = 0.0
    served: int = 0  # number of the last piece of a search that it was part of
    complained: bool = False
    is_too_busy: bool = False  # the node does not list all of its payments: it is not searched for
    lost_at: int = -1  # height of the highest payment that there was no room for


class WatchedScripts:
    """Watched by anyone: a watcher is told apart by its identity."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._scripts: dict[bytes, WatchedScript] = {}
        self._script_of: dict[tuple[object, int], bytes] = {}
        self._idle: dict[bytes, None] = {}  # those that nobody watches, the longest idle first
        self._clock = clock
        self.payments = 0
        self.proof_bytes = 0

    def __len__(self) -> int:
        return len(self._scripts)

    def __iter__(self) -> Iterator[WatchedScript]:
        return iter(self._scripts.values())

    def get(self, script_pubkey: bytes) -> WatchedScript | None:
        return self._scripts.get(script_pubkey)

    # --- who watches ---

    def watch(self, watcher: object, watch: Watch, searched_to: int) -> bool:
        """True when blocks up to `searched_to` have to be searched for it. Raises LimitExceeded above MAX_SCRIPTS."""
        key = (watcher, watch.request_id)
        if self._script_of.get(key) != watch.script_pubkey:
            self.unwatch(watcher, watch.request_id)
        script = self._scripts.get(watch.script_pubkey)
        if script is None:
            if len(self._scripts) >= MAX_SCRIPTS and not self._drop_an_idle_one():
                log.error("a device is refused: %d scripts are watched already", MAX_SCRIPTS)
                raise LimitExceeded(f"this bridge watches {MAX_SCRIPTS} scripts at most")
            script = WatchedScript(watch.script_pubkey, watch.from_height, searched_to, watch.min_amount)
            self._scripts[watch.script_pubkey] = script
        elif watch.min_amount < script.min_amount:  # what was passed over counts now
            script.min_amount = watch.min_amount
            script.top = searched_to
        if not script.found and not script.watchers:
            script.low = max(script.low, watch.from_height)
        script.low = min(script.low, watch.from_height)
        script.watchers[key] = watch
        self._idle.pop(watch.script_pubkey, None)
        self._script_of[key] = watch.script_pubkey
        return script.low <= script.top

    def unwatch(self, watcher: object, request_id: int) -> None:
        script = self._scripts.get(self._script_of.pop((watcher, request_id), b""))
        if script is not None:
            script.watchers.pop((watcher, request_id), None)
            script.idle_since = self._clock()
            if not script.watchers:
                self._idle.pop(script.script_pubkey, None)
                self._idle[script.script_pubkey] = None

    def drop_idle(self) -> None:
        """Forget what nobody has watched for a while."""
        before = self._clock() - SCRIPT_LINGERS_SECONDS
        while self._idle:
            script = self._scripts[next(iter(self._idle))]
            if script.idle_since > before:
                break
            self._drop(script)

    def _drop_an_idle_one(self) -> bool:
        # at once: a device may watch ever new scripts, and each makes room for itself here
        if not self._idle:
            return False
        self._drop(self._scripts[next(iter(self._idle))])
        return True

    def _drop(self, script: WatchedScript) -> None:
        del self._scripts[script.script_pubkey]
        self._idle.pop(script.script_pubkey, None)
        self.payments -= len(script.found)
        self.proof_bytes -= script.proof_bytes

    def leave_out(self, script_pubkey: bytes, why: str) -> None:
        """The node can't search for this one."""
        script = self._scripts.get(script_pubkey)
        if script is not None and not script.is_too_busy:
            script.is_too_busy = True
            log.error("script %s is not searched for any more: %s", script_pubkey.hex(), why)

    # --- what was found ---

    def add(self, script: WatchedScript, payment: FoundPayment, amount: int) -> bool:
        """Keep a payment; False when it is known, too small, or has no room."""
        key = (payment.block_hash, payment.txid)
        if key in script.found or amount < script.min_amount or self._scripts.get(script.script_pubkey) is not script:
            return False
        if len(script.found) >= MAX_PAYMENTS_OF_SCRIPT:
            self._complain(script, f"more than {MAX_PAYMENTS_OF_SCRIPT} payments to it")
            return False
        script.found[key] = PaymentOfScript(payment, amount)
        script.proof_bytes += len(payment.proof)
        self.proof_bytes += len(payment.proof)
        self.payments += 1
        while self.proof_bytes > MAX_PROOF_BYTES or self.payments > MAX_PAYMENTS:
            self._make_room()
        return key in script.found

    def _make_room(self) -> None:
        """Idle scripts go first; then the one with most bytes loses what it found last."""
        if self._drop_an_idle_one():
            return
        full = self.proof_bytes > MAX_PROOF_BYTES
        largest = max(self._scripts.values(), key=lambda s: s.proof_bytes if full else len(s.found))
        key = next(reversed(largest.found))
        largest.lost_at = max(largest.lost_at, largest.found[key].payment.height)
        self.forget(largest, key)
        self._complain(largest, f"no room for its payment {key[1][::-1].hex()}")

    def refill(self) -> None:
        """Where there is room again (for the largest proof too), what had none is searched once more."""
        if 2 * self.proof_bytes <= MAX_PROOF_BYTES and 2 * self.payments <= MAX_PAYMENTS:
            for script in [script for script in self._scripts.values() if script.lost_at >= 0]:
                script.top = max(script.top, script.lost_at)
                script.lost_at = -1
                script.complained = False

    def forget(self, script: WatchedScript, key: tuple[bytes, bytes]) -> None:
        size = len(script.found.pop(key).payment.proof)
        script.proof_bytes -= size
        self.proof_bytes -= size
        self.payments -= 1

    def _complain(self, script: WatchedScript, what: str) -> None:
        if not script.complained:
            script.complained = True
            log.error("script %s: %s; its devices are not told of all", script.script_pubkey.hex(), what)

    def went_back(self, fork_height: int) -> None:
        """The blocks above have been replaced."""
        for script in self._scripts.values():
            script.top = min(script.top, fork_height)
            script.lost_at = min(script.lost_at, fork_height)
            for key in [key for key, found in script.found.items() if found.payment.height > fork_height]:
                self.forget(script, key)

    def find(self, watch: Watch) -> list[FoundPayment]:
        """What was found for it, lowest blocks first."""
        script = self._scripts.get(watch.script_pubkey)
        if script is None:
            return []
        good = [
            found.payment
            for found in script.found.values()
            if found.amount >= watch.min_amount and found.payment.height >= watch.from_height
        ]
        return sorted(good, key=lambda payment: payment.height)
