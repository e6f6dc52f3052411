"""The text gates: most files hold no loss at all and cost one text search, and so do most functions of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final


class _Tokens:
    """Words to look for in a text, by something that they have in common.

    A regular expression that begins with that finds all of them in the time in which `in` finds one.
    """

    def __init__(self, *families: Mapping[str, tuple[str, ...]] | _Tokens, words: str = "") -> None:
        """Each mapping is of stems to the tokens that they are in; a stem without any is a token itself.

        `words` is a regular expression for what is too short to be looked for inside of other words.
        """
        self._words = [words] if words else []
        self._tokens: dict[str, tuple[str, ...]] = {}
        for family in families:
            for stem, tokens in (family._tokens if isinstance(family, _Tokens) else family).items():
                self._tokens[stem] = (*self._tokens.get(stem, ()), *(tokens or (stem,)))
            if isinstance(family, _Tokens):
                self._words += family._words

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        around = [_any_around(stem, tokens) for stem, tokens in self._tokens.items()]
        return [re.compile(pattern) for pattern in (*around, *self._words)]

    def are_in(self, text: str) -> bool:
        """Is any of them in the text?"""
        return any(pattern.search(text) for pattern in self._patterns)

    def places_in(self, text: str) -> Iterator[int]:
        """Where their stems stand in the text."""
        return (match.start() for pattern in self._patterns for match in pattern.finditer(text))


def _any_around(stem: str, tokens: tuple[str, ...]) -> str:
    """A regular expression for the stem in one of the tokens."""
    sides = (token.partition(stem)[::2] for token in tokens)
    around = [f"(?<={re.escape(before + stem)})(?={re.escape(after)})" for before, after in sides]
    return re.escape(stem) + (f"(?:{'|'.join(around)})" if stem not in tokens else "")


_DIVERGENCES: Final = _Tokens({
    "log": (
        "log_softmax", "logsumexp", "xlogy(", ".log(", " log(", "(log(", "-log(", "*log(",
        "log2(", "log10(", "log1p(", "xlogy as", " log as", "log2 as", "log10 as", "log1p as",
    ),
    "ogsigmoid": (), "og_sigmoid": (), "ogSigmoid": (), "logaddexp": (), "softplus": (),
    "LogSoftmax": (), "kl_div": (), "KLDiv": (), "entr(": (), "entr as": (), ".ln(": (),
})  # fmt: skip
_SPREAD: Final = re.compile(r"var(?!i(?!ance))|sigma|log_?std")  # no variant, no variable
_ITSELF: Final = re.compile(r"\b(\w+) ?\* ?\1\b")
_REDUCTIONS: Final = ("mean", "average(", "KLDiv", "kl_div", ".div(")
_TARGETS: Final = ("one_hot", "onehot", "eye(", "probs *", "probs*", "softmax(")
_LOG_PROBS: Final = ("log_p", "logp", "lprob", "log_q", "logq", "log_softmax", "logsm")
_COLUMNS: Final = ("unsqueeze(", "None]", "newaxis]", "expand_dims(", "keepdim")
"""What makes (B, 1) of (B,)."""
_SHAPED: Final = ("reshape", "view(", "rearrange")
"""What may make (B, 1) of (B,), too."""
_SUMMED: Final = ("'sum'", '"sum"', "'none'", '"none"', "size_average=False")
_COUNTS: Final = (
    "len(",
    ".size",
    ".shape",
    "numel",
    "nelement",
    "prod(",
    "functools",
    "get_shape",
    " shape(",
    "(shape(",
)

_LOGARITHMS: Final = _Tokens({
    "log": (
        ".log(", "log2(", "log10(", " log(", "(log(", "-log(", "*log(", "log1p(", "log_softmax",
        "logsumexp", "xlogy", "log_p", "logp", "log_q", "log_var", "logvar",
    ),
    "kl": ("kl_div", "kl_loss", "kl(", " kl"),
    "KL": ("KLDiv", "KLDLoss"),
    "entr": ("entropy", "entr("),
    "oss": ("cross_entropy", "CrossEntropy", "nll_loss", "NLLLoss"),
    "ln(": (" ln(", ".ln("), "ogSoftmax": ("LogSoftmax", "logSoftmax"), "Categorical": (), "exp": ("exp(", "expm1("),
    "ogsigmoid": (), "og_sigmoid": (), "ogSigmoid": (), "softplus": (),
})  # fmt: skip
"""What a function must hold for its losses to be worth a look: a logarithm, a divergence, a log-variance."""
_MASKS: Final = (
    "mask",
    "ignore_index",
    "is_pad",
    "padding",
    "where=",
    "pad_id",
    "lengths",
    "-100",
    "!= 0",
    "!= -1",
)
"""What says which positions count."""
_SQUARES: Final = _Tokens({
    "** 2": (), "**2": (), ".pow(": (), "square": ("square(", "square as", "squared_difference"),
})  # fmt: skip
"""Squared differences; those of one variable are norms."""
_LOSSES: Final = _Tokens({
    "oss": ("loss", "Loss", "cross_entropy"), "nll": (), "lprob": (),
    "log": ("log_prob", "logp", "log_ratio", "logratio"), "err": ("_err", "err *", "errors"),
    "abs(": (),
}, _SQUARES, words=r"(?<![^\W_])(?:ce|xent|xe|kl[ds]?|mse|mae|bce|l[12]|entrop(?:y|ies)|surr)(?![^\W_])")  # fmt: skip
"""What makes a loss per position."""
_MEANS: Final = _Tokens({
    "oss": (
        "mse_loss", "l1_loss", "huber_loss", "cross_entropy", "nll_loss", "MSELoss", "L1Loss", "HuberLoss", "BCELoss",
        "BCEWithLogitsLoss", "CrossEntropy", "NLLLoss", "binary_cross_entropy",
    ),
})  # fmt: skip
"""Library losses that take the mean themselves, if nothing else is asked for."""
_NO_OPS: Final = _Tokens({
    "mean(": ("sum().mean(", "mean(np.sum(", "mean(torch.sum(", "mean(jnp.sum(", "mean(tf.reduce_sum("),
})  # fmt: skip
"""The mean of a sum over everything, of squares above all, which are too frequent to be looked at for themselves."""
_SUMS: Final = ("sum(", ".sum", "_sum", "sum'", 'sum"')
_DIVIDED: Final = "loss.div("
_OF_LOSSES: Final = _Tokens(_LOGARITHMS, _MEANS, _LOSSES)
_REPORTERS: Final = (
    "logger.", "logging.", "logging_backend.", "self.", "super().", "accelerator.", "fabric.", "trainer.", "wandb.",
    "writer.",
)  # fmt: skip
"""Whose `log` is no logarithm."""


_ADDED_UP: Final = _Tokens({
    "oss": ("loss", "Loss", "ross_entropy", "rossentropy", "rossEntropy"),
    "mean": ("mean(", "mean\n", "mean'", 'mean"', "mean,", "mean if"),
    "sum": ("sum(", "sum\n", "sum'", 'sum"', "sum}", "sum,"),
    "crit": ("criterion", "criteria", "crit("), "kl_div": (), "objective": (),
    "KLDiv": (), "rror": ("Error()", "_error("), "average(": (), "on_batch": ("train_on_batch", "test_on_batch"),
})  # fmt: skip
"""What gives a number for a batch."""

_FRAMEWORKS: Final = re.compile(
    r"\b(?:numpy|torch|jax|tensorflow|keras|paddle|mlx|tinygrad)\b|[lL]oss\b|criterion"
)
_LOOP: Final = re.compile(r"\b(?:for|while)\b")
_ADDING: Final = re.compile(r"\+=|\.append\(|\.update\(|= \w{1,80} \+ ")
_AT_ONCE: Final = ("sum(", "= [", "=[")
"""What a comprehension may be summed by, or stored as."""
_TOTALS: Final = (*_COUNTS, "enumerate(", "range(", "+= 1", "+=1", "+ 1", "+1", "num_graphs", "batch_size")
"""What counts batches or examples."""

_DIFFERENTIATED: Final = (
    "backward(", "training_step", "compute_loss", "grad(", ".gradient(", "MultiSteps(",
)  # fmt: skip
"""How a loss comes to an optimizer."""

_BLANK: Final = re.compile(r"[^\S\n]*")


def losses(text: str) -> list[int]:
    """Where a logarithm, a divergence, a loss or a mask of one stands in the text: offsets in ascending order."""
    lines = _Lines(text)
    return sorted({at for at in _OF_LOSSES.places_in(text) if lines.may_be_of_arrays(at)})


class _Lines:
    """The lines of a text that are asked about, each looked at once as long as the questions go on within it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = self._end = -1
        self._first = 0  # where its white space ends
        self._is_comment = False
        self._names_until = -1  # where a function that is defined here has its parenthesis

    def may_be_of_arrays(self, at: int) -> bool:
        """Is it neither in a comment, nor the name of a function that is defined, nor `logger.log(` or `math.log(`?"""
        text = self._text
        if not self._start <= at < self._end:
            self._read(at)
        if self._is_comment or at <= self._names_until:
            return False
        if not text.startswith(("log(", "log2(", "log10(", "log1p("), at):
            return True
        if text.endswith(_REPORTERS, self._first, at):
            return False
        # TensorFlow's takes arrays.
        return text.endswith(".math.", self._first, at) or not text.endswith("math.", self._first, at)

    def _read(self, at: int) -> None:
        text = self._text
        self._start = text.rfind("\n", 0, at) + 1
        self._end = text.find("\n", at)
        if self._end < 0:
            self._end = len(text) + 1
        blank = _BLANK.match(text, self._start)
        self._first = blank.end() if blank is not None else self._start
        self._is_comment = text.startswith("#", self._first)
        self._names_until = -1
        if text.startswith(("def ", "async def "), self._first):
            parenthesis = text.find("(", self._first, self._end)
            self._names_until = parenthesis if parenthesis >= 0 else self._end


