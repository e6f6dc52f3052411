"""Losses of libraries, and what each is of the rightly averaged one, decided by reading the maths.

What the verdicts mean, the same for all:

- A term that is an expectation over a distribution is summed over its support and averaged over its units: `1`. What is
  left over is written as `1/V`, `B`, `n_valid/N`.
- An elementwise loss (MSE, binary cross-entropy, Huber) has no support. Its mean, or its sum over the features, is `1`;
  summed over the examples, too, it is `B`.
- A figure of the whole set that repeating the set does not change (dice, R2, RMSE, a correlation) is `1`. Where the
  examples are compared with each other, so that repeating them changes what is compared, `no law` applies.
- What is not reduced: losses per unit with the support summed are `1`, judged unit by unit; arrays of elements have
  nothing that was averaged: `no law`.

`accepted` are all verdicts that are true of a loss; two where it may be called with and without ignored labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One loss. `given`, `made_with` and `output` are how it is used (its reduction, a mask), in both runs; `args` and the other
    fields are what a user declares, passed in the second run only. `because` is the reason and its source."""

    loss: str
    accepted: tuple[str, ...]
    because: str
    given: str = ""
    args: str = ""
    axes: str = "B"
    made_with: str = ""
    exempt: str = ""
    output: str = ""
    unit: str = ""
    framework: str = ""

    @property
    def id(self) -> str:
        """What tells a row from the others."""
        return " ".join(filter(None, (self.loss, self.made_with, self.given)))

    @property
    def library(self) -> str:
        """The package that the loss is of."""
        return self.loss.partition(":")[0].partition(".")[0]


def _rows(module: str, *rows: tuple[Any, ...], **same: str) -> Iterator[Row]:
    """Rows of one module: name, accepted verdicts with a comma between them, reason, and a dict of other fields."""
    for name, verdicts, because, *others in rows:
        accepted = tuple(verdict.strip() for verdict in verdicts.split(","))
        yield Row(f"{module}:{name}", accepted, because, **{**same, **(others[0] if others else {})})


CLASSES = "input=logits,target=labels"
PAIR = {"args": "input=normal(B,D),target=normal(B,D)"}
SIGNS = {"args": "input=normal(B,D),target=sign(B,D)"}
BINARY = {"args": "input=normal(B,D),target=binary(B,D)"}
KL = {"args": "input=log_probs,target=probs"}
EMBEDDED = "anchor=normal(B,D),positive=normal(B,D),negative=normal(B,D)"
CTC = "log_probs=log_probs(T,B,V),targets=nonblank(B,S),input_lengths=size_list(B,T),target_lengths=size_list(B,S)"
SUM, NONE, MEAN = "reduction=text sum", "reduction=text none", "reduction=text mean"

