"""A generated program: its text, how it is called, and the term that it should come to."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.oracle import keras_forms, tensorflow_forms
from benchmarks.oracle.choices import Choices
from benchmarks.oracle.spelling import AXIS, FORMS, IMPORTS, KEEP, MODULE, NEUTRAL, TYPICAL

Array: TypeAlias = npt.NDArray[np.float64]
Inputs: TypeAlias = Mapping[str, Array]
Framework: TypeAlias = Literal["numpy", "torch", "jax", "tensorflow", "keras"]
Naming: TypeAlias = Literal["typical", "neutral", "misleading"]
Kind: TypeAlias = Literal[
    "real", "labels", "distribution", "log distribution", "binary", "mask", "ids", "lengths", "size"
]
Tag: TypeAlias = Literal["reduction", "term", "other"]

FUNCTIONAL: Final = {"tensorflow": tensorflow_forms, "keras": keras_forms}
"""What has functions only: the words of each."""
IGNORED: Final = -100
REQUIRED: Final = "required"
"""The default of a parameter that has none."""
PADDING: Final = 0
_FILES: Final = (0.85, 0.11, 0.04)
"""How likely a program is of one file, of two, of three."""


@dataclass(frozen=True)
class Input:
    """An argument of the loss. `axes` are letters, such as `("B", "T", "V")`."""

    axes: tuple[str, ...]
    kind: Kind
    style: str = ""
    """Of a mask: `float` or `bool`, `not` where it is true for what is left out. Of labels: `ignored`."""


@dataclass(frozen=True)
class Term:
    """What a loss is of: one number per element, the axes that are summed, and those that are averaged.

    `elements` computes them with NumPy from the same inputs, in the order of `axes`. A loss without a support may be
    averaged or summed over its `features`.
    """

    kind: str
    axes: tuple[str, ...]
    elements: Callable[[Inputs], Array]
    support: str | None = None
    features: tuple[str, ...] = ()
    coefficient: float = 1.0
    shown: bool = True
    """Does the code show what the integrand is, so that no name is needed?"""

    @property
    def units(self) -> tuple[str, ...]:
        """The axes that hold examples and positions."""
        return tuple(a for a in self.axes if a != self.support and a not in self.features)


ONE_FILE: Final = "generated.py"
"""What a program of one file is called."""


@dataclass(frozen=True)
class File:
    """A module of a program."""

    path: str
    """With slashes, from the folder that holds all of them."""
    text: str
    tags: tuple[Tag, ...]
    """What each line is about."""


@dataclass(frozen=True)
class Program:
    """Its files, and how to judge it."""

    files: tuple[File, ...]
    """None of them imports from a later one; a package's `__init__` stands behind its modules."""
    entry: str
    """The call, an expression in which `arg_<role>` stands for an input."""
    framework: Framework
    inputs: Mapping[str, Input]
    term: Term
    masked: bool
    """Does a mask say which units count?"""
    literals: Mapping[str, int]
    """Sizes that the text holds as numbers."""
    sum_is_right: bool
    """May the whole be a sum? Not where the text takes a mean that comes to nothing."""
    naming: Naming
    choices: Mapping[str, int]
    plan: str
    """How it is reduced, in words."""
    offset: Callable[[Inputs], float] | None
    """What is added to the term's reduction: another term, rightly reduced."""
    needs_rank: bool
    """Is it the rank of an array, which the text may not show, that tells right from wrong?"""
    statistic: str = ""
    """An expression that stands beside the loss, and is no part of it."""
    is_of_elements: bool = False
    """Is it one of the very elements that the loss is of?"""
    loop: str = ""
    """The loop over batches around it, if there is one: `right`, or `wrong` by itself."""

    @property
    def text(self) -> str:
        """All that is written, each file under its path if there are several."""
        return joined(self.texts)

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file."""
        return {file.path: file.text for file in self.files}

    def file_at(self, path: str) -> File:
        """The file that a linter calls so, wherever the folder is."""
        return next(file for file in self.files if f"/{path}".endswith(f"/{file.path}"))


def joined(texts: Mapping[str, str]) -> str:
    """Files as one text."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"# {path}\n{text}" for path, text in texts.items())


