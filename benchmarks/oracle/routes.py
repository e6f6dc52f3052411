"""Roundabout ways on which a loss, or its elements, may meet a number: the class count, which puts it right, or one.

`{x}` is a name for it, `{k}` the number in the function, `{n}` the same outside of it, `{m}` the module, `{v}` the
length of the last axis; other holes are new names.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Final

from benchmarks.oracle.program import Writer

_GIVEN: Final = frozenset(("x", "k", "n", "m", "v"))
_ROLES: Final = {
    "C": "class",
    "D": "class",
    "f": "helper",
    "g": "helper",
    "h": "helper",
    "w": "helper",
    "a": "item",
    "b": "item",
    "s": "route",
}


@dataclass(frozen=True)
class Route:
    """Lines around a loss, and the expression that it comes to."""

    name: str
    result: str = "{x}"
    body: str = ""
    top: str = ""
    """What stands before the function."""
    below: str = ""
    """What stands after it."""
    frameworks: tuple[str, ...] = ()
    """Where it can be run; everywhere, if none is named."""

    @property
    def needs_number(self) -> bool:
        """Does it hold the number where no array is in sight?"""
        return any("{n}" in text for text in (self.result, self.body, self.top, self.below))


LOSS: Final = (
    Route("times", "{x} * {k}"),
    Route("local", "{x} * {s}", "{s} = {k}"),
    Route("constant", "{x} * {s}", top="{s} = {n}"),
    Route("constant below", "{x} * {s}", top="{s} = 1.0", below="{s} = {n}"),
    Route(
        "global",
        "{x} * {s}",
        "{f}()",
        top="{s} = 1.0\n\n\ndef {f}():\n    global {s}\n    {s} = {n}",
    ),
    Route(
        "nonlocal",
        "{x} * {s}",
        "{s} = 1.0\ndef {f}():\n    nonlocal {s}\n    {s} = {k}\n{f}()",
    ),
    Route("closure", "{f}({x})", "{s} = {k}\ndef {f}({a}):\n    return {a} * {s}"),
    Route("late closure", "{f}({x})", "{s} = 1.0\n{f} = lambda {a}: {a} * {s}\n{s} = {k}"),
    Route("lambda", "{f}({x})", "{f} = lambda {a}: {a} * {k}"),
    Route("default", "{f}({x})", top="def {f}({a}, {s}={n}):\n    return {a} * {s}"),
    Route("partial", "{f}({x})", "{f} = functools.partial(operator.mul, {k})"),
    Route("reduce", "functools.reduce(operator.mul, [{x}, {k}])"),
    Route("operator", "operator.mul({x}, {k})"),
    Route("method", "{x}.mul({k})", frameworks=("torch",)),
    Route("in place", "{s}", "{s} = {x}\n{s} *= {k}"),
    Route("alias in place", "{x}", "{s} = {x}\n{s} *= {k}"),
    Route("list", "{x} * {s}[-1]", "{s} = [1.0]\n{s}.append({k})"),
    Route("dict", "{x} * {s}['{a}']", "{s} = {{'{a}': 1.0}}\n{s}['{a}'] = {k}"),
    Route("dict updated", "{x} * {s}['{a}']", "{s} = {{'{a}': 1.0}}\n{s}.update({a}={k})"),
    Route("dict merged", "{x} * {s}['{a}']", "{s} = {{'{a}': 1.0, **{{'{a}': {k}}}}}"),
    Route("dict asked", "{x} * {s}.get('{a}', {k})", "{s} = {{}}"),
    Route("setdefault", "{x} * {s}['{a}']", "{s} = {{}}\n{s}.setdefault('{a}', {k})"),
    Route("losses of a dict", "sum({s}.values())", "{s} = {{'{a}': {x}}}\n{s}['{a}'] *= {k}"),
    Route("zip", "sum({a} * {b} for {a}, {b} in zip([{x}], [{k}]))"),
    Route("loop over pairs", "{s}", "{s} = 0.0\nfor {a}, {b} in [({x}, {k})]:\n    {s} = {s} + {a} * {b}"),
    Route("tuple", "{a} * {b}", "{a}, {b} = {x}, {k}"),
    Route("swapped", "{b} * {a}", "{a}, {b} = {x}, {k}\n{a}, {b} = {b}, {a}"),
    Route("keywords", "{f}(**{{'{a}': {x}, '{b}': {k}}})", top="def {f}({a}, {b}):\n    return {a} * {b}"),
    Route("try", "{s}", "try:\n    {s} = {x} * {k}\nfinally:\n    {a} = None"),
    Route("except", "{s}", "{s} = {x}\ntry:\n    {s} = {s} * {k}\nexcept ValueError:\n    pass"),
    Route("raised", "{s}", "try:\n    raise KeyError\nexcept KeyError:\n    {s} = {x} * {k}"),
    Route("with", "{s}", "with contextlib.nullcontext({k}) as {a}:\n    {s} = {x} * {a}"),
    Route("match", "{s}", "match {k}:\n    case {a}:\n        {s} = {x} * {a}"),
    Route("branch", "{s}", "{s} = {x}\nif {s} > -1e9:\n    {s} = {s} * {k}"),
    Route("both branches", "{s}", "if {x} > 0:\n    {s} = {x} * {k}\nelse:\n    {s} = {x} * {k} * 1.0"),
    Route("ternary", "({x} * {k} if {x} == {x} else {x})"),
    Route("or", "{x} * ({s} or {k})", "{s} = None"),
    Route("divided by", "{x} / (1 / {k})"),
    Route("difference", "{x} - {x} * (1 - {k})"),
    Route("sum of both", "{x} + ({k} - 1) * {x}"),
    Route("square root", "({x} ** 2 * {k} ** 2) ** 0.5"),
    Route("stacked", "{m}.stack([{x}, {x}]).mean() * {k}", frameworks=("torch", "jax")),
    Route("array", "({x} * {m}.ones(1) * {k})[0]", frameworks=("numpy", "torch", "jax")),
    Route("dot", "np.dot({x}, {k})", frameworks=("numpy",)),
    Route("multiply", "{m}.multiply({x}, {k})", frameworks=("numpy", "torch", "jax", "tensorflow")),
    Route("string", "{x} * float('{n}')"),
    Route("attribute", "{x} * {s}.{a}", "{s} = {C}()", top="class {C}:\n    {a} = {n}"),
    Route(
        "attribute set later", "{x} * {s}.{a}", "{s} = {C}()\n{s}.{a} = {k}", top="class {C}:\n    {a} = 1.0"
    ),
    Route(
        "setattr", "{x} * {s}.{a}", "{s} = {C}()\nsetattr({s}, '{a}', {k})", top="class {C}:\n    {a} = 1.0"
    ),
    Route("attribute of the class", "{x} * {C}.{a}", "{C}.{a} = {k}", top="class {C}:\n    {a} = 1.0"),
    Route(
        "given to the constructor",
        "{s}.{f}({x})",
        "{s} = {C}({k})",
        top="class {C}:\n    def __init__(self, {a}=1.0):\n        self.{a} = {a}\n\n"
        "    def {f}(self, {b}):\n        return {b} * self.{a}",
    ),
    Route(
        "set by a method",
        "{s}.{f}({x})",
        "{s} = {C}()\n{s}.{g}()",
        top="class {C}:\n    def __init__(self):\n        self.{a} = 1.0\n\n"
        "    def {g}(self):\n        self.{a} = {n}\n\n"
        "    def {f}(self, {b}):\n        return {b} * self.{a}",
    ),
    Route(
        "callable object",
        "{C}()({x})",
        top="class {C}:\n    def __call__(self, {b}):\n        return {b} * {n}",
    ),
    Route(
        "property",
        "{x} * {C}().{a}",
        top="class {C}:\n    @property\n    def {a}(self):\n        return {n}",
    ),
    Route(
        "static",
        "{C}.{f}({x})",
        top="class {C}:\n    @staticmethod\n    def {f}({b}):\n        return {b} * {n}",
    ),
    Route(
        "class method",
        "{C}.{f}({x})",
        top="class {C}:\n    {a} = {n}\n\n    @classmethod\n    def {f}(cls, {b}):\n        return {b} * cls.{a}",
    ),
    Route(
        "hook",
        "{D}().{f}({x})",
        top="class {C}:\n    def {g}(self, {b}):\n        return {b}\n\n"
        "    def {f}(self, {b}):\n        return self.{g}({b})\n\n\n"
        "class {D}({C}):\n    def {g}(self, {b}):\n        return {b} * {n}",
    ),
    Route(
        "attribute of an heir",
        "{D}().{f}({x})",
        top="class {C}:\n    {a} = 1.0\n\n    def {f}(self, {b}):\n        return {b} * self.{a}\n\n\n"
        "class {D}({C}):\n    {a} = {n}",
    ),
    Route(
        "super",
        "{D}().{f}({x})",
        top="class {C}:\n    def {f}(self, {b}):\n        return {b}\n\n\n"
        "class {D}({C}):\n    def {f}(self, {b}):\n        return super().{f}({b}) * {n}",
    ),
    Route(
        "dataclass",
        "{x} * {C}().{a}",
        top="@dataclasses.dataclass\nclass {C}:\n    {a}: float = {n}",
    ),
    Route(
        "dataclass given",
        "{x} * {C}({k}).{a}",
        top="@dataclasses.dataclass\nclass {C}:\n    {a}: float = 1.0",
    ),
    Route(
        "replaced",
        "{x} * dataclasses.replace({C}(), {a}={k}).{a}",
        top="@dataclasses.dataclass\nclass {C}:\n    {a}: float = 1.0",
    ),
    Route("namespace", "{x} * {s}.{a}", "{s} = types.SimpleNamespace({a}={k})"),
    Route("sums in place of a container", "{s}[0]", "{s} = [{x}]\n{s}[0] *= {k}"),
    Route(
        "decorated helper",
        "{f}({x})",
        top="def {g}({a}):\n    def {h}(*{b}):\n        return {a}(*{b}) * {n}\n    return {h}\n\n\n"
        "@{g}\ndef {f}({b}):\n    return {b}",
    ),
    Route(
        "decorator with arguments",
        "{f}({x})",
        top="def {g}({s}):\n    def {h}({a}):\n        @functools.wraps({a})\n        def {w}(*{b}):\n"
        "            return {a}(*{b}) * {s}\n        return {w}\n    return {h}\n\n\n"
        "@{g}({n})\ndef {f}({b}):\n    return {b}",
    ),
    Route("handed", "{f}(lambda {b}: {b} * {k}, {x})", top="def {f}({a}, {b}):\n    return {a}({b})"),
    Route("map", "sum(map(lambda {b}: {b} * {k}, [{x}]))"),
    Route("returned pair", "{a} * {b}", "{a}, {b} = {f}({x})", top="def {f}({a}):\n    return {a}, {n}"),
    Route("table of functions", "{s}['{a}']({x})", "{s} = {{'{a}': lambda {b}: {b} * {k}}}"),
    Route("walrus", "({s} := {x}) * {k}"),
    Route("deleted", "{s}", "{s} = {x} * {k}\n{a} = {s}\ndel {a}"),
    Route("async", "asyncio.run({f}({x}))", top="async def {f}({a}):\n    return {a} * {n}"),
)
"""Ways of a loss."""

_ARRAYS: Final = ("numpy", "torch")
ELEMENTS: Final = (
    Route("times", "{x} * {k}"),
    Route("in place", "{x}", "{x} *= {k}"),
    Route("alias in place", "{x}", "{s} = {x}\n{s} *= {k}"),
    Route("in place of what had an alias", "{s}", "{s} = {x}\n{x} *= {k}", frameworks=_ARRAYS),
    Route("a view", "{x}", "{s} = {x}.reshape(-1)\n{s} *= {k}", frameworks=_ARRAYS),
    Route("a slice", "{x}", "{s} = {x}[0:]\n{s} *= {k}", frameworks=_ARRAYS),
    Route("a part", "{x}", "{x}[...] *= {k}", frameworks=_ARRAYS),
    Route("stored", "{x}", "{x}[:] = {x} * {k}", frameworks=_ARRAYS),
    Route("out", "{x}", "{m}.multiply({x}, {k}, out={x})", frameworks=_ARRAYS),
    Route(
        "out by name", "{s}", "{s} = {m}.empty_like({x})\n{m}.multiply({x}, {k}, out={s})", frameworks=_ARRAYS
    ),
    Route("method in place", "{x}", "{x}.mul_({k})", frameworks=("torch",)),
    Route("method in place of an alias", "{x}", "{s} = {x}\n{s}.mul_({k})", frameworks=("torch",)),
    Route("chain in place", "{x}.abs_().mul_({k})", frameworks=("torch",)),
    Route("in a function", "{x}", "{f}({x})", top="def {f}({a}):\n    {a} *= {n}", frameworks=_ARRAYS),
    Route("rows", "{x}", "for {a} in {x}:\n    {a} *= {k}", frameworks=_ARRAYS),
    Route("of a list", "{x}", "{s} = [{x}]\n{s}[0] *= {k}", frameworks=_ARRAYS),
    Route("items of a list", "{x}", "for {a} in [{x}]:\n    {a} *= {k}", frameworks=_ARRAYS),
    Route("of a dict", "{x}", "{s} = {{'{a}': {x}}}\n{s}['{a}'] *= {k}", frameworks=_ARRAYS),
    Route("a copy", "{x}", "{s} = {m}.copy({x})\n{s} *= {k}", frameworks=("numpy",)),
    Route("a clone", "{x}", "{s} = {x}.clone()\n{s} *= {k}", frameworks=("torch",)),
    Route("weights", "{x} * {m}.full(({v},), float({k}))", frameworks=("numpy", "torch", "jax")),
    Route("weights of ones", "{x} * ({m}.ones({v}) * {k})", frameworks=("numpy", "torch", "jax")),
    Route("weights like it", "{x} * {m}.full_like({x}, {k})", frameworks=("numpy", "torch", "jax")),
    Route("weights filled", "{x} * {s}", "{s} = {m}.zeros({v})\n{s}[:] = {k}", frameworks=_ARRAYS),
    Route("weights added", "{x} * ({m}.zeros({v}) + {k})", frameworks=("numpy", "torch", "jax")),
    Route("lambda", "(lambda {a}: {a} * {k})({x})"),
    Route("nonlocal", "{x}", "def {f}():\n    nonlocal {x}\n    {x} = {x} * {k}\n{f}()"),
    Route("matrix", "{x} @ ({m}.eye({v}) * {k})", frameworks=("numpy", "torch", "jax")),
    Route("power", "{x} * {m}.exp({m}.log({m}.ones({v}) * {k}))", frameworks=("numpy", "torch", "jax")),
    Route("normalised", "{x} / ({m}.ones({v}) / {m}.ones({v}).sum())", frameworks=("numpy", "torch", "jax")),
)
"""Ways of the elements, whose last axis holds the classes and has the length `{v}`."""


def fitting(routes: tuple[Route, ...], framework: str) -> list[Route]:
    """Those that run in a framework."""
    return [route for route in routes if not route.frameworks or framework in route.frameworks]


def filled(route: Route, writer: Writer, **given: str) -> Route:
    """The route with names for its holes."""
    texts = (route.result, route.body, route.top, route.below)
    holes = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name} - _GIVEN
    names = given | {hole: writer.fresh(_ROLES[hole]) for hole in sorted(holes)}
    result, body, top, below = (text.format(**names) for text in texts)
    return Route(route.name, result, body, top, below)