TORCH = [
    *_rows(
        "torch.nn.functional",
        ("cross_entropy", "1", "the mean divides by the labels", {"args": CLASSES}),
        ("cross_entropy", "B, n_valid", "documented: the sum over the labels that are not ignored", {"given": SUM, "args": CLASSES}),
        ("cross_entropy", "1", "one loss per label", {"given": NONE, "args": CLASSES}),
        (
            "cross_entropy",
            "1",
            "uniform predictions still give log V: the smoothed target sums to 1",
            {"given": "label_smoothing=scalar 0.1", "args": CLASSES, "exempt": "null class (label smoothing)"},
        ),
        (
            "cross_entropy",
            "1",
            "documented: divides by the weights of the labels, a weighted mean",
            {"given": "weight=positive(V)", "args": CLASSES, "exempt": "pointwise (weighted mean)"},
        ),
        (
            "cross_entropy",
            "1",
            "documented: the mean is over the labels that are not ignored",
            {"given": "target=ignorable_labels", "args": "input=logits"},
        ),
        (
            "cross_entropy",
            "1",
            "classes at axis 1, the mean divides by the pixels",
            {"given": "target=labels(B,H,W)", "args": "input=logits(B,V,H,W)", "axes": "B H W"},
        ),
        ("nll_loss", "1", "as cross_entropy, of log-probabilities", {"args": "input=log_probs,target=labels"}),
        ("nll_loss", "B, n_valid", "documented: the sum over the labels that are not ignored", {"given": SUM, "args": "input=log_probs,target=labels"}),
        ("kl_div", "1/V", "documented: mean is no KL, it divides by all elements", KL),
        ("kl_div", "1", "documented: the sum over the batch size", {"given": "reduction=text batchmean", **KL}),
        ("kl_div", "B", "documented: the sum", {"given": SUM, **KL}),
        (
            "kl_div",
            "1/V",
            "mean over all elements, targets as logarithms",
            {"given": "log_target=scalar True", "args": "input=log_probs,target=log_probs"},
        ),
        ("kl_div", "no law", "the terms of the sum, one per class", {"given": NONE, **KL}),
        ("binary_cross_entropy", "1", "elementwise", {"args": "input=unit_interval(B,D),target=binary(B,D)"}),
        ("binary_cross_entropy_with_logits", "1", "elementwise", BINARY),
        ("binary_cross_entropy_with_logits", "B", "documented: the sum", {"given": SUM, **BINARY}),
        ("binary_cross_entropy_with_logits", "no law", "not reduced", {"given": NONE, **BINARY}),
        ("mse_loss", "1", "elementwise", PAIR),
        ("mse_loss", "B", "documented: the sum", {"given": SUM, **PAIR}),
        ("mse_loss", "no law", "not reduced", {"given": NONE, **PAIR}),
        ("l1_loss", "1", "elementwise", PAIR),
        ("l1_loss", "B", "documented: the sum", {"given": SUM, **PAIR}),
        ("smooth_l1_loss", "1", "elementwise", PAIR),
        ("huber_loss", "1", "elementwise", PAIR),
        ("huber_loss", "B", "documented: the sum", {"given": SUM, **PAIR}),
        ("poisson_nll_loss", "1", "elementwise", {"args": "input=normal(B,D),target=counts(B,D)"}),
        (
            "gaussian_nll_loss",
            "1",
            "elementwise",
            {"args": "input=normal(B,D),target=normal(B,D),var=positive(B,D)"},
        ),
        ("hinge_embedding_loss", "1", "elementwise", SIGNS),
        ("soft_margin_loss", "1", "elementwise", SIGNS),
        (
            "margin_ranking_loss",
            "1",
            "elementwise over the pairs that are handed in",
            {"args": "input1=normal(B),input2=normal(B),target=sign(B)"},
        ),
        (
            "multi_margin_loss",
            "1",
            "documented: hinges per class over their number; no likelihood",
            {"args": "input=normal(B,V),target=labels"},
        ),
        (
            "multilabel_soft_margin_loss",
            "1",
            "binary cross-entropies per class, elementwise",
            {"args": "input=normal(B,D),target=binary(B,D)"},
        ),
        ("triplet_margin_loss", "1", "one loss per triplet that is handed in", {"args": EMBEDDED}),
        ("triplet_margin_with_distance_loss", "1", "one loss per triplet", {"args": EMBEDDED}),
        (
            "cosine_embedding_loss",
            "1",
            "one loss per pair",
            {"args": "input1=normal(B,D),input2=normal(B,D),target=sign(B)"},
        ),
        ("ctc_loss", "1", "documented: each over its target's length, then the mean of the batch", {"args": CTC}),
        ("ctc_loss", "B", "documented: the sum of the batch", {"given": SUM, "args": CTC}),
        (
            "linear_cross_entropy",
            "1",
            "cross-entropy of input @ weight.T",
            {"args": "input=normal(B,D),linear_weight=normal(V,D),target=labels"},
        ),
        ("log_softmax", "no law", "log-probabilities, no loss", {"args": "input=logits", "given": "dim=scalar -1"}),
    ),
    *_rows(
        "torch.nn",
        ("CrossEntropyLoss", "1", "the mean divides by the labels", {"args": CLASSES}),
        ("NLLLoss", "1", "the mean divides by the labels", {"args": "input=log_probs,target=labels"}),
        ("KLDivLoss", "1/V", "its default divides by all elements", KL),
        ("KLDivLoss", "1", "the sum over the batch size", {"made_with": '{"reduction": "batchmean"}', **KL}),
        ("BCEWithLogitsLoss", "1", "elementwise", BINARY),
        ("MSELoss", "1", "elementwise", PAIR),
        ("HuberLoss", "1", "elementwise", PAIR),
        ("PoissonNLLLoss", "1", "elementwise", {"args": "log_input=normal(B,D),target=counts(B,D)"}),
        ("CTCLoss", "1", "each over its target's length, then the mean of the batch", {"args": CTC}),
        (
            "AdaptiveLogSoftmaxWithLoss",
            "1",
            "the mean of -log p of the label, over the examples",
            {
                "made_with": '{"in_features": 7, "n_classes": 11, "cutoffs": [3, 7]}',
                "args": "input_=normal(B,D),target_=labels",
                "output": "1",
            },
        ),
        ("MultiLabelMarginLoss", "1", "hinges over the number of classes", {"args": "input=normal(B,V),target=labels(B,V)"}),
    ),
]  # fmt: skip

