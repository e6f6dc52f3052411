"""What each statement of a function stores, loads and calls."""

from __future__ import annotations

import ast
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from batchmean.effects import Effect, names
from batchmean.engine.selection.changes import REGISTERING, changed_by
from batchmean.engine.syntax import root_of
from batchmean.nodes import nodes

CRITERIA: Final = names(Effect.MAKES_CRITERION)
REDUCERS: Final = names(Effect.AVERAGES | Effect.SUMS | Effect.CONTRACTS | Effect.GIVES_LOSS | Effect.DIVIDES)
TRANSFORMS: Final = names(Effect.CALLS)
LOOPS: Final = (ast.For, ast.AsyncFor)
BLOCKS: Final = ("body", "orelse", "finalbody")
INNER: Final = frozenset((*BLOCKS, "handlers", "cases"))
_NO_NODES: Final = frozenset(("ctx", "op", "ops", "type_comment"))
_KINDS: Final[Sequence[type[ast.AST]]] = [
    kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)
]
CHILDREN: Final = {kind: tuple(name for name in kind._fields if name not in _NO_NODES) for kind in _KINDS}
"""Where a node may have others, as far as these hold names."""
HEADS: Final = {kind: tuple(name for name in names if name not in INNER) for kind, names in CHILDREN.items()}
"""Those of a statement outside its blocks."""
_NAMING: Final = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
SCALING: Final = (ast.Mult, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow)
CALLING: Final = frozenset("forward apply call __call__".split())


COMPOUND: Final = frozenset(kind for kind, names in CHILDREN.items() if len(names) > len(HEADS[kind]))


class Block(NamedTuple):
    """A suite of statements: where one of them runs, those before it did. That of a `with` belongs to the outer one."""

    outer: Block | None


@dataclass(slots=True, eq=False)
class Facts:
    """What one statement, without its blocks, stores, loads and calls."""

    node: ast.stmt
    position: int
    """Its place in the order of the function."""
    until: int
    """The position up to which a store may precede it; later than itself in a loop."""
    outer: list[Facts]
    """The compound statements around it."""
    block: Block
    stores: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    """Of what it stores the names that mean something new from here on."""
    loads: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    """The functions and the methods that it calls."""
    receivers: set[str] = field(default_factory=set)
    """The names that it calls methods of."""
    handed: set[str] = field(default_factory=set)
    """The names that it hands to what takes a logarithm, which may load any of their attributes."""
    shown: set[str] = field(default_factory=set)
    """The names of whose shape it takes something apart."""
    operations: list[ast.expr] = field(default_factory=list)
    """The calls and the binary operations in it."""
    takes_logarithm: bool = False

    def calls_any(self, names: Set[str]) -> bool:
        """Does it call one of these, or a method that calls its object?"""
        if not self.calls.isdisjoint(names):
            return True
        return not (self.calls.isdisjoint(CALLING) or self.receivers.isdisjoint(names))


class Stores:
    """The statements that store a name, in their order, as far as they have not been taken yet."""

    def __init__(self, name: str, stores: Sequence[Facts]) -> None:
        self._left = list(stores)
        self._positions = [facts.position for facts in stores]
        self._showing = [facts for facts in stores if name in facts.shown]
        self._bound: dict[int, list[int]] = {}
        """The positions at which the name means something new, by the identity of the block."""
        for facts in stores:
            if name in facts.binds:
                self._bound.setdefault(id(facts.block), []).append(facts.position)

    def taken_for(self, facts: Facts) -> list[Facts]:
        """Those that may have stored what the name means in a statement."""
        if not self._left:
            return []
        first = bisect_left(self._positions, self._bound_before(facts))
        last = bisect_right(self._positions, facts.until)
        taken = self._left[first:last]
        del self._left[first:last], self._positions[first:last]
        while self._showing and self._showing[-1].position > facts.until:
            taken.append(self._showing.pop())
        return taken

    def _bound_before(self, facts: Facts) -> int:
        """Where the name was last bound for sure; 0 if it was not."""
        latest = 0
        block: Block | None = facts.block
        while block is not None and self._bound:
            positions = self._bound.get(id(block), ())
            before = bisect_left(positions, facts.position)
            if before:
                latest = max(latest, positions[before - 1])
            block = block.outer
        return latest


def attributes_of(name: str) -> str:
    """What stands for all attributes of an object."""
    return f"{name}.*"


