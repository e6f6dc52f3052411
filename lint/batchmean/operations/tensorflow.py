"""TensorFlow 1 and 2."""

from __future__ import annotations

from batchmean.operations.table import Framework

_AXIS = "axis|reduction_indices, keepdims|keep_dims"

# In `tensorflow.math` and, at least in TensorFlow 1, in `tensorflow` itself.
_MATH = {
    "reduce_mean": f"mean(x|input_tensor, {_AXIS})",
    "reduce_sum": f"sum(x|input_tensor, {_AXIS})",
    "reduce_logsumexp": f"logsumexp(x|input_tensor, {_AXIS})",
    "reduce_prod": "prod(x|input_tensor, axis|reduction_indices)",
    "reduce_max": f"extremum_along(x|input_tensor, {_AXIS})",
    "reduce_min": f"extremum_along(x|input_tensor, {_AXIS})",
    "reduce_std": f"reduce_other(x|input_tensor, {_AXIS})",
    "reduce_variance": f"reduce_other(x|input_tensor, {_AXIS})",
    "argmax": "reduce_other(x|input, axis|dimension)",
    "argmin": "reduce_other(x|input, axis|dimension)",
    "log": "log(x)",
    "log1p": "log1p(x)",
    "exp": "exp(x)",
    "expm1": "expm1(x)",
    "negative": "negative(x)",
    "add": "add(x, y)",
    "add_n": "builtin_sum(x|inputs)",
    "subtract": "subtract(x, y)",
    "multiply": "multiply(x, y)",
    "multiply_no_nan": "multiply(x, y)",
    "scalar_mul": "multiply(x|scalar, y|x)",
    "divide": "divide(x, y)",
    "truediv": "divide(x, y)",
    "reciprocal": "reciprocal(x)",
    "reciprocal_no_nan": "reciprocal(x)",
    "pow": "power(x, y)",
    "square": "square(x)",
    "squared_difference": "squared_difference(x, y)",
    "sqrt": "sqrt(x)",
    "xlogy": "xlogy(x, y)",
    "xlog1py": "xlog1py(x, y)",
    "maximum": "extremum(x, y)",
    "minimum": "extremum(x, y)",
    "sigmoid": "sigmoid(x)",
    "log_sigmoid": "log_sigmoid(x)",
    "softplus": "map(x|features)",
    "abs": "map(x)",
    "tanh": "map(x)",
    "sign": "map(x)",
    "is_nan": "map(x)",
    "is_finite": "map(x)",
}

# Names that TensorFlow 2 dropped, or that only the first versions had.
_OLD = {
    "div": "divide(x, y)",
    "div_no_nan": "divide(x, y)",
    "mul": "multiply(x, y)",
    "sub": "subtract(x, y)",
    "neg": "negative(x)",
    "to_float": "identity(x)",
    "to_double": "identity(x)",
    "to_int32": "identity(x)",
    "to_int64": "identity(x)",
    "select": "where(condition, x|t, y|e)",
    "batch_matmul": "matmul(x, y)",
}

# They sum or select over the class axis themselves, or have none; what comes out is per example or element.
_NN_LOSSES = (
    "softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2 "
    "sparse_softmax_cross_entropy_with_logits sigmoid_cross_entropy_with_logits "
    "weighted_cross_entropy_with_logits log_poisson_loss ctc_loss nce_loss sampled_softmax_loss l2_loss"
).split()
_OLD_LOSSES = (
    "softmax_cross_entropy sparse_softmax_cross_entropy sigmoid_cross_entropy log_loss mean_squared_error "
    "absolute_difference huber_loss hinge_loss cosine_distance compute_weighted_loss"
).split()
_DISTRIBUTIONS = ("tensorflow.distributions", "tensorflow.contrib.distributions")

