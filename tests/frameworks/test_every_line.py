"""Every line of every table, in a loss with a wrong count: flake8 reports it, so no gate and no slice left it out.

The loss is written once for each primitive; the functions around it are SciPy's and PyTorch's, so that only the one
under test can be missing. A framework is a table: nothing here names one.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchmean import operations
from batchmean.operations.table import Framework, Operation, parse

HEAD = """import numpy
import scipy.special
import torch
{import_it}

def loss(x, q, labels, mu, logvar, flag):
    p = scipy.special.softmax(x, axis=-1)
    logp = scipy.special.log_softmax(x, axis=-1)
    return {loss}
"""

# What is called stands as CALL(argument of the primitive=expression, ...): the table says how it is written.
LOSSES: dict[str, str] = {
    "mean": "-CALL(x=p * logp)",
    "average": "-CALL(x=p * logp)",
    "sum": "-CALL(x=p * logp) / p.size",
    "vdot": "-CALL(x=p.ravel(), y=logp.ravel()) / p.size",
    "einsum": "-CALL('bv,bv->', p, logp) / p.size",
    "einops_reduce": "-CALL(x=p * logp, pattern='b v -> ', reduction='mean')",
    "log": "-numpy.mean(p * CALL(x=p))",
    "log1p": "-numpy.mean(p * CALL(x=p - 1))",
    "log_softmax": "-numpy.mean(p * CALL(x=x, axis=-1))",
    "logsumexp": "-numpy.mean(p * (x - CALL(x=x, axis=-1, keepdims=True)))",
    "xlogy": "-numpy.mean(CALL(x=p, y=p))",
    "entropy_terms": "numpy.mean(CALL(x=p))",
    "relative_entropy_terms": "numpy.mean(CALL(x=p, y=q))",
    "kl_div": "CALL(x=logp, target=p)",
    "kl_div_module": "CALL()(logp, p)",
    "class_loss": "numpy.mean(CALL(x=x, target=labels)) / len(labels)",
    "class_loss_module": "CALL()(x, labels) / len(labels)",
    "keras_loss": "CALL()(logvar, mu) / len(mu)",
    "elementwise_loss": "numpy.mean(CALL(x=mu, target=logvar)) / len(mu)",
    "elementwise_loss_module": "CALL()(mu, logvar) / len(mu)",
    "divide": "CALL(x=-numpy.sum(p * logp), y=p.size)",
    "multiply": "-numpy.mean(CALL(x=p, y=logp))",
    "add": "-numpy.mean(p * CALL(x=logp, y=-scipy.special.log_softmax(q, axis=-1)))",
    "subtract": "numpy.mean(p * CALL(x=logp, y=scipy.special.log_softmax(q, axis=-1)))",
    "negative": "CALL(x=numpy.mean(p * logp))",
    "exp": "-numpy.mean(CALL(x=logp) * logp)",
    "square": "-0.5 * numpy.mean(1 + logvar - CALL(x=mu) - numpy.exp(logvar))",
    "power": "-0.5 * numpy.mean(1 + logvar - CALL(x=mu, y=2) - numpy.exp(logvar))",
    "softmax": "-numpy.mean(CALL(x=x, axis=-1) * logp)",
    "one_hot": "-numpy.mean(CALL(labels=labels, classes=10) * logp)",
    "to_categorical": "-numpy.mean(CALL(labels=labels, classes=10) * logp)",
    "eye": "-numpy.mean(CALL(n=10)[labels] * logp)",
    "identity": "-numpy.mean(CALL(x=p) * logp)",
    "copied": "-numpy.mean(CALL(x=p) * logp)",
    "clip": "-numpy.mean(p * numpy.log(CALL(x=p, high=1.0)))",
    "numel": "-numpy.sum(p * logp) / CALL(x=p)",
    "flatten": "-numpy.mean(CALL(x=p * logp))",
    "sqrt": "-2 * numpy.mean(p * numpy.log(CALL(x=p)))",
}
"""A loss that is wrong, by the primitive that takes part in it."""

NONE_ALONE = {
    "at_least": "bounds a number", "attribute": "is Python's getattr", "smallest": "bounds a number",
    "arange": "makes positions", "range": "makes positions", "zip": "pairs what a loop takes",
    "enumerate": "pairs what a loop takes", "sequence": "makes a list", "reversed": "makes a list",
    "length": "counts rows, a right divisor",
    "array": "takes a list of Python's", "builtin_sum": "adds up a list of Python's", "number": "takes one number",
    "truth": "takes a test",
    "constant_number": "is one number", "prod": "takes the numbers of a shape", "fold": "takes the numbers of a shape",
    "shape": "gives a shape", "size_at": "gives the length of one axis", "rank": "gives a number of axes",
    "class_divergence": "sums over the classes itself", "per_example_loss": "sums over the classes itself",
    "loss_module": "sums over the classes itself", "kl_divergence": "needs distribution objects",
    "distribution_entropy": "needs distribution objects", "distribution_log_prob": "needs distribution objects",
    "elementwise_distribution": "makes a distribution", "event_distribution": "makes a distribution",
    "independent": "wraps a distribution", "sample": "draws from a distribution", "comparison_with": "makes a mask",
    "logical_and": "joins masks", "logical_not": "turns a mask", "sequence_mask": "makes a mask",
    "masked_fill": "fills masked positions", "where": "chooses by a mask", "where_method": "chooses by a mask",
    "select": "takes the classes away", "take": "may take the classes away", "rows": "may take the classes away",
    "index_select": "may take the classes away", "take_where": "takes positions",
    "put_along_axis": "writes positions", "scatter": "writes positions",
    "diagonal": "takes the classes away", "extremum": "is no part of a divergence",
    "extremum_along": "takes the classes away", "reduce_other": "takes the classes away",
    "expm1": "is no part of a class divergence", "logaddexp": "is a part of binary losses",
    "log_sigmoid": "is a part of binary losses", "sigmoid": "is a part of binary losses",
    "xlog1py": "is a part of binary losses", "squared_difference": "is a loss per element",
    "map": "may be any function", "map_call": "calls a function", "same_function": "wraps a function",
    "value_and_grad": "wraps a function", "vmap": "wraps a function", "partial": "wraps a function",
    "haiku_transform": "wraps a function", "layer": "is a part of a model", "dense": "is a part of a model",
    "dense_layer": "is a part of a model", "sequential": "is a part of a model", "stax_serial": "is a part of a model",
    "rows_layer": "is a part of a model", "input_of": "is a part of a model", "reciprocal": "takes a count",
    "matmul": "multiplies matrices of other axes",
    "vstack": "takes a list",
    "tensordot": "names its axes", "concatenate": "takes a list", "stack": "takes a list", "split": "gives a list",
    "moveaxis": "changes the axes alone", "permute": "changes the axes alone", "transpose": "changes the axes alone",
    "rearrange": "changes the axes alone", "reshape": "changes the axes alone", "squeeze": "changes the axes alone",
    "unsqueeze": "changes the axes alone", "expand": "changes the axes alone", "flip": "changes the order alone",
    "repeat": "repeats rows", "repeat_method": "repeats rows", "tile": "repeats rows", "ones": "makes constants",
    "zeros": "makes constants", "zeros_like": "makes constants", "filled_like": "makes constants",
    "full": "makes constants", "dictionary": "makes a table", "namespace": "makes an object",
}  # fmt: skip
"""The primitives that make no wrong count by themselves, and why."""


def test_every_primitive_of_the_tables_has_a_loss_or_a_reason() -> None:
    used = {
        line.partition("(")[0]
        for f in operations.FRAMEWORKS
        for line in (*f.functions.values(), *f.methods.values())
    }
    assert used <= LOSSES.keys() | NONE_ALONE.keys()
    assert not LOSSES.keys() & NONE_ALONE.keys()


class _Written(ast.NodeTransformer):
    """Puts a function in the place of `CALL`, with the arguments under the names that it has for them."""

    def __init__(self, operation: Operation, name: str, is_method: bool) -> None:
        self._operation = operation
        self._name = name
        self._is_method = is_method

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != "CALL":
            return node
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        args: list[ast.expr] = list(node.args)
        keywords: list[ast.keyword] = []
        for names in self._operation.parameters:
            value = given.get(names[0]) if names else None
            if value is None:
                self._skips = True
            elif keywords or self._skips:
                keywords.append(ast.keyword(names[-1], value))
            else:
                args.append(value)
        function = ast.parse(self._name, mode="eval").body
        if self._is_method:
            function = ast.Attribute(args.pop(0), self._name, ast.Load())
        return ast.Call(function, args, keywords)

    _skips = False


def programs(framework: Framework) -> Iterator[tuple[str, str]]:
    """For each function and method that has a loss: its name and a program."""
    for full_name, line in framework.functions.items():
        module, _, _ = full_name.rpartition(".")
        if module not in sys.stdlib_module_names:  # Python's own take numbers, no arrays
            yield from _program(full_name, line, f"import {module}", is_method=False)
    for name, line in framework.methods.items():
        if "." not in name:
            yield from _program(name, line, "", is_method=True)


def _program(name: str, line: str, import_it: str, is_method: bool) -> Iterator[tuple[str, str]]:
    operation = parse(line)
    if (loss := LOSSES.get(operation.primitive)) is not None:
        tree = _Written(operation, name, is_method).visit(ast.parse(loss))
        yield (
            f".{name}" if is_method else name,
            HEAD.format(import_it=import_it, loss=ast.unparse(ast.fix_missing_locations(tree))),
        )


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The functions whose wrong loss flake8 does not report, and the program."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n", encoding="utf-8")
    written: dict[str, tuple[str, str]] = {}
    for number, framework in enumerate(operations.FRAMEWORKS):
        for name, program in programs(framework):
            file = f"loss_{number}_{len(written)}.py"
            written[file] = (name, program)
            (folder / file).write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "flake8", "--isolated", "--select=BMN", "--format=%(path)s", "-j1", "."]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert not found.stderr
    reported = {Path(line).name for line in found.stdout.splitlines()}
    return {name: program for file, (name, program) in written.items() if file not in reported}


def test_flake8_reports_the_loss_of_every_line(silent: dict[str, str]) -> None:
    assert not silent, "\n\n".join(f"{name}\n{program}" for name, program in silent.items())
