"""The device program as it goes into an image: the same, in less flash and RAM (docs/FIRMWARE.md).

MicroPython compiles file by file. This looks at all files at once: numbers take the place of their names
(constants.py), what only hosts and tests use is left out (unused.py), parameters and what is private have short names
(names.py). What is not understood stays as it is, and in the end every import must find its name.
"""

import ast
import json
from pathlib import Path

from host_bridge.device_code.compiler_names import drop_compiler_names
from host_bridge.device_code.constants import DeviceCodeError, bindings, module_name, put_constants
from host_bridge.device_code.folding import fold, make_simple_classes
from host_bridge.device_code.names import shorten_names
from host_bridge.device_code.unused import drop_unused

NAMES = "names.json"  # file → new private name → the one in the source


# What is known of a board that runs an image.
ON_A_BOARD = {"firmware.console.IS_BOARD": True, "lightclient.compat.IS_MICROPYTHON": True}


def write_device_code(root: Path, names: "list[str]", target: Path, keep_names: bool = False) -> "list[str]":
    """Write the files `names` (with slashes) of `root` to `target`, and return the names of those that are needed.

    With `keep_names` whatever a file defines can still be imported and called by keyword, as tests do: only
    constants are put in their places.
    """
    code, renamed = device_code({name: (root / name).read_text(encoding="utf-8") for name in names}, keep_names)
    for name, text in code.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (target / NAMES).write_text(json.dumps(renamed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return list(code)


def device_code(
    sources: "dict[str, str]", keep_names: bool = False
) -> "tuple[dict[str, str], dict[str, dict[str, str]]]":
    """The same for sources by file name; with the short names of each file and what they stand for."""
    trees = {name: ast.parse(text, name) for name, text in sources.items()}
    put_constants(trees, {} if keep_names else ON_A_BOARD, keep_names)
    renamed: "dict[str, dict[str, str]]" = {}
    if not keep_names:
        for tree in trees.values():
            fold(tree)
        drop_unused(trees)
        drop_compiler_names(trees)
        renamed = shorten_names(trees)
        for tree in trees.values():
            make_simple_classes(tree)
    _check_imports(trees, {module_name(file) for file in sources})
    return {file: ast.unparse(ast.fix_missing_locations(tree)) + "\n" for file, tree in trees.items()}, renamed


def _check_imports(trees: "dict[str, ast.Module]", modules: "set[str]") -> None:
    """Whether each `from module import name` finds its name, and no file is missed."""
    defined = {module_name(file): set(bindings(tree)) for file, tree in trees.items()}
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                for alias in node.names:
                    if node.module + "." + alias.name not in defined and alias.name not in defined.get(node.module, ()):
                        raise DeviceCodeError(file + ": " + node.module + " has no " + alias.name)
