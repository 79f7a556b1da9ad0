"""Which program has a file open, holds a lock, or listens on a port: read from /proc (Linux; elsewhere nobody is seen).

Only names of programs are shown, no arguments: they may hold passwords.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from host_bridge.doctor.shell import as_root, command
from host_bridge.service.log import one_line

PROC = Path("/proc")
_MAX_READ = 65_536
_MAX_TABLE = 8 << 20  # of sockets
_LISTENING = "0A"  # Linux: include/net/tcp_states.h, TCP_LISTEN


@dataclass(frozen=True)
class Program:
    pid: int
    name: str
    uid: int

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    @property
    def unit(self) -> str:
        """The system's service that it is of; empty: of none."""
        found = re.search(r"/system\.slice/(?:.*/)?([\w@.:\\-]+\.service)\s", _read(PROC / str(self.pid) / "cgroup"))
        return found[1] if found else ""

    def how_to_end(self) -> str:
        """The command that ends it."""
        if self.unit:
            return as_root(command("systemctl", "stop", self.unit))
        kill = command("kill", str(self.pid))
        return kill if not hasattr(os, "geteuid") or self.uid == os.geteuid() else as_root(kill)

    def arguments(self) -> list[str]:
        """Its command line; empty where it can't be seen."""
        return _read(PROC / str(self.pid) / "cmdline").split("\0")[:-1]


@dataclass(frozen=True)
class Users:
    """Of a file or a port. `all_seen` is whether the files of every process could be looked at."""

    programs: list[Program]
    all_seen: bool


def users_of(path: str) -> Users:
    """Who has a device or file open, but for this process. Of a pseudo-terminal, who has made it does not count."""
    target = os.path.realpath(path)
    return _who_has(lambda pid: _has_open(pid, target))


def _has_open(pid: int, target: str) -> bool:
    found = [fd for fd, name in _files(pid) if name == target]
    return bool(found) and not _is_maker(pid, target)


def _is_maker(pid: int, target: str) -> bool:
    """Whether it has the other end of a pseudo-terminal: an emulated device, a terminal window."""
    if not target.startswith("/dev/pts/"):
        return False
    number = target.removeprefix("/dev/pts/")
    for fd, name in _files(pid):
        if name.endswith("/ptmx"):
            told = re.search(r"^tty-index:\s*(\d+)$", _read(PROC / str(pid) / "fdinfo" / fd), re.MULTILINE)
            if told and told[1] == number:
                return True
    return False


def listeners(port: int) -> Users:
    """Who listens on a TCP port, of any address."""
    wanted = set()
    for table in ("tcp", "tcp6"):
        for line in _read(PROC / "net" / table, _MAX_TABLE).splitlines()[1:]:
            columns = line.split()
            if len(columns) > 9 and columns[3] == _LISTENING and columns[1].rpartition(":")[2] == f"{port:04X}":
                wanted.add(f"socket:[{columns[9]}]")
    if not wanted:
        return Users([], True)
    users = _who_has(lambda pid: any(name in wanted for _, name in _files(pid)), but=0)
    return Users(users.programs, bool(users.programs))


def lock_holder(path: Path) -> Program | None:
    """Who holds the lock (flock) on a file. It is not tried: for that moment nobody else could take it."""
    try:
        inode = path.stat().st_ino
    except OSError:
        return None
    for line in _read(PROC / "locks", _MAX_TABLE).splitlines():
        columns = line.split()
        if len(columns) > 5 and columns[1] == "FLOCK" and columns[5].rpartition(":")[2] == str(inode):
            pid = int(columns[4]) if columns[4].isdigit() else 0
            try:
                names = [name for _, name in _files(pid)]
            except PermissionError:
                names = [os.path.realpath(path)]  # (the number alone has to do)
            if pid and os.path.realpath(path) in names:
                return program(pid)
    return None


def running(*names: str) -> list[Program]:
    """Programs of these names, whoever runs them."""
    found = (told for pid in _pids() if (told := program(pid)) is not None)
    return [told for told in found if told.name in names]


def program(pid: int) -> Program | None:
    """None: it has ended."""
    folder = PROC / str(pid)
    try:
        uid = folder.stat().st_uid
    except OSError:
        return None
    words = _read(folder / "cmdline").split("\0")
    if "--argv0" in words[:-1]:  # started by ld.so: under its own name
        words = words[words.index("--argv0") + 1 :]
    name = os.path.basename(words[0]) or _read(folder / "comm").strip() or "a program"
    if "python" in name:
        # what it runs: a module or a file
        what = next((word for word in words[1:] if word and not word.startswith("-")), "")
        name += " " + os.path.basename(what) if what else ""
    return Program(pid, one_line(name)[:60], uid)


def _who_has(asked: Callable[[int], bool], but: int | None = None) -> Users:
    """`but`: this process is left out, unless it is given otherwise."""
    found, all_seen = [], PROC.is_dir()
    for pid in _pids():
        if pid == (os.getpid() if but is None else but):
            continue
        try:
            if asked(pid) and (told := program(pid)) is not None:
                found.append(told)
        except PermissionError:
            all_seen = False
    return Users(found, all_seen)


def _pids() -> Iterator[int]:
    try:
        names = os.listdir(PROC)
    except OSError:
        return
    for name in names:
        if name.isdigit():
            yield int(name)


def _files(pid: int) -> Iterator[tuple[str, str]]:
    """(descriptor, what it is) of a process. Raises PermissionError."""
    folder = PROC / str(pid) / "fd"
    try:
        descriptors = os.listdir(folder)
    except PermissionError:
        raise
    except OSError:
        return  # it has ended
    for fd in descriptors:
        try:
            yield fd, os.readlink(folder / fd)
        except PermissionError:
            raise
        except OSError:
            continue


def _read(path: Path, most: int = _MAX_READ) -> str:
    try:
        with path.open("rb") as file:
            return file.read(most).decode(errors="replace")
    except OSError:
        return ""
