"""The tables spell the arguments as the installed libraries do, in the order that the libraries take them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from batchmean import operations
from batchmean.operations.table import Operation, parse

from tests.frameworks.libraries import MISSING, Parameter, parameters, require, resolve

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore"),  # the libraries' own
]

# Nobody passes these by keyword, and libraries call them what they like. Their place is what counts.
PLACED = ("x", "y", "equation", "start")
DATA = frozenset(
    "x y a b p q pk A x1 x2 arr arr_list array arrays arys object tensor val value variable input operand "
    "tup subscripts start_or_stop".split()
)

# What decides a verdict: a parameter of one of these names must not be overlooked.
DECISIVE = frozenset(
    "axis dim axes dims keepdims keepdim keep_dims reduction_indices weights reduction size_average reduce "
    "num_classes depth".split()
)
UNDECIDED = (
    "map identity flip per_example_loss loss_module select take scatter zeros_like filled_like matmul prod"
).split()
"""Primitives for which no such parameter decides anything."""

# In the tables for the code that is out there; no installed version has them.
GONE = (
    "keras.losses.kullback_leibler_divergence",
    "keras.losses.logcosh",
    "numpy.product",
    "tensorflow.batch_matmul",
    "tensorflow.mul",
    "tensorflow.neg",
    "tensorflow.select",
    "tensorflow.sub",
)
GONE_MODULES = ("tensorflow.contrib.", "tensorflow.distributions.", "tensorflow.layers.")

# Modules that are not documented: their names move, and their first arguments are called otherwise.
PRIVATE = ("keras.src.", "tensorflow.python.")

LIBRARIES = (
    "autograd chex equinox flax haiku jax keras mlx numpy optax paddle scipy tensorflow tinygrad".split()
)
"""Those that spell their arguments in Python. PyTorch's functions do not; its fixtures call them."""


def spellings(library: str) -> Iterator[tuple[str, Operation, bool]]:
    """Each function of a library under each of its names; with whether that name is an alias."""
    for framework in operations.FRAMEWORKS:
        for name, line in framework.functions.items():
            if name.startswith(f"{library}."):
                yield name, parse(line), False
        for alias, target in framework.aliases.items():
            if alias == library or alias.startswith(f"{library}."):
                for other in operations.FRAMEWORKS:
                    for name, line in other.functions.items():
                        if name.startswith(f"{target}."):
                            spelled = alias + name[len(target) :]
                            operation = operations.function(spelled)
                            assert operation is not None, (spelled, line)
                            yield spelled, operation, True


def disagreements(operation: Operation, real: list[Parameter]) -> Iterator[str]:
    """Where the table and the library differ."""
    places = [p.name for p in real if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is Parameter.VAR_POSITIONAL for p in real)
    for place, names in enumerate(operation.parameters):
        if not names or place >= len(places):
            continue
        is_data = names[0] in PLACED and places[place] in DATA
        if places[place] not in names and not is_data:
            yield f"argument {place} is {places[place]}, the table has {'|'.join(names)}"
    if operation.primitive in UNDECIDED or takes_any:
        return
    known = {name for names in operation.parameters for name in names} | {operation.rest}
    for parameter in real:
        if parameter.name in DECISIVE and parameter.name not in known:
            yield f"the table has no {parameter.name}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_arguments_are_spelled_as_the_library_does(library: str) -> None:
    require(library)
    found = []
    seen = 0
    for name, operation, _ in spellings(library):
        function = MISSING if name.startswith(PRIVATE) else resolve(name)
        real = parameters(function) if function is not MISSING else None
        if real is not None:
            seen += 1
            found += [f"{name}: {text}" for text in disagreements(operation, real)]
    assert not found, "\n".join(found)
    assert seen


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_name_is_one_that_some_version_has(library: str) -> None:
    require(library)
    there = {name for name, _, _ in spellings(library) if resolve(name) is not MISSING}
    aliases = {a: t for f in operations.FRAMEWORKS for a, t in f.aliases.items()}
    unknown = []
    for name, _, is_alias in spellings(library):
        others = [
            alias + name[len(target) :] for alias, target in aliases.items() if name.startswith(f"{target}.")
        ]
        if is_alias or name in there or any(resolve(other) is not MISSING for other in others):
            continue
        if name in GONE or name.startswith(GONE_MODULES):
            continue
        unknown.append(name)
    assert not unknown
