"""A folder as the store of a device wants it (lightclient/headers/store.py: Files): littlefs, or a computer's disk.

On littlefs a file that is written shows its old content until it is closed, which is when `sync`
has it closed. On a computer `sync` calls fsync for the file and for the folder. The file paid.b of
the store in FOLDER is FOLDER.paid (store.py says why).
"""

import os

from lightclient.compat import IS_MICROPYTHON, const
from lightclient.errors import CorruptStore, StoreFull, StoreLocked

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import BinaryIO

    from lightclient.serialize import Buffer

BESIDE = "paid.b"
_PIECE = 1024
# MicroPython's errno has not all of them
_ENOENT = 2
_EIO = 5
_EEXIST = 17
_ENOSPC = 28
_CORRUPT = 84  # LFS_ERR_CORRUPT


class FolderFiles:
    """The files of the store in `folder`. One handle is open for reading, one for writing.

    A folder that is not there is made, or with `make` False refused: CorruptStore.
    """

    def __init__(self, folder: str, make: bool = True) -> None:
        self._folder = folder.rstrip("/") or "/"
        self._name = ""
        self._file: "BinaryIO | None" = None
        self._is_written = False
        self._lock: "BinaryIO | None" = None
        if not make:
            self.names()
            return
        try:
            os.mkdir(folder)
        except OSError as error:
            if error.errno != _EEXIST:
                raise

    def names(self) -> "list[str]":
        try:
            names = [name for name in os.listdir(self._folder) if name != BESIDE]
        except OSError as error:
            raise _named(error, self._folder)
        if self.size(BESIDE) >= 0:
            names.append(BESIDE)
        return sorted(names)

    def size(self, name: str) -> int:
        """-1: there is none. Of a file that is being appended to: including what is not synced."""
        if self._is_written and name == self._name and self._file is not None:
            return self._file.tell()
        try:
            return os.stat(self._path(name))[6]
        except OSError:
            return -1

    def read_into(self, name: str, position: int, buffer: "bytearray | memoryview") -> int:
        if self._file is None or self._is_written or name != self._name:
            self._open(name, "rb")
        file = self._file
        if file is None:
            return 0
        try:
            file.seek(position)
            done = 0
            view = memoryview(buffer)
            while done < len(view):
                count = file.readinto(view[done:])  # type: ignore[attr-defined]
                if not count:
                    break
                done += count
        except OSError as error:
            raise _named(error, name)
        return done

    def append(self, name: str, data: "Buffer") -> None:
        self._write(name, data, "ab")

    def write(self, name: str, data: "Buffer") -> None:
        self._close()
        self._write(name, data, "wb")

    def _write(self, name: str, data: "Buffer", mode: str) -> None:
        if not self._is_written or name != self._name:
            self._open(name, mode)
            self._is_written = True
        file = self._file
        if file is None:
            return
        try:
            done = 0
            while done < len(data):
                done += file.write(memoryview(data)[done:]) or 0
        except OSError as error:
            self._abandon()
            raise _named(error, name)

    def cut(self, name: str, size: int) -> None:
        """By a shorter copy that takes its place: littlefs's files have no truncate here."""
        self._close()
        partial = name + ".part"
        try:
            with open(self._path(name), "rb") as source, open(self._path(partial), "wb") as copy:
                while size:
                    data = source.read(min(_PIECE, size))
                    if not data:
                        break
                    copy.write(data)
                    size -= len(data)
            self._sync_path(partial)
            os.rename(self._path(partial), self._path(name))
        except OSError as error:
            raise _named(error, name)

    def rename(self, name: str, new_name: str) -> None:
        self._close()
        try:
            os.rename(self._path(name), self._path(new_name))
        except OSError as error:
            raise _named(error, name)

    def remove(self, name: str) -> None:
        self._close()
        try:
            os.remove(self._path(name))
        except OSError as error:
            raise _named(error, name)

    def sync(self) -> None:
        written = self._name
        self._close()
        if not IS_MICROPYTHON:
            self._sync_path("")
            if written == BESIDE:
                self._sync_path("..")

    def release(self) -> None:
        if IS_MICROPYTHON and not self._is_written:
            self._close()

    def lock(self) -> None:
        """One program at a time; on a board there is only one."""
        if IS_MICROPYTHON:
            return
        import fcntl  # noqa: PLC0415 - not on MicroPython

        file = open(self._path("lock"), "ab")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise StoreLocked(self._folder + ": another program has it open")
        self._lock = file

    def close(self) -> None:
        """Let go of the files and of the lock."""
        self._close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _path(self, name: str) -> str:
        return self._folder + ".paid" if name == BESIDE else self._folder + "/" + name

    def _open(self, name: str, mode: str) -> None:
        self._close()
        try:
            self._file = open(self._path(name), mode)  # type: ignore[assignment]
        except OSError as error:
            raise _named(error, name)
        self._name = name

    def _close(self) -> None:
        file = self._file
        self._file = None
        written = self._is_written
        self._is_written = False
        if file is None:
            return
        try:
            if written and not IS_MICROPYTHON:
                file.flush()
                os.fsync(file.fileno())
            file.close()
        except OSError as error:
            raise _named(error, self._name)

    def _abandon(self) -> None:
        """Close a file that took no more; what it took may stay, its size tells."""
        try:
            self._close()
        except (StoreFull, CorruptStore):
            pass

    def _sync_path(self, name: str) -> None:
        if IS_MICROPYTHON:
            return
        handle = os.open(self._path(name), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _named(error: OSError, name: str) -> Exception:
    if error.errno == _ENOSPC:
        return StoreFull(name + ": no room")
    if error.errno in (_EIO, _CORRUPT):
        return CorruptStore(name + ": cannot be read")
    if error.errno == _ENOENT:
        return CorruptStore(name + ": missing")
    return error
