"""tinygrad: its arrays have the methods of PyTorch's; what else there is stands on the class `Tensor`."""

from __future__ import annotations

from batchmean.operations.table import Framework

_AXIS = "axis, keepdims|keepdim"

# Functions of the class, and methods that are called through it, as in `Tensor.log_softmax(x)`.
_NAMED = {
    "eye": "eye(n, m)",
    "arange": "arange(start, stop)",
    "zeros": "zeros(*shape)",
    "full": "full(shape, value|fill_value)",
    "full_like": "filled_like(x|self, value|fill_value)",
    "zeros_like": "zeros_like(x|self)",
    "ones_like": "filled_like(x|self)",
    "one_hot": "one_hot(labels|self, classes|num_classes)",
    "einsum": "einsum(equation|formula, *operands)",
    "mean": f"mean(x|self, {_AXIS})",
    "sum": f"sum(x|self, {_AXIS})",
    "prod": "prod(x|self, axis)",
    "max": f"extremum_along(x|self, {_AXIS})",
    "min": f"extremum_along(x|self, {_AXIS})",
    "std": f"reduce_other(x|self, {_AXIS})",
    "logsumexp": f"logsumexp(x|self, {_AXIS})",
    "softmax": "softmax(x|self, axis; axis=-1)",
    "log_softmax": "log_softmax(x|self, axis; axis=-1)",
    "log": "log(x|self)",
    "exp": "exp(x|self)",
    "square": "square(x|self)",
    "sqrt": "sqrt(x|self)",
    "neg": "negative(x|self)",
    "sigmoid": "sigmoid(x|self)",
    "logsigmoid": "log_sigmoid(x|self)",
    "relu": "map(x|self)",
    "gelu": "map(x|self)",
    "tanh": "map(x|self)",
    "where": "where(condition|self, x, y)",
}

# Methods that no other framework has. Its losses sum or select over the classes themselves, or are elementwise.
_LOSSES = "sparse_categorical_crossentropy binary_crossentropy binary_crossentropy_logits".split()

FRAMEWORK = Framework(
    precedence=110,
    functions={f"tinygrad.Tensor.{name}": line for name, line in _NAMED.items()},
    methods={
        **dict.fromkeys(_LOSSES, "per_example_loss"),
        "realize": "identity(x)",
    },
    aliases={
        "tinygrad.tensor": "tinygrad",
    },
)
