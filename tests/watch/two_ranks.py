"""One of two processes that train together over gloo: `python two_ranks.py RANK FILE equal|unequal|first-cannot`."""

from __future__ import annotations

import os
import sys
import warnings

import batchmean
import torch
import torch.nn.functional as F
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

CLASSES = 11


def token_mean(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the valid tokens of this rank."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def noisy(logits: Tensor, labels: Tensor) -> Tensor:
    """A loss that cannot be judged."""
    return token_mean(F.dropout(logits), labels)


def main(rank: int, file: str, kind: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = DistributedDataParallel(
        torch.nn.Sequential(torch.nn.Embedding(CLASSES, 4), torch.nn.Linear(4, CLASSES))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = noisy if kind == "first-cannot" and rank == 0 else token_mean
    loss_fn = batchmean.watch(loss, optimizer=optimizer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(5):
            tokens = torch.randint(CLASSES, (3, 8))
            labels = tokens.clone()
            labels[0, 6:] = labels[1, 7:] = -100
            if kind != "equal" and rank == 1:
                labels[:, 2:] = -100
            optimizer.zero_grad()
            loss_fn(model(tokens), labels).backward()
            optimizer.step()
    distributed.barrier()  # who leaves first takes the other's connection with it
    distributed.destroy_process_group()
    for each in said:
        if issubclass(each.category, batchmean.WrongCount):
            print(each.message)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    sys.stdout.flush()
    os._exit(0)  # gloo's threads may abort a process that ends in the usual way
