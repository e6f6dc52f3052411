"""The text gates: most files hold no loss at all and cost one text search, and so do most functions of the rest."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Final

from batchmean.gate import vocabulary as words
from batchmean.gate.words import Words
from batchmean.operations import packages

_SPREAD: Final = re.compile(r"var(?!i(?!ance))|sigma|log_?std")  # no variant, no variable
_ITSELF: Final = re.compile(r"\b(\w+) ?\* ?\1\b")
_REPORTERS: Final = (
    "logger.", "logging.", "logging_backend.", "self.", "super().", "accelerator.", "fabric.", "trainer.", "wandb.",
    "writer.",
)  # fmt: skip
"""Whose `log` is no logarithm."""


_SUBJECTS: Final = Words(words.SUBJECTS, packages() - sys.stdlib_module_names)
_FREQUENT: Final = ("torch", "numpy", "tensorflow", "jax")
"""The packages that most texts about losses name: one with such a name need not be searched for other words."""
_LOOP: Final = re.compile(r"\b(?:for|while)\b")
_ADDING: Final = re.compile(r"\+=|\.append\(|\.update\(|= \w{1,80} \+ ")
_KEPT: Final = re.compile(r"self\.\w[^\n+]{0,80}\+=")
"""What adds up in an attribute, which a method that another one calls in a loop may do."""
_AT_ONCE: Final = ("sum(", "= [", "=[", "mean([", "stack([", "array([", "tensor([")
"""What a comprehension may be summed or averaged by, or stored as."""
_DIFFERENTIATED: Final = (
    "backward(", "training_step", "compute_loss", "grad(", ".gradient(", "MultiSteps(",
    "Trainer(", "TrainingArguments(",
)  # fmt: skip
"""How a loss comes to an optimizer."""

_TREES: Final = ("tree_map", "tree.map", "tree_multimap")
"""What does the same with all arrays of a tree, such as the gradients of a model."""

_LOGARITHM: Final = re.compile(r"log(?:2|1p|10)?\(")  # beginning with a letter it is found ten times as fast
_TIMES: Final = re.compile(r"(?:\*|(?<=\w )= -?)\s?(?:\w{1,20}\.)?$")
_TIMED: Final = re.compile(r"[^\n]{1,80}?\)\s?\*")
"""What stands before and behind a logarithm that is multiplied by something."""
_NEAR: Final = 24
_ROUND: Final = 160
"""So near behind the logarithm the sum or the loop of a comprehension stands."""
_OF_ITEMS: Final = re.compile(r"[-+]=|\bfor |\b(\w{1,80}) = \1 [-+] ")
"""What adds up the numbers that a loop or a comprehension makes."""

_DIVIDED: Final = re.compile(
    r"(?:oss|nll|entropy|criteri(?:on|a)|\b[bc]?ce(?![a-z]))\w{0,40}"
    r"(?: = [^\n]{0,200}[\w)\]]|\([^\n]{0,200}\))? ?/=? ?[A-Za-z(]"
)
"""A division of something that is called a loss, of what a function of such a name gives, or of what is called a loss
then, by no plain number."""

_OVER_LENGTH: Final = re.compile(r"(?:/|\w =) *len\(")
"""A division by a length, or a name for one."""
_PARTS: Final = re.compile(r"in range\(\s*0\s*,[^:,]{1,120},")
"""A loop that takes a batch in parts."""

_SHOWN: Final = re.compile(r"\.\s*data\s*(?:/=|\.\s*\w{0,12}div\w{0,3}_\s*\(|=[^=][^/]{0,200}/)")
"""A division of the number in a tensor, in place."""

_BLANK: Final = re.compile(r"[^\S\n]*")


def losses(text: str) -> list[int]:
    """Where a logarithm, a divergence, a loss or a mask of one stands in the text: offsets in ascending order."""
    lines = _Lines(text)
    return sorted({at for at in words.OF_LOSSES.places_in(text) if lines.may_be_of_arrays(at)})


class _Lines:
    """The lines of a text that are asked about, each looked at once as long as the questions go on within it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = self._end = -1
        self._first = 0  # where its white space ends
        self._is_comment = False
        self._names_until = -1  # where a function that is defined here has its parenthesis
        self._adds_items: bool | None = None

    def may_be_of_arrays(self, at: int) -> bool:
        """Is it neither in a comment, nor the name of a function that is defined, nor `logger.log(`?

        `math.log(` takes a number: one of many, where such products are added up.
        """
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
        if text.endswith(".math.", self._first, at) or not text.endswith("math.", self._first, at):
            return True
        if self._adds_items is None:
            self._adds_items = adds_up_items(text)
        return self._adds_items and any(True for _ in _multiplied_logarithms(text, self._start, self._end))

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


def adds_up_items(text: str) -> bool:
    """Could a loop add up a loss number by number, a logarithm of each?"""
    if "for " not in text or "log" not in text:
        return False
    return any(
        _OF_ITEMS.search(text, text.rfind("\n", 0, at) + 1, at + _ROUND) is not None
        for at in _multiplied_logarithms(text, 0, len(text))
    )


