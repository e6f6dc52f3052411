"""What a parameter chooses by its default: a function of a table, or the one of a name; others may choose another."""

from __future__ import annotations

from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain.values import (
    MAX_TOLD_APART,
    BuiltinValue,
    DictValue,
    FunctionValue,
    ModuleValue,
    Value,
)

_CALLED: Final = (BuiltinValue, FunctionValue, ModuleValue)


def one_of_table(context: Context, table: DictValue, key: Value) -> Value | None:
    """`{"mse": nn.MSELoss(), "l1": nn.L1Loss()}[how]`: the one that is meant by default, else any of these."""
    if (usual := chosen_by_default(context, table, key)) is not None:
        return usual
    values = [likely for _, value in table.items if (likely := by_default(context, value)) is not None]
    are_all = len(values) == len(table.items) and 0 < len(values) <= MAX_TOLD_APART
    return context.one_of(values) if are_all else None


def chosen_by_default(context: Context, table: DictValue, key: Value) -> Value | None:
    """`{"mean": np.mean, "sum": np.sum}[how]`: the function for the default of `how`."""
    usual = context.usual(key)
    return by_default(context, table.get(usual.value)) if usual is not None else None


def by_default(context: Context, function: Value | None) -> Value | None:
    """The function, whose results are likely and no more; None where it is none that can be called."""
    if not isinstance(function, _CALLED):
        return None
    return BuiltinValue(
        "the default",
        lambda args, kwargs, node: context.as_likely(context.call(function, args, kwargs, node)),
    )
