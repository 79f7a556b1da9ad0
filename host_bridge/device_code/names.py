"""Short names for what no other file reads: parameters, and private attributes, functions and globals.

MicroPython keeps the name of each parameter (for calls by keyword) and of each attribute, once in the flash and once
in the table of every file that has it. Public names stay, and so do the names of files and classes.

A parameter is renamed where no call in any file names one like it, and nothing within its function binds that name
again. A private name is renamed where it is only ever a global of its file or an attribute of `self`; all files
whose classes inherit from each other share its new name, other files may use the same one for something else.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from string import ascii_letters

Function = ast.FunctionDef | ast.Lambda


def shorten_names(trees: "dict[str, ast.Module]") -> "dict[str, dict[str, str]]":
    """In all the files of a program. Returns for each file its new private names with the old ones: for tracebacks."""
    taken = {name for tree in trees.values() for name in _mentioned(tree)}
    renamed = _shorten_private(trees, taken)
    _shorten_parameters(trees)
    return renamed


def _mentioned(tree: ast.AST) -> "Iterator[str]":
    """Every name, in whatever role; texts too, for they may be names to `getattr`."""
    for node in ast.walk(tree):
        yield from _texts_of(node)


def _texts_of(node: ast.AST) -> "Iterator[str]":
    for _, value in ast.iter_fields(node):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item


def _short_names(taken: "Iterable[str]", prefix: str) -> "Iterator[str]":
    taken = set(taken)
    for length in (1, 2):
        for number in range(len(ascii_letters) ** length):
            first, second = divmod(number, len(ascii_letters))
            name = prefix + (ascii_letters[first] if length == 2 else "") + ascii_letters[second]
            if name not in taken:
                yield name


# --- private names ---


def _shorten_private(trees: "dict[str, ast.Module]", taken: "set[str]") -> "dict[str, dict[str, str]]":
    renamed = {}
    kept = {name for tree in trees.values() for name in _not_to_rename(tree)}
    for family in _families(trees):
        used = Counter(name for file in family for name in _private(trees[file]) if name not in kept)
        new = dict(zip((name for name, _ in used.most_common()), _short_names(taken, "_"), strict=False))
        for file in family:
            _RenamePrivate(new).visit(trees[file])
            here = set(_mentioned(trees[file]))
            renamed[file] = {short: name for name, short in new.items() if short in here}
    return renamed


def _private(tree: ast.AST) -> "Iterator[str]":
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.FunctionDef):
            name = node.name
        if len(name) > 2 and name[0] == "_" and name[:2] != "__":
            yield name


def _not_to_rename(tree: ast.AST) -> "Iterator[str]":
    """Names in any role but those of a variable, a function, and an attribute of `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield node.attr
        elif not isinstance(node, (ast.Name, ast.FunctionDef)):
            yield from _texts_of(node)


def _families(trees: "dict[str, ast.Module]") -> "list[list[str]]":
    """Files whose classes inherit from each other, by the names of the classes."""
    classes: "dict[str, set[str]]" = defaultdict(set)
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].add(file)
    family = {file: {file} for file in trees}
    for file, tree in trees.items():
        bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
        for base in bases:
            name = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
            for other in classes[name]:
                joined = family[file] | family[other]
                for member in joined:
                    family[member] = joined
    return [sorted(members) for members in {id(members): members for members in family.values()}.values()]


class _RenamePrivate(ast.NodeTransformer):
    def __init__(self, new: "dict[str, str]") -> None:
        self._new = new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._new.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self._new.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._new.get(node.name, node.name)
        return self.generic_visit(node)


# --- parameters ---


def _shorten_parameters(trees: "dict[str, ast.Module]") -> None:
    calls = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.keyword)]
    if any(keyword.arg is None for keyword in calls):
        return  # f(**names): any name at all
    by_keyword = {keyword.arg for keyword in calls}
    for tree in trees.values():
        for node in ast.walk(tree):  # the outer function comes before the inner one
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                _shorten_those_of(node, by_keyword)


def _shorten_those_of(function: Function, by_keyword: "set[str | None]") -> None:
    inside = [node for part in _inside(function) for node in ast.walk(part)]
    bound_again = {name for node in inside for name in _bound_in_another_scope(node)}
    names = [a.arg for a in function.args.args]
    taken = set(_mentioned(function))
    if function.args.kwonlyargs or function.args.vararg or function.args.kwarg:
        return
    new = {}
    short = _short_names(taken, "")
    for name in names:
        if name not in by_keyword and name not in bound_again:
            new[name] = next(short)
    for argument in function.args.args:
        argument.arg = new.get(argument.arg, argument.arg)
    for node in inside:
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)


def _inside(function: Function) -> "list[ast.AST]":
    return list(function.body) if isinstance(function, ast.FunctionDef) else [function.body]


def _bound_in_another_scope(node: ast.AST) -> "Iterator[str]":
    """What an inner function, class or comprehension may bind, and `global`: such names are left alone."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        yield from node.names
    elif isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
        yield from (n.arg for n in ast.walk(node) if isinstance(n, ast.arg))
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))
        yield from (n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef)))
    elif isinstance(node, ast.comprehension):
        yield from (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