OPTAX = [
    *_rows(
        "optax",
        ("softmax_cross_entropy", "1", "one loss per example", {"args": "logits=logits,labels=probs"}),
        (
            "softmax_cross_entropy_with_integer_labels",
            "1",
            "one loss per example",
            {"args": "logits=logits,labels=labels"},
        ),
        ("safe_softmax_cross_entropy", "1", "one loss per example", {"args": "logits=logits,labels=probs"}),
        ("losses.poly_loss_cross_entropy", "1", "one loss per example", {"args": "logits=logits,labels=probs"}),
        ("kl_divergence", "1", "summed over the last axis", {"args": "log_predictions=log_probs,targets=probs"}),
        ("convex_kl_divergence", "1", "summed over the last axis", {"args": "log_predictions=log_probs,targets=probs"}),
        (
            "losses.kl_divergence_with_log_targets",
            "1",
            "summed over the last axis",
            {"args": "log_predictions=log_probs,log_targets=log_probs"},
        ),
        ("sigmoid_binary_cross_entropy", "no law", "elementwise, not reduced", {"args": "logits=normal(B,D),labels=binary(B,D)"}),
        ("sigmoid_focal_loss", "no law", "elementwise, not reduced", {"args": "logits=normal(B,D),labels=binary(B,D)"}),
        ("l2_loss", "no law", "elementwise, not reduced", {"args": "predictions=normal(B,D),targets=normal(B,D)"}),
        ("squared_error", "no law", "elementwise, not reduced", {"args": "predictions=normal(B,D),targets=normal(B,D)"}),
        ("huber_loss", "no law", "elementwise, not reduced", {"args": "predictions=normal(B,D),targets=normal(B,D)"}),
        ("log_cosh", "no law", "elementwise, not reduced", {"args": "predictions=normal(B,D),targets=normal(B,D)"}),
        ("hinge_loss", "no law", "elementwise, not reduced", {"args": "predictor_outputs=normal(B),targets=sign(B)"}),
        ("losses.perceptron_loss", "no law", "elementwise, not reduced", {"args": "predictor_outputs=normal(B),targets=sign(B)"}),
        ("cosine_distance", "no law", "a distance per example, no support", {"args": "predictions=normal(B,D),targets=normal(B,D)"}),
        ("losses.multiclass_hinge_loss", "1", "a maximum over the classes, per example", {"args": "scores=logits,labels=labels"}),
        ("losses.multiclass_perceptron_loss", "1", "a maximum over the classes, per example", {"args": "scores=logits,labels=labels"}),
        ("losses.multiclass_sparsemax_loss", "1", "a Fenchel-Young loss of the classes, per example", {"args": "scores=logits,labels=labels"}),
        ("losses.sparsemax_loss", "no law", "binary, not reduced", {"args": "logits=normal(B),labels=binary(B)"}),
        (
            "ctc_loss",
            "1",
            "-log p of each example's labels",
            {"args": "logits=logits(B,T,V),logit_paddings=zeros(B,T),labels=nonblank(B,S),label_paddings=zeros(B,S)"},
        ),
        ("losses.ranking_softmax_loss", "1", "a list is an example: its softmax is summed, lists are averaged", {"args": "logits=logits,labels=one_hot"}),
        ("losses.triplet_margin_loss", "no law", "a distance per triplet, no support", {"args": "anchors=normal(B,D),positives=normal(B,D),negatives=normal(B,D)"}),
        ("ntxent", "no law", "the other examples are the classes", {"args": "embeddings=normal(B,D),labels=labels(B)", "exempt": "duplication (in-batch negatives);pointwise (in-batch negatives)"}),
    ),
]  # fmt: skip

TRUE_PRED = "y_true=normal(B,D),y_pred=normal(B,D)"
KERAS = [
    *_rows(
        "keras.losses",
        ("CategoricalCrossentropy", "1", "sum over the classes, mean over the batch", {"args": "y_true=one_hot,y_pred=probs"}),
        ("CategoricalCrossentropy", "1", "the same, of logits", {"made_with": '{"from_logits": true}', "args": "y_true=one_hot,y_pred=logits"}),
        ("CategoricalCrossentropy", "B", "documented: the sum", {"made_with": '{"reduction": "sum"}', "args": "y_true=one_hot,y_pred=probs"}),
        (
            "CategoricalCrossentropy",
            "n_valid/N",
            "sum_over_batch_size divides the weighted sum by all examples",
            {"given": "sample_weight=mask(B)", "args": "y_true=one_hot,y_pred=probs"},
        ),
        ("SparseCategoricalCrossentropy", "1", "mean over the labels", {"args": "y_true=labels,y_pred=probs"}),
        ("KLDivergence", "1", "sum over the last axis, mean over the batch", {"args": "y_true=probs,y_pred=probs"}),
        ("CategoricalFocalCrossentropy", "1", "alpha times the modulated sum over the classes, mean over the batch", {"args": "y_true=one_hot,y_pred=probs"}),
        ("CategoricalGeneralizedCrossEntropy", "1", "(1 - p^q) / q of the target class, mean over the batch", {"args": "y_true=labels,y_pred=probs"}),
        ("BinaryCrossentropy", "1", "elementwise", {"args": "y_true=binary(B,D),y_pred=unit_interval(B,D)"}),
        ("BinaryFocalCrossentropy", "1", "elementwise", {"args": "y_true=binary(B,D),y_pred=unit_interval(B,D)"}),
        ("CategoricalHinge", "1", "a maximum over the classes, mean over the batch", {"args": "y_true=binary(B,D),y_pred=normal(B,D)"}),
        ("CosineSimilarity", "1", "one similarity per example", {"args": TRUE_PRED}),
        ("Dice", "1", "one ratio of sums over the whole batch", {"args": "y_true=binary(B,D),y_pred=unit_interval(B,D)"}),
        ("Tversky", "1", "one ratio of sums over the whole batch", {"args": "y_true=binary(B,D),y_pred=unit_interval(B,D)"}),
        ("Circle", "no law", "the examples are compared with each other", {"args": "y_true=labels(B),y_pred=normal(B,D)", "exempt": "duplication (in-batch negatives);pointwise (in-batch negatives)"}),
        ("Hinge", "1", "elementwise", {"args": "y_true=sign(B,D),y_pred=normal(B,D)"}),
        ("SquaredHinge", "1", "elementwise", {"args": "y_true=sign(B,D),y_pred=normal(B,D)"}),
        ("Huber", "1", "elementwise", {"args": TRUE_PRED}),
        ("LogCosh", "1", "elementwise", {"args": TRUE_PRED}),
        ("MeanAbsoluteError", "1", "elementwise", {"args": TRUE_PRED}),
        ("MeanAbsolutePercentageError", "1", "elementwise", {"args": TRUE_PRED}),
        ("MeanSquaredError", "1", "elementwise", {"args": TRUE_PRED}),
        ("MeanSquaredError", "B", "documented: the sum", {"made_with": '{"reduction": "sum"}', "args": TRUE_PRED}),
        (
            "MeanSquaredError",
            "n_valid/N",
            "sum_over_batch_size divides the weighted sum by all examples",
            {"given": "sample_weight=mask(B)", "args": TRUE_PRED},
        ),
        (
            "MeanSquaredError",
            "1",
            "documented: divides by the weights",
            {"made_with": '{"reduction": "mean_with_sample_weight"}', "given": "sample_weight=mask(B)", "args": TRUE_PRED},
        ),
        ("MeanSquaredLogarithmicError", "1", "elementwise", {"args": "y_true=positive(B,D),y_pred=positive(B,D)"}),
        ("Poisson", "1", "elementwise", {"args": "y_true=counts(B,D),y_pred=positive(B,D)"}),
        ("categorical_crossentropy", "1", "one loss per example", {"args": "y_true=one_hot,y_pred=probs"}),
        ("sparse_categorical_crossentropy", "1", "one loss per example", {"args": "y_true=labels,y_pred=probs"}),
        ("categorical_focal_crossentropy", "1", "one loss per example", {"args": "y_true=one_hot,y_pred=probs"}),
        ("kl_divergence", "1", "one loss per example", {"args": "y_true=probs,y_pred=probs"}),
        ("binary_crossentropy", "no law", "a mean of elements per example", {"args": "y_true=binary(B,D),y_pred=unit_interval(B,D)"}),
        ("mean_squared_error", "no law", "a mean of elements per example", {"args": TRUE_PRED}),
        ("mean_absolute_error", "no law", "a mean of elements per example", {"args": TRUE_PRED}),
        ("huber", "no law", "a mean of elements per example", {"args": TRUE_PRED}),
        ("hinge", "no law", "a mean of elements per example", {"args": "y_true=sign(B,D),y_pred=normal(B,D)"}),
        ("poisson", "no law", "a mean of elements per example", {"args": "y_true=counts(B,D),y_pred=positive(B,D)"}),
        ("log_cosh", "no law", "a mean of elements per example", {"args": TRUE_PRED}),
        ("cosine_similarity", "no law", "one similarity per example", {"args": TRUE_PRED}),
    ),
]  # fmt: skip

