"""The audit: everything that has been said about this mistake, measured on the model, with a verdict.

The claims are those of the write-up in which the mistake was first described, and of the discussions it
started. Each function below measures one and decides by what it measured. Nothing is quoted but the claim
itself.

One sentence explains every result. Dividing the loss by V divides its gradient by V and nothing else, so *a
wrong run is a right run in which everything that is not the loss has been turned up V-fold*: L2 penalties,
clipping limits, other loss terms, Adam's epsilon, and one over the learning rate of SGD. The audit checks
these equivalences to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from batchmean_reference.laboratory import (
    DIVISORS,
    VOCABULARIES,
    Laboratory,
    Run,
    bits_per_character,
    first_batch,
    flat,
)
from batchmean_reference.losses import cross_entropy, one_hot, perplexity, softmax, whole_shape_cce
from batchmean_reference.optimizers import SGD
from batchmean_reference.tokenizer import alice_tokenizer
from batchmean_reference.training import Denominator, first_axis, loss_and_gradient, units, whole_shape

Verdict = Literal["holds", "holds when", "does not hold"]

SAME = 1e-9
"""Two float64 runs that end closer than this, relative to how far they moved, differ by rounding only."""

VISIBLE = 0.01
"""A difference of more than a hundredth of what a run learned can be seen."""


@dataclass(frozen=True)
class Claim:
    """A statement, what was measured, and what follows. `when` completes the verdict "holds when"."""

    topic: str
    statement: str
    measured: str
    verdict: Verdict
    when: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How long the audit trains. `study` is the vocabulary of the small model that the comparisons use."""

    study_steps: int = 80
    main_steps: int = 220
    descent_steps: int = 5
    epsilons: tuple[float, ...] = tuple(10.0**power for power in range(-10, -1))
    study: int = 100
    shown: int = 500  # the vocabulary whose text and trajectories are shown

    def main(self, vocabulary: int, optimizer: str, denominator: str) -> Run:
        """A run of the main model, at the rate that suits the optimizer."""
        rate, momentum = (0.003, 0.0) if optimizer == "Adam" else (0.3, 0.9)
        return Run(vocabulary, denominator, optimizer, rate, momentum, steps=self.main_steps, model="main")

    def sgd(self, **fields: Any) -> Run:
        """A right run of the study model under plain SGD."""
        return Run(self.study, steps=self.study_steps, **fields)

    def adam(self, **fields: Any) -> Run:
        """A right run of the study model under Adam."""
        return Run(self.study, optimizer="Adam", rate=0.003, steps=self.study_steps, **fields)


FULL = Settings()
QUICK = Settings(study_steps=20, main_steps=16, descent_steps=2, epsilons=(1e-10, 1e-8, 1e-6, 1e-4, 1e-2))


def wrong(run: Run, **fields: Any) -> Run:
    """The same run with the whole-shape denominator, and whatever else is said."""
    return replace(run, denominator="whole shape", **fields)


def wrong_times_v(run: Run, **fields: Any) -> Run:
    """The wrong run with its rate multiplied by V, which makes up for the loss, and whatever else is said."""
    return wrong(run, rate=run.rate * run.vocabulary, **fields)


def short(number: float) -> str:
    """A number in three significant digits, with an exponent only where it needs one.

    >>> short(0.046051), short(1234.5), short(1.2e-15), short(0.000144), short(999.9999)
    ('0.0461', '1234', '1.2e-15', '0.000144', '1000')
    """
    size = abs(float(f"{number:.3g}"))  # rounded first: 1000 less a rounding error is a thousand
    if size != 0 and not 1e-4 <= size < 1e5:
        return f"{number:.2g}"
    return f"{number:.0f}" if size >= 1000 else f"{number:.3g}"


def within(distance: float) -> str:
    """A distance between float64 results, `short`; how large mere rounding is depends on the machine.

    >>> within(4.4e-16), within(0.046051)
    ('less than 1e-12', '0.0461')
    """
    return "less than 1e-12" if distance < 1e-12 else short(distance)


def listed(numbers: Sequence[float]) -> str:
    """Several numbers, each `short`, with commas."""
    return ", ".join(short(number) for number in numbers)


@cache
def fresh_losses(vocabulary: int, batch: int = 32, time: int = 32) -> tuple[float, float]:
    """The whole-shape loss and the right one of the untrained main model, on a batch of the book."""
    inputs, targets = first_batch(vocabulary, batch, time)
    logits = Run(vocabulary, model="main").fresh_model().forward(inputs).astype(np.float64)  # (B, T, V)
    return whole_shape_cce(targets, softmax(logits)), cross_entropy(targets, logits)


