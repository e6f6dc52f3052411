"""Which statements of a function can matter to a reduction: the rest need not be interpreted.

Training code is mostly not about losses. From the statements that reduce something (and, for a function that is
called, those that return) the names are followed backwards to where they were last stored and forwards to what
scales or reduces what is made of them; a reduction that no logarithm flows into is left out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final, NamedTuple, TypeAlias

from batchmean import effects
from batchmean.effects import Effect
from batchmean.engine.selection.candidates import Candidates
from batchmean.engine.selection.changes import REGISTERING, ChangesOf, changed_by
from batchmean.engine.selection.facts import (
    BLOCKS,
    COMPOUND,
    CRITERIA,
    HEADS,
    LOOPS,
    REDUCERS,
    SCALING,
    Block,
    Facts,
    Stores,
    attributes_of,
    collect,
    collect_bindings,
)
from batchmean.engine.syntax import DIVISIONS, added_to, root_of
from batchmean.nodes import DEFINITIONS, children, nodes

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


_ATTRIBUTES: Final = effects.names(Effect.MAKES_LAYER) | effects.spellings("elementwise_distribution")
"""What is kept in attributes: layers, a prior."""
_NUMBERS: Final = effects.spellings("number", "array", "at_least", "smallest", "length", "sqrt")
"""What makes a number of a number: a class count that is kept so may put a loss right."""


_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)


_UNRUN: Final = (ast.Raise, ast.Assert)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)


_SCALERS: Final = effects.names(Effect.SCALES)
_ADDERS: Final = effects.names(Effect.ADDS) - effects.names(Effect.SUMS)


class Slice(NamedTuple):
    """What of a function is worth interpreting."""

    statements: frozenset[ast.AST]
    unused: frozenset[ast.expr]
    """The calls whose results no statement in it needs: they are there for what happens in them."""
    loads: frozenset[str]
    """The names that its statements load: an argument under another name makes no difference."""
    reports: frozenset[ast.AST]
    """Statements whose results are printed, logged or shown, and used for nothing else."""


class _Flow(NamedTuple):
    """How the names of a function connect its statements."""

    storing: Mapping[str, list[Facts]]
    loading: Mapping[str, list[Facts]]
    made: Set[str]
    """What is called under a local name and may reduce."""
    seeing: Set[Facts]
    """The statements that something made of a logarithm flows into."""


class Relevance:
    """The statements worth interpreting, function by function."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._reducers = REDUCERS | candidates.reducers | candidates.names | candidates.takers
        self._makers = self._reducers | CRITERIA
        self._scalers = self._reducers | _SCALERS | candidates.functions.keys()
        self.changes: Final = ChangesOf(candidates.functions)
        """What a call of one of the functions changes that is not its own."""
        self._facts: dict[Function, list[Facts]] = {}
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

    def _facts_of(self, function: Function) -> list[Facts]:
        if function not in self._facts:
            found = self._facts[function] = []
            self._read(function.body, [], Block(None), found)
            self._note_changes(function, found)
        return self._facts[function]

    def _note_changes(self, function: Function, found: Sequence[Facts]) -> None:
        """Add to what a statement stores what its calls change, and the other names of what it changes in place."""
        memory = self.changes.memory_of(function)
        for facts in found:
            if isinstance(facts.node, ast.Expr):
                facts.stores |= {name for target in changed_by(facts.node) if (name := root_of(target))}
                facts.stores |= self._given_elsewhere(facts.node.value)
            is_run = not isinstance(facts.node, DEFINITIONS)
            for operation in facts.operations if is_run else ():
                if isinstance(operation, ast.Call):
                    theirs = self.changes.changed_by_call(operation)
                    facts.stores |= theirs
                    facts.loads |= theirs
            facts.loads |= memory.signs_of(facts.loads)
            if changed := facts.stores - facts.binds - facts.shown:
                facts.stores |= memory.signs_of(changed)

    def _given_elsewhere(self, call: ast.expr) -> set[str]:
        """What a function of another module is given that is called for nothing that it gives: it may change it."""
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return set()
        if call.func.id in self._candidates.functions or call.func.id == "print":
            return set()
        given = (*call.args, *(keyword.value for keyword in call.keywords))
        return {name for argument in given if (name := root_of(argument))}

    def _read(self, body: list[ast.stmt], outer: list[Facts], block: Block, found: list[Facts]) -> None:
        candidates = self._candidates
        for node in body:
            facts = Facts(node, len(found), len(found), outer, block)
            found.append(facts)
            is_compound = type(node) in COMPOUND
            if isinstance(node, DEFINITIONS):
                facts.takes_logarithm = candidates.takes_logarithm(node)
                collect(node, facts)
                facts.until = sys.maxsize  # it loads names when it is called
                facts.stores = facts.binds = {node.name}
            else:
                for name in HEADS[type(node)]:
                    child = getattr(node, name)
                    for part in child if isinstance(child, list) else (child,):
                        collect(part, facts)
                        if is_compound and isinstance(part, ast.expr) and candidates.takes_logarithm(part):
                            facts.takes_logarithm = True
                if not (is_compound or isinstance(node, _IMPORTS)) and candidates.takes_logarithm(node):
                    facts.takes_logarithm = True
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                    facts.loads.add(node.target.id)
                collect_bindings(node, facts)
            if isinstance(node, _UNRUN):
                facts.operations.clear()  # they are not run
            takers, idle = candidates.takers, candidates.idle
            for operation in facts.operations:
                if isinstance(operation, ast.Call):  # evaluate(cross_entropy, x, y)
                    given = (*operation.args, *(keyword.value for keyword in operation.keywords))
                    named = (a.id for a in given if isinstance(a, ast.Name))
                    facts.calls |= {name for name in named if name in takers and name not in idle}
            if not facts.calls.isdisjoint(takers) or not facts.receivers.isdisjoint(takers):
                facts.takes_logarithm = True
                facts.handed = facts.receivers | {
                    a.id
                    for o in facts.operations
                    if isinstance(o, ast.Call)
                    for a in o.args
                    if isinstance(a, ast.Name)
                }
            if not is_compound or isinstance(node, DEFINITIONS):
                continue
            inner = [*outer, facts]
            for name in BLOCKS:
                statements = getattr(node, name, None)
                if statements:
                    is_with = isinstance(node, ast.With | ast.AsyncWith)
                    self._read(statements, inner, block if is_with else Block(block), found)
            for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                self._read(part.body, inner, Block(block), found)
            if isinstance(node, LOOPS):
                for looped in found[facts.position + 1 :]:
                    looped.until = max(looped.until, len(found) - 1)

    def _flow_of(self, function: Function) -> _Flow:
        if function not in self._flows:
            all_facts = self._facts_of(function)
            storing: dict[str, list[Facts]] = {}
            loading: dict[str, list[Facts]] = {}
            for facts in all_facts:
                owners = {name.partition(".")[0] for name in facts.stores if "." in name}
                for name in (*facts.stores, *map(attributes_of, owners)):
                    storing.setdefault(name, []).append(facts)
                for name in facts.loads:
                    loading.setdefault(name, []).append(facts)
            # A criterion that is made or taken here, or the default of a parameter, is called under its local name.
            takers = self._candidates.takers
            made = {
                name
                for f in all_facts
                if not f.calls.isdisjoint(self._makers)
                or (isinstance(f.node, ast.Assign) and any(n.rpartition(".")[2] in takers for n in f.loads))
                for name in f.stores
            }
            given = function.args
            pairs = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
            takes = self._candidates.takes_logarithm
            made.update(parameter.arg for parameter, default in pairs if takes(default))
            seeing = _made_of([f for f in all_facts if f.takes_logarithm], loading)
            made = self.changes.memory_of(function).of(made)
            self._flows[function] = _Flow(storing, loading, made, seeing)
        return self._flows[function]

    def _closed(self, function: Function, called: bool) -> Slice:
        all_facts = self._facts_of(function)
        storing, loading, made, seeing = self._flow_of(function)
        candidates = self._candidates
        reducers = self._reducers
        memory = self.changes.memory_of(function)
        outer = set(self.changes.of(function).outer) if called else set[str]()
        outer |= memory.signs_of(outer)
        seeds: list[Facts] = []
        for facts in all_facts:
            calls = facts.calls
            if function.name in ("__init__", "__post_init__"):
                simple = (
                    called
                    or not calls
                    or not calls.isdisjoint(candidates.reducers)
                    or not calls.isdisjoint(_ATTRIBUTES)
                    or not calls.isdisjoint(_NUMBERS)
                    or not calls.isdisjoint(REGISTERING)
                )
                wanted = "__init__" in calls or (  # of a base class, which sets attributes, too
                    (simple or facts.takes_logarithm) and any(s.startswith("self.") for s in facts.stores)
                )
            elif called and (isinstance(facts.node, ast.Return) or _is_thrown_away(facts)):
                wanted = True
            elif outer and not facts.stores.isdisjoint(outer) and not isinstance(facts.node, DEFINITIONS):
                wanted = True  # REGISTRY[name] = lambda *args: function(*args) * scale
            else:
                is_definition = isinstance(facts.node, DEFINITIONS)
                wanted = facts in seeing and (
                    is_definition or _reduces(facts, reducers, made) or _adds_an_item(facts)
                )
            if wanted:
                seeds.append(facts)
        # What is made of a reduction (`loss * num_classes`) may put it right.
        flows = _made_of([f for f in seeds if f.stores], loading)
        names = memory.of({name for facts in (*seeds, *flows) for name in facts.stores})
        local = storing.keys()  # a lambda, say
        scaled = [
            f
            for f in flows
            if _scales(f, self._scalers, made, local) or _adds_up(f, names) or _hands_on(f, names, loading)
        ]
        relevant = _needed([*seeds, *scaled], storing)
        loaded = {name for facts in relevant for name in facts.loads}
        unused = {call for f in relevant if (call := _unused_call(f, loaded, called)) is not None}
        reports = frozenset(f.node for f in self._reporting(function) & relevant)
        return Slice(frozenset(f.node for f in relevant), frozenset(unused), frozenset(loaded), reports)

    def _reporting(self, function: Function) -> set[Facts]:
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


