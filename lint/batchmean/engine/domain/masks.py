"""Validity masks: which arrays say that a position counts, and which only look as if they did.

A mask is known by where it comes from (`ids != pad_id`, `arange(T) < lengths`, `sequence_mask`), or, weaker, by a
name such as `attention_mask`. What an operation in sight made otherwise, a comparison with a threshold above all,
is no validity mask, whatever it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    SCALAR,
    Atom,
    Labels,
    Place,
    Role,
    Tensor,
    Term,
    altered,
    atom_of,
    derived,
    from_atom,
)
from batchmean.engine.evidence.masks import is_bare_mask_name, is_mask_name, says_padding


def mask_of(tensor: Tensor) -> Atom | None:
    """The validity mask that an array is; None for every other array."""
    atom = tensor.single()
    if atom is None:
        return None
    if atom.role is Role.MASK:
        return atom
    return atom if _is_named(atom) else None


def _is_named(atom: Atom) -> bool:
    plain = atom.role is Role.OPAQUE and not atom.kind and not atom.is_chosen
    return plain and is_mask_name(atom.names) and not atom.shape_is_scalar


def is_valid(atom: Atom) -> bool:
    """Is it a mask that is 1 where a position counts, as far as the code shows?"""
    if atom.role is Role.MASK:
        return atom.kind != "padding"
    return _is_named(atom)


OF_LENGTHS: Final = "lengths"
"""The kind of a mask that is made of lengths, one for each example: examples first, positions last."""


def made(
    source: Tensor,
    place: Place,
    *key: object,
    padding: bool = False,
    shown: bool = True,
    kind: str = "",
    guards: bool = True,
    drops: Labels | None = None,
) -> Tensor:
    """A mask that an operation in sight makes of `source`; not `shown` where a name has to say what it compares.

    What is true at the padding is the complement of what would be true elsewhere. `guards`: may it be there to keep a
    function of `source` finite, as `where(p > 0, p * log(p), 0)` does? A comparison with -1 is not.
    """
    inner = source.single()
    atom = atom_of(
        ("mask", source.terms, *key),
        Role.MASK,
        source=inner.key if inner is not None and guards else 0,
        place=place,
        kind=kind,
        shape=source.shape,
        shown=shown,
        drops=drops,
    )
    mask = from_atom(atom, source.shape)
    return from_atom(_others(atom, mask), source.shape) if padding else mask


EVERYTHING: Final = "everything"
"""The kind of a mask that leaves nothing out."""


def of_everything(source: Tensor, place: Place) -> Tensor:
    """A condition that holds everywhere: what it is over is all that it says."""
    return from_atom(
        atom_of((EVERYTHING, source.terms), Role.MASK, place=place, kind=EVERYTHING, shape=source.shape),
        source.shape,
    )


def _others(atom: Atom, tensor: Tensor) -> Atom:
    """The mask of the other positions."""
    of_padding = atom.kind == "padding" if atom.role is Role.MASK else says_padding(atom.names)
    return derived(
        atom,
        "not",
        role=Role.MASK,
        kind="" if of_padding else "padding",
        shown=is_shown(atom),
        is_complement=True,
        argument=tensor,
    )


def complement(tensor: Tensor) -> Tensor | None:
    """1 - mask, ~mask: the other positions, which of those are the first again. None where it is no mask."""
    atom = mask_of(tensor)
    if atom is None:
        return None
    if atom.is_complement and atom.argument is not None:
        return altered(atom.argument, shape=tensor.shape)
    return from_atom(_others(atom, tensor), tensor.shape)


def count_of_others(valid: Atom) -> Tensor | None:
    """Of the number of positions that a mask lets through: that of the others."""
    others = complement(valid.argument) if valid.role is Role.VALID and valid.argument is not None else None
    if others is None or valid.shape is None:
        return None
    atom = others.atoms()[0]
    key = key_of("valid", atom.key, valid.shape.root())
    return from_atom(altered(valid, key=key, source=atom.key, argument=others), SCALAR)


def are_opposite(one: int, other: int) -> bool:
    """Of two masks, by their keys: does each let through what the other one drops?"""
    return one == key_of("not", other) or other == key_of("not", one)


def common_masks(tensor: Tensor) -> list[Atom]:
    """The validity masks that zero every term of an array."""
    common: list[Atom] | None = None
    for term in tensor.terms:
        mine = [atom for atom, power in term.factors if power >= 1 and is_valid(atom)]
        common = mine if common is None else [atom for atom in common if atom in mine]
        if not common:
            return []
    inside = set(_keys(tensor))
    # `where(p > 0, p * log(p), 0)` keeps a logarithm finite: the values themselves are no positions.
    return [atom for atom in common or () if atom.source not in inside]


def _keys(tensor: Tensor, depth: int = 0) -> Iterator[int]:
    for atom in tensor.atoms():
        yield atom.key
        if atom.source and atom.role is not Role.MASK:
            yield atom.source
        if atom.argument is not None and depth < 3:
            yield from _keys(atom.argument, depth + 1)


def unmasked(tensor: Tensor) -> Tensor:
    """The array without the masks that zero all of it."""
    masks = common_masks(tensor)
    if not masks:
        return tensor
    terms = tuple(Term(t.coefficient, tuple(f for f in t.factors if f[0] not in masks)) for t in tensor.terms)
    return altered(tensor, terms=terms)


def named_mask(tensor: Tensor, name: str, node: ast.AST) -> Tensor | None:
    """A mask by its name, where arithmetic of masks or of plain unknowns made it: `loss_mask = a * (1 - mix)`."""
    if len(tensor.terms) < 2 or not is_mask_name((name,)):
        return None
    if is_bare_mask_name((name,)) and not _is_one_less(tensor):
        return None
    if any(
        atom.role is not Role.MASK and (atom.role is not Role.OPAQUE or atom.kind) for atom in tensor.atoms()
    ):
        return None
    mask = atom_of(
        ("named mask", tensor.terms),
        Role.MASK,
        names=(name,),
        place=Place(node, name),
        shape=tensor.shape,
        shown=False,
    )
    return from_atom(mask, tensor.shape)


def moved(mask: Atom, place: Place, serial: int) -> Tensor:
    """A mask after it was warped, resized or pooled: the positions are others, what it says is the same."""
    shape = Shape()
    atom = atom_of(
        ("moved", mask.key, serial),
        Role.MASK,
        names=mask.names,
        place=place,
        kind="" if is_valid(mask) else "padding",
        shape=shape,
        shown=False,
    )
    return from_atom(atom, shape)


def _is_one_less(tensor: Tensor) -> bool:
    """Is it 1 - x?"""
    numbers = sorted(t.coefficient or 0.0 for t in tensor.terms if len(t.factors) <= 1)
    return len(tensor.terms) == 2 and numbers == [-1.0, 1.0] and any(not t.factors for t in tensor.terms)


def kept_by_filling(tensor: Tensor) -> Tensor | None:
    """The positions that are left where those of a mask are set to zero: what the mask is called is no matter."""
    others = complement(tensor)
    if others is None:
        return None
    return from_atom(altered(others.atoms()[0], kind=""), tensor.shape)


def is_shown(mask: Atom) -> bool:
    """Does the code show what the mask is, so that no name was needed?"""
    return mask.role is Role.MASK and mask.shown


def meaning(mask: Atom) -> Place | None:
    """The line that shows the mask."""
    if mask.place is None:
        return None
    if mask.role is Role.MASK and (mask.shown or not mask.names):
        return mask.place
    name = mask.names[0] if mask.names else "it"
    return Place(mask.place.node, f"`{name}` is taken for a validity mask by its name")


def has_classes(tensor: Tensor) -> bool:
    """Is the axis of a distribution still there?"""
    return any(a.axis is not None and tensor.shape.has(a.axis) is True for a in tensor.atoms())


def tells_classes_apart(tensor: Tensor, mask: Tensor) -> bool:
    """Does a mask say of each class whether it is taken: `loss[one_hot > 0]`, `loss[loss > 0]`?"""
    last = mask.shape.axis(-1)
    return any(
        mask.shape.has(axis) is True
        or (last is not None and last.size not in (None, 1) and last.size == axis.size)
        for atom in tensor.atoms()
        if (axis := atom.axis) is not None and tensor.shape.has(axis) is True
    )
