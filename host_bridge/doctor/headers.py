"""The headers on disk: read as the bridge reads them at its start, for as long as that takes no time."""

import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from host_bridge.chain.headers_on_disk import TORN
from host_bridge.doctor.access import is_mine, let_in, may, owner_of
from host_bridge.doctor.finding import Finding, broken, good, warning
from host_bridge.doctor.setup import Setup, take_over
from host_bridge.doctor.shell import command
from host_bridge.limits import MAX_INDEXED_HEADERS
from lightclient.errors import LightClientError, describe
from lightclient.headers.header import block_hash, read_prev_block_hash
from lightclient.headers.rules import HeaderRules
from lightclient.limits import EPOCH, HEADER_SIZE
from lightclient.params import NETWORKS, Network

_SECONDS = 3.0
_NAME = re.compile(r"headers_(\d{1,9})\.bin")  # host_bridge/chain/header_index.py: index_file
_PAUSE_SECONDS = 0.3


@dataclass
class Reading:
    """`total` headers are in the file, the first `whole` of them good; `error`: what the next one breaks.

    `all_read` is False where there was no time for the middle.
    """

    total: int
    whole: int = 0
    error: str = ""
    all_read: bool = True
    loose_bytes: int = 0


def look_at_headers(setup: Setup) -> list[Finding]:
    folder = setup.folder / "headers"
    names = [setup.config.network] if setup.config.network else list(NETWORKS)
    found: list[Finding] = []
    for name in names:
        for path, first in _files(folder / name):
            found.append(_look(setup, path, NETWORKS[name], first))
    if not found and (may(setup.folder, os.X_OK) or not setup.folder.exists()):
        where = f"{folder}/{names[0]}" if len(names) == 1 else str(folder)
        text = f"none yet in {where}: the bridge fetches and checks them when it first runs"
        found.append(warning("headers", text, setup.bridge_command()))
    return found


def _files(folder: Path) -> list[tuple[Path, int]]:
    try:
        places = [(folder / name, match) for name in sorted(os.listdir(folder)) if (match := _NAME.fullmatch(name))]
    except OSError:
        return []
    return [(path, int(match[1])) for path, match in places][:8]


def _look(setup: Setup, path: Path, network: Network, first_height: int) -> Finding:
    owner = owner_of(path)
    if not (may(path, os.R_OK) and may(path, os.W_OK)):
        fix = let_in(path, owner, "rw") if is_mine(owner) else take_over(path)
        return broken("headers", f"{path} is closed to this user ({owner})", fix)
    try:
        reading = read_index(path, network, first_height)
        if reading.error and setup.bridge is not None:  # which may have been writing at that moment
            time.sleep(_PAUSE_SECONDS)
            reading = read_index(path, network, first_height)
    except OSError as error:
        return broken("headers", f"{path}: {error.strerror or error}", _away(setup, path))
    if reading.total == 0:
        return warning("headers", f"{path} is empty: the bridge begins it anew", setup.bridge_command())
    tip = first_height + reading.whole - 1
    if reading.error or (reading.loose_bytes and setup.bridge is None):
        left = reading.total - reading.whole
        what = reading.error or f"{reading.loose_bytes} bytes of a header that was torn off"
        if left > TORN or not reading.whole:
            text = f"{path}: header {tip + 1}: {what}: the bridge does not start with it"
            return broken("headers", text, _away(setup, path))
        text = f"{path}: the end is spoilt from header {tip + 1} on ({what}): the bridge cuts it off when it starts"
        size = str(reading.whole * HEADER_SIZE)
        return warning("headers", text, setup.end_bridge() + command("truncate", "-s", size, path))
    read = "every rule holds" if reading.all_read else "the first and the last ones hold; the bridge reads all"
    return good("headers", f"{network.name} to height {first_height + reading.total - 1:,}: {read}")


def _away(setup: Setup, path: Path) -> str:
    """Its headers are fetched anew."""
    return setup.end_bridge() + command("mv", path, f"{path}.old")


def read_index(path: Path, network: Network, first_height: int, seconds: float = _SECONDS) -> Reading:
    """Judge the headers of a file. Raises OSError."""
    end = time.monotonic() + seconds
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return Reading(1, 0, "not a regular file")
        total = status.st_size // HEADER_SIZE
        reading = Reading(total, loose_bytes=status.st_size % HEADER_SIZE)
        if total == 0 or total > MAX_INDEXED_HEADERS:
            reading.error = "too long for headers" if total else ""
            return reading
        rules = HeaderRules(network)
        try:
            first = bytearray(file.read(HEADER_SIZE))
            if first_height == 0:
                rules.begin_at_genesis(first, 0)
            else:
                rules.begin_at_anchor(first, 0, first_height, 0)
            reading.whole = 1
            while reading.whole < total and time.monotonic() < end:
                height = first_height + reading.whole
                count = min(EPOCH - height % EPOCH, total - reading.whole)
                piece = bytearray(file.read(count * HEADER_SIZE))
                rules.extend(piece, 0, len(piece) // HEADER_SIZE, 0)
                reading.whole += len(piece) // HEADER_SIZE
                if len(piece) < count * HEADER_SIZE:
                    break  # a reorg has made it shorter
        except LightClientError as error:
            reading.whole = max(rules.state.height - first_height + 1, 0) if reading.whole else 0
            reading.error = describe(error)
            return reading
        if reading.whole < total:
            reading.all_read = False
            _read_end(file.fileno(), reading)
        return reading


def _read_end(handle: int, reading: Reading) -> None:
    """The last headers, each linked to the one before: what a power cut may have spoilt."""
    first = max(reading.total - TORN, reading.whole)
    raw = os.pread(handle, (reading.total - first) * HEADER_SIZE, first * HEADER_SIZE)
    count = len(raw) // HEADER_SIZE
    for i in range(1, count):
        if read_prev_block_hash(raw, i * HEADER_SIZE) != block_hash(raw, (i - 1) * HEADER_SIZE):
            reading.whole = first + i
            reading.error = "BadLink: it does not follow the one before it"
            return
    reading.whole = first + count