# --- the size of the loss --------------------------------------------------------------------------------


def table_of_expected_losses(lab: Laboratory, settings: Settings) -> Claim:
    """The write-up's table against the formula and the model."""
    claimed, batch = (0.00144, 0.000388, 0.000216), 32
    formula = [math.log(vocabulary) / vocabulary for vocabulary in VOCABULARIES]
    measured = [fresh_losses(vocabulary, batch)[0] for vocabulary in VOCABULARIES]
    short_by = [loss / entry for loss, entry in zip(formula, claimed, strict=True)]
    return Claim(
        "Expected loss",
        f"An untrained model with a batch of {batch} shows a loss of {listed(claimed)} "
        f"at V = {listed(VOCABULARIES)}.",
        f"The model shows {listed(measured)}; log(V)/V is {listed(formula)}. The table is "
        f"{short(min(short_by))} times too small: it divides by the batch but leaves out the sum over it.",
        "holds" if np.allclose(measured, claimed, rtol=0.1) else "does not hold",
        figures={"V": VOCABULARIES, "claimed": claimed, "formula": formula, "measured": measured},
    )


def always_below(lab: Laboratory, settings: Settings) -> Claim:
    """The bound that the program's author saw."""
    bound, largest = 0.007, VOCABULARIES[-1]
    by_formula = next(v for v in range(3, 10**6) if math.log(v) / v < bound)
    nearby = range(by_formula - 1, by_formula + 6)
    above = [v for v in nearby if fresh_losses(v, batch=8)[0] >= bound]
    first = max(above, default=nearby[0] - 1) + 1
    seen = max(lab.trained(settings.main(largest, "SGD", "whole shape")).history.losses)
    worst = whole_shape_cce(one_hot([0], largest), one_hot([1], largest))
    small = [fresh_losses(vocabulary)[0] for vocabulary in VOCABULARIES[:-1]]
    return Claim(
        "A ceiling",
        f"The loss is always below {bound}, whatever the vocabulary.",
        f"At V = {listed(VOCABULARIES[:-1])} it starts at {listed(small)}. log(V)/V is below {bound} from V "
        f"= {by_formula} up; the untrained model, whose guess is not quite uniform, from V = {first}. At V "
        f"= {largest} the largest of {settings.main_steps} training losses was {short(seen)}. A model that "
        f"is wrong and sure of it reaches {short(worst)} there.",
        "holds when" if seen < bound <= min(small) else "does not hold",
        f"V is {by_formula} or more and the model guesses no worse than uniformly",
        figures={
            "from_V_by_formula": by_formula,
            "from_V_measured": first,
            "largest_seen": seen,
            "worst": worst,
        },
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


# --- its gradient ----------------------------------------------------------------------------------------


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
        f"At V = {listed(VOCABULARIES)} it has the direction of the right one (cosine 1 to within "
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


# --- training --------------------------------------------------------------------------------------------


def descend(vocabulary: int, denominator: Denominator, rate: float, steps: int) -> tuple[float, float]:
    """The loss in nats before and after plain gradient descent on one and the same batch."""
    model, optimizer = Run(vocabulary).fresh_model(), SGD(rate)
    inputs, targets = first_batch(vocabulary, 4, 8)
    first = cross_entropy(targets, model.forward(inputs))
    for _ in range(steps):
        model.backward(loss_and_gradient(targets, model.forward(inputs), denominator)[1])
        optimizer.step(model.all_parameters(), model.all_gradients())
    return first, cross_entropy(targets, model.forward(inputs))


def sgd_at_the_same_rate(lab: Laboratory, settings: Settings) -> Claim:
    """Does the model still converge?"""
    steps, vocabulary = settings.descent_steps, settings.study
    start, after_right = descend(vocabulary, units, 0.05, steps)
    _, after_wrong = descend(vocabulary, whole_shape, 0.05, steps)
    _, after_many = descend(vocabulary, whole_shape, 0.05, steps * vocabulary)
    drops = [
        (
            lab.trained(settings.main(v, "SGD", "units")).drop,
            lab.trained(settings.main(v, "SGD", "whole shape")).drop,
        )
        for v in VOCABULARIES
    ]
    kept = [off / right for right, off in drops]
    return Claim(
        "SGD at the same rate",
        "Convergence is preserved.",
        f"{settings.main_steps} steps at V = {listed(VOCABULARIES)} lower the loss by "
        f"{listed([right for right, _ in drops])} nats per token with the right denominator, by "
        f"{listed([off for _, off in drops])} with the wrong one. On one batch, {steps} right steps take "
        f"{short(start)} to {short(after_right)}; the wrong ones get to {short(after_wrong)} in {steps} "
        f"steps and to {short(after_many)} in {steps * vocabulary}: V times slower.",
        "holds" if min(kept) > 1 - VISIBLE else "does not hold",
        figures={
            "V": VOCABULARIES,
            "drop_right": [right for right, _ in drops],
            "drop_wrong": [off for _, off in drops],
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


# --- what people read off the loss -----------------------------------------------------------------------


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


def divide_by_the_first_axis(lab: Laboratory, settings: Settings) -> Claim:
    """The repair that was suggested."""
    vocabulary, time = settings.shown, 32
    inputs, targets = first_batch(vocabulary, 16, time)
    logits = Run(vocabulary, model="main").fresh_model().forward(inputs).astype(np.float64)  # (B, T, V)
    ratios = [
        loss_and_gradient(y, x, first_axis)[0] / loss_and_gradient(y, x, units)[0]
        for y, x in ((targets[:, -1], logits[:, -1]), (targets, logits))
    ]
    flat_ratio = (
        loss_and_gradient(targets.reshape(-1, vocabulary), logits.reshape(-1, vocabulary), first_axis)[0]
        / loss_and_gradient(targets, logits, units)[0]
    )
    return Claim(
        "The repair",
        "Dividing by shape[0] mends it.",
        f"Over the right loss: {short(ratios[0])} for (B, V); {short(ratios[1])} for (B, T, V) with T = "
        f"{time}; {short(flat_ratio)} for (B*T, V), flattened.",
        "holds when" if abs(ratios[0] - 1) < SAME and abs(ratios[1] - time) < 1e-6 else "does not hold",
        "every row is a unit: (B, V), or (B*T, V) flattened",
        figures={"B_V": ratios[0], "B_T_V": ratios[1], "flattened": flat_ratio},
    )


def sampled(lab: Laboratory, run: Run, length: int = 60) -> str:
    """Text from a trained model, starting with "Alice"."""
    tokenizer = alice_tokenizer(run.vocabulary)
    ids = lab.trained(run).model.sample(tokenizer.encode("Alice "), length, temperature=0.7, seed=1)
    return tokenizer.decode(ids.tolist()).replace("\n", " / ")


def text_quality(lab: Laboratory, settings: Settings) -> Claim:
    """Held-out loss and samples at equal steps."""
    held_out: dict[str, list[float]] = {}
    samples: dict[str, str] = {}
    for optimizer in ("SGD", "Adam"):
        runs = [
            settings.main(settings.shown, optimizer, denominator) for denominator in ("units", "whole shape")
        ]
        held_out[optimizer] = [lab.trained(run).history.held_out for run in runs]
        for run in runs:
            samples[f"{optimizer}, divided by {DIVISORS[run.denominator]}"] = sampled(lab, run)
    start = math.log(settings.shown)
    lags = {name: (off - right) / (start - right) for name, (right, off) in held_out.items()}
    return Claim(
        "Generated text",
        "The quality of the text will not change.",
        f"Held-out loss after {settings.main_steps} steps at V = {settings.shown}, in nats per token "
        f"(knowing nothing: {short(start)}): SGD {listed(held_out['SGD'])}, Adam {listed(held_out['Adam'])} "
        "(right, wrong). See the samples.",
        "holds when" if abs(lags["Adam"]) < 0.1 < lags["SGD"] else "does not hold",
        "the optimizer is Adam, which divides the factor out again; under SGD it is noise",
        figures={"held_out": held_out, "samples": samples},
    )


CLAIMS: tuple[Callable[[Laboratory, Settings], Claim], ...] = (
    table_of_expected_losses,
    always_below,
    what_the_scale_depends_on,
    gradients_are_correct,
    half_precision,
    sgd_at_the_same_rate,
    sgd_at_rate_times_v,
    adam_does_not_notice,
    l2_penalty,
    second_term,
    clipping,
    decoupled_decay_under_adam,
    decoupled_decay_under_sgd,
    perplexity_is_meaningless,
    early_stopping,
    comparability,
    divide_by_the_first_axis,
    text_quality,
)
"""Every check, in the order of the report."""