IMAGE_CLASSES = "pred=logits(B,V,H,W),target=labels(B,H,W)"
IMAGES = "img1=unit_interval(B,D,H,W),img2=unit_interval(B,D,H,W)"
IMAGE_BINARY = "pred=normal(B,D,H,W),target=binary(B,D,H,W)"
KORNIA = [
    *_rows(
        "kornia.losses",
        (
            "focal_loss",
            "1/V, n_valid/(N V)",
            "documented: mean divides by classes times pixels, ignored ones counted; with gamma 0 it is CE / C",
            {"given": "alpha=scalar 0.25,reduction=text mean", "args": IMAGE_CLASSES, "axes": "B H W"},
        ),
        (
            "FocalLoss",
            "1/V, n_valid/(N V)",
            "as focal_loss",
            {"made_with": '{"alpha": 0.5, "reduction": "mean"}', "args": IMAGE_CLASSES, "axes": "B H W"},
        ),
        ("focal_loss", "no law", "a map with the axis of the classes", {"given": "alpha=scalar 0.25", "args": IMAGE_CLASSES, "axes": "B H W"}),
        (
            "binary_focal_loss_with_logits",
            "1",
            "elementwise",
            {"given": "alpha=scalar 0.25,reduction=text mean", "args": IMAGE_BINARY, "axes": "B H W"},
        ),
        ("binary_focal_loss_with_logits", "no law", "not reduced", {"given": "alpha=scalar 0.25", "args": IMAGE_BINARY, "axes": "B H W"}),
        ("dice_loss", "1", "a score per example, averaged", {"args": IMAGE_CLASSES}),
        ("tversky_loss", "1", "a score per example, averaged", {"given": "alpha=scalar 0.5,beta=scalar 0.5", "args": IMAGE_CLASSES}),
        ("lovasz_softmax_loss", "1", "a score per example and class, averaged", {"args": IMAGE_CLASSES}),
        ("lovasz_hinge_loss", "1", "a score per example, averaged", {"args": "pred=normal(B,I,H,W),target=binary(B,H,W)"}),
        ("charbonnier_loss", "1", "elementwise", {"given": MEAN, "args": IMAGES}),
        ("charbonnier_loss", "B", "the sum", {"given": SUM, "args": IMAGES}),
        ("welsch_loss", "1", "elementwise", {"given": MEAN, "args": IMAGES}),
        ("cauchy_loss", "1", "elementwise", {"given": MEAN, "args": IMAGES}),
        ("geman_mcclure_loss", "1", "elementwise", {"given": MEAN, "args": IMAGES}),
        ("geman_mcclure_loss", "no law", "not reduced", {"args": IMAGES}),
        ("psnr_loss", "1", "a logarithm of the mean over all elements", {"given": "max_val=scalar 1.0", "args": "image=unit_interval(B,D,H,W),target=unit_interval(B,D,H,W)"}),
        ("ssim_loss", "1", "mean of the windows", {"given": "window_size=scalar 5", "args": IMAGES}),
        ("total_variation", "no law", "one number per image", {"args": "img=normal(B,D,H,W)"}),
        ("inverse_depth_smoothness_loss", "1", "mean of the gradients", {"args": "idepth=positive(B,I,H,W),image=unit_interval(B,D,H,W)"}),
        ("js_div_loss_2d", "1", "summed over the pixels of a heat map, averaged over maps", {"args": "pred=positive(B,D,H,W),target=positive(B,D,H,W)"}),
        ("kl_div_loss_2d", "1", "summed over the pixels of a heat map, averaged over maps", {"args": "pred=positive(B,D,H,W),target=positive(B,D,H,W)"}),
    ),
]  # fmt: skip

