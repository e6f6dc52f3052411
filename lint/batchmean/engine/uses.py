"""What else a mask is used for than to be counted: then a loss in which it is not seen may be masked after all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from batchmean.engine.domain.masks import are_opposite, mask_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Role, Tensor
from batchmean.engine.domain.values import (
    MAX_ITEMS,
    Alternatives,
    Const,
    DictValue,
    ListValue,
    ModuleValue,
    TupleValue,
    Value,
    tensors_in,
)
from batchmean.engine.ledger import Ledger

_DEPTH: Final = 3
_BARE: Final = (Const, ModuleValue)


def note_uses(ledger: Ledger, given: Iterable[Value], result: Value) -> None:
    """Take down the masks that an operation was given, unless it gives no more than these masks or their counts."""
    for value in given:
        if type(value) in _BARE:
            continue  # nothing is in it: that is how most values are
        for tensor in (value,) if isinstance(value, Tensor) else tensors_in((value,), _DEPTH):
            atom = mask_of(tensor)
            if atom is not None and not _is_no_more_than(result, atom):
                ledger.applied.add(_first_of_both(atom).key)


def note_handed_over(ledger: Ledger, given: Iterable[Value]) -> None:
    """Take down what an unknown function is given: also the lengths that a mask is made of say where to stop."""
    for tensor in tensors_in(given, _DEPTH):
        atom = tensor.single()
        if atom is not None:
            ledger.applied.add(_first_of_both(atom).key)


def is_only_counted(ledger: Ledger, mask: Atom) -> bool:
    """Is a mask, as far as the code shows, used for nothing but its sum?"""
    one = _first_of_both(mask)
    return ledger.applied.isdisjoint((one.key, one.source))


def _first_of_both(mask: Atom) -> Atom:
    """The mask that this one is the complement of, or itself."""
    other = mask.argument.single() if mask.is_complement and mask.argument is not None else None
    return other or mask


def _is_no_more_than(result: Value, mask: Atom) -> bool:
    if not isinstance(result, Tensor):
        return not isinstance(result, Alternatives | TupleValue | ListValue | DictValue)
    return all(
        atom.key == mask.key or are_opposite(atom.key, mask.key) or atom.role in (Role.VALID, Role.COUNT)
        for atom in result.atoms()
    )


def note_made_of(ledger: Ledger, result: Value, args: Iterable[Value]) -> Value:
    """Take down what something of which no more is known was made of, by a model, say: it has the same examples."""
    atom = result.single() if isinstance(result, Tensor) and not result.reductions else None
    shapes = tuple(a.shape for a in args if isinstance(a, Tensor) and a.terms and not a.shape.is_scalar)
    if atom is not None and atom.role is Role.OPAQUE and shapes:
        before = ledger.given.get(atom.key, ())
        shapes += tuple(s for a in args if isinstance(a, Tensor) for s in given_to_models(ledger, a))
        ledger.given[atom.key] = (*before, *(s for s in shapes if s not in before))[:MAX_ITEMS]
    return result


def given_to_models(ledger: Ledger, array: Tensor) -> tuple[Shape, ...]:
    """The arrays of which unknown functions, such as models, made an array, or a part of it."""
    found: list[Shape] = []
    todo = [(array, 0)]
    while todo:
        part, depth = todo.pop()
        for atom in part.atoms():
            found += (shape for shape in ledger.given.get(atom.key, ()) if shape not in found)
            if atom.argument is not None and depth < _DEPTH:
                todo.append((atom.argument, depth + 1))
    return tuple(found[:MAX_ITEMS])


def hand_on_inputs(ledger: Ledger, made: Tensor, array: Tensor) -> Tensor:
    """What is made of an array element by element has the examples of what a model was given, as the array has."""
    atom = made.single()
    if atom is not None and (shapes := given_to_models(ledger, array)):
        ledger.given[atom.key] = shapes
    return made
