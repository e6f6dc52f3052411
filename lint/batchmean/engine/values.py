"""The values of the abstract interpretation.

A tensor is a short sum of terms, a term a product of atoms to some power, and an atom something the engine need
not look into: a softmax, the logarithm of an argument, a parameter. So `p * (log p - log q)` and
`p * log p - p * log q` are the same value, and so is every spelling of a Gaussian KL.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from batchmean.engine.paths import Decision, Path
from batchmean.engine.shapes import Axis, Shape

if TYPE_CHECKING:
    from batchmean.engine.reductions import Integrand, Reduction

MAX_TERMS: Final = 16
MAX_FACTORS: Final = 16
"""A longer product is one unknown, as a longer sum is."""
MAX_ITEMS: Final = 64
"""The longest tuple and the largest dict whose items are told apart."""
MAX_TOLD_APART: Final = 4
"""So many items are followed one by one where a loop runs through them."""


class Role(enum.Enum):
    """What an atom means."""

    __hash__ = object.__hash__  # that of an Enum hashes its name, each time anew

    OPAQUE = "opaque"
    PROBS = "probabilities"
    LOG_PROBS = "log-probabilities"
    ONE_HOT = "one-hot target"
    LOG = "logarithm"
    LOG_COMPLEMENT = "log(1 - x)"
    LOG_SIGMOID = "log-sigmoid"
    SIGMOID = "sigmoid"
    EXP = "exponential"
    SUM = "sum over an axis"
    LOG_SUM_EXP = "logsumexp"
    COUNT = "count"
    INTEGRAND = "elementwise divergence"
    MASK = "validity mask"
    VALID = "number of valid positions"
    WEIGHT = "weight"


# The classes that are made by the thousand, here and in the modules around, are not frozen, since that would take
# twice as long; nobody assigns to their fields.


@dataclass(unsafe_hash=True, slots=True)
class Place:
    """A node of the source, with what it shows."""

    node: ast.AST
    text: str


D = TypeVar("D")


@lru_cache(maxsize=64)
def _fields_of(kind: type) -> Callable[[object], tuple[object, ...]]:
    names = tuple(field.name for field in fields(kind))
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


def altered(value: D, **new: object) -> D:
    """A copy of a dataclass of the engine in which some fields are new: `dataclasses.replace`, but fast."""
    kind: type = type(value)
    copy: D = kind(*_fields_of(kind)(value))
    for name, field_value in new.items():
        object.__setattr__(copy, name, field_value)
    return copy


_keys: dict[Hashable, int] = {}


def intern(*parts: Hashable) -> int:
    """A small number that stands for `parts`: equal parts, equal number. It keeps nested values cheap to compare."""
    return _keys.setdefault(parts, len(_keys) + 1)


def forget_keys() -> None:
    """Start afresh: numbers are only compared within one analysis."""
    _keys.clear()


GivenUp: TypeAlias = Literal[0, 1, 2]
"""1 for what stands for more cases, terms or factors than are kept, 2 if it has swallowed what may be a count, too: an
account that it is multiplied with is open."""


@dataclass(eq=False, slots=True)
class Atom:
    """A factor that the engine does not look into; equal when `key` is equal."""

    key: int
    role: Role = Role.OPAQUE
    axis: Axis | None = None
    """The support axis of a distribution, or the axis that a SUM, LOG_SUM_EXP or COUNT is over."""
    names: tuple[str, ...] = ()
    argument: Tensor | None = None
    """What was taken the logarithm, exponential or sum of."""
    source: int = 0
    """For a logarithm: the key of the atom that it is the logarithm of; for a log_prob or an entropy: the key of
    its distribution."""
    place: Place | None = None
    kind: str = ""
    """For an INTEGRAND which divergence; for something unknown what it came from: `computed` by an operation in
    sight, so that its name says nothing, `element mean`, `elementwise`, `arange`, `log_prob`, `complement`,
    `error`; for a MASK `padding` where it is true at the positions that do not count, `everything` where at all,
    `lengths` where it is made of these."""
    shape: Shape | None = None
    """For a COUNT of all elements: of which shape; for something unknown or an identity matrix: its own."""
    shown: bool = True
    """False where the axis is an assumption of the library's, not shown by the code."""
    distributions: tuple[int, ...] = ()
    """For a KL between distribution objects: their keys."""
    hint: tuple[str, ...] = ()
    """The axes that a comment or an annotation names."""
    is_complement: bool = False
    """For a MASK: was it written as 1 less another?"""
    is_chosen: bool = False
    """Is it one column of an array, `x[:, 0]`?"""
    is_whole: bool = False
    """Is it a parameter whose default is a whole number above 1, such as a class count has?"""
    given_up: GivenUp = 0
    """Does it stand for more than is kept apart?"""

    @property
    def shape_is_scalar(self) -> bool:
        """Is it known to be one number?"""
        return self.shape is not None and self.shape.is_scalar

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return self.key


def _by_key(factor: tuple[Atom, float]) -> tuple[int, float]:
    return factor[0].key, factor[1]


