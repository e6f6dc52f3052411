"""The values of the walk through training loops: a loop's rounds, what is made of a batch, figures and counts.

A *figure* is a number about the losses of one batch, or of all batches of the loops that it was added up over. A
*count* says what it counts. Everything else is unknown, and an unknown never becomes a finding.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.spelling import BATCHES, STEM


@dataclass(eq=False, slots=True)
class Loop:
    """One loop, in one run of the function that it is in."""

    node: ast.AST
    rounds: set[str] = field(default_factory=set)
    """The keys of what it runs through item by item: the length of each is the number of its rounds."""
    examples: dict[str, bool] = field(default_factory=dict)
    """The keys of the data behind its batches; True where the code shows that they are."""
    name: str = ""
    """What it runs through is called so."""
    may_count: bool = True
    """False where the code shows that a batch holds one example, or that some examples are left out."""
    has_batches: bool | None = False
    """Do its rounds hold several examples? None where names alone say so."""
    has_dataset: bool = False
    """Does it run through a loader that gives every example of its `dataset` once?"""
    breaks: bool = False
    resets: frozenset[str] = frozenset()
    """What is set back to a number under a condition, every hundred rounds, say."""
    windows: dict[str, Loop] = field(default_factory=dict)
    """For what is set back together with others, in one place: the rounds between, as a loop of their own."""
    of: Loop | None = None
    """For such a loop: the one whose rounds it has."""

    @property
    def has_data(self) -> bool:
        """Does it run through something, and not through numbers alone?"""
        return bool(self.name or self.examples)


Loops: TypeAlias = tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that nothing is known of but its identity."""

    key: str
    name: str = ""
    of: frozenset[str] = frozenset()
    """For what an unknown function gave: the keys of what it was given."""
    by: str = ""
    """The name of that function."""
    over: Loops = ()
    """For what adds up something of each batch, whatever that is: the loops in whose rounds it does."""
    cuts: bool = False
    """For what a generator gives: does it cut `of` into batches?"""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and the loops in which it was stored under a name."""

    value: float
    loops: Loops = ()


Form: TypeAlias = Literal["reduced", "reshaped", "made", "array", "item"]
"""The item itself, which may be a tuple; an array whose first axis holds the examples; what something unknown made of
these; what may have other axes; what was reduced, and may hold no examples any more."""
FORMS: Final[tuple[Form, ...]] = ("reduced", "reshaped", "made", "array", "item")
"""The less is known of the axes the earlier."""

About: TypeAlias = Literal[
    "", "mask", "ignored", "selected", "total", "valid", "shares", "loss", "each", "scaled"
]
"""What else is known of something made of a batch: that it says which positions count; that it holds labels some of
which are to be ignored; that it holds the positions that count alone; that it is a sum over everything; that it is the
number of the positions that count, or something divided by that; that a model gave it for its loss; that it holds one
number for each example, most likely: its other axes were reduced; that it is a mean times something, and one number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Something made of what one round of a loop gives."""

    loop: Loop
    form: Form = "made"
    is_class_loss: bool = False
    """Does it hold a cross-entropy of each example?"""
    key: str = field(default="", compare=False)
    """The identity of what has a name."""
    about: About = ""


@dataclass(frozen=True, slots=True)
class ShapeOf:
    """The shape of something, which is not asked for its first length yet."""

    value: Batch | Unknown


How: TypeAlias = Literal["mean", "sum", "perplexity", "epoch"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number about the losses of a batch, added up over `loops`; for an `epoch` no sum any more."""

    how: How
    places: tuple[Place, ...]
    shown: bool
    loop: Loop | None = None
    """In the rounds of which it is made."""
    loops: Loops = ()
    is_class_loss: bool = True
    """May its exponential be a perplexity?"""
    is_weighted: bool = False
    """For a sum: was it a mean times the number of examples?"""
    divided: tuple[tuple[Count, ast.AST], ...] = ()
    """What each was divided by before they were added up."""
    event: ast.AST | None = None
    """The division that was wrong: what is done to the figure next may make up for it."""
    scaled: tuple[ast.AST, ...] = ()
    """The divisions by the accumulation steps."""
    per_token: bool = False
    """Is it a mean over the positions that count, whose number differs from batch to batch?"""
    is_valid_count: bool = False
    """For a sum: is it the number of the positions that count?"""
    is_told: bool = False
    """Is it a number for the eye, through which no gradient goes?"""
    ranks: ast.AST | None = None
    """What added it up over the ranks, or put those of all ranks side by side; it has not been divided yet."""
    given_by: ast.Call | None = field(default=None, compare=False)
    """The call that handed it to a function, the first of them."""
    over_items: bool = False
    """Was it divided by the number of items in all the batches of one step of the optimizer?"""
    over_size: bool = False
    """Was it a sum, and divided by what is called the size of a batch?"""
    under: frozenset[str] = frozenset()
    """For what is known on one of two ways alone: what the test between them asks about."""

    @property
    def is_whole(self) -> bool:
        """Was it divided by nothing but what it is a mean of?"""
        return not self.divided and not self.scaled and not self.over_items

    @property
    def is_supposed(self) -> bool:
        """Is it a mean by the name of its divisor, or on one of two ways alone?"""
        return self.over_size or bool(self.under)


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of a figure."""

    of: Figure


@dataclass(frozen=True, slots=True)
class Figures:
    """A list of figures, or of counts, one of each round of `loops`; before the first one, empty."""

    item: Figure | Count | None
    loops: Loops


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things."""

    of: Literal["length", "rounds", "examples", "index", "batch", "nearly", "elements"]
    """The length of what has the key; the rounds of loops, the examples that were counted in them; the number of
    the round, the examples in it; rounds times the size of a batch; all elements of an array of a batch."""
    key: str = ""
    name: str = ""
    loops: Loops = ()
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Loader:
    """What gives batches of some data."""

    key: str
    data: frozenset[str]
    may_count: bool
    name: str = ""
    has_dataset: bool = False
    """Does its `dataset` hold the examples that it gives, each of them once?"""
    shown: bool = True
    """Does the code show which data it gives batches of?"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a loop may run through: `enumerate(x)`, `zip(x, y)`, `range(start, stop, step)`."""

    kind: Literal["enumerate", "zip", "range"]
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A callable that gives the loss of a batch, reduced as it says; of each example, for `none`."""

    how: Literal["mean", "sum", "none"]
    name: str
    shown: bool = True
    is_class_loss: bool = True
    ignores: bool = False
    """Does it leave out the positions whose label says so, from the sum and from the count?"""


@dataclass(frozen=True, slots=True)
class Module:
    """An imported name, in full."""

    name: str
    importer: str = ""
    """The file that imports it, where that is another one than the one that is read."""


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """A function of the module, with the names around it, and its object if it is a method."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    names: Any
    receiver: Instance | OneOf | None = None
    gives: Literal["value", "value and gradient", "gradient"] = "value"
    has_aux: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Class:
    """A class of the module."""

    node: ast.ClassDef
    names: Any


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """An object of such a class."""

    cls: Class


