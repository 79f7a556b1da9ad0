"""The device program. Importing it starts nothing; all objects are made here."""

import gc
import sys

if sys.implementation.name == "micropython":
    # Collect often, from the first import on: loading modules would else leave the heap in pieces,
    # and garbage would fill it up before the first collection.
    gc.threshold(16 * 1024)  # type: ignore[attr-defined]

from firmware.links import StreamLink
from firmware.settings import Settings, load_settings
from hardware.board import open_board
from lightclient import __version__
from lightclient.client import Client
from lightclient.errors import LightClientError
from lightclient.headers.chain import HeaderChain
from lightclient.headers.store import RamStore
from lightclient.messages import EVENT_CONFIRMED, EVENT_RELAY_OFF, EVENT_RELAY_ON
from lightclient.spv.payment import ActedPayments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardware.board import Board

_POLL_MS = 50


class Device:
    """A client, its link and its board."""

    def __init__(self, settings: Settings, link: StreamLink, board: "Board") -> None:
        self.board = board
        self.link = link
        self.client = Client(
            HeaderChain(settings.network, RamStore(settings.window), settings.start),
            ActedPayments(),
            board.unique_id(),
            __version__,
            board.random,
            board.heap_free,
            settings.pairing_key,
        )
        for request in settings.requests:
            self.client.wait_for(request)
        self._relay_ms = settings.relay_ms
        self._relay_off_at = 0
        self._paid: "list[tuple[int, bytes]]" = []

    def step(self) -> bool:
        """Wait a little for bytes and deal with them. False when the line is closed."""
        client = self.client
        count = self.link.read(_POLL_MS)
        if count < 0:
            return False
        client.tick(self.board.milliseconds(), self.board.unix_time())
        if count:
            client.receive(self.link.buffer, 0, count)
        event = client.next_event()
        while event:
            if event[0] == EVENT_CONFIRMED:
                self._paid.append((event[1], event[2]))
            event = client.next_event()
        self._move_relay()
        while self.link.flush():  # what the line does not take waits in the client, which keeps count
            output = client.next_output()
            if not output:
                break
            self.link.write(output)
        return not self.link.closed

    def _move_relay(self) -> None:
        """One pulse for each payment, one after the other."""
        board = self.board
        now = board.milliseconds()
        if board.relay_is_on:
            if now >= self._relay_off_at:
                board.set_relay(False)
                request_id, txid = self._paid.pop(0)
                self.client.tell(EVENT_RELAY_OFF, request_id, txid)
        elif self._paid:
            self._relay_off_at = now + self._relay_ms
            board.set_relay(True)
            self.client.tell(EVENT_RELAY_ON, self._paid[0][0], self._paid[0][1])


def main(settings_path: str = "settings.json") -> None:
    """Run until the line is closed."""
    settings = load_settings(settings_path)
    gc.collect()  # the largest buffers come next
    link = StreamLink(sys.stdin.buffer, sys.stdout.buffer)
    device = Device(settings, link, open_board(settings.board_name))
    while device.step():
        pass


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError, LightClientError, MemoryError) as error:
        # standard output is the link: what went wrong goes to the console
        sys.stderr.write(type(error).__name__ + ": " + str(error) + "\n")
        sys.exit(1)
