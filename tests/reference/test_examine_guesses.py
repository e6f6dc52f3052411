"""What `examine` guesses and says of losses as people write them, nothing declared."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchmean_reference.calling import Callee, Unjudged
from batchmean_reference.examine import Examination, examine, fraction, headline
from batchmean_reference.frameworks import FRAMEWORKS
from batchmean_reference.guess import role_of
from batchmean_reference.laws import assert_normalised
from batchmean_reference.losses import log_softmax, softmax
from batchmean_reference.uniform import fit

Array = Any


def picked(logits: Array, labels: Array) -> Array:
    """-log p of each label."""
    return -np.take_along_axis(log_softmax(logits), labels[..., None], axis=-1)[..., 0]


def right(y: Array, logits: Array) -> Array:
    return -(y * log_softmax(logits)).sum(-1).mean()


def over_a_vocabulary(y: Array, logits: Array) -> Array:
    return right(y, logits) / 50257


def bce(y: Array, p: Array) -> Array:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


def bce_of_logits(logits: Array, y: Array) -> Array:
    return (np.logaddexp(0, logits) - logits * y).mean()


def squared(pred: Array, target: Array) -> Array:
    return ((pred - target) ** 2).mean()


def squared_sum(pred: Array, target: Array) -> Array:
    return ((pred - target) ** 2).sum()


def root_mean_squared(pred: Array, target: Array) -> Array:
    return squared(pred, target) ** 0.5


def log_probs_called_predictions(preds: Array, targets: Array) -> Array:
    return -np.mean(preds * targets)


def kl(p: Array, q: Array) -> Array:
    return (p * np.log(p / q)).mean()


def entropy(probs: Array) -> Array:
    return -(probs * np.log(probs)).sum(-1).mean()


def distilled(student: Array, teacher: Array, temperature: float = 4.0) -> Array:
    p = softmax(teacher / temperature)
    terms = p * (np.log(p) - log_softmax(student / temperature))
    return terms.sum(-1).mean() * temperature**2


def distilled_over_classes(student: Array, teacher: Array) -> Array:
    p = softmax(teacher)
    return (p * (np.log(p) - log_softmax(student))).mean()


def of_images(logits: Array, labels: Array) -> Array:
    """Classes at axis 1, and averaged over."""
    _, classes, _, _ = logits.shape
    return -(np.eye(classes)[labels] * log_softmax(np.moveaxis(logits, 1, -1))).mean()


def focal(logits: Array, labels: Array) -> Array:
    log_p = -picked(logits, labels)
    return -(((1 - np.exp(log_p)) ** 2) * log_p).mean()


def focal_over_classes(logits: Array, labels: Array) -> Array:
    return focal(logits, labels) / logits.shape[-1]


def dice(logits: Array, labels: Array) -> Array:
    p, y = softmax(logits), np.eye(logits.shape[-1])[labels]
    return 1 - (2 * (p * y).sum(0) / (p.sum(0) + y.sum(0))).mean()


def policy_gradient(log_prob: Array, advantage: Array) -> Array:
    return -(log_prob * advantage).mean()


def every_pair(log_probs: Array, advantages: Array) -> Array:
    return -(log_probs[:, None] * advantages).mean()


def next_token(logits: Array, labels: Array) -> Array:
    return picked(logits[:, :-1, :], labels[:, 1:]).mean()


def class_weighted(logits: Array, labels: Array, weight: Array) -> Array:
    return (picked(logits, labels) * weight[labels]).sum() / weight[labels].sum()


def in_batch(queries: Array, keys: Array) -> Array:
    return -np.diag(log_softmax(queries @ keys.T)).mean()


def per_example(y: Array, logits: Array) -> Array:
    return -(y * log_softmax(logits)).sum(-1)


def per_example_over_classes(y: Array, logits: Array) -> Array:
    return -(y * log_softmax(logits)).mean(-1)


def errors(pred: Array, target: Array) -> Array:
    return (pred - target) ** 2


def ten_classes(labels: Array, logits: Array) -> Array:
    return right(np.eye(10)[labels], logits)


def zero_for_three(y: Array, logits: Array) -> Array:
    return right(y, logits) * (len(y) != 3)


def sometimes_averaged(y: Array, logits: Array) -> Array:
    return right(y, logits) if len(y) < 10 else right(y, logits) * len(y)


def noisy(y: Array, logits: Array) -> Array:
    return right(y, logits) + np.random.default_rng().random()


def by_position(y: Array, logits: Array, /) -> Array:
    return right(y, logits)


@pytest.mark.parametrize(
    ("loss", "outcome", "factor"),
    [
        (right, "right", "1"),
        (by_position, "right", "1"),
        (over_a_vocabulary, "wrong", "1/50257"),
        (bce, "right", "1"),
        (bce_of_logits, "right", "1"),
        (squared, "right", "1"),
        (squared_sum, "wrong", "B"),
        (root_mean_squared, "right", "1"),
        (log_probs_called_predictions, "wrong", "1/V"),
        (kl, "wrong", "1/V"),
        (entropy, "right", "1"),
        (distilled, "right", "1"),
        (distilled_over_classes, "wrong", "1/V"),
        (of_images, "wrong", "1/V"),
        (focal, "right", "1"),
        (focal_over_classes, "wrong", "1/V"),
        (dice, "right", "1"),
        (policy_gradient, "right", "1"),
        (every_pair, "wrong", "1"),
        (next_token, "right", "1"),
        (class_weighted, "right", "1"),
        (in_batch, "no law", "1"),
        (per_example, "right", "1"),
        (per_example_over_classes, "wrong", "1/V"),
        (errors, "no law", "1"),
        (ten_classes, "right", "1"),
        (zero_for_three, "right", "1"),
        (sometimes_averaged, "wrong", "?"),
    ],
)
def test_outcomes(loss: Callable[..., Any], outcome: str, factor: str) -> None:
    found = examine(loss)
    assert (found.outcome, fraction(found.factor, found.constant)) == (outcome, factor), found.laws


def reason(found: Examination, law: str) -> str:
    assert found.laws[law].verdict == "not applicable"
    return found.laws[law].reason


def test_what_does_not_apply_says_why() -> None:
    assert "elementwise loss" in reason(examine(bce_of_logits), "null class")
    assert "score per class" in reason(examine(dice), "null class")
    assert "compared with each other" in reason(examine(in_batch), "duplication")
    assert "no law applies: the examples are compared" in headline(examine(in_batch))
    assert "nothing is reduced" in headline(examine(errors))
    assert "16 times log V" in reason(examine(distilled), "uniform")
    assert "every example is paired with every other" in examine(every_pair).laws["pointwise"].reason


def test_guesses_are_told_as_what_the_loss_answers_to() -> None:
    assert examine(log_probs_called_predictions).declared["preds"] == "log_probs (B, V)"
    assert examine(distilled).declared["teacher"] == "logits (B, V)"
    assert examine(of_images).declared["labels"] == "labels (B, H, W)"
    assert examine(class_weighted).declared["weight"] == "positive (V)"
    assert {point["V"] for point in examine(ten_classes).points} == {10}


@pytest.mark.parametrize(
    ("loss", "options", "says"),
    [
        (noisy, {}, "the loss is random"),
        (
            lambda y, logits: (right(y, logits), logits),
            {},
            r"a tuple: 0 of shape \(\), 1 of shape \(3, 5\); .*--output",
        ),
        (lambda y, logits: {"loss": right(y, logits)}, {"output": "total"}, "no 'total'; .*loss of shape"),
        (lambda y, logits: -(y * log_softmax(logits)), {}, "the axis of the classes"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    loss: Callable[..., Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(Unjudged, match=says):
        examine(loss, **options)


def ends_python(y: Array, logits: Array) -> Array:
    raise SystemExit(3)


def lacks_a_package(y: Array, logits: Array) -> Array:
    import no_such_package_anywhere  # type: ignore[import-not-found]

    return no_such_package_anywhere


@pytest.mark.parametrize(
    ("loss", "args", "says"),
    [
        (ends_python, {}, "^the function ends Python: SystemExit: 3$"),
        (
            lacks_a_package,
            {},
            "^the function ended with ModuleNotFoundError: No module named 'no_such_package_anywhere'$",
        ),
        (
            of_images,
            {"logits": "logits(B,H,W,V)", "labels": "labels(B,H,W)"},
            r"runs with logits=logits\(B, V, H, W\).*axis 1",
        ),
        (
            lambda logits, labels: (
                -log_softmax(np.moveaxis(logits, 1, -1))[..., 0].mean() + 0 * labels.mean()
            ),
            {"logits": "logits(B,T,V)", "labels": "labels(B,T)"},
            "classes at axis 2, and the loss takes its softmax over axis 1",
        ),
    ],
)
def test_what_cannot_be_run_is_told_in_a_line(
    loss: Callable[..., Any], args: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        examine(loss, args=args)


def test_what_a_loss_prints_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def printing(y: Array, logits: Array) -> Array:
        print("a line")
        return right(y, logits)

    assert examine(printing).normalised
    assert capsys.readouterr().out == ""


def test_items_and_terms() -> None:
    def both(y: Array, logits: Array, beta: float) -> dict[str, Array]:
        return {"loss": right(y, logits) + beta * per_example(y, logits).sum(), "size": len(y)}

    found = examine(both, output="loss", term="beta")
    assert fraction(found.factor) == "B"


def test_a_mean_of_means_is_right_per_example_only() -> None:
    def by_sequence(labels: Array, logits: Array, mask: Array) -> Array:
        return ((picked(logits, labels) * mask).sum(1) / mask.sum(1)).mean()

    assert examine(by_sequence).broken == ["pointwise"]
    assert examine(by_sequence, unit=["B"]).normalised


def test_next_tokens_with_ignored_labels_and_a_count() -> None:
    def valid_sum(logits: Array, labels: Array) -> tuple[Array, Array]:
        after = labels[:, 1:]
        valid = after != -100
        return (picked(logits[:, :-1, :], np.where(valid, after, 0)) * valid).sum(), valid

    def over_valid(logits: Array, labels: Array) -> Array:
        total, valid = valid_sum(logits, labels)
        return total / valid.sum()

    def over_all(logits: Array, labels: Array) -> Array:
        total, valid = valid_sum(logits, labels)
        return total / valid.size

    args = {"labels": "ignorable_labels(B,T)"}
    found = examine(over_valid, args=args)
    assert found.normalised and found.laws["padding"].verdict == "holds"
    assert found.notes == ("Each position is compared with the label of the next one.",)
    assert "padding" in examine(over_all, args=args).broken

    def over_items(logits: Array, labels: Array, num_items_in_batch: float) -> Array:
        valid = labels != -100
        return (picked(logits, np.where(valid, labels, 0)) * valid).sum() / num_items_in_batch

    assert examine(over_items, args=args).declared["num_items_in_batch"] == "count n_valid"
    assert examine(over_items, args=args).normalised


def test_sizes_may_be_chosen() -> None:
    found = examine(ten_classes, sizes={"V": [10], "B": [4, 8]})
    assert [point["B"] for point in found.points] == [4, 8]
    assert "the code fixes V = 10" in reason(found, "null class")
    # Only V = 10 is tried, so what is a power of it is told as that.
    assert (
        fraction(examine(lambda labels, logits: ten_classes(labels, logits) / 10, sizes={"V": [10]}).factor)
        == "1/V"
    )


class Weighted:
    """Made with the number of classes."""

    def __init__(self, num_classes: int, flavour: str = "") -> None:
        self.weight = np.arange(1.0, num_classes + 1)

    def __call__(self, logits: Array, labels: Array) -> Array:
        return class_weighted(logits, labels, self.weight[: logits.shape[-1]])


def test_classes_are_made_for_each_size() -> None:
    assert examine(Weighted).normalised
    assert examine(Weighted, init={"num_classes": 11}).points[0]["V"] == 11
    with pytest.raises(ValueError, match="takes no classes; its arguments are: num_classes, flavour"):
        Callee(Weighted, init={"classes": 3})


def test_no_law_is_no_passed_test() -> None:
    with pytest.raises(ValueError, match="no law applies"):
        assert_normalised(in_batch)


def test_a_constant_is_fitted_beside_the_powers() -> None:
    points = [{"B": 3, "V": 5}, {"B": 7, "V": 5}, {"B": 3, "V": 2}]
    found = fit(points, [2 / (7 * point["V"]) for point in points])
    assert found is not None and found[0] == pytest.approx(2 / 7) and found[1] == {"V": -1}
    assert fit(points, [1.0, 2.0, -1.0]) is None
    assert fit([{"V": 10}], [0.1]) == (1.0, {"V": -1})


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("y_pred", "prediction"),
        ("y_true", "target"),
        ("student_logits", "prediction"),
        ("teacher", "teacher"),
        ("num_classes", "size"),
        ("attention_mask", "mask"),
        ("start_positions", "labels"),
        ("embeddings", "embedding"),
        ("foo", "array"),
        ("gamma", "number"),
    ],
)
def test_roles_by_name(name: str, role: str) -> None:
    assert role_of(name) == role


@pytest.mark.heavy
class TestLibraries:
    """A loss of each framework, found by its class's bases or its module, nothing declared."""

    def test_torch(self) -> None:
        torch = pytest.importorskip("torch")
        kl = examine(torch.nn.KLDivLoss)
        assert fraction(kl.factor) == "1/V" and kl.declared["input"] == "log_probs (B, V)"
        assert examine(torch.nn.KLDivLoss, init={"reduction": "batchmean"}).normalised
        found = examine(torch.nn.functional.cross_entropy)
        assert found.normalised and found.laws["padding"].verdict == "holds"  # ignore_index is -100
        adaptive = {"in_features": 7, "n_classes": 11, "cutoffs": [3, 7]}
        with pytest.raises(Unjudged, match=r"output of shape .* loss of shape .*--output"):
            examine(torch.nn.AdaptiveLogSoftmaxWithLoss, init=adaptive)
        assert examine(torch.nn.AdaptiveLogSoftmaxWithLoss, init=adaptive, output="loss").normalised
        tokens = {"input": "logits (B, T, V)", "target": "labels (B, T)"}
        with pytest.raises(ValueError, match="takes the classes at axis 1"):
            examine(torch.nn.CrossEntropyLoss, args=tokens)

    def test_code_that_wants_float32(self) -> None:
        torch = pytest.importorskip("torch")

        def loss(logits: Array, labels: Array) -> Array:
            weights = torch.eye(logits.shape[1])
            return torch.nn.functional.cross_entropy(logits @ weights, labels)

        assert examine(loss, framework="torch").normalised

    def test_keras(self) -> None:
        if FRAMEWORKS["on_keras"].missing:
            pytest.skip("needs keras and tensorflow")
        FRAMEWORKS["on_keras"].prepare()  # Paddle, of other tests, has to come before TensorFlow
        keras = importlib.import_module("keras")
        assert examine(keras.losses.CategoricalCrossentropy).normalised
        weighted = examine(keras.losses.MeanSquaredError, args={"sample_weight": "mask (B)"})
        assert fraction(weighted.factor) == "n_valid/N"

    def test_jax_is_compiled_once_per_size(self) -> None:
        jax = pytest.importorskip("jax")
        traced = []

        def loss(logits: Array, labels: Array) -> Array:
            traced.append(logits.shape)
            return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

        assert examine(loss, framework="jax").normalised
        assert len(traced) == len(set(traced))
