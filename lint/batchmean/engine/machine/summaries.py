"""When a call need not be followed again: what it is given says nothing new."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from batchmean.engine.domain.tensors import Tensor, is_unknown
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    Alternatives,
    Condition,
    Const,
    DictValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    TupleValue,
    Value,
)
from batchmean.engine.evidence.masks import is_mask_name
from batchmean.engine.evidence.names import is_log_name, is_loss_name
from batchmean.engine.selection.relevance import Slice


def hands_on(function: FunctionValue, args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Can a loss that the function reduces come from its caller or from around it?"""
    return not (sees_only_its_arguments(function) and all(map(is_no_loss, (*args, *kwargs.values()))))


def given_to(
    function: FunctionValue, args: list[Value], kwargs: dict[str, Value], relevant: Slice | None
) -> list[tuple[str, Value]] | None:
    """The arguments that matter to a function, under its own names; None for closures, which see more than them."""
    if not sees_only_its_arguments(function):
        return None
    spec = function.node.args
    names = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)][function.receiver is not None :]
    more = spec.vararg.arg if spec.vararg is not None else ""
    names += [more] * (len(args) - len(names))
    given = [*zip(names, args, strict=False), *kwargs.items()]
    if relevant is None:
        return given
    own = {parameter.arg for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    loads_more = spec.kwarg is not None and spec.kwarg.arg in relevant.loads
    return [
        p for p in given if p[0] in relevant.loads or p[0] == ANY_KEYWORDS or (loads_more and p[0] not in own)
    ]


def says_no_more_than_names(given: Sequence[tuple[str, Value]]) -> bool:
    """Are the arguments as unknown as the parameters of a function that is run by itself?"""
    for name, value in given:
        if isinstance(value, Const) and (value.value is None or isinstance(value.value, bool)):
            continue
        atom = value.single() if isinstance(value, Tensor) and is_unknown(value) else None
        if atom is None or atom.kind or atom.hint or atom.names not in ((), (name,)):
            return False
    return True


def gives_an_attribute(function: ast.AST) -> bool:
    """Does it only say `return self.classes`? It gives the same each time, as the attribute does."""
    last = function.body[-1] if isinstance(function, ast.FunctionDef) and len(function.body) < 3 else None
    return isinstance(last, ast.Return) and isinstance(last.value, ast.Attribute)


def is_no_loss(value: Value) -> bool:
    if isinstance(value, ListValue):
        return is_no_loss(value.element)
    if isinstance(value, DictValue):
        return all(is_no_loss(item) for _, item in value.items)
    if isinstance(value, TupleValue | Alternatives):
        return all(map(is_no_loss, value.items if isinstance(value, TupleValue) else value.values))
    atom = value.single() if isinstance(value, Tensor) else None
    if atom is not None and (is_log_name(atom.names) or is_loss_name(atom.names) or is_mask_name(atom.names)):
        return False
    return isinstance(value, InstanceValue) or says_nothing(value)


def identity(value: Value) -> object:
    if isinstance(value, Const) and not isinstance(value.value, slice):
        return type(value.value), value.value
    return id(value)


def sees_only_its_arguments(function: FunctionValue) -> bool:
    """Is it a function of the module or of a class, no lambda and no closure?"""
    return not isinstance(function.node, ast.Lambda) and (
        function.scope.parent is None or function.owner is not None
    )


def says_nothing(value: Value) -> bool:
    """Can no finding come of it?"""
    if isinstance(value, Alternatives | TupleValue):
        return all(
            says_nothing(v) for v in (value.values if isinstance(value, Alternatives) else value.items)
        )
    return isinstance(value, Const | Condition) or (isinstance(value, Tensor) and is_unknown(value))


def unknown_call(given: Sequence[tuple[str, Value]]) -> tuple[object, ...] | None:
    """A key for arguments that are literals or unknown; None where they say more."""
    key: list[object] = []
    for name, value in given:
        if isinstance(value, Const) and not isinstance(value.value, slice):
            key.append((name, type(value.value), value.value))
        elif isinstance(value, Tensor) and is_unknown(value):
            key.append((name, tuple(atom.names for atom in value.atoms())))
        else:
            return None
    return tuple(key)
