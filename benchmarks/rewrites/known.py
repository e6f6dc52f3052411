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


def needed(tally: Tally, *, tells_less: bool) -> Allowed:
    """What a rewrite would have to be allowed."""
    likely = tally.before - tally.before_proved
    most = ceil(likely * LIKELY_PERCENT / 100)
    return Allowed(
        tally.proved_flips,
        tally.gained,
        0 if tells_less or tally.likely_flips <= most else tally.likely_flips,
        tally.raised if tells_less else 0,
    )


def not_allowed(tally: Tally, *, tells_less: bool) -> list[str]:
    """The kinds of flips of which there are more than the list allows."""
    needs, allowed = needed(tally, tells_less=tells_less), KNOWN.get(tally.rewrite, Allowed())
    return [kind for kind, need, most in zip(Allowed._fields, needs, allowed, strict=True) if need > most]


# A mean over valid tokens that is divided by the accumulation steps is what BMN503 tells of, wherever it stands: these
# are right. So is the mean over all ranks that is divided by their number again.
_TOKEN_MEANS = Allowed(gained=8)

# A mean that is divided by the classes too, the mean of what was divided row by row by the dropped, and one of pairs
# are not told where the mean is a sum over a count; nor is a mean that is looked up.
_MEANS_SPELLED_OUT = (
    "mean-as-sum-over-count",
    "mean-as-sum-over-named-count",
    "mean-as-sum-over-walrus",
    "mean-of-walrus",
    "mean-as-named-sum-over-count",
    "mean-as-product",
)

KNOWN: Mapping[str, Allowed] = {
    "over-accumulation-steps": _TOKEN_MEANS,
    "scaled-apart": _TOKEN_MEANS,
    "scaled-in-place": _TOKEN_MEANS,
    "scaled-when-accumulating": _TOKEN_MEANS,
    "over-world-size": Allowed(gained=1),
    # A sum over dropped moves is told in the helper and where that is called with a star: one finding at two places.
    "called-with-star": Allowed(gained=1),
    # Loops over micro-batches and ranks that stand in a loop themselves: nothing is said of them, nor of a reduction
    # that is looked up by its default in one.
    "loop-over-loader": Allowed(likely=17),
    # Since what loops and helpers change is followed, the rank of a batch's arrays is lost in some of them, and a loss
    # that is summed in one branch stands beside a mean that a loop adds up.
    "summed-over-loader": Allowed(proved=4, gained=1, likely=11),
    "one-batch-by-index": Allowed(proved=1, likely=12),
    "reduction-in-helper": Allowed(proved=1),
    "reduction-through-helpers": Allowed(proved=2),
    "one-batch-by-key": Allowed(likely=11),
    # What a loop adds up item by item is read where each item is one expression, and what is looked up by a default
    # where that stands in the signature.
    "subexpressions-named": Allowed(likely=17),
    "none-default-statement": Allowed(likely=9),
    **dict.fromkeys(_MEANS_SPELLED_OUT, Allowed(proved=3, likely=6)),
}
