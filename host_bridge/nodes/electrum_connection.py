"""One connection to an Electrum server: JSON-RPC in lines, answers matched to calls by their ids.

A task of its own reads the lines. Whatever is wrong with one of them ends the connection, and with it every
call that waits: after that nothing on the line can be trusted to be an answer to anything.

ElectrumX hides from those who watch the wire how long its answers are: it fills them up with spaces, and
holds them back for up to a second until 1 KB has come together. The spaces count for no ceiling here; and
once it has been seen to do that, a call that waits is followed by calls with a longer answer.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.limits import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    MAX_NOTIFICATION,
    MAX_OPEN_CALLS,
    MAX_SHORT_ANSWER,
    MAX_UNASKED_LINES,
)
from host_bridge.nodes.answers import AnswerTooLong, parse_json, shown
from host_bridge.nodes.node import NodeError, NodeLied, NodeRefused, NodeUnreachable

_READ = 65_536  # bytes at a time
_PADDING = b"  }"  # how a line ends that was filled up
_NUDGE = ("blockchain.block.headers", (0, 8))  # 1,280 digits and more
_NUDGE_AFTER = (0.003, 0.03, 0.1, 0.3)  # seconds, one after the other

Call = tuple[str, "asyncio.Future[Any]", int]  # method, where its answer goes, ceiling of the answer's line


class ServerError(NodeRefused):
    """The server answered a call with an error; `code` is its JSON-RPC code, 0 if it has none.

    It is NotThere where that is what the caller knows it to mean.
    """

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code


class ElectrumConnection:
    """`on_notification` is called with method and params of what the server says unasked."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_notification: Callable[[str, object], None],
        on_end: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_notification = on_notification
        self._on_end = on_end
        # A call that was given up stays until its answer comes, so that the answer is known for what it is.
        self._calls: dict[int, Call] = {}
        self._last_id = 0
        self._unasked = 0
        self._holds_back = False
        self._nudge: asyncio.Future[Any] | None = None
        self._error: NodeError | None = None
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        pinned: bytes | None,
        on_notification: Callable[[str, object], None],
        on_end: Callable[[], None],
    ) -> "ElectrumConnection":
        """Connect. `pinned`: the certificate (DER) that the server must have. Raises NodeUnreachable, NodeLied."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(host, port, ssl=context)
        except TimeoutError:
            raise NodeUnreachable(f"{host}:{port} does not answer within {CONNECT_SECONDS} seconds") from None
        except ssl.SSLCertVerificationError as error:
            raise NodeLied(
                f"{host}:{port}: its certificate is not to be trusted: {error.verify_message};"
                " a self-signed one can be pinned with ?certificate=FILE"
            ) from None
        except OSError as error:  # ssl.SSLError is one
            raise NodeUnreachable(f"{host}:{port}: {shown(error.strerror or error)}") from None
        if pinned is not None and writer.get_extra_info("ssl_object").getpeercert(True) != pinned:
            writer.close()
            raise NodeLied(f"{host}:{port}: its certificate is not the pinned one")
        return cls(reader, writer, on_notification, on_end)

    @property
    def ended(self) -> bool:
        return self._error is not None

    async def call(self, method: str, *params: object, ceiling: int = MAX_SHORT_ANSWER) -> Any:
        """The result of a call, in a line of at most `ceiling` bytes.

        Raises ServerError, NodeLied, NodeUnreachable.
        """
        if self._error is None and len(self._calls) >= MAX_OPEN_CALLS:
            self._end(NodeUnreachable(f"{MAX_OPEN_CALLS} calls wait for an answer"))
        if self._error is not None:
            raise type(self._error)(str(self._error))
        answer = self._send(method, params, ceiling)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.drain()
                if self._holds_back:
                    await self._nudge_until(answer)
                return await answer
        except TimeoutError:
            error = NodeUnreachable(f"no answer to {method} within {ANSWER_SECONDS} seconds")
            self._end(error)
            raise error from None
        except OSError as error:
            self._end(NodeUnreachable(f"connection lost: {shown(error)}"))
            raise NodeUnreachable(f"connection lost: {shown(error)}") from None
        finally:
            answer.cancel()  # given up, if it has not come

    async def close(self) -> None:
        self._end(NodeUnreachable("closed"))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _send(self, method: str, params: tuple[object, ...], ceiling: int) -> "asyncio.Future[Any]":
        self._last_id += 1
        self._unasked = 0
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_look_at)
        self._calls[self._last_id] = (method, answer, ceiling)
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self._writer.write(json.dumps(request).encode() + b"\n")
        return answer

    async def _nudge_until(self, answer: "asyncio.Future[Any]") -> None:
        """One nudge is on its way at a time, however many calls wait."""
        for pause in _NUDGE_AFTER:
            await asyncio.wait((answer,), timeout=pause)
            if answer.done():
                return
            if self._nudge is None or self._nudge.done():
                self._nudge = self._send(*_NUDGE, MAX_SHORT_ANSWER)

    # --- reading ---

    async def _read(self) -> None:
        buffer = bytearray()
        searched = 0
        try:
            while self._error is None:
                data = await self._reader.read(_READ)
                if not data:
                    raise NodeUnreachable("the server has closed the connection")
                if not data.strip(b" "):
                    continue
                buffer += data
                while (end := buffer.find(b"\n", searched)) >= 0:
                    line = bytes(buffer[:end])
                    del buffer[: end + 1]
                    searched = 0
                    self._take(line)
                    await asyncio.sleep(0)  # a flood of lines must not hold up the others
                searched = len(buffer)
                if searched > self._ceiling() + 2 * _READ:  # as much padding may be about it
                    raise AnswerTooLong(f"a line of over {self._ceiling():,} bytes")
        except OSError as error:
            self._end(NodeUnreachable(f"connection lost: {shown(error)}"))
        except NodeError as error:
            self._end(error)
        finally:
            self._end(NodeUnreachable("connection lost"))

    def _ceiling(self) -> int:
        """Of the next line: the largest answer that is asked for."""
        return max((call[2] for call in self._calls.values()), default=MAX_NOTIFICATION)

    def _take(self, line: bytes) -> None:
        self._holds_back |= line.endswith(_PADDING)
        size = len(line[:-1].rstrip(b" ")) + 1
        if size > self._ceiling():
            raise AnswerTooLong(f"a line of {size:,} bytes")
        message = parse_json(line, "a line")
        if not isinstance(message, dict):
            raise NodeLied(f"a line that is no JSON-RPC message: {shown(ascii(line[:40]))}")
        if isinstance(message.get("method"), str):
            self._unasked += 1
            if self._unasked > MAX_UNASKED_LINES:
                raise NodeLied(f"over {MAX_UNASKED_LINES:,} notifications one after the other")
            self._on_notification(message["method"], message.get("params"))
            return
        number = message.get("id")
        if isinstance(number, bool) or not isinstance(number, int) or number not in self._calls:
            raise NodeLied(f"an answer to no call: id {shown(number, 20)!r}")
        method, answer, ceiling = self._calls[number]
        if size > ceiling:
            raise AnswerTooLong(f"{method}: an answer of {size:,} bytes, at most {ceiling:,}")
        if message.get("error") is None and "result" not in message:
            raise NodeLied(f"{method}: an answer without a result")
        del self._calls[number]
        if answer.done():
            return  # given up
        error = message.get("error")
        if error is not None:
            code = error.get("code") if isinstance(error, dict) else None
            text = error.get("message") if isinstance(error, dict) else error
            answer.set_exception(ServerError(method, code if isinstance(code, int) else 0, shown(text)))
        else:
            answer.set_result(message["result"])

    def _end(self, error: NodeError) -> None:
        """Once: every call that waits gets the error."""
        if self._error is not None:
            return
        self._error = error
        self._writer.transport.abort()  # a TLS farewell would wait for a server that stalls
        for _, answer, _ in self._calls.values():
            if not answer.done():
                answer.set_exception(type(error)(str(error)))
        self._calls.clear()
        self._on_end()


def _look_at(answer: "asyncio.Future[Any]") -> None:
    """It is no error that nobody waits for an answer any more."""
    if not answer.cancelled():
        answer.exception()


def pinning_context(certificate: Path) -> tuple[ssl.SSLContext, bytes]:
    """A context that takes this certificate, whatever name it is for, and its DER to compare with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the pin says more than a name
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it need not be a CA's
    try:
        pem = certificate.read_text("ascii")
        der = ssl.PEM_cert_to_DER_cert(pem[pem.index(ssl.PEM_HEADER) :])
        context.load_verify_locations(cadata=der)
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(f"{certificate}: no certificate that can be read: {shown(error)}") from None
    return context, der
