"""Calling somebody's loss: whichever framework it is of, whether it is a function or has to be made first.

A loss may raise, exit, print, give a tuple, or be a class whose constructor wants to know the number of classes.
`Callee` hides all of that: NumPy arrays go in, a float64 array comes out, or one of two errors with one line each.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from batchmean_reference.arguments import Argument, Inputs, Sizes

FRAMEWORK_NAMES = ("numpy", "torch", "jax", "tensorflow", "keras")
"""Whose arrays a loss can be called with."""

DTYPES = ("float64", "float32", "float16", "bfloat16")
"""What floats are passed as. NumPy has no bfloat16."""

_KNOWN_ROOTS = {
    "torch": "torch",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "optax": "jax",
    "flax": "jax",
}

SIZE_NAMES: tuple[tuple[str, str], ...] = (
    (r"(num|n)_?(classes|labels|tokens|actions|categories)|vocab(ulary)?(_size)?|classes|out_features", "V"),
    (r"(embedding|feature|feat|hidden|descriptors?)s?_?(size|dim)|in_features|dim_in|latent_dim", "D"),
    (r"batch(_size)?|num_boxes|bsz", "B"),
    (r"(seq(uence)?|max)_?len(gth)?", "T"),
)
"""What a parameter of a constructor, or a number that a loss takes, suggests to be the size of."""


class Unjudged(ValueError):
    """The loss ran, and what it gave cannot be judged: two calls that differ, a tuple, nothing reduced."""


def axis_of_size(name: str) -> str | None:
    """The axis whose size a parameter of this name is, if it is one."""
    return next((axis for pattern, axis in SIZE_NAMES if re.fullmatch(pattern, name, re.IGNORECASE)), None)


def framework_of(function: Callable[..., Any]) -> str:
    """The framework of a loss: that of its class's bases, of its module, or what its module has imported."""
    owner = function if inspect.isclass(function) else type(function)
    bases = [base.__module__.partition(".")[0] for base in owner.__mro__]
    own = (getattr(function, "__module__", None) or owner.__module__ or "").partition(".")[0]
    for root in (*bases, own):
        if root in _KNOWN_ROOTS:
            return _KNOWN_ROOTS[root]
    module = sys.modules.get(getattr(function, "__module__", None) or owner.__module__)
    named = list(vars(module).values()) if module else []
    roots = {
        str(
            getattr(value, "__name__", "") if inspect.ismodule(value) else getattr(value, "__module__", "")
        ).partition(".")[0]
        for value in named
    }
    return next((_KNOWN_ROOTS[root] for root in _KNOWN_ROOTS if root in roots), "numpy")


