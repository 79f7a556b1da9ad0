"""Why this user may not use a file, and the command that lets him. (The kernel is asked; the mode only explains.)"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from host_bridge.doctor.shell import as_root, command, group_name, join_group, user_name


def may(path: Path, mode: int) -> bool:
    """os.R_OK, os.W_OK, os.X_OK: for the user whose rights we have."""
    ids = os.access in os.supports_effective_ids
    return os.access(path, mode, effective_ids=ids)


@dataclass(frozen=True)
class Owner:
    """Of a file: who it belongs to, and what it is open to."""

    user: str
    group: str
    uid: int
    gid: int
    mode: int

    def __str__(self) -> str:
        return f"of {self.user}, group {self.group}, mode {self.mode:04o}"


def owner_of(path: Path) -> Owner:
    """Raises OSError."""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    return Owner(user_name(status.st_uid), group_name(status.st_gid), status.st_uid, status.st_gid, mode)


def is_mine(owner: Owner) -> bool:
    return hasattr(os, "geteuid") and owner.uid == os.geteuid()


def closed_folder(path: Path) -> Path | None:
    """The first folder above `path` that this user may not pass."""
    for folder in reversed(path.absolute().parents):
        if folder.is_dir() and not may(folder, os.X_OK):
            return folder
    return None


def let_in(path: Path, owner: Owner, letters: str) -> str:
    """The command that lets this user do `letters` (rw, r, x) to a file."""
    bits = sum(stat.S_IRGRP if c == "r" else stat.S_IWGRP if c == "w" else stat.S_IXGRP for c in letters)
    if is_mine(owner):
        return command("chmod", f"u+{letters}", path)
    if owner.gid == 0:  # nobody belongs into root's group
        return as_root(command("setfacl", "-m", f"u:{user_name()}:{letters}", path))
    open_it = "" if owner.mode & bits == bits else as_root(command("chmod", f"g+{letters}", path)) + " && "
    return open_it + join_group(owner.gid)
