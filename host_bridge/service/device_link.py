"""One line and the session on it: bytes go both ways, and neither end can make the other's memory grow.

Theory of operation: one task reads, one writes. After every piece that was read, the answers to it have to
be on the line before more is read; what the line does not take makes the reader wait, and with it the
device. A frame is asked of the session only when the line has taken the one before, and between two frames
the other devices have their turn. Whatever goes wrong here ends this line, and no other.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from host_bridge.limits import GARBAGE_SIZE, RECEIVE_PIECE, SILENCE_SECONDS, WRITE_SECONDS
from host_bridge.links.line import Line
from host_bridge.service.log import DEBUG, ERROR, INFO, WARNING, DeviceLog, Log
from host_bridge.sessions.reports import DeviceReports
from host_bridge.sessions.session import BridgeSession
from host_bridge.sessions.source import Source
from lightclient.errors import BadFrame, LightClientError, LinkError, NotPaired, describe
from lightclient.messages import HELLO

_PATIENCE_SECONDS = 20.0  # a device that waits for its first answer says HELLO every 15
_LAST_WORDS_SECONDS = 1.0  # that a connection stays for the device to read why it ends


class DeviceLink:
    """`key_of`: the pairing key of a device_id; None: whoever is there is served.

    `on_open` is told when a session is open, and may give the log that its device is to have.
    """

    def __init__(
        self,
        line: Line,
        source: Source,
        version: str,
        log: Log,
        key_of: Callable[[bytes], bytes] | None,
        on_open: Callable[["DeviceLink"], DeviceLog | None],
    ) -> None:
        self.line = line
        self.session = BridgeSession(source, version, self._look_up if key_of else None)
        self._key_of = key_of
        self._on_open = on_open
        self._key = b""  # that the device had to know
        self._log = DeviceLog(log, line.name)
        self._reports = DeviceReports(self._log)
        self._wake = asyncio.Event()  # there may be something to send
        self._sent = asyncio.Event()  # the line has taken all there was
        self._since = self._heard = time.monotonic()
        self._garbage = 0  # bytes since the last whole frame
        self._ended_for = ""  # the reason that the log has
        self._was_let_in = False
        self._hang_up = False
        self._we_stop = False

    # --- what the bridge calls ---

    async def run(self) -> None:
        """Until the line is closed, at either end. Raises nothing."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except TimeoutError:
            self._log.write(WARNING, f"has taken nothing for {WRITE_SECONDS:.0f} s: dropped", event="dropped")
        except ConnectionError:
            pass  # it is gone: said below
        except Exception as error:  # the others go on, whatever it is
            self._log.write(ERROR, f"dropped for an error of this program: {error!r}", event="dropped")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.line.in_session and self.session.ended_by is None:
                self._log.write(INFO, "gone", event="gone")
            self.line.in_session = False
            self.session.close()
            self.line.close()

    def announce(self) -> None:
        """The chain has changed, or a payment was found."""
        self.session.announce()
        self._wake.set()

    def end(self, error: LightClientError | None) -> None:
        """End the session, None: because the bridge stops. A connection over the network ends with it."""
        self._we_stop |= error is None
        self.session.end(error)
        self._look()
        self._wake.set()

    async def all_sent(self) -> None:
        """Wait until the line has taken all that there is to say."""
        if self.session.endpoint.has_output:
            self._sent.clear()
            self._wake.set()
            await self._sent.wait()

    def look_after(self) -> None:
        """Once a second: a device that was revoked, or has been silent for too long."""
        if not self.session.is_open:
            self._wonder()
            return
        if self._key_of is not None and self._key_of(self.session.device_id) != self._key:
            self.end(NotPaired("the pairing was revoked"))
        elif time.monotonic() - self._heard > SILENCE_SECONDS:
            self.end(LinkError(f"nothing was heard for {SILENCE_SECONDS / 60:.0f} minutes"))

    def _wonder(self) -> None:
        """A cable on which nobody says anything that we understand, told of once."""
        silent = not self._was_let_in and self.session.ended_by is None and not self._ended_for
        if silent and not self.line.is_network and time.monotonic() - self._since > _PATIENCE_SECONDS:
            self._ended_for = "no device has answered yet: does the device program run on it?"
            self._log.write(WARNING, self._ended_for, event="no_answer")

    # --- the two tasks ---

    async def _read(self) -> None:
        session = self.session
        while data := await self.line.read():
            self._heard = time.monotonic()
            for i in range(0, len(data), RECEIVE_PIECE):
                piece = data[i : i + RECEIVE_PIECE]
                frames = session.endpoint.reader.expected
                session.receive(piece)
                self._garbage = 0 if session.endpoint.reader.expected != frames else self._garbage + len(piece)
                if self._garbage > GARBAGE_SIZE:
                    self._end_garbage()
                self._look()
                self._wake.set()
                if session.endpoint.has_output:
                    await self.all_sent()
                else:
                    await asyncio.sleep(0)

    async def _write(self) -> None:
        if not self.line.is_network:
            self.session.invite()
        while not self._hang_up or self.session.endpoint.has_output:
            self._wake.clear()
            while data := self.session.next_output():
                await self._send(data)
                await asyncio.sleep(0)  # the next device's turn
            self._look()
            self._sent.set()
            if not self._hang_up:
                await self._wake.wait()
        await self._say_why()

    async def _send(self, data: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            await self.line.write(data)

    async def _say_why(self) -> None:
        """What is closed with bytes unread is reset, and our last words with it: let the device go first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self.line.wait_closed()

    # --- what is new ---

    def _look(self) -> None:
        """Take what the device has said, and tell what has become of its session."""
        session = self.session
        while report := session.next_report():
            if report.kind == HELLO:
                self.line.in_session = False  # it is told of again, when it is let in
                self._reports.forget()
            else:
                self._reports.take(report, session.source.best_height)
        if session.is_open and not self.line.in_session:
            self._opened()
        elif self.line.in_session and not session.is_open:
            self.line.in_session = False
            if session.ended_by is None and not self._we_stop:
                self._log.write(INFO, "said goodbye", event="goodbye")
        self._tell_end()

    def _opened(self) -> None:
        session = self.session
        self.line.in_session = True
        self._was_let_in = True
        self._ended_for = ""
        self._log = self._on_open(self) or self._log
        self._reports = DeviceReports(self._log)
        text = f"connected, firmware {session.firmware_version or 'unknown'}"
        text += "" if self._key_of else ", not asked for a pairing key"
        fields = {"event": "connected", "line": self.line.name, "device_id": session.device_id.hex()}
        self._log.write(INFO, text, **fields, firmware=session.firmware_version)

    def _tell_end(self) -> None:
        """Why we have ended a session, or opened none: once, until one is open again."""
        error = self.session.ended_by
        if error is None or describe(error) == self._ended_for:
            return
        self._ended_for = describe(error)
        # strangers on the network are the listener's to tell of, all together
        stranger = self.line.is_network and not self._was_let_in
        level = DEBUG if stranger else WARNING
        what = "session ended" if self._was_let_in else "not served"
        self._log.write(level, f"{what}: {self._ended_for}", event="ended", error=type(error).__name__)
        self.line.turned_away = self._ended_for if stranger else ""
        self._hang_up |= self.line.is_network

    def _end_garbage(self) -> None:
        self._garbage = 0
        error = BadFrame(f"{GARBAGE_SIZE // 1024} KB without one frame among them: that is no lightclient")
        if self.session.is_open:
            self.end(error)
        elif describe(error) != self._ended_for:
            self._ended_for = describe(error)
            self._log.write(DEBUG if self.line.is_network else WARNING, self._ended_for, event="garbage")
            self.line.turned_away = self._ended_for
            self._hang_up = self.line.is_network

    def _look_up(self, device_id: bytes) -> bytes:
        """The pairing key, for the session; we remember which it was."""
        self._key = self._key_of(device_id) if self._key_of else b""
        return self._key
