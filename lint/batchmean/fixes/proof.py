"""Whether rewritten code is right: it parses, the finding is gone, nothing new is found, and the engine accounts
for the reduction in the new code as exactly the right one, every sign and coefficient kept.

A file is analysed once for many fixes, each in a part of it that the others are no matter to, or in a place of its own.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from batchmean.engine.analysis import accounts
from batchmean.engine.domain.tensors import Reduction
from batchmean.engine.epochs.totals import right_totals
from batchmean.engine.events import Miscount
from batchmean.findings import Edit, Finding
from batchmean.fixes.code import Code, Edits, comments
from batchmean.fixes.comparing import Signature, averages, counts_right, put_right, signatures
from batchmean.fixes.parts import Parts
from batchmean.fixes.places import Moved, Place, Places
from batchmean.fixes.weighed_means import OF_BATCHES
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
    def _places(self) -> Places:
        return Places(self._code.lines)

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
        moved = Moved(edits, self.places(edits))
        starts = [moved.first_line(line) for line in self._parts.starts]
        lines = text.split("\n")
        after = _View(self._parts, tree, starts, lambda: accounts(tree, lines), Places(lines))
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

    def _is_right(self, proposal: Proposal, after: _View, part: int, moved: Moved, is_alone: bool) -> bool:
        event = proposal.event
        if isinstance(event, Miscount) and event.kind in OF_BATCHES:
            return moved.first_line(getattr(event.node, "lineno", 0)) in after.right_totals
        if is_alone and isinstance(event, Miscount):
            return counts_right(event, self._before.accounts(part), after.accounts(part))
        if is_alone:
            first, last = self._lines(proposal)
            before = self._before.within(part, first, last)
            now = after.within(part, moved.first_line(first), moved.last_line(last, proposal.edits))
        else:
            place = self.place(proposal)
            before, now = self._before.inside(part, place), after.inside(part, moved.place(place))
        if isinstance(event, Miscount):
            return counts_right(event, before, now)
        return averages(event, before, now)

    def _leaves_the_rest(self, part: int, proposals: Sequence[Proposal], after: _View, moved: Moved) -> bool:
        """In the lines of some proposals, is what is in the place of none of them as it was, or right?"""
        places = [self.place(proposal) for proposal in proposals]
        judged = self._before.ids_inside(places)
        judged_now = after.ids_inside(map(moved.place, places))
        before: set[Signature] = set()
        now: set[Signature] = set()
        for first, last, edits in _merged(
            (*self._lines(proposal), proposal.edits)
            for proposal in proposals
            if isinstance(proposal.event, SupportEvent)
        ):
            rest = (r for r in self._before.within(part, first, last) if id(r) not in judged)
            before.update(signatures(rest))
            new_first, new_last = moved.first_line(first), moved.last_line(last, edits)
            rest = (r for r in after.within(part, new_first, new_last) if id(r) not in judged_now)
            now.update(signatures(rest))
        return now <= before | set(map(put_right, before))

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
        places: Places,
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
