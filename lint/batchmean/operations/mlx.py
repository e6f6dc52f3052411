"""MLX: arrays on Apple silicon, with NumPy's names and fewer arguments."""

from __future__ import annotations

from batchmean.operations.table import Framework

_ELEMENTWISE = "rsqrt erf logical_not isinf tan arctan degrees".split()
_ACTIVATIONS = "relu relu6 gelu silu elu selu celu softplus softsign leaky_relu mish hardswish tanh".split()

# They sum or select over the class axis themselves, `kl_div_loss` too, or are elementwise by definition.
_LOSSES = (
    "cross_entropy nll_loss kl_div_loss binary_cross_entropy mse_loss l1_loss smooth_l1_loss huber_loss log_cosh_loss "
    "gaussian_nll_loss hinge_loss cosine_similarity_loss margin_ranking_loss triplet_loss"
).split()

FRAMEWORK = Framework(
    precedence=100,
    functions={
        "mlx.core.mean": "mean(x|a, axis, keepdims)",
        "mlx.core.sum": "sum(x|a, axis, keepdims)",
        "mlx.core.prod": "prod(x|a, axis)",
        "mlx.core.logsumexp": "logsumexp(x|a, axis, keepdims)",
        "mlx.core.max": "extremum_along(x|a, axis, keepdims)",
        "mlx.core.min": "extremum_along(x|a, axis, keepdims)",
        "mlx.core.std": "reduce_other(x|a, axis, keepdims)",
        "mlx.core.var": "reduce_other(x|a, axis, keepdims)",
        "mlx.core.median": "reduce_other(x|a, axis, keepdims)",
        "mlx.core.argmax": "reduce_other(x|a, axis, keepdims)",
        "mlx.core.softmax": "softmax(x|a, axis)",
        "mlx.core.sigmoid": "sigmoid(x|a)",
        "mlx.core.flatten": "flatten(x|a, start|start_axis, end|end_axis)",
        "mlx.core.split": "split(x|a, sections|indices_or_sections, axis)",
        "mlx.core.full": "full(shape, value|vals)",
        "mlx.core.full_like": "filled_like(x|a, value|vals)",
        "mlx.core.stop_gradient": "identity(x|a)",
        "mlx.core.compile": "same_function(x|fun)",
        "mlx.core.checkpoint": "same_function(x|fun)",
        "mlx.core.vmap": "vmap(function|fun, in_axes, out_axes)",
        "mlx.core.grad": "value_and_grad(x|fun)",
        "mlx.core.value_and_grad": "value_and_grad(x|fun)",
        "mlx.nn.value_and_grad": "value_and_grad([model], x|fn)",
        "mlx.nn.softmax": "softmax(x, axis; axis=-1)",
        "mlx.nn.log_softmax": "log_softmax(x, axis; axis=-1)",
        "mlx.nn.sigmoid": "sigmoid(x)",
        "mlx.nn.log_sigmoid": "log_sigmoid(x)",
        "mlx.nn.Softmax": "layer(; axis=-1, extra=softmax)",
        "mlx.nn.LogSoftmax": "layer(; axis=-1, extra=log_softmax)",
        "mlx.nn.Sigmoid": "layer(; extra=sigmoid)",
        "mlx.nn.LogSigmoid": "layer(; extra=log_sigmoid)",
        "mlx.nn.Sequential": "sequential(*modules)",
        **{f"mlx.core.{name}": "map(x|a)" for name in _ELEMENTWISE},
        **{f"mlx.nn.{name}": "map(x)" for name in _ACTIVATIONS},
        **{f"mlx.nn.losses.{name}": "per_example_loss" for name in _LOSSES},
        "mlx.nn.losses.cross_entropy": "class_loss(x|logits, target|targets, weight|weights, axis, [label_smoothing], "
        "reduction; axis=-1, extra=none)",
        "mlx.nn.losses.nll_loss": "class_loss(x|inputs, target|targets, axis, reduction; axis=-1, extra=none)",
        "mlx.nn.losses.kl_div_loss": "class_divergence(x|inputs, target|targets, axis, reduction; axis=-1, extra=none)",
        "mlx.nn.losses.mse_loss": "elementwise_loss(x|predictions, [targets], reduction)",
        "mlx.nn.losses.l1_loss": "elementwise_loss(x|predictions, [targets], reduction)",
    },
    aliases={
        "mlx.core": "numpy",
    },
)