FRAMEWORK = Framework(
    precedence=70,
    new_axes=("tensorflow.newaxis",),
    functions={
        **{f"tensorflow.{name}": line for name, line in (_MATH | _OLD).items()},
        **{f"tensorflow.math.{name}": line for name, line in _MATH.items()},
        **{f"tensorflow.nn.{name}": "per_example_loss" for name in _NN_LOSSES},
        **{
            f"tensorflow.nn.{name}": "class_loss(target|labels, x|logits, axis|dim; axis=-1, extra=none)"
            for name in ("softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2")
        },
        "tensorflow.nn.sparse_softmax_cross_entropy_with_logits": "class_loss(target|labels, x|logits; axis=-1, "
        "extra=none)",
        **{f"tensorflow.losses.{name}": "per_example_loss" for name in _OLD_LOSSES},
        **{f"{d}.Normal": "elementwise_distribution(x|loc, scale; extra=Normal)" for d in _DISTRIBUTIONS},
        **{f"{d}.Categorical": "event_distribution(x|logits)" for d in _DISTRIBUTIONS},
        **{f"{d}.MultivariateNormalDiag": "event_distribution(x|loc)" for d in _DISTRIBUTIONS},
        **{f"{d}.kl_divergence": "kl_divergence(p|distribution_a, q|distribution_b)" for d in _DISTRIBUTIONS},
        "tensorflow.math.divide_no_nan": "divide(x, y)",
        "tensorflow.math.softmax": "softmax(x|logits, axis|dim; axis=-1)",
        "tensorflow.math.log_softmax": "log_softmax(x|logits, axis|dim; axis=-1)",
        "tensorflow.nn.softmax": "softmax(x|logits, axis|dim; axis=-1)",
        "tensorflow.nn.log_softmax": "log_softmax(x|logits, axis|dim; axis=-1)",
        "tensorflow.nn.sigmoid": "sigmoid(x)",
        "tensorflow.nn.softplus": "map(x|features)",
        "tensorflow.nn.relu": "map(x|features)",
        "tensorflow.nn.elu": "map(x|features)",
        "tensorflow.nn.tanh": "map(x)",
        "tensorflow.nn.dropout": "map(x)",
        "tensorflow.nn.l2_normalize": "map(x)",
        # NumPy's names with fewer arguments.
        "tensorflow.experimental.numpy.sum": "sum(x|a, axis, [dtype], keepdims)",
        "tensorflow.experimental.numpy.nansum": "sum(x|a, axis, [dtype], keepdims)",
        "tensorflow.experimental.numpy.nanmean": "mean(x|a, axis, [dtype], keepdims)",
        "tensorflow.experimental.numpy.max": "extremum_along(x|a, axis, keepdims)",
        "tensorflow.experimental.numpy.min": "extremum_along(x|a, axis, keepdims)",
        "tensorflow.clip_by_value": "clip(x|t, [clip_value_min], high|clip_value_max)",
        "tensorflow.cast": "identity(x)",
        "tensorflow.convert_to_tensor": "array(x|value)",
        "tensorflow.constant": "array(x|value)",
        "tensorflow.identity": "identity(x|input)",
        "tensorflow.stop_gradient": "identity(x|input)",
        "tensorflow.debugging.check_numerics": "identity(x|tensor)",
        "tensorflow.ensure_shape": "identity(x)",
        "tensorflow.layers.dense": "dense(x|inputs, units)",
        "tensorflow.one_hot": "one_hot(labels|indices, classes|depth, value|on_value, [off_value], axis)",
        "tensorflow.eye": "eye(n|num_rows, m|num_columns)",
        "tensorflow.zeros": "zeros(*shape)",
        "tensorflow.zeros_like": "zeros_like(x|input|tensor)",
        "tensorflow.fill": "full(shape|dims, value)",
        "tensorflow.ones_like": "filled_like(x|input|tensor)",
        "tensorflow.range": "arange(start, stop|limit)",
        "tensorflow.where": "where(condition, x, y)",
        "tensorflow.not_equal": "comparison_with(x, y; extra=NotEq)",
        "tensorflow.math.not_equal": "comparison_with(x, y; extra=NotEq)",
        "tensorflow.equal": "comparison_with(x, y; extra=Eq)",
        "tensorflow.math.equal": "comparison_with(x, y; extra=Eq)",
        "tensorflow.less": "comparison_with(x, y; extra=Lt)",
        "tensorflow.logical_not": "logical_not(x)",
        "tensorflow.math.logical_not": "logical_not(x)",
        "tensorflow.logical_and": "logical_and(x, y)",
        "tensorflow.math.logical_and": "logical_and(x, y)",
        "tensorflow.sequence_mask": "sequence_mask(lengths, length|maxlen)",
        "tensorflow.einsum": "einsum(equation, *operands)",
        "tensorflow.linalg.einsum": "einsum(equation, *operands)",
        "tensorflow.matmul": "matmul(x|a, y|b)",
        "tensorflow.linalg.matmul": "matmul(x|a, y|b)",
        "tensorflow.tensordot": "tensordot(x|a, y|b, axes)",
        "tensorflow.linalg.tensordot": "tensordot(x|a, y|b, axes)",
        "tensorflow.reshape": "reshape(x|tensor, *shape)",
        "tensorflow.transpose": "permute(x|a, *perm)",
        "tensorflow.expand_dims": "unsqueeze(x|input, axis|dim)",
        "tensorflow.squeeze": "squeeze(x|input, axis|squeeze_dims)",
        "tensorflow.broadcast_to": "expand(x|input, *shape)",
        "tensorflow.tile": "tile(x|input, *multiples)",
        "tensorflow.repeat": "repeat(x|input, repeats, axis)",
        "tensorflow.stack": "stack(x|values, axis)",
        "tensorflow.concat": "concatenate(x|values, axis)",
        "tensorflow.split": "split(x|value, sections|num_or_size_splits, axis)",
        "tensorflow.gather": "rows(x|params, index|indices, [validate_indices], axis, grouped|batch_dims)",
        "tensorflow.gather_nd": "select(x|params, index|indices)",
        "tensorflow.batch_gather": "select(x|params, index|indices)",
        "tensorflow.boolean_mask": "rows(x|tensor, index|mask, axis)",
        # Version 1 has `name` before the axis.
        "tensorflow.compat.v1.gather": (
            "rows(x|params, index|indices, [validate_indices], [name], axis, grouped|batch_dims)"
        ),
        "tensorflow.compat.v1.boolean_mask": "rows(x|tensor, index|mask, [name], axis)",
        "tensorflow.shape": "shape(x|input)",
        "tensorflow.size": "numel(x|input)",
        "tensorflow.rank": "rank(x|input)",
        "tensorflow.linalg.diag_part": "diagonal(x|input)",
        "tensorflow.linalg.trace": "reduce_other(x)",
        "tensorflow.norm": "reduce_other(x|tensor, [ord], axis, keepdims|keep_dims)",
        "tensorflow.function": "same_function(x|func)",
        "tensorflow.autograph.experimental.do_not_convert": "same_function(x|func)",
        "tensorflow.custom_gradient": "same_function(x|f)",
    },
    aliases={
        "tensorflow.compat.v1": "tensorflow",
        "tensorflow.compat.v2": "tensorflow",
        "tensorflow.losses": "keras.losses",
        "tensorflow.experimental.numpy": "numpy",
        # Keras and TensorFlow Probability are written against these.
        "tensorflow.python.ops.math_ops": "tensorflow",
        "tensorflow.python.ops.array_ops": "tensorflow",
        "tensorflow.python.ops.clip_ops": "tensorflow",
        "tensorflow.python.ops.nn": "tensorflow.nn",
        "tensorflow.python.ops.nn_ops": "tensorflow.nn",
    },
)
