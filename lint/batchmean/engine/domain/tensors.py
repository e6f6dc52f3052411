"""Arrays, and the accounts of their reductions.

A tensor is a short sum of terms, a term a product of atoms to some power, and an atom something the engine need
not look into: a softmax, the logarithm of an argument, a parameter. So `p * (log p - log q)` and
`p * log p - p * log q` are the same value, and so is every spelling of a Gaussian KL. An account says what was
summed, what was averaged, and by which counts it was divided. This module holds the data alone: atoms hold tensors,
tensors hold accounts, and accounts hold atoms.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import count
from operator import attrgetter
from typing import Concatenate, Final, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.paths import Path
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.storage import Storage

MAX_TERMS: Final = 16
MAX_FACTORS: Final = 16
"""A longer product is one unknown, as a longer sum is."""
MAX_ACCOUNTS: Final = 64
"""How many losses in one sum are told apart."""
MAX_STEPS: Final = 64
"""How many reductions and divisions of one loss are followed."""

PLAIN: Final = (0.5, 1.0, 2.0)
"""Factors that stand for no count and for no weight: of a square, of a sum of two."""

How: TypeAlias = Literal["sum", "mean"]
Stack: TypeAlias = tuple[ast.AST, ...]


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
    names = tuple(one.name for one in fields(kind))
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


def altered(value: D, **new: object) -> D:
    """A copy of a dataclass of the engine in which some fields are new: `dataclasses.replace`, but fast."""
    kind: type = type(value)
    copy: D = kind(*_fields_of(kind)(value))
    for name, field_value in new.items():
        object.__setattr__(copy, name, field_value)
    return copy


Extreme: TypeAlias = Literal["", "array", "pair"]
GivenUp: TypeAlias = Literal[0, 1, 2]
"""1 for what stands for more cases, terms or factors than are kept, 2 if it has swallowed what may be a count, too: an
account that it is multiplied with is open."""


class Labels(NamedTuple):
    """Which labels are left out: those of one number, or of one unknown, by its key; or all below the number."""

    number: float | None = None
    key: int = 0
    below: bool = False


@dataclass(eq=False, slots=True)
class Atom:
    """A factor that the engine does not look into; equal when `key` is equal. `atom_of` makes one by its structure."""

    key: int
    """Its identity."""
    role: Role = Role.OPAQUE
    axis: Axis | None = None
    """The support axis of a distribution, or the axis that a SUM, LOG_SUM_EXP or COUNT is over."""
    names: tuple[str, ...] = ()
    argument: Tensor | None = None
    """What was taken the logarithm, exponential or sum of."""
    source: int = 0
    """For a logarithm: the key of the atom that it is the logarithm of; for a log_prob or an entropy: the key of
    its distribution; for what is `picked` by an index array: the key of what it was picked from."""
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
    extreme: Extreme = ""
    """Is it an extreme along an axis that is gone: an `array`, or the `pair` of it and of its places?"""
    is_whole: bool = False
    """Is it a parameter whose default is a whole number above 1, such as a class count has?"""
    numbers: frozenset[int] = frozenset()
    """Whole numbers above 2 that it may be: those that the code gives to something of its name."""
    is_anything: bool = False
    """Was it changed where that is not followed? Then it may be any number."""
    given_up: GivenUp = 0
    """Does it stand for more than is kept apart?"""
    is_of_counts: bool = False
    """Was it made of the length of an axis, or of the number of classes, by what is not followed?"""
    drops: Labels | None = None
    """For a MASK made of labels: those at which it is 0, or 1 if it is true at the padding."""

    @property
    def shape_is_scalar(self) -> bool:
        """Is it known to be one number?"""
        return self.shape is not None and self.shape.is_scalar

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return self.key


P = ParamSpec("P")


def _by_structure(
    make: Callable[Concatenate[int, P], D],
) -> Callable[Concatenate[tuple[Hashable, ...], P], D]:
    def made(structure: tuple[Hashable, ...], /, *args: P.args, **kwargs: P.kwargs) -> D:
        return make(key_of(*structure), *args, **kwargs)

    return made


atom_of: Final = _by_structure(Atom)
"""An atom by what it is made of: `atom_of(("log", p.terms), Role.LOG)` is the same wherever it is made."""


def derived(one: Atom, how: Hashable, *parts: Hashable, **new: object) -> Atom:
    """What is made of an atom in some way: the same whenever it is made so of the same atom."""
    return altered(one, key=key_of(how, one.key, *parts), **new)


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


@dataclass(frozen=True, eq=False, slots=True)
class Integrand:
    """What is summed: an expectation over a support axis, before any reduction."""

    kind: str
    """`cross-entropy`, `KL divergence`, `entropy` or `latent KL`."""
    support: Axis
    symbol: Literal["V", "D", ""]
    """The name of the support's length: V classes, or D dimensions of a latent or an action; empty for a loss
    without a support, a number per position such as a squared error."""
    proved: bool
    evidence: tuple[Place, ...]
    shape: Shape
    stack: Stack
    library: str = ""
    """The library loss it comes from, such as `kl_div`."""
    key: int = 0
    """Equal for equal integrands: the same values reduced in two ways."""
    assumed: bool = False
    """Is the support axis taken to be the last one, for want of anything that shows it?"""
    distributions: tuple[int, ...] = ()
    """For a KL between distribution objects: which."""
    square: bool = False
    """Is the target a whole identity matrix, so that there are as many examples as classes?"""
    event: int = 0
    """For the entropy of a Normal: the distribution, whose event axis other code may sum."""
    mixed: bool = False
    """Is something added to it, element by element, that is no part of the expectation?"""
    ignores: Labels | None = None
    """The labels that the library leaves out: -100 unasked, or what it was told to."""
    inputs: tuple[Shape, ...] = ()
    """The arrays that the model in sight was given, whose examples are most likely the loss's."""
    labels: Shape | None = None
    """Of a library loss: the array of its labels, of which each has a loss, or each row if they are probabilities."""

    @property
    def support_name(self) -> str:
        """What the support is called in messages."""
        if self.event:
            return "the event axis"
        if self.library == "kl_divergence":
            return "the dimensions of the Gaussian"
        return "the latent axis" if self.symbol == "D" else "the class axis"


