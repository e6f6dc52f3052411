"""The size of the loss: what it starts at, what it depends on, and what it says."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from batchmean_reference.claims.basics import (
    Claim,
    Settings,
    fresh_losses,
    listed,
    losses_on,
    short,
    within,
)
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, Run
from batchmean_reference.losses import one_hot, whole_shape_cce

BOUND = 0.007
"""The bound that the program's author saw."""

CLAIMED, CLAIMED_BATCH = (0.00144, 0.000388, 0.000216), 32
"""The write-up's table, at `VOCABULARIES`, and the batch that it is for."""


@cache
def bounded_from() -> int:
    """The vocabulary from which log(V)/V stays below `BOUND`."""
    return next(v for v in range(3, 10**6) if math.log(v) / v < BOUND)


def always_below(lab: Laboratory, settings: Settings) -> Claim:
    """The bound that the program's author saw."""
    by_formula, largest = bounded_from(), VOCABULARIES[-1]
    nearby = range(by_formula - 1, by_formula + 6)
    above = [v for v in nearby if fresh_losses(v, batch=8)[0] >= BOUND]
    first = max(above, default=nearby[0] - 1) + 1
    seen = max(lab.trained(settings.main(largest, "SGD", "whole shape")).history.losses)
    worst = whole_shape_cce(one_hot([0], largest), one_hot([1], largest))
    fresh = [fresh_losses(vocabulary)[0] for vocabulary in VOCABULARIES]
    return Claim(
        "A ceiling",
        f"The loss is always below {BOUND}, whatever the vocabulary.",
        f"At V = {listed(VOCABULARIES[:-1])} it starts at {listed(fresh[:-1])}. log(V)/V is below {BOUND} from V "
        f"= {by_formula} up; the untrained model, whose guess is not quite uniform, from V = {first}. At V "
        f"= {largest} the largest of {settings.main_steps} training losses was {short(seen)}. A model that "
        f"is wrong and sure of it reaches {short(worst)} there.",
        "holds" if max(*fresh, worst) < BOUND else "does not hold",
        figures={
            "from_V_by_formula": by_formula,
            "from_V_measured": first,
            "largest_seen": seen,
            "worst": worst,
        },
    )


def regardless(
    lab: Laboratory, settings: Settings, topic: str, of: str, letter: str, sizes: tuple[tuple[int, int], ...]
) -> Claim:
    """Whether the bound stands while an axis of the input, `letter`, varies: `sizes` are B and T."""
    varied = [size["BT".index(letter)] for size in sizes]
    ends = VOCABULARIES[0], VOCABULARIES[-1]
    untrained = {v: [fresh_losses(v, batch, time)[0] for batch, time in sizes] for v in ends}
    trained = {
        (optimizer, v): [
            losses_on(lab.trained(settings.main(v, optimizer, "whole shape")).model, v, batch, time)[0]
            for batch, time in sizes
        ]
        for optimizer in ("SGD", "Adam")
        for v in ends
    }
    small, large = ([untrained[v], *(trained[name, v] for name in ("SGD", "Adam"))] for v in ends)
    steady = max(max(losses) / min(losses) for losses in untrained.values()) < 1.05
    below = max(map(max, large)) < BOUND <= max(map(max, small))
    shown = "; ".join(
        f"at V = {v}: {listed(untrained[v])} untrained, {listed(trained['SGD', v])} trained with SGD, "
        f"{listed(trained['Adam', v])} with Adam"
        for v in ends
    )
    return Claim(
        topic,
        f"The loss is below {BOUND} regardless of {of}.",
        f"{letter} = {listed(varied)}, {shown}. No size of "
        f"{letter} changes the scale, and none brings the loss below {BOUND} where V does not.",
        "holds when" if steady and below else "does not hold",
        f"V is {bounded_from()} or more",
        figures={
            "untrained": list(untrained.values()),
            "trained_SGD": [trained["SGD", v] for v in ends],
            "trained_Adam": [trained["Adam", v] for v in ends],
        },
    )


def by_input_columns(lab: Laboratory, settings: Settings) -> Claim:
    """The columns of the input (B, T), one for each position."""
    sizes = ((32, 4), (32, 8), (32, 32))
    return regardless(lab, settings, "Input columns", "the number of input columns", "T", sizes)


def by_batch_size(lab: Laboratory, settings: Settings) -> Claim:
    """The rows of the input (B, T)."""
    sizes = ((4, 32), (32, 32), (128, 32))
    return regardless(lab, settings, "Batch size", "batch size", "B", sizes)


