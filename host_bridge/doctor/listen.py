"""The addresses that the bridge would listen on: free, or its own already."""

import errno
import os
import socket

from host_bridge.doctor.finding import Finding, broken, good
from host_bridge.doctor.processes import listeners
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import as_root, command

_CHECK = "listen"


def look_at_addresses(setup: Setup) -> list[Finding]:
    written = zip(setup.config.listen, setup.config.addresses(), strict=True)
    return [_look(setup, text, host, port) for text, (host, port) in written]


def _look(setup: Setup, text: str, host: str, port: int) -> Finding:
    error = _try(host, port)
    if error is None:
        return good(_CHECK, f"{text} is free" if setup.bridge is None else f"{text} is free: not yet the bridge's")
    if isinstance(error, socket.gaierror):
        told = f"{text}: no address of that name is known here: {error.strerror}"
        return broken(_CHECK, told, _with(setup, text, f"0.0.0.0:{port}"))
    if error.errno == errno.EADDRINUSE:
        return _in_use(setup, text, port)
    if error.errno in (errno.EACCES, errno.EPERM):
        told = f"{text}: ports below {_first_free_port()} are closed to this user"
        return broken(_CHECK, told, as_root(command("sysctl", "-w", f"net.ipv4.ip_unprivileged_port_start={port}")))
    if error.errno == errno.EADDRNOTAVAIL:
        told = f"{text}: this computer has no such address"
        return broken(_CHECK, told, _with(setup, text, f"{'[::]' if ':' in host else '0.0.0.0'}:{port}"))
    return broken(_CHECK, f"{text}: {error.strerror or error}", _with(setup, text, f"0.0.0.0:{port}"))


def _try(host: str, port: int) -> OSError | None:
    """Bind as the bridge does, for a moment, without listening."""
    try:
        for family, kind, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        return error
    return None


def _in_use(setup: Setup, text: str, port: int) -> Finding:
    users = listeners(port)
    bridge = setup.bridge
    if bridge is not None and any(user.pid == bridge.pid for user in users.programs):
        return good(_CHECK, f"{text}: the bridge listens there ({bridge})")
    if users.programs:
        user = users.programs[0]
        told = f"{text} is taken by {user}"
        # only a bridge of ours is one too many: whatever else it is, a node among them, has its reasons
        is_ours = any("lightclient" in part or "host_bridge" in part for part in user.arguments())
        return broken(_CHECK, told, user.how_to_end() if is_ours else _with(setup, text, _another_port(text, port)))
    told = f"{text} is taken by a program of another user"
    return broken(_CHECK, told, as_root(command("fuser", "-v", f"{port}/tcp")))


def _another_port(text: str, port: int) -> str:
    """The same address with the next port that is free."""
    host = text.rpartition(":")[0]
    free = next((other for other in range(port + 1, 65536) if _try(host.strip("[]"), other) is None), 0)
    return f"{host}:{free}"


def _with(setup: Setup, old: str, new: str) -> str:
    return setup.with_changed("listen", [new if text == old else text for text in setup.config.listen])


def _first_free_port() -> str:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return file.read(16).strip()
    except (OSError, ValueError):
        return "1024" if os.name == "posix" else "0"
