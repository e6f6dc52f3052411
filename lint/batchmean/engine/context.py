"""What a primitive may touch: fresh unknowns, the steps of an account, the ledger, the budget, and the way taken."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from typing import Any, Final, Literal

from batchmean.engine import bounds
from batchmean.engine.domain import algebra
from batchmean.engine.domain.accounts import follows
from batchmean.engine.domain.broadcasting import map_atoms, relabelled
from batchmean.engine.domain.join import MAX_ALTERNATIVES, TOO_MANY, join
from batchmean.engine.domain.names import Branched
from batchmean.engine.domain.paths import MAX_DECISIONS, Decision, Path, are_apart, excludes, extended
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    SCALAR,
    Reduction,
    Role,
    Step,
    Tensor,
    altered,
    atom_of,
    constant,
    from_atom,
)
from batchmean.engine.domain.values import (
    MAX_ITEMS,
    Alternatives,
    BuiltinValue,
    Case,
    Condition,
    Const,
    InstanceValue,
    ListValue,
    ModuleValue,
    Scope,
    ShapeValue,
    SizesValue,
    TupleValue,
    Value,
    shape_of_display,
    tensors_in,
)
from batchmean.engine.evidence.given import Given
from batchmean.engine.factors import placed
from batchmean.engine.ledger import Ledger
from batchmean.engine.lengths import Lengths
from batchmean.engine.recognise.integrands import recognise
from batchmean.engine.uses import note_made_of

MAX_WORK: Final = 100_000
"""How many nodes are read for one module before the engine stops looking."""
BASE_WORK: Final = 20_000
"""How many of them are read however short it is."""
CHARACTERS_PER_NODE: Final = 4
"""One more node is read for so many characters: helpers that call each other would be read anew for ever."""
MAX_DEPTH: Final = 6
"""How deep local calls and base classes are followed."""
MAX_ROWS: Final = 4 * MAX_ALTERNATIVES
"""How many combinations of values are worked out for one operation."""
_NODES_OF_PLACE: Final = 7
"""How many nodes are read in the time that a place in which a loss is reduced takes, up to the verdict of the rules."""
_ROWS_PER_NODE: Final = 2
"""How many of them take the time in which one node is read, as long as they are few."""
_FEW: Final = 3


class OutOfWork(Exception):
    """The module is larger than the engine is willing to read."""


class TooDeep(Exception):
    """A function is nested deeper, or decides more, than the engine is willing to follow; `bound` says which."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


