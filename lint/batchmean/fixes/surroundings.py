"""What becomes of a term: does it stand alone, does it carry a coefficient, is it added to another one?

A fix changes the term's scale. Alone, that is the loss's own scale; beside other terms it is the balance between
them. A latent KL beside a reconstruction that is averaged over its own elements has no fix: both must change.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator

from batchmean.engine.domain.tensors import Reduction, Role
from batchmean.engine.events import Miscount
from batchmean.fixes.blame import blamed, dividend
from batchmean.fixes.code import Code, FunctionNode, Unfixable
from batchmean.fixes.functions import ADDS, ELEMENTWISE_LOSSES, MEANS, PASSES, SCALES
from batchmean.fixes.names import last_name
from batchmean.rules.support import SupportEvent

_CALLERS = 3  # how many calls outwards a returned loss is followed
_DEPTH = 100  # how far it is followed from use to use
_USES = 2000  # how many uses of it are looked at


class Standing(enum.Enum):
    """How a term stands among others."""

    ALONE = "alone"
    WEIGHTED = "weighted"
    ADDED = "added"


def standing(code: Code, event: SupportEvent) -> Standing:
    """How the event's term is used. Raises `Unfixable` for a latent KL whose counterpart would have to change too."""
    walk = _Walk(code, event.reduction, event.step.node)
    walk.follow(event.node)
    first = event.reduction.steps[0].node
    if code.function(first) is code.function(event.node):
        walk.follow(first)  # a coefficient may stand between the sum and its division
    integrand = event.reduction.integrand
    if integrand.symbol == "D" and not integrand.event and walk.is_beside_an_average():
        raise Unfixable("a reconstruction beside it is averaged over its own elements: sum both, or neither")
    return walk.standing


def standing_of_miscount(code: Code, event: Miscount, reduction: Reduction) -> Standing:
    """How the term of a wrong count is used: the loss as it will be."""
    walk = _Walk(code, reduction, blamed(event))
    if event.kind == "discarded division":
        walk.follow_uses(dividend(event.node), event.node)
    else:
        walk.follow(event.node)
    first = reduction.steps[0].node
    if event.kind == "double division" and code.function(first) is code.function(event.node):
        walk.follow(first)  # a coefficient may stand between the two divisions
    if walk.standing is Standing.ALONE and (
        reduction.coefficient not in (1, -1)
        or any(atom.role is Role.OPAQUE for atom, _ in reduction.counts())
    ):
        return Standing.WEIGHTED
    return walk.standing


