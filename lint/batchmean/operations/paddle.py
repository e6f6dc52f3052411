"""PaddlePaddle: functions, tensor methods, layers, distributions."""

from __future__ import annotations

from batchmean.operations.table import Framework

_F = "paddle.nn.functional"
_AXIS = "axis|dim, keepdims|keepdim"
_ELEMENTWISE = "abs tanh sign floor ceil round sin cos rsqrt isnan isinf isfinite".split()
_ACTIVATIONS = "relu gelu silu elu softplus tanh leaky_relu selu swish mish dropout normalize".split()

_NAMED = {
    "mean": f"mean(x|input, {_AXIS})",
    "nanmean": f"mean(x|input, {_AXIS})",
    "sum": "sum(x|input, axis|dim, [dtype], keepdims|keepdim)",
    "nansum": "sum(x|input, axis|dim, [dtype], keepdims|keepdim)",
    "prod": "prod(x|input, axis|dim)",
    "logsumexp": f"logsumexp(x|input, {_AXIS})",
    "max": f"extremum_along(x|input, {_AXIS})",
    "min": f"extremum_along(x|input, {_AXIS})",
    "amax": f"extremum_along(x|input, {_AXIS})",
    "amin": f"extremum_along(x|input, {_AXIS})",
    "std": "reduce_other(x|input, axis|dim, [unbiased], keepdims|keepdim)",
    "var": "reduce_other(x|input, axis|dim, [unbiased], keepdims|keepdim)",
    "median": f"reduce_other(x|input, {_AXIS})",
    "argmax": f"reduce_other(x|input, {_AXIS})",
    "norm": "reduce_other(x|input, [p], axis|dim, keepdims|keepdim)",
    "trace": "reduce_other(x|input)",
    "log": "log(x|input)",
    "log2": "log(x|input)",
    "log10": "log(x|input)",
    "log1p": "log1p(x|input)",
    "exp": "exp(x|input)",
    "expm1": "expm1(x|input)",
    "neg": "negative(x|input)",
    "add": "add(x|input, y|other)",
    "add_n": "builtin_sum(x|inputs)",
    "subtract": "subtract(x|input, y|other)",
    "multiply": "multiply(x|input, y|other)",
    "divide": "divide(x|input, y|other)",
    "scale": "multiply(x, y|scale)",
    "reciprocal": "reciprocal(x|input)",
    "pow": "power(x|input, y|exponent)",
    "square": "square(x|input)",
    "sqrt": "sqrt(x|input)",
    "clip": "clip(x|input, [min], high|max)",
    "maximum": "extremum(x|input, y|other)",
    "minimum": "extremum(x|input, y|other)",
    "softmax": "softmax(x|input, axis|dim)",
    "where": "where(condition, x|input, y|other)",
    "masked_fill": "masked_fill(x|input, mask, value)",
    "masked_select": "take_where(x|input, mask)",
    "einsum": "einsum(equation, *operands)",
    "dot": "matmul(x|input, y|tensor|other)",
    "inner": "matmul(x|input, y|other)",
    "matmul": "matmul(x|input, y|other)",
    "bmm": "matmul(x|input, y|mat2)",
    "mm": "matmul(x|input, y|mat2)",
    "tensordot": "tensordot(x|a, y|b, axes)",
    "reshape": "reshape(x|input, *shape)",
    "flatten": "flatten(x|input, start|start_axis|start_dim, end|stop_axis|end_dim)",
    "transpose": "permute(x|input, *perm)",
    "moveaxis": "moveaxis(x|input, source, destination)",
    "unsqueeze": "unsqueeze(x|input, axis|dim)",
    "squeeze": "squeeze(x|input, axis|dim)",
    "gather": "rows(x|input, index, axis|dim)",
    "gather_nd": "select(x, index)",
    "index_select": "index_select(x|input, index, axis|dim)",
    "index_sample": "select(x, index)",
    "take_along_axis": "select(x|arr|input, index|indices, axis|dim)",
    "put_along_axis": "scatter(x|arr|input, index|indices, value|values, axis|dim)",
    "diag": "diagonal(x|input)",
    "diagonal": "diagonal(x|input)",
    "chunk": "split(x|input, sections|chunks, axis|dim)",
    "split": "split(x|tensor, sections|num_or_sections, axis|dim)",
    "stack": "stack(x|tensors, axis|dim)",
    "concat": "concatenate(x|tensors, axis|dim)",
    "expand": "expand(x|input, *shape)",
    "expand_as": "expand(x|input, *y)",
    "broadcast_to": "expand(x|input, *shape)",
    "numel": "numel(x|input)",
    "shape": "shape(x|input)",
    "rank": "rank(x|input)",
    "zeros": "zeros(*shape)",
    "zeros_like": "zeros_like(x|input)",
    "ones_like": "filled_like(x|input)",
    "full": "full(shape, value|fill_value)",
    "full_like": "filled_like(x|input, value|fill_value)",
    "eye": "eye(n|num_rows, m|num_columns)",
    "arange": "arange(start, stop|end)",
    "to_tensor": "array(x|data)",
    "cast": "identity(x)",
    "assign": "identity(x)",
    "clone": "copied(x)",
    "nan_to_num": "identity(x|input)",
    "no_grad": "same_function(x|func)",
    "jit.to_static": "same_function(x|function)",
    "jit.not_to_static": "same_function(x|func)",
}