def collect_bindings(node: ast.stmt, facts: Facts) -> None:
    """Add which names are bound anew, and which are shown to have a certain rank."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
        if isinstance(targets[0], ast.Tuple) and _takes_shapes(node.value):
            # `batch, dims = x.shape` shows the rank of x.
            facts.shown |= {n.id for n in nodes(node.value) if isinstance(n, ast.Name)}
            facts.stores |= facts.shown
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target] if node.value is not None else []
    elif isinstance(node, LOOPS):
        targets = [node.target]
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else (target,):
            if isinstance(part, ast.Name):
                facts.binds.add(part.id)
            elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                if part.value.id == "self":
                    facts.binds.add(f"self.{part.attr}")
    facts.binds -= facts.shown


def _path(node: ast.Attribute) -> str:
    return f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr


def _takes_shapes(node: ast.expr) -> bool:
    names = [str(getattr(n, "attr", getattr(n, "id", ""))) for n in nodes(node)]
    return any("shape" in name or "size" in name for name in names)


def collect(root: object, facts: Facts) -> None:
    """Add what an expression or a whole definition stores, loads and calls; what is no node adds nothing."""
    stores, loads, calls, operations = facts.stores, facts.loads, facts.calls, facts.operations
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        kind = type(node)
        # The most frequent kinds first.
        if kind is ast.Name:
            (loads if type(node.ctx) is ast.Load else stores).add(node.id)
        elif kind is ast.Attribute:
            value = node.value
            if type(value) is ast.Name:
                is_load = type(node.ctx) is ast.Load
                (loads if is_load else stores).add(f"{value.id}.{node.attr}")
                if not is_load and value.id != "self":
                    stores.add(value.id)
                loads.add(value.id)
            else:
                todo.append(value)
                if type(node.ctx) is not ast.Load and type(value) is ast.Attribute:
                    stores.add(_path(value))  # self.criterion.reduction = "none" changes the criterion
            if node.attr in REDUCERS:
                calls.add(node.attr)  # called later, maybe
        elif kind is ast.Call:
            operations.append(node)
            _collect_call(node, facts)
            stores.update(name for target in changed_by(node) if (name := root_of(target)))
            todo.append(node.func)
            todo += node.args
            for keyword in node.keywords:
                todo.append(keyword.value)
        elif kind is ast.Constant:
            if type(node.value) is str and node.value in REDUCERS:
                calls.add(node.value)  # getattr(x, "mean")
        elif kind is ast.BinOp:
            operations.append(node)
            if type(node.op) is ast.MatMult:
                calls.add("matmul")
            todo += (node.left, node.right)
        else:
            if kind is ast.Lambda:
                facts.until = sys.maxsize  # it loads names when it is called
            elif kind is ast.alias:
                stores.add(node.asname or node.name.partition(".")[0])
            elif kind in _NAMING:
                if node.name:
                    stores.add(node.name)
            elif kind is ast.Subscript and type(node.ctx) is not ast.Load:
                if type(node.value) is ast.Name:
                    stores.add(node.value.id)
                elif type(node.value) is ast.Attribute:
                    stores.add(_path(node.value))  # self.criteria["kl"] = ... changes the table
            for name in CHILDREN.get(kind, ()):
                child = getattr(node, name)
                if type(child) is list:
                    todo += child
                else:
                    todo.append(child)


def _collect_call(node: ast.Call, facts: Facts) -> None:
    """Add what a call calls, and what it changes."""
    function = node.func
    if isinstance(function, ast.Attribute):
        name = function.attr
        in_place = name.endswith("_")
        if in_place:
            facts.calls.add(name[:-1])
        if isinstance(function.value, ast.Name):
            facts.receivers.add(function.value.id)
            if name in REGISTERING and node.args and isinstance(node.args[0], ast.Constant):
                facts.stores.add(f"{function.value.id}.{node.args[0].value!s}")
    elif isinstance(function, ast.Name):
        name = function.id
    elif isinstance(function, ast.Subscript) and isinstance(function.value, ast.Name):
        name = function.value.id  # LOSSES["hard"](...)
    elif isinstance(function, ast.Subscript) and isinstance(function.value, ast.Attribute):
        name = function.value.attr  # self.reducers[self.reduction](...)
    else:
        return
    facts.calls.add(name)
    if name in TRANSFORMS and node.args and isinstance(node.args[0], ast.Name):
        facts.calls.add(node.args[0].id)  # vmap(f)(x)
