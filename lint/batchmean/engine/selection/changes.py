"""What a function changes of what is not its own: its arguments in place, its object's attributes, outer names.

An array has as many names as it was given: what is changed under one of them is changed under all. All of this is
read off the syntax alone, and more is taken for changed than is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple, TypeAlias

from batchmean.engine.syntax import root_of, written_to
from batchmean.nodes import FUNCTIONS, children, nodes

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

MUTATORS: Final = frozenset(
    "append extend insert update add setdefault put_along_axis fill_diagonal_ fill sort put partition pop popitem"
    " clear remove".split()
)
"""Methods that change their object, those of lists and of NumPy's arrays among them."""
REGISTERING: Final = frozenset("register_buffer register_parameter __setattr__".split())
"""Methods of an object that set the attribute that they are told of."""
_WRITERS: Final = frozenset(
    "copyto put place putmask fill_diagonal put_along_axis shuffle setattr at".split()
)
"""Functions that change their first argument."""
_NUMPY: Final = frozenset("np numpy".split())
"""What NumPy is imported as: its functions take the array that they write to last, if at all."""
_KEEPING: Final = frozenset("requires_grad_ retain_grad_ detach_ share_memory_ _ __".split())
"""Methods that look like others that change the values of an array."""
_CONTAINERS: Final = frozenset(
    (ast.Tuple, ast.List, ast.Set, ast.IfExp, ast.Starred, ast.NamedExpr, ast.Dict, ast.BoolOp)
)
_ITERATING: Final = frozenset((ast.For, ast.AsyncFor, ast.comprehension))
_OF_SHAPES: Final = frozenset("shape size ndim dim".split())

_MAKING: Final = frozenset("dict list tuple".split())
"""What makes a container of its arguments."""

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_STORES: Final = re.compile(
    r"([A-Za-z_]\w*)(?:\[.*?\]\s*(?:[-+*/@|]=|=(?!=))|\s*[-+*/]=|\.(?:update|clear|pop|setdefault|append|extend|\w+_)\()"
)
"""An item is stored, or a method called that changes its object."""


class Changes(NamedTuple):
    """What a call of a function changes."""

    parameters: frozenset[str] = frozenset()
    """Those of its parameters that are changed in place."""
    attributes: frozenset[str] = frozenset()
    """Of its object."""
    outer: frozenset[str] = frozenset()
    """Names of the scopes around it, whose values are changed in place or anew."""
    rebound: frozenset[str] = frozenset()
    """Those of them that are given new values, by `global` and `nonlocal`."""

    def __bool__(self) -> bool:
        return any(self)

    def with_(self, other: Changes) -> Changes:
        """Both."""
        return Changes(*(mine | theirs for mine, theirs in zip(self, other, strict=True)))


NO_CHANGES: Final = Changes()


def changes_in_place(name: str) -> bool:
    """Does a method of this name change its array? PyTorch's end in an underscore."""
    return name.endswith("_") and not name.endswith("__") and name not in _KEEPING


def changes_first(node: ast.Call) -> bool:
    """Does a function change its first argument, by its name?"""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return bool(node.args) and (name in _WRITERS or changes_in_place(name))


def changed_by(node: Any) -> Iterator[ast.expr]:
    """What one node of the syntax tree changes without giving a name a new value: arrays, containers, objects."""
    kind = type(node)
    if kind is ast.AugAssign:
        yield node.target
    elif kind is ast.Subscript or kind is ast.Attribute:
        if type(node.ctx) is not ast.Load:
            yield node
    elif kind is ast.Expr and type(node.value) is ast.Call:
        function = node.value.func
        of = function.value if type(function) is ast.Attribute else None
        if len(node.value.args) > 1 and type(of) is ast.Name and of.id in _NUMPY:
            yield node.value.args[-1]  # np.multiply(x, y, x)
    elif kind is ast.Call:
        function = node.func
        if type(function) is ast.Attribute and (function.attr in MUTATORS or changes_in_place(function.attr)):
            yield function.value
        if changes_first(node):
            yield node.args[0]
        if (out := written_to(node)) is not None:
            yield out


