"""BMN901: a comment that silences nothing."""

from __future__ import annotations

from typing import ClassVar

from batchmean.engine.events import Event
from batchmean.rules.base import Rule


class UnusedNoqa(Rule):
    """## What it finds

    A `# noqa: BMN...` comment on a line where no rule of batchmean finds anything with this code: the loss was
    mended, or moved away, or a newer batchmean knows better. `--fix` takes the code away, and the comment if
    nothing else is in it; codes of other tools and words stay. What is found counts before any setting, so
    `--select` and `--min-confidence` make no comment unused. A bare `# noqa` is nobody's, and `# flake8: noqa`
    is about the whole file: neither is looked at, nor is a file that could not be analysed to its end.

    ## Why it matters

    A comment that stays behind silences what somebody will write on that line later.

    ## When to suppress it

    Where the comment is for another version of batchmean: `# noqa: BMN102, BMN901` for a line, `ignore =
    ["BMN901"]` for a project.
    """

    sees = Event
    code = "BMN901"
    name = "unused-noqa"
    law: ClassVar[str] = ""
    summary = "a noqa comment with a code of batchmean that silences nothing"
    wrong = """\
import torch.nn.functional as F


def loss(logits, labels):
    return F.cross_entropy(logits, labels)  # noqa: BMN102
"""
    right = """\
import torch.nn.functional as F


def loss(logits, labels):
    return F.cross_entropy(logits, labels)
"""
