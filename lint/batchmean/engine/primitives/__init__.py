"""What each operation does to a value: one small function per primitive, a file for each family of them.

The tables in `batchmean.operations` say which framework function is which primitive.
"""

from batchmean.engine.primitives import (
    arithmetic,
    contractions,
    distributions,
    einops,
    elementwise,
    indexing,
    keras_losses,
    layers,
    layout,
    losses,
    masking,
    numbers,
    reducing,
    repeating,
    targets,
    transforms,
)
from batchmean.engine.primitives.registry import PRIMITIVES, Call

__all__ = [
    "PRIMITIVES",
    "Call",
    "arithmetic",
    "contractions",
    "distributions",
    "einops",
    "elementwise",
    "indexing",
    "keras_losses",
    "layers",
    "layout",
    "losses",
    "masking",
    "numbers",
    "reducing",
    "repeating",
    "targets",
    "transforms",
]
