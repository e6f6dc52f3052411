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
    about: int = field(init=False, repr=False)
    """The hash of the subject: subjects may be large, and are compared often."""
    key: int = field(init=False, repr=False)
    """The hash of it all."""

    def __post_init__(self) -> None:
        self.about = hash(self.subject)
        self.key = hash((self.about, self.answer, self.holds))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Decision) or self.key != other.key or self.holds != other.holds:
            return False
        return self.answer == other.answer and self.subject == other.subject

    def __hash__(self) -> int:
        return self.key

    def negated(self) -> Decision:
        return Decision(self.subject, self.answer, not self.holds, self.node)

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
            return (self.holds and mine <= theirs) or (other.holds and theirs <= mine)
        return _contradicts_truth(self, other) or _contradicts_truth(other, self)


def _listed(answer: Hashable) -> frozenset[Hashable]:
    """The answers of which it has one: those of `how in ("sum", "batchmean")`."""
    return answer if isinstance(answer, frozenset) else frozenset((answer,))


def _contradicts_truth(truth: Decision, equal: Decision) -> bool:
    """`x` is true beside `x is None`; it is not beside `x == "sum"`."""
    if truth.answer != TRUTHY or not equal.holds or not isinstance(equal.answer, Answer):
        return False
    return truth.holds != bool(equal.answer.value)


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
        """Those that say which answer a subject has: they are few, however many say which it has not."""
        found: dict[int, list[Decision]] = {}
        for decision in self:
            if decision.holds:
                found.setdefault(decision.about, []).append(decision)
        return found

    @cached_property
    def by_key(self) -> Mapping[int, Sequence[Decision]]:
        found: dict[int, list[Decision]] = {}
        for decision in self:
            found.setdefault(decision.key, []).append(decision)
        return found


def _excluding(decision: Decision, path: Path) -> Sequence[Decision]:
    """What of a path may exclude a decision: two answers that a subject has not do not."""
    if type(path) is not _Long:
        return path
    return (path.by_subject if decision.holds else path.holding).get(decision.about, ())


def excludes(one: Path, other: Path) -> bool:
    """Are these two ways that nobody can go both?"""
    if not one or not other:
        return False
    if len(one) > len(other):
        one, other = other, one
    for a in one:
        for b in _excluding(a, other):
            if a.about == b.about and (a.holds or b.holds) and a.excludes(b):
                return True
    return False


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
