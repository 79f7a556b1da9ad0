"""What the commands share: exit codes, one-line errors, options, files, progress."""

import codecs
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperCommand

from host_bridge.nodes.node import NodeError
from host_bridge.proofs import CannotProve, raw_or_hex
from lightclient.errors import EncodingError, LightClientError
from lightclient.limits import MAX_HEIGHT
from lightclient.params import NETWORKS, Network

GOOD = 0
REFUSED = 1  # a rule is broken
UNUSABLE = 2  # input can't be used, or arguments are wrong
_BROKEN_PIPE = 141  # nobody reads the output any more; a shell says the same: 128 + SIGPIPE

PROGRESS_AFTER_BYTES = 4 << 20  # what takes over a second on a small computer is longer than this


class Unusable(Exception):
    """Input that can't be used; the text is one line. Ends in exit code 2."""


# --- what is said ---


def printable(text: str) -> str:
    """Control characters and lone surrogates escaped: a file name may hold anything."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_PLAIN = {"✓": "ok", "✗": "NO"}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a terminal's encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end


def speak_any_encoding() -> None:
    """stdout and stderr write what their encoding lacks in other characters: no text ends a command."""
    codecs.register_error("lightclient.plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="lightclient.plain")


def say(text: str) -> None:
    """A line on stdout."""
    try:
        typer.echo(text)
    except OSError as error:
        raise typer.Exit(output_failed(error)) from None


def output_failed(error: OSError) -> int:
    """Give stdout up, on which nothing can be written any more; returns the exit code."""
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return _BROKEN_PIPE
    complain(f"standard output: {error.strerror or error}")
    return UNUSABLE


def end_if_output_failed() -> None:
    """Ends the command with what `output_failed` says when stdout holds something that can't be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise typer.Exit(output_failed(error)) from None


def _silence(stream: TextIO) -> None:
    """What is left in the buffer of a broken stream must not fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_json(value: dict[str, Any]) -> None:
    """A JSON object as a line of its own on stdout."""
    say(json.dumps(value))


def complain(text: str) -> None:
    """A line on stderr."""
    try:
        typer.echo("lightclient: " + printable(" ".join(text.split())), err=True)
    except OSError:
        _silence(sys.stderr)  # nobody can be told; the exit code still says it


def fail(code: int, text: str) -> NoReturn:
    """One line on stderr, and the exit code."""
    complain(text)
    raise typer.Exit(code)


def one_line(error: LightClientError) -> str:
    """`Class at height N: detail`: the rule that is broken, and where."""
    where = f" at height {error.height}" if error.height >= 0 else ""
    return f"{type(error).__name__}{where}: {error}"


@contextmanager
def errors_end_the_command(as_json: bool = False, about: Path | None = None) -> Iterator[None]:
    """Turn what may go wrong with input into one line on stderr and an exit code; as JSON also on stdout.

    `about`: the file whose content breaks a rule, if one does. An encoding that is broken makes a file unusable.
    """
    try:
        yield
    except LightClientError as error:
        if as_json:
            height = error.height if error.height >= 0 else None
            print_json({"error": type(error).__name__, "height": height, "detail": str(error)})
        code = UNUSABLE if isinstance(error, EncodingError) else REFUSED
        fail(code, f"{about}: {one_line(error)}" if about else one_line(error))
    except (Unusable, CannotProve, NodeError, OSError) as error:
        if isinstance(error, OSError):
            end_if_output_failed()
        text = f"{error.filename or 'input'}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        name = type(error).__name__ if isinstance(error, NodeError) else "Unusable"
        if as_json:
            print_json({"error": name, "height": None, "detail": text})
        fail(UNUSABLE, text)


# --- options ---


class _Command(TyperCommand):
    """Help without the types of Python that typer writes behind an argument's name."""

    def get_help(self, ctx: Any) -> str:
        return re.sub(r"(?<=[A-Z]) <[\w\[\]]+>", lambda found: " " * len(found[0]), super().get_help(ctx))


class Commands(typer.Typer):
    """A group of commands."""

    def command(  # type: ignore[override]  # a long list, that grows with typer
        self, *args: Any, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return super().command(*args, cls=_Command, **options)


def network_named(name: str) -> Network:
    if name not in NETWORKS:
        fail(UNUSABLE, f"unknown network {name[:40]!a}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser for an option. (typer's own `min` and `max` clutter the help with their range.)"""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter("a whole number belongs there") from None
        if not least <= value <= most:
            raise typer.BadParameter(f"{value} is not in {least} to {most}")
        return value

    return parse


def examples(*lines: str) -> str:
    """The end of a command's help, line by line: typer would flow the lines together."""
    return "\b\n" + "\n  ".join(("Examples:", *lines))


def file_option(text: str, *names: str, metavar: str = "FILE") -> Any:
    """An option that takes a file. It is judged where it is opened, not by typer (`readable`) in its own words."""
    return typer.Option(*names, metavar=metavar, readable=False, help=text)


NetworkOption = Annotated[str, typer.Option("--network", metavar="NAME", help="One of " + ", ".join(NETWORKS) + ".")]
StartHeightOption = Annotated[
    int,
    typer.Option(
        "--start-height",
        metavar="N",
        parser=whole_number(0, MAX_HEIGHT),
        help="Height of the first header, which is the trusted anchor; at 0 it must be the genesis header.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


# --- files ---


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


# --- progress ---


@contextmanager
def progress_bar(text: str, total: int, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, or nothing when that is no terminal; the function given is told how much more is done."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # rich would print on stderr what belongs on stdout
        disable=not (wanted and sys.stderr is not None and sys.stderr.isatty()),
    ) as progress:
        task = progress.add_task(text, total=total)
        yield lambda count: progress.advance(task, count)
