"""Expressions within loops through items, as expressions over the whole arrays; `item_loops` reads the loops."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from batchmean import operations
from batchmean.engine.domain.values import ModuleValue
from batchmean.engine.machine.base import Machine
from batchmean.nodes import nodes

MAX_LEVELS: Final = 2
"""So many loops in each other: examples and classes."""
_MOST_NODES: Final = 100
"""So many in one statement."""
_MOST_PARTS: Final = 64
"""So many in all that is added up, with what the names in it stand for."""
ELEMENTWISE: Final = frozenset(
    "log log1p exp clip extremum at_least number identity add subtract multiply divide negative xlogy"
    " entropy_terms relative_entropy_terms".split()
)
"""The primitives that do to an array what they do to each of its numbers."""
METHODS: Final = frozenset("log item float clip clamp".split())
_ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


Comprehension: TypeAlias = ast.GeneratorExp | ast.ListComp


class NotRead(Exception):
    """The loop does something else."""


class Total(ast.expr):
    """The sum of what loops run through, as an expression over whole arrays."""

    _fields = ("elements",)

    def __init__(self, elements: ast.expr, reading: Reading, place: ast.expr) -> None:
        super().__init__()
        ast.copy_location(self, place)
        self.elements = elements
        self.reading = reading
        self.place = place
        """What is added in each round, as the code has it."""
        self.is_inner = False
        """Is it the sum of each round of the outer loop, for a list of them?"""


@dataclass
class Loop:
    """One of the loops."""

    index: str = ""
    """The name that counts the rounds."""
    extent: ast.expr | None = None
    """How many rounds there are, if it is said."""


@dataclass
class Added:
    """What a statement adds, in all rounds together."""

    statement: ast.stmt
    name: str
    operator: type[ast.operator]
    value: ast.expr | None
    """The whole sum; None for a number that is the same in each round."""
    number: ast.expr | None = None
    levels: int = 0


@dataclass
class Reading:
    """What is found out about a nest of loops while it is read."""

    arrays: list[tuple[ast.expr, int]] = field(default_factory=list)
    """The arrays that they run through, and how many axes deep."""
    loops: list[Loop] = field(default_factory=list)
    is_of_numbers: bool = False
    """Does `math.log` show that the items are numbers?"""
    is_of_rows: bool = False
    """Does a product of two rows show that these are vectors, unless it is one of matrices?"""
    is_guarded: bool = False
    """Are some items left out, which are zero in right inputs?"""
    assumes_rank: bool = False
    """Is it not shown that the arrays have no more axes than the loops run through?"""


class Items:
    """Expressions within loops: of what whole arrays they take the items."""

    def __init__(self, context: Machine) -> None:
        self._context = context
        self._items: dict[str, tuple[ast.expr, int]] = {}
        """For names within the loops: the whole array, and how many of its axes are gone."""
        self._sums: dict[str, ast.expr] = {}
        """Sums that are begun anew in each round of the outer loop."""
        self._level = 0
        self._varying: dict[int, bool] = {}
        """Of nodes that were asked about, whether they mean something else in each round."""
        self._size = 0
        self._sizes: dict[str, int] = {}
        self._noted: set[tuple[str, int]] = set()
        self._loaded: set[str] = set()
        self._stored: set[str] = set()
        self.reading = Reading()

    def measure(self, node: ast.AST) -> None:
        """Is the code so long that it does more than to add up a loss?"""
        if sum(1 for _ in islice(nodes(node), _MOST_NODES)) == _MOST_NODES:
            raise NotRead

    def _note(self, array: ast.expr, depth: int) -> None:
        key = ast.dump(array), depth
        if key not in self._noted:
            self._noted.add(key)
            self.reading.arrays.append((array, depth))

    def _store(self, name: str) -> None:
        self._stored.add(name)
        self._varying.clear()
        for known in (self._items, self._sums, self._sizes):
            known.pop(name, None)

    def elements(self, node: ast.expr) -> ast.expr:
        """The expression over whole arrays of which this one gives the items of each round."""
        self._context.spend()
        self._size += 1 + (self._sizes.get(node.id, 0) if isinstance(node, ast.Name) else 0)
        if self._size > _MOST_PARTS:
            raise NotRead
        if isinstance(node, ast.Constant):
            return node
        array = self._array(node)
        if array is not None:
            if array[1] != self._level:
                raise NotRead
            self._note(array[0], self._level)
            return array[0]
        if not self._varies(node):
            return self._same(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, _ARITHMETIC):
            both = ast.BinOp(self.elements(node.left), node.op, self.elements(node.right))
            return ast.copy_location(both, node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return ast.copy_location(ast.UnaryOp(node.op, self.elements(node.operand)), node)
        if isinstance(node, ast.Call) and not node.keywords:
            return self._call(node)
        raise NotRead

    def _call(self, node: ast.Call) -> ast.expr:
        function = node.func
        if isinstance(function, ast.Attribute) and self._varies(function.value):
            if function.attr not in METHODS:
                raise NotRead
            function = ast.copy_location(
                ast.Attribute(self.elements(function.value), function.attr, ast.Load()), function
            )
        else:
            primitive = self._primitive(node)
            if primitive == "smallest" and sum(map(self._varies, node.args)) == 1 and len(node.args) == 2:
                return self.elements(next(a for a in node.args if self._varies(a)))  # clipped from above
            if primitive not in ELEMENTWISE:
                raise NotRead
            self.reading.is_of_numbers |= self._full_name(node).startswith("math.")
        return ast.copy_location(ast.Call(function, [self.elements(a) for a in node.args], []), node)

    def _array(self, node: ast.expr) -> tuple[ast.expr, int] | None:
        """The whole array that an expression takes an item of by the variables of the loops, and how deep."""
        indices: list[ast.expr] = []
        base = node
        while isinstance(base, ast.Subscript):
            cut = base.slice
            indices[:0] = cut.elts if isinstance(cut, ast.Tuple) else [cut]
            base = base.value
        if isinstance(base, ast.Name) and base.id in self._items:
            array, depth = self._items[base.id]
        elif is_plain(base) and (indices or self._level == 0) and not self._varies(base):
            array, depth = self._same(base), 0
        else:
            return None
        for index in indices:
            loops = self.reading.loops[: self._level]
            is_next = isinstance(index, ast.Name) and depth < len(loops) and loops[depth].index == index.id
            if not is_next:
                return None
            depth += 1
        return array, depth

    def _varies(self, node: ast.AST) -> bool:
        """Does it hold a name that means something else in each round?"""
        found = self._varying.get(id(node))
        if found is None:
            if isinstance(node, ast.Name):
                found = node.id in self._items or node.id in self._stored
            else:
                found = any(map(self._varies, ast.iter_child_nodes(node)))
            self._varying[id(node)] = found
        return found

    def _length_of_a_row(self, node: ast.expr) -> ast.expr | None:
        """`len(y[i])`, which is `len(y[0])`."""
        if not (isinstance(node, ast.Call) and self._called(node) == "len" and len(node.args) == 1):
            return None
        array = self._array(node.args[0])
        if array is None or array[1] != 1 or self._level != 1:
            return None
        self._note(*array)
        first = ast.Subscript(array[0], ast.Constant(0), ast.Load())
        return ast.copy_location(ast.Call(node.func, [ast.copy_location(first, node)], []), node)

    def _same(self, node: ast.expr) -> ast.expr:
        """What is the same in each round, taken down."""
        if self._varies(node):
            raise NotRead
        self._loaded.update(part.id for part in nodes(node) if isinstance(part, ast.Name))
        return node

    def _called(self, node: ast.Call) -> str:
        """Which function of Python's own is called."""
        if not isinstance(node.func, ast.Name) or self._context.scope.find(node.func.id) is not None:
            return ""
        return node.func.id

    def _full_name(self, node: ast.Call) -> str:
        return "" if self._varies(node.func) else full_name_of(self._context, node)

    def _primitive(self, node: ast.Call) -> str:
        return "" if self._varies(node.func) else primitive_of(self._context, node)

    def _reduces(self, node: ast.Call) -> str:
        """The primitive that is called, if it sums or multiplies rows."""
        primitive = self._primitive(node)
        primitive = "sum" if primitive == "builtin_sum" else primitive
        return primitive if primitive in ("sum", "matmul", "vdot") else ""

    def _is_method(self, node: ast.Call, *names: str) -> bool:
        return isinstance(node.func, ast.Attribute) and node.func.attr in names


def full_name_of(context: Machine, node: ast.Call) -> str:
    """The function of a framework, or of Python's own, that is called; empty for all others."""
    function = node.func
    if not is_plain(function):
        return ""
    value = context.evaluate(function)
    return value.name if isinstance(value, ModuleValue) else ""


def primitive_of(context: Machine, node: ast.Call) -> str:
    """The primitive that a call is; empty for what is no known function."""
    name = full_name_of(context, node)
    operation = operations.function(name) if name else None
    return operation.primitive if operation is not None else ""


def is_plain(node: ast.expr) -> bool:
    """Is it a name, or an attribute of one, which gives the same array each time?"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
