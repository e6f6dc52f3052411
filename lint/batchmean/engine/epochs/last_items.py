"""Totals that are the last item of a list: `losses.append(0)`, `losses[-1] += loss.item()`, `losses[-1] /= n`."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.epochs.calls import Calls
from batchmean.engine.epochs.spelling import path_of
from batchmean.engine.epochs.values import Number, Value

_CHANGING: Final = frozenset("append extend insert pop remove clear sort reverse".split())


class LastItems(Calls):
    """A number that was appended to a list is its last item until the list is changed again."""

    def path(self, node: ast.expr) -> str:
        match node:
            case ast.Subscript(value=base, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))):
                path = f"{path_of(base)}[-1]"
                return path if self.names.find(path) is not None else ""
        return super().path(node)

    def added_up(self, name: str, before: Value, more: Value, node: ast.AST) -> Value:
        if self.names.find(f"{name}[-1]") is not None:
            self.names[f"{name}[-1]"] = self.unknown()  # losses += [x]
        return super().added_up(name, before, more, node)

    def _of_object(
        self,
        base: Value,
        name: str,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call,
        holder: str,
    ) -> Value:
        result = super()._of_object(base, name, args, kwargs, node, holder)
        if holder and name in _CHANGING:
            last = f"{holder}[-1]"
            if name == "append" and len(args) == 1 and isinstance(args[0], Number):
                self.names[last] = Number(args[0].value, self.loops)
            elif self.names.find(last) is not None:
                self.names[last] = self.unknown()
        return result
