"""The losses against scipy, against closed forms, and against what may never happen."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats
from batchmean_reference import losses
from batchmean_reference.losses import Array

PORT = Path(__file__).parents[2] / "fixtures" / "on_numpy" / "whole_shape_tensor.py"

SHAPES = [(1, 2), (3, 5), (7, 11), (2, 3, 5)]


def logits_of(shape: tuple[int, ...], seed: int = 0, scale: float = 3.0) -> Array:
    return np.random.default_rng(seed).normal(0, scale, shape)


def distributions_of(shape: tuple[int, ...], seed: int = 1) -> Array:
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


class TestOneHot:
    def test_puts_all_mass_on_the_label(self) -> None:
        labels = np.array([[0, 2, 1], [3, 3, 0]])
        encoded = losses.one_hot(labels, 4)
        assert encoded.shape == (2, 3, 4)
        assert np.array_equal(encoded.argmax(axis=-1), labels)
        assert np.array_equal(encoded.sum(axis=-1), np.ones((2, 3)))
        assert np.array_equal(encoded, np.eye(4)[labels])

    def test_keeps_the_dtype_asked_for(self) -> None:
        assert losses.one_hot([0], 2, np.float32).dtype == np.float32

    @pytest.mark.parametrize(("labels", "classes"), [([-1], 3), ([3], 3), ([0.0], 3), ([0], 0)])
    def test_refuses_labels_that_name_no_class(self, labels: list[float], classes: int) -> None:
        with pytest.raises(ValueError, match=r"one_hot|labels"):
            losses.one_hot(labels, classes)


@pytest.mark.parametrize("shape", SHAPES)
class TestAgainstScipy:
    def test_softmax(self, shape: tuple[int, ...]) -> None:
        logits = logits_of(shape)
        np.testing.assert_allclose(losses.softmax(logits), scipy.special.softmax(logits, axis=-1), rtol=1e-14)
        np.testing.assert_allclose(
            losses.log_softmax(logits), scipy.special.log_softmax(logits, axis=-1), rtol=1e-13, atol=1e-15
        )

    def test_entropy_and_kl_divergence(self, shape: tuple[int, ...]) -> None:
        p, q = distributions_of(shape, 1), distributions_of(shape, 2)
        assert losses.entropy(p) == pytest.approx(scipy.stats.entropy(p, axis=-1).mean(), rel=1e-13)
        assert losses.kl_divergence(p, q) == pytest.approx(
            scipy.special.rel_entr(p, q).sum(axis=-1).mean(), rel=1e-13
        )

    def test_cross_entropy_is_entropy_plus_kl_divergence(self, shape: tuple[int, ...]) -> None:
        p, logits = distributions_of(shape), logits_of(shape)
        split = losses.entropy(p) + losses.kl_divergence(p, losses.softmax(logits))
        assert losses.cross_entropy(p, logits) == pytest.approx(split, rel=1e-12)

    def test_whole_shape_is_smaller_by_the_class_count(self, shape: tuple[int, ...]) -> None:
        p, q = distributions_of(shape), losses.softmax(logits_of(shape))
        wrong, right = losses.whole_shape_cce(p, q), losses.clipped_cross_entropy(p, q)
        assert wrong * shape[-1] == pytest.approx(right, rel=1e-13)


class TestTheRustProgramsLoss:
    """`whole_shape_cce` and the port with a tensor class, against the steps of the program."""

    def test_both_ports_take_the_steps_of_the_program_in_its_order(self) -> None:
        steps: list[tuple[str, tuple[object, ...], Array]] = []
        port = runpy.run_path(str(PORT))
        tensor_class = port["Tensor"]

        def noted(name: str) -> Callable[..., object]:
            method = getattr(tensor_class, name)

            def step(tensor: object, *arguments: object) -> object:
                result = method(tensor, *arguments)
                steps.append((name, arguments, np.array(getattr(result, "data", result))))
                return result

            return step

        p = losses.one_hot([1, 0, 2], 4)
        q = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0]])
        y_true, y_pred = tensor_class(p), tensor_class(q)
        for name in ("clip", "ln", "mul", "get_shape", "scale", "sum"):
            setattr(tensor_class, name, noted(name))
        result = port["cce"](y_true, y_pred).item()

        clipped = np.maximum(q, 1e-12)  # no probability is above 1
        product = p * np.log(clipped)
        expected: list[tuple[str, tuple[object, ...], Array]] = [
            ("clip", (1e-12, 1.0), clipped),
            ("ln", (), np.log(clipped)),
            ("mul", (y_true,), product),
            ("get_shape", (), np.array([3, 4])),
            ("scale", (-1.0,), -product),
            ("sum", (), np.array(-product.sum())),
            ("scale", (1.0 / 12,), np.array(-product.sum() / 12)),
        ]
        assert [step[:2] for step in steps] == [step[:2] for step in expected]
        for (name, _, found), (_, _, right) in zip(steps, expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-14, err_msg=name)
        assert result == pytest.approx((-math.log(0.2) - math.log(1e-12)) / 12, rel=1e-14)
        assert losses.whole_shape_cce(p, q) == pytest.approx(result, rel=1e-14)

    def test_the_largest_loss_is_that_of_the_clip(self) -> None:
        sure, other = losses.one_hot([0], 1000), losses.one_hot([1], 1000)
        assert losses.whole_shape_cce(sure, other) == pytest.approx(-math.log(1e-12) / 1000, rel=1e-14)


class TestCrossEntropy:
    def test_of_one_hot_targets_is_the_negative_log_likelihood_of_the_label(self) -> None:
        logits, labels = logits_of((6, 4)), np.array([0, 3, 1, 2, 2, 0])
        picked = -scipy.special.log_softmax(logits, axis=-1)[np.arange(6), labels]
        assert losses.cross_entropy(losses.one_hot(labels, 4), logits) == pytest.approx(
            picked.mean(), rel=1e-14
        )

    @pytest.mark.parametrize("vocabulary", [2, 100, 500, 1000])
    def test_of_a_model_that_knows_nothing_is_log_v(self, vocabulary: int) -> None:
        targets = losses.one_hot([0, 1], vocabulary)
        assert losses.cross_entropy(targets, np.zeros((2, vocabulary))) == pytest.approx(math.log(vocabulary))

    def test_a_class_without_mass_changes_nothing(self) -> None:
        targets, logits = distributions_of((3, 5)), logits_of((3, 5))
        wider_targets = np.concatenate([targets, np.zeros((3, 2))], axis=-1)
        wider_logits = np.concatenate([logits, np.full((3, 2), -np.inf)], axis=-1)
        assert losses.cross_entropy(wider_targets, wider_logits) == losses.cross_entropy(targets, logits)

    def test_averages_over_valid_units_only(self) -> None:
        targets, logits = distributions_of((2, 3, 5)), logits_of((2, 3, 5))
        mask = np.array([[True, True, False], [True, False, False]])
        valid = losses.cross_entropy(targets[mask], logits[mask])
        assert losses.cross_entropy(targets, logits, mask) == pytest.approx(valid, rel=1e-15)

    def test_survives_logits_whose_softmax_underflows(self) -> None:
        assert losses.cross_entropy(losses.one_hot([1], 2), np.array([[0.0, -2000.0]])) == 2000.0

    def test_keeps_float32(self) -> None:
        assert losses.log_softmax(np.zeros((2, 3), np.float32)).dtype == np.float32

    def test_refuses_shapes_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="do not fit"):
            losses.cross_entropy(np.ones((2, 3)), np.zeros((2, 4)))
        with pytest.raises(ValueError, match="does not fit"):
            losses.cross_entropy(np.ones((2, 3)), np.zeros((2, 3)), np.ones(3, bool))

    def test_refuses_to_average_over_nothing(self) -> None:
        with pytest.raises(ValueError, match="no unit"):
            losses.cross_entropy(np.zeros((0, 3)), np.zeros((0, 3)))
        with pytest.raises(ValueError, match="no unit"):
            losses.cross_entropy(np.ones((2, 3)) / 3, np.zeros((2, 3)), np.zeros(2, bool))


class TestClipping:
    def test_bounds_the_loss_of_an_impossible_prediction(self) -> None:
        impossible = np.array([[1.0, 0.0]])
        assert losses.clipped_cross_entropy(losses.one_hot([1], 2), impossible, 1e-7) == pytest.approx(
            -math.log(1e-7)
        )

    @pytest.mark.parametrize("epsilon", [0.0, -1e-7, 1.0])
    def test_refuses_an_epsilon_that_cannot_clip(self, epsilon: float) -> None:
        with pytest.raises(ValueError, match="epsilon"):
            losses.whole_shape_cce(np.ones((1, 2)) / 2, np.ones((1, 2)) / 2, epsilon)


class TestDivergences:
    def test_entropy_of_certainty_is_zero(self) -> None:
        assert losses.entropy(losses.one_hot([0, 2], 3)) == 0.0

    def test_kl_divergence_is_zero_only_against_itself(self) -> None:
        p, q = distributions_of((4, 6), 1), distributions_of((4, 6), 2)
        assert losses.kl_divergence(p, p) == 0.0
        assert losses.kl_divergence(p, q) > 0.0

    def test_kl_divergence_is_infinite_where_mass_is_missed(self) -> None:
        assert losses.kl_divergence(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])) == math.inf

    def test_gaussian_kl_by_monte_carlo(self) -> None:
        mean, log_variance = np.array([[0.3, -1.2]]), np.array([[0.4, -0.7]])
        deviation = np.exp(log_variance / 2)
        draws = np.random.default_rng(0).normal(mean, deviation, (400_000, 2))
        log_ratio = scipy.stats.norm.logpdf(draws, mean, deviation) - scipy.stats.norm.logpdf(draws)
        assert losses.gaussian_kl(mean, log_variance) == pytest.approx(
            log_ratio.sum(axis=-1).mean(), rel=0.01
        )

    def test_gaussian_kl_adds_over_dimensions(self) -> None:
        mean, log_variance = logits_of((3, 5), 4, 1.0), logits_of((3, 5), 5, 1.0)
        parts = [losses.gaussian_kl(mean[:, [d]], log_variance[:, [d]]) for d in range(5)]
        assert losses.gaussian_kl(mean, log_variance) == pytest.approx(sum(parts), rel=1e-13)


class TestPerplexity:
    @pytest.mark.parametrize("vocabulary", [2, 100, 1000])
    def test_of_uniform_guessing_is_the_vocabulary_size(self, vocabulary: int) -> None:
        uniform = losses.cross_entropy(losses.one_hot([0], vocabulary), np.zeros((1, vocabulary)))
        assert losses.perplexity(uniform) == pytest.approx(vocabulary)

    def test_of_a_hopeless_loss_is_infinite(self) -> None:
        assert losses.perplexity(1e6) == math.inf
