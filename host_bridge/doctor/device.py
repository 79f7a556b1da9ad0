"""The device on a port: what its HELLO says, and whether it knows the key that this bridge has of it."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from host_bridge.doctor.finding import DeviceSeen, Finding, Seen, broken, good, warning
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import as_root, command
from host_bridge.links.line import Line
from host_bridge.links.serial_line import PortUnusable, open_serial
from host_bridge.pairing.paired_devices import BadDeviceList, PairedDevices
from lightclient.endpoint import Endpoint
from lightclient.errors import LightClientError
from lightclient.hashes import equal_constant_time
from lightclient.limits import MAX_PAYLOAD
from lightclient.messages import (
    AUTHENTICATE,
    CHALLENGE,
    DEVICE,
    GOODBYE,
    HELLO,
    PROTOCOL_VERSION,
    authentication_mac,
    encode,
)
from lightclient.wire import encode_frame

HELLO_SECONDS = 8.0  # it pauses for one second before it greets; its flash may keep it for some
_PROOF_SECONDS = 4.0
_NUDGE_SECONDS = 2.0
_MAX_HEARD = 4096
_PROMPT = b">>>"  # of MicroPython


@dataclass
class Answer:
    """`proved`: whether it has shown that it knows the key; None: it has none here to show."""

    version: int
    network: str
    device_id: bytes
    firmware: str
    proved: bool | None = None


class NoAnswer(Exception):
    """The text is what was heard in its place."""


def look_at_device(setup: Setup, seen: Seen, path: str) -> Finding:
    try:
        devices: PairedDevices | None = PairedDevices(setup.folder)
    except (BadDeviceList, OSError):
        devices = None  # told of by who looks at the list
    try:
        answer = asyncio.run(_ask(path, setup.config.serial_baud, devices))
    except PortUnusable as error:
        # (whoever has it is not to be seen by this user)
        return broken("device", f"{path}: {error}", as_root(command("fuser", "-v", path)))
    except NoAnswer as error:
        return broken("device", f"{path}: {error}", _start(path))
    name = devices.name_of(answer.device_id) if devices else answer.device_id.hex()
    seen.devices.append(DeviceSeen(f"{name} on {path}", answer.network))
    return _judge(setup, path, name, answer, devices)


def _judge(setup: Setup, path: str, name: str, answer: Answer, devices: PairedDevices | None) -> Finding:
    says = f"{path}: {name or 'a device without an id'}, firmware {answer.firmware or 'unknown'}, {answer.network}"
    if answer.version != PROTOCOL_VERSION:
        text = f"{says}: it speaks version {answer.version} of the protocol, this bridge {PROTOCOL_VERSION}"
        return broken("device", text, "pip install --upgrade lightclient")
    if answer.proved:
        return good("device", f"{says}, paired with this bridge")
    if setup.config.serial_unpaired:
        return good("device", f"{says}; on a cable it is served unpaired (serial_unpaired)")
    if devices is None:
        return warning("device", f"{says}; whether it is paired is not known", setup.bridge_command("doctor"))
    if answer.proved is False:
        text = f"{says}: it has another pairing key than this bridge has of it"
        return broken("device", text, setup.pair_command(path))
    revoked = any(d.device_id == answer.device_id.hex() and d.revoked for d in devices.list())
    text = "its pairing was revoked" if revoked else "it is not paired with this bridge"
    return broken("device", f"{says}: {text}, and gets nothing", setup.pair_command(path))


def _start(path: str) -> str:
    """Starts the device's program anew; an emulated one is not there any more."""
    if Path(path).resolve().is_relative_to("/dev/pts"):
        return command("lightclient", "emulate", "--link", path if Path(path).is_symlink() else "./ttyDEV")
    return command("mpremote", "connect", path, "reset")


