"""The catalogue: rewrites register themselves here, by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from benchmarks.rewrites.programs import Program

Apply = Callable[[ast.Module, Program], ast.Module | str | None]


@dataclass(frozen=True)
class Rewrite:
    """A way of writing a module otherwise that leaves its maths alone.

    `apply` changes a program's tree, or returns None where there is nothing to change. `moves` says that the
    reductions may land in a function of another name. `codes` names codes that stand for others afterwards: a
    mean that is written as a division is reported as one. `mends` names codes whose mistake may be gone
    afterwards: an unknown divisor may be the one that was missing. `tells_less` says that it hides names, or how
    many axes there are: findings that are not proved may go, and none may be proved that was not. `runs` is False
    where the module cannot be executed as before: a batch comes in one argument, say. `makes` names codes whose
    mistake the rewrite itself makes: an average over a loader is one of perplexities.
    """

    name: str
    sentence: str
    apply: Apply
    moves: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    mends: Set[str] = frozenset()
    tells_less: bool = False
    runs: bool = True
    makes: Set[str] = frozenset()

    def rewritten(self, program: Program) -> str | None:
        """The program's text afterwards, or None where it stays as it is."""
        tree = self.apply(program.tree(), program)
        if tree is None:
            return None
        text = tree if isinstance(tree, str) else ast.unparse(ast.fix_missing_locations(tree))
        return None if text == program.source else text


EPOCHS: Final = frozenset(("BMN501", "BMN502", "BMN503", "BMN504", "BMN505", "BMN506"))
"""What is told of a total only where it is shown on every way what was added up, and that nothing is done to the
quotient."""
REWRITES: dict[str, Rewrite] = {}


def rewrite(
    name: str,
    sentence: str,
    *,
    moves: bool = False,
    codes: Mapping[str, str] | None = None,
    mends: Set[str] = frozenset(),
    tells_less: bool = False,
    runs: bool = True,
    makes: Set[str] = frozenset(),
) -> Callable[[Apply], Apply]:
    """Register a function as the rewrite of this name."""

    def register(apply: Apply) -> Apply:
        if name in REWRITES:
            raise ValueError(f"two rewrites are called {name}")
        REWRITES[name] = Rewrite(name, sentence, apply, moves, codes or {}, mends, tells_less, runs, makes)
        return apply

    return register
