"""The text gates: most files hold no loss at all and cost one text search, and so do most functions of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

# Each key is looked for first, and what it stands in only where it is found: a search costs as much as the next one.
_DIVERGENCES: Final = {
    "log": (
        "log_softmax", "logsumexp", "xlogy(", ".log(", " log(", "(log(", "-log(", "*log(",
        "log2(", "log10(", "log1p(",
    ),
    "LogSoftmax": (), "kl_div": (), "KLDiv": (), "entr(": (), ".ln(": (),
}  # fmt: skip
_SPREADS: Final = ("var", "sigma", "log_std", "logstd")
_REDUCTIONS: Final = ("mean", "average(", "KLDiv", "kl_div", ".div(")
_TARGETS: Final = ("one_hot", "onehot", "eye(", "probs *", "probs*")
_COLUMNS: Final = ("unsqueeze(", "None]", "newaxis]", "expand_dims(", "keepdim")
"""What makes (B, 1) of (B,)."""
_SUMMED: Final = ("'sum'", '"sum"', "'none'", '"none"', "size_average=False")
_COUNTS: Final = ("len(", ".size", ".shape", "numel", "nelement", "prod(", "functools", "get_shape")

_LOGARITHMS: Final = {
    "log": (
        ".log(", "log2(", "log10(", " log(", "(log(", "-log(", "*log(", "log1p(", "log_softmax",
        "logsumexp", "xlogy", "log_p", "logp", "log_q", "log_var", "logvar",
    ),
    "kl": ("kl_div", "kl_loss", "kl(", " kl"),
    "KL": ("KLDiv", "KLDLoss"),
    "entr": ("entropy", "entr("),
    "oss": ("cross_entropy", "CrossEntropy", "nll_loss", "NLLLoss"),
    "ln(": (" ln(", ".ln("), "ogSoftmax": ("LogSoftmax", "logSoftmax"), "Categorical": (), "exp": ("exp(", "expm1("),
}  # fmt: skip
"""What a function must hold for its losses to be worth a look: a logarithm, a divergence, a log-variance."""
_MASKS: Final = ("mask", "ignore_index", "is_pad", "pad_id", "lengths")
"""What says which positions count."""
_SQUARES: Final = {
    "** 2": (") ** 2", "diff ** 2", "delta ** 2"), "**2": (")**2", "diff**2", "delta**2"), ".pow(2": (), "square(": (),
}  # fmt: skip
"""Squared differences; those of one variable are norms."""
_LOSSES: Final = {
    "oss": ("loss", "Loss", "cross_entropy"), "log": ("log_prob",), "nll": (), "err": ("_err", "err *", "errors"),
    "abs(": (), **_SQUARES,
}  # fmt: skip
"""What makes a loss per position."""
_MEANS: Final = {
    "oss": (
        "mse_loss", "l1_loss", "huber_loss", "cross_entropy", "nll_loss", "MSELoss", "L1Loss", "HuberLoss", "BCELoss",
        "BCEWithLogitsLoss", "CrossEntropy", "NLLLoss", "binary_cross_entropy",
    ),
}  # fmt: skip
"""Library losses that take the mean themselves, if nothing else is asked for."""
_NO_OPS: Final = {
    "sum().mean(": (),
    "(": ("mean(np.sum(", "mean(torch.sum(", "mean(jnp.sum(", "mean(tf.reduce_sum("),
}
"""The mean of a sum over everything, of squares above all, which are too frequent to be looked at for themselves."""
_DIVIDED: Final = "loss.div("
_LOGGING: Final = (
    "logger",
    "logging",
    "self",
    "super()",
    "accelerator",
    "fabric",
    "trainer",
    "wandb",
    "writer",
)


def losses(text: str) -> list[int]:
    """Where a logarithm, a divergence, a loss or a mask of one stands in the text: offsets in ascending order."""
    found: set[int] = set()
    sought = _OF_LOGARITHMS
    if is_about_masks(text):
        sought = _OF_LOSSES
    elif _holds_any(_NO_OPS, text) or ".div(" in text:
        sought = _OF_SQUARES
    for stem, groups in sought.items():
        at = text.find(stem)
        while at >= 0:
            for offset, tokens in groups:
                if at >= offset and text.startswith(tokens, at - offset) and not _is_logging(text, at):
                    found.add(at)
            at = text.find(stem, at + 1)
    return sorted(found)


def _is_logging(text: str, at: int) -> bool:
    """Is it `logger.log(`?"""
    return text.startswith(".log(", at - 1) and text.endswith(_LOGGING, 0, at - 1)


def _by_stem(*families: Mapping[str, tuple[str, ...]]) -> Mapping[str, list[tuple[int, tuple[str, ...]]]]:
    """Stems, each with the tokens that it stands in, by where it stands in them."""
    found: dict[str, dict[int, list[str]]] = {}
    for family in families:
        for stem, tokens in family.items():
            for token in tokens or (stem,):
                found.setdefault(stem, {}).setdefault(token.index(stem), []).append(token)
    return {stem: [(at, tuple(tokens)) for at, tokens in groups.items()] for stem, groups in found.items()}


_OF_LOGARITHMS: Final = _by_stem(_LOGARITHMS, _MEANS)
_OF_LOSSES: Final = _by_stem(_LOGARITHMS, _MEANS, _LOSSES)
_OF_SQUARES: Final = _by_stem(_LOGARITHMS, _MEANS, _SQUARES, {_DIVIDED: ()})


def worth_parsing(text: str) -> bool:
    """Could the file hold a loss with a wrong denominator? Every file that could is let through."""
    divides_a_mean = _divides_a_mean(text)
    if not (divides_a_mean or _takes_a_mean(text)):
        return False
    if divides_a_mean or _holds_any(_DIVERGENCES, text) or is_about_masks(text):
        return True
    if ("exp(" in text or "expm1(" in text) and any(token in text for token in _SPREADS):
        return True
    if ("log_p" in text or "logp" in text) and any(token in text for token in (*_TARGETS, *_COLUMNS)):
        return True
    return "ross" in text and any(token in text for token in _SUMMED)


def reduces(text: str) -> bool:
    """Does the text take a mean, or divide a sum by a count?"""
    return _takes_a_mean(text) or _divides_a_mean(text)


def is_about_masks(text: str) -> bool:
    """Could a mask zero a loss here?"""
    return any(token in text for token in _MASKS) and _holds_any(_LOSSES, text)


def _takes_a_mean(text: str) -> bool:
    if any(token in text for token in _REDUCTIONS):
        return True
    return ("sum" in text or "dot(" in text) and any(token in text for token in _COUNTS)


def _divides_a_mean(text: str) -> bool:
    """Could a library's mean, or a sum of squares, be divided by the wrong count?"""
    if _DIVIDED in text or _holds_any(_NO_OPS, text):
        return True
    if not _holds_any(_MEANS, text):
        return False
    return ".div(" in text or "sum(" in text or ("/" in text and any(token in text for token in _COUNTS))


def _holds_any(tokens: Mapping[str, tuple[str, ...]], text: str) -> bool:
    return any(token in text for token in _present(tokens, text))


def _present(tokens: Mapping[str, tuple[str, ...]], text: str) -> Iterator[str]:
    """The tokens that may be in the text: those whose stem is."""
    for stem, longer in tokens.items():
        if stem in text:
            yield from longer or (stem,)
