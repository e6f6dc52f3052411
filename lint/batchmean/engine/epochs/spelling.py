"""What the names in training code say: paths, the last part of a name, the accumulation steps."""

from __future__ import annotations

import ast
import re
from typing import Final

from batchmean.nodes import nodes

STEPS: Final = re.compile(r"accum|(^|_)acc_(steps?|iters?)|(^|_)iter_size$", re.I)
"""What people call the number of batches whose gradients are added up."""
RANKS: Final = re.compile(
    r"^(get_)?(world_?size|num_processes|nprocs|num_replicas(_in_sync)?|n_?gpus?|num_gpus|device_count|dp_size)$",
    re.I,
)
"""What people call the number of ranks."""
BATCH_SIZE: Final = re.compile(r"^(train_|val_|test_|eval_|mini_?)?(batch_?size|bs|bsz)$", re.I)
"""What people call the number of examples in a batch."""
BATCHES: Final = re.compile(r"load|batch|(^|_)(dl|iter|iterator|generator|gen)$", re.I)
"""What people call that which gives batches."""
STEM: Final = re.compile(
    r"_?(data)?_?(loader|set|data|iter|generator|gen|batches|dl|ds|queue|examples|samples)s?$"
)
"""What data, and what gives batches of it, are called beside their own name."""
PER_BATCH: Final = re.compile(
    r"(batch|step|iter(ation)?)[ _-]?(loss|elbo|nll|avg|average|mean)\b"
    r"|(loss|elbo|nll|average|avg|mean)[ _-]?(per|/|of|for)?[ _-]*(a |one |each )?(mini[ _-]?)?batch(?!e)",
    re.I,
)
"""What says of a figure that it is meant for a batch, not for an example: `avg_batch_loss`, "loss per batch"."""
REDUCTIONS: Final = frozenset("reduction size_average reduce ignore_index".split())
"""The attributes of a criterion that say how it reduces."""
ITEMS: Final = "num_items_in_batch"
"""What Hugging Face's Trainer calls the number of valid labels in all batches of one step of the optimizer."""


def path_of(node: ast.expr) -> str:
    """`a.b`, `a["b"]`, `a[0]` or `a[b]` as the name that something is stored under; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = path_of(node.value)
        return f"{base}.{node.attr}" if base else ""
    if isinstance(node, ast.Subscript):
        base = path_of(node.value)
        index = node.slice
        if base and isinstance(index, ast.Constant) and type(index.value) in (str, int):
            return f"{base}[{index.value!r}]"
        if base and isinstance(index, ast.Name):
            return f"{base}[{index.id}]"
    return ""


def paths_in(node: ast.AST) -> frozenset[str]:
    """The names that an expression reads, each with its attributes: `args.mode`, and not `args`."""
    found, todo = set[str](), [node]
    while todo:
        one = todo.pop()
        path = path_of(one) if isinstance(one, ast.expr) else ""
        if path:
            found.add(path)
        else:
            todo.extend(ast.iter_child_nodes(one))
    return frozenset(found)


def last_name(node: ast.expr) -> str:
    """What is called so: `criterion` for `self.criterion`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.id if isinstance(node, ast.Name) else ""


def setting_name(node: ast.expr) -> str:
    """What a number is called: `steps` for `args.steps`, `config["steps"]`, `steps(devices)` and `max(steps, 1)`."""
    while isinstance(node, ast.Call):
        node = node.args[0] if last_name(node.func) in ("float", "int", "max") and node.args else node.func
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return last_name(node)


def divisor_name(node: ast.AST) -> str:
    """What the divisor of a division is called."""
    match node:
        case ast.BinOp(right=by) | ast.AugAssign(value=by) | ast.Call(args=[by]) | ast.Call(args=[_, by]):
            return setting_name(by)
    return ""


def terms_divided(node: ast.AST) -> int:
    """How many terms `(a + b + c) / n` divides."""
    terms, left = 1, node.left if isinstance(node, ast.BinOp) else None
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        terms, left = terms + 1, left.left
    return terms


def share_a_name(data: str, loader: str) -> bool:
    """`train_data` and `train_loader`: are they called alike, but for what they are?"""
    one, other = (STEM.sub("", name.lower()) for name in (data, loader))
    return bool(one) and one == other and data.lower() != loader.lower() and bool(STEM.search(data.lower()))


def is_told_per_batch(statement: ast.AST | None) -> bool:
    """Does a statement store or print what it works out as the figure of a batch?"""
    if statement is None:
        return False
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    called = [last_name(target) for target in targets if isinstance(target, ast.expr)]
    for node in nodes(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            called.append(node.value)
        elif isinstance(node, ast.keyword):
            called.append(node.arg or "")
    return any(map(PER_BATCH.search, called))


def says_more(parameter: str, name: str) -> bool:
    """Is a parameter said to give batches, where what the caller hands over is called something else?"""
    return BATCHES.search(parameter) is not None and BATCHES.search(name) is None
