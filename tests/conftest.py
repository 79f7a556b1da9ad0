"""Puts the repository, tools and tests/support on the path; tests/ never: tests/lightclient would hide the package."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

for _folder in (".", "tools", "tests/support"):
    _path = str(_ROOT / _folder)
    if _path not in sys.path:
        sys.path.insert(0, _path)