MONAI_CLASSES = {"args": "input=logits(B,V,H,W),target=one_hot(B,V,H,W)", "axes": "B H W", "exempt": "null class (macro average)"}  # fmt: skip
MONAI_SCORES = {"args": "input=normal(B,V,H,W),target=binary(B,V,H,W)"}
MONAI = [
    *_rows(
        "monai.losses",
        ("DiceLoss", "1", "a score per example and class, averaged", MONAI_SCORES),
        ("DiceLoss", "1", "the same, of logits", {"made_with": '{"softmax": true}', **MONAI_CLASSES}),
        ("DiceLoss", "1", "the same, of binary logits", {"made_with": '{"sigmoid": true}', **MONAI_SCORES}),
        ("GeneralizedDiceLoss", "1", "a score per example, averaged", {"made_with": '{"sigmoid": true}', **MONAI_SCORES}),
        ("TverskyLoss", "1", "a score per example and class, averaged", {"made_with": '{"sigmoid": true}', **MONAI_SCORES}),
        ("FocalLoss", "1", "by default sigmoids: elementwise", MONAI_SCORES),
        (
            "FocalLoss",
            "1/V",
            "softmax focal terms, target x log p, averaged over the classes, too (focal_loss.py: loss.mean())",
            {"made_with": '{"use_softmax": true}', "args": "input=logits(B,V,H,W),target=one_hot(B,V,H,W)", "axes": "B H W"},
        ),
        ("FocalLoss", "no law", "not reduced", {"made_with": '{"reduction": "none"}', **MONAI_SCORES}),
        ("DiceFocalLoss", "1", "dice and elementwise focal terms", {"made_with": '{"sigmoid": true}', **MONAI_SCORES}),
        ("ContrastiveLoss", "no law", "the other examples are the negatives", {"args": "input=normal(B,D),target=normal(B,D)", "exempt": "duplication (in-batch negatives);pointwise (in-batch negatives)"}),
        ("LocalNormalizedCrossCorrelationLoss", "1", "mean over the voxels", {"made_with": '{"spatial_dims": 2}', "args": "pred=unit_interval(B,I,H,W),target=unit_interval(B,I,H,W)"}),
        ("BendingEnergyLoss", "1", "mean over the voxels", {"args": "pred=normal(B,P,H,W)"}),
        ("DiffusionLoss", "1", "mean over the voxels", {"args": "pred=normal(B,P,H,W)"}),
        ("SSIMLoss", "1", "mean over the windows", {"made_with": '{"spatial_dims": 2}', "args": "input=unit_interval(B,D,H,W),target=unit_interval(B,D,H,W)"}),
        ("JukeboxLoss", "1", "mean squared error of spectra", {"made_with": '{"spatial_dims": 2}', "args": "input=normal(B,D,H,W),target=normal(B,D,H,W)"}),
        ("MaskedDiceLoss", "1", "a score per example and class, averaged", {"made_with": '{"sigmoid": true}', **MONAI_SCORES}),
    ),
]  # fmt: skip

SMP_CLASSES = {"args": "y_pred=logits(B,V,H,W),y_true=labels(B,H,W)", "axes": "B H W"}
SMP_SCORES = {**SMP_CLASSES, "exempt": "null class (macro average)"}
SMP_BINARY = {"args": "y_pred=normal(B,I,H,W),y_true=binary(B,I,H,W)"}
MULTICLASS, BINARY_MODE = '{"mode": "multiclass"}', '{"mode": "binary"}'
SMP = [
    *_rows(
        "segmentation_models_pytorch.losses",
        ("DiceLoss", "1", "a score per class over the whole batch, averaged over the classes", {"made_with": MULTICLASS, **SMP_SCORES}),
        ("DiceLoss", "1", "one score over the whole batch", {"made_with": BINARY_MODE, **SMP_BINARY}),
        ("JaccardLoss", "1", "a score per class over the whole batch", {"made_with": MULTICLASS, **SMP_SCORES}),
        ("JaccardLoss", "1", "one score over the whole batch", {"made_with": BINARY_MODE, **SMP_BINARY}),
        ("TverskyLoss", "1", "a score per class over the whole batch", {"made_with": MULTICLASS, **SMP_SCORES}),
        ("FocalLoss", "1", "a binary focal term per class and pixel: elementwise", {"made_with": MULTICLASS, "args": "y_pred=normal(B,V,H,W),y_true=labels(B,H,W)"}),
        ("FocalLoss", "1", "elementwise", {"made_with": BINARY_MODE, **SMP_BINARY}),
        ("LovaszLoss", "1", "a score per class over the whole batch", {"made_with": MULTICLASS, **SMP_SCORES}),
        ("SoftBCEWithLogitsLoss", "1", "elementwise", SMP_BINARY),
        (
            "SoftCrossEntropyLoss",
            "1",
            "nothing is ignored: mean over the pixels",
            {"made_with": '{"ignore_index": null, "smooth_factor": 0.0}', **SMP_CLASSES},
        ),
        (
            "SoftCrossEntropyLoss",
            "n_valid/N",
            "ignored pixels are set to 0 and counted by the mean (losses/_functional.py)",
            {"made_with": '{"smooth_factor": 0.0}', "given": "y_true=ignorable_labels(B,H,W)", "args": "y_pred=logits(B,V,H,W)", "axes": "B H W"},
        ),
        ("MCCLoss", "1", "one score over the whole batch", SMP_BINARY),
    ),
]  # fmt: skip

