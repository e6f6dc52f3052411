"""What the factor does to the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchmean_reference.claims.basics import SAME, VISIBLE, Claim, Settings, listed, within
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, Run, first_batch, flat
from batchmean_reference.training import Denominator, loss_and_gradient, units, whole_shape


def gradient_of(vocabulary: int, denominator: Denominator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The whole gradient of the untrained study model on a batch, as one vector."""
    model = Run(vocabulary).fresh_model()
    inputs, targets = first_batch(vocabulary, 8, 16)
    model.backward(loss_and_gradient(targets, model.forward(inputs), denominator)[1])
    return flat(model.all_gradients()).astype(np.float64)


def gradients_are_correct(lab: Laboratory, settings: Settings) -> Claim:
    """Direction and length, right against wrong."""
    cosines, sizes = [], []
    for vocabulary in VOCABULARIES:
        right, off = gradient_of(vocabulary, units), gradient_of(vocabulary, whole_shape)
        cosines.append(float(right @ off / np.linalg.norm(right) / np.linalg.norm(off)))
        sizes.append(float(np.linalg.norm(right) / np.linalg.norm(off)))
    parallel = max(abs(1 - cosine) for cosine in cosines) < SAME
    return Claim(
        "Gradient",
        "The gradients are correct all the same.",
        f"At V = {listed(VOCABULARIES)} the gradient has the direction of the right one (cosine 1 to within "
        f"{within(max(abs(1 - cosine) for cosine in cosines))}) and is {listed(sizes)} times shorter.",
        "holds when" if parallel and min(sizes) > 2 else "holds" if parallel else "does not hold",
        "only its direction matters: it is V times too short",
        figures={"V": VOCABULARIES, "cosine": cosines, "times_shorter": sizes},
    )


def half_precision(lab: Laboratory, settings: Settings) -> Claim:
    """What is left of the gradient in float16."""
    vocabulary = VOCABULARIES[-1]
    inputs, targets = first_batch(vocabulary, 16, 32)
    logits = Run(vocabulary, model="main").fresh_model().forward(inputs).astype(np.float64)
    lost = [
        float(np.mean(loss_and_gradient(targets, logits, denominator)[1].astype(np.float16) == 0))
        for denominator in (units, whole_shape)
    ]
    return Claim(
        "Half precision",
        "In float16 the factor makes no difference.",
        f"Of the gradient with respect to the logits at V = {vocabulary}, B = 16, T = 32, {lost[0]:.1%} "
        f"rounds to zero with the right denominator and {lost[1]:.1%} with the wrong one, unless the loss "
        "is scaled up first.",
        "holds" if lost[1] - lost[0] < VISIBLE else "does not hold",
        figures={"lost_right": lost[0], "lost_wrong": lost[1]},
    )
