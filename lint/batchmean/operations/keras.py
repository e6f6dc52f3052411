"""Keras 2 and 3: backend, ops, losses."""

from __future__ import annotations

from batchmean.operations.table import Framework

_ELEMENTWISE = "abs sign tanh relu softplus softsign round sin cos hard_sigmoid elu".split()

# Spelled alike in `keras.backend` and in `keras.ops`.
_CLASS = "class_loss(target|y_true, x|y_pred|output"

_BOTH = {
    "log": "log(x)",
    "exp": "exp(x)",
    "square": "square(x)",
    "sqrt": "sqrt(x)",
    "mean": "mean(x, axis, keepdims)",
    "sum": "sum(x, axis, keepdims)",
    "prod": "prod(x, axis)",
    "max": "extremum_along(x, axis, keepdims)",
    "min": "extremum_along(x, axis, keepdims)",
    "std": "reduce_other(x, axis, keepdims)",
    "var": "reduce_other(x, axis, keepdims)",
    "argmax": "reduce_other(x, axis, keepdims)",
    "logsumexp": "logsumexp(x, axis, keepdims)",
    "clip": "clip(x, [x_min], high|x_max|max_value)",
    "softmax": "softmax(x, axis; axis=-1)",
    "sigmoid": "sigmoid(x)",
    "cast": "identity(x)",
    "reshape": "reshape(x, *shape)",
    "squeeze": "squeeze(x, axis)",
    "zeros_like": "zeros_like(x)",
    "ones_like": "filled_like(x)",
    "shape": "shape(x)",
    "ndim": "rank(x)",
    **dict.fromkeys(_ELEMENTWISE, "map(x)"),
}

_BACKEND = {
    "pow": "power(x, y|a)",
    "maximum": "extremum(x, y)",
    "minimum": "extremum(x, y)",
    "one_hot": "one_hot(labels|indices, classes|num_classes)",
    "eye": "eye(n|size)",
    "int_shape": "shape(x)",
    "flatten": "flatten(x)",
    "batch_flatten": "map(x)",
    "expand_dims": "unsqueeze(x, axis)",
    "permute_dimensions": "permute(x, *pattern)",
    "concatenate": "concatenate(x|tensors, axis)",
    "stack": "stack(x, axis)",
    "gather": "rows(x|reference, index|indices)",
    "not_equal": "comparison_with(x, y; extra=NotEq)",
    "equal": "comparison_with(x, y; extra=Eq)",
    "switch": "where(condition, x|then_expression, y|else_expression)",
    "dot": "matmul(x, y)",
    "batch_dot": "matmul(x, y)",
    "stop_gradient": "identity(x|variables)",
    "constant": "identity(x|value)",
    "variable": "identity(x|value)",
    "cast_to_floatx": "identity(x)",
    "epsilon": "constant_number",
    "dropout": "map(x)",
    "l2_normalize": "map(x)",
    # They sum or select over the class axis themselves, or are elementwise.
    "categorical_crossentropy": f"{_CLASS}, [from_logits], axis; axis=-1, extra=none)",
    "sparse_categorical_crossentropy": f"{_CLASS}, [from_logits], axis; axis=-1, extra=none)",
    "binary_crossentropy": "per_example_loss",
}

_OPS = {
    "expm1": "expm1(x)",
    "add": "add(x|x1, y|x2)",
    "subtract": "subtract(x|x1, y|x2)",
    "multiply": "multiply(x|x1, y|x2)",
    "divide": "divide(x|x1, y|x2)",
    "true_divide": "divide(x|x1, y|x2)",
    "divide_no_nan": "divide(x|x1, y|x2)",
    "negative": "negative(x)",
    "reciprocal": "reciprocal(x)",
    "power": "power(x|x1, y|x2)",
    "log1p": "log1p(x)",
    "log2": "log(x)",
    "log10": "log(x)",
    "maximum": "extremum(x|x1, y|x2)",
    "minimum": "extremum(x|x1, y|x2)",
    "amax": "extremum_along(x, axis, keepdims)",
    "amin": "extremum_along(x, axis, keepdims)",
    "absolute": "map(x)",
    "median": "reduce_other(x, axis, keepdims)",
    "average": "average(x, axis, weights)",
    "log_softmax": "log_softmax(x, axis; axis=-1)",
    "log_sigmoid": "log_sigmoid(x)",
    "gelu": "map(x)",
    "silu": "map(x)",
    "one_hot": "one_hot(labels|x, classes|num_classes, axis)",
    "convert_to_tensor": "identity(x)",
    "convert_to_numpy": "identity(x)",
    "copy": "copied(x)",
    "array": "identity(x)",
    "nan_to_num": "identity(x)",
    "stop_gradient": "identity(x|variable)",
    "zeros": "zeros(*shape)",
    "full": "full(shape, value|fill_value)",
    "full_like": "filled_like(x, value|fill_value)",
    "eye": "eye(n|N, m|M)",
    "identity": "eye(n)",
    "arange": "arange(start, stop)",
    "size": "numel(x)",
    "where": "where(condition, x|x1, y|x2)",
    "not_equal": "comparison_with(x|x1, y|x2; extra=NotEq)",
    "equal": "comparison_with(x|x1, y|x2; extra=Eq)",
    "logical_not": "logical_not(x)",
    "logical_and": "logical_and(x|x1, y|x2)",
    "einsum": "einsum(equation|subscripts, *operands)",
    "vdot": "vdot(x|x1, y|x2)",
    "dot": "matmul(x|x1, y|x2)",
    "inner": "matmul(x|x1, y|x2)",
    "matmul": "matmul(x|x1, y|x2)",
    "tensordot": "tensordot(x|x1, y|x2, axes)",
    "ravel": "flatten(x)",
    "transpose": "permute(x, *axes)",
    "swapaxes": "transpose(x, *axes)",
    "moveaxis": "moveaxis(x, source, destination)",
    "expand_dims": "unsqueeze(x, axis)",
    "broadcast_to": "expand(x, *shape)",
    "tile": "tile(x, *repeats)",
    "repeat": "repeat(x, repeats, axis)",
    "concatenate": "concatenate(x|xs, axis)",
    "stack": "stack(x, axis)",
    "split": "split(x, sections|indices_or_sections, axis)",
    "take": "take(x, index|indices, axis)",
    "take_along_axis": "select(x, index|indices, axis)",
    "diagonal": "diagonal(x)",
    "trace": "reduce_other(x)",
    "norm": "reduce_other(x, [ord], axis, keepdims)",
    "normalize": "map(x)",
    "categorical_crossentropy": f"{_CLASS}, [from_logits], axis; axis=-1, extra=none)",
    "sparse_categorical_crossentropy": f"{_CLASS}, [from_logits], axis; axis=-1, extra=none)",
    "binary_crossentropy": "per_example_loss",
}