def names_codes(text: str) -> bool:
    """Could there be a comment that silences rules of batchmean?"""
    return "BMN" in text and "noqa" in text.lower()


def adds_up(text: str) -> bool:
    """Could a loop add up losses, and something divide the total? Or gradients?"""
    if accumulates(text):
        return True
    if not _FRAMEWORKS.search(text) or not (gives_figures(text) and adds_up_here(text)):
        return False
    return "mean" in text or ".av" in text or ("/" in text and any(token in text for token in _TOTALS))


def accumulates(text: str) -> bool:
    """Could gradients be added up over several batches, or averaged over devices?"""
    if "pmean(" in text or "num_items_in_batch" in text:
        return True
    return ("ccum" in text or "acc_" in text) and any(token in text for token in _DIFFERENTIATED)


def adds_up_here(text: str) -> bool:
    """Could a loop in this text add something up?"""
    loop = _LOOP.search(text)
    if loop is None:
        return False
    return _ADDING.search(text, loop.end()) is not None or any(token in text for token in _AT_ONCE)


def gives_figures(text: str) -> bool:
    """Does the text name what gives a number for a batch, or could it hold one that was made elsewhere?"""
    return _ADDED_UP.are_in(text)


def worth_parsing(text: str, loops: bool = True) -> bool:
    """Could the file hold a loss with a wrong denominator? Every file that could is let through.

    Without `loops` what training loops add up is left aside.
    """
    if loops and adds_up(text):
        return True
    divides_a_mean = _divides_a_mean(text)
    if not (divides_a_mean or _takes_a_mean(text) or means_what_it_is_given(text)):
        return False
    if divides_a_mean or is_about_masks(text) or means_what_it_is_given(text):
        return True
    if any(token in text for token in (*_COLUMNS, *_SHAPED)) and (_SQUARES.are_in(text) or "abs(" in text):
        return True
    lines = _Lines(text)
    if any(lines.may_be_of_arrays(at) for at in _DIVERGENCES.places_in(text)):
        return True
    if any(token in text for token in ("exp(", "expm1(", "exp as", "expm1 as")) and (
        _SPREAD.search(text)
        or _SQUARES.are_in(text)
        or "power(" in text
        or any(token in text for token in (*_COLUMNS, *_SHAPED))
        or _ITSELF.search(text)
    ):
        return True
    if any(token in text for token in _LOG_PROBS) and any(
        token in text for token in (*_TARGETS, *_COLUMNS, *_SHAPED)
    ):
        return True
    if ("entropy()" in text or "exp(" in text) and "mean" in text and any(token in text for token in _SUMS):
        return True
    if "Categorical" in text and ".logits" in text:
        return True
    return "ross" in text and any(token in text for token in _SUMMED)