# They sum or select over the class axis themselves, or are elementwise by definition.
_LOSSES = (
    "softmax_with_cross_entropy nll_loss margin_cross_entropy hsigmoid_loss ctc_loss "
    "npair_loss dice_loss binary_cross_entropy binary_cross_entropy_with_logits sigmoid_focal_loss "
    "log_loss poisson_nll_loss gaussian_nll_loss mse_loss square_error_cost l1_loss smooth_l1_loss "
    "cosine_similarity cosine_embedding_loss triplet_margin_loss"
).split()
_LOSS_LAYERS = (
    "CrossEntropyLoss NLLLoss CTCLoss BCELoss BCEWithLogitsLoss MSELoss L1Loss SmoothL1Loss HSigmoidLoss "
    "PoissonNLLLoss GaussianNLLLoss CosineEmbeddingLoss TripletMarginLoss"
).split()

FRAMEWORK = Framework(
    precedence=90,
    functions={
        **{f"paddle.{name}": line for name, line in _NAMED.items()},
        **{f"paddle.{name}": "map(x|input)" for name in _ELEMENTWISE},
        **{f"{_F}.{name}": "map(x|input)" for name in _ACTIVATIONS},
        **{f"{_F}.{name}": "per_example_loss" for name in _LOSSES},
        f"{_F}.mse_loss": "elementwise_loss(x|input, [label], reduction)",
        f"{_F}.l1_loss": "elementwise_loss(x|input, [label], reduction)",
        f"{_F}.smooth_l1_loss": "elementwise_loss(x|input, [label], reduction)",
        f"{_F}.cross_entropy": "class_loss(x|input, target|label, weight, ignore_index, reduction, "
        "[soft_label], axis; axis=-1)",
        **{f"paddle.nn.{name}": "loss_module" for name in _LOSS_LAYERS},
        f"{_F}.softmax": "softmax(x|input, axis|dim; axis=-1)",
        f"{_F}.log_softmax": "log_softmax(x|input, axis|dim; axis=-1)",
        f"{_F}.gumbel_softmax": "softmax(x, [temperature], [hard], axis; axis=-1)",
        f"{_F}.sigmoid": "sigmoid(x|input)",
        f"{_F}.log_sigmoid": "log_sigmoid(x|input)",
        f"{_F}.one_hot": "one_hot(labels|x|input, classes|num_classes)",
        f"{_F}.label_smooth": "identity(x|label)",
        # Its "mean" divides by the classes, as PyTorch's does.
        f"{_F}.kl_div": "kl_div(x|input, target|label, reduction, log_target)",
        "paddle.nn.KLDivLoss": "kl_div_module(reduction, log_target)",
        "paddle.nn.Softmax": "layer(axis; axis=-1, extra=softmax)",
        "paddle.nn.LogSoftmax": "layer(axis; axis=-1, extra=log_softmax)",
        "paddle.nn.Sigmoid": "layer(; extra=sigmoid)",
        "paddle.nn.LogSigmoid": "layer(; extra=log_sigmoid)",
        "paddle.nn.Sequential": "sequential(*layers)",
        "paddle.sigmoid": "sigmoid(x|input)",
        "paddle.distribution.Normal": "elementwise_distribution(x|loc, scale; extra=Normal)",
        "paddle.distribution.Categorical": "event_distribution(x|logits)",
        "paddle.distribution.Dirichlet": "event_distribution(x|concentration)",
        "paddle.distribution.Independent": "independent(x|base, n|reinterpreted_batch_rank)",
        "paddle.distribution.kl_divergence": "kl_divergence(p, q)",
    },
    aliases={
        "paddle.tensor": "paddle",
        "paddle.linalg": "paddle",
    },
)
