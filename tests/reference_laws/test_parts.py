"""The law of split over micro-batches and ranks: what each mode weighs its tokens by, and which laws that keeps."""

from __future__ import annotations

import numpy as np
import pytest
from batchmean_reference.accumulated import TEXTS, Cut, gradient, texts, trained
from batchmean_reference.laboratory import Run, flat
from batchmean_reference.parts import MODES, UNEQUAL, cut, distance, kept


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("token-mean", {"split", "unequal parts", "pointwise"}),
        ("seq-mean-token-mean", {"unequal parts"}),
        ("seq-mean-token-sum", {"unequal parts"}),
        ("seq-mean-token-sum-norm", {"unequal parts"}),
        ("global token-mean", {"pointwise"}),
    ],
)
def test_each_mode_keeps_these_laws(name: str, lost: set[str]) -> None:
    assert {law for law, holds in kept(MODES[name]).items() if not holds} == lost


def test_equal_parts_show_nothing() -> None:
    equal = np.ones((8, 7), bool)
    assert all(kept(mode, equal)["split"] for mode in MODES.values())
    assert distance(MODES["token-mean"], UNEQUAL, accumulate=4) > 0.1


@pytest.mark.parametrize(("accumulate", "ranks"), [(2, 1), (4, 1), (1, 2), (1, 4), (2, 2)])
def test_the_weights_are_those_of_the_loop_as_it_is_written(accumulate: int, ranks: int) -> None:
    losses = np.random.default_rng(0).normal(size=UNEQUAL.shape)
    parts = cut(len(UNEQUAL), accumulate, ranks)
    means = [losses[part][UNEQUAL[part]].mean() for part in parts]
    sums = [losses[part][UNEQUAL[part]].sum() for part in parts]
    of_sequences = [losses[i][UNEQUAL[i]].mean() for i in range(len(UNEQUAL))]
    expected = {
        "token-mean": np.mean(means),
        "global token-mean": np.sum(sums) / UNEQUAL.sum(),
        "seq-mean-token-mean": np.mean(of_sequences),
    }
    for name, value in expected.items():
        assert (MODES[name].weights(UNEQUAL, parts) * losses).sum() == pytest.approx(value, rel=1e-12)


def test_the_gradient_of_the_parts_is_that_of_their_loss() -> None:
    model = Run(100).fresh_model()
    inputs, labels, valid = next(texts(100, 16, seed=3))
    weights = MODES["token-mean"].weights(valid, cut(TEXTS, 4))
    everything = np.arange(TEXTS)
    _, gradients = gradient(model, inputs, labels, weights, everything)
    weight = model.all_parameters()["output.weight"]
    place = np.unravel_index(np.abs(gradients["output.weight"]).argmax(), weight.shape)
    ends = []
    for step in (1e-6, -2e-6):
        weight[place] += step
        ends.append(gradient(model, inputs, labels, weights, everything)[0])
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradients["output.weight"][place], rel=1e-5)


def test_a_whole_batch_is_its_own_measure() -> None:
    course = trained(Cut(), 100, 2)
    assert course.cosines == pytest.approx([1, 1], rel=1e-12)
    assert course.lengths == pytest.approx([1, 1], rel=1e-12)
    assert len(course.end) == len(flat(Run(100).fresh_model().all_parameters()))


def test_what_is_no_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="make no 9 parts"):
        cut(8, 3, 3)
    with pytest.raises(ValueError, match="no valid token"):
        MODES["token-mean"].weights(np.zeros((2, 3), bool), cut(2))
    with pytest.raises(ValueError, match="every sequence once"):
        MODES["token-mean"].weights(UNEQUAL, [np.arange(3)])
