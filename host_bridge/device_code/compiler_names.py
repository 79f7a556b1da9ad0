"""Names that mean something to MicroPython's compiler alone are not imported: decorators, and the types of viper."""

import ast
from collections import Counter
from collections.abc import Iterator

_COMPAT = "lightclient.compat"
_TYPES = ("ptr8", "ptr32", "uint")


def drop_compiler_names(trees: "dict[str, ast.Module]") -> None:
    """From the imports of all files; and the file that they came from, where nobody needs it any more."""
    is_imported = False
    for tree in trees.values():
        read = Counter(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
        at_compile_time = Counter(_at_compile_time(tree))
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == _COMPAT:
                statement.names = [
                    a
                    for a in statement.names
                    if a.asname or a.name not in ("micropython", *_TYPES) or read[a.name] > at_compile_time[a.name]
                ]
        tree.body = [s for s in tree.body if not isinstance(s, ast.ImportFrom) or s.names]
        is_imported |= any(isinstance(n, ast.ImportFrom) and n.module == _COMPAT for n in ast.walk(tree))
    if not is_imported:
        trees.pop(_COMPAT.replace(".", "/") + ".py", None)


def _at_compile_time(tree: ast.AST) -> "Iterator[str]":
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(d) for d in node.decorator_list]
            for decorator in decorators:
                if decorator in ("micropython.native", "micropython.viper"):
                    yield "micropython"
            if "micropython.viper" in decorators:
                yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in _TYPES)
