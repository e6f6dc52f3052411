"""In which order the functions of a module are run: callers first, so that a helper is seen with what it is given."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from batchmean.engine import bounds
from batchmean.engine.context import OutOfWork, TooDeep
from batchmean.engine.domain.tensors import Reduction, Role, Tensor, altered
from batchmean.engine.domain.values import ClassValue, FunctionValue, InstanceValue
from batchmean.engine.factors import may_be_right
from batchmean.engine.ledger import Ledger
from batchmean.engine.machine.attributes import find_method
from batchmean.engine.machine.decorators import functions_in, scope_around
from batchmean.engine.machine.heirs import gives_another, own_names
from batchmean.engine.machine.interpreter import Interpreter
from batchmean.engine.machine.objects import blank_instance
from batchmean.engine.machine.summaries import sees_only_its_arguments
from batchmean.engine.selection.candidates import Candidates, Function
from batchmean.engine.selection.relevance import Relevance
from batchmean.engine.syntax import is_decorated

MAX_HEIRS: Final = 8
"""With so many heirs of its class a method is run that they finish."""


class Agenda:
    """What of a module is run, and what of it has been."""

    def __init__(self, interpreter: Interpreter, wanted: Candidates, relevance: Relevance) -> None:
        self._interpreter = interpreter
        self._ledger = interpreter.ledger
        self._wanted = wanted
        self._relevance = relevance
        self._instances: dict[ast.ClassDef, InstanceValue] = {}
        """One object of each class, whose methods are run."""
        self._done: set[int] = set()
        """The identities of the functions that were run; all that are defined live as long as the ledger."""
        self._wrapping: dict[int, bool] = {}
        """Whether a scope holds a function that is wanted, by the identity of the scope."""
        self._defined: dict[ast.AST, list[FunctionValue]] = {}
        self._placed = 0
        """So many of the ledger's functions are in `_defined`."""
        self._callers: dict[str, list[ast.AST]] = {}
        for caller, names in wanted.calls.items():
            for name in names:
                self._callers.setdefault(name, []).append(caller)

    def run(self, tree: ast.Module) -> None:
        """Run a module, and by themselves the functions that are wanted and that nothing in it calls.

        Raises:
            OutOfWork: there is too much to read.
        """
        with _all_or_nothing(self._interpreter):
            self._interpreter.run_module(tree.body)
        self._run_objects()
        self._run_all(self._is_root)
        self._run_all(lambda f: self._is_decorated(f) and self._is_wanted(f))
        self._run_all(lambda f: self._is_closure(f) and not self._is_called(f))
        self._run_all(lambda f: self._is_wanted(f) and not (self._is_extended(f) or self._is_awaited(f)))
        self._run_all(lambda f: self._is_wanted(f) and not self._is_extended(f))
        self._run_all(self._is_wanted)
        self._run_all(self._is_closure)
        self._run_inherited()
        self._run_by_themselves()

    def _run_objects(self) -> None:
        for value in list(self._interpreter.module.names.values()):
            if isinstance(value, InstanceValue):
                with _all_or_nothing(self._interpreter):
                    self._interpreter.run_object(value, self._wanted)

    def _run_all(self, is_due: Callable[[FunctionValue], bool]) -> None:
        """Run all that are due and that nobody has entered; running one may define others."""
        position = 0
        while position < len(self._ledger.defined):
            function = self._ledger.defined[position]
            position += 1
            is_new = id(function) not in self._done and function.node not in self._interpreter.entered
            if is_new and is_due(function):
                self._run(function)

    def _run(self, function: FunctionValue) -> None:
        self._done.add(id(function))
        decorated = self._ledger.decorated.get(id(function))
        if isinstance(decorated, Tensor) or (
            decorated is not None and function.node in self._interpreter.entered
        ):
            return  # nobody else calls it as it stands
        with _all_or_nothing(self._interpreter):
            owner = function.owner
            if owner is not None and not is_decorated(function.node, "staticmethod"):
                instance = self._instance_of(owner)
                if owner.scope.names.get("__init__") is function:
                    return  # it has made the instance
                function = altered(function, receiver=instance)
            if decorated is None and self._is_closure(function) and not isinstance(function.node, ast.Lambda):
                decorated = function
            if isinstance(decorated, FunctionValue | InstanceValue):
                receiver = function.receiver if isinstance(function.receiver, InstanceValue) else None
                self._interpreter.run_decorated(function, decorated, receiver)
            else:
                self._interpreter.run_function(function)

    def _run_inherited(self) -> None:
        """Run what a base leaves to its heirs: `__call__` that reduces what a method of theirs gives."""
        for function in list(self._ledger.defined):
            owner, node = function.owner, function.node
            if owner is None or isinstance(node, ast.Lambda) or node not in self._wanted:
                continue
            if is_decorated(node, "staticmethod"):
                continue
            for heir in self._finishing(owner, self._wanted.calls[node]):
                if find_method(self._interpreter, heir, node.name) is function:
                    with _all_or_nothing(self._interpreter):
                        self._interpreter.run_function(altered(function, receiver=self._instance_of(heir)))

    def _finishing(self, owner: ClassValue, called: Set[str]) -> list[ClassValue]:
        """The heirs of a class with a method of their own that is called, and that gives a loss or reduces it."""
        names = called & (self._wanted.takers | self._wanted.reducers)
        heirs = self._interpreter.heirs(owner) if names else ()
        return list(islice((heir for heir in heirs if not names.isdisjoint(own_names(heir.node))), MAX_HEIRS))

    def _instance_of(self, owner: ClassValue) -> InstanceValue:
        if owner.node not in self._instances:
            self._instances[owner.node] = blank_instance(self._interpreter, owner)
        return self._instances[owner.node]

    def _run_by_themselves(self) -> None:
        """Run what was entered with what its callers give, for those who are not shown and give something else.

        What a function shows by itself holds although a caller, with concrete values say, shows less.
        """
        ledger = self._ledger
        known, first, added = frozenset(ledger.seen), len(ledger.accounts), len(ledger.additions)
        put_right: dict[ast.AST, set[ast.AST]] = {}
        for reduction in filter(may_be_right, ledger.final()):
            for step in reduction.steps:
                put_right.setdefault(step.node, set()).add(reduction.steps[-1].node)
        for function in self._with_more_to_show(known):
            self._run(function)
        # An account that goes leaves none of those that it goes on from: these are no end of anything.
        lasting = {
            id(account)
            for last in Ledger(ledger.accounts[first:]).final()
            if _holds_by_itself(last, known, put_right, ledger.mapped)
            for account in last.line()
        }
        gone = {id(r) for r in ledger.accounts[first:]} - lasting
        ledger.accounts[first:] = [r for r in ledger.accounts[first:] if id(r) in lasting]
        ledger.additions[added:] = [
            addition
            for addition in ledger.additions[added:]
            if all(id(r) not in gone for side in addition.sides for r in side)
        ]

    def _with_more_to_show(self, known: frozenset[ast.AST]) -> list[FunctionValue]:
        """The functions that were entered and have branches that no caller here asks for, or reduce by themselves."""
        wanted, ledger = self._wanted, self._ledger
        named: list[tuple[FunctionValue, Function]] = []
        for function in ledger.defined:
            node = function.node
            is_left = id(function) not in self._done and node in self._interpreter.entered
            if is_left and not isinstance(node, ast.Lambda):
                named.append((function, node))
        unseen = {node.name for _, node in named if not known.issuperset(self._relevance.reducing(node))}
        return [
            function
            for function, node in named
            if node in wanted
            and (
                node.name in unseen
                or (node.name in wanted.names and sees_only_its_arguments(function))
                or wanted.calls[node] & unseen
            )
        ]

    def _is_wanted(self, function: FunctionValue) -> bool:
        return function.node in self._wanted and not isinstance(function.node, ast.Lambda)

    def _is_decorated(self, function: FunctionValue) -> bool:
        return id(function) in self._ledger.decorated

    def _is_called(self, function: FunctionValue) -> bool:
        """Is it called, or handed on, by its name?"""
        name = getattr(function.node, "name", "")
        return (name in self._wanted.called and name != "forward") or function.node in self._ledger.handed

    def _is_root(self, function: FunctionValue) -> bool:
        return self._is_wanted(function) and not (
            self._is_called(function) or self._is_decorated(function) or self._is_extended(function)
        )

    def _is_extended(self, function: FunctionValue) -> bool:
        """Is it a method that heirs finish in their own way?"""
        owner, name = function.owner, getattr(function.node, "name", "")
        return owner is not None and gives_another(self._interpreter, owner, name)

    def _is_awaited(self, function: FunctionValue) -> bool:
        """Is it called, or handed on, by another one that is still to be run?"""
        for one in self._ledger.defined[self._placed :]:
            self._defined.setdefault(one.node, []).append(one)
        self._placed = len(self._ledger.defined)
        callers = self._callers.get(getattr(function.node, "name", ""), ())
        return any(
            node is not function.node
            and node not in self._interpreter.entered
            and any(id(one) not in self._done for one in self._defined.get(node, ()))
            for node in callers
        )

    def _is_closure(self, function: FunctionValue) -> bool:
        """Is it a lambda, or a function that another one makes around a loss that it was given?"""
        if isinstance(function.node, ast.Lambda):
            return True
        scope = scope_around(function)
        if (
            scope is not None and id(scope) not in self._wrapping
        ):  # it has all its names: what makes them has ended
            self._wrapping[id(scope)] = any(one.node in self._wanted for one in functions_in(scope))
        return scope is not None and self._wrapping[id(scope)]