# They sum over the last axis themselves (divergences, cross-entropies), or are elementwise by definition.
_LOSSES = (
    "categorical_crossentropy sparse_categorical_crossentropy categorical_focal_crossentropy "
    "binary_crossentropy binary_focal_crossentropy kl_divergence kullback_leibler_divergence kld KLD "
    "poisson mean_squared_error mean_absolute_error mean_squared_logarithmic_error mse MSE mae MAE "
    "log_cosh logcosh huber hinge squared_hinge categorical_hinge cosine_similarity dice tversky"
).split()
_LOSS_CLASSES = (
    "CategoricalCrossentropy SparseCategoricalCrossentropy BinaryCrossentropy "
    "CategoricalFocalCrossentropy BinaryFocalCrossentropy KLDivergence Poisson MeanSquaredError "
    "MeanAbsoluteError MeanSquaredLogarithmicError LogCosh Huber Hinge SquaredHinge CategoricalHinge "
    "CosineSimilarity Dice Tversky"
).split()
# Objects whose loss is a mean over the last axis; an object that is given `from_logits` first is not among them.
_MEANS_OVER_FEATURES = (
    "MeanSquaredError MeanAbsoluteError MeanSquaredLogarithmicError LogCosh Hinge SquaredHinge Poisson"
).split()

_POOLINGS = "AveragePooling1 AveragePooling2 AveragePooling3 MaxPooling1 MaxPooling2 MaxPooling3".split()

FRAMEWORK = Framework(
    precedence=80,
    functions={
        **{f"keras.backend.{name}": line for name, line in (_BOTH | _BACKEND).items()},
        **{f"keras.ops.{name}": line for name, line in (_BOTH | _OPS).items()},
        **{f"keras.losses.{name}": "per_example_loss" for name in _LOSSES},
        "keras.losses.categorical_crossentropy": f"{_CLASS}, [from_logits], [label_smoothing], axis; axis=-1, "
        "extra=none)",
        "keras.losses.sparse_categorical_crossentropy": f"{_CLASS}, [from_logits], ignore_index|ignore_class, axis; "
        "axis=-1, extra=none)",
        **dict.fromkeys(
            (f"keras.losses.{name}" for name in "kl_divergence kullback_leibler_divergence kld KLD".split()),
            "class_divergence(target|y_true, x|y_pred; axis=-1, extra=none)",
        ),
        **{f"keras.losses.{name}": "loss_module" for name in _LOSS_CLASSES},
        **{f"keras.losses.{name}": "keras_loss(reduction)" for name in _MEANS_OVER_FEATURES},
        "keras.losses.CategoricalCrossentropy": "keras_loss([from_logits], [label_smoothing], axis, reduction; "
        "extra=classes)",
        "keras.losses.SparseCategoricalCrossentropy": "keras_loss([from_logits], ignore_index|ignore_class, reduction, "
        "axis; extra=classes)",
        "keras.losses.KLDivergence": "keras_loss(reduction; extra=divergence)",
        "keras.config.epsilon": "constant_number",
        "keras.Input": "input_of(shape)",
        "keras.layers.Input": "input_of(shape)",
        "keras.layers.Dense": "dense_layer(units)",
        "keras.layers.Flatten": "rows_layer",
        **{f"keras.layers.Global{pooling}D": "rows_layer([data_format], keepdims)" for pooling in _POOLINGS},
        "keras.utils.to_categorical": "to_categorical(labels|y|x, classes|num_classes)",
        "keras.utils.normalize": "map(x)",
        "keras.activations.softmax": "softmax(x, axis; axis=-1)",
        "keras.activations.log_softmax": "log_softmax(x, axis; axis=-1)",
        "keras.activations.sigmoid": "sigmoid(x)",
        "keras.layers.Softmax": "layer(axis; axis=-1, extra=softmax)",
        "keras.saving.register_keras_serializable": "same_function",
        "keras.utils.register_keras_serializable": "same_function",
    },
    aliases={
        "tensorflow.keras": "keras",
        "tensorflow.compat.v1.keras": "keras",
        "tensorflow.python.keras": "keras",
        "tf_keras": "keras",
        "keras.api": "keras",
        "keras.src": "keras",
        "keras.ops.numpy": "keras.ops",
        "keras.ops.nn": "keras.ops",
        "keras.objectives": "keras.losses",
        "keras.utils.np_utils": "keras.utils",
        "keras.backend.tensorflow_backend": "keras.backend",
    },
)