class Callee:
    """A loss that takes NumPy arrays by name and gives a float64 array.

    `function` is a callable, or a class whose instances are. `init` are arguments of the class's constructor;
    one that is the name of an axis (`{"num_classes": "V"}`) takes that axis's size, and a class that needs such
    sizes is made anew for each of them. Raises `ValueError` where the class cannot be made or the
    parameters not be seen.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        framework: str | None = None,
        init: Mapping[str, Any] | None = None,
        output: int | str | None = None,
        dtype: str = "float64",
    ) -> None:
        if framework is not None and framework not in FRAMEWORK_NAMES:
            raise ValueError(f"unknown framework {framework!r}, expected one of {', '.join(FRAMEWORK_NAMES)}")
        if dtype not in DTYPES:
            raise ValueError(f"unknown dtype {dtype!r}, expected one of {', '.join(DTYPES)}")
        self.function = function
        self.framework = framework or framework_of(function)
        self.output = output
        self.dtype = dtype
        self._prepare()
        self.init = self._constructor(dict(init or {})) if inspect.isclass(function) else {}
        self._instances: dict[tuple[tuple[str, int], ...], Callable[..., Any]] = {}
        self._jitted: dict[tuple[tuple[str, str], ...], Callable[..., Any]] = {}
        self._eager = False
        self.parameters = _parameters(self.made(self.placeholder_sizes))

    @property
    def placeholder_sizes(self) -> Sizes:
        """Any sizes, to look at an instance."""
        return dict.fromkeys("BTVDHWSIP", 7)

    @property
    def documentation(self) -> str:
        """What the function, its class and its method say of themselves."""
        function = self.function
        owner = function if inspect.isclass(function) else type(function)
        parts = [function.__doc__]
        if owner.__module__ != "builtins" and owner.__name__ != "function":
            parts += [owner.__doc__, getattr(getattr(owner, "forward", None), "__doc__", None)]
            parts += [getattr(getattr(owner, "call", None), "__doc__", None)]
        return "\n".join(part for part in parts if isinstance(part, str))

    @property
    def fixed(self) -> dict[str, int]:
        """Sizes that the constructor's arguments fix: `{"num_classes": 10}` fixes V."""
        found = {axis_of_size(name): value for name, value in self.init.items() if isinstance(value, int)}
        return {axis: value for axis, value in found.items() if axis is not None}

    @property
    def sized(self) -> set[str]:
        """Axes whose size the constructor takes."""
        return {value for value in self.init.values() if isinstance(value, str) and value in "BTVDHW"}

    def made(self, sizes: Sizes) -> Callable[..., Any]:
        """The callable for these sizes: the function itself, or an instance of the class."""
        if not inspect.isclass(self.function):
            return self.function
        key = tuple((axis, sizes[axis]) for axis in sorted(self.sized) if axis in sizes)
        if key not in self._instances:
            values = {
                name: sizes.get(value, value) if isinstance(value, str) else value
                for name, value in self.init.items()
            }
            try:
                with _quietly():
                    made = self.function(**values)
            except (Exception, SystemExit) as error:
                given = ", ".join(f"{name}={value!r}" for name, value in values.items())
                raise ValueError(
                    f"{self.function.__name__}({given}) cannot be made: {short(error)}; "
                    "say --init '{\"name\": value}'"
                ) from error
            if not callable(made):
                raise ValueError(f"instances of {self.function.__name__} cannot be called")
            if self.framework == "torch" and self.dtype == "float64" and hasattr(made, "double"):
                made = made.double()
            self._instances[key] = made
        return self._instances[key]

    def bound(self, arguments: Sequence[Argument]) -> Callable[..., Any]:
        """What calls the loss with these arguments, given by name as NumPy arrays."""

        def call(**inputs: Any) -> Any:
            return self(inputs, sizes_of(arguments, inputs))

        return call

    def __call__(self, inputs: Inputs, sizes: Sizes) -> Any:
        """The result as a float64 array. Whatever the loss raises is raised; an exit becomes a `RuntimeError`."""
        function = self.made(sizes)
        positional = [self._convert(inputs[name]) for name in self.parameters.positional if name in inputs]
        named = {
            name: self._convert(value)
            for name, value in inputs.items()
            if name not in self.parameters.positional
        }
        try:
            with _quietly():
                result = self._run(function, positional, named)
                return self._number(result)
        except SystemExit as error:
            raise RuntimeError(f"the function ends Python: SystemExit: {error}") from error

    def _run(self, function: Callable[..., Any], positional: list[Any], named: Inputs) -> Any:
        if self.framework != "jax" or self._eager:
            return function(*positional, **named)
        import jax

        arrays = {name: value for name, value in named.items() if isinstance(value, jax.Array)}
        others = {name: value for name, value in named.items() if name not in arrays}
        key = (("", str(id(function))), *((name, repr(value)) for name, value in sorted(others.items())))
        if key not in self._jitted:
            self._jitted[key] = jax.jit(lambda args, kept: function(*args, **kept, **others))
        try:
            return self._jitted[key](positional, arrays)
        except Exception as error:
            if not re.search("Tracer|Concret|jit", type(error).__name__):
                raise
            self._eager = True  # what branches on values cannot be compiled
            return function(*positional, **named)

    def _number(self, result: Any) -> Any:
        if self.output is not None:
            result = _item(result, self.output)
        elif isinstance(result, (tuple, list, Mapping)) or hasattr(result, "__dataclass_fields__"):
            raise Unjudged(_which_output(result))
        if hasattr(result, "detach"):
            result = result.detach().cpu()
            result = result.double() if result.is_floating_point() else result
        if result is None:
            raise TypeError("it returns None")
        return np.asarray(result, dtype=np.float64)

    def _prepare(self) -> None:
        if self.framework == "jax":
            import jax

            jax.config.update("jax_enable_x64", self.dtype == "float64")
            jax.config.update("jax_disable_most_optimizations", True)
        if self.framework == "keras":
            import keras

            keras.config.set_floatx(self.dtype)

    def _convert(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        floating = value.dtype.kind == "f"
        if self.framework == "torch":
            import torch

            tensor = torch.from_numpy(value.copy())
            return tensor.to(getattr(torch, self.dtype)) if floating else tensor
        if self.framework == "jax":
            import jax.numpy as jnp

            return jnp.asarray(value, dtype=self.dtype if floating else None)
        if self.framework == "tensorflow":
            return importlib.import_module("tensorflow").convert_to_tensor(
                value.astype(self.dtype) if floating else value
            )
        return value.astype(self.dtype) if floating else value.copy()

    def _constructor(self, init: dict[str, Any]) -> dict[str, Any]:
        """The constructor's arguments, those that are required and not given guessed by their names."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return init
        wanted = {
            name: parameter
            for name, parameter in signature.parameters.items()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        }
        takes_any = any(
            parameter.kind == parameter.VAR_KEYWORD for parameter in signature.parameters.values()
        )
        if not takes_any and (unknown := sorted(set(init) - set(wanted))):
            raise ValueError(
                f"{self.function.__name__} takes no {', '.join(unknown)}; its arguments are: {', '.join(wanted)}"
            )
        for name, parameter in wanted.items():
            if name in init or parameter.default is not parameter.empty:
                continue
            guess = axis_of_size(name)
            if guess is None:
                raise ValueError(
                    f"{self.function.__name__} needs {name}: say --init '{{\"{name}\": ...}}', as JSON; "
                    'the name of an axis, such as "V", stands for its size'
                )
            init[name] = guess
        return init


class Parameters:
    """What a callable takes: names in order, which are required, which come by position only."""

    def __init__(self, signature: inspect.Signature) -> None:
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        self.named = {
            name: parameter for name, parameter in signature.parameters.items() if parameter.kind not in kinds
        }
        self.names = list(self.named)
        self.positional = [name for name, one in self.named.items() if one.kind == one.POSITIONAL_ONLY]
        self.required = [name for name, one in self.named.items() if one.default is one.empty]

    def annotation(self, name: str) -> str:
        """The annotation as a text, empty where there is none."""
        found = self.named[name].annotation
        return "" if found is inspect.Parameter.empty else getattr(found, "__name__", str(found))

    def default(self, name: str) -> Any:
        """The default, None where there is none."""
        found = self.named[name].default
        return None if found is inspect.Parameter.empty else found


def _parameters(function: Callable[..., Any]) -> Parameters:
    """The parameters of a function, of a module's `forward`, of a Keras loss's `__call__`.

    Raises `ValueError` where they cannot be seen.
    """
    seen = getattr(function, "forward", function)
    try:
        return Parameters(inspect.signature(seen))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the parameters of {function!r} cannot be seen: {error}") from error


def sizes_of(arguments: Sequence[Argument], inputs: Inputs) -> dict[str, int]:
    """The sizes of the axes that these inputs have."""
    found: dict[str, int] = {}
    for argument in arguments:
        if argument.is_array and argument.name in inputs:
            found |= dict(zip(argument.axes, np.shape(inputs[argument.name]), strict=False))
        elif argument.kind == "size" and argument.name in inputs:
            found[argument.axes[0]] = inputs[argument.name]
    return found


def short(error: BaseException, most: int = 300) -> str:
    """An error in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= most else text[: most - 3] + "..."


def _item(result: Any, output: int | str) -> Any:
    try:
        if isinstance(output, str) and not isinstance(result, Mapping):
            return getattr(result, output)
        return result[output]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unjudged(f"the result has no {output!r}; {_which_output(result)}") from error


def _which_output(result: Any) -> str:
    """What there is to choose from, and how."""
    if isinstance(result, Mapping):
        items = list(result.items())
    elif hasattr(result, "_fields"):
        items = [(name, getattr(result, name)) for name in result._fields]
    elif hasattr(result, "__dataclass_fields__"):
        items = [(name, getattr(result, name)) for name in result.__dataclass_fields__]
    elif isinstance(result, (tuple, list)):
        items = list(enumerate(result))
    else:
        return f"it returns a {type(result).__name__}"
    told = ", ".join(f"{name} of shape {tuple(np.shape(_plain(value)))}" for name, value in items)
    return f"it returns a {type(result).__name__}: {told}; say which with --output"


def _plain(value: Any) -> Any:
    return value.detach().cpu() if hasattr(value, "detach") else value


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what the loss prints, and without warnings: its floats may well overflow at odd inputs."""
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
