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
    "called-with-arrays": Allowed(proved=20, likely=12),
    "called-in-main": Allowed(proved=20, likely=11),
    "in-loop": Allowed(proved=1),
    "in-inner-function": Allowed(proved=1),
    "called-with-star": Allowed(proved=1),
    "names-neutral": Allowed(gained=1),
    "locals-neutral": Allowed(proved=2, gained=1),
    "imports-renamed": Allowed(proved=6),
    "imported-by-name": Allowed(proved=6, likely=5),
    "subexpressions-named": Allowed(proved=1),
    "variables-inlined": Allowed(likely=9),
    "summed-over-loader": Allowed(proved=1, likely=21),
    "over-accumulation-steps": Allowed(proved=22, likely=28),
    "over-world-size": Allowed(proved=22, likely=28),
    "times-weight": Allowed(proved=3, likely=13),
    "times-lambda": Allowed(proved=3, likely=13),
    "scaled-apart": Allowed(proved=22, likely=28),
    "scaled-in-place": Allowed(proved=22, likely=28),
    "scaled-when-accumulating": Allowed(proved=22, likely=28),
    "none-default-statement": Allowed(gained=1),
    "integrand-in-helper": Allowed(proved=16, likely=6),
    "axes-positive": Allowed(proved=6, likely=7),
    "axes-negative": Allowed(proved=10, likely=12),
    "factors-swapped": Allowed(proved=3),
    "getattr": Allowed(proved=1),
    "getattr-by-variable": Allowed(proved=1),
    "function-in-variable": Allowed(proved=2),
    "conditional-methods": Allowed(proved=2),
    "conditional-function": Allowed(proved=11),
    "conditional-name": Allowed(proved=9),
    "conditional-statement": Allowed(proved=11),
    "mean-as-sum-over-count": Allowed(proved=24, likely=13),
    "mean-as-sum-over-named-count": Allowed(proved=24, likely=13),
    "mean-as-sum-over-walrus": Allowed(proved=24, likely=13),
    "mean-of-walrus": Allowed(proved=24, likely=13),
    "mean-as-named-sum-over-count": Allowed(proved=24, likely=13),
    "axis-mean-as-sum": Allowed(proved=4),
    "mean-as-product": Allowed(proved=24, likely=13),
}
