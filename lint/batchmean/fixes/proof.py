"""Whether rewritten code is right: it parses, the finding is gone, nothing new is found, and the engine accounts
for the reduction in the new code as exactly the right one, every sign and coefficient kept.

A file is analysed once for many fixes, each in a part of it that the others are no matter to, or in a place of its own.
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

from batchmean.engine.analysis import accounts
from batchmean.engine.domain.counting import counts_masked
from batchmean.engine.domain.tensors import Reduction, Role
from batchmean.engine.epochs import right_totals
from batchmean.engine.events import Miscount
from batchmean.engine.factors import Factor, factor_of
from batchmean.findings import Edit, Finding, Span, span_of
from batchmean.fixes import totals
from batchmean.fixes.code import Code, Edits, comments
from batchmean.fixes.parts import Parts
from batchmean.rules.axes import shows_its_units, summing_step
from batchmean.rules.support import SupportEvent
from batchmean.source import apply
from batchmean.verdicts import findings_of

Judged: TypeAlias = SupportEvent | Miscount


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Edits that may put a finding right."""

    finding: Finding
    event: Judged
    edits: Edits


Place: TypeAlias = tuple[int, int]
"""Where in a text something begins and where it ends, in characters from its start."""


class _Places:
    """Where things stand in a text."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)]

    def of(self, span: Span) -> Place:
        """The place of a range."""
        starts = self._starts
        return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1

    def of_node(self, node: ast.AST) -> Place:
        """The place of a node that stands somewhere."""
        return self.of(span_of(node, self.lines))


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
        return _View(self._parts, self._code.tree, self._parts.starts, lambda: self._accounts, self._places)

    @cached_property
    def _codes(self) -> dict[int, Counter[str]]:
        return _by_part((finding for finding, _ in self._found), self._before)

    @cached_property
    def _places(self) -> _Places:
        return _Places(self._code.lines)

    def places(self, edits: Iterable[Edit]) -> list[Place]:
        """What some edits replace."""
        return [self._places.of(edit.span) for edit in edits]

    def part(self, finding: Finding) -> int:
        """The part of the file that a finding is in: what is tried in other parts is no matter to it."""
        return self._parts.of(finding.span.line)

    def verdicts(self, proposals: Sequence[Proposal]) -> list[bool | None] | None:
        """Whether each proposal holds when all are applied; None where, or if, they do not go together.

        No two may touch, unless by the same edit; those of one part have places of their own.
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
        moved = _Moved(edits, self.places(edits))
        starts = [moved.first_line(line) for line in self._parts.starts]
        lines = text.split("\n")
        after = _View(self._parts, tree, starts, lambda: accounts(tree, lines), _Places(lines))
        path = proposals[0].finding.path
        found = _by_part([finding for finding, _ in findings_of(tree, lines, path)], after)
        tried: dict[int, list[Proposal]] = {}
        for proposal in proposals:
            tried.setdefault(self.part(proposal.finding), []).append(proposal)
        failed = set()
        for part in found.keys() | tried.keys():
            fixed = Counter(proposal.finding.code for proposal in tried.get(part, ()))
            is_as_it_should_be = found.get(part, Counter()) <= self._codes.get(part, Counter()) - fixed
            if not fixed and not is_as_it_should_be:
                return None  # nothing says whose doing that is
            is_changed = is_as_it_should_be and after.dump(part) != self._before.dump(part)
            own = tried.get(part, [])
            if not is_changed or not (len(own) < 2 or self._leaves_the_rest(part, own, after, moved)):
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
        if isinstance(event, Miscount) and event.kind in totals.KINDS:
            return moved.first_line(getattr(event.node, "lineno", 0)) in after.right_totals
        if is_alone and isinstance(event, Miscount):
            return _counts_right(event, self._before.accounts(part), after.accounts(part))
        if is_alone:
            first, last = self._lines(proposal)
            before = self._before.within(part, first, last)
            now = after.within(part, moved.first_line(first), moved.last_line(last, proposal.edits))
        else:
            place = self.place(proposal)
            before, now = self._before.inside(part, place), after.inside(part, moved.place(place))
        if isinstance(event, Miscount):
            return _counts_right(event, before, now)
        return _averages(event, before, now)

    def _leaves_the_rest(self, part: int, proposals: Sequence[Proposal], after: _View, moved: _Moved) -> bool:
        """In the lines of some proposals, is what is in the place of none of them as it was, or right?"""
        places = [self.place(proposal) for proposal in proposals]
        judged = self._before.ids_inside(places)
        judged_now = after.ids_inside(map(moved.place, places))
        before: set[_Signature] = set()
        now: set[_Signature] = set()
        for first, last, edits in _merged(
            (*self._lines(proposal), proposal.edits)
            for proposal in proposals
            if isinstance(proposal.event, SupportEvent)
        ):
            rest = (r for r in self._before.within(part, first, last) if id(r) not in judged)
            before.update(_signatures(rest))
            new_first, new_last = moved.first_line(first), moved.last_line(last, edits)
            rest = (r for r in after.within(part, new_first, new_last) if id(r) not in judged_now)
            now.update(_signatures(rest))
        return now <= before | set(map(_put_right, before))

    def _lines(self, proposal: Proposal) -> tuple[int, int]:
        """The lines that tell whether a proposal is right where no other of its part is tried."""
        statement = self._code.statement(proposal.event.node)
        lines = {line for edit in proposal.edits for line in (edit.span.line, edit.span.end_line)}
        lines.update(self._code.statement(node).lineno for node in self._steps(proposal))
        return min(statement.lineno, *lines), statement.end_lineno or statement.lineno

    def place(self, proposal: Proposal) -> Place:
        """The place that tells whether a proposal is right where others of its part are tried, too."""
        is_masked_mean = isinstance(proposal.event, Miscount) and proposal.event.kind == "masked mean"
        steps = () if is_masked_mean else self._steps(proposal)
        places = [self._places.of_node(node) for node in (proposal.event.node, *steps)]
        places += self.places(proposal.edits)
        return min(first for first, _ in places), max(last for _, last in places)

    def _steps(self, proposal: Proposal) -> Iterator[ast.AST]:
        """The steps of the account in the same function: of a division that goes, they are what is left."""
        reduction = proposal.event.reduction
        function = self._code.function(self._code.statement(proposal.event.node))
        for step in reduction.steps if reduction is not None else ():
            if self._code.function(step.node) is function:
                yield step.node