class _Walk:
    """Follows a value from where it is made to where it is returned, and to the callers in this file."""

    def __init__(self, code: Code, reduction: Reduction, blamed: ast.AST) -> None:
        self._code = code
        self._steps = {id(step.node) for step in reduction.steps}
        self._blamed = blamed
        self._is_latent = reduction.integrand.symbol == "D"
        self._seen: set[int] = set()
        self._depth = 0
        self._functions: list[FunctionNode] = []
        self._others: list[ast.expr] = []
        self.weighted = False
        self.added = False

    @property
    def standing(self) -> Standing:
        """What was seen on the way."""
        if self.added:
            return Standing.ADDED
        return Standing.WEIGHTED if self.weighted else Standing.ALONE

    def follow_uses(self, target: ast.expr | None, statement: ast.AST) -> None:
        """Look at everything that a variable ends up in after a statement."""
        if target is not None:
            self._uses(target, statement, 0)

    def follow(self, node: ast.AST, calls: int = 0) -> None:
        """Look at everything that this expression ends up in."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if self._depth >= _DEPTH or len(self._seen) > _USES:
            self.added = True  # what becomes of it further on is not in sight
            return
        self._depth += 1
        self._follow(node, calls)
        self._depth -= 1

    def _follow(self, node: ast.AST, calls: int) -> None:
        function = self._code.function(node)
        if function is not None and function not in self._functions:
            self._functions.append(function)
        holder = self._code.parent(node)
        if isinstance(holder, ast.BinOp):
            self._operation(holder, holder.right if node is holder.left else holder.left)
        elif isinstance(holder, ast.Call) and node is not holder.func:
            self._argument(holder)
        elif isinstance(holder, ast.keyword | ast.Dict | ast.Compare):
            self.added = self.added or (isinstance(holder, ast.Dict) and len(holder.values) > 1)
        elif isinstance(holder, ast.Attribute):
            called = self._code.parent(holder)
            if isinstance(called, ast.Call) and called.func is holder:
                self._method(holder.attr, called)
                self.follow(called, calls)
            return
        if isinstance(holder, ast.Return):
            self._callers(function, calls)
        elif isinstance(holder, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = holder.targets if isinstance(holder, ast.Assign) else [holder.target]
            for target in targets:
                self._uses(target, holder, calls)
        elif isinstance(holder, ast.AugAssign) and node is holder.value:
            if isinstance(holder.op, ast.Add | ast.Sub):
                self.added = True
                self._others.append(holder.target)
            elif id(holder) not in self._steps:
                self.weighted = True
        elif isinstance(node, ast.AugAssign):
            self._uses(node.target, node, calls)
        if isinstance(holder, ast.expr | ast.keyword):
            self.follow(holder, calls)

    def _operation(self, holder: ast.BinOp, other: ast.expr) -> None:
        if holder is self._blamed or (id(holder) in self._steps and isinstance(holder.op, ast.Div)):
            return  # a count
        number = _number(other)
        if isinstance(holder.op, ast.Add | ast.Sub):
            if number is None or abs(number) > 1e-3:
                self.added = True
                self._others.append(other)
        elif number is None or not (abs(number) == 1 or (self._is_latent and abs(number) in (0.5, 2))):
            self.weighted = True

    def _argument(self, call: ast.Call) -> None:
        name = last_name(call.func)
        if name in ADDS:
            self.added = True
            self._others.extend(call.args)
        elif name in SCALES:
            self.weighted = self.weighted or id(call) not in self._steps
        elif name not in PASSES and id(call) not in self._steps:
            statement = self._code.parent(call)
            if not isinstance(statement, ast.Expr):
                self.weighted = True  # what becomes of it there is not in sight

    def _method(self, name: str, call: ast.Call) -> None:
        numbers = [_number(argument) for argument in call.args[:1]]
        if name in ADDS:
            self.added = True
            self._others.extend(call.args)
        elif name in SCALES and id(call) not in self._steps:
            harmless = (1, 0.5, 2) if self._is_latent else (1,)
            self.weighted = self.weighted or any(n is None or abs(n) not in harmless for n in numbers)

    def _uses(self, target: ast.expr, statement: ast.AST, calls: int) -> None:
        """Where the variable is read."""
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            self.added = True  # one of several losses that are kept by name
            return
        scope = self._code.function(statement) or self._code.tree
        for node in self._code.names(scope).spelled.get(ast.unparse(target), ()):
            if node is target or node.lineno < getattr(statement, "lineno", 0):
                continue
            if isinstance(node.ctx, ast.Load):
                self.follow(node, calls)
            else:
                holder = self._code.parent(node)
                if isinstance(holder, ast.AugAssign):
                    self._augmented(holder)

    def _augmented(self, holder: ast.AugAssign) -> None:
        number = _number(holder.value)
        if isinstance(holder.op, ast.Add | ast.Sub):
            self.added = True
            self._others.append(holder.value)
        elif id(holder) not in self._steps and number not in (1, -1):
            self.weighted = self.weighted or not (self._is_latent and number in (0.5, -0.5))

    def _callers(self, function: FunctionNode | None, calls: int) -> None:
        if function is None or calls >= _CALLERS:
            return
        for node in self._code.names(self._code.tree).calls.get(function.name, ()):
            self.follow(node, calls + 1)

    # -- what stands beside a latent KL --------------------------------------------------------------------------

    def is_beside_an_average(self) -> bool:
        """Is there a reconstruction that is averaged over its own elements, or that nothing is known of?"""
        if any(self._averages(node) for function in self._functions for node in _calls(function)):
            return True
        return any(not self._sums(other) for other in self._others)

    def _averages(self, call: ast.Call) -> bool:
        name = last_name(call.func)
        if name in ELEMENTWISE_LOSSES:
            return _reduction(call) not in ("sum", "none")
        if name not in MEANS or id(call) in self._steps or id(call) in self._seen:
            return False
        return not any(last_name(inner.func) in ("sum", "reduce_sum") for inner in _calls(call))

    def _sums(self, other: ast.expr, depth: int = 0) -> bool:
        if any(last_name(c.func) in ("sum", "reduce_sum") or _reduction(c) == "sum" for c in _calls(other)):
            return True
        function = self._code.function(other)
        if depth > 3 or function is None:
            return False
        names = {n.id for n in ast.walk(other) if isinstance(n, ast.Name)}
        values = [
            node.value
            for node in self._code.names(function).assignments
            if any(isinstance(target, ast.Name) and target.id in names for target in node.targets)
        ]
        return any(self._sums(value, depth + 1) for value in values)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _reduction(call: ast.Call) -> str | None:
    given = next((k.value for k in call.keywords if k.arg == "reduction"), None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp):
        return _number(node.operand)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else None
