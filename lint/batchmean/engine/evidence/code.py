"""What the wording of a piece of code suggests."""

from __future__ import annotations

import re
from typing import Final

from batchmean.engine.evidence.patterns import Pattern

POSITIONS: Final = Pattern(
    r"^((n|num|max)_)?(t|l|s|h|w|hw|steps?|time|time_?steps?|seq|seq_?len(gth)?|sequence_length|len(gth)?|height|width"
    r"|frames|pixels|tokens)$",
    why="b, t = x.shape names its lengths after what they count",
    takes="t seq_len num_steps H width tokens",
    leaves="b vocab",
    flags=re.I,
)

EXAMPLES: Final = Pattern(
    r"^(b|bs|bsz|n|batch(_?size)?|(n|num)_?(samples|examples)|examples)$",
    why="the first length of a shape is unpacked under a name for the batch",
    takes="b batch_size n num_samples",
    leaves="t h",
    flags=re.I,
)

LATENTS: Final = Pattern(
    r"\bz_|_z\b|latent|(\b|_)(mu|mean|log_?var|log_?sigma|log_?std)(\b|_)",
    why="a posterior of each example is called z, mu or logvar",
    takes="mu logvar z_mean latent log_sigma",
    leaves="hidden weights",
    flags=re.I,
)

CRITICS: Final = Pattern(
    r"critic|(\b|_)(q|value|return)s?_?dist",
    why="the return that a critic predicts is one number for each example, and so is its Gaussian",
    takes="critic_loss critics.kl q_dist return_distribution",
    leaves="latent policy_dist",
    flags=re.I,
)

PARAMETERS: Final = Pattern(
    r"weight|bias|param|prior|alpha|theta|embed",
    why="the posterior of a network's own weights has no examples",
    takes="weight_mu bias prior theta embedding",
    leaves="mu logvar",
    flags=re.I,
)

IGNORED_LABELS: Final = Pattern(
    r"ign",
    why="a number that nothing shows, and that is called ignored, is most likely what the library leaves out itself",
    takes="ignore_index IGNORED labels!=ign",
    leaves="pad_id labels",
    flags=re.I,
)

CHOICES: Final = Pattern(
    r"thresh|cut_?off|confiden|pseudo|unlabell?ed|consistency|\bcons_|inpaint|hole|reconstruct|patch|drop_?out|mask_ratio",
    why="a mask that is made of these chooses elements for another reason than padding",
    takes="threshold confidence pseudo_labels patches dropout",
    leaves="lengths attention",
    flags=re.I,
)

ABOUT_SHAPE: Final = Pattern(
    r"\b(n?dims?|shape|size|rank|d?type)\b|len\(|isinstance|discrete|continuous|hasattr",
    why="a branch on a rank or a type tells two inputs apart, not two options",
    takes="x.ndim len(shape) isinstance dtype",
    leaves="reduction how",
)
