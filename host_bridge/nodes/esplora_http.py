"""GET requests to an Esplora server: bounded, never redirected, never unpacked."""

import asyncio
from base64 import b64encode
from ipaddress import ip_address
from typing import Any

import aiohttp
from yarl import URL

from host_bridge.limits import ANSWER_SECONDS, CONNECT_SECONDS, ESPLORA_AT_ONCE, MAX_SHORT_ANSWER
from host_bridge.nodes.answers import AnswerTooLong, parse_json, shown
from host_bridge.nodes.node import NodeLied, NodeRefused, NodeUnreachable, NotThere

_READ = 65_536
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "lightclient"}  # a packed answer has no size known before


class EsploraHttp:
    """`base_url`: http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH], http to this computer only. Raises ValueError."""

    def __init__(self, base_url: str) -> None:
        try:
            url = URL(base_url.removeprefix("esplora+").rstrip("/"))
            port = url.port
        except ValueError:
            raise ValueError("not a URL") from None
        if url.scheme not in ("http", "https") or not url.host or port is None:
            raise ValueError("an Esplora URL is esplora+https://HOST/PATH")
        if url.query_string or url.fragment:
            raise ValueError("an Esplora URL has no ? and no #")
        if url.scheme == "http" and not _is_loopback(url.host):
            raise ValueError(f"esplora+http:// is for this computer alone; for {url.host} use esplora+https://")
        self._headers = dict(_HEADERS)
        if url.user or url.password:
            login = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"  # no redirect takes it elsewhere
        self._base = url.with_user(None)
        self.name = f"esplora+{self._base}"
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, ceiling: int = MAX_SHORT_ANSWER) -> bytes:
        """The body of the answer, at most `ceiling` bytes. 404 is NotThere."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=ESPLORA_AT_ONCE),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=CONNECT_SECONDS),
                headers=self._headers,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with self._session.get(URL(f"{self._base}{path}", encoded=True), allow_redirects=False) as response:
                return await _body(response, path, ceiling)
        except TimeoutError:
            raise NodeUnreachable(f"{path}: no answer within {ANSWER_SECONDS} seconds") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise NodeLied(f"its certificate is not to be trusted: {shown(error.certificate_error)}") from None
        except aiohttp.ClientResponseError as error:
            raise NodeLied(f"{path}: no HTTP: {shown(error.message)}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NodeUnreachable(f"{path}: {shown(error) or type(error).__name__}") from None

    async def text(self, path: str) -> str:
        """A short answer as text; what is not ASCII is no answer."""
        return (await self.get(path)).decode("ascii", "replace").strip()

    async def json(self, path: str, ceiling: int = MAX_SHORT_ANSWER) -> Any:
        return parse_json(await self.get(path, ceiling), path)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _body(response: aiohttp.ClientResponse, path: str, ceiling: int) -> bytes:
    status = response.status
    if status == 200:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise NodeLied(f"{path}: a packed answer, which was not asked for")
        return await _read(response, path, ceiling)
    if 300 <= status < 400:
        elsewhere = shown(response.headers.get("Location", "nowhere"))
        raise NodeRefused(f"{path}: redirected to {elsewhere}: give the URL that is meant")
    said = shown((await response.content.read(200)).decode(errors="replace"))
    text = f"{path}: HTTP {status}: {said}"
    if status == 404:
        raise NotThere(text)
    if status >= 500:
        raise NodeUnreachable(text)
    raise NodeRefused(text)


async def _read(response: aiohttp.ClientResponse, path: str, ceiling: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(_READ):
        body += piece
        if len(body) > ceiling:
            response.close()
            raise AnswerTooLong(f"{path}: an answer of over {ceiling:,} bytes")
        await asyncio.sleep(0)
    return bytes(body)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
