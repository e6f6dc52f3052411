"""Which statements of a function can matter to a reduction: the rest need not be interpreted.

Training code is mostly not about losses. From the statements that reduce something (and, for a function that is
called, those that return) the names are followed backwards to where they were last stored and forwards to what
scales or reduces what is made of them; a reduction that no logarithm flows into is left out.
"""

from __future__ import annotations

import ast
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from batchmean.engine.candidates import Candidates
from batchmean.engine.discarded import DIVISIONS

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_LIBRARY_REDUCERS: Final = frozenset(
    "mean nanmean average reduce_mean kl_div reduce einsum vdot dot inner tensordot matmul sum nansum reduce_sum"
    " KLDivLoss cross_entropy nll_loss CrossEntropyLoss NLLLoss mse_loss l1_loss smooth_l1_loss huber_loss"
    " binary_cross_entropy binary_cross_entropy_with_logits div divide true_divide".split()
)
_LAYERS: Final = frozenset("Linear LazyLinear Dense dense Sequential Softmax LogSoftmax Sigmoid".split())
_CRITERIA: Final = frozenset(
    "KLDivLoss CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss partial".split()
)
_REDUCERS: Final = _LIBRARY_REDUCERS | (_CRITERIA - {"partial"})
_MUTATORS: Final = frozenset(
    "append extend insert update add setdefault put_along_axis fill_diagonal_".split()
)
_TRANSFORMS: Final = frozenset(
    "vmap pmap map vectorized_map map_fn filter_vmap jit filter_jit grad value_and_grad partial checkpoint".split()
)
"""What calls the function that it is given, or makes one that does."""
_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_BLOCKS: Final = ("body", "orelse", "finalbody")
_INNER: Final = frozenset((*_BLOCKS, "handlers", "cases"))
_NO_NODES: Final = frozenset(("ctx", "op", "ops", "type_comment"))
_KINDS: Final[Sequence[type[ast.AST]]] = [
    kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)
]
_CHILDREN: Final = {kind: tuple(name for name in kind._fields if name not in _NO_NODES) for kind in _KINDS}
"""Where a node may have others, as far as these hold names."""
_HEADS: Final = {
    kind: tuple(name for name in names if name not in _INNER) for kind, names in _CHILDREN.items()
}
"""Those of a statement outside its blocks."""
_COMPOUND: Final = frozenset(kind for kind, names in _CHILDREN.items() if len(names) > len(_HEADS[kind]))
_UNRUN: Final = (ast.Raise, ast.Assert)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_NAMING: Final = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LOOPS: Final = (ast.For, ast.AsyncFor)
_SCALERS: Final = frozenset(
    "mul multiply div divide true_divide matmul exp exp2 pow power float_power square".split()
)
"""What may put a reduction right, or make a perplexity of it."""
_ADDERS: Final = frozenset("add subtract sub".split())
_SCALING: Final = (ast.Mult, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow)
_CALLING: Final = frozenset("forward apply call __call__".split())


class Slice(NamedTuple):
    """What of a function is worth interpreting."""

    statements: frozenset[ast.AST]
    unused: frozenset[ast.expr]
    """The calls whose results no statement in it needs: they are there for what happens in them."""
    loads: frozenset[str]
    """The names that its statements load: an argument under another name makes no difference."""
    reports: frozenset[ast.AST]
    """Statements whose results are printed, logged or shown, and used for nothing else."""


class _Block(NamedTuple):
    """A suite of statements: where one of them runs, those before it did. That of a `with` belongs to the outer one."""

    outer: _Block | None


@dataclass(slots=True, eq=False)
class _Facts:
    """What one statement, without its blocks, stores, loads and calls."""

    node: ast.stmt
    position: int
    """Its place in the order of the function."""
    until: int
    """The position up to which a store may precede it; later than itself in a loop."""
    outer: list[_Facts]
    """The compound statements around it."""
    block: _Block
    stores: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    """Of what it stores the names that mean something new from here on."""
    loads: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    """The functions and the methods that it calls."""
    receivers: set[str] = field(default_factory=set)
    """The names that it calls methods of."""
    handed: set[str] = field(default_factory=set)
    """The names that it hands to what takes a logarithm, which may load any of their attributes."""
    shown: set[str] = field(default_factory=set)
    """The names of whose shape it takes something apart."""
    operations: list[ast.expr] = field(default_factory=list)
    """The calls and the binary operations in it."""
    takes_logarithm: bool = False

    def calls_any(self, names: Set[str]) -> bool:
        """Does it call one of these, or a method that calls its object?"""
        if not self.calls.isdisjoint(names):
            return True
        return not (self.calls.isdisjoint(_CALLING) or self.receivers.isdisjoint(names))


