"""Follows calls into functions, each once for the same arguments."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from batchmean.engine import bounds
from batchmean.engine.context import MAX_DEPTH
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.paths import Path, excludes
from batchmean.engine.domain.tensors import Tensor, altered
from batchmean.engine.domain.values import (
    Alternatives,
    Case,
    ClassValue,
    Condition,
    Const,
    FunctionValue,
    Itself,
    Scope,
    TupleValue,
    Value,
)
from batchmean.engine.domain.ways import journal
from batchmean.engine.machine import effects
from batchmean.engine.machine.modules import Importing
from batchmean.engine.machine.parameters import bind_parameters
from batchmean.engine.machine.summaries import (
    given_to,
    gives_an_attribute,
    hands_on,
    identity,
    says_no_more_than_names,
    says_nothing,
    unknown_call,
)
from batchmean.engine.selection.changes import NO_CHANGES, Changes, Function
from batchmean.engine.selection.relevance import Relevance, Slice
from batchmean.nodes import DEFINITIONS

if TYPE_CHECKING:
    from batchmean.project import Project


def _yields(function: Function) -> bool:
    """Does a function yield, not one in it?"""
    inner: list[ast.AST] = list(function.body)
    while inner:
        node = inner.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, (*DEFINITIONS, ast.Lambda)):
            inner += ast.iter_child_nodes(node)
    return False


class _Followed(NamedTuple):
    """A call that was followed: another branch that makes the same one need not follow it again."""

    path: Path
    result: Value
    answered: Sequence[tuple[Condition, bool]]
    """The tests in it that were decided by what had been decided before: elsewhere they may be decided otherwise."""
    kept: tuple[list[Value], dict[str, Value]]
    """The arguments: as long as they live, no other value has their identity."""


class Following(Importing):
    """Enters the functions of one module."""

    def __init__(
        self, lines: Sequence[str] = (), relevance: Relevance | None = None, project: Project | None = None
    ) -> None:
        super().__init__(lines, project)
        self._lines = lines
        self.journal = journal()
        self.entered: set[ast.AST] = set()
        """The functions that another one called."""
        self._run_alone: set[tuple[ast.AST, Itself]] = set()
        """The functions that were run by themselves, to the end, and the identity of their receivers."""
        self._relevance = relevance
        self._relevant: Slice | None = None
        self._active: list[ast.AST] = []
        self._class_scopes: list[Scope] = []
        self._heirs: tuple[int, dict[ClassValue, list[ClassValue]]] = 0, {}
        self._ancestry: dict[ClassValue, dict[ClassValue, None]] = {}
        """The classes of the module, each with those that it inherits from."""
        self._returns: list[tuple[Path, Value]] = []
        self._returned: dict[tuple[object, ...], Value] = {}
        """Calls that know nothing of their arguments and give nothing to know: they need not be followed again."""
        self._followed: dict[tuple[object, ...], list[_Followed]] = {}

    def _block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False if the end is never reached."""
        raise NotImplementedError

    def call_function(
        self,
        function: FunctionValue,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        standalone: bool = False,
    ) -> Value:
        """Follow a call into a function of this module, and what it changes in place."""
        if not standalone and self._is_generator(function):
            return self.unsure([*args, *kwargs.values()])  # what it gives, and how often, is not followed
        if standalone or isinstance(function.node, ast.Lambda):
            return self._follow(function, args, kwargs, node, standalone)
        before = effects.before_call(self, self._changes_of(function), function)
        result = self._follow(function, args, kwargs, node, standalone)
        effects.after_call(self, self._changes_of(function), function, (args, kwargs), before)
        return result

    def classes(self) -> Sequence[ClassValue]:
        """The classes of the module."""
        return [scope.owner for scope in self._class_scopes if scope.owner is not None]

    def heirs(self, cls: ClassValue) -> Sequence[ClassValue]:
        """The classes of the module that inherit from a class, and their other bases in it."""
        if len(self._class_scopes) != self._heirs[0]:
            self._heirs = len(self._class_scopes), {}
            self._ancestry = _ancestry_of(self.classes())
        found = self._heirs[1]
        if cls not in found:
            mine = {cls, *self._ancestry.get(cls, ())}
            theirs = [(one, *line) for one, line in self._ancestry.items() if cls in line]
            found[cls] = list(dict.fromkeys(one for line in theirs for one in line if one not in mine))
        return found[cls]

    def note_changes(self, function: FunctionValue, args: list[Value], kwargs: dict[str, Value]) -> None:
        """Take down what a call changes that is not followed."""
        effects.after_call(self, self._changes_of(function), function, (args, kwargs), {})

    def _is_generator(self, function: FunctionValue) -> bool:
        relevance, node = self._relevance_of(function), function.node
        if isinstance(node, ast.Lambda) or (relevance is not None and not relevance.changes.may_yield(node)):
            return False
        return _yields(node)

    def _changes_of(self, function: FunctionValue) -> Changes:
        relevance = self._relevance_of(function)
        return relevance.changes.of(function.node) if relevance is not None else NO_CHANGES

    def _relevance_of(self, function: FunctionValue) -> Relevance | None:
        number = function.scope.file_number
        return self._relevances[number] if number else self._relevance

    def _follow(
        self,
        function: FunctionValue,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        standalone: bool,
    ) -> Value:
        if len(self._active) >= MAX_DEPTH or function.node in self._active:
            given_up = [*args, *kwargs.values()]
            if function.node not in self._active:
                self.reach(bounds.CALLS, given_up)
            return self.unsure(given_up)
        is_used = not standalone and (self._is_used(node) or hands_on(function, args, kwargs))
        by_itself = (function.node, Itself(function.receiver))
        relevant: Slice | None = None
        number = function.scope.file_number
        relevance = self._relevance_of(function)
        if relevance is not None and not isinstance(function.node, ast.Lambda):
            relevant = relevance.of(function.node, is_used)
        given = None if standalone else given_to(function, args, kwargs, relevant)
        if given is not None and not is_used and by_itself in self._run_alone:
            if says_no_more_than_names(given):
                return self.opaque()
        call = (*by_itself, is_used, bool(args or kwargs))
        memo = unknown_call(given) if given is not None and not gives_an_attribute(function.node) else None
        if memo is not None:
            memo = (*call, *memo)
            if memo in self._returned:
                return self._anew(self._returned[memo])
        same = None
        if given is not None:
            same = (*call, *((name, identity(value)) for name, value in given))
            for earlier in self._followed.get(same, ()):
                if self._is_as(earlier):
                    return earlier.result
        if not standalone:
            self.entered.add(function.node)
        outer = (self.scope, self.stack, self._returns, self.path, self._relevant)
        reports, lines, answered = self.reports, self.lines, len(self.answered)
        self.lines = () if number else self._lines
        scope = Scope(function.scope)
        rounds, self.rounds = self.rounds, []
        entered, self.entered_after = self.entered_after, len(self.path)
        self._active.append(function.node)
        self.callers.append(outer[0])
        self.defaults.append({})
        try:
            bind_parameters(self, function, args, kwargs, scope)
            self.scope, self._returns = scope, []
            if not standalone:
                self.stack = (*self.stack, node)
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body)
            self._relevant = relevant
            if self._block(function.node.body):
                self._returns.append((self.path, Const(None)))
            known = len(outer[3])
            result: Value = Const(None)
            if self._returns and not standalone:  # nobody takes what a function gives that is run by itself
                result = self.joined([Case(path[known:], value) for path, value in self._returns])
            if standalone:
                self._run_alone.add(by_itself)
            if same is not None:
                tests = self._answered_before(answered, known)
                if memo is not None and not tests and says_nothing(result):
                    self._returned[memo] = result
                self._followed.setdefault(same, []).append(_Followed(outer[3], result, tests, (args, kwargs)))
            return result
        finally:
            self._active.pop()
            self.callers.pop()
            self.defaults.pop()
            self.rounds, self.entered_after = rounds, entered
            self.scope, self.stack, self._returns, self.path, self._relevant = outer
            self.reports, self.lines = reports, lines

    def _answered_before(self, start: int, known: int) -> list[tuple[Condition, bool]]:
        """The tests from `start` on that the first `known` decisions of their paths had a part in deciding."""
        new = self.answered[start:]
        open_there = ((test, holds) for test, holds, path in new if test.answer_on(path[known:]) is None)
        return list(dict.fromkeys(open_there))

    def _is_as(self, earlier: _Followed) -> bool:
        """Does the same call here, on a way that nobody goes who went that one, decide everything as it did there?"""
        if not excludes(earlier.path, self.path):
            return False
        if any(test.answer_on(self.path) is not holds for test, holds in earlier.answered):
            return False
        self.answered += [(test, holds, self.path) for test, holds in earlier.answered]
        return True

    def _is_used(self, call: ast.AST) -> bool:
        """Does something that matters need what a call gives?"""
        return self._relevant is None or call not in self._relevant.unused

    def _anew(self, value: Value) -> Value:
        """The same for another call: what is unknown of it is not the same unknown."""
        if isinstance(value, Alternatives):
            return Alternatives(tuple(Case(path, self._anew(v)) for path, v in value.cases))
        if isinstance(value, TupleValue):
            return TupleValue(tuple(self._anew(v) for v in value.items))
        atom = value.single() if isinstance(value, Tensor) else None
        if atom is None:
            return value
        fresh = self.computed()
        return map_atoms(fresh, lambda new: altered(new, names=atom.names, kind=atom.kind))


def _ancestry_of(classes: Sequence[ClassValue]) -> dict[ClassValue, dict[ClassValue, None]]:
    """What each class inherits from, by the names of the bases, so many steps up."""
    by_name: dict[str, list[ClassValue]] = {}
    for cls in classes:
        by_name.setdefault(cls.node.name, []).append(cls)
    ancestry: dict[ClassValue, dict[ClassValue, None]] = {}
    for cls in classes:
        line = ancestry[cls] = {}
        todo = [(cls, 0)]
        while todo:
            current, depth = todo.pop()
            for base in current.node.bases if depth < MAX_DEPTH else ():
                for one in by_name.get(getattr(base, "id", getattr(base, "attr", "")), ()):
                    if one is not cls and one not in line:
                        line[one] = None
                        todo.append((one, depth + 1))
    return ancestry
