"""What an expression may be beside an array (literals, shapes, tuples, functions, objects), and the names in scope."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.names import Branched
from batchmean.engine.domain.paths import Decision, Path, excludes, implies
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Place, Role, Tensor, altered, from_atom

MAX_ITEMS: Final = 64
"""The longest tuple and the largest dict whose items are told apart."""
ANY_KEYWORDS: Final = "**"
"""Among the keyword arguments of a call: there are others, and nobody knows which."""
UNKNOWN_END: Final = "?"
"""Where a slice begins or ends at a number that is not written there."""
MAX_TOLD_APART: Final = 4
"""So many items are followed one by one where a loop runs through them."""


@dataclass(unsafe_hash=True, slots=True)
class Const:
    """A Python literal."""

    value: object
    subject: Hashable = None
    """For an attribute, a default that others may set, what a test of it asks about: it decides no branch."""

    @property
    def is_fixed(self) -> bool:
        """Does it decide a branch?"""
        return self.subject is None


@dataclass(frozen=True, slots=True)
class Condition:
    """A test that the code leaves open: what is decided where it is true, and where it is not."""

    true: Path
    false: Path

    def negated(self) -> Condition:
        return Condition(self.false, self.true)

    def answer_on(self, path: Path) -> bool | None:
        """What it gives where these decisions were made; None where they leave it open."""
        if self.true and all(implies(path, d) for d in self.true):
            return True
        if self.false and all(implies(path, d) for d in self.false):
            return False
        if excludes(self.true, path):
            return False
        return True if excludes(self.false, path) else None

    @staticmethod
    def of(decision: Decision) -> Condition:
        """The test whether one decision holds."""
        return Condition((decision,), (decision.negated(),))


@dataclass(frozen=True, slots=True)
class ShapeValue:
    """`x.shape[start:stop]`."""

    shape: Shape
    start: int = 0
    stop: int | None = None


@dataclass(unsafe_hash=True, slots=True)
class TupleValue:
    """A tuple or a list of known length."""

    items: tuple[Value, ...]
    is_list: bool = False
    """As an index a list chooses rows, a tuple an element."""


@dataclass(unsafe_hash=True, slots=True)
class ListValue:
    """A list or an iterator of unknown length whose elements are all like `element`."""

    element: Value


@dataclass(unsafe_hash=True, slots=True)
class SizesValue(ListValue):
    """`[*x.shape, V]`, `x.shape + (V,)`: all lengths of x, whose number may not be shown, and others."""

    sizes: tuple[Value, ...]
    """The shape stands among them as one item."""


@dataclass(unsafe_hash=True, slots=True)
class RangeValue(ListValue):
    """`range(stop)`, of a number that nothing shows."""

    stop: Value


@dataclass(unsafe_hash=True, slots=True)
class SpreadValue(ListValue):
    """`*items` among the arguments of a call, where nothing shows how many these are."""


@dataclass(frozen=True, slots=True)
class DictValue:
    """A dict with constant keys."""

    items: tuple[tuple[object, Value], ...]

    def get(self, key: object) -> Value | None:
        for mine, value in self.items:
            if type(mine) is type(key) and mine == key:
                return value
        return None


@dataclass(unsafe_hash=True, slots=True)
class ModuleValue:
    """An imported name, spelled in full: `torch.nn.functional.softmax`."""

    name: str


@dataclass(eq=False, slots=True)
class FunctionValue:
    """A function of this module, with the scope it closes over."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    receiver: Value | None = None
    owner: ClassValue | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ClassValue:
    """A class of this module."""

    node: ast.ClassDef
    scope: Scope


@dataclass(eq=False, slots=True)
class InstanceValue:
    """An object of a class of this module; the machine keeps its attributes, what its `__init__` sets to begin with."""

    cls: ClassValue
    is_any: bool = False
    """Does it stand for every object of the class, those of its heirs among them?"""


@dataclass(frozen=True, slots=True)
class BuiltinValue:
    """A callable that the engine knows: a primitive with some arguments given."""

    name: str
    call: Callable[..., Value]
    alike: str = ""
    """Whatever has the same word here reduces alike; empty for what may not."""


@dataclass(frozen=True, slots=True)
class DistributionValue:
    """A `torch.distributions`-like object: what its log_prob, entropy and KL are per element of."""

    family: str
    event_summed: bool
    shape: Shape
    place: Place | None = None
    key: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Itself:
    """A value as a key that equals itself alone. It is kept as long as the key: another may get a dead one's `id`."""

    value: Value | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class Case(NamedTuple):
    """One of several values, and the decisions that lead to it."""

    path: Path
    value: Value


