"""What a name suggests. Names are weak evidence: a verdict that rests on them says `likely`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_NEVER = re.compile(
    r"mask|weight|adv|return|reward|td_|value|q_target|target_q|next|coef|scale|alpha|beta|gamma|lambda|lr|temperature|loss|score|logits?$|valid"
)
_TARGET = re.compile(
    r"(^|_)(targets?|labels?|y|t|y_?true|true|truth|one_?hot|onehot|gt|tgt|y_?oh|p_?true|soft_?labels?"
    r"|soft_?targets?|expected|actual)(_|\d|$)"
)
_PROBS = re.compile(
    r"(^|_)(prob|probs|probabilities|probability|p|pi|preds?|prediction|predictions|predicted|y_?pred|y_?hat"
    r"|yhat|softmax|dist|policy|posterior|posteriors|y_?prob|attn|attention|soft)(_|\d|$)"
    r"|(^|_)q(\d|_?(probs?|dist|target|t|x|z)?$)"
)
_LOG = re.compile(
    r"(^|_)(log_?p|log_?q|l?log_?probs?|lprobs?|log_?probabilit(y|ies)|log_?preds?|log_?softmax|lsm|log_?pi|logsm|log_?y_?hat)"
    r"(_|\d|s|$)"
)
_SMALL = re.compile(r"(^|_)(eps|epsilon|tiny|smooth|smoothing|delta|small)(\d|_|$)")
_CLASS_COUNT = re.compile(
    r"^(n|num|nb)_|(^|_)(n|num|nb|nr)_?(class|classes|labels?|tokens?|actions?|words|categories|outputs?|codes)"
    r"|vocab|(^|_)(V|C|A|K|D)$|n_?way|latent_?(dim|size)|z_?dim|codebook_size|class(es)?_?(count|num)|_dim$"
)


@lru_cache(maxsize=4096)
def is_target_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name be a target distribution over classes?"""
    return not _any(_NEVER, names) and (_any(_TARGET, names) or _any(_PROBS, names))


@lru_cache(maxsize=4096)
def is_probability_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name hold probabilities?"""
    return not _any(_NEVER, names) and _any(_PROBS, names)


@lru_cache(maxsize=4096)
def is_log_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name hold log-probabilities?"""
    return _any(_LOG, names)


@lru_cache(maxsize=4096)
def is_small_name(names: tuple[str, ...]) -> bool:
    """Is it an epsilon?"""
    return _any(_SMALL, names)


@lru_cache(maxsize=4096)
def is_class_count_name(names: tuple[str, ...]) -> bool:
    """Could a number of this name be the length of a support axis? Used to silence only."""
    return any(_CLASS_COUNT.search(name) or _CLASS_COUNT.search(name.lower()) for name in names)


def _any(pattern: re.Pattern[str], names: Iterable[str]) -> bool:
    return any(pattern.search(name.lower()) for name in names)
