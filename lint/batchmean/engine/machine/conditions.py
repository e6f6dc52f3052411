"""Tests: what a branch asks, what is decided where it holds, and where it does not."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra
from batchmean.engine.domain.paths import (
    TRUTHY,
    Answer,
    Decision,
    Path,
    common,
    excludes,
    extended,
    united,
)
from batchmean.engine.domain.tensors import Role, Tensor
from batchmean.engine.domain.values import (
    Alternatives,
    BuiltinValue,
    Case,
    ClassValue,
    Condition,
    Const,
    DistributionValue,
    FunctionValue,
    InstanceValue,
    TupleValue,
    Value,
)
from batchmean.engine.machine.questions import (
    asked,
    asserted,
    default_of,
    form_of,
    in_plain_words,
    is_about_a_setting,
    level_of,
    literal_answer,
    plainly,
)
from batchmean.engine.syntax import divisor, spelled_out
from batchmean.nodes import nodes


def truth(context: Context, value: Value) -> bool | None:
    """Is the value true? None when the code leaves it open."""
    if isinstance(value, Const) and not isinstance(value.value, slice):
        return bool(value.value) if value.is_fixed else None
    if isinstance(value, Condition):
        decided = value.answer_on(context.path)
        if decided is not None and value.answer_on(context.path[context.entered_after :]) is None:
            context.answered.append((value, decided, context.path))
        return decided
    if isinstance(value, FunctionValue | ClassValue | InstanceValue | BuiltinValue | DistributionValue):
        return True
    return None


def ways(context: Context, value: Value, test: ast.expr) -> tuple[Path | None, Path | None]:
    """What is decided where a test gives true, and where it does not; None for a way that is not there."""
    if isinstance(value, Alternatives):
        value = in_plain_words(context, test, value)
    if isinstance(value, Alternatives):
        both: tuple[list[Path], list[Path]] = ([], [])
        for case in value.cases:
            if not excludes(case.path, context.path):
                for found, way in zip(both, ways(context, case.value, test), strict=True):
                    if way is not None and not excludes(case.path, way):
                        found.append(extended(case.path, way))
        if max(map(len, both)) < 2:
            return _one_way(both[0], ()), _one_way(both[1], ())
        otherwise = _as_written(context, test)
        return _one_way(both[0], otherwise.true), _one_way(both[1], otherwise.false)
    decided = truth(context, value)
    if decided is not None:
        return ((), None) if decided else (None, ())
    condition = condition_of(context, value, test)
    if not (condition.true and condition.false):
        own = _as_written(context, test)
        condition = Condition(extended(condition.true, own.true), extended(condition.false, own.false))
    decided = truth(context, condition)  # the same test, made on the way here
    if decided is not None:
        return ((), None) if decided else (None, ())
    return condition.true, condition.false


def ways_of(
    context: Context, node: ast.If | ast.IfExp, body: Sequence[ast.AST]
) -> tuple[Path | None, Path | None]:
    """What is decided where the test of a branch gives true, and where it does not."""
    value = context.evaluate(node.test)
    return ((), None) if _guards_its_division(node.test, body) else ways(context, value, node.test)


def _one_way(ways: list[Path], otherwise: Path) -> Path | None:
    """What several ways to one branch have in common."""
    if len(ways) < 2:
        return ways[0] if ways else None
    return extended(common(ways), otherwise)


def all_or_any(context: Context, node: ast.BoolOp) -> Value:
    """The value of `a and b`, of `a or b`."""
    path = context.path
    is_and = isinstance(node.op, ast.And)
    cases: list[Case] = []
    true: Path = ()
    false: Path = ()
    is_test = True
    try:
        for index, operand in enumerate(node.values):
            value = context.evaluate(operand)
            holds, fails = ways(context, value, operand)
            stays, leaves = (holds, fails) if is_and else (fails, holds)
            is_test = is_test and isinstance(value, Condition | Const)
            is_last = index == len(node.values) - 1
            if is_last or leaves is not None:
                cases.append(Case(context.path if is_last else extended(context.path, leaves or ()), value))
            if is_last or stays is None:
                break
            context.path = context.decided(context.path, stays)
        if is_test:
            # All hold, or none does: only that is a conjunction of decisions.
            last = ways(context, cases[-1].value, node.values[-1])
            end = last[0] if is_and else last[1]
            whole = extended(context.path, end or ())[len(path) :]
            one = any_of([case.value for case in cases], not is_and)
            if len(one) == 1 and not is_and:  # the words of one question, which has one answer more
                whole = (one[0].negated(),)
            true, false = (whole, one) if is_and else (one, whole)
    finally:
        context.path = path
    if is_test and len(cases) > 1:
        return Condition(true, false)
    return context.joined([Case(case.path[len(path) :], case.value) for case in cases])


def any_of(tests: Sequence[Value], holds: bool) -> Path:
    """What is known where one of several tests gives this: which answers there are, if it is one question."""
    paths = [(test.true if holds else test.false) if isinstance(test, Condition) else () for test in tests]
    return united([path[0] if len(path) == 1 else None for path in paths])


def note_asked(context: Context, test: ast.expr, value: Value) -> None:
    """Note what is asked where the value alone does not say it: `is_first = self.level == 0`."""
    if isinstance(value, Tensor) and not value.reductions and is_about_a_setting(test):
        context.asked[value.terms] = _as_written(context, test)


def condition_of(context: Context, value: Value, test: ast.expr) -> Condition:
    """What a test of an expression, whose value this is, decides."""
    value = in_plain_words(context, test, value)
    if isinstance(value, Condition):
        return value
    if isinstance(value, Tensor) and not value.reductions and value.terms in context.asked:
        return context.asked[value.terms]
    subject = asked(context, value, test)
    if subject is None or isinstance(plainly(test), ast.Compare | ast.Call):
        return _as_written(context, test)
    return Condition.of(Decision(subject, TRUTHY, True, test, default_of(context, value)))


def _as_written(context: Context, test: ast.expr) -> Condition:
    """A test that is known by its form: the same form over the same values decides alike, whatever their names."""
    asked_for, negated = asserted(test)
    about, answer, holds = literal_answer(asked_for)
    subject, default = _subject(context, about, answer)
    decision = Decision(subject or (test, context.stack), answer, holds, test, default)
    return Condition.of(decision).negated() if negated else Condition.of(decision)


def _subject(context: Context, about: ast.expr, answer: Hashable) -> tuple[Hashable, Answer | None]:
    """What a test asks about, and what that is if nobody says anything."""
    about = plainly(about)
    if answer == TRUTHY and not isinstance(about, ast.Name | ast.Attribute | ast.Subscript):
        return form_of(context, about), None
    value = context.evaluate(about)
    if isinstance(value, Alternatives):
        return None, None
    return asked(context, value, about) or form_of(context, about), default_of(context, value)


def answer_of(
    context: Context, op: ast.cmpop, value: Value, other: Value, node: ast.expr
) -> Condition | Const | None:
    """`value is None`, `value == "sum"`, `value in ("sum", "mean")`: what is decided there."""
    subject = asked(context, value, node) or form_of(context, plainly(node))
    if isinstance(op, ast.In | ast.NotIn) and isinstance(other, TupleValue) and subject is not None:
        answers = [Answer.of(item.value) if isinstance(item, Const) else None for item in other.items]
        if None in answers or not answers:
            return None
        inside = Condition.of(
            Decision(
                subject,
                answers[0] if len(answers) == 1 else frozenset(answers),
                True,
                default=default_of(context, value),
            )
        )
        return inside if isinstance(op, ast.In) else inside.negated()
    default = default_of(context, value)
    is_setting = default is not None and default.kind in (int, float)  # another number may be an array
    if not isinstance(other, Const):
        return None
    if is_setting and subject is not None and (level := level_of(op, other.value)):
        return Condition.of(Decision(subject, level[0], level[1], default=default))
    if not isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        return None
    if not other.is_fixed or not (other.value is None or isinstance(other.value, str | bool) or is_setting):
        return None
    is_not = isinstance(op, ast.IsNot | ast.NotEq)
    if other.value is None and _is_something(value):
        return Const(is_not)
    if subject is None:
        return None
    condition = Condition.of(Decision(subject, Answer.of(other.value), True, default=default))
    return condition.negated() if is_not else condition


MAX_GUARDED: Final = 3
"""A test of a count guards so many statements at most."""


def _guards_its_division(test: ast.expr, body: Sequence[ast.AST]) -> bool:
    """`x / n if n > 0 else x`: where there is nothing to count, the sum is nothing, too."""
    counted = test
    if isinstance(test, ast.Compare):
        zero = test.comparators[0]
        if not isinstance(test.ops[0], ast.Gt | ast.NotEq) or not isinstance(zero, ast.Constant):
            return False
        if zero.value != 0 or len(test.ops) != 1:
            return False
        counted = test.left
    if not isinstance(counted, ast.Name | ast.Attribute | ast.Call) or len(body) > MAX_GUARDED:
        return False
    wanted: str | None = None
    for statement in body:
        if isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try):
            continue
        for inner in nodes(statement):
            by = divisor(inner)
            if by is not None and type(by) is type(counted):
                wanted = wanted or spelled_out(counted)
                if spelled_out(by) == wanted:
                    return True
    return False


def is_a_length(value: Value) -> bool:
    """Is it a count, or a product of counts, and an epsilon at most?"""
    terms = [t for t in value.terms if t.factors] if isinstance(value, Tensor) else []
    if len(terms) != 1 or len(value.terms) > 2 or terms[0].coefficient != 1:  # type: ignore[union-attr]
        return False
    term = terms[0]
    if any((t.coefficient or -1.0) < 0 for t in value.terms):  # type: ignore[union-attr]
        return False
    return all(atom.role in algebra.NUMBERS and power > 0 for atom, power in term.factors)


def _is_something(value: Value) -> bool:
    """Is it for sure not None: an object of a known kind, or what an operation in sight made?"""
    if isinstance(value, Const | Condition):
        return False
    atom = value.single() if isinstance(value, Tensor) else None
    return atom is None or atom.role is not Role.OPAQUE or bool(atom.kind)