TIMM = [
    *_rows(
        "timm.loss",
        ("LabelSmoothingCrossEntropy", "1", "(1-s) nll + s mean over V of -log p, mean over the batch", {"args": "x=logits,target=labels", "exempt": "null class (label smoothing)"}),
        ("SoftTargetCrossEntropy", "1", "sum over the classes, mean over the batch", {"args": "x=logits,target=probs"}),
        ("BinaryCrossEntropy", "1", "elementwise", {"args": "x=normal(B,D),target=binary(B,D)"}),
        ("AsymmetricLossMultiLabel", "1", "sum over the labels, mean over the batch", {"args": "x=normal(B,D),y=binary(B,D)"}),
        ("AsymmetricLossMultiLabel", "B", "documented: summed over the batch, too", {"made_with": '{"reduction": "sum"}', "args": "x=normal(B,D),y=binary(B,D)"}),
        ("AsymmetricLossSingleLabel", "1", "sum over the classes, mean over the batch; smoothed targets", {"args": "inputs=logits,target=labels", "exempt": "null class (label smoothing)"}),
        ("PolyCrossEntropy", "1", "sum over the classes, mean over the batch", {"args": "x=logits,target=labels"}),
        ("PolyCrossEntropy", "B", "documented: the sum over the batch", {"made_with": '{"reduction": "sum"}', "args": "x=logits,target=labels"}),
        ("PolyBinaryCrossEntropy", "1", "elementwise", {"args": "x=normal(B,D),target=binary(B,D)"}),
        ("TwoWayLoss", "no law", "the examples are compared with each other, class by class", {"args": "x=normal(B,V),target=one_hot", "exempt": "duplication (in-batch negatives);pointwise (in-batch negatives)"}),
        ("ZlprLoss", "1", "one loss per example, mean over the batch", {"args": "x=normal(B,D),target=binary(B,D)"}),
    ),
]  # fmt: skip

METRIC = "preds=normal(B),target=normal(B)"
POSITIVES = "preds=positive(B),target=positive(B)"
METRIC_IMAGES = "preds=unit_interval(B,D,H,W),target=unit_interval(B,D,H,W)"
TORCHMETRICS = [
    *_rows(
        "torchmetrics.functional",
        ("mean_squared_error", "1", "elementwise", {"args": METRIC}),
        ("mean_absolute_error", "1", "elementwise", {"args": METRIC}),
        ("mean_squared_log_error", "1", "elementwise", {"args": POSITIVES}),
        ("mean_absolute_percentage_error", "1", "elementwise", {"args": METRIC}),
        ("symmetric_mean_absolute_percentage_error", "1", "elementwise", {"args": METRIC}),
        ("weighted_mean_absolute_percentage_error", "1", "one ratio of sums", {"args": METRIC}),
        ("log_cosh_error", "1", "elementwise", {"args": METRIC}),
        ("tweedie_deviance_score", "1", "elementwise", {"args": METRIC.replace("target", "targets")}),
        ("kl_divergence", "1", "sum over the last axis, mean over the batch", {"args": "p=probs,q=probs"}),
        ("kl_divergence", "B", "documented: the sum", {"given": SUM, "args": "p=probs,q=probs"}),
        ("kl_divergence", "1", "one per example", {"given": NONE, "args": "p=probs,q=probs"}),
        ("cosine_similarity", "B", "its default adds the similarities up", {"args": "preds=normal(B,D),target=normal(B,D)"}),
        ("cosine_similarity", "1", "one similarity per example", {"given": MEAN, "args": "preds=normal(B,D),target=normal(B,D)"}),
        ("explained_variance", "1", "a figure of the set", {"args": METRIC}),
        ("r2_score", "1", "a figure of the set", {"args": METRIC}),
        ("pearson_corrcoef", "1", "a figure of the set", {"args": METRIC}),
        ("spearman_corrcoef", "1", "a figure of the set", {"args": METRIC}),
        ("relative_squared_error", "1", "one ratio of sums", {"args": METRIC}),
        ("text.perplexity", "1", "exp of the mean over the tokens", {"args": "preds=logits(B,T,V),target=labels(B,T)", "axes": "B T", "exempt": "pointwise (perplexity)"}),
        # Documented: a batch with a value outside of 0 to 1 goes through a softmax as a whole; probabilities never do.
        ("classification.multiclass_hinge_loss", "1", "mean over the examples", {"made_with": "", "given": "num_classes=size V", "args": "preds=probs,target=labels"}),
        ("classification.binary_hinge_loss", "1", "mean over the examples", {"args": "preds=unit_interval(B),target=binary_labels(B)"}),
        ("peak_signal_noise_ratio", "1", "a logarithm of the mean over all elements", {"given": "data_range=scalar 1.0", "args": METRIC_IMAGES}),
        ("total_variation", "B", "its default adds the images up", {"args": "img=normal(B,D,H,W)"}),
        ("total_variation", "1", "mean over the images", {"given": MEAN, "args": "img=normal(B,D,H,W)"}),
        ("spectral_angle_mapper", "1", "mean over the pixels", {"args": METRIC_IMAGES}),
        ("structural_similarity_index_measure", "1", "mean over the images", {"args": METRIC_IMAGES, "given": "data_range=scalar 1.0"}),
    ),
]  # fmt: skip

