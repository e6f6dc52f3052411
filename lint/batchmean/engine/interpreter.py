"""Walks the statements of a function over abstract values.

Branches that cannot be decided are both taken and their values kept as alternatives (a bounded number); a loop's
body is taken once; a local function is entered with the values it is called with, to a bounded depth.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from batchmean import operations
from batchmean.engine import algebra, calls, hints
from batchmean.engine.discarded import discarded_division, is_division
from batchmean.engine.evaluator import MAX_DEPTH, MAX_NESTING, Evaluator, TooDeep
from batchmean.engine.imports import is_followed, relevance_of
from batchmean.engine.masks import is_loss_name, is_mask_name
from batchmean.engine.names import is_log_name
from batchmean.engine.paths import TRUTHY, Decision, Path, excludes
from batchmean.engine.relevance import Relevance, Slice, acts, ends_path
from batchmean.engine.scopes import Changes, Scope
from batchmean.engine.values import (
    MAX_TOLD_APART,
    Alternatives,
    BuiltinValue,
    Case,
    ClassValue,
    Condition,
    Const,
    DictValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    ShapeValue,
    Tensor,
    TupleValue,
    Value,
    altered,
    hinted,
    is_unknown,
)
from batchmean.functions import absolute
from batchmean.project import full_name

_NAMES_PER_NODE: Final = 32
"""How many names are copied in the time in which one node is read."""


class _Followed(NamedTuple):
    """A call that was followed: another branch that makes the same one need not follow it again."""

    path: Path
    result: Value
    kept: tuple[list[Value], dict[str, Value]]
    """The arguments: as long as they live, no other value has their identity."""


if TYPE_CHECKING:
    from batchmean.project import Module, Project

MAX_MODULES: Final = 12
"""So many modules of a project are read for one file."""
_DEFINING: Final = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign,
    ast.If, ast.Try,
)  # fmt: skip


class Interpreter(Evaluator):
    """Runs the functions of one module."""

    def __init__(
        self, lines: Sequence[str] = (), relevance: Relevance | None = None, project: Project | None = None
    ) -> None:
        super().__init__(lines)
        self._lines = lines
        self._project = project
        self._files = [project.path] if project is not None else []
        """The modules that are read, by the number that names imported in them carry."""
        self._imported: dict[str, Value | None] = {}
        self._foreign: dict[str, Scope] = {}
        self._relevances: dict[int, Relevance] = {}
        """Of the modules of the project that are read, by their numbers."""
        self.entered: set[ast.AST] = set()
        """The functions that another one called."""
        self._run_alone: set[tuple[ast.AST, int]] = set()
        """The functions that were run by themselves, to the end, and the identity of their receivers."""
        self._relevance = relevance
        self._relevant: Slice | None = None
        self._active: list[ast.AST] = []
        self._class_scopes: list[Scope] = []
        self._returns: list[tuple[Path, Value]] = []
        self._returned: dict[tuple[object, ...], Value] = {}
        """Calls that know nothing of their arguments and give nothing to know: they need not be followed again."""
        self._followed: dict[tuple[object, ...], list[_Followed]] = {}

    def let_go(self) -> None:
        """Break the cycles between scopes and what is defined in them, so that all of it is freed at once."""
        for scope in (self.module, *self._class_scopes, *(function.scope for function in self.defined)):
            scope.names.clear()
            scope.owner = None
        for instance in self.instances:
            instance.attributes.clear()
        for scope in self._foreign.values():
            scope.names.clear()
        self._imported.clear()
        self._followed.clear()
        self._returned.clear()

    def run_module(self, body: Sequence[ast.stmt]) -> None:
        """Run the statements of the module itself."""
        self._scope, self._stack, self._returns, self._path = self.module, (), [], ()
        self._block(body)

    def run_function(self, function: FunctionValue) -> None:
        """Run a function by itself, its parameters unknown."""
        self._scope, self._stack, self._path = self.module, (), ()
        self.call_function(function, [], {}, function.node, standalone=True)

    def _block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False if the end is never reached."""
        return all(self._statement(statement) for statement in body)

    def _statement(self, node: ast.stmt) -> bool:
        if self._relevant is not None and node not in self._relevant.statements:
            return not ends_path(node)
        self._spend()
        method = _STATEMENTS.get(type(node))
        if method is None:
            return True
        self._reports = self._only_reports(node)
        self._nesting += 1
        try:
            if self._nesting > MAX_NESTING:
                raise TooDeep
            return method(self, node) is not False
        finally:
            self._nesting -= 1
            self._reports = False

    def _only_reports(self, node: ast.stmt) -> bool:
        """Does a statement print, log or show what it works out, and no more?"""
        if isinstance(node, ast.Expr):
            return not (isinstance(node.value, ast.Call) and acts(node.value))
        return self._relevant is not None and node in self._relevant.reports

    def _function_def(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        function = FunctionValue(node, self._scope, owner=self._scope.owner)
        self.defined.append(function)
        value: Value = function
        for decorator in reversed(node.decorator_list):
            value = self._decorated(value, decorator)
        self._scope.names[node.name] = value

    def _decorated(self, value: Value, decorator: ast.expr) -> Value:
        applied = self.evaluate(decorator)
        if isinstance(applied, FunctionValue | BuiltinValue | ModuleValue):
            result = self.call(applied, [value], {}, decorator)
            if isinstance(result, FunctionValue | BuiltinValue):
                return result
            if isinstance(applied, FunctionValue):
                return self.opaque()
        return value

    def _class_def(self, node: ast.ClassDef) -> None:
        outer = self._scope
        scope = Scope(outer)
        value = ClassValue(node, scope)
        scope.owner = value
        self._class_scopes.append(scope)
        relevant = self._relevant
        self._scope, self._relevant = (
            scope,
            None,
        )  # what is relevant to a function is asked of its own statements
        try:
            self._block(node.body)
        finally:
            self._scope, self._relevant = outer, relevant
        outer.names[node.name] = value

    def _return(self, node: ast.Return) -> bool:
        value = self.evaluate(node.value) if node.value else Const(None)
        self._returns.append((self._path, value))
        return False

    def _assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        value = hinted(value, hints.from_comment(self.lines, node.end_lineno or 0))
        for target in node.targets:
            for name in target.elts if isinstance(target, ast.Tuple) else (target,):
                self.origins[name] = node.value
            self._bind(target, value)

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            value = hinted(self.evaluate(node.value), hints.from_annotation(node.annotation))
            self._bind(node.target, value)

    def _aug_assign(self, node: ast.AugAssign) -> None:
        before = self.evaluate(node.target)
        after = self._binary_values(type(node.op), before, self.evaluate(node.value), node)
        self._bind(node.target, after)

    def _if(self, node: ast.If) -> bool:
        true, false = self.ways_of(node, node.body)
        if true is None or false is None:
            self._path = self._decided(self._path, (true if false is None else false) or ())
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
        self, branches: Sequence[tuple[Path, Sequence[ast.stmt]]], refined: Changes | None = None
    ) -> bool:
        """Take every branch from here and join what they leave behind; `refined` is what the first one knows."""
        names, path = self._scope.names, self._path
        ends: list[tuple[Path, Changes]] = []
        for index, (decided, body) in enumerate(branches):
            names.begin()
            if index == 0 and refined:
                names.apply(refined)
            self._path = self._decided(path, decided)
            falls_through = self._block(body)
            changes = names.take_back()
            if falls_through:
                ends.append((self._path, changes))
        # Where all other branches return, the rest of the function belongs to the one that does not.
        self._path = ends[0][0] if len(ends) == 1 else path
        self._settle([(end[len(path) :], changes) for end, changes in ends])
        return bool(ends)

    def _settle(self, ends: Sequence[tuple[Path, Changes]]) -> None:
        """The names after several branches: where they differ, one of several values."""
        names = self._scope.names
        if len(ends) == 1:
            return names.apply(ends[0][1])
        changed = dict.fromkeys(name for _, changes in ends for name in changes)
        self._spend(len(changed) // _NAMES_PER_NODE)
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
        decision = Decision((node, self._stack), TRUTHY, True, node)
        return self._fork([((decision,), body), ((decision.negated(),), [])])

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        iterable = self.evaluate(node.iter)
        if self._is_product_over_shape(node, iterable):
            return True
        if isinstance(iterable, TupleValue) and len(iterable.items) <= MAX_TOLD_APART:
            for item in iterable.items:
                self._bind(node.target, item)
                self._either_way(node, node.body)
            return self._block(node.orelse)
        self._bind(node.target, self.element_of(iterable))
        self._either_way(node, node.body)
        return self._block(node.orelse)

    def _is_product_over_shape(self, node: ast.For | ast.AsyncFor, iterable: Value) -> bool:
        """`for d in x.shape: n *= d` is a count."""
        body = node.body[0] if len(node.body) == 1 else None
        if not isinstance(node.target, ast.Name) or not isinstance(body, ast.AugAssign | ast.Assign):
            return False
        target: ast.expr | None = None
        operator: ast.operator | None = None
        operand: ast.expr | None = None
        if isinstance(body, ast.AugAssign):
            target, operator, operand = body.target, body.op, body.value
        elif isinstance(body, ast.Assign) and isinstance(body.value, ast.BinOp) and len(body.targets) == 1:
            target, operator = body.targets[0], body.value.op
            sides = [body.value.left, body.value.right]
            name = target.id if isinstance(target, ast.Name) else ""
            rest = [s for s in sides if not (isinstance(s, ast.Name) and s.id == name)]
            operand = rest[0] if len(rest) == 1 else None
        if not (isinstance(target, ast.Name) and isinstance(operator, ast.Mult)) or operand is None:
            return False
        whole = self._shape_looped_over(operand, node, iterable)
        if whole is None:
            return False
        before = self.as_tensor(self._scope.find(target.id) or Const(1))
        self._scope.names[target.id] = algebra.multiply(before, self.count_of(whole))
        return True

    def _shape_looped_over(
        self, operand: ast.expr, node: ast.For | ast.AsyncFor, iterable: Value
    ) -> ShapeValue | None:
        """The shape whose sizes `operand` runs through: the loop's variable, `x.shape[i]` or `x.size(i)`."""
        variable = node.target.id if isinstance(node.target, ast.Name) else ""
        while isinstance(operand, ast.Call) and isinstance(operand.func, ast.Name) and len(operand.args) == 1:
            operand = operand.args[0]
        if isinstance(operand, ast.Name) and operand.id == variable:
            return iterable if isinstance(iterable, ShapeValue) else None
        base: ast.expr | None = None
        if isinstance(operand, ast.Subscript) and isinstance(operand.slice, ast.Name):
            base = operand.value if operand.slice.id == variable else None
        elif (
            isinstance(operand, ast.Call)
            and isinstance(operand.func, ast.Attribute)
            and len(operand.args) == 1
        ):
            index = operand.args[0]
            if operand.func.attr == "size" and isinstance(index, ast.Name) and index.id == variable:
                return ShapeValue(self.as_tensor(self.evaluate(operand.func.value)).shape)
        shape = self.evaluate(base) if base is not None else None
        is_range = isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", "") == "range"
        return shape if isinstance(shape, ShapeValue) and is_range else None

    def _while(self, node: ast.While) -> bool:
        self.evaluate(node.test)
        self._either_way(node, node.body)
        return self._block(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, value)
        return self._block(node.body)

    def _try(self, node: ast.Try) -> bool:
        names, path = self._scope.names, self._path
        names.begin()
        falls_through = self._block([*node.body, *node.orelse])
        changes = names.take_back()
        if all(_catches_import_errors(handler) for handler in node.handlers):
            # The first import that can be had is the one that people mean.
            for handler in node.handlers:
                self._block(handler.body)
            names.apply(changes)
            return self._block(node.finalbody) and falls_through
        ends = [(self._outcome(node, 0), changes)] if falls_through else []
        for index, handler in enumerate(node.handlers, start=1):
            names.begin()
            self._path = self._decided(path, self._outcome(node, index))
            falls_through = self._block(handler.body)
            changes = names.take_back()
            if falls_through:
                ends.append((self._outcome(node, index), changes))
        self._path = path
        self._settle(ends)
        return self._block(node.finalbody) and bool(ends)

    def _outcome(self, node: ast.stmt, index: int) -> Path:
        return (Decision((node, self._stack), index, True, node),)

    def _match(self, node: ast.Match) -> bool:
        self.evaluate(node.subject)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                name = getattr(part, "name", None)
                if isinstance(name, str):
                    self._scope.names[name] = self.opaque((name,))
        bodies = [*(case.body for case in node.cases), []]
        return self._fork([(self._outcome(node, index), body) for index, body in enumerate(bodies)])

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._scope.names[alias.asname] = ModuleValue(alias.name)
            else:
                first = alias.name.partition(".")[0]
                self._scope.names[first] = ModuleValue(first)

    @property
    def follows_imports(self) -> bool:
        """Are other modules of the project read?"""
        return self._project is not None

    def imported(self, name: str) -> Value | None:
        """What a dotted name stands for in another module of the project; None where that is not known."""
        if self._project is None:
            return None
        if name not in self._imported:
            self._imported[name] = None  # modules that import each other
            self._imported[name] = self._found(name)
        return self._imported[name]

    def _found(self, name: str) -> Value | None:
        number, dotted = _numbered(name)
        found = self._project.find(dotted, self._files[number]) if self._project is not None else None
        if found is None or not found[1] or len(self._files) > MAX_MODULES:
            return None
        module, (first, *rest) = found
        scope = self._foreign_scope(module)
        value = scope.names.get(first)
        if isinstance(value, FunctionValue | ClassValue) and not is_followed(module, first):
            return None
        if value is None:
            value = self._starred(scope, first)
        for attribute in rest:
            if isinstance(value, ModuleValue):
                value = ModuleValue(f"{value.name}.{attribute}")
            else:
                value = value.scope.names.get(attribute) if isinstance(value, ClassValue) else None
        if isinstance(value, ModuleValue) and operations.function(value.name) is None:
            return self.imported(value.name)
        return value

    @property
    def imported_elsewhere(self) -> dict[str, str]:
        """The names of frameworks in the modules that were read."""
        names = (item for scope in self._foreign.values() for item in scope.names.items())
        return {name: value.name for name, value in names if isinstance(value, ModuleValue)}

    def _foreign_scope(self, module: Module) -> Scope:
        """The names of another module, whose definitions, imports and assignments are read."""
        if module.path in self._foreign:
            return self._foreign[module.path]
        scope = self._foreign[module.path] = Scope(number=len(self._files))
        self._relevances[scope.number] = relevance_of(module)
        self._files.append(module.path)
        outer = (self._scope, self._stack, self._returns, self._path, self._relevant, self.lines)
        defined, recorded = len(self.defined), len(self.ledger)
        self._scope, self._stack, self._returns, self._path = scope, (), [], ()
        self._relevant, self.lines = None, ()
        try:
            self._block([s for s in module.tree.body if isinstance(s, _DEFINING)])
        finally:
            self._scope, self._stack, self._returns, self._path, self._relevant, self.lines = outer
            del self.defined[defined:]  # they are judged where they stand
            del self.ledger[recorded:]
        return scope

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        number = self._scope.file_number
        if node.level:
            module = absolute(module, self._files[number] if number else None)
        if number and module.startswith("."):
            module = f".@{number}{module}"
        for alias in node.names:
            if alias.name == "*":
                self._scope.add_star(module)
            else:
                full = full_name(module, alias.name)
                value = Const(None) if operations.is_new_axis(full) else ModuleValue(full)
                self._scope.names[alias.asname or alias.name] = value

    def _expression_statement(self, node: ast.Expr) -> None:
        value = self.evaluate(node.value)
        # At the end of a notebook's cell a value is shown: only what stands deeper is thrown away for sure.
        is_inside = bool(self._active or self._path)
        if not is_inside or not is_division(node.value):
            return
        discarded = discarded_division(node.value, value)
        if discarded is not None:
            self.miscounts.append(discarded)
        # What nothing takes divides nothing: the account ends with what was divided.
        thrown_away = {id(account) for account in value.reductions} if isinstance(value, Tensor) else set()
        if thrown_away:
            self.ledger[:] = [account for account in self.ledger if id(account) not in thrown_away]

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._scope.names.drop(target.id)

    def _ends_path(self, node: ast.stmt) -> bool:
        return False

    def call_function(
        self,
        function: FunctionValue,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        standalone: bool = False,
    ) -> Value:
        """Follow a call into a function of this module."""
        if len(self._active) >= MAX_DEPTH or function.node in self._active:
            return self.unsure([*args, *kwargs.values()])
        is_used = not standalone and (self._is_used(node) or _hands_on(function, args, kwargs))
        by_itself = (function.node, id(function.receiver))
        relevant: Slice | None = None
        number = function.scope.file_number
        relevance = self._relevances[number] if number else self._relevance
        if relevance is not None and not isinstance(function.node, ast.Lambda):
            relevant = relevance.of(function.node, is_used)
        given = None if standalone else _given(function, args, kwargs, relevant)
        if given is not None and not is_used and by_itself in self._run_alone:
            if _says_no_more_than_names(given):
                return self.opaque()
        call = (*by_itself, is_used, bool(args or kwargs))
        memo = _unknown_call(given) if given is not None else None
        if memo is not None:
            memo = (*call, *memo)
            if memo in self._returned:
                return self._anew(self._returned[memo])
        same = None
        if given is not None:
            same = (*call, *((name, _identity(value)) for name, value in given))
            for earlier in self._followed.get(same, ()):
                if excludes(earlier.path, self._path):
                    return earlier.result
        if not standalone:
            self.entered.add(function.node)
        outer = (self._scope, self._stack, self._returns, self._path, self._relevant)
        reports, lines = self._reports, self.lines
        self.lines = () if number else self._lines
        scope = Scope(function.scope)
        calls.bind_parameters(self, function, args, kwargs, scope)
        self._scope, self._returns = scope, []
        if not standalone:
            self._stack = (*self._stack, node)
        self._active.append(function.node)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body)
            self._relevant = relevant
            if self._block(function.node.body):
                self._returns.append((self._path, Const(None)))
            known = len(outer[3])
            result: Value = Const(None)
            if self._returns and not standalone:  # nobody takes what a function gives that is run by itself
                result = self.joined([Case(path[known:], value) for path, value in self._returns])
            if memo is not None and _says_nothing(result):
                self._returned[memo] = result
            if standalone:
                self._run_alone.add(by_itself)
            if same is not None:
                self._followed.setdefault(same, []).append(_Followed(outer[3], result, (args, kwargs)))
            return result
        finally:
            self._active.pop()
            self._scope, self._stack, self._returns, self._path, self._relevant = outer
            self._reports, self.lines = reports, lines

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
        return algebra.map_atoms(fresh, lambda new: altered(new, names=atom.names, kind=atom.kind))


