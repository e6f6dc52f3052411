"""How this file would write it: the framework of an expression, `axis=` or `dim=` or neither, the quotes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from batchmean.fixes.code import Code
from batchmean.fixes.functions import TAKE_AN_AXIS

_ROOTS = {
    "numpy": "numpy",
    "scipy": "numpy",
    "autograd": "numpy",
    "cupy": "numpy",
    "jax": "jax",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tf_keras": "tensorflow",
    "tensorflow_probability": "tensorflow",
    "paddle": "paddle",
    "mlx": "mlx",
    "tinygrad": "tinygrad",
}


def framework_of(full_name: str | None) -> str | None:
    """The framework that a function belongs to, by its full name."""
    return _ROOTS.get(full_name.partition(".")[0]) if full_name else None


class Idiom:
    """The habits of one file."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def framework(self, places: Iterable[ast.AST]) -> str | None:
        """The framework whose arrays are used at these places, where the code shows it."""
        nodes = [node for place in places for node in ast.walk(place)]
        for node in nodes:
            if isinstance(node, ast.Call):
                found = framework_of(self.code.full_name(node.func))
                if found is not None and self.code.full_name(node.func) != "torch.nn":
                    return found
        imported = {framework_of(name) for name in self.code.imports.values()} - {None}
        for node in nodes if not imported - {"numpy"} or "torch" in imported else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in ("softmax", "log_softmax") or any(k.arg == "dim" for k in node.keywords):
                    return "torch"
        return imported.pop() if len(imported) == 1 else None

    def axis(self, position: int, framework: str | None, *, keep: bool = False) -> str:
        """The arguments of a sum over one axis: `axis=-1`, `dim=1`, `1`; with `keep`, the axis stays, of length 1."""
        words = self._axis_words
        if framework is None:
            # PyTorch takes NumPy's words, too.
            return f"axis={position}, keepdims=True" if keep else f"{position}"
        is_torch = framework == "torch"
        by_position = words[""] > words["axis"] + words["dim"]
        word = "dim" if is_torch and not words["axis"] > words["dim"] else "axis"
        text = f"{position}" if by_position else f"{word}={position}"
        if words["keep_dims"]:  # TensorFlow's word of old
            kept = "keep_dims"
        else:
            kept = "keepdim" if (is_torch and word == "dim") or framework == "paddle" else "keepdims"
        return f"{text}, {kept}=True" if keep else text

    @cached_property
    def _axis_words(self) -> Counter[str]:
        """How often an axis is given as `axis=`, as `dim=`, by its position (``""``); and kept by `keep_dims=`."""
        words: Counter[str] = Counter()
        for node in ast.walk(self.code.tree):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name not in TAKE_AN_AXIS:
                continue
            words.update(k.arg for k in node.keywords if k.arg in ("axis", "dim", "keep_dims"))
            is_function = isinstance(function, ast.Name) or self.code.full_name(function) is not None
            given = node.args[1:2] if is_function else node.args[:1]
            words[""] += sum(_is_number(argument) for argument in given)
        return words

    @cached_property
    def quote(self) -> str:
        """The quotes that the file prefers."""
        strings = (node for node in ast.walk(self.code.tree) if isinstance(node, ast.Constant))
        spans = (self.code.inner(node) for node in strings if isinstance(node.value, str))
        return _majority(self.code.lines[s.line - 1][s.column - 1 : s.column] for s in spans)


def _majority(marks: Iterable[str]) -> str:
    count = Counter(marks)
    return "'" if count["'"] > count['"'] else '"'


def _is_number(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and type(inner.value) is int
