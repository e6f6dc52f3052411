"""What was concluded: the repair, its price, and the decision to do without it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np

from batchmean_reference.claims.basics import (
    SAME,
    Claim,
    Settings,
    listed,
    short,
    within,
    wrong,
    wrong_times_v,
)
from batchmean_reference.claims.gradient import gradients_are_correct
from batchmean_reference.claims.reading import comparability, early_stopping, perplexity_is_meaningless
from batchmean_reference.claims.training import clipping, convergence, l2_penalty, second_term
from batchmean_reference.laboratory import (
    DIVISORS,
    VOCABULARIES,
    Laboratory,
    Run,
    first_batch,
    guessing_by_frequency,
)
from batchmean_reference.tokenizer import alice_tokenizer
from batchmean_reference.training import first_axis, loss_and_gradient, units


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
    start, counting = math.log(settings.shown), guessing_by_frequency(settings.shown)
    lags = {name: (off - right) / (start - right) for name, (right, off) in held_out.items()}
    return Claim(
        "Generated text",
        "The quality of the text will not change.",
        f"Held-out loss after {settings.main_steps} steps at V = {settings.shown}, in nats per token "
        f"(knowing nothing: {short(start)}; how often each token occurs: {short(counting)}): SGD "
        f"{listed(held_out['SGD'])}, Adam {listed(held_out['Adam'])} (right, wrong). The wrong run lacks "
        f"{lags['SGD']:.0%} of what the right one learned with SGD, and {abs(lags['Adam']):.1%} with Adam. See the "
        "samples.",
        "holds when" if abs(lags["Adam"]) < 0.1 < lags["SGD"] else "does not hold",
        "the optimizer is Adam, which divides the factor out again",
        figures={"held_out": held_out, "lags": lags, "samples": samples},
    )


def will_learn(lab: Laboratory, settings: Settings) -> Claim:
    """Does it learn more than how often each token occurs?"""
    held_out = {
        (optimizer, denominator): [
            lab.trained(settings.main(v, optimizer, denominator)).history.held_out for v in VOCABULARIES
        ]
        for optimizer, denominator in product(("SGD", "Adam"), ("units", "whole shape"))
    }
    logs = [math.log(v) for v in VOCABULARIES]
    learned = {
        optimizer: [
            (log - off) / (log - right)
            for log, right, off in zip(
                logs, held_out[optimizer, "units"], held_out[optimizer, "whole shape"], strict=True
            )
        ]
        for optimizer in ("SGD", "Adam")
    }
    counting = [guessing_by_frequency(v) for v in VOCABULARIES]
    shown = "; ".join(
        f"{optimizer} {listed(held_out[optimizer, 'whole shape'])} on the wrong loss, "
        f"{listed(held_out[optimizer, 'units'])} on the right one"
        for optimizer in ("SGD", "Adam")
    )
    return Claim(
        "Learning",
        "The model will learn.",
        f"Held out, in nats per token after {settings.main_steps} steps at V = {listed(VOCABULARIES)}: {shown}. "
        f"Knowing nothing costs {listed(logs)}, how often each token occurs {listed(counting)}. Of what the right run "
        f"learns, the wrong one learns {', '.join(f'{x:.1%}' for x in learned['SGD'])} with SGD and "
        f"{', '.join(f'{x:.1%}' for x in learned['Adam'])} with Adam.",
        "holds"
        if min(learned["SGD"]) > 0.9
        else "holds when"
        if min(learned["Adam"]) > 0.9
        else "does not hold",
        "the optimizer is Adam; SGD at the same rate needs V times the steps",
        figures={"learned": learned, "counting": counting},
    )


def one_line_fix(lab: Laboratory, settings: Settings) -> Claim:
    """Mend the loss alone, in a run whose rate was tuned on the wrong one."""
    tuned = wrong_times_v(settings.sgd())
    vocabulary = tuned.vocabulary
    alone = replace(tuned, denominator="units")
    both = replace(alone, rate=tuned.rate / vocabulary)
    guessing = math.log(vocabulary)
    with np.errstate(all="ignore"):  # the run that diverges goes beyond what a float64 holds
        nats = {run: lab.trained(run).history.nats for run in (tuned, alone, both)}
    beyond = next((step for step, loss in enumerate(nats[alone]) if not loss < 10 * guessing), None)
    diverged = "never" if beyond is None else f"at step {beyond}"
    ends = {run: float(np.mean(nats[run][-10:])) for run in (tuned, both)}
    apart = lab.apart(tuned, both)
    adam = wrong(settings.adam())
    adam_apart = lab.apart(adam, replace(adam, denominator="units"))
    return Claim(
        "The one-line fix",
        "Apply the one-line fix.",
        f"A run on the wrong loss at V = {vocabulary} whose SGD was tuned to a rate of {tuned.rate:g} ends at "
        f"{short(ends[tuned])} nats per token. With the loss mended and nothing else, it passes ten times what "
        f"guessing costs ({short(guessing)}) {diverged}. With the rate divided by V as well, {both.rate:g}, it ends at "
        f"{short(ends[both])} and is the run from before ({within(apart)} of its way apart). With Adam at the same "
        f"rate the mended run ends {short(adam_apart)} of its way from the unmended one.",
        "holds when"
        if beyond is not None and apart < SAME
        else "does not hold"
        if apart >= SAME
        else "holds",
        "the rate of SGD is divided by V in the same change, and so is all else that was tuned against the loss",
        figures={
            "ends": [ends[tuned], ends[both]],
            "diverges_at": beyond,
            "apart": apart,
            "adam_apart": adam_apart,
        },
    )


REASONS = (gradients_are_correct, convergence, text_quality, will_learn)
"""What the decision to keep the loss was based on."""


def keep_the_implementation(lab: Laboratory, settings: Settings) -> Claim:
    """The decision, by its four reasons and by what they leave out."""
    reasons = [reason(lab, settings) for reason in REASONS]
    left_out = [claim(lab, settings) for claim in (l2_penalty, second_term, clipping)]
    readings = [claim(lab, settings) for claim in (perplexity_is_meaningless, early_stopping, comparability)]
    said = "; ".join(
        f"'{claim.statement.rstrip('.')}' {claim.verdict}{f' {claim.when}' if claim.when else ''}"
        for claim in reasons
    )
    hold = [claim for claim in reasons if claim.verdict == "holds"]
    fail = [claim for claim in reasons if claim.verdict == "does not hold"]
    changed = [claim.topic for claim in left_out if claim.verdict != "holds"]
    lost = [claim.topic for claim in readings if claim.verdict == "holds"]
    return Claim(
        "The decision",
        "Decision: keep the current implementation.",
        f"Its four reasons: {said}. {len(hold)} of them hold as they stand. They leave out what changes beside the "
        f"loss ({', '.join(changed)}) and what nobody can read off it any more ({', '.join(lost)}). Mending it takes "
        "one line and, for SGD, one division of the rate.",
        "holds"
        if len(hold) == len(reasons) and not changed + lost
        else "does not hold"
        if fail
        else "holds when",
        "the optimizer is Adam, nothing stands beside the loss, and nobody reads its value",
        figures={
            "reasons": {claim.topic: claim.verdict for claim in reasons},
            "changed": changed,
            "lost": lost,
        },
    )
