"""What the factor does to a training, and to whatever stands beside the loss."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from batchmean_reference.claims.basics import (
    SAME,
    VISIBLE,
    Claim,
    Settings,
    listed,
    short,
    within,
    wrong,
    wrong_times_v,
)
from batchmean_reference.claims.gradient import gradient_of
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, Run, first_batch
from batchmean_reference.losses import cross_entropy
from batchmean_reference.optimizers import SGD
from batchmean_reference.training import Denominator, loss_and_gradient, units, whole_shape


@cache
def descend(vocabulary: int, denominator: Denominator, rate: float, steps: int) -> tuple[float, float]:
    """The loss in nats before and after plain gradient descent on one and the same batch."""
    model, optimizer = Run(vocabulary).fresh_model(), SGD(rate)
    inputs, targets = first_batch(vocabulary, 4, 8)
    first = cross_entropy(targets, model.forward(inputs))
    for _ in range(steps):
        model.backward(loss_and_gradient(targets, model.forward(inputs), denominator)[1])
        optimizer.step(model.all_parameters(), model.all_gradients())
    return first, cross_entropy(targets, model.forward(inputs))


def convergence(lab: Laboratory, settings: Settings) -> Claim:
    """Does the model still converge?"""
    steps, vocabulary = settings.descent_steps, settings.study
    start, after_right = descend(vocabulary, units, 0.05, steps)
    _, after_wrong = descend(vocabulary, whole_shape, 0.05, steps)
    _, after_many = descend(vocabulary, whole_shape, 0.05, steps * vocabulary)
    slower = (start - after_right) / (start - after_wrong)
    drops = {
        optimizer: [
            tuple(lab.trained(settings.main(v, optimizer, name)).drop for name in ("units", "whole shape"))
            for v in VOCABULARIES
        ]
        for optimizer in ("SGD", "Adam")
    }
    kept = {name: [off / right for right, off in pairs] for name, pairs in drops.items()}
    shown = settings.main(settings.shown, "SGD", "units")
    rate_kept = lab.trained(wrong_times_v(shown)).drop / lab.trained(shown).drop
    right, off = zip(*drops["SGD"], strict=True)
    preserved = min(*kept["Adam"], rate_kept) > 0.95
    return Claim(
        "Convergence",
        "Convergence is preserved.",
        f"SGD at the same rate: {settings.main_steps} steps at V = {listed(VOCABULARIES)} lower the loss by "
        f"{listed(right)} nats per token with the right denominator, by {listed(off)} with the wrong one. On "
        f"one batch, {steps} right steps take {short(start)} to {short(after_right)}; the wrong ones get to "
        f"{short(after_wrong)} in {steps} steps, {short(slower)} times slower, and to {short(after_many)} in "
        f"{steps * vocabulary}. Of what the right run learns the wrong one learns {rate_kept:.1%} at rate x V "
        f"(V = {settings.shown}), and with Adam at the same rate {', '.join(f'{x:.1%}' for x in kept['Adam'])}.",
        "holds" if min(kept["SGD"]) > 0.95 else "holds when" if preserved else "does not hold",
        "the optimizer is Adam, or the rate of SGD is multiplied by V",
        figures={
            "V": VOCABULARIES,
            "drop_right": right,
            "drop_wrong": off,
            "kept": kept,
            "kept_at_rate_times_V": rate_kept,
            "one_batch": {
                "start": start,
                "right": after_right,
                "wrong": after_wrong,
                "wrong_V_times": after_many,
            },
        },
    )


def sgd_at_rate_times_v(lab: Laboratory, settings: Settings) -> Claim:
    """The rate can make up for the loss."""
    plain, heavy = settings.sgd(), settings.sgd(momentum=0.9)
    apart = [lab.apart(run, wrong_times_v(run)) for run in (plain, heavy)]
    shown = settings.main(settings.shown, "SGD", "units")
    single = lab.apart(shown, wrong_times_v(shown))
    return Claim(
        "SGD at rate x V",
        "A larger learning rate makes up for it.",
        f"With the rate multiplied by V = {settings.study}, two float64 runs of {settings.study_steps} steps "
        f"end {' and '.join(map(within, apart))} of their way apart (plain, with momentum): rounding. In float32 at "
        f"V = {settings.shown}, after {settings.main_steps} steps: {short(single)}.",
        "holds when" if max(apart) < SAME else "does not hold",
        "it is exactly V times larger, and changes with V",
        figures={"apart": apart, "apart_float32": single},
    )


def adam_does_not_notice(lab: Laboratory, settings: Settings) -> Claim:
    """Adam divides the factor out again, up to its epsilon."""
    run = settings.adam()
    vocabulary = run.vocabulary
    equivalent = lab.apart(replace(run, epsilon=run.epsilon * vocabulary), wrong(run))
    epsilons = settings.epsilons
    losses_by_epsilon = [
        (lab.trained(replace(run, epsilon=epsilon)).drop, lab.trained(wrong(run, epsilon=epsilon)).drop)
        for epsilon in epsilons
    ]
    behind = [1 - off / right for right, off in losses_by_epsilon]
    shows = next(
        (epsilon for epsilon, share in zip(epsilons, behind, strict=True) if abs(share) > VISIBLE), math.inf
    )
    gradient = gradient_of(vocabulary, units)
    typical = float(np.sqrt(np.mean(gradient**2)))
    gpt2 = 50257
    lag = 1 - lab.trained(replace(run, epsilon=run.epsilon * gpt2)).drop / lab.trained(run).drop
    main = [
        [
            lab.trained(settings.main(v, "Adam", denominator)).history.held_out
            for denominator in ("units", "whole shape")
        ]
        for v in VOCABULARIES
    ]
    return Claim(
        "Adam",
        "Adam hides the factor.",
        f"After {settings.main_steps} steps at V = {listed(VOCABULARIES)} the held-out loss is "
        f"{listed([right for right, _ in main])} right and {listed([off for _, off in main])} wrong. A "
        f"wrong run is a right run with epsilon x V ({within(equivalent)} of their way apart). At V = "
        f"{vocabulary} it falls behind by more than {VISIBLE:.0%} from epsilon = {short(shows)} up; the "
        f"default is {short(run.epsilon)}, and the root mean square of an untrained model's right gradient "
        f"{short(typical)}. With a vocabulary of {gpt2}, GPT-2's, the default would act like "
        f"{short(run.epsilon * gpt2)}; with that, this model learns {lag:.1%} less.",
        "holds when" if equivalent < 1e-6 and run.epsilon < shows < math.inf else "does not hold",
        "epsilon x V is far below the size of a gradient",
        figures={
            "epsilon": epsilons,
            "drop_right": [right for right, _ in losses_by_epsilon],
            "drop_wrong": [off for _, off in losses_by_epsilon],
            "shows_from": shows,
            "typical_gradient": typical,
            "lag_at_50257": lag,
            "held_out": main,
        },
    )


def turned_up(lab: Laboratory, right: Run, knob: str) -> dict[str, float]:
    """What a wrong run at rate x V does to another knob: distances and what each run learned.

    `as_it_is`: the wrong run against the right one, the knob untouched. `turned_up`: against the right one
    with the knob turned up V-fold, to show that they are the same. `mended`: the wrong run with the knob
    divided by V.
    """
    value, vocabulary = getattr(right, knob), right.vocabulary
    off = wrong_times_v(right)
    return {
        "as_it_is": lab.apart(right, off),
        "turned_up": lab.apart(replace(right, **{knob: value * vocabulary}), off),
        "mended": lab.apart(right, replace(off, **{knob: value / vocabulary})),
        "drop_right": lab.trained(right).drop,
        "drop_wrong": lab.trained(off).drop,
    }


def knob_claim(topic: str, statement: str, name: str, found: dict[str, float], also: str = "") -> Claim:
    """The verdict about a knob beside the loss: harmless, or turned up V-fold."""
    same = found["turned_up"] < SAME and found["mended"] < SAME
    harmless = found["as_it_is"] < VISIBLE
    return Claim(
        topic,
        statement,
        f"At rate x V, the wrong run ends {short(found['as_it_is'])} times as far from the right one as "
        f"that one moved, and lowers the loss by {short(found['drop_wrong'])} nats instead of "
        f"{short(found['drop_right'])}. It is the right run with {name} x V ({within(found['turned_up'])} "
        f"apart); with {name} / V it is the right run again ({within(found['mended'])} apart).{also}",
        "holds" if harmless else "holds when" if same else "does not hold",
        f"{name} is divided by V too" if same and not harmless else "",
        figures=dict(found),
    )


def l2_penalty(lab: Laboratory, settings: Settings) -> Claim:
    """L2 regularisation beside a loss that is V times too small."""
    found = turned_up(lab, settings.sgd(l2=0.001), "l2")
    return knob_claim("L2 penalty", "Regularisation works as before.", "the penalty", found)


def second_term(lab: Laboratory, settings: Settings) -> Claim:
    """Any other loss term, here a penalty on softmax's normaliser."""
    found = turned_up(lab, settings.sgd(penalty=0.001), "penalty")
    return knob_claim("A second loss term", "Other loss terms keep their weight.", "its weight", found)