def _averages(event: SupportEvent, before: Sequence[Reduction], now: Sequence[Reduction]) -> bool:
    """Is the support summed and the rest averaged in these accounts now, and is all else as it was?"""
    wanted = next(_signatures([event.reduction]), None)
    if wanted is None or not (event.sums_the_batch or shows_its_units(event.reduction)):
        return False
    wanted = _put_right(wanted)
    total = summing_step(event.reduction, event.step)
    loses_a_mean = event.step.how == "scale" and total is not None and total.how == "mean"
    if event.step.per_batch or event.is_wrong_axis or event.sums_the_batch or loses_a_mean:
        # The positions are averaged now, too, and once only.
        wanted = wanted._replace(factor=replace(wanted.factor, units=wanted.factor.units and (("B", 0),)))
    was, found = set(_signatures(before)), set(_signatures(now))
    # `mean((0, 1))` may become a mean over everything; what was a mean of all may not lose it.
    either = {wanted, wanted._replace(is_whole=True)}
    allowed = was | either | set(map(_put_right, was))  # other findings may stand there, too
    return wanted.is_right and not either.isdisjoint(found) and found <= allowed


def _merged(lines: Iterable[tuple[int, int, Edits]]) -> Iterator[tuple[int, int, Edits]]:
    """Ranges of lines, those that have some in common as one, with the edits of all."""
    current: tuple[int, int, Edits] | None = None
    for first, last, edits in sorted(lines, key=lambda some: some[:2]):
        if current is not None and first <= current[1]:
            current = current[0], max(current[1], last), (*current[2], *edits)
        else:
            if current is not None:
                yield current
            current = first, last, edits
    if current is not None:
        yield current


