"""Progress of long work, for people who watch."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PROGRESS_AFTER_BYTES = 4 << 20  # what takes over a second on a small computer is longer than this


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
