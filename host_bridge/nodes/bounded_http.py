"""Plain HTTP to a node: every answer has a ceiling before it is read and a time to end in; errors in one line."""

import asyncio
from dataclasses import dataclass

import aiohttp

from host_bridge.limits import ANSWER_SECONDS, CONNECT_SECONDS
from host_bridge.nodes.node import NodeError, NodeLied, NodeUnreachable

_KEEP_SECONDS = 15  # a connection that rests; Core closes it after 30, and must not be the first to


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    body: bytes
    content_type: str  # "" when it names none


class BoundedHttp:
    """Requests to one server. `base` is its URL without a slash at the end; `name` is what errors call it.

    No redirects, cookies, proxies, compression or TLS: a node has none of them.
    """

    def __init__(self, base: str, name: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._base = base
        self._name = name
        self._answer_seconds = answer_seconds
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=8, keepalive_timeout=_KEEP_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._answer_seconds, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        return self._session

    async def get(self, path: str, most: int) -> HttpAnswer:
        """The answer, whatever its status, of at most `most` bytes. Raises NodeUnreachable, NodeLied."""
        return await self._request("GET", path, most, None, {})

    async def post(self, path: str, most: int, body: bytes, headers: dict[str, str]) -> HttpAnswer:
        """Like `get`. What is asked must be safe to ask twice."""
        return await self._request("POST", path, most, body, headers)

    async def _request(
        self, method: str, path: str, most: int, body: bytes | None, headers: dict[str, str]
    ) -> HttpAnswer:
        try:
            return await self._once(method, path, most, body, headers)
        except aiohttp.ClientConnectorError as error:
            raise self._not_there(error) from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            pass  # a resting connection that the node has closed meanwhile: once more, on a new one
        except Exception as error:
            raise self._failure(error) from None
        try:
            return await self._once(method, path, most, body, headers)
        except aiohttp.ClientConnectorError as error:
            raise self._not_there(error) from None
        except Exception as error:
            raise self._failure(error) from None

    async def _once(self, method: str, path: str, most: int, body: bytes | None, headers: dict[str, str]) -> HttpAnswer:
        async with self._open().request(
            method, self._base + path, data=body, headers=headers, allow_redirects=False
        ) as response:
            told = response.content_length
            if told is not None and told > most:
                response.close()
                raise NodeLied(f"{self._name}: an answer of {told} bytes, at most {most} belong there")
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > most:
                    response.close()
                    raise NodeLied(f"{self._name}: an answer without end, at most {most} bytes belong there")
                parts.append(part)
            return HttpAnswer(response.status, b"".join(parts), response.content_type if told != 0 else "")

    def _not_there(self, error: aiohttp.ClientConnectorError) -> NodeError:
        reason = error.os_error.strerror or str(error.os_error)
        return NodeUnreachable(f"{self._name} can't be reached: {_one_line(reason)}")

    def _failure(self, error: Exception) -> Exception:
        if isinstance(error, NodeError):
            return error
        if isinstance(error, asyncio.TimeoutError):
            return NodeUnreachable(f"{self._name}: no whole answer in {self._answer_seconds:g} seconds")
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            return NodeUnreachable(f"{self._name}: the connection broke in the middle of an answer")
        if isinstance(error, aiohttp.ClientError | ValueError):
            return NodeLied(f"{self._name}: what answers is no HTTP: {_one_line(error)}")
        return error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _one_line(text: object) -> str:
    return " ".join(ascii(str(text))[1:-1].split())[:100]