def _numbered(name: str) -> tuple[int, str]:
    """The number of the module in which a name was imported, and the name as that says it."""
    if not name.startswith(".@"):
        return 0, name
    digits = name[2:].partition(".")[0]
    return int(digits), name[2 + len(digits) :]


def _hands_on(function: FunctionValue, args: list[Value], kwargs: dict[str, Value]) -> bool:
    """Can a loss that the function reduces come from its caller or from around it?"""
    return not (_sees_only_its_arguments(function) and all(map(_is_no_loss, (*args, *kwargs.values()))))


def _given(
    function: FunctionValue, args: list[Value], kwargs: dict[str, Value], relevant: Slice | None
) -> list[tuple[str, Value]] | None:
    """The arguments that matter to a function, under its own names; None for closures, which see more than them."""
    if not _sees_only_its_arguments(function):
        return None
    spec = function.node.args
    names = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)][function.receiver is not None :]
    more = spec.vararg.arg if spec.vararg is not None else ""
    names += [more] * (len(args) - len(names))
    given = [*zip(names, args, strict=False), *kwargs.items()]
    return given if relevant is None else [pair for pair in given if pair[0] in relevant.loads]


def _says_no_more_than_names(given: Sequence[tuple[str, Value]]) -> bool:
    """Are the arguments as unknown as the parameters of a function that is run by itself?"""
    for name, value in given:
        if isinstance(value, Const) and (value.value is None or isinstance(value.value, bool)):
            continue
        atom = value.single() if isinstance(value, Tensor) and is_unknown(value) else None
        if atom is None or atom.kind or atom.hint or atom.names not in ((), (name,)):
            return False
    return True


