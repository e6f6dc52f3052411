"""What the engine concludes from code that the fixtures, which must run, cannot hold.

Each snippet is linted alone; `wrong` are the lines that are reported, with code and confidence.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pytest
from batchmean.linter import lint


class Snippet(NamedTuple):
    name: str
    text: str
    wrong: tuple[tuple[int, str, str], ...] = ()


_TORCH = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"

SNIPPETS = [
    Snippet(
        "a mask over positions is one in a loss of consistency, too",
        """
        import torch.nn.functional as F
        def consistency(logits, target, mask):
            logp = F.log_softmax(logits, -1) * mask[:, :, None]
            losses = (logp * F.softmax(target, -1)).sum(-1)
            return -losses.mean()
        """,
        ((6, "BMN201", "likely"),),
    ),
    Snippet(
        "a Gaussian that is fitted to all examples has no divergence for each of them",
        """
        from torch.distributions import Normal, kl_divergence
        def f(codes, prior):
            fitted = Normal(codes.mean(0), codes.std(0))
            return kl_divergence(fitted, prior).mean()
        """,
    ),
    Snippet(
        "one that is given for each of them has",
        """
        from torch.distributions import Normal, kl_divergence
        def f(means, stds, prior):
            return kl_divergence(Normal(means, stds), prior).mean()
        """,
        ((4, "BMN104", "likely"),),
    ),
    Snippet(
        "a docstring that speaks of examples and classes alone says that a mask chooses examples",
        '''
        from torch.distributions import Categorical
        def entropy_penalty(logits, mask):
            """The mean entropy.

            logits: of shape (batch_size, class_count)
            """
            return (Categorical(logits=logits).entropy() * mask).mean()
        ''',
    ),
    Snippet(
        "nothing is said by one that speaks of tokens",
        '''
        from torch.distributions import Categorical
        def entropy_penalty(logits, mask):
            """The mean entropy.

            logits: of shape (batch_size, tokens, class_count)
            """
            return (Categorical(logits=logits).entropy() * mask).mean()
        ''',
        ((8, "BMN201", "likely"),),
    ),
    Snippet(
        "what is made of a threshold is no validity mask, whatever it is called",
        """
        import tensorflow as tf
        def f(teacher, logits, threshold):
            target = tf.nn.softmax(teacher)
            losses = -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)
            loss_mask = tf.cast(tf.greater(tf.reduce_max(target, axis=-1), threshold), tf.float32)
            loss_mask = tf.stop_gradient(loss_mask)
            return tf.reduce_mean(losses * loss_mask)
        """,
    ),
    Snippet(
        "nor is what is given to a function whose name says that it chooses examples",
        """
        from elsewhere import losses_of
        def consistency_loss(logits, labels, mask):
            losses = losses_of(logits, labels, reduction="none") * mask.float()
            return losses.mean()
        """,
    ),
    Snippet(
        "of another function it may be one",
        """
        from elsewhere import losses_of
        def frame_loss(logits, labels, mask):
            losses = losses_of(logits, labels, reduction="none") * mask.float()
            return losses.mean()
        """,
        ((5, "BMN201", "likely"),),
    ),
    Snippet(
        "nor what lies over a loss that is called one of consistency",
        """
        class Consistency:
            def forward(self, first, second, mask=1.0):
                cons_loss = self.distance_measure(first, second)
                cons_loss = cons_loss * mask
                return cons_loss.mean()
        """,
    ),
    Snippet(
        "a number called by a number of classes may put a mean over them right",
        """
        import torch.nn as nn
        class Net(nn.Module):
            def __init__(self, outputs, tasks):
                super().__init__()
                self.nc_per_task = int(outputs / tasks)
                self.kl = nn.KLDivLoss()
            def loss(self, x, y):
                return self.kl(x.log_softmax(dim=1), y.softmax(dim=1)) * self.nc_per_task
        """,
    ),
    Snippet(
        "a mean over the valid positions stays one beside a second term, whatever that is",
        """
        import torch.nn as nn
        def train(model, loader, optimizer, args):
            criterion = nn.CrossEntropyLoss(ignore_index=args.ignored)
            for step, (images, labels) in enumerate(loader):
                first, second = model(images)
                loss = criterion(first, labels) + args.weight * criterion(second, labels)
                loss = loss / args.accumulation_steps
                loss.backward()
                if (step + 1) % args.accumulation_steps == 0:
                    optimizer.step()
        """,
        ((8, "BMN503", "likely"),),
    ),
    Snippet(
        "the losses of several outputs for one batch are added up before",
        """
        import torch.nn as nn
        def train(model, loader, optimizer, args):
            criterion = nn.CrossEntropyLoss(ignore_index=args.ignored)
            for step, (images, labels) in enumerate(loader):
                loss = 0
                for output in model(images):
                    loss += criterion(output, labels)
                loss /= args.accumulation_steps
                loss.backward()
                if (step + 1) % args.accumulation_steps == 0:
                    optimizer.step()
        """,
        ((9, "BMN503", "likely"),),
    ),
    Snippet(
        "what it is multiplied by may make up for it",
        """
        import torch.nn as nn
        def train(model, loader, optimizer, args):
            criterion = nn.CrossEntropyLoss(ignore_index=args.ignored)
            for step, (images, labels) in enumerate(loader):
                first, second = model(images)
                loss = args.weight * (criterion(first, labels) + second.norm())
                loss = loss / args.accumulation_steps
                loss.backward()
                if (step + 1) % args.accumulation_steps == 0:
                    optimizer.step()
        """,
    ),
    Snippet(
        "an item of a list is the same array each time it is taken",
        """
        import torch
        import torch.nn.functional as F
        def f(students, teachers):
            n, classes, width, height = students[0].shape
            target = F.softmax(teachers[0], dim=1)
            return -torch.sum(target * F.log_softmax(students[0], dim=1)) / width / height
        """,
        ((7, "BMN307", "proved"),),
    ),
    Snippet(
        "two items of a list need not have the same shape",
        """
        import torch
        import torch.nn.functional as F
        def f(students, teachers):
            n, classes, width, height = students[1].shape
            target = F.softmax(teachers[0], dim=1)
            return -torch.sum(target * F.log_softmax(students[0], dim=1)) / width / height
        """,
    ),
    Snippet(
        "an attribute of an object is the same array each time it is read",
        """
        import torch
        import torch.nn.functional as F
        def f(output, target):
            n, classes, width, height = output.logits.shape
            target = F.softmax(target, dim=1)
            return -torch.sum(target * F.log_softmax(output.logits, dim=1)) / width / height
        """,
        ((7, "BMN307", "proved"),),
    ),
    Snippet(
        "a column beside an array of unknown rank: of a vector it makes pairs, and nothing is sure",
        """
        import numpy as np
        def f(a, b):
            return ((np.expand_dims(a, 1) - b) ** 2).mean() / len(a)
        """,
    ),
    Snippet(
        "the same, of log-probabilities that are chosen from an array that may be a matrix",
        """
        import torch
        def f(x, actions, returns):
            log_probs = torch.log_softmax(x, dim=1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)
            return -torch.mean(log_probs * returns.unsqueeze(1)) / x.size(0)
        """,
    ),
    Snippet(
        "the same, of a library's losses",
        """
        import torch.nn.functional as F
        def f(a, b):
            losses = F.smooth_l1_loss(a.unsqueeze(1), b, reduction="none")
            total = losses.sum()
            total.div(losses.size(0))
            return total
        """,
    ),
    Snippet(
        "a column beside the axis that the code shows is a broadcast",
        """
        import numpy as np
        def f(a, b):
            rows, columns = b.shape
            return ((np.expand_dims(a, 1) - b) ** 2).mean() / len(b)
        """,
        ((5, "BMN301", "proved"),),
    ),
    Snippet(
        "multiplied by a length that is the class count of one example",
        """
        import numpy as np
        from scipy.special import softmax
        def f(x):
            p = softmax(x, axis=-1)
            return (p * np.log(p)).sum() / x.shape[-1] * len(x)
        """,
    ),
    Snippet(
        "an axis counted from the left was summed: which ones are left on the right is not shown",
        """
        import numpy as np
        def f(a, b):
            losses = np.abs(a - b).mean(axis=-2)
            losses = (losses.sum(axis=2) / a.shape[-1]).mean(axis=-2)
            return losses.sum() / b.shape[-3]
        """,
    ),
    Snippet(
        "the examples are on another axis, and which one is divided by has no name",
        """
        import torch
        import torch.nn.functional as F
        def f(x, labels):
            losses = F.log_softmax(x, dim=-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1).T
            steps, batch = losses.shape
            return -losses.mean() / batch
        """,
        ((7, "BMN301", "proved"),),
    ),
    Snippet(
        "the classes on the second axis: what two means of axes counted from the right leave is not shown",
        """
        import torch
        import torch.nn.functional as F
        def f(probs, labels):
            target = F.one_hot(labels, probs.shape[-2]).float().movedim(-1, 1)
            return -(target * torch.log(probs)).mean(dim=-1).mean(dim=-2).sum()
        """,
    ),
    Snippet(
        "a loop that takes one example at a time, as many as an axis counted from the right",
        """
        import torch.nn.functional as F
        def f(x, y):
            losses = F.smooth_l1_loss(x, y, reduction="none")
            total, count = 0.0, x.shape[-3]
            for i in range(count):
                total += losses[i].mean()
            return total / count
        """,
    ),
    Snippet(
        "one example that is mapped may have one axis: the first is the last",
        """
        import jax
        import jax.numpy as jnp
        def one(x):
            p = jax.nn.softmax(x, axis=-1)
            return (p * jnp.log(p)).sum(axis=0)
        def f(x):
            return jnp.mean(jax.vmap(one)(x))
        """,
    ),
    Snippet(
        "a comment says that there is one axis",
        """
        import torch
        def f(x):
            probs = g(x)  # (B,)
            return -(probs * torch.log(probs)).mean()
        """,
    ),
    Snippet(
        "an annotation says that there is one axis",
        """
        import torch
        def f(p: Float[Tensor, "batch"]):
            return -(p * torch.log(p)).mean()
        """,
    ),
    Snippet(
        "annotations name the class axis of arrays whose names say nothing",
        """
        import torch
        def f(u: Float[Tensor, "batch vocab"], w: Float[Tensor, "batch vocab"]):
            return -(u * torch.log(w)).mean()
        """,
        ((4, "BMN102", "likely"),),
    ),
    Snippet(
        "in-batch negatives: the mean runs over the other examples, too",
        """
        import torch
        def f(queries, keys):
            targets = torch.eye(len(queries))
            return -(targets * torch.log_softmax(queries @ keys.t(), dim=1)).mean()
        """,
        ((5, "BMN102", "proved"),),
    ),
    Snippet(
        "in-batch negatives: the classes are counted as examples",
        """
        import torch
        def f(queries, keys):
            targets = torch.eye(len(queries))
            return -(targets * torch.log_softmax(queries @ keys.t(), dim=1)).sum() / len(queries)
        """,
    ),
    Snippet(
        "a comment never silences what is proved",
        """
        import torch
        def f(x, y):
            p = torch.softmax(x, -1)  # (B,)
            return -(p * torch.log_softmax(y, -1)).mean()
        """,
        ((5, "BMN102", "proved"),),
    ),
    Snippet(
        "an einops pattern that averages the classes",
        """
        from einops import reduce
        import torch
        def f(x, y):
            terms = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            return -reduce(terms, "b t v -> b t", "mean").mean()
        """,
        ((6, "BMN102", "proved"),),
    ),
    Snippet(
        "an einops pattern that sums them",
        """
        from einops import reduce
        import torch
        def f(x, y):
            terms = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            return -reduce(terms, "b t v -> b t", "sum").mean()
        """,
    ),
    Snippet(
        "a shared reducer is blamed on the call that hands it the integrand",
        """
        import torch
        def reduce_loss(loss, how):
            return loss.mean() if how == "mean" else loss.sum()
        def f(x, y):
            terms = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            return -reduce_loss(terms, "mean")
        def g(x, y):
            terms = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            return -reduce_loss(terms.sum(-1), "mean")
        """,
        ((7, "BMN102", "proved"),),
    ),
    Snippet(
        "a decorator of this module sums the classes",
        """
        import torch
        def summed(f):
            def wrapper(*args):
                return f(*args).sum(-1).mean()
            return wrapper
        @summed
        def f(x, y):
            return -torch.softmax(x, -1) * torch.log_softmax(y, -1)
        """,
    ),
    Snippet(
        "a rank test decides whether the classes are summed",
        """
        import torch
        def f(x, y):
            kl = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            if kl.dim() > 1:
                kl = kl.sum(-1)
            return -kl.mean()
        """,
    ),
    Snippet(
        "a switch decides whether the classes are summed",
        """
        import torch
        def f(x, y, per_class=False):
            kl = torch.softmax(x, -1) * torch.log_softmax(y, -1)
            if not per_class:
                kl = kl.sum(-1)
            return -kl.mean()
        """,
        ((7, "BMN102", "proved"),),
    ),
    Snippet(
        "the same values are summed beside it: the mean is another statistic",
        """
        import torch
        def f(mu, logvar):
            kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
            return kl.sum(1).mean(0), kl.mean(0), kl.mean(1).mean(0)
        """,
    ),
    Snippet(
        "an attribute that another method changes decides nothing",
        """
        import torch.nn as nn
        import torch.nn.functional as F
        class Generations:
            def __init__(self):
                self.generation = 0
            def next(self):
                self.generation += 1
            def loss(self, x, y, labels):
                if self.generation == 0:
                    return F.cross_entropy(x, labels)
                return nn.KLDivLoss()(F.log_softmax(x, 1), F.softmax(y, 1))
        """,
        ((12, "BMN103", "proved"),),
    ),
    Snippet(
        "a normalised entropy per pixel: the length left out is that of the support",
        """
        import numpy as np
        import torch
        def entropy_loss(v):
            n, c, h, w = v.size()
            return -torch.sum(torch.mul(v, torch.log2(v + 1e-30))) / (n * h * w * np.log2(c))
        """,
    ),
    Snippet(
        "an axis that only the caller knows",
        """
        import torch.nn.functional as F
        def f(x, y, dim):
            kl = F.kl_div(F.log_softmax(x, dim=dim), F.softmax(y, dim=dim), reduction="sum")
            return kl / (x.numel() / x.size(dim))
        """,
    ),
    Snippet(
        "a log-probability that the module's last layer gives",
        """
        import jax.numpy as np
        from jax.example_libraries import stax
        def loss(params, batch):
            inputs, targets = batch
            preds = predict(params, inputs)
            return -np.mean(preds * targets)
        init, predict = stax.serial(stax.Dense(10), stax.LogSoftmax)
        """,
        ((7, "BMN102", "likely"),),
    ),
    Snippet(
        "advantages weigh the log-probability of an action",
        """
        import torch
        def f(logits, actions, advantages):
            log_probs = torch.log_softmax(logits, -1)
            chosen = log_probs.gather(1, actions)
            return -(chosen * advantages).mean(), -(log_probs * advantages).mean()
        """,
    ),
    Snippet(
        "star imports, and a name that shadows a module",
        """
        from torch.nn.functional import *
        def f(x, y):
            return kl_div(log_softmax(x, 1), softmax(y, 1))
        def g(x, y, kl_div):
            return kl_div(log_softmax(x, 1), softmax(y, 1))
        """,
        ((4, "BMN103", "proved"),),
    ),
    Snippet(
        "try and except imports mean the first",
        """
        try:
            import cupy as np
        except ImportError:
            import numpy as np
        def f(labels, log_probs):
            return -np.mean(np.eye(10)[labels] * log_probs)
        """,
        ((7, "BMN102", "likely"),),
    ),
    Snippet(
        "what gather chose is no distribution, whatever it is called",
        """
        import torch
        def f(logits, labels, gamma, s):
            log_probs = torch.log_softmax(logits, -1)
            probs = log_probs.exp()
            target_log_probs = log_probs.gather(-1, labels).squeeze(-1)
            target_probs = probs.gather(-1, labels).squeeze(-1)
            weight = (1.0 - target_probs) ** gamma
            smooth = -log_probs.mean(-1)
            return (weight * ((1 - s) * (-target_log_probs) + s * smooth)).mean()
        """,
    ),
    Snippet(
        "a focal loss of chosen probabilities",
        """
        import torch
        def f(logits, labels):
            probs = torch.softmax(logits, 1)
            p = probs[range(len(labels)), labels]
            return (-((1 - p) ** 2) * torch.log(p)).mean()
        """,
    ),
    Snippet(
        "an advantage is a difference, not a distribution",
        """
        import torch
        def f(pi, target_vec, values, actions):
            pi_a = pi.gather(1, actions).reshape(-1)
            probs = net(pi)
            advantage = target_vec - values
            return -(torch.log(pi_a) * advantage).mean(), -(torch.log(probs) * (target_vec - values)).mean()
        """,
    ),
    Snippet(
        "the other half of a binary divergence comes a statement later",
        """
        from keras import backend as K
        def f(y_true, y_pred):
            loss = K.mean(y_true * K.log(y_true / y_pred), axis=-1)
            loss += K.mean((1.0 - y_true) * K.log((1.0 - y_true) / (1.0 - y_pred)), axis=-1)
            return loss
        """,
    ),
    Snippet(
        "a KL beside the mean log-probability of the same Normal: both are per element",
        """
        import torch
        from torch.distributions import Normal, kl_divergence
        def f(mu, sigma, x, w):
            posterior = Normal(mu, sigma)
            prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
            return -posterior.log_prob(x).mean() + w * kl_divergence(posterior, prior).mean()
        """,
    ),
    Snippet(
        "rows that are divided by their sum are distributions, whatever they were",
        """
        import torch
        def f(s, t, eps):
            s = (s + 1.0) / 2.0
            t = (t + 1.0) / 2.0
            s = s / torch.sum(s, dim=1, keepdim=True)
            t = t / torch.sum(t, dim=1, keepdim=True)
            return torch.mean(t * torch.log((t + eps) / (s + eps)))
        """,
        ((8, "BMN102", "proved"),),
    ),
    Snippet(
        "a haiku function that returns log-probabilities, which the loss calls logits",
        """
        import haiku as hk
        import jax
        import jax.numpy as jnp
        def forward(x):
            return hk.Sequential([hk.Linear(2), jax.nn.log_softmax])(x)
        net = hk.without_apply_rng(hk.transform(forward))
        def loss(params, x, labels):
            logits = net.apply(params, x)
            return -jnp.mean(logits * labels)
        """,
        ((10, "BMN102", "likely"),),
    ),
    Snippet(
        "bits per dimension declare their unit",
        """
        import numpy as np
        import torch
        def f(mean, logvar):
            kl = 0.5 * (-1.0 - logvar + torch.exp(logvar) + mean**2)
            return kl.mean() / np.log(2.0)
        """,
    ),
    Snippet(
        "one column of probabilities was chosen",
        """
        import torch
        def f(labels, probs):
            return -(labels[:, 0] * torch.log(probs[:, 0])).mean()
        """,
    ),
    Snippet(
        "a matching that is normalised over both axes",
        """
        import torch
        def f(losses, beta):
            n = losses.shape[-1]
            Z = -beta * losses
            for _ in range(20):
                Z = Z - torch.logsumexp(Z, axis=1, keepdim=True)
                Z = Z - torch.logsumexp(Z, axis=2, keepdim=True)
            return torch.einsum("bij,bij->b", losses + Z / beta, torch.exp(Z)) / n
        """,
    ),
    Snippet(
        "chosen columns of the logits, and batchmean",
        """
        import torch
        import torch.nn.functional as F
        def f(out, before, units):
            chosen = list(units)
            log_p = torch.log_softmax(out[:, chosen] / 2, dim=1)
            q = torch.softmax(before[:, chosen] / 2, dim=1)
            return F.kl_div(log_p, q, reduction="batchmean")
        """,
    ),
    Snippet(
        "a term of a diffusion bound: the likelihood in the other branch is averaged in the same place",
        """
        import torch
        def f(t, likelihood, m1, m2, lv1, lv2):
            if t == 0:
                kl = -likelihood(m1)
            else:
                kl = 0.5 * (-1.0 + lv2 - lv1 + torch.exp(lv1 - lv2) + (m1 - m2) ** 2 * torch.exp(-lv2))
            return kl.view(kl.shape[0], -1).mean(dim=1)
        """,
    ),
    Snippet(
        "a layer of width one has no dimensions to sum; one of width two has",
        """
        import torch.nn as nn
        from torch.distributions import Normal, kl_divergence
        class Policy(nn.Module):
            def __init__(self):
                self.one = nn.Linear(8, 1)
                self.two = nn.Linear(8, 2)
            def narrow(self, h, s):
                return kl_divergence(Normal(self.one(h), s), Normal(0.0, 1.0)).mean()
            def wide(self, h, s):
                return kl_divergence(Normal(self.two(h), s), Normal(0.0, 1.0)).mean()
        """,
        ((11, "BMN104", "proved"),),
    ),
    Snippet(
        "mutual recursion ends",
        """
        import torch
        def f(x, y):
            return g(x, y)
        def g(x, y):
            return f(x, y) if x else -(torch.softmax(x, -1) * torch.log_softmax(y, -1)).mean()
        """,
        ((6, "BMN102", "proved"),),
    ),
    Snippet(
        "a mean that is summed, as if it were not one number, and divided by a count",
        """
        import torch
        import torch.nn.functional as F
        def f(logits, labels, order, rate):
            kept = int(rate * len(order))
            loss = F.cross_entropy(logits[order[:kept]], labels[order[:kept]])
            return torch.sum(loss) / kept
        """,
        ((7, "BMN301", "likely"),),
    ),
    Snippet(
        "the reduction is the default of the class, the batch is unpacked from the input's size",
        """
        import torch.nn as nn
        class Losses:
            def __init__(self, size_average=True, batch_average=True):
                self.size_average = size_average
                self.batch_average = batch_average
            def cross_entropy(self, logit, target):
                n, c, h, w = logit.size()
                criterion = nn.CrossEntropyLoss(size_average=self.size_average)
                loss = criterion(logit, target.long())
                if self.batch_average:
                    loss /= n
                return loss
        """,
        ((12, "BMN301", "likely"),),
    ),
    Snippet(
        "a method that nobody here knows is asked for no reduction, and gives a loss per element",
        """
        def f(forwarders, x, y, masks=None):
            total = 0.0
            for forwarder in forwarders:
                loss = forwarder.compute_error(x, y, reduction="none")
                if masks is not None:
                    loss = loss * masks
                total += loss.mean()
            return total
        """,
        ((8, "BMN201", "likely"),),
    ),
    Snippet(
        "a package's own reduce_mean, beside TensorFlow",
        """
        import tensorflow as tf
        from .layers.utils import reduce_mean
        def f(p, lengths):
            mask = tf.cast(tf.sequence_mask(lengths), tf.float32)
            return reduce_mean(-tf.math.log(p) * mask)
        """,
        ((6, "BMN201", "proved"),),
    ),
    Snippet(
        "another package's reduce_mean may be a reduction over processes",
        """
        import torch.nn.functional as F
        from .utils import reduce_mean
        def f(x, y, pad_mask):
            return reduce_mean(F.l1_loss(x, y, reduction="none") * ~pad_mask)
        """,
    ),
    Snippet(
        "a switch of the class is read twice: a mean of a mean, or a sum of a sum, but no mean of a sum",
        """
        import torch
        class Loss:
            def __init__(self, mode="mean"):
                self.mode = mode
            def reduce(self, loss):
                if self.mode == "mean":
                    return torch.mean(loss)
                return torch.sum(loss)
            def forward(self, x, y):
                cost = self.reduce((y * -torch.log_softmax(x, -1)).sum(-1))
                return self.reduce(cost)
        """,
    ),
    Snippet(
        "a list of heads is no batch",
        """
        import torch
        class Loss:
            def one(self, x, y):
                return torch.sum(-y * torch.log_softmax(x, -1)) / x.shape[0]
            def forward(self, x, y):
                if isinstance(x, list):
                    return sum([self.one(head, y) / len(x) for head in x])
                return self.one(x, y)
        """,
    ),
    Snippet(
        "gather takes as many as its index holds: weights beside it are no column",
        """
        import torch
        def ndcg(scores, labels, k):
            order = (-scores).argsort(dim=1)[:, :k]
            hits = labels.gather(1, order)
            weights = 1 / torch.log2(torch.arange(2, 2 + k).float())
            return (hits * weights).sum(1).mean()
        """,
    ),
    Snippet(
        "a mask that is called no more than that chooses examples, and why is not shown",
        """
        import torch
        import torch.nn.functional as F
        def f(y, y_hat, mask):
            distance = F.mse_loss(y.softmax(1), y_hat.softmax(1), reduction="none").mean(1)
            return (distance * mask).mean()
        """,
    ),
    Snippet(
        "a confident prediction is no valid position, whatever the mask is called",
        """
        import torch
        import torch.nn.functional as F
        def f(strong, weak, threshold):
            score, label = torch.softmax(weak, -1).max(-1)
            mask = score.ge(threshold).float()
            return (F.cross_entropy(strong, label, reduction="none") * mask).mean()
        def g(strong, label, score, valid_mask, threshold):
            mask = (score > threshold) & valid_mask
            return (F.cross_entropy(strong, label, reduction="none") * mask).mean()
        """,
    ),
    Snippet(
        "the library's own ignore_index, handed on, says nothing of ignored positions",
        """
        import torch.nn.functional as F
        def token_losses(logits, labels, ignore_index=-100):
            return F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="none")
        def f(logits, labels):
            return token_losses(logits, labels).mean()
        """,
    ),
    Snippet(
        "accumulation steps, terms and heads are no examples",
        """
        import torch.nn.functional as F
        def f(batches, steps, model):
            for x, y in batches:
                (F.cross_entropy(model(x), y) / steps).backward()
        def g(heads, y):
            return sum(F.cross_entropy(head, y) for head in heads) / len(heads)
        def h(x, y):
            total = 0
            for row, label in zip(x, y):
                total = total + F.cross_entropy(row, label)
            return total / x.size(0)
        """,
    ),
    Snippet(
        "entries that do not sum to one are no target, whatever the array is called",
        """
        import numpy as np
        def f(log_probs, n, columns):
            labels = np.zeros((n, 2))
            labels[range(n), columns] = -2.0
            return (log_probs * labels).mean()
        """,
    ),
    Snippet(
        "a loss by its name is divided, and the quotient is thrown away",
        """
        import torch
        def f(loss, labels):
            loss.div(len(labels))
            return loss
        def g(loss, labels):
            loss.div_(len(labels))
            return loss
        def h(loss, labels):
            loss.div(len(labels)).backward()
        """,
        ((4, "BMN304", "likely"),),
    ),
    Snippet(
        "the last expression of a cell is shown",
        """
        import torch.nn.functional as F
        loss = F.cross_entropy(logits, labels, reduction="sum")
        loss / logits.size(0)
        """,
    ),
    Snippet(
        "items of a map are what each of them is: the second is no column, however it is unpacked",
        """
        import torch.nn.functional as F
        def train(batch, model, device, source):
            gold = batch[1][:, 2:].unsqueeze(1)
            targets, gold = map(lambda x: x.to(device), [batch[1].unsqueeze(1), gold.contiguous().view(-1)])
            prediction, *_ = model(source, targets)
            return F.mse_loss(prediction.contiguous().view(-1), gold)
        def train_with_a_list(batch, model, source):
            items = []
            items.append(batch[1].unsqueeze(1))
            items.append(batch[2].view(-1))
            targets, gold = items
            prediction, *_ = model(source, targets)
            return F.mse_loss(prediction.view(-1), gold)
        """,
    ),
    Snippet(
        "a mask that one way lays on the loss and another one counts, with labels that the library leaves out",
        """
        import torch.nn.functional as F
        class Loss:
            def forward(self, logits, targets, mask=None):
                if logits.dim() == 3:
                    batch, steps, vocab = logits.shape
                    logits, targets = logits.reshape(-1, vocab), targets.reshape(-1)
                    if mask is not None:
                        mask = mask.reshape(-1)
                if self.smoothing > 0:
                    loss = self.smoothed(logits, targets)
                else:
                    loss = F.cross_entropy(logits, targets, ignore_index=self.ignored, reduction="none")
                if mask is not None:
                    return (loss * mask).sum() / mask.sum().clamp(min=1.0)
                return loss.sum() / (targets != self.ignored).sum().clamp(min=1.0)
            def smoothed(self, logits, targets):
                log_probs = F.log_softmax(logits, dim=-1)
                chosen = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
                loss = (1 - self.smoothing) * chosen - self.smoothing * log_probs.mean(dim=-1)
                if self.ignored >= 0:
                    loss = loss.masked_fill(targets == self.ignored, 0.0)
                return loss
        """,
    ),
    Snippet(
        "labels each of which chose a class are not negative; rows that a condition picked are no padding",
        """
        import torch.nn.functional as F
        def calibrated(logits, labels):
            one_hot = F.one_hot(labels.long(), logits.shape[1])
            brier = ((logits.softmax(dim=1) - one_hot) ** 2).sum(1)
            losses = F.cross_entropy(logits, labels.long(), reduction="none", ignore_index=-1)
            return (brier * losses).mean()
        def masked_tokens(logits, labels, chosen):
            losses = F.cross_entropy(logits[chosen], labels[chosen], reduction="none", ignore_index=-1)
            return losses.mean()
        def ignored(logits, labels):
            losses = F.cross_entropy(logits, labels, reduction="none", ignore_index=-1)
            return losses.mean()
        """,
        ((13, "BMN201", "likely"),),
    ),
    Snippet(
        "a quotient that weighs one right loss against another is a weight, by itself it is a division",
        """
        import torch.nn.functional as F
        def entropy(logits):
            return -(F.softmax(logits, 1) * F.log_softmax(logits, 1)).sum() / logits.shape[0]
        def weighed(logits, labels, beta):
            classes = logits.shape[1]
            return F.cross_entropy(logits, labels) + beta / classes * entropy(logits)
        def divided(logits):
            return 1 / logits.shape[1] * entropy(logits)
        """,
        ((9, "BMN101", "proved"),),
    ),
    Snippet(
        "a mask of one number for each example chooses examples, and why is not shown",
        """
        import numpy as np
        def one_step(x, y, mask):
            probs = np.exp(x - np.max(x, axis=1, keepdims=True))
            probs /= np.sum(probs, axis=1, keepdims=True)
            return -np.sum(mask * np.log(probs[np.arange(len(x)), y])) / len(x)
        """,
    ),
    Snippet(
        "a division that serves the sum of one loss and the mean of another",
        """
        import jax.numpy as jnp
        import optax
        def summed(logits, labels):
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return jnp.sum(losses), losses.shape[0]
        def averaged(logits, labels):
            losses = optax.sigmoid_binary_cross_entropy(logits, labels)
            return jnp.mean(losses), losses.shape[0]
        def evaluate(logits, labels, config):
            loss = averaged if config.preferences else summed
            total, weights = loss(logits, labels)
            return total / weights
        """,
    ),
    Snippet(
        "the mean over the latent axis of what a layer makes of an input",
        """
        from keras import backend as K
        from keras.layers import Dense, Input
        def model():
            x = Input(shape=(64,))
            mean, log_var = Dense(32)(x), Dense(32)(x)
            return -0.5 * K.mean(1 + log_var - K.square(mean) - K.exp(log_var), axis=1)
        """,
        ((7, "BMN104", "proved"),),
    ),
    Snippet(
        "how a file is run is no option of its losses",
        """
        import numpy as np
        def sequences(losses, loss_mask):
            return (losses * loss_mask).sum(axis=1).sum() / losses.shape[1]
        if __name__ == "__main__":
            print(sequences(np.full((3, 4), 0.5), np.full((3, 4), 0.5)))
        """,
        ((4, "BMN307", "likely"),),
    ),
    Snippet(
        "a mean over the rounds of a loader is told once, where a round goes wrong",
        """
        def masked(predicted, observed, mask):
            errors = (predicted - observed) ** 2
            return (errors * mask).sum() / mask.size
        def epoch(loader):
            return sum(masked(a, b, mask) for a, b, mask in loader) / len(loader)
        """,
        ((4, "BMN201", "likely"),),
    ),
    Snippet(
        "a criterion that is seen nowhere, but that something is trained with: its batch means over the examples",
        """
        def train(model, loader, criterion, optimizer):
            total = 0.0
            for x, y in tqdm(loader):
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                total += loss.item()
            return total / len(loader.dataset)
        """,
        ((9, "BMN501", "likely"),),
    ),
    Snippet(
        "the same where nothing is trained with it: it may give a sum",
        """
        def validate(model, loader, criterion):
            total = 0.0
            for x, y in loader:
                total += criterion(model(x), y).item()
            return total / len(loader.dataset)
        """,
    ),
    Snippet(
        "the caller hands a criterion that sums",
        """
        import torch.nn as nn
        def train(model, loader, criterion):
            total = 0.0
            for x, y in loader:
                loss = criterion(model(x), y)
                loss.backward()
                total += loss.item()
            return total / len(loader.dataset)
        def main(model, loader):
            return train(model, loader, nn.MSELoss(reduction="sum"))
        """,
    ),
    Snippet(
        "the caller hands it in one of two ways, and none is known",
        """
        import torch.nn as nn
        def validate(model, loader, sums):
            criterion = nn.MSELoss(reduction="sum") if sums else nn.MSELoss()
            total = 0.0
            for x, y in loader:
                total += criterion(model(x), y).item()
            return total / len(loader.dataset)
        """,
    ),
    Snippet(
        "batch means over the batches: the mean, but for a smaller last batch",
        """
        import torch.nn.functional as F
        def validate(model, loader):
            total, batches = 0.0, 0
            losses = []
            for i, (x, y) in enumerate(loader):
                total += F.mse_loss(model(x), y).item()
                losses.append(F.mse_loss(model(x), y).item())
                batches += 1
            return total / len(loader), total / (i + 1), total / batches, sum(losses) / len(losses)
        """,
    ),
    Snippet(
        "each example by itself: the dataset is what the loop runs through, or a batch is one",
        """
        import torch.nn.functional as F
        from torch.utils.data import DataLoader
        def validate(model, dataset):
            total = 0.0
            for x, y in dataset:
                total += F.mse_loss(model(x), y).item()
            other = 0.0
            for x, y in DataLoader(dataset):
                other += F.mse_loss(model(x), y).item()
            third = 0.0
            for x, y in DataLoader(dataset, batch_size=1, shuffle=True):
                third += F.mse_loss(model(x), y).item()
            return total / len(dataset), other / len(dataset), third / len(dataset)
        """,
    ),
    Snippet(
        "a loader that leaves some examples out",
        """
        import torch.nn.functional as F
        from torch.utils.data import DataLoader
        def validate(model, dataset, size):
            loader = DataLoader(dataset, batch_size=size, drop_last=True)
            total = 0.0
            for x, y in loader:
                total += F.mse_loss(model(x), y).item()
            return total / len(dataset)
        """,
    ),
    Snippet(
        "a loop that ends early has not seen all batches",
        """
        import torch.nn.functional as F
        def validate(model, loader):
            total = 0.0
            for i, (x, y) in enumerate(loader):
                if i == 10:
                    break
                total += F.mse_loss(model(x), y).item() * x.size(0)
            return total / len(loader)
        """,
    ),
    Snippet(
        "a running loss that is told every hundred steps and set back",
        """
        import torch.nn.functional as F
        def train(model, loader):
            running, sums = 0.0, 0.0
            for i, (x, y) in enumerate(loader):
                loss = F.mse_loss(model(x), y)
                loss.backward()
                running += loss.item()
                sums += loss.item() * x.size(0)
                if i % 100 == 99:
                    print(running / 100, sums / (i + 1))
                    running = 0.0
                    sums = 0.0
            return running / len(loader.dataset)
        """,
    ),
    Snippet(
        "in the middle of an epoch: by the examples that were seen so far it is wrong, by all it is not known",
        """
        import torch.nn.functional as F
        def train(model, loader):
            running, seen = 0.0, 0
            for i, (x, y) in enumerate(loader):
                loss = F.mse_loss(model(x), y)
                running += loss.item()
                seen += x.size(0)
                print(running / len(loader.dataset), running / (i + 1))
                print(running / seen)
        """,
        ((10, "BMN501", "likely"),),
    ),
    Snippet(
        "weighed losses: what the weights are is not known",
        """
        import torch.nn.functional as F
        def train(model, loader, weights, args):
            total, other, third = 0.0, 0.0, 0.0
            for x, y in loader:
                loss = F.mse_loss(model(x), y)
                total += loss.item() * args.scale
                other += loss.item() * weights.sum()
                third += loss.item() * y.ne(0).sum().item()
            return total / len(loader.dataset), other / len(loader.dataset), third / len(loader.dataset)
        """,
    ),
    Snippet(
        "a quotient that is multiplied again, by whatever",
        """
        import torch.nn.functional as F
        def validate(model, loader, args):
            total = 0.0
            for x, y in loader:
                total += F.mse_loss(model(x), y).item()
            average = total / len(loader.dataset) * args.batch_size
            other = total / len(loader.dataset)
            other *= args.batch_size
            return average, other, total * args.batch_size / len(loader.dataset)
        """,
    ),
    Snippet(
        "added up under a condition: how often is not known",
        """
        import torch.nn.functional as F
        def validate(model, loader):
            total = 0.0
            for i, (x, y) in enumerate(loader):
                loss = F.mse_loss(model(x), y)
                if not loss.isnan():
                    total += loss.item()
            return total / len(loader.dataset)
        """,
    ),
    Snippet(
        "other data than the loop runs through",
        """
        import torch.nn.functional as F
        def validate(model, train_loader, val_loader, epochs, world_size):
            total = 0.0
            for x, y in val_loader:
                total += F.mse_loss(model(x), y).item()
            return total / len(train_loader.dataset), total / epochs, total / world_size
        """,
        ((7, "BMN506", "likely"),),
    ),
    Snippet(
        "the total of all ranks is another one",
        """
        import torch.distributed as dist
        import torch.nn.functional as F
        def validate(model, loader):
            total = 0.0
            for x, y in loader:
                total += F.mse_loss(model(x), y)
            dist.all_reduce(total)
            return total / len(loader.dataset)
        """,
    ),
    Snippet(
        "the heads of a model are no batches, and epochs are none",
        """
        import torch.nn.functional as F
        def train(model, loader, heads, epochs):
            total = 0.0
            for epoch in range(epochs):
                for x, y in loader:
                    loss = 0.0
                    for head in heads:
                        loss += F.mse_loss(head(model(x)), y)
                    total += loss.item()
            return total / len(heads), total / len(loader.dataset)
        """,
    ),
    Snippet(
        "sums of what may be one example each",
        """
        import numpy as np
        def divergence(documents, topics):
            total, rewards = 0.0, []
            for p, q in zip(documents, topics):
                total += np.sum(p * np.log(p / q))
                rewards.append(np.sum(p))
            return total / len(topics), np.mean(rewards)
        """,
    ),
    Snippet(
        "a sum over what was averaged over the examples before",
        """
        def train(model, loader):
            total = 0.0
            for x in loader:
                mu, log_var = model(x)
                kl_per_dim = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).mean(dim=0)
                total += kl_per_dim.clamp(min=0.1).sum().item()
            return total / len(loader)
        """,
    ),
    Snippet(
        "the exponential of the average, of an error and of a negative",
        """
        import math
        import torch.nn.functional as F
        def validate(model, loader):
            total, errors, confidence = 0.0, 0.0, 0.0
            for x, y in loader:
                total += F.cross_entropy(model(x), y).item()
                errors += math.exp(F.mse_loss(model(x), y).item())
                confidence += math.exp(-F.cross_entropy(model(x), y).item())
            return math.exp(total / len(loader)), errors / len(loader), confidence / len(loader)
        """,
    ),
    Snippet(
        "numbers of batches times their size are the examples, more or less",
        """
        import torch.nn.functional as F
        def validate(model, loader, batch_size):
            total, sums = 0.0, 0.0
            for i, (x, y) in enumerate(loader):
                total += F.mse_loss(model(x), y).item()
                sums += F.mse_loss(model(x), y, reduction="sum").item()
            print(sums / (len(loader) * batch_size))
            return total / (len(loader) * batch_size)
        """,
        ((9, "BMN501", "likely"),),
    ),
    Snippet(
        "train_data and train_loader go together by their names, train_data and test_loader do not",
        """
        import torch.nn.functional as F
        def validate(model, train_loader, test_loader, train_data):
            total, other = 0.0, 0.0
            for x, y in train_loader:
                total += F.mse_loss(model(x), y).item()
            for x, y in test_loader:
                other += F.mse_loss(model(x), y).item()
            return total / len(train_data), other / len(train_data)
        """,
        ((9, "BMN501", "likely"), (9, "BMN506", "likely")),
    ),
    Snippet(
        "an average's object weighs what it is given, and is right",
        """
        import torch.nn.functional as F
        def validate(model, loader):
            losses = AverageMeter()
            for x, y in loader:
                loss = F.mse_loss(model(x), y)
                losses.update(loss.item(), x.size(0))
            return losses.avg
        """,
    ),
    Snippet(
        "it is given sums, or its sum is divided by the examples",
        """
        import torch.nn.functional as F
        def validate(model, loader):
            losses, means, sums = AverageMeter("loss"), AverageMeter("mean"), AverageMeter("sum")
            for x, y in loader:
                loss = F.mse_loss(model(x), y)
                means.update(loss.item())
                losses.update(F.mse_loss(model(x), y, reduction="sum").item())
                sums.update(F.mse_loss(model(x), y, reduction="sum").item())
            sums.sum / len(loader.dataset)
            return losses.avg, means.avg, means.sum / len(loader.dataset)
        """,
        ((8, "BMN502", "likely"), (11, "BMN501", "likely")),
    ),
    Snippet(
        "the loss of a model of its own, which something is trained with",
        """
        def train(model, loader, accelerator):
            total = 0.0
            for batch in loader:
                outputs = model(**batch)
                loss = outputs.loss
                accelerator.backward(loss)
                total += loss.detach().float()
            return total / len(loader), total / len(loader.dataset)
        """,
        ((9, "BMN501", "likely"),),
    ),
    Snippet(
        "divided by the accumulation steps in each of two branches: once",
        """
        import torch.nn.functional as F
        def train(model, loader, optimizer, scaler, accumulation_steps, fp16):
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x), y)
                if fp16:
                    loss = loss / accumulation_steps
                    scaler.scale(loss).backward()
                else:
                    loss = loss / accumulation_steps
                    loss.backward()
                if (i + 1) % accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    ),
    Snippet(
        "not divided, but the gradients, the learning rate or a helper may be, or nothing is accumulated at all",
        """
        import torch.nn.functional as F
        def by_hand(model, loader, optimizer, accumulation_steps):
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                if (i + 1) % accumulation_steps == 0:
                    for p in model.parameters():
                        p.grad /= accumulation_steps
                    optimizer.step()
                    optimizer.zero_grad()
        def by_rate(model, loader, make, rate, accumulation_steps):
            optimizer = make(rate / accumulation_steps)
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                if (i + 1) % accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        def zeroed(model, loader, optimizer, accumulation_steps):
            for i, (x, y) in enumerate(loader):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                if (i + 1) % accumulation_steps == 0:
                    optimizer.step()
        def summed(model, loader, optimizer, accumulation_steps):
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x), y, reduction="sum")
                loss.backward()
                if (i + 1) % accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    ),
    Snippet(
        "an accelerator that was not told the steps divides by nothing",
        """
        import torch.nn.functional as F
        from accelerate import Accelerator
        accelerator = Accelerator()
        def train(model, loader, optimizer, accumulation_steps):
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x), y)
                loss = loss / accumulation_steps
                accelerator.backward(loss)
        """,
    ),
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.name)
def test_snippet(snippet: Snippet) -> None:
    text = textwrap.dedent(snippet.text)
    found = tuple((f.span.line, f.code, f.confidence) for f in lint(text, "snippet.py"))
    assert found == snippet.wrong


def test_the_chain_names_target_log_probability_and_divisor() -> None:
    text = textwrap.dedent(
        """
        import numpy as np
        def f(labels, probs):
            one_hot = np.eye(10)[labels]
            total = np.sum(one_hot * np.log(probs))
            return -total / (10 * len(labels))
        """
    )
    (finding,) = lint(text, "chain.py")
    assert finding.code == "BMN101"
    assert finding.known_sizes == {"V": 10}
    assert finding.factor == {"V": -1}
    assert "10 times too small" in finding.message
    assert [b.line for b in finding.because] == [4, 5, 6]


@pytest.mark.parametrize(
    ("reconstruction", "says_ratio"),
    [
        ("F.mse_loss(recon, x)", True),
        ("((recon - x) ** 2).mean()", True),
        ("nn.BCELoss()(recon, x)", True),
        ("F.mse_loss(recon, x, reduction='sum') / len(x)", False),
        ("F.mse_loss(recon, x, reduction='none').sum(-1).mean()", False),
    ],
)
def test_a_latent_kl_beside_an_average_says_the_ratio(reconstruction: str, says_ratio: bool) -> None:
    text = _TORCH + textwrap.dedent(
        f"""
        def loss(recon, x, mu, logvar, beta):
            kl = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
            return {reconstruction} + beta * kl
        """
    )
    (finding,) = lint(text, "vae.py")
    assert finding.code == "BMN104"
    assert ("P/D" in finding.message) == says_ratio


def test_columns_are_code_points() -> None:
    text = 'import numpy as np\ndef f(labels, p): x = "ü€𝄞"; return -np.mean(np.eye(9)[labels] * np.log(p))\n'
    (finding,) = lint(text, "columns.py")
    line = text.split("\n")[1]
    assert line[finding.span.column - 1 : finding.span.end_column - 1] == (
        "np.mean(np.eye(9)[labels] * np.log(p))"
    )
