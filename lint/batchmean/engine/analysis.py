"""From a module to the reductions that the rules judge."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from batchmean import operations
from batchmean.engine import calls
from batchmean.engine.candidates import Candidates
from batchmean.engine.epochs import epochs
from batchmean.engine.epochs.spelling import STEPS, divisor_name
from batchmean.engine.evaluator import OutOfWork, TooDeep
from batchmean.engine.events import Event, Miscount, SupportEvent
from batchmean.engine.factors import divides_a_mean_by_the_support, factor_of
from batchmean.engine.imports import names_of
from batchmean.engine.interpreter import Interpreter
from batchmean.engine.literals import spelled_out
from batchmean.engine.miscounts import is_class_loss, miscounts
from batchmean.engine.paths import excludes
from batchmean.engine.reductions import Reduction, Stack, Step, report_node
from batchmean.engine.relevance import Relevance
from batchmean.engine.values import FunctionValue, InstanceValue, ModuleValue, altered, forget_keys
from batchmean.gate import adds_up
from batchmean.memory import without_collection
from batchmean.project import Project, is_foreign

_LOCK: Final = threading.Lock()

T = TypeVar("T")


def analyse(
    tree: ast.Module,
    lines: Sequence[str],
    on_bound: Callable[[], None] = lambda: None,
    project: Project | None = None,
) -> list[Event]:
    """Every reduction of an integrand in the module that divides by its support, in source order.

    `on_bound` is called where the module has more to read than is read; the modules of `project` are read where
    the module calls into them, and what is wrong in them is told where they are linted.
    """

    def events(interpreter: Interpreter) -> list[Event]:
        if interpreter.is_out_of_work:
            on_bound()
        return [event for event in _events(interpreter) if not is_foreign(event.node)]

    found = _asked(tree, lines, events, project=project)
    if not adds_up("\n".join(lines)):
        return found
    totals = list(epochs(tree, lines, on_bound, project))
    divided = {total.node for total in totals}  # of a total over many batches, not of one batch again
    return [*(event for event in found if not _is_again(event, divided)), *totals]


def _is_again(event: Event, divided: Set[ast.AST]) -> bool:
    if not isinstance(event, Miscount) or event.kind != "double division":
        return False
    return event.node in divided or bool(
        STEPS.search(divisor_name(event.node))
    )  # of gradients that are added up


def accounts(tree: ast.Module, lines: Sequence[str]) -> list[Reduction]:
    """Every reduction of an integrand in its final state, the right ones too: what a fix is checked against."""
    return _asked(tree, lines, lambda interpreter: _final(interpreter.ledger), thorough=True)


def work(tree: ast.Module, lines: Sequence[str]) -> int:
    """How many statements and expressions an analysis reads: its cost, whatever else the machine does."""

    def of(interpreter: Interpreter) -> int:
        for _ in _events(interpreter):
            pass
        return interpreter.work

    return _asked(tree, lines, of)


def _asked(
    tree: ast.Module,
    lines: Sequence[str],
    ask: Callable[[Interpreter], T],
    thorough: bool = False,
    project: Project | None = None,
) -> T:
    """What is asked of the module's interpretation, which is gone before the collector is let loose again."""

    def answer() -> T:
        interpreter = _interpreted(tree, lines, thorough, project)
        given = ask(interpreter)
        interpreter.let_go()
        return given

    with _LOCK, without_collection():
        return answer()


def _interpreted(
    tree: ast.Module, lines: Sequence[str], thorough: bool = False, project: Project | None = None
) -> Interpreter:
    forget_keys()
    imported = partial(names_of, project=project) if project is not None else None
    candidates = Candidates(tree, lines, thorough, imported)
    relevance = Relevance(candidates)
    interpreter = Interpreter(lines, relevance, project)
    if candidates.is_empty:
        return interpreter
    try:
        _run(interpreter, tree, candidates, relevance)
    except OutOfWork:
        interpreter.is_out_of_work = True
    return interpreter


@contextmanager
def _all_or_nothing(interpreter: Interpreter) -> Iterator[None]:
    """Forget what was entered by work that does not come to its end: the last statement may put a loss right."""
    logs: tuple[list[Any], ...] = (
        interpreter.ledger,
        interpreter.miscounts,
        interpreter.exponentials,
        interpreter.additions,
    )
    before = [len(log) for log in logs]
    try:
        yield
    except (OutOfWork, TooDeep, RecursionError) as error:
        for log, length in zip(logs, before, strict=True):
            del log[length:]
        if isinstance(error, OutOfWork):
            raise


