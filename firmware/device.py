"""A device: its client, its link, its board and its store. All objects are made here."""

import gc

from firmware import heap
from firmware.console import IS_BOARD, note, say_error
from firmware.lines import event_line, state_line
from lightclient import __version__
from lightclient.client import Client
from lightclient.compat import const
from lightclient.errors import LimitExceeded, StoreError
from lightclient.hashes import hash_to_hex
from lightclient.headers.chain import HeaderChain
from lightclient.headers.store import RamStore
from lightclient.messages import (
    EVENT_CONFIRMED,
    EVENT_PAYMENT_SEEN,
    EVENT_RELAY_OFF,
    EVENT_RELAY_ON,
    STATES,
)
from lightclient.spv.acted import ActedPayments

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from firmware.control import Control
    from firmware.face import Face
    from firmware.links import Link
    from firmware.settings import Settings
    from hardware.board import Board
    from lightclient.pairing import Pairing
    from lightclient.spv.stored_payments import StoredPayments

_POLL_MS = const(50)
_MAX_REASONS = const(10)
_GRACE_MS = const(3_000)  # before a watchdog is armed: see rescue.py
_RESTART_MS = const(500)  # for the last words to leave by the line
_HEARD_MS = const(5_000)  # that a session goes on after what it was told: its bridge was not just going
_STUCK_MS = const(30_000)  # a button that is down for so long is broken
_RETRY_MS = const(600_000)  # what is wrong with a store may pass: it is tried again


