"""`batchmean.watch` in training steps of PyTorch: what it says, what it leaves as it was, and what it leaves alone."""

from __future__ import annotations

import inspect
import logging
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import batchmean
import numpy as np
import pytest

from tests.frameworks.libraries import require

pytestmark = pytest.mark.heavy

MISSED = {"parts never divided", "every example with every weight"}
"""Wrong losses that the watch says nothing of: parts that are added up may be meant, and weights may be, too."""

RIGHT_LOSSES = Path(__file__).with_name("right_losses.py").read_text(encoding="utf-8").count("\n@right\n")


@pytest.fixture(autouse=True)
def torch() -> Iterator[Any]:
    require("torch")
    import torch as library

    library.manual_seed(0)
    before = library.get_default_dtype()  # the oracle's judge measures in 64 bits, in the same process maybe
    library.set_default_dtype(library.float32)
    yield library
    library.set_default_dtype(before)


def averaged_over_classes(logits: Any, labels: Any) -> Any:
    import torch.nn.functional as F

    return -(F.one_hot(labels, logits.shape[-1]) * F.log_softmax(logits, -1)).mean()


def batch(torch: Any) -> tuple[Any, Any]:
    return torch.randn(6, 9, requires_grad=True), torch.randint(9, (6,))


@pytest.mark.parametrize("number", range(20))
def test_right_training_steps_get_no_warning(number: int) -> None:
    from benchmarks.watch import RIGHT, watched

    assert not watched(RIGHT[number]), RIGHT[number].name


@pytest.mark.parametrize("number", range(20))
def test_wrong_training_steps_get_one(number: int) -> None:
    from benchmarks.watch import WRONG, watched

    assert watched(WRONG[number]) == (WRONG[number].name not in MISSED), WRONG[number].name


@pytest.mark.parametrize("number", range(RIGHT_LOSSES))
def test_right_losses_as_people_write_them_get_no_warning(number: int) -> None:
    from tests.watch.right_losses import RIGHT

    assert len(RIGHT) == RIGHT_LOSSES
    loss, arguments = RIGHT[number]()
    watched = batchmean.watch(loss, on="raise")
    result = watched(*arguments)
    if result.grad_fn is not None:
        result.backward()


def test_one_warning_says_what_by_how_much_and_where(torch: Any) -> None:
    loss = batchmean.watch(averaged_over_classes)
    with pytest.warns(batchmean.WrongCount) as said:
        for _ in range(3):
            loss(*batch(torch)).backward()
    (only,) = said
    text = str(only.message)
    line = inspect.getsourcelines(averaged_over_classes)[1]
    assert f"{Path(__file__)}:{line}" in text
    assert "averaged over the 9 classes" in text
    assert f"1/V = {1 / 9:.3g}" in text
    assert f"BMN102 at line {line + 3}" in text  # the linter's opinion
    assert only.filename == __file__


def test_it_raises_or_logs_as_asked(torch: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(batchmean.WrongCountError, match="1/V"):
        batchmean.watch(averaged_over_classes, on="raise")(*batch(torch)).backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batchmean.watch(averaged_over_classes, on="log")(*batch(torch)).backward()
    assert [record.levelname for record in caplog.records if "1/V" in record.message] == ["WARNING"]


def test_arguments_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="on='shout'"):
        batchmean.watch(averaged_over_classes, on="shout")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a loss function"):
        batchmean.watch(3)  # type: ignore[type-var]


def test_a_loss_that_cannot_be_judged_is_left_alone_with_one_debug_line(
    torch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "batchmean.watch")
    loss = batchmean.watch(torch.nn.functional.mse_loss)
    for _ in range(3):
        loss(torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)).backward()
    (record,) = caplog.records
    assert record.levelname == "DEBUG"
    assert "mse_loss is left alone" in record.message


def test_later_calls_call_the_loss_once(torch: Any) -> None:
    calls = []

    def counted(logits: Any, labels: Any) -> Any:
        calls.append(logits.shape)
        return torch.nn.functional.cross_entropy(logits, labels)

    loss = batchmean.watch(counted)
    loss(*batch(torch)).backward()
    first = len(calls)
    for _ in range(3):
        loss(*batch(torch)).backward()
    assert len(calls) == first + 3
    assert 1 < first <= 25


def test_a_module_is_returned_itself_and_its_hook_goes(torch: Any) -> None:
    criterion = torch.nn.CrossEntropyLoss()
    assert batchmean.watch(criterion) is criterion
    criterion(*batch(torch)).backward()
    assert not criterion._forward_hooks


def test_validation_before_training_is_not_judged(torch: Any) -> None:
    loss = batchmean.watch(averaged_over_classes)
    with torch.no_grad():
        loss(*batch(torch))
    with pytest.warns(batchmean.WrongCount):
        loss(*batch(torch)).backward()


