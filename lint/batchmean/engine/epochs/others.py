"""Totals over the batches of one loader that are divided by the length of another."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import Final

from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.arithmetic import ADDED_UP
from batchmean.engine.epochs.last_items import LastItems
from batchmean.engine.epochs.parts import Origins, are_apart, counted_in, iterated_by, names_in, part_of
from batchmean.engine.epochs.spelling import BATCHES
from batchmean.engine.epochs.values import Batch, Count, Figure, Loader, Loop, Number, Unknown, Value
from batchmean.engine.events import Kind, Miscount
from batchmean.project import is_foreign

_KIND: Final[Kind] = "other loader"


class Others(LastItems):
    """Whose batches are added up, and whose are counted, is known by what loops run through, and by its names.

    How each batch was reduced makes no difference, so totals of what is unknown are followed, too, if they are called
    losses.
    """

    _tree: ast.Module

    def __init__(self) -> None:
        super().__init__()
        self._owners: dict[str, str] = {}
        """The names of the loaders whose `dataset` has the key."""
        self._own: set[ast.AST] = set()
        """The divisions that are by the loop's own count, wherever the function is called with it."""
        self._named: dict[Loop, frozenset[str]] = {}

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._tree)

    def attribute(self, base: Value, name: str) -> Value:
        found = super().attribute(base, name)
        if name in ("dataset", "sampler") and isinstance(base, Unknown | Loader) and base.name:
            if isinstance(found, Unknown):
                self._owners[found.key] = base.name
        return found

    def added_up(self, name: str, before: Value, more: Value, node: ast.AST) -> Value:
        total = super().added_up(name, before, more, node)
        loops = self.loops[-1:]
        if not loops or not isinstance(more, Batch | Unknown | Figure):
            return total
        if isinstance(before, Unknown) and before.over == loops:
            return before
        begins_here = isinstance(before, Number) and before.value == 0 and before.loops == self.loops[:-1]
        is_epoch = isinstance(more, Figure) and more.how == "epoch"
        is_loss = "loss" in name.lower() and not is_epoch and name not in loops[0].resets
        return altered(total, over=loops) if isinstance(total, Unknown) and begins_here and is_loss else total

    def over(self, a: Value, b: Value, node: ast.AST) -> Value:
        found = None
        if isinstance(a, Unknown) and a.over:
            place = Place(node, ADDED_UP)
            found = self._by_another(Figure("sum", (place,), False, loops=a.over), b, node)
        return found or super().over(a, b, node)

    def divided(self, total: Figure, by: Value, node: ast.AST, in_each: bool = False) -> Figure:
        found = None
        if not in_each and total.ranks is None and not total.scaled:
            found = self._by_another(total, by, node)
        return found or super().divided(total, by, node, in_each)

    def _by_another(self, total: Figure, by: Value, node: ast.AST) -> Figure | None:
        """The figure of an epoch with its finding; None where it is not divided by the count of another loader."""
        if self._counted(total, by, in_each=False) is not None:
            self._own.add(node)
            if (event := self.found.get(node)) is not None and event.kind == _KIND:
                del self.found[node]
            return None
        # `1 / n` is a weight, by which the total is multiplied.
        is_weight = isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant)
        names = None if is_weight or is_foreign(node) else self._apart(total, by, node)
        if names is None or node in self._own or node in self._right:
            return None
        own, other = names
        places = (*total.places, Place(node, f"this counts what `{other}` gives, and not `{own}`"))
        self.found.setdefault(node, Miscount(node, _KIND, places, False, None, None, other, own))
        return altered(total, how="epoch", loops=(), divided=(), event=node)

    def _apart(self, total: Figure, by: Value, node: ast.AST) -> tuple[str, str] | None:
        """The names of what a total is over, and of what a divisor counts, if they are loaders of different data."""
        loop = self._whole(total.loops)
        if loop is None or not isinstance(by, Count):
            return None
        if by.of in ("length", "nearly") and by.key and not by.loops:
            if any(by.key in around.rounds for around in self.loops):
                return None
            name = by.name or counted_in(node)
            other = self._owners.get(by.key, "") if not part_of(name) else name
        elif by.of in ("rounds", "examples"):
            counted = self._whole(by.loops)
            if counted is None or not counted.rounds.isdisjoint(loop.rounds):
                return None
            other = _name_of(counted)
        else:
            return None
        own = _name_of(loop)
        if not are_apart(own, other) or self._origins.may_be_one(own, other):
            return None
        return (own, other) if not self._goes_on(loop, other) else None

    def _whole(self, loops: tuple[Loop, ...]) -> Loop | None:
        """The one loop, if it runs through all of one loader, and is over."""
        if len(loops) != 1:
            return None
        [loop] = loops
        is_whole = loop.of is None and not loop.breaks and len(loop.rounds) == 1 and loop not in self.loops
        has_batches = loop.has_batches is not False or (not loop.name and BATCHES.search(_name_of(loop)))
        return loop if is_whole and has_batches else None

    def _goes_on(self, loop: Loop, other: str) -> bool:
        """Is something of the other loader named in the loop, which may take batches of it?"""
        if loop not in self._named:
            self._named[loop] = names_in(loop.node)
        of_other = self._origins.made_of(other)
        return of_other is None or not of_other.isdisjoint(self._named[loop])


def _name_of(loop: Loop) -> str:
    """What a loop runs through is called so; what one of two branches made is known by where it is used alone."""
    return loop.name or iterated_by(loop.node)
