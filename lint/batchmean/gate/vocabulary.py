"""The words of the text gates: names of functions, which come from the tables, and names that suggest something.

Where a function of a framework means something to a gate its primitive has an effect (`batchmean.effects`) and its
name is looked for; nothing of a framework stands here. The strings are Python's own, words that a library loss or a
pattern is given (`"mean"`), and names that suggest a loss or a mask: a gate may let through more than there is, and
every example in `engine/evidence` passes, which a test demands.
"""

from __future__ import annotations

from typing import Final

from batchmean.effects import Effect, names, spellings
from batchmean.gate.words import Words

SUBJECTS: Final = Words(
    (
        "Loss",
        "losses",
        "_loss",
        "loss_",
        "loss =",
        "loss=",
        "loss(",
        "loss[",
        "loss)",
        "loss +",
        "loss *",
        "loss /",
    ),
    ("criteri", "ntropy", "logit", "oftmax", "kl_div", "kl(", "KLDiv", "log_p", "logp", "nll", "ikelihood"),
    (
        ".mean",
        ".sum",
        "'mean'",
        '"mean"',
        "'sum'",
        '"sum"',
        "axis=",
        "dim=",
        " np.",
        "(np.",
        "-np.",
        " tf.",
        "(tf.",
        "-tf.",
        "math.log(",
        "math import log",
        "batchmean.",
    ),
)
"""What a text about losses names, if it names no framework: a loss in code, not in a sentence, or a method of arrays;
the last stands before what the settings tell of."""

_AVERAGES: Final = names(Effect.AVERAGES) - names(Effect.GIVES_LOSS)
_SUMS: Final = names(Effect.SUMS)

DIVERGENCES: Final = Words(
    ("KLDiv", "ogsigmoid", "og_sigmoid", "ogSigmoid", "softplus"),
    names=names(Effect.TAKES_LOGARITHM),
)
"""A logarithm, or a divergence that holds one."""

OF_CRITERIA: Final = Words(names=spellings("log_softmax"), patterns=(r"\.(?i:\w{0,20}kl\w{0,20})\(",))
"""What a KL criterion is given, and what people call one."""
DIVERGENCE_CRITERIA: Final = Words(names=spellings("kl_div_module"))
"""What is given log-probabilities, and takes the mean of their divergence itself."""

EXPONENTIALS: Final = Words(names=names(Effect.EXPONENTIATES))

SQUARES: Final = Words(("** 2", "**2"), names=names(Effect.SQUARES))
"""Squared differences; those of one variable are norms."""

LIBRARY_LOSSES: Final = Words(("CrossEntropy",), names=names(Effect.GIVES_LOSS))
"""Library losses, which take the mean themselves if nothing else is asked for."""

LOSSES: Final = Words(
    SQUARES,
    (
        "loss",
        "Loss",
        "nll",
        "lprob",
        "log_prob",
        "logp",
        "log_ratio",
        "logratio",
        "_err",
        "err *",
        "errors",
        "abs(",
    ),
    patterns=(r"(?<![^\W_])(?:ce|xent|xe|kl[ds]?|mse|mae|bce|l[12]|entrop(?:y|ies)|surr)(?![^\W_])",),
)
"""What makes a loss per position, by its name."""

OF_LOSSES: Final = Words(
    DIVERGENCES,
    EXPONENTIALS,
    LIBRARY_LOSSES,
    LOSSES,
    ("log_p", "log_q", "logq", "log_var", "logvar", "kl(", " kl", "entropy", "Categorical"),
)
"""What a function must hold for its losses to be worth a look: a logarithm, a divergence, a log-variance."""

LOG_PROBS: Final = Words(("log_p", "logp", "lprob", "log_q", "logq", "logsm", "log_softmax"))
TARGETS: Final = Words(("probs *", "probs*", "one_hot", "onehot"), names=names(Effect.GIVES_TARGET))

MASKS: Final = Words(
    ("mask", "ignore", "IGNORE", "pad", "PAD", "where=", "lengths", "-100", "!= 0", "!= -1"),
    patterns=(
        r"[!=]= ?-?\d",
        r">=? ?0\b",
        r"\b(?:ne|eq|gt|ge|equal|greater|greater_equal)\(",
        r"arange\([^\n]{1,80}<",
        r"< ?\w{1,80}\[:, ?None\]",
    ),
)
"""What says which positions count: names, and comparisons with a number or of positions with lengths."""

COLUMNS: Final = Words(("None]", "newaxis]", "keepdim"), names=names(Effect.GIVES_COLUMN))
"""What makes (B, 1) of (B,)."""
SHAPED: Final = Words(names=names(Effect.GIVES_SHAPE))
"""What may make (B, 1) of (B,), too."""

REDUCTIONS: Final = Words(("mean",), names=names(Effect.AVERAGES | Effect.DIVIDES))
SUMMING: Final = Words(("sum",), names=_SUMS)
UNREDUCED: Final = Words(("'sum'", '"sum"', "'none'", '"none"', "size_average=False"))
"""What library losses are told, so that they take no mean."""
COUNTS: Final = Words((".size", ".shape"), names=names(Effect.COUNTS))

DIVISIONS: Final = Words(names=names(Effect.DIVIDES))
DISCARDED: Final = Words(f"loss.{name}(" for name in names(Effect.DIVIDES))
"""A division of a loss that may be thrown away."""

NO_OPS: Final = Words(
    patterns=(
        rf"{average}\((?:(?<=sum\(\)\.{average}\()|(?=(?:\w+\.)?(?:{'|'.join(sorted(_SUMS))})\())"
        for average in sorted(_AVERAGES)
        if not any(other in average for other in _AVERAGES - {average})
    )
)
"""The mean of a sum over everything, of squares above all, which are too frequent to be looked at for themselves."""

OF_STABLE_RULES: Final = Words(
    DIVERGENCES,
    EXPONENTIALS,
    LIBRARY_LOSSES,
    LOG_PROBS,
    DIVISIONS,
    (
        "log_var",
        "logvar",
        "kl(",
        " kl",
        "_kl",
        "kl_",
        "KL(",
        " KL",
        "_KL",
        "KL_",
        "nll",
        "NLL",
        "ntropy",
        "Categorical",
    ),
)
"""What the rules that are on by default tell of: logarithms, divergences, library losses, and divisions of any loss.
Errors, masks and pairs alone are for those in preview."""

GIVING_FIGURES: Final = Words(
    (
        "loss",
        "Loss",
        "ross_entropy",
        "rossentropy",
        "rossEntropy",
        "mean\n",
        "mean'",
        'mean"',
        "mean,",
        "mean if",
    ),
    ("sum(", "sum\n", "sum'", 'sum"', "sum}", "sum,", "criterion", "criteria", "crit(", "objective"),
    ("Error()", "_error(", "train_on_batch", "test_on_batch", "mean(", "average(", "kl_div", "kl(", "KLDiv"),
    names=_AVERAGES | _SUMS | names(Effect.GIVES_LOSS),
)
"""What gives a number for a batch."""

TOTALS: Final = Words(
    COUNTS,
    ("enumerate(", "range(", "+= 1", "+=1", "+ 1", "+1", "num_graphs", "batch_size", "_size[", "_sizes["),
)
"""What counts batches or examples."""
