"""Right losses as libraries and training scripts write them: none of them may get a warning.

Each is a function of nothing that returns a loss and what it is called with, in tensors whose predictions require a
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

B, T, V, D = 6, 8, 13, 5
Call = tuple[Callable[..., Any], Sequence[Any]]
RIGHT: list[Callable[[], Call]] = []


def right(example: Callable[[], Call]) -> Callable[[], Call]:
    RIGHT.append(example)
    return example


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def labels(*shape: int, classes: int = V, seed: int = 1) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def weights(*shape: int) -> Tensor:
    """From 0.5 to 1.5."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(2)) + 0.5


def keep() -> Tensor:
    """A padding mask: sequences of 3 to T positions."""
    return torch.arange(T) < torch.tensor([3, 4, 5, 6, 7, 8])[:, None]


def padded(out: int = -100) -> Tensor:
    return labels(B, T).masked_fill(~keep(), out)


@right
def soft_target_cross_entropy() -> Call:
    """As timm has it."""
    return lambda x, t: torch.sum(-t * F.log_softmax(x, -1), -1).mean(), (
        drawn(B, V),
        drawn(B, V, seed=2).detach().softmax(-1),
    )


@right
def label_smoothing_by_hand() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        logp = F.log_softmax(x, -1)
        return (0.9 * -logp.gather(-1, y[:, None]).squeeze(1) + 0.1 * -logp.mean(-1)).mean()

    return loss, (drawn(B, V), labels(B))


@right
def mixup() -> Call:
    def loss(x: Tensor, first: Tensor, second: Tensor, share: float) -> Tensor:
        return share * F.cross_entropy(x, first) + (1 - share) * F.cross_entropy(x, second)

    return loss, (drawn(B, V), labels(B), labels(B, seed=3), 0.3)


@right
def jensen_shannon_consistency() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        clean, first, second = x.chunk(3)
        p, q, r = (each.softmax(-1) for each in (clean, first, second))
        m = ((p + q + r) / 3).clamp(1e-7, 1).log()
        spread = sum(F.kl_div(m, each, reduction="batchmean") for each in (p, q, r)) / 3
        return F.cross_entropy(clean, y) + 12 * spread

    return loss, (drawn(3 * B, V), labels(B))


@right
def symmetric_kl_of_two_passes() -> Call:
    def loss(first: Tensor, second: Tensor, y: Tensor) -> Tensor:
        p, q = F.log_softmax(first, -1), F.log_softmax(second, -1)
        kl = F.kl_div(p, q, log_target=True, reduction="batchmean") + F.kl_div(
            q, p, log_target=True, reduction="batchmean"
        )
        return (F.cross_entropy(first, y) + F.cross_entropy(second, y)) / 2 + kl / 4

    return loss, (drawn(B, V), drawn(B, V, seed=2), labels(B))


@right
def binary_targets() -> Call:
    return F.binary_cross_entropy_with_logits, (drawn(B, V), F.one_hot(labels(B), V).float())


@right
def binary_on_probabilities() -> Call:
    return F.binary_cross_entropy, (drawn(B, V).softmax(-1), F.one_hot(labels(B), V).float())


@right
def binary_on_probabilities_of_many_classes() -> Call:
    """Where every probability is small, its half for the wrong classes hardly shows."""
    return (
        lambda p, y: F.binary_cross_entropy(p, F.one_hot(y, p.shape[-1]).float()),
        (drawn(B, 3000).softmax(-1), labels(B, classes=3000)),
    )


@right
def consistency_of_probabilities() -> Call:
    """Mean teacher: a mean squared error of two softmaxes is averaged over all."""
    return (
        lambda x, t: F.mse_loss(x.softmax(-1), t.softmax(-1)),
        (drawn(B, V), drawn(B, V, seed=2).detach()),
    )


@right
def absolute_error_of_probabilities() -> Call:
    return lambda x, y: F.l1_loss(x.softmax(-1), F.one_hot(y, x.shape[-1]).float()), (drawn(B, V), labels(B))


@right
def logits_matched() -> Call:
    return lambda x, t: F.mse_loss(x, t), (drawn(B, V), drawn(B, V, seed=2).detach())


@right
def logits_matched_beside_labels() -> Call:
    return (
        lambda x, t, y: F.cross_entropy(x, y) + 0.5 * F.mse_loss(x, t),
        (drawn(B, V), drawn(B, V, seed=2).detach(), labels(B)),
    )


