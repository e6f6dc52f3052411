"""The judge: a program is run at several sizes, and its value compared with the ways to reduce its term."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import prod
from types import CodeType, ModuleType
from typing import Any, Final, Literal

import numpy as np

from benchmarks.oracle import eager_jax
from benchmarks.oracle.grammar import role_name
from benchmarks.oracle.program import IGNORED, PADDING, Array, Framework, Input, Program

Sizes = dict[str, int]
Verdict = Literal["right", "wrong", "other", "open"]

_SIZES: Final[tuple[Sizes, ...]] = (
    {"B": 3, "T": 5, "V": 7, "D": 7, "F": 4, "C": 7, "H": 4, "W": 5},
    {"B": 4, "T": 7, "V": 11, "D": 9, "F": 5, "C": 11, "H": 5, "W": 7},
    {"B": 5, "T": 8, "V": 13, "D": 11, "F": 3, "C": 7, "H": 3, "W": 8},
)
"""Sizes of axes that meet in a program have no common divisor, so that a product tells its factors."""
_PARTS: Final = (0.6, 0.4, 0.75)
"""How much of each batch counts, where there is a mask."""
_TOLERANCE: Final = 2e-4
_POWERS: Final = 2


class CannotRun(Exception):
    """The program failed: a fault of the grammar, unless a fix did it."""


@dataclass(frozen=True)
class Setting:
    """Sizes, the inputs at these sizes, and which units count."""

    sizes: Sizes
    inputs: Mapping[str, Array]
    valid: Array
    """Over the units; all ones without a mask."""

    @property
    def counts(self) -> Sizes:
        """The lengths of the axes by the names that a factor has, and the number of units that count."""
        return self.sizes | {"n_valid": int(self.valid.sum()), "N": self.valid.size, "one": 1}


@dataclass(frozen=True)
class Truth:
    """What running it showed."""

    verdict: Verdict
    """`right`: one of the published ways to reduce; `wrong`: a monomial of one; `other`: no such product; `open`: a
    way that some publish and some would not."""
    mode: str
    """The way that it is, or is nearest to."""
    factor: Mapping[str, int]
    """By what it is off from the mean over the units."""
    values: tuple[float, ...]


def settings(program: Program, seed: int) -> list[Setting]:
    """Different sizes, inputs and masks."""
    rng = np.random.default_rng(seed)
    return [
        _setting(program, sizes | dict(program.literals), rng, part)
        for sizes, part in zip(_SIZES, _PARTS, strict=True)
    ]


def _setting(program: Program, sizes: Sizes, rng: np.random.Generator, part: float) -> Setting:
    shape = tuple(sizes[a] for a in program.term.units)
    valid = _validity(shape, rng, part) if program.masked else np.ones(shape)
    inputs = {role: _array(what, sizes, valid, rng) for role, what in program.inputs.items()}
    return Setting(sizes, inputs, valid)


def _validity(shape: tuple[int, ...], rng: np.random.Generator, part: float) -> Array:
    """Which units count: the first of each sequence, and of a batch some and not all."""
    if len(shape) == 1:
        count = min(max(1, round(shape[0] * part)), shape[0] - 1)
        return (np.arange(shape[0]) < count).astype(float)
    length = prod(shape[1:])
    counts = np.clip(rng.binomial(length, part, shape[0]), 1, length - 1)
    counts[0] = max(1, counts.min() - 1) if counts.max() == counts.min() else counts[0]
    return (np.arange(length)[None] < counts[:, None]).astype(float).reshape(shape)


def _array(what: Input, sizes: Sizes, valid: Array, rng: np.random.Generator) -> Array:
    shape = tuple(sizes[a] for a in what.axes)
    if what.kind == "size":
        return np.array(prod(shape))
    if what.kind == "mask":
        on = valid == (0.0 if what.style == "not" else 1.0)
        return np.asarray(on, dtype=float if what.style == "float" else bool)
    if what.kind == "lengths":
        return np.asarray(valid.sum(axis=-1), dtype=np.int64)
    if what.kind == "ids":
        return np.where(valid > 0, rng.integers(1, 99, shape), PADDING)
    if what.kind == "labels":
        labels = rng.integers(0, sizes["V"], shape)
        return np.where(valid > 0, labels, IGNORED) if what.style == "ignored" else np.asarray(labels)
    x = rng.normal(size=shape)
    if what.kind == "binary":
        return (x > 0).astype(float)
    if what.kind in ("distribution", "log distribution"):
        at = what.axes.index("V")
        p = np.exp(x) / np.exp(x).sum(axis=at, keepdims=True)
        return np.asarray(p if what.kind == "distribution" else np.log(p))
    return np.asarray(x)


@lru_cache(maxsize=4)
def _framework(name: Framework) -> Callable[[Array], Any]:
    """How an array becomes the framework's."""
    if name == "torch":
        import torch

        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)
        return lambda x: torch.from_numpy(np.array(x))
    if name == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        # What is compiled all the same is run a few times.
        jax.config.update("jax_disable_most_optimizations", True)
        eager_jax.install()
        return lambda x: jax.numpy.asarray(x)
    if name == "keras":
        os.environ["KERAS_BACKEND"] = "numpy"
        return lambda x: x.astype(np.float32) if x.dtype.kind == "f" else np.array(x)
    if name == "tensorflow":
        import tensorflow as tf
        from tensorflow.experimental import numpy as tnp

        # What a count and a mask are to a float, as in NumPy: people write the casts, and they are not what is judged.
        tnp.experimental_enable_numpy_behavior(prefer_float32=True)
        return lambda x: tf.constant(x, tf.float32 if x.dtype.kind == "f" else None)
    return lambda x: np.array(x)


