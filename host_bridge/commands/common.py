"""What the commands share: exit codes, one-line errors, options."""

import codecs
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from typer.core import TyperCommand

from host_bridge.files import Unusable
from host_bridge.nodes.node import NodeError
from host_bridge.payments.proofs import CannotProve
from host_bridge.printable import printable
from lightclient.errors import EncodingError, LightClientError
from lightclient.limits import MAX_HEIGHT
from lightclient.params import NETWORKS, Network

GOOD = 0
REFUSED = 1  # a rule is broken
UNUSABLE = 2  # input can't be used, or arguments are wrong
_BROKEN_PIPE = 141  # nobody reads the output any more; a shell says the same: 128 + SIGPIPE


# --- what is said ---


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
