"""A loss that goes out of sight together with the number of its classes may come back multiplied by it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Final

from batchmean.engine.domain.tensors import Integrand, Role, Tensor
from batchmean.engine.domain.values import Const, FunctionValue, ShapeValue, Value, held_in, tensors_in
from batchmean.engine.machine.base import Machine
from batchmean.engine.uses import note_handed_over

_DEPTH: Final = 2
_LENGTHS: Final = frozenset("shape size numel".split())


def hand_over(context: Machine, given: Sequence[Value], by: Iterable[Value] = ()) -> None:
    """Record that code out of sight is given this by a call of `by`; give up what may be put right there."""
    note_handed_over(context.ledger, given)
    _give_up_what_may_be_put_right(context, given, by)


def _give_up_what_may_be_put_right(context: Machine, given: Sequence[Value], by: Iterable[Value]) -> None:
    """The losses that code out of sight is given with the length of the axis that they were averaged over.

    `by` is what is called: it may have been made of that length. Where nobody takes the result, it puts nothing right.
    """
    losses = [tensor for tensor in tensors_in(given, _DEPTH) if tensor.reductions]
    integrands = {
        id(r.integrand): r.integrand for loss in losses for r in loss.reductions if r.integrand.symbol
    }
    if not integrands or context.reports:
        return
    known = [*integrands.values()]
    if any(_is_of_counts(value) for value in by) or any(_knows(context, value, known) for value in given):
        context.unsure(losses)


def _is_of_counts(value: Value) -> bool:
    return any(atom.is_of_counts for tensor in tensors_in((value,), _DEPTH) for atom in tensor.atoms())


def _knows(context: Machine, value: Value, losses: Sequence[Integrand], depth: int = _DEPTH) -> bool:
    """Is the number of classes of one of the losses in a value, or in what a function uses?"""
    if isinstance(value, Tensor):
        return not value.reductions and any(_counts(value, loss) for loss in losses)
    if isinstance(value, Const):
        return any(_is_size(value.value, loss) for loss in losses)
    if isinstance(value, ShapeValue):
        return any(value.shape.has(loss.support) is not False for loss in losses)
    if not depth:
        return False
    if isinstance(value, FunctionValue):
        return _uses_a_length(context, value, losses)
    return any(_knows(context, item, losses, depth - 1) for item in held_in(value))


def _counts(value: Tensor, loss: Integrand) -> bool:
    """Is it a number in which the length of the support is?"""
    if (number := value.number()) is not None:
        return _is_size(number, loss)
    for atom in value.atoms():
        if atom.key in loss.support.symbols:
            return True
        if atom.role is not Role.COUNT:
            continue
        if atom.axis is None:
            if atom.shape is None or atom.shape.has(loss.support) is not False:
                return True
        elif atom.axis.is_same(loss.support) or loss.shape.may_be_one(atom.axis, loss.support):
            return True
    return False


def _is_size(number: object, loss: Integrand) -> bool:
    size = loss.support.size
    return isinstance(number, int | float) and size is not None and size > 2 and number == size


def _uses_a_length(context: Machine, function: FunctionValue, losses: Sequence[Integrand]) -> bool:
    """Does a function multiply by the length of an axis that it knows from around it, or shows itself?"""
    own = {argument.arg for argument in ast.walk(function.node.args) if isinstance(argument, ast.arg)}
    for node in ast.walk(function.node):
        context.spend()
        if isinstance(node, ast.Attribute) and node.attr in _LENGTHS:
            return True
        if isinstance(node, ast.Constant) and _knows(context, Const(node.value), losses):
            return True
        if isinstance(node, ast.Name) and node.id not in own:
            value = function.scope.find(node.id)
            if value is not None and not isinstance(value, FunctionValue):
                if _knows(context, value, losses, 0):
                    return True
    return False
