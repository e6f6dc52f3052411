"""Kinds of right code that were reported at first contact, each beside the wrong code that must still be found."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

TRAINING = """
import torch

def epoch(model, criterion, loader, optimizer):
    total, seen = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        {loss}
        {step}
        total += {added}
        seen += len(x)
    return total / seen
"""


def _codes(source: str) -> list[str]:
    result = batchmean.check_source(
        textwrap.dedent(source),
        select=["BMN201", "BMN202", "BMN301", "BMN306", "BMN307", "BMN501", "BMN502", "BMN504"],
    )
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("loss", "step", "added", "codes"),
    [
        ("loss = criterion(model(x), y)", "loss.backward()", "loss.item()", ["BMN501"]),
        # What is summed and averaged is a loss per example.
        ("losses = criterion(model(x), y)", "losses.mean().backward()", "losses.sum().item()", []),
        # A variational bound is a sum as often as a mean.
        ("loss = criterion(model(x), x, mu, logvar)", "loss.backward()", "loss.item()", []),
        ("loss = criterion(model(x), x, self.mu, self.log_var)", "loss.backward()", "loss.item()", []),
    ],
)
def test_a_criterion_out_of_sight_is_a_mean_only_where_nothing_speaks_against_it(
    loss: str, step: str, added: str, codes: list[str]
) -> None:
    assert _codes(TRAINING.format(loss=loss, step=step, added=added)) == codes


def test_a_number_laid_over_a_mask_is_an_array_again() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, labels, target_mask):
        return (F.cross_entropy(logits, labels) * target_mask) / target_mask.sum()
    """
    assert _codes(source) == []
    assert _codes(source.replace("target_mask) /", "target_mask).sum() /")) == ["BMN202"]


def test_a_difference_that_is_only_printed_is_no_loss() -> None:
    source = """
    def compare(out, reference, padding_mask):
        out = out.masked_fill(padding_mask, 0.0)
        reference = reference.masked_fill(padding_mask, 0.0)
        {}
    """
    assert _codes(source.format('print(f"{(out - reference).abs().mean().item()}")')) == []
    assert _codes(source.format("return (out - reference).abs().mean()")) == ["BMN201"]


BY_TASK = """
import torch
from torch import nn
from project import Task

class Step(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.task = task
        if task {first}:
            self.criterion = nn.BCEWithLogitsLoss(reduction={reduction})
        elif task {second}:
            self.criterion = nn.MSELoss()

    def loss(self, y_hat, y):
        if self.task {first}:
            valid = y != -1
            return torch.sum(self.criterion(y_hat, y) * valid) / torch.sum(valid)
        return self.criterion(y_hat, y)
"""


@pytest.mark.parametrize(
    ("first", "second"), [('== "c"', '== "r"'), ("== Task.C.value", "== Task.R.value"), ("> 1", "< 1")]
)
def test_what_init_stores_in_one_branch_is_there_in_that_branch_alone(first: str, second: str) -> None:
    right = BY_TASK.format(first=first, second=second, reduction='"none"')
    assert _codes(right) == []
    assert _codes(right.replace("none", "mean").replace(" * valid", "")) == ["BMN301"]


@pytest.mark.parametrize("setting", ["size_average = False", 'reduction = "sum"', "reduction = how"])
@pytest.mark.parametrize("criterion", ["criterion", "self.criterion"])
def test_a_criterion_that_is_told_afterwards_how_to_reduce_is_another_one(
    setting: str, criterion: str
) -> None:
    source = f"""
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self, how):
            criterion = self.criterion = nn.MSELoss()
            {criterion}.{setting}
            self.criterion = criterion

        def loss(self, x, y):
            return self.criterion(x, y) / len(x)
    """
    if criterion == "self.criterion":
        source = source.replace("            self.criterion = criterion\n", "")
    assert _codes(source) == []
    assert _codes(source.replace(setting, "name = 1")) == []
    assert _codes(source.replace(f"{criterion}.{setting}", "pass")) == ["BMN301"]


STEPPED = """
from torch import nn

def evaluate(model, data, size):
    criterion = nn.CrossEntropyLoss()
    total = 0.0
    for start in {}:
        x, y = cut(data, start)
        total += len(x) * criterion(model(x), y).item()
        print(total / (start + 1))
"""


def test_where_a_batch_begins_is_not_its_number() -> None:
    assert _codes(STEPPED.format("range(0, len(data), size)")) == []
    source = STEPPED.replace(
        "for start in {}:\n        x, y = cut(data, start)", "for start, (x, y) in enumerate(loader):"
    )
    assert _codes(source) == ["BMN502"]


