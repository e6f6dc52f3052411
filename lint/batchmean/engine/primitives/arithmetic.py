"""Sums, products and quotients of values, with what they do to the accounts of their operands."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra, nonlinear
from batchmean.engine.domain.accounts import follows
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.broadcasting import joint_shape
from batchmean.engine.domain.join import MAX_NAMES
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.literals import fold
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import SCALAR, Atom, Reduction, Role, Tensor, altered, atom_of, from_atom
from batchmean.engine.domain.values import (
    MAX_ITEMS,
    Const,
    ListValue,
    ShapeValue,
    SizesValue,
    TupleValue,
    Value,
    tensors_in,
)
from batchmean.engine.evidence.masks import is_mask_name
from batchmean.engine.evidence.names import is_loss_name
from batchmean.engine.ledger import Addition
from batchmean.engine.primitives.contractions import matmul
from batchmean.engine.primitives.masking import both, without_another
from batchmean.engine.recognise.pairs import pairing


def binary(context: Context, op: type[ast.operator], left: Value, right: Value, node: ast.AST) -> Value:
    """`left op right`."""
    if isinstance(left, Const) and isinstance(right, Const):
        folded = fold(op, left.value, right.value)
        if folded is not None:
            return folded
    if (
        op is ast.Add
        and isinstance(left, TupleValue | ListValue)
        and isinstance(right, TupleValue | ListValue)
    ):
        if isinstance(left, TupleValue) and isinstance(right, TupleValue):
            return context.sequence(left.items + right.items)
        return ListValue(context.one_of([context.element_of(left), context.element_of(right)]))
    for items, number in ((left, right), (right, left)):
        if op is ast.Mult and isinstance(items, TupleValue | ListValue):
            if isinstance(number, Const):
                return _repeated(context, items, number)
            if any(tensor.reductions for tensor in tensors_in((items,), 1)):
                return ListValue(context.unsure([items]))  # `[loss] * n`
    if op is ast.Add and isinstance(left, ShapeValue) and isinstance(right, TupleValue):
        return SizesValue(context.element_of(left), (left, *right.items))  # `x.shape + (V,)`
    a, b = context.as_tensor(left), context.as_tensor(right)
    if op in _SWALLOWED and (given_up := _swallows(a, b) or _swallows(b, a)) is not None:
        swallowed = _swallowing(context, given_up, b if given_up is a.single() else a, joint_shape(a, b))
        return altered(swallowed, is_quotient=op is ast.Div and _may_count_batches(b))
    if op is ast.Add:
        total = added(context, a, b, node)
        return altered(total, pairs=pairing(a, b, node, context.stack, total.shape))
    if op is ast.Sub:
        return subtracted(context, a, b, node)
    if op is ast.Mult:
        return without_another(context, a, b) or multiplied(context, a, b, node)
    if op is ast.BitAnd and (mask := both(context, a, b)) is not None:
        return mask
    if op is ast.FloorDiv and _goes_into(b, a):
        op = ast.Div
    if (op is ast.FloorDiv and b.number() is None) or (op is ast.Div and _is_part_of_a_count(a, b)):
        return context.computed(joint_shape(a, b))  # a number of batches, say
    if op is ast.Div or op is ast.FloorDiv:
        b = _counted(a, b)
        quotient = context.placed(context.formed(nonlinear.divide(a, b), a, b), (a, b), node)
        return altered(quotient, is_quotient=True) if _may_count_batches(b) else quotient
    if op is ast.Pow:
        return raised(context, a, b.number())
    if op is ast.MatMult:
        return matmul(context, a, b, node)
    return context.computed(joint_shape(a, b))


def _may_count_batches(divisor: Tensor) -> bool:
    """Is it no half: of a bound over a batch what all batches share is divided by their number, which may be one."""
    number = divisor.number()
    return number is None or number == 1 or number > 2


def _repeated(context: Context, items: TupleValue | ListValue, times: Const) -> Value:
    """`[x] * 3`: few items are told apart, of many nobody says what becomes of them."""
    if type(times.value) is not int or times.value < 0:
        return context.opaque()
    is_plain = isinstance(items, TupleValue) and all(isinstance(item, Const) for item in items.items)
    if isinstance(items, TupleValue) and is_plain and len(items.items) * times.value <= MAX_ITEMS:
        return TupleValue(items.items * times.value, items.is_list)
    return ListValue(context.unsure([items]))


def _goes_into(length: Tensor, count: Tensor) -> bool:
    """`x.numel() // x.shape[-1]`: is it the length of one of the axes that are counted, so that nothing is left?"""
    by, term = length.single(), count.terms[0] if len(count.terms) == 1 else None
    if by is None or by.role is not Role.COUNT or by.axis is None or term is None or term.coefficient != 1.0:
        return False
    return any(
        atom.role is Role.COUNT and power == 1 and _counts(atom, by.axis) for atom, power in term.factors
    )


def _counts(count: Atom, axis: Axis) -> bool:
    if count.shape is not None:
        return count.shape.has(axis) is True
    return count.axis is not None and count.axis.is_same(axis)


def _is_part_of_a_count(a: Tensor, b: Tensor) -> bool:
    """`len(y) / n`: a count over a number of which nothing shows that it counts the same."""
    count, by, number = a.single(), b.single(), b.number()
    if count is None or count.role is not Role.COUNT or a.reductions:
        return False
    return (by is not None and by.role is Role.OPAQUE) or (number is not None and number > 1)


def multiplied(context: Context, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
    """a * b, with an account of the pairs where (B,) meets (B, 1)."""
    product = context.placed(context.formed(algebra.multiply(a, b), a, b), (a, b), node)
    if a.is_quotient or b.is_quotient:
        product = altered(product, is_quotient=True)
    pairs = pairing(a, b, node, context.stack, product.shape)
    for differences, other in ((a, b), (b, a)):
        if pairs is None and differences.pairs is not None and (other.shape.rank or other.shape.least_rank):
            pairs = differences.pairs  # times an array they are no differences of two means any more
    if pairs is None:
        return product
    accounts = (*product.reductions, context.record(Reduction(pairs, support="summed")))
    return altered(product, shape=pairs.shape, reductions=accounts)


def added(context: Context, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
    """a + b, with the accounts that the sum withdraws entered in the ledger."""
    if a.reductions and b.reductions and not context.reports:
        context.ledger.additions.append(Addition(node, (a.reductions, b.reductions)))
    total = algebra.add(a, b)
    if not follows(total.reductions):
        return context.unsure([total])
    known = {id(r) for r in (*a.reductions, *b.reductions)}
    if a.is_quotient or b.is_quotient:
        total = _beside_a_quotient(total, a, b)
    for reduction in total.reductions:
        if id(reduction) not in known:
            context.record(reduction)
    return context.formed(total, a, b)


def _beside_a_quotient(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A sum whose accounts know of the quotient that stands on the other side, where all are numbers."""
    if not total.shape.is_scalar:
        return total
    beside = {id(r) for one, other in ((a, b), (b, a)) if other.is_quotient for r in one.reductions}
    accounts = tuple(
        altered(r, beside_quotient=True, parent=r)
        if not r.beside_quotient and (id(r) in beside or id(r.parent) in beside)
        else r
        for r in total.reductions
    )
    return altered(total, reductions=accounts, is_quotient=True)


