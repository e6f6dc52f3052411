"""JAX and what is built on it: optax, flax, haiku, equinox, numpyro."""

from __future__ import annotations

from batchmean.operations.table import Framework

_TRANSPARENT = (
    "jax.jit jax.checkpoint jax.remat jax.named_call jax.custom_vjp jax.custom_jvp flax.linen.jit "
    "flax.linen.compact flax.linen.nowrap flax.linen.remat flax.linen.checkpoint flax.nnx.jit "
    "flax.nnx.remat haiku.remat haiku.transparent equinox.filter_jit equinox.filter_checkpoint "
    "chex.chexify"
).split()
_GRADIENTS = (
    "jax.grad jax.value_and_grad jax.jacfwd jax.jacrev jax.jacobian jax.hessian flax.nnx.grad "
    "flax.nnx.value_and_grad haiku.grad haiku.value_and_grad equinox.filter_grad "
    "equinox.filter_value_and_grad equinox.filter_hessian"
).split()
_VMAPS = "jax.vmap flax.nnx.vmap flax.nnx.pmap haiku.vmap equinox.filter_vmap equinox.filter_pmap".split()

_ELEMENTWISE = (
    "relu relu6 softplus silu swish gelu elu celu selu leaky_relu soft_sign hard_tanh hard_sigmoid "
    "hard_silu hard_swish squareplus mish log1mexp standardize"
).split()

# They sum or select over the class axis themselves, or have none; what comes out is per example or element.
_LOSSES = (
    "softmax_cross_entropy safe_softmax_cross_entropy softmax_cross_entropy_with_integer_labels "
    "sigmoid_binary_cross_entropy sigmoid_focal_loss ctc_loss ctc_loss_with_forward_probs ntxent "
    "kl_divergence convex_kl_divergence generalized_kl_divergence l2_loss squared_error "
    "hinge_loss cosine_distance cosine_similarity"
).split()
# Per example; the class axis is summed.
_CLASS_LOSSES = {
    **dict.fromkeys(
        ("softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels"),
        "class_loss(x|logits, target|labels, axis, where; axis=-1, extra=none)",
    ),
    "safe_softmax_cross_entropy": "class_loss(x|logits, target|labels; axis=-1, extra=none)",
    "kl_divergence": "class_divergence(x|log_predictions, target|targets, axis; axis=-1, extra=none)",
}
# They broadcast what they are given: `squared_error` refuses arrays of two shapes.
_BROADCASTING_LOSSES = dict.fromkeys(
    ("huber_loss", "log_cosh"), "elementwise_loss(x|predictions, target|targets; extra=none)"
)
_NEWER_LOSSES = (
    "poly_loss_cross_entropy kl_divergence_with_log_targets sparsemax_loss perceptron_loss "
    "ranking_softmax_loss multiclass_hinge_loss multiclass_perceptron_loss multiclass_sparsemax_loss "
    "triplet_margin_loss dice_loss binary_dice_loss multiclass_generalized_dice_loss"
).split()

_LAX = {
    "add": "add(x, y)",
    "sub": "subtract(x, y)",
    "mul": "multiply(x, y)",
    "div": "divide(x, y)",
    "neg": "negative(x)",
    "exp": "exp(x)",
    "expm1": "expm1(x)",
    "log": "log(x)",
    "log1p": "log1p(x)",
    "pow": "power(x, y)",
    "integer_pow": "power(x, y)",
    "square": "square(x)",
    "sqrt": "sqrt(x)",
    "reciprocal": "reciprocal(x)",
    "logistic": "sigmoid(x)",
    "abs": "map(x)",
    "tanh": "map(x)",
    "erf": "map(x)",
    "max": "extremum(x, y)",
    "min": "extremum(x, y)",
    "clamp": "clip([min], x)",
    "select": "where(condition|pred, x|on_true, y|on_false)",
    "stop_gradient": "identity(x)",
    "convert_element_type": "identity(x|operand)",
    "pmean": "identity(x)",
    "reshape": "reshape(x|operand, *new_sizes)",
    "transpose": "permute(x|operand, *permutation)",
    "squeeze": "squeeze(x|array, axis|dimensions)",
    "dot": "matmul(x|lhs, y|rhs)",
}

_NN = {
    "softmax": "softmax(x, axis; axis=-1)",
    "log_softmax": "log_softmax(x, axis; axis=-1)",
    "logsumexp": "logsumexp(x|a, axis, [b], keepdims)",
    "one_hot": "one_hot(labels|x, classes|num_classes, [dtype], axis)",
    "sigmoid": "sigmoid(x)",
    "log_sigmoid": "log_sigmoid(x)",
    **dict.fromkeys(_ELEMENTWISE, "map(x)"),
}

FRAMEWORK = Framework(
    precedence=60,
    functions={
        **{f"jax.nn.{name}": line for name, line in _NN.items()},
        **{f"jax.lax.{name}": line for name, line in _LAX.items()},
        **dict.fromkeys(_TRANSPARENT, "same_function(x|fun|fn|f|target|method)"),
        **dict.fromkeys(_GRADIENTS, "value_and_grad(x|fun|f)"),
        **dict.fromkeys(_VMAPS, "vmap(function|fun|f, in_axes, out_axes)"),
        "jax.pmap": "vmap(function|fun, [axis_name], in_axes, out_axes)",
        "jax.named_scope": "same_function",
        "jax.default_matmul_precision": "same_function",
        **dict.fromkeys(
            "haiku.transform haiku.transform_with_state haiku.without_apply_rng haiku.without_state".split(),
            "haiku_transform(function|f)",
        ),
        "haiku.Linear": "dense_layer(units|output_size)",
        "jax.nn.Dense": "dense_layer(units|features)",
        "haiku.Sequential": "sequential(*layers)",
        "jax.example_libraries.stax.serial": "stax_serial(*layers)",
        "jax.example_libraries.stax.LogSoftmax": "log_softmax(x; axis=-1)",
        "jax.example_libraries.stax.Softmax": "softmax(x; axis=-1)",
        "jax.example_libraries.stax.elementwise": "partial(function|fun; keywords=all)",
        "flax.training.common_utils.onehot": "one_hot(labels, classes|num_classes)",
        "haiku.one_hot": "one_hot(labels|x, classes|num_classes)",
        "optax.smooth_labels": "identity(x|labels)",
        "optax.losses.smooth_labels": "identity(x|labels)",
        **{f"optax.{name}": "per_example_loss" for name in _LOSSES},
        **{f"optax.losses.{name}": "per_example_loss" for name in (*_LOSSES, *_NEWER_LOSSES)},
        **{
            f"{module}.{name}": line
            for module in ("optax", "optax.losses")
            for name, line in {**_CLASS_LOSSES, **_BROADCASTING_LOSSES}.items()
        },
    },
    methods={"distribution.to_event": "independent(x, n|reinterpreted_batch_ndims)"},
    aliases={
        "jax.experimental.stax": "jax.example_libraries.stax",
        "jax.numpy": "numpy",
        "jax.scipy": "scipy",
        "flax.linen": "jax.nn",
        "flax.nnx": "jax.nn",
    },
)
