"""The audit: everything that has been said about this mistake, measured on the model, with a verdict.

The claims are those of the write-up in which the mistake was first described, and of the discussions it
started. Each function measures one and decides by what it measured. Nothing is quoted but the claim itself.

One sentence explains every result. Dividing the loss by V divides its gradient by V and nothing else, so *a
wrong run is a right run in which everything that is not the loss has been turned up V-fold*: L2 penalties,
clipping limits, other loss terms, Adam's epsilon, and one over the learning rate of SGD. The audit checks
these equivalences to rounding.
"""

from __future__ import annotations

from collections.abc import Callable

from batchmean_reference.claims.basics import FULL, QUICK, Claim, Settings, fresh_losses, short, within, wrong
from batchmean_reference.claims.caught import baseline_beside, laws_beside, log_v_beside, two_vocabularies
from batchmean_reference.claims.decision import (
    divide_by_the_first_axis,
    keep_the_implementation,
    one_line_fix,
    text_quality,
    will_learn,
)
from batchmean_reference.claims.gradient import gradients_are_correct, half_precision
from batchmean_reference.claims.parts import micro_batches
from batchmean_reference.claims.reading import comparability, early_stopping, perplexity_is_meaningless
from batchmean_reference.claims.size import (
    absolute_values,
    always_below,
    by_batch_size,
    by_input_columns,
    by_training_progress,
    capacity,
    does_not_decrease,
    matches_the_observation,
    starts_at_log_v,
    table_of_expected_losses,
    what_the_scale_depends_on,
)
from batchmean_reference.claims.totals import (
    divided_twice,
    mean_of_perplexities,
    means_over_examples,
    never_by_the_examples,
    padding_in_the_sum,
    sum_beside_mean,
    sums_over_batches,
)
from batchmean_reference.claims.training import (
    adam_does_not_notice,
    clipping,
    convergence,
    decoupled_decay_under_adam,
    decoupled_decay_under_sgd,
    l2_penalty,
    second_term,
    sgd_at_rate_times_v,
)
from batchmean_reference.laboratory import Laboratory

__all__ = [
    "CLAIMS",
    "FULL",
    "QUICK",
    "WRITE_UP",
    "Claim",
    "Settings",
    "fresh_losses",
    "short",
    "source",
    "within",
    "wrong",
]

CLAIMS: tuple[Callable[[Laboratory, Settings], Claim], ...] = (
    always_below,
    by_input_columns,
    by_batch_size,
    by_training_progress,
    does_not_decrease,
    table_of_expected_losses,
    matches_the_observation,
    what_the_scale_depends_on,
    capacity,
    absolute_values,
    starts_at_log_v,
    gradients_are_correct,
    half_precision,
    convergence,
    will_learn,
    text_quality,
    sgd_at_rate_times_v,
    adam_does_not_notice,
    l2_penalty,
    second_term,
    clipping,
    decoupled_decay_under_adam,
    decoupled_decay_under_sgd,
    micro_batches,
    divided_twice,
    means_over_examples,
    sums_over_batches,
    mean_of_perplexities,
    padding_in_the_sum,
    sum_beside_mean,
    never_by_the_examples,
    perplexity_is_meaningless,
    early_stopping,
    comparability,
    log_v_beside,
    baseline_beside,
    two_vocabularies,
    laws_beside,
    divide_by_the_first_axis,
    one_line_fix,
    keep_the_implementation,
)
"""Every check, in the order of the report."""

WRITE_UP: tuple[tuple[str, str], ...] = (
    ("The loss is always < 0.007", "A ceiling"),
    ("... regardless of the number of input columns", "Input columns"),
    ("... regardless of batch size", "Batch size"),
    ("... regardless of training progress", "Training progress"),
    ("It does not decrease further during training", "A flat loss"),
    ("V = 100, B = 32: 0.00144; V = 500: 0.000388; V = 1000: 0.000216", "Expected loss"),
    ("This matches your observation", "The observation"),
    ("The scale depends on batch, sequence length and vocabulary", "What its scale depends on"),
    ("It scales inversely with capacity", "Capacity"),
    ("Absolute values are meaningless", "Absolute values"),
    ("Standard language models start at log V", "Where others start"),
    ("The gradients are correct", "Gradient"),
    ("Convergence is preserved", "Convergence"),
    ("The model will learn", "Learning"),
    ("Text quality will not change", "Generated text"),
    ("Perplexity is meaningless", "Perplexity"),
    ("Early-stopping thresholds are unreliable", "Early stopping"),
    ("Losses of different models cannot be compared", "Comparing vocabularies"),
    ("Why it was not caught, 1 of 4: the first loss beside log V would have", "Caught by log V"),
    ("Why it was not caught, 2 of 4: a baseline would have", "Caught by a baseline"),
    ("Why it was not caught, 3 of 4: a second vocabulary would have", "Caught by two vocabularies"),
    ("Why it was not caught, 4 of 4: the laws would have", "Caught by the laws"),
    ("Divide by shape[0]", "The repair"),
    ("Apply the one-line fix", "The one-line fix"),
    ("Decision: keep the current implementation", "The decision"),
    ("... because, 1 of 4: the gradients are correct", "Gradient"),
    ("... because, 2 of 4: convergence is preserved", "Convergence"),
    ("... because, 3 of 4: the quality of the text will not change", "Generated text"),
    ("... because, 4 of 4: the model will learn", "Learning"),
)
"""What the write-up says, in the order in which it says it, and the topic of the claim that answers.

Claims that are not in it come from the discussions that it started.
"""


def source(claim: Claim) -> str:
    """Where a claim is from: the write-up's words, all of them, or the discussions."""
    lines = [line for line, topic in WRITE_UP if topic == claim.topic]
    return f"the write-up: {' / '.join(lines)}" if lines else "the discussions"
