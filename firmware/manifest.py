# mypy: ignore-errors
# ruff: noqa: F821 - package, module, freeze, include are MicroPython's (docs.micropython.org: manifest files)
"""What is frozen into a firmware image: the port's own modules, and of ours what a board needs (docs/FIRMWARE.md)."""

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, os.path.abspath(".."))
from host_bridge.device_code import write_device_code

# Stock images have these as well.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")

_ROOT = Path("..").resolve()
_CODE = "../build/device-code"  # ours, made smaller
_PROGRAM = ("lightclient/**/*.py", "firmware/*.py", "hardware/*.py")
_NOT_FROZEN = (
    "firmware/boot.py",  # below
    "firmware/manifest.py",
    "hardware/raspberry_pi.py",
    "hardware/simulated.py",
    "hardware/terminal.py",
    "lightclient/spv/merkleblock.py",  # what no device imports
)
_OPT = 3  # without line numbers: 7 KB less

_names = sorted({path.relative_to(_ROOT).as_posix() for pattern in _PROGRAM for path in _ROOT.glob(pattern)})
shutil.rmtree(_CODE, ignore_errors=True)
_frozen = write_device_code(_ROOT, [name for name in _names if name not in _NOT_FROZEN], Path(_CODE))

_frozen.remove("firmware/start.py")
for _package in ("lightclient", "firmware", "hardware"):
    _files = [name[len(_package) + 1 :] for name in _frozen if name.startswith(_package + "/")]
    package(_package, _files, base_path=_CODE, opt=_OPT)

# MicroPython runs a frozen boot.py and main.py after a reset, before it looks for files of these names.
(Path(_CODE) / "firmware" / "start.py").rename(Path(_CODE) / "main.py")
module("boot.py")
module("main.py", base_path=_CODE)
