"""Arrays beside each other: the shape that both have, the axes that are found to be one, and other names for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from batchmean.engine.domain import masks
from batchmean.engine.domain.axes import MAX_RANK
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Role, Tensor, Term, altered, derived, product_of
from batchmean.engine.evidence.names import is_log_name, is_target_name

_HALVES = (Role.PROBS, Role.ONE_HOT, Role.LOG_PROBS, Role.LOG, Role.INTEGRAND)


def plays_a_role(tensor: Tensor) -> bool:
    """Does the tensor look like one half of an integrand: a distribution or a log-probability?"""
    for term in tensor.terms:
        for atom, _ in term.factors:
            if atom.role is Role.OPAQUE:
                if atom.names and (is_target_name(atom.names) or is_log_name(atom.names)):
                    return True
            elif atom.role in _HALVES:
                return True
    return False


def joint_shape(a: Tensor, b: Tensor) -> Shape:
    """The shape of `a` combined with `b` element by element."""
    if a.shape.is_same(b.shape) or b.shape.is_scalar:
        return a.shape
    if a.shape.is_scalar:
        return b.shape
    a_broadcast, b_broadcast = a.shape.is_stretched, b.shape.is_stretched
    if a_broadcast != b_broadcast and (_may_pair_up(a, b) or _may_pair_up(b, a)):
        return Shape.of_pairs_or_not()
    if (a_broadcast or b_broadcast) and (all_pairs := _broadcast(a.shape, b.shape)) is not None:
        return all_pairs
    if a_broadcast != b_broadcast:
        stretched, whole = (a.shape, b.shape) if a_broadcast else (b.shape, a.shape)
        stretched.note_laid_over(whole)
        return whole
    ranks = (a.shape.rank, b.shape.rank)
    if None not in ranks and ranks[0] != ranks[1]:
        return a.shape if ranks[0] > ranks[1] else b.shape  # type: ignore[operator]
    for vector, other in ((a, b), (b, a)):
        if other.shape.rank is None and _is_a_row(vector):
            if _lies_over_classes(vector, other):
                return other.shape
            return Shape(back=vector.shape.leading(1))  # of a matrix, too: its rank is not that of a vector
    if plays_a_role(a) and plays_a_role(b):
        if a.shape.contradicts(b.shape):
            return Shape()
        a.shape.unite(b.shape)
        return a.shape
    for loss, other in ((a, b), (b, a)):
        if loss.reductions and not other.reductions and _may_be_a_number(other):
            return loss.shape
    if plays_a_role(a):
        return a.shape
    mine, theirs = (len(a.shape.shown), a.shape.rank or 0), (len(b.shape.shown), b.shape.rank or 0)
    return b.shape if theirs > mine or (theirs == mine and _holds_an_extreme(b)) else a.shape


def _holds_an_extreme(tensor: Tensor) -> bool:
    """Is the largest along an axis in it? Then it has the other axes, whatever it was added to."""
    return bool(tensor.shape.dropped) and any(atom.extreme for atom in tensor.atoms())


def _may_be_a_number(tensor: Tensor) -> bool:
    """Is nothing known of it but what it is called, a temperature or a weight say?"""
    atoms = tensor.atoms()
    return bool(atoms) and all(atom.role is Role.OPAQUE and not atom.kind for atom in atoms)


def _lies_over_classes(row: Tensor, other: Tensor) -> bool:
    """Is it a number for each class, such as the weights of these? Then its axis is that of the classes."""
    mine, theirs = row.shape.axis(0), other.shape.axis(-1)
    if mine is None or theirs is None or 1 in (mine.size, theirs.size) or not plays_a_role(other):
        return False
    if not any(atom.axis is not None and atom.axis.is_same(theirs) for atom in other.atoms()):
        return False
    mine.unite(theirs)
    return True


def _is_a_row(tensor: Tensor) -> bool:
    """Is it a vector of parameters, such as a bias, which is laid over every row of a matrix?"""
    if tensor.shape.rank != 1 or tensor.reductions or masks.mask_of(tensor) is not None:
        return False
    return not plays_a_role(tensor)


def _may_pair_up(column: Tensor, other: Tensor) -> bool:
    """Is one (B, 1) and the other of unknown rank? Of a vector it makes all pairs; what has classes is none."""
    axes = column.shape.leading(2)
    if column.shape.rank not in (None, 2) or len(axes) < 2 or axes[1].size != 1 or axes[0].size is not None:
        return False
    if other.shape.rank is not None or other.shape.least_rank > 1 or masks.mask_of(column) is not None:
        return False
    return not any(x.axis is not None and other.shape.has(x.axis) for x in other.atoms())


def _broadcast(a: Shape, b: Shape) -> Shape | None:
    """(B, 1) and (C,) are (B, C): None where one of both has all axes of the result, or an axis is not known."""
    if a.axes is None or b.axes is None:
        return None
    rank = max(len(a.axes), len(b.axes))
    padded = [(None,) * (rank - len(axes)) + tuple(axes) for axes in (a.axes, b.axes)]
    long = [[axis is not None and axis.size != 1 for axis in axes] for axes in padded]
    if any(all(mine or not other for mine, other in zip(*both, strict=True)) for both in (long, long[::-1])):
        return None
    return Shape.of(
        [x if y is None or is_long else y for x, y, is_long in zip(*padded, long[0], strict=True)]
    )


def unite_sides(tensor: Tensor) -> None:
    """The two sides of an error, or of a binary entropy, have its axes: it is a loss, no outer difference."""
    sides = [
        *tensor.atoms(),
        *(inner for a in tensor.atoms() if a.argument is not None for inner in a.argument.atoms()),
    ]
    own = (Role.OPAQUE, Role.LOG_COMPLEMENT, Role.LOG_SIGMOID)
    shapes = [a.shape for a in sides if a.role in own and a.shape is not None]
    if not any(shape.is_same(tensor.shape) for shape in shapes):
        return  # it was reshaped since
    if any(shape.is_stretched or shape.is_scalar for shape in (tensor.shape, *shapes)):
        return
    for shape in shapes:
        tensor.shape.unite(shape)


def unite_positions(a: Tensor, b: Tensor) -> None:
    """A mask lies over the positions of what it is multiplied with, unless one of the two is stretched."""
    if (masks.mask_of(a) is None) == (masks.mask_of(b) is None):
        return
    mask, other = (a, b) if masks.mask_of(a) is not None else (b, a)
    if other.shape.is_stretched or mask.shape.is_scalar or other.shape.is_scalar:
        return
    if not mask.shape.is_stretched:
        a.shape.unite(b.shape)
        return
    for position, axis in enumerate(mask.shape.leading(MAX_RANK)):
        theirs = other.shape.axis(position)
        if axis.size == 1 or theirs is None:
            break  # behind the axis of length 1 the two may be counted otherwise
        axis.unite(theirs)


def unite_supports(a: Tensor, b: Tensor) -> None:
    """Two halves of an integrand lie over the same support axis."""
    if not a.terms or not b.terms or a.shape.contradicts(b.shape):
        return
    mine = [x.axis for x in a.atoms() if x.axis is not None and x.role in _SUPPORTED]
    theirs = [x.axis for x in b.atoms() if x.axis is not None and x.role in _SUPPORTED]
    if mine and theirs and a.shape.has(mine[0]) and b.shape.has(theirs[0]):
        is_one_shape = a.shape.is_same(b.shape)
        for axis in (*mine[1:], *theirs):
            if is_one_shape and not axis.is_same(mine[0]) and not a.shape.may_be_one(mine[0], axis):
                continue  # over the rows of an array, and over its columns
            if a.shape.has(axis) or b.shape.has(axis):
                mine[0].unite(axis)
        for side in (a, b):
            side.shape.learn_rank()


_SUPPORTED = (Role.PROBS, Role.ONE_HOT, Role.LOG_PROBS, Role.INTEGRAND)


def relabelled(a: Tensor, shape: Shape, tag: Hashable = None) -> Tensor:
    """The same terms in another shape; with a `tag`, other elements of them (a slice, a shift).

    A number among their factors is the same number for all elements.
    """
    if tag is None:
        return altered(a, shape=shape)
    alone = a.single()
    own = shape if alone is not None and alone.role is Role.OPAQUE else None

    def other(atom: Atom) -> Atom:
        is_a_number = alone is None and atom.shape_is_scalar
        return atom if is_a_number else altered(_tagged(atom, tag), shape=own)

    return altered(map_atoms(a, other), shape=shape)


def _tagged(atom: Atom, tag: Hashable) -> Atom:
    return derived(atom, tag, shape=None, source=key_of(tag, atom.source) if atom.source else 0)


def map_atoms(a: Tensor, change: Callable[[Atom], Atom]) -> Tensor:
    """The tensor with every array atom changed."""

    def mapped(atom: Atom) -> Atom:
        return atom if atom.role is Role.COUNT else change(atom)

    terms = tuple(Term(t.coefficient, product_of((mapped(x), p) for x, p in t.factors)) for t in a.terms)
    return altered(a, terms=terms)