@pytest.mark.parametrize(
    ("loss", "mask", "codes"),
    [
        # Confident pseudo-labels: examples are chosen, and the mean over all of them is the definition.
        ("F.cross_entropy(logits, targets, reduction='none')", "mask", []),
        (
            "F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction='none')",
            "mask.flatten()",
            ["BMN201"],
        ),
        ("F.cross_entropy(logits.transpose(1, 2), targets, reduction='none')", "mask", ["BMN201"]),
        ("F.cross_entropy(logits, targets, reduction='none')", "pad_mask", ["BMN201"]),
        # Dropped quantizers.
        ("((logits - targets) ** 2).mean([1, 2])", "mask", []),
        ("((logits - targets) ** 2).mean([1, 2])", "pad_mask", ["BMN201"]),
        # A zero-inflated likelihood.
        ("LogNormal(logits, 1.0).log_prob(targets)", "(targets > 0)", []),
        ("-Normal(logits, 1.0).log_prob(targets)", "pad_mask", ["BMN201"]),
    ],
)
def test_a_mask_of_examples_or_of_the_quantity_itself_is_no_padding(
    loss: str, mask: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F
    from torch.distributions import LogNormal, Normal

    def loss(logits, targets, mask, pad_mask):
        return ({loss} * {mask}).mean()
    """
    assert _codes(source) == codes


def test_the_sum_of_a_density_may_be_over_its_own_event() -> None:
    source = """
    from crf import CRF

    def train(model, loader):
        losses = []
        for words, label in loader:
            scores = model(words)
            scores[:, 0] = 0
            loss = {}.sum()
            (-loss).backward()
            losses.append(loss.item())
        print(sum(losses) / len(loader))
    """
    assert _codes(source.format("CRF(scores).log_prob(label.view(-1))")) == []
    assert _codes(source.format("label.view(-1)")) == ["BMN502"]


STORED = """
import jax
import jax.numpy as jnp

def loss(z, y, lengths):
    nll = -jnp.take_along_axis(jax.nn.log_softmax(z), y[..., None], axis=-1)[..., 0]
    inside = jnp.arange(z.shape[1])[None] < lengths[:, None]
    nll = nll.at[~inside].{stored}
    return {result}
"""


@pytest.mark.parametrize("stored", ["set(0.0)", "multiply(0)"])
def test_what_jax_sets_to_zero_is_masked(stored: str) -> None:
    assert _codes(STORED.format(stored=stored, result="nll.mean()")) == ["BMN201"]
    assert _codes(STORED.format(stored=stored, result="nll.sum() / inside.sum()")) == []
    assert _codes(STORED.format(stored="add(0.0)", result="nll.mean()")) == []


def test_the_number_of_an_old_loss_is_the_loss() -> None:
    source = """
    import torch
    import torch.nn.functional as F

    def epoch(model, loader):
        total = 0
        for x, y in loader:
            out = model(x)
            loss = F.mse_loss(out, x) + F.cross_entropy(out, y) / x.shape[0]
            total += {}
        return total
    """
    assert _codes(source.format("loss.data[0]")) == _codes(source.format("loss.item()")) == ["BMN301"]


@pytest.mark.parametrize(
    ("returned", "codes"),
    [
        ("sum(row.mean() for row in errors) / x.shape[1]", []),
        ("sum(row.mean() for row in errors) / x.shape[0]", []),
        ("errors.mean() / x.shape[0]", ["BMN301"]),
        ("sum(F.mse_loss(head(x), y) for head in heads) / x.shape[0]", ["BMN301"]),
    ],
)
def test_the_means_of_rows_that_are_added_up_are_no_mean(returned: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F

    def loss(x, y, heads):
        errors = (x - y) ** 2
        return {returned}
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("rank", "length", "codes"),
    [("", -2, []), ("b, v, t = probs.shape", -1, ["BMN307"]), ("b, v = probs.shape", -2, [])],
)
def test_what_is_flattened_has_as_many_axes_as_it_had(rank: str, length: int, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def loss(probs, targets):
        {rank or "pass"}
        losses = F.softmax(targets, dim=1) * F.log_softmax(probs, dim=1)
        return -losses.flatten().sum() / probs.shape[{length}]
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("total", "codes"),
    [("torch.stack([row.sum() for row in losses]).mean()", []), ("losses.sum()", ["BMN306"])],
)
def test_the_mean_of_the_sums_of_rows_is_no_sum(total: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def loss(logits, teacher_logits, values, returns):
        losses = F.softmax(teacher_logits, dim=1) * F.log_softmax(logits, dim=1)
        return F.mse_loss(values, returns) - {total}
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("plugin", "divisor", "codes"),
    [
        ("DeepSpeedPlugin(gradient_accumulation_steps=accum_steps)", "accum_steps", ["BMN504"]),
        ("DeepSpeedPlugin(gradient_accumulation_steps=accum_steps)", "1", []),
        ("DeepSpeedPlugin(zero_stage=2)", "accum_steps", []),
    ],
)
def test_the_statements_of_a_module_are_a_loop_too(plugin: str, divisor: str, codes: list[str]) -> None:
    source = f"""
    import torch
    from accelerate import Accelerator, DeepSpeedPlugin

    accum_steps = 8
    plugin = {plugin}
    accelerator = Accelerator(deepspeed_plugin=plugin)
    for step, batch in enumerate(loader):
        loss = model(**batch).loss / {divisor}
        accelerator.backward(loss)
        if (step + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(("told", "codes"), [("none", []), ("mean", ["BMN202"])])
def test_a_criterion_may_be_told_later_how_to_reduce(told: str, codes: list[str]) -> None:
    later = "self.loss.reduction = 'none'" if told == "none" else "pass"
    source = f"""
    import torch
    from torch import nn

    class Edges(nn.Module):
        def __init__(self):
            self.loss = nn.L1Loss()
            {later}

        def forward(self, output, image, valid_mask):
            return torch.mean(valid_mask * self.loss(output, image))
    """
    assert [code for code in _codes(source) if code != "BMN201"] == codes


def _all_codes(source: str) -> list[str]:
    result = batchmean.check_source(
        textwrap.dedent(source),
        select=["BMN101", "BMN102", "BMN103", "BMN104", "BMN301", "BMN303", "BMN305", "BMN502"],
    )
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("expression", "codes"),
    [
        ("-t * np.log(t)", ["BMN102"]),
        ("1.0 - t * np.log(t)", ["BMN102"]),
        ("p * np.log(p) - seen", ["BMN102"]),
        # Taken from something else it is no entropy by its sign.
        ("seen - t * np.log(t)", []),
        ("seen - (t / (2 * np.pi) * np.log(t / (2 * np.pi)) - t / (2 * np.pi) + 7 / 8)", []),
    ],
)
def test_the_sign_says_that_it_is_an_entropy_only_where_it_is_its_own(
    expression: str, codes: list[str]
) -> None:
    source = f"""
    import numpy as np

    def residual(t, p, seen):
        return np.mean({expression})
    """
    assert _all_codes(source) == codes


def test_a_vector_of_length_1_without_its_axis_is_one_number() -> None:
    source = """
    import numpy as np

    def spread(reward):
        x = np.zeros({shape})
        x[0] += reward
        mean = {sum} / 2
        return np.mean((x - mean) ** 2)
    """
    assert _all_codes(source.format(shape="1", sum="sum(x)")) == []
    assert _all_codes(source.format(shape="1", sum="np.sum(x, axis=0)")) == []
    assert _all_codes(source.format(shape="(reward.size, 1)", sum="np.sum(x, axis=1)")) == ["BMN305"]


@pytest.mark.parametrize(
    ("loss", "divisor", "codes"),
    [
        ("{}", "labels.numel()", ["BMN301"]),
        ("0.5 * {}", "labels.numel()", ["BMN301"]),
        # A length that is written out makes a sum of the mean, and a number of chunks of that of the tokens.
        ("{} * 2048", "labels.numel()", []),
        ("{} * 2048", "(labels.numel() // 2048 * 2048)", []),
        ("{}", "(labels.numel() // 2048)", []),
    ],
)
def test_a_length_that_is_written_out_may_put_the_division_right(
    loss: str, divisor: str, codes: list[str]
) -> None:
    source = """
    import torch
    import torch.nn.functional as F

    def perplexity(logits, labels):
        return {loss} / {divisor}
    """
    mean = "F.cross_entropy(logits.view(-1, 9), labels.view(-1))"
    assert _all_codes(source.format(loss=loss.format(mean), divisor=divisor)) == codes


def test_a_distribution_over_the_first_axis_is_one() -> None:
    source = """
    import torch
    import torch.nn.functional as F

    def entropy(logits):
        p = F.softmax(logits, dim={axis})
        return torch.mean(-torch.sum(p * torch.log(p)))
    """
    assert _all_codes(source.format(axis=-1)) == _all_codes(source.format(axis=1)) == ["BMN303"]
    assert _all_codes(source.format(axis=0)) == []


def test_the_gaussian_of_a_critic_is_of_one_number() -> None:
    source = """
    import torch
    from torch.distributions import Normal, kl_divergence

    def loss(net, states, target):
        mean, std = net(states)
        {name} = kl_divergence(Normal(mean, std), target)
        return {name}.mean()
    """
    assert _all_codes(source.format(name="divergence")) == ["BMN104"]
    assert _all_codes(source.format(name="critic_loss")) == []


def test_what_reads_a_file_gives_no_batches() -> None:
    source = """
    import pickle
    import numpy as np

    def returns(file):
        paths = {made}
        found = []
        for path in paths:
            found.append(path["rewards"].sum())
        return np.mean(found)
    """
    assert _all_codes(source.format(made="pickle.load(file)")) == []
    assert _all_codes(source.format(made="make_loader(file)")) == ["BMN502"]


@pytest.mark.parametrize(
    "divergence",
    ["-0.5 * (1.0 + v - m.pow(2) - v.exp())", "kl_divergence(Normal(m, v.exp()), Normal(0.0, 1.0))"],
)
@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ("mu, logvar", ["BMN104"]),
        ("mu[:, 0, :], logvar[:, 0, :]", ["BMN104"]),
        ("mu.mean(dim=-1), logvar.mean(dim=-1)", []),
        ("mu[:, 0], logvar[:, 0]", []),
        ("mu[..., 0], logvar[..., 0]", []),
    ],
)
def test_a_latent_axis_that_is_gone_is_not_averaged(parts: str, divergence: str, codes: list[str]) -> None:
    source = f"""
    from torch.distributions import Normal, kl_divergence

    def loss(mu, logvar):
        m, v = {parts}
        return ({divergence}).mean()
    """
    found = batchmean.check_source(textwrap.dedent(source), select=["BMN104"]).findings
    assert [finding.code for finding in found] == codes


