"""What a function is called for, and what stands beside it: a caller takes of what it is given what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import Final, TypeAlias

from batchmean.engine.domain.tensors import Reduction, Step
from batchmean.engine.ledger import Ledger
from batchmean.engine.selection.changes import changes_in_place
from batchmean.nodes import nodes

MAX_ENTRIES: Final = 16
"""Entries of a returned dict that are told apart."""


Places: TypeAlias = Sequence[ast.AST]
"""Where something is made, and the calls that led there."""


class GivenBack:
    """What the functions of a module return, and what is made of what on the way there."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @cached_property
    def _holding(self) -> Mapping[ast.AST, Sequence[_Returned]]:
        """The functions in which something stands; few files are ever asked."""
        holding: dict[ast.AST, list[_Returned]] = {}
        for node in dict.fromkeys(one.node for one in self._ledger.defined):
            function = _Returned(node, self._ledger.imported.keys())
            for inner in function.inside:
                holding.setdefault(inner, []).append(function)
        return holding

    @cached_property
    def _added(self) -> Set[int]:
        """The identities of the losses that are added to others."""
        return {id(r) for addition in self._ledger.additions for side in addition.sides for r in side}

    def is_added(self, reduction: Reduction) -> bool:
        """Is it added to another loss?"""
        return any(id(account) in self._added for account in reduction.line())

    def beside(self, ones: Sequence[Places], others: Sequence[Places]) -> Sequence[bool]:
        """Of each: is any of the others a part of what a function returns, or trains with, and it, in there, is not?

        What is first is what the function is called for, unless it is a number for a log: nothing is trained with that.
        """
        wanted = {place for places in others for place in places}
        parts: dict[_Returned, Sequence[Set[ast.AST]]] = {}
        found = []
        for one in ones:
            functions = dict.fromkeys(f for place in one for f in self._holding.get(place, ()))
            for function in functions:
                if function not in parts:
                    parts[function] = [part for part in function.parts if not part.isdisjoint(wanted)]
            found.append(any(part.isdisjoint(one) for function in functions for part in parts[function]))
        return found

    def is_beside_its_values(self, step: Step) -> bool:
        """Does what a function returns first use the values that are reduced here by name, and not this one?"""
        node = getattr(step.node, "place", step.node)
        return any(
            function.first.isdisjoint((node, *step.stack)) and function.uses_values_of(node)
            for function in self._holding.get(node, ())
        )


def places_of(reduction: Reduction) -> Places:
    """Where it is first reduced, in a loop what is added up there, and the calls that led there."""
    first = reduction.steps[0]
    return getattr(first.node, "place", first.node), *first.stack


class _Returned:
    def __init__(self, function: ast.AST, imported: Set[str]) -> None:
        self._function = function
        self._imported = imported

    @cached_property
    def inside(self) -> Set[ast.AST]:
        """All that stands in the function."""
        return set(nodes(self._function))

    @cached_property
    def parts(self) -> Sequence[Set[ast.AST]]:
        """What goes into the first thing that is returned, and into each entry of a dict that is."""
        entries = [value for dictionary in self._returned[1] for value in dictionary.values]
        separate = [[entry] for entry in entries] if len(entries) <= MAX_ENTRIES else [entries]
        of_entries = [frozenset(_closure(roots, self._made)) for roots in separate]
        return [self.first, *of_entries] if self._returned[0] else of_entries

    @cached_property
    def first(self) -> Set[ast.AST]:
        """What goes into what is returned first, or trained with; of a dict, into its "loss"."""
        return frozenset(_closure(self._returned[0], self._made))

    def uses_values_of(self, node: ast.AST) -> bool:
        """Does what is returned first, which is more than these values, use what a mean is taken of here?"""
        names, plainly = self._first_names
        operand: Sequence[ast.AST] = [*_operand(node)]
        while len(operand) == 1 and (name := _name(operand[0])):
            if name in names:
                return name not in plainly
            operand = self._made.get(name, ())
        return False

    @cached_property
    def _first_names(self) -> tuple[Set[str], Set[str]]:
        """The names in what is returned first, and those that are returned as they are, by this name or another.

        What is one of them on one way and another thing on the next, `reduction="none"` say, is not as they are.
        """
        plainly: dict[str, None] = {}
        todo: list[ast.AST] = list(self._returned[0])
        while todo:
            name = _name(todo.pop())
            if name and name not in plainly:
                plainly[name] = None
                made = self._made.get(name, ())
                todo += made if all(map(_name, made)) else ()
        return {name for node in self.first if (name := _name(node))}, plainly.keys()

    @cached_property
    def _returned(self) -> tuple[Sequence[ast.expr], Sequence[ast.Dict]]:
        """What is returned first, as the "loss" of a dict, or trained with, and the dicts that are returned."""
        first: list[ast.expr] = []
        dicts: list[ast.Dict] = []
        for node in self.inside:
            value = node.value if isinstance(node, ast.Return) else _trained_with(node)
            if isinstance(value, ast.Tuple) and value.elts:
                value = value.elts[0]
            if isinstance(value, ast.Dict):
                dicts.append(value)
                first += (v for k, v in zip(value.keys, value.values, strict=True) if _is_loss(k))
            elif value is not None:
                first.append(value)
        return first, dicts

    @cached_property
    def _made(self) -> Mapping[str, Sequence[ast.AST]]:
        return _made_in(self.inside - {self._function}, self._imported)


