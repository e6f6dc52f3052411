"""Every line of every table is well-formed and names a primitive that takes the arguments it lists."""

from __future__ import annotations

import inspect

import pytest
from batchmean import operations
from batchmean.engine.primitives import PRIMITIVES
from batchmean.operations.table import parse

FUNCTIONS = {name: line for framework in operations.FRAMEWORKS for name, line in framework.functions.items()}
METHODS = {name: line for framework in operations.FRAMEWORKS for name, line in framework.methods.items()}
ALIASES = {
    alias: target for framework in operations.FRAMEWORKS for alias, target in framework.aliases.items()
}


@pytest.mark.parametrize("line", sorted({*FUNCTIONS.values(), *METHODS.values()}))
def test_the_primitive_takes_the_arguments(line: str) -> None:
    operation = parse(line)
    accepted = inspect.signature(PRIMITIVES[operation.primitive]).parameters
    canonical = [names[0] for names in operation.parameters if names]
    assert len(set(canonical)) == len(canonical)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    takes_rest = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in accepted.values())
    assert takes_any or set(canonical) <= set(accepted)
    assert takes_rest or not operation.rest


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_an_alias_leads_to_functions_and_ends(alias: str) -> None:
    assert any(name.startswith(f"{ALIASES[alias]}.") for name in FUNCTIONS)
    assert operations.function(f"{alias}.no_such_function") is None


def test_no_function_is_in_two_tables() -> None:
    names = [name for framework in operations.FRAMEWORKS for name in framework.functions]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("spelled", "listed"),
    [
        ("cupy.sum", "numpy.sum"),
        ("autograd.numpy.log", "numpy.log"),
        ("jax.numpy.mean", "numpy.mean"),
        ("jax.scipy.special.logsumexp", "scipy.special.logsumexp"),
        ("jax.experimental.stax.serial", "jax.example_libraries.stax.serial"),
        ("flax.linen.log_softmax", "jax.nn.log_softmax"),
        ("tensorflow.compat.v1.log", "tensorflow.log"),
        ("tensorflow.compat.v1.losses.softmax_cross_entropy", "tensorflow.losses.softmax_cross_entropy"),
        ("tensorflow.losses.KLDivergence", "keras.losses.KLDivergence"),
        ("tensorflow.experimental.numpy.mean", "numpy.mean"),
        ("tensorflow.keras.backend.mean", "keras.backend.mean"),
        ("tensorflow.python.keras.backend.mean", "keras.backend.mean"),
        ("keras.src.ops.log_softmax", "keras.ops.log_softmax"),
        ("paddle.tensor.sum", "paddle.sum"),
        ("mlx.core.exp", "numpy.exp"),
        ("mlx.core.mean", "mlx.core.mean"),
    ],
)
def test_another_name_of_a_module(spelled: str, listed: str) -> None:
    found = operations.function(spelled)
    assert found is not None
    assert found._replace(name="") == parse(FUNCTIONS[listed])
