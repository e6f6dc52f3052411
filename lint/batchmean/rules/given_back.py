"""What a function gives back side by side: a caller takes of it what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from batchmean.engine.ledger import Ledger
from batchmean.nodes import nodes


class _Place(NamedTuple):
    """The item of a returned tuple that a node is a part of."""

    returned: ast.Return
    position: int


class GivenBack:
    """What the functions of a module return in tuples, each under its own name, as in `return total_kl, mean_kl`."""

    def __init__(self, ledger: Ledger) -> None:
        self._places: dict[ast.AST, list[_Place]] = {}
        for function in dict.fromkeys(one.node for one in ledger.defined):
            for node, place in _places_in(function):
                self._places.setdefault(node, []).append(place)

    def are_in_order(self, one: ast.AST, other: ast.AST) -> bool:
        """Are both returned together, the first before the other?

        What is first is what the function is called for, unless it is a number for a log: nothing is trained with that.
        """
        before = {place.returned: place.position for place in self._places.get(one, ())}
        return any(
            before.get(place.returned, place.position) < place.position
            for place in self._places.get(other, ())
        )


def _places_in(function: ast.AST) -> Iterator[tuple[ast.AST, _Place]]:
    inside = list(nodes(function))
    returned = [node for node in inside if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple)]
    if not returned:
        return
    made: Mapping[str, list[ast.expr]] = _made_in(inside)
    for node in returned:
        assert isinstance(node.value, ast.Tuple)
        for position, item in enumerate(node.value.elts):
            for value in made.get(item.id, ()) if isinstance(item, ast.Name) else ():
                for part in nodes(value):
                    yield part, _Place(node, position)


def _made_in(inside: list[ast.AST]) -> Mapping[str, list[ast.expr]]:
    """What is assigned to each name, but for numbers for a log."""
    made: dict[str, list[ast.expr]] = {}
    for node in inside:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and not _is_for_a_log(node.value):
            target = node.targets[0]
            if isinstance(target, ast.Name):
                made.setdefault(target.id, []).append(node.value)
    return made


def _is_for_a_log(value: ast.expr) -> bool:
    """Is it `float(x)` or `x.item()`?"""
    function = value.func if isinstance(value, ast.Call) else None
    return getattr(function, "id", "") == "float" or getattr(function, "attr", "") == "item"
