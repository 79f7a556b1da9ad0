"""The files of tests/lightclient and of the folders on_both run a second time, on real MicroPython (192 KB heap)."""

import ast
import os
import subprocess
from pathlib import Path

import pytest
from device_cases import split_file
from support import data_root, require

from host_bridge.emulator.micropython import MicroPythonNotFound
from host_bridge.emulator.rom import device_command

ROOT = Path(__file__).resolve().parent.parent
DEVICE_TESTS = ROOT / "tests" / "lightclient"
RUNNER = ROOT / "tests" / "support" / "device_runner.py"
TIMEOUT = 300  # seconds for one file

FILES = sorted(DEVICE_TESTS.rglob("test_*.py")) + sorted((ROOT / "tests").glob("*/on_both/test_*.py"))


@pytest.fixture(scope="session")
def cases_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


def _split_what_it_names(tree: ast.Module, out: Path) -> None:
    """Split the JSON files that a test names, each once a session."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".json"):
            source = Path(data_root()) / node.value
            if source.is_file() and not (out / node.value).exists():
                split_file(source, out / node.value)


def _names_of_tests(tree: ast.Module) -> set[str]:
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}


def test_nothing_is_overlooked() -> None:
    """tests/lightclient holds test files only, so that each of them runs on the device."""
    others = [p for p in DEVICE_TESTS.rglob("*.py") if p not in FILES]
    assert FILES, "no device tests were found"
    assert not others, f"not test_*.py, so they would not run on MicroPython: {others}"


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT / "tests")) for p in FILES])
def test_on_micropython(path: Path, cases_folder: Path) -> None:
    try:
        command, needed = device_command("192k", ROOT / "tests" / "support")
    except MicroPythonNotFound as error:
        require(False, str(error))
        raise
    tree = ast.parse(path.read_text())
    _split_what_it_names(tree, cases_folder)
    environment = {
        **os.environ,
        **needed,
        "LIGHTCLIENT_DATA": os.path.realpath(data_root()),
        "LIGHTCLIENT_CASES": str(cases_folder),
    }
    run = subprocess.run(
        [*command, str(RUNNER), str(path)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    output = run.stdout.decode(errors="replace")
    print(output)
    lines = output.splitlines()
    # The words of the runner are believed only together with its exit code and its last line.
    if run.returncode != 0 or not lines or not lines[-1].startswith("done "):
        pytest.fail(f"exit code {run.returncode} on MicroPython:\n{output}", pytrace=False)
    ran = {line.split(" ")[1].rstrip(":") for line in lines if line.startswith(("pass ", "skip "))}
    missed = _names_of_tests(tree) - ran
    assert not missed, f"did not run on MicroPython: {sorted(missed)}"
    skips = [line for line in lines if line.startswith("skip ")]
    if skips:
        require(False, f"on MicroPython: {skips[0]}" + (f" (and {len(skips) - 1} more)" if len(skips) > 1 else ""))