def _run(interpreter: Interpreter, tree: ast.Module, wanted: Candidates, relevance: Relevance) -> None:
    with _all_or_nothing(interpreter):
        interpreter.run_module(tree.body)
    instances: dict[ast.ClassDef, InstanceValue] = {}
    done: set[int] = set()

    def run(function: FunctionValue) -> None:
        done.add(id(function))
        owner = function.owner
        with _all_or_nothing(interpreter):
            if owner is not None and not _is_static(function.node):
                instance = instances.get(owner.node)
                if instance is None:
                    instance = calls.blank_instance(interpreter, owner)
                    instances[owner.node] = instance
                if owner.scope.names.get("__init__") is function:
                    return  # it has made the instance
                function = altered(function, receiver=instance)
            interpreter.run_function(function)

    # Callers first, so that a helper is seen with the values it is really called with.
    for is_root in (True, False):
        position = 0
        while position < len(interpreter.defined):
            function = interpreter.defined[position]
            position += 1
            node = function.node
            if id(function) in done or node in interpreter.entered or isinstance(node, ast.Lambda):
                continue
            if node not in wanted or (is_root and node.name in wanted.called and node.name != "forward"):
                continue
            run(function)
    for function in list(interpreter.defined):
        if isinstance(function.node, ast.Lambda) and function.node not in interpreter.entered:
            with _all_or_nothing(interpreter):
                interpreter.run_function(function)
    # A helper's other branches, which no caller in this module asks for: others may.
    known, first = frozenset(interpreter.seen), len(interpreter.ledger)
    before = _final(interpreter.ledger)
    put_right: dict[ast.AST, set[ast.AST]] = {}
    for reduction in filter(_is_right, before):
        for step in reduction.steps:
            put_right.setdefault(step.node, set()).add(reduction.steps[-1].node)
    entered = [f for f in interpreter.defined if id(f) not in done and f.node in interpreter.entered]
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
    interpreter.ledger[first:] = [
        r for r in interpreter.ledger[first:] if _holds_by_itself(r, known, put_right, interpreter.mapped)
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


def _is_right(reduction: Reduction) -> bool:
    """Is it a sum over the support and a mean over the units, in the end?"""
    factor = factor_of(reduction)
    if factor is None or factor.support or factor.is_partial or not factor.units:
        return False
    if any(power for _, power in factor.units):
        return False
    return reduction.mask is None or reduction.counts_masked() is False


def _is_static(node: ast.AST) -> bool:
    names = [d.id for d in getattr(node, "decorator_list", ()) if isinstance(d, ast.Name)]
    return "staticmethod" in names


def _events(interpreter: Interpreter) -> Iterator[Event]:
    final = _final(interpreter.ledger)
    support = list(_support_events(interpreter, [r for r in final if r.integrand.symbol]))
    yield from support
    # What only a rule on trial reports makes no other finding.
    yield from miscounts(interpreter, final, [event for event in support if not event.step.per_batch])


def _support_events(interpreter: Interpreter, final: Sequence[Reduction]) -> Iterator[SupportEvent]:
    """The integrands whose support is in the divisor."""
    right: list[Reduction] = []
    wrong: list[SupportEvent] = []
    too_large: list[SupportEvent] = []
    imported = {n: v.name for n, v in interpreter.module.names.items() if isinstance(v, ModuleValue)}
    if theirs := interpreter.imported_elsewhere:  # by the modules that it calls
        own = {name: module for name, module in imported.items() if _is_of_a_framework(module)}
        imported = own or theirs
    for reduction in final:
        if reduction.support in ("alive", "maybe averaged"):
            continue
        factor = factor_of(reduction)
        # A KL beside the mean log_prob of the same distribution: both are per element, their ratio is right.
        beside = interpreter.averaged_events.intersection(reduction.integrand.distributions)
        if factor is None or factor.support >= 0 or beside:
            right.append(reduction)
            if factor is not None and reduction.per_batch and any(power > 0 for _, power in factor.units):
                step = _blamed(reduction)
                spells_dim = _spells_dim(imported, step.node)
                too_large.append(SupportEvent(step.node, reduction, factor, step, spells_dim))
        elif is_class_loss(reduction) and divides_a_mean_by_the_support(reduction, factor):
            right.append(reduction)  # not the support's length but the second division is too much
        elif reduction.integrand.kind == "latent KL" and _is_one_of_several(interpreter, reduction):
            continue
        elif not reduction.integrand.event or reduction.integrand.event in interpreter.summed_events:
            step = _blamed(reduction)
            if _is_weight_of_a_term(interpreter, reduction, step):
                continue
            spells_dim = _spells_dim(imported, step.node)
            wrong.append(SupportEvent(report_node(reduction, step), reduction, factor, step, spells_dim))
    silence = _Silence(right)
    yield from (event for event in wrong if not silence.covers(event))
    known = {id(event.reduction) for event in too_large}
    other_ranks = {(id(r.steps[0].node), r.steps[0].stack) for r in right if r.steps and id(r) not in known}
    yield from (e for e in too_large if (id(e.step.node), e.step.stack) not in other_ranks)


def _is_of_a_framework(name: str) -> bool:
    return operations.has_functions(name) or operations.has_functions(name.rpartition(".")[0])


def _is_one_of_several(interpreter: Interpreter, reduction: Reduction) -> bool:
    """Is it a term of a diffusion bound, whose other branch, a likelihood, is averaged in the same place?"""
    step = _blamed(reduction)
    return (step.node, step.stack) in interpreter.other_reduced


def _is_weight_of_a_term(interpreter: Interpreter, reduction: Reduction, step: Step) -> bool:
    """Is it `1 / classes * loss + ...`, a loss that was right and is weighed by a quotient against another one?"""
    node = step.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    if not any(
        isinstance(side, ast.BinOp) and isinstance(side.op, ast.Div) for side in (node.left, node.right)
    ):
        return False
    scaled = next((a for a in reduction.line() if a.steps and a.steps[-1] is step), None)
    if scaled is None or scaled.parent is None or not _is_right(scaled.parent):
        return False
    return any(scaled is r for addition in interpreter.additions for side in addition.sides for r in side)


def _final(ledger: Sequence[Reduction]) -> list[Reduction]:
    """The entries that no later one continues."""
    ancestors: set[int] = set()
    for reduction in ledger:
        parent = reduction.parent
        while parent is not None and id(parent) not in ancestors:
            ancestors.add(id(parent))
            parent = parent.parent
    return [r for r in ledger if id(r) not in ancestors]


class _Silence:
    """The reductions that show that a wrong-looking one is meant, undecided or put right."""

    def __init__(self, right: Sequence[Reduction]) -> None:
        right = [r for r in right if not r.is_reported]
        self._by_origin: dict[int, list[Reduction]] = {}
        self._by_place: dict[tuple[int, Stack], list[Reduction]] = {}
        self._by_key: dict[tuple[int, Stack], list[Reduction]] = {}
        for reduction in right:
            self._by_origin.setdefault(id(reduction.origin), []).append(reduction)
            self._by_key.setdefault((reduction.integrand.key, reduction.integrand.stack), []).append(
                reduction
            )
            for step in reduction.steps:
                self._by_place.setdefault((id(step.node), step.stack), []).append(reduction)

    def covers(self, event: SupportEvent) -> bool:
        reduction = event.reduction
        for other in self._by_origin.get(id(reduction.origin), ()):
            if not any(excludes(s.path, event.step.path) for s in other.steps):
                return True  # put right later, or the same values go both ways
        place = (id(event.step.node), event.step.stack)
        for other in self._by_place.get(place, ()):
            # Another way leads to the same place: was it chosen by a switch?
            if not _is_chosen(other, event.step):
                return True
        if not reduction.is_reported:
            return False
        for other in self._by_key.get((reduction.integrand.key, reduction.integrand.stack), ()):
            if other.support != "summed" or any(s.node is event.step.node for s in other.steps):
                continue
            if set(other.steps[0].path) <= set(event.step.path):
                return True  # the same values are summed beside it: the mean is another statistic
        return False


def _is_chosen(other: Reduction, step: Step) -> bool:
    """Was the other way taken under an `if` that asks for an option, not for a shape?"""
    apart = next((s for s in other.steps if s.sums_support), None) if other.support == "summed" else None
    if apart is None or apart.node is step.node:
        apart = next((s for s in other.steps if s.node is step.node and excludes(s.path, step.path)), None)
    if apart is None:
        return False
    inner = [d for d in apart.path if d not in step.path and d.node is not None]
    return bool(inner) and not any(_ABOUT_SHAPE.search(spelled_out(d.node)) for d in inner[:1] if d.node)


_ABOUT_SHAPE: Final = re.compile(
    r"\b(n?dims?|shape|size|rank|d?type)\b|len\(|isinstance|discrete|continuous|hasattr"
)


def _spells_dim(imported: dict[str, str], node: ast.AST) -> bool:
    """Does the code here say `dim=`? The modules it calls decide, or else the imports of the file."""
    used = [imported[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in imported]
    return any(name.partition(".")[0] == "torch" for name in used or imported.values())


def _blamed(reduction: Reduction) -> Step:
    """The step that brings the support into the divisor."""
    dividing = [s for s in reduction.steps if s.averages_support or s.may_average]
    if dividing:
        return dividing[0]
    if reduction.per_batch:
        return next(s for s in reduction.steps if s.per_batch)
    scales = [s for s in reduction.steps if s.how == "scale"]
    return scales[-1] if scales else reduction.steps[-1]


__all__ = ["Event", "Miscount", "SupportEvent", "accounts", "analyse", "work"]