class Context(Lengths):
    """The state of an interpretation, and what is done to values in it; how code is read is the machine's."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = lines
        self.ledger = Ledger()
        self.module = Scope()
        self.scope = self.module
        """The names in sight."""
        self.callers: list[Scope] = []
        """The names in sight where the calls stand that are being followed."""
        self.stack: tuple[ast.AST, ...] = ()
        """The calls that are being followed, outermost first."""
        self.path: Path = ()
        """The undecided branches taken to get here."""
        self.entered_after = 0
        """How many of its decisions were made before the call of the function that is read."""
        self.answered: list[tuple[Condition, bool, Path]] = []
        """The tests that were decided by what had been decided before the call: how, and on which path."""
        self.reports = False
        """Does the statement only print, log or show what it works out?"""
        self.attributes: Branched[tuple[InstanceValue | int, str], Value] = Branched()
        self.set_elsewhere: set[str] = set()
        """Attributes of imported names that a function of the module sets: what they are is unknown."""
        self.work = 0
        """How many statements and expressions were read so far."""
        self.most = min(BASE_WORK, MAX_WORK)
        """How many may be read."""
        self.allow(sum(map(len, lines)))
        self.held: dict[int, tuple[Value, Any]] = {}
        """What values hold, by their identities: for `machine.memory`."""
        self.asked: dict[Hashable, Condition] = {}
        """What a value is the answer to, where it does not say it itself, by its terms: for `machine.conditions`."""
        self.items: dict[int, Shape] = {}
        """The shapes of what is taken out of tuples, dictionaries and objects, by its key: the same each time."""
        self.defaults: list[dict[int, Const]] = []
        """For each call that is being followed: the defaults of parameters for which it is given what nobody knows."""
        self._serial = 0
        self.module_lines = lines
        self.given = Given(lines)
        self._reducing: set[ast.AST | None] = set()
        self._packages: tuple[int, Set[str]] = 0, frozenset()

    @abstractmethod
    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression."""

    @abstractmethod
    def call(self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Call a value."""

    @abstractmethod
    def attribute(self, base: Value, name: str, node: ast.expr) -> Value:
        """`base.name`, not called."""

    def step(self, node: ast.AST, how: Literal["sum", "mean", "scale"]) -> Step:
        """A step of an account, made here."""
        return Step(node, self.stack, self.path, how, is_reported=self.reports)

    def record(self, reduction: Reduction) -> Reduction:
        """Enter a reduction in the ledger."""
        place = reduction.steps[-1].node if reduction.steps else None
        self.spend(1 if place is None or place in self._reducing else _NODES_OF_PLACE)
        self._reducing.add(place)
        self.ledger.accounts.append(reduction)
        return reduction

    def allow(self, characters: int) -> None:
        """Let more be read, for a text of this length."""
        self.most = min(self.most + characters // CHARACTERS_PER_NODE, MAX_WORK)

    def spend(self, cost: int = 1) -> None:
        self.work += cost
        if self.work > self.most:
            raise OutOfWork

    def decided(self, path: Path, more: Path) -> Path:
        """The path behind some more decisions."""
        longer = extended(path, more)
        if len(longer) > MAX_DECISIONS:
            raise TooDeep(bounds.DECISIONS)
        return longer

    def is_elsewhere(self, account: Reduction) -> bool:
        """Was it made on a way that this one excludes? One number may stand for several of which one is here."""
        return bool(self.path) and any(excludes(step.path, self.path) for step in account.steps)

    @property
    def packages(self) -> Set[str]:
        """The packages that the module's names come from."""
        names = self.module.names
        if self._packages[0] != names.imports:
            imported = (value.name for value in names.values() if isinstance(value, ModuleValue))
            self._packages = names.imports, {name.partition(".")[0] for name in imported}
        return self._packages[1]

    def fresh(self) -> int:
        """A number that nothing else has."""
        self._serial += 1
        return self._serial

    def opaque(self, names: tuple[str, ...] = (), *, shape: Shape | None = None) -> Tensor:
        """Something new that nothing is known of."""
        return self.atom_named(("opaque", self.fresh()), names, shape or Shape())

    def anything(self, shape: Shape | None = None) -> Tensor:
        """What was changed where that is not followed: it may be any number."""
        return map_atoms(self.computed(shape), lambda atom: altered(atom, is_anything=True))

    def atom_named(
        self, key: tuple[Hashable, ...], names: tuple[str, ...], shape: Shape, is_setting: bool = False
    ) -> Tensor:
        """Something unknown, with what the code gives to something of one of its names, an attribute say."""
        numbers, of_counts = self.given.numbers(names), self.given.is_of_counts(names)
        more = {"numbers": numbers, "is_of_counts": of_counts, "is_whole": is_setting and bool(numbers)}
        return from_atom(altered(atom_of(key, names=names, shape=shape), **more), shape)

    def unknown_of(
        self,
        args: Iterable[Value],
        names: tuple[str, ...] = (),
        beside: Iterable[Value] = (),
        method: str = "",
    ) -> Tensor:
        """What an unknown function makes of its arguments, and of what is given `beside` them: keywords, an object."""
        args = tuple(args)
        result = self.opaque(names)
        numbers, is_of_counts = self.given.numbers((method,)), self.given.is_of_counts((method,))
        given = (*args, *beside)
        is_of_counts |= any(isinstance(value, ShapeValue | SizesValue) for value in given)
        if is_of_counts or any(map(algebra.may_hold_a_count, tensors_in(given, MAX_DEPTH))):
            result = map_atoms(result, lambda atom: altered(atom, is_of_counts=True))
        if numbers:
            result = map_atoms(result, lambda atom: altered(atom, numbers=numbers, is_whole=True))
        note_made_of(self.ledger, result, args)
        return result

    def computed(self, shape: Shape | None = None) -> Tensor:
        """What an operation in sight made of something: unknown, and not to be judged by a name."""
        own = shape or Shape()
        return from_atom(atom_of(("opaque", self.fresh()), kind="computed", shape=own), own)

    def shown_opaque(
        self,
        *key: Hashable,
        names: tuple[str, ...] = (),
        shape: Shape | None = None,
        is_setting: bool = False,
    ) -> Tensor:
        """Something unknown that is the same whenever `key` is; a setting is of an object or of another module."""
        return self.atom_named((*key,), names, shape or Shape(), is_setting)

    def as_tensor(self, value: Value) -> Tensor:
        """Any value as a tensor; what is not a number or an array becomes opaque."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Const):
            if isinstance(value.value, bool | int | float):
                return constant(float(value.value)) if abs(value.value) < 1e300 else constant(None)
            return self.opaque()
        if isinstance(value, ModuleValue):
            name = value.name.rpartition(".")[2]
            return self.shown_opaque("module", value.name, names=(name,), shape=SCALAR, is_setting=True)
        if isinstance(value, Alternatives):
            return self.unsure([value])
        if isinstance(value, Condition):
            return self.computed()
        if isinstance(value, InstanceValue):
            return self.anything()  # what its class makes of arithmetic
        if isinstance(value, BuiltinValue):
            return self.opaque((value.name,))  # `cfg.scale` is no method, if it is multiplied
        if isinstance(value, TupleValue):
            # Numbers that are written out: what they mean is not a matter of a name.
            shape = shape_of_display(value)
            first = value.items[0] if value.items else None
            if isinstance(first, Const) and all(item == first for item in value.items):
                return altered(self.as_tensor(first), shape=shape)
            return self.computed(shape)
        return self.opaque()

    def formed(self, result: Tensor, *operands: Tensor) -> Tensor:
        """The result of an operation, with the calls in which it became an integrand: here, if not before."""
        if (atom := result.single()) is not None and atom.given_up:
            self.reach(bounds.VALUES, operands)
        for operand in operands:
            if operand.stack is not None:
                return altered(result, stack=operand.stack)
        if result.reductions or recognise(result) is None:
            return result
        return altered(result, stack=self.stack)

    def placed(self, result: Tensor, operands: Iterable[Tensor], node: ast.AST) -> Tensor:
        """Enter the divisions and multiplications that changed an account, with the place they were made at."""
        if not result.reductions:
            return result
        operands = tuple(operands)
        if not follows(result.reductions):
            self.ledger.reached.add(bounds.VALUES)
            return self.unsure([result])
        if any(atom.given_up == 2 for o in operands for atom in o.atoms()):
            return self.unsure([result])
        known = {id(r) for operand in operands for r in operand.reductions}
        step = self.step(node, "scale")
        updated: list[Reduction] = []
        for account in result.reductions:
            if id(account) in known:
                updated.append(account)
            elif account.parent is not None and self.is_elsewhere(account):
                updated.append(account.parent)
            else:
                updated.append(self.record(placed(account, step)))
        return altered(result, reductions=tuple(updated))

    def reach(self, bound: str, values: Iterable[Value]) -> None:
        """Take down that a bound was reached, if there is a loss among the values that are given up for it."""
        if bound not in self.ledger.reached and any(map(_is_of_a_loss, tensors_in(values, MAX_DEPTH))):
            self.ledger.reached.add(bound)

    def unsure(self, values: Iterable[Value]) -> Tensor:
        """Something unknown in place of values that are not followed any further: what was counted in them is open."""
        for tensor in tensors_in(values, MAX_DEPTH):
            for account in tensor.reductions:
                self.spend()
                self.record(account.withdrawn())
        return self.computed()

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """Apply a function to values, case by case; cases that exclude each other do not meet."""
        several = [(index, value) for index, value in enumerate(values) if type(value) is Alternatives]
        if not several:
            return function(*values)
        rows: list[tuple[Path, tuple[Value, ...]]] = [(self.path, values)]
        for index, value in several:
            rows = [
                (extended(path, case.path), (*row[:index], case.value, *row[index + 1 :]))
                for path, row in rows
                for case in value.cases
                if not are_apart(path, case.path)
            ]
            if len(rows) > MAX_ROWS:
                return self._give_up(values)
        path = self.path
        cases: list[Case] = []
        self.spend(_nodes(len(rows)))
        for taken, row in rows:
            self.path = taken
            cases.append(Case(taken[len(path) :], function(*row)))
        self.path = path
        return self.joined(cases) if cases else self.computed()

    def joined(self, cases: Sequence[Case]) -> Value:
        """One value for what is one of several; of too many nothing is known."""
        self.spend(
            _nodes(sum(len(v.cases) if isinstance(v, Alternatives) else 1 for v in (c.value for c in cases)))
        )
        value = join(cases)
        return self._give_up([case.value for case in cases]) if value is TOO_MANY else value

    def as_likely(self, value: Value) -> Value:
        """What a default gives, a callable or the name of one: others may pass another."""
        if isinstance(value, Alternatives):
            return Alternatives(tuple(Case(path, self.as_likely(v)) for path, v in value.cases))
        if not isinstance(value, Tensor) or not value.reductions:
            return value
        weaker = tuple(
            self.record(altered(r, integrand=altered(r.integrand, proved=False), parent=r))
            for r in value.reductions
        )
        return altered(value, reductions=weaker)

    def usual(self, value: Value | None) -> Const | None:
        """The default of an unknown parameter."""
        atom = value.single() if isinstance(value, Tensor) else None
        if atom is None:
            return None
        given = (defaults[atom.key] for defaults in reversed(self.defaults) if atom.key in defaults)
        return next(given, self.ledger.defaults.get(atom.key))

    def one_of(self, values: Sequence[Value]) -> Value:
        """One of several values, and nothing in sight says which."""
        subject = ("one of", self.fresh())
        return self.joined(
            [Case((Decision(subject, index, True),), value) for index, value in enumerate(values)]
        )

    def _give_up(self, values: Sequence[Value]) -> Tensor:
        """Something unknown in place of more cases than are kept."""
        self.reach(bounds.VALUES, values)
        how = 2 if any(map(algebra.may_hold_a_count, tensors_in(values, MAX_DEPTH))) else 1
        return map_atoms(self.unsure(values), lambda atom: altered(atom, given_up=how))

    def sequence(self, items: Sequence[Value]) -> TupleValue | ListValue:
        """A tuple or a list of these items, told apart as long as they are not too many."""
        if len(items) <= MAX_ITEMS:
            return TupleValue(tuple(items))
        self.reach(bounds.VALUES, items)
        return ListValue(self.unsure(items))

    def element_of(self, iterable: Value) -> Value:
        """What iterating over a value gives each time."""
        if isinstance(iterable, Alternatives):
            return self.joined([Case(c.path, self.element_of(c.value)) for c in iterable.cases])
        if isinstance(iterable, ListValue):
            return iterable.element
        if isinstance(iterable, TupleValue) and iterable.items:
            return self.one_of(iterable.items)
        if isinstance(iterable, ShapeValue | SizesValue):
            return self.some_length()
        if isinstance(iterable, Tensor) and iterable.reductions:
            return self.unsure([iterable])  # row by row: what becomes of the rows is not counted
        if isinstance(iterable, Tensor) and iterable.terms:
            number = self.fresh()
            if (first := iterable.shape.axis(0)) is not None:
                self.ledger.rounds.append(first)
            return relabelled(iterable, iterable.shape.each(), number)
        return self.opaque()

    def note_labels(self, index: Value, *, each: bool = False) -> None:
        """Take down that a class was chosen by this array, clipped or masked as it may be; by `each` item, if so."""
        if isinstance(index, Tensor):
            self.ledger.labels.update(
                a.key for a in index.atoms() if a.role is Role.OPAQUE and a.kind != "arange"
            )
            if each and (atom := index.single()) is not None and atom.role is Role.OPAQUE:
                self.ledger.all_valid.add(atom.key)


def _is_of_a_loss(tensor: Tensor) -> bool:
    return bool(tensor.reductions) or recognise(tensor) is not None


def _nodes(rows: int) -> int:
    """How many nodes are read in the time that rows of values take: more than a few are compared with each other."""
    return rows // _ROWS_PER_NODE if rows <= _FEW else rows
