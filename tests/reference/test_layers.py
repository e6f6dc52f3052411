"""Every hand-written gradient against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from batchmean_reference.layers import (
    GELU,
    MLP,
    Block,
    CausalSelfAttention,
    Embedding,
    LayerNorm,
    Linear,
)
from batchmean_reference.losses import Array, one_hot
from batchmean_reference.training import Denominator, first_axis, loss_and_gradient, units, whole_shape
from batchmean_reference.transformer import Shape, Transformer

LARGEST_RELATIVE_ERROR = 1e-6

Smooth = Linear | LayerNorm | GELU | MLP | CausalSelfAttention | Block


def numeric_gradient(function: Callable[[], float], array: Array, step: float = 1e-5) -> Array:
    """Central differences with respect to every element of an array, which is put back as it was."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        above = function()
        array[place] = kept - step
        below = function()
        array[place] = kept
        gradient[place] = (above - below) / (2 * step)
    return gradient


def relative_error(measured: Array, expected: Array) -> float:
    """Distance of two gradients over their size."""
    return float(np.linalg.norm(measured - expected)) / max(float(np.linalg.norm(expected)), 1e-12)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 1, shape)


def layers() -> dict[str, tuple[Smooth, tuple[int, ...]]]:
    """One of each layer, with the shape of its input. Sizes differ, so that a mixed-up axis shows."""
    rng = np.random.default_rng(7)
    made: dict[str, tuple[Smooth, tuple[int, ...]]] = {
        "linear": (Linear(5, 3, rng, 0.5, np.float64), (2, 4, 5)),
        "layer norm": (LayerNorm(5, np.float64), (2, 3, 5)),
        "gelu": (GELU(), (2, 3, 5)),
        "mlp": (MLP(3, rng, 0.5, 0.5, np.float64), (2, 5, 3)),
        "attention, one head": (CausalSelfAttention(3, 1, rng, 0.5, 0.5, np.float64), (2, 5, 3)),
        "attention, three heads": (CausalSelfAttention(6, 3, rng, 0.5, 0.5, np.float64), (2, 5, 6)),
        "block": (Block(4, 2, rng, 0.5, 0.5, np.float64), (2, 3, 4)),
    }
    for layer, _ in made.values():
        for parameter in layer.all_parameters().values():
            parameter += rng.normal(0, 0.3, parameter.shape)  # away from biases of 0 and gains of 1
    return made


@pytest.mark.parametrize("name", layers())
def test_gradients_of_layers(name: str) -> None:
    layer, shape = layers()[name]
    x, dy = random(*shape), random(*layer.forward(random(*shape)).shape, seed=1)

    def loss() -> float:
        return float((layer.forward(x) * dy).sum())

    loss()
    dx = layer.backward(dy)
    assert relative_error(dx, numeric_gradient(loss, x)) <= LARGEST_RELATIVE_ERROR
    gradients = layer.all_gradients()
    assert gradients.keys() == layer.all_parameters().keys()
    for parameter, array in layer.all_parameters().items():
        error = relative_error(gradients[parameter], numeric_gradient(loss, array))
        assert error <= LARGEST_RELATIVE_ERROR, parameter


def test_gradient_of_an_embedding_adds_up_repeated_ids() -> None:
    layer = Embedding(4, 3, np.random.default_rng(0), 1.0, np.float64)
    ids, dy = np.array([[0, 2, 2], [2, 3, 0]]), random(2, 3, 3)
    layer.forward(ids)
    layer.backward(dy)
    expected = one_hot(ids, 4).reshape(-1, 4).T @ dy.reshape(-1, 3)
    np.testing.assert_allclose(layer.gradients["table"], expected, rtol=1e-15)


@pytest.mark.parametrize("denominator", [units, whole_shape, first_axis])
def test_gradient_of_the_loss(denominator: Denominator) -> None:
    logits, targets = random(2, 3, 5), one_hot(np.array([[0, 4, 2], [1, 1, 3]]), 5)
    _, gradient = loss_and_gradient(targets, logits, denominator)
    numeric = numeric_gradient(lambda: loss_and_gradient(targets, logits, denominator)[0], logits)
    assert relative_error(gradient, numeric) <= LARGEST_RELATIVE_ERROR


