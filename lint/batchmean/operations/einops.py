"""einops, for every framework that it works with."""

from __future__ import annotations

from batchmean.operations.table import Framework

FRAMEWORK = Framework(
    precedence=50,
    functions={
        "einops.rearrange": "rearrange(x|tensor, pattern)",
        "einops.reduce": "einops_reduce(x|tensor, pattern, reduction)",
        "einops.repeat": "rearrange(x|tensor, pattern)",
    },
)
