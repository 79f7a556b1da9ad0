"""Where the program says what went wrong: its console. On a board that is a file, for its USB line is the link."""

import os
import sys
import time

from lightclient.compat import const

LOG = "log.txt"
OLDER_LOG = "log.old"
IS_BOARD = sys.platform == "rp2"
_MAX_LINE = const(512)  # bytes that the last one may go beyond it
_MAX_LOG_SIZE = const(4096)  # bytes of each of the two files
# A bridge can provoke lines without end; each wears the flash.
_LINES_AT_ONCE = const(32)
_SECONDS_A_LINE = const(120)

_budget = [_LINES_AT_ONCE, 0]  # lines that may still be written; when one was last added, in seconds


def say(text: str) -> None:
    """One line on the console. Raises nothing."""
    if IS_BOARD:
        note(text)
    else:
        sys.stderr.write(text + "\n")


def say_error(error: BaseException) -> None:
    say(type(error).__name__ + ": " + str(error))


def read_log() -> bytes:
    """The log of a board, the oldest line first."""
    log = b""
    for name in (OLDER_LOG, LOG):
        try:
            with open(name, "rb") as file:
                log += file.read(_MAX_LOG_SIZE + _MAX_LINE)
        except OSError:
            pass
    return log


def note(text: str, path: str = LOG, older: str = OLDER_LOG) -> None:
    """One line into the log, which keeps the last few KB in two files that take turns. Raises nothing."""
    now = int(time.time())
    if now - _budget[1] >= _SECONDS_A_LINE:
        _budget[0] = min(_budget[0] + (now - _budget[1]) // _SECONDS_A_LINE, _LINES_AT_ONCE)
        _budget[1] = now
    if _budget[0] == 0:
        return
    _budget[0] -= 1
    try:
        with open(path, "a") as file:
            file.write(text + "\n")
            size = file.tell()
        if size > _MAX_LOG_SIZE:
            os.rename(path, older)
    except OSError:  # the flash is full: the program goes on without
        pass


def note_once(text: str) -> None:
    """The same, unless the log has that line already: what is found at every start need not wear the flash."""
    try:
        with open(LOG) as file:
            for line in file:
                if line.rstrip() == text:
                    return
    except (OSError, ValueError):  # a torn write may be no text
        pass
    note(text)
