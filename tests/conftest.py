"""Puts the repository, tools and tests/support on the path; tests/ never: tests/lightclient would hide the package."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

_ROOT = Path(__file__).resolve().parent.parent

for _folder in (".", "tools", "tests/support"):
    _path = str(_ROOT / _folder)
    if _path not in sys.path:
        sys.path.insert(0, _path)

# CI tries the same examples each time, so that a change is judged by what it changes; elsewhere each
# run tries others, and what it finds becomes a test of its own.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("LIGHTCLIENT_REQUIRE_ALL") == "1":
    settings.load_profile("ci")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests have counted (`record_property`), added up by its name, whichever worker counted it."""
    sums: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, count in report.user_properties:
            sums[name] = sums.get(name, 0) + count
    for name, count in sums.items():
        terminalreporter.write_line(f"{name}: {count:,} different points, none lost anything")
