"""package.json, which `mpremote mip install` reads, names the files that there are."""

import ast
import json
from pathlib import Path

from make_package_json import text

ROOT = Path(__file__).resolve().parents[2]
VALUES = json.loads((ROOT / "package.json").read_text())
FILES = {target: source for target, source in VALUES["urls"]}  # noqa: C416 - the entries are lists of two


def test_it_is_up_to_date() -> None:
    assert (ROOT / "package.json").read_text() == text(), "run: python tools/make_package_json.py"


def test_its_addresses_are_files_here() -> None:
    assert FILES["main.py"] == "firmware/start.py" and len(FILES) == len(VALUES["urls"])
    for target, source in FILES.items():
        assert (ROOT / source).is_file() and ":" not in source and not source.startswith("/") and ".." not in source
        assert target in ("main.py", source)
    assert VALUES["deps"] == [] and VALUES["version"]


def test_what_a_board_imports_of_ours_is_in_it() -> None:
    others = {"hardware.simulated", "hardware.terminal", "hardware.raspberry_pi"}  # of computers
    for source in FILES.values():
        for node in ast.walk(ast.parse((ROOT / source).read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and module.split(".")[0] in ("lightclient", "firmware", "hardware") and module not in others:
                name = module.replace(".", "/")
                assert f"{name}.py" in FILES or f"{name}/__init__.py" in FILES, (source, module)
