"""Where the program says what went wrong: its console. On a board that is a file, for its USB line is the link."""

import os
import sys

LOG = "log.txt"
OLDER_LOG = "log.old"
IS_BOARD = sys.platform == "rp2"
_MAX_LINE = 512  # bytes that the last one may go beyond it
_MAX_LOG_SIZE = 4096  # bytes of each of the two files


def say(text: str) -> None:
    """One line on the console. Raises nothing."""
    if IS_BOARD:
        _append(text + "\n")
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


def _append(text: str) -> None:
    """The log keeps the last few KB, in two files that take turns."""
    try:
        with open(LOG, "a") as file:
            file.write(text)
            size = file.tell()
        if size > _MAX_LOG_SIZE:
            os.rename(LOG, OLDER_LOG)
    except OSError:  # the flash is full: the program goes on without
        pass
