"""Which functions and classes of a file compute a loss, and can be called on their own: by reading it, no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_NAME: Final = re.compile(
    r"loss|criterion|entropy|divergence|likelihood|perplexity|objective|"
    r"(^|_)(nll|bce|mse|mae|kl|kld|elbo|js|jsd|ce|xent|focal|dice|huber)(_|\d|$)",
    re.IGNORECASE,
)
"""What people call losses."""
_REDUCES: Final = re.compile(r"\b(mean|sum|reduce_mean|reduce_sum|average|einsum|numel|size|batchmean)\b")
_LIKELIHOOD: Final = re.compile(
    r"log_?softmax|logsumexp|\blog\(|\.log\(|\bcross_entropy|kl_div|nll_loss|logsigmoid|entropy"
)
"""What a function does that is a loss without saying so."""
_NOT_ALONE: Final = re.compile(
    r"\.backward\(|\bopen\(|\bos\.|shutil|subprocess|\.save\(|savefig|requests\.|urlopen|input\(|exit\(|load_dataset"
    r"|from_pretrained|argparse|optimizer|\.fit\(|DataLoader|socket|\.step\(|Session\(|sleep\(|multiprocess|all_reduce"
    r"|all_gather|load_state_dict|torch\.load|download"
)
"""What has effects, needs a model or takes a whole training: it is not called."""
_CALLS: Final = ("forward", "call", "__call__")
_MOST_ARGUMENTS: Final = 8


@dataclass(frozen=True)
class Candidate:
    """A function or class by its name in the module, and the lines it stands on."""

    name: str
    line: int
    end_line: int
    how: str = "function"
    """`function`, `class` (an instance is called), `static`, `without self` or `method` (of a default instance)."""
    spans: tuple[tuple[int, int], ...] = ()
    """Its lines and those of the functions and classes of the file that it uses."""


def candidates(source: str) -> list[Candidate]:
    """The losses of a file. Raises `SyntaxError` and `ValueError` as `ast.parse` does."""
    if not (_NAME.search(source) or _LIKELIHOOD.search(source)):
        return []
    tree = ast.parse(source)
    text = source.splitlines()
    used = {
        node.name: {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    lines = {
        node.name: _span(node) for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    found: list[Candidate] = []
    for node in tree.body:
        for name, how, part in _callables(node):
            if _is_loss(text, part, name):
                own = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)}
                spans = (_span(part), *(lines[one] for one in _reached(own, used)))
                found.append(Candidate(name, *_span(part), how, spans))
    return found


def _callables(node: ast.stmt) -> Iterator[tuple[str, str, Function | ast.ClassDef]]:
    if isinstance(node, ast.FunctionDef):
        yield node.name, "function", node
    if not isinstance(node, ast.ClassDef):
        return
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    # Where it has no call of its own it may inherit one.
    is_called = any(method.name in _CALLS for method in methods) or bool(node.bases)
    if is_called and re.search(
        "loss|criterion|entropy|diverg|likelihood|perplexity", node.name, re.IGNORECASE
    ):
        yield node.name, "class", node
        return
    for method in methods:
        if method.name.startswith("__") or not method.args.args:
            continue
        decorators = {ast.unparse(one) for one in method.decorator_list}
        name = f"{node.name}.{method.name}"
        first = method.args.args[0].arg
        if "staticmethod" in decorators:
            yield name, "static", method
        elif not decorators:
            alone = not any(isinstance(each, ast.Name) and each.id == first for each in ast.walk(method))
            if alone or _NAME.search(method.name):
                yield name, "without self" if alone else "method", method


def _is_loss(lines: Sequence[str], node: Function | ast.ClassDef, name: str) -> bool:
    """Does it look like a loss, and as if it could be called with arrays and nothing else?"""
    text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    own = name.rpartition(".")[2]
    if own.startswith("test") or _NOT_ALONE.search(text):
        return False
    likely = bool(_NAME.search(own)) or bool(_LIKELIHOOD.search(text) and _REDUCES.search(text))
    if not likely:
        return False
    if isinstance(node, ast.ClassDef):
        return True
    if any(isinstance(each, (ast.Yield, ast.YieldFrom, ast.Await)) for each in ast.walk(node)):
        return False
    required = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    returns = any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node))
    return returns and 0 < required <= _MOST_ARGUMENTS


def _reached(names: set[str], used: dict[str, set[str]]) -> Sequence[str]:
    """The file's own functions and classes that these names lead to."""
    found: dict[str, None] = {}
    sought = sorted(names)
    while sought:
        name = sought.pop()
        if name in used and name not in found:
            found[name] = None
            sought += sorted(used[name])
    return list(found)


def _span(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno
