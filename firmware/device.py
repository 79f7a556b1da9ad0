"""A device: its client, its link, its board and its store. All objects are made here."""

import gc

from firmware import heap
from firmware.console import say_error
from firmware.screen import event_line, state_line
from lightclient import __version__
from lightclient.client import Client
from lightclient.errors import StoreError
from lightclient.hashes import hash_to_hex
from lightclient.headers.chain import HeaderChain
from lightclient.headers.store import RamStore
from lightclient.messages import EVENT_CONFIRMED, EVENT_RELAY_OFF, EVENT_RELAY_ON, STATES
from lightclient.spv.acted import ActedPayments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware.links import Link
    from firmware.settings import Settings
    from hardware.board import Board
    from lightclient.pairing import Pairing
    from lightclient.spv.stored_payments import StoredPayments

_POLL_MS = 50
_RESTART_MS = 500  # for the last words to leave by the line


class Device:
    """A client, its link and its board. `settings_path` is where a pairing is stored; empty: none is taken."""

    def __init__(self, settings: "Settings", link: "Link", board: "Board", settings_path: str = "") -> None:
        self.restart_wanted = False  # with new settings
        self._settings_path = settings_path
        self._take_pairing = self._pair if settings_path else None
        self._restart_at = 0
        self._shown = ""
        self._state_shown = ""
        self._last_state = -1
        self._last_problem = ""
        self._is_paired = bool(settings.pairing_key)
        self.board = board
        self.link = link
        chain, self._acted = open_chain(settings)
        self.client = Client(
            chain,
            self._acted,
            settings.device_id or board.unique_id(),
            __version__,
            board.random,
            board.heap_free,
            settings.pairing_key,
        )
        for request in settings.requests:
            self.client.wait_for(request)
        self._relay_ms = settings.relay_ms
        self._relay_off_at = 0
        self._collect_every = 0
        self._until_collection = 0  # bytes that may come from the line
        self._paid: "list[tuple[int, bytes]]" = []
        # Their payments count as acted on: whether the relay had moved is for a person to find out.
        self._cut_short = self._acted.unfinished()

    def settle(self) -> None:
        """All that stays has been made: from now on, garbage is collected between batches."""
        self._until_collection = self._collect_every = heap.loaded()

    def step(self) -> bool:
        """Wait a little for bytes and deal with them. False when the line is closed."""
        client = self.client
        link = self.link
        count = link.read(_POLL_MS)
        if count < 0:
            return False
        if link.connected:
            client.on_pair = self._take_pairing if link.point_to_point else None
            client.tick(self.board.milliseconds(), self.board.unix_time())
        else:
            if client.in_session:
                client.end_session()
            client.clock.tick(self.board.milliseconds(), self.board.unix_time())
        if count:
            client.receive(link.buffer, 0, count)
        if client.is_open:
            link.failures = 0
        event = client.next_event()
        while event:
            if event[0] == EVENT_CONFIRMED:
                self._paid.append((event[1], event[2]))
            self._show(event_line(event))
            event = client.next_event()
        self._show_state()
        self._tell_cut_short()
        self._move_relay()
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
        return not link.closed and not self._restart_is_due()

    def _pair(self, pairing: "Pairing") -> None:
        """Store it, show by whom we are paired, and start anew, for all that is made from settings."""
        from firmware.pairing import pair_device  # noqa: PLC0415 - it comes once in a device's life
        from lightclient.pairing import short_fingerprint  # noqa: PLC0415

        pair_device(self._settings_path, pairing)
        self._show("paired with the bridge " + short_fingerprint(pairing.fingerprint))
        self.restart_wanted = True
        self._restart_at = self.board.milliseconds() + _RESTART_MS

    def _restart_is_due(self) -> bool:
        # not before every payment has had its pulse: what is cut short is never made good
        return self.restart_wanted and not self._paid and self.board.milliseconds() >= self._restart_at

    def _show(self, text: str) -> None:
        if text and text != self._shown:
            self._shown = text
            self.board.show(text)

    def _show_state(self) -> None:
        """Say how things are when that has changed; what happened stays on show until then."""
        client = self.client
        state = (client.chain.tip_height * len(STATES) + client.state) * 4 + client.is_open * 2 + self.link.connected
        if state == self._last_state and self.link.problem == self._last_problem:
            return
        self._last_state = state
        self._last_problem = self.link.problem
        line = state_line(client, self._is_paired, self.link)
        if line != self._state_shown and not self.restart_wanted:
            self._state_shown = line
            self._show(line)

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
                self._show("relay off")
        elif self._paid:
            self._relay_off_at = now + self._relay_ms
            board.set_relay(True)
            self.client.tell(EVENT_RELAY_ON, self._paid[0][0], self._paid[0][1])
            self._show("relay on")

    def _tell_cut_short(self) -> None:
        """Pulses that a power cut or an error has cut short are told once, and never repeated."""
        if self._cut_short:
            request_id, txid = self._cut_short[0]
            detail = "the program ended before the pulse did; txid ends in " + hash_to_hex(txid)
            if self.client.tell(EVENT_RELAY_OFF, request_id, b"", detail):
                self._finish(request_id, txid)
                del self._cut_short[0]

    def _finish(self, request_id: int, txid: bytes) -> None:
        try:
            self._acted.finish(request_id, txid)
        except StoreError as error:  # it will be told as cut short at the next start
            say_error(error)

    def run(self) -> None:
        """Run until the line is closed. Whatever ends it, the relay is open afterwards."""
        self.settle()
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
