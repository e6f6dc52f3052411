"""What a parameter chooses by its default: a function of a table, or the one of a name; others may choose another."""

from __future__ import annotations

from typing import Final

from batchmean import operations
from batchmean.engine.context import Context
from batchmean.engine.domain.values import (
    MAX_TOLD_APART,
    BuiltinValue,
    DictValue,
    FunctionValue,
    ModuleValue,
    Value,
)
from batchmean.engine.primitives.losses import OF_ONE_SHAPE

_CALLED: Final = (BuiltinValue, FunctionValue, ModuleValue)


def one_of_table(context: Context, table: DictValue, key: Value) -> Value | None:
    """`{"mse": nn.MSELoss(), "l1": nn.L1Loss()}[how]`: the one that is meant by default, else any of these."""
    if (usual := chosen_by_default(context, table, key)) is not None:
        return usual
    values = [likely for _, value in table.items if (likely := by_default(context, value)) is not None]
    are_all = len(values) == len(table.items) and 0 < len(values) <= MAX_TOLD_APART
    if are_all and values[0].alike and len({value.alike for value in values}) == 1:
        return values[0]  # five terms with a choice each would be more cases than are told apart
    return context.one_of(values) if are_all else None


def chosen_by_default(context: Context, table: DictValue, key: Value) -> Value | None:
    """`{"mean": np.mean, "sum": np.sum}[how]`: the function for the default of `how`."""
    usual = context.usual(key)
    return by_default(context, table.get(usual.value)) if usual is not None else None


def by_default(context: Context, function: Value | None) -> BuiltinValue | None:
    """The function, whose results are likely and no more; None where it is none that can be called."""
    if not isinstance(function, _CALLED):
        return None
    return BuiltinValue(
        "the default",
        lambda args, kwargs, node: context.as_likely(context.call(function, args, kwargs, node)),
        _alike(function),
    )


def _alike(function: BuiltinValue | FunctionValue | ModuleValue) -> str:
    """What says that criteria, or what makes them, reduce alike."""
    if isinstance(function, BuiltinValue):
        return function.alike
    operation = operations.function(function.name) if isinstance(function, ModuleValue) else None
    makes_one = operation is not None and operation.primitive == "elementwise_loss_module"
    return f"makes one, {operation.name in OF_ONE_SHAPE}" if makes_one and operation is not None else ""
