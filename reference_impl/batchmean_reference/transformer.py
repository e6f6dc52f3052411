"""A decoder-only transformer language model in NumPy alone: tokens in, logits for each next token out.

The architecture is GPT-2's (Radford et al. 2019) with an output layer of its own. The layers, with their
hand-written gradients, are in `layers.py`; this file only puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchmean_reference.layers import Block, Embedding, Layer, LayerNorm, Linear
from batchmean_reference.losses import Array, Integers, softmax


@dataclass(frozen=True)
class Shape:
    """The size of a model. `width` D is divided among `heads`; `context` is the largest T."""

    vocabulary: int  # V
    context: int = 32  # T
    width: int = 48  # D
    heads: int = 4  # H
    blocks: int = 2
    dtype: str = "float32"


class Transformer(Layer):
    """Embeddings, blocks, a last normalisation, and a linear layer to V logits: (B, T) -> (B, T, V)."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        """Random parameters from `seed`. Draws are the same for every dtype; the output layer starts near
        zero, so that every next token starts about equally likely and the first loss is about log V."""
        rng = np.random.default_rng(seed)
        dtype, width = np.dtype(shape.dtype), shape.width
        scale = width**-0.5  # keeps the variance of a layer's output at that of its input
        last_scale = scale * (2 * shape.blocks) ** -0.5  # ... and that of the stream, which adds 2 per block
        self.shape = shape
        self.tokens = Embedding(shape.vocabulary, width, rng, 0.3, dtype)
        self.positions = Embedding(shape.context, width, rng, 0.1, dtype)
        self.blocks = [Block(width, shape.heads, rng, scale, last_scale, dtype) for _ in range(shape.blocks)]
        self.norm = LayerNorm(width, dtype)
        self.output = Linear(width, shape.vocabulary, rng, 0.02, dtype)
        super().__init__(
            tokens=self.tokens,
            positions=self.positions,
            **{f"block{i}": block for i, block in enumerate(self.blocks)},
            norm=self.norm,
            output=self.output,
        )

    def forward(self, ids: Integers) -> Array:
        """Token ids (B, T) to logits (B, T, V); those at position t predict token t + 1.

        Raises `ValueError` for more positions than the context has.
        """
        if ids.shape[1] > self.shape.context:
            raise ValueError(f"{ids.shape[1]} positions do not fit a context of {self.shape.context}")
        places = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)  # (B, T)
        x: Array = self.tokens.forward(ids) + self.positions.forward(places)  # (B, T, D)
        for block in self.blocks:
            x = block.forward(x)  # (B, T, D)
        return self.output.forward(self.norm.forward(x))  # (B, T, V)

    def backward(self, d_logits: Array) -> None:
        """(B, T, V) -> nothing; afterwards `all_gradients()` holds the gradient of every parameter."""
        dx = self.norm.backward(self.output.backward(d_logits))  # (B, T, D)
        for block in reversed(self.blocks):
            dx = block.backward(dx)  # (B, T, D)
        self.tokens.backward(dx)
        self.positions.backward(dx)

    def sample(self, prompt: Integers, length: int, temperature: float = 1.0, seed: int = 0) -> Integers:
        """Continues a prompt: token ids (N,) -> (N + length,), each new token drawn from the model's softmax.

        `temperature` divides the logits: below 1 it prefers likely tokens, towards 0 it takes the likeliest.
        Raises `ValueError` for an empty prompt or a temperature that is not positive.
        """
        if len(prompt) == 0 or temperature <= 0:
            raise ValueError("sampling needs a prompt and a positive temperature")
        rng = np.random.default_rng(seed)
        ids = [int(i) for i in prompt]
        for _ in range(length):
            window = np.array([ids[-self.shape.context :]])  # (1, T)
            logits = self.forward(window)[0, -1].astype(np.float64)  # (V,)
            ids.append(int(rng.choice(self.shape.vocabulary, p=softmax(logits / temperature))))
        return np.array(ids)
