"""What the benchmarks share: arguments, rounds that alternate, device scripts, the table at the end.

Other programs only ever make a run slower, so of many rounds the best one is the steadiest time. What is
compared runs in alternation, so that both meet the same conditions: the steadiest ratio (within 1% on a
quiet machine, 3% on a busy one) is the median of those of rounds that ran side by side. Beside it stands
the ratio of the best rounds.
"""

import argparse
import atexit
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from host_bridge.demo.recording import Recording
from host_bridge.emulator.micropython import MicroPythonNotFound
from host_bridge.emulator.rom import device_command
from lightclient.params import NETWORKS, REGTEST

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
DATA = Path(os.environ.get("LIGHTCLIENT_DATA") or ROOT.parent / "shared" / "data")
MAINNET_HEADERS = DATA / "headers" / "mainnet_822528_830592.bin"
TIMEOUT = 300  # seconds for one process


@dataclass
class Figure:
    """`goal` is an upper bound, `at_least` a lower one."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: float | None = None

    def value_text(self) -> str:
        number = f"{self.value:,.0f}" if abs(self.value) >= 1000 or self.unit == "bytes" else f"{self.value:,.4g}"
        return f"{number if self.unit != 'x' else f'{self.value:.2f}'} {self.unit}"

    def goal_text(self) -> str:
        if self.at_least is not None:
            return f"{'>=' if self.value >= self.at_least else 'MISSED: >='} {self.at_least:,.10g}"
        if self.goal is None:
            return ""
        return f"{'<=' if self.value <= self.goal else 'MISSED: <='} {self.goal:,.10g}"


def arguments(description: str) -> argparse.Namespace:
    """The same arguments for all, so that `make bench ARGS=...` can hand them to each."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--headers", type=Path, default=MAINNET_HEADERS, metavar="FILE")
    parser.add_argument("--network", choices=NETWORKS, default="mainnet")
    parser.add_argument("--start-height", type=int, default=822_528, metavar="N")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="More are steadier.")
    parser.add_argument("--json", action="store_true", help="Write JSON for programs.")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if not options.headers.is_file():
        if options.headers != MAINNET_HEADERS:
            parser.error(f"no headers at {options.headers}")
        print(f"{parser.prog}: no shared data (LIGHTCLIENT_DATA): the recorded headers are used", file=sys.stderr)
        options.headers, options.network, options.start_height = _recorded_headers(), REGTEST.name, 0
    return options


def _recorded_headers() -> Path:
    """A file of the headers that the demo replays; it goes when this program ends."""
    folder = tempfile.TemporaryDirectory(prefix="lightclient-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "regtest.bin"
    path.write_bytes(Recording.load_default().headers)
    return path


def alternate(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Call the measures in turn, `rounds` times, after one round that does not count; what each returned."""
    for measure in measures:
        measure()
    results: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for result, measure in zip(results, measures, strict=True):
            result.append(measure())
    return results


def best_and_median(what: str, values: Sequence[float], unit: str) -> list[Figure]:
    return [
        Figure(f"{what}: best", min(values), unit),
        Figure(f"{what}: median", statistics.median(values), unit),
    ]


def ratio(what: str, values: Sequence[float], against: Sequence[float], goal: float | None = None) -> list[Figure]:
    side_by_side = statistics.median(a / b for a, b in zip(values, against, strict=True))
    return [
        Figure(what, side_by_side, "x", goal),
        Figure(f"{what}, of the best rounds", min(values) / min(against), "x"),
    ]


def on_cpython(script: str, *values: object) -> Any:
    """What a script of this folder printed as JSON on its last line."""
    return _run([sys.executable], script, values, {})


def on_micropython(script: str, *values: object, heap: str = "192k") -> Any:
    """The same on MicroPython; None, with one line on stderr, when there is none."""
    try:
        command, environment = device_command(heap, FOLDER)
        return _run(command, script, values, environment)
    except MicroPythonNotFound as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return None


def _run(command: list[str], script: str, values: Sequence[object], environment: dict[str, str]) -> Any:
    run = subprocess.run(
        [*command, str(FOLDER / script), *map(str, values)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"{script}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def _as_dict(figure: Figure) -> dict[str, Any]:
    return {key: value for key, value in asdict(figure).items() if key != "at_least" or value is not None}


def report(title: str, figures: Sequence[Figure], as_json: bool) -> None:
    """A table on a terminal, else one line a figure; or JSON."""
    on = f"CPython {platform.python_version()}, {platform.machine()}"
    if as_json:
        print(json.dumps({"benchmark": title, "on": on, "figures": [_as_dict(figure) for figure in figures]}))
    elif sys.stdout.isatty():
        table = Table("", "measured", "goal", title=f"{title} ({on})")
        table.columns[1].justify = "right"
        for figure in figures:
            table.add_row(figure.what, figure.value_text(), figure.goal_text())
        Console().print(table)
    else:
        print(f"{title} ({on})")
        for figure in figures:
            goal = figure.goal_text()
            print(f"{figure.what}: {figure.value_text()}{f'  (goal {goal})' if goal else ''}")
