"""Evaluates expressions over abstract values.

Everything unknown is an opaque tensor, and an opaque tensor never becomes a finding.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Final, Literal

from batchmean import operations
from batchmean.engine import algebra, calls, masks
from batchmean.engine.beside import Addition
from batchmean.engine.factors import placed
from batchmean.engine.integrands import pairing, recognise
from batchmean.engine.join import MAX_ALTERNATIVES, MAX_NAMES, TOO_MANY, join, restricted, something
from batchmean.engine.literals import compare, divisor, fold, spelled_out
from batchmean.engine.names import is_class_count_name
from batchmean.engine.paths import (
    MAX_DECISIONS,
    TRUTHY,
    Answer,
    Decision,
    Path,
    common,
    excludes,
    extended,
    implies,
)
from batchmean.engine.primitives.contractions import matmul
from batchmean.engine.primitives.distributions import parameter
from batchmean.engine.primitives.elementwise import comparison
from batchmean.engine.primitives.layout import subscript
from batchmean.engine.reductions import Reduction, Step, follows
from batchmean.engine.scopes import Scope
from batchmean.engine.shapes import MAX_RANK, AxesSpec, Axis, Shape
from batchmean.engine.uses import note_handed_over, note_uses
from batchmean.engine.values import (
    MAX_ITEMS,
    MAX_TOLD_APART,
    SCALAR,
    Alternatives,
    Atom,
    BuiltinValue,
    Case,
    ClassValue,
    Condition,
    Const,
    DictValue,
    DistributionValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    Place,
    Role,
    ShapeValue,
    Tensor,
    TupleValue,
    Value,
    altered,
    constant,
    from_atom,
    hinted,
    intern,
    is_unknown,
    named,
    tensors_in,
)

if TYPE_CHECKING:
    from batchmean.engine.events import Miscount

MAX_WORK: Final = 100_000
"""How many nodes are read for one module before the engine stops looking."""
MAX_DEPTH: Final = 6
"""How deep local calls and base classes are followed."""
MAX_ROWS: Final = 4 * MAX_ALTERNATIVES
"""How many combinations of values are worked out for one operation."""
_ROWS_PER_NODE: Final = 2
"""How many of them take the time in which one node is read."""
MAX_NESTING: Final = 150
"""How deep an expression or a statement may be nested."""


class OutOfWork(Exception):
    """The module is larger than the engine is willing to read."""


class TooDeep(Exception):
    """A function is nested deeper, or decides more, than the engine is willing to follow."""


MAX_GUARDED: Final = 3
"""A test of a count guards so many statements at most."""


class Evaluator:
    """Values of expressions in the current scope; `ledger` holds every reduction of an integrand that was seen."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = lines
        self.ledger: list[Reduction] = []
        self.defined: list[FunctionValue] = []
        self.seen: set[ast.AST] = set()
        """Every call and operation that was evaluated."""
        self.module = Scope()
        self.defaults: dict[int, Const] = {}
        """The default values of parameters that are unknown, by the key of the unknown."""
        self.summed_events: set[int] = set()
        """Distributions whose log_prob is summed over the event axis, by key."""
        self.other_reduced: set[tuple[ast.AST, tuple[ast.AST, ...]]] = set()
        """Where something that is no integrand is reduced."""
        self.averaged_events: set[int] = set()
        """Distributions whose log_prob is averaged over every element."""
        self.labels: set[int] = set()
        self.all_valid: set[int] = set()
        """The keys of labels each of which chose a class, as it is: none of them is negative."""
        self.picked: set[int] = set()
        """The keys of rows that other code has picked: none of them is padding, most likely."""
        """The keys of what one of the classes was chosen by: where it is negative there is no label."""
        self.mapped: set[ast.AST] = set()
        """What reduces or divides in a function that is mapped over a batch."""
        self.given: dict[int, tuple[Shape, ...]] = {}
        """The shapes of what unknown functions were given, by the key of what they gave."""
        self.rounds: list[Axis] = []
        """The axes that loops and comprehensions run through: their lengths are numbers of rounds."""
        self.applied: set[int] = set()
        """Masks, by key, that are used for something else than to be counted."""
        self.additions: list[Addition] = []
        """Losses that were added up."""
        self.miscounts: list[Miscount] = []
        """Counts that were seen to be wrong on the way."""
        self.exponentials: list[tuple[ast.AST, tuple[Reduction, ...]]] = []
        """Exponentials of reduced losses."""
        self._scope = self.module
        self._stack: tuple[ast.AST, ...] = ()
        self._path: Path = ()
        self._serial = 0
        self._work = 0
        self.is_out_of_work = False
        """Whether there was more to read than `MAX_WORK`."""
        self._nesting = 0
        self._packages: tuple[int, Set[str]] = 0, frozenset()
        self._reports = False
        self.instances: list[InstanceValue] = []
        """Every object of a class of the module."""
        self.origins: dict[ast.AST, ast.expr] = {}
        """What was assigned to a name, by the node of the name."""

    @property
    def work(self) -> int:
        """How many statements and expressions were read so far."""
        return self._work

    @property
    def stack(self) -> tuple[ast.AST, ...]:
        """The calls that are being followed, outermost first."""
        return self._stack

    @property
    def path(self) -> Path:
        """The undecided branches taken to get here."""
        return self._path

    @property
    def scope(self) -> Scope:
        return self._scope

    def step(self, node: ast.AST, how: Literal["sum", "mean", "scale"]) -> Step:
        """A step of an account, made here."""
        return Step(node, self._stack, self._path, how, is_reported=self._reports)

    def record(self, reduction: Reduction) -> Reduction:
        """Enter a reduction in the ledger."""
        self._spend()
        self.ledger.append(reduction)
        return reduction

    def opaque(self, names: tuple[str, ...] = (), *, shape: Shape | None = None) -> Tensor:
        """Something new that nothing is known of."""
        self._serial += 1
        own = shape or Shape()
        return from_atom(Atom(intern("opaque", self._serial), names=names, shape=own), own)

    def unknown_of(self, args: Iterable[Value], names: tuple[str, ...] = ()) -> Tensor:
        """What an unknown function makes of its arguments."""
        result = self.opaque(names)
        shapes = tuple(a.shape for a in args if isinstance(a, Tensor) and a.terms and not a.shape.is_scalar)
        if shapes:
            self.given[result.atoms()[0].key] = shapes[:MAX_ITEMS]
        return result

    def computed(self, shape: Shape | None = None) -> Tensor:
        """What an operation in sight made of something: unknown, and not to be judged by a name."""
        self._serial += 1
        own = shape or Shape()
        return from_atom(Atom(intern("opaque", self._serial), kind="computed", shape=own), own)

    def shown_opaque(self, *key: Hashable, names: tuple[str, ...] = (), shape: Shape | None = None) -> Tensor:
        """Something unknown that is the same whenever `key` is."""
        own = shape or Shape()
        return from_atom(Atom(intern(*key), names=names, shape=own), own)

    @property
    def packages(self) -> Set[str]:
        """The packages that the module's names come from."""
        names = self.module.names
        if self._packages[0] != names.imports:
            imported = (value.name for value in names.values() if isinstance(value, ModuleValue))
            self._packages = names.imports, {name.partition(".")[0] for name in imported}
        return self._packages[1]

    def _decided(self, path: Path, more: Path) -> Path:
        """The path behind some more decisions."""
        longer = extended(path, more)
        if len(longer) > MAX_DECISIONS:
            raise TooDeep
        return longer

    def _spend(self, cost: int = 1) -> None:
        self._work += cost
        if self._work > MAX_WORK:
            raise OutOfWork

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression."""
        self._work += 1
        if self._work > MAX_WORK:
            raise OutOfWork
        method = _EXPRESSIONS.get(type(node))
        if method is None:
            return self.opaque()
        if self._nesting > MAX_NESTING:
            raise TooDeep
        self._nesting += 1
        try:
            value = method(self, node)
        finally:
            self._nesting -= 1
        return restricted(value, self._path) if type(value) is Alternatives else value

    def evaluate_in(self, scope: Scope, node: ast.expr) -> Value:
        """The value of an expression in another scope (a default argument)."""
        outer, self._scope = self._scope, scope
        try:
            return self.evaluate(node)
        finally:
            self._scope = outer

    def _constant(self, node: ast.Constant) -> Value:
        return Const(node.value)

    def _name(self, node: ast.Name) -> Value:
        value = self._scope.find(node.id)
        if value is not None:
            return value
        for module in self._scope.all_stars():
            self._spend()
            if operations.function(f"{module}.{node.id}") is not None:
                return ModuleValue(f"{module}.{node.id}")
        if operations.function(f"builtins.{node.id}") is not None:
            return ModuleValue(f"builtins.{node.id}")
        if (own := self._starred(self._scope, node.id)) is not None:
            return own
        return self.shown_opaque("name", node.id, names=(node.id,))

    def _starred(self, scope: Scope, name: str) -> Value | None:
        """What a name is by `from losses import *`, of a module of the project."""
        if not self.follows_imports:
            return None
        found = (self.imported(f"{module}.{name}") for module in scope.all_project_stars())
        return next((value for value in found if value is not None), None)

    def _attribute(self, node: ast.Attribute) -> Value:
        base = something(self.evaluate(node.value))
        return self.lift(lambda one: self.attribute(one, node.attr, node), base)

    def attribute(self, base: Value, name: str, node: ast.expr) -> Value:
        """`base.name`, not called."""
        if isinstance(base, ModuleValue):
            full = f"{base.name}.{name}"
            return Const(None) if operations.is_new_axis(full) else ModuleValue(full)
        if isinstance(base, InstanceValue):
            return self.instance_attribute(base, name, node)
        if isinstance(base, ClassValue):
            return base.scope.names.get(name) or self.opaque((name,))
        if isinstance(base, DistributionValue):
            return parameter(self, base, name, node)
        tensor = self.as_tensor(base)
        if name == "shape":
            return ShapeValue(tensor.shape)
        if name == "size":
            return self.count_of(ShapeValue(tensor.shape))
        if name == "ndim":
            return Const(tensor.shape.rank) if tensor.shape.rank is not None else self.opaque((name,))
        if name in ("T", "mT"):
            turned = tensor.shape.swapped(-1, -2) if name == "mT" else tensor.shape.reversed()
            return algebra.relabelled(tensor, turned)
        if name in ("data", "values", "real"):
            return tensor
        operation = operations.method(name)
        if operation is not None and operation.primitive in _BOUND:
            # `reduce = x.mean`, `getattr(x, "mean")`: the method, to be called later.
            return BuiltinValue(
                name, lambda args, kwargs, at: calls.apply(self, operation, [base, *args], kwargs, at)
            )
        atom = tensor.single()
        if atom is not None:
            return self.shown_opaque("attribute", atom.key, name, names=(name,))
        return self.opaque((name,))

    def instance_attribute(self, base: InstanceValue, name: str, node: ast.expr) -> Value:
        if name in base.attributes:
            value = base.attributes[name]
            # Switches are strings (`reduction`); a flag or a number may be set from outside.
            if isinstance(value, Const) and not isinstance(value.value, str):
                return Const(value.value, ("attribute", id(base), name, repr(value.value)))
            return value
        found = self.find_method(base.cls, name)
        if isinstance(found, FunctionValue):
            bound = altered(found, receiver=base)
            if _has_decorator(found.node, ("property", "cached_property")):
                return self.call_function(bound, [], {}, node)
            return found if _has_decorator(found.node, ("staticmethod",)) else bound
        if found is not None:
            return found
        if name == "__class__":
            return base.cls
        value = self.opaque((name,))
        base.attributes[name] = value
        return value

    def find_method(self, cls: ClassValue, name: str, skip_own: bool = False) -> Value | None:
        """A class attribute, looked up through the local base classes."""
        todo, seen = [(cls, 0)], {cls}
        while todo:
            current, depth = todo.pop()
            if name in current.scope.names and not (skip_own and current is cls):
                found: Value = current.scope.names[name]
                return found
            for base in reversed(current.node.bases if depth < MAX_DEPTH else ()):
                self._spend()
                value = current.scope.find(base.id) if isinstance(base, ast.Name) else None
                if value is None and isinstance(base, ast.Name):
                    value = self._starred(current.scope, base.id)
                if isinstance(value, ModuleValue):
                    value = self.imported(value.name)
                if isinstance(value, ClassValue) and value not in seen:
                    seen.add(value)
                    todo.append((value, depth + 1))
        return None

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.evaluate(node.value)
        index = self.evaluate(node.slice)
        result = self.lift(lambda b, i: subscript(self, b, i, node), base, index)
        note_uses(self, (base, index), result)
        if isinstance(base, Tensor) and not any(tensor.atoms() for tensor in tensors_in((result,), 1)):
            note_handed_over(self, (base,))  # a part of a mask may be laid on something that is not seen
        return result

    def _slice(self, node: ast.Slice) -> Value:
        parts = [self.evaluate(p) if p is not None else Const(None) for p in (node.lower, node.upper)]
        numbers = [p.value if isinstance(p, Const) else "?" for p in parts]
        if node.step is not None:
            numbers = ["?", "?"]
        return Const(slice(*numbers))

    def sequence(self, items: Sequence[Value]) -> TupleValue | ListValue:
        """A tuple or a list of these items, told apart as long as they are not too many."""
        return TupleValue(tuple(items)) if len(items) <= MAX_ITEMS else ListValue(self.unsure(items))

    def _tuple(self, node: ast.Tuple | ast.List) -> Value:
        items: list[Value] = []
        for element in node.elts[: MAX_ITEMS + 1]:
            if isinstance(element, ast.Starred):
                inner = self.evaluate(element.value)
                if not isinstance(inner, TupleValue):
                    return ListValue(self.element_of(inner))
                items.extend(inner.items)
            else:
                items.append(self.evaluate(element))
        found = self.sequence(items)
        return (
            altered(found, is_list=True)
            if isinstance(found, TupleValue) and type(node) is ast.List
            else found
        )

    def _set(self, node: ast.Set) -> Value:
        for element in node.elts[:MAX_ITEMS]:
            self.evaluate(element)
        return self.opaque()

    def _dict(self, node: ast.Dict) -> Value:
        items: list[tuple[object, Value]] = []
        if len(node.keys) > MAX_ITEMS:
            return self.unsure([self.evaluate(value) for value in node.values[: MAX_ITEMS + 1]])
        for key, value in zip(node.keys, node.values, strict=True):
            shown = self.evaluate(key) if key is not None else None
            item = self.evaluate(value)
            if isinstance(shown, Const):
                items.append((shown.value, item))
        return DictValue(tuple(items))

    def _binary(self, node: ast.BinOp) -> Value:
        self.seen.add(node)
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(node.op, ast.Mult):
            left, right = self._as_set(left, node.left), self._as_set(right, node.right)
        return self._binary_values(type(node.op), left, right, node)

    def _as_set(self, value: Value, node: ast.expr) -> Value:
        """A class count that is an attribute is what the caller sets; its default says nothing about this product."""
        if isinstance(node, ast.Attribute) and isinstance(value, Const) and not value.is_fixed:
            is_whole = type(value.value) is int and value.value > 1
            if is_whole or is_class_count_name((node.attr,)):
                key = intern("attribute", node.attr, repr(value.value))
                return from_atom(Atom(key, names=(node.attr,), shape=SCALAR, is_whole=is_whole), SCALAR)
        return value

    def _binary_values(self, op: type[ast.operator], left: Value, right: Value, node: ast.AST) -> Value:
        result = self.lift(lambda a, b: self.binary(op, a, b, node), something(left), something(right))
        note_uses(self, (left, right), result)
        return result

    def binary(self, op: type[ast.operator], left: Value, right: Value, node: ast.AST) -> Value:
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
                return self.sequence(left.items + right.items)
            return ListValue(self.one_of([self.element_of(left), self.element_of(right)]))
        a, b = self.as_tensor(left), self.as_tensor(right)
        if op in _SWALLOWED and (given_up := _swallows(a, b) or _swallows(b, a)) is not None:
            return self._swallowing(given_up, b if given_up is a.single() else a, algebra.joint_shape(a, b))
        if op is ast.Add:
            total = self.added(a, b, node)
            return altered(total, pairs=pairing(a, b, node, self._stack, total.shape))
        if op is ast.Sub:
            return self.subtracted(a, b, node)
        if op is ast.Mult:
            return self.multiplied(a, b, node)
        if op is ast.BitAnd and masks.mask_of(a) is not None and masks.mask_of(b) is not None:
            return algebra.multiply(a, b)
        if op is ast.FloorDiv and b.number() is None:
            return self.computed(algebra.joint_shape(a, b))  # a number of batches, say
        if op is ast.Div or op is ast.FloorDiv:
            b = _counted(a, b)
            return self.placed(self.formed(algebra.divide(a, b), a, b), (a, b), node)
        if op is ast.Pow:
            return self.bent(algebra.power(a, b.number()), a)
        if op is ast.MatMult:
            return matmul(self, a, b, node)
        return self.computed(algebra.joint_shape(a, b))

    def _swallowing(self, given_up: Atom, other: Tensor, shape: Shape) -> Tensor:
        """What was given up, after something was done with it: another unknown, a loss by its name if one of both is.

        Were it followed from here on, it would be as many cases again after a few branches, and again.
        """
        self._serial += 1
        losses = [name for atom in other.atoms() for name in atom.names if masks.is_loss_name((name,))]
        names = tuple(dict.fromkeys((*given_up.names, *losses)))[:MAX_NAMES]
        key = intern("opaque", self._serial)
        how = 2 if algebra.may_hold_a_count(other) else given_up.given_up
        return from_atom(altered(given_up, key=key, names=names, shape=shape, given_up=how), shape)

    def multiplied(self, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
        """a * b, with an account of the pairs where (B,) meets (B, 1)."""
        product = self.placed(self.formed(algebra.multiply(a, b), a, b), (a, b), node)
        pairs = pairing(a, b, node, self._stack, product.shape)
        for differences, other in ((a, b), (b, a)):
            if (
                pairs is None
                and differences.pairs is not None
                and (other.shape.rank or other.shape.least_rank)
            ):
                pairs = differences.pairs  # times an array they are no differences of two means any more
        if pairs is None:
            return product
        return altered(
            product, reductions=(*product.reductions, self.record(Reduction(pairs, support="summed")))
        )

    def added(self, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
        """a + b, with the accounts that the sum withdraws entered in the ledger."""
        if a.reductions and b.reductions and not self._reports:
            self.additions.append(Addition(node, (a.reductions, b.reductions)))
        total = algebra.add(a, b)
        if not follows(total.reductions):
            return self.unsure([total])
        known = {id(r) for r in (*a.reductions, *b.reductions)}
        for reduction in total.reductions:
            if id(reduction) not in known:
                self.record(reduction)
        return self.formed(total, a, b)

    def subtracted(self, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
        """a - b, with the pairs where (B,) meets (B, 1)."""
        difference = self.added(a, algebra.negate(b), node)
        return altered(difference, pairs=pairing(a, b, node, self._stack, difference.shape))

    def bent(self, result: Tensor, x: Tensor) -> Tensor:
        """A function of x that is not linear, such as its square: of all pairs its mean is none of the differences."""
        if x.pairs is None:
            return result
        return altered(
            result, reductions=(*result.reductions, self.record(Reduction(x.pairs, support="summed")))
        )

    def formed(self, result: Tensor, *operands: Tensor) -> Tensor:
        """The result of an operation, with the calls in which it became an integrand: here, if not before."""
        for operand in operands:
            if operand.stack is not None:
                return altered(result, stack=operand.stack)
        if result.reductions or recognise(result) is None:
            return result
        return altered(result, stack=self._stack)

    def placed(self, result: Tensor, operands: Iterable[Tensor], node: ast.AST) -> Tensor:
        """Enter the divisions and multiplications that changed an account, with the place they were made at."""
        if not result.reductions:
            return result
        operands = tuple(operands)
        if not follows(result.reductions) or any(atom.given_up == 2 for o in operands for atom in o.atoms()):
            return self.unsure([result])
        known = {id(r) for operand in operands for r in operand.reductions}
        step = self.step(node, "scale")
        updated: list[Reduction] = []
        for account in result.reductions:
            if id(account) in known:
                updated.append(account)
            elif account.parent is not None and self.is_elsewhere(account):
                updated.append(account.parent)
            else:
                updated.append(self.record(placed(account, step)))
        return altered(result, reductions=tuple(updated))

    def is_elsewhere(self, account: Reduction) -> bool:
        """Was it made on a way that this one excludes? One number may stand for several of which one is here."""
        return bool(self._path) and any(excludes(step.path, self._path) for step in account.steps)

    def _unary(self, node: ast.UnaryOp) -> Value:
        def apply(value: Value) -> Value:
            if isinstance(node.op, ast.USub):
                if isinstance(value, Const) and isinstance(value.value, int | float):
                    return Const(-value.value)
                return algebra.negate(self.as_tensor(value))
            if isinstance(node.op, ast.Not):
                if isinstance(value, Condition):
                    return value.negated()
                decided = self.truth(value)
                return (
                    Const(not decided)
                    if decided is not None
                    else self._truth_of(value, node.operand).negated()
                )
            if isinstance(node.op, ast.Invert):
                others = masks.complement(self.as_tensor(value))
                if others is not None:
                    return others
                return algebra.add(constant(1.0), algebra.negate(self.as_tensor(value)))
            return value

        return self.lift(apply, something(self.evaluate(node.operand)))

    def _compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        rights = [self.evaluate(c) for c in node.comparators]
        if len(rights) != 1 or (isinstance(node.left, ast.Name) and node.left.id == "__name__"):
            return self.opaque()  # how the file is run is no option of a loss
        return self.lift(lambda a, b: self._compared(node, a, b), left, rights[0])

    def _compared(self, node: ast.Compare, left: Value, right: Value) -> Value:
        result = self._comparison(node, left, right)
        note_uses(self, (left, right), result)
        return result

    def _comparison(self, node: ast.Compare, left: Value, right: Value) -> Value:
        op = node.ops[0]
        if isinstance(op, ast.Gt) and isinstance(right, Const) and right.value == 0 and _is_a_length(left):
            return Const(True)  # what is divided by it is there
        if isinstance(left, Const):
            decided = compare(op, left, right)
            if decided is not None:
                return Const(decided)
        for one, other in ((left, right), (right, left)):
            condition = self._is_answer(op, one, other)
            if condition is not None:
                return condition
        return comparison(self, op, left, right, node)

    def _is_answer(self, op: ast.cmpop, value: Value, other: Value) -> Condition | Const | None:
        """`value is None`, `value == "sum"`, `value in ("sum", "mean")`: what is decided there."""
        subject = subject_of(value)
        if isinstance(op, ast.In | ast.NotIn) and isinstance(other, TupleValue) and subject is not None:
            answers = [Answer.of(item.value) if isinstance(item, Const) else None for item in other.items]
            none = tuple(Decision(subject, answer, False) for answer in answers if answer is not None)
            if len(none) != len(answers):
                return None
            inside = Condition((none[0].negated(),) if len(none) == 1 else (), none)
            return inside if isinstance(op, ast.In) else inside.negated()
        if not isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) or not isinstance(other, Const):
            return None
        if not other.is_fixed or not (other.value is None or isinstance(other.value, str | bool)):
            return None
        is_not = isinstance(op, ast.IsNot | ast.NotEq)
        if other.value is None and _is_something(value):
            return Const(is_not)
        if subject is None:
            return None
        condition = Condition.of(Decision(subject, Answer.of(other.value), True))
        return condition.negated() if is_not else condition

    def _bool_op(self, node: ast.BoolOp) -> Value:
        path = self._path
        is_and = isinstance(node.op, ast.And)
        cases: list[Case] = []
        true: Path = ()
        false: Path = ()
        is_test = True
        try:
            for index, operand in enumerate(node.values):
                value = self.evaluate(operand)
                holds, fails = self.ways(value, operand)
                stays, leaves = (holds, fails) if is_and else (fails, holds)
                is_test = is_test and isinstance(value, Condition | Const)
                is_last = index == len(node.values) - 1
                if is_last or leaves is not None:
                    cases.append(Case(self._path if is_last else extended(self._path, leaves or ()), value))
                if is_last or stays is None:
                    break
                self._path = self._decided(self._path, stays)
            if is_test:
                # All hold, or none does: only that is a conjunction of decisions.
                last = self.ways(cases[-1].value, node.values[-1])
                end = last[0] if is_and else last[1]
                whole = extended(self._path, end or ())[len(path) :]
                true, false = (whole, ()) if is_and else ((), whole)
        finally:
            self._path = path
        if is_test and len(cases) > 1:
            return Condition(true, false)
        return self.joined([Case(case.path[len(path) :], case.value) for case in cases])

    def truth(self, value: Value) -> bool | None:
        """Is the value true? None when the code leaves it open."""
        if isinstance(value, Const) and not isinstance(value.value, slice):
            return bool(value.value) if value.is_fixed else None
        if isinstance(value, Condition):
            if value.true and all(implies(self._path, d) for d in value.true):
                return True
            if value.false and all(implies(self._path, d) for d in value.false):
                return False
            if excludes(value.true, self._path):
                return False
            return True if excludes(value.false, self._path) else None
        if isinstance(value, FunctionValue | ClassValue | InstanceValue | BuiltinValue | DistributionValue):
            return True
        return None

    def ways(self, value: Value, test: ast.expr) -> tuple[Path | None, Path | None]:
        """What is decided where a test gives true, and where it does not; None for a way that is not there."""
        if isinstance(value, Alternatives):
            both: tuple[list[Path], list[Path]] = ([], [])
            for case in value.cases:
                if not excludes(case.path, self._path):
                    for found, way in zip(both, self.ways(case.value, test), strict=True):
                        if way is not None and not excludes(case.path, way):
                            found.append(extended(case.path, way))
            otherwise = self._as_written(test)
            return self._one_way(both[0], otherwise.true), self._one_way(both[1], otherwise.false)
        decided = self.truth(value)
        if decided is not None:
            return ((), None) if decided else (None, ())
        condition = self._truth_of(value, test)
        if not (condition.true and condition.false):
            own = self._as_written(test)
            return extended(condition.true, own.true), extended(condition.false, own.false)
        return condition.true, condition.false

    def _one_way(self, ways: list[Path], otherwise: Path) -> Path | None:
        """What several ways to one branch have in common."""
        if len(ways) < 2:
            return ways[0] if ways else None
        return extended(common(ways), otherwise)

    def _truth_of(self, value: Value, test: ast.expr) -> Condition:
        if isinstance(value, Condition):
            return value
        subject = subject_of(value)
        own = self._as_written(test)
        if subject is None or isinstance(test, ast.Compare | ast.Call):
            return own
        return Condition.of(Decision(subject, TRUTHY, True, test))

    def _as_written(self, test: ast.expr) -> Condition:
        """A test that is known by its text alone: the same text over the same values decides alike."""
        negated = False
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, negated = test.operand, not negated
        node: ast.expr = test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
            node = ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
            negated = not negated
        subject = self._text_subject(test, node)
        condition = Condition.of(Decision(subject, TRUTHY, True, test))
        return condition.negated() if negated else condition

    def _text_subject(self, test: ast.expr, spelled: ast.expr) -> Hashable:
        loaded: list[Hashable] = []
        todo: list[ast.AST] = [test]
        while todo:
            node = todo.pop()
            if isinstance(node, ast.Call) and not _is_pure(node):
                return test, self._stack  # another call may give something else
            if isinstance(node, ast.Name | ast.Attribute):
                self._spend()
                if isinstance(node, ast.Name) or _is_dotted(node):
                    loaded.append(identity_of(self.evaluate(node)))
                    continue
            if isinstance(node, ast.NamedExpr | ast.Lambda | ast.Await):
                return test, self._stack
            todo += ast.iter_child_nodes(node)
        return "test", spelled_out(spelled), tuple(loaded)

    def ways_of(self, node: ast.If | ast.IfExp, body: Sequence[ast.AST]) -> tuple[Path | None, Path | None]:
        """What is decided where the test of a branch gives true, and where it does not."""
        value = self.evaluate(node.test)
        return ((), None) if _guards_its_division(node.test, body) else self.ways(value, node.test)

    def _if_expression(self, node: ast.IfExp) -> Value:
        path = self._path
        cases: list[Case] = []
        for way, branch in zip(self.ways_of(node, [node.body]), (node.body, node.orelse), strict=True):
            if way is not None:
                self._path = self._decided(path, way)
                cases.append(Case(self._path[len(path) :], self.evaluate(branch)))
        self._path = path
        return self.joined(cases)

    def _lambda(self, node: ast.Lambda) -> Value:
        function = FunctionValue(node, self._scope)
        self.defined.append(function)
        return function

    def _named_expression(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self._bind(node.target, value)
        return self._scope.names.get(node.target.id, value)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        outer = self._scope
        path = self._path
        self._path = self._decided(path, (Decision((node, self._stack), TRUTHY, True, node),))
        self._scope = Scope(outer)
        try:
            first = node.generators[0]
            items = self.evaluate(first.iter) if len(node.generators) == 1 and not first.ifs else None
            if isinstance(items, TupleValue) and 0 < len(items.items) <= MAX_TOLD_APART:
                return TupleValue(tuple(self._element_for(node.elt, first.target, i) for i in items.items))
            self._generators(node.generators, items)
            return ListValue(self.evaluate(node.elt))
        finally:
            self._scope, self._path = outer, path

    def _element_for(self, element: ast.expr, target: ast.expr, item: Value) -> Value:
        self._bind(target, item)
        return self.evaluate(element)

    def _dict_comprehension(self, node: ast.DictComp) -> Value:
        outer = self._scope
        self._scope = Scope(outer)
        try:
            self._generators(node.generators)
            self.evaluate(node.value)
            return self.opaque()
        finally:
            self._scope = outer

    def _generators(self, generators: list[ast.comprehension], first: Value | None = None) -> None:
        """Bind the variables of a comprehension; `first` is what the first one runs through, where that is known."""
        for generator in generators:
            iterable = first if first is not None else self.evaluate(generator.iter)
            first = None
            self._bind(generator.target, self.element_of(iterable))
            for condition in generator.ifs:
                self.evaluate(condition)

    def _passes_through(self, node: ast.Await | ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _formatted(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.evaluate(part.value)
        return self.opaque()

    def _yield(self, node: ast.Yield) -> Value:
        if node.value is not None:
            self.evaluate(node.value)
        return self.opaque()

    def call_function(
        self,
        function: FunctionValue,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        standalone: bool = False,
    ) -> Value:
        """Follow a call into a function of this module."""
        raise NotImplementedError

    @property
    def follows_imports(self) -> bool:
        """Are other modules of the project read?"""
        return False

    def imported(self, name: str) -> Value | None:
        """What a dotted name stands for in another module of the project; None where that is not known."""
        return None

    def _call(self, node: ast.Call) -> Value:
        self.seen.add(node)
        return calls.evaluate_call(self, node)

    def call(self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Call a value."""
        return calls.call(self, function, args, kwargs, node)

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            stored = self._named(value, target.id, target)
            if self._scope.annotated and isinstance(stored, Tensor) and is_unknown(stored):
                stored = hinted(stored, self._scope.annotated.get(target.id, ()))
            self._scope.names[target.id] = stored
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, ListValue(self.opaque()))
        elif isinstance(target, ast.Attribute):
            base = self.evaluate(target.value)
            if isinstance(base, InstanceValue):
                base.attributes[target.attr] = named(value, target.attr)
        elif isinstance(target, ast.Subscript):
            self._store_item(target, value)

    def _named(self, value: Value, name: str, node: ast.AST) -> Value:
        """The value under a name: what is computed of masks, and a loss, may be known by it."""
        if isinstance(value, Tensor) and not value.reductions:
            mask = masks.named_mask(value, name, node)
            if mask is not None:
                return mask
            atom = value.single()
            if (
                atom is not None
                and atom.kind == "computed"
                and not atom.names
                and masks.is_plain_loss_name(name)
            ):
                return algebra.map_atoms(value, lambda a: altered(a, names=(name,), place=Place(node, name)))
        return named(value, name, node)

    def _unpack(self, targets: list[ast.expr], value: Value) -> None:
        items = self.elements(value, len(targets), any(isinstance(t, ast.Starred) for t in targets))
        for target, item in zip(targets, items, strict=False):
            self._bind(target, item)

    def elements(self, value: Value, count: int, starred: bool = False) -> list[Value]:
        """The `count` items that unpacking `value` gives."""
        if isinstance(value, Alternatives):
            rows = [(c.path, self.elements(c.value, count, starred)) for c in value.cases]
            return [self.joined([Case(path, row[i]) for path, row in rows]) for i in range(count)]
        if isinstance(value, TupleValue) and len(value.items) == count and not starred:
            return list(value.items)
        if isinstance(value, ListValue):
            if isinstance(value.element, Alternatives):  # which of them each item is, is not known
                return [self.unsure([value.element]) for _ in range(count)]
            return [self._another(value.element) for _ in range(count)]
        if isinstance(value, ShapeValue) and not starred:
            if value.start == 0 and value.stop is None:
                value.shape.set_rank(count)
            return [self.axis_length(value.shape, value.start + i) for i in range(count)]
        if isinstance(value, Tensor) and not starred and not value.reductions:
            if is_unknown(value):  # a tuple, as likely as an array: its items need not have one shape
                return [self._item_of(value, i) for i in range(count)]
            inner = value.shape.without(AxesSpec.at(0))
            return [algebra.relabelled(value, inner, i) for i in range(count)]
        return [self.opaque() for _ in range(count)]

    def _another(self, value: Value) -> Value:
        """Another item of a list whose items are all like `value`."""
        if not isinstance(value, Tensor) or value.reductions:
            return value
        self._serial += 1
        if is_unknown(value):
            return self._item_of(value, self._serial)
        return algebra.relabelled(value, value.shape, ("item", self._serial))

    def _item_of(self, value: Tensor, index: int) -> Tensor:
        """An item of something unknown: what that is called says nothing about it."""
        shape = Shape()
        item = algebra.relabelled(value, shape, ("item", index))
        return algebra.map_atoms(item, lambda atom: altered(atom, names=(), hint=(), kind="", shape=shape))

    def _store_item(self, target: ast.Subscript, value: Value) -> None:
        base = self.evaluate(target.value)
        index = self.evaluate(target.slice)
        note_uses(self, (index,), base)
        if isinstance(target.value, ast.Name):
            name = target.value.id
            stored = self.lift(lambda one, at: self._with_item(name, target, one, at, value), base, index)
            self._scope.names[name] = stored

    def _with_item(self, name: str, target: ast.expr, base: Value, index: Value, value: Value) -> Value:
        """What an array or a dictionary is after something was stored in it."""
        if isinstance(base, DictValue) and isinstance(index, Const):
            items = tuple((k, v) for k, v in base.items if k != index.value)
            return self.opaque() if len(items) >= MAX_ITEMS else DictValue((*items, (index.value, value)))
        if not isinstance(base, Tensor):
            return base
        number = value.value if isinstance(value, Const) else None
        if isinstance(index, TupleValue) and number == 1 and not base.terms:
            axis = base.shape.axis(-1)
            place = Place(target, "a one-hot target is written here")
            return from_atom(Atom(intern("one_hot", id(target)), Role.ONE_HOT, axis, place=place), base.shape)
        if number == 0 and type(number) in (int, float):
            kept = masks.complement(self.as_tensor(index)) if isinstance(index, Tensor) else None
            if kept is None or not base.terms:
                return base
            # A condition as an index lies over the first axes, whatever follows them.
            kept = algebra.relabelled(kept, base.shape)
            return self.placed(algebra.multiply(base, kept), (base, kept), target)
        if type(number) in (int, float) and number != 1:
            return self.computed(base.shape)  # weights that sum to something else, whatever they are called
        return self.opaque((name,), shape=base.shape)

    def element_of(self, iterable: Value) -> Value:
        """What iterating over a value gives each time."""
        if isinstance(iterable, Alternatives):
            return self.joined([Case(c.path, self.element_of(c.value)) for c in iterable.cases])
        if isinstance(iterable, ListValue):
            return iterable.element
        if isinstance(iterable, TupleValue) and iterable.items:
            return self.one_of(iterable.items)
        if isinstance(iterable, Tensor) and iterable.reductions:
            return self.unsure([iterable])  # row by row: what becomes of the rows is not counted
        if isinstance(iterable, Tensor) and iterable.terms:
            self._serial += 1
            if (first := iterable.shape.axis(0)) is not None:
                self.rounds.append(first)
            inner = iterable.shape.without(AxesSpec.at(0))
            return algebra.relabelled(iterable, inner, self._serial)
        return self.opaque()

    def note_labels(self, index: Value, *, each: bool = False) -> None:
        """Take down that a class was chosen by this array, clipped or masked as it may be; by `each` item, if so."""
        if isinstance(index, Tensor):
            self.labels.update(a.key for a in index.atoms() if a.role is Role.OPAQUE and a.kind != "arange")
            if each and (atom := index.single()) is not None and atom.role is Role.OPAQUE:
                self.all_valid.add(atom.key)

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """Apply a function to values, case by case; cases that exclude each other do not meet."""
        for value in values:
            if type(value) is Alternatives:
                break
        else:
            return function(*values)
        rows: list[tuple[Path, tuple[Value, ...]]] = [(self._path, ())]
        for value in values:
            if isinstance(value, Alternatives):
                rows = [
                    (extended(path, case.path), (*row, case.value))
                    for path, row in rows
                    for case in value.cases
                    if not excludes(path, case.path)
                ]
            else:
                rows = [(path, (*row, value)) for path, row in rows]
            if len(rows) > MAX_ROWS:
                return self._give_up(values)
        path = self._path
        cases: list[Case] = []
        self._spend(len(rows) // _ROWS_PER_NODE)
        for taken, row in rows:
            self._path = taken
            cases.append(Case(taken[len(path) :], function(*row)))
        self._path = path
        return self.joined(cases) if cases else self.computed()

    def joined(self, cases: Sequence[Case]) -> Value:
        """One value for what is one of several; of too many nothing is known."""
        self._spend(len(cases) // _ROWS_PER_NODE)
        value = join(cases)
        return self._give_up([case.value for case in cases]) if value is TOO_MANY else value

    def _give_up(self, values: Sequence[Value]) -> Tensor:
        """Something unknown in place of more cases than are kept."""
        how = 2 if any(map(algebra.may_hold_a_count, tensors_in(values, MAX_DEPTH))) else 1
        return algebra.map_atoms(self.unsure(values), lambda atom: altered(atom, given_up=how))

    def one_of(self, values: Sequence[Value]) -> Value:
        """One of several values, and nothing in sight says which."""
        self._serial += 1
        subject = ("one of", self._serial)
        return self.joined(
            [Case((Decision(subject, index, True),), value) for index, value in enumerate(values)]
        )

    def unsure(self, values: Iterable[Value]) -> Tensor:
        """Something unknown in place of values that are not followed any further: what was counted in them is open."""
        for tensor in tensors_in(values, MAX_DEPTH):
            for account in tensor.reductions:
                self._spend()
                self.record(account.withdrawn())
        return self.computed()

    def as_tensor(self, value: Value) -> Tensor:
        """Any value as a tensor; what is not a number or an array becomes opaque."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Const):
            if isinstance(value.value, bool | int | float):
                return constant(float(value.value)) if abs(value.value) < 1e300 else constant(None)
            return self.opaque()
        if isinstance(value, ModuleValue):
            return self.shown_opaque(
                "module", value.name, names=(value.name.rpartition(".")[2],), shape=SCALAR
            )
        if isinstance(value, Alternatives):
            return self.unsure([value])
        if isinstance(value, Condition):
            return self.computed()
        if isinstance(value, TupleValue):
            # Numbers that are written out: what they mean is not a matter of a name.
            return self.computed(_shape_of_display(value))
        return self.opaque()

    def axis_length(self, shape: Shape, position: int) -> Value:
        """`x.shape[position]`."""
        axis = shape.axis(position)
        if axis is None:
            self._serial += 1
            return from_atom(Atom(intern("some length", self._serial), Role.COUNT), SCALAR)
        if axis.size == 1:
            return Const(1)
        return from_atom(Atom(intern("length", axis), Role.COUNT, axis), SCALAR)

    def count_of(self, value: ShapeValue) -> Tensor:
        """The product of (a part of) a shape."""
        shape, start, stop = value.shape, value.start, value.stop
        if max(abs(start), abs(stop or 0)) > MAX_RANK:
            return self.opaque(shape=SCALAR)
        axes = shape.axes
        if axes is not None:
            result = constant(1.0)
            for axis in axes[start:stop]:
                result = algebra.multiply(result, self._length(axis))
            return result
        if start == 0 and stop is not None and stop > 0:
            lengths = [self._length(a) for a in (shape.axis(i) for i in range(stop)) if a is not None]
            result = constant(1.0)
            for length in lengths:
                result = algebra.multiply(result, length)
            return result
        result = from_atom(Atom(intern("numel", shape.root()), Role.COUNT, shape=shape), SCALAR)
        cut = [*range(start), *range(stop or 0, 0)]
        for position in cut:
            axis_cut = shape.axis(position)
            if axis_cut is not None:
                result = algebra.divide(result, self._length(axis_cut))
        return result

    def _length(self, axis: Axis) -> Tensor:
        if axis.size == 1:
            return constant(1.0)
        return from_atom(Atom(intern("length", axis), Role.COUNT, axis), SCALAR)


_BOUND: Final = frozenset("mean sum log softmax log_softmax exp divide multiply".split())
"""Methods that people take without calling them at once."""


def subject_of(value: Value) -> Hashable:
    """What a test of this value asks about; None where a test cannot be told from another."""
    if isinstance(value, Const):
        return value.subject
    atom = value.single() if isinstance(value, Tensor) and not value.reductions else None
    return ("value", atom.key) if atom is not None else None


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
        for inner in ast.walk(statement):
            by = divisor(inner)
            if by is not None and type(by) is type(counted):
                wanted = wanted or spelled_out(counted)
                if spelled_out(by) == wanted:
                    return True
    return False


def _is_a_length(value: Value) -> bool:
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


def identity_of(value: Value) -> Hashable:
    """Equal for equal values."""
    if isinstance(value, Const):
        return repr(value.value), value.subject
    if isinstance(value, Tensor):
        return value.terms
    return value if isinstance(value, ModuleValue | Condition) else id(value)


def _shape_of_display(value: Value) -> Shape:
    """The shape of an array that is written out."""
    lengths: list[int] = []
    while isinstance(value, TupleValue) and value.items and len(lengths) < MAX_DEPTH:
        lengths.append(len(value.items))
        value = value.items[0]
    return Shape.of([Axis(length) for length in lengths]) if isinstance(value, Const) else Shape()


_OPPOSITE: Final[Mapping[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.NotEq: ast.Eq,
    ast.IsNot: ast.Is,
    ast.NotIn: ast.In,
    ast.GtE: ast.Lt,
    ast.LtE: ast.Gt,
}
_PURE_FUNCTIONS: Final = frozenset("isinstance issubclass hasattr len callable type bool int float".split())
_PURE_METHODS: Final = frozenset("dim size ndimension numel get startswith endswith keys lower".split())


def _is_pure(node: ast.Call) -> bool:
    """Does the call give the same for the same arguments?"""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr in _PURE_METHODS
    return isinstance(function, ast.Name) and function.id in _PURE_FUNCTIONS


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


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
    return atom.kind in ("", "computed") and not masks.is_mask_name(atom.names)


def _counted(a: Tensor, b: Tensor) -> Tensor:
    """A divisor with the class count written as a number (`/ 10`) is a count of the support axis."""
    for reduction in a.reductions:
        support = reduction.integrand.support
        if len(b.terms) == 1 and support.size and support.size > 2 and b.terms[0].coefficient == support.size:
            length = from_atom(Atom(intern("length", support), Role.COUNT, support), SCALAR)
            return algebra.scale(algebra.multiply(b, length), 1 / support.size)
    return b


def _has_decorator(node: ast.AST, names: tuple[str, ...]) -> bool:
    for decorator in getattr(node, "decorator_list", ()):
        last = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        if last in names:
            return True
    return False


_EXPRESSIONS: Final[dict[type[ast.expr], Callable[..., Value]]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.Subscript: Evaluator._subscript,
    ast.Slice: Evaluator._slice,
    ast.Tuple: Evaluator._tuple,
    ast.List: Evaluator._tuple,
    ast.Set: Evaluator._set,
    ast.Dict: Evaluator._dict,
    ast.BinOp: Evaluator._binary,
    ast.UnaryOp: Evaluator._unary,
    ast.Compare: Evaluator._compare,
    ast.BoolOp: Evaluator._bool_op,
    ast.IfExp: Evaluator._if_expression,
    ast.Lambda: Evaluator._lambda,
    ast.NamedExpr: Evaluator._named_expression,
    ast.ListComp: Evaluator._comprehension,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.DictComp: Evaluator._dict_comprehension,
    ast.Await: Evaluator._passes_through,
    ast.Starred: Evaluator._passes_through,
    ast.Yield: Evaluator._yield,
    ast.JoinedStr: Evaluator._formatted,
    ast.Call: Evaluator._call,
}
