"""Why the mistake was not caught: four checks, each of which would have."""

from __future__ import annotations

import math

from batchmean_reference.arguments import Argument
from batchmean_reference.claims.basics import Claim, Settings, fresh_losses, listed, short
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, guessing_by_frequency
from batchmean_reference.laws import Loss, check_laws
from batchmean_reference.losses import clipped_cross_entropy, whole_shape_cce


def log_v_beside(lab: Laboratory, settings: Settings) -> Claim:
    """The first loss beside log V."""
    pairs = [fresh_losses(vocabulary) for vocabulary in VOCABULARIES]
    shares = [[loss / math.log(v) for loss in pair] for pair, v in zip(pairs, VOCABULARIES, strict=True)]
    wrong, right = zip(*shares, strict=True)
    catches = max(wrong) < 0.1 and max(abs(share - 1) for share in right) < 0.02
    return Claim(
        "Caught by log V",
        "The first loss beside log V would have caught it.",
        f"Untrained, at V = {listed(VOCABULARIES)}, the right loss is {listed(right)} times log V, the wrong one "
        f"{listed(wrong)} times.",
        "holds" if catches else "does not hold",
        figures={"wrong": wrong, "right": right},
    )


def baseline_beside(lab: Laboratory, settings: Settings) -> Claim:
    """The trained loss beside what guessing by frequency costs."""
    baseline = [guessing_by_frequency(vocabulary) for vocabulary in VOCABULARIES]
    trained = [lab.trained(settings.main(v, "Adam", "units")).history.held_out for v in VOCABULARIES]
    off = [nats / v for nats, v in zip(trained, VOCABULARIES, strict=True)]
    better = [[least / loss for least, loss in zip(baseline, row, strict=True)] for row in (trained, off)]
    return Claim(
        "Caught by a baseline",
        "The loss of a baseline beside it would have caught it.",
        f"Guessing by how often each token occurs costs {listed(baseline)} nats per token on the held-out text at V = "
        f"{listed(VOCABULARIES)}. The model trained with Adam, read with the right denominator, costs "
        f"{listed(trained)}: that is {listed(better[0])} times better. Read with the wrong one it costs {listed(off)}: "
        f"{listed(better[1])} times better than counting, which nothing is that reads English.",
        "holds" if max(better[0]) < 10 < min(better[1]) else "does not hold",
        figures={"baseline": baseline, "times_better": better},
    )


def two_vocabularies(lab: Laboratory, settings: Settings) -> Claim:
    """The first loss at a second vocabulary."""
    small, large = (fresh_losses(vocabulary) for vocabulary in (VOCABULARIES[0], VOCABULARIES[-1]))
    wrong, right = (after / before for before, after in zip(small, large, strict=True))
    return Claim(
        "Caught by two vocabularies",
        "A second vocabulary would have caught it.",
        f"Guessing one of {VOCABULARIES[-1]} is harder than guessing one of {VOCABULARIES[0]}. From the one to the "
        f"other the right loss of the untrained model grows {right:.2f}-fold; the wrong one shrinks to {wrong:.2f} of "
        "itself.",
        "holds" if wrong < 1 < right else "does not hold",
        figures={"wrong": wrong, "right": right},
    )


def laws_beside(lab: Laboratory, settings: Settings) -> Claim:
    """The laws, run on the program's loss and on the same loss rightly divided."""
    declared = {"targets": "one_hot (B, V)", "probabilities": "probs (B, V)"}
    arguments = tuple(Argument.parse(name, text) for name, text in declared.items())
    wrong, right = (check_laws(Loss(loss, arguments)) for loss in (whole_shape_cce, clipped_cross_entropy))
    broken = [law for law, result in wrong.items() if result.verdict == "broken"]
    kept = [law for law, result in right.items() if result.verdict == "holds"]
    none = not any(result.verdict == "broken" for result in right.values())
    change = wrong["null class"].change or 0.0
    return Claim(
        "Caught by the laws",
        "A test of the loss by its laws would have caught it.",
        f"A further class that nobody targets or predicts changes the program's loss by {short(change)} of it at most; "
        f"it breaks the law of {', '.join(broken)}. Divided by the examples, the same loss keeps "
        f"{', '.join(kept)}.",
        "holds" if broken and none else "does not hold",
        figures={"broken": broken, "kept": kept, "change": change},
    )
