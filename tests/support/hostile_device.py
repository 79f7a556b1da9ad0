"""A paired device that does what no device does, over TLS to a real bridge (CPython)."""

import asyncio
import secrets

from fleet import trusting

from lightclient.errors import LightClientError
from lightclient.messages import (
    AUTHENTICATE,
    BRIDGE,
    CHALLENGE,
    GOODBYE,
    HELLO,
    WELCOME,
    authentication_mac,
    decode,
    encode,
)
from lightclient.pairing import SERVER_NAME
from lightclient.wire import FrameReader, encode_frame


class HostileDevice:
    """Opens sessions as the protocol asks, and then says whatever it likes."""

    def __init__(self, name, key):
        self.device_id = name.encode()
        self._key = key
        self._frames = FrameReader(4096)
        self._sequence = 0
        self._buffer = bytearray(4096)
        self._heard = b""

    async def dial(self, port, certificate):
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting(certificate), server_hostname=SERVER_NAME, limit=4096
        )

    def frame(self, kind, *values):
        if kind == HELLO:
            self._sequence = 0
        length = encode(kind, values, self._buffer)
        self._sequence += 1
        return encode_frame(kind, (self._sequence - 1) & 0xFF, bytes(self._buffer[:length]))

    async def hear(self):
        """The next frame: (kind, values). Raises ConnectionError at the end."""
        while True:
            start = 0
            while start < len(self._heard):
                start = self._frames.feed(self._heard, start, len(self._heard))
                if self._frames.ready:
                    self._heard = self._heard[start:]
                    frame = self._frames
                    kind = frame.frame_type
                    return kind, decode(kind, frame.buffer, frame.payload_start, frame.payload_end, BRIDGE)
            self._heard = await self.reader.read(4096)
            if not self._heard:
                raise ConnectionError("the bridge has hung up")

    async def open(self, credit=4):
        """A session; the bytes that it took to say."""
        nonce = secrets.token_bytes(16)
        said = self.frame(HELLO, 1, "regtest", 4096, credit, self.device_id, "0", 0, nonce)
        self.writer.write(said)
        while True:
            try:
                kind, values = await self.hear()
            except LightClientError:
                continue
            if kind == CHALLENGE:
                mac = authentication_mac(self._key, values[0], nonce, self.device_id)
                answer = self.frame(AUTHENTICATE, mac)
                said += answer
                self.writer.write(answer)
            elif kind == WELCOME:
                return said
            elif kind == GOODBYE:
                raise ConnectionError(values[1])

    async def last_words(self):
        """The detail of the GOODBYE that comes, empty when the line is closed without."""
        try:
            async with asyncio.timeout(20):
                while True:
                    kind, values = await self.hear()
                    if kind == GOODBYE:
                        return values[1]
        except ConnectionError:
            return ""

    def close(self):
        self.writer.transport.abort()
