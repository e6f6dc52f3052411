"""Losses as classes: what `__init__` keeps, methods that help, and heirs that inherit or override them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks.oracle.program import Block, Tag, declared

Lines = list[tuple[int, str, Tag]]
_SPACE: Final[Lines] = [(0, "", "other")]
_DECORATORS: Final = {"method": "", "static": "@staticmethod", "class method": "@classmethod"}


@dataclass
class Method:
    """A method beside the one that is called."""

    name: str
    lines: Lines
    kind: str


@dataclass
class LossClass:
    """A class that is being written."""

    name: str
    methods: list[Method] = field(default_factory=list)
    is_named: bool = False
    """Does a method call another by the name of the class? Then no heir has that one."""
    heir: str = ""
    """The class that is made of it, if it has an heir."""

    def helper(self, block: Block, role: str) -> tuple[Block, str]:
        """A new method that helps the one that the block is, and its kind."""
        w = block.writer
        kind = w.choices.pick(f"kind of {role}", list(_DECORATORS), (4, 1, 1))
        made = Block(w, w.fresh(role))
        if kind == "method":
            made.is_method, made.attributes, made.properties = True, block.attributes, block.properties
        return made, kind

    def keep(self, helper: Block, kind: str, first: list[str]) -> None:
        """Take the method up once it is written."""
        receiver = {"method": ["self"], "static": [], "class method": ["cls"]}[kind]
        lines = helper.writer.function(helper, [*receiver, *first])
        decorator: Lines = [(0, _DECORATORS[kind], "other")] if kind != "method" else []
        self.methods.append(Method(helper.name, [*decorator, *lines], kind))

    def call_of(self, helper: Block, kind: str) -> str:
        """How the block calls it."""
        self.is_named |= kind != "method" and helper.writer.choices.chance("called by the class", 0.4)
        return f"{self.name if kind != 'method' and self.is_named else 'self'}.{helper.name}"

    def text(self, block: Block) -> list[Lines]:
        """The class, and its heir below it, whose method the block is."""
        w = block.writer
        is_module = w.framework == "torch" and w.choices.chance("module", 0.5)
        head: Lines = [(0, f"class {self.name}{'(nn.Module)' if is_module else ''}:", "other")]
        setup = _setup(block, is_module)
        helpers = [line for method in self.methods for line in _indented(method.lines)]
        main = _indented(w.function(block, ["self"]))
        ways = ["none", "empty", "calls", "overrides", "overridden"]
        weights = (5.0, 1.0, 1.5, 1.5 if self.methods and not self.is_named else 0.0, 1.0)
        how = w.choices.pick("heir", ways, weights)
        if how == "none":
            return [[*head, *setup, *helpers, *main]]
        self.heir = w.fresh("class")
        child: Lines = [(0, f"class {self.heir}({self.name}):", "other")]
        if how == "empty":
            return [[*head, *setup, *helpers, *main], [*child, (1, "pass", "other")]]
        if how == "calls":  # the heir's method calls what it inherits
            return [[*head, *setup, *(helpers or [(1, "pass", "other")])], [*child, *main]]
        if how == "overridden":  # what the base says is not what runs
            base = _refusing(block.name)
            return [[*head, *setup, *helpers, *base], [*child, *main]]
        refused = [line for method in self.methods for line in _refusing(method.name)]
        return [[*head, *setup, *refused, *main], [*child, *helpers]]


def _refusing(name: str) -> Lines:
    return [
        (1, f"def {name}(self, *args, **kwargs):", "other"),
        (2, "raise NotImplementedError", "other"),
        *_SPACE,
    ]


def _setup(block: Block, is_module: bool) -> Lines:
    """`__init__`, properties and the method that logs."""
    lines: Lines = []
    if block.attributes:
        lines.append((1, f"def __init__({', '.join(['self', *declared(block.attributes)])}):", "other"))
        if is_module:
            lines.append((2, "super().__init__()", "other"))
        for key, (default, value) in block.attributes.items():
            lines.append((2, f"self.{key} = {key if default else value}", "other"))
        lines += _SPACE
    for name, value in block.properties.items():
        lines += [
            (1, "@property", "other"),
            (1, f"def {name}(self):", "other"),
            (2, f"return {value}", "other"),
        ]
        lines += _SPACE
    if block.logs:
        lines += [(1, f"def {block.logs}(self, key, value):", "other"), (2, "print(key, value)", "other")]
        lines += _SPACE
    return lines


def _indented(lines: Lines) -> Lines:
    return [*((indent + 1, text, tag) for indent, text, tag in lines), *_SPACE]
