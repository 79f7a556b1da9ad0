"""An emulated Pico whose USB line is a terminal of this computer, for programs that open a serial port."""

import os
import select
import threading
import tty
from types import TracebackType

from emulated_pico import EmulatedPico

_PIECE = 4096


class BoardOnPty:
    """`board` runs in a thread of its own while this is open, as fast as it can; `port` is its line."""

    def __init__(self, board: EmulatedPico) -> None:
        self.board = board
        self._board_end, self._user_end = os.openpty()
        tty.setraw(self._user_end)
        os.set_blocking(self._board_end, False)
        self.port = os.ttyname(self._user_end)
        board.next_bytes = self._read
        board.on_bytes = self._write
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "BoardOnPty":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = True
        self._thread.join()
        os.close(self._board_end)
        os.close(self._user_end)
        if self._error and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._ended:
                self.board.run(lambda: self._ended, 1)
        except Exception as error:
            self._error = error

    def _read(self) -> bytes:
        try:
            return os.read(self._board_end, _PIECE)
        except BlockingIOError:
            return b""

    def _write(self, data: bytes) -> None:
        while data and not self._ended:
            select.select([], [self._board_end], [], 0.1)
            try:
                data = data[os.write(self._board_end, data) :]
            except BlockingIOError:
                pass