def test_gradient_of_the_whole_transformer() -> None:
    model = Transformer(Shape(vocabulary=7, context=5, width=4, heads=2, blocks=2, dtype="float64"))
    ids, targets = (
        np.array([[1, 6, 0, 2, 2], [3, 0, 5, 5, 4]]),
        one_hot([[6, 0, 2, 2, 1], [0, 5, 5, 4, 6]], 7),
    )

    def loss() -> float:
        return loss_and_gradient(targets, model.forward(ids), units)[0]

    model.backward(loss_and_gradient(targets, model.forward(ids), units)[1])
    gradients = {name: gradient.copy() for name, gradient in model.all_gradients().items()}
    for name, array in model.all_parameters().items():
        numeric = numeric_gradient(loss, array)
        scale = max(
            float(np.linalg.norm(numeric)), 1e-4
        )  # key biases have no effect: their gradient is rounding
        assert np.linalg.norm(gradients[name] - numeric) <= LARGEST_RELATIVE_ERROR * scale, name


class TestAttention:
    def test_does_not_see_the_future(self) -> None:
        layer, shape = layers()["attention, three heads"]
        assert isinstance(layer, CausalSelfAttention)
        x = random(*shape)
        before = layer.forward(x)
        x[:, 3:] += 10
        after = layer.forward(x)
        assert np.array_equal(before[:, :3], after[:, :3])
        assert not np.allclose(before[:, 3:], after[:, 3:])

    def test_refuses_heads_that_do_not_divide_the_width(self) -> None:
        with pytest.raises(ValueError, match="does not divide"):
            CausalSelfAttention(4, 3, np.random.default_rng(0), 1.0, 1.0, np.float64)


class TestTransformer:
    def test_logits_have_the_shape_and_dtype_asked_for(self) -> None:
        for dtype in ("float32", "float64"):
            model = Transformer(Shape(vocabulary=11, context=6, width=4, heads=2, blocks=1, dtype=dtype))
            logits = model.forward(np.zeros((3, 5), np.int64))
            assert logits.shape == (3, 5, 11)
            assert logits.dtype == dtype
            model.backward(np.ones_like(logits))
            assert {gradient.dtype for gradient in model.all_gradients().values()} == {np.dtype(dtype)}

    def test_refuses_more_positions_than_the_context_has(self) -> None:
        model = Transformer(Shape(vocabulary=11, context=6, width=4, heads=2, blocks=1))
        with pytest.raises(ValueError, match="context of 6"):
            model.forward(np.zeros((1, 7), np.int64))

    def test_samples_beyond_its_context_and_again_the_same(self) -> None:
        model = Transformer(Shape(vocabulary=11, context=6, width=4, heads=2, blocks=1))
        prompt = np.array([3, 1])
        sampled = model.sample(prompt, 10, seed=5)
        assert sampled.shape == (12,)
        assert np.array_equal(sampled[:2], prompt)
        assert np.array_equal(sampled, model.sample(prompt, 10, seed=5))
        assert not np.array_equal(sampled, model.sample(prompt, 10, seed=6))

    def test_at_low_temperature_takes_the_likeliest(self) -> None:
        model = Transformer(Shape(vocabulary=11, context=6, width=4, heads=2, blocks=1))
        prompt = np.array([3, 1])
        likeliest = int(model.forward(prompt[None])[0, -1].argmax())
        assert model.sample(prompt, 1, temperature=1e-4)[-1] == likeliest

    def test_refuses_to_sample_from_nothing(self) -> None:
        model = Transformer(Shape(vocabulary=11, context=6, width=4, heads=2, blocks=1))
        with pytest.raises(ValueError, match="prompt"):
            model.sample(np.array([], np.int64), 1)
        with pytest.raises(ValueError, match="temperature"):
            model.sample(np.array([1]), 1, temperature=0.0)
