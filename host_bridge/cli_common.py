"""What the commands share: exit codes, one-line errors, options, files, progress."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lightclient.errors import LightClientError
from lightclient.limits import MAX_HEIGHT
from lightclient.params import NETWORKS, Network

GOOD = 0
REFUSED = 1  # a rule is broken
UNUSABLE = 2  # input can't be used, or arguments are wrong

PROGRESS_AFTER_BYTES = 4 << 20  # what takes over a second is longer than this


class Unusable(Exception):
    """Input that can't be used; the text is one line. Ends in exit code 2."""


def fail(code: int, text: str) -> NoReturn:
    """One line on stderr, and the exit code."""
    typer.echo("lightclient: " + " ".join(text.split()), err=True)
    raise typer.Exit(code)


def one_line(error: LightClientError) -> str:
    """`Class at height N: detail`: the rule that is broken, and where."""
    where = f" at height {error.height}" if error.height >= 0 else ""
    return f"{type(error).__name__}{where}: {error}"


@contextmanager
def errors_end_the_command(as_json: bool = False) -> Iterator[None]:
    """Turn what may go wrong with input into one line on stderr and an exit code; as JSON also on stdout."""
    try:
        yield
    except LightClientError as error:
        if as_json:
            height = error.height if error.height >= 0 else None
            print_json({"error": type(error).__name__, "height": height, "detail": str(error)})
        fail(REFUSED, one_line(error))
    except (Unusable, OSError) as error:
        text = f"{error.filename or 'input'}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        if as_json:
            print_json({"error": "Unusable", "height": None, "detail": text})
        fail(UNUSABLE, text)


def network_named(name: str) -> Network:
    if name not in NETWORKS:
        fail(UNUSABLE, f"unknown network {name[:40]!a}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]


NetworkOption = Annotated[str, typer.Option("--network", metavar="NAME", help="One of " + ", ".join(NETWORKS) + ".")]
StartHeightOption = Annotated[
    int,
    typer.Option(
        "--start-height",
        metavar="N",
        min=0,
        max=MAX_HEIGHT,
        help="Height of the first header of FILE; it is the trusted anchor. 0: it must be the genesis header.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


def print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def read_file(path: Path, most: int) -> bytes:
    """A whole regular file of at most `most` bytes. Raises Unusable, OSError."""
    with path.open("rb") as file:
        size = regular_size(path, file.fileno())
        if size > most:
            raise Unusable(f"{path}: LimitExceeded: {size} bytes, at most {most}")
        data = file.read(most + 1)
    if len(data) > most:
        raise Unusable(f"{path}: LimitExceeded: over {most} bytes")
    if not data:
        raise Unusable(f"{path}: TruncatedInput: the file is empty")
    return data


def regular_size(path: Path, descriptor: int) -> int:
    """The size of an open file. Raises Unusable when it is no regular file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(f"{path}: not a regular file")
    return status.st_size


def write_file(path: Path, data: bytes) -> None:
    """Write the file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def progress_bar(text: str, total: int, wanted: bool = True) -> Iterator[Progress]:
    """A bar on stderr, or nothing when that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (wanted and console.is_terminal),
    ) as progress:
        progress.add_task(text, total=total)
        yield progress