@contextmanager
def _all_or_nothing(interpreter: Interpreter) -> Iterator[None]:
    """Forget what was entered by work that does not come to its end: the last statement may put a loss right."""
    ledger = interpreter.ledger
    logs: tuple[list[Any], ...] = (ledger.accounts, ledger.discarded, ledger.exponentials, ledger.additions)
    before = [len(log) for log in logs]
    try:
        yield
    except (OutOfWork, TooDeep, RecursionError) as error:
        for log, length in zip(logs, before, strict=True):
            del log[length:]
        interpreter.attributes.end_all()
        if isinstance(error, OutOfWork):
            raise
        ledger.reached.add(error.bound if isinstance(error, TooDeep) else bounds.NESTING)


def _holds_by_itself(
    reduction: Reduction,
    known: Set[ast.AST],
    put_right: Mapping[ast.AST, Set[ast.AST]],
    mapped: Set[ast.AST],
) -> bool:
    """Does what a function shows without its callers stay, whatever these show?

    What is proved is so for every argument but one that it is multiplied by itself, which may be the class count:
    else only what a caller does afterwards puts it right. `put_right` has the last steps of the right accounts that go
    through a node; of what is `mapped` over a batch the callers know more: it is called with one example.
    """
    nodes = {step.node for step in reduction.steps}
    if not reduction.integrand.proved or not nodes.isdisjoint(mapped):
        return nodes.isdisjoint(known)
    if any(power > 0 and atom.role is Role.OPAQUE and not atom.kind for atom, power in reduction.scale):
        return nodes.isdisjoint(put_right)
    return all(put_right.get(node, set()) <= nodes for node in nodes)
