"""Files that nobody else may read: keys, and the list of paired devices."""

import os
import secrets
import stat
from pathlib import Path

_MODE = 0o600


class NotPrivate(Exception):
    """Others can read a file that holds a secret, or it is not usable; the text is one line that says what to do."""


def write_private(path: Path, data: bytes) -> None:
    """Write the file whole or not at all, for its owner alone from its first byte on. Raises OSError."""
    partial = path.parent / f".{path.name}-{secrets.token_hex(4)}.part"
    try:
        # O_EXCL: nobody has made it before us; the mode is there from the start, whatever the umask is
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path, most: int) -> bytes:
    """The whole file. Raises FileNotFoundError, OSError, and NotPrivate when others can read it or it is too long."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotPrivate(f"{path}: not a regular file")
        if status.st_mode & 0o077:
            raise NotPrivate(
                f"{path}: others than its owner can read or write it (mode {status.st_mode & 0o777:04o}):"
                f" what it holds may be known to them; chmod 600 '{path}' if you are sure it is not"
            )
        if status.st_size > most:
            raise NotPrivate(f"{path}: {status.st_size} bytes, at most {most}")
        return file.read(most)
