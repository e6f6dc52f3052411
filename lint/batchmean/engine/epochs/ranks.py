"""Losses whose gradients `DistributedDataParallel` averages over the ranks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from batchmean.engine.domain.tensors import Place
from batchmean.engine.epochs.calls import Calls
from batchmean.engine.epochs.spelling import last_name
from batchmean.engine.epochs.syntax import functions_of, innermost
from batchmean.engine.events import Miscount
from batchmean.gate import AVERAGES_RANKS
from batchmean.nodes import nodes

_MAKES_UP: Final = frozenset(
    "all_reduce world_size get_world_size all_gather all_gather_into_tensor reduce gather num_processes num_replicas"
    " dp_size register_comm_hook all_gather_object".split()
)
"""What is used where ranks count together, or where a loss is multiplied by their number."""


def rank_means(tree: ast.Module, walk: Calls) -> Iterator[Miscount]:
    """Means over the valid positions of one rank whose gradients are averaged over the ranks.

    Both sides have to be shown: the model that the function calls is wrapped in this module under that name, and the
    loss is a mean over positions whose number differs. Where a function counts over the ranks, or knows how many there
    are, nothing is said: that may make up for it.
    """
    wrapped = dict(_wrapped(tree))
    if not wrapped or "register_comm_hook" in _names(tree):
        return
    functions = functions_of(tree)
    models: dict[ast.AST, ast.Call | None] = {}
    for call, figure in walk.backward.items():
        if figure.how != "mean" or not figure.per_token or not figure.is_whole:
            continue
        scope = innermost(functions, call) or tree
        if scope not in models:
            models[scope] = _averaged_in(scope, wrapped)
        if (wrap := models[scope]) is not None:
            places = (
                *figure.places,
                Place(wrap, "the gradients of this model are averaged over the ranks"),
                Place(call, "every rank weighs the same, whatever the number of its positions"),
            )
            yield Miscount(call, "micro-batch token mean", places, False, None, None, "ranks of gradients")


def _averaged_in(scope: ast.AST, wrapped: Mapping[str, ast.Call]) -> ast.Call | None:
    """What wraps the model that is called here, where nothing may make up for that."""
    if _names(scope) & _MAKES_UP:
        return None
    called = {last_name(node.func) for node in nodes(scope) if isinstance(node, ast.Call)}
    return next((wrapped[name] for name in wrapped if name in called), None)


def _wrapped(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """The names of models that are wrapped, each with the call that does it."""
    own = {AVERAGES_RANKS}
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom):
            own |= {alias.asname for alias in node.names if alias.name == AVERAGES_RANKS and alias.asname}
    for node in nodes(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if last_name(node.value.func) in own:
                yield from ((last_name(target), node.value) for target in node.targets if last_name(target))


def _names(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found
