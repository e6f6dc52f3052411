"""The layers of a transformer in NumPy: each with its forward pass, its backward pass beside it, and the
shapes.

Letters for the axes: B examples, T positions, D width, H heads, E = D / H width of a head, V vocabulary.
`forward` keeps what `backward` needs. `backward` takes the gradient of the loss with respect to the layer's
output (`dy`), fills `gradients` (overwriting, not adding) and returns the gradient with respect to its input
(`dx`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from batchmean_reference.losses import Array, Integers, softmax

Generator = np.random.Generator


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class Layer:
    """Something with parameters, their gradients under the same names, and layers inside."""

    def __init__(self, **children: Layer) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.children = children

    def layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and everything inside it, with dotted names such as `block0.attention.join`."""
        yield prefix, self
        for name, child in self.children.items():
            yield from child.layers(_join(prefix, name))

    def all_parameters(self) -> dict[str, Array]:
        """Every parameter by its full name: the arrays themselves, for an optimizer to change in place."""
        return {_join(path, name): a for path, layer in self.layers() for name, a in layer.parameters.items()}

    def all_gradients(self) -> dict[str, Array]:
        """The gradients of the last backward pass, under the names of `all_parameters`."""
        return {_join(path, name): a for path, layer in self.layers() for name, a in layer.gradients.items()}


class Linear(Layer):
    """`y = x W + b`, (..., I) -> (..., O)."""

    def __init__(self, inputs: int, outputs: int, rng: Generator, scale: float, dtype: npt.DTypeLike) -> None:
        super().__init__()
        self.parameters["weight"] = rng.normal(0, scale, (inputs, outputs)).astype(dtype)  # (I, O)
        self.parameters["bias"] = np.zeros(outputs, dtype)  # (O,)

    def forward(self, x: Array) -> Array:
        """(..., I) -> (..., O)."""
        self.x = x.reshape(-1, x.shape[-1])  # (N, I), N the product of the leading axes
        y = self.x @ self.parameters["weight"] + self.parameters["bias"]  # (N, O)
        return y.reshape(*x.shape[:-1], -1)  # (..., O)

    def backward(self, dy: Array) -> Array:
        """(..., O) -> (..., I)."""
        flat = dy.reshape(-1, dy.shape[-1])  # (N, O)
        self.gradients["weight"] = self.x.T @ flat  # (I, O)
        self.gradients["bias"] = flat.sum(axis=0)  # (O,)
        dx = flat @ self.parameters["weight"].T  # (N, I)
        return dx.reshape(*dy.shape[:-1], -1)  # (..., I)


class Embedding(Layer):
    """A row of a table for each id, (...) -> (..., D): `one_hot(ids) @ table`, but no product with zeros."""

    def __init__(self, rows: int, width: int, rng: Generator, scale: float, dtype: npt.DTypeLike) -> None:
        super().__init__()
        self.parameters["table"] = rng.normal(0, scale, (rows, width)).astype(dtype)  # (V, D)

    def forward(self, ids: Integers) -> Array:
        """(...) -> (..., D)."""
        self.ids = ids
        y: Array = self.parameters["table"][ids]
        return y

    def backward(self, dy: Array) -> None:
        """(..., D) -> nothing: there is no gradient with respect to an integer."""
        table = np.zeros_like(self.parameters["table"])  # (V, D)
        np.add.at(table, self.ids, dy)  # adds, where an id occurs more than once
        self.gradients["table"] = table


class LayerNorm(Layer):
    """`y = gain (x - mean) / sqrt(variance + 1e-5) + shift`, over the last axis (Ba, Kiros, Hinton 2016)."""

    def __init__(self, width: int, dtype: npt.DTypeLike) -> None:
        super().__init__()
        self.parameters["gain"] = np.ones(width, dtype)  # (D,)
        self.parameters["shift"] = np.zeros(width, dtype)  # (D,)

    def forward(self, x: Array) -> Array:
        """(..., D) -> (..., D)."""
        centred = x - x.mean(axis=-1, keepdims=True)  # (..., D)
        self.inverse_deviation = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)  # (..., 1)
        self.normal = centred * self.inverse_deviation  # (..., D)
        y: Array = self.parameters["gain"] * self.normal + self.parameters["shift"]
        return y

    def backward(self, dy: Array) -> Array:
        """(..., D) -> (..., D)."""
        examples = tuple(range(dy.ndim - 1))  # every axis but the last
        self.gradients["gain"] = (dy * self.normal).sum(axis=examples)  # (D,)
        self.gradients["shift"] = dy.sum(axis=examples)  # (D,)
        d_normal = dy * self.parameters["gain"]  # (..., D)
        along = (d_normal * self.normal).mean(axis=-1, keepdims=True)  # (..., 1), what changes the variance
        centred = d_normal - d_normal.mean(axis=-1, keepdims=True) - self.normal * along  # (..., D)
        dx: Array = centred * self.inverse_deviation
        return dx


