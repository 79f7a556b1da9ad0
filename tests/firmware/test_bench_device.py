"""`make bench-device` still runs the firmware as it is, and README.md has the table that it prints."""

import sys
from pathlib import Path
from typing import Any

import pytest

from host_bridge.demo.recording import Recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import bench_device  # noqa: PLC0415 - benchmarks/ is on no path else

    yield bench_device
    for name in [name for name, module in sys.modules.items() if str(ROOT / "benchmarks") in str(module)]:
        del sys.modules[name]


def test_the_table_in_the_readme_has_the_rows_that_are_measured(bench: Any) -> None:
    section = (ROOT / "README.md").read_text().split("## What it costs on a Pico\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    assert rows[0] == ["what", "measured", "goal"]
    assert [row[0] for row in rows[2:]] == [what for what, _, _ in bench.ROWS.values()]
    for (_, measured, goal), (what, unit, bound) in zip(rows[2:], bench.ROWS.values(), strict=True):
        assert measured.endswith(" " + unit), what
        assert goal.split(" ")[-1] == (f"{abs(bound):,.10g}" if bound is not None else ""), what


def test_the_firmware_syncs_as_it_is_measured(bench: Any) -> None:
    found = bench.sync("regtest", Recording.load_default().headers, 192, memory=False)
    assert found["headers"] and found["free"] > 0 and 0 < found["took"]["extend"] < found["total"]
