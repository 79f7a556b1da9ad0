"""GET requests to an Esplora server: bounded, never redirected, never unpacked."""

from base64 import b64encode
from ipaddress import ip_address
from typing import Any

from yarl import URL

from host_bridge.limits import ANSWER_SECONDS, ESPLORA_AT_ONCE, MAX_SHORT_ANSWER
from host_bridge.nodes.answers import parse_json, shown
from host_bridge.nodes.bounded_http import BoundedHttp
from host_bridge.nodes.node import NodeRefused, NodeUnreachable, NotThere


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
        headers = {"User-Agent": "lightclient"}
        if url.user or url.password:
            login = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"  # no redirect takes it elsewhere
        base = str(url.with_user(None))
        self.name = f"esplora+{base}"
        self._http = BoundedHttp(base, self.name, ANSWER_SECONDS, headers, ESPLORA_AT_ONCE)

    async def get(self, path: str, ceiling: int = MAX_SHORT_ANSWER) -> bytes:
        """The body of the answer, at most `ceiling` bytes. 404 is NotThere."""
        answer = await self._http.get(path, ceiling)
        if answer.status == 200:
            return answer.body
        if 300 <= answer.status < 400:
            elsewhere = shown(answer.location or "nowhere")
            raise NodeRefused(f"{path}: redirected to {elsewhere}: give the URL that is meant")
        text = f"{path}: HTTP {answer.status}: {shown(answer.body.decode(errors='replace'))}"
        if answer.status == 404:
            raise NotThere(text)
        if answer.status >= 500:
            raise NodeUnreachable(text)
        raise NodeRefused(text)

    async def text(self, path: str) -> str:
        """A short answer as text; what is not ASCII is no answer."""
        return (await self.get(path)).decode("ascii", "replace").strip()

    async def json(self, path: str, ceiling: int = MAX_SHORT_ANSWER) -> Any:
        return parse_json(await self.get(path, ceiling), path)

    async def close(self) -> None:
        await self._http.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
