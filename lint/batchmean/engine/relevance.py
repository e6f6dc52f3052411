"""Which statements of a function can matter to a reduction: the rest need not be interpreted.

Training code is mostly not about losses. From the statements that reduce something (and, for a function that is
called, those that return) the names are followed backwards to what they are computed from and forwards to what is
made of them; a reduction that no logarithm flows into is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from batchmean.engine.candidates import Candidates

Statements: TypeAlias = frozenset[ast.AST]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_REDUCERS: Final = frozenset(
    "mean nanmean average reduce_mean kl_div reduce einsum vdot dot inner tensordot matmul sum nansum reduce_sum"
    " KLDivLoss cross_entropy nll_loss CrossEntropyLoss NLLLoss mse_loss l1_loss smooth_l1_loss huber_loss"
    " binary_cross_entropy binary_cross_entropy_with_logits div divide true_divide".split()
)
_LAYERS: Final = frozenset("Linear LazyLinear Dense dense Sequential Softmax LogSoftmax Sigmoid".split())
_CRITERIA: Final = frozenset(
    "KLDivLoss CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss partial".split()
)
_MUTATORS: Final = frozenset(
    "append extend insert update add setdefault put_along_axis fill_diagonal_".split()
)
_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_BLOCKS: Final = ("body", "orelse", "finalbody")
_INNER: Final = frozenset((*_BLOCKS, "handlers", "cases"))
_NAMING: Final = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(slots=True, eq=False)
class _Facts:
    """What one statement, without its blocks, stores, loads and calls."""

    node: ast.stmt
    outer: list[_Facts]
    """The compound statements around it."""
    stores: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    operations: list[ast.expr] = field(default_factory=list)
    """The calls and the binary operations in it."""
    takes_logarithm: bool = False


class Relevance:
    """The statements worth interpreting, function by function."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._reducers = _REDUCERS | candidates.reducers | candidates.names | candidates.takers
        self._makers = self._reducers | _CRITERIA
        self._facts: dict[Function, list[_Facts]] = {}
        self._found: dict[tuple[Function, bool], Statements] = {}
        self._made: dict[Function, set[str]] = {}

    def of(self, function: Function, called: bool) -> Statements:
        """The relevant statements of a function; where it is `called`, what it returns matters too."""
        key = (function, called)
        if key not in self._found:
            self._found[key] = self._closed(self._facts_of(function), function, called)
        return self._found[key]

    def reducing(self, function: Function) -> Iterator[ast.expr]:
        """The calls and the binary operations in the relevant statements that reduce something."""
        relevant = self.of(function, called=True)
        for facts in self._facts_of(function):
            if facts.node in relevant and _reduces(facts, self._reducers, self._made[function]):
                yield from facts.operations

    def _facts_of(self, function: Function) -> list[_Facts]:
        if function not in self._facts:
            self._facts[function] = list(self._read(function.body, []))
        return self._facts[function]

    def _read(self, body: list[ast.stmt], outer: list[_Facts]) -> Iterator[_Facts]:
        candidates = self._candidates
        for node in body:
            facts = _Facts(node, outer)
            if isinstance(node, _DEFINITIONS):
                facts.takes_logarithm = candidates.takes_logarithm(node)
                _collect(node, facts)
                facts.stores = {node.name}
            else:
                for name in node._fields:
                    if name in _INNER:
                        continue
                    value = getattr(node, name, None)
                    for child in value if isinstance(value, list) else (value,):
                        if isinstance(child, ast.AST):
                            _collect(child, facts)
                            shown = isinstance(child, ast.expr) and candidates.takes_logarithm(child)
                            facts.takes_logarithm = facts.takes_logarithm or shown
            if isinstance(node, ast.Raise | ast.Assert):
                facts.operations.clear()  # they are not run
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                # `batch, dims = x.shape` shows the rank of x.
                facts.stores |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            facts.takes_logarithm = facts.takes_logarithm or not facts.calls.isdisjoint(candidates.takers)
            yield facts
            if not isinstance(node, _DEFINITIONS) and not _INNER.isdisjoint(node._fields):
                inner = [*outer, facts]
                for block in _BLOCKS:
                    yield from self._read(getattr(node, block, []), inner)
                for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                    yield from self._read(part.body, inner)

    def _closed(self, all_facts: list[_Facts], function: Function, called: bool) -> Statements:
        storing: dict[str, list[_Facts]] = {}
        loading: dict[str, list[_Facts]] = {}
        for facts in all_facts:
            for name in facts.stores:
                storing.setdefault(name, []).append(facts)
            for name in facts.loads:
                loading.setdefault(name, []).append(facts)
        candidates = self._candidates
        reducers = self._reducers
        # A criterion that is made here, or the default of a parameter, is called under its local name.
        made = {name for f in all_facts if not f.calls.isdisjoint(self._makers) for name in f.stores}
        given = function.args
        pairs = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
        made.update(parameter.arg for parameter, default in pairs if candidates.takes_logarithm(default))
        self._made[function] = made
        # What a logarithm flows into.
        seeing = _reached([f for f in all_facts if f.takes_logarithm], lambda f: f.stores, loading)
        seeds: list[_Facts] = []
        for facts in all_facts:
            calls = facts.calls
            if function.name == "__init__":
                simple = (
                    called
                    or not calls
                    or not calls.isdisjoint(candidates.reducers)
                    or not calls.isdisjoint(_LAYERS)
                )
                wanted = (simple or facts.takes_logarithm) and any(
                    s.startswith("self.") for s in facts.stores
                )
            elif called and isinstance(facts.node, ast.Return):
                wanted = True
            else:
                is_definition = isinstance(facts.node, _DEFINITIONS)
                wanted = facts in seeing and (is_definition or _reduces(facts, reducers, made))
            if wanted:
                seeds.append(facts)
        # What is made of a reduction (`loss * num_classes`) may put it right.
        stored = {name for facts in seeds for name in facts.stores}
        made_of = [f for name in stored for f in loading.get(name, ())]
        relevant = _reached([*seeds, *made_of], lambda f: f.loads, storing, with_outer=True)
        return frozenset(facts.node for facts in relevant)