class _Stores:
    """The statements that store a name, in their order, as far as they have not been taken yet."""

    def __init__(self, name: str, stores: Sequence[_Facts]) -> None:
        self._left = list(stores)
        self._positions = [facts.position for facts in stores]
        self._showing = [facts for facts in stores if name in facts.shown]
        self._bound: dict[int, list[int]] = {}
        """The positions at which the name means something new, by the identity of the block."""
        for facts in stores:
            if name in facts.binds:
                self._bound.setdefault(id(facts.block), []).append(facts.position)

    def taken_for(self, facts: _Facts) -> list[_Facts]:
        """Those that may have stored what the name means in a statement."""
        if not self._left:
            return []
        first = bisect_left(self._positions, self._bound_before(facts))
        last = bisect_right(self._positions, facts.until)
        taken = self._left[first:last]
        del self._left[first:last], self._positions[first:last]
        while self._showing and self._showing[-1].position > facts.until:
            taken.append(self._showing.pop())
        return taken

    def _bound_before(self, facts: _Facts) -> int:
        """Where the name was last bound for sure; 0 if it was not."""
        latest = 0
        block: _Block | None = facts.block
        while block is not None and self._bound:
            positions = self._bound.get(id(block), ())
            before = bisect_left(positions, facts.position)
            if before:
                latest = max(latest, positions[before - 1])
            block = block.outer
        return latest


class _Flow(NamedTuple):
    """How the names of a function connect its statements."""

    storing: Mapping[str, list[_Facts]]
    loading: Mapping[str, list[_Facts]]
    made: Set[str]
    """What is called under a local name and may reduce."""
    seeing: Set[_Facts]
    """The statements that something made of a logarithm flows into."""