@pytest.mark.parametrize(
    ("kept", "codes"),
    [
        ("loss", ["BMN202"]),
        ("torch.masked_select(loss, mask)", []),
        ("loss.masked_select(mask)", []),
        ("loss.masked_select(others)", []),
        ("loss[mask]", []),
    ],
)
def test_what_a_condition_selects_is_not_all(kept: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def distillation(student, teacher, mask, others):
        loss = -(torch.softmax(teacher, dim=-1) * torch.log_softmax(student, dim=-1)).sum(-1)
        loss = {kept}
        return loss.sum() / mask.sum()
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("weight", "codes"), [("", ["BMN202"]), ("weight=None, ", ["BMN202"]), ("weight, ", [])]
)
def test_the_weights_of_the_classes_may_leave_out_the_padding(weight: str, codes: list[str]) -> None:
    source = f"""
    from torch import nn

    def evaluate(scores, targets, weight, PAD):
        criterion = nn.NLLLoss({weight}reduction="sum")
        return criterion(scores, targets) / targets.ne(PAD).sum()
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("log_probs, old_log_probs.exp()", ["BMN103"]),
        ("action_log_probs, old_action_log_probs.exp()", []),
        ("action_log_probs.log_softmax(-1), old_action_log_probs", ["BMN103"]),
    ],
)
def test_one_action_for_each_example_has_no_classes(given: str, codes: list[str]) -> None:
    source = f"""
    from torch import nn

    def divergence(log_probs, old_log_probs, action_log_probs, old_action_log_probs):
        return nn.KLDivLoss()({given})
    """
    found = batchmean.check_source(textwrap.dedent(source), select=["BMN103"]).findings
    assert [finding.code for finding in found] == codes


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ("seen += 1", ["BMN504"]),
        ("if (i + 1) % accumulation_steps == 0:\n    seen += 1\n    print(total / seen)", []),
        ("if (i + 1) % accumulation_steps != 0:\n    continue\nseen += 1\nprint(total / seen)", []),
        ("if i % 100 == 0:\n    print(i)\nseen += 1", ["BMN504"]),
    ],
)
def test_a_count_of_some_rounds_is_not_one_of_all(told: str, codes: list[str]) -> None:
    source = """
import torch

def epoch(model, loader, optimizer, accumulation_steps):
    criterion = torch.nn.CrossEntropyLoss()
    total, seen = 0.0, 0
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / accumulation_steps
        loss.backward()
        total += loss.item()
""" + textwrap.indent(told, " " * 8)
    assert _codes(source + "\n    return total / seen\n") == codes


def test_a_bias_is_a_row_of_a_matrix() -> None:
    source = """
    import numpy as np
    from scipy.special import log_softmax

    def loss(x, weights, labels):
        bias = np.zeros(10)
        logp = log_softmax(x @ weights + bias, axis=1)
        return -(np.eye(10)[labels] * logp).sum(axis=1).mean()
    """
    assert _all_codes(source) == []
    assert _all_codes(source.replace(".sum(axis=1).mean()", ".sum() / len(labels)")) == []
    assert _all_codes(source.replace(".sum(axis=1).mean()", ".mean()")) == ["BMN102"]


def test_rows_one_below_the_other_are_a_matrix() -> None:
    source = """
    import numpy as np

    def loss(rows, labels, chosen):
        data = np.vstack([np.array([1.0, 2.0]), rows])
        target = np.zeros((120, 3))
        target[np.arange(120), labels] = 1
        return -np.mean(np.sum(target[chosen] * np.log(data[chosen]), axis=1))
    """
    assert _all_codes(source) == []


def test_a_sum_of_weights_times_one_number_is_no_second_mean() -> None:
    source = """
    import torch
    import torch.nn.functional as F

    def loss(logits, labels, weights):
        return torch.sum(weights * F.cross_entropy(logits, labels)) / labels.size(0)
    """
    assert _codes(source) == []
    assert _codes(source.replace("weights * ", "")) == ["BMN301"]


def test_the_mean_over_the_heads_is_over_the_rounds() -> None:
    source = """
    import torch.nn as nn

    def loss(model, x, mask, deep):
        criterion = nn.BCELoss()
        outputs = model(x)
        if deep:
            loss = 0
            for output in outputs:
                loss += criterion(output, mask)
            loss /= len(outputs)
        else:
            loss = criterion(outputs, mask)
        return loss
    """
    assert _codes(source) == []
    assert _codes(
        source.replace("loss = criterion(outputs, mask)", "loss = criterion(x, mask) / len(mask)")
    ) == ["BMN301"]


def test_a_mean_of_a_total_over_rounds_is_told_by_nothing() -> None:
    source = """
    import torch

    def bound(p, samples, labels):
        total = 0
        for _ in range(samples):
            total += torch.log(p.gather(1, labels)).sum()
        return {total}.mean()
    """
    assert _all_codes(source.format(total="(-total)")) == []
    assert _all_codes(source.format(total="torch.log(p.gather(1, labels)).sum()")) == ["BMN303"]


def test_what_a_base_class_makes_is_there_after_its_init_was_called() -> None:
    source = """
    import torch.nn as nn
    import torch.nn.functional as F

    class Client:
        def __init__(self, model):
            self.model = model
            self.kld = nn.KLDivLoss()

    class Distilled(Client):
        def __init__(self, model, rate):
            {init}
            self.rate = rate

        def loss(self, x, target):
            return self.kld(F.log_softmax(self.model(x), dim=1), target)
    """
    assert _all_codes(source.format(init="super().__init__(model)")) == ["BMN103"]
    assert _all_codes(source.format(init="Client.__init__(self, model)")) == ["BMN103"]
    assert _all_codes(source.format(init="self.kld = nn.KLDivLoss(reduction='batchmean')")) == []


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("kl.view((n, -1, d)).mean(0).sum(-1).mean()", []),
        ("kl.view(n, -1, d).mean(0).sum(-1).mean()", []),
        ("kl.view(n, -1, d).sum(-1).mean()", []),
        ("kl.view(n, -1, d).mean()", ["BMN104"]),
        ("kl.view(n, -1, mu.size(-1)).mean(-1).mean()", ["BMN104"]),
    ],
)
def test_lengths_that_are_nobodys_do_not_tell_which_axis_took_in_the_latent_one(
    loss: str, codes: list[str]
) -> None:
    source = f"""
    def loss(mu, logvar, n, d):
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
        return {loss}
    """
    assert _all_codes(source) == codes


@pytest.mark.parametrize(("axes", "codes"), [("n, -1, k", []), ("x.size(0), -1, x.size(-1)", ["BMN103"])])
def test_an_axis_of_another_length_need_not_be_that_of_the_classes(axes: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F

    def loss(x, y, n, k):
        kl = F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="none")
        return kl.view({axes}).mean(-1).sum(-1).mean()
    """
    assert _all_codes(source) == codes
    assert _all_codes(source.replace(".mean(-1).sum(-1).mean()", ".sum(-1).mean()")) == []
    assert _all_codes(source.replace(".mean(-1).sum(-1).mean()", ".mean()")) == ["BMN103"]


