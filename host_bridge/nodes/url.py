"""One URL chooses the node. Its forms are documented in docs/COMMANDS.md.

core://[USER[:PASSWORD]@][HOST[:PORT]][/?cookie=FILE&password_file=FILE&network=NAME]
electrum://HOST[:PORT]  electrums://HOST[:PORT][/?certificate=FILE]
    esplora+https://HOST/PATH  archive:DIR
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from host_bridge.nodes.archive_node import ArchiveNode
from host_bridge.nodes.core import CoreNode
from host_bridge.nodes.core_login import (
    PASSWORD_VARIABLE,
    RPC_PORTS,
    CookieLogin,
    Login,
    PasswordLogin,
    default_cookies,
    default_network,
    read_secret,
)
from host_bridge.nodes.node import Node, NodeError
from lightclient.params import NETWORKS, Network

_MAX_URL = 2000  # characters
LOCAL = "127.0.0.1"


class NoPassword(ValueError):
    """There is a user to a URL, but no password where it was said to be. `path`: its file, if it was to be in one."""

    def __init__(self, text: str, path: Path | None = None) -> None:
        super().__init__(text)
        self.path = path


def open_node(url: str) -> Node:
    """The back end for a URL; nothing is asked of it yet. To be called inside the event loop, closed by `close`.

    Raises ValueError for a URL that can't be used (one line, without secrets), NodeError where files are the node.
    """
    if len(url) > _MAX_URL:
        raise ValueError(f"a node URL of {len(url)} characters, at most {_MAX_URL}")
    if any(not c.isprintable() for c in url):
        raise ValueError("a node URL with control characters")
    scheme, colon, rest = url.partition(":")
    opener = _SCHEMES.get(scheme.lower())
    if not colon or opener is None:
        # what stands before a colon may be a password, so it is not shown
        raise ValueError(f"a node URL begins with one of {', '.join(_FORMS)}")
    return opener(scheme.lower(), rest)


def without_password(url: str) -> str:
    """The URL, for people to see."""
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{host}{slash}{path}"


# --- archive ---


def _archive(scheme: str, rest: str) -> Node:
    """Everything behind `archive:` is the folder, but for options behind a question mark."""
    folder, _, query = rest.partition("?")
    options = _options(query, "network", "from")
    if not folder:
        raise ValueError("archive:DIR: a folder belongs there")
    first = options.get("from")
    if first is not None and not (first.isascii() and first.isdigit() and len(first) < 11):
        raise ValueError("archive: from=: the height of a file's first header belongs there")
    return ArchiveNode(Path(folder), _network(options), None if first is None else int(first))


# --- Bitcoin Core ---


@dataclass(frozen=True)
class CoreUrl:
    """What a core:// URL says. `cookies`: where the cookie is looked for; empty with user and password."""

    host: str
    port: int
    login: Login
    network: Network | None

    @property
    def cookies(self) -> list[Path]:
        return self.login.places if isinstance(self.login, CookieLogin) else []


def read_core_url(url: str) -> CoreUrl:
    """Raises ValueError, in one line without secrets."""
    scheme, _, rest = url.partition(":")
    parts = _split(scheme, rest)
    options = _options(parts.query, "cookie", "password_file", "network")
    if parts.path not in ("", "/"):
        raise ValueError("core://HOST:PORT: no path belongs behind it (a cookie is named by /?cookie=FILE)")
    network = _network(options)
    host, port = parts.hostname or LOCAL, parts.port
    named = network.name if network else next((name for name, p in RPC_PORTS.items() if p == port), None)
    if named is None and port is None:
        named = default_network()
    return CoreUrl(host, port or RPC_PORTS[named or "mainnet"], _login(parts, options, named), network)


def _core(scheme: str, rest: str) -> Node:
    told = read_core_url(f"{scheme}:{rest}")
    return CoreNode(told.host, told.port, told.login, told.network)


def _login(parts: SplitResult, options: dict[str, str], network: str | None) -> Login:
    if parts.username is None:
        if "password_file" in options:
            raise ValueError("core: password_file= needs a user: core://USER@HOST/?password_file=FILE")
        if "cookie" in options:
            return CookieLogin([Path(options["cookie"])])
        return CookieLogin([place for name in ([network] if network else RPC_PORTS) for place in default_cookies(name)])
    if "cookie" in options:
        raise ValueError("core: either a user or cookie=FILE")
    password = unquote(parts.password) if parts.password is not None else None
    if password is None and "password_file" in options:
        path = Path(options["password_file"])
        try:
            password = read_secret(path).decode()
        except OSError as error:
            raise NoPassword(f"{path}: {error.strerror or error}", path) from None
        except (NodeError, UnicodeDecodeError):
            raise NoPassword(f"{path}: a line with a password belongs there", path) from None
    if password is None:
        password = os.environ.get(PASSWORD_VARIABLE)
    if password is None:
        raise NoPassword(f"core: the user's password: in ?password_file=FILE, or in ${PASSWORD_VARIABLE}")
    return PasswordLogin(unquote(parts.username), password)


# --- Electrum and Esplora ---


def _electrum(scheme: str, rest: str) -> Node:
    from host_bridge.nodes.electrum import ElectrumNode  # noqa: PLC0415 - only where it is used

    parts = _split(scheme, rest)
    options = _options(parts.query, "certificate")
    if not parts.hostname or parts.path not in ("", "/") or parts.username is not None:
        raise ValueError(f"{scheme}://HOST[:PORT] belongs there")
    tls = scheme == "electrums"
    port = parts.port or (50002 if tls else 50001)  # the ports that servers have by custom
    certificate = Path(options["certificate"]) if "certificate" in options else None
    return ElectrumNode(parts.hostname, port, tls, certificate)


def _esplora(scheme: str, rest: str) -> Node:
    from host_bridge.nodes.esplora import EsploraNode  # noqa: PLC0415

    _split(scheme, rest)
    return EsploraNode(f"{scheme}:{rest}")


# --- what the forms share ---


def _split(scheme: str, rest: str) -> SplitResult:
    """Raises ValueError, which never shows what may be a password."""
    if not rest.startswith("//"):
        raise ValueError(f"{scheme}:// belongs at the beginning of a node URL")
    try:
        parts = urlsplit(f"{scheme}:{rest}")
        port = parts.port
    except ValueError:
        raise ValueError(f"{scheme}://: the host or its port can't be read") from None
    if port == 0 or parts.fragment:
        raise ValueError(f"{scheme}://: " + ("port 0" if port == 0 else "a # can only stand there as %23"))
    return parts


def _options(query: str, *known: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    for name, value in pairs:
        if name not in known or not value:
            raise ValueError(f"a node URL's options are here {', '.join(f'{k}=' for k in known)}, each with a value")
    if len(options) != len(pairs):
        raise ValueError("a node URL names an option twice")
    return options


def _network(options: dict[str, str]) -> Network | None:
    name = options.get("network")
    if name is not None and name not in NETWORKS:
        raise ValueError(f"network=: one of {', '.join(NETWORKS)} belongs there")
    return NETWORKS[name] if name else None


_SCHEMES: dict[str, Callable[[str, str], Node]] = {
    "core": _core,
    "archive": _archive,
    "electrum": _electrum,
    "electrums": _electrum,
    "esplora+https": _esplora,
    "esplora+http": _esplora,
}
_FORMS = ["core://", "electrum://", "electrums://", "esplora+https://", "archive:DIR"]
