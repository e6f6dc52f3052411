"""Declared arguments and the inputs drawn from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from batchmean_reference.arguments import (
    IGNORED,
    KINDS,
    MASKS,
    PAD,
    Argument,
    Array,
    axes_of,
    counts,
    draw_inputs,
    masked_axis,
    pairwise_coprime,
    size_points,
    support_axis,
)

SIZES = {"B": 3, "T": 7, "V": 5, "D": 11}


def draw(declaration: str) -> Array:
    argument = Argument.parse("x", declaration)
    drawn = argument.draw(np.random.default_rng(0), SIZES)
    assert isinstance(drawn, np.ndarray)
    return drawn


def test_axes_are_in_the_declared_order() -> None:
    assert draw("logits (V, B)").shape == (5, 3)
    assert draw("normal (B, T, D)").shape == (3, 7, 11)


@pytest.mark.parametrize("declaration", ["probs (B, V)", "probs (V, B)", "probs (B, V, T)", "one_hot (V, B)"])
def test_distributions_sum_to_one_over_the_axis_named_v(declaration: str) -> None:
    argument = Argument.parse("p", declaration)
    assert argument.support == argument.axes.index("V")
    np.testing.assert_allclose(draw(declaration).sum(axis=argument.support), 1.0, rtol=1e-12)


def test_the_support_may_be_named_d() -> None:
    np.testing.assert_allclose(draw("probs (D, B)").sum(axis=0), 1.0, rtol=1e-12)


def test_log_probabilities_are_those_of_a_distribution() -> None:
    np.testing.assert_allclose(np.exp(draw("log_probs (B, V)")).sum(axis=1), 1.0, rtol=1e-12)


def test_probabilities_without_a_support_are_of_one_chosen_class() -> None:
    chosen = draw("probs (B, T)")
    assert chosen.shape == (3, 7) and (chosen > 0).all() and (chosen < 1).all()


def test_labels_are_classes_and_some_are_ignored() -> None:
    labels = draw("labels (B, T)")
    assert set(np.unique(labels)) <= set(range(SIZES["V"]))
    ignorable = draw("ignorable_labels (B, T)")
    assert (ignorable == IGNORED).any() and (ignorable[:, 0] != IGNORED).all()


def test_masks_leave_every_example_a_position() -> None:
    mask = draw("mask (B, T)")
    assert set(np.unique(mask)) == {0.0, 1.0} and (mask.sum(axis=1) >= 1).all()
    assert draw("bool_mask (B, T)").dtype == np.bool_


def test_padding_is_drawn_in_every_way_to_say_it() -> None:
    pad = draw("pad_mask (B, T)")
    assert pad.dtype == np.bool_ and pad.any() and not pad[:, 0].any()
    labels = draw("padded_labels (B, T)")
    assert (labels == PAD).any() and (labels[:, 0] != PAD).all() and labels.max() < SIZES["V"]
    lengths = draw("lengths (B)")
    assert lengths.min() >= 1 and lengths.max() <= SIZES["T"]


@pytest.mark.parametrize("kind", ["mask", "bool_mask", "pad_mask", "ignorable_labels", "padded_labels"])
def test_valid_positions_are_counted(kind: str) -> None:
    argument = Argument.parse("x", f"{kind} (B, T)")
    inputs = {"x": draw(f"{kind} (B, T)")}
    counted = counts([argument], inputs, SIZES)
    assert counted["N"] == 21 and SIZES["B"] <= counted["n_valid"] < 21
    nothing = {"x": np.full((3, 7), MASKS[kind])}
    assert counts([argument], nothing, SIZES) == {"n_valid": 0, "N": 21}


def test_lengths_count_as_many_positions_as_there_are() -> None:
    argument = Argument.parse("lengths", "lengths (B)")
    assert axes_of([argument]) == ("B", "T") and masked_axis(argument) == "T"
    assert counts([argument], {"lengths": np.array([2, 7, 1])}, SIZES) == {"n_valid": 10, "N": 21}
    assert counts([Argument.parse("x", "normal (B)")], {}, SIZES) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_and_is_the_same_each_time(kind: str) -> None:
    first, second = draw(f"{kind} (B, V)"), draw(f"{kind} (B, V)")
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()


def test_sizes_numbers_and_texts_are_passed_as_they_are() -> None:
    arguments = [
        Argument.parse("classes", "size V"),
        Argument.parse("epsilon", "scalar 1e-7"),
        Argument.parse("reduction", "text mean"),
    ]
    assert draw_inputs(arguments, SIZES) == {"classes": 5, "epsilon": 1e-7, "reduction": "mean"}


@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        ("logit (B, V)", "unknown kind"),
        ("logits", "expected a kind"),
        ("logits ()", "expected a kind"),
        ("logits (B, B)", "twice"),
        ("text", "expected a kind"),
        ("", "expected a kind"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused(declaration: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Argument.parse("x", declaration)


def test_an_axis_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no size for axis H, W"):
        Argument.parse("x", "logits (B, H, W)").draw(np.random.default_rng(0), SIZES)
    with pytest.raises(ValueError, match="no size is known for axis Z"):
        size_points(["B", "Z"])


def test_one_hot_and_labels_need_classes() -> None:
    with pytest.raises(ValueError, match="needs an axis V or D"):
        draw("one_hot (B, T)")
    for kind in ("labels", "padded_labels"):
        with pytest.raises(ValueError, match="labels need a size for V"):
            Argument.parse("x", f"{kind} (B)").draw(np.random.default_rng(0), {"B": 3})
    with pytest.raises(ValueError, match="lengths need a size for T"):
        Argument.parse("x", "lengths (B)").draw(np.random.default_rng(0), {"B": 3})


def test_labels_bring_the_axis_of_classes() -> None:
    assert axes_of([Argument.parse("labels", "labels (B)")]) == ("B", "V")


@pytest.mark.parametrize(
    ("declarations", "axis"),
    [
        (["labels (B)", "logits (B, V)"], "V"),
        (["probs (B, D)"], "D"),
        (["mu (B, D)", "logvar (B, D)"], "D"),
        (["normal (B, D)"], None),
        (["log_probs (B)", "normal (B)"], None),
    ],
)
def test_the_support_is_found_by_kind_and_name(declarations: list[str], axis: str | None) -> None:
    arguments = [Argument.parse(f"x{number}", text) for number, text in enumerate(declarations)]
    assert support_axis(arguments) == axis


def test_sizes_are_coprime_and_vary_one_axis_at_a_time() -> None:
    points = size_points(["B", "T", "V", "D"])
    assert all(pairwise_coprime(point.values()) for point in points)
    start = points[0]
    assert all(sum(point[axis] != start[axis] for axis in start) == 1 for point in points[1:])
    assert any(point["B"] == 1 for point in points) and any(point["V"] == 2 for point in points)


def test_sizes_fixed_by_the_code_stay() -> None:
    points = size_points(["B", "V"], {"V": 10})
    assert {point["V"] for point in points} == {10} and len(points) == 3


def test_coprime() -> None:
    assert pairwise_coprime([3, 5, 1, 8])
    assert not pairwise_coprime([3, 10, 4])
    assert math.lcm() == 1 and pairwise_coprime([])