def _operand(node: ast.AST) -> Iterator[ast.expr]:
    """What a mean is taken of: `x` of `x.mean(1)`, and of `np.mean(x)`."""
    if isinstance(node, ast.Call):
        if node.args and not isinstance(node.args[0], ast.Constant):
            yield node.args[0]
        elif isinstance(node.func, ast.Attribute):
            yield node.func.value


def _is_loss(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "loss"


def _trained_with(node: ast.AST) -> ast.expr | None:
    """The loss of `loss.backward()`."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.value if isinstance(function, ast.Attribute) and function.attr == "backward" else None


def _closure(roots: Sequence[ast.expr], made: Mapping[str, Sequence[ast.AST]]) -> Iterator[ast.AST]:
    """All that these are made of in the function."""
    todo: list[ast.AST] = [root for root in roots if not _is_for_a_log(root)]
    seen: set[str] = set()
    while todo:
        for node in nodes(todo.pop()):
            yield node
            if (name := _name(node)) and name not in seen:
                seen.add(name)
                todo += made.get(name, ())


def _made_in(inside: Set[ast.AST], imported: Set[str]) -> Mapping[str, Sequence[ast.AST]]:
    """What each name is made of, or given, but for numbers for a log."""
    made: dict[str, list[ast.AST]] = {}

    def note(target: ast.AST, value: ast.AST | None) -> None:
        if value is not None and not _is_for_a_log(value):
            for name in _names(target):
                made.setdefault(name, []).append(value)

    for node in inside:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                note(target, node.value)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
            note(node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            note(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            note(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            made.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if changes_in_place(node.func.attr):
                note(node.func.value, node)  # `total.div_(n)`
            if (
                _name(node.func.value) not in imported
            ):  # a library keeps nothing of what its functions are given
                for argument in (*node.args, *node.keywords):  # `losses.append(loss)`
                    note(node.func.value, argument)
    return made


def _names(target: ast.AST) -> Iterator[str]:
    """The names that are stored in: those of a tuple, what an item is of, and an attribute of `self` as one."""
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred) and not _of_self(target):
        target = target.value
    if isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _names(item)
    elif name := _name(target):
        yield name


def _name(node: ast.AST) -> str:
    """A name, or `self.total`; an object itself is not all that its attributes hold."""
    if isinstance(node, ast.Name):
        return node.id if node.id != "self" else ""
    return _of_self(node)


def _of_self(node: ast.AST) -> str:
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return f"self.{node.attr}" if is_own and isinstance(node, ast.Attribute) else ""


def _is_for_a_log(value: ast.AST) -> bool:
    """Is it `float(x)` or `x.item()`? A method of one's own may be called `item`, and takes something."""
    function = value.func if isinstance(value, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return isinstance(value, ast.Call) and function.attr == "item" and not (value.args or value.keywords)
    return getattr(function, "id", "") == "float"