def _reduces(facts: _Facts, *reducers: Set[str]) -> bool:
    """Does the statement call what reduces, or divide and throw the result away?"""
    if isinstance(facts.node, ast.Expr) and isinstance(facts.node.value, ast.BinOp):
        return True
    return not all(facts.calls.isdisjoint(names) for names in reducers)


def _reached(
    start: list[_Facts],
    leading_on: Callable[[_Facts], set[str]],
    by_name: dict[str, list[_Facts]],
    *,
    with_outer: bool = False,
) -> set[_Facts]:
    """The statements that names lead to, from one to the next; every name is followed once."""
    reached: set[_Facts] = set()
    names: set[str] = set()
    waiting = list(start)
    while waiting:
        facts = waiting.pop()
        if facts in reached:
            continue
        reached.add(facts)
        if with_outer:
            waiting += facts.outer
        for name in leading_on(facts):
            if name not in names:
                names.add(name)
                waiting += by_name.get(name, ())
    return reached


def _collect(root: ast.AST, facts: _Facts) -> None:
    """Add what an expression or a whole definition stores, loads and calls."""
    stores, loads, calls = facts.stores, facts.loads, facts.calls
    todo: list[ast.AST] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            (loads if isinstance(node.ctx, ast.Load) else stores).add(node.id)
            continue
        if isinstance(node, ast.Constant):
            continue
        if isinstance(node, ast.Attribute):
            value = node.value
            if isinstance(value, ast.Name):
                is_load = isinstance(node.ctx, ast.Load)
                (loads if is_load else stores).add(f"{value.id}.{node.attr}")
                if not is_load and value.id != "self":
                    stores.add(value.id)
            todo.append(value)
            continue
        if isinstance(node, ast.Call):
            facts.operations.append(node)
            function = node.func
            if isinstance(function, ast.Name):
                calls.add(function.id)
            elif isinstance(function, ast.Attribute):
                calls.add(function.attr)
                if isinstance(function.value, ast.Name):
                    calls.add(function.value.id)
                changes = function.attr.endswith("_") or function.attr in _MUTATORS
                if changes and isinstance(function.value, ast.Name):
                    stores.add(function.value.id)
            stored_in = (
                node.args[0]
                if node.args and getattr(function, "attr", getattr(function, "id", "")) == "put_along_axis"
                else None
            )
            if isinstance(stored_in, ast.Name):
                stores.add(stored_in.id)
            todo.append(function)
            todo += node.args
            todo += [keyword.value for keyword in node.keywords]
            continue
        if isinstance(node, ast.BinOp):
            facts.operations.append(node)
            if isinstance(node.op, ast.MatMult):
                calls.add("matmul")
            todo += (node.left, node.right)
            continue
        if isinstance(node, ast.JoinedStr):
            known = len(facts.operations)
            for part in node.values:
                _collect(part, facts)
            del facts.operations[known:]  # they are not run
            continue
        if isinstance(node, ast.alias):
            stores.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, _NAMING):
            if node.name:
                stores.add(node.name)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name):
                stores.add(node.value.id)
        todo += ast.iter_child_nodes(node)
    if isinstance(facts.node, ast.AugAssign) and isinstance(facts.node.target, ast.Name):
        loads.add(facts.node.target.id)


def ends_path(node: ast.stmt) -> bool:
    """Does control leave the block here?"""
    return isinstance(node, _ENDS)
