"""The audit: every verdict, and the figures that the project promises to print."""

from __future__ import annotations

import math

import pytest
from batchmean_reference.claims import CLAIMS, FULL, WRITE_UP, Claim, short
from batchmean_reference.claims.reading import stops_at
from batchmean_reference.demo import Results
from batchmean_reference.laboratory import Laboratory, guessing_by_frequency, text

from docs.generate import CASE, DOCS, case

VERDICTS = {
    "A ceiling": "does not hold",
    "Input columns": "holds when",
    "Batch size": "holds when",
    "Training progress": "holds when",
    "A flat loss": "holds when",
    "Expected loss": "does not hold",
    "The observation": "holds when",
    "What its scale depends on": "holds when",
    "Capacity": "does not hold",
    "Absolute values": "holds when",
    "Where others start": "holds when",
    "Gradient": "holds when",
    "Half precision": "does not hold",
    "Convergence": "holds when",
    "Learning": "holds when",
    "Generated text": "holds when",
    "SGD at rate x V": "holds when",
    "Adam": "holds when",
    "L2 penalty": "holds when",
    "A second loss term": "holds when",
    "Clipping": "holds when",
    "Weight decay, AdamW": "holds when",
    "Weight decay, SGD": "holds when",
    "Micro-batches": "holds when",
    "Divided by the steps twice": "does not hold",
    "Means over the examples": "does not hold",
    "Sums over the batches": "does not hold",
    "Mean of perplexities": "does not hold",
    "Padding in the sum": "does not hold",
    "A sum beside a mean": "does not hold",
    "Never by the examples": "does not hold",
    "Perplexity": "holds",
    "Early stopping": "holds",
    "Comparing vocabularies": "holds",
    "Caught by log V": "holds",
    "Caught by a baseline": "holds",
    "Caught by two vocabularies": "holds",
    "Caught by the laws": "holds",
    "The repair": "holds when",
    "The one-line fix": "holds when",
    "The decision": "holds when",
}


@pytest.fixture(scope="module")
def claims(results: Results) -> dict[str, Claim]:
    return {claim.topic: claim for claim in results.claims}


def test_every_claim_has_its_verdict(claims: dict[str, Claim]) -> None:
    assert {topic: claim.verdict for topic, claim in claims.items()} == VERDICTS


@pytest.mark.heavy
def test_every_claim_has_its_verdict_at_full_size() -> None:
    lab = Laboratory()
    full = [measure(lab, FULL) for measure in CLAIMS]
    assert {claim.topic: claim.verdict for claim in full} == VERDICTS


def test_every_line_of_the_write_up_has_a_claim_that_answers() -> None:
    topics = [topic for _, topic in WRITE_UP]
    assert set(topics) <= set(VERDICTS)
    assert len({line for line, _ in WRITE_UP}) == len(WRITE_UP)
    reasons = [topic for line, topic in WRITE_UP if line.startswith("... because")]
    assert (
        len(reasons) == 4 and len(topics) - len(set(topics)) == 4
    )  # said before, and reasons for the decision


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


def test_an_axis_of_the_input_does_not_move_the_loss_across_the_bound(claims: dict[str, Claim]) -> None:
    for topic in ("Input columns", "Batch size"):
        figures = claims[topic].figures
        for when in ("untrained", "trained_SGD", "trained_Adam"):
            small, large = figures[when]
            assert max(large) < 0.007 < min(small)
        for losses in figures["untrained"]:
            assert max(losses) / min(losses) < 1.01


def test_the_case_in_the_docs_has_these_verdicts(results: Results) -> None:
    assert (DOCS / CASE).read_text(encoding="utf-8") == case(results.claims)


def test_the_tables_entry_is_32_times_below_the_bound(claims: dict[str, Claim]) -> None:
    off, mended, model = claims["The observation"].figures["times_below_the_bound"]
    assert off == pytest.approx(32 * mended)
    assert (mended, model) == pytest.approx((1.013, 1.012), abs=0.005)


