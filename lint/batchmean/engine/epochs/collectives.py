"""Figures that ranks add up or gather: what is divided by the number of ranks then gives every rank the same weight."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.losses import Losses
from batchmean.engine.epochs.spelling import last_name, path_of
from batchmean.engine.epochs.values import Count, Figure, Function, Several, Value

GATHERS: Final = frozenset("gather gather_for_metrics all_gather".split())
"""Methods that give what every rank holds, side by side."""
REDUCES: Final = frozenset("reduce all_reduce".split())
MEANS: Final = frozenset("all_reduce_mean allreduce_mean get_all_reduce_mean reduce_mean mean_reduce".split())
"""What people call a helper that averages over the ranks."""
_ASKED: Final = frozenset("op reduction reduce_op".split())
"""The arguments that say how the ranks are reduced."""


class Collectives(Losses):
    """What becomes of a figure that is reduced over the ranks."""

    def reduced_in_place(self, call: ast.Call) -> None:
        """`dist.all_reduce(loss)`, which changes what it is given."""
        if not isinstance(call.func, ast.Attribute) or "reduce" not in call.func.attr:
            return
        for argument in call.args:
            path = path_of(argument)
            stored = self.names.get(path) if path else None
            if isinstance(stored, Figure) and not stored.loops and stored.how != "epoch":
                self.names[path] = self._over_ranks(stored, call)
            elif isinstance(stored, Figure) and stored.loops:
                self.names[path] = altered(stored, ranks=call)
            elif isinstance(stored, Count) and stored.loops:
                self.names[path] = self.withdraw(stored)

    def collected(self, name: str, args: Sequence[Value], node: ast.Call) -> Value | None:
        """`accelerator.gather(loss)` and `accelerator.reduce(loss, reduction="mean")`; None for anything else."""
        figure = args[0] if args else None
        if name == "reduce" and len(args) > 1 and isinstance(args[1], Figure):
            return self._over_replicas(args[1], node)
        if not isinstance(figure, Figure) or figure.loops or figure.how == "epoch":
            return None
        if name in GATHERS:
            return altered(figure, ranks=node)
        return self._over_ranks(figure, node) if name in REDUCES and len(node.args) == 1 else None

    def averaged_by_default(self, figure: Figure, node: ast.Call) -> Figure:
        """Horovod's `allreduce(loss)`, which takes the mean unless it is asked for something else."""
        if figure.loops or figure.how == "epoch":
            return altered(figure, how="epoch", ranks=None)
        asked = [k.value for k in node.keywords if k.arg in ("op", "average")]
        how = _name_of(asked[0]) if asked else "average"
        figure = altered(figure, ranks=node)
        if how in ("average", "true"):
            return self.mean_of_ranks(figure, node)
        return figure if how in ("sum", "false") else altered(figure, how="epoch", ranks=None)

    def run_on_replicas(self, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value | None:
        """`strategy.run(step, args=(batch,))`: what each replica gives; None where something else is run."""
        given = kwargs.get("args", args[1] if len(args) > 1 else None)
        if not args or not isinstance(args[0], Function) or not isinstance(given, Several):
            return None
        return self.follow(args[0], given.items, {})

    def follow(self, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
        """Call a function of the module."""
        raise NotImplementedError

    def told_of_ranks(self, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.Call) -> None:
        """Lightning's `self.log(name, loss, sync_dist=True)`: it averages over batches and ranks, by their examples.

        `batch_size` may be the number of the positions that count.
        """
        value = args[1] if len(args) > 1 else kwargs.get("value")
        synced = next((k.value for k in node.keywords if k.arg == "sync_dist"), None)
        is_synced = isinstance(synced, ast.Constant) and synced.value is True
        is_otherwise = any(k.arg in ("reduce_fx", "batch_size", None) for k in node.keywords)
        if is_synced and isinstance(value, Figure) and not is_otherwise:
            self.mean_of_ranks(altered(value, ranks=node), node, "logged")

    def _over_replicas(self, figure: Figure, node: ast.Call) -> Figure:
        """`strategy.reduce(op, loss, axis=None)`."""
        how = _name_of(node.args[0]) if node.args else ""
        if figure.loops or figure.how == "epoch" or how not in ("mean", "sum"):
            return altered(figure, how="epoch", ranks=None)
        figure = altered(figure, ranks=node)
        return figure if how == "sum" else self.mean_of_ranks(figure, node)

    def mean_of_ranks(self, figure: Figure, node: ast.AST, about: str = "figures of ranks") -> Figure:
        """The mean over what the ranks hold."""
        done = altered(figure, ranks=None)
        if figure.ranks is not None and figure.how == "perplexity" and not figure.loops:
            text = "the exponential is taken on every rank, before the mean over the ranks"
            return self._wrong(done, figure.given_by or node, "mean of perplexities", text, "ranks")
        if (
            figure.ranks is None
            or figure.loops
            or figure.how != "mean"
            or not figure.per_token
            or not figure.is_whole
        ):
            return done
        places = (*figure.places, Place(figure.ranks, "this takes the figures of all ranks"))
        text = "this gives every rank the same weight, whatever the number of its positions"
        done = altered(done, places=places)
        # What averages over the ranks serves figures that it is right for, too: the call is told of.
        return self._wrong(done, figure.given_by or node, "micro-batch token mean", text, about)

    def _over_ranks(self, figure: Figure, call: ast.Call) -> Figure:
        figure = altered(figure, ranks=call)
        asked = [k.value for k in call.keywords if k.arg in _ASKED] or call.args[1:2]
        how = _name_of(asked[0]) if asked else "sum"
        if how in ("avg", "mean"):
            return self.mean_of_ranks(figure, call)
        return figure if how == "sum" else altered(figure, how="epoch", ranks=None)


def _name_of(node: ast.expr) -> str:
    """`ReduceOp.AVG` and `"mean"` by what they say; `"mean" if ... else ...` says nothing."""
    if isinstance(node, ast.Constant):
        return str(node.value).lower()
    return last_name(node).lower()
