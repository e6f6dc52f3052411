"""Measured factors are monomials, or it is said that they are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from batchmean_reference import losses
from batchmean_reference.arguments import Argument
from batchmean_reference.audit import Measured, Monomial, deviation, fit, measure, measure_all
from batchmean_reference.laws import Loss


@pytest.mark.parametrize("text", ["V^-1", "B V^-1", "T", "1", "B^2 D^-3", "N^-1 n_valid"])
def test_factors_are_written_as_they_are_read(text: str) -> None:
    assert str(Monomial.parse(text)) == text


def test_factors_are_equal_whatever_the_order() -> None:
    assert Monomial.parse("V^-1 B") == Monomial({"B": 1, "V": -1, "T": 0})
    assert len({Monomial.parse("V^-1 B"), Monomial.parse("B V^-1")}) == 1


@pytest.mark.parametrize("text", ["", "1/V", "V^x", "V^-1 V", "2", "V^0.5"])
def test_other_texts_are_no_factors(text: str) -> None:
    with pytest.raises(ValueError, match="expected a factor"):
        Monomial.parse(text)


def test_value() -> None:
    assert Monomial.parse("B V^-2").at({"B": 3, "V": 2, "T": 9}) == 0.75
    with pytest.raises(KeyError):
        Monomial.parse("V").at({"B": 3})


def pair(function: Callable[..., Any]) -> tuple[Loss, Loss]:
    arguments = (Argument.parse("targets", "one_hot (B, V)"), Argument.parse("probabilities", "probs (B, V)"))
    return Loss(function, arguments), Loss(losses.clipped_cross_entropy, arguments)


def test_the_whole_shape_is_v_times_too_much() -> None:
    measured = measure_all(*pair(losses.whole_shape_cce))
    assert fit(measured) == Monomial.parse("V^-1")
    assert deviation(measured, Monomial.parse("V^-1")) < 1e-12
    assert deviation(measured, Monomial()) > 0.4


MASKED = (Argument.parse("x", "normal (B, T)"), Argument.parse("mask", "mask (B, T)"))


@pytest.mark.parametrize(
    ("written", "factor"),
    [
        (lambda x, mask: (x**2 * mask).mean(), "n_valid N^-1"),
        (lambda x, mask: (x**2 * mask).sum() / len(x), "n_valid B^-1"),
        (lambda x, mask: (x**2 * mask).sum() / mask.sum() ** 2, "n_valid^-1"),
        (lambda x, mask: (x**2 * mask).sum() / mask.sum() / mask.size, "B^-1 T^-1"),
        (lambda x, mask: (x**2 * mask).sum() / mask.sum(), "1"),
    ],
)
def test_what_a_mask_lets_through_is_counted(written: Callable[..., Any], factor: str) -> None:
    right = Loss(lambda x, mask: (x**2)[mask > 0].mean(), MASKED, unit=("n_valid",))
    measured = measure_all(Loss(written, MASKED, unit=("n_valid",)), right)
    assert fit(measured) == Monomial.parse(factor)
    assert deviation(measured, Monomial.parse(factor)) < 1e-9


def test_a_constant_or_a_shifted_count_is_no_monomial() -> None:
    for wrong in (
        lambda targets, probabilities: losses.clipped_cross_entropy(targets, probabilities) * 0.5,
        lambda targets, probabilities: (
            losses.clipped_cross_entropy(targets, probabilities) / (len(targets) + 1)
        ),
    ):
        with pytest.raises(ValueError, match="are not"):
            fit(measure_all(*pair(wrong)))


def test_a_changing_sign_is_no_monomial() -> None:
    with pytest.raises(ValueError, match="no power of a size"):
        fit([Measured({"V": 2}, 1.0, 1.0), Measured({"V": 3}, -1.0, 1.0)])


def test_two_axes_at_once_tell_nothing() -> None:
    with pytest.raises(ValueError, match="one axis at a time"):
        fit([Measured({"V": 2, "B": 3}, 1.0, 1.0), Measured({"V": 3, "B": 5}, 1.0, 1.0)])


def test_nothing_measured_is_nothing_shown() -> None:
    for function in (fit, lambda measured: deviation(measured, Monomial())):
        with pytest.raises(ValueError, match="nothing was measured"):
            function([])


def test_a_reference_may_take_fewer_arguments_and_no_others() -> None:
    written, right = pair(losses.whole_shape_cce)
    switched = Loss(
        lambda targets, probabilities, reduction: losses.whole_shape_cce(targets, probabilities),
        (*written.arguments, Argument.parse("reduction", "text mean")),
    )
    assert measure(switched, right, {"B": 3, "V": 4}).ratio == pytest.approx(0.25)
    with pytest.raises(ValueError, match="needs arguments"):
        measure(right, switched, {"B": 3, "V": 4})


def test_a_ratio_to_zero_is_not_a_number() -> None:
    ratio = Measured({}, 1.0, 0.0).ratio
    assert ratio != ratio
