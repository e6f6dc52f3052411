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
    "unrelated-prints": Allowed(likely=66),
    "unrelated-docstrings": Allowed(likely=66),
    "unrelated-locals": Allowed(likely=66),
    "unrelated-comments": Allowed(likely=66),
    "called-with-arrays": Allowed(proved=21, gained=2, likely=8),
    "called-in-main": Allowed(proved=19, gained=2, likely=7),
    "in-method": Allowed(proved=7),
    "in-static-method": Allowed(proved=7),
    "in-inner-function": Allowed(proved=7),
    "called-with-star": Allowed(proved=7),
    "integrand-logged": Allowed(likely=62),
    "names-neutral": Allowed(proved=30, gained=1, raised=6),
    "locals-neutral": Allowed(proved=28, gained=1, raised=6),
    "helpers-renamed": Allowed(proved=1),
    "imports-renamed": Allowed(proved=12),
    "imported-by-name": Allowed(proved=6, likely=5),
    "subexpressions-named": Allowed(proved=29, gained=7, likely=23),
    "result-logged": Allowed(likely=67),
    "variables-inlined": Allowed(proved=1, likely=3),
    "reduction-aliased": Allowed(proved=33, gained=17, likely=32),
    "reduction-negated-twice": Allowed(proved=33, gained=17, likely=32),
    "minus-apart": Allowed(proved=16, gained=6, likely=17),
    "batch-by-comprehension": Allowed(proved=22, gained=2, likely=36),
    "batch-by-map": Allowed(proved=22, gained=2, likely=36),
    "batch-by-next": Allowed(proved=1, gained=7),
    "one-batch": Allowed(proved=1, gained=7),
    "one-batch-by-index": Allowed(proved=2, likely=8),
    "one-batch-by-comprehension": Allowed(proved=22, gained=7, likely=37),
    "one-batch-by-map": Allowed(proved=22, gained=7, likely=37),
    "loop-over-loader": Allowed(proved=1, gained=7),
    "summed-over-loader": Allowed(proved=17, gained=2, likely=14),
    "over-accumulation-steps": Allowed(proved=24, likely=20),
    "over-world-size": Allowed(proved=24, likely=20),
    "times-weight": Allowed(proved=7, gained=1, likely=11),
    "times-lambda": Allowed(proved=7, gained=1, likely=11),
    "scaled-apart": Allowed(proved=18, likely=13),
    "scaled-in-place": Allowed(proved=18, likely=13),
    "scaled-when-accumulating": Allowed(proved=18, likely=13),
    "none-default-statement": Allowed(proved=22, gained=3, likely=37),
    "reduction-in-helper": Allowed(proved=32, likely=24),
    "reduction-through-helpers": Allowed(proved=218, likely=126),
    "integrand-in-helper": Allowed(proved=11, likely=6),
    "reduction-in-list": Allowed(proved=16, gained=6, likely=18),
    "axes-positive": Allowed(proved=4, gained=7, likely=2),
    "axes-negative": Allowed(proved=4, likely=9),
    "getattr": Allowed(proved=218, likely=130),
    "getattr-by-variable": Allowed(proved=218, likely=128),
    "function-in-variable": Allowed(proved=136, likely=78),
    "function-in-module-variable": Allowed(proved=20, likely=20),
    "function-from-table": Allowed(proved=182, likely=103),
    "conditional-methods": Allowed(proved=2),
    "conditional-function": Allowed(proved=146, likely=67),
    "conditional-name": Allowed(proved=155, likely=86),
    "conditional-statement": Allowed(proved=11, gained=5, likely=7),
    "mean-as-sum-over-count": Allowed(proved=19, gained=7, likely=13),
    "mean-as-sum-over-named-count": Allowed(proved=19, gained=7, likely=13),
    "mean-as-sum-over-walrus": Allowed(proved=19, gained=7, likely=13),
    "mean-of-walrus": Allowed(proved=19, gained=7, likely=13),
    "mean-as-named-sum-over-count": Allowed(proved=24, gained=20, likely=17),
    "axis-mean-as-sum": Allowed(proved=3, gained=3),
    "mean-as-product": Allowed(proved=19, gained=7, likely=13),
}
