"""How one gets into a Bitcoin Core: its cookie file, or user and password. Where they lie by default."""

import base64
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from host_bridge.limits import MAX_COOKIE
from host_bridge.nodes.node import NodeRefused

# Core: CBaseChainParams (chainparamsbase.cpp), RPC port and folder below the data directory
RPC_PORTS = {"mainnet": 8332, "testnet3": 18332, "testnet4": 48332, "signet": 38332, "regtest": 18443}
_FOLDERS = {"mainnet": "", "testnet3": "testnet3", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"}
PASSWORD_VARIABLE = "LIGHTCLIENT_NODE_PASSWORD"


def data_directories() -> list[Path]:
    """Where a Bitcoin Core of this computer keeps its data: a user's (Core: GetDefaultDataDir), then a service's."""
    if sys.platform == "win32":
        places = [os.environ.get(name) for name in ("LOCALAPPDATA", "APPDATA")]
        return [Path(place) / "Bitcoin" for place in places if place]
    home = Path(os.environ.get("HOME") or "/")
    if sys.platform == "darwin":
        return [home / "Library" / "Application Support" / "Bitcoin"]
    return [home / ".bitcoin", Path("/var/lib/bitcoind")]  # Core: contrib/init/bitcoind.service


def default_cookies(network: str) -> list[Path]:
    """Where the cookie of a node on `network` may lie, the likeliest first."""
    return [folder / _FOLDERS[network] / ".cookie" for folder in data_directories()]


def default_network() -> str:
    """The network of this computer's default node: the first that has a cookie, mainnet where none has."""
    for network in RPC_PORTS:
        if any(os.path.exists(cookie) for cookie in default_cookies(network)):
            return network
    return "mainnet"


class Login:
    """What stands in the Authorization header. `text` is read anew whenever the node says that it is wrong."""

    text: bytes | None = None  # USER:PASSWORD, None: not known

    def reload(self) -> bool:
        """Look for it again; whether it is another one now. Raises NodeRefused."""
        return False

    def hint(self) -> str:
        """Why the node may have refused it, for people; without secrets."""
        return "user or password is wrong"

    def header(self) -> dict[str, str]:
        if self.text is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(self.text).decode()}


class PasswordLogin(Login):
    def __init__(self, user: str, password: str) -> None:
        self.text = f"{user}:{password}".encode()


@dataclass
class CookieLogin(Login):
    """The first of `places` that is there."""

    places: list[Path]

    def reload(self) -> bool:
        before, self.text = self.text, None
        for place in self.places:
            try:
                self.text = read_secret(place)
                break
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise NodeRefused(f"cookie {place}: {error.strerror or error}") from None
        return self.text is not None and self.text != before

    def hint(self) -> str:
        if self.text is None:
            return f"there is no cookie at {' or '.join(map(str, self.places))}"
        return f"the cookie in {' or '.join(map(str, self.places))} is not this node's"


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for somebody who writes to it


def read_secret(path: Path) -> bytes:
    """The one line of a cookie or password file. Raises OSError, NodeRefused."""
    with open(path, "rb", opener=_at_once) as file:
        text = file.read(MAX_COOKIE + 1).strip(b"\r\n")
    if not text or len(text) > MAX_COOKIE or b"\n" in text or b"\0" in text:
        raise NodeRefused(f"{path}: a line with a cookie or a password belongs there")
    return text