@dataclass(frozen=True, slots=True)
class OneOf:
    """Something to be called that is one of several, and none of them is ruled out."""

    items: tuple[Callee, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """A tuple."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary with constant keys."""

    items: tuple[tuple[object, Value], ...]
    zeros: Loops | None = None
    """Of one whose other keys are zero, `defaultdict(float)`: the loops in which it was made."""


@dataclass(frozen=True, slots=True)
class Each:
    """`{x: DataLoader(sets[x]) for x in phases}`: a dictionary with one such value for each name."""

    item: Loader | Count
    name: str

    def at(self, index: str) -> Loader | Count:
        """The one for another name. Nothing shows that the name means the same everywhere."""
        if isinstance(self.item, Count):
            return altered(self.item, key=self._of(self.item.key, index), shown=False)
        data = frozenset(self._of(key, index) for key in self.item.data)
        return altered(self.item, key=f"{self.item.key}[{index}]", data=data, shown=False)

    def _of(self, key: str, index: str) -> str:
        return key.replace(f"[{self.name}]", f"[{index}]")


@dataclass(frozen=True, slots=True)
class Inverse:
    """1 over a count."""

    count: Value
    node: ast.AST


@dataclass(frozen=True, slots=True)
class Method:
    """A method that was taken without calling it: `getattr(x, "mean")`."""

    base: Value
    name: str


@dataclass(frozen=True, slots=True)
class Meter:
    """An object that averages what it is given."""

    key: str
    loops: Loops


Callee: TypeAlias = Criterion | Module | Function | Class | Instance
"""What may be called."""
CALLEES: Final = (Criterion, Module, Function, Class, Instance)
Value: TypeAlias = (
    Unknown
    | Number
    | Batch
    | ShapeOf
    | Figure
    | Gradient
    | Figures
    | Count
    | Loader
    | Run
    | Criterion
    | Module
    | Function
    | Class
    | Instance
    | OneOf
    | Several
    | Text
    | Table
    | Each
    | Inverse
    | Method
    | Meter
)


def are_lengths(table: Table) -> bool:
    """Has it the lengths of data, and not of what gives batches of them?"""
    return bool(table.items) and all(
        isinstance(value, Count) and value.of == "length" and not BATCHES.search(value.name)
        for _, value in table.items
    )


def key_of(value: Value) -> str:
    """The identity of what has a length; empty for what has none."""
    if isinstance(value, Unknown | Loader | Batch):
        return value.key
    if isinstance(value, Count):
        return f"len({value.key})" if value.of == "length" else ""
    return f"#{value.value:g}" if isinstance(value, Number) else ""


def beside_others(value: Value) -> Figure | None:
    """A mean or a sum over a batch, in a sum with others: its part of that stays one, whatever the others are."""
    if not isinstance(value, Figure) or value.how not in ("mean", "sum"):
        return None
    if not value.is_whole or value.loops:
        return None
    return altered(value, shown=False, is_class_loss=False)


def added_gradient(gradient: Gradient, loops: Loops) -> Gradient:
    """A gradient that is added to what there is, in a round of the loop that gave its batch."""
    figure = gradient.of
    is_in_loop = figure.loop is not None and not figure.loops and figure.loop in loops
    return Gradient(altered(figure, loops=(figure.loop,))) if is_in_loop else gradient


def counts_valid(value: Value) -> bool:
    """Is it the number of the positions of a batch that count?"""
    if isinstance(value, Figure):
        return value.is_valid_count and value.how == "sum" and not value.loops
    return isinstance(value, Batch) and value.about == "valid"


def is_beside(count: Count, loop: Loop) -> bool:
    """`sizes[phase]` or `len(datasets[phase])` beside a loop through `loaders[phase]`."""
    if loop.has_batches is not None or not count.key.endswith("]") or BATCHES.search(count.name):
        return False
    index = count.key[count.key.index("[") :]
    is_of_data = count.name == "sizes" or STEM.search(count.name.lower()) is not None
    return is_of_data and any(key.endswith(index) for key in loop.rounds)


def is_of(loop: Loop | None, count: Count) -> bool:
    """Does it count the examples of a round of this loop?"""
    return loop is not None and (not count.loops or count.loops == (loop,))
