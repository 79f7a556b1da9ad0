import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support import require

from host_bridge.emulator import micropython
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython, micropython_command


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "micropython"
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_it_runs_with_the_heap_asked_for(tmp_path: Path) -> None:
    try:
        command = micropython_command("64k")
    except MicroPythonNotFound as error:
        require(False, str(error))
        raise
    script = tmp_path / "script.py"
    script.write_text("import gc, sys\nprint(sys.implementation.name, gc.mem_alloc() + gc.mem_free())\nsys.exit(7)\n")
    run = subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 7, run.stderr
    name, heap = run.stdout.split()
    assert name == "micropython"
    assert 60_000 < int(heap) <= 65_536


def test_the_variable_comes_first(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON", str(program))
    assert find_micropython() == [str(program)]
    assert micropython_command("1m") == [str(program), "-X", "heapsize=1m"]


def test_a_variable_that_names_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(MicroPythonNotFound, match="/nowhere/micropython"):
        find_micropython()


def test_without_the_wheel(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setattr(micropython.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_micropython() == [str(program)]
    program.unlink()
    with pytest.raises(MicroPythonNotFound, match=r"lightclient\[emulator\]"):
        find_micropython()