class GELU(Layer):
    """`y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, elementwise (Hendrycks and Gimpel 2016)."""

    def forward(self, x: Array) -> Array:
        """(...) -> (...)."""
        self.x = x
        self.tanh = np.tanh(math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
        y: Array = 0.5 * x * (1 + self.tanh)
        return y

    def backward(self, dy: Array) -> Array:
        """(...) -> (...)."""
        inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * self.x * self.x)  # derivative of what tanh is of
        dx: Array = dy * 0.5 * (1 + self.tanh + self.x * (1 - self.tanh**2) * inner)
        return dx


class MLP(Layer):
    """Two linear layers, four times as wide inside, GELU between them: (..., D) -> (..., D)."""

    def __init__(
        self, width: int, rng: Generator, scale: float, last_scale: float, dtype: npt.DTypeLike
    ) -> None:
        self.widen = Linear(width, 4 * width, rng, scale, dtype)
        self.gelu = GELU()
        self.narrow = Linear(
            4 * width, width, rng, last_scale / 2, dtype
        )  # four inputs for one: half the scale
        super().__init__(widen=self.widen, narrow=self.narrow)

    def forward(self, x: Array) -> Array:
        """(..., D) -> (..., 4D) -> (..., D)."""
        return self.narrow.forward(self.gelu.forward(self.widen.forward(x)))

    def backward(self, dy: Array) -> Array:
        """(..., D) -> (..., 4D) -> (..., D)."""
        return self.widen.backward(self.gelu.backward(self.narrow.backward(dy)))


class CausalSelfAttention(Layer):
    """Multi-head attention: a position sees itself and those before (Vaswani et al. 2017, section 3.2)."""

    def __init__(
        self, width: int, heads: int, rng: Generator, scale: float, last_scale: float, dtype: npt.DTypeLike
    ) -> None:
        if width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        self.heads = heads
        self.split = Linear(width, 3 * width, rng, scale, dtype)  # to queries, keys and values
        self.join = Linear(width, width, rng, last_scale, dtype)
        super().__init__(split=self.split, join=self.join)

    def forward(self, x: Array) -> Array:
        """(B, T, D) -> (B, T, D)."""
        batch, time, width = x.shape
        three_by_head = self.split.forward(x).reshape(batch, time, 3, self.heads, width // self.heads)
        self.query, self.key, self.value = three_by_head.transpose(2, 0, 3, 1, 4)  # each (B, H, T, E)
        self.scale = (width // self.heads) ** -0.5
        scores = self.query @ self.key.swapaxes(-1, -2) * self.scale  # (B, H, T, T), query by key
        scores[..., ~np.tri(time, dtype=bool)] = -np.inf  # the future is out of sight
        self.weights = softmax(scores)  # (B, H, T, T), each row sums to 1
        seen = self.weights @ self.value  # (B, H, T, E)
        return self.join.forward(seen.transpose(0, 2, 1, 3).reshape(batch, time, width))

    def backward(self, dy: Array) -> Array:
        """(B, T, D) -> (B, T, D)."""
        batch, time, width = dy.shape
        d_seen = (
            self.join.backward(dy).reshape(batch, time, self.heads, -1).transpose(0, 2, 1, 3)
        )  # (B, H, T, E)
        d_value = self.weights.swapaxes(-1, -2) @ d_seen  # (B, H, T, E)
        d_weights = d_seen @ self.value.swapaxes(-1, -2)  # (B, H, T, T)
        mean = (d_weights * self.weights).sum(axis=-1, keepdims=True)  # (B, H, T, 1)
        d_scores = self.weights * (d_weights - mean) * self.scale  # (B, H, T, T), 0 where the weight is 0
        d_query = d_scores @ self.key  # (B, H, T, E)
        d_key = d_scores.swapaxes(-1, -2) @ self.query  # (B, H, T, E)
        three_by_head = np.stack([d_query, d_key, d_value]).transpose(1, 3, 0, 2, 4)  # (B, T, 3, H, E)
        return self.split.backward(three_by_head.reshape(batch, time, 3 * width))


class Block(Layer):
    """Attention, then MLP, each on normalised input and added to the stream: (B, T, D) -> (B, T, D).

    Normalising first ("pre-norm", Xiong et al. 2020) lets a deep model train without a warm-up.
    """

    def __init__(
        self, width: int, heads: int, rng: Generator, scale: float, last_scale: float, dtype: npt.DTypeLike
    ) -> None:
        self.norm1 = LayerNorm(width, dtype)
        self.attention = CausalSelfAttention(width, heads, rng, scale, last_scale, dtype)
        self.norm2 = LayerNorm(width, dtype)
        self.mlp = MLP(width, rng, scale, last_scale, dtype)
        super().__init__(norm1=self.norm1, attention=self.attention, norm2=self.norm2, mlp=self.mlp)

    def forward(self, x: Array) -> Array:
        """(B, T, D) -> (B, T, D)."""
        x = x + self.attention.forward(self.norm1.forward(x))
        return x + self.mlp.forward(self.norm2.forward(x))

    def backward(self, dy: Array) -> Array:
        """(B, T, D) -> (B, T, D): each sum sends its gradient both ways."""
        dy = dy + self.norm2.backward(self.mlp.backward(dy))
        return dy + self.norm1.backward(self.attention.backward(dy))
