"""Functions and methods that the fixes look for and write, as the frameworks' tables have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from batchmean import effects


def in_place_too(names: frozenset[str]) -> frozenset[str]:
    """PyTorch's `mul_` beside `mul`."""
    return names | {f"{name}_" for name in names}


SUM_OF: Final[Mapping[str, str]] = {**effects.beside("average", "sum"), **effects.beside("mean", "sum")}
"""For each mean the sum that is written in its place."""
MEANS: Final = frozenset(SUM_OF)
SUMS: Final = frozenset(SUM_OF.values())
MEAN_OF: Final[Mapping[str, str]] = {
    total: mean for total, mean in effects.beside("sum", "mean").items() if total in SUMS
}
"""For each sum the mean that is written in its place."""
PRODUCTS: Final = effects.spellings("multiply")
SCALES: Final = in_place_too(PRODUCTS | effects.spellings("divide"))
ADDS: Final = in_place_too(effects.spellings("add", "subtract", "builtin_sum") - {"sum"} | {"addcmul"})
"""What adds a term to others; the sum of an array is none of them."""
ELEMENTWISE_LOSSES: Final = effects.spellings("elementwise_loss", "elementwise_loss_module") | {
    "mean_squared_error",
    "binary_crossentropy",
    "mean_absolute_error",
}
"""Losses per element; Keras's, which stand last, take the mean over the last axis only."""
PASSES: Final = effects.spellings(
    *("identity number array mean sum negative reshape squeeze unsqueeze stack concatenate".split())
) | {"abs", "append", "backward", "item"}
"""What leaves a loss the loss that it is."""
TAKE_AN_AXIS: Final = effects.spellings("sum", "mean", "softmax", "log_softmax", "logsumexp") | {"argmax"}
"""Whose calls show how a file names its axes."""
