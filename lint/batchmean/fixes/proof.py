"""Whether a rewritten file is right: it parses, the finding is gone, nothing new is found, and the engine accounts
for the reduction in the new code as exactly the right one, every sign and coefficient kept."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from batchmean.engine.analysis import Miscount, SupportEvent, accounts
from batchmean.engine.factors import Factor, factor_of
from batchmean.engine.reductions import Reduction
from batchmean.engine.values import Role
from batchmean.findings import Edit, Finding
from batchmean.fixes.code import Code, comments
from batchmean.linter import lint
from batchmean.rules.axes import shows_its_units, summing_step
from batchmean.source import apply


class _Signature(NamedTuple):
    """What an account says, in terms that can be compared between two texts."""

    symbol: str
    factor: Factor
    coefficient: float | None
    factors: tuple[tuple[tuple[str, ...], int], ...]
    """What else it was multiplied by."""
    is_whole: bool
    """Was everything that is left of it reduced at last?"""

    @property
    def is_right(self) -> bool:
        return not self.factor.support and not any(power for _, power in self.factor.units)


def holds(
    code: Code,
    event: SupportEvent | Miscount,
    finding: Finding,
    others: Sequence[Finding],
    edits: Sequence[Edit],
) -> bool:
    """Do the edits put this one finding right, and leave the others as they are?"""
    text = apply(code.text, edits)
    try:
        tree = ast.parse(text)
        keeps_comments = Counter(comments(text)) == Counter(code.comments.values())
    except (SyntaxError, ValueError):
        return False
    if not keeps_comments or ast.dump(tree) == ast.dump(code.tree):
        return False
    allowed = Counter(other.code for other in others if other is not finding)
    found = Counter(other.code for other in lint(text, finding.path, tree=tree))
    if not found <= allowed:
        return False
    if isinstance(event, Miscount):
        return _counts_right(code, event, tree, text)
    return _is_right(code, event, edits, tree, text)


def _counts_right(code: Code, event: Miscount, tree: ast.Module, text: str) -> bool:
    """Does one account count right now, and is every other one as it was?"""
    if event.reduction is None:  # only a name says that it is a loss
        return event.kind == "discarded division"
    was = Counter(map(_account, accounts(code.tree, code.lines)))
    now = Counter(map(_account, accounts(tree, text.split("\n"))))
    new, gone = now - was, was - now
    wanted = _account(event.reduction)
    if event.kind == "masked mean":
        right = [account for account in new if account.counts_masked is False]
        is_same_term = any(account.term == wanted.term for account in right)
        return is_same_term and all(account.counts_masked for account in gone)
    if event.kind == "double division":
        # What is read elsewhere, too, has no account of its own.
        return wanted in gone and all(account.is_average and account.term == wanted.term for account in new)
    return True


class _Account(NamedTuple):
    """An account of a loss, in terms that can be compared between two texts."""

    term: tuple[str, str, float | None, tuple[tuple[tuple[str, ...], int], ...]]
    """The integrand, its coefficient, and the unknown numbers that it was multiplied by."""
    factor: Factor | None
    counts_masked: bool | None
    valid: int
    """How often it was multiplied by the number of valid positions."""

    @property
    def is_average(self) -> bool:
        units = self.factor.units if self.factor is not None else ()
        return bool(units) and not any(power for _, power in units) and not self.valid


def _account(reduction: Reduction) -> _Account:
    counts = list(reduction.counts())
    numbers = tuple(sorted((atom.names, power) for atom, power in counts if atom.role is Role.OPAQUE))
    valid = sum(power for atom, power in counts if atom.role is Role.VALID)
    term = (reduction.integrand.kind, reduction.integrand.symbol, reduction.coefficient, numbers)
    return _Account(term, factor_of(reduction), reduction.counts_masked(), valid)


def _is_right(code: Code, event: SupportEvent, edits: Sequence[Edit], tree: ast.Module, text: str) -> bool:
    """Does the same statement now sum over the support and average the rest, and is all else as it was?"""
    wanted = next(_signatures([event.reduction]), None)
    if wanted is None or not (event.sums_the_batch or shows_its_units(event.reduction)):
        return False
    wanted = _put_right(wanted)
    total = summing_step(event.reduction, event.step)
    loses_a_mean = event.step.how == "scale" and total is not None and total.how == "mean"
    if event.step.per_batch or event.is_wrong_axis or event.sums_the_batch or loses_a_mean:
        # The positions are averaged now, too, and once only.
        wanted = wanted._replace(factor=replace(wanted.factor, units=wanted.factor.units and (("B", 0),)))
    statement = code.statement(event.step.node if event.node is event.step.node else event.node)
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    first = min(first, *(edit.span.line for edit in edits), *_lines_of_steps(code, event, statement))
    before = set(_within(accounts(code.tree, code.lines), first, last))  # other findings may stand there, too
    last += sum(edit.text.count("\n") - (edit.span.end_line - edit.span.line) for edit in edits)
    now = set(_within(accounts(tree, text.split("\n")), first, last))
    # `mean((0, 1))` may become a mean over everything; what was a mean of all may not lose it.
    either = {wanted, wanted._replace(is_whole=True)}
    return (
        wanted.is_right
        and not either.isdisjoint(now)
        and now <= before | either | set(map(_put_right, before))
    )


def _lines_of_steps(code: Code, event: SupportEvent, statement: ast.stmt) -> Iterator[int]:
    """Where the other steps of the account stand: of a division that goes with its line, they are what is left."""
    function = code.function(statement)
    for step in event.reduction.steps:
        if code.function(step.node) is function:
            yield code.statement(step.node).lineno


def _within(reductions: Sequence[Reduction], first: int, last: int) -> Iterator[_Signature]:
    """The accounts that have a step in these lines."""
    return _signatures(
        r
        for r in reductions
        if any(first <= getattr(node, "lineno", 0) <= last for s in r.steps for node in (s.node, *s.stack))
    )


def _signatures(reductions: Iterator[Reduction] | Sequence[Reduction]) -> Iterator[_Signature]:
    for reduction in reductions:
        factor = factor_of(reduction)
        if factor is not None:
            symbols = reduction.integrand.support.symbols
            opaque = [(a, p) for a, p in reduction.counts() if a.role is Role.OPAQUE and a.key not in symbols]
            others = tuple(sorted((atom.names, power) for atom, power in opaque))
            symbol = reduction.integrand.symbol
            is_whole = reduction.rest is not None
            yield _Signature(symbol, _comparable(factor), reduction.coefficient, others, is_whole)


def _comparable(factor: Factor) -> Factor:
    """Of an unknown number of axes, one text tells more of them apart than another: only those that are off count."""
    off = tuple((name, power) for name, power in factor.units if power)
    return replace(factor, units=off or (factor.units and (("B", 0),)))


def _put_right(signature: _Signature) -> _Signature:
    """As it is when the support is summed."""
    return signature._replace(factor=replace(signature.factor, support=0))