def same_memory(node: Any) -> Iterator[tuple[str, str]]:
    """The pairs of names that may stand for one array, or a part of one, by what one node of the syntax tree binds."""
    kind = type(node)
    if kind is ast.Assign:
        targets, value = node.targets, node.value
    elif kind is ast.AnnAssign or kind is ast.NamedExpr:
        targets, value = (node.target,), node.value
    elif kind in _ITERATING:
        targets, value = (node.target,), node.iter
    else:
        return
    if value is None or _asks_shapes(value):
        return
    there = {name for part in _parts(value) if (name := root_of(part))}
    for target in targets if there else ():
        here = {name for part in _parts(target) if (name := root_of(part))}
        yield from ((one, other) for one in here for other in there if one != other)


def _asks_shapes(node: Any) -> bool:
    """`x.shape`, `x.size()`, `x.shape[0]`: numbers, which share no memory with the array."""
    while (kind := type(node)) is ast.Subscript or kind is ast.Call:
        node = node.value if kind is ast.Subscript else node.func
    return kind is ast.Attribute and node.attr in _OF_SHAPES


def _parts(node: Any) -> Iterator[ast.expr]:
    """The expressions whose arrays an expression hands on: itself, or what a container or an iteration holds."""
    kind = type(node)
    if kind in _CONTAINERS:
        for child in children(node):
            yield from _parts(child)
    elif kind is ast.Call and type(node.func) is ast.Name:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _parts(argument)  # zip(a, b), reversed(x), list(x), dict(key=x)
    else:
        yield node


class _Group(NamedTuple):
    sign: str
    """What stands for it; that of an attribute is one itself."""
    names: Set[str]


