"""What people write about shapes: comments such as `# (B, T, V)` and annotations such as `Float[Tensor, "b v"]`.

Nothing checks them, so they are as weak as names: they may raise or silence a `likely` verdict, never a `proved` one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Final

_COMMENT: Final = re.compile(
    r"#.*?[\[(]\s*((?:[A-Za-z_*]\w*|\d+)(?:\s*,\s*(?:[A-Za-z_*]\w*|\d+))*)\s*,?\s*[\])]"
)
_AXIS: Final = re.compile(
    r"^([a-z]\d?|\d+|\*?\w*(batch|bs|bsz|time|seq|tok|len|vocab|class|act|dim|hid|head|feat|chan|height|width|size|num|n_|nb)\w*)$",
    re.I,
)
"""Other words in brackets, such as `# [todo]`, are no axes."""
MAX_LINE: Final = 1000
"""In longer lines nobody writes shapes, and looking for them would take long."""
_CLASSES: Final = re.compile(
    r"^(v|c|k|a|vocab\w*|classes|class|n_?class(es)?|num_?class(es)?|n_?actions|actions?)$", re.I
)


def from_comment(lines: Sequence[str], line: int) -> tuple[str, ...]:
    """The axes that a comment at the end of a line names; empty when it names none."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if "#" not in text or len(text) > MAX_LINE:
        return ()
    match = _COMMENT.search(text)
    names = tuple(name.strip() for name in match[1].split(",")) if match else ()
    return names if all(map(_AXIS.match, names)) else ()


def from_annotation(annotation: ast.expr | None) -> tuple[str, ...]:
    """The axes that a jaxtyping annotation names; empty for every other annotation."""
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return ()
    last = annotation.slice.elts[-1] if annotation.slice.elts else None
    if not isinstance(last, ast.Constant) or not isinstance(last.value, str):
        return ()
    names = tuple(last.value.split())
    return names if all(name.replace("_", "a").isalnum() for name in names) else ()


def says_classes(hint: tuple[str, ...]) -> bool:
    """Is the last axis named as a class axis?"""
    return len(hint) > 1 and _CLASSES.match(hint[-1]) is not None


def says_per_example(hint: tuple[str, ...]) -> bool:
    """Is there one axis, and no class axis?"""
    return len(hint) == 1 and _CLASSES.match(hint[0]) is None


_A_CLASS_FOR_EACH: Final = re.compile(
    r"[\[(]\s*(batch\w*|bsz?|n)\s*,\s*(\w*class\w*|\w*labels?\w*|c|k|v)\s*[\])]", re.I
)
_MORE_AXES: Final = re.compile(r"[\[(]\s*\w+\s*,\s*\w+\s*,\s*\w+")


def says_one_loss_each(docstring: str) -> bool:
    """Does a docstring speak of arrays of examples and classes, and of no other axis?"""
    return bool(_A_CLASS_FOR_EACH.search(docstring)) and not _MORE_AXES.search(docstring)