COMPARED = {"args": "embeddings=normal(B,D),labels=labels(B)", "exempt": "duplication (in-batch negatives);pointwise (in-batch negatives)"}  # fmt: skip
PROXIES = {
    "made_with": '{"num_classes": 11, "embedding_size": 7}',
    "args": "embeddings=normal(B,D),labels=labels(B)",
}
PML = [
    *_rows(
        "pytorch_metric_learning.losses",
        *(
            (name, "no law", "pairs of the batch are compared", COMPARED)
            for name in (
                "AngularLoss CircleLoss FastAPLoss GeneralizedLiftedStructureLoss "
                "IntraPairVarianceLoss LiftedStructureLoss MarginLoss MultiSimilarityLoss NCALoss "
                "NTXentLoss SupConLoss TupletMarginLoss"
            ).split()
        ),
        # Widened after the first run: the mean is over pairs that are not 0 (AvgNonZeroReducer), and a copy is at distance
        # 0, so that copies change nothing, always or at most draws.
        *(
            (name, "no law, 1", "pairs of the batch are compared, those of loss 0 left out of the mean", COMPARED)
            for name in ("ContrastiveLoss", "SignalToNoiseRatioContrastiveLoss", "TripletMarginLoss")
        ),
        *(
            (name, "1", "a softmax over the class weights, mean over the examples", PROXIES)
            for name in (
                "ArcFaceLoss CosFaceLoss LargeMarginSoftmaxLoss NormalizedSoftmaxLoss ProxyNCALoss "
                "SphereFaceLoss SubCenterArcFaceLoss"
            ).split()
        ),
        ("ProxyAnchorLoss", "no law", "a logarithm of sums over the batch per proxy", {**PROXIES, "exempt": COMPARED["exempt"]}),
    ),
]  # fmt: skip

TOKENS = {"args": "logits=logits(B,T,V),labels=labels(B,T)", "axes": "B T"}
TRANSFORMERS = [
    *_rows(
        "transformers.loss.loss_utils",
        ("fixed_cross_entropy", "1", "the mean divides by the labels", {"args": "source=logits,target=labels"}),
        (
            "fixed_cross_entropy",
            "1",
            "the sum over the number of items that is handed in",
            {"given": "num_items_in_batch=count n_valid,target=ignorable_labels", "args": "source=logits"},
        ),
        ("ForCausalLMLoss", "1", "mean over the labels of the next tokens", {**TOKENS, "given": "vocab_size=size V"}),
        ("ForMaskedLMLoss", "1", "mean over the labels that are not ignored", {**TOKENS, "given": "vocab_size=size V,labels=ignorable_labels(B,T)", "args": "logits=logits(B,T,V)"}),
        ("ForTokenClassification", "1", "mean over the labels", {"args": "logits=logits(B,T,V),labels=labels(B,T),config=config num_labels=V", "axes": "B T"}),
        ("ForSequenceClassificationLoss", "1", "mean over the examples", {"args": "labels=labels,pooled_logits=logits,config=config num_labels=V problem_type=single_label_classification"}),
        ("ForQuestionAnsweringLoss", "1", "mean of two cross-entropies over the positions", {"args": "start_logits=logits,end_logits=logits,start_positions=labels,end_positions=labels"}),
    ),
    *_rows(
        "transformers.loss.loss_for_object_detection",
        ("dice_loss", "1", "a score per box, over the number of boxes", {"args": "inputs=normal(B,D),targets=binary(B,D),num_boxes=size B"}),
        ("sigmoid_focal_loss", "1", "a mean per box, over the number of boxes", {"args": "inputs=normal(B,D),targets=binary(B,D),num_boxes=size B"}),
    ),
]  # fmt: skip

TRL = [
    *_rows(
        "trl.experimental.gkd.gkd_trainer",
        ("GKDTrainer.generalized_jsd_loss", "T", "batchmean without labels divides (B, T, V) by B only", {"args": "student_logits=logits(B,T,V),teacher_logits=logits(B,T,V)", "axes": "B T"}),
        (
            "GKDTrainer.generalized_jsd_loss",
            "1",
            "with labels the sum is over the valid tokens",
            {"given": "labels=ignorable_labels(B,T)", "args": "student_logits=logits(B,T,V),teacher_logits=logits(B,T,V)", "axes": "B T"},
        ),
        ("GKDTrainer.generalized_jsd_loss", "1/V", "mean over all elements", {"given": MEAN, "args": "student_logits=logits(B,T,V),teacher_logits=logits(B,T,V)", "axes": "B T"}),
    ),
    *_rows(
        "trl.trainer.utils",
        ("entropy_from_logits", "1", "one entropy per token", {"args": "logits=logits(B,T,V)", "axes": "B T"}),
        ("selective_log_softmax", "1", "one log-probability per token", {"args": "logits=logits(B,T,V),index=labels(B,T)", "axes": "B T"}),
    ),
]  # fmt: skip