class Relevance:
    """The statements worth interpreting, function by function."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._reducers = _REDUCERS | candidates.reducers | candidates.names | candidates.takers
        self._makers = self._reducers | _CRITERIA
        self._scalers = self._reducers | _SCALERS | candidates.functions
        self._facts: dict[Function, list[_Facts]] = {}
        self._found: dict[tuple[Function, bool], Slice] = {}
        self._flows: dict[Function, _Flow] = {}

    def of(self, function: Function, called: bool) -> Slice:
        """What is relevant of a function; where it is `called`, what it returns matters too."""
        key = (function, called)
        if key not in self._found:
            self._found[key] = self._closed(function, called)
        return self._found[key]

    def reducing(self, function: Function) -> Iterator[ast.expr]:
        """The calls and the binary operations in the relevant statements that reduce something."""
        relevant, made = self.of(function, called=True).statements, self._flow_of(function).made
        for facts in self._facts_of(function):
            if facts.node in relevant and _reduces(facts, self._reducers, made):
                yield from facts.operations

    def _facts_of(self, function: Function) -> list[_Facts]:
        if function not in self._facts:
            self._facts[function] = []
            self._read(function.body, [], _Block(None), self._facts[function])
        return self._facts[function]

    def _read(self, body: list[ast.stmt], outer: list[_Facts], block: _Block, found: list[_Facts]) -> None:
        candidates = self._candidates
        for node in body:
            facts = _Facts(node, len(found), len(found), outer, block)
            found.append(facts)
            is_compound = type(node) in _COMPOUND
            if isinstance(node, _DEFINITIONS):
                facts.takes_logarithm = candidates.takes_logarithm(node)
                _collect(node, facts)
                facts.until = sys.maxsize  # it loads names when it is called
                facts.stores = facts.binds = {node.name}
            else:
                for name in _HEADS[type(node)]:
                    child = getattr(node, name)
                    for part in child if isinstance(child, list) else (child,):
                        _collect(part, facts)
                        if is_compound and isinstance(part, ast.expr) and candidates.takes_logarithm(part):
                            facts.takes_logarithm = True
                if not (is_compound or isinstance(node, _IMPORTS)) and candidates.takes_logarithm(node):
                    facts.takes_logarithm = True
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                    facts.loads.add(node.target.id)
                _collect_bindings(node, facts)
            if isinstance(node, _UNRUN):
                facts.operations.clear()  # they are not run
            takers = candidates.takers
            if not facts.calls.isdisjoint(takers) or not facts.receivers.isdisjoint(takers):
                facts.takes_logarithm = True
                facts.handed = facts.receivers | {
                    a.id
                    for o in facts.operations
                    if isinstance(o, ast.Call)
                    for a in o.args
                    if isinstance(a, ast.Name)
                }
            if not is_compound or isinstance(node, _DEFINITIONS):
                continue
            inner = [*outer, facts]
            for name in _BLOCKS:
                statements = getattr(node, name, None)
                if statements:
                    is_with = isinstance(node, ast.With | ast.AsyncWith)
                    self._read(statements, inner, block if is_with else _Block(block), found)
            for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                self._read(part.body, inner, _Block(block), found)
            if isinstance(node, _LOOPS):
                for looped in found[facts.position + 1 :]:
                    looped.until = max(looped.until, len(found) - 1)

    def _flow_of(self, function: Function) -> _Flow:
        if function not in self._flows:
            all_facts = self._facts_of(function)
            storing: dict[str, list[_Facts]] = {}
            loading: dict[str, list[_Facts]] = {}
            for facts in all_facts:
                owners = {name.partition(".")[0] for name in facts.stores if "." in name}
                for name in (*facts.stores, *map(_attributes_of, owners)):
                    storing.setdefault(name, []).append(facts)
                for name in facts.loads:
                    loading.setdefault(name, []).append(facts)
            # A criterion that is made or taken here, or the default of a parameter, is called under its local name.
            takers = self._candidates.takers
            made = {
                name
                for f in all_facts
                if not f.calls.isdisjoint(self._makers)
                or (isinstance(f.node, ast.Assign) and not f.loads.isdisjoint(takers))
                for name in f.stores
            }
            given = function.args
            pairs = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
            takes = self._candidates.takes_logarithm
            made.update(parameter.arg for parameter, default in pairs if takes(default))
            seeing = _made_of([f for f in all_facts if f.takes_logarithm], loading)
            self._flows[function] = _Flow(storing, loading, made, seeing)
        return self._flows[function]

    def _closed(self, function: Function, called: bool) -> Slice:
        all_facts = self._facts_of(function)
        storing, loading, made, seeing = self._flow_of(function)
        candidates = self._candidates
        reducers = self._reducers
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
            elif called and (isinstance(facts.node, ast.Return) or _is_thrown_away(facts)):
                wanted = True
            else:
                is_definition = isinstance(facts.node, _DEFINITIONS)
                wanted = facts in seeing and (is_definition or _reduces(facts, reducers, made))
            if wanted:
                seeds.append(facts)
        # What is made of a reduction (`loss * num_classes`) may put it right.
        flows = _made_of([f for f in seeds if f.stores], loading)
        names = {name for facts in (*seeds, *flows) for name in facts.stores}
        scaled = [f for f in flows if _scales(f, self._scalers, made) or _adds_up(f, names)]
        relevant = _needed([*seeds, *scaled], storing)
        loaded = {name for facts in relevant for name in facts.loads}
        unused = {call for f in relevant if (call := _unused_call(f, loaded, called)) is not None}
        reports = frozenset(f.node for f in self._reporting(function) & relevant)
        return Slice(frozenset(f.node for f in relevant), frozenset(unused), frozenset(loaded), reports)

    def _reporting(self, function: Function) -> set[_Facts]:
        """The statements whose results nothing but print, log or show takes."""
        loading = self._flow_of(function).loading
        reporting = {
            f
            for f in self._facts_of(function)
            if isinstance(f.node, ast.Expr) and isinstance(f.node.value, ast.Call) and not acts(f.node.value)
        }
        only_reported: dict[str, bool] = {}
        for facts in reversed(self._facts_of(function)):
            if isinstance(facts.node, ast.Assign) and facts.stores and facts.stores <= facts.binds:
                for name in [name for name in facts.stores if name not in only_reported]:
                    users = loading.get(name, ())
                    only_reported[name] = bool(users) and all(user in reporting for user in users)
                if all(only_reported[name] for name in facts.stores):
                    reporting.add(facts)
        return reporting


def _is_thrown_away(facts: _Facts) -> bool:
    """Is the statement a division and no more?"""
    return isinstance(facts.node, ast.Expr) and not facts.calls.isdisjoint(DIVISIONS)


def _reduces(facts: _Facts, *reducers: Set[str]) -> bool:
    """Does the statement call what reduces, or divide and throw the result away?"""
    if isinstance(facts.node, ast.Expr) and isinstance(facts.node.value, ast.BinOp):
        return True
    if "getattr" in facts.calls and any(not facts.loads.isdisjoint(names) for names in reducers):
        return True
    return any(facts.calls_any(names) for names in reducers)


def _scales(facts: _Facts, *scalers: Set[str]) -> bool:
    """Does the statement multiply or divide something, or call what may do it?"""
    if isinstance(facts.node, (ast.AugAssign, *_DEFINITIONS)):
        return True
    if any(isinstance(o, ast.BinOp) and isinstance(o.op, _SCALING) for o in facts.operations):
        return True
    return any(facts.calls_any(names) for names in scalers)


def _adds_up(facts: _Facts, losses: Set[str]) -> bool:
    """Does the statement add two of these, or subtract them?"""
    if len(facts.loads & losses) < 2:
        return False
    adds = any(isinstance(o, ast.BinOp) and isinstance(o.op, ast.Add | ast.Sub) for o in facts.operations)
    return adds or not facts.calls.isdisjoint(_ADDERS)


def _unused_call(facts: _Facts, loaded: Set[str], called: bool) -> ast.expr | None:
    """The call that is all of a statement, if nothing that matters loads what it gives."""
    node = facts.node
    if isinstance(node, ast.Return):
        return node.value if not called and isinstance(node.value, ast.Call) else None
    if not isinstance(node, ast.Assign | ast.Expr) or not isinstance(node.value, ast.Call):
        return None
    is_used = any(name in loaded or "." in name for name in facts.stores)
    return None if is_used else node.value


def _made_of(start: list[_Facts], loading: Mapping[str, Sequence[_Facts]]) -> set[_Facts]:
    """The statements that something made in `start` flows into; every name is followed once."""
    names: set[str] = set()

    def users(facts: _Facts) -> Iterator[_Facts]:
        new = facts.stores - names
        names.update(new)
        for name in new:
            yield from loading.get(name, ())

    return _reached(start, users)


def _needed(start: list[_Facts], storing: Mapping[str, Sequence[_Facts]]) -> set[_Facts]:
    """The statements that `start` is computed from, and those around them; every store of a name is followed once."""
    left: dict[str, _Stores] = {}

    def sources(facts: _Facts) -> Iterator[_Facts]:
        yield from facts.outer
        for name in (*facts.loads, *map(_attributes_of, facts.handed)):
            if name in storing:
                if name not in left:
                    left[name] = _Stores(name, storing[name])
                yield from left[name].taken_for(facts)

    return _reached(start, sources)


def _attributes_of(name: str) -> str:
    """What stands for all attributes of an object."""
    return f"{name}.*"


def _reached(start: Sequence[_Facts], following: Callable[[_Facts], Iterable[_Facts]]) -> set[_Facts]:
    """The statements of `start`, those that follow from them, and so on."""
    reached: set[_Facts] = set()
    waiting = list(start)
    while waiting:
        facts = waiting.pop()
        if facts not in reached:
            reached.add(facts)
            waiting += following(facts)
    return reached


def _collect_bindings(node: ast.stmt, facts: _Facts) -> None:
    """Add which names are bound anew, and which are shown to have a certain rank."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
        if isinstance(targets[0], ast.Tuple) and _takes_shapes(node.value):
            # `batch, dims = x.shape` shows the rank of x.
            facts.shown |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            facts.stores |= facts.shown
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target] if node.value is not None else []
    elif isinstance(node, _LOOPS):
        targets = [node.target]
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else (target,):
            if isinstance(part, ast.Name):
                facts.binds.add(part.id)
            elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                if part.value.id == "self":
                    facts.binds.add(f"self.{part.attr}")
    facts.binds -= facts.shown