def by_training_progress(lab: Laboratory, settings: Settings) -> Claim:
    """Every step of every run, not the first one only."""
    ranges = {
        optimizer: [
            lab.trained(settings.main(v, optimizer, "whole shape")).history.losses for v in VOCABULARIES
        ]
        for optimizer in ("SGD", "Adam")
    }
    large = max(max(runs[-1]) for runs in ranges.values())
    small = max(max(runs[0]) for runs in ranges.values())
    shown = "; ".join(
        f"{name} {', '.join(f'{short(max(run))} to {short(min(run))}' for run in runs)}"
        for name, runs in ranges.items()
    )
    return Claim(
        "Training progress",
        f"The loss is below {BOUND} regardless of training progress.",
        f"The largest and the smallest of {settings.main_steps} losses at V = {listed(VOCABULARIES)}: {shown}.",
        "holds when" if large < BOUND <= small else "does not hold",
        f"V is {bounded_from()} or more",
        figures={name: [[max(run), min(run)] for run in runs] for name, runs in ranges.items()},
    )


def does_not_decrease(lab: Laboratory, settings: Settings) -> Claim:
    """A curve that looks flat, and why."""
    vocabulary = VOCABULARIES[-1]

    def ends(optimizer: str, denominator: str) -> tuple[float, float]:
        losses = lab.trained(settings.main(vocabulary, optimizer, denominator)).history.losses
        return losses[0], float(np.mean(losses[-10:]))

    runs = [ends("SGD", "whole shape"), ends("SGD", "units"), ends("Adam", "whole shape")]
    change = [last / first - 1 for first, last in runs]
    return Claim(
        "A flat loss",
        "The loss does not decrease further during training.",
        f"At V = {vocabulary}, from the first of {settings.main_steps} steps to the mean of the last ten: SGD "
        f"{short(runs[0][0])} to {short(runs[0][1])} ({change[0]:+.1%}); on the right loss at the same rate "
        f"{short(runs[1][0])} to {short(runs[1][1])} ({change[1]:+.0%}); Adam on the wrong loss {short(runs[2][0])} to "
        f"{short(runs[2][1])} ({change[2]:+.0%}). It looks flat where the steps are as short as the gradient, "
        f"{vocabulary} times shorter than right ones.",
        "holds when" if abs(change[0]) < 0.02 and max(change[1:]) < -0.02 else "does not hold",
        "the optimizer is SGD and its rate suits the right loss",
        figures={"runs": runs, "change": change},
    )


def table_of_expected_losses(lab: Laboratory, settings: Settings) -> Claim:
    """The write-up's table against the formula and the model."""
    formula = [math.log(vocabulary) / vocabulary for vocabulary in VOCABULARIES]
    measured = [fresh_losses(vocabulary, CLAIMED_BATCH)[0] for vocabulary in VOCABULARIES]
    short_by = [loss / entry for loss, entry in zip(formula, CLAIMED, strict=True)]
    return Claim(
        "Expected loss",
        f"An untrained model with a batch of {CLAIMED_BATCH} shows a loss of {listed(CLAIMED)} "
        f"at V = {listed(VOCABULARIES)}.",
        f"The model shows {listed(measured)}; log(V)/V is {listed(formula)}. The table is "
        f"{short(min(short_by))} times too small: it divides by the batch but leaves out the sum over it.",
        "holds" if np.allclose(measured, CLAIMED, rtol=0.1) else "does not hold",
        figures={"V": VOCABULARIES, "claimed": CLAIMED, "formula": formula, "measured": measured},
    )


def what_the_scale_depends_on(lab: Laboratory, settings: Settings) -> Claim:
    """Batch, sequence length and vocabulary, each varied alone."""
    by_batch = [fresh_losses(settings.shown, batch=batch)[0] for batch in (4, 32, 128)]
    by_time = [fresh_losses(settings.shown, time=time)[0] for time in (4, 8, 32)]
    by_vocabulary = [fresh_losses(vocabulary)[0] for vocabulary in VOCABULARIES]
    steady = max(max(losses) / min(losses) for losses in (by_batch, by_time)) < 1.05
    return Claim(
        "What its scale depends on",
        "The scale of the loss depends on the batch, the sequence length and the vocabulary.",
        f"B = 4, 32, 128: {listed(by_batch)}. T = 4, 8, 32: {listed(by_time)}. V = {listed(VOCABULARIES)}: "
        f"{listed(by_vocabulary)}, as log(V)/V. The sum over batch and positions makes up for its share of "
        "the divisor; only V is divided by and not summed up.",
        "holds when" if steady and by_vocabulary[0] > 5 * by_vocabulary[-1] else "does not hold",
        "it is said of the vocabulary alone",
        figures={"by_B": by_batch, "by_T": by_time, "by_V": by_vocabulary},
    )


