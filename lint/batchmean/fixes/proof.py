"""Whether rewritten code is right: it parses, the finding is gone, nothing new is found, and the engine accounts
for the reduction in the new code as exactly the right one, every sign and coefficient kept.

A file is analysed once for many fixes, each in a part of it that the others are no matter to.
"""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from batchmean.engine.analysis import Miscount, SupportEvent, accounts
from batchmean.engine.factors import Factor, factor_of
from batchmean.engine.reductions import Reduction
from batchmean.engine.values import Role
from batchmean.findings import Edit, Finding
from batchmean.fixes.code import Code, Edits, comments
from batchmean.fixes.parts import Parts
from batchmean.linter import lint
from batchmean.rules.axes import shows_its_units, summing_step
from batchmean.rules.base import sums_the_batch
from batchmean.source import apply

Judged: TypeAlias = SupportEvent | Miscount


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Edits that may put a finding right."""

    finding: Finding
    event: Judged
    edits: Edits


def lines_of(edits: Iterable[Edit]) -> set[int]:
    """The lines that some edits touch."""
    return {line for edit in edits for line in range(edit.span.line, edit.span.end_line + 1)}


class Prover:
    """Tries proposals for the findings of one file."""

    def __init__(self, code: Code, found: Sequence[tuple[Finding, Judged]]) -> None:
        self._code = code
        self._found = found

    @property
    def characters(self) -> int:
        """How long the file is."""
        return len(self._code.text)

    @cached_property
    def _parts(self) -> Parts:
        through = [_lines_through(r) for r in self._accounts]
        through += [_lines_through(e.reduction) for _, e in self._found if e.reduction is not None]
        through += [{f.span.line, *(place.line for place in f.because)} for f, _ in self._found]
        return Parts(self._code.tree, through)

    @cached_property
    def _accounts(self) -> list[Reduction]:
        return accounts(self._code.tree, self._code.lines)

    @cached_property
    def _before(self) -> _View:
        return _View(self._parts, self._code.tree, self._parts.starts, lambda: self._accounts)

    @cached_property
    def _codes(self) -> dict[int, Counter[str]]:
        return _by_part((finding for finding, _ in self._found), self._before)

    def part(self, finding: Finding) -> int:
        """The part of the file that a finding is in: what is tried in other parts is no matter to it."""
        return self._parts.of(finding.span.line)

    def verdicts(self, proposals: Sequence[Proposal]) -> list[bool | None] | None:
        """Whether each proposal holds when all are applied; None where, or if, they do not go together.

        No two may touch one line, unless by the same edit.
        """
        edits = list(dict.fromkeys(edit for proposal in proposals for edit in proposal.edits))
        text = apply(self._code.text, edits)
        try:
            tree = ast.parse(text)
            keeps_comments = Counter(comments(text)) == Counter(self._code.comments.values())
        except (SyntaxError, ValueError):
            return None
        if not keeps_comments:
            return None
        moved = _Moved(edits)
        starts = [moved.start(line) for line in self._parts.starts]
        after = _View(self._parts, tree, starts, lambda: accounts(tree, text.split("\n")))
        found = _by_part(lint(text, proposals[0].finding.path, tree=tree), after)
        tried: dict[int, list[Proposal]] = {}
        for proposal in proposals:
            tried.setdefault(self.part(proposal.finding), []).append(proposal)
        failed = set()
        for part in found.keys() | tried.keys():
            fixed = Counter(proposal.finding.code for proposal in tried.get(part, ()))
            is_as_it_should_be = found.get(part, Counter()) <= self._codes.get(part, Counter()) - fixed
            if not fixed and not is_as_it_should_be:
                return None  # nothing says whose doing that is
            if not is_as_it_should_be or after.dump(part) == self._before.dump(part):
                failed.add(part)
        verdicts: list[bool | None] = []
        for proposal in proposals:
            part = self.part(proposal.finding)
            is_alone = len(tried[part]) == 1
            if part in failed:
                verdicts.append(False if is_alone else None)
            else:
                verdicts.append(self._is_right(proposal, after, part, moved, is_alone))
        return verdicts

    def _is_right(self, proposal: Proposal, after: _View, part: int, moved: _Moved, is_alone: bool) -> bool:
        event = proposal.event
        if isinstance(event, SupportEvent):
            return self._averages(proposal, event, after, part, moved)
        if is_alone:
            return _counts_right(event, self._before.accounts(part), after.accounts(part))
        first, last = self.window(proposal)
        now = after.within(part, moved.start(first), moved.end(last, proposal.edits))
        return _counts_right(event, self._before.within(part, first, last), now)

    def _averages(
        self, proposal: Proposal, event: SupportEvent, after: _View, part: int, moved: _Moved
    ) -> bool:
        """Does the same statement now sum over the support and average the rest, and is all else as it was?"""
        wanted = next(_signatures([event.reduction]), None)
        if wanted is None or not (sums_the_batch(event) or shows_its_units(event.reduction)):
            return False
        wanted = _put_right(wanted)
        total = summing_step(event.reduction, event.step)
        loses_a_mean = event.step.how == "scale" and total is not None and total.how == "mean"
        if event.step.per_batch or event.is_wrong_axis or sums_the_batch(event) or loses_a_mean:
            # The positions are averaged now, too, and once only.
            wanted = wanted._replace(factor=replace(wanted.factor, units=wanted.factor.units and (("B", 0),)))
        statement = self._code.statement(event.node)
        last = statement.end_lineno or statement.lineno
        edited = lines_of(proposal.edits)
        first = min(statement.lineno, *edited, *_lines_of_steps(self._code, event.reduction, statement))
        # Other findings may stand there, too.
        before = set(_signatures(self._before.within(part, first, last)))
        now = set(_signatures(after.within(part, moved.start(first), moved.end(last, proposal.edits))))
        return wanted.is_right and wanted in now and now <= before | {wanted, *map(_put_right, before)}

    def window(self, proposal: Proposal) -> tuple[int, int]:
        """The lines that tell whether a proposal is right where others of its part are tried, too."""
        event = proposal.event
        statement = self._code.statement(event.node)
        lines = [statement.lineno, statement.end_lineno or statement.lineno, *lines_of(proposal.edits)]
        reduction = event.reduction
        if reduction is not None and not (isinstance(event, Miscount) and event.kind == "masked mean"):
            lines += _lines_of_steps(self._code, reduction, statement)
        return min(lines), max(lines)


class _View:
    """A text, or one that was made of it, by its parts."""

    def __init__(
        self, parts: Parts, tree: ast.Module, starts: Sequence[int], get: Callable[[], Sequence[Reduction]]
    ) -> None:
        """`starts` are the first lines of the statements of the module, and `get` gives the accounts."""
        self._parts = parts
        self._tree = tree
        self._starts = starts
        self._get = get

    def part(self, line: int) -> int:
        """The part that a line belongs to."""
        return self._parts.of(line, self._starts)

    def accounts(self, part: int) -> list[Reduction]:
        """The accounts of a part."""
        return [*self._accounts[0].get(part, {}).values()]

    def within(self, part: int, first: int, last: int) -> list[Reduction]:
        """The accounts of a part that have a step in these lines."""
        by_part, by_line = self._accounts
        own = by_part.get(part, {})
        here = {key: None for line in range(first, last + 1) for key in by_line.get(line, ())}
        return [own[key] for key in here if key in own]

    @cached_property
    def _accounts(self) -> tuple[dict[int, dict[int, Reduction]], dict[int, list[int]]]:
        """The accounts of each part by their identity, and the identities of those that have a step in a line."""
        by_part: dict[int, dict[int, Reduction]] = {}
        by_line: dict[int, list[int]] = {}
        for reduction in self._get():
            for line in _lines_through(reduction):
                by_line.setdefault(line, []).append(id(reduction))
                by_part.setdefault(self.part(line), {})[id(reduction)] = reduction
        return by_part, by_line

    def dump(self, part: int) -> list[str]:
        """The syntax of a part, wherever it stands."""
        return self._dumps.get(part, [])

    @cached_property
    def _dumps(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for statement in self._tree.body:
            found.setdefault(self.part(statement.lineno), []).append(ast.dump(statement))
        return found


class _Moved:
    """Where lines are after some edits."""

    def __init__(self, edits: Iterable[Edit]) -> None:
        ordered = sorted(edits, key=lambda edit: edit.span.line)
        self._lines = [edit.span.line for edit in ordered]
        self._added = [0, *accumulate(map(_added_lines, ordered))]

    def start(self, line: int) -> int:
        """Where a line is that edits begin with."""
        return line + self._added[bisect_left(self._lines, line)]

    def end(self, line: int, own: Sequence[Edit]) -> int:
        """Where the last line is that edits end with; `own` count wherever they are."""
        beyond = sum(_added_lines(edit) for edit in own if edit.span.line > line)
        return line + self._added[bisect_right(self._lines, line)] + beyond


def _added_lines(edit: Edit) -> int:
    return edit.text.count("\n") - (edit.span.end_line - edit.span.line)


def _by_part(findings: Iterable[Finding], view: _View) -> dict[int, Counter[str]]:
    """The codes of the findings of each part."""
    found: dict[int, Counter[str]] = {}
    for finding in findings:
        found.setdefault(view.part(finding.span.line), Counter())[finding.code] += 1
    return found


def _lines_through(reduction: Reduction) -> set[int]:
    """The lines that an account has a step in."""
    nodes = (node for step in reduction.steps for node in (step.node, *step.stack))
    return {getattr(node, "lineno", 0) for node in nodes}


def _lines_of_steps(code: Code, reduction: Reduction, statement: ast.stmt) -> Iterator[int]:
    """Where the steps of the account stand: of a division that goes with its line, they are what is left."""
    function = code.function(statement)
    for step in reduction.steps:
        if code.function(step.node) is function:
            yield code.statement(step.node).lineno


def _counts_right(event: Miscount, before: Sequence[Reduction], after: Sequence[Reduction]) -> bool:
    """Does one account count right now, and is every other one as it was?"""
    if event.reduction is None:  # only a name says that it is a loss
        return event.kind == "discarded division"
    was, now = Counter(map(_account, before)), Counter(map(_account, after))
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


class _Signature(NamedTuple):
    """What an account says, in terms that can be compared between two texts."""

    symbol: str
    factor: Factor
    coefficient: float | None
    factors: tuple[tuple[tuple[str, ...], int], ...]
    """What else it was multiplied by."""

    @property
    def is_right(self) -> bool:
        return not self.factor.support and not any(power for _, power in self.factor.units)


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


def _signatures(reductions: Iterable[Reduction]) -> Iterator[_Signature]:
    for reduction in reductions:
        factor = factor_of(reduction)
        if factor is not None:
            symbols = reduction.integrand.support.symbols
            opaque = [(a, p) for a, p in reduction.counts() if a.role is Role.OPAQUE and a.key not in symbols]
            others = tuple(sorted((atom.names, power) for atom, power in opaque))
            symbol = reduction.integrand.symbol
            yield _Signature(symbol, _comparable(factor), reduction.coefficient, others)


def _comparable(factor: Factor) -> Factor:
    """Of an unknown number of axes, one text tells more of them apart than another: only those that are off count."""
    off = tuple((name, power) for name, power in factor.units if power)
    return replace(factor, units=off or (factor.units and (("B", 0),)))


def _put_right(signature: _Signature) -> _Signature:
    """As it is when the support is summed."""
    return signature._replace(factor=replace(signature.factor, support=0))
