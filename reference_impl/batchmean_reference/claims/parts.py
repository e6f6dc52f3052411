"""Whether a batch that is cut into parts trains as the whole batch does."""

from __future__ import annotations

import numpy as np

from batchmean_reference.accumulated import CONTEXT, TEXTS, Course, Cut, apart, trained
from batchmean_reference.claims.basics import SAME, Claim, Settings, listed, short, within
from batchmean_reference.laboratory import Laboratory
from batchmean_reference.parts import MODES, kept

WHOLE = Cut()
MICRO = (Cut("token-mean", accumulate=TEXTS), Cut(accumulate=TEXTS))
"""Micro-batches of one text each: token means averaged again, and sums over the global count."""
ON_RANKS = tuple(Cut(mode, ranks=ranks) for mode in ("token-mean", "global token-mean") for ranks in (2, 4))


def courses(settings: Settings) -> dict[str, Course]:
    """The runs whose curves are shown, by what they are."""
    names = (
        "whole batches",
        f"{TEXTS} micro-batches, token means averaged again",
        f"{TEXTS} micro-batches, divided by the global count",
    )
    return {
        name: trained(cut, settings.study, settings.study_steps)
        for name, cut in zip(names, (WHOLE, *MICRO), strict=True)
    }


def micro_batches(lab: Laboratory, settings: Settings) -> Claim:
    """Are micro-batches and ranks the same as one large batch?"""
    whole, averaged, counted = courses(settings).values()
    steps = settings.study_steps
    off, same = (apart(WHOLE, cut, settings.study, steps) for cut in MICRO)
    ranks = {cut: trained(cut, settings.study, steps) for cut in ON_RANKS}
    ranks_apart = {cut: apart(WHOLE, cut, settings.study, steps) for cut in ON_RANKS}
    means = [cut for cut in ON_RANKS if cut.mode == "token-mean"]
    counts = [cut for cut in ON_RANKS if cut.mode != "token-mean"]
    cosines = [_mean(ranks[cut].cosines) for cut in means]
    ends = [_mean(course.nats[-10:]) for course in (whole, averaged, counted)]
    is_same = max(same, *(ranks_apart[cut] for cut in counts)) < SAME
    modes = {name: kept(mode) for name, mode in MODES.items()}
    return Claim(
        "Micro-batches",
        "Micro-batches and ranks give the gradient of the whole batch.",
        f"{TEXTS} texts of 1 to {CONTEXT} tokens a batch, {steps} steps. The mean over the tokens of each text, "
        f"averaged over the texts as {TEXTS} micro-batches: a gradient whose cosine with that of the whole batch is "
        f"{_mean(averaged.cosines):.2f} (at worst {min(averaged.cosines):.2f}) and whose length is "
        f"{_mean(averaged.lengths):.2f} times its own; the run ends {short(off)} times as far from the whole one as "
        f"that moved, at {short(ends[1])} nats per token instead of {short(ends[0])}. Divided by the tokens of all: "
        f"{within(same)} apart. On {listed([cut.ranks for cut in means])} ranks that average their token means the "
        f"cosine is {' and '.join(f'{cosine:.2f}' for cosine in cosines)}, and the runs end "
        f"{' and '.join(short(ranks_apart[cut]) for cut in means)} apart; with the global count "
        f"{' and '.join(within(ranks_apart[cut]) for cut in counts)}.",
        "holds" if off < SAME else "holds when" if is_same else "does not hold",
        "each loss is divided by the tokens of all parts, or every part has as many",
        figures={
            "nats": {name: course.nats for name, course in courses(settings).items()},
            "cosines": averaged.cosines,
            "cosine": _mean(averaged.cosines),
            "length": _mean(averaged.lengths),
            "apart": off,
            "apart_global": same,
            "ranks": {
                f"{cut.ranks}, {cut.mode}": {
                    "cosine": _mean(course.cosines),
                    "apart": ranks_apart[cut],
                    "ranks_apart": course.ranks_apart,
                }
                for cut, course in ranks.items()
            },
            "laws": modes,
        },
    )


def _mean(numbers: list[float]) -> float:
    return float(np.mean(numbers))
