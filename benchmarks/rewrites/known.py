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
# Of two equal sums on two ways, one over all and one over what counts, an option says by what: a mean is no such sum.
_SUMS = Allowed(likely=5)

KNOWN: Mapping[str, Allowed] = {
    "over-accumulation-steps": _TOKEN_MEANS,
    "scaled-apart": _TOKEN_MEANS,
    "scaled-in-place": _TOKEN_MEANS,
    "scaled-when-accumulating": _TOKEN_MEANS,
    "over-world-size": Allowed(gained=1),
    "mean-as-named-sum-over-count": _SUMS,
    "mean-as-product": _SUMS,
    "mean-as-sum-over-count": _SUMS,
    "mean-as-sum-over-named-count": _SUMS,
    "mean-as-sum-over-walrus": _SUMS,
    "mean-of-walrus": _SUMS,
    # Loops over micro-batches and ranks that stand in a loop over batches themselves: nothing is said of them.
    "loop-over-loader": Allowed(likely=11),
    # Nor of a criterion that is given by the batch where the default would be one.
    "summed-over-loader": Allowed(likely=14),
    # Beside a decorator four helpers are one call more than is followed.
    "reduction-through-helpers": Allowed(proved=1),
    # What an optimizer's closure gives is followed where it is a loss, not a sum over a list of one.
    "result-in-comprehension": Allowed(proved=1),
    # What a loop adds up item by item is read where each item is one expression.
    "subexpressions-named": Allowed(likely=20),
}
