"""The rules, most specific first: the first one that speaks about a reduction is the one that is reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from batchmean.rules.base import Rule
from batchmean.rules.bmn101_whole_shape_division import WholeShapeDivision
from batchmean.rules.bmn102_class_axis_mean import ClassAxisMean
from batchmean.rules.bmn103_library_mean_reduction import LibraryMeanReduction
from batchmean.rules.bmn104_latent_kl_mean import LatentKlMean

BY_PRECEDENCE: Final[tuple[Rule, ...]] = (
    LatentKlMean(),
    LibraryMeanReduction(),
    WholeShapeDivision(),
    ClassAxisMean(),
)

RULES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in sorted(BY_PRECEDENCE, key=lambda r: r.code)}
"""Every rule by its code."""

__all__ = ["BY_PRECEDENCE", "RULES", "Rule"]