@dataclass
class Variable:
    """An expression of the text that holds an array with these axes."""

    text: str
    axes: tuple[str, ...]


class Block:
    """The body of a function that is being written."""

    def __init__(self, writer: Writer, name: str, parent: Block | None = None) -> None:
        self.writer = writer
        self.name = name
        self.parent = parent
        self.is_method = False
        self.parameters: dict[str, str] = {}
        """The name of each input that the function takes."""
        self.options: dict[str, tuple[str, str]] = {}
        """Its other parameters: the default of each, and what the caller passes."""
        self.attributes: dict[str, tuple[str, str]] = {}
        """What `__init__` keeps, the same way; without a default it is no parameter and made there."""
        self.properties: dict[str, str] = {}
        """The properties of the class, and what each gives."""
        self.logs = ""
        """The method that logs what it is given, if there is one."""
        self.lines: list[tuple[int, str, Tag]] = []
        self.indent = 1
        self.known: list[Variable] = []
        """Arrays whose shape may be asked for a count."""
        self.aliases: dict[tuple[str, ...], str] = {}
        """Names that hold the product of these axes' lengths."""

    def input(self, role: str, what: Input) -> Variable:
        """The name of an input, which becomes a parameter."""
        if role not in self.parameters:
            name = self.writer.fresh(role)
            self.parameters[role] = name
            self.writer.inputs.setdefault(role, what)
            if what.kind not in ("mask", "lengths", "size"):
                self.known.append(Variable(name, what.axes))
        return Variable(self.parameters[role], what.axes)

    def option(self, role: str, value: str, others: Sequence[str]) -> str:
        """A switch that the caller sets to this value: a parameter, or in a method what `__init__` was given."""
        name = self.writer.fresh(role)
        default = self.writer.choices.pick(
            f"default of {role}", (value, *others), (3, *(1.0 for _ in others))
        )
        return self._taken_as(role, name, default, value)

    def given(self, role: str, default: str, value: str) -> str:
        """Something else that the caller passes, in the same way."""
        return self._taken_as(role, self.writer.fresh(role), default, value)

    def _taken_as(self, role: str, name: str, default: str, value: str) -> str:
        if default == value and not value.isupper():
            default = value = self.writer.constant(role, value)
        if self.is_method and self.writer.choices.chance("kept", 0.6):
            self.attributes[name] = default, value
            return f"self.{name}"
        self.options[name] = default, value
        return name

    def arguments(self, inputs: Sequence[str]) -> str:
        """What a call passes: these, and what differs from its default or is passed all the same."""
        return ", ".join([*inputs, *self.writer.passed(self.options)])

    def say(self, statement: str, tag: Tag = "other") -> None:
        """Write a simple statement, or the head of a compound one (it ends in a colon)."""
        plain = statement.startswith("#") or statement.endswith(":")
        text = statement if plain else ast.unparse(ast.parse(statement))
        self.lines.append((self.indent, text, tag))

    @contextmanager
    def inside(self, head: str, tag: Tag = "other") -> Iterator[None]:
        """What is written now stands below `head`."""
        self.say(head, tag)
        self.indent += 1
        yield
        self.indent -= 1

    def let(self, role: str, expression: str, tag: Tag = "term") -> str:
        """Bind the expression to a new name."""
        name = self.writer.fresh(role)
        self.say(f"{name} = {expression}", tag)
        return name

    def maybe(self, role: str, expression: str, tag: Tag = "term", likely: float = 0.5) -> str:
        """The expression, or a name that it was bound to."""
        pick = self.writer.choices.pick
        rest = 1 - likely
        how = pick(
            f"bind {role}", ("no", "yes", "alias", "walrus"), (rest, likely * 0.8, likely * 0.1, likely * 0.1)
        )
        if how == "no":
            return f"({expression})"
        if how == "walrus":
            return f"({self.writer.fresh(role)} := {expression})"
        name = self.let(role, expression, tag)
        if how == "alias":
            name = self.let(role, name, tag)
        return name


