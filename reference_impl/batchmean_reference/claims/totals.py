"""What is made of the losses of many batches, and of many terms: measured on texts of unequal length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from batchmean_reference.accumulated import CONTEXT, TEXTS, Cut, gradient, texts, trained
from batchmean_reference.claims.basics import VISIBLE, Claim, Settings, short
from batchmean_reference.laboratory import Laboratory, Run
from batchmean_reference.losses import Array, Mask, log_softmax, one_hot
from batchmean_reference.optimizers import SGD

LAST = 6
"""The texts of the last batch of an epoch."""
BATCHES = 5
RATE = 0.3
"""Of the step that is looked at."""


@dataclass(frozen=True)
class Batch:
    """What a batch has for each of its positions (B, T): a loss, whether it counts, and a squared logsumexp."""

    nats: Array
    valid: Mask
    z_losses: Array

    @property
    def mean(self) -> float:
        """The mean over the valid positions."""
        return float(self.nats[self.valid].mean())


@cache
def epoch(vocabulary: int, steps: int) -> tuple[Batch, ...]:
    """The losses of an epoch of the model that `steps` whole batches have trained; the last batch is smaller."""
    model, end, start = Run(vocabulary).fresh_model(), trained(Cut(), vocabulary, steps).end, 0
    parameters = model.all_parameters()
    for array in (parameters[name] for name in sorted(parameters)):
        array[...] = end[start : start + array.size].reshape(array.shape)
        start += array.size
    drawn, found = texts(vocabulary, CONTEXT, seed=1), []
    for number in range(BATCHES):
        kept = TEXTS if number < BATCHES - 1 else LAST
        inputs, labels, valid = next(drawn)
        logits = model.forward(inputs[:kept]).astype(np.float64)  # (B, T, V)
        log_p = log_softmax(logits)  # (B, T, V)
        nats = -(one_hot(labels[:kept], vocabulary, logits.dtype) * log_p).sum(axis=-1)  # (B, T)
        found.append(Batch(nats, valid[:kept], (logits - log_p)[..., 0] ** 2))
    return tuple(found)


def _of_epoch(batches: tuple[Batch, ...]) -> float:
    """The mean over the valid positions of the epoch."""
    return float(np.concatenate([each.nats[each.valid] for each in batches]).mean())


def means_over_examples(lab: Laboratory, settings: Settings) -> Claim:
    """`total += loss.item()`, then `/ len(loader.dataset)`."""
    batches = epoch(settings.study, settings.study_steps)
    examples = sum(len(each.nats) for each in batches)
    right, off = _of_epoch(batches), sum(each.mean for each in batches) / examples
    return Claim(
        "Means over the examples",
        "The means of all batches, added up and divided by the number of examples, are the loss of the epoch.",
        f"{examples} texts in {BATCHES} batches: {short(off)} instead of {short(right)} nats per token, "
        f"{short(right / off)} times too small; twice the batch size would halve it again.",
        "does not hold" if off < right / 2 else "holds",
        figures={"off": off, "right": right},
    )


def sums_over_batches(lab: Laboratory, settings: Settings) -> Claim:
    """`total += loss.item() * len(x)`, then `/ len(loader)`."""
    batches = epoch(settings.study, settings.study_steps)
    right = _of_epoch(batches)
    off = sum(each.mean * len(each.nats) for each in batches) / BATCHES
    return Claim(
        "Sums over the batches",
        "The sums of all batches, divided by the number of batches, are the loss of the epoch.",
        f"{short(off)} instead of {short(right)} nats per token with {TEXTS} texts a batch: "
        f"{short(off / right)} times too large.",
        "does not hold" if off > right * 2 else "holds",
        figures={"off": off, "right": right},
    )


def mean_of_perplexities(lab: Laboratory, settings: Settings) -> Claim:
    """`total += math.exp(loss.item())`, then `/ len(loader)`."""
    batches = epoch(settings.study, settings.study_steps)
    right = float(np.exp(_of_epoch(batches)))
    batched = float(np.mean([np.exp(each.mean) for each in batches]))
    rows = [each.nats[row][each.valid[row]].mean() for each in batches for row in range(len(each.nats))]
    off = float(np.mean(np.exp(rows)))
    return Claim(
        "Mean of perplexities",
        "The mean of the batches' perplexities is the perplexity of the epoch.",
        f"One text at a time: {off:.1f} instead of {right:.1f}; in batches of {TEXTS} texts {batched:.1f}: it "
        "depends on how the epoch is cut.",
        "does not hold" if off > right * (1 + VISIBLE) else "holds",
        figures={"off": off, "right": right, "batched": batched},
    )


def divided_twice(lab: Laboratory, settings: Settings) -> Claim:
    """`loss / accumulation_steps`, handed to what divides by them itself."""
    inputs, labels, valid = next(texts(settings.study, CONTEXT, seed=1))
    weights, everything = valid / valid.sum(), np.arange(TEXTS)
    ends = []
    for parts in (1, TEXTS):
        model = Run(settings.study).fresh_model()
        before, found = gradient(model, inputs, labels, weights / parts, everything)
        SGD(RATE).step(model.all_parameters(), found)
        after, _ = gradient(model, inputs, labels, weights, everything)
        ends.append(before * parts - after)
    right, off = ends
    return Claim(
        "Divided by the steps twice",
        "A loss that is divided by the accumulation steps twice trains as before.",
        f"With {TEXTS} micro-batches the gradient is {TEXTS} times too short: the first step of SGD takes "
        f"{short(off)} nats off the loss of its batch instead of {short(right)}, as 1/{TEXTS} of the rate does.",
        "does not hold" if off < right / 2 else "holds",
        figures={"off": off, "right": right},
    )


def padding_in_the_sum(lab: Laboratory, settings: Settings) -> Claim:
    """A sum over all positions, divided by the number of those that count."""
    first = epoch(settings.study, settings.study_steps)[0]
    off = float(first.nats.sum() / first.valid.sum())
    return Claim(
        "Padding in the sum",
        "A loss may be summed over all positions if it is divided by the valid ones.",
        f"{int(first.valid.sum())} of {first.valid.size} positions are valid: {short(off)} instead of "
        f"{short(first.mean)} nats per token, and the padding is trained on.",
        "does not hold" if off > first.mean * 2 else "holds",
        figures={"off": off, "right": first.mean},
    )


def sum_beside_mean(lab: Laboratory, settings: Settings) -> Claim:
    """A term that is averaged over the batch, and one that is summed over it."""
    first = epoch(settings.study, settings.study_steps)[0]
    penalties = 0.01 * first.z_losses.mean(axis=-1)  # (B,)
    shares = {
        size: float(penalties[:size].sum() / (penalties[:size].sum() + first.nats[:size].mean()))
        for size in (TEXTS // 4, TEXTS)
    }
    few, many = shares.values()
    return Claim(
        "A sum beside a mean",
        "A penalty that is summed over the batch keeps its weight beside a mean.",
        f"The same penalty is {few:.0%} of the loss with {TEXTS // 4} texts a batch and {many:.0%} with {TEXTS}.",
        "does not hold" if many > few + VISIBLE else "holds",
        figures={str(size): share for size, share in shares.items()},
    )


def never_by_the_examples(lab: Laboratory, settings: Settings) -> Claim:
    """A sum over everything, divided by the positions of one example."""
    first = epoch(settings.study, settings.study_steps)[0]
    off = {size: float(first.nats[:size].sum() / CONTEXT) for size in (TEXTS // 4, TEXTS)}
    right = float(first.nats.mean())
    few, many = off.values()
    return Claim(
        "Never by the examples",
        "A sum that is divided by the positions of a text is the loss per token.",
        f"{short(few)} with {TEXTS // 4} texts a batch and {short(many)} with {TEXTS}, where all of them have "
        f"{short(right)} nats per position: it grows with the batch.",
        "does not hold" if many > few * 2 else "holds",
        figures={str(size): loss for size, loss in off.items()} | {"right": right},
    )