def is_worth_it(text: str, loops: bool = True) -> bool:
    """Is the text worth more than this search: for a loss, or for a `# noqa` comment with codes of ours?"""
    return worth_parsing(text, loops) or names_codes(text)


def asks_for_loops(text: str, is_wanted: bool) -> bool:
    """Is it asked what training loops add up: by the settings, or by a comment?"""
    return is_wanted or names_codes(text)


def holds_a_loss(text: str) -> bool:
    """Does the text name a divergence, a logarithm of arrays or a library loss, not only a part of one?"""
    if _MEANS.are_in(text) or "entropy(" in text:
        return True
    lines = _Lines(text)
    return any(lines.may_be_of_arrays(at) for at in _DIVERGENCES.places_in(text))


def reduces(text: str) -> bool:
    """Does the text take a mean, or divide a sum by a count?"""
    return _takes_a_mean(text) or _divides_a_mean(text)


def makes_means(text: str) -> bool:
    """Does the text name a library loss that takes the mean itself?"""
    return _MEANS.are_in(text)


def means_what_it_is_given(text: str) -> bool:
    """Could a library's mean be given masked arrays, or a column and a row?"""
    return _MEANS.are_in(text) and any(token in text for token in (*_COLUMNS, *_MASKS, *_SHAPED))


def sums(text: str) -> bool:
    """Could the text sum something, which another part of the file divides?"""
    return "sum" in text or "dot(" in text or "einsum" in text


def is_about_masks(text: str) -> bool:
    """Could a mask zero a loss here?"""
    return any(token in text for token in _MASKS) and _LOSSES.are_in(text)


def _takes_a_mean(text: str) -> bool:
    if any(token in text for token in _REDUCTIONS):
        return True
    if not ("sum" in text or "dot(" in text):
        return False
    # By a count, or by another sum, such as that of a mask.
    return "/" in text or "div" in text or any(token in text for token in _COUNTS)


def _divides_a_mean(text: str) -> bool:
    """Could a library's mean, or a sum of squares, be divided by the wrong count?"""
    if _DIVIDED in text or _NO_OPS.are_in(text):
        return True
    if not (_MEANS.are_in(text) or _SQUARES.are_in(text) or "abs(" in text):
        return False
    return (
        ".div(" in text
        or any(token in text for token in _SUMS)
        or ("/" in text and any(token in text for token in _COUNTS))
    )