class Device:
    """A client, its link and its board. `settings_path` is where a pairing is stored; empty: none is taken.

    `fault`: why there is no store and nothing to wait for; such a device only answers. Raises what opening a
    store raises.
    """

    stop_wanted = False  # set, for all, where somebody ends the program: the next step is the last

    def __init__(
        self, settings: "Settings", link: "Link", board: "Board", settings_path: str = "", fault: str = ""
    ) -> None:
        self.restart_wanted = False  # with new settings
        self._settings_path = settings_path
        self._take_pairing = self._pair if settings_path else None
        self._take_question = self._answer if settings_path else None
        self._control: "Control | None" = None
        self._restart_at = 0
        self._shown = ""
        self._state_shown = ""
        self._last_state = -1
        self._last_problem = ""
        self._reasons: "list[str]" = []  # why there was no bridge since there was one last
        self.settings = settings
        self.device_id = settings.device_id or board.unique_id()
        self.board = board
        self.link = link
        chain, self._acted = open_chain(settings)
        self.client = Client(
            chain,
            self._acted,
            self.device_id,
            __version__,
            board.random,
            board.heap_free,
            settings.pairing_key,
        )
        self.client.fault = fault
        for request in settings.requests:
            self.client.wait_for(request)
        self._watchdog_at = board.milliseconds() + _GRACE_MS if settings.watchdog else -1
        self._began = board.milliseconds()
        self._relay_ms = settings.relay_ms
        self._relay_off_at = 0
        self._collect_every = 0
        self._until_collection = 0  # bytes that may come from the line
        self._paid: "list[tuple[int, bytes]]" = []
        # Their payments count as acted on: whether the relay had moved is for a person to find out.
        self.cut_short = self._acted.unfinished()
        self._is_noted = False  # the first of them
        self._is_told = self._is_heard = False
        self._told_at = 0
        self.is_paired = bool(settings.pairing_key)
        self.has_button = settings.button
        self.face: "Face | None" = None
        if board.shows or settings.button:
            from firmware.face import Face  # noqa: PLC0415 - a device that nobody looks at does not need it

            self.face = Face(self, settings, folder_of(settings_path), board)

    def all_is_loaded(self) -> None:
        """All that stays has been made: from now on, garbage is collected between batches."""
        self._until_collection = self._collect_every = heap.loaded()

    def step(self) -> bool:
        """Wait a little for bytes and deal with them. False when the line is closed."""
        client = self.client
        link = self.link
        count = link.read(_POLL_MS)
        if count < 0:
            return False
        now = self.board.milliseconds()
        if link.connected:
            client.on_pair = self._take_pairing if link.point_to_point else None
            client.on_ask = self._take_question if link.point_to_point else None
            client.tick(now, self.board.unix_time())
        else:
            if client.in_session:
                client.end_session()
            client.clock.tick(now, self.board.unix_time())
        if count:
            client.receive(link.buffer, 0, count)
        if client.is_open:
            link.failures = 0
        event = client.next_event()
        while event:
            if event[0] == EVENT_CONFIRMED:
                self._paid.append((event[1], event[2]))
            self.say(event_line(event), event[0] != EVENT_PAYMENT_SEEN)
            if self.face is not None:
                self.face.take_event(event)
            event = client.next_event()
        self._tell_state()
        self._tell_cut_short()
        self._move_relay()
        if self.face is not None:
            self.face.tick(now)
        if 0 <= self._watchdog_at <= now:
            self._watchdog_at = -1
            self.board.start_watchdog()
        self.board.feed_watchdog()
        while link.connected and link.flush():  # what the line does not take waits in the client, which keeps count
            output = client.next_output()
            if not output:
                break
            link.write(output)
        self._until_collection -= count
        # after a batch: the next one has been asked for, and nothing is half done
        if self._until_collection < 0 and not client.endpoint.reader.is_inside():
            gc.collect()
            self._until_collection = self._collect_every
        if client.fault and now - self._began > _RETRY_MS:
            self.restart_wanted = True
        return not (link.closed or self.stop_wanted or self._restart_is_due())

    def _pair(self, pairing: "Pairing") -> None:
        """Store it, show by whom we are paired, and start anew, for all that is made from settings."""
        from firmware.pairing import pair_device  # noqa: PLC0415 - it comes once in a device's life
        from lightclient.pairing import short_fingerprint  # noqa: PLC0415

        pair_device(self._settings_path, pairing)
        self.is_paired = True
        fingerprint = short_fingerprint(pairing.fingerprint)
        if self.face is not None:
            self.face.paired(fingerprint)
        self.restart_soon("paired with the bridge " + fingerprint)

    def _answer(self, question: int, argument: memoryview) -> "tuple[bytes, int]":
        """What the device's owner asks over the cable."""
        try:
            if self._control is None:
                from firmware.control import Control  # noqa: PLC0415 - asked seldom

                self._control = Control(self, self._settings_path)
            return self._control.answer(question, argument)
        except MemoryError:  # of no use to whoever asked, and no reason to end
            raise LimitExceeded("no memory for the answer")

    def restart_soon(self, why: str) -> None:
        """Say `why`, and start anew when what was said has left by the line and no pulse is under way."""
        self.say(why, True)
        self.restart_wanted = True
        self._restart_at = self.board.milliseconds() + _RESTART_MS

    def payments_acted_on(self) -> int:
        return self._acted.count

    def pulses_cut_short(self) -> int:
        """Those that are not told yet."""
        return len(self.cut_short)

    def _restart_is_due(self) -> bool:
        # not before every payment has had its pulse: what is cut short is never made good
        if not self.restart_wanted or self._paid:
            return False
        late = self.board.milliseconds() - self._restart_at
        # a button that is held means something else while a board starts (rescue.py)
        return late >= 0 and (late >= _STUCK_MS or not self.board.button_is_down())

    # --- what people see ---

    def say(self, text: str, is_noted: bool) -> None:
        """A line on the console, and on a board into its log if somebody may look for it later."""
        if text and text != self._shown:
            self._shown = text
            self.board.show(text)
            if is_noted and IS_BOARD:
                note(text)

    def _tell_state(self) -> None:
        """Say how things are when that has changed; what happened stays on show until then."""
        client = self.client
        state = (client.chain.tip_height * len(STATES) + client.state) * 4 + client.is_open * 2 + self.link.connected
        if state == self._last_state and self.link.problem == self._last_problem:
            return
        self._last_state = state
        self._last_problem = self.link.problem
        line = state_line(client, self.is_paired, self.link)
        if line != self._state_shown and not self.restart_wanted:
            self._state_shown = line
            self.say(line, self._is_news())

    def _is_news(self) -> bool:
        """Whether the state belongs into the log: why there is no bridge, each reason once until it is back."""
        reasons = self._reasons
        if self.client.is_open and reasons:
            reasons.clear()
            self.say("the bridge is back", True)
        elif not self.client.is_open and self._last_problem and self._last_problem not in reasons:
            reasons.append(self._last_problem)
            return len(reasons) < _MAX_REASONS
        return False

    # --- the relay ---

    def _move_relay(self) -> None:
        """One pulse for each payment, one after the other."""
        board = self.board
        now = board.milliseconds()
        if board.relay_is_on:
            if now >= self._relay_off_at:
                board.set_relay(False)
                request_id, txid = self._paid.pop(0)
                self._finish(request_id, txid)
                self.client.tell(EVENT_RELAY_OFF, request_id, txid)
                self.say("relay off", False)
        elif self._paid:
            self._relay_off_at = now + self._relay_ms
            board.set_relay(True)
            self.client.tell(EVENT_RELAY_ON, self._paid[0][0], self._paid[0][1])
            self.say("relay on", False)

    def _tell_cut_short(self) -> None:
        """Pulses that a power cut or an error has cut short are told, and never repeated.

        A person settles them with the button; where there is none, they are settled when the bridge has heard:
        when the session has gone on for a while after it. What a bridge was told that was just going is told again.
        """
        if not self.cut_short:
            return
        request_id, txid = self.cut_short[0]
        detail = "the program ended before the pulse did; txid ends in " + hash_to_hex(txid)
        if not self._is_noted:
            self._is_noted = True
            self.say("relay cut short: request " + str(request_id) + ": " + detail, True)
        if self._is_heard:
            return
        now = self.board.milliseconds()
        if not self.client.is_open:
            self._is_told = False
        elif not self._is_told:
            self._is_told = self.client.tell(EVENT_RELAY_OFF, request_id, b"", detail)
            self._told_at = now
        elif now - self._told_at >= _HEARD_MS:
            self._is_heard = True
            if not self.has_button:
                self.settle()

    def settle(self) -> None:
        """The first of the pulses that were cut short has been dealt with."""
        request_id, txid = self.cut_short.pop(0)
        self._is_noted = self._is_told = self._is_heard = False
        self._finish(request_id, txid)
        self.say("settled: request " + str(request_id), True)

    def _finish(self, request_id: int, txid: bytes) -> None:
        try:
            self._acted.finish(request_id, txid)
        except StoreError as error:  # it will be told as cut short at the next start
            say_error(error)

    def run(self) -> None:
        """Run until the line is closed. Whatever ends it, the relay is open afterwards."""
        self.all_is_loaded()
        try:
            while self.step():
                pass
        finally:
            self.close()

    def close(self) -> None:
        """Open the relay and make everything durable: the next start goes on from here, and tells a pulse cut short."""
        store = self.client.chain.store
        try:
            self.board.set_relay(False)  # before all that can fail
        finally:
            try:
                self.client.chain.commit()
            finally:
                store.close()


def folder_of(path: str) -> str:
    """The folder that a file is in."""
    return path.rsplit("/", 1)[0] or "/" if "/" in path else "."


def open_chain(settings: "Settings") -> "tuple[HeaderChain, ActedPayments | StoredPayments]":
    """The chain and the payments acted on, in the store that the settings name."""
    network = settings.network
    if not settings.store:
        return HeaderChain(network, RamStore(settings.window), settings.start), ActedPayments()
    from firmware.files import FolderFiles  # noqa: PLC0415 - what is not used costs no memory
    from lightclient.headers.window_store import WindowStore  # noqa: PLC0415
    from lightclient.spv import stored_payments  # noqa: PLC0415

    files = FolderFiles(settings.store, False)
    acted = stored_payments.StoredPayments(files, network)
    return HeaderChain(network, WindowStore(network, files, acted, settings.epochs), settings.start), acted
