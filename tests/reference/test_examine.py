"""`batchmean laws` and `assert_normalised`: anybody's loss against the laws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchmean_reference.audit import Monomial
from batchmean_reference.examine import examine
from batchmean_reference.laws import assert_normalised
from batchmean_reference.laws_command import load, main, parse_arguments, parse_exemptions
from batchmean_reference.losses import log_softmax, softmax


def right(y: Any, logits: Any) -> Any:
    return -(y * log_softmax(logits)).sum(axis=-1).mean()


def averaged_over_classes(y: Any, logits: Any) -> Any:
    return -(y * log_softmax(logits)).mean()


def picked_by_label(labels: Any, logits: Any) -> Any:
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


def divided_twice(y: Any, logits: Any) -> Any:
    return right(y, logits) / len(y)


def summed_over_the_batch(target: Any, y_pred: Any) -> Any:
    return -(target * np.log(y_pred)).sum()


def averaged_latent(mu: Any, logvar: Any) -> Any:
    return -0.5 * np.mean(1 + logvar - mu**2 - np.exp(logvar))


def batchmean_of_tokens(student: Any, teacher: Any) -> Any:
    p = softmax(teacher)
    return (p * (np.log(p) - log_softmax(student))).sum() / len(p)


def masked(y: Any, logits: Any, mask: Any) -> Any:
    return (-(y * log_softmax(logits)).sum(axis=-1) * mask).sum() / mask.sum()


def masked_over_all_positions(y: Any, logits: Any, mask: Any) -> Any:
    return (-(y * log_softmax(logits)).sum(axis=-1) * mask).mean()


def smoothed(y: Any, logits: Any, amount: float = 0.1) -> Any:
    return right(y * (1 - amount) + amount / y.shape[-1], logits)


class Criterion:
    """As in many a code base: a class whose instances are called."""

    def __call__(self, y: Any, logits: Any) -> Any:
        return right(y, logits)


class TestExamine:
    @pytest.mark.parametrize(
        ("loss", "axes", "factor"),
        [
            (right, ["B"], {}),
            (right, ["B", "T"], {}),
            (Criterion, ["B"], {}),
            (picked_by_label, ["B"], {}),
            (averaged_over_classes, ["B"], {"V": -1}),
            (averaged_over_classes, ["B", "T"], {"V": -1}),
            (divided_twice, ["B"], {"B": -1}),
            (summed_over_the_batch, ["B"], {"B": 1}),
            (averaged_latent, ["B"], {"D": -1}),
            (batchmean_of_tokens, ["B"], {}),
            (batchmean_of_tokens, ["B", "T"], {"T": 1}),
            (masked, ["B", "T"], {}),
        ],
    )
    def test_measures_the_factor(
        self, loss: Callable[..., Any], axes: list[str], factor: dict[str, int]
    ) -> None:
        found = examine(loss, axes=axes)
        assert found.factor == Monomial(factor)
        assert found.normalised == (not factor)

    def test_says_what_it_guessed(self) -> None:
        found = examine(summed_over_the_batch, args={"target": "probs"})
        assert found.declared == {"target": "probs (B, V)", "y_pred": "probs (B, V)"}
        assert found.guessed == {"y_pred"}

    def test_tries_the_next_guess_where_the_first_does_not_run(self) -> None:
        def by_label(target: Any, logits: Any) -> Any:
            return picked_by_label(target, logits)

        assert examine(by_label).declared["target"] == "labels (B)"

    def test_leaves_defaults_alone_unless_declared(self) -> None:
        exempt = {"null class": "label smoothing"}
        assert examine(smoothed, exempt=exempt).normalised
        assert "amount" not in examine(smoothed, exempt=exempt).declared
        assert examine(smoothed, args={"amount": "scalar 0.0"}).normalised

    def test_a_factor_that_is_no_power_is_none(self) -> None:
        found = examine(lambda y, logits: right(y, logits) * len(y) / (len(y) + 1))
        assert (found.factor, found.outcome) == (None, "wrong")
        assert found.broken == ["duplication", "pointwise"]

    def test_label_smoothing_is_seen_by_its_level_at_uniform_predictions(self) -> None:
        found = examine(smoothed)
        assert found.normalised and found.laws["uniform"].verdict == "holds"
        assert "label smoothing" in found.laws["null class"].reason

    def test_averaging_over_masked_positions_breaks_padding(self) -> None:
        found = examine(masked_over_all_positions, axes=["B", "T"], args={"mask": "mask (B, T)"})
        assert "padding" in found.broken
        assert found.factor == Monomial({"n_valid": 1, "N": -1})
        assert not found.normalised

    def test_lengths_and_padding_are_guessed(self) -> None:
        def up_to_the_lengths(y: Any, logits: Any, lengths: Any) -> Any:
            return masked(y, logits, np.arange(logits.shape[1]) < lengths[:, None])

        def without_padding(y: Any, logits: Any, is_pad: Any) -> Any:
            return masked(y, logits, ~is_pad)

        for loss, declared in (
            (up_to_the_lengths, {"lengths": "lengths (B)"}),
            (without_padding, {"is_pad": "pad_mask (B, T)"}),
        ):
            found = examine(loss, axes=["B", "T"])
            assert found.normalised and found.declared.items() >= declared.items()
            assert found.laws["padding"].verdict == "holds"

    def test_a_unit_that_the_caller_declares_is_taken(self) -> None:
        assert examine(batchmean_of_tokens, axes=["B", "T"], unit=["B"]).normalised

    @pytest.mark.parametrize(
        ("loss", "args", "says"),
        [
            (lambda foo: 0.0, {}, "could not be run with foo=.*--args 'foo="),
            (right, {"z": "logits"}, "there is no argument z; there are: y, logits"),
            (right, {"y": "nonsense (B, V)"}, "unknown kind 'nonsense'"),
            (right, {"y": "labels (B)", "logits": "logits (B, V)"}, "could not be run"),
            (lambda logits: 1 / 0, {}, "ZeroDivisionError"),
            (lambda logits: float("nan"), {}, "no finite number"),
            (lambda logits, labels: right(np.eye(9)[labels], logits[:, :4]), {}, "--sizes V=10"),
        ],
    )
    def test_says_why_it_cannot(self, loss: Callable[..., Any], args: dict[str, str], says: str) -> None:
        with pytest.raises(ValueError, match=says):
            examine(loss, args=args)

    def test_refuses_unknown_frameworks_and_exemptions(self) -> None:
        with pytest.raises(ValueError, match="unknown framework"):
            examine(right, framework="cobol")
        with pytest.raises(ValueError, match="closed list"):
            examine(right, exempt={"null class": "because I say so"})


class TestAssertNormalised:
    def test_passes_what_is_right(self) -> None:
        assert_normalised(right)

    def test_fails_with_the_law_the_factor_and_what_was_run(self) -> None:
        with pytest.raises(AssertionError) as failure:
            assert_normalised(averaged_over_classes)
        text = str(failure.value)
        for part in (
            "1/V of the rightly averaged one",
            "null class  broken",
            "logits: logits (B, V) [guessed]",
        ):
            assert part in text

    def test_fails_for_a_factor_that_no_law_alone_sees(self) -> None:
        with pytest.raises(AssertionError, match="T of the rightly averaged one"):
            assert_normalised(batchmean_of_tokens, axes=["B", "T"])


MODULE = """
import numpy as np

