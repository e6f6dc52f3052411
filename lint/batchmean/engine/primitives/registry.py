"""The primitives by name, and the call that each of them is given.

The tables in `batchmean.operations` say which framework function is which primitive; a primitive sees its
arguments under the canonical names only.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from batchmean.engine.context import Context
from batchmean.engine.domain.axes import ALL_AXES, UNKNOWN_AXES, AxesSpec
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Place, Tensor
from batchmean.engine.domain.values import Const, ListValue, ShapeValue, TupleValue, Value
from batchmean.operations.table import Operation


@dataclass(eq=False, slots=True)
class Call:
    """A call being interpreted: where it stands and which framework function it is."""

    context: Context
    node: ast.AST
    operation: Operation

    def tensor(self, value: Value | None) -> Tensor:
        return self.context.as_tensor(value) if value is not None else self.context.opaque()

    def opaque(self, shape: Shape | None = None) -> Tensor:
        """What the operation makes, as far as nothing is known of it."""
        return self.context.computed(shape)

    def place(self, text: str) -> Place:
        """This call as a line of evidence."""
        return Place(self.node, text)

    @property
    def name(self) -> str:
        """What the framework calls the function, as in `log_softmax`."""
        return self.operation.name or self.operation.primitive


PRIMITIVES: Final[dict[str, Callable[..., Value]]] = {}

_MAX_INTEGER: Final = 2**53  # up to here a float holds every integer

_F = TypeVar("_F", bound=Callable[..., Value])


def primitive(function: _F) -> _F:
    """Register a primitive under the name of its function."""
    PRIMITIVES[function.__name__.rstrip("_")] = function
    return function


def literal(value: Value | None) -> object:
    """The Python value of a literal, else None."""
    return value.value if isinstance(value, Const) else None


def integer(value: Value | None) -> int | None:
    """The int that a value is, else None; one that is no size of anything counts as unknown."""
    number = literal(value)
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if -_MAX_INTEGER <= number <= _MAX_INTEGER else None


def axes_spec(value: Value | None) -> AxesSpec:
    """Which axes an `axis=` argument names."""
    if value is None or (isinstance(value, Const) and value.value is None):
        return ALL_AXES
    number = integer(value)
    if number is not None:
        return AxesSpec.at(number)
    if isinstance(value, TupleValue):
        positions = [integer(item) for item in value.items]
        if positions and all(p is not None for p in positions):
            return AxesSpec.at(*(p for p in positions if p is not None))
    if isinstance(value, ListValue) and isinstance(value.element, ShapeValue):
        return AxesSpec.tail(value.element.start)
    return UNKNOWN_AXES
