"""The log of a program that runs day and night: one line an event, for people; or one JSON object, for programs.

People's lines go to standard error. Under systemd's journal they carry a priority and no time, for the
journal keeps its own. JSON goes to standard output. What devices and nodes say is made printable here, so
that no control character reaches a terminal. A reader that is slow or gone never makes the bridge wait.
"""

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from typing import Any, TextIO

from host_bridge.limits import LOG_LINES_BURST, LOG_LINES_PER_SECOND, MAX_LOG_QUEUE
from host_bridge.printable import printable

DEBUG, INFO, WARNING, ERROR = range(4)
LEVELS = ("debug", "info", "warning", "error")
_PRIORITY = ("<7>", "<6>", "<4>", "<3>")  # sd-daemon(3)
_MARKS = ("", "", "WARNING ", "ERROR ")
_MAX_TEXT = 500
_SAME_SECONDS = 60.0
_LAST_LINES_SECONDS = 0.5
_FLUSH = "(flush)"  # never a line: lines end in a newline


class Log:
    """`level` is the least that is written. Thread-safe. Close it at the end: it writes what is left."""

    def __init__(self, level: int = INFO, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.level = level
        self._as_json = as_json
        self._stream = stream or (sys.stdout if as_json else sys.stderr)
        self._to_journal = not as_json and _is_journal(self._stream)
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_LOG_QUEUE)
        self._left_out = 0
        self._waiting: list[threading.Event] = []
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def debug(self, text: str, device: str = "", **fields: Any) -> None:
        self.write(DEBUG, text, device, **fields)

    def info(self, text: str, device: str = "", **fields: Any) -> None:
        self.write(INFO, text, device, **fields)

    def warning(self, text: str, device: str = "", **fields: Any) -> None:
        self.write(WARNING, text, device, **fields)

    def error(self, text: str, device: str = "", **fields: Any) -> None:
        self.write(ERROR, text, device, **fields)

    def write(self, level: int, text: str, device: str = "", **fields: Any) -> None:
        """A line. `device` is who it is about; `fields` stand in the JSON beside the text."""
        if level < self.level:
            return
        if self._left_out and not self._lines.full():
            left_out, self._left_out = self._left_out, 0
            self._put(WARNING, f"{left_out} lines of this log were lost: its reader was too slow", "", {})
        self._put(level, text, device, fields)

    def close(self) -> None:
        """Write what is left, but don't wait for a reader that takes nothing."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._writer.join(_LAST_LINES_SECONDS)

    def flush(self) -> None:
        """Wait until all that was said is written, but not for a reader that takes nothing."""
        written = threading.Event()
        self._waiting.append(written)
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(_FLUSH)
            written.wait(_LAST_LINES_SECONDS)

    def _put(self, level: int, text: str, device: str, fields: dict[str, Any]) -> None:
        line = self._json(level, text, device, fields) if self._as_json else self._plain(level, text, device)
        try:
            self._lines.put_nowait(line + "\n")
        except queue.Full:
            self._left_out += 1

    def _plain(self, level: int, text: str, device: str) -> str:
        about = one_line(device) + ": " if device else ""
        if self._to_journal:
            return _PRIORITY[level] + about + one_line(text)
        return time.strftime("%Y-%m-%d %H:%M:%S ") + _MARKS[level] + about + one_line(text)

    def _json(self, level: int, text: str, device: str, fields: dict[str, Any]) -> str:
        now = time.time()
        said = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z",
            "level": LEVELS[level],
            **({"device": device} if device else {}),
            "text": one_line(text),
            **fields,
        }
        return json.dumps(said)  # ASCII: control characters are escaped

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if line is _FLUSH:
                    self._stream.flush()
                    self._waiting.pop(0).set()
                    continue
                self._stream.write(line)
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # closed, or a full disk: the bridge goes on
                continue
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


class FromLogging(logging.Handler):
    """What other modules say through Python's own logging. Who says the same again and again is heard once a minute."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.DEBUG)
        self._to = log
        self._last: dict[str, tuple[str, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        now = time.monotonic()
        before, since = self._last.get(record.name, ("", 0.0))
        if text == before and now - since < _SAME_SECONDS:
            return
        self._last[record.name] = (text, now)
        level = sum(record.levelno >= least for least in (logging.INFO, logging.WARNING, logging.ERROR))
        self._to.write(level, text)


class DeviceLog:
    """What one line has to say: `name` stands before it. A device that says too much is cut short."""

    def __init__(self, log: Log, name: str) -> None:
        self.name = name
        self._log = log
        self._allowed = float(LOG_LINES_BURST)
        self._since = time.monotonic()
        self._left_out = 0

    def write(self, level: int, text: str, **fields: Any) -> None:
        if level < self._log.level:
            return
        now = time.monotonic()
        self._allowed = min(LOG_LINES_BURST, self._allowed + (now - self._since) * LOG_LINES_PER_SECOND)
        self._since = now
        if self._allowed < 1.0:
            self._left_out += 1
            return
        self._allowed -= 1.0
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self._log.warning(f"it says too much: {left_out} lines were left out", self.name, left_out=left_out)
        self._log.write(level, text, self.name, **fields)


def one_line(text: str) -> str:
    """Printable, on one line, and not too long."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


def _is_journal(stream: TextIO) -> bool:
    """systemd.exec(5): $JOURNAL_STREAM is the device and inode of the stream that goes to the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