@dataclass(unsafe_hash=True, slots=True)
class Alternatives:
    """One of several values, from branches that the code leaves open."""

    cases: tuple[Case, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(case.value for case in self.cases)


Value: TypeAlias = (
    Tensor
    | Const
    | Condition
    | ShapeValue
    | TupleValue
    | ListValue
    | DictValue
    | ModuleValue
    | FunctionValue
    | ClassValue
    | InstanceValue
    | BuiltinValue
    | DistributionValue
    | Alternatives
)


Changes: TypeAlias = dict[str, Value | None]


MAX_STARS: Final = 8
"""So many modules that may be the project's own give all of their names."""


class Names(Branched[str, Value]):
    """The names of a scope."""

    def __init__(self) -> None:
        super().__init__()
        self.imports = 0
        """How often something imported came or went."""

    def _put(self, name: str, value: Value | None) -> None:
        if isinstance(value, ModuleValue) or isinstance(self.get(name), ModuleValue):
            self.imports += 1
        super()._put(name, value)


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a module, a class body or a function call."""

    parent: Scope | None = None
    names: Names = field(default_factory=Names)
    stars: list[str] = field(default_factory=list)
    project_stars: list[str] = field(default_factory=list)
    """Modules that may be the project's own, all of whose names are imported."""
    owner: ClassValue | None = None
    annotated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What annotations say of the axes of names, whatever is stored under them."""
    number: int = 0
    """Of the scope of a module: 0 for the one that is linted, else which of those that it imports."""

    @property
    def file_number(self) -> int:
        """The number of the module that the scope belongs to."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope.number

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def add_star(self, module: str, *, is_known: bool) -> None:
        """`from module import *`; of a module that is not known, and not the project's, no name is found."""
        if module in self.stars:
            self.stars.remove(module)
        if is_known:
            self.stars.append(module)
        elif module not in self.project_stars and len(self.project_stars) < MAX_STARS:
            self.project_stars.append(module)

    def all_project_stars(self) -> Iterable[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from reversed(scope.project_stars)
            scope = scope.parent

    def all_stars(self) -> Iterable[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from reversed(scope.stars)
            scope = scope.parent


def tensors_in(values: Iterable[Value], depth: int) -> Iterator[Tensor]:
    """The arrays among values, and those in cases, tuples, lists and dictionaries, `depth` levels down, each once."""
    return _tensors_in(values, depth, {})


def _tensors_in(values: Iterable[Value], depth: int, seen: dict[int, int]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            if id(value) not in seen:
                seen[id(value)] = depth
                yield value
        elif depth > 0 and seen.get(id(value), 0) < depth:
            seen[id(value)] = depth  # what was searched as far need not be searched again
            yield from _tensors_in(held_in(value), depth - 1, seen)


def held_in(value: Value) -> Iterable[Value]:
    """The cases of a value, or the items of a tuple, a list or a dictionary."""
    if isinstance(value, Alternatives):
        return (case.value for case in value.cases)
    if isinstance(value, TupleValue):
        return value.items
    if isinstance(value, ListValue):
        return (value.element,)
    if isinstance(value, DictValue):
        return (item for _, item in value.items)
    return ()


def named(value: Value, name: str, node: ast.AST | None = None) -> Value:
    """The value, with `name` as one more hint if it is a bare unknown, first named at `node`."""
    if isinstance(value, Tensor) and not value.reductions:
        atom = value.single()
        nameable = atom is not None and atom.role is Role.OPAQUE and not atom.kind
        if atom is not None and nameable and name not in atom.names and len(atom.names) < 4:
            place = atom.place or (Place(node, name) if node is not None else None)
            hinted = altered(atom, names=(*atom.names, name), place=place)
            return altered(value, terms=from_atom(hinted, value.shape).terms)
    return value


def hinted(value: Value, hint: tuple[str, ...]) -> Value:
    """The value with what a comment or an annotation says of its axes, if it is one atom."""
    atom = value.single() if hint and isinstance(value, Tensor) and not value.reductions else None
    if atom is None or not isinstance(value, Tensor) or atom.role is Role.COUNT:
        return value
    return altered(value, terms=from_atom(altered(atom, hint=hint), value.shape).terms)


_MAX_NESTED: Final = 6


def shape_of_display(value: Value) -> Shape:
    """The shape of an array that is written out."""
    lengths: list[int] = []
    while isinstance(value, TupleValue) and value.items and len(lengths) < _MAX_NESTED:
        lengths.append(len(value.items))
        value = value.items[0]
    return Shape.of([Axis(length) for length in lengths]) if isinstance(value, Const) else Shape()