def _eager(name: Framework) -> contextlib.AbstractContextManager[Any]:
    """Where each operation is run by itself: it was compiled for other programs, a whole function was not."""
    if name != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.disable_jit()  # type: ignore[no-any-return, unused-ignore]


class _Optimizer:
    """What gradients are given to."""

    def zero_grad(self) -> None: ...

    def step(self) -> None: ...


@contextlib.contextmanager
def _recorded(name: Framework) -> Iterator[list[float]]:
    """The losses of which gradients were asked for: added up, they are what is minimised."""
    found: list[float] = []
    if name != "torch":
        yield found
        return
    import torch

    backward = torch.Tensor.backward
    torch.Tensor.backward = lambda self, *_, **__: found.append(float(self))
    try:
        yield found
    finally:
        torch.Tensor.backward = backward


@contextlib.contextmanager
def _imported(texts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The names in all of these files. Each is a module under the name that its path has, and none is written."""
    stems = {path: path.removesuffix(".py").replace("/", ".") for path in texts}
    modules = {path: ModuleType(stem.removesuffix(".__init__")) for path, stem in stems.items()}
    before = {module.__name__: sys.modules.get(module.__name__) for module in modules.values()}
    try:
        for path, module in modules.items():
            module.__package__ = stems[path].rpartition(".")[0]
            if module.__package__ == module.__name__:
                module.__path__ = []
            sys.modules[module.__name__] = module
        for path, module in modules.items():
            exec(compile(texts[path], f"<{path}>", "exec"), vars(module))
            if (package := module.__package__) and package != module.__name__:
                setattr(sys.modules[package], module.__name__.rpartition(".")[2], module)
        names = (pair for module in modules.values() for pair in vars(module).items())
        yield {name: value for name, value in names if not isinstance(value, ModuleType)}
    finally:
        for name, module_before in before.items():
            if module_before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module_before


def run(texts: Mapping[str, str], program: Program, given: Sequence[Setting]) -> list[Array]:
    """What the program, its files being of these texts, returns in each setting."""
    convert = _framework(program.framework)
    try:
        call: CodeType = compile(program.entry, "<entry>", "eval")
        values = []
        quiet = (
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        )
        with contextlib.ExitStack() as stack:
            for each in (*quiet, _eager(program.framework)):
                stack.enter_context(each)
            warnings.simplefilter("ignore")
            names = stack.enter_context(_imported(texts))
            names["Optimizer"] = _Optimizer
            backward = stack.enter_context(_recorded(program.framework))
            for setting in given:
                backward.clear()
                arguments = {
                    role_name(role): int(x) if program.inputs[role].kind == "size" else convert(x)
                    for role, x in setting.inputs.items()
                }
                value = eval(call, names | arguments)
                values.append(np.asarray(sum(backward) if backward else value, dtype=float))
    except Exception as error:
        raise CannotRun(f"{type(error).__name__}: {error}") from error
    return values


def modes(program: Program, setting: Setting) -> dict[str, tuple[float, bool]]:
    """The ways to reduce the term: each with its value, and whether it is published."""
    term = program.term
    x = term.coefficient * term.elements(setting.inputs)
    found: dict[str, tuple[float, bool]] = {}
    # Published: the features averaged, all of them summed, or the channels. Other sums over some are nobody's.
    ways: dict[str, tuple[Array, bool]] = {}
    if term.support is not None:
        ways[""] = x.sum(axis=term.axes.index(term.support)), True
    else:
        for count in range(len(term.features) + 1):
            for summed in combinations(term.features, count):
                each = x.sum(axis=tuple(map(term.axes.index, summed)), keepdims=True)
                each = each.mean(axis=tuple(map(term.axes.index, term.features)))
                prefix = f"{''.join(summed)} summed, " if summed else ""
                ways[prefix] = each, summed in ((), ("C",), term.features)
    for prefix, (each, published) in ways.items():
        masked = each * setting.valid
        rest = tuple(range(1, each.ndim))
        found[f"{prefix}mean"] = masked.sum() / setting.valid.sum(), published
        found[f"{prefix}sum"] = masked.sum(), published and program.sum_is_right
        if each.ndim > 1 or (each.ndim and not program.masked):
            found[f"{prefix}sum per example"] = masked.sum() / len(each), published
        if rest:
            own = masked.sum(axis=rest) / setting.valid.sum(axis=rest)
            found[f"{prefix}mean of means"] = own.mean(), published
            found[f"{prefix}sum of means"] = own.sum(), False
        if each.ndim == 3 and not program.masked:
            found[f"{prefix}sum over one axis"] = each.sum(axis=1).mean(), False
            found[f"{prefix}sum over another"] = each.sum(axis=2).mean(), False
    return found


_OPEN: Final = ("sum of means", "sum over one axis", "sum over another")


def truth(program: Program, values: Sequence[Array], given: Sequence[Setting]) -> Truth:
    """What the values say of the program."""
    numbers = [_of_term(program, value, setting) for value, setting in zip(values, given, strict=True)]
    tables = [modes(program, setting) for setting in given]
    for name in tables[0]:
        if all(is_near(number, table[name][0]) for number, table in zip(numbers, tables, strict=True)):
            published = tables[0][name][1]
            is_open = name.endswith(_OPEN) or (" summed" in name and not name.endswith(" sum"))
            verdict: Verdict = "right" if published else "open" if is_open else "wrong"
            return Truth(verdict, name, {}, tuple(numbers))
    for name in sorted(tables[0], key=lambda name: (name != "mean", "example" not in name, name)):
        factor_of = monomial(program, numbers, [t[name][0] for t in tables], given)
        if factor_of is not None and not name.endswith(_OPEN):
            return Truth("wrong", name, factor_of, tuple(numbers))
    return Truth("other", "", {}, tuple(numbers))


def _of_term(program: Program, value: Array, setting: Setting) -> float:
    """The part of the value that is the term's."""
    return float(value.mean()) - (program.offset(setting.inputs) if program.offset is not None else 0.0)


def is_near(a: float, b: float) -> bool:
    """Equal, up to what clipping and single precision do."""
    return bool(abs(a - b) <= _TOLERANCE * max(abs(a), abs(b)) + 1e-12)


def monomial(
    program: Program, values: Sequence[float], wanted: Sequence[float], given: Sequence[Setting]
) -> dict[str, int] | None:
    """`values` over `wanted` as a product of powers of the sizes; None where it is none."""
    ratios = [a / b if b else float("nan") for a, b in zip(values, wanted, strict=True)]
    if not all(np.isfinite(r) and r > 0 for r in ratios):
        return None
    names = sorted(set(program.term.axes)) + (["n_valid"] if program.masked else [])
    names += ["K"] if "K" in program.literals else []
    counts = [setting.counts for setting in given]
    logs = np.log([[count[name] for name in names] for count in counts]).reshape(len(counts), len(names))
    powers, costs = _powers(len(names))
    fits = np.abs(powers @ logs.T - np.log(ratios)).max(axis=1) < _TOLERANCE
    if not fits.any():
        return None
    best = int(np.where(fits, costs, np.inf).argmin())
    return {name: int(power) for name, power in zip(names, powers[best], strict=True) if power}


@lru_cache(maxsize=8)
def _powers(count: int) -> tuple[Array, Array]:
    """All exponents of so many sizes, and how far each combination is from 1."""
    powers = np.array(list(product(range(-_POWERS, _POWERS + 1), repeat=count)), dtype=float)
    return powers, np.abs(powers).sum(axis=1)


def divided(
    program: Program, values: Sequence[float], factor: Mapping[str, int], given: Sequence[Setting]
) -> list[float] | None:
    """The values over a factor in a linter's names: B, T, H and W for the units in order, V or D for the support."""
    names = unit_names(program)
    scaled = []
    for value, setting in zip(values, given, strict=True):
        counts = setting.counts
        by = 1.0
        for name, power in factor.items():
            # A vector of classes is one example.
            size = counts.get(names.get(name, name if program.term.units else "one"))
            if size is None:
                return None
            by *= float(size) ** power
        scaled.append(value / by)
    return scaled


def left_over(
    program: Program, values: Sequence[float], factor: Mapping[str, int], given: Sequence[Setting]
) -> int | None:
    """How far the values over this factor are from a published way: 0 if they are one, None if no product is."""
    scaled = divided(program, values, factor, given)
    if scaled is None:
        return None
    tables = [modes(program, setting) for setting in given]
    costs = []
    for name in tables[0]:
        published = tables[0][name][1]
        if published and all(is_near(x, table[name][0]) for x, table in zip(scaled, tables, strict=True)):
            return 0
        rest = monomial(program, scaled, [table[name][0] for table in tables], given)
        if rest is not None and published:
            costs.append(sum(map(abs, rest.values())))
    return min(costs, default=None)


def unit_names(program: Program) -> dict[str, str]:
    """The axis that each name in a linter's factor stands for: B first, then T, or H and W."""
    units = [a for a in program.term.axes if a != program.term.support]
    letters = {1: "B", 2: "BT", 3: "BHW"}.get(len(units), "BDHWUVXYZ"[: len(units)])
    names = dict(zip(letters, units, strict=False))
    if program.term.support:
        names["D" if program.term.support == "D" else "V"] = program.term.support
    return names