def test_ten_times_the_vocabulary_is_not_a_tenth_of_the_loss(claims: dict[str, Claim]) -> None:
    figures = claims["Capacity"].figures
    assert figures["smaller"] == pytest.approx(figures["formula"], rel=0.005)
    assert figures["formula"] == pytest.approx(10 * math.log(100) / math.log(1000))


def test_v_times_the_loss_is_in_nats(claims: dict[str, Claim]) -> None:
    for vocabulary, off, right in claims["Absolute values"].figures["pairs"]:
        assert vocabulary * off == pytest.approx(right, rel=1e-9)


def test_mending_the_loss_alone_diverges(claims: dict[str, Claim]) -> None:
    figures = claims["The one-line fix"].figures
    assert 0 < figures["diverges_at"] < 20
    assert figures["apart"] < 1e-12
    before, after = figures["ends"]
    assert after == pytest.approx(before, rel=1e-9)


def test_of_the_laws_the_null_class_is_broken(claims: dict[str, Claim]) -> None:
    figures = claims["Caught by the laws"].figures
    assert figures["broken"] == ["null class"]
    assert "null class" in figures["kept"]


def test_a_baseline_of_frequencies_is_the_entropy_of_the_text() -> None:
    book = text(100)
    counts = dict.fromkeys(range(100), 1)
    for token in book.training.tolist():
        counts[token] += 1
    total = sum(counts.values())
    costs = [-math.log(counts[token] / total) for token in book.held_out.tolist()]
    assert guessing_by_frequency(100) == pytest.approx(sum(costs) / len(costs), rel=1e-12)


def test_the_decision_rests_on_reasons_that_have_conditions(claims: dict[str, Claim]) -> None:
    figures = claims["The decision"].figures
    assert figures["reasons"] == {
        topic: claims[topic].verdict for topic in ("Gradient", "Convergence", "Generated text", "Learning")
    }
    assert figures["changed"] == ["L2 penalty", "A second loss term", "Clipping"]
    assert figures["lost"] == ["Perplexity", "Early stopping", "Comparing vocabularies"]


def test_the_gradient_is_v_times_shorter_in_the_same_direction(claims: dict[str, Claim]) -> None:
    figures = claims["Gradient"].figures
    assert figures["times_shorter"] == pytest.approx([100, 500, 1000], rel=1e-12)
    assert figures["cosine"] == pytest.approx([1, 1, 1], abs=1e-12)


def test_sgd_is_v_times_slower_and_at_rate_times_v_the_same(claims: dict[str, Claim]) -> None:
    one_batch = claims["Convergence"].figures["one_batch"]
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


def test_token_means_of_parts_go_another_way_and_the_global_count_does_not(claims: dict[str, Claim]) -> None:
    figures = claims["Micro-batches"].figures
    whole, averaged, counted = figures["nats"].values()
    assert counted == pytest.approx(whole, rel=1e-9)
    assert averaged[0] == pytest.approx(whole[0], rel=1e-12)
    assert abs(averaged[-1] - whole[-1]) > 0.001
    assert max(figures["cosines"]) < 0.95
    assert 0.5 < figures["cosine"] < 0.9
    assert figures["apart"] > 0.1
    assert figures["apart_global"] < 1e-12


def test_ranks_that_average_token_means_go_another_way_the_more_of_them_there_are(
    claims: dict[str, Claim],
) -> None:
    ranks = claims["Micro-batches"].figures["ranks"]
    assert all(run["ranks_apart"] == 0 for run in ranks.values())
    two, four = (ranks[f"{count}, token-mean"] for count in (2, 4))
    assert 0.5 < four["cosine"] < two["cosine"] < 0.999
    assert 0.01 < two["apart"] < four["apart"]
    for count in (2, 4):
        assert ranks[f"{count}, global token-mean"]["apart"] < 1e-12


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
