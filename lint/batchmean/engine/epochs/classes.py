"""Objects of the classes that are in sight: their methods and attributes, those that they inherit among them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.joining import callees, joined
from batchmean.engine.epochs.names import Names
from batchmean.engine.epochs.others import Others
from batchmean.engine.epochs.rounds import NAMES_PER_NODE
from batchmean.engine.epochs.spelling import last_name, path_of
from batchmean.engine.epochs.syntax import attributes, kept_parameters
from batchmean.engine.epochs.values import (
    Class,
    Count,
    Criterion,
    Function,
    Instance,
    Loader,
    Module,
    OneOf,
    Unknown,
    Value,
)
from batchmean.engine.syntax import is_decorated
from batchmean.nodes import FUNCTIONS, nodes
from batchmean.project import full_name

_MOST_ANCESTORS: Final = 8
MOST_HEIRS: Final = 4
"""A class with more heirs is walked as it stands: what they make of it is unknown."""


class Classes(Others):
    """What is found under a name of an object, or of one of several."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: list[Class] = []
        """The classes of the module, in their order."""
        self._attributes: dict[ast.ClassDef, Mapping[str, list[ast.expr]]] = {}
        self._kept: dict[ast.ClassDef, Mapping[str, Unknown]] = {}
        self._stores: dict[ast.AST, frozenset[str]] = {}
        self._made: dict[tuple[ast.ClassDef, str], Value] = {}

    def method_of(self, instance: Instance, name: str) -> Function | None:
        for cls in self.line_of(instance.cls):
            for node in cls.node.body:
                if isinstance(node, FUNCTIONS) and node.name == name:
                    return Function(node, cls.names, None if is_decorated(node, "staticmethod") else instance)
        return None

    def line_of(self, cls: Class) -> Iterator[Class]:
        """A class, and those that it inherits from as far as they are in sight, the nearest first."""
        todo, seen = [cls], set[ast.ClassDef]()
        while todo and len(seen) < _MOST_ANCESTORS:
            one = todo.pop(0)
            if one.node in seen:
                continue
            seen.add(one.node)
            yield one
            todo[:0] = [base for base in map(self._base, one.node.bases, [one] * len(one.node.bases)) if base]

    def _base(self, base: ast.expr, of: Class) -> Class | None:
        if isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            module = of.names.find(base.value.id)
            named: Value | None = (
                Module(full_name(module.name, base.attr), module.importer)
                if isinstance(module, Module)
                else None
            )
        else:
            named = of.names.find(last_name(base))
        found = self.imported(named) if named is not None else None
        return found if isinstance(found, Class) else None

    def any_of(self, cls: Class) -> Instance | OneOf:
        """An object of the class, or of one of those of the module that inherit from it, if there are any."""
        heirs = [one for one in self.classes if one.node is not cls.node and cls.node in self._line(one)]
        if not heirs or len(heirs) > MOST_HEIRS:
            return Instance(cls)
        made = heirs if is_abstract(cls.node) else [cls, *heirs]
        found = tuple(Instance(one) for one in made if not is_abstract(one.node))
        return OneOf(found) if len(found) > 1 else found[0] if found else Instance(cls)

    def _line(self, cls: Class) -> set[ast.ClassDef]:
        return {one.node for one in self.line_of(cls)} if cls.node.bases else set()

    def own_object(self, function: Function) -> str:
        """What the object at work is called, where one of its own methods is called; empty for all else."""
        spec = function.node.args
        first = next((parameter.arg for parameter in (*spec.posonlyargs, *spec.args)), "")
        is_own = isinstance(function.receiver, Instance) and self.names.find(first) is function.receiver
        return first if is_own else ""

    def hand_over(self, source: Names, target: Names, holder: str) -> None:
        """What stands in the attributes of an object for the method that is entered, or for the one that goes on."""
        given = dict(source.below(holder)) if holder else {}
        for name, value in given.items():
            if target.get(name) is not value:
                target[name] = value
        for name, _ in target.below(holder) if holder else ():
            if name not in given:
                target.drop(name)
        self.spend(len(given) // NAMES_PER_NODE)

    def forget_changes(self, function: Function, holder: str) -> None:
        """Of what a method that is not followed stores in the attributes of its object nothing is known any more."""
        if holder and self.names.below(holder):
            for name in self._stored_by(function.node) & dict(self.names.below(holder)).keys():
                self.names[name] = self.unknown()

    def _stored_by(self, node: ast.AST) -> frozenset[str]:
        if node not in self._stores:
            found = (n for n in nodes(node) if isinstance(n, ast.Attribute | ast.Subscript))
            self._stores[node] = frozenset(path_of(n) for n in found if isinstance(n.ctx, ast.Store))
        return self._stores[node]

    def of_instance(self, base: Instance, name: str) -> Value:
        method = self.method_of(base, name)
        if method is not None:
            return method
        node = base.cls.node
        if (node, name) not in self._made:
            self._made[node, name] = Unknown(f"{node.name}.{name}", name)  # for what is made of itself
            self._made[node, name] = self._attribute_of(base, name)
        return self._made[node, name]

    def _attribute_of(self, base: Instance, name: str) -> Value:
        """What the class stores under an attribute, where that is one thing that matters here."""
        line = list(self.line_of(base.cls))
        for cls in line:
            if cls.node not in self._attributes:
                self._attributes[cls.node] = attributes(cls.node)
        cls = next((one for one in line if name in self._attributes[one.node]), line[-1])
        key = f"{cls.node.name}.{name}"
        values = self._stored(base, cls, name)
        kept = [value for value in values if isinstance(value, Loader | Criterion | Instance)]
        if len(values) == 1 and kept:
            value = kept[0]
            return altered(value, key=key, name=name) if isinstance(value, Loader) else value
        if len(values) == 1 and isinstance(values[0], Count) and values[0].of == "length":
            return values[0]
        if values and all(callees(value) for value in values):
            return reduce(lambda a, b: joined(a, b, self.unknown), values)
        hows = {value.how for value in values if isinstance(value, Criterion)}
        if hows and hows != {"mean"}:
            return Criterion("none", name)
        return Unknown(key, name)

    def _stored(self, base: Instance, cls: Class, name: str) -> list[Value]:
        """What a class stores under an attribute of its objects."""
        outer, loops = self.names, self.loops
        self.names, self.loops = self.names_within(cls.names), ()
        self.names["self"] = base
        for parameter, value in self._kept_by(cls).items():
            self.names[parameter] = value
        try:
            return [self.evaluate(expression) for expression in self._attributes[cls.node].get(name, [])]
        finally:
            self.names, self.loops = outer, loops

    def _kept_by(self, cls: Class) -> Mapping[str, Unknown]:
        """The parameters of `__init__` that are an attribute, which nothing else is stored in."""
        if cls.node not in self._kept:
            stored = self._attributes[cls.node]
            self._kept[cls.node] = {
                parameter: Unknown(f"{cls.node.name}.{attribute}", attribute)
                for parameter, attribute in kept_parameters(cls.node).items()
                if len(stored.get(attribute, ())) == 1
            }
        return self._kept[cls.node]


def is_abstract(cls: ast.ClassDef) -> bool:
    """Does it leave a method to those that inherit from it?"""
    return any(
        is_decorated(method, "abstractmethod") or _only_raises(method)
        for method in cls.body
        if isinstance(method, FUNCTIONS)
    )


def _only_raises(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    last = method.body[-1]
    return isinstance(last, ast.Raise) and len(method.body) <= 2
