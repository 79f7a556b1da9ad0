"""Lines between a bridge and a device that a test cuts in the middle of a frame: a cable, and a network (CPython)."""

import errno
import os
import select
import socket
import threading
import time
import tty
from contextlib import suppress

_PIECE = 512


class Cable:
    """From a board's terminal to the serial port `path`, which the bridge opens. Works from `plug_in` on.

    `cut(after, lost)`: when so many bytes more have come from the bridge, that many are lost, and as many from the
    device. `pull_out(after)`: then the port goes away.
    """

    def __init__(self, board_line, path):
        self.path = path
        self._board = board_line
        self._bridge = self._port = -1
        self._lock = threading.Lock()
        self._lose_after = self._lose = self._lose_back = 0
        self._pull_after = -1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def plug_in(self):
        with self._lock:
            if self._bridge >= 0:
                return
            self._bridge, self._port = os.openpty()
            tty.setraw(self._port)
            os.set_blocking(self._bridge, False)
            self._pull_after = -1
            self.path.unlink(missing_ok=True)
            self.path.symlink_to(os.ttyname(self._port))

    def cut(self, after, lost):
        with self._lock:
            self._lose_after, self._lose, self._lose_back = after, lost, lost

    def mend(self):
        """Lose nothing more: what was still to be lost could be all that a device says in minutes."""
        self.cut(0, 0)

    def pull_out(self, after=0, seconds=2.0):
        """Returns when it is out: at the latest after `seconds`, for there may be nothing to carry."""
        with self._lock:
            self._pull_after = after
        end = time.monotonic() + seconds
        while self._bridge >= 0 and time.monotonic() < end:
            time.sleep(0.01)
        with self._lock:
            self._unplug()

    def _unplug(self):
        if self._bridge >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._port)
            os.close(self._bridge)
            self._bridge = self._port = -1

    def _run(self):
        pending = {"to board": b"", "to bridge": b""}
        while not self._ended.is_set():
            bridge = self._bridge
            wanted = [] if pending["to bridge"] else [self._board]
            if bridge >= 0 and not pending["to board"]:
                wanted.append(bridge)
            with suppress(OSError, ValueError):  # pulled out meanwhile
                select.select(wanted, [], [], 0.02)
            if any(pending.values()):
                time.sleep(0.002)
            with self._lock:
                self._carry(pending)

    def _carry(self, pending):
        if not pending["to bridge"]:
            pending["to bridge"] = self._spoil(_read(self._board), from_bridge=False)
        if self._bridge < 0:
            pending["to board"] = pending["to bridge"] = b""  # nobody is there
            return
        if not pending["to board"]:
            data = _read(self._bridge)
            if 0 <= self._pull_after <= len(data) and (data or not self._pull_after):
                _write(self._board, data[: self._pull_after])
                self._unplug()
                return
            if self._pull_after > 0:
                self._pull_after -= len(data)
            pending["to board"] = self._spoil(data, from_bridge=True)
        pending["to board"] = _write(self._board, pending["to board"])
        pending["to bridge"] = _write(self._bridge, pending["to bridge"])

    def _spoil(self, data, from_bridge):
        if not from_bridge:
            lost = 0 if self._lose_after else min(self._lose_back, len(data))
            self._lose_back -= lost
            return data[lost:]
        kept, rest = data[: self._lose_after], data[self._lose_after :]
        self._lose_after -= len(kept)
        lost = min(self._lose, len(rest))
        self._lose -= lost
        return kept + rest[lost:]

    def close(self):
        self._ended.set()
        self._thread.join()
        self._unplug()


def _read(descriptor):
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EIO):
            raise
        return b""


def _write(descriptor, data):
    """What is left of it."""
    with suppress(BlockingIOError):
        return data[os.write(descriptor, data) :] if data else b""
    return data


class Relay:
    """A port on 127.0.0.1 (`port`) that leads to another one. `cut(after)`: each connection ends after so many bytes.

    `said` is what the first connection's client has sent, as it stood on the wire.
    """

    def __init__(self, target):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs = []
        self._cut_after = -1
        self.said = bytearray()
        self._first = True
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def cut(self, after, seconds=1.0):
        """Returns when it is done; after `seconds` at the latest, for there may be nothing to carry."""
        with self._lock:
            self._cut_after = after
        end = time.monotonic() + seconds
        while self._cut_after >= 0 and time.monotonic() < end:
            time.sleep(0.01)
        self._drop_all()

    def _drop_all(self):
        with self._lock:
            self._cut_after = -1
            for pair in self._pairs:
                for one in pair:
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def _accept(self):
        threads = []
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                break
            try:
                server = socket.create_connection(("127.0.0.1", self._target), 5)
                server.settimeout(None)  # silence ends no connection
            except OSError:  # no bridge at the moment
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            heard, self._first = (self.said if self._first else None), False
            for one, other, kept in ((client, server, heard), (server, client, None)):
                threads.append(threading.Thread(target=self._carry, args=(one, other, kept)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _carry(self, one, other, kept):
        with suppress(OSError):
            while data := one.recv(_PIECE):
                if kept is not None:
                    kept += data
                if one.fileno() >= 0 and self._cut_after >= 0:
                    with self._lock:
                        allowed, self._cut_after = self._cut_after, self._cut_after - len(data)
                    if allowed <= len(data):
                        other.sendall(data[:allowed])
                        self._drop_all()
                        break
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            one.close()

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop_all()
        self._thread.join()
