"""What a device says of itself, in the words of the log. Nothing of it is believed; the log makes it printable."""

import time
from typing import Any

from host_bridge.service.log import DEBUG, ERROR, INFO, WARNING, DeviceLog
from host_bridge.sessions.session import Report
from lightclient import errors
from lightclient.hashes import hash_to_hex
from lightclient.messages import (
    EVENT,
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_PROOF_STAGE,
    EVENT_REFUSED,
    EVENT_RELAY_OFF,
    EVENT_RELAY_ON,
    EVENT_TAKEN_BACK,
    EVENTS,
    REFUSED,
    STATE_READY,
    STATE_STOPPED,
    STATE_SYNCING,
    STATE_WAITING,
    STATES,
    STATUS,
    VERDICT,
)

_PROGRESS_SECONDS = 15.0  # between two lines of a long synchronisation


def _error_names() -> dict[int, str]:
    classes = (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.LightClientError))
    return {c.code: c.__name__ for c in classes}


_ERRORS = _error_names()


class DeviceReports:
    """Writes the reports of one device to its log."""

    def __init__(self, log: DeviceLog) -> None:
        self._log = log
        self.forget()

    def forget(self) -> None:
        """A session begins: the next STATUS is news."""
        self._state = -1
        self._height = -1
        self._told = 0.0

    def take(self, report: Report, best_height: int) -> None:
        if report.kind == STATUS:
            self._status(report.values, best_height)
        elif report.kind == EVENT:
            self._event(*report.values)
        elif report.kind == VERDICT:
            self._verdict(*report.values)
        elif report.kind == REFUSED:
            code, height, detail = report.values
            where = f" at height {height:,}" if height else ""
            text = f"refuses the node's headers{where}: {_ERRORS.get(code, code)}: {detail}"
            self._log.write(WARNING, text, event="headers_refused", error=_ERRORS.get(code), height=height)

    def _status(self, values: list[Any], best_height: int) -> None:
        state, height, tip_hash, validated, heap_free, detail = values
        now = time.monotonic()
        changed = state != self._state
        fields = {"event": "status", "state": STATES[state], "height": height, "tip_hash": hash_to_hex(tip_hash)}
        fields |= {"heap_free": heap_free, "headers_validated": validated, "detail": detail}
        level = DEBUG
        if state == STATE_SYNCING:
            text = f"syncing, at height {height:,} of {best_height:,}"
            if changed or now - self._told >= _PROGRESS_SECONDS:
                level = INFO
        elif state == STATE_READY:
            text = f"in sync at height {height:,}"
            if changed or height != self._height:
                level = INFO
        elif state == STATE_WAITING:
            text = f"at height {height:,}, acts on nothing: {detail or 'too little work, or a stale tip'}"
            if changed:
                level = WARNING
        elif state == STATE_STOPPED:
            text = f"has stopped, and needs a person: {detail}"
            if changed:
                level = ERROR
        else:
            text = f"{STATES[state]}, at height {height:,}"
            if changed:
                level = INFO
        if level > DEBUG:
            self._told = now
        self._state = state
        self._height = height
        self._log.write(level, text + _heap(heap_free) if level == DEBUG else text, **fields)

    def _event(self, kind: int, request_id: int, txid: bytes, amount: int, count: int, detail: str) -> None:
        txid_hex = hash_to_hex(txid) if txid else ""
        fields = {"event": EVENTS[kind].replace(" ", "_"), "request_id": request_id, "detail": detail}
        fields |= {"txid": txid_hex, "amount": amount, "confirmations": count}
        what = f"request {request_id}"
        payment = f"{amount:,} sat in {txid_hex}" if txid else f"{amount:,} sat"
        level = INFO
        if kind == EVENT_PROOF_STAGE:
            level = DEBUG
            text = f"{what}: proof stage passed: {detail}"
        elif kind == EVENT_PAYMENT_SEEN:
            text = f"{what}: payment seen: {payment}, {_times(count)}"
        elif kind == EVENT_CONFIRMED:
            text = f"{what}: CONFIRMED: {payment}, {_times(count)}"
        elif kind == EVENT_TAKEN_BACK:
            level = WARNING
            text = f"{what}: taken back: {payment}: {detail}"
        elif kind == EVENT_RELAY_ON:
            text = f"{what}: relay on"
        elif kind == EVENT_RELAY_OFF:
            text = f"{what}: relay off"
        elif kind == EVENT_REFUSED:
            level = WARNING
            text = f"refuses: {detail}"
        else:
            text = f"{EVENTS[kind]}: {detail}"
        self._log.write(level, text, **fields)

    def _verdict(self, proof_id: int, code: int, confirmations: int, detail: str) -> None:
        name = _ERRORS.get(code, str(code))
        fields = {"event": "verdict", "proof_id": proof_id, "error": name if code else None, "detail": detail}
        if code == 0:
            self._log.write(DEBUG, f"proof {proof_id} is good, {_times(confirmations)}", **fields)
        elif code in (errors.HeaderNotInChain.code, errors.NotSynced.code):  # it comes again
            self._log.write(DEBUG, f"can't judge proof {proof_id} yet: {name}: {detail}", **fields)
        else:
            self._log.write(WARNING, f"refuses proof {proof_id}: {name}: {detail}", **fields)


def _times(count: int) -> str:
    return f"{count:,} confirmation" + ("" if count == 1 else "s")


def _heap(free: int) -> str:
    return f", {free // 1024:,} KB of memory free"