TWO = "y_true=normal(B),y_pred=normal(B)"
TWO_POSITIVE = "y_true=positive(B),y_pred=positive(B)"
TWO_BINARY = "y_true=binary_labels(B),y_pred=binary_labels(B)"
RAW = "y_true=normal(B),raw_prediction=normal(B)"
SKLEARN = [
    *_rows(
        "sklearn.metrics",
        ("mean_squared_error", "1", "elementwise", {"args": TWO}),
        ("mean_absolute_error", "1", "elementwise", {"args": TWO}),
        ("mean_absolute_percentage_error", "1", "elementwise", {"args": TWO}),
        ("mean_pinball_loss", "1", "elementwise", {"args": TWO}),
        ("mean_squared_log_error", "1", "elementwise", {"args": TWO_POSITIVE}),
        ("median_absolute_error", "1", "a figure of the set", {"args": TWO}),
        ("root_mean_squared_error", "1", "a figure of the set", {"args": TWO}),
        ("mean_poisson_deviance", "1", "elementwise", {"args": TWO_POSITIVE}),
        ("mean_gamma_deviance", "1", "elementwise", {"args": TWO_POSITIVE}),
        ("mean_tweedie_deviance", "1", "elementwise", {"args": TWO}),
        ("max_error", "1", "a figure of the set", {"args": TWO}),
        ("r2_score", "1", "a figure of the set", {"args": TWO}),
        ("explained_variance_score", "1", "a figure of the set", {"args": TWO}),
        ("zero_one_loss", "1", "mean over the examples", {"args": TWO_BINARY}),
        ("zero_one_loss", "B", "documented: the number of errors", {"given": "normalize=scalar False", "args": TWO_BINARY}),
        ("hamming_loss", "1", "mean over the examples", {"args": TWO_BINARY}),
        ("accuracy_score", "1", "mean over the examples", {"args": TWO_BINARY}),
        ("brier_score_loss", "1", "elementwise", {"args": "y_true=binary_labels(B),y_proba=unit_interval(B)"}),
        ("log_loss", "1", "mean over the examples", {"args": "y_true=one_hot,y_proba=probs"}),
        ("label_ranking_loss", "1", "mean over the examples", {"args": "y_true=binary_labels(B,D),y_score=normal(B,D)"}),
        ("coverage_error", "1", "mean over the examples", {"args": "y_true=binary_labels(B,D),y_score=normal(B,D)"}),
        ("dcg_score", "1", "mean over the examples", {"args": "y_true=positive(B,D),y_score=normal(B,D)"}),
    ),
    *_rows(
        "sklearn._loss.loss",
        ("HalfSquaredError", "1", "__call__ averages over the examples", {"args": RAW}),
        ("AbsoluteError", "1", "__call__ averages over the examples", {"args": RAW}),
        ("PinballLoss", "1", "__call__ averages over the examples", {"args": RAW}),
        ("HuberLoss", "1", "__call__ averages over the examples", {"args": RAW}),
        ("HalfPoissonLoss", "1", "__call__ averages over the examples", {"args": "y_true=counts(B),raw_prediction=normal(B)"}),
        ("HalfGammaLoss", "1", "__call__ averages over the examples", {"args": "y_true=positive(B),raw_prediction=normal(B)"}),
        ("HalfBinomialLoss", "1", "__call__ averages over the examples", {"args": "y_true=binary(B),raw_prediction=normal(B)"}),
        ("ExponentialLoss", "1", "__call__ averages over the examples", {"args": "y_true=binary(B),raw_prediction=normal(B)"}),
    ),
]  # fmt: skip

SCIPY = [
    *_rows(
        "scipy",
        ("stats.entropy", "1", "summed along axis 0, one per column", {"args": "pk=probs(V,B)"}),
        ("stats.entropy", "1", "a KL, summed along axis 0, one per column", {"given": "qk=probs(V,B)", "args": "pk=probs(V,B)"}),
        ("special.entr", "no law", "the terms of the sum", {"args": "x=probs"}),
        ("special.rel_entr", "no law", "the terms of the sum", {"args": "x1=probs,x2=probs"}),
        ("special.kl_div", "no law", "the terms of the sum", {"args": "x1=probs,x2=probs"}),
        ("special.huber", "no law", "elementwise, not reduced", {"args": "x1=scalar 1.0,x2=normal(B)"}),
        ("special.pseudo_huber", "no law", "elementwise, not reduced", {"args": "x1=scalar 1.0,x2=normal(B)"}),
        ("spatial.distance.jensenshannon", "1", "summed along axis 0, one per column", {"args": "p=probs(V,B),q=probs(V,B)"}),
        # Widened after the first run: taken for two lists of examples, which nothing rules out, it is a figure of the set.
        ("spatial.distance.cosine", "no law, 1", "a distance of two vectors", {"args": "u=normal(D),v=normal(D)"}),
        ("spatial.distance.sqeuclidean", "no law", "a distance of two vectors", {"args": "u=normal(D),v=normal(D)"}),
        ("stats.wasserstein_distance", "1", "a figure of two sets", {"args": "u_values=normal(B),v_values=normal(B)"}),
        ("stats.energy_distance", "1", "a figure of two sets", {"args": "u_values=normal(B),v_values=normal(B)"}),
    ),
]  # fmt: skip

TABLE: tuple[Row, ...] = (
    *TORCH, *OPTAX, *KERAS, *KORNIA, *MONAI, *SMP, *TIMM, *TORCHMETRICS, *PML, *TRANSFORMERS, *TRL, *SKLEARN, *SCIPY,
)  # fmt: skip
"""Every loss. Ids are unique."""
