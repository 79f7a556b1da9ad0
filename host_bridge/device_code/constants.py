"""Constants stand where they are used, and no longer have names.

MicroPython's `const` works within a file. A number that another file defines is imported there instead: a name in
the flash, instructions that store it, and an entry in RAM, in each of the two. So this works on all files at once:

* A constant is a name that its file binds once, at the top, to an expression of integers and other constants.
  A name that is bound anywhere else in that file, in whatever way, or set as an attribute by any file, is none.
* Where it is read, in its own file or where another file imports it under its own name and binds it nowhere else,
  the number takes its place, and the import goes. So does what stands under `if TYPE_CHECKING`.
* A private tuple that is read only in other tuples at the top of its file (a table in parts) becomes part of them:
  MicroPython keeps a tuple of constants in flash.
* Definitions go too, unless a file reads that name as an attribute (`pins.RELAY`) or imports it in another way.
* A file of which nothing is left is left out.

What is not understood stays as it is.
"""

import ast
import operator
from collections import Counter
from collections.abc import Iterator, Mapping

Constant = int | tuple[object, ...]

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}


_NO_TYPE_CHECKING = ("TYPE_CHECKING = const(False)", "TYPE_CHECKING = False")


class DeviceCodeError(Exception):
    """The files do not fit together."""


def put_constants(trees: "dict[str, ast.Module]", given: "Mapping[str, int]", keep_definitions: bool) -> None:
    """In all the files of a program, by file name; those of which nothing is left are taken out.

    `given`: what is known of the board, "module.NAME" → value, in place of what the file says.
    """
    modules = {module_name(file): Module(file, tree) for file, tree in trees.items()}
    for name, value in given.items():
        modules[name.rpartition(".")[0]].give(name.rpartition(".")[2], value)
    _find_constants(modules)
    for module in modules.values():
        module.put_constants(modules)
    if not keep_definitions:
        _drop_definitions(modules)
    for module in modules.values():
        if module.is_gone:
            del trees[module.file]


def module_name(file: str) -> str:
    parts = file[: -len(".py")].split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Module:
    """One file. `constants`: what its names stand for."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.constants: "dict[str, Constant]" = {}
        self.is_gone = False
        self._drop_typing()
        self.bound = Counter(bindings(self.tree))
        self.expressions = {
            name: value for name, value in map(definition, self.tree.body) if name and self.bound[name] == 1
        }

    def _drop_typing(self) -> None:
        """What only type checkers read: `if TYPE_CHECKING`, where that is the constant False."""
        if any(ast.unparse(s) in _NO_TYPE_CHECKING for s in self.tree.body):
            self.tree.body = [s for s in self.tree.body if not _is_typing(s)] or [ast.Pass()]

    def give(self, name: str, value: int) -> None:
        if name not in self.expressions:
            raise DeviceCodeError(self.file + ": " + name + " is not defined once, at its top")
        self.expressions[name] = ast.Constant(value)

    def imports(self) -> "Iterator[tuple[str, str, str]]":
        """(module, name there, name here) of each `from module import name`, at any level."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    yield node.module, alias.name, alias.asname or alias.name

    def put_constants(self, modules: "dict[str, Module]") -> None:
        known = self.known(modules)
        tables = self._parts_of_tables()
        numbers: "dict[str, Constant]" = {name: value for name, value in known.items() if isinstance(value, int)}
        parts: "dict[str, Constant]" = {
            name: value for name, value in known.items() if isinstance(value, tuple) and name in tables
        }
        _PutNumbers(numbers, {}).visit(self.tree)
        self._put_attributes(modules)
        for statement in self.tree.body:
            if definition(statement)[0]:
                _PutNumbers(parts, known).visit(statement)
        self.tree.body = [s for s in self.tree.body if definition(s)[0] not in parts]
        self.drop_imports({name for _, there, name in self.imports() if there == name and name in numbers})

    def _put_attributes(self, modules: "dict[str, Module]") -> None:
        """`pins.RELAY`, where `pins` is only ever a module of ours."""
        imported = [
            (here, modules[module + "." + there])
            for module, there, here in self.imports()
            if there == here and self.bound[here] == 1 and module + "." + there in modules
        ]
        for name, module in imported:
            _PutAttributes(name, module.constants).visit(self.tree)
            if name not in _reads(self.tree):
                self.drop_imports({name})

    def known(self, modules: "dict[str, Module]") -> "dict[str, Constant]":
        """Its own constants and those that it imports."""
        known = dict(self.constants)
        for module, there, here in self.imports():
            if module in modules and there == here and self.bound[here] == 1 and there in modules[module].constants:
                known[here] = modules[module].constants[there]
        return known

    def _parts_of_tables(self) -> "set[str]":
        """Private names that are read only inside of tuples at the top."""
        inside: "Counter[str]" = Counter()
        for statement in self.tree.body:
            value = definition(statement)[1]
            if isinstance(value, ast.Tuple):
                inside.update(_reads(value))
        everywhere = Counter(_reads(self.tree))
        return {name for name in inside if name[0] == "_" and inside[name] == everywhere[name]}

    def drop_imports(self, names: "set[str]") -> None:
        _DropImports(names).visit(self.tree)
        ast.fix_missing_locations(self.tree)

    def drop_definitions(self, names: "set[str]") -> None:
        self.tree.body = [s for s in self.tree.body if definition(s)[0] not in names]
        if "const" not in _reads(self.tree) and ("lightclient.compat", "const", "const") in self.imports():
            self.drop_imports({"const"})
        self.is_gone = bool(names) and all(_is_text(s) for s in self.tree.body)