def test_two_means_of_one_loss_are_told_once_where_the_latent_axis_goes() -> None:
    source = """
    import torch

    def kl(mu, var):
        return torch.mean(
            0.5 * torch.mean(mu ** 2 + var - torch.log(var) - 1, dim=1)
        )

    def train(model, x):
        mu, var = model(x).view(32, 2, 16).unbind(1)
        return kl(mu, var)
    """
    result = batchmean.check_source(textwrap.dedent(source))
    assert [(finding.code, finding.span.line) for finding in result.findings] == [("BMN104", 6)]


def test_the_padding_of_a_sequence_that_is_cut_into_rows_may_be_cut_off() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, labels, k):
        losses = F.cross_entropy(logits, labels.clamp(min=0), reduction="none") * (labels >= 0)
        return losses.view(-1, k + 1)[:, :k].mean(0)
    """
    assert _codes(source) == []
    assert _codes(source.replace(".view(-1, k + 1)", "")) == ["BMN201"]


@pytest.mark.parametrize(
    ("otherwise", "codes"),
    [
        ("loss = F.mse_loss(x, y, reduction='none')", []),
        ("loss = model(x, y)", []),
        ("loss = F.l1_loss(x, y, reduction='sum')", ["BMN303"]),
    ],
)
def test_a_mean_of_one_number_may_be_there_for_the_other_way(otherwise: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F

    def loss(model, x, y, flag):
        if flag:
            loss = F.mse_loss(x, y, reduction="sum")
        else:
            {otherwise}
        return loss.mean()
    """
    assert sorted(set(_all_codes(source))) == codes


def test_what_another_module_makes_is_not_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "pairs.py").write_text("import torch\n\ndef kernel(x):\n    return torch.exp(-x)\n")
    source = textwrap.dedent("""
    import torch
    from pairs import kernel

    def loss(a, b):
        q1, q2 = kernel(a), kernel(b)
        return -(q1 * torch.log(q2 + 1e-12)).mean()
    """)
    for module, codes in (("pairs", []), ("elsewhere", ["BMN102"])):
        (tmp_path / "loss.py").write_text(source.replace("from pairs", f"from {module}"))
        (result,) = batchmean.check_files(tmp_path / "loss.py")
        assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("stored", "codes"),
    [
        ("chosen[:length, i]", []),
        ("chosen[i, :length]", []),
        ("chosen[start:, i]", []),
        ("chosen[i, length]", ["BMN102"]),
        ("chosen[:, length]", ["BMN102"]),
        ("chosen[..., length]", ["BMN102"]),
    ],
)
def test_ones_that_are_stored_in_a_range_are_no_one_hot_target(stored: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def loss(probs, lengths, start):
        chosen = torch.zeros(probs.size(0), probs.size(1))
        for i, length in enumerate(lengths):
            {stored} = 1
        return -(chosen * torch.log(probs)).mean()
    """
    assert _all_codes(source) == codes


@pytest.mark.parametrize(("given", "codes"), [("loss / count", []), ("loss", ["BMN306"])])
def test_a_sum_over_what_was_chosen_may_be_the_divisor(given: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def loss(logits, labels, hot, threshold):
        scores = torch.sigmoid(logits)
        chosen = torch.zeros_like(scores)
        chosen[scores > threshold] = 1
        count = sum(sum(chosen))
        loss = torch.sum(chosen * F.binary_cross_entropy(scores, hot, reduction="none"))
        return F.cross_entropy(logits, labels) + {given}
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(("divided", "codes"), [("kl /= logvar.numel()", []), ("pass", ["BMN306"])])
def test_a_test_that_was_made_by_the_caller_is_decided(divided: str, codes: list[str]) -> None:
    source = f"""
    def losses(model, x, mu, logvar, out):
        if isinstance(model, Quantised):
            return 0, 0
        else:
            kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()
            {divided}
            return (out - x).pow(2).mean(dim=(0, -1)), kl

    def step(model, x, mu, logvar, out, beta):
        if isinstance(model, Quantised):
            rebuilt, kl = losses(model, x, mu, logvar, out)
        else:
            rebuilt, kl = losses(model, x, mu, logvar, out)
        return rebuilt + kl
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("F.binary_cross_entropy", ["BMN301"]),
        ("F.binary_cross_entropy_with_logits", ["BMN301"]),
        ("nn.BCELoss()", ["BMN301"]),
        ("F.mse_loss", []),  # of (B,) and (B, 1) it would be over pairs
    ],
)
def test_a_loss_that_refuses_two_shapes_has_no_pairs(loss: str, codes: list[str]) -> None:
    source = f"""
    import torch
    from torch import nn
    import torch.nn.functional as F

    def loss(model, x):
        size = x.size(0)
        return {loss}(model(x), torch.ones(size, 1)) / size
    """
    assert _codes(source) == codes
    assert _codes(source.replace(" / size", "")) == []


def test_what_a_trainer_of_another_module_shows_is_told_there(tmp_path: Path) -> None:
    trainer = """
    import torch

    class Trainer:
        def __init__(self, model, loader, optimizer, args):
            self.model, self.loader, self.optimizer, self.args = model, loader, optimizer, args

        def train(self):
            for step, batch in enumerate(self.loader):
                token_mask = batch["token_mask"].to(self.device)
                losses = self.criterion(self.model(batch["x"]), batch["y"])
                loss = (losses * token_mask).sum() / token_mask.sum()
                loss = loss / self.args.gradient_accumulation_steps
                loss.backward()
                if (step + 1) % self.args.gradient_accumulation_steps == 0:
                    self.optimizer.step()
                    self.optimizer.zero_grad()
    """
    main = """
    from trainer import Trainer

    def main(model, loader, optimizer, args):
        trainer = Trainer(model, loader, optimizer, args)
        print(args.gradient_accumulation_steps)
        trainer.train()
    """
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (tmp_path / "trainer.py").write_text(textwrap.dedent(trainer))
    (tmp_path / "main.py").write_text(textwrap.dedent(main))
    told = {}
    for name in ("main.py", "trainer.py"):
        (result,) = batchmean.check_files(tmp_path / name, select=["BMN503"])
        told[name] = [finding.code for finding in result.findings]
    assert told == {"main.py": [], "trainer.py": ["BMN503"]}


