"""Which part of the data the names of loaders speak of, and which names of a module may stand for the same data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from batchmean.engine.epochs.spelling import STEM, last_name
from batchmean.engine.epochs.syntax import AnyFunction, functions_of
from batchmean.nodes import nodes

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PART: Final = re.compile(
    r"(?:^|_)(?:(tra?i?n|training|tr)|(val|valid(?!_?(?:batch|sample|example|item|ind))|validation|dev)|(test|testing|tst)|(eval|evaluation))"
    r"(?=_|$|\d|data|load|set|iter|gen|dl|ds|batch)"
)
_PARTS: Final = ("train", "val", "test", "eval")
_MOST_NAMES: Final = 64
"""What may come from more names is taken to come from anywhere."""
_MOST_ALIKE: Final = 8
"""So many functions of one name are told apart by what they are given."""
_CHOICES: Final = (ast.IfExp, ast.BoolOp)
_NUMBERS: Final = frozenset("len float int round sum max min".split())
_TEXTS: Final = (ast.JoinedStr, ast.Compare)


def part_of(name: str) -> str:
    """`train`, `val`, `test` or `eval`, where a name says one of them alone; empty for any other."""
    found = {match.lastindex for match in _PART.finditer(_CAMEL.sub("_", name).lower())}
    return _PARTS[(found.pop() or 1) - 1] if len(found) == 1 else ""


def are_apart(one: str, other: str) -> bool:
    """Do two names speak of different parts of the data? What evaluates may be what validates, or tests."""
    parts = {part_of(one), part_of(other)}
    return "" not in parts and len(parts) == 2 and ("eval" not in parts or "train" in parts)


class Origins:
    """Where the loaders and data of a module come from, by their last names: what is assigned, or handed on."""

    def __init__(self, tree: ast.Module) -> None:
        self._from: dict[str, set[str]] = {}
        self._to: dict[str, set[str]] = {}
        parameters = _parameters(tree)
        for node in nodes(tree):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._assigned(target, value)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value)
                    | ast.NamedExpr(target=target, value=value)
                    | ast.withitem(context_expr=value, optional_vars=ast.expr() as target)
                ):
                    self._assigned(target, value)
                case ast.FunctionDef(name=name) if part_of(name):
                    for inner in nodes(node):
                        if isinstance(inner, ast.Return) and inner.value is not None:
                            self._comes(name, inner.value)
                case ast.Call():
                    for keyword in node.keywords:
                        self._comes(keyword.arg or "", keyword.value)
                    for spec in parameters.get(last_name(node.func), ()):
                        for name, argument in zip(spec, node.args, strict=False):
                            self._comes(name, argument)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(target.elts) == len(value.elts):
                for one, given in zip(target.elts, value.elts, strict=True):
                    self._assigned(one, given)
        else:
            self._comes(last_name(target), value)

    def _comes(self, name: str, value: ast.expr) -> None:
        if not name or "loss" in name.lower():
            return  # val_loss = validate(model, val_loader)
        for origin in _origins(value, _is_of_data(name)):
            if origin != name:
                self._from.setdefault(name, set()).add(origin)
                self._to.setdefault(origin, set()).add(name)

    def may_be_one(self, one: str, other: str) -> bool:
        """May two names stand for the same data, or for parts of the same?"""
        first, second = _closure(self._from, one), _closure(self._from, other)
        return first is None or second is None or not first.isdisjoint(second)

    def made_of(self, name: str) -> set[str] | None:
        """The names of what may come from what has the name, which is one of them; None where there are many."""
        return _closure(self._to, name)


def names_in(node: ast.AST) -> frozenset[str]:
    """The last names of all that stands somewhere."""
    return frozenset(last_name(n) for n in nodes(node) if isinstance(n, ast.Name | ast.Attribute))


def iterated_by(loop: ast.AST) -> str:
    """`loader` for a loop through `loader`, `tqdm(loader)` or `enumerate(loader)`."""
    node = loop.iter if isinstance(loop, ast.For | ast.AsyncFor | ast.comprehension) else None
    while isinstance(node, ast.Call) and last_name(node.func) in ("enumerate", "tqdm") and node.args:
        node = node.args[0]
    return last_name(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def counted_in(division: ast.AST) -> str:
    """`loader` for a division by `len(loader)`."""
    match division:
        case (
            ast.BinOp(right=ast.Call(func=ast.Name(id="len"), args=[ast.Name() | ast.Attribute() as counted]))
            | ast.AugAssign(
                value=ast.Call(func=ast.Name(id="len"), args=[ast.Name() | ast.Attribute() as counted])
            )
        ):
            return last_name(counted)
    return ""


def _closure(edges: Mapping[str, set[str]], name: str) -> set[str] | None:
    found, todo = {name}, [name]
    while todo:
        for more in edges.get(todo.pop(), ()):
            if more in found:
                continue
            if len(found) == _MOST_NAMES:
                return None
            found.add(more)
            todo.append(more)
    return found


def _parameters(tree: ast.Module) -> dict[str, list[Sequence[str]]]:
    """What may be handed on by position, by the name of what is called."""
    found: dict[str, list[Sequence[str]]] = {}
    makers: dict[AnyFunction, str] = {
        method: node.name
        for node in nodes(tree)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
    }
    for function in functions_of(tree):
        names = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
        own = names[1:] if names[:1] == ["self"] else names
        known = found.setdefault(makers.get(function, function.name), [])
        if len(known) < _MOST_ALIKE and own not in known:
            known.append(own)
    return found


def _is_of_data(name: str) -> bool:
    return STEM.search(name.lower()) is not None or bool(part_of(name))


def _origins(value: ast.expr, may_be_cut: bool) -> Iterator[str]:
    """The names of what an expression may be, or of the data that a call is given; an item has a name of its own.

    Numbers are no data: neither `len(loader)` nor what is divided by that; but data may be cut to a length.
    """
    todo = [(value, True)]
    while todo:
        node, is_itself = todo.pop()
        match node:
            case ast.Name() | ast.Attribute():
                if is_itself or _is_of_data(last_name(node)):
                    yield last_name(node)
            case ast.Subscript():
                yield ast.unparse(node)
            case ast.Call(func=function, args=args, keywords=keywords):
                if last_name(function) in _NUMBERS and (is_itself or not may_be_cut):
                    continue
                if part_of(last_name(function)):
                    yield last_name(function)
                todo += [(given, False) for given in (*args, *(keyword.value for keyword in keywords))]
            case ast.BinOp(op=operator) if not isinstance(operator, ast.Add):
                continue
            case ast.expr() if not isinstance(node, _TEXTS):
                inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
                todo += [(child, is_itself and isinstance(node, _CHOICES)) for child in inner]
