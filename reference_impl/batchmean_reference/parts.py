"""The law of split: a batch that is cut into parts must have the loss, and the gradient, of the whole batch.

A training loop cuts a batch into micro-batches (accumulation) or hands its parts to ranks, and adds up what each
part gives. Texts have different numbers of valid tokens, so the parts do: where all were equal, no law would be broken.
A way to add up is named in the words that trainers use. Every one is a weighted sum of the losses of the tokens, so its
weights say all about it: the loss is `sum(weights * losses)`, and the gradient is that of this sum.

| mode | one part's loss | over the parts |
| --- | --- | --- |
| token-mean | the mean over the valid tokens of the part | averaged |
| seq-mean-token-mean | the mean over the valid tokens of each sequence, averaged over the sequences | averaged |
| seq-mean-token-sum | the sum over the valid tokens of each sequence, averaged over the sequences | averaged |
| seq-mean-token-sum-norm | the same, divided by a fixed length | averaged |
| global token-mean | the sum over the valid tokens, divided by the number of those of all parts | added up |

None is "broken": each is published and used. `kept` says which laws a mode keeps: one that keeps split is the same
with any number of micro-batches and ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from batchmean_reference.losses import Array, Integers, Mask

Weigh = Callable[[Mask, int], Array]
"""The weights (B, T) of the tokens of one part, by which of them are valid, and how many the whole batch has."""

LENGTH: Final = 64
"""The fixed length of seq-mean-token-sum-norm, in tokens: the longest answer, say."""


def _token_mean(valid: Mask, total: int) -> Array:
    return valid.astype(float) / float(valid.sum())


def _sequence_mean_token_mean(valid: Mask, total: int) -> Array:
    weights: Array = valid / valid.sum(axis=-1, keepdims=True) / len(valid)
    return weights


def _sequence_mean_token_sum(valid: Mask, total: int) -> Array:
    return valid.astype(float) / len(valid)


def _sequence_mean_token_sum_norm(valid: Mask, total: int) -> Array:
    return valid.astype(float) / LENGTH / len(valid)


def _global_token_mean(valid: Mask, total: int) -> Array:
    return valid.astype(float) / total


@dataclass(frozen=True)
class Mode:
    """A way to add up: how a part weighs its tokens, and whether the parts are averaged or added up."""

    name: str
    weigh: Weigh
    averages: bool = True

    def weights(self, valid: Mask, parts: Sequence[Integers]) -> Array:
        """The weights (B, T) of all tokens, with the batch cut into `parts`, each the numbers of its sequences.

        Raises `ValueError` where a sequence has no valid token, or where the parts are not the batch.
        """
        if not valid.any(axis=-1).all():
            raise ValueError("a sequence has no valid token")
        if sorted(np.concatenate(parts)) != list(range(len(valid))):
            raise ValueError("the parts do not hold every sequence once")
        found = np.zeros(valid.shape)  # (B, T)
        share = 1 / len(parts) if self.averages else 1.0
        for part in parts:
            found[part] = share * self.weigh(valid[part], int(valid.sum()))
        return found


MODES: Final[Mapping[str, Mode]] = {
    mode.name: mode
    for mode in (
        Mode("token-mean", _token_mean),
        Mode("seq-mean-token-mean", _sequence_mean_token_mean),
        Mode("seq-mean-token-sum", _sequence_mean_token_sum),
        Mode("seq-mean-token-sum-norm", _sequence_mean_token_sum_norm),
        Mode("global token-mean", _global_token_mean, averages=False),
    )
}


def cut(sequences: int, accumulate: int = 1, ranks: int = 1) -> list[Integers]:
    """A batch in `ranks` times `accumulate` parts of consecutive sequences, as equal as they can be.

    Raises `ValueError` for more parts than there are sequences.

    >>> [part.tolist() for part in cut(6, accumulate=2, ranks=2)]
    [[0, 1], [2, 3], [4], [5]]
    """
    if not 1 <= accumulate * ranks <= sequences:
        raise ValueError(f"{sequences} sequences make no {accumulate * ranks} parts")
    return list(np.array_split(np.arange(sequences), accumulate * ranks))


def distance(mode: Mode, valid: Mask, accumulate: int = 1, ranks: int = 1) -> float:
    """How far the weights of the parts are from those of the whole batch, relative to these: 0 where split is kept."""
    whole = mode.weights(valid, cut(len(valid)))
    return float(
        np.linalg.norm(mode.weights(valid, cut(len(valid), accumulate, ranks)) - whole)
        / np.linalg.norm(whole)
    )


UNEQUAL: Final = np.arange(7) < np.array([[7], [1], [4], [2], [6], [1], [3], [5]])
"""Eight sequences of unequal length (8, 7): any cut into equal numbers of sequences makes unequal numbers of tokens."""


def kept(mode: Mode, valid: Mask = UNEQUAL) -> dict[str, bool]:
    """Which laws a mode keeps, by its weights on these sequences.

    `split`: with any number of parts that hold equally many sequences; `unequal parts`: with any parts; `padding`:
    with more padding; `duplication`: with every sequence twice, so that the weights halve; `pointwise`: the loss of
    the batch is the mean of the losses of its sequences, each taken alone.
    """
    count = len(valid)
    whole = mode.weights(valid, cut(count))
    padded = mode.weights(np.pad(valid, ((0, 0), (0, 4))), cut(count))
    twice = mode.weights(np.concatenate([valid, valid]), cut(2 * count))
    alone = np.concatenate([mode.weights(row, cut(1)) for row in valid[:, None]]) / count
    equal = [(k, r) for k in (1, 2, 4) for r in (1, 2) if count % (k * r) == 0]
    uneven = mode.weights(valid, [np.arange(1), np.arange(1, count)])
    return {
        "split": all(distance(mode, valid, k, r) < 1e-12 for k, r in equal),
        "unequal parts": np.allclose(uneven, whole, rtol=1e-12),
        "padding": np.allclose(padded[:, : valid.shape[1]], whole, rtol=1e-12),
        "duplication": np.allclose(2 * twice[:count], whole, rtol=1e-12),
        "pointwise": np.allclose(alone, whole, rtol=1e-12),
    }
