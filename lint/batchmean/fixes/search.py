"""The search for fixes: for each finding one proposal after the other, tried for many findings at once."""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from batchmean.findings import Edit, Finding, Fix
from batchmean.fixes.code import Edits, Unfixable
from batchmean.fixes.places import Place
from batchmean.fixes.proof import Judged, Proposal, Prover

ALONE = 8
"""How many proposals of one part of a file are tried each by itself, before several are tried together."""
MAX_TRIES: Final = 24
"""How often one file is analysed for its fixes, however large it is."""
MAX_CHARACTERS: Final = 400_000
"""How many characters are analysed beyond that."""


class Search:
    """The search for the fix of one finding."""

    def __init__(
        self, finding: Finding, event: Judged, proposals: Iterator[Edits], accept: Callable[[Edits], Fix]
    ) -> None:
        self.result = finding
        """The finding, in the end with its fix or with the reason why it has none."""
        self.proposal: Proposal | None = None
        """What is to be tried now; None where there is nothing left to try."""
        self._finding = finding
        self._event = event
        self._proposals = proposals
        self._accept = accept

    def go_on(self) -> None:
        """Turn to the next proposal."""
        self.proposal = None
        with self.giving_reasons():
            self.proposal = Proposal(self._finding, self._event, next(self._proposals))

    def end(self) -> None:
        """Take the proposal: it holds."""
        proposal, self.proposal = self.proposal, None
        assert proposal is not None
        with self.giving_reasons():
            self.result = replace(self._finding, fix=self._accept(proposal.edits))

    def give_up(self, reason: str) -> None:
        """End without a fix."""
        self.proposal = None
        self.result = replace(self._finding, no_fix=reason)

    @contextmanager
    def giving_reasons(self) -> Iterator[None]:
        """Whatever is raised is why there is no fix."""
        try:
            yield
        except StopIteration:
            self.give_up("no rewrite could be shown to be right")
        except Unfixable as reason:
            self.give_up(str(reason))
        except Exception as error:  # a bug of ours must not cost the finding
            self.give_up(f"internal error: {type(error).__name__}: {error}")


class _Taken:
    """Places in a text that do not touch."""

    def __init__(self) -> None:
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def touches(self, place: Place) -> bool:
        """Does one of them touch this one?"""
        at = bisect_left(self._places, place)
        if at and self._places[at - 1][1] >= place[0]:
            return True
        return at < len(self._places) and self._places[at][0] <= place[1]

    def add(self, place: Place) -> None:
        """Take one more."""
        insort(self._places, place)


class _Part:
    """What was tried in one part of the file."""

    def __init__(self) -> None:
        self.tries = 0
        self._most = sys.maxsize
        self._taken = _Taken()

    def begin(self) -> None:
        """Choose anew."""
        self._taken = _Taken()

    def takes(self, place: Place) -> bool:
        """Can a proposal that is judged by this place be tried, too?"""
        if len(self._taken) >= (self._most if self.tries >= ALONE else 1) or self._taken.touches(place):
            return False
        self._taken.add(place)
        return True

    def learn(self, verdicts: Sequence[bool | None]) -> None:
        """Try fewer together where they do not go together, and then more again."""
        self.tries += 1
        if None in verdicts:
            self._most = max(1, len(verdicts) // 2)
        elif self._most < sys.maxsize:
            self._most *= 2


class Searches:
    """The searches in one file, to be brought to their ends."""

    def __init__(
        self, searches: Sequence[Search], prover: Prover, go_on: Callable[[Finding], object]
    ) -> None:
        """`go_on` is asked before each analysis."""
        self._searches = searches
        self._prover = prover
        self._go_on = go_on
        self._left = MAX_TRIES + MAX_CHARACTERS // prover.characters
        self._parts: dict[int, _Part] = {}

    def run(self) -> None:
        """Find the fixes."""
        while waiting := [search for search in self._searches if search.proposal is not None]:
            if self._left > 0:
                self._try(self._together(waiting))
                continue
            for search in waiting:
                search.give_up("too many rewrites of this file were tried before")

    def _together(self, waiting: Sequence[Search]) -> list[Search]:
        """Those that can be tried at once: one of each part or, where there are many, some that do not touch."""
        chosen: list[Search] = []
        edits: set[Edit] = set()
        replaced = _Taken()
        for part in self._parts.values():
            part.begin()
        for search in waiting:
            proposal = search.proposal
            assert proposal is not None
            new = [edit for edit in proposal.edits if edit not in edits]
            with search.giving_reasons():
                places = self._prover.places(new)
                if any(map(replaced.touches, places)) or not self._part(search).takes(
                    self._prover.place(proposal)
                ):
                    continue
                edits.update(new)
                for place in places:
                    replaced.add(place)
                chosen.append(search)
        return chosen

    def _part(self, search: Search) -> _Part:
        return self._parts.setdefault(self._prover.part(search.result), _Part())

    def _try(self, chosen: Sequence[Search]) -> None:
        """Try some proposals; by halves where they cannot be judged together."""
        if not chosen or self._left <= 0:
            return
        self._go_on(chosen[0].result)
        self._left -= 1
        verdicts = self._verdicts(chosen)
        if verdicts is None:
            half = len(chosen) // 2
            for some in (chosen[:half], chosen[half:]) if half else ():
                self._try(some)
            return
        of_part: dict[_Part, list[bool | None]] = {}
        for search, holds in zip(chosen, verdicts, strict=True):
            of_part.setdefault(self._part(search), []).append(holds)
            if holds:
                search.end()
            elif holds is not None:
                search.go_on()
        for part, learnt in of_part.items():
            part.learn(learnt)

    def _verdicts(self, chosen: Sequence[Search]) -> Sequence[bool | None] | None:
        """Whether each proposal holds; None if they cannot be judged together."""
        proposals = [search.proposal for search in chosen if search.proposal is not None]
        if len(chosen) > 1:
            try:
                return self._prover.verdicts(proposals)
            except Exception:  # whose doing that is shows when they are tried apart
                return None
        with chosen[0].giving_reasons():
            return self._prover.verdicts(proposals) or [False]
        return [None]
