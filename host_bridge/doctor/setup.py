"""What the bridge would use: its configuration, and the commands that change it or start the bridge with it."""

import os
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from host_bridge.doctor.processes import Program, lock_holder
from host_bridge.doctor.shell import as_root, command, quote
from host_bridge.files import Unusable, read_file
from host_bridge.limits import MAX_CONFIG_SIZE
from host_bridge.links.serial_ports import AUTO
from host_bridge.nodes.url import without_password
from host_bridge.places import LOCK_FILE, find_state_folder
from host_bridge.service.config import DEFAULT_NODE, BridgeConfig


@dataclass(frozen=True)
class Setup:
    """`flags`: the keys that the command line has set, over `config_file`."""

    config: BridgeConfig
    config_file: Path | None = None
    flags: frozenset[str] = frozenset()

    @cached_property
    def folder(self) -> Path:
        """The state folder, which need not be there."""
        return find_state_folder(Path(self.config.state_dir) if self.config.state_dir else None).absolute()

    @cached_property
    def bridge(self) -> Program | None:
        """The bridge that runs on the state folder."""
        return lock_holder(self.folder / LOCK_FILE)

    def lightclient(self, name: str, *words: str | os.PathLike[str]) -> str:
        """`lightclient NAME …` on this state folder."""
        folder: tuple[str | Path, ...] = ("--state-dir", self.folder) if self.config.state_dir else ()
        return command("lightclient", name, *words, *folder)

    def bridge_command(self, name: str = "bridge") -> str:
        """`lightclient bridge`, or another command that takes the same, with this configuration."""
        words: list[str | os.PathLike[str]] = ["lightclient", name]
        told = self.flags
        if self.config_file is not None:
            words += ["--config", self.config_file]
        else:
            told = frozenset({"node", "serial", "listen", "state_dir", "network"})
        config = self.config
        if "node" in told and config.node != DEFAULT_NODE:
            words += ["--node", without_password(config.node)]
        for key, option in (("network", "--network"), ("state_dir", "--state-dir")):
            if key in told and getattr(config, key):
                words += [option, getattr(config, key)]
        for key in ("serial", "listen"):
            if key in told:
                words += [word for value in getattr(config, key) for word in (f"--{key}", value)]
        return command(*words)

    def with_changed(self, key: str, value: Any) -> str:
        """The command that gives the bridge another value: in its file where that sets it, else the bridge with it."""
        if (
            self.config_file is not None
            and key not in self.flags
            and (edit := self._edit(self.config_file, key, value))
        ):
            return edit
        config = replace(self.config, **{key: value})
        return Setup(config, self.config_file, self.flags | {key}).bridge_command()

    def _edit(self, path: Path | None, key: str, value: Any) -> str:
        """A call of sed, that was tried first; empty where it would not do."""
        if path is None:
            return ""
        try:
            text = read_file(path, MAX_CONFIG_SIZE).decode()
            line = f"{key} = {_toml(value)}"
            after = re.sub(rf"(?m)^{key} *=.*$", lambda _: line, text)
            if tomllib.loads(after) != {**tomllib.loads(text), key: value}:
                return ""
        except (OSError, Unusable, ValueError):
            return ""
        new = re.sub(r"[\\&|]", r"\\\g<0>", line)
        edit = command("sed", "-i", f"s|^{key} *=.*|{new}|", path)
        return edit if os.access(path, os.W_OK) else as_root(edit)

    def end_bridge(self) -> str:
        """The beginning of a command that the bridge must not see: it is ended first. Empty when none runs."""
        return f"{self.bridge.how_to_end()} && " if self.bridge else ""

    def pair_command(self, port: str = "") -> str:
        """Pairs the device on a port; else on the first that is configured."""
        port = port or next(iter(self.config.serial), AUTO)
        pair = self.lightclient("pair", "--serial", port)
        if self.bridge is None or not self.config.serial:
            return pair
        again = as_root(command("systemctl", "start", self.bridge.unit)) if self.bridge.unit else self.bridge_command()
        return f"{self.end_bridge()}{pair} && {again}"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def take_over(path: Path) -> str:
    """Makes a file or folder this user's own."""
    return as_root("chown $(id -u):$(id -g) " + quote(path))