def _takes_shapes(node: ast.expr) -> bool:
    names = [str(getattr(n, "attr", getattr(n, "id", ""))) for n in ast.walk(node)]
    return any("shape" in name or "size" in name for name in names)


def _collect(root: object, facts: _Facts) -> None:
    """Add what an expression or a whole definition stores, loads and calls; what is no node adds nothing."""
    stores, loads, calls, operations = facts.stores, facts.loads, facts.calls, facts.operations
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        kind = type(node)
        # The most frequent kinds first.
        if kind is ast.Name:
            (loads if type(node.ctx) is ast.Load else stores).add(node.id)
        elif kind is ast.Attribute:
            value = node.value
            if type(value) is ast.Name:
                is_load = type(node.ctx) is ast.Load
                (loads if is_load else stores).add(f"{value.id}.{node.attr}")
                if not is_load and value.id != "self":
                    stores.add(value.id)
                loads.add(value.id)
            else:
                todo.append(value)
            if node.attr in _REDUCERS:
                calls.add(node.attr)  # called later, maybe
        elif kind is ast.Call:
            operations.append(node)
            _collect_call(node, facts)
            todo.append(node.func)
            todo += node.args
            for keyword in node.keywords:
                todo.append(keyword.value)
        elif kind is ast.Constant:
            if type(node.value) is str and node.value in _REDUCERS:
                calls.add(node.value)  # getattr(x, "mean")
        elif kind is ast.BinOp:
            operations.append(node)
            if type(node.op) is ast.MatMult:
                calls.add("matmul")
            todo += (node.left, node.right)
        else:
            if kind is ast.Lambda:
                facts.until = sys.maxsize  # it loads names when it is called
            elif kind is ast.alias:
                stores.add(node.asname or node.name.partition(".")[0])
            elif kind in _NAMING:
                if node.name:
                    stores.add(node.name)
            elif kind is ast.Subscript and type(node.ctx) is not ast.Load:
                if type(node.value) is ast.Name:
                    stores.add(node.value.id)
            for name in _CHILDREN.get(kind, ()):
                child = getattr(node, name)
                if type(child) is list:
                    todo += child
                else:
                    todo.append(child)