def _is_no_loss(value: Value) -> bool:
    if isinstance(value, ListValue):
        return _is_no_loss(value.element)
    if isinstance(value, DictValue):
        return all(_is_no_loss(item) for _, item in value.items)
    if isinstance(value, TupleValue | Alternatives):
        return all(map(_is_no_loss, value.items if isinstance(value, TupleValue) else value.values))
    atom = value.single() if isinstance(value, Tensor) else None
    if atom is not None and (is_log_name(atom.names) or is_loss_name(atom.names) or is_mask_name(atom.names)):
        return False
    return isinstance(value, InstanceValue) or _says_nothing(value)


def _identity(value: Value) -> object:
    if isinstance(value, Const) and not isinstance(value.value, slice):
        return type(value.value), value.value
    return id(value)


def _sees_only_its_arguments(function: FunctionValue) -> bool:
    """Is it a function of the module or of a class, no lambda and no closure?"""
    return not isinstance(function.node, ast.Lambda) and (
        function.scope.parent is None or function.owner is not None
    )


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(isinstance(n, ast.Name) and n.id in ("ImportError", "ModuleNotFoundError") for n in names)


def _says_nothing(value: Value) -> bool:
    """Can no finding come of it?"""
    if isinstance(value, Alternatives | TupleValue):
        return all(
            _says_nothing(v) for v in (value.values if isinstance(value, Alternatives) else value.items)
        )
    return isinstance(value, Const | Condition) or (isinstance(value, Tensor) and is_unknown(value))


def _unknown_call(given: Sequence[tuple[str, Value]]) -> tuple[object, ...] | None:
    """A key for arguments that are literals or unknown; None where they say more."""
    key: list[object] = []
    for name, value in given:
        if isinstance(value, Const) and not isinstance(value.value, slice):
            key.append((name, type(value.value), value.value))
        elif isinstance(value, Tensor) and is_unknown(value):
            key.append((name, tuple(atom.names for atom in value.atoms())))
        else:
            return None
    return tuple(key)


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