def clipping(lab: Laboratory, settings: Settings) -> Claim:
    """A limit on the gradient's norm."""
    limit = 0.5
    run = settings.sgd(largest_norm=limit)
    found = turned_up(lab, run, "largest_norm")
    share = [
        float(np.mean(np.array(lab.trained(each).history.norms) > limit))
        for each in (run, wrong_times_v(run))
    ]
    also = (
        f" A limit of {limit} clips {share[0]:.0%} of the right steps and {share[1]:.0%} of the wrong ones."
    )
    return knob_claim("Clipping", "Gradient clipping works as before.", "the limit", found, also)


def decoupled_decay_under_adam(lab: Laboratory, settings: Settings) -> Claim:
    """AdamW's decay does not pass through the gradient; L2 under Adam does."""
    decoupled, coupled = settings.adam(decay=0.1), settings.adam(l2=0.001)
    drops = [lab.trained(run).drop for run in (decoupled, wrong(decoupled), coupled, wrong(coupled))]
    lags = [1 - drops[1] / drops[0], 1 - drops[3] / drops[2]]
    return Claim(
        "Weight decay, AdamW",
        "Decoupled weight decay is not affected.",
        f"AdamW with decay 0.1 lowers the loss by {short(drops[0])} nats right and {short(drops[1])} wrong, "
        f"at the same rate. Adam with an L2 penalty of 0.001 in the gradient: {short(drops[2])} right and "
        f"{short(drops[3])} wrong.",
        "holds when" if abs(lags[0]) < VISIBLE < abs(lags[1]) else "does not hold",
        "the optimizer is AdamW: its step keeps its size, and the decay never enters the gradient",
        figures={"adamw": drops[:2], "adam_l2": drops[2:]},
    )


def decoupled_decay_under_sgd(lab: Laboratory, settings: Settings) -> Claim:
    """The rate that makes up for the loss multiplies the decay as well."""
    found = turned_up(lab, settings.sgd(momentum=0.9, rate=0.1, decay=0.001), "decay")
    return knob_claim(
        "Weight decay, SGD", "With decoupled decay, rate x V gives the right run again.", "the decay", found
    )
