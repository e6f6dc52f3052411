"""From a module to the reductions that the rules judge."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from batchmean.engine import bounds
from batchmean.engine.agenda import Agenda
from batchmean.engine.context import OutOfWork
from batchmean.engine.domain.keys import own_keys
from batchmean.engine.domain.tensors import Reduction
from batchmean.engine.domain.ways import own_journal
from batchmean.engine.events import Miscount
from batchmean.engine.ledger import Ledger
from batchmean.engine.machine.interpreter import Interpreter
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

    with own_keys(), own_journal(), without_collection():
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
        Agenda(interpreter, candidates, relevance).run(tree)
    except OutOfWork:
        interpreter.ledger.reached.add(bounds.NODES)
    return interpreter