def _multiplied_logarithms(text: str, start: int, end: int) -> Iterator[int]:
    """Where a logarithm stands that is multiplied by something, or has a name of its own to be multiplied later."""
    for match in _LOGARITHM.finditer(text, start, end):
        at = match.start()
        if _TIMES.search(text, max(start, at - _NEAR), at) or _TIMED.match(text, match.end(), end):
            yield at


def names_codes(text: str) -> bool:
    """Could there be a comment that silences rules of batchmean?"""
    return "BMN" in text and "noqa" in text.lower()


def adds_up(text: str) -> bool:
    """Could a loop add up losses, and something divide the total? Or gradients?"""
    if accumulates(text):
        return True
    if not (gives_figures(text) and adds_up_here(text)):
        return False
    return "mean" in text or ".av" in text or ("/" in text and words.TOTALS.are_in(text))


AVERAGES_RANKS: Final = "DistributedDataParallel"
"""What averages the gradients of the ranks."""


_OVER_RANKS: Final = ("all_reduce", "allreduce", "gather", ".reduce(", "reduce_mean", "sync_dist")
"""What takes the figures of several ranks."""


def trains_ranks(text: str) -> bool:
    """Could gradients be averaged over ranks that hold different numbers of positions?"""
    return AVERAGES_RANKS in text and "backward(" in text


def compares_ranks(text: str) -> bool:
    """Could the figures of ranks be averaged, which are means over different numbers of positions?"""
    is_masked = "ignore_index" in text or "mask" in text or "-100" in text
    return is_masked and any(token in text for token in _OVER_RANKS)


def accumulates(text: str) -> bool:
    """Could gradients be added up over several batches, or averaged over devices?"""
    if trains_ranks(text) or compares_ranks(text) or "pmean(" in text or "num_items_in_batch" in text:
        return True
    if not ("ccum" in text or "acc_" in text or "iter_size" in text.lower()):
        return takes_in_parts(text) or adds_gradients(text)
    return any(token in text for token in _DIFFERENTIATED)


def adds_gradients(text: str) -> bool:
    """Could gradients be added up tree by tree, and divided by something?"""
    return "grad(" in text and "/" in text and any(token in text for token in _TREES)


def takes_in_parts(text: str) -> bool:
    """Could the gradients of the parts of one batch be added up?"""
    if "backward(" not in text:
        return False
    return ("zero_grad" in text and _PARTS.search(text) is not None) or _OVER_LENGTH.search(text) is not None


def adds_up_here(text: str) -> bool:
    """Could a loop in this text add something up?"""
    loop = _LOOP.search(text)
    if loop is None:
        return False
    if _ADDING.search(text, loop.end()) is not None or any(token in text for token in _AT_ONCE):
        return True
    return adds_to_attributes(text)


def has_loops(text: str) -> bool:
    """Is there a loop in the text?"""
    return _LOOP.search(text) is not None


def adds_to_attributes(text: str) -> bool:
    """Is something added to an attribute of `self`?"""
    return "+=" in text and _KEPT.search(text) is not None


def gives_figures(text: str) -> bool:
    """Does the text name what gives a number for a batch, or could it hold one that was made elsewhere?"""
    return words.GIVING_FIGURES.are_in(text)


def speaks_of_losses(text: str) -> bool:
    """Does the text name a framework, or something of which losses are made?

    A text with neither is about other things, however it sums and divides: most of the standard library is.
    """
    return any(name in text for name in _FREQUENT) or _SUBJECTS.are_in(text)


def is_worth_settings(text: str) -> bool:
    """Could there be anything to find, whatever the settings ask for?"""
    return speaks_of_losses(text) or names_codes(text) or _hands_to_trainers(text)


def _hands_to_trainers(text: str) -> bool:
    """Could it be what a module of the project hands to a trainer?"""
    return "Train" in text and accumulates(text)


def worth_parsing(text: str, loops: bool = True, preview: bool = True) -> bool:
    """Could the file hold a loss with a wrong denominator? Every file that could is let through.

    Without `loops` what training loops add up is left aside, and without `preview` what no rule tells of that is on by
    default.
    """
    if not speaks_of_losses(text):
        return loops and _hands_to_trainers(text)
    if (loops and adds_up(text)) or divides_what_is_shown(text):
        return True
    if not (preview or _is_about_stable_rules(text)):
        return False
    divides_a_mean = _divides_a_mean(text)
    if not (divides_a_mean or _takes_a_mean(text) or means_what_it_is_given(text)):
        return adds_up_items(text)
    if divides_a_mean or is_about_masks(text) or means_what_it_is_given(text):
        return True
    makes_pairs = words.COLUMNS.are_in(text) or words.SHAPED.are_in(text)
    squares = words.SQUARES.are_in(text)
    if makes_pairs and (squares or "abs(" in text):
        return True
    lines = _Lines(text)
    if any(lines.may_be_of_arrays(at) for at in words.DIVERGENCES.places_in(text)):
        return True
    exponentiates = words.EXPONENTIALS.are_in(text)
    if exponentiates and (makes_pairs or squares or _SPREAD.search(text) or _ITSELF.search(text)):
        return True
    if words.LOG_PROBS.are_in(text) and (makes_pairs or words.TARGETS.are_in(text)):
        return True
    if (exponentiates or "entropy()" in text) and "mean" in text and words.SUMMING.are_in(text):
        return True
    if text.count("log_prob(") > 1 and "Normal(" in text and "mean" in text:
        return True
    if "Categorical" in text and ".logits" in text:
        return True
    if "ross" in text and words.UNREDUCED.are_in(text):
        return True
    return adds_up_items(text)