def wrong(y, p):
    return -(y * np.log(p)).mean()

def right(y, p):
    return -(y * np.log(p)).sum(axis=-1).mean()

def unreduced(y, p):
    return -(y * np.log(p)).sum(axis=-1)

not_a_function = 1
"""


class TestCommand:
    @pytest.fixture
    def module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        """A module of a user's, in the current folder. Its name is new for each test: imports are kept."""
        name = f"mine_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    def test_a_wrong_loss(self, module: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([f"{module}:wrong"]) == 1
        out = capsys.readouterr().out
        assert "its module is imported and the function is called" in out
        assert "guessed" in out
        assert "null class   broken" in out
        assert "uniform      broken          it is 1/V of log V" in out
        assert "padding      not applicable" in out
        assert "factor       1/V" in out
        assert "--args 'y=one_hot(B,V),p=probs(B,V)'" in out
        assert "--exempt" not in out  # nothing excuses a plain 1/V

    def test_a_right_loss_by_path(self, module: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([f"{module}.py:right", "--args", "y=one_hot,p=probs(B,T,V)", "--axes", "B T"]) == 0
        out = capsys.readouterr().out
        assert "guessed" not in out
        assert "T = 2, 7, 23" in out
        assert "the loss is rightly averaged" in out

    def test_an_exemption_does_not_hide_a_plain_power(
        self, module: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for reason in ("elementwise loss", "label smoothing"):
            assert main([f"{module}:wrong", "--exempt", f"null class ({reason})"]) == 1
            out = capsys.readouterr().out
            assert f"{reason} does not explain it" in out and "factor       1/V" in out

    def test_an_array_of_losses_is_judged_unit_by_unit(
        self, module: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([f"{module}:unreduced"]) == 0
        assert "returns an array of shape (3,)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["{}"], "expected MODULE:FUNCTION"),
            (["no_such_module_anywhere:f"], "cannot be imported"),
            (["{}:nothing"], "has no nothing"),
            (["{}:not_a_function"], "is not a function"),
            (["{}:wrong", "--args", "y one_hot"], "expected --args"),
            (["{}:wrong", "--exempt", "null class"], "expected --exempt"),
            (["{}:wrong", "--exempt", "null class (no reason)"], "closed list"),
        ],
    )
    def test_wrong_usage_is_one_line_and_code_2(
        self, module: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([argument.format(module) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert says in error
        assert error.count("\n") == 1

    def test_loads_attributes_of_attributes(self) -> None:
        assert load("pathlib:Path.cwd") == Path.cwd

    def test_reads_declarations(self) -> None:
        text = "y=one_hot, logits = logits (B, T, V),eps=scalar 0.1"
        assert parse_arguments(text) == {"y": "one_hot", "logits": "logits (B, T, V)", "eps": "scalar 0.1"}
        assert parse_arguments("") == {}
        assert parse_exemptions(["pointwise (in-batch negatives)"]) == {"pointwise": "in-batch negatives"}


@pytest.mark.heavy
class TestTorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_the_librarys_mean_and_batchmean(self, torch: Any) -> None:
        functional = torch.nn.functional

        def kl(student: Any, teacher: Any, reduction: str) -> Any:
            logs = functional.log_softmax(student, -1)
            return functional.kl_div(logs, functional.softmax(teacher, -1), reduction=reduction)

        for reduction, axes, factor in (
            ("batchmean", ["B"], {}),
            ("batchmean", ["B", "T"], {"T": 1}),
            ("mean", ["B"], {"V": -1}),
        ):
            found = examine(kl, args={"reduction": f"text {reduction}"}, axes=axes, framework="torch")
            assert found.factor == Monomial(factor)

    def test_a_module_in_float32(self, torch: Any) -> None:
        class Criterion(torch.nn.Module):  # type: ignore[misc]
            def forward(self, logits: Any, labels: Any) -> Any:
                return torch.nn.functional.cross_entropy(logits.float(), labels)

        assert_normalised(Criterion, framework="torch")


@pytest.mark.heavy
def test_jax() -> None:
    jax = pytest.importorskip("jax")

    def averaged(y: Any, logits: Any) -> Any:
        return -jax.numpy.mean(y * jax.nn.log_softmax(logits))

    assert examine(averaged, framework="jax").factor == Monomial({"V": -1})