def matches_the_observation(lab: Laboratory, settings: Settings) -> Claim:
    """The table, beside the bound that it was to explain."""
    largest = VOCABULARIES[-1]
    by_table, mended = CLAIMED[-1], CLAIMED[-1] * CLAIMED_BATCH
    by_model = fresh_losses(largest, CLAIMED_BATCH)[0]
    off = [BOUND / loss for loss in (by_table, mended, by_model)]
    return Claim(
        "The observation",
        f"This matches your observation: always below {BOUND}.",
        f"At V = {largest} the table has {short(by_table)}, {short(off[0])} times below {BOUND}: whoever saw that "
        f"would have said 'below {2 * by_table:.1g}'. With the sum over the batch it has {short(mended)}, and the "
        f"model shows {short(by_model)}: {BOUND} is {short(off[1])} and {short(off[2])} times that.",
        "holds"
        if off[0] < 1.05
        else "holds when"
        if 1 < off[1] < 1.05 and 1 < off[2] < 1.05
        else "does not hold",
        f"the table is mended, and V is about {largest}",
        figures={"times_below_the_bound": off},
    )


def capacity(lab: Laboratory, settings: Settings) -> Claim:
    """Ten times the vocabulary."""
    first, last = VOCABULARIES[0], VOCABULARIES[-1]
    larger = last / first
    smaller = fresh_losses(first)[0] / fresh_losses(last)[0]
    formula = larger * math.log(first) / math.log(last)
    return Claim(
        "Capacity",
        "The loss scales inversely with the capacity of the vocabulary.",
        f"{short(larger)} times the vocabulary, from {first} to {last}: the loss is {smaller:.2f} times smaller, by "
        f"the formula {formula:.2f}. log V grows while 1/V shrinks.",
        "holds" if abs(smaller / larger - 1) < 0.05 else "does not hold",
        figures={"larger": larger, "smaller": smaller, "formula": formula},
    )


def absolute_values(lab: Laboratory, settings: Settings) -> Claim:
    """Whether the number can be turned into one that means something."""
    models = [
        (v, model)
        for v in VOCABULARIES
        for model in (
            Run(v, model="main").fresh_model(),
            lab.trained(settings.main(v, "Adam", "whole shape")).model,
        )
    ]
    pairs = [(v, *losses_on(model, v, 16, 32)) for v, model in models]
    farthest = max(abs(v * off / right - 1) for v, off, right in pairs)
    alike = fresh_losses(VOCABULARIES[0])[1] / VOCABULARIES[-1]
    return Claim(
        "Absolute values",
        "The absolute values of the loss are meaningless.",
        f"V times the loss is the cross-entropy in nats per token: {listed([v * off for v, off, _ in pairs])} against "
        f"{listed([right for _, _, right in pairs])} (V = {listed(VOCABULARIES)}, each untrained and trained), to "
        f"{within(farthest)} of it. Without V nobody can tell: {short(alike)} is a model that knows much at V = "
        f"{VOCABULARIES[-1]} if it is read as it should be, {short(alike * VOCABULARIES[-1])} nats, and at V = "
        f"{VOCABULARIES[0]} it would be {short(alike * VOCABULARIES[0])}.",
        "holds when" if farthest < 1e-6 else "holds",
        "V is not known; V x loss is in nats per token",
        figures={"pairs": pairs, "farthest": farthest},
    )


def starts_at_log_v(lab: Laboratory, settings: Settings) -> Claim:
    """What the right loss starts at, and on what that rests."""
    right = [fresh_losses(vocabulary)[1] for vocabulary in VOCABULARIES]
    logs = [math.log(vocabulary) for vocabulary in VOCABULARIES]
    loud, vocabulary, louder = Run(settings.shown, model="main").fresh_model(), settings.shown, 50
    loud.output.parameters["weight"] *= louder
    started = losses_on(loud, vocabulary, 32, 32)[1]
    near = max(abs(loss / log - 1) for loss, log in zip(right, logs, strict=True)) < 0.02
    return Claim(
        "Where others start",
        "Standard language models start at log V.",
        f"Untrained, with the right denominator, at V = {listed(VOCABULARIES)}: {listed(right)}; log V is "
        f"{listed(logs)}. With an output layer {louder} times larger at its start, V = {vocabulary}: {short(started)} "
        f"instead of {short(math.log(vocabulary))}.",
        "holds when"
        if near and started > 1.1 * math.log(vocabulary)
        else "holds"
        if near
        else "does not hold",
        "the output layer starts near zero, so that every token is about equally likely",
        figures={"right": right, "log_V": logs, "loud": started},
    )
