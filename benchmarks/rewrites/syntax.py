"""What the rewrites share: templates, fresh names, what a call reduces, and moving expressions out of statements."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.rewrites.programs import Program

Part = ast.expr | str | list[ast.stmt]
Function = ast.FunctionDef

NAMESPACES = {
    "numpy": ("numpy", "np"),
    "jax": ("jax.numpy", "jnp"),
    "torch": ("torch", "torch"),
    "tensorflow": ("tensorflow", "tf"),
    "keras": ("keras.ops", "ops"),
    "mlx": ("mlx.core", "mx"),
    "paddle": ("paddle", "paddle"),
}
"""Where a framework keeps its functions, and under which name people import that."""

_SAME = {
    "tensorflow": ("tensorflow.compat.v1",),
    "keras.ops": ("keras.backend", "tensorflow.keras.backend"),
}
"""Older namespaces with the same reductions."""

METHODS = ("numpy", "jax", "torch", "mlx", "paddle", "tinygrad")
"""Frameworks whose arrays have `mean` and `sum` as methods."""

AXIS = {"torch": "dim"}
SIZE = {"torch": "numel()", "paddle": "numel()", "tinygrad": "numel()"}
"""How an array tells its number of elements, where that is not `size`."""

_REDUCTIONS = {
    f"{module}.{prefix}{kind}": kind
    for kind in ("mean", "sum")
    for module, prefix in [
        ("numpy", ""),
        ("jax.numpy", ""),
        ("torch", ""),
        ("tensorflow", "reduce_"),
        ("tensorflow.math", "reduce_"),
        ("tensorflow.compat.v1", "reduce_"),
        ("tensorflow.experimental.numpy", ""),
        ("keras.ops", ""),
        ("keras.backend", ""),
        ("tensorflow.keras.backend", ""),
        ("mlx.core", ""),
        ("paddle", ""),
    ]
}


class Reduction(NamedTuple):
    """A call of `mean` or `sum`: over `array`, with the axes and other options in `args` and `keywords`."""

    kind: str
    call: ast.Call
    array: ast.expr
    args: list[ast.expr]
    keywords: list[ast.keyword]
    is_method: bool
    of_list: bool

    @property
    def over_all(self) -> bool:
        return not self.args and not self.keywords

    @property
    def axis(self) -> int | None:
        """The one axis that it runs over, where that stands there as a number and nothing else does."""
        given = [*self.args, *(k.value for k in self.keywords)]
        if len(given) != 1 or any(k.arg not in ("axis", "dim") for k in self.keywords):
            return None
        return number(given[0])


def number(node: ast.expr) -> int | None:
    """The integer that is written there."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def imports(tree: ast.Module) -> dict[str, str]:
    """Imported names and what they stand for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def meanings(tree: ast.Module) -> dict[str, str]:
    """Imported names and what they stand for; names of lists stand for `list`."""
    found = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_listing(node.value):
            found.update({t.id: "list" for t in node.targets if isinstance(t, ast.Name)})
    return found


def is_listing(node: ast.expr) -> bool:
    """Is it a list, or what is like one, that is written there?"""
    return isinstance(node, ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp | ast.Constant)


def dotted(node: ast.expr, imported: dict[str, str]) -> str | None:
    """The full name of what is imported: `numpy.mean` for `np.mean`."""
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, imported)
        return None if base is None else f"{base}.{node.attr}"
    return None


def reduction(node: ast.AST, imported: dict[str, str], framework: str) -> Reduction | None:
    """What a node reduces, by the `meanings` of names, if it is a mean or a sum in one of the usual spellings.

    Nothing without a framework.
    """
    if not framework or not isinstance(node, ast.Call) or any(k.arg is None for k in node.keywords):
        return None
    if any(isinstance(a, ast.Starred) for a in node.args):
        return None
    name = dotted(node.func, imported)
    if name in _REDUCTIONS and node.args:
        array = node.args[0]
        of_list = is_listing(array) or (isinstance(array, ast.Name) and imported.get(array.id) == "list")
        return Reduction(_REDUCTIONS[name], node, array, node.args[1:], node.keywords, False, of_list)
    function = node.func
    if name is None and isinstance(function, ast.Attribute) and function.attr in ("mean", "sum"):
        owner = function.value
        if framework in METHODS and not (isinstance(owner, ast.Name) and owner.id in ("self", "super")):
            return Reduction(function.attr, node, owner, node.args, node.keywords, True, False)
    return None


def function_of(program: Program, tree: ast.Module, name: str) -> ast.expr | None:
    """`np.NAME` or what the program would write for it, imported where it was not; None without functions."""
    if program.framework not in NAMESPACES:
        return None
    module, usual = NAMESPACES[program.framework]
    same = (module, *(_SAME.get(module, ()) if name in ("mean", "sum") else ()))
    alias = next((a for a, full in imports(tree).items() if full in same), None)
    if alias is None:
        alias = Names(tree).new(usual)
        tree.body.insert(position_after_future(tree), *block(f"import {module} as {alias}"))
    prefix = "reduce_" if module == "tensorflow" and name in ("mean", "sum") else ""
    return expr(f"{alias}.{prefix}{name}")


def position_after_future(tree: ast.Module) -> int:
    """Where the first statement may stand."""
    return sum(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in tree.body)


def after_imports(tree: ast.Module, added: list[ast.stmt]) -> None:
    """Put statements behind the last import at the top of the module."""
    imported = [i for i, s in enumerate(tree.body) if isinstance(s, ast.Import | ast.ImportFrom)]
    place = imported[-1] + 1 if imported else 0
    tree.body[place:place] = added


class Names:
    """Names that are not taken in a tree."""

    def __init__(self, tree: ast.AST) -> None:
        self.taken: set[str] = set()
        for node in ast.walk(tree):
            for value in vars(node).values():
                if isinstance(value, str):
                    self.taken.add(value)
                elif isinstance(value, list):
                    self.taken.update(v for v in value if isinstance(v, str))

    def new(self, name: str) -> str:
        """The name, or the name with the first number that makes it a new one."""
        number, chosen = 1, name
        while chosen in self.taken:
            number += 1
            chosen = f"{name}_{number}"
        self.taken.add(chosen)
        return chosen


class _Fill(ast.NodeTransformer):
    """Puts the parts in place of their names."""

    def __init__(self, parts: dict[str, Part]) -> None:
        self.parts = parts

    def _name(self, name: str) -> str:
        part = self.parts.get(name)
        return part if isinstance(part, str) else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        part = self.parts.get(node.id)
        if isinstance(part, ast.expr):
            return copy.deepcopy(part)
        node.id = self._name(node.id)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        if isinstance(node.value, ast.Name):
            part = self.parts.get(node.value.id)
            if isinstance(part, list):
                return part
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._name(node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._name(node.name)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._name(node.arg)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self._name(node.attr)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        node.arg = None if node.arg is None else self._name(node.arg)
        return self.generic_visit(node)


def block(template: str, **parts: Part) -> list[ast.stmt]:
    """The statements of a template; a name of a part is put out by it, a lone name by its statements."""
    tree: ast.Module = _Fill(parts).visit(ast.parse(template))
    return tree.body


def expr(template: str, **parts: Part) -> ast.expr:
    """The expression of a template."""
    tree: ast.Expression = _Fill(parts).visit(ast.parse(template, mode="eval"))
    return tree.body


def functions(tree: ast.AST) -> list[Function]:
    """All functions of a tree, methods and inner functions too."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def plain_functions(tree: ast.Module) -> list[Function]:
    """Functions and methods of the module that return once and for all: no `__init__`, generator or `super()`."""
    found: list[Function] = []
    for statement in tree.body:
        inner = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        found += [f for f in inner if isinstance(f, ast.FunctionDef)]
    return [
        f
        for f in found
        if not f.name.startswith("__")
        and not any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for n in ast.walk(f))
        and not any(isinstance(n, ast.Name) and n.id == "super" for n in ast.walk(f))
    ]