Factors: TypeAlias = tuple[tuple[Atom, float], ...]
"""Atoms and their powers, in the order of their keys: equal products are equal, whatever the hash seed."""


def product_of(factors: Iterable[tuple[Atom, float]]) -> Factors:
    """The factors in their order, each once."""
    found = tuple(factors)
    return found if len(found) < 2 else tuple(sorted(dict.fromkeys(found), key=_by_key))


@dataclass(unsafe_hash=True, slots=True)
class Term:
    """`coefficient` (None: some number that is not shown) times the product of `factors`."""

    coefficient: float | None
    factors: Factors


@dataclass(unsafe_hash=True, slots=True)
class Tensor:
    """An array, or a number: a sum of terms with a shape, and the account of its reductions so far."""

    terms: tuple[Term, ...]
    shape: Shape
    reductions: tuple[Reduction, ...] = ()
    stack: tuple[ast.AST, ...] | None = None
    """The calls in which it became an integrand, outermost first."""
    pairs: Integrand | None = None
    """For a difference of (B,) and (B, 1): the pairs that a square of it is over."""

    def single(self) -> Atom | None:
        """The atom this tensor is, if it is nothing else."""
        if len(self.terms) == 1:
            term = self.terms[0]
            if term.coefficient == 1 and len(term.factors) == 1:
                atom, power = term.factors[0]
                return atom if power == 1 else None
        return None

    def number(self) -> float | None:
        """Its value, if it is a known number."""
        if not self.terms:
            return 0.0
        if len(self.terms) == 1 and not self.terms[0].factors:
            return self.terms[0].coefficient
        return None

    def atoms(self) -> list[Atom]:
        """Every atom, term by term."""
        return [atom for term in self.terms for atom, _ in term.factors]


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
    scope: Any
    receiver: Value | None = None
    owner: ClassValue | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ClassValue:
    """A class of this module."""

    node: ast.ClassDef
    scope: Any


@dataclass(eq=False, slots=True)
class InstanceValue:
    """An object of a class of this module; its attributes are those its `__init__` sets."""

    cls: ClassValue
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuiltinValue:
    """A callable that the engine knows: a primitive with some arguments given."""

    name: str
    call: Callable[..., Value]


@dataclass(frozen=True, slots=True)
class DistributionValue:
    """A `torch.distributions`-like object: what its log_prob, entropy and KL are per element of."""

    family: str
    event_summed: bool
    shape: Shape
    place: Place | None = None
    key: int = 0


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


def tensors_in(values: Iterable[Value], depth: int) -> Iterator[Tensor]:
    """The arrays among values, and those in cases, tuples, lists and dictionaries, `depth` levels down."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif depth > 0:
            if isinstance(value, Alternatives):
                yield from tensors_in(value.values, depth - 1)
            elif isinstance(value, TupleValue):
                yield from tensors_in(value.items, depth - 1)
            elif isinstance(value, ListValue):
                yield from tensors_in((value.element,), depth - 1)
            elif isinstance(value, DictValue):
                yield from tensors_in((item for _, item in value.items), depth - 1)


SCALAR: Final = Shape.of([])


def shown_number(number: float | None) -> float | None:
    """The number, or None for one that is too large to reckon with, and for what is none."""
    return number if number is not None and -1e300 < number < 1e300 else None


def constant(number: float | None) -> Tensor:
    """A number."""
    number = shown_number(number)
    return Tensor((Term(number, ()),) if number != 0 else (), SCALAR)


def from_atom(atom: Atom, shape: Shape, stack: tuple[ast.AST, ...] | None = None) -> Tensor:
    """A tensor that is one atom."""
    return Tensor((Term(1.0, ((atom, 1.0),)),), shape, stack=stack)


def named(value: Value, name: str, node: ast.AST | None = None) -> Value:
    """The value, with `name` as one more hint if it is a bare unknown, first named at `node`."""
    if isinstance(value, Tensor) and not value.reductions:
        atom = value.single()
        nameable = atom is not None and atom.role is Role.OPAQUE and not atom.kind
        if atom is not None and nameable and name not in atom.names and len(atom.names) < 4:
            place = atom.place or (Place(node, name) if node is not None else None)
            hinted = altered(atom, names=(*atom.names, name), place=place)
            return from_atom(hinted, value.shape, value.stack)
    return value


def hinted(value: Value, hint: tuple[str, ...]) -> Value:
    """The value with what a comment or an annotation says of its axes, if it is one atom."""
    atom = value.single() if hint and isinstance(value, Tensor) and not value.reductions else None
    if atom is None or not isinstance(value, Tensor) or atom.role is Role.COUNT:
        return value
    return altered(value, terms=from_atom(altered(atom, hint=hint), value.shape).terms)


def is_unknown(value: Tensor) -> bool:
    """Is nothing known of it but its names?"""
    if value.reductions or len(value.terms) != 1:
        return False
    atom = value.single()
    return atom is not None and atom.role is Role.OPAQUE and atom.kind in ("", "computed", "element mean")
