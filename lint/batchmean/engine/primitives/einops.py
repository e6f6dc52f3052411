"""einops: the pattern says which axes there are, which are merged and which are reduced."""

from __future__ import annotations

import re

from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Tensor
from batchmean.engine.domain.values import Value
from batchmean.engine.primitives.reducing import reduce
from batchmean.engine.primitives.registry import Call, literal, primitive

_GROUP = re.compile(r"\(([^()]*)\)|(\S+)")


def _side(text: str) -> list[tuple[str, ...]] | None:
    """The axes of one side of a pattern, each with the names merged into it."""
    groups = [
        tuple(merged.split()) if merged or not single else (single,)
        for merged, single in _GROUP.findall(text)
    ]
    plain = all(name == "1" or name.isidentifier() for group in groups for name in group)
    return groups if plain else None


def _parsed(pattern: object) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]] | None:
    if not isinstance(pattern, str) or pattern.count("->") != 1:
        return None
    left, right = (_side(side) for side in pattern.split("->"))
    return (left, right) if left is not None and right is not None else None


def _named_axes(shape: Shape, left: list[tuple[str, ...]]) -> dict[str, Axis]:
    """The axis of each name on the left; a pattern without `...` shows the rank."""
    shape.set_rank(len(left))
    axes: dict[str, Axis] = {}
    for position, group in enumerate(left):
        axis = shape.axis(position)
        if axis is not None and len(group) == 1:
            axes[group[0]] = axis
        elif axis is not None:
            # "(b t) -> b t" cuts an axis into those that were merged in it, if that was seen.
            whole = axis.root()
            whole.parts = whole.parts or tuple(Axis() for _ in group)
            if len(whole.parts) == len(group):
                axes.update(zip(group, whole.parts, strict=True))
    return axes


def _arranged(axes: dict[str, Axis], right: list[tuple[str, ...]]) -> Shape:
    new: list[Axis] = []
    for group in right:
        parts = tuple(axes.setdefault(name, Axis(1 if name == "1" else None)) for name in group)
        new.append(parts[0] if len(parts) == 1 else Axis(parts=parts) if parts else Axis(1))
    return Shape.of(new)


@primitive
def rearrange(call: Call, x: Value, pattern: Value | None = None) -> Value:
    """rearrange(x, "b t v -> (b t) v")."""
    tensor = call.tensor(x)
    sides = _parsed(literal(pattern))
    if sides is None:
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    left, right = sides
    return relabelled(tensor, _arranged(_named_axes(tensor.shape, left), right))


@primitive
def einops_reduce(
    call: Call, x: Value, pattern: Value | None = None, reduction: Value | None = None
) -> Value:
    """reduce(x, "b v -> b", "mean")."""
    tensor = call.tensor(x)
    sides, how = _parsed(literal(pattern)), literal(reduction)
    if sides is None or how not in ("mean", "sum"):
        return call.opaque()
    left, right = sides
    axes = _named_axes(tensor.shape, left)
    kept = {name for group in right for name in group}
    gone = [i for i, group in enumerate(left) if not set(group) & kept]
    spec = ALL_AXES if len(gone) == len(left) else AxesSpec.at(*gone)
    result: Tensor = reduce(call, tensor, spec, False, "mean" if how == "mean" else "sum") if gone else tensor
    return relabelled(result, _arranged(axes, right))
