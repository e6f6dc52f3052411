"""Optimizers, denominators and the training loop, against closed forms and their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from batchmean_reference.losses import Array, cross_entropy, one_hot, softmax, whole_shape_cce
from batchmean_reference.optimizers import SGD, Adam, Optimizer, clip, global_norm
from batchmean_reference.tokenizer import alice, alice_tokenizer
from batchmean_reference.training import (
    Text,
    batches,
    evaluate,
    first_axis,
    loss_and_gradient,
    train,
    units,
    whole_shape,
)
from batchmean_reference.transformer import Shape, Transformer


def alice_text(vocabulary: int) -> Text:
    ids = alice_tokenizer(vocabulary).encode(alice())
    return Text(ids[:-2000], ids[-2000:], vocabulary, 0)


def small_model(vocabulary: int, dtype: str = "float64") -> Transformer:
    return Transformer(Shape(vocabulary, context=8, width=8, heads=2, blocks=1, dtype=dtype))


def steps(optimizer: Optimizer, gradients: list[float], start: float = 1.0) -> float:
    """Where one weight ends up after a few steps."""
    weight: dict[str, Array] = {"w": np.array([start])}
    for gradient in gradients:
        optimizer.step(weight, {"w": np.array([gradient])})
    return float(weight["w"][0])


class TestDenominators:
    def test_units_give_cross_entropy_and_whole_shape_gives_the_rust_programs_loss(self) -> None:
        rng = np.random.default_rng(0)
        logits, targets = rng.normal(0, 1, (3, 5, 7)), one_hot(rng.integers(0, 7, (3, 5)), 7)
        right, _ = loss_and_gradient(targets, logits, units)
        wrong, _ = loss_and_gradient(targets, logits, whole_shape)
        assert right == pytest.approx(cross_entropy(targets, logits), rel=1e-14)
        assert wrong == pytest.approx(whole_shape_cce(targets, softmax(logits)), rel=1e-14)

    def test_first_axis_is_right_for_two_axes_and_t_times_too_large_for_three(self) -> None:
        assert first_axis((3, 7)) == units((3, 7))
        assert first_axis((3, 5, 7)) * 5 == units((3, 5, 7))


class TestSGD:
    def test_steps_against_the_gradient(self) -> None:
        assert steps(SGD(0.1), [2.0]) == pytest.approx(1 - 0.1 * 2)

    def test_momentum_adds_up(self) -> None:
        assert steps(SGD(0.1, momentum=0.9), [2.0, 0.0, 0.0]) == pytest.approx(1 - 0.2 * (1 + 0.9 + 0.81))

    def test_without_momentum_l2_and_decoupled_decay_are_the_same(self) -> None:
        gradients = [1.0, -2.0, 0.5]
        l2, decay = steps(SGD(0.1, l2=0.3), gradients), steps(SGD(0.1, decay=0.3), gradients)
        assert l2 == pytest.approx(decay, rel=1e-15)

    def test_with_momentum_they_are_not(self) -> None:
        gradients = [1.0, -2.0, 0.5]
        assert steps(SGD(0.1, 0.9, l2=0.3), gradients) != pytest.approx(
            steps(SGD(0.1, 0.9, decay=0.3), gradients)
        )


class TestAdam:
    @pytest.mark.parametrize("gradient", [1e-3, 1.0, -1e3])
    def test_first_step_is_the_rate_whatever_the_gradient(self, gradient: float) -> None:
        moved = steps(Adam(0.1, epsilon=0.0), [gradient])
        assert moved == pytest.approx(1 - 0.1 * math.copysign(1, gradient), rel=1e-12)

    def test_does_not_see_a_scale_until_epsilon_shows(self) -> None:
        gradients = np.array([0.3, -0.1, 0.7, 0.2])
        right = steps(Adam(0.1), gradients.tolist())
        assert steps(Adam(0.1), (gradients / 1000).tolist()) == pytest.approx(right, rel=1e-4)
        assert steps(Adam(0.1, epsilon=1e-2), (gradients / 1000).tolist()) != pytest.approx(right, rel=0.1)

    def test_follows_algorithm_1_of_the_paper(self) -> None:
        gradients, weight, first, second = [0.3, -0.1, 0.7], 1.0, 0.0, 0.0
        for t, gradient in enumerate(gradients, start=1):
            first = 0.8 * first + 0.2 * gradient
            second = 0.95 * second + 0.05 * gradient**2
            weight -= 0.1 * (first / (1 - 0.8**t)) / (math.sqrt(second / (1 - 0.95**t)) + 1e-6)
        assert steps(Adam(0.1, (0.8, 0.95), 1e-6), gradients) == pytest.approx(weight, rel=1e-13)

    def test_decoupled_decay_shrinks_and_l2_is_normalised(self) -> None:
        assert steps(Adam(0.1, decay=0.5), [0.0]) == pytest.approx(1 - 0.1 * 0.5)
        assert steps(Adam(0.1, epsilon=0.0, l2=0.5), [0.0]) == pytest.approx(1 - 0.1)


class TestClipping:
    def test_shortens_what_is_too_long_and_keeps_the_direction(self) -> None:
        gradients: dict[str, Array] = {"a": np.array([3.0]), "b": np.array([[4.0]])}
        assert global_norm(gradients) == pytest.approx(5)
        clipped = clip(gradients, 1.0)
        assert global_norm(clipped) == pytest.approx(1)
        assert clipped["a"][0] / clipped["b"][0, 0] == pytest.approx(3 / 4)

    def test_leaves_what_is_short_enough(self) -> None:
        assert clip({"a": np.array([0.5])}, 1.0)["a"][0] == 0.5
        assert clip({"a": np.array([0.0])}, 1.0)["a"][0] == 0.0


class TestTraining:
    def test_batches_are_the_text_shifted_by_one_token(self) -> None:
        inputs, labels = next(batches(np.arange(100), batch=4, time=6, seed=3))
        assert inputs.shape == labels.shape == (4, 6)
        assert np.array_equal(inputs + 1, labels)

    def test_starts_at_log_v_and_learns(self) -> None:
        model, text = small_model(100), alice_text(100)
        history = train(model, text, Adam(1e-2), units, steps=40, batch=8)
        assert history.nats[0] == pytest.approx(math.log(100), rel=0.01)
        assert history.held_out < history.nats[0] - 0.5
        assert history.held_out == pytest.approx(evaluate(model, text.held_out))
        assert len(history.losses) == len(history.norms) == 40

    def test_the_wrong_run_reports_its_loss_and_the_same_nats(self) -> None:
        text = alice_text(100)
        right = train(small_model(100), text, SGD(0.1), units, steps=2, batch=4)
        wrong = train(small_model(100), text, SGD(0.1), whole_shape, steps=2, batch=4)
        assert wrong.losses[0] * 100 == pytest.approx(right.losses[0], rel=1e-13)
        assert wrong.nats[0] == pytest.approx(right.nats[0], rel=1e-13)
        assert wrong.norms[0] * 100 == pytest.approx(right.norms[0], rel=1e-12)

    def test_every_step_is_told(self) -> None:
        told: list[int] = []
        train(small_model(100), alice_text(100), SGD(0.1), units, steps=3, batch=2, each_step=told.append)
        assert told == [0, 1, 2]

    def test_clipping_limits_the_step(self) -> None:
        model = small_model(100)
        before = {name: a.copy() for name, a in model.all_parameters().items()}
        train(model, alice_text(100), SGD(1.0), units, steps=1, batch=4, largest_norm=0.25)
        moved = {name: a - before[name] for name, a in model.all_parameters().items()}
        assert global_norm(moved) == pytest.approx(0.25)
