from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule


class MicrobatchTokenMean(TotalRule):
    """
    ## What it finds

    A mean over the positions that count (the labels that are not ignored, a mask) of one micro-batch, averaged over
    micro-batches or devices again, whose numbers of such positions differ:

    - `F.cross_entropy(logits, labels, ignore_index=pad)` or `(losses * mask).sum() / mask.sum()`, alone or beside other
      terms, and then `loss / accumulation_steps`, or `loss / len(parts)` in a loop over the parts of one batch that
      goes `backward` from each and leaves the optimizer's step to what follows it;
    - the same loss handed to what divides by the accumulation steps itself: `accelerator.backward` of Accelerate,
      `engine.backward` of DeepSpeed, the `training_step` of Lightning, the `compute_loss` of Hugging Face's Trainer
      where it leaves `num_items_in_batch` unread, an optimizer in `optax.MultiSteps`, one of Keras that accumulates;
    - `jax.lax.pmean` of such a loss, or of its gradient;
    - `dist.all_reduce(loss)` and `loss / world_size`, also in a helper whose body is in sight, `all_reduce` with
      `ReduceOp.AVG`, `accelerator.gather(loss).mean()`, `accelerator.reduce(loss, reduction="mean")`: what is told
      then depends on which texts came to which rank;
    - the same by Horovod's `allreduce`, which averages by default, by `strategy.reduce` of TensorFlow's replicas, and
      by Lightning's `self.log(..., sync_dist=True)`, which averages over batches and ranks by their examples, not
      by their valid positions, unless it is given these as `batch_size`;
    - the same loss of a model that is wrapped in `DistributedDataParallel` in the same file, by the function that calls
      it.

    A model of `transformers` gives such a mean, too. It is taken for one where the file makes a language model and
    shows that some labels are ignored (a `-100`, a collator that pads the labels).

    ## Why it matters

    A token of a micro-batch with few of them weighs more than one of a micro-batch with many. The sum of the parts is
    not the gradient of the whole batch: how the batch is cut changes the training, and accumulation is no substitute
    for memory. More than a dozen trainers were rewritten for this since 2024.

    Two things are right. The sum of the losses over the number of valid positions of all micro-batches and devices is
    the mean over the whole batch. And it makes no difference where every micro-batch holds the same number of them.

    What each trainer does with the loss that it is given:

    | trainer | divides by the accumulation steps | what to hand over |
    | --- | --- | --- |
    | PyTorch alone, Fabric | no | the sum over the valid positions, over their number in all micro-batches |
    | DistributedDataParallel | averages the gradients of the ranks | the same, times the ranks |
    | Accelerate | yes, by those that `Accelerator` was made with | the same, times the steps and the processes |
    | Transformers' Trainer | not where model or loss take the count | the sum over `num_items_in_batch` |
    | Lightning | yes, by `accumulate_grad_batches` | the same, times the steps; or manual optimization |
    | DeepSpeed | yes, unless `scale_wrt_gas=False` | the same, times the steps |
    | Keras 3's optimizers | yes, by `gradient_accumulation_steps` | the same, times the steps |
    | `optax.MultiSteps` | yes, unless `use_grad_mean=False` | the same, times the steps |
    | Megatron-LM | yes, by the micro-batches, unless `calculate_per_token_loss` | with it, the sum and the count |
    | torchtune's recipes | no: by the tokens of all micro-batches (since 2025) | the mean times its tokens |

    Trainers for reinforcement learning leave the choice: in TRL's GRPO `loss_type="dapo"` counts the tokens of all
    micro-batches and ranks, `"bnpo"` those of one micro-batch, `"grpo"` takes the mean of each sequence and
    `"dr_grpo"` a constant; verl names the same ways in `loss_agg_mode` (`token-mean`, `seq-mean-token-mean`,
    `seq-mean-token-sum`, `seq-mean-token-sum-norm`).

    ## When to suppress it

    Where all micro-batches hold the same number of valid positions (packed sequences), or where each micro-batch is
    meant to weigh the same; say so beside the `# noqa: BMN503`. Not reported: a mean whose mask or whose ignored label
    is not shown, an `ignore_index` that is a default written out (`-100`, with no label set to it in the file), a
    function that counts over the ranks or knows how many there are, and a mean that is multiplied again.
    """

    code = "BMN503"
    precedence = 185
    name = "microbatch-token-mean"
    law = "split"
    preview = True
    first_contact = (44, 49)
    kind = "micro-batch token mean"
    no_fix = "the count of all micro-batches or devices has to be taken before the first of them"
    summary = "a mean over the valid tokens of a micro-batch, averaged over micro-batches or devices again"
    wrong = """\
import torch
import torch.nn.functional as F


def update(weight, micro_batches, pad_id, accumulation_steps):
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for inputs, labels in micro_batches:
        loss = F.cross_entropy(weight * inputs, labels, ignore_index=pad_id)
        (loss / accumulation_steps).backward()
    optimizer.step()
    return weight.sum()
"""
    right = """\
import torch
import torch.nn.functional as F


def update(weight, micro_batches, pad_id, accumulation_steps):
    optimizer = torch.optim.SGD([weight], lr=1.0)
    micro_batches = micro_batches[:accumulation_steps]
    valid = sum((labels != pad_id).sum() for _, labels in micro_batches)
    for inputs, labels in micro_batches:
        loss = F.cross_entropy(weight * inputs, labels, ignore_index=pad_id, reduction="sum")
        (loss / valid).backward()
    optimizer.step()
    return weight.sum()
"""

    def message(self, event: Miscount) -> str:
        if event.about == "ranks of gradients":
            return (
                "a mean over the valid positions of one rank, whose gradient DistributedDataParallel averages over the "
                "ranks: every rank weighs the same, however many it has; use the sum, times the ranks, divided by the "
                "count of all ranks"
            )
        if event.about == "figures of ranks":
            return (
                "a mean over the valid positions of one rank is averaged over the ranks: every rank weighs the same, "
                "however many it has; add up the sum and the count over the ranks, then divide"
            )
        if event.about == "logged":
            return (
                "a mean over the valid positions is averaged over batches and ranks by their examples: every batch "
                "weighs the same, however many it has; log it with batch_size= the number of its valid positions"
            )
        if event.about == "ranks":
            return (
                "a mean over the valid positions of one device is averaged over the devices: every device weighs the "
                "same, however many it has; use psum of the sum and of the count, then divide"
            )
        return (
            "a mean over the valid positions of one micro-batch is divided by the accumulation steps: every "
            "micro-batch weighs the same, however many it has; use the sum, divided by the count of all micro-batches"
        )