@right
def huber() -> Call:
    return nn.SmoothL1Loss(), (drawn(B, D), drawn(B, D, seed=2).detach())


@right
def poisson() -> Call:
    return nn.PoissonNLLLoss(), (drawn(B, D), labels(B, D, classes=5).float())


@right
def gaussian() -> Call:
    return nn.GaussianNLLLoss(), (drawn(B, D), drawn(B, D, seed=2).detach(), torch.rand(B, D) + 0.1)


@right
def several_margins() -> Call:
    return nn.MultiMarginLoss(), (drawn(B, V), labels(B))


@right
def hinge_of_several_labels() -> Call:
    return nn.MultiLabelSoftMarginLoss(), (drawn(B, V), F.one_hot(labels(B), V).float())


@right
def triplet() -> Call:
    return nn.TripletMarginLoss(), (drawn(B, D), drawn(B, D, seed=2), drawn(B, D, seed=3))


@right
def contrastive_images_and_texts() -> Call:
    def loss(images: Tensor, texts: Tensor) -> Tensor:
        scores = 10 * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
        pairs = torch.arange(len(scores))
        return (F.cross_entropy(scores, pairs) + F.cross_entropy(scores.T, pairs)) / 2

    return loss, (drawn(B, D), drawn(B, D, seed=2))


@right
def contrastive_scores() -> Call:
    """The scores of every pair are handed over: as many classes as examples."""
    return F.cross_entropy, (drawn(B, B), torch.arange(B))


@right
def connectionist() -> Call:
    return (
        lambda x, y, n, m: F.ctc_loss(x.log_softmax(-1), y, n, m),
        (drawn(T, B, V), labels(B, 3, classes=V - 1) + 1, torch.full((B,), T), torch.full((B,), 3)),
    )


