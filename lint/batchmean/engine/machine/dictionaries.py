"""Methods of dictionaries whose items are known."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain.values import ANY_KEYWORDS, MAX_ITEMS, Const, DictValue, TupleValue, Value
from batchmean.engine.primitives.choosing import chosen_by_default

TAKING: Final = frozenset("pop popitem clear update setdefault".split())
"""Methods after which a dictionary holds something else."""


def call(
    context: Context,
    table: DictValue,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.Call,
) -> Value | None:
    """What `table.name(...)` gives; None where it is no method that reads or changes the items."""
    if name == "values":
        return TupleValue(tuple(value for _, value in table.items))
    if name == "items":
        return TupleValue(tuple(TupleValue((Const(key), value)) for key, value in table.items))
    if name == "get" and args:
        return _found(table, args) or chosen_by_default(context, table, args[0]) or context.opaque()
    if name == "setdefault" and args:
        key, found = args[0], _found(table, args)
        new = None
        if isinstance(key, Const) and found is not None:
            new = _with(table, [(key.value, found)])
        _keep(context, node, new)
        return found or context.opaque()
    if name == "update":
        more = args[0] if args else DictValue(())
        new = _with(table, [*more.items, *kwargs.items()]) if isinstance(more, DictValue) else None
        _keep(context, node, new)
        return Const(None)
    if name in ("pop", "popitem", "clear"):
        _keep(context, node, None)
        return _found(table, args) or context.opaque()
    return None


def _found(table: DictValue, args: Sequence[Value]) -> Value | None:
    """The item of a key, or what is given in its place."""
    if not args or not isinstance(args[0], Const):
        return None
    found = table.get(args[0].value)
    if found is None and len(args) > 1 and table.get(ANY_KEYWORDS) is None:
        return args[1]
    return found


def _with(table: DictValue, more: Sequence[tuple[object, Value]]) -> DictValue | None:
    """With these items in place of those that have the same keys; None of too many."""
    new = DictValue(tuple(more))
    items = (*(item for item in table.items if new.get(item[0]) is None), *new.items)
    return DictValue(items) if len(items) <= MAX_ITEMS else None


def _keep(context: Context, node: ast.Call, table: DictValue | None) -> None:
    """Let the name mean the table as it is now; what is not known of it, is nothing."""
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        context.scope.names[node.func.value.id] = table if table is not None else context.opaque()