def declared(options: Mapping[str, tuple[str, str]]) -> list[str]:
    """The parameters that these are, those without a default first."""
    needed = [name for name, (default, _) in options.items() if default == REQUIRED]
    return needed + [
        f"{name}={default}" for name, (default, _) in options.items() if default not in ("", REQUIRED)
    ]


class Writer:
    """A file that is being written: its names, inputs, functions, and the choices that make it."""

    def __init__(self, choices: Choices, framework: Framework) -> None:
        self.choices = choices
        self.framework: Framework = framework
        self.functional = FUNCTIONAL.get(framework)
        self.files = choices.pick("files", (1, 2, 3), _FILES)
        self.naming: Naming = choices.pick("naming", ("typical", "neutral", "misleading"), (6, 5, 1))
        self.inputs: dict[str, Input] = {}
        self.positions: set[int] = set()
        """The positions of axes that the text names while the classes are there."""
        self.literals: dict[str, int] = {}
        self.tops: list[list[tuple[int, str, Tag]]] = []
        """What stands at the top of the file, below the imports."""
        self._taken: set[str] = set()

    def fresh(self, role: str) -> str:
        """A new name for something of this role."""
        if self.naming == "misleading":
            role = self.choices.pick(f"role of {role}", list(TYPICAL))
        names: Sequence[str] = (
            NEUTRAL if self.naming == "neutral" else TYPICAL.get(role, (role.replace(" ", "_"),))
        )
        first = self.choices.pick(f"name of {role}", range(len(names)))
        numbered = (f"{names[first]}{i}" for i in count(2))
        name = next(n for n in chain(names[first:], names[:first], numbered) if n not in self._taken)
        self._taken.add(name)
        return name

    def constant(self, role: str, value: str) -> str:
        """The value, or where there are several files, perhaps a constant that one of them is for."""
        if self.files == 1 or value == REQUIRED or not self.choices.chance("constant", 0.4):
            return value
        name = self.fresh(role).upper()
        name += "_" * (len(name) == 1)  # `F` is a module
        self.tops.append([(0, f"{name} = {value}", "other")])
        return name

    def form(self, what: str, **holes: str | int) -> str:
        """One of the ways to write it."""
        template: str = self.choices.pick(what, FORMS[what][self.framework])
        filled = {k: v if k == "order" or isinstance(v, int) else f"({v})" for k, v in holes.items()}
        return f"({template.format(**filled)})"

    def position(self, axes: Sequence[str], axis: str) -> int:
        """Where the axis is, counted from the front or from the back."""
        at, rank = list(axes).index(axis), len(axes)
        ends = (at - rank, at) if at == rank - 1 else (at, at - rank)
        position = self.choices.pick("axis from", ends, (3, 2))
        if "V" in axes:
            self.positions.add(position)
        if axes == ("V",) and position == 0:
            self.positions.add(1)  # if that is the last axis, no other is left
        return position

    def counts_from_both_ends(self) -> bool:
        """Is the rank of the elements needed to tell their axes apart, and not shown?

        The first axis is taken to be another one than the last: a loss has a batch.
        """
        left = {p for p in self.positions if p >= 0}
        right = {p for p in self.positions if p < 0}
        return any(i > 0 or j < -1 for i in left for j in right)

    @property
    def module(self) -> str:
        """`np`, `torch`, `jnp` or `tf`."""
        return MODULE[self.framework]

    def function_of(self, name: str) -> str:
        """What NumPy has under this name, as the framework calls it."""
        if self.functional is not None and name in self.functional.FUNCTIONS:
            return str(self.functional.FUNCTIONS[name])
        return f"{self.module}.{name}"

    def all_of(self, how: str, x: str) -> str:
        """The sum or the mean of all elements, in the plainest way."""
        return f"{self.function_of(how)}({x})" if self.functional else f"({x}).{how}()"

    def reshaped(self, x: str, *shape: str) -> str:
        """An array in another shape."""
        if self.functional is not None:
            return str(self.functional.RESHAPED.format(x=x, shape=", ".join(shape)))
        return f"({x}).reshape({', '.join(shape)})"

    def stacked(self, items: str) -> str:
        """An array of the items of a list."""
        return f"{'np.array' if self.framework == 'numpy' else f'{self.module}.stack'}({items})"

    def reduce(self, how: str, x: str, axes: Sequence[int] | None = None, *, keep: bool = False) -> str:
        """A sum or a mean, as a method or as a function."""
        if self.functional is not None:
            return self._reduced_by_function(self.functional.REDUCTIONS, how, x, axes, keep=keep)
        style = self.choices.pick(f"style of {how}", ("method", "function", "short"), (5, 4, 2))
        if how == "mean" and not keep and self.framework != "torch" and self.choices.chance("average", 0.06):
            how, style = "average", "function"
        keyword = AXIS[self.framework]
        at = ""
        if axes is not None:
            value = str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
            at = value if style == "short" else f"{keyword}={value}"
            if keep:
                at += f", {KEEP[self.framework]}=True"
        if style == "function":
            return f"{self.module}.{how}({x}{', ' + at if at else ''})"
        return f"({x}).{how}({at})"

    def _reduced_by_function(
        self, forms: Sequence[str], how: str, x: str, axes: Sequence[int] | None, *, keep: bool
    ) -> str:
        """A sum or a mean where arrays have no methods."""
        function = self.choices.pick(f"style of {how}", forms, (6, 1, 1)[: len(forms)]).format(how=how)
        at = ""
        if axes is not None:
            value = str(axes[0]) if len(axes) == 1 else f"[{', '.join(map(str, axes))}]"
            at = f", axis={value}" if self.choices.chance("keyword", 0.7) else f", {value}"
        return f"{function}({x}{at}{', keepdims=True' if keep else ''})"

    def passed(self, options: Mapping[str, tuple[str, str]]) -> list[str]:
        """The keywords of a call: what differs from its default, or is passed all the same."""
        return [
            f"{name}={value}"
            for name, (default, value) in options.items()
            if default and (value != default or self.choices.chance("passed all the same", 0.3))
        ]

    def function(self, block: Block, first: Sequence[str] = ()) -> list[tuple[int, str, Tag]]:
        """The lines of a function whose parameters begin with `first`."""
        parameters = [*first, *block.parameters.values()]
        if self.choices.chance("annotated", 0.1):
            tensor = {
                "numpy": "np.ndarray",
                "torch": "torch.Tensor",
                "jax": "jax.Array",
                "tensorflow": "tf.Tensor",
                "keras": "keras.KerasTensor",
            }[self.framework]
            parameters = [p if p in ("self", "cls") else f"{p}: {tensor}" for p in parameters]
        parameters += declared(block.options)
        return [(0, f"def {block.name}({', '.join(parameters)}):", "other"), *block.lines]

    def text(
        self, parts: Sequence[Sequence[tuple[int, str, Tag]]], own: Sequence[str] = ()
    ) -> tuple[str, tuple[Tag, ...]]:
        """The file of these top-level parts, and the tag of each line; `own` imports are those of other files."""
        lines: list[tuple[str, Tag]] = []
        body = "\n".join(text for part in parts for _, text, _ in part)
        imports = [
            line for name, line in IMPORTS.items() if re.search(rf"(?<![\w.]){name}\b(?!\s*=[^=])", body)
        ]
        for line in (*imports, *own):
            lines.append((line, "other"))
        for part in parts:
            lines += [("", "other")] * (2 if lines else 0)
            lines += [("    " * indent + text if text else "", tag) for indent, text, tag in part]
        return "\n".join(text for text, _ in lines) + "\n", tuple(tag for _, tag in lines)
