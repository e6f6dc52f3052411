"""Every total of a module that is divided by the wrong count, and those that are divided by the right one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from batchmean.engine import bounds
from batchmean.engine.epochs.accumulation import accumulations
from batchmean.engine.epochs.ranks import rank_means
from batchmean.engine.epochs.rounds import OutOfWork
from batchmean.engine.epochs.walk import Walk
from batchmean.engine.epochs.wanted import Wanted
from batchmean.engine.events import Miscount
from batchmean.functions import told
from batchmean.project import Project, is_foreign


def epochs(
    tree: ast.Module,
    lines: Sequence[str],
    on_bound: Callable[[str], None] = lambda bound: None,
    project: Project | None = None,
) -> Iterator[Miscount]:
    """Every total of a training loop that is divided by the wrong count.

    `on_bound` is told of each bound that is reached; the modules of `project` are read where a loop calls into them.
    """
    wanted = Wanted(tree, lines)
    walk = _walked(tree, wanted, project)
    if walk is None:
        if not wanted.is_empty:
            on_bound(bounds.NODES)
        return
    for bound in walk.reached:
        on_bound(bound)
    for event in walk.found.values():
        if not is_foreign(event.node) and not _is_told_elsewhere(walk, project, event):
            yield event
    if wanted.trains:
        yield from accumulations(tree, walk, wanted.steps, on_bound)
        if wanted.wraps:
            yield from rank_means(tree, walk)


def _is_told_elsewhere(walk: Walk, project: Project | None, event: Miscount) -> bool:
    """Is it told at a call, and where it stands, too, in a module that shows all of it?"""
    node = walk.moved.get(event.node)
    module = project.holding(node) if project is not None and node is not None else None
    if module is None:
        return False
    tree = ast.parse(module.text)  # the module's own is marked as that of another file
    lines = told().marked_lines(module.lines)
    there = _walked(tree, Wanted(tree, lines), Project(module.path))
    place = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    return there is not None and any(
        e.kind == event.kind and (getattr(n, "lineno", -1), getattr(n, "col_offset", -1)) == place
        for n, e in there.found.items()
        if not is_foreign(n)
    )


def right_totals(tree: ast.Module, lines: Sequence[str]) -> set[ast.AST]:
    """The divisions of a sum over all examples by their number: what the fix of a total has to end in."""
    walk = _walked(tree, Wanted(tree, lines))
    return set() if walk is None else walk.rightly - set(walk.found)


def _walked(tree: ast.Module, wanted: Wanted, project: Project | None = None) -> Walk | None:
    """The walk through what is wanted; None where there is nothing, or too much: what was left out may put right what
    was found."""
    if wanted.is_empty:
        return None
    walk = Walk(tree, wanted, project)
    try:
        walk.run()
    except (OutOfWork, RecursionError):
        return None
    finally:
        walk.let_go()
    return walk