@dataclass(unsafe_hash=True, slots=True)
class Step:
    """One reduction or division in the source."""

    node: ast.AST
    stack: Stack
    path: Path
    """The decisions made to get there."""
    how: Literal["sum", "mean", "scale"]
    sums_support: bool = False
    """Did it sum the support?"""
    averages_support: bool = False
    """Did it bring the support into the divisor?"""
    may_average: bool = False
    """Is it a mean over an axis that is the support in an array of two axes, but may be another one?"""
    whole: bool = False
    """Did it run over all axes?"""
    library: bool = False
    """Was it the library's own reduction (`reduction="mean"`)?"""
    per_batch: bool = False
    """Was it the library's `"batchmean"`, which sums everything and divides by the first axis?"""
    shape: Shape | None = None
    """The shape of the array that it reduced."""
    is_reported: bool = False
    """Does its statement only print, log or show what it gives?"""
    contraction: bool = False
    """Was it the sum inside an einsum, a dot or a tensordot?"""
    positions: tuple[int, ...] = ()
    """The axes that it ran over, where they are listed."""
    of_scalar: bool = False
    """Was it of one number already: the mean of a sum over everything, the sum of a mean?"""
    mixed: bool = False
    """Was something else in the same array, so that another reduction would change that, too?"""


@dataclass(frozen=True, eq=False, slots=True)
class Mask:
    """A validity mask that zeroed a loss."""

    shown: bool
    """False where only a name says that it is one."""
    key: int
    shape: Shape | None = None
    is_bare: bool = False
    """Is it called just `mask`, and nothing else known of it?"""
    after: int = 0
    """How many reductions over single axes came before it: they did not touch the masked positions."""
    after_steps: int = 0
    """How many steps of the account came before it."""
    places: tuple[Place, ...] = ()
    is_selected: bool = False
    """Were its positions selected, so that no others are left?"""
    of_lengths: bool = False
    """Is it made of lengths, with the examples on its first axis?"""
    on_number: bool = False
    """Was it laid on one number, with no array beside it?"""
    scale: Factors = ()
    """What that number had been multiplied by, and divided by, before."""


@dataclass(eq=False, slots=True)
class Reduction:
    """An integrand and everything that was done to its axes since."""

    integrand: Integrand
    support: Literal["alive", "summed", "averaged", "maybe averaged", "unsure"] = "alive"
    units: tuple[tuple[Axis, How], ...] = ()
    rest: How | None = None
    """What happened to all axes that are not listed in `units`."""
    scale: Factors = ()
    """The counts and unknown numbers it was multiplied by."""
    coefficient: float | None = 1.0
    steps: tuple[Step, ...] = ()
    beside_average: bool = False
    """Is it added to a loss that is averaged over its own elements, such as a reconstruction?"""
    mask: Mask | None = None
    """The validity mask that it was zeroed by before anything was reduced."""
    mixed: bool = False
    """Was something else added to it since?"""
    assumes_rank: bool = False
    """Was the first axis reduced by its number, and the support by its own, as if they were two?"""
    spread: Mask | None = None
    """The mask that was laid on it when it was one number already."""
    weighs: bool = False
    """Was an array that is no mask multiplied by it when it was one number already?"""
    beside_quotient: bool = False
    """Was a quotient added to it when it was one number, such as a KL of the weights over the batches?"""
    parent: Reduction | None = None

    def line(self) -> Iterator[Reduction]:
        """This account and those that it goes on from, the latest first."""
        found: Reduction | None = self
        while found is not None:
            yield found
            found = found.parent

    @property
    def origin(self) -> Reduction:
        """The first entry of this account."""
        *_, first = self.line()
        return first

    @property
    def is_plain(self) -> bool:
        """Is it multiplied by no number that may stand for a count or a weight?"""
        return self.coefficient is not None and abs(self.coefficient) in PLAIN

    @property
    def is_reported(self) -> bool:
        """Is it only printed, logged or shown?"""
        return bool(self.steps) and self.steps[-1].is_reported

    @property
    def per_batch(self) -> bool:
        """Was it reduced by a library's `"batchmean"`?"""
        return any(step.per_batch for step in self.steps)

    def withdrawn(self) -> Reduction:
        """After it turned out to be a part of an elementwise loss."""
        return altered(self, support="unsure", parent=self)

    def counts(self) -> Iterator[tuple[Atom, int]]:
        """The counts in the scale, in an order that does not depend on the hash seed."""
        for atom, power in self.scale:
            yield atom, round(power)


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
    storage: Storage = field(default_factory=count(1).__next__, compare=False)
    """Its memory: an array has that of another under other names, and as a view of it."""
    is_quotient: bool = field(default=False, compare=False)
    """Was it divided by what may be the number of batches?"""

    @property
    def key(self) -> int:
        """The identity of what it is, whatever its shape."""
        return key_of(self.terms)

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


def is_unknown(value: Tensor) -> bool:
    """Is nothing known of it but its names?"""
    if value.reductions or len(value.terms) != 1:
        return False
    atom = value.single()
    return atom is not None and atom.role is Role.OPAQUE and atom.kind in ("", "computed", "element mean")
