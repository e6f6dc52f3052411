"""Rewrites of names, and of what has a name: extracting, inlining, renaming, aliases."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from itertools import pairwise

from batchmean.engine.evidence.masks import is_mask_name
from batchmean.engine.evidence.names import is_loss_name

from benchmarks.rewrites.programs import Program, Scope, loaded_by, texts_in
from benchmarks.rewrites.registry import rewrite
from benchmarks.rewrites.syntax import (
    Made,
    Names,
    after_imports,
    block,
    expr,
    functions,
    hoist,
    imports,
    meanings,
    own_nodes,
    parameters,
    reduction,
)

_OVERRIDES = ("forward", "call", "setup", "training_step", "compute_loss", "update_state", "result", "build")
"""Methods whose name belongs to the framework that calls them."""


class _Renamed(ast.NodeTransformer):
    def __init__(self, new: dict[str, str], attributes: dict[str, str], imported: dict[str, str]) -> None:
        self.new, self.attributes, self.imported = new, attributes, imported
        self.methods: set[ast.FunctionDef] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.new.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.new.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node not in self.methods:
            node.name = self.new.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self.new.get(node.name, node.name)
        for method in node.body:
            if isinstance(method, ast.FunctionDef):
                self.methods.add(method)
                method.name = self.attributes.get(method.name, method.name)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            node.attr = self.attributes.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return self.generic_visit(node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        node.names = [self.new.get(name, name) for name in node.names]
        return node

    visit_Nonlocal = visit_Global


def _renamed(tree: ast.Module, program: Program, *, helpers: bool) -> ast.Module:
    imported = imports(tree)
    kept = {k.arg for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords if k.arg}
    kept |= {"self", "cls", *imported, *texts_in(tree)}
    names: dict[str, None] = {}
    for function in functions(tree):
        names.update(dict.fromkeys(parameters(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names[node.id] = None
        elif isinstance(node, ast.Lambda):
            names.update(dict.fromkeys(a.arg for a in node.args.args))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            kept.add(node.name)
    owned = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    attributes: dict[str, str] = {}
    if helpers:
        names.update({s.name: None for s in tree.body if isinstance(s, Scope)})
        for function in functions(tree):
            names.update({s.name: None for s in function.body if isinstance(s, Scope)})
        on_self = {
            n.attr
            for n in ast.walk(tree)
            if isinstance(n, ast.Attribute)
            and isinstance(n.value, ast.Name)
            and n.value.id in ("self", "cls")
        }
        methods = {
            m.name
            for c in ast.walk(tree)
            if isinstance(c, ast.ClassDef)
            for m in c.body
            if isinstance(m, ast.FunctionDef)
        }
        own = {
            n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
        } | methods
        elsewhere = {
            n.attr
            for n in ast.walk(tree)
            if isinstance(n, ast.Attribute)
            and not (isinstance(n.value, ast.Name) and n.value.id in ("self", "cls"))
        }
        movable = (on_self & own) - elsewhere - set(_OVERRIDES)
        attributes = {a: f"a{i}" for i, a in enumerate(sorted(movable)) if not a.startswith("__")}
    in_classes = {
        t.id
        for c in ast.walk(tree)
        if isinstance(c, ast.ClassDef)
        for s in c.body
        if isinstance(s, ast.Assign | ast.AnnAssign)
        for t in ast.walk(s)
        if isinstance(t, ast.Name)
    }
    kept |= in_classes - owned
    if any(k.arg is None for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords):
        kept |= {a for f in functions(tree) for a in parameters(f)}  # a dictionary may name them
    if not helpers:
        kept |= {s.name for s in tree.body if isinstance(s, Scope)}  # a variable may be called like one
    fresh = Names(tree)
    new = {name: fresh.new(f"v{i}") for i, name in enumerate(names) if name not in kept}
    renamed: ast.Module = _Renamed(new, attributes, imported).visit(tree)
    return renamed


@rewrite("names-neutral", "Every variable, parameter, attribute, helper and class is v1, v2, ...",
         moves=True, tells_less=True)  # fmt: skip
def _names_neutral(tree: ast.Module, program: Program) -> ast.Module:
    return _renamed(tree, program, helpers=True)


@rewrite(
    "locals-neutral",
    "Every variable and parameter is v1, v2, ...; helpers keep their names.",
    tells_less=True,
)
def _locals_neutral(tree: ast.Module, program: Program) -> ast.Module:
    return _renamed(tree, program, helpers=False)


@rewrite("helpers-renamed", "Functions and classes get names that say nothing; variables keep theirs.",
         moves=True, tells_less=True)  # fmt: skip
def _helpers_renamed(tree: ast.Module, program: Program) -> ast.Module:
    kept = {k.arg for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords if k.arg}
    kept |= {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
    kept |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    fresh = Names(tree)
    kept |= texts_in(tree)
    names = [s.name for s in tree.body if isinstance(s, Scope) and s.name not in kept]
    renamed: ast.Module = _Renamed({n: fresh.new(f"f{i}") for i, n in enumerate(names)}, {}, {}).visit(tree)
    return renamed


@rewrite("imports-renamed", "Imported modules and functions under other aliases.")
def _imports_renamed(tree: ast.Module, program: Program) -> ast.Module | None:
    new: dict[str, str] = {}
    fresh = Names(tree)
    bound = {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
    bound |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__":
            for alias in node.names:
                name = alias.asname or alias.name
                if name != "*" and "." not in name and name not in bound:
                    alias.asname = new[name] = fresh.new(f"m{len(new)}")
    renamed: ast.Module = _Renamed(new, {}, {}).visit(tree)
    return renamed if new else None


@rewrite("imported-by-name", "`from numpy import mean` and `mean(x)` for `np.mean(x)`.")
def _imported_by_name(tree: ast.Module, program: Program) -> ast.Module | None:
    imported = imports(tree)
    modules = {s.asname or s.name: s.name for n in tree.body if isinstance(n, ast.Import) for s in n.names}
    fresh = Names(ast.Module([], []))  # names of attributes are free
    fresh.taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    fresh.taken |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)} | set(imported)
    fresh.taken |= {n.name for n in ast.walk(tree) if isinstance(n, Scope)}
    names: dict[tuple[str, str], str] = {}

    class Short(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            function = node.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                module = modules.get(function.value.id)
                if module and "." not in function.value.id:
                    key = (module, function.attr)
                    if key not in names:
                        names[key] = fresh.new(function.attr)
                    node.func = expr(names[key])
            return node

    Short().visit(tree)
    if not names or not imported:
        return None
    short: list[ast.stmt] = [ast.ImportFrom(m, [ast.alias(n, a)], 0) for (m, n), a in names.items()]
    after_imports(tree, short)
    return tree


@rewrite("subexpressions-named", "Every subexpression in a variable of its own.")
def _subexpressions_named(tree: ast.Module, program: Program) -> ast.Module | None:
    names = Names(tree)
    imported = imports(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        if node is statement.__dict__.get("value") and isinstance(statement, ast.Assign | ast.Expr):
            return None
        if not isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Subscript):
            return None
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            return None
        name = names.new("t")
        return [ast.Assign([ast.Name(name, ast.Store())], node)], ast.Name(name, ast.Load())

    return tree if imported is not None and hoist(tree, make) else None


@rewrite("result-named", "`loss = E; return loss` for `return E`.")
def _result_named(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = VALUE\nreturn NAME", "result")


@rewrite("result-annotated", "`loss: float = E; return loss` for `return E`.")
def _result_annotated(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME: object = VALUE\nreturn NAME", "result")


@rewrite("result-in-dictionary", "The result put into a dictionary and taken from it.")
def _result_in_dictionary(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = {'loss': VALUE, 'step': 0}\nreturn NAME['loss']", "out")


@rewrite("result-in-list", "The result appended to a list and taken from it.")
def _result_in_list(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = []\nNAME.append(VALUE)\nreturn NAME[0]", "losses")


@rewrite("result-in-tuple", "The result unpacked from a tuple.")
def _result_in_tuple(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME, OTHER = (VALUE, None)\nreturn NAME", "result", other="rest")


@rewrite("result-accumulated", "The result added to a total that starts at 0.")
def _result_accumulated(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = 0.0\nNAME += VALUE\nreturn NAME", "total", only_entry=program)


@rewrite("result-logged", "The result in a log line with an f-string before it is returned.")
def _result_logged(tree: ast.Module, program: Program) -> ast.Module | None:
    if "vmap" in program.source:
        return None  # what is mapped over a batch is no number yet
    return _at_returns(tree, "NAME = VALUE\nprint(f'loss (mask, dropout): {NAME}')\nreturn NAME", "loss")


@rewrite("result-asserted", "An assert on the result before it is returned.")
def _result_asserted(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = VALUE\nassert NAME is not None, f'no loss: {NAME}'\nreturn NAME", "loss")


@rewrite(
    "result-negated-twice", "The result negated in a statement of its own, and again where it is returned."
)
def _negated_twice(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = VALUE\nNAME = -NAME\nreturn -NAME", "value", only_entry=program)


@rewrite("result-aliased", "The result under three names, one after the other.")
def _result_aliased(tree: ast.Module, program: Program) -> ast.Module | None:
    return _at_returns(tree, "NAME = VALUE\nOTHER = NAME\nreturn OTHER", "total", other="n")


@rewrite("result-detached", "The value logged through `.item()` or `float`, the result returned.")
def _result_detached(tree: ast.Module, program: Program) -> ast.Module | None:
    scalar = "NAME if isinstance(NAME, float) or NAME.ndim else NAME.item()"  # of one per example there is no `.item()`
    shown = f"({scalar})" if program.framework in ("torch", "paddle", "mlx", "tinygrad") else "NAME"
    return _at_returns(
        tree, f"NAME = VALUE\nprint('step %s' % {shown})\nreturn NAME", "loss", only_entry=program
    )


def _at_returns(
    tree: ast.Module, template: str, name: str, *, other: str = "", only_entry: Program | None = None
) -> ast.Module | None:
    """A template for every return of a single value: it stands there as VALUE, new names as NAME and OTHER."""
    if only_entry is not None and not only_entry.returns_tensor:
        return None
    changed = False
    names = Names(tree)
    places: list[ast.AST] = [only_entry.entry(tree)] if only_entry else list(functions(tree))

    class Returns(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> ast.AST | list[ast.stmt]:
            nonlocal changed
            if not returns_value(node):
                return node
            changed = True
            first = names.new(name)
            second = names.new(other) if other else first
            assert node.value is not None
            return block(template, VALUE=node.value, NAME=first, OTHER=second)

        def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
            return node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return self.generic_visit(node) if only_entry is None or node is places[0] else node

    for statement in tree.body:
        if only_entry is None or statement is places[0]:
            Returns().visit(statement)
    return tree if changed else None


def returns_value(node: ast.Return) -> bool:
    """Does it return one value, which may be an array?"""
    return isinstance(node.value, ast.Call | ast.BinOp | ast.UnaryOp | ast.Name | ast.Subscript | ast.IfExp)


@rewrite(
    "variables-inlined",
    "Variables that are bound once and read once, put in place, but for those that are called a loss or a mask.",
)
def _variables_inlined(tree: ast.Module, program: Program) -> ast.Module | None:
    return _inlined(tree, kept=lambda name: is_loss_name((name,)) or is_mask_name((name,)))


@rewrite(
    "all-variables-inlined", "Variables that are bound once and read once, put in place.", tells_less=True
)
def _all_variables_inlined(tree: ast.Module, program: Program) -> ast.Module | None:
    return _inlined(tree, kept=lambda name: False)


def _inlined(tree: ast.Module, kept: Callable[[str], bool]) -> ast.Module | None:
    changed = False
    for function in functions(tree):
        again = True
        while again:
            again = _inline_one(function, kept)
            changed = changed or again
    return tree if changed else None


def _inline_one(function: ast.FunctionDef, kept: Callable[[str], bool]) -> bool:
    """Only into the statement that follows at once, so that nothing can change in between."""
    uses: dict[str, int] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            uses[node.id] = uses.get(node.id, 0) + 1
        elif isinstance(node, ast.Global | ast.Nonlocal):
            return False
    taken = set(parameters(function))
    for holder in (function, *own_nodes(function)):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(holder, field, None)
            if not isinstance(body, list):
                continue
            for i, (first, then) in enumerate(pairwise(body)):
                if not isinstance(first, ast.Assign) or len(first.targets) != 1:
                    continue
                target = first.targets[0]
                if not isinstance(target, ast.Name) or uses[target.id] != 2 or target.id in taken:
                    continue
                if kept(target.id):
                    continue
                if not isinstance(then, ast.Assign | ast.Return | ast.Expr | ast.AugAssign) or not then.value:
                    continue
                if target.id not in loaded_by(then.value) or _in_inner_scope(then.value, target.id):
                    continue
                then.value = _Put(target.id, first.value).visit(then.value)
                del body[i]
                return True
    return False


def _in_inner_scope(node: ast.expr, name: str) -> bool:
    inner = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    return any(isinstance(n, inner) and name in loaded_by(n) for n in ast.walk(node))


class _Put(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.value) if node.id == self.name else node


def hoisted_reductions(tree: ast.Module, program: Program, template: str, **names: str) -> ast.Module | None:
    """Every reduction in a variable of its own, with statements after it.

    The template ends with the expression that stands for the reduction from there on.
    """
    if any(isinstance(n, ast.NamedExpr) for n in ast.walk(tree)):
        return None  # it would bind its name somewhere else
    fresh = Names(tree)
    imported = meanings(tree)
    done: set[int] = set()

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        if id(node) in done or reduction(node, imported, program.arrays) is None:
            return None
        done.add(id(node))
        parts = {key: fresh.new(name) for key, name in names.items()}
        *before, last = block(template, REDUCTION=node, **parts)
        assert isinstance(last, ast.Expr)
        return before, last.value

    return tree if hoist(tree, make) else None


@rewrite("reduction-aliased", "A plain alias between a reduction and what is done with it: `n = total`.")
def _reduction_aliased(tree: ast.Module, program: Program) -> ast.Module | None:
    return hoisted_reductions(tree, program, "TOTAL = REDUCTION\nN = TOTAL\nN", TOTAL="total", N="n")


@rewrite(
    "reduction-negated-twice", "A minus sign as a statement between a reduction and what is done with it."
)
def _reduction_negated(tree: ast.Module, program: Program) -> ast.Module | None:
    return hoisted_reductions(tree, program, "TOTAL = REDUCTION\nN = -TOTAL\n-N", TOTAL="total", N="n")


@rewrite("minus-apart", "A minus sign before an expression with a reduction as a statement of its own.")
def _minus_apart(tree: ast.Module, program: Program) -> ast.Module | None:
    imported = meanings(tree)
    fresh = Names(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        if not isinstance(node, ast.UnaryOp) or not isinstance(node.op, ast.USub):
            return None
        if not any(reduction(n, imported, program.arrays) for n in ast.walk(node)):
            return None
        positive, negative = fresh.new("positive"), fresh.new("negative")
        return block(f"{positive} = VALUE\n{negative} = -{positive}", VALUE=node.operand), expr(negative)

    return tree if hoist(tree, make) else None


@rewrite("arguments-aliased", "The parameters under other names at the beginning of each function.")
def _arguments_aliased(tree: ast.Module, program: Program) -> ast.Module:
    entry = program.entry(tree)
    fresh = Names(tree)
    new = {name: fresh.new(f"{name}_in") for name in parameters(entry)}
    entry.body[:0] = [s for name, alias in new.items() for s in block(f"{name} = {alias}")]
    for argument in [*entry.args.posonlyargs, *entry.args.args, *entry.args.kwonlyargs]:
        argument.arg = new[argument.arg]
    for extra in (entry.args.vararg, entry.args.kwarg):
        if extra:
            extra.arg = new[extra.arg]
    return tree