@pytest.mark.parametrize(
    ("advantages", "factor"), [("advantages", {"B": 1}), ("advantages.unsqueeze(1)", None)]
)
def test_a_division_of_pairs_that_is_thrown_away_has_no_factor(
    advantages: str, factor: dict[str, int] | None
) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def loss(logits, labels, advantages):
        chosen = F.log_softmax(logits, dim=-1)[torch.arange(len(labels)), labels]
        total = -(chosen * {advantages}).sum()
        total.div(logits.shape[0])
        return total
    """
    result = batchmean.check_source(textwrap.dedent(source))
    found = [finding for finding in result.findings if finding.code == "BMN304"]
    assert [finding.factor for finding in found] == [factor]


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ('self.config.how == "sum"', 'self.config.how == "mean"', []),
        ("self.config.summed", "not self.config.summed", []),
        ('self.config.how == "sum"', 'self.config.other == "mean"', ["BMN303"]),
    ],
)
def test_two_tests_in_a_row_decide_alike_where_anything_may_have_changed_the_configuration(
    first: str, second: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def prepare(config):
        hook(config)
        config["prepared"] = True

    class Model:
        def __init__(self, config):
            self.config = config

        def forward(self, logits, labels):
            prepare(self.config)
            loss = F.cross_entropy(logits, labels, reduction="none")
            if {first}:
                loss = loss.sum()
            if {second}:
                loss = loss.mean()
            return loss
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(("axis", "codes"), [(0, []), (1, ["BMN102"]), (-1, ["BMN102"])])
def test_probabilities_over_the_rows_and_over_the_columns_have_no_axis_in_common(
    axis: int, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def entropy(logits):
        probs = F.softmax(logits, dim={axis})
        return -(probs * F.log_softmax(logits, dim=1)).mean()
    """
    result = batchmean.check_source(textwrap.dedent(source))
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(("weight", "codes"), [("agent.outDim", []), ("agent.beta", ["BMN102"])])
def test_a_mean_over_the_classes_times_their_number_is_right_whatever_its_spelling(
    weight: str, codes: list[str]
) -> None:
    source = f"""
    import jax
    import jax.numpy as jnp

    def entropy(logits, agent):
        return jnp.mean(-jax.nn.softmax(logits) * jax.nn.log_softmax(logits) * {weight})
    """
    result = batchmean.check_source(textwrap.dedent(source))
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ('config["how"] == "sum"', 'config["how"] == "mean"', []),
        ('config.get("how") == "sum"', 'config.get("how") == "mean"', []),
        ('config.how.lower() == "sum"', 'config.how.lower() == "mean"', []),
        ('str(config.how) == "sum"', 'str(config.how) == "mean"', []),
        ('getattr(config, "how", None) == "sum"', 'getattr(config, "how", None) == "mean"', []),
        ('config.how in ("sum", "total")', 'config.how in ("mean", "average")', []),
        ('config.how in ("sum", "total")', 'config.how == "mean"', []),
        ("config.how is How.SUM", "config.how is How.MEAN", []),
        ("config.level == 0", "config.level == 1", []),
        ("config.level == 0", "config.level != 0", []),
        ('config.how in ("sum", "both")', 'config.how in ("mean", "both")', ["BMN303"]),
        ('config.how in ("sum", "both")', 'config.how == "both"', ["BMN303"]),
        ('config.get("how") == "sum"', 'config.get("other") == "mean"', ["BMN303"]),
        ("config.level == 0", "config.other == 1", ["BMN303"]),
        ("config.how == one", "config.how == other", ["BMN303"]),
    ],
)
@pytest.mark.parametrize("before", ["pass", "prepare(config)"])
def test_two_answers_to_one_question_exclude_each_other(
    before: str, first: str, second: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def prepare(config):
        hook(config)
        config["prepared"] = True

    def loss(logits, labels, config):
        {before}
        loss = F.cross_entropy(logits, labels, reduction="none")
        if {first}:
            loss = loss.sum()
        if {second}:
            loss = loss.mean()
        return loss
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("given", "used", "codes"),
    [
        ("total, dims, mean", "total", []),
        ("dims, mean", "dims.sum()", []),
        ("mean, total", "total", ["BMN104"]),
        ("mean, mu", "mean", ["BMN104"]),
        ("2.0 * mean, total", "total", ["BMN104"]),
    ],
)
def test_a_latent_mean_that_is_given_back_beside_its_sum_is_a_statistic(
    given: str, used: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def divergences(mu, logvar):
        if mu.data.ndimension() == 4:
            mu = mu.view(mu.size(0), mu.size(1))
        terms = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
        total = terms.sum(1).mean(0, True)
        dims = terms.mean(0)
        mean = terms.mean(1).mean(0, True)
        return {given}

    for x, y, model in rounds:
        mu, logvar, output = model(x)
        {given.replace("2.0 * ", "")} = divergences(mu, logvar)
        loss = F.binary_cross_entropy_with_logits(output, y, reduction="sum") / len(x) + 4 * {used}
        loss.backward()
        print(total.item())
    """
    assert _all_codes(source) == codes


def test_a_latent_mean_that_is_added_to_a_loss_is_no_statistic() -> None:
    source = """
    import torch.nn.functional as F

    def divergences(mu, logvar):
        terms = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
        total = terms.sum(1).mean()
        mean = terms.mean()
        return total, mean

    def loss(mu, logvar, output, labels):
        total, mean = divergences(mu, logvar)
        return F.cross_entropy(output, labels) + mean
    """
    assert _all_codes(source) == ["BMN104"]


@pytest.mark.parametrize(
    ("result", "codes"),
    [
        ("return loss, kl.mean()", []),
        ("return loss, {'kl': kl.mean()}", []),
        ("return {'kl': kl.mean().item(), 'loss': loss}", []),
        ("return {'loss': loss, 'kl': -kl.mean()}", []),
        ("self.kl = kl.mean()\n        return loss", []),
        ("HISTORY['kl'] = kl.mean()\n        return 2 * loss", []),
        ("HISTORY.append(kl.mean())\n        return loss", []),
        ("mean = kl.mean()\n        loss.backward()\n        return mean.item()", []),
        ("return total(kl), kl.mean()", []),
        ("return (kl * MASK[:, None]).sum() / MASK.sum(), kl.mean()", []),
        ("return self.reduced(kl) * 4, kl.mean()", []),
        (
            "log_q = F.log_softmax(other, -1)\n"
            "        return (F.softmax(other, -1) * (log_q - F.log_softmax(logits, -1))).sum(-1).mean(), kl.mean()",
            [],
        ),
        ("return {'kl': kl.mean(), 'loss': self.reduced(kl)}", []),
        ("return {'loss': kl.mean(), 'kl': self.reduced(kl)}", ["BMN102"]),
        (
            "parts = []\n        for one in kl:\n            parts.append(one.sum())\n"
            "        same = kl\n        return sum(parts) / len(parts), same.mean()",
            [],
        ),
        # The values themselves, or what they are made of, are no other reduction of them.
        ("return kl, kl.mean()", ["BMN102"]),
        ("same = kl\n        return same, kl.mean()", ["BMN102"]),
        ("return p.argmax(-1), kl.mean()", ["BMN102"]),
        ("return torch.sigmoid(logits), torch.mean(kl)", ["BMN102"]),
        ("mean = torch.mean(kl)\n        return torch.tensor(float(f'{mean}')), logits", ["BMN102"]),
        # What is returned first, trained with or added is the loss.
        ("return kl.mean(), loss", ["BMN102"]),
        ("loss = kl.mean()\n        return loss, kl.sum(-1).mean()", ["BMN102"]),
        ("kl.mean().backward()\n        return kl.sum(-1).mean()", ["BMN102"]),
        ("return loss + 0.1 * kl.mean()", ["BMN102"]),
        ("parts = [loss]\n        parts.append(kl.mean())\n        return sum(parts)", ["BMN102"]),
        ("self.kl = kl.mean()\n        return loss + self.kl", ["BMN102"]),
    ],
)
def test_a_mean_beside_the_loss_of_the_same_values_is_a_statistic(result: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    HISTORY = {{}}
    MASK = batches[0]

    def total(values):
        return values.sum(-1).mean()

    class Step:
        def loss(self, logits, other):
            p = F.softmax(other, -1)
            kl = p * (F.log_softmax(other, -1) - F.log_softmax(logits, -1))
            loss = kl.sum(-1).mean()
            {result.replace(chr(10), chr(10) + "    ")}
    """
    assert _all_codes(source) == codes


def test_what_an_object_is_told_is_no_part_of_what_its_method_gives() -> None:
    source = """
    import numpy as np
    from scipy.special import log_softmax

    class Loss:
        def log(self, key, value):
            print(key, value)

        def reduced(self, values):
            return values.mean(axis=0).sum(axis=-1)

        def __call__(self, logits, labels):
            values = np.eye(logits.shape[-1])[labels] * log_softmax(logits, axis=-1)
            self.log("mean", values.mean())
            return self.reduced(-values)
    """
    assert _all_codes(source) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('how == "sum"', 'str(how) == "sum"'),
        ('how == "sum"', 'how.lower() == "sum"'),
        ('how == "sum"', 'how.strip().lower() in ("sum",)'),
        ('how in ("sum", "total")', 'how in ["sum", "total"]'),
        ('how == "sum" or how == "total"', 'how in ("sum", "total")'),
        ('how.startswith("sum")', 'how == "sum"'),
        ('config.how == "sum"', 'getattr(config, "how", "mean") == "sum"'),
        ('config.how == "sum"', 'vars(config)["how"] == "sum"'),
        ('config.how == "sum"', 'dataclasses.asdict(config)["how"] == "sum"'),
        ('config["how"] == "sum"', 'config.get("how", "mean") == "sum"'),
        ('config["how"] == "sum"', 'config.get("how").lower() == "sum"'),
        ("level == 0", "not level"),
        ("level == 0", "level < 1"),
        ("level == 0", "int(level) == 0"),
        ("flag", "flag is True"),
        ("flag", "bool(flag)"),
        ("flag == True", "flag"),
        ('SETTINGS["flag"]', 'bool(SETTINGS["flag"])'),
        ('SETTINGS["how"] is How.SUM', 'SETTINGS["how"] == How.SUM'),
        ("flag is True", "flag is not False"),
        ("config.level == 0", "not config.level"),
        ("how is How.SUM", "how in (How.SUM,)"),
        ("how == How.SUM", 'how.value == "sum"'),
        ('how in {"sum"}', 'how == "sum"'),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_question_in_two_spellings_has_one_answer(first: str, second: str, swapped: bool) -> None:
    if swapped:
        first, second = second, first
    source = """
    import dataclasses
    import enum
    import torch.nn.functional as F

    class How(enum.Enum):
        SUM = "sum"
        MEAN = "mean"

    SETTINGS = {{"flag": True, "how": How.SUM}}

    def loss(logits, labels, config, how, level=0, flag=True):
        loss = F.cross_entropy(logits, labels, reduction="none")
        if {}:
            loss = loss.sum()
        if not ({}):
            loss = loss.mean()
        return loss
    """
    result = batchmean.check_source(textwrap.dedent(source.format(first, second)), select=["BMN303"])
    assert [finding.code for finding in result.findings] == []
    both = source.format(first, second).replace("if not (", "if (")
    result = batchmean.check_source(textwrap.dedent(both), select=["BMN303"])
    assert [finding.code for finding in result.findings] == ["BMN303"]


@pytest.mark.parametrize(
    ("default", "first", "second", "codes"),
    [
        ("'mean'", 'how == "sum"', 'how == "mean"', []),
        ("'mean'", 'how == "mean"', 'how == "sum"', []),
        ("How.MEAN", "how is How.SUM", "how is How.MEAN", []),
        ("0", "how == 0", "how == 1", []),
        # What is the default is a third way, and so is what an `else` is for once both are named.
        ("'batchmean'", 'how == "sum"', 'how == "mean"', ["BMN303"]),
    ],
)
def test_nobody_takes_the_other_way_of_both_of_two_choices(
    default: str, first: str, second: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F
    from project import How

    def loss(logits, labels, how={default}):
        loss = F.cross_entropy(logits, labels, reduction="none")
        if {first}:
            total = loss
        else:
            total = loss.sum()
        if {second}:
            total = total / len(labels)
        else:
            total = total.mean()
        return total
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == codes


def test_what_is_left_once_both_are_named_is_a_way_of_its_own() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, labels, how):
        loss = F.cross_entropy(logits, labels, reduction="none").sum()
        if how == "sum":
            return loss
        elif how == "batch":
            return loss / len(labels)
        else:
            return loss.mean()
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == ["BMN303"]


@pytest.mark.parametrize("second", ["HOW.lower()", "str(SETTINGS.how)", 'getattr(SETTINGS, "how", "sum")'])
def test_what_the_code_sets_is_known_in_every_spelling(second: str) -> None:
    source = f"""
    import types
    import torch.nn.functional as F

    HOW = "mean"
    SETTINGS = types.SimpleNamespace(how="mean")

    def loss(logits, labels):
        loss = F.cross_entropy(logits, labels, reduction="none")
        loss = loss.sum() if {second.split("(")[-1].split(",")[0].split(".lower")[0].rstrip(")")} == "mean" else loss
        if {second} == "mean":
            return loss / len(labels)
        return loss.mean()
    """
    source = source.replace("if SETTINGS ==", "if SETTINGS.how ==")
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == []


@pytest.mark.parametrize(
    "question",
    [
        "HOW.startswith('mean')",
        "SETTINGS.how.endswith('n')",
        "SETTINGS.how.upper() == 'MEAN'",
        "'M'.lower() in ('m',)",
    ],
)
@pytest.mark.parametrize("answer", [True, False])
def test_what_a_method_of_a_word_gives_is_known(question: str, answer: bool) -> None:
    source = f"""
    import types
    import torch.nn.functional as F

    HOW = "mean"
    SETTINGS = types.SimpleNamespace(how="mean")

    def loss(logits, labels):
        loss = F.cross_entropy(logits, labels, reduction="none")
        if {question}:
            loss = loss{"" if answer else ".sum()"}
        else:
            loss = loss{".sum()" if answer else ""}
        return loss.mean()
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == ([] if answer else ["BMN303"])


def test_whether_a_level_is_zero_may_have_a_name() -> None:
    source = """
    def loss(pred, target, level=0):
        loss = (pred - target) ** 2
        loss = loss if level == 0 else loss.sum()
        averages = level == 0
        return loss.mean() if averages else loss / len(pred)
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == []


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ('Flatten(name="flat")', "proved"),
        ("GlobalAveragePooling2D()", "proved"),
        # Of pictures it is a mean over their height, and over their features when Keras takes that of what is left.
        ("GlobalMaxPooling2D(keepdims=True)", "likely"),
        ("Conv2D(8, 3)", "likely"),
    ],
)
def test_what_is_flattened_has_one_row_of_features_for_each_example(layer: str, said: str) -> None:
    source = f"""
    from keras import backend as K
    from keras.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, GlobalMaxPooling2D

    def compile_vae(model, pictures, size):
        features = Dense(64, activation="relu")({layer}(pictures))
        z_mean = Dense(size)(features)
        z_log_var = Dense(size)(features)

        def loss(y_true, y_pred):
            pixels = K.sum(K.square(y_true - y_pred), axis=(1, 2, 3))
            divergence = 0.5 * K.mean(K.exp(z_log_var) + K.square(z_mean) - 1 - z_log_var, axis=1)
            return K.mean(pixels + divergence, axis=0)

        model.compile(loss=loss)
    """
    (finding,) = batchmean.check_source(textwrap.dedent(source)).findings
    assert (finding.code, finding.confidence) == ("BMN104", said)


