"""Branch decisions: which of the ways through a function a value belongs to.

A path is a conjunction of decisions, and a decision says that a *subject* has an *answer*, or has it not: that the
value `mask` is None, that `how` is "sum" or one of several strings, that a test is true. The subject is what was
tested, not where: two tests of the same value are one decision, wherever they stand, and two answers of one subject
exclude each other.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

TRUTHY: Final = "is true"
"""The answer of a subject that is tested for its truth."""


class Answer(NamedTuple):
    """A literal that a subject may be equal to; 1 and True are two answers."""

    kind: type
    value: Hashable

    @staticmethod
    def of(value: object) -> Answer | None:
        """The answer that a literal is; None where it is nothing to be compared with."""
        return (
            Answer(type(value), value)
            if value is None or isinstance(value, str | bool | int | float)
            else None
        )


@dataclass(eq=False, slots=True)
class Decision:
    """The subject has the answer, or (not `holds`) it has not. Nobody assigns to its fields."""

    subject: Hashable
    answer: Hashable
    holds: bool
    node: ast.AST | None = None
    """Where it was made first; two that are made at different places may be equal."""
    default: Answer | None = None
    """What the subject is if nobody says anything, where the code shows it."""
    about: int = field(init=False, repr=False)
    """The hash of the subject: subjects may be large, and are compared often."""
    key: int = field(init=False, repr=False)
    """The hash of it all."""
    lists: bool = field(init=False, repr=False)
    """Does it say that the subject has one of several answers?"""
    leaves: bool = field(init=False, repr=False)
    """Does it say that another way than this one was chosen?"""
    says_much: bool = field(init=False, repr=False)
    """Does it leave one answer, of all or of two? What else a subject is not, excludes nothing by itself."""

    def __post_init__(self) -> None:
        self.about = hash(self.subject)
        self.key = hash((self.about, self.answer, self.holds))
        self.lists = self.holds and isinstance(self.answer, frozenset)
        self.leaves = (not self.holds and _is_choice(self.answer)) or (self.holds and self.answer == TRUTHY)
        self.says_much = self.holds or _is_one_of_two(self.answer)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Decision) or self.key != other.key or self.holds != other.holds:
            return False
        return self.answer == other.answer and self.subject == other.subject

    def __hash__(self) -> int:
        return self.key

    def negated(self) -> Decision:
        return Decision(self.subject, self.answer, not self.holds, self.node, self.default)

    def excludes(self, other: Decision) -> bool:
        """Can the two not hold together?"""
        if self is other or self.about != other.about or self.subject != other.subject:
            return False
        if self.answer == other.answer:
            return self.holds != other.holds
        if TRUTHY not in (self.answer, other.answer):
            mine, theirs = _listed(self.answer), _listed(other.answer)
            if self.holds and other.holds:
                return mine.isdisjoint(theirs)
            if not self.holds and not other.holds:
                return _is_flag(self.answer) and _is_flag(other.answer)
            return (self.holds and mine <= theirs) or (other.holds and theirs <= mine)
        return _contradicts_truth(self, other) or _contradicts_truth(other, self)


def _listed(answer: Hashable) -> frozenset[Hashable]:
    """The answers of which it has one: those of `how in ("sum", "batchmean")`."""
    return answer if isinstance(answer, frozenset) else frozenset((answer,))


def _is_flag(answer: Hashable) -> bool:
    return isinstance(answer, Answer) and answer.kind is bool


def _is_one_of_two(answer: Hashable) -> bool:
    """Is it true, True, False or 0?"""
    return answer == TRUTHY or (isinstance(answer, Answer) and (answer.kind is bool or answer.value == 0))


def _contradicts_truth(truth: Decision, equal: Decision) -> bool:
    """`x` is true beside `x is None`; it is not beside `x == "sum"`."""
    if truth.answer != TRUTHY or not isinstance(equal.answer, Answer):
        return False
    value = equal.answer.value
    if equal.holds:
        return truth.holds != bool(value)
    # What is asked whether it is 0, or True, is a number or a flag, and no list that may be empty.
    return _is_one_of_two(equal.answer) and truth.holds == bool(value)


Path: TypeAlias = tuple[Decision, ...]

MAX_DECISIONS: Final = 128
"""How many decisions are made on the way to one place."""
_SHORT: Final = 8


class _Long(tuple[Decision, ...]):
    """A path that finds what it says of a subject without looking at all of it."""

    @cached_property
    def by_subject(self) -> Mapping[int, Sequence[Decision]]:
        found: dict[int, list[Decision]] = {}
        for decision in self:
            found.setdefault(decision.about, []).append(decision)
        return found

    @cached_property
    def holding(self) -> Mapping[int, Sequence[Decision]]:
        """Those that leave a subject one answer: they are few, however many say which it has not."""
        found: dict[int, list[Decision]] = {}
        for decision in self:
            if decision.says_much:
                found.setdefault(decision.about, []).append(decision)
        return found

    @cached_property
    def by_key(self) -> Mapping[int, Sequence[Decision]]:
        found: dict[int, list[Decision]] = {}
        for decision in self:
            found.setdefault(decision.key, []).append(decision)
        return found

    @cached_property
    def lists(self) -> Sequence[Decision]:
        return [decision for decision in self if decision.lists]

    @cached_property
    def choices(self) -> Mapping[int, Decision]:
        return _choices(self)


def _excluding(decision: Decision, path: Path) -> Sequence[Decision]:
    """What of a path may exclude a decision: two answers that a subject has not do not."""
    if type(path) is not _Long:
        return path
    return (path.by_subject if decision.says_much else path.holding).get(decision.about, ())


def excludes(one: Path, other: Path) -> bool:
    """Are these two ways that nobody can go both?"""
    if not one or not other:
        return False
    if len(one) > len(other):
        one, other = other, one
    for a in one:
        for b in _excluding(a, other):
            if a.about == b.about and (a.says_much or b.says_much) and a.excludes(b):
                return True
    lists = other.lists if type(other) is _Long else other
    for decisions, path in ((one, other), (lists, one)):
        for decision in decisions:
            if decision.lists and _has_none_of(decision, path):
                return True
    return False


def _has_none_of(a: Decision, other: Path) -> bool:
    """Has its subject none of the answers of which it says that it has one?"""
    path = other.by_subject.get(a.about, ()) if type(other) is _Long else other
    denied = [
        _listed(b.answer) for b in path if not b.holds and b.about == a.about and b.subject == a.subject
    ]
    return bool(denied) and _listed(a.answer) <= frozenset().union(*denied)


def are_apart(one: Path, other: Path) -> bool:
    """Do they exclude each other, or would a subject need an answer that no code names?

    `if how == "mean": ... else: ...` and then `if how == "sum": ... else: ...`: nobody goes to `else` in both.
    """
    if not one or not other:
        return False
    if excludes(one, other):
        return True
    mine = one.choices if type(one) is _Long else _choices(one)
    if not mine:
        return False
    theirs = other.choices if type(other) is _Long else _choices(other)
    return any(_are_two_choices(mine[about], other) for about, other in theirs.items() if about in mine)


def _are_two_choices(a: Decision, b: Decision) -> bool:
    """Has one subject neither of two answers, of which nobody names a third?"""
    if a.subject != b.subject:
        return False
    both, theirs = _left(a) | _left(b), _left(b)
    kinds = {one.kind for one in both if isinstance(one, Answer)}
    return not both <= theirs and len(kinds) == 1 and (b.default is None or b.default in both)


def _left(decision: Decision) -> frozenset[Hashable]:
    """The answers that it says its subject has not: what is true is no 0."""
    return _ZERO if decision.answer == TRUTHY else _listed(decision.answer)


_ZERO: Final[frozenset[Hashable]] = frozenset((Answer(int, 0),))
_NO_CHOICES: Final[Mapping[int, Decision]] = {}


def _choices(path: Path) -> Mapping[int, Decision]:
    """The one answer that a subject is known not to have, for each of which this is all that is known."""
    for decision in path:
        if decision.leaves:
            break
    else:
        return _NO_CHOICES
    found: dict[int, Decision] = {}
    others: set[int] = set()
    for decision in path:
        if decision.about in found or not decision.leaves:
            others.add(decision.about)
        else:
            found[decision.about] = decision
    return {about: decision for about, decision in found.items() if about not in others}


def _is_choice(answer: Hashable) -> bool:
    """Is it a word, a number or a member of an Enum, by which one of a few ways is chosen?"""
    return all(isinstance(one, Answer) and one.kind in (str, int, ast.Attribute) for one in _listed(answer))


def implies(path: Path, decision: Decision) -> bool:
    """Does a decision hold wherever the path does?"""
    return excludes(path, (decision.negated(),))


def extended(path: Path, more: Sequence[Decision]) -> Path:
    """The path with further decisions, each once."""
    if not more:
        return path
    if not path:
        return tuple(dict.fromkeys(more))
    new = [
        d
        for d in dict.fromkeys(more)
        if d not in (path.by_key.get(d.key, ()) if type(path) is _Long else path)
    ]
    if not new:
        return path
    longer = (*path, *new)
    return longer if len(longer) < _SHORT else _Long(longer)


def united(decisions: Sequence[Decision | None]) -> Path:
    """One of the answers of all of these, if they are about one subject."""
    first = decisions[0]
    answers: set[Hashable] = set()
    for one in decisions:
        if (
            one is None
            or first is None
            or not one.holds
            or one.answer == TRUTHY
            or one.subject != first.subject
        ):
            return ()
        answers |= _listed(one.answer)
    return (Decision(first.subject, frozenset(answers), True, first.node, first.default),) if first else ()


def common(paths: Sequence[Path]) -> Path:
    """What holds on every one of the paths."""
    first, *others = paths
    rest = [frozenset(path) if len(path) > _SHORT else path for path in others]
    return tuple(d for d in first if all(d in path for path in rest))


def beyond(path: Path, known: Path) -> Path:
    """The decisions of a path that are not known already."""
    if path[: len(known)] == known:
        return path[len(known) :]
    return tuple(d for d in path if d not in known)
