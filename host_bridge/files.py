"""Files of this computer: read within a ceiling, written whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from host_bridge.payments.proofs import CannotProve, raw_or_hex


class Unusable(Exception):
    """Input that can't be used; the text is one line. Ends in exit code 2."""


def _open_at_once(name: str, flags: int) -> int:
    # Without this, opening a FIFO waits for somebody who writes to it. (Windows has neither.)
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


_DASH = Path("-")  # by custom a standard stream; a file of that name is called by its whole path


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """A regular file and its size in bytes, above 0. Raises Unusable, OSError."""
    if path == _DASH:
        raise Unusable("-: standard input is not read; a file is needed")
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(f"{path}: not a regular file")
        if status.st_size == 0:
            raise Unusable(f"{path}: TruncatedInput: the file is empty")
        yield file, status.st_size


def read_file(path: Path, most: int) -> bytes:
    """A whole regular file of 1 to `most` bytes. Raises Unusable, OSError."""
    with open_regular(path) as (file, size):
        if size > most:
            raise Unusable(f"{path}: LimitExceeded: {size} bytes, at most {most}")
        data = file.read(most)
    if len(data) != size:
        raise Unusable(f"{path}: TruncatedInput: the file changed while it was read")
    return data


def read_raw(path: Path, most: int) -> bytes:
    """What a file of up to `most` bytes holds raw, or as hex. Raises Unusable, OSError."""
    try:
        return raw_or_hex(read_file(path, 2 * most + 2))  # bitcoin-cli ends hex with a new line
    except CannotProve as error:
        raise Unusable(f"{path}: {error}") from None


def check_output(path: Path, *inputs: Path | None, folder: Path | None = None) -> None:
    """Raises Unusable where writing to `path` would destroy one of the files that are read, or of their folder."""
    if path == _DASH:
        raise Unusable("-: standard output is not written to; a file is needed")
    for source in inputs:
        if source is None or not os.path.exists(source):  # (Path.exists raises for some names)
            continue
        if os.path.exists(path) and path.samefile(source):
            raise Unusable(f"{path}: the output is an input too; it must be another file")
    if folder is not None and os.path.dirname(os.path.realpath(path)) == os.path.realpath(folder):
        raise Unusable(f"{path}: the output lies in the folder that is read; it must be elsewhere")


def write_file(path: Path, data: bytes) -> None:
    """Write the file whole or not at all. Raises Unusable."""
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        raise Unusable(f"{path}: not a regular file")
    partial = target.parent / f".lightclient-{secrets.token_hex(4)}.part"
    try:
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from None
