"""What every test may use, on CPython and on MicroPython alike.

The shared data lies at $LIGHTCLIENT_DATA, else at ../shared/data beside the repository. Whole JSON
files do not fit a device's heap, so the host splits them beforehand (device_cases.py) into
$LIGHTCLIENT_CASES, and `cases` reads them one at a time.
"""

import gc
import json
import os
import sys
from binascii import unhexlify

IS_MICROPYTHON = sys.implementation.name == "micropython"

if IS_MICROPYTHON:
    import micropython

    # An exception raised under heap_lock needs memory that was set aside before; the unix port has it built in.
    if hasattr(micropython, "alloc_emergency_exception_buf"):
        micropython.alloc_emergency_exception_buf(256)


class Skipped(Exception):
    """On MicroPython: the test's requirement is missing. The runner reports it, the host decides."""


def require(condition, reason):
    """Skip the running test with one line when `condition` is false; LIGHTCLIENT_REQUIRE_ALL=1 makes it fail."""
    if condition:
        return
    if os.getenv("LIGHTCLIENT_REQUIRE_ALL") == "1":
        raise AssertionError("LIGHTCLIENT_REQUIRE_ALL=1 and " + reason)
    if IS_MICROPYTHON:
        raise Skipped(reason)
    import pytest  # noqa: PLC0415 - not on MicroPython

    pytest.skip(reason)


def raises(error_class, function, *args):
    """Assert that `function(*args)` raises exactly `error_class`, no subclass; returns the exception."""
    try:
        function(*args)
    except Exception as error:
        if type(error) is not error_class:
            # MicroPython has no `raise from`: show where the wrong one came from.
            if IS_MICROPYTHON:
                sys.print_exception(error)
            raise AssertionError("expected " + error_class.__name__ + ", got " + repr(error))
        return error
    raise AssertionError("expected " + error_class.__name__ + ", nothing was raised")


# --- shared data ---


def _parent(path):
    return path.rsplit("/", 1)[0] if "/" in path else "."


def _is_there(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def data_root():
    """The folder of the shared data, whether it exists or not."""
    # tests/support/support.py: the repository is two folders up.
    return os.getenv("LIGHTCLIENT_DATA") or _parent(__file__.replace("\\", "/")) + "/../../../shared/data"


def data_path(name):
    """Path of a file of the shared data, e.g. "headers/signet_000000_002015.bin"; skips where it is absent."""
    path = data_root() + "/" + name
    require(_is_there(path), "shared data not found: " + path + " (set LIGHTCLIENT_DATA)")
    return path


def repository_path(name):
    """Path of a file of the repository itself."""
    # tests/support/support.py: the repository is two folders up.
    return _parent(__file__.replace("\\", "/")) + "/../../" + name


def cases(name, key=""):
    """Iterate over the entries of a JSON list of the shared data, one at a time.

    `key` leads into a file that is an object: "cases", or "groups.a" for a list further down. On
    MicroPython a hex string over 8,000 characters comes as {"file": PATH} of its raw bytes and any
    other long list as {"file": PATH} of one JSON value a line: read them through `hex_field` and
    `list_field`, which take both forms.
    """
    if not IS_MICROPYTHON:
        with open(data_path(name)) as file:
            value = json.load(file)
        for part in key.split(".") if key else ():
            value = value[part]
        if not isinstance(value, list):
            raise TypeError(name + ": " + (key or "the file") + " is not a list; it has " + str(list(value)))
        for case in value:
            yield case
        return
    data_path(name)
    folder = (os.getenv("LIGHTCLIENT_CASES") or "") + "/" + name
    for part in key.split(".") if key else ():
        folder += "/" + part
    if not _is_there(folder + "/count"):
        raise OSError("no cases at " + folder + ": name the file and key literally; it must be a list")
    with open(folder + "/count") as file:
        count = int(file.read())
    for i in range(count):
        with open(folder + "/" + str(i) + ".json") as file:
            case = json.load(file)
        yield case
        case = None
        gc.collect()


def hex_field(case, key):
    """The bytes of a hex field of a case; None when it is null or absent."""
    value = case.get(key)
    if value is None:
        return None
    if isinstance(value, dict):
        with open(value["file"], "rb") as file:
            return file.read()
    return unhexlify(value)


def list_field(case, key):
    """Iterate over a list field of a case, one entry at a time."""
    value = case[key]
    if isinstance(value, dict):
        with open(value["file"]) as file:
            for line in file:
                yield json.loads(line)
    else:
        yield from value


# --- memory ---


def heap_used():
    """Bytes of heap in use after a collection on MicroPython; 0 on CPython."""
    if not IS_MICROPYTHON:
        return 0
    gc.collect()
    return gc.mem_alloc()


def no_allocation(function, *args):
    """Run `function(*args)` and return its result; on MicroPython with the heap locked: an allocation fails.

    At most six arguments. It is run once only, unlocked work such as lazy imports belongs before it.
    """
    if not IS_MICROPYTHON:
        return function(*args)
    # A call with *args allocates its argument array, so the calls are written out.
    count = len(args)
    if count > 6:
        raise TypeError("no_allocation: at most six arguments")
    a = args[0] if count > 0 else None
    b = args[1] if count > 1 else None
    c = args[2] if count > 2 else None
    d = args[3] if count > 3 else None
    e = args[4] if count > 4 else None
    f = args[5] if count > 5 else None
    gc.collect()
    micropython.heap_lock()
    try:
        if count == 0:
            return function()
        if count == 1:
            return function(a)
        if count == 2:
            return function(a, b)
        if count == 3:
            return function(a, b, c)
        if count == 4:
            return function(a, b, c, d)
        if count == 5:
            return function(a, b, c, d, e)
        return function(a, b, c, d, e, f)
    finally:
        micropython.heap_unlock()
