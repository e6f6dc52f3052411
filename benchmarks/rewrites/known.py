"""The flips that are known and not mended yet: the one list of what the tests allow."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from benchmarks.rewrites.flips import Tally

LIKELY_PERCENT = 2
"""So many likely findings may go with a rewrite, in percent."""


class Allowed(NamedTuple):
    """How many flips a rewrite may make over all fixtures.

    `proved` findings that are gone or no longer proved; findings `gained` on right code; `likely` findings that are
    gone, where that is more than two in a hundred; findings `raised` to proved by hiding names.
    """

    proved: int = 0
    gained: int = 0
    likely: int = 0
    raised: int = 0


def needed(tally: Tally, *, hides_names: bool) -> Allowed:
    """What a rewrite would have to be allowed."""
    likely = tally.before - tally.before_proved
    most = ceil(likely * LIKELY_PERCENT / 100)
    return Allowed(
        tally.proved_flips,
        tally.gained,
        0 if hides_names or tally.likely_flips <= most else tally.likely_flips,
        tally.raised if hides_names else 0,
    )


def not_allowed(tally: Tally, *, hides_names: bool) -> list[str]:
    """The kinds of flips of which there are more than the list allows."""
    needs, allowed = needed(tally, hides_names=hides_names), KNOWN.get(tally.rewrite, Allowed())
    return [kind for kind, need, most in zip(Allowed._fields, needs, allowed, strict=True) if need > most]


KNOWN: Mapping[str, Allowed] = {
    "called-in-main": Allowed(likely=8),
    "names-neutral": Allowed(gained=1),
    "variables-inlined": Allowed(likely=8),
    "summed-over-loader": Allowed(likely=18),
    "over-accumulation-steps": Allowed(likely=12),
    "over-world-size": Allowed(likely=12),
    "times-weight": Allowed(proved=1),
    "times-lambda": Allowed(proved=1),
    "scaled-apart": Allowed(likely=12),
    "scaled-in-place": Allowed(likely=12),
    "scaled-when-accumulating": Allowed(likely=12),
    "none-default-statement": Allowed(gained=1),
    "axes-negative": Allowed(likely=5),
    "conditional-function": Allowed(likely=5),
    "conditional-statement": Allowed(likely=5),
    "mean-as-sum-over-count": Allowed(likely=4),
    "mean-as-sum-over-named-count": Allowed(likely=4),
    "mean-as-sum-over-walrus": Allowed(likely=4),
    "mean-of-walrus": Allowed(likely=4),
    "mean-as-named-sum-over-count": Allowed(likely=4),
    "mean-as-product": Allowed(likely=4),
}
