"""Each benchmark runs and writes its figures, on a few recorded headers. What they are is not looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from regtest_node import NodeUnavailable, find_bitcoind
from support import require

from host_bridge.demo.recording import Recording
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython
from lightclient.limits import HEADER_SIZE

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = sorted(set((ROOT / "benchmarks").glob("bench_*.py")) - {ROOT / "benchmarks" / "bench_device.py"})
HEADERS = 300


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("benchmarks") / "regtest.bin"
    path.write_bytes(Recording.load_default().headers[: HEADERS * HEADER_SIZE])
    return path


def run(benchmark: Path, headers: Path, *more: str) -> str:
    return subprocess.run(
        [sys.executable, benchmark, "--headers", headers, "--network", "regtest", "--start-height", "0", *more],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def test_there_are_some() -> None:
    assert BENCHMARKS


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda path: path.stem)
def test_it_runs(benchmark: Path, headers: Path) -> None:
    if benchmark.stem in ("bench_node", "bench_fleet"):
        try:
            find_bitcoind()
        except NodeUnavailable as error:
            require(False, str(error))
    result = json.loads(run(benchmark, headers, "--rounds", "1", "--json"))
    assert result["benchmark"] in benchmark.stem
    figures = result["figures"]
    assert figures
    assert all(set(figure) == {"what", "value", "unit", "goal"} and figure["value"] > 0 for figure in figures)
    if benchmark.stem == "bench_node":
        return  # of the host alone
    try:
        find_micropython()
    except MicroPythonNotFound as error:
        require(False, str(error))
    assert any(figure["what"].startswith("MicroPython") for figure in figures)


def test_plain_lines(headers: Path) -> None:
    lines = run(ROOT / "benchmarks" / "bench_link.py", headers, "--rounds", "1").splitlines()
    assert lines[0].startswith("link (CPython ")
    assert len(lines) > 1
    assert all(": " in line for line in lines[1:])
