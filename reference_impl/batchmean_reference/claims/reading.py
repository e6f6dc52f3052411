"""What people read off the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from batchmean_reference.claims.basics import Claim, Settings, fresh_losses, listed, short
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, bits_per_character
from batchmean_reference.losses import perplexity


def perplexity_is_meaningless(lab: Laboratory, settings: Settings) -> Claim:
    """`exp` of the loss, wrong and right, before and after training."""
    pairs = [fresh_losses(vocabulary) for vocabulary in VOCABULARIES]
    off, right = [perplexity(pair[0]) for pair in pairs], [perplexity(pair[1]) for pair in pairs]
    trained = [lab.trained(settings.main(v, "Adam", "units")).history.held_out for v in VOCABULARIES]
    after = [perplexity(nats) for nats in trained]
    after_off = [perplexity(nats / v) for nats, v in zip(trained, VOCABULARIES, strict=True)]
    return Claim(
        "Perplexity",
        "Perplexity computed from the loss is meaningless.",
        f"Untrained, at V = {listed(VOCABULARIES)}: exp(loss) is {listed(off)} wrong, {listed(right)} right "
        f"(V, for one who guesses). Trained, held out: {', '.join(f'{x:.4f}' for x in after_off)} wrong, "
        f"{listed(after)} right.",
        "holds" if max(off) < 1.1 and np.allclose(right, VOCABULARIES, rtol=0.05) else "does not hold",
        figures={"untrained": [off, right], "trained": [after_off, after]},
    )


def stops_at(losses: Sequence[float], patience: int = 10, least: float = 0.001) -> int | None:
    """The step at which early stopping ends a run: no improvement by `least` within `patience` steps."""
    best, best_step = math.inf, 0
    for step, loss in enumerate(losses):
        if loss < best - least:
            best, best_step = loss, step
        elif step - best_step >= patience:
            return step
    return None


def early_stopping(lab: Laboratory, settings: Settings) -> Claim:
    """Fixed thresholds, against both losses."""
    threshold, vocabulary = 0.01, VOCABULARIES[-1]
    right = lab.trained(settings.main(vocabulary, "Adam", "units")).history
    off = lab.trained(settings.main(vocabulary, "Adam", "whole shape")).history
    fires = [next((i for i, loss in enumerate(h.losses) if loss < threshold), None) for h in (right, off)]
    stops = [stops_at(h.losses) for h in (right, off)]

    def said(step: int | None) -> str:
        return "never" if step is None else f"at step {step}"

    return Claim(
        "Early stopping",
        "Thresholds on the loss become unreliable.",
        f"At V = {vocabulary}, 'stop when the loss is below {threshold}' fires {said(fires[1])} for the "
        f"wrong loss and {said(fires[0])} in {settings.main_steps} steps for the right one. 'Stop after 10 "
        f"steps without an improvement of 0.001' ends the wrong run {said(stops[1])}, at "
        f"{short(off.nats[stops[1] or -1])} nats per token, and the right one {said(stops[0])}.",
        "holds" if fires == [None, 0] else "does not hold",
        figures={"fires": fires, "patience": stops},
    )


def comparability(lab: Laboratory, settings: Settings) -> Claim:
    """Can two models with different vocabularies be compared by their loss?"""
    runs = [lab.trained(settings.main(vocabulary, "Adam", "units")) for vocabulary in VOCABULARIES]
    nats = [run.history.held_out for run in runs]
    off = [loss / vocabulary for loss, vocabulary in zip(nats, VOCABULARIES, strict=True)]
    fresh = [fresh_losses(vocabulary)[0] for vocabulary in VOCABULARIES]
    bits = [bits_per_character(run) for run in runs]
    return Claim(
        "Comparing vocabularies",
        "Losses cannot be compared across vocabularies.",
        f"Untrained models, which all know nothing, show {listed(fresh)} at V = {listed(VOCABULARIES)}: the "
        f"largest seems {short(fresh[0] / fresh[-1])} times better. Trained and held out: {listed(off)} "
        f"wrong, {listed(nats)} nats per token right, and {listed(bits)} bits per character. Tokens differ "
        "in length, so even the right loss compares only per character.",
        "holds" if fresh[0] > 2 * fresh[-1] else "does not hold",
        figures={"untrained_wrong": fresh, "wrong": off, "nats_per_token": nats, "bits_per_character": bits},
    )
