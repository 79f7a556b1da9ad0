# mypy: ignore-errors
# ruff: noqa: F821 - package, module, freeze, include are MicroPython's (docs.micropython.org: manifest files)
"""What is frozen into a firmware image: the port's own modules, and of ours what a board needs (docs/FIRMWARE.md)."""

import os

# Stock images have these as well.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")

_NOT_PACKAGED = ("boot.py", "manifest.py", "start.py")

package("lightclient", base_path="..")
package(
    "firmware",
    sorted(name for name in os.listdir(".") if name.endswith(".py") and name not in _NOT_PACKAGED),
    base_path="..",
)
package(
    "hardware",
    ("__init__.py", "board.py", "canvas.py", "font.py", "pico.py", "pins.py", "ssd1306.py"),
    base_path="..",
)

# MicroPython runs a frozen boot.py and main.py after a reset, before it looks for files of these names.
module("boot.py")
module("main.py")
