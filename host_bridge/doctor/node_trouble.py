"""Why a node does not answer as it should, and the command against it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from host_bridge.doctor.core_program import add_option, find_core, is_local, on_its_computer, start_core
from host_bridge.doctor.finding import Finding, broken
from host_bridge.doctor.processes import listeners
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import as_root, command, quote
from host_bridge.nodes.core_login import PASSWORD_VARIABLE, default_network
from host_bridge.nodes.node import NodeError, NodeRefused, NodeUnreachable
from host_bridge.nodes.url import CoreUrl, without_password

_OTHER_NETWORK = re.compile(r" is on (\w+), not on (\w+)$")


def explain(setup: Setup, core: CoreUrl | None, name: str, error: NodeError) -> Finding:
    """`name`: of the node."""
    text = str(error)
    other = _OTHER_NETWORK.search(text)
    if other:
        url = re.sub(r"network=\w+", f"network={other[1]}", without_password(setup.config.node))
        return broken("network", text, setup.with_changed("node", url))
    if core is None:
        return broken("node", text, _of_server(setup, name, text))
    if isinstance(error, NodeUnreachable):
        return broken("node", text, _unreachable(setup, core, text))
    if isinstance(error, NodeRefused):
        return broken("node", text, _refused(setup, core, text))
    who = listeners(core.port).programs if is_local(core.host) else []
    said = f" (there listens {who[0]})" if who else ""
    return broken("node", text + said, _right_node(setup, core) or _look_at_port(core.port))


def way_there(name: str) -> str:
    """Shows whether the way to a server is open."""
    parts = urlsplit(name.removeprefix("esplora+"))
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        port = 443
    if not parts.hostname:
        return command("ls", "-l", name.removeprefix("archive:"))
    return command("nc", "-vz", parts.hostname, str(port))


def _of_server(setup: Setup, name: str, text: str) -> str:
    """Of Electrum, Esplora, an archive."""
    if name.startswith("electrums:") and ("certificate" in text.lower() or "TLS" in text):
        parts = urlsplit(name)
        place = setup.folder / "electrum.crt"
        told = f"{parts.hostname}:{parts.port}"
        fetch = command("openssl", "s_client", "-connect", told) + " < /dev/null | "
        pin = setup.with_changed("node", f"electrums://{told}/?certificate={place}")
        return f"{fetch}{command('openssl', 'x509', '-out', place)} && {pin}"
    return way_there(name)


def _unreachable(setup: Setup, core: CoreUrl, text: str) -> str:
    if " is starting" in text or "work queue" in text:
        return "sleep 60; " + setup.bridge_command("doctor")
    if not is_local(core.host):
        return command("nc", "-vz", core.host, str(core.port))
    at_port = listeners(core.port).programs
    if at_port:  # it is there, and keeps silent
        return at_port[0].how_to_end() + " && " + start_core(_network(core))
    return _right_node(setup, core) or start_core(_network(core))


def _refused(setup: Setup, core: CoreUrl, text: str) -> str:
    if "rpcallowip" in text:
        return add_option(core.host, "rpcallowip=127.0.0.1" if is_local(core.host) else "rpcallowip=YOUR-ADDRESS")
    if "it has no " in text:  # an rpcwhitelist, or no Core
        return on_its_computer(core.host, "grep -n rpcwhitelist ~/.bitcoin/bitcoin.conf")
    if core.cookies:
        return _right_node(setup, core) or on_its_computer(core.host, "ls -l ~/.bitcoin/.cookie ~/.bitcoin/*/.cookie")
    return write_password(setup, None)


def write_password(setup: Setup, path: Path | None) -> str:
    """Asks for the node's password, and puts it into its file, or where the programs of this terminal find it."""
    if path is not None:
        return f"(umask 077; read -rs PASSWORD && printf '%s\\n' \"$PASSWORD\" > {quote(path)})"
    return f"read -rs {PASSWORD_VARIABLE} && export {PASSWORD_VARIABLE} && {setup.bridge_command('doctor')}"


def _right_node(setup: Setup, core: CoreUrl) -> str:
    """The command that takes the node which runs on this computer, if it is another one than was asked."""
    found = (find_core(core.port) or find_core()) if is_local(core.host) else None
    if found is None or (found.port == core.port and (not core.cookies or found.cookie in core.cookies[:1])):
        return ""
    return setup.with_changed("node", found.url())


def _network(core: CoreUrl) -> str:
    return core.network.name if core.network else default_network()


def _look_at_port(port: int) -> str:
    return as_root(command("ss", "-ltnp", f"sport = :{port}"))