@right
def tokens_with_active_positions() -> Call:
    """Token classification: only what the attention mask lets through."""

    def loss(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        active = mask.reshape(-1) == 1
        return F.cross_entropy(x.reshape(-1, x.shape[-1])[active], y.reshape(-1)[active])

    return loss, (drawn(B, T, V), labels(B, T), keep().long())


@right
def tokens_padded_with_zero() -> Call:
    return nn.CrossEntropyLoss(ignore_index=0), (drawn(B, V, T), (padded(0)))


@right
def tokens_masked_sum_over_mask() -> Call:
    def loss(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        return (F.cross_entropy(x.transpose(1, 2), y, reduction="none") * mask).sum() / mask.sum()

    return loss, (drawn(B, T, V), labels(B, T), keep().float())


@right
def sequences_masked_mean_of_means() -> Call:
    def loss(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        each = F.cross_entropy(x.transpose(1, 2), y, reduction="none") * mask
        return (each.sum(1) / mask.sum(1)).mean()

    return loss, (drawn(B, T, V), labels(B, T), keep().float())


@right
def sequence_likelihoods() -> Call:
    """The unit is the sequence: a sum over its tokens, a mean over the batch."""

    def loss(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        return (F.cross_entropy(x.transpose(1, 2), y, reduction="none") * mask).sum(1).mean()

    return loss, (drawn(B, T, V), labels(B, T), keep().float())


@right
def tokens_flattened_before() -> Call:
    return F.cross_entropy, (drawn(B * T, V), padded().reshape(-1))


@right
def logits_flattened_before() -> Call:
    return lambda x, y: F.cross_entropy(x, y.reshape(-1)), (drawn(B * T, V), padded())


@right
def tokens_time_first() -> Call:
    return (
        lambda x, y: F.cross_entropy(x.reshape(-1, x.shape[-1]), y.reshape(-1)),
        (drawn(T, B, V), padded().T.contiguous()),
    )


@right
def tokens_by_a_given_count() -> Call:
    def loss(x: Tensor, y: Tensor, num_items_in_batch: int) -> Tensor:
        total = F.cross_entropy(x[:, :-1].reshape(-1, x.shape[-1]), y[:, 1:].reshape(-1), reduction="sum")
        return total / num_items_in_batch

    return loss, (drawn(B, T, V), padded(), V)


@right
def tokens_with_a_vocabulary_size() -> Call:
    def loss(logits: Tensor, labels: Tensor, vocab_size: int) -> Tensor:
        return F.cross_entropy(
            logits.view(-1, vocab_size).float(), F.pad(labels, (0, 1), value=-100)[:, 1:].reshape(-1)
        )

    return loss, (drawn(B, T, V), padded(), V)


@right
def one_token_of_each() -> Call:
    return lambda x, y: F.cross_entropy(x[:, -1], y), (drawn(B, T, V), labels(B))


@right
def regularised_partition() -> Call:
    """With the squared logarithm of the partition function."""
    return lambda x, y: F.cross_entropy(x, y) + 1e-4 * x.logsumexp(-1).square().mean(), (
        drawn(B, V),
        labels(B),
    )


@right
def polynomial() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        at = x.softmax(-1).gather(1, y[:, None]).squeeze(1)
        return (F.cross_entropy(x, y, reduction="none") + 1 - at).mean()

    return loss, (drawn(B, V), labels(B))


@right
def generalised() -> Call:
    return lambda x, y: ((1 - x.softmax(-1).gather(1, y[:, None]) ** 0.7) / 0.7).mean(), (
        drawn(B, V),
        labels(B),
    )


@right
def symmetric_with_a_floor() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        hot = F.one_hot(y, x.shape[-1]).float().clamp(1e-4, 1)
        return F.cross_entropy(x, y) - 0.1 * (x.softmax(-1) * hot.log()).sum(-1).mean()

    return loss, (drawn(B, V), labels(B))


@right
def confident_examples_only() -> Call:
    """FixMatch averages over all unlabelled examples, on purpose."""

    def loss(x: Tensor, pseudo: Tensor, mask: Tensor) -> Tensor:
        return (F.cross_entropy(x, pseudo, reduction="none") * mask).mean()

    return loss, (drawn(B, V), labels(B), torch.tensor([1.0, 0, 1, 0, 0, 1]))


@right
def confident_pixels_only() -> Call:
    def loss(x: Tensor, pseudo: Tensor, mask: Tensor) -> Tensor:
        return (F.cross_entropy(x, pseudo, reduction="none") * mask).mean()

    return loss, (drawn(2, V, 5, 6), labels(2, 5, 6), (drawn(2, 5, 6, seed=4) > 0).float())


@right
def weighted_examples() -> Call:
    return (
        lambda x, y, w: (F.cross_entropy(x, y, reduction="none") * w).mean(),
        (drawn(B, V), labels(B), weights(B)),
    )


@right
def weighted_terms() -> Call:
    return lambda x, y: 0.1 * F.cross_entropy(x, y), (drawn(B, 10), labels(B, classes=10))


@right
def one_of_three_heads() -> Call:
    return lambda x, y: F.cross_entropy(x, y) / 3, (drawn(B, 3), labels(B, classes=3))


@right
def balanced_by_the_batch() -> Call:
    """Weights as scikit-learn balances classes."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        counts = torch.bincount(y, minlength=x.shape[-1]).clamp(min=1)
        weight = len(y) / (x.shape[-1] * counts)
        return (F.cross_entropy(x, y, reduction="none") * weight[y]).mean()

    return loss, (drawn(24, 3), torch.arange(24) % 3)


@right
def balanced_unevenly() -> Call:
    loss, _ = balanced_by_the_batch()
    return loss, (drawn(24, 5), torch.tensor([0] * 12 + [1] * 6 + [2] * 3 + [3] * 2 + [4]))


@right
def averaged_over_the_classes_present() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        each = F.cross_entropy(x, y, reduction="none")
        return torch.stack([each[y == label].mean() for label in y.unique()]).mean()

    return loss, (drawn(24, 5), torch.tensor([0] * 12 + [1] * 6 + [2] * 3 + [3] * 3))


@right
def soft_dice() -> Call:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        p, hot = x.softmax(1), F.one_hot(y, x.shape[1]).movedim(-1, 1)
        return (1 - 2 * (p * hot).sum((2, 3)) / ((p + hot).sum((2, 3)) + 1e-6)).mean()

    return loss, (drawn(3, 4, 5, 6), labels(3, 5, 6, classes=4))


@right
def dice_and_cross_entropy() -> Call:
    dice = soft_dice()[0]
    return lambda x, y: F.cross_entropy(x, y) + dice(x, y), (drawn(3, 4, 5, 6), labels(3, 5, 6, classes=4))


@right
def pixels_with_void() -> Call:
    y = labels(2, 5, 6)
    y[:, :2] = 255
    return nn.CrossEntropyLoss(ignore_index=255), (drawn(2, V, 5, 6), y)


@right
def policy_gradient() -> Call:
    def loss(x: Tensor, action: Tensor, advantage: Tensor) -> Tensor:
        return -(F.log_softmax(x, -1).gather(-1, action[:, None]).squeeze(-1) * advantage).mean()

    return loss, (drawn(B, V), labels(B), drawn(B, seed=5).detach())


@right
def clipped_policy_with_entropy() -> Call:
    def loss(x: Tensor, old: Tensor, action: Tensor, advantage: Tensor) -> Tensor:
        chosen = torch.distributions.Categorical(logits=x)
        ratio = (chosen.log_prob(action) - old).exp()
        clipped = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        return -clipped.mean() - 0.01 * chosen.entropy().mean()

    return loss, (drawn(B, V), torch.full((B,), -2.5), labels(B), drawn(B, seed=5).detach())


@right
def group_relative_policy() -> Call:
    """A constant divisor, on purpose."""

    def loss(logp: Tensor, old: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
        return -((logp - old).exp() * advantage[:, None] * mask).sum() / (len(logp) * T)

    return loss, (
        -drawn(B, T).abs(),
        -drawn(B, T, seed=2).detach().abs(),
        drawn(B, seed=5).detach(),
        keep().float(),
    )


@right
def direct_preference() -> Call:
    def loss(chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor) -> Tensor:
        return -F.logsigmoid(0.1 * ((chosen - chosen_before) - (rejected - rejected_before))).mean()

    return loss, tuple(drawn(B, seed=seed) for seed in range(4))


@right
def entropy_bonus() -> Call:
    return lambda x: -torch.distributions.Categorical(logits=x).entropy().mean(), (drawn(B, V),)


@right
def reversed_kl() -> Call:
    def loss(x: Tensor, t: Tensor) -> Tensor:
        return F.kl_div(t.log_softmax(-1), x.log_softmax(-1), log_target=True, reduction="batchmean")

    return loss, (drawn(B, V), drawn(B, V, seed=2).detach())


@right
def tokens_distilled_with_a_mask() -> Call:
    def loss(x: Tensor, t: Tensor, mask: Tensor) -> Tensor:
        each = F.kl_div(F.log_softmax(x / 2, -1), F.softmax(t / 2, -1), reduction="none").sum(-1)
        return 4 * (each * mask).sum() / mask.sum()

    return loss, (drawn(B, T, V), drawn(B, T, V, seed=2).detach(), keep().float())


@right
def start_and_end() -> Call:
    """Question answering: two heads over the positions."""
    return (
        lambda s, e, first, last: (F.cross_entropy(s, first) + F.cross_entropy(e, last)) / 2,
        (drawn(B, T), drawn(B, T, seed=2), labels(B, classes=T), labels(B, classes=T, seed=3)),
    )


@right
def elbo() -> Call:
    def loss(decoded: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return (F.binary_cross_entropy_with_logits(decoded, x, reduction="sum") + kl) / len(x)

    return loss, (drawn(B, V), torch.rand(B, V), drawn(B, D, seed=2), drawn(B, D, seed=3))


@right
def elbo_with_a_tenth_of_the_kl() -> Call:
    def loss(decoded: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)
        return F.mse_loss(decoded, x) + 0.1 * kl.mean()

    return loss, (drawn(B, V), torch.rand(B, V), drawn(B, 10, seed=2), drawn(B, 10, seed=3))


@right
def in_bfloat16() -> Call:
    return F.cross_entropy, (drawn(B, V).bfloat16(), labels(B))


@right
def in_float64() -> Call:
    return nn.CrossEntropyLoss(weight=weights(V).double()), (drawn(B, V).double(), labels(B))


@right
def a_single_example() -> Call:
    return F.cross_entropy, (drawn(1, V), labels(1))


@right
def two_classes() -> Call:
    return F.cross_entropy, (drawn(B, 2), labels(B, classes=2))


@right
def two_logits_with_binary_targets() -> Call:
    return F.binary_cross_entropy_with_logits, (drawn(B, 2), F.one_hot(labels(B, classes=2), 2).float())


@right
def nothing_counts() -> Call:
    return (
        lambda x, y: F.cross_entropy(x, y, reduction="sum") / (y != -100).sum().clamp(min=1),
        (drawn(B, V), torch.full((B,), -100)),
    )


@right
def large_vocabulary() -> Call:
    return F.cross_entropy, (drawn(4, 32000), labels(4, classes=32000))


@right
def outputs_in_a_dictionary() -> Call:
    return lambda out, batch: F.cross_entropy(out["logits"], batch["labels"]), (
        {"logits": drawn(B, V), "hidden": drawn(B, D)},
        {"labels": labels(B)},
    )
