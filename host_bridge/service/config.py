"""What the bridge is told: a TOML file (host_bridge/bridge.example.toml says all of it), and flags over it."""

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from host_bridge.files import Unusable, read_file
from host_bridge.limits import MAX_CONFIG_SIZE, MAX_CONNECTIONS, MAX_PORTS
from host_bridge.links.serial_line import BAUD_RATE, TOUCH_BAUD_RATE
from host_bridge.service.log import LEVELS
from lightclient.params import NETWORKS

DEFAULT_NODE = "core://"  # a Bitcoin Core on this computer, with its cookie
_MAX_BAUD_RATE = 4_000_000
_MAX_LISTEN = 16


@dataclass(frozen=True)
class BridgeConfig:
    """Checked by `checked`; `listen` is (host, port) each. Empty `network`: whichever the node is on."""

    node: str = DEFAULT_NODE
    network: str = ""
    state_dir: str = ""
    serial: list[str] = field(default_factory=list)
    serial_baud: int = BAUD_RATE
    serial_unpaired: bool = False
    listen: list[str] = field(default_factory=list)
    max_connections: int = MAX_CONNECTIONS
    log_level: str = "info"
    log_json: bool = False

    def checked(self) -> "BridgeConfig":
        """Itself. Raises Unusable for values that can't be; the text names the key."""
        if self.network and self.network not in NETWORKS:
            raise Unusable(f"network: unknown network {self.network[:40]!a}; there are {', '.join(NETWORKS)}")
        if self.log_level not in LEVELS:
            raise Unusable(f"log_level: one of {', '.join(LEVELS)} belongs there")
        if not 0 < self.serial_baud <= _MAX_BAUD_RATE or self.serial_baud == TOUCH_BAUD_RATE:
            raise Unusable(f"serial_baud: 1 to {_MAX_BAUD_RATE}, but not 1200, which starts a board's boot loader")
        if not 1 <= self.max_connections <= MAX_CONNECTIONS:
            raise Unusable(f"max_connections: 1 to {MAX_CONNECTIONS}")
        if len(self.serial) > MAX_PORTS or not all(self.serial):
            raise Unusable(f"serial: up to {MAX_PORTS} ports, each a path or auto")
        if len(self.listen) > _MAX_LISTEN:
            raise Unusable(f"listen: up to {_MAX_LISTEN} addresses")
        self.addresses()
        if not self.serial and not self.listen:
            raise Unusable("no device could reach this bridge: give --serial auto, --serial PATH or --listen ADDR:PORT")
        return self

    def addresses(self) -> list[tuple[str, int]]:
        """`listen` as (host, port)."""
        return [_address(text) for text in self.listen]


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or (":" in bare) != (bare != host) or not port.isascii() or not port.isdigit():
        raise Unusable(f"listen: {text[:60]!a}: ADDR:PORT belongs there, as 0.0.0.0:8433 or [::]:8433")
    if int(port[:6]) > 65535:
        raise Unusable(f"listen: {text[:60]!a}: a port is at most 65535")
    return bare, int(port)


def load_config(path: Path) -> BridgeConfig:
    """The file's values; not `checked` yet, for flags come over them. Raises Unusable."""
    try:
        values = tomllib.loads(read_file(path, MAX_CONFIG_SIZE).decode())
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{path}: not TOML: {error}") from None
    known = {entry.name: entry for entry in fields(BridgeConfig)}
    for key, value in values.items():
        if key not in known:
            raise Unusable(f"{path}: unknown key {key[:40]!a}; there are {', '.join(known)}")
        values[key] = _typed(f"{path}: {key}", value, known[key].type)
    return BridgeConfig(**values)


def _typed(where: str, value: Any, wanted: Any) -> Any:
    """`value`, when it is of the type; a single text stands for a list of one."""
    if wanted == list[str]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
            raise Unusable(f"{where}: a list of texts belongs there")
        return values
    if type(value) is not wanted:  # (True is an int as well)
        words = {str: "a text", int: "a whole number", bool: "true or false"}
        raise Unusable(f"{where}: {words[wanted]} belongs there")
    return value


def with_flags(config: BridgeConfig, **flags: Any) -> BridgeConfig:
    """What was given on the command line in place of the file's; None and empty lists: not given."""
    return replace(config, **{name: value for name, value in flags.items() if value not in (None, [])})
