"""Where the support of a product stands."""

from __future__ import annotations

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.tensors import Atom, Tensor


def last_axis(atom: Atom, tensor: Tensor) -> Axis | None:
    """The last axis of what a product is made of: it may stand elsewhere by now, after a transposition."""
    own = atom.shape.axis(-1) if atom.shape is not None and not atom.shape.is_scalar else None
    if own is not None and tensor.shape.has(own) is True:
        return own
    return tensor.shape.axis(-1)
