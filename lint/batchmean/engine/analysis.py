"""From a module to the reductions that the rules judge."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from batchmean.engine import bounds
from batchmean.engine.context import OutOfWork, TooDeep
from batchmean.engine.domain.keys import own_keys
from batchmean.engine.domain.tensors import Reduction, Tensor, altered
from batchmean.engine.domain.values import FunctionValue, InstanceValue
from batchmean.engine.events import Miscount
from batchmean.engine.factors import may_be_right
from batchmean.engine.ledger import Ledger
from batchmean.engine.machine.decorators import functions_in, scope_around
from batchmean.engine.machine.heirs import gives_another
from batchmean.engine.machine.interpreter import Interpreter
from batchmean.engine.machine.objects import blank_instance
from batchmean.engine.selection.candidates import Candidates
from batchmean.engine.selection.imports import names_of
from batchmean.engine.selection.relevance import Relevance
from batchmean.engine.shown_only import divided_for_show
from batchmean.functions import told
from batchmean.gate import adds_up, divides_what_is_shown
from batchmean.memory import without_collection
from batchmean.project import Project

T = TypeVar("T")


def analyse(
    tree: ast.Module,
    lines: Sequence[str],
    judge: Callable[[Ledger], T],
    on_bound: Callable[[str], None] = lambda bound: None,
    project: Project | None = None,
) -> T:
    """What `judge` makes of the ledger of a module. Its values can be compared until it returns, and no longer.

    `on_bound` is told of each bound that is reached, as `bounds` names them; the modules of `project` are read where
    the module calls into them.
    """

    def totals() -> list[Miscount]:
        marked = told().marked_lines(lines)
        if not adds_up("\n".join(marked)):
            return []
        from batchmean.engine.epochs.totals import epochs  # a quarter of the engine, which few files need

        return list(epochs(tree, marked, on_bound, project))

    def judged(ledger: Ledger) -> T:
        ledger.find_totals = totals
        if divides_what_is_shown("\n".join(lines)):
            ledger.divided_for_show += divided_for_show(tree)
        if project is not None and project.has_left_out:
            ledger.reached.add(bounds.MODULES)
        for bound in ledger.reached:
            on_bound(bound)
        return judge(ledger)

    return _asked(tree, lines, judged, project=project)


def accounts(tree: ast.Module, lines: Sequence[str]) -> list[Reduction]:
    """Every reduction of an integrand in its final state, the right ones too: what a fix is checked against."""
    return _asked(tree, lines, Ledger.final, thorough=True)


def work(tree: ast.Module, lines: Sequence[str]) -> int:
    """How many statements and expressions an analysis reads: its cost, whatever else the machine does."""
    return _asked(tree, lines, lambda ledger: ledger.work)


def _asked(
    tree: ast.Module,
    lines: Sequence[str],
    ask: Callable[[Ledger], T],
    thorough: bool = False,
    project: Project | None = None,
) -> T:
    """What is asked of the module's ledger, which is gone before the collector is let loose again."""

    def answer() -> T:
        interpreter = _interpreted(tree, lines, thorough, project)
        given = ask(interpreter.closed())
        interpreter.let_go()
        return given

    with own_keys(), without_collection():
        return answer()


def _interpreted(
    tree: ast.Module, lines: Sequence[str], thorough: bool = False, project: Project | None = None
) -> Interpreter:
    imported = partial(names_of, project=project) if project is not None or told() else None
    candidates = Candidates(tree, told().marked_lines(lines), thorough, imported)
    relevance = Relevance(candidates)
    interpreter = Interpreter(lines, relevance, project)
    if candidates.is_empty:
        return interpreter
    try:
        _run(interpreter, tree, candidates, relevance)
    except OutOfWork:
        interpreter.ledger.reached.add(bounds.NODES)
    return interpreter


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


