"""The bitcoind of this computer: which one it is, how it is started, and commands to it."""

import os
from dataclasses import dataclass
from pathlib import Path

from host_bridge.doctor.processes import Program, listeners, running
from host_bridge.doctor.shell import as_root, command, quote
from host_bridge.nodes.core_login import RPC_PORTS, data_directories
from host_bridge.nodes.url import CoreUrl

_PROGRAMS = ("bitcoind", "bitcoin-qt", "bitcoin-node")
_UNITS = [Path(folder) / "bitcoind.service" for folder in ("/etc/systemd/system", "/lib/systemd/system")]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Core: chainparamsbase.cpp; and the folders of core_login
_FLAGS = {"mainnet": "", "testnet3": "-testnet", "testnet4": "-testnet4", "signet": "-signet", "regtest": "-regtest"}
_SECRET_OPTIONS = ("rpcpassword", "rpcauth", "rpcuser")


@dataclass(frozen=True)
class CoreProgram:
    """One that runs. `options` are those of its command line, the last of a name counts."""

    program: Program
    words: list[str]

    @property
    def options(self) -> dict[str, str]:
        # (before its own name may stand those of ld.so)
        first = next(i for i, word in enumerate(self.words) if os.path.basename(word) in _PROGRAMS)
        pairs = (word.lstrip("-").partition("=") for word in self.words[first:] if word.startswith("-"))
        return {name: value or "1" for name, _, value in pairs}

    @property
    def network(self) -> str:
        options = self.options
        named = {"main": "mainnet", "test": "testnet3"}.get(options.get("chain", ""), options.get("chain", ""))
        flags = [name for name, flag in _FLAGS.items() if flag and options.get(flag[1:], "0") != "0"]
        return named if named in RPC_PORTS else (flags or ["mainnet"])[0]

    @property
    def port(self) -> int:
        port = self.options.get("rpcport", "")
        return int(port) if port.isascii() and port.isdigit() and len(port) < 6 else RPC_PORTS[self.network]

    @property
    def data_folder(self) -> Path | None:
        """None: not known."""
        named = self.options.get("datadir")
        if named:
            return Path(named) if Path(named).is_absolute() else None
        return next((folder for folder in data_directories() if folder.is_dir()), None)

    @property
    def cookie(self) -> Path | None:
        named = self.options.get("rpccookiefile", ".cookie")
        folder = self.data_folder
        below = "" if self.network == "mainnet" else self.network
        return None if folder is None else folder / below / named

    def url(self) -> str:
        """The --node that means it."""
        cookie = self.cookie
        return f"core://127.0.0.1:{self.port}" + (f"/?cookie={cookie}" if cookie is not None else "")

    def restart_with(self, option: str, *more: str) -> str:
        """The command that gives it an option, and others for this start alone, and starts it anew."""
        if self.program.unit:
            folder = self.data_folder or Path("/etc/bitcoin")
            write = as_root(f"tee -a {quote(folder / 'bitcoin.conf')}")
            return f"echo {quote(option)} | {write} && " + as_root(command("systemctl", "restart", self.program.unit))
        words = [word for word in self.words if word and not word.startswith(("-daemon", "--daemon"))]
        # (`tail` waits until it has ended)
        return f"{self.program.how_to_end()}; tail --pid={self.program.pid} -f /dev/null; " + command(
            *words, *(f"-{word}" for word in (option, *more)), "-daemonwait"
        )


def is_local(host: str) -> bool:
    return host in _LOOPBACK


def find_core(port: int | None = None) -> CoreProgram | None:
    """The one that listens on this port, else any that runs; None where its command line can't be shown."""
    if port is not None:
        found = listeners(port).programs
    else:
        found = running(*_PROGRAMS)
    for program in found:
        words = program.arguments()
        secret = any(word.lstrip("-").startswith(_SECRET_OPTIONS) for word in words)
        named = any(os.path.basename(word) in _PROGRAMS for word in words)
        if named and not secret and program.name in _PROGRAMS:
            return CoreProgram(program, words)
    return None


def start_core(network: str) -> str:
    """The command that starts this computer's node."""
    if any(unit.exists() for unit in _UNITS):
        return as_root("systemctl start bitcoind")
    return " ".join(filter(None, ["bitcoind", "-daemonwait", _FLAGS.get(network, "")]))


def call_core(url: CoreUrl, *words: str) -> str:
    """`bitcoin-cli` to that node."""
    login = [f"-rpccookiefile={cookie}" for cookie in url.cookies[:1]]
    cookie = next((f"-rpccookiefile={place}" for place in url.cookies if os.path.exists(place)), None)
    host = [] if is_local(url.host) else [f"-rpcconnect={url.host}"]
    return command("bitcoin-cli", *host, f"-rpcport={url.port}", *([cookie] if cookie else login), *words)


def on_its_computer(host: str, text: str) -> str:
    """A command that has to be run where the node is."""
    return text if is_local(host) else command("ssh", host, text)


def add_option(host: str, option: str) -> str:
    """For a node whose program can't be seen: into its bitcoin.conf, and start it anew."""
    folder = next((f for f in data_directories() if f.is_dir()), Path("~/.bitcoin")) if is_local(host) else "~/.bitcoin"
    place = f"{folder}/bitcoin.conf"
    told = place if place.startswith("~") else quote(place)
    return on_its_computer(host, f"echo {quote(option)} >> {told} && sudo systemctl restart bitcoind")
