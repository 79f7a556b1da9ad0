"""The same in fewer instructions.

* The branch of an `if` that is never taken goes. No file of an image is a script, so `__name__ == "__main__"` is False.
* `"at " + str(n) + " of " + name` becomes `"at %s of %s" % (n, name)`: a sum with a text in it is a text, or nothing.
* A class with nothing but numbers in it, as most errors are, is made by `type`: a body is a function of its own.
"""

import ast


def fold(tree: ast.AST) -> None:
    """In one file, after constants have been put in their places."""
    _Fold().visit(tree)


def make_simple_classes(tree: ast.AST) -> None:
    """In one file, when nobody asks for its classes any more."""
    _MakeClasses().visit(tree)


class _Fold(ast.NodeTransformer):
    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_If(self, node: ast.If) -> "ast.stmt | list[ast.stmt]":
        self.generic_visit(node)
        if ast.unparse(node.test) == "__name__ == '__main__'":
            return node.orelse or ast.Pass()
        if isinstance(node.test, ast.Constant):
            return (node.body if node.test.value else node.orelse) or ast.Pass()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        parts = _parts(node)
        texts = [p for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
        if len(parts) < 3 or not texts or not any(map(_is_str, parts)):
            self.generic_visit(node)
            return node
        form = ""
        values: "list[ast.expr]" = []
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                form += part.value.replace("%", "%%")
            else:
                form += "%s"
                values.append(self.visit(part.args[0] if _is_str(part) else part))  # type: ignore[attr-defined]
        return ast.BinOp(ast.Constant(form), ast.Mod(), ast.Tuple(values, ast.Load()))


class _MakeClasses(ast.NodeTransformer):
    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        values: "list[tuple[ast.expr, ast.expr]]" = []
        for statement in node.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target, value = statement.targets[0], statement.value
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, int):
                    values.append((ast.Constant(target.id), value))
                    continue
            if not isinstance(statement, ast.Pass):
                return node
        if node.decorator_list or node.keywords or not node.bases:
            return node
        contents = ast.Dict([key for key, _ in values], [value for _, value in values])
        arguments: "list[ast.expr]" = [ast.Constant(node.name), ast.Tuple(node.bases, ast.Load()), contents]
        return ast.Assign(
            [ast.Name(node.name, ast.Store())],
            ast.Call(ast.Name("type", ast.Load()), arguments, []),
            lineno=node.lineno,
        )


def _parts(node: ast.expr) -> "list[ast.expr]":
    """The summands, from left to right."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_parts(node.left), node.right]
    return [node]


def _is_str(node: ast.expr) -> bool:
    """`str(value)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "str"
        and len(node.args) == 1
        and not node.keywords
    )
