# mypy: ignore-errors
# ruff: noqa: F821 - package, module, freeze, include are MicroPython's (docs.micropython.org: manifest files)
"""What is frozen into a firmware image: the port's own modules, and of ours what a board needs (docs/FIRMWARE.md)."""

import os

# Stock images have these as well.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")

_NOT_PACKAGED = ("boot.py", "manifest.py", "start.py")
_FOR_HOSTS = ("spv/merkleblock.py",)  # what no device imports
_OPT = 3  # without line numbers: 7 KB less

_core = []
for _folder, _, _names in os.walk("../lightclient"):
    _core += [os.path.join(_folder, _name)[len("../lightclient/") :] for _name in _names if _name.endswith(".py")]

package("lightclient", sorted(_name for _name in _core if _name not in _FOR_HOSTS), base_path="..", opt=_OPT)
package(
    "firmware",
    sorted(name for name in os.listdir(".") if name.endswith(".py") and name not in _NOT_PACKAGED),
    base_path="..",
    opt=_OPT,
)
package(
    "hardware",
    ("__init__.py", "board.py", "canvas.py", "font.py", "pico.py", "pins.py", "ssd1306.py"),
    base_path="..",
    opt=_OPT,
)

# MicroPython runs a frozen boot.py and main.py after a reset, before it looks for files of these names.
module("boot.py")
module("main.py")