class SharedMemory:
    """Which names may stand for the same memory: those of pairs, and of pairs that hang together."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._beside: dict[str, list[str]] = {}
        for one, other in pairs:
            self._beside.setdefault(one, []).append(other)
            self._beside.setdefault(other, []).append(one)
        self._groups: dict[str, _Group] = {}

    def of(self, names: Iterable[str]) -> set[str]:
        """The names that may stand for the same memory as one of these, and these."""
        found: set[str] = set()
        for name in names:
            if name not in self._beside:
                found.add(name)
            elif name not in found:
                found |= self._group(name).names
        return found

    def signs_of(self, names: Iterable[str]) -> set[str]:
        """One name for each group that shares the memory of one of these: many names would be as many for each."""
        return {self._group(name).sign for name in names if name in self._beside}

    def _group(self, name: str) -> _Group:
        if name not in self._groups:
            names: set[str] = set()
            waiting = [name]
            while waiting:
                one = waiting.pop()
                if one not in names:
                    names.add(one)
                    waiting += self._beside[one]
            is_of_object = any(one.startswith("self.") for one in names)
            group = _Group(f"{'self.' if is_of_object else ''}&{len(self._groups)}", names)
            self._groups.update(dict.fromkeys(names, group))
        return self._groups[name]


_ANY: Final = "*"
"""The place of an argument that may be any of the parameters: `*items`, `**options`."""


class _Call(NamedTuple):
    """A call in a function: what it may hand to what it calls."""

    name: str
    arguments: tuple[tuple[int | str, str], ...]
    """Positions or keywords, and the names that stand there."""
    is_own: bool
    """Is it a method of the same object?"""


class _Read(NamedTuple):
    changes: Changes
    calls: tuple[_Call, ...]
    own: frozenset[str]
    parameters: frozenset[str]
    shared_memory: SharedMemory
    yields: bool
    """Does it yield, or a function in it?"""


_BINDING: Final = (ast.Assign, ast.AnnAssign, ast.For, ast.AsyncFor, ast.comprehension, ast.NamedExpr)
_OF_INTEREST: Final = frozenset(
    (
        *_BINDING,
        *(ast.Name, ast.Call, ast.Expr, ast.AugAssign, ast.Subscript, ast.Attribute),
        *(ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom),
    )
)
"""The nodes that bind, change or call something."""


def _read(function: Function) -> _Read:
    """What a function changes itself, and what it calls."""
    spec = function.args
    given = {p.arg for p in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    given |= {p.arg for p in (spec.vararg, spec.kwarg) if p is not None}
    shared: set[str] = set()
    stored: set[str] = set()
    changed: set[str] = set()
    attributes: set[str] = set()
    calls: list[_Call] = []
    pairs: list[tuple[str, str]] = []
    yields = False
    for statement in function.body:
        for node in nodes(statement):
            kind = type(node)
            if kind not in _OF_INTEREST:
                continue
            if kind is ast.Name:
                if type(node.ctx) is not ast.Load:  # type: ignore[attr-defined]
                    stored.add(node.id)  # type: ignore[attr-defined]
                continue
            if kind in _BINDING:
                pairs += same_memory(node)
                continue
            if isinstance(node, ast.Global | ast.Nonlocal):
                shared.update(node.names)
            elif isinstance(node, ast.Call) and (call := _call_of(node)) is not None:
                calls.append(call)
            yields = yields or kind is ast.Yield or kind is ast.YieldFrom
            for target in changed_by(node):
                name = root_of(target)
                if name.startswith("self."):
                    attributes.add(name[5:])
                if not (target is node and isinstance(node, ast.Attribute) and _is_self(node.value)):
                    changed.add(name)  # `self.x = y` changes neither the old nor the new array
    own = (given | stored) - shared
    shared_memory = SharedMemory(pairs)
    changed = shared_memory.of(changed)
    attributes |= {name[5:] for name in changed if name.startswith("self.")}
    outer = (shared & stored) | {n for n in changed if n and n not in own and "." not in n}
    changes = Changes(
        frozenset(changed & given - {"self"}),
        frozenset(attributes),
        frozenset(outer),
        frozenset(shared & stored),
    )
    return _Read(changes, tuple(calls), frozenset(own), frozenset(given), shared_memory, yields)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _call_of(node: ast.Call) -> _Call | None:
    function = node.func
    is_own = False
    if isinstance(function, ast.Attribute):
        name = function.attr
        is_own = _is_self(function.value)
    elif isinstance(function, ast.Name):
        name = function.id
    else:
        return None
    given: list[tuple[int | str, str]] = []
    place: int | str = 0
    for argument in node.args:
        items: Sequence[ast.expr] = (argument,)
        if isinstance(argument, ast.Starred):
            if isinstance(argument.value, ast.Tuple | ast.List):
                items = argument.value.elts
            else:
                place = _ANY
        for item in items:
            given += [(place, root_of(part)) for part in _held(item)]
            place = place + 1 if isinstance(place, int) else place
    given += [(k.arg or _ANY, root_of(part)) for k in node.keywords for part in _held(k.value)]
    return _Call(name, tuple(pair for pair in given if pair[1]), is_own)


def _held(node: ast.expr) -> Iterable[ast.expr]:
    """What an argument hands over: itself, or what a container holds that is made there."""
    is_made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKING
    return _parts(node) if is_made or type(node) in _CONTAINERS else (node,)


class ChangesOf:
    """What the functions of a module change, by their names: of several of one name what any of them does."""

    def __init__(self, functions: Mapping[str, Sequence[Function]]) -> None:
        self._functions = functions
        self._known: dict[str, Changes] = {}
        self._of: dict[Function, Changes] = {}
        self._texts: dict[Function, _Read] = {}

    def memory_of(self, function: Function) -> SharedMemory:
        """Which names of a function may stand for the same memory."""
        return self._read(function).shared_memory

    def may_yield(self, function: Function) -> bool:
        """Does a function yield, or one in it?"""
        return self._read(function).yields

    def _read(self, function: Function) -> _Read:
        if function not in self._texts:
            self._texts[function] = _read(function)
        return self._texts[function]

    def by_name(self, name: str) -> Changes:
        """What a call of this name changes."""
        if name not in self._functions:
            return NO_CHANGES
        if name not in self._known:
            self._settle(name)
        return self._known[name]

    def of(self, function: ast.AST) -> Changes:
        """What one function changes, and all that it calls."""
        if not isinstance(function, FUNCTIONS):
            return NO_CHANGES
        if function not in self._of:
            self._of[function] = self._with_calls(function)
        return self._of[function]

    def changed_by_call(self, node: ast.Call) -> set[str]:
        """The names at the place of a call that it changes: arrays that it hands over, attributes, outer names."""
        call = _call_of(node)
        changes = self.by_name(call.name) if call is not None else NO_CHANGES
        if call is None or not changes:
            return set()
        return self._seen_from(call, changes)

    def _settle(self, name: str) -> None:
        """Work out a name and all that it calls, until nothing new comes in."""
        waiting, group = [name], set[str]()
        while waiting:
            one = waiting.pop()
            if one in group or one in self._known or one not in self._functions:
                continue
            group.add(one)
            waiting += [call.name for f in self._functions[one] for call in self._read(f).calls]
        self._known.update(dict.fromkeys(group, NO_CHANGES))
        is_new = True
        while is_new:
            is_new = False
            for one in group:
                found = NO_CHANGES
                for function in self._functions[one]:
                    found = found.with_(self._with_calls(function))
                is_new = is_new or found != self._known[one]
                self._known[one] = found

    def _with_calls(self, function: Function) -> Changes:
        changes, calls, own, given, shared_memory, _ = self._read(function)
        for call in calls:
            theirs = self._known.get(call.name) or self.by_name(call.name)
            if not theirs:
                continue
            seen = shared_memory.of(self._seen_from(call, theirs))
            theirs_here = Changes(
                frozenset(seen & given - {"self"}),
                frozenset(name[5:] for name in seen if name.startswith("self.")),
                frozenset(name for name in seen - own if "." not in name),
                theirs.rebound - own,
            )
            changes = changes.with_(theirs_here)
        return changes

    def _seen_from(self, call: _Call, changes: Changes) -> set[str]:
        seen = set(changes.outer)
        if call.is_own:
            seen.update(f"self.{name}" for name in changes.attributes)
        for function in self._functions.get(call.name, ()) if changes.parameters else ():
            spec = function.args
            names = [p.arg for p in (*spec.posonlyargs, *spec.args)]
            if names[:1] == ["self"]:
                names = names[1:]
            more = spec.vararg.arg if spec.vararg is not None else ""
            for place, name in call.arguments:
                parameter = place if isinstance(place, str) else (*names, *[more] * (place + 1))[place]
                if parameter in changes.parameters or place == _ANY:
                    seen.add(name)
        return seen


_OF_CLASSES: Final = re.compile(r"(?:cls|__class__|type\(self\)|[A-Z]\w*)\.(\w+)\s*[-+*/]?=(?!=)")


def class_attributes_set(lines: Sequence[str]) -> Set[str]:
    """By the text alone: the attributes of classes that a function sets, `cls.scale = 10`."""
    return {match[1] for line in lines if line[:1].isspace() and (match := _OF_CLASSES.match(line.lstrip()))}


_OF_ANYTHING: Final = re.compile(r"((?:\w+\.)+\w+)\s*[-+*/]?=(?!=)")


def attributes_set_inside(lines: Sequence[str]) -> Set[str]:
    """By the text alone: what a function sets that is spelled with dots, `Settings.scale = 10`."""
    return {match[1] for line in lines if line[:1].isspace() and (match := _OF_ANYTHING.match(line.lstrip()))}


def names_changed_inside(lines: Sequence[str]) -> tuple[Set[str], Set[str]]:
    """By the text alone: the names that a function gives new values by `global`, and those that it changes in place."""
    rebound: set[str] = set()
    changed: set[str] = set()
    for line in lines:
        if not line[:1].isspace():
            continue
        code = line.lstrip()
        if code.startswith("global "):
            rebound.update(_WORD.findall(code[6:]))
        elif (match := _STORES.match(code)) is not None:
            changed.add(match[1])
    return rebound, changed
