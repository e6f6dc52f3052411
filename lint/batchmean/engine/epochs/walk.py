"""Walks the functions of a module, callers first, and what their loops add up."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from batchmean import operations
from batchmean.engine import bounds
from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.classes import Classes
from batchmean.engine.epochs.joining import joined, on_one_way, scaled_alike
from batchmean.engine.epochs.names import Names
from batchmean.engine.epochs.rounds import IGNORED, MAX_DEPTH, about_named
from batchmean.engine.epochs.spelling import last_name, path_of, paths_in, says_more
from batchmean.engine.epochs.syntax import (
    given_back,
    is_automatic,
    is_mapped,
    is_of_some_rounds,
    is_trainer,
    own_statements,
    reset_names,
    reset_together,
    stored_around,
)
from batchmean.engine.epochs.training import collated, has_language_model, leaving_out, negatives, trained_in
from batchmean.engine.epochs.values import (
    Batch,
    Class,
    Criterion,
    Figure,
    Figures,
    Function,
    Instance,
    Loop,
    Module,
    Number,
    OneOf,
    Several,
    Table,
    Unknown,
    Value,
    key_of,
)
from batchmean.engine.epochs.wanted import GIVEN, Wanted
from batchmean.engine.evidence.names import is_plain_loss_name
from batchmean.engine.syntax import is_decorated
from batchmean.nodes import FUNCTIONS
from batchmean.project import MAX_MODULES, Project, full_name, is_foreign
from batchmean.project import Module as ProjectModule

_DEFINING: Final = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
)
_MAX_HOPS: Final = 3
"""Over so many modules a name is imported again."""


class Walk(Classes):
    """Runs the module, then its functions: those that nothing here calls first, then those that were not reached."""

    def __init__(self, tree: ast.Module, wanted: Wanted, project: Project | None = None) -> None:
        super().__init__()
        self._project = project
        self._file = ""
        """The module of the project that is being read; empty for the file itself."""
        self.reached: set[str] = set()
        """The bounds of the work that were reached, as `bounds` names them."""
        self._foreign: dict[str, Names] = {}
        self._wanted = wanted
        self._tree = tree
        self._defined: list[Function] = []
        self._entered: set[ast.AST] = set()
        self._active: list[ast.AST] = []
        self._returns: list[Value] = []

    def run(self) -> None:
        """Walk everything."""
        self._block(self._tree.body)
        module = self.names
        called = self._wanted.called
        for is_root in (True, False):
            position = 0
            while position < len(self._defined):
                function = self._defined[position]
                position += 1
                node = function.node
                if (
                    node not in self._wanted
                    or node in self._entered
                    or isinstance(node, ast.Lambda)
                    or (is_root and node.name in called)
                ):
                    continue
                self.names, self.loops = module, ()
                if node in self._wanted.steps:
                    self._step(function)
                elif isinstance(function.receiver, Instance):
                    self.follow(altered(function, receiver=self.any_of(function.receiver.cls)), [], {})
                else:
                    self.follow(function, [], {})

        self._run_elsewhere()

    def _run_elsewhere(self) -> None:
        """Walk the steps of trainers that other modules define, where an object of their class is made here."""
        for cls, call in tuple(self.made_here.items()) if self._wanted.trains else ():
            line = [one.node for one in self.line_of(cls)]
            name = "training_step" if cls in self.fitted and is_automatic(line) else ""
            name = "compute_loss" if any(map(is_trainer, line)) else name
            function = self.method_of(Instance(cls), name) if name else None
            if function is not None:
                self.elsewhere[function.node] = call
                self._step(function)

    def _step(self, function: Function) -> None:
        """Walk a function that is called with each batch, by a trainer or on each device."""
        node = function.node
        assert not isinstance(node, ast.Lambda)
        loop = Loop(node, has_batches=None)
        self.loops = (loop,)
        spec = node.args
        given = {
            parameter.arg: Batch(loop, "item", about=about_named(parameter.arg))
            for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)
            if GIVEN.search(parameter.arg)
        }
        self.follow(function, [], given)
        self.loops = ()

    def _is_step(self, function: ast.AST) -> bool:
        return function in self._wanted.steps or function in self.elsewhere

    def _loss_of(self, value: ast.expr | None) -> None:
        """What a step returns to its trainer: the loss, first of a tuple, or under its name."""
        for node in given_back(value):
            found = self.evaluate(node)
            if isinstance(found, Figure):
                self.given.setdefault(self._active[-1], []).append((node, found))

    @cached_property
    def ignored(self) -> frozenset[float]:
        return frozenset(negatives(self._tree))

    @cached_property
    def gives_token_means(self) -> bool:
        return IGNORED in self.ignored | collated(self._tree) and has_language_model(self._tree)

    @cached_property
    def leaving_out(self) -> frozenset[str]:
        return frozenset(leaving_out(self._tree))

    @cached_property
    def trained(self) -> frozenset[str]:
        return frozenset(trained_in(self._tree)) if self._wanted.trains else frozenset()

    def follow(self, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
        node = function.node
        is_known = isinstance(node, ast.Lambda) or self._wanted.may_give(node) or is_foreign(node)
        if is_known and len(self._active) >= MAX_DEPTH and node not in self._active:
            self.reached.add(bounds.CALLS)
            is_known = False
        holder = self.own_object(function)
        if not is_known or node in self._active:
            self.forget_changes(function, holder)
            return self._unknown_result(args, kwargs)
        self.spend()
        self._entered.add(node)
        outer, returns, yielded = self.names, self._returns, self.yielded
        sometimes, asked, self.yielded = self.sometimes, self.asked, []
        self.names, self._returns = self.names_within(function.names), []
        self._active.append(node)
        try:
            self._bind_parameters(function, args, kwargs)
            self.hand_over(outer, self.names, holder)
            if isinstance(node, ast.Lambda):
                return self.evaluate(node.body)
            self._block(node.body)
            if self.yielded:
                given = [*args, *kwargs.values()]
                keys = [key for value in given if (key := key_of(value))]
                cut = self.cut_by_generator()
                return altered(self.unknown(of=[*keys, *cut], by=node.name), cuts=bool(cut))
            result: Value | None = None
            for value in self._returns:
                result = value if result is None else joined(result, value, self.unknown)
            return result if result is not None else self.unknown()
        finally:
            self._active.pop()
            inner, self.names, self._returns, self.yielded = self.names, outer, returns, yielded
            self.sometimes, self.asked = sometimes, asked
            self.hand_over(inner, outer, holder)
            for name in stored_around(node):
                if (stored := inner.get(name)) is not None:
                    function.names[name] = stored

    def _bind_parameters(
        self, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> None:
        spec = function.node.args
        given: list[Value] = list(args)
        if function.receiver is not None and (spec.posonlyargs or spec.args):
            given.insert(0, function.receiver)
        positional = [*spec.posonlyargs, *spec.args]
        for index, parameter in enumerate([*positional, *spec.kwonlyargs]):
            value: Value | None = kwargs.get(parameter.arg)
            if index < min(len(given), len(positional)):
                value = given[index]
            if value is None or isinstance(value, Number):
                value = self.unknown(parameter.arg) if value is None else value
            if isinstance(value, Unknown) and (not value.name or says_more(parameter.arg, value.name)):
                value = altered(value, name=parameter.arg)
            if isinstance(value, Batch) and not value.about:
                value = altered(value, about=about_named(parameter.arg))
            if isinstance(value, Figure) and value.given_by is None:
                value = altered(value, given_by=self.call)
            self.names[parameter.arg] = value

    def imported(self, value: Value) -> Value:
        if not isinstance(value, Module) or not value.name or self._project is None:
            return value
        module: Module = value
        if operations.function(module.name) is not None:
            return module
        for _ in range(_MAX_HOPS):
            found = self._project.find(module.name, module.importer or self._project.path)
            if found is None or len(found[1]) != 1:
                return module
            if len(self._foreign) >= MAX_MODULES and found[0].path not in self._foreign:
                self.reached.add(bounds.MODULES)
                return module
            there = self._names_of(found[0]).get(found[1][0])
            if not isinstance(there, Module):
                if isinstance(there, Function | Class | Criterion | Instance | OneOf | Table):
                    return there
                return module
            module = there
        return module

    def _names_of(self, module: ProjectModule) -> Names:
        """The names of another module of the project, whose definitions, imports and assignments are read."""
        if module.path in self._foreign:
            return self._foreign[module.path]
        names = self._foreign[module.path] = self.names_within(None)
        outer = (self.names, self.loops, self._file, self._returns, len(self._defined))
        classes = len(self.classes)
        self.names, self.loops, self._file = names, (), module.path
        try:
            self._block([node for node in module.tree.body if isinstance(node, _DEFINING)])
        finally:
            self.names, self.loops, self._file, self._returns, defined = outer
            del self._defined[defined:]  # they are judged where they stand
            del self.classes[classes:]
        return names

    def _block(self, body: Sequence[ast.stmt]) -> bool:
        """Walk statements; False if the end is not reached."""
        return all(self._statement(statement) for statement in body)

    def _statement(self, node: ast.stmt) -> bool:
        self.spend()
        self.statement = node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                function = Function(node, self.names)
                self._defined.append(function)
                # What is mapped is called with one example.
                mapped = any(is_mapped(decorator) for decorator in node.decorator_list)
                self.names[node.name] = self.unknown(node.name) if mapped else function
            case ast.ClassDef():
                self._class(node)
            case ast.Import():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self.names[name] = Module(alias.name if alias.asname else name, self._file)
            case ast.ImportFrom():
                module = "." * node.level + (node.module or "")
                for alias in node.names:
                    self.names[alias.asname or alias.name] = Module(full_name(module, alias.name), self._file)
            case ast.Assign():
                self._assign(node)
            case ast.AnnAssign():
                if node.value is not None:
                    self.bind(node.target, self.evaluate(node.value))
            case ast.AugAssign():
                self._augmented(node)
            case ast.Return():
                if self._active and self._is_step(self._active[-1]):
                    self._loss_of(node.value)
                self._returns.append(self.evaluate(node.value))
                return False
            case ast.Raise() | ast.Continue() | ast.Break():
                return False
            case ast.If():
                return self._if(node)
            case ast.For() | ast.AsyncFor():
                self._for(node)
            case ast.While():
                self.evaluate(node.test)
                self._loop(Loop(node), node.body)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.evaluate(item.context_expr)
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, value)
                return self._block(node.body)
            case ast.Try():
                falls = self._block([*node.body, *node.orelse])
                names = self.names
                names.begin()
                for handler in node.handlers:
                    self._block(handler.body)
                names.take_back()
                return self._block(node.finalbody) and falls
            case ast.Expr():
                self._expression(node)
        return True

    def _class(self, node: ast.ClassDef) -> None:
        cls = Class(node, self.names)
        self.names[node.name] = cls
        self.classes.append(cls)
        for method in node.body:
            if isinstance(method, FUNCTIONS):
                instance = None if is_decorated(method, "staticmethod") else Instance(cls)
                self._defined.append(Function(method, self.names, instance))

    def _assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        path, added = path_of(target), node.value
        if path and isinstance(added, ast.BinOp) and isinstance(added.op, ast.Add) and len(node.targets) == 1:
            for one, other in ((added.left, added.right), (added.right, added.left)):
                if path_of(one) == path:
                    value = self.added_up(path, self.evaluate(one), self.evaluate(other), added)
                    self._store(path, value)
                    return
        value = self._given_first(node) or self.evaluate(node.value)
        for target in node.targets:
            drawn = self.drawn(value, target, node.value)
            self.bind(target, self.given_by_model(drawn, target, node.value))

    def _given_first(self, node: ast.Assign) -> Value | None:
        """`loss = outputs[0]`, of what an unknown function made of a batch, where the loss is trained on."""
        match node.value:
            case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=0)) as first:
                name = last_name(node.targets[0])
                base = self.evaluate(first.value)
                if isinstance(base, Batch) and base.form == "made" and is_plain_loss_name(name):
                    found = self.given_loss(base, name)
                    return found if isinstance(found, Figure) else None
        return None

    def _store(self, path: str, value: Value) -> None:
        self.names[path] = value

    def _augmented(self, node: ast.AugAssign) -> None:
        path = self.path(node.target)
        before, value = self.evaluate(node.target), self.evaluate(node.value)
        if not path:
            return
        match node.op:
            case ast.Add() if (
                isinstance(before, Figures) and isinstance(value, Several) and len(value.items) == 1
            ):
                self._store(path, self.listed(before, value.items[0], node))  # losses += [loss]
            case ast.Add():
                self._store(path, self.added_up(path, before, value, node))
            case ast.Div():
                quotient = self.over(before, value, node)
                if isinstance(quotient, Figure) and quotient.divided and not quotient.shown:
                    if path in self.trained:  # by what the code does not show: of a sum it would be right
                        quotient = self.withdraw(quotient)
                self.bind(node.target, quotient)
            case ast.Mult():
                self.bind(node.target, self.times(before, value))
            case _:
                self.bind(node.target, self.withdraw(before))

    def _if(self, node: ast.If) -> bool:
        self.evaluate(node.test)
        sometimes, asked, names = self.sometimes, self.asked, self.names
        self.sometimes |= is_of_some_rounds(node.test)
        self.asked |= paths_in(node.test)
        names.begin()
        true = self._block(node.body)
        changes = names.take_back()
        if not true:
            return self._block(node.orelse)  # and what follows is under the condition, too
        names.begin()
        false = self._block(node.orelse)
        others = names.take_back()
        if not false:
            names.apply(changes)
            return True
        self.sometimes, self.asked = sometimes, asked
        for name in {**changes, **others}:
            before = names.get(name)
            one, other = changes.get(name, before), others.get(name, before)
            if one is not other:
                one, other = scaled_alike(node.test, one, other)
                if name in changes and name in others:
                    one, other = on_one_way(node.test, one, other)
                names[name] = joined(one, other, self.unknown)
            else:
                names.apply({name: one})
        return True

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        if rounds := self.rounds_of(node.iter, node.body):
            for _, item in rounds:
                self.bind(node.target, item)
                self._block(node.body)
            self._block(node.orelse)
            return
        before = self.loops
        loop = self.enter(node, node.target, self.evaluate(node.iter))
        self.loops = before
        self._loop(loop, node.body)
        self._block(node.orelse)

    def _loop(self, loop: Loop, body: Sequence[ast.stmt]) -> None:
        loop.breaks = any(isinstance(node, ast.Break) for node in own_statements(body))
        loop.resets = frozenset(reset_names(body))
        for names in reset_together(body) if loop.resets else ():
            window = altered(loop, of=loop, rounds=set(), examples={}, name="", breaks=False)
            loop.windows.update(dict.fromkeys(names, window))
        sometimes, asked = self.sometimes, self.asked
        self.loops, self.sometimes = (*self.loops, loop), False
        self._block(body)
        self.loops, self.sometimes, self.asked = self.loops[:-1], sometimes, asked
        loop.windows.clear()  # each names its loop: no tree is to be left to the collector

    def _expression(self, node: ast.Expr) -> None:
        self.evaluate(node.value)
        call = node.value
        if isinstance(call, ast.Call):
            self.reduced_in_place(call)


__all__ = ["Figures", "Walk"]