def subtracted(context: Context, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
    """a - b, with the pairs where (B,) meets (B, 1)."""
    difference = added(context, a, altered(algebra.negate(b), is_quotient=b.is_quotient), node)
    return altered(difference, pairs=pairing(a, b, node, context.stack, difference.shape))


def raised(context: Context, x: Tensor, power: float | None) -> Tensor:
    """x ** power. The root of a mean over a count is a standard error: that mean was meant to be divided once more."""
    if power is not None and 0 < power < 1:
        for account in x.reductions:
            if not account.integrand.symbol and account.scale:
                context.record(account.withdrawn())
    return bent(context, nonlinear.power(x, power), x)


def bent(context: Context, result: Tensor, x: Tensor) -> Tensor:
    """A function of x that is not linear, such as its square: of all pairs its mean is none of the differences."""
    if x.pairs is None:
        return result
    return altered(
        result, reductions=(*result.reductions, context.record(Reduction(x.pairs, support="summed")))
    )


def _swallowing(context: Context, given_up: Atom, other: Tensor, shape: Shape) -> Tensor:
    """What was given up, after something was done with it: another unknown, a loss by its name if one of both is.

    Were it followed from here on, it would be as many cases again after a few branches, and again.
    """
    losses = [name for atom in other.atoms() for name in atom.names if is_loss_name((name,))]
    names = tuple(dict.fromkeys((*given_up.names, *losses)))[:MAX_NAMES]
    key = key_of("opaque", context.fresh())
    how = 2 if algebra.may_hold_a_count(other) else given_up.given_up
    return from_atom(altered(given_up, key=key, names=names, shape=shape, given_up=how), shape)


_SWALLOWED: Final = frozenset((ast.Add, ast.Mult, ast.Div))
"""What may be done with what is given up. A difference may be an error, and 1 - x the other positions."""


def _swallows(one: Tensor, other: Tensor) -> Atom | None:
    """The atom that `one` is, if it was given up and `other` holds numbers and plain unknowns, but no mask."""
    atom = one.single()
    if atom is None or not atom.given_up or one.reductions or other.reductions:
        return None
    return atom if all(map(_is_plain, other.atoms())) else None


def _is_plain(atom: Atom) -> bool:
    if atom.role is not Role.OPAQUE:
        return atom.role in algebra.NUMBERS
    return atom.kind in ("", "computed") and not is_mask_name(atom.names)


def _counted(a: Tensor, b: Tensor) -> Tensor:
    """A divisor with the class count written as a number (`/ 10`) is a count of the support axis."""
    for reduction in a.reductions:
        support = reduction.integrand.support
        if len(b.terms) == 1 and support.size and support.size > 2 and b.terms[0].coefficient == support.size:
            length = from_atom(atom_of(("length", support), Role.COUNT, support), SCALAR)
            return algebra.scale(algebra.multiply(b, length), 1 / support.size)
    return b
