"""What the loops of training code add up, and what the totals are divided by.

The accounts of the engine begin at an integrand. A training loop mostly shows none: it calls a criterion, adds up the
numbers that this gives, and divides the total by a count. So it is walked over values of its own: *figures* of a batch,
which are means or sums over it and know the loops that they were added up over; and *counts*, which know what they
count, the rounds of a loop, the examples of the data behind its batches, or those that were counted in it by hand.

A division is wrong where both sides are shown: a total of means over a number of examples, a total of sums over a
number of batches, exponentials over either; a mean over the tokens of a micro-batch over the accumulation steps, or
over the devices, whose batches have other numbers of tokens. What is unknown, conditional, weighed, set back in
between or told in the middle of an epoch is no finding, and whatever is done to a quotient takes its finding back.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from batchmean.engine.epochs.accumulation import accumulations
from batchmean.engine.epochs.rounds import OutOfWork
from batchmean.engine.epochs.walk import Walk
from batchmean.engine.epochs.wanted import Wanted
from batchmean.engine.events import Miscount
from batchmean.project import Project, is_foreign


def epochs(
    tree: ast.Module,
    lines: Sequence[str],
    on_bound: Callable[[], None] = lambda: None,
    project: Project | None = None,
) -> Iterator[Miscount]:
    """Every total of a training loop that is divided by the wrong count.

    `on_bound` is called where the module has more to read than is read; the modules of `project` are read where a
    loop calls into them.
    """
    wanted = Wanted(tree, lines)
    walk = _walked(tree, wanted, project)
    if walk is None:
        if not wanted.is_empty:
            on_bound()
        return
    yield from (event for event in walk.found.values() if not is_foreign(event.node))
    if wanted.trains:
        yield from accumulations(tree, walk, wanted.steps)


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