def _collect_call(node: ast.Call, facts: _Facts) -> None:
    """Add what a call calls, and what it changes."""
    function = node.func
    if isinstance(function, ast.Attribute):
        name = function.attr
        in_place = name.endswith("_")
        if in_place:
            facts.calls.add(name[:-1])
        if isinstance(function.value, ast.Name):
            facts.receivers.add(function.value.id)
            if in_place or name in _MUTATORS:
                facts.stores.add(function.value.id)
    elif isinstance(function, ast.Name):
        name = function.id
    elif isinstance(function, ast.Subscript) and isinstance(function.value, ast.Name):
        name = function.value.id  # LOSSES["hard"](...)
    else:
        return
    facts.calls.add(name)
    if name in _TRANSFORMS and node.args and isinstance(node.args[0], ast.Name):
        facts.calls.add(node.args[0].id)  # vmap(f)(x)
    if name == "put_along_axis" and node.args and isinstance(node.args[0], ast.Name):
        facts.stores.add(node.args[0].id)


_ACTING: Final = frozenset("backward append extend update add step minimize insert put send".split())


def acts(call: ast.Call) -> bool:
    """Does a call that is a statement do something with what it is given, or change its object?"""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return not (isinstance(function, ast.Name) and function.id in ("print", "display"))
    return (
        function.attr in _ACTING
        or "backward" in function.attr
        or (function.attr.endswith("_") and not function.attr.endswith("__"))
    )


def ends_path(node: ast.stmt) -> bool:
    """Does control leave the block here?"""
    return isinstance(node, _ENDS)
