"""The rules, most specific first: the first one that speaks about a reduction is the one that is reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from batchmean.rules.base import Rule
from batchmean.rules.bmn101_whole_shape_division import WholeShapeDivision
from batchmean.rules.bmn102_class_axis_mean import ClassAxisMean
from batchmean.rules.bmn103_library_mean_reduction import LibraryMeanReduction
from batchmean.rules.bmn104_latent_kl_mean import LatentKlMean
from batchmean.rules.bmn105_batchmean_rank import BatchmeanRank
from batchmean.rules.bmn201_masked_mean import MaskedMean
from batchmean.rules.bmn202_mask_mismatch import MaskMismatch
from batchmean.rules.bmn301_double_division import DoubleDivision
from batchmean.rules.bmn302_wrong_axis_division import WrongAxisDivision
from batchmean.rules.bmn303_noop_mean import NoopMean
from batchmean.rules.bmn304_discarded_division import DiscardedDivision
from batchmean.rules.bmn305_outer_product_mean import OuterProductMean
from batchmean.rules.bmn306_sum_beside_mean import SumBesideMean
from batchmean.rules.bmn307_missing_batch_division import MissingBatchDivision
from batchmean.rules.bmn401_meaningless_perplexity import MeaninglessPerplexity
from batchmean.rules.bmn501_epoch_mean_over_examples import EpochMeanOverExamples
from batchmean.rules.bmn502_epoch_sum_over_batches import EpochSumOverBatches
from batchmean.rules.bmn503_microbatch_token_mean import MicrobatchTokenMean
from batchmean.rules.bmn504_accumulation_scaling import AccumulationScaling
from batchmean.rules.bmn505_mean_of_perplexities import MeanOfPerplexities
from batchmean.rules.bmn901_unused_noqa import UnusedNoqa

BY_PRECEDENCE: Final[tuple[Rule[Any], ...]] = (
    BatchmeanRank(),
    WrongAxisDivision(),
    LatentKlMean(),
    LibraryMeanReduction(),
    WholeShapeDivision(),
    ClassAxisMean(),
    MaskedMean(),
    MaskMismatch(),
    DoubleDivision(),
    NoopMean(),
    DiscardedDivision(),
    OuterProductMean(),
    SumBesideMean(),
    MissingBatchDivision(),
    MeaninglessPerplexity(),
    EpochMeanOverExamples(),
    EpochSumOverBatches(),
    MeanOfPerplexities(),
    MicrobatchTokenMean(),
    AccumulationScaling(),
)

RULES: Final[Mapping[str, Rule[Any]]] = {
    rule.code: rule for rule in sorted(BY_PRECEDENCE, key=lambda r: r.code)
}
"""Every rule about losses by its code."""

UNUSED_NOQA: Final = UnusedNoqa()

EVERY: Final[Mapping[str, Rule[Any]]] = {**RULES, UNUSED_NOQA.code: UNUSED_NOQA}
"""What can be reported, by its code: the rules about losses, and the one about comments."""

__all__ = ["BY_PRECEDENCE", "EVERY", "RULES", "UNUSED_NOQA", "Rule"]
