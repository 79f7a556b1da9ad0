"""The cookie of a Bitcoin Core: there, readable for this user, and for no stranger."""

import os
from pathlib import Path

from host_bridge.doctor.access import closed_folder, let_in, may, owner_of
from host_bridge.doctor.core_program import find_core, is_local, on_its_computer, start_core
from host_bridge.doctor.finding import Finding, broken, good, warning
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import as_root, command
from host_bridge.nodes.core_login import default_network, read_secret
from host_bridge.nodes.node import NodeError
from host_bridge.nodes.url import CoreUrl
from lightclient.params import NETWORKS

_CHECK = "cookie"


def look_at_cookie(setup: Setup, url: CoreUrl) -> list[Finding]:
    """Nothing is found of a node that is asked by user and password."""
    if not url.cookies:
        return []
    for place in url.cookies:
        found = _look_at(place)
        if found is not None:
            return [found]
    places = " or ".join(str(place) for place in url.cookies[:2])
    return [broken(_CHECK, f"there is no cookie at {places}", _where_it_is(setup, url))]


def _look_at(place: Path) -> Finding | None:
    """None: it is not there."""
    try:
        owner = owner_of(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        folder = closed_folder(place)
        if folder is None:
            return broken(_CHECK, f"{place}: {error.strerror or error}", command("ls", "-l", place))
        of_folder = owner_of(folder)
        text = f"{place}: the folder {folder} is closed to this user ({of_folder})"
        return broken(_CHECK, text, let_in(folder, of_folder, "x"))
    if not may(place, os.R_OK):
        text = f"{place} can't be read by this user ({owner})"
        fix = let_in(place, owner, "r")
        if not owner.mode & 0o040:  # Core makes it anew at each start, with the mode that it was told
            fix = f"echo rpccookieperms=group | {as_root(command('tee', '-a', _configuration(place)))} && {fix}"
        return broken(_CHECK, text, fix)
    try:
        read_secret(place)
    except (OSError, NodeError) as error:
        return broken(_CHECK, str(error), command("ls", "-l", place))
    if owner.mode & 0o007:
        text = f"{place} is open to every user of this computer ({owner}), who can use the node's wallets"
        fix = command("chmod", "o=", place)
        return warning(_CHECK, text, fix if may(place, os.W_OK) else as_root(fix))
    return good(_CHECK, f"{place} can be read ({owner})")


def _configuration(cookie: Path) -> Path:
    """bitcoin.conf of the node whose cookie that is."""
    folder = cookie.parent
    if folder.name in NETWORKS:
        folder = folder.parent
    return folder / "bitcoin.conf"


def _where_it_is(setup: Setup, url: CoreUrl) -> str:
    """The command that finds another cookie, or makes this one."""
    if is_local(url.host):
        core = find_core(url.port) or find_core()
        if core is not None and core.cookie is not None and core.cookie not in url.cookies:
            return setup.with_changed("node", core.url())
    return on_its_computer(url.host, start_core(url.network.name if url.network else default_network()))