def _is_typing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING" and not statement.orelse


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def definition(statement: ast.stmt) -> "tuple[str, ast.expr | None]":
    """The name and the value of `NAME = value`; ("", None) for anything else. `const(value)` is the value."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target: ast.expr = statement.target
        value = statement.value
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    else:
        return "", None
    if not isinstance(target, ast.Name):
        return "", None
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "const" and len(value.args) == 1:
        value = value.args[0]
    return target.id, value


def bindings(tree: ast.AST) -> "Iterator[str]":
    """Every name that is bound in whatever way and place, once for each time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names


def _reads(tree: ast.AST) -> "Iterator[str]":
    return (n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def _find_constants(modules: "dict[str, Module]") -> None:
    """Fill in `constants`, until nothing new is found."""
    set_as_attributes = {
        node.attr
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    found = True
    while found:
        found = False
        for module in modules.values():
            known = module.known(modules)
            for name, expression in module.expressions.items():
                if name in module.constants or name in set_as_attributes or expression is None:
                    continue
                value = _value(expression, known)
                if value is not None:
                    module.constants[name] = value
                    found = True


def _value(node: ast.expr, known: "dict[str, Constant]") -> "Constant | None":
    """What an expression of integers, and tuples of constants, comes to; None: it is not one."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int) else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Tuple):
        values = [e.value if isinstance(e, ast.Constant) else _value(e, known) for e in node.elts]
        return None if None in values else tuple(values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, known)
        return -value if isinstance(value, int) else None
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left = _value(node.left, known)
        right = _value(node.right, known)
        if isinstance(left, int) and isinstance(right, int):
            return int(_OPERATORS[type(node.op)](left, right))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "len" and len(node.args) == 1 and "len" not in known:
        value = _value(node.args[0], known)
        return len(value) if isinstance(value, tuple) else None
    return None


def _expression(value: object) -> ast.expr:
    """A constant as it is written."""
    if isinstance(value, tuple):
        return ast.Tuple([_expression(v) for v in value], ast.Load())
    if isinstance(value, int) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)  # type: ignore[arg-type]


class _PutNumbers(ast.NodeTransformer):
    """Puts `names` where they are read; with `known`, works out `len` of a constant tuple and sums of numbers."""

    def __init__(self, names: "dict[str, Constant]", known: "dict[str, Constant]") -> None:
        self._names = names
        self._known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._names:
            return _expression(self._names[node.id])
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        value = _value(node, self._known) if self._known else None
        return self.generic_visit(node) if value is None else _expression(value)  # type: ignore[return-value]


class _PutAttributes(ast.NodeTransformer):
    def __init__(self, name: str, constants: "dict[str, Constant]") -> None:
        self._name = name
        self._constants = constants

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == self._name:
            value = self._constants.get(node.attr)
            return _expression(value) if isinstance(value, int) else node
        return self.generic_visit(node)


class _DropImports(ast.NodeTransformer):
    def __init__(self, names: "set[str]") -> None:
        self._names = names

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "ast.stmt | None":
        node.names = [a for a in node.names if a.asname or a.name not in self._names]
        return node if node.names else None


def _drop_definitions(modules: "dict[str, Module]") -> None:
    """Those that nothing refers to any more."""
    attributes = {
        node.attr for module in modules.values() for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)
    }
    imported = {(module, there) for m in modules.values() for module, there, _ in m.imports()}
    for name, module in modules.items():
        module.drop_definitions(
            {
                constant
                for constant, value in module.constants.items()
                if isinstance(value, int) and constant not in attributes and (name, constant) not in imported
            }
        )