def _run(interpreter: Interpreter, tree: ast.Module, wanted: Candidates, relevance: Relevance) -> None:
    ledger = interpreter.ledger
    with _all_or_nothing(interpreter):
        interpreter.run_module(tree.body)
    instances: dict[ast.ClassDef, InstanceValue] = {}
    done: set[int] = set()
    wrapping: dict[int, bool] = {}
    defined: dict[ast.AST, list[FunctionValue]] = {}
    placed = 0
    callers: dict[str, list[ast.AST]] = {}
    for caller, names in wanted.calls.items():
        for name in names:
            callers.setdefault(name, []).append(caller)

    def run(function: FunctionValue) -> None:
        done.add(id(function))
        owner = function.owner
        decorated = ledger.decorated.get(id(function))
        if isinstance(decorated, Tensor) or (decorated is not None and function.node in interpreter.entered):
            return  # nobody else calls it as it stands
        with _all_or_nothing(interpreter):
            if owner is not None and not _is_static(function.node):
                instance = instances.get(owner.node)
                if instance is None:
                    instance = blank_instance(interpreter, owner)
                    instances[owner.node] = instance
                if owner.scope.names.get("__init__") is function:
                    return  # it has made the instance
                function = altered(function, receiver=instance)
            if decorated is None and is_closure(function) and not isinstance(function.node, ast.Lambda):
                decorated = function
            if isinstance(decorated, FunctionValue | InstanceValue):
                receiver = function.receiver
                interpreter.run_decorated(
                    function, decorated, receiver if isinstance(receiver, InstanceValue) else None
                )
            else:
                interpreter.run_function(function)

    def run_all(is_due: Callable[[FunctionValue], bool]) -> None:
        position = 0
        while position < len(ledger.defined):
            function = ledger.defined[position]
            position += 1
            node = function.node
            if id(function) not in done and node not in interpreter.entered and is_due(function):
                run(function)

    def is_wanted(function: FunctionValue) -> bool:
        return function.node in wanted and not isinstance(function.node, ast.Lambda)

    def is_called(function: FunctionValue) -> bool:
        """Is it called, or handed on, by its name?"""
        name = getattr(function.node, "name", "")
        return (name in wanted.called and name != "forward") or function.node in ledger.handed

    def is_root(function: FunctionValue) -> bool:
        is_made_another = id(function) in ledger.decorated
        return is_wanted(function) and not (is_called(function) or is_made_another or is_extended(function))

    def is_extended(function: FunctionValue) -> bool:
        owner, name = function.owner, getattr(function.node, "name", "")
        return owner is not None and gives_another(interpreter, owner, name)

    def is_awaited(function: FunctionValue) -> bool:
        """Is it called, or handed on, by another one that is still to be run?"""
        nonlocal placed
        for one in ledger.defined[placed:]:
            defined.setdefault(one.node, []).append(one)
        placed = len(ledger.defined)
        name = getattr(function.node, "name", "")
        others = (node for node in callers.get(name, ()) if node is not function.node)
        return any(
            node not in interpreter.entered and any(id(one) not in done for one in defined.get(node, ()))
            for node in others
        )

    def is_closure(function: FunctionValue) -> bool:
        """Is it a lambda, or a function that another one makes around a loss that it was given?"""
        if isinstance(function.node, ast.Lambda):
            return True
        scope = scope_around(function)
        if scope is not None and id(scope) not in wrapping:  # it has all its names: what makes them has ended
            wrapping[id(scope)] = any(one.node in wanted for one in functions_in(scope))
        return scope is not None and wrapping[id(scope)]

    # Callers first, so that a helper is seen with the values it is really called with.
    for value in list(interpreter.module.names.values()):
        if isinstance(value, InstanceValue):
            with _all_or_nothing(interpreter):
                interpreter.run_object(value, wanted)
    run_all(is_root)
    run_all(lambda function: id(function) in ledger.decorated and is_wanted(function))
    run_all(lambda function: is_closure(function) and not is_called(function))
    run_all(lambda function: is_wanted(function) and not (is_extended(function) or is_awaited(function)))
    run_all(lambda function: is_wanted(function) and not is_extended(function))
    run_all(is_wanted)
    run_all(is_closure)
    # A helper's other branches, which no caller in this module asks for: others may.
    known, first, added = frozenset(ledger.seen), len(ledger.accounts), len(ledger.additions)
    before = ledger.final()
    put_right: dict[ast.AST, set[ast.AST]] = {}
    for reduction in filter(may_be_right, before):
        for step in reduction.steps:
            put_right.setdefault(step.node, set()).add(reduction.steps[-1].node)
    entered = [f for f in ledger.defined if id(f) not in done and f.node in interpreter.entered]
    unseen = {
        f.node.name
        for f in entered
        if not isinstance(f.node, ast.Lambda) and not known.issuperset(relevance.reducing(f.node))
    }
    for function in entered:
        node = function.node
        if node in wanted and not isinstance(node, ast.Lambda):
            is_own = function.scope.parent is None or function.owner is not None  # no closure
            if node.name in unseen or (is_own and node.name in wanted.names) or wanted.calls[node] & unseen:
                run(function)
    # What a function shows by itself holds although a caller, with concrete values say, shows less.
    # One that goes leaves none of those that it goes on from: these are no end of anything.
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


def _holds_by_itself(
    reduction: Reduction,
    known: Set[ast.AST],
    put_right: Mapping[ast.AST, Set[ast.AST]],
    mapped: Set[ast.AST],
) -> bool:
    """Does what a function shows without its callers stay, whatever these show?

    What is proved is so for every argument: only what a caller does afterwards puts it right. `put_right` has the
    last steps of the right accounts that go through a node; of what is `mapped` over a batch the callers know more:
    it is called with one example.
    """
    nodes = {step.node for step in reduction.steps}
    if not reduction.integrand.proved or not nodes.isdisjoint(mapped):
        return nodes.isdisjoint(known)
    return all(put_right.get(node, set()) <= nodes for node in nodes)


def _is_static(node: ast.AST) -> bool:
    names = [d.id for d in getattr(node, "decorator_list", ()) if isinstance(d, ast.Name)]
    return "staticmethod" in names
