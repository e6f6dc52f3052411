"""The audit: every verdict, and the figures that the project promises to print."""

from __future__ import annotations

import math

import pytest
from batchmean_reference.claims import Claim, short, stops_at
from batchmean_reference.demo import Results

VERDICTS = {
    "Expected loss": "does not hold",
    "A ceiling": "holds when",
    "What its scale depends on": "holds when",
    "Gradient": "holds when",
    "Half precision": "does not hold",
    "SGD at the same rate": "does not hold",
    "SGD at rate x V": "holds when",
    "Adam": "holds when",
    "L2 penalty": "holds when",
    "A second loss term": "holds when",
    "Clipping": "holds when",
    "Weight decay, AdamW": "holds when",
    "Weight decay, SGD": "holds when",
    "Perplexity": "holds",
    "Early stopping": "holds",
    "Comparing vocabularies": "holds",
    "The repair": "holds when",
    "Generated text": "holds when",
}


@pytest.fixture(scope="module")
def claims(results: Results) -> dict[str, Claim]:
    return {claim.topic: claim for claim in results.claims}


def test_every_claim_has_its_verdict(claims: dict[str, Claim]) -> None:
    assert {topic: claim.verdict for topic, claim in claims.items()} == VERDICTS


def test_a_condition_is_given_where_a_claim_holds_under_one(claims: dict[str, Claim]) -> None:
    assert all(claim.when for claim in claims.values() if claim.verdict == "holds when")


def test_the_write_ups_table_leaves_out_the_sum_over_the_batch(claims: dict[str, Claim]) -> None:
    figures = claims["Expected loss"].figures
    assert [short(x) for x in figures["formula"]] == ["0.0461", "0.0124", "0.00691"]
    assert figures["measured"] == pytest.approx(figures["formula"], rel=0.01)
    for formula, claimed in zip(figures["formula"], figures["claimed"], strict=True):
        assert formula / claimed == pytest.approx(32, rel=0.002)


def test_below_0_007_from_985_up(claims: dict[str, Claim]) -> None:
    figures = claims["A ceiling"].figures
    assert figures["from_V_by_formula"] == 985
    assert 985 <= figures["from_V_measured"] <= 991
    assert figures["largest_seen"] < 0.007 < figures["worst"]


def test_the_gradient_is_v_times_shorter_in_the_same_direction(claims: dict[str, Claim]) -> None:
    figures = claims["Gradient"].figures
    assert figures["times_shorter"] == pytest.approx([100, 500, 1000], rel=1e-12)
    assert figures["cosine"] == pytest.approx([1, 1, 1], abs=1e-12)


def test_sgd_is_v_times_slower_and_at_rate_times_v_the_same(claims: dict[str, Claim]) -> None:
    one_batch = claims["SGD at the same rate"].figures["one_batch"]
    learned = one_batch["start"] - one_batch["right"]
    assert one_batch["start"] - one_batch["wrong"] == pytest.approx(learned / 100, rel=0.05)
    assert one_batch["start"] - one_batch["wrong_V_times"] == pytest.approx(learned, rel=0.05)
    assert max(claims["SGD at rate x V"].figures["apart"]) < 1e-12
    assert claims["SGD at rate x V"].figures["apart_float32"] < 1e-3


def test_adams_curve_is_moved_by_v(claims: dict[str, Claim]) -> None:
    figures = claims["Adam"].figures
    right, off = figures["drop_right"], figures["drop_wrong"]
    assert figures["epsilon"] == pytest.approx([1e-10, 1e-8, 1e-6, 1e-4, 1e-2])
    assert off[:-1] == pytest.approx(right[1:], rel=1e-9)  # V = 100: two powers of ten, one place
    assert off[1] == pytest.approx(right[1], rel=0.01)
    assert off[-1] < 0.5 * right[-1]


@pytest.mark.parametrize("topic", ["L2 penalty", "A second loss term", "Clipping", "Weight decay, SGD"])
def test_whatever_is_not_the_loss_is_turned_up_v_fold(claims: dict[str, Claim], topic: str) -> None:
    figures = claims[topic].figures
    assert figures["as_it_is"] > 0.05
    assert figures["turned_up"] < 1e-12
    assert figures["mended"] < 1e-12


def test_dividing_by_the_first_axis(claims: dict[str, Claim]) -> None:
    figures = claims["The repair"].figures
    assert figures["B_V"] == pytest.approx(1, rel=1e-12)
    assert figures["B_T_V"] == pytest.approx(32, rel=1e-12)
    assert figures["flattened"] == pytest.approx(1, rel=1e-12)


def test_perplexity_of_guessing_is_v_only_with_the_right_loss(claims: dict[str, Claim]) -> None:
    off, right = claims["Perplexity"].figures["untrained"]
    assert right == pytest.approx([100, 500, 1000], rel=0.05)
    assert off == pytest.approx([math.exp(math.log(v) / v) for v in (100, 500, 1000)], rel=0.01)


def test_four_samples_are_shown(results: Results) -> None:
    assert len(results.samples) == 4
    assert all(text.startswith("Alice ") for text in results.samples.values())


class TestStopping:
    def test_stops_after_patience_without_improvement(self) -> None:
        assert stops_at([1.0, 0.5, *[0.4999] * 20], patience=10, least=0.001) == 11

    def test_goes_on_while_it_improves(self) -> None:
        assert stops_at([1 - i / 100 for i in range(50)]) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0"),
        (4.60517, "4.61"),
        (1000, "1000"),
        (12345.6, "12346"),
        (2.2e-16, "2.2e-16"),
        (1e7, "1e+07"),
        (999.9999, "1000"),
    ],
)
def test_numbers_are_short(number: float, expected: str) -> None:
    assert short(number) == expected
