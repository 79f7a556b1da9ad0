"""Leaves out what no file of the device program mentions: it is there for hosts and tests.

A function, a class, a method or a literal goes when its name stands in no file, in whatever role (texts count, for
they may be names to `getattr`), but inside of its own definition. So do imports at the top of a file of what it
does not read: to import one of our files does nothing else. Methods that MicroPython itself calls by name stay.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from host_bridge.device_code.constants import definition, module_name

_CALLED_BY_MICROPYTHON = {"read", "readinto", "readline", "write", "ioctl", "close", "readblocks", "writeblocks"}
_WORD = re.compile(r"\w+")


def drop_unused(trees: "dict[str, ast.Module]") -> None:
    """From all the files of a program, until nothing more is found."""
    for tree in trees.values():
        _DropDescriptions().visit(tree)
    found = True
    while found:
        imported = {
            (node.module, alias.name)
            for tree in trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for file, tree in trees.items():
            _drop_imports(tree, {name for module, name in imported if module == module_name(file)})
        mentioned = Counter(name for tree in trees.values() for name in _mentions(tree))
        found = False
        for tree in trees.values():
            found |= _drop_in(tree, mentioned)


class _DropDescriptions(ast.NodeTransformer):
    """A text that is a statement: MicroPython does not keep it, and here it would count as a mention."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if isinstance(node.value, ast.Constant) else node


def _mentions(tree: ast.AST) -> "Iterator[str]":
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _WORD.findall(node.value)


def _drop_in(tree: ast.Module, mentioned: "Counter[str]") -> bool:
    """Whether something has been dropped."""
    kept = [s for s in tree.body if not _is_unused(s, mentioned)]
    found = len(kept) < len(tree.body)
    tree.body = kept
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            body = [m for m in statement.body if not _is_method(m) or not _is_unused(m, mentioned)]
            found |= len(body) < len(statement.body)
            statement.body = body or [ast.Pass()]
    return found


def _is_method(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name[:2] != "__" and node.name not in _CALLED_BY_MICROPYTHON


def _is_unused(node: ast.stmt, mentioned: "Counter[str]") -> bool:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        name = node.name
    else:
        name, value = definition(node)
        if value is None or name[:2] == "__" or not _is_literal(value):
            return False
    return Counter(_mentions(node))[name] == mentioned[name]


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Tuple) and all(map(_is_literal, node.elts)))


def _drop_imports(tree: ast.Module, wanted: "set[str]") -> None:
    """Imports at the top, of what neither this file reads nor another one takes from here (`wanted`)."""
    needed = wanted | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for statement in tree.body:
        if isinstance(statement, (ast.ImportFrom, ast.Import)):
            statement.names = [a for a in statement.names if (a.asname or a.name.split(".")[0]) in needed]
    tree.body = [s for s in tree.body if not isinstance(s, (ast.ImportFrom, ast.Import)) or s.names]
