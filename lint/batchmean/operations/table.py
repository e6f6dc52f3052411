"""The form of a framework's table: which of its functions is which primitive, and how its arguments are spelled.

A line says `"torch.softmax": "softmax(x|input, axis|dim)"`: the primitive's name, then its arguments in the
framework's order, each under its canonical name and the spellings that the framework accepts as keywords. A
parameter in brackets, `[dtype]`, is skipped; `*shape` takes all that follow. Behind a semicolon stand facts:
`axis=-1` is the axis of the support when none is given, `extra=Normal` is handed to the primitive, `keywords=all`
hands every keyword on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar

V = TypeVar("V")


class Operation(NamedTuple):
    """A framework's function: a primitive and how the arguments are spelled."""

    primitive: str
    parameters: tuple[tuple[str, ...], ...] = ()
    """For each argument its canonical name, then its other spellings; an empty tuple is skipped."""
    rest: str = ""
    """The canonical name of a trailing `*argument`."""
    default_axis: int | None = None
    extra: str = ""
    all_keywords: bool = False
    """Does it hand every keyword on, as `functools.partial` does?"""
    name: str = ""
    """What the framework calls it, without its module: `log_softmax`, whatever it is imported as."""

    def bind(self, args: Sequence[V], kwargs: Mapping[str, V]) -> tuple[dict[str, V], tuple[V, ...]]:
        """The arguments under their canonical names, and the trailing ones; unknown keywords are dropped."""
        bound: dict[str, V] = {}
        for names, value in zip(self.parameters, args, strict=False):
            if names:
                bound[names[0]] = value
        spelled = _spelled(self.parameters) if kwargs else {}
        for name, value in kwargs.items():
            if name in spelled and spelled[name] not in bound:
                bound[spelled[name]] = value
            elif self.all_keywords:
                bound[name] = value
        more = list(args[len(self.parameters) :]) if self.rest else []
        if self.rest and not more:
            spellings = (self.rest, "newshape", "size", "dims", "axes", "perm")
            more = [kwargs[name] for name in spellings if name in kwargs][:1]
        return bound, tuple(more)


@lru_cache(maxsize=2048)
def _spelled(parameters: tuple[tuple[str, ...], ...]) -> Mapping[str, str]:
    """The canonical name of each spelling."""
    return {name: names[0] for names in parameters for name in names}


class Framework:
    """A framework: its functions by full name and the methods of its arrays.

    Args:
        functions: for each function its full name and a line.
        methods: for each method of arrays its name and a line.
        new_axes: its names for None as an index, which makes a new axis.
        precedence: where two tables tell of a method of one name, the one with the lower number holds.
        aliases: other names of a module: `{"jax.numpy": "numpy"}` looks functions up in numpy's table.
    """

    def __init__(
        self,
        functions: Mapping[str, str],
        methods: Mapping[str, str] | None = None,
        new_axes: tuple[str, ...] = (),
        precedence: int = 1000,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.functions = functions
        self.methods = methods or {}
        self.new_axes = new_axes
        self.precedence = precedence
        self.aliases = aliases or {}

    @cached_property
    def modules(self) -> frozenset[str]:
        """The modules that hold its functions."""
        return frozenset(name.rpartition(".")[0] for name in self.functions)


@lru_cache(maxsize=2048)
def parse(line: str) -> Operation:
    """Read one line of a table.

    Raises:
        ValueError: when the line is not of the form that this module describes.
    """
    name, _, inside = line.partition("(")
    if not name.isidentifier() or (inside and not inside.endswith(")")):
        raise ValueError(f"not a line of a framework's table: {line!r}")
    arguments, _, facts = inside.removesuffix(")").partition(";")
    parameters: list[tuple[str, ...]] = []
    rest = ""
    for part in filter(None, (p.strip() for p in arguments.split(","))):
        if part.startswith("*"):
            rest = part[1:]
        elif part.startswith("["):
            parameters.append(())
        else:
            parameters.append(tuple(part.split("|")))
    known = dict(fact.strip().split("=", 1) for fact in facts.split(",") if fact.strip())
    axis = known.get("axis")
    return Operation(
        name,
        tuple(parameters),
        rest,
        int(axis) if axis else None,
        known.get("extra", ""),
        known.get("keywords") == "all",
    )