def test_what_the_step_makes_good_is_no_mistake(torch: Any) -> None:
    loss = batchmean.watch(averaged_over_classes, on="raise")
    (9 * loss(*batch(torch))).backward()


def test_a_loss_that_fails_on_other_numbers_does_not_end_the_training(torch: Any) -> None:
    first: list[bool] = []

    def once(logits: Any, labels: Any) -> Any:
        if first:
            raise RuntimeError("called twice in a step")
        first.append(True)
        return torch.nn.functional.cross_entropy(logits, labels)

    batchmean.watch(once, on="raise")(*batch(torch)).backward()


def stateful(torch: Any) -> Any:
    """A model with all that a watch could disturb: a buffer, a counter, a mode, gradients and random numbers."""

    class Criterion(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))
            self.scale = torch.nn.Parameter(torch.ones(()))
            self.calls, self.last = 0, torch.zeros(9)

        def forward(self, logits: Any, labels: Any) -> Any:
            self.seen += logits.detach().square().mean()
            self.last.copy_(logits.detach().sum(0))
            self.calls += 1
            self.training = self.calls % 2 == 0
            return torch.nn.functional.cross_entropy(self.scale * logits, labels)

    torch.manual_seed(1)
    return torch.nn.Linear(5, 9), Criterion()


def trained(torch: Any, *, watched: bool, held: bool) -> list[Any]:
    model, criterion = stateful(torch)
    loss_fn = (lambda logits, labels: criterion(logits, labels)) if held else criterion
    optimizer = torch.optim.SGD([*model.parameters(), *criterion.parameters()], lr=0.1)
    if watched:
        loss_fn = batchmean.watch(loss_fn, optimizer=optimizer)
    random.seed(2)
    np.random.seed(2)
    for _ in range(4):
        optimizer.zero_grad()
        for _ in range(2):
            x = torch.nn.functional.dropout(torch.randn(6, 5) + random.random() + np.random.rand())
            loss_fn(model(x), torch.randint(9, (6,))).backward()
        optimizer.step()
    state = [criterion.seen, criterion.last, criterion.calls, criterion.training, criterion.scale.grad]
    return [*state, *model.parameters(), torch.get_rng_state(), random.random(), np.random.rand()]


@pytest.mark.parametrize("held", [False, True], ids=["a module", "a module in a closure"])
def test_a_watched_training_is_the_same_training(torch: Any, held: bool) -> None:
    plain, watched = (trained(torch, watched=watched, held=held) for watched in (False, True))
    for one, other in zip(plain, watched, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def accumulated(torch: Any, lengths: list[int], *, clear: bool = True, heads: int = 1) -> int:
    """How often a watch warns in a training whose parts have these numbers of valid tokens."""
    model = torch.nn.Sequential(torch.nn.Embedding(11, 4), torch.nn.Linear(4, 11))
    optimizer = torch.optim.AdamW(model.parameters())

    def tokens(logits: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

    loss_fn = batchmean.watch(tokens, optimizer=optimizer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(4):
            optimizer.zero_grad()
            for length in lengths:
                x = torch.randint(11, (3, 12))
                y = torch.where(torch.arange(12) < length, x, -100)
                loss = sum(loss_fn(model(x), y) for _ in range(heads))
                if not clear:
                    optimizer.zero_grad()
                (loss / len(lengths)).backward()
            optimizer.step()
    return len([each for each in said if issubclass(each.category, batchmean.WrongCount)])


def test_parts_of_unequal_numbers_of_tokens_are_told_once(torch: Any) -> None:
    assert accumulated(torch, [10, 4, 7]) == 1


def test_equal_parts_are_right(torch: Any) -> None:
    assert accumulated(torch, [7, 7, 7]) == 0


def test_what_is_cleared_is_not_accumulated(torch: Any) -> None:
    assert accumulated(torch, [10, 4, 7], clear=False) == 0


def test_several_terms_of_one_backward_pass_are_no_parts(torch: Any) -> None:
    assert accumulated(torch, [10, 4, 7], heads=2) == 0


@pytest.mark.parametrize("kind, warned", [("equal", False), ("unequal", True), ("first-cannot", False)])
def test_ranks_are_compared(kind: str, warned: bool, tmp_path: Path) -> None:
    """Two processes over gloo. A rank that cannot judge its loss takes part all the same: nobody waits for ever."""
    script = Path(__file__).with_name("two_ranks.py")
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path / "meeting"), kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=240) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    assert ("over 2 ranks" in said[0][0]) is warned
    assert said[1][0] == ""  # one process speaks for all


def test_importing_batchmean_imports_no_framework() -> None:
    code = "import batchmean, sys; assert callable(batchmean.check_source); print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
