"""Walks the statements of a function over abstract values.

Branches that cannot be decided are both taken and their values kept as alternatives (a bounded number); a loop's
body is taken once; a local function is entered with the values it is called with, to a bounded depth.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeAlias, TypeVar

from batchmean.engine import bounds
from batchmean.engine.context import TooDeep
from batchmean.engine.domain.names import Branched
from batchmean.engine.domain.paths import TRUTHY, Decision, Path
from batchmean.engine.domain.tensors import Tensor, altered
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    MAX_TOLD_APART,
    Alternatives,
    Case,
    Changes,
    ClassValue,
    Const,
    FunctionValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    Scope,
    TupleValue,
    Value,
    hinted,
)
from batchmean.engine.domain.ways import taken
from batchmean.engine.evidence import comments
from batchmean.engine.ledger import Ledger
from batchmean.engine.machine import binding, conditions, effects, memory, rounds, whole_sums
from batchmean.engine.machine.calls import arguments
from batchmean.engine.machine.class_loops import add_up_classes
from batchmean.engine.machine.decorators import decorated
from batchmean.engine.machine.evaluator import MAX_NESTING
from batchmean.engine.machine.following import Following
from batchmean.engine.machine.shape_products import is_product_over_shape
from batchmean.engine.primitives.reducing import is_an_item, is_of_items
from batchmean.engine.selection.candidates import Candidates
from batchmean.engine.selection.relevance import acts, ends_path
from batchmean.engine.syntax import added_to, catches_import_errors, discarded_dividend

_AttributeChanges: TypeAlias = dict[tuple[InstanceValue | int, str], Value | None]
_End: TypeAlias = tuple[Path, tuple[Changes, _AttributeChanges]]
"""The decisions that lead to the end of a branch, and what it changed."""
K = TypeVar("K", bound=Hashable)

_NAMES_PER_NODE: Final = 32
"""How many names are copied in the time in which one node is read."""


class Interpreter(Following):
    """Runs the functions of one module."""

    def closed(self) -> Ledger:
        """The ledger, when everything has been read."""
        names = self.module.names.items()
        self.ledger.imported = {name: value.name for name, value in names if isinstance(value, ModuleValue)}
        self.ledger.imported_elsewhere = self._imported_elsewhere()
        self.ledger.work = self.work
        return self.ledger

    def let_go(self) -> None:
        """Break the cycles between scopes and what is defined in them, so that all of it is freed at once."""
        for scope in (
            self.module,
            *self._class_scopes,
            *(function.scope for function in self.ledger.defined),
        ):
            scope.names.clear()
            scope.owner = None
        self.attributes.clear()
        self.ledger.decorated.clear()
        self._heirs = 0, {}
        self.forget_modules()
        self._followed.clear()
        self._returned.clear()

    def run_module(self, body: Sequence[ast.stmt]) -> None:
        """Run the statements of the module itself."""
        self.scope, self.stack, self._returns, self.path = self.module, (), [], ()
        self._block(body)
        effects.forget_changed(self)

    def run_function(self, function: FunctionValue) -> None:
        """Run a function by itself, its parameters unknown."""
        self.scope, self.stack, self.path = self.module, (), ()
        self.call_function(function, [], {}, function.node, standalone=True)

    def run_object(self, instance: InstanceValue, wanted: Candidates) -> None:
        """Run the methods of an object that the module makes."""
        held = (value for (one, _), value in self.attributes.items() if one is instance)
        holds_a_loss = any(isinstance(value, FunctionValue) and value.node in wanted for value in held)
        for name, method in list(instance.cls.scope.names.items()):
            if not isinstance(method, FunctionValue) or name == "__init__":
                continue
            if holds_a_loss:
                self.run_decorated(method, altered(method, receiver=instance), None)
            elif method.node in wanted:
                self.run_function(altered(method, receiver=instance))
                self.entered.add(method.node)

    def run_decorated(self, function: FunctionValue, value: Value, receiver: InstanceValue | None) -> None:
        """Run what a decorator made of a function, or a closure itself, its parameters unknown."""
        spec = function.node.args
        required = len(spec.posonlyargs) + len(spec.args) - len(spec.defaults)
        args: list[Value] = [self.opaque() for _ in range(required)]
        if receiver is not None and args:
            args[0] = receiver
        names = [
            p.arg for p, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None
        ]
        kwargs: dict[str, Value] = {name: self.opaque() for name in names}
        if value is function:
            kwargs[ANY_KEYWORDS] = self.opaque()  # others may give it another argument than its default
        self.scope, self.stack, self._returns, self.path = self.module, (), [], ()
        self.call(value, args, kwargs, function.node)

    def run_apart(self, scope: Scope, body: Sequence[ast.stmt]) -> None:
        outer = (self.scope, self.stack, self._returns, self.path, self._relevant, self.lines)
        self.scope, self.stack, self._returns, self.path = scope, (), [], ()
        self._relevant, self.lines = None, ()
        try:
            self._block(body)
        finally:
            self.scope, self.stack, self._returns, self.path, self._relevant, self.lines = outer

    def _block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False if the end is never reached."""
        return all(self._statement(statement) for statement in body)

    def _statement(self, node: ast.stmt) -> bool:
        if self._relevant is not None and node not in self._relevant.statements:
            return not ends_path(node)
        self.spend()
        method = _STATEMENTS.get(type(node))
        if method is None:
            return True
        self.reports = self._only_reports(node)
        self._nesting += 1
        way = self.path
        try:
            if self._nesting > MAX_NESTING:
                raise TooDeep(bounds.NESTING)
            return method(self, node) is not False
        finally:
            taken(self.journal, way)
            self._nesting -= 1
            self.reports = False

    def _only_reports(self, node: ast.stmt) -> bool:
        """Does a statement print, log or show what it works out, and no more?"""
        if isinstance(node, ast.Expr):
            return not (isinstance(node.value, ast.Call) and acts(node.value))
        return self._relevant is not None and node in self._relevant.reports

    def _function_def(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = FunctionValue(node, self.scope, owner=self.scope.owner)
        self.ledger.defined.append(function)
        value: Value = function
        for decorator in reversed(node.decorator_list):
            value = decorated(self, value, decorator)
        if value is not function and node.decorator_list:
            self.ledger.decorated[id(function)] = value
        self.scope.names[node.name] = value

    def _class_def(self, node: ast.ClassDef) -> None:
        outer = self.scope
        scope = Scope(outer)
        value = ClassValue(node, scope)
        scope.owner = value
        self._class_scopes.append(scope)
        relevant = self._relevant
        # What is relevant to a function is asked of its own statements.
        self.scope, self._relevant = scope, None
        try:
            self._block(node.body)
        finally:
            self.scope, self._relevant = outer, relevant
        outer.names[node.name] = value

    def _return(self, node: ast.Return) -> bool:
        value = self.evaluate(node.value) if node.value else Const(None)
        self._returns.append((self.path, value))
        return False

    def _assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        if self.rounds and (added := added_to(node)) is not None:
            value = self.in_each_round(value, added[2], node)
        value = hinted(value, comments.from_comment(self.lines, node.end_lineno or 0))
        for target in node.targets:
            for name in target.elts if isinstance(target, ast.Tuple) else (target,):
                self.ledger.origins[name] = node.value
            binding.bind(self, target, value)

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            value = hinted(self.evaluate(node.value), comments.from_annotation(node.annotation))
            binding.bind(self, node.target, value)

    def _aug_assign(self, node: ast.AugAssign) -> None:
        before = self.evaluate(node.target)
        value = self.evaluate(node.value)
        if isinstance(node.op, ast.Add | ast.Sub):
            value = self.in_each_round(value, node.value, node)
        after = self.binary_values(type(node.op), before, value, node)
        cases = after.values if isinstance(after, Alternatives) else (after,)
        if any(type(case) is Tensor and is_an_item(case) for case in cases) and not is_of_items(before):
            after = self.computed()  # the items may be numbers, with no axis that is left in the total
        memory.change(self, before)
        binding.bind(self, node.target, after)

    def in_each_round(
        self, value: Value, added: ast.expr, node: ast.AST, loops: Sequence[rounds.Rounds] = ()
    ) -> Value:
        """What is added up in each round of the loops around it."""
        for number in rounds.factors(self, value, added, loops or self.rounds):
            value = self.binary_values(ast.Mult, value, number, node)
        return value

    def _if(self, node: ast.If) -> bool:
        true, false = conditions.ways_of(self, node, node.body)
        if true is None or false is None:
            self.path = self.decided(self.path, (true if false is None else false) or ())
            return self._block(node.body if false is None else node.orelse)
        return self._fork([(true, node.body), (false, node.orelse)], self._as_list(node.test))

    def _as_list(self, test: ast.expr) -> Changes:
        """`isinstance(x, list)`: in the branch where it is so, x is no array."""
        if not (
            isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance"
        ):
            return {}
        if len(test.args) != 2 or not isinstance(test.args[0], ast.Name):
            return {}
        kinds = test.args[1].elts if isinstance(test.args[1], ast.Tuple) else [test.args[1]]
        is_list = all(isinstance(kind, ast.Name) and kind.id in ("list", "tuple") for kind in kinds)
        return {test.args[0].id: ListValue(self.opaque())} if is_list else {}

    def _fork(
        self,
        branches: Sequence[tuple[Path, Sequence[ast.stmt]]],
        refined: Changes | None = None,
        captured: tuple[Value, Sequence[ast.pattern]] = (Const(None), ()),
    ) -> bool:
        """Take every branch from here and join what they leave behind.

        `refined` is what the first one knows, `captured` what the pattern of each is matched with.
        """
        path = self.path
        ends: list[_End] = []
        for index, (decided, body) in enumerate(branches):
            self._begin()
            if index == 0 and refined:
                self.scope.names.apply(refined)
            self.path = self.decided(path, decided)
            if index < len(captured[1]):
                binding.bind_pattern(self, captured[1][index], captured[0])
            falls_through = self._block(body)
            changes = self._take_back()
            if falls_through:
                ends.append((self.path, changes))
        # Where all other branches return, the rest of the function belongs to the one that does not.
        self.path = ends[0][0] if len(ends) == 1 else path
        self._settle([(end[len(path) :], changes) for end, changes in ends])
        return bool(ends)

    def _begin(self) -> None:
        """Begin a branch."""
        self.scope.names.begin()
        self.attributes.begin()

    def _take_back(self) -> tuple[Changes, _AttributeChanges]:
        """End it, with all as it was at its beginning, and what it changed."""
        return self.scope.names.take_back(), self.attributes.take_back()

    def _settle(self, ends: Sequence[_End]) -> None:
        """The names and the attributes of objects after several branches: where they differ, one of several values."""
        self._settle_in(self.scope.names, [(path, changes) for path, (changes, _) in ends])
        self._settle_in(self.attributes, [(path, changes) for path, (_, changes) in ends])

    def _settle_in(
        self, names: Branched[K, Value], ends: Sequence[tuple[Path, dict[K, Value | None]]]
    ) -> None:
        if len(ends) == 1:
            return names.apply(ends[0][1])
        changed = dict.fromkeys(name for _, changes in ends for name in changes)
        self.spend(len(changed) // _NAMES_PER_NODE)
        for name in changed:
            before = names.get(name)
            values = [(path, changes.get(name, before)) for path, changes in ends]
            cases = [Case(path, value) for path, value in values if value is not None]
            if not cases:
                names.drop(name)
            elif all(case.value is cases[0].value for case in cases):
                names[name] = cases[0].value
            else:
                names[name] = self.joined(cases)
        return None

    def _either_way(self, node: ast.stmt, body: Sequence[ast.stmt]) -> bool:
        """Statements that are run, or not: nothing in sight says which."""
        decision = Decision((node, self.stack), TRUTHY, True, node)
        return self._fork([((decision,), body), ((decision.negated(),), [])])

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        relevant = None if self._relevant is None else self._relevant.statements
        if isinstance(node, ast.For) and whole_sums.add_up(self, node, relevant):
            return True
        if isinstance(node, ast.For) and add_up_classes(self, node, relevant):
            return True
        iterable = self.evaluate(node.iter)
        if is_product_over_shape(self, node, iterable):
            return True
        if isinstance(iterable, TupleValue) and len(iterable.items) <= MAX_TOLD_APART:
            for item in iterable.items:
                binding.bind(self, node.target, item)
                self._round(node, ())
            return self._block(node.orelse)
        binding.bind(self, node.target, self.element_of(iterable))
        before = rounds.counters(self)
        self.rounds.append(rounds.of_loop(self, node, node.iter, iterable))
        self._round(node, (Decision((node, self.stack), TRUTHY, True, node),))
        self.rounds.pop()
        rounds.forget_counters(self, before)
        return self._block(node.orelse)

    def _round(self, node: ast.For | ast.AsyncFor, decided: Path) -> None:
        """A round of a loop. That there is none is not assumed: `for axis in axes: loss = loss.sum(axis)`."""
        path = self.path
        self._fork([(decided, node.body)])
        self.path = path

    def _while(self, node: ast.While) -> bool:
        self.evaluate(node.test)
        before = rounds.counters(self)
        self.rounds.append(rounds.of_while(self, node))
        self._either_way(node, node.body)
        self.rounds.pop()
        rounds.forget_counters(self, before)
        return self._block(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                binding.bind(self, item.optional_vars, value)
        return self._block(node.body)

    def _try(self, node: ast.Try) -> bool:
        path = self.path
        is_of_imports = all(catches_import_errors(handler) for handler in node.handlers)
        self.path = path if is_of_imports else self.decided(path, self._outcome(node, 0))
        self._begin()
        falls_through = self._block([*node.body, *node.orelse])
        changes = self._take_back()
        if is_of_imports:
            # The first import that can be had is the one that people mean.
            for handler in node.handlers:
                self._block(handler.body)
            self._settle([(path, changes)])
            return self._block(node.finalbody) and falls_through
        ends = [(self._outcome(node, 0), changes)] if falls_through else []
        for index, handler in enumerate(node.handlers, start=1):
            self._begin()
            self.path = self.decided(path, self._outcome(node, index))
            falls_through = self._block(handler.body)
            changes = self._take_back()
            if falls_through:
                ends.append((self._outcome(node, index), changes))
        self.path = path
        self._settle(ends)
        return self._block(node.finalbody) and bool(ends)

    def _outcome(self, node: ast.stmt, index: int) -> Path:
        return (Decision((node, self.stack), index, True, node),)

    def _match(self, node: ast.Match) -> bool:
        subject = self.evaluate(node.subject)
        bodies = [*(case.body for case in node.cases), []]
        ways = [(self._outcome(node, index), body) for index, body in enumerate(bodies)]
        return self._fork(ways, captured=(subject, [case.pattern for case in node.cases]))

    def _expression_statement(self, node: ast.Expr) -> None:
        value = self.evaluate(node.value)
        if isinstance(node.value, ast.Call):
            self._note_elsewhere(node.value)
        # At the end of a notebook's cell a value is shown: only what stands deeper is thrown away for sure.
        is_inside = bool(self._active or self.path)
        if not is_inside or discarded_dividend(node.value) is None:
            return
        self.ledger.discarded.append((node.value, value))
        # What nothing takes divides nothing: the account ends with what was divided.
        thrown_away = {id(account) for account in value.reductions} if isinstance(value, Tensor) else set()
        if thrown_away:
            self.ledger.accounts[:] = [
                account for account in self.ledger.accounts if id(account) not in thrown_away
            ]

    def _note_elsewhere(self, node: ast.Call) -> None:
        """What a function of another module changes in place, if it is followed for no other reason."""
        callee = self.scope.find(node.func.id) if isinstance(node.func, ast.Name) else None
        own = self.imported(callee.name, always=True) if isinstance(callee, ModuleValue) else None
        if isinstance(own, FunctionValue):
            self.note_changes(own, *arguments(self, node))

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope.names.drop(target.id)

    def _ends_path(self, node: ast.stmt) -> bool:
        return False


_STATEMENTS: Final[dict[type[ast.stmt], Callable[..., bool | None]]] = {
    ast.FunctionDef: Interpreter._function_def,
    ast.AsyncFunctionDef: Interpreter._function_def,
    ast.ClassDef: Interpreter._class_def,
    ast.Return: Interpreter._return,
    ast.Assign: Interpreter._assign,
    ast.AnnAssign: Interpreter._ann_assign,
    ast.AugAssign: Interpreter._aug_assign,
    ast.If: Interpreter._if,
    ast.For: Interpreter._for,
    ast.AsyncFor: Interpreter._for,
    ast.While: Interpreter._while,
    ast.With: Interpreter._with,
    ast.AsyncWith: Interpreter._with,
    ast.Try: Interpreter._try,
    ast.Match: Interpreter._match,
    ast.Import: Interpreter._import,
    ast.ImportFrom: Interpreter._import_from,
    ast.Expr: Interpreter._expression_statement,
    ast.Delete: Interpreter._delete,
    ast.Raise: Interpreter._ends_path,
    ast.Continue: Interpreter._ends_path,
    ast.Break: Interpreter._ends_path,
}
if hasattr(ast, "TryStar"):
    _STATEMENTS[ast.TryStar] = Interpreter._try
