"""Which statements of a function can matter to a reduction: the rest need not be interpreted.

Training code is mostly not about losses. From the statements that reduce something (and, for a function that is
called, those that return) the names are followed backwards to what they are computed from and forwards to what is
made of them; a reduction that no logarithm flows into is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
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
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(slots=True)
class _Facts:
    """What one statement, without its blocks, stores, loads and calls."""

    node: ast.stmt
    stores: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    outer: list[ast.stmt] = field(default_factory=list)
    """The compound statements around it."""
    takes_logarithm: bool = False


class Relevance:
    """The statements worth interpreting, function by function."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._facts: dict[ast.AST, list[_Facts]] = {}
        self._found: dict[tuple[ast.AST, bool], Statements] = {}

    def of(self, function: Function, called: bool) -> Statements:
        """The relevant statements of a function; where it is `called`, what it returns matters too."""
        key = (function, called)
        if key not in self._found:
            if function not in self._facts:
                self._facts[function] = list(self._read(function.body, []))
            self._found[key] = self._closed(self._facts[function], function, called)
        return self._found[key]

    def _read(self, body: list[ast.stmt], outer: list[ast.stmt]) -> Iterator[_Facts]:
        for node in body:
            facts = _Facts(node, outer=outer)
            if isinstance(node, _DEFINITIONS):
                facts.takes_logarithm = self._candidates.takes_logarithm(node)
                _collect(node, facts)
                facts.stores = {node.name}
            else:
                for name, value in ast.iter_fields(node):
                    if name in _BLOCKS or name in ("handlers", "cases"):
                        continue
                    for child in value if isinstance(value, list) else [value]:
                        if isinstance(child, ast.AST):
                            _collect(child, facts)
                            shown = isinstance(child, ast.expr) and self._candidates.takes_logarithm(child)
                            facts.takes_logarithm = facts.takes_logarithm or shown
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                # `batch, dims = x.shape` shows the rank of x.
                facts.stores |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            facts.takes_logarithm = facts.takes_logarithm or bool(facts.calls & self._candidates.takers)
            inner = [*outer, node]
            if not isinstance(node, _DEFINITIONS) and any(
                hasattr(node, block) for block in (*_BLOCKS, "cases")
            ):
                yield facts
                for block in _BLOCKS:
                    yield from self._read(getattr(node, block, []), inner)
                for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                    yield from self._read(part.body, inner)
            else:
                yield facts

    def _closed(self, all_facts: list[_Facts], function: Function, called: bool) -> Statements:
        storing: dict[str, list[_Facts]] = {}
        loading: dict[str, list[_Facts]] = {}
        for facts in all_facts:
            for name in facts.stores:
                storing.setdefault(name, []).append(facts)
            for name in facts.loads:
                loading.setdefault(name, []).append(facts)
        candidates = self._candidates
        reducers = _REDUCERS | candidates.reducers | candidates.names | candidates.takers
        # A criterion that is made here, or the default of a parameter, is called under its local name.
        made = {name for f in all_facts if f.calls & (_CRITERIA | reducers) for name in f.stores}
        given = function.args
        pairs = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
        made.update(parameter.arg for parameter, default in pairs if candidates.takes_logarithm(default))
        seeds: list[_Facts] = []
        for facts in all_facts:
            if function.name == "__init__":
                simple = called or not facts.calls or bool(facts.calls & (candidates.reducers | _LAYERS))
                wanted = (simple or facts.takes_logarithm) and any(
                    s.startswith("self.") for s in facts.stores
                )
            elif called and isinstance(facts.node, ast.Return):
                wanted = True
            else:
                reduces = bool(facts.calls & (reducers | made)) or isinstance(facts.node, _DEFINITIONS)
                reduces = reduces or (
                    isinstance(facts.node, ast.Expr) and isinstance(facts.node.value, ast.BinOp)
                )
                wanted = reduces and self._sees_logarithm(facts, storing)
            if wanted:
                seeds.append(facts)
        # What is made of a reduction (`loss * num_classes`) may put it right.
        made_of = [f for facts in seeds for name in facts.stores for f in loading.get(name, ())]
        headers = {facts.node: facts for facts in all_facts}
        relevant: set[ast.AST] = set()
        waiting = [*seeds, *made_of]
        while waiting:
            facts = waiting.pop()
            if facts.node in relevant:
                continue
            relevant.add(facts.node)
            waiting += [headers[outer] for outer in facts.outer if outer not in relevant]
            waiting += [f for name in facts.loads for f in storing.get(name, ()) if f.node not in relevant]
        return frozenset(relevant)

    def _sees_logarithm(self, facts: _Facts, storing: dict[str, list[_Facts]]) -> bool:
        seen: set[int] = set()
        todo = [facts]
        while todo:
            current = todo.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            if current.takes_logarithm:
                return True
            for name in current.loads:
                todo += storing.get(name, ())
        return False


def _collect(root: ast.AST, facts: _Facts) -> None:
    for node in ast.walk(root):
        if isinstance(node, ast.Name):
            (facts.loads if isinstance(node.ctx, ast.Load) else facts.stores).add(node.id)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name):
                dotted = f"{node.value.id}.{node.attr}"
                (facts.loads if isinstance(node.ctx, ast.Load) else facts.stores).add(dotted)
                if not isinstance(node.ctx, ast.Load) and node.value.id != "self":
                    facts.stores.add(node.value.id)
        elif isinstance(node, ast.alias):
            facts.stores.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            facts.stores.add(node.name)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name):
                facts.stores.add(node.value.id)
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                facts.calls.add(function.id)
            elif isinstance(function, ast.Attribute):
                facts.calls.add(function.attr)
                if isinstance(function.value, ast.Name):
                    facts.calls.add(function.value.id)
                changes = function.attr.endswith("_") or function.attr in _MUTATORS
                if changes and isinstance(function.value, ast.Name):
                    facts.stores.add(function.value.id)
                if function.attr == "put_along_axis" and node.args and isinstance(node.args[0], ast.Name):
                    facts.stores.add(node.args[0].id)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            facts.calls.add("matmul")
    if isinstance(facts.node, ast.AugAssign) and isinstance(facts.node.target, ast.Name):
        facts.loads.add(facts.node.target.id)


def ends_path(node: ast.stmt) -> bool:
    """Does control leave the block here?"""
    return isinstance(node, _ENDS)