def _is_thrown_away(facts: Facts) -> bool:
    """Is the statement a division and no more?"""
    return isinstance(facts.node, ast.Expr) and not facts.calls.isdisjoint(DIVISIONS)


def _reduces(facts: Facts, *reducers: Set[str]) -> bool:
    """Does the statement call what reduces, or divide and throw the result away?"""
    if isinstance(facts.node, ast.Expr) and isinstance(facts.node.value, ast.BinOp):
        return True
    if "getattr" in facts.calls:
        if any(not facts.loads.isdisjoint(names) for names in reducers):
            return True
        if any(isinstance(o, ast.Call) and isinstance(o.func, ast.Call) for o in facts.operations):
            return True  # `getattr(loss, how)()`: what it calls a parameter may say by default
    return any(facts.calls_any(names) for names in reducers)


def _adds_an_item(facts: Facts) -> bool:
    """Does it add to a total what holds a logarithm, or a product, in each round of a loop?"""
    if added_to(facts.node) is None or not any(isinstance(outer.node, LOOPS) for outer in facts.outer):
        return False
    return facts.takes_logarithm or any(
        isinstance(o, ast.BinOp) and isinstance(o.op, ast.Mult) for o in facts.operations
    )


def _scales(facts: Facts, *scalers: Set[str]) -> bool:
    """Does the statement multiply or divide something, or call what may do it?"""
    if isinstance(facts.node, (ast.AugAssign, *DEFINITIONS)):
        return True
    if any(isinstance(o, ast.BinOp) and isinstance(o.op, SCALING) for o in facts.operations):
        return True
    if any(isinstance(o, ast.Call) and isinstance(o.func, ast.Call) for o in facts.operations):
        return True  # `Scaled()(loss)`
    return any(facts.calls_any(names) for names in scalers)