def _is_about_stable_rules(text: str) -> bool:
    lines = _Lines(text)
    return any(lines.may_be_of_arrays(at) for at in words.OF_STABLE_RULES.places_in(text))


def is_worth_it(text: str, loops: bool = True, preview: bool = True) -> bool:
    """Is the text worth more than this search: for a loss, or for a `# noqa` comment with codes of ours?"""
    return worth_parsing(text, loops, preview) or names_codes(text)


def asks_for_loops(text: str, is_wanted: bool) -> bool:
    """Is it asked what training loops add up: by the settings, or by a comment?"""
    return is_wanted or names_codes(text)


def holds_a_loss(text: str) -> bool:
    """Does the text name a divergence, a logarithm of arrays or a library loss, not only a part of one?

    Or the exponential and the squares of a Gaussian's divergence?
    """
    if words.LIBRARY_LOSSES.are_in(text) or "entropy(" in text or _is_of_gaussians(text):
        return True
    lines = _Lines(text)
    return any(lines.may_be_of_arrays(at) for at in words.DIVERGENCES.places_in(text))


def _is_of_gaussians(text: str) -> bool:
    is_squared = words.SQUARES.are_in(text) or _ITSELF.search(text) is not None
    return is_squared and words.EXPONENTIALS.are_in(text) and _SPREAD.search(text) is not None


def reduces(text: str) -> bool:
    """Does the text take a mean, or divide a sum by a count?"""
    return _takes_a_mean(text) or _divides_a_mean(text) or adds_up_items(text)


def may_average_what_is_given(text: str) -> bool:
    """Could the text average a loss that another module of its project gives?"""
    return speaks_of_losses(text) and (reduces(text) or divides_a_loss(text))


def divides_what_is_shown(text: str) -> bool:
    """Could the text divide the number in a tensor, `loss.data /= n`, whose gradient is taken then?"""
    return ".data" in text and "backward(" in text and _SHOWN.search(text) is not None


def divides_a_loss(text: str) -> bool:
    """Could the text divide a loss that is given to it, a mean already, say?"""
    return "/" in text and _DIVIDED.search(text) is not None


def may_use_what_is_given(text: str) -> bool:
    """Could the text average, or be averaged by, what another module of its project gives?"""
    return may_average_what_is_given(text) or may_hand_to_a_criterion(text) or may_hand_to_a_reducer(text)


def may_hand_to_a_criterion(text: str) -> bool:
    """Could the text hand log-probabilities to a criterion that another module of its project makes?"""
    return words.OF_CRITERIA.are_in(text) and speaks_of_losses(text)


def may_hand_to_a_reducer(text: str) -> bool:
    """Could the text hand a divergence to a function of another module of its project, which reduces it?"""
    return speaks_of_losses(text) and holds_a_loss(text)


def makes_divergences(text: str) -> bool:
    """Does the text name criteria that are divergences?"""
    return words.DIVERGENCE_CRITERIA.are_in(text)


def makes_means(text: str) -> bool:
    """Does the text name a library loss that takes the mean itself?"""
    return words.LIBRARY_LOSSES.are_in(text)


def means_what_it_is_given(text: str) -> bool:
    """Could a library's mean be given masked arrays, or a column and a row?"""
    return words.LIBRARY_LOSSES.are_in(text) and (
        words.COLUMNS.are_in(text) or words.MASKS.are_in(text) or words.SHAPED.are_in(text)
    )


def sums(text: str) -> bool:
    """Could the text sum something, which another part of the file divides?"""
    return words.SUMMING.are_in(text) or adds_up_items(text)


def is_about_masks(text: str) -> bool:
    """Could a mask zero a loss here?"""
    return words.MASKS.are_in(text) and words.LOSSES.are_in(text)


def _takes_a_mean(text: str) -> bool:
    if words.REDUCTIONS.are_in(text):
        return True
    if not words.SUMMING.are_in(text):
        return False
    # By a count, or by another sum, such as that of a mask.
    return "/" in text or "div" in text or words.COUNTS.are_in(text)


def _divides_a_mean(text: str) -> bool:
    """Could a library's mean, or a sum of squares, be divided by the wrong count?"""
    if words.NO_OPS.are_in(text) or words.DISCARDED.are_in(text):
        return True
    if not (words.LIBRARY_LOSSES.are_in(text) or words.SQUARES.are_in(text) or "abs(" in text):
        return False
    return (
        words.DIVISIONS.are_in(text)
        or words.SUMMING.are_in(text)
        or ("/" in text and words.COUNTS.are_in(text))
    )