@pytest.mark.parametrize(
    ("library", "last", "codes"),
    [
        ("numpy", 'return {"mean": overall, "each": list(each)}', []),
        ("numpy", "return overall - each.max()", []),
        ("numpy", "return error.mean() + overall", ["BMN104"]),
        ("jax.numpy", "return overall - each.max()", ["BMN104"]),
        ("autograd.numpy", "return overall - each.max()", ["BMN104"]),
    ],
)
def test_a_latent_mean_that_numpy_takes_beside_those_of_each_dimension_is_a_statistic(
    library: str, last: str, codes: list[str]
) -> None:
    source = f"""
    import {library} as np

    def describe(table, output, labels):
        mu = table[mu_columns].to_numpy()
        log_var = table[log_var_columns].to_numpy()
        error = (output - labels) ** 2
        terms = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)
        overall = np.mean(terms)
        each = np.mean(terms, axis=0)
        {last}
    """
    assert _all_codes(source) == codes


@pytest.mark.parametrize(("weight", "codes"), [("-0.5", ["BMN306"]), ("-0.0", []), ("0", [])])
def test_a_term_that_is_turned_off_is_out_of_no_balance(weight: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def loss(x, decoded, mu, logvar):
        divergence = {weight} * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return F.mse_loss(decoded, x) + divergence
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN306"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("loop", "column", "divisor", "codes"),
    [
        ("for t, scores in enumerate(steps)", "labels[:, t]", "labels.size(0)", ["BMN301"]),
        ("for t, scores in zip(range(len(steps)), steps)", "labels[:, t]", "len(labels)", ["BMN301"]),
        ("for t, scores in enumerate(steps)", "labels[t, :]", "labels.size(1)", ["BMN301"]),
        ("for t, scores in enumerate(steps)", "labels[:, t]", "labels.size(1)", []),
        ("for t, scores in columns", "labels[:, t]", "labels.size(0)", []),
    ],
)
def test_the_column_that_a_loop_counts_to_has_the_rows_of_the_array(
    loop: str, column: str, divisor: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def losses(steps, labels, columns):
        {loop}:
            yield F.cross_entropy(scores, {column}) / {divisor}
    """
    assert _all_codes(source) == codes


@pytest.mark.parametrize(
    ("criterion", "divided", "codes"),
    [
        ("criterion", "loss", []),
        ("torch.nn.CrossEntropyLoss()", "loss", ["BMN501"]),
        ("criterion", "part", ["BMN501"]),
    ],
)
def test_what_is_divided_by_all_examples_before_it_is_trained_with_may_be_a_sum(
    criterion: str, divided: str, codes: list[str]
) -> None:
    source = f"""
    import torch

    def train(model, criterion, loader, optimizer):
        criterion = {criterion}
        total = 0.0
        for inputs, labels in loader:
            loss = criterion(model(inputs), labels)
            part = loss.item()
            {divided} /= len(loader.dataset)
            loss.backward()
            optimizer.step()
            total += {divided if divided == "part" else "loss.item()"}
        return total
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN501"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(("axis", "codes"), [("", []), ("-1", ["BMN501"])])
def test_the_mean_of_a_total_of_a_batch_is_no_batch_mean(axis: str, codes: list[str]) -> None:
    source = f"""
    import jax
    import jax.numpy as jnp

    def loss(logits, other):
        p = jax.nn.softmax(other, axis=-1)
        return (p * (jnp.log(p) - jax.nn.log_softmax(logits, axis=-1))).sum({axis}).mean()

    def evaluate(loader):
        total = 0.0
        n = 0
        for logits, other in loader:
            total += loss(logits, other)
            n += len(logits)
        return total / n
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN501"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("result", "codes"),
    [
        ("return (loss.sum(-1) / (labels != -100).sum(-1)).mean(), loss.mean()", []),
        ("return (loss.sum(-1) / (labels != -100).sum(-1)).mean() + loss.mean(), loss", ["BMN201"]),
        ("return loss.mean(), loss.max()", ["BMN201"]),
        ("return loss, loss.mean()", ["BMN201"]),
    ],
)
def test_a_mean_over_padding_beside_the_loss_of_the_same_values_is_a_statistic(
    result: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def loss(logits, labels):
        loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=-100)
        {result}
    """
    found = batchmean.check_source(textwrap.dedent(source), select=["BMN201"])
    assert [finding.code for finding in found.findings] == codes


@pytest.mark.parametrize(
    ("weights", "codes"),
    [
        ("valid.float() / valid.sum(dim=1, keepdim=True)", []),
        ("torch.softmax(scores, dim=0)", []),
        ("torch.exp(scores)", []),
        ("1.0", ["BMN301"]),
    ],
)
def test_a_mean_times_weights_is_summed_as_the_weights_are(weights: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    def duration_loss(predicted, durations, valid, scores):
        loss = F.mse_loss(predicted, durations)
        weights = {weights}
        weights = weights / durations.size(0)
        return (loss * weights).sum()

    def token_loss(logits, labels, scores):
        loss = F.cross_entropy(logits, labels) * {weights.replace("valid", "scores")}
        return loss.sum() / labels.size(0)
    """
    assert _codes(source) == 2 * codes


@pytest.mark.parametrize(
    ("kl", "codes"),
    [
        ("kl / BATCHES", []),
        ("0.1 * (kl / BATCHES)", []),
        ("(kl / BATCHES + beta * kl)", []),
        ("part", []),
        # Half of another term says nothing of the batch.
        ("kl / 2", ["BMN303"]),
        ("kl", ["BMN303"]),
    ],
)
def test_the_mean_of_a_bound_whose_kl_is_divided_by_the_batches_is_a_sum(kl: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F

    BATCHES = 60000 / 100

    def bound(net, x, labels, beta):
        kl = 0.0
        for layer in net.layers:
            x = layer(x)
            kl = kl + layer.weight.pow(2).sum()
        part = kl / BATCHES
        loss = {kl} - F.log_softmax(x, dim=1).gather(1, labels).sum()
        return loss.mean()
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == codes


def test_a_loss_stays_weighed_when_it_is_added_to_another_with_the_same_term() -> None:
    source = """
    import torch
    import torch.nn.functional as F

    def negative(weights, inputs):
        return torch.sum(F.softmax(weights, 1) * F.log_softmax(inputs, 1)) / weights.shape[0]

    def loss(outputs, soft, labels, beta):
        entropy = -negative(outputs, outputs)
        divergence = negative(outputs, outputs) - negative(outputs, soft)
        classes = soft.shape[1]
        return {divergence} + F.cross_entropy(soft, labels) + {entropy}
    """

    def codes(divergence: str, entropy: str) -> list[str]:
        text = textwrap.dedent(source.format(divergence=divergence, entropy=entropy))
        return [f.code for f in batchmean.check_source(text, select=["BMN101"]).findings]

    assert codes("1 / classes * divergence", "beta / classes * entropy") == []
    assert codes("divergence / classes", "beta * entropy / classes") == ["BMN101", "BMN101"]


@pytest.mark.parametrize(
    "forward",
    [
        "for layer in self.layers:\n                x = layer(x)",
        "for layer in self.layers:\n                x = layer(torch.cat([x, self.skipped.pop()], 1))",
        "for layer in self.layers[1:]:\n                x = layer(x, self.scale)",
    ],
)
def test_what_a_layer_of_a_loop_gives_is_of_the_batch_that_it_was_given(forward: str) -> None:
    source = f"""
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            {forward}
            return self.head(x)

    def train(loader, optimizer):
        net, criterion = Net(), torch.nn.MSELoss()
        total, seen = 0.0, 0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
            seen += inputs.size(0)
        return {{total}} / seen
    """
    wrong, right = (
        source.replace("{total}", "total"),
        source.replace("loss.item()", "loss.item() * len(inputs)"),
    )
    assert _codes(wrong) == ["BMN501"]
    assert _codes(right.replace("{total}", "total")) == []


@pytest.mark.parametrize(
    ("filled", "codes"),
    [
        ("for layer in layers:\n                self.layers.append(layer)", []),
        ("self.layers.append(layers)", []),
        ("self.layers.extend(layers)", []),
        ("mine = self.layers\n            mine.append(layers)", []),
        ("mine = self.layers\n            mine.extend(layers)", []),
        ("mine = []\n            self.layers = mine\n            mine.append(layers)", []),
        ("others = []\n            others.append(layers)", ["BMN303"]),
        # Nothing is added: the other term is 0.
        ("pass", ["BMN303"]),
    ],
)
def test_a_list_of_an_object_holds_what_is_appended_to_it(filled: str, codes: list[str]) -> None:
    source = f"""
    class Net:
        def __init__(self, layers):
            self.layers = []
            {filled}

        def penalty(self):
            total = 0
            for layer in self.layers:
                total += layer.penalty()
            return total

    def loss(x, y, layers):
        return (((x - y) ** 2).sum() + Net(layers).penalty()).mean()
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN303"])
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(
    ("reduced", "codes"),
    [
        ("(error * padding_mask.unsqueeze(-1)).sum(-1).mean()", ["BMN201"]),
        ("(error * padding_mask[:, :, None]).sum(dim=2).mean()", ["BMN201"]),
        ("(padding_mask[..., None] * error).mean(-1).mean()", ["BMN201"]),
        # The axis that is summed is the mask's, or may be.
        ("(error * padding_mask.unsqueeze(-1)).sum(1).mean()", []),
        ("(error * padding_mask.unsqueeze(1)).sum(-1).mean()", []),
        ("(error * padding_mask).sum(-1).mean()", []),
        # The valid ones are counted.
        ("(error * padding_mask.unsqueeze(-1)).sum(-1).sum() / padding_mask.sum()", []),
    ],
)
def test_the_axis_over_which_a_mask_is_stretched_is_none_of_its_own(reduced: str, codes: list[str]) -> None:
    source = f"""
    def loss(prediction, target, padding_mask):
        error = (prediction - target) ** 2
        return {reduced}
    """
    found = batchmean.check_source(textwrap.dedent(source), select=["BMN201"])
    assert [finding.code for finding in found.findings] == codes


@pytest.mark.parametrize(
    "teacher",
    [
        "[teacher] if alone else teacher",
        "[teacher.mean(0) if alone else teacher]",
        "[teacher[0] if alone else teacher]",
        "[teacher.transpose(0, 1) if alone else teacher]",
        "[teacher.unsqueeze(0) if alone else teacher]",
    ],
)
@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("F.kl_div(student, F.softmax(one, 1), reduction='batchmean')", []),
        ("(-student * F.softmax(one, 1)).sum() / logits.shape[0]", []),
        ("(-student * F.softmax(one, 1)).mean()", ["BMN102"]),
    ],
)
def test_an_array_and_another_layout_of_it_are_not_one_shape(
    teacher: str, loss: str, codes: list[str]
) -> None:
    source = f"""
    import torch.nn.functional as F

    def distillation(logits, teacher, alone):
        teachers = {teacher}
        student = F.log_softmax(logits, 1)
        return sum([{loss} for one in teachers])
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN102", "BMN105", "BMN302"])
    assert [finding.code for finding in result.findings] == codes
    # The classes stay where the softmax has them.
    assert all(".sum(dim=1).mean()" in finding.message for finding in result.findings)


@pytest.mark.parametrize(
    ("divisor", "codes"),
    [("height / width", []), ("images", ["BMN306"]), ("images / height / width", ["BMN306"])],
)
def test_a_term_per_pixel_is_no_mean_over_the_images(divisor: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def objective(logits, labels, target, images, height, width, classes):
        onehot = torch.zeros((labels.shape[0], classes))
        onehot.scatter_(1, labels.unsqueeze(1), 1)
        mask = onehot.reshape([images, height, width, classes])
        loss = -torch.sum(logits.log_softmax(-1) * mask)
        return loss + ((mask - target) ** 2).sum() / {divisor}
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("made", "called", "codes"),
    [
        ("criterion(size_average=False)", "", []),
        ("criterion(reduction='sum')", "", []),
        ("criterion(reduction=how)", "", []),
        ("loss_class(reduction='sum')", "", []),
        ("loss_class(reduction=how)", "", []),
        ("criterion", ", reduction='sum'", []),
        ("criterion()", "", ["BMN501"]),
        ("criterion(reduction='mean')", "", ["BMN501"]),
        ("criterion", ", reduction='mean'", ["BMN501"]),
    ],
)
def test_a_criterion_that_is_made_elsewhere_reduces_as_it_is_asked(
    made: str, called: str, codes: list[str]
) -> None:
    source = f"""
    class Trainer:
        def __init__(self, model, criterion, loss_class, how, loader):
            self.criterion = {made}
            self.model, self.loader = model, loader

        def epoch(self):
            total = 0.0
            for x, y in self.loader:
                loss = self.criterion(self.model(x), y{called})
                loss.backward()
                total += loss.item()
            return total / len(self.loader.dataset)
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("at_risk", "codes"),
    [
        ("torch.log(torch.cumsum(torch.exp(risk), dim=0))", []),
        ("torch.exp(risk).cumsum(0).log()", []),
        ("torch.logcumsumexp(risk, dim=0)", []),
        # Along the positions of each example it is a loss of each.
        ("torch.log(torch.cumsum(torch.exp(risk), dim=1))", ["BMN502"]),
        ("torch.exp(risk)", ["BMN502"]),
    ],
)
def test_a_partial_likelihood_is_no_sum_over_examples(at_risk: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def partial_likelihood(risk, event, time):
        order = torch.argsort(time, descending=True)
        risk, event = risk[order], event[order]
        return -torch.sum(event * (risk - {at_risk}))

    def epoch(model, loader, optimizer):
        total = 0.0
        for x, event, time in loader:
            loss = partial_likelihood(model(x), event, time)
            loss.backward()
            total += loss.item()
        return total / len(loader)
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("also", "codes"),
    [
        ("losses[rows].mean()", ["BMN102"]),
        ("losses[rows].sum() / len(rows)", ["BMN102"]),
        ("torch.index_select(losses, 0, rows).mean()", ["BMN102"]),
        (
            "(losses[rows] * logits.size(1)).mean()",
            [],
        ),  # the same values are put right there: a choice, it may be
    ],
)
def test_the_mean_of_some_rows_hides_no_mean_over_the_classes(also: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def figures(targets, logits, rows):
        losses = -(targets * torch.log_softmax(logits, dim=1)).mean(dim=1)
        part = {also}
        return losses.mean(), part
    """
    assert [code for code in _all_codes(source) if code == "BMN102"] == codes


@pytest.mark.parametrize(
    ("each", "codes"),
    [
        ("p for p in probs", []),  # an item may be what one class has
        ("torch.softmax(p, dim=1) for p in probs", ["BMN102"]),
        ("p for p in [torch.softmax(probs, dim=-1)]", ["BMN102"]),
    ],
)
def test_an_item_of_a_list_may_be_of_one_class(each: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def sparsity(probs):
        return sum(torch.mean(-p * torch.log(p)) for p in ({each}))
    """
    assert [code for code in _all_codes(source) if code == "BMN102"] == codes
