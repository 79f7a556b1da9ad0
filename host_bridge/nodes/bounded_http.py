"""HTTP to a node, or to a server in front of one: every answer has a ceiling before it is read, and a time to end in.

Errors are one line.
"""

import asyncio
from dataclasses import dataclass

import aiohttp

from host_bridge.limits import ANSWER_SECONDS, CONNECT_SECONDS
from host_bridge.nodes.answers import AnswerTooLong
from host_bridge.nodes.node import NodeError, NodeLied, NodeUnreachable

_KEEP_SECONDS = 15  # a connection that rests; Core closes it after 30, and must not be the first to


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    body: bytes
    content_type: str  # "" when it names none
    location: str = ""  # where a redirect, which is not followed, leads


class BoundedHttp:
    """Requests to one server. `base` is its URL without a slash at the end; `name` is what errors call it.

    No redirects, cookies, proxies or compression: a node has none of them, and a packed answer no size known before.
    """

    def __init__(
        self,
        base: str,
        name: str,
        answer_seconds: float = ANSWER_SECONDS,
        headers: dict[str, str] | None = None,
        at_once: int = 8,
    ) -> None:
        self._base = base
        self._name = name
        self._answer_seconds = answer_seconds
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._at_once = at_once
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=self._at_once, keepalive_timeout=_KEEP_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._answer_seconds, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers=self._headers,
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
        what = self._name + path.rstrip("/")
        try:
            return await self._once(method, path, most, body, headers)
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError) as error:
            raise self._not_there(what, error) from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            pass  # a resting connection that the node has closed meanwhile: once more, on a new one
        except Exception as error:
            raise self._failure(what, error) from None
        try:
            return await self._once(method, path, most, body, headers)
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError) as error:
            raise self._not_there(what, error) from None
        except Exception as error:
            raise self._failure(what, error) from None

    async def _once(self, method: str, path: str, most: int, body: bytes | None, headers: dict[str, str]) -> HttpAnswer:
        what = self._name + path.rstrip("/")
        async with self._open().request(
            method, self._base + path, data=body, headers=headers, allow_redirects=False
        ) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise NodeLied(f"{what}: a packed answer, which was not asked for")
            told = response.content_length
            if told is not None and told > most:
                response.close()
                raise AnswerTooLong(f"{what}: an answer of {told:,} bytes, at most {most:,} belong there")
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > most:
                    response.close()
                    raise AnswerTooLong(f"{what}: an answer without end, at most {most:,} bytes belong there")
                parts.append(part)
            content_type = response.content_type if told != 0 else ""
            return HttpAnswer(response.status, b"".join(parts), content_type, response.headers.get("Location", ""))

    def _not_there(
        self, what: str, error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError
    ) -> NodeError:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return NodeLied(f"{what}: its certificate is not to be trusted: {_one_line(error.certificate_error)}")
        reason = error.os_error.strerror or str(error.os_error)
        return NodeUnreachable(f"{what} can't be reached: {_one_line(reason)}")

    def _failure(self, what: str, error: Exception) -> Exception:
        if isinstance(error, NodeError):
            return error
        if isinstance(error, asyncio.TimeoutError):
            return NodeUnreachable(f"{what}: no whole answer in {self._answer_seconds:g} seconds")
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            return NodeUnreachable(f"{what}: the connection broke in the middle of an answer")
        if isinstance(error, aiohttp.ClientError | ValueError):
            return NodeLied(f"{what}: what answers is no HTTP: {_one_line(error)}")
        return error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _one_line(text: object) -> str:
    return " ".join(ascii(str(text))[1:-1].split())[:100]