def _adds_up(facts: Facts, losses: Set[str]) -> bool:
    """Does the statement add two of these, or one to itself, or subtract them?"""
    if len(facts.loads & losses) < 2 and not any(_adds_to_itself(o, losses) for o in facts.operations):
        return False
    adds = any(isinstance(o, ast.BinOp) and isinstance(o.op, ast.Add | ast.Sub) for o in facts.operations)
    return adds or not facts.calls.isdisjoint(_ADDERS)


def _hands_on(facts: Facts, losses: Set[str], loading: Mapping[str, Sequence[Facts]]) -> bool:
    """Does the statement take what a call makes of one of these and of something else, maybe their product?"""
    if isinstance(facts.node, ast.Assign) and not any(n in loading or "." in n for n in facts.stores):
        return False
    thrown_away = facts.node.value if isinstance(facts.node, ast.Expr) else None
    calls = [o for o in facts.operations if isinstance(o, ast.Call) and o is not thrown_away]
    if facts.loads.isdisjoint(losses) or not any(len(_given_to(call)) > 1 for call in calls):
        return False
    holding = _holding(facts.operations, losses)
    return any(len(given := _given_to(call)) > 1 and not holding.isdisjoint(given) for call in calls)


def _given_to(call: ast.Call) -> Sequence[ast.expr]:
    """What a call is given: its arguments, and what is called, unless that is a name alone."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not isinstance(call.func, ast.Name):
        given.append(call.func)
    only = given[0] if len(given) == 1 else None
    if isinstance(only, ast.Dict):
        return only.values  # `f(**{"loss": loss, "by": classes})`
    return only.elts if isinstance(only, ast.Tuple | ast.List) else given


def _holding(operations: Sequence[ast.expr], names: Set[str]) -> set[ast.AST]:
    """The expressions in these, the outer ones first, in which one of the names is; each is looked at once."""
    seen: set[ast.AST] = set()
    holding: set[ast.AST] = set()
    for operation in operations:
        if operation in seen:
            continue
        inside = list(nodes(operation))
        seen.update(inside)
        for node in reversed(inside):
            if (isinstance(node, ast.Name) and node.id in names) or any(c in holding for c in children(node)):
                holding.add(node)
    return holding


def _adds_to_itself(node: ast.expr, losses: Set[str]) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return False
    sides = ({n.id for n in nodes(side) if isinstance(n, ast.Name)} for side in (node.left, node.right))
    return all(not side.isdisjoint(losses) for side in sides)


def _unused_call(facts: Facts, loaded: Set[str], called: bool) -> ast.expr | None:
    """The call that is all of a statement, if nothing that matters loads what it gives."""
    node = facts.node
    if isinstance(node, ast.Return):
        return node.value if not called and isinstance(node.value, ast.Call) else None
    if not isinstance(node, ast.Assign | ast.Expr) or not isinstance(node.value, ast.Call):
        return None
    is_used = any(name in loaded or "." in name for name in facts.stores)
    return None if is_used else node.value


def _made_of(start: list[Facts], loading: Mapping[str, Sequence[Facts]]) -> set[Facts]:
    """The statements that something made in `start` flows into; every name is followed once."""
    names: set[str] = set()

    def users(facts: Facts) -> Iterator[Facts]:
        new = facts.stores - names
        names.update(new)
        for name in new:
            yield from loading.get(name, ())

    return _reached(start, users)


def _needed(start: list[Facts], storing: Mapping[str, Sequence[Facts]]) -> set[Facts]:
    """The statements that `start` is computed from, and those around them; every store of a name is followed once."""
    left: dict[str, Stores] = {}

    def sources(facts: Facts) -> Iterator[Facts]:
        yield from facts.outer
        for name in (*facts.loads, *map(attributes_of, facts.handed)):
            if name in storing:
                if name not in left:
                    left[name] = Stores(name, storing[name])
                yield from left[name].taken_for(facts)

    return _reached(start, sources)


def _reached(start: Sequence[Facts], following: Callable[[Facts], Iterable[Facts]]) -> set[Facts]:
    """The statements of `start`, those that follow from them, and so on."""
    reached: set[Facts] = set()
    waiting = list(start)
    while waiting:
        facts = waiting.pop()
        if facts not in reached:
            reached.add(facts)
            waiting += following(facts)
    return reached


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