def parameters(function: Function) -> list[str]:
    """All names of parameters."""
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x)]
    return [argument.arg for argument in every]


def is_simple(function: Function) -> bool:
    """Has it named parameters only, none of them only by keyword?"""
    a = function.args
    return not (a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs)


def add_parameter(function: Function, name: str, default: str) -> None:
    """A further parameter, which nobody has to give."""
    a = function.args
    if a.vararg or a.kwonlyargs:
        a.kwonlyargs.append(ast.arg(name))
        a.kw_defaults.append(expr(default))
    else:
        a.args.append(ast.arg(name))
        a.defaults.append(expr(default))


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function that are not those of a function or class in it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting[:0] = ast.iter_child_nodes(node)


def stored(function: ast.AST) -> set[str]:
    """The names that a function binds in its body."""
    return {n.id for n in own_nodes(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}


Made = tuple[list[ast.stmt], ast.expr]


class _Outwards(ast.NodeTransformer):
    """Replaces expressions that are always evaluated once, the inner ones first."""

    def __init__(self, make: Callable[[ast.expr, ast.stmt], Made | None]) -> None:
        self.make = make
        self.before: list[ast.stmt] = []
        self.statement: ast.stmt

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(
            node,
            ast.Lambda
            | ast.ListComp
            | ast.SetComp
            | ast.GeneratorExp
            | ast.DictComp
            | ast.IfExp
            | ast.BoolOp,
        ):
            return node
        self.generic_visit(node)
        if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            made = self.make(node, self.statement)
            if made is not None:
                self.before += made[0]
                return made[1]
        return node


def hoist(tree: ast.AST, make: Callable[[ast.expr, ast.stmt], Made | None]) -> bool:
    """Let `make` replace expressions of the simple statements by others, with statements before; did it any?

    `make` is given each expression, and the statement that it stands in, and returns None to keep it.
    """
    changed = False
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if not isinstance(statements, list):
                continue
            result: list[ast.stmt] = []
            for statement in statements:
                if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr):
                    if statement.value is not None:
                        outwards = _Outwards(make)
                        outwards.statement = statement
                        before = ast.dump(statement)
                        value = outwards.visit(statement.value)
                        if isinstance(value, ast.expr):
                            statement.value = value
                        changed = changed or bool(outwards.before) or ast.dump(statement) != before
                        result += outwards.before
                result.append(statement)
            statements[:] = result
    return changed


def replace(tree: ast.AST, make: Callable[[ast.expr], ast.expr | None]) -> bool:
    """Let `make` replace expressions wherever they stand, the inner ones first; did it any?"""
    changed = False

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            nonlocal changed
            self.generic_visit(node)
            if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                new = make(node)
                if new is not None:
                    changed = True
                    return new
            return node

    # One by one: `make` may add an import to the module.
    for root in list(tree.body) if isinstance(tree, ast.Module) else [tree]:
        Replace().visit(root)
    return changed


def each_reduction(
    tree: ast.Module, program: Program, make: Callable[[Reduction], ast.expr | None]
) -> ast.Module | None:
    """Every reduction replaced, wherever it stands."""
    imported = meanings(tree)

    def one(node: ast.expr) -> ast.expr | None:
        found = reduction(node, imported, program.arrays)
        return make(found) if found else None

    return tree if replace(tree, one) else None


def recalled(function: ast.expr, found: Reduction, *first: ast.expr) -> ast.Call:
    return ast.Call(function, [*first, *found.args], found.keywords)
