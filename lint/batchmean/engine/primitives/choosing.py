"""What a parameter chooses by its default: a function of a table, or the one of a name; others may choose another."""

from __future__ import annotations

from batchmean.engine.context import Context
from batchmean.engine.domain.values import BuiltinValue, DictValue, FunctionValue, ModuleValue, Value


def chosen_by_default(context: Context, table: DictValue, key: Value) -> Value | None:
    """`{"mean": np.mean, "sum": np.sum}[how]`: the function for the default of `how`."""
    usual = context.usual(key)
    return by_default(context, table.get(usual.value)) if usual is not None else None


def by_default(context: Context, function: Value | None) -> Value | None:
    """The function, whose results are likely and no more; None where it is none that can be called."""
    if not isinstance(function, BuiltinValue | ModuleValue | FunctionValue):
        return None
    return BuiltinValue(
        "the default",
        lambda args, kwargs, node: context.as_likely(context.call(function, args, kwargs, node)),
    )