async def _ask(path: str, baud_rate: int, devices: PairedDevices | None) -> Answer:
    """Raises PortUnusable, NoAnswer."""
    line = open_serial(path, path, baud_rate)
    try:
        return await _Conversation(line, devices).hold()
    except ConnectionError:
        raise NoAnswer("it went away while it was asked") from None
    finally:
        line.close()


class _Conversation:
    """A device waits for nobody twice: GOODBYE ends what it waits for, and it greets again."""

    def __init__(self, line: Line, devices: PairedDevices | None) -> None:
        self._line = line
        self._devices = devices
        self._endpoint = Endpoint(DEVICE, 1, MAX_PAYLOAD)
        self._heard = bytearray()
        self._frames = 0
        self._answer: Answer | None = None
        self._expected = b""  # the mac that is waited for; empty: none

    async def hold(self) -> Answer:
        end = time.monotonic() + HELLO_SECONDS
        nudge_at = 0.0
        nudges = 0
        while time.monotonic() < end and (self._answer is None or self._expected):
            if self._answer is None and time.monotonic() >= nudge_at:
                await self._write(_goodbye(nudges))
                nudges += 1
                nudge_at = time.monotonic() + _NUDGE_SECONDS
            asked_before = self._answer is not None
            await self._listen(0.2)
            if self._answer is not None and not asked_before:
                end = time.monotonic() + _PROOF_SECONDS
        if self._answer is None:
            raise NoAnswer(self._silence())
        await self._write(_goodbye(nudges) + _goodbye(nudges + 1))  # so that it waits for no WELCOME
        return self._answer

    async def _listen(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                data = await self._line.read()
        except TimeoutError:
            return
        if not data:
            raise ConnectionError
        self._heard = (self._heard + data)[-_MAX_HEARD:]
        start = 0
        while start < len(data):
            start = self._endpoint.receive(data, start, len(data))
            if self._endpoint.message_ready:
                await self._take()

    async def _take(self) -> None:
        try:
            kind = self._endpoint.read_message(False)
        except LightClientError:
            return  # left over from a session with somebody else
        self._frames += 1
        values = self._endpoint.values
        if kind == HELLO:
            await self._greeted(*values)
        elif kind == AUTHENTICATE and self._answer and self._expected:
            self._answer.proved = equal_constant_time(bytes(values[0]), self._expected)
            self._expected = b""

    async def _greeted(
        self, version: int, network: str, _room: int, _credit: int, name: bytes, firmware: str, _heap: int, nonce: bytes
    ) -> None:
        device_id = bytes(name)
        self._answer = Answer(version, network, device_id, firmware)
        self._expected = b""
        key = self._devices.key_of(device_id) if self._devices and device_id else b""
        if key and version == PROTOCOL_VERSION:
            self._answer.proved = False
            challenge = secrets.token_bytes(32)
            self._expected = authentication_mac(key, challenge, bytes(nonce), device_id)
            self._endpoint.begin(0)
            self._endpoint.send(CHALLENGE, (challenge,))
            while output := self._endpoint.next_output():
                await self._write(output)

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(_NUDGE_SECONDS):
                await self._line.write(data)
        except TimeoutError:
            pass  # it reads nothing: then it says nothing either

    def _silence(self) -> str:
        heard = bytes(self._heard)
        if _PROMPT in heard:
            return "MicroPython's prompt answers: the device program does not run"
        if self._frames:
            return f"it speaks lightclient, but has not greeted in {HELLO_SECONDS:.0f} s"
        words = "".join(c if c.isprintable() else " " for c in heard.decode("ascii", "ignore")).split()
        if words:
            return f"no lightclient answers, but this came: {' '.join(words)[-80:]}"
        return f"nothing answers in {HELLO_SECONDS:.0f} s: does the device program run on it?"


def _goodbye(sequence: int) -> bytes:
    payload = bytearray(64)
    length = encode(GOODBYE, (0, "lightclient doctor"), payload)
    return encode_frame(GOODBYE, sequence & 0xFF, payload[:length])
