"""Asks a device over its cable, in the place of a bridge: its answers, one for each question (docs/PROTOCOL.md, ASK).

A device that is paired answers only who proves to know its key: the keys that are known of it are tried.
"""

import time
from collections.abc import Callable
from typing import Any

import serial

from host_bridge.pairing.line import Cable
from host_bridge.pairing.paired_devices import PairedDevices
from lightclient import errors
from lightclient.endpoint import Endpoint
from lightclient.errors import AuthenticationFailed, LightClientError, NotConfirmed
from lightclient.limits import MAX_PAYLOAD
from lightclient.messages import ASK, DEVICE, GOODBYE, HELLO, PROTOCOL_VERSION, QUESTIONS, TOLD, encode
from lightclient.pairing import asking_mac
from lightclient.wire import encode_frame

MAX_ARGUMENT = MAX_PAYLOAD - 39  # bytes: the array's head, the question, the argument's head, the mac
_MAX_ANSWER = 65_536
_READ_SIZE = 4096
_HAND_SECONDS = 60.0  # for a person to come to the device's button
_HAND_PAUSE = 0.5
_NUDGE_SECONDS = 2.0  # a device pauses for one before it greets again
_ERRORS = {
    value.code: value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, LightClientError)
}


class ControlFailed(Exception):
    """The device does not do it. `name` is an error of the device's, or ControlFailed; the text is one line."""

    def __init__(self, text: str, name: str = "ControlFailed") -> None:
        super().__init__(text)
        self.name = name


class DeviceControl:
    """The device at the other end of `cable`. What waits, waits at most `seconds` for each answer.

    `say` is given a line for the person, where one has to hold the device's button.
    """

    def __init__(
        self,
        cable: Cable,
        devices: PairedDevices,
        seconds: float = 20.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._say = say
        self._cable = cable
        self._devices = devices
        self._seconds = seconds
        self._endpoint = Endpoint(DEVICE, 1, MAX_PAYLOAD)
        self._hello: list[Any] = []
        self._keys: list[bytes] = []
        self._told: list[Any] | None = None

    @property
    def device_id(self) -> bytes:
        return bytes(self._hello[4])

    @property
    def network(self) -> str:
        return str(self._hello[1])

    def greet(self) -> None:
        """Wait for the device. Raises ControlFailed."""
        end = time.monotonic() + self._seconds
        nudge_at = 0.0
        nudges = 0
        while not self._hello:
            now = time.monotonic()
            if now > end:
                raise ControlFailed("nothing that speaks lightclient is on the line: does the device's program run?")
            if now >= nudge_at:
                # a device that is in a session still, or talks over a network, greets us after this
                self._write(encode_frame(GOODBYE, nudges, b"\x82\x00\x60"))
                nudges += 1
                nudge_at = now + _NUDGE_SECONDS
            self._listen()
        version = self._hello[0]
        if version != PROTOCOL_VERSION:
            raise ControlFailed(f"the device speaks version {version} of the protocol, this program {PROTOCOL_VERSION}")
        self._keys = list(self._devices.known_keys(self.device_id))

    def ask(self, question: int, argument: bytes = b"") -> tuple[bytes, int]:
        """A piece of the answer, and how many bytes of it are left. Raises ControlFailed."""
        if not self._hello:
            self.greet()
        while True:
            code, left, data = self._ask_once(question, argument)
            if code == 0:
                return data, left
            if code == AuthenticationFailed.code and len(self._keys) > 1:
                del self._keys[0]
                continue
            error = _ERRORS.get(code, LightClientError)
            text = data.decode("ascii", "replace")
            if error is AuthenticationFailed:
                text = "the device is paired with another bridge: only that one's computer may ask it (--state-dir)"
            raise ControlFailed(text, error.__name__)

    def ask_with_hand(self, question: int, argument: bytes) -> bytes:
        """The answer to what a paired device takes only while its button is held. Raises ControlFailed."""
        end = time.monotonic() + _HAND_SECONDS
        is_said = False
        while True:
            try:
                return self.ask(question, argument)[0]
            except ControlFailed as error:
                if error.name != NotConfirmed.__name__:
                    raise
                if time.monotonic() > end:
                    text = f"nobody has held the device's button for {_HAND_SECONDS:.0f} s: nothing has changed"
                    raise ControlFailed(text, error.name) from None
            if not is_said:
                is_said = True
                self._say("hold the device's button, until it says that you may let go")
            time.sleep(_HAND_PAUSE)

    def ask_all(self, question: int) -> bytes:
        """The whole answer, piece by piece. Raises ControlFailed."""
        answer = bytearray()
        left = 1
        while left:
            data, left = self.ask(question, len(answer).to_bytes(4, "little"))
            answer += data
            if len(answer) + left > _MAX_ANSWER or (left and not data):
                raise ControlFailed("the device's answer has no end")
        return bytes(answer)

    def _ask_once(self, question: int, argument: bytes) -> tuple[int, int, bytes]:
        end = time.monotonic() + self._seconds
        asked: list[Any] = []  # the HELLO that it was sent after
        while True:
            if asked is not self._hello:  # the device has begun anew: what came before is forgotten there
                asked = self._hello
                self._send(question, argument)
            if self._told is not None:
                told, self._told = self._told, None
                return told[0], told[1], bytes(told[2])
            if time.monotonic() > end:
                raise ControlFailed(f"the device does not answer ({QUESTIONS[question]})")
            self._listen()

    def _send(self, question: int, argument: bytes) -> None:
        self._told = None
        mac = b""
        if self._keys:
            buffer = bytearray(MAX_PAYLOAD)
            length = encode(ASK, (question, argument, b""), buffer)
            mac = asking_mac(self._keys[0], self._hello[7], buffer[: length - 1])
        self._endpoint.send(ASK, (question, argument, mac))
        self._flush()

    def _listen(self) -> None:
        try:
            data = self._cable.read(_READ_SIZE)
        except (serial.SerialException, OSError) as error:
            raise ControlFailed(f"the line is gone: {error}") from None
        start = 0
        while start < len(data):
            start = self._endpoint.receive(data, start, len(data))
            if not self._endpoint.message_ready:
                continue
            try:
                kind = self._endpoint.read_message(False)
            except LightClientError:
                continue  # left over from a session with somebody else
            values = list(self._endpoint.values)
            if kind == HELLO:
                if self._hello and bytes(values[4]) != self.device_id:
                    raise ControlFailed("another device is on the line now")
                self._hello = values
                self._endpoint.begin(0)
            elif kind == TOLD and self._hello:
                self._told = [values[0], values[1], bytes(values[2])]

    def _flush(self) -> None:
        while data := self._endpoint.next_output():
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                sent = self._cable.write(data)
                data = data[len(data) if sent is None else sent :]
        except (serial.SerialException, OSError) as error:
            raise ControlFailed(f"the line is gone: {error}") from None
