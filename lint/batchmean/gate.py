"""The text gates: most files hold no loss at all and cost one text search, and so do most functions of the rest."""

from __future__ import annotations

from typing import Final

_DIVERGENCES: Final = (
    "log_softmax",
    "logsumexp",
    "LogSoftmax",
    "kl_div",
    "KLDiv",
    "xlogy(",
    "rel_entr(",
    "entr(",
    ".log(",
    " log(",
    "(log(",
    "-log(",
    "*log(",
    ".log2(",
    ".log10(",
    ".log1p(",
    ".ln(",
)
_SPREADS: Final = ("var", "sigma", "log_std", "logstd")
_REDUCTIONS: Final = ("mean", "average(", "KLDiv", "kl_div")
_TARGETS: Final = ("one_hot", "onehot", "eye(", "probs *", "probs*")
_SUMMED: Final = ("'sum'", '"sum"', "'none'", '"none"', "size_average=False")
_COUNTS: Final = (".size", "numel", "nelement", "prod(", ".shape", "len(", "functools", "get_shape")

_LOGARITHMS: Final = (
    ".log(", ".log2(", ".log10(", ".log1p(", " log(", "(log(", "-log(", "*log(", " ln(", ".ln(", "log1p(",
    "log_softmax", "LogSoftmax", "logSoftmax", "logsumexp", "kl_div", "KLDiv", "KLDLoss", "kl_loss", "kl(", " kl",
    "entropy", "entr(", "Categorical", "xlogy", "log_p", "logp", "log_q", "log_var", "logvar", "exp(", "expm1(",
    "cross_entropy", "CrossEntropy", "nll_loss", "NLLLoss",
)  # fmt: skip
"""What a function must hold for its losses to be worth a look: a logarithm, a divergence, a log-variance."""
_MASKS: Final = ("mask", "ignore_index", "is_pad", "pad_id", "lengths")
"""What says which positions count."""
_LOSSES: Final = (
    "loss", "Loss", "cross_entropy", "nll", "_error", "err", "** 2", "**2", ".pow(2", "square(", "abs(", "log_prob",
)  # fmt: skip
"""What makes a loss per position."""
_MEANS: Final = (
    "mse_loss", "l1_loss", "huber_loss", "cross_entropy", "nll_loss", "MSELoss", "L1Loss", "HuberLoss", "BCELoss",
    "BCEWithLogitsLoss", "CrossEntropy", "NLLLoss", "** 2", "**2", ".pow(2", "square(", "mean_squared",
)  # fmt: skip
"""What is a loss without a support, or a library loss that takes the mean itself."""
_LOGGING: Final = ("logger", "logging", "self", "trainer", "wandb", "writer")


def losses(text: str) -> list[int]:
    """Where a logarithm, a divergence, a loss or a mask of one stands in the text: offsets in ascending order."""
    found: set[int] = set()
    tokens = (*_LOGARITHMS, *_MEANS, *(_MASKS if is_about_masks(text) else ()))
    for token in tokens:
        at = text.find(token)
        while at >= 0:
            if token != ".log(" or not text.endswith(_LOGGING, 0, at):
                found.add(at)
            at = text.find(token, at + 1)
    return sorted(found)


def worth_parsing(text: str) -> bool:
    """Could the file hold a loss with a wrong denominator? Every file that could is let through."""
    if not reduces(text):
        return False
    if any(token in text for token in _DIVERGENCES) or is_about_masks(text) or _divides_a_mean(text):
        return True
    if ("exp(" in text or "expm1(" in text) and any(token in text for token in _SPREADS):
        return True
    if ("log_p" in text or "logp" in text) and any(token in text for token in _TARGETS):
        return True
    return "ross" in text and any(token in text for token in _SUMMED)


def reduces(text: str) -> bool:
    """Does the text take a mean, or divide a sum by a count?"""
    if any(token in text for token in _REDUCTIONS) or ".div(" in text or _divides_a_mean(text):
        return True
    return ("sum" in text or "dot(" in text) and any(token in text for token in _COUNTS)


def is_about_masks(text: str) -> bool:
    """Could a mask zero a loss here?"""
    return any(token in text for token in _MASKS) and any(token in text for token in _LOSSES)


def _divides_a_mean(text: str) -> bool:
    """Could a library's mean, or a sum of squares, be divided by the wrong count?"""
    divides = "/" in text and any(token in text for token in _COUNTS)
    return (divides or ".div(" in text or "sum(" in text) and any(token in text for token in _MEANS)