class _View:
    """A text, or one that was made of it, by its parts."""

    def __init__(
        self,
        parts: Parts,
        tree: ast.Module,
        starts: Sequence[int],
        get: Callable[[], Sequence[Reduction]],
        places: _Places,
    ) -> None:
        """`starts` are the first lines of the statements of the module, and `get` gives the accounts."""
        self._places = places
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

    def inside(self, part: int, place: Place) -> list[Reduction]:
        """The accounts of a part that have a step in a place."""
        own = self._accounts[0].get(part, {})
        return [own[key] for key in self.ids_inside([place]) if key in own]

    def ids_inside(self, places: Iterable[Place]) -> dict[int, None]:
        """The identities of the accounts that have a step in one of these places."""
        starts, ids = self._steps
        found: dict[int, None] = {}
        for first, last in places:
            found.update(dict.fromkeys(ids[bisect_left(starts, first) : bisect_left(starts, last)]))
        return found

    @cached_property
    def _all(self) -> Sequence[Reduction]:
        return self._get()

    @cached_property
    def _steps(self) -> tuple[list[int], list[int]]:
        """Where the steps of the accounts begin, in their order, and the identity of the account of each."""
        found = {(self._places.of_node(node)[0], id(r)) for r in self._all for node in _nodes_of(r)}
        ordered = sorted(found)
        return [start for start, _ in ordered], [key for _, key in ordered]

    @cached_property
    def _accounts(self) -> tuple[dict[int, dict[int, Reduction]], dict[int, list[int]]]:
        """The accounts of each part by their identity, and the identities of those that have a step in a line."""
        by_part: dict[int, dict[int, Reduction]] = {}
        by_line: dict[int, list[int]] = {}
        for reduction in self._all:
            for line in _lines_through(reduction):
                by_line.setdefault(line, []).append(id(reduction))
                by_part.setdefault(self.part(line), {})[id(reduction)] = reduction
        return by_part, by_line

    @cached_property
    def right_totals(self) -> set[int]:
        """The lines in which a sum over all examples is divided by their number."""
        return {getattr(node, "lineno", 0) for node in right_totals(self._tree, self._places.lines)}

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

    def __init__(self, edits: Sequence[Edit], places: Sequence[Place]) -> None:
        """`places` are those that the edits replace."""
        ordered = sorted(zip(places, edits, strict=True), key=lambda pair: pair[0])
        self._firsts = [first for (first, _), _ in ordered]
        self._lasts = [last for (_, last), _ in ordered]
        self._longer = [0, *accumulate(len(edit.text) - (last - first) for (first, last), edit in ordered)]
        self._lines = [edit.span.line for _, edit in ordered]
        self._added = [0, *accumulate(_added_lines(edit) for _, edit in ordered)]

    def place(self, place: Place) -> Place:
        """Where a place is that edits are in, or do not touch."""
        first, last = place
        return (
            first + self._longer[bisect_left(self._lasts, first)],
            last + self._longer[bisect_right(self._firsts, last)],
        )

    def first_line(self, line: int) -> int:
        """Where a line is that edits begin with."""
        return line + self._added[bisect_left(self._lines, line)]

    def last_line(self, line: int, own: Sequence[Edit]) -> int:
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


def _nodes_of(reduction: Reduction) -> Iterator[ast.AST]:
    """The steps of an account, and the calls that lead to them."""
    for step in reduction.steps:
        yield step.node
        yield from step.stack


def _lines_through(reduction: Reduction) -> set[int]:
    """The lines that an account has a step in."""
    return {getattr(node, "lineno", 0) for node in _nodes_of(reduction)}


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
    is_whole: bool
    """Was everything that is left of it reduced at last?"""

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
    return _Account(term, factor_of(reduction), counts_masked(reduction), valid)


def _signatures(reductions: Iterable[Reduction]) -> Iterator[_Signature]:
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
