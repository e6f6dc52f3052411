"""The laws hold for the right losses of the reference, and each breaks for the mistake it is made for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchmean_reference import losses
from batchmean_reference.arguments import Argument, draw_inputs
from batchmean_reference.laws import (
    EXEMPTIONS,
    LAWS,
    Loss,
    check_law,
    check_laws,
    exponents,
    with_duplicates,
    with_null_class,
    with_padding,
)
from hypothesis import given, settings
from hypothesis import strategies as st

Array = Any


def loss_of(function: Callable[..., Any], declared: dict[str, str], **options: Any) -> Loss:
    arguments = tuple(Argument.parse(name, text) for name, text in declared.items())
    return Loss(function, arguments, **options)


def verdicts(loss: Loss) -> dict[str, str]:
    return {law: result.verdict for law, result in check_laws(loss).items()}


TWO_DISTRIBUTIONS = {"targets": "one_hot (B, V)", "logits": "logits (B, V)"}
TOKENS = {"targets": "probs (B, T, V)", "logits": "logits (B, T, V)", "mask": "bool_mask (B, T)"}

RIGHT = {
    "cross-entropy": loss_of(losses.cross_entropy, TWO_DISTRIBUTIONS),
    "masked cross-entropy": loss_of(losses.cross_entropy, TOKENS, unit=("n_valid",)),
    "clipped": loss_of(
        losses.clipped_cross_entropy, {"targets": "one_hot (B, V)", "probabilities": "probs (B, V)"}
    ),
    "entropy": loss_of(losses.entropy, {"probabilities": "probs (B, T, V)"}, unit=("B", "T")),
    "kl": loss_of(losses.kl_divergence, {"targets": "probs (B, V)", "predictions": "probs (B, V)"}),
    "gaussian kl": loss_of(losses.gaussian_kl, {"mean": "mu (B, D)", "log_variance": "logvar (B, D)"}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_losses_keep_every_law(name: str) -> None:
    found = verdicts(RIGHT[name])
    assert "broken" not in found.values()
    assert found["null class"] == found["duplication"] == found["pointwise"] == "holds"
    assert found["padding"] == ("holds" if "masked" in name else "not applicable")


@pytest.mark.parametrize("name", RIGHT)
def test_right_losses_scale_with_nothing(name: str) -> None:
    loss = RIGHT[name]
    found = exponents(loss, loss.points[0])
    assert found and all(abs(exponent) < 1e-6 for exponent in found.values())


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(2, 40), st.integers(0, 2**32))
def test_right_cross_entropy_keeps_the_laws_at_any_size(examples: int, classes: int, seed: int) -> None:
    loss = RIGHT["cross-entropy"]
    for law in ("null class", "duplication", "pointwise"):
        change = LAWS[law](loss, {"B": examples, "V": classes}, seed)
        assert isinstance(change, float) and change < 1e-9


def test_whole_shape_division_shrinks_by_one_class_in_v_plus_one() -> None:
    loss = loss_of(losses.whole_shape_cce, {"targets": "one_hot (B, V)", "probabilities": "probs (B, V)"})
    result = check_law("null class", loss, [{"B": 3, "V": 5}])
    assert result.verdict == "broken"
    assert result.change == pytest.approx(1 / 6, rel=1e-9)
    assert [law for law, verdict in verdicts(loss).items() if verdict == "broken"] == ["null class"]
    assert exponents(loss, {"B": 3, "V": 5}) == pytest.approx({"V": -1.0, "B": 0.0}, abs=1e-9)


def masked_over_all(targets: Array, logits: Array, mask: Array) -> Array:
    return -((targets * losses.log_softmax(logits)).sum(-1) * mask).mean()


def not_divided(targets: Array, logits: Array) -> Array:
    return -(targets * losses.log_softmax(logits)).sum()


def divided_twice(targets: Array, logits: Array) -> Array:
    return -(targets * losses.log_softmax(logits)).sum(-1).mean() / len(targets)


def outer_product(log_probs: Array, advantages: Array) -> Array:
    return -(log_probs[:, None] * advantages).mean()


CHOSEN = {"log_probs": "log_probs (B)", "advantages": "normal (B)"}


@pytest.mark.parametrize(
    ("function", "declared", "broken"),
    [
        (masked_over_all, TOKENS, {"padding"}),
        (not_divided, TWO_DISTRIBUTIONS, {"duplication", "pointwise"}),
        (divided_twice, TWO_DISTRIBUTIONS, {"duplication", "pointwise"}),
        (outer_product, CHOSEN, {"pointwise"}),
    ],
)
def test_each_mistake_breaks_its_laws(
    function: Callable[..., Any], declared: dict[str, str], broken: set[str]
) -> None:
    loss = loss_of(function, declared)
    found = {law for law, verdict in verdicts(loss).items() if verdict == "broken"}
    if "mask" in declared:  # counted per example here, so that only the denominator differs
        found -= {"pointwise"}
    assert found == broken


def test_exponents_without_a_reference() -> None:
    assert exponents(loss_of(not_divided, TWO_DISTRIBUTIONS), {"B": 3, "V": 5}) == pytest.approx(
        {"V": 0.0, "B": 1.0}, abs=1e-9
    )
    assert exponents(loss_of(divided_twice, TWO_DISTRIBUTIONS), {"B": 3, "V": 5}) == pytest.approx(
        {"V": 0.0, "B": -1.0}, abs=1e-9
    )


def test_exponents_of_a_masked_loss() -> None:
    over_all = loss_of(masked_over_all, TOKENS, unit=("n_valid",))
    sizes = {"B": 3, "T": 7, "V": 5}
    assert exponents(over_all, sizes) == pytest.approx({"V": 0.0, "N": -1.0, "n_valid": 1.0}, abs=1e-9)
    right = exponents(RIGHT["masked cross-entropy"], sizes)
    assert right == pytest.approx({"V": 0.0, "N": 0.0, "n_valid": 0.0}, abs=1e-9)
    assert set(exponents(loss_of(masked_over_all, TOKENS, unit=("n_valid",), fixed={"T": 7}), sizes)) == {"V"}


def up_to_the_length(x: Array, lengths: Array) -> Array:
    mask = np.arange(x.shape[1]) < lengths[:, None]
    return (x**2 * mask).sum() / mask.sum()


@pytest.mark.parametrize(
    ("function", "declared"),
    [
        (up_to_the_length, {"x": "normal (B, T)", "lengths": "lengths (B)"}),
        (lambda x, pad: (x**2)[~pad].mean(), {"x": "normal (B, T)", "pad": "pad_mask (B, T)"}),
        (lambda x, y: (x**2)[y != 0].mean(), {"x": "normal (B, T)", "y": "padded_labels (B, T)"}),
    ],
    ids=["lengths", "pad_mask", "padded_labels"],
)
def test_every_way_to_say_what_is_padding_can_be_padded(
    function: Callable[..., Any], declared: dict[str, str]
) -> None:
    right = loss_of(function, declared, unit=("n_valid",))
    assert {law: verdict for law, verdict in verdicts(right).items() if verdict != "not applicable"} == {
        "padding": "holds",
        "duplication": "holds",
        "pointwise": "holds",
    }
    name = next(argument.name for argument in right.arguments if argument.name != "x")
    unmasked = loss_of(lambda **given: (given["x"] ** 2).mean(), declared, unit=("n_valid",))
    assert unmasked.mask is not None and unmasked.mask.name == name
    assert check_law("padding", unmasked).verdict == "broken"


def squared_error(x: Array, y: Array) -> Array:
    return ((x - y) ** 2).mean()


def dice(probs: Array, truth: Array) -> Array:
    return 1 - (2 * (probs * truth).sum(1) / (probs.sum(1) + truth.sum(1))).mean()


def smoothed(targets: Array, logits: Array) -> Array:
    return -((0.9 * targets + 0.1 / targets.shape[-1]) * losses.log_softmax(logits)).sum(-1).mean()


def info_nce(queries: Array, keys: Array) -> Array:
    return -np.diag(losses.log_softmax(queries @ keys.T)).mean()


def normal_entropy(sigma: Array) -> Array:
    return (0.5 * np.log(2 * np.pi * np.e) + np.log(sigma)).sum(-1).mean()


def perplexity(targets: Array, logits: Array) -> Array:
    return np.exp(losses.cross_entropy(targets, logits))


def class_weighted(labels: Array, logits: Array, weight: Array) -> Array:
    picked = np.take_along_axis(losses.log_softmax(logits), labels[:, None], axis=1)[:, 0]
    return -(picked * weight[labels]).sum() / weight[labels].sum()


def root_mean_squared(x: Array, y: Array) -> Array:
    return squared_error(x, y) ** 0.5


EXEMPT = [
    (squared_error, {"x": "probs (B, V)", "y": "one_hot (B, V)"}, "elementwise loss"),
    (dice, {"probs": "probs (B, T, V)", "truth": "one_hot (B, T, V)"}, "macro average"),
    (smoothed, TWO_DISTRIBUTIONS, "label smoothing"),
    (info_nce, {"queries": "normal (B, D)", "keys": "normal (B, D)"}, "in-batch negatives"),
    (normal_entropy, {"sigma": "sigma (B, D)"}, "normal entropy"),
    (perplexity, TWO_DISTRIBUTIONS, "perplexity"),
    (
        class_weighted,
        {"labels": "labels (B)", "logits": "logits (B, V)", "weight": "positive (V)"},
        "weighted mean",
    ),
    (root_mean_squared, {"x": "normal (B)", "y": "normal (B)"}, "figure of the set"),
]


@pytest.mark.parametrize(
    ("function", "declared", "reason"), EXEMPT, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_every_exemption_excuses_right_code(
    function: Callable[..., Any], declared: dict[str, str], reason: str
) -> None:
    laws = EXEMPTIONS[reason].laws
    exempt = loss_of(function, declared, exempt=dict.fromkeys(laws, reason))
    assert "broken" not in verdicts(exempt).values()
    assert all(check_law(law, exempt).verdict == "not applicable" for law in laws)
    assert all(EXEMPTIONS[reason].because in check_law(law, exempt).reason for law in laws)
    without = verdicts(exempt.without_exemptions())
    assert {law for law, verdict in without.items() if verdict == "broken"} == set(laws)


def test_every_exemption_of_the_list_is_tried() -> None:
    by_level = {"weighted term"}  # of the uniform law, which `examine` tries
    assert {reason for _, _, reason in EXEMPT} == set(EXEMPTIONS) - by_level


def test_the_list_is_closed() -> None:
    for exempt in ({"null class": "it is fine"}, {"padding": "elementwise loss"}):
        with pytest.raises(ValueError, match="no exemption"):
            loss_of(losses.entropy, {"probabilities": "probs (B, V)"}, exempt=exempt)


def test_a_loss_that_is_not_finite_is_no_verdict() -> None:
    loss = loss_of(lambda x: x.sum() / 0.0, {"x": "positive (B)"})
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="the loss is inf"):
        check_law("duplication", loss)


def test_a_loss_of_zero_keeps_the_laws_only_if_it_stays_zero() -> None:
    assert verdicts(loss_of(lambda x: 0.0 * x, {"x": "normal (B)"}))["duplication"] == "holds"
    counted = loss_of(lambda x: float(len(x) - 3), {"x": "normal (B)"})
    assert check_law("duplication", counted, [{"B": 3}]).verdict == "broken"


def test_an_epoch_whose_figure_depends_on_the_cut_breaks_the_law_of_the_split() -> None:
    def means(x: np.ndarray, size: int) -> list[float]:
        return [x[start : start + size].mean() for start in range(0, len(x), size)]

    arguments = {"x": "positive (B)", "size": "batch B"}
    assert verdicts(loss_of(lambda x, size: x.sum() / len(x), arguments))["split"] == "holds"
    assert verdicts(loss_of(lambda x, size: sum(means(x, size)) / len(x), arguments))["split"] == "broken"
    # Off because the last batch is smaller.
    assert verdicts(loss_of(lambda x, size: np.mean(means(x, size)), arguments))["split"] == "broken"
    equal = check_law("split", loss_of(lambda x, size: np.mean(means(x, size)), arguments), [{"B": 4}])
    assert equal.verdict == "holds"


def test_laws_that_do_not_apply_say_why() -> None:
    results = check_laws(loss_of(lambda x: x.mean(), {"x": "normal (D)"}))
    assert {law: result.reason for law, result in results.items()} == {
        "null class": "no argument has a support axis",
        "padding": "no argument is a mask",
        "duplication": "no argument has an axis of examples",
        "pointwise": "no argument has an axis of examples",
        "split": "no argument says how the examples are cut into batches",
    }
    fixed = check_law("null class", loss_of(losses.cross_entropy, TWO_DISTRIBUTIONS, fixed={"V": 10}))
    assert (fixed.verdict, fixed.reason) == ("not applicable", "the code fixes V = 10")


def test_an_unknown_law_is_refused() -> None:
    with pytest.raises(KeyError):
        check_law("gravity", RIGHT["entropy"])


def test_terms_and_items_are_taken_out() -> None:
    def two_terms(x: Array, beta: float) -> dict[str, Array]:
        return {"loss": x.sum() + beta * x.mean(), "other": x}

    loss = loss_of(two_terms, {"x": "normal (B)", "beta": "scalar 0.3"}, output="loss", term="beta")
    assert loss({"x": np.array([1.0, 3.0]), "beta": 0.3}) == pytest.approx(2.0)


def test_a_null_class_has_no_mass() -> None:
    loss = loss_of(losses.kl_divergence, {"targets": "probs (V, B)", "predictions": "logits (B, V)"})
    grown = with_null_class(loss, draw_inputs(loss.arguments, {"B": 3, "V": 5}))
    assert grown["targets"].shape == (6, 3) and grown["predictions"].shape == (3, 6)
    assert (grown["targets"][-1] == 1e-30).all() and (grown["predictions"][:, -1] == -70).all()


def test_padding_is_masked_and_its_values_are_not_zero() -> None:
    loss, sizes = RIGHT["masked cross-entropy"], {"B": 3, "T": 7, "V": 5}
    inputs = draw_inputs(loss.arguments, sizes)
    padded = with_padding(loss, inputs, sizes)
    assert padded["mask"].shape == (3, 11) and not padded["mask"][:, 7:].any()
    np.testing.assert_array_equal(padded["logits"][:, :7], inputs["logits"])
    assert (padded["logits"][:, 7:] != 0).all()


def test_duplicates_are_along_the_axis_wherever_it_is() -> None:
    loss = loss_of(squared_error, {"x": "normal (V, B)", "y": "normal (B)", "n": "size B"})
    doubled = with_duplicates(loss, draw_inputs(loss.arguments, {"B": 3, "V": 5}))
    assert doubled["x"].shape == (5, 6) and doubled["y"].shape == (6,) and doubled["n"] == 6
