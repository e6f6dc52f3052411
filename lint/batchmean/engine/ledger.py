"""The ledger: all that was noted while a module was walked, for the rules to read. The engine ends here."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Reduction
from batchmean.engine.domain.values import Const, FunctionValue, Value
from batchmean.engine.events import Miscount


@dataclass(frozen=True, eq=False, slots=True)
class Addition:
    """Two losses that the code adds up, or subtracts."""

    node: ast.AST
    sides: tuple[tuple[Reduction, ...], tuple[Reduction, ...]]


@dataclass(eq=False)
class Ledger:
    """What was seen of a module. Keys are those of atoms."""

    accounts: list[Reduction] = field(default_factory=list)
    """Every reduction of an integrand, and every change of its account."""
    additions: list[Addition] = field(default_factory=list)
    """Losses that were added up."""
    exponentials: list[tuple[ast.AST, tuple[Reduction, ...]]] = field(default_factory=list)
    """Exponentials of reduced losses."""
    discarded: list[tuple[ast.expr, Value]] = field(default_factory=list)
    """Statements that divide, and what they give, which nothing takes."""
    defined: list[FunctionValue] = field(default_factory=list)
    """Every function of the module that was met."""
    decorated: dict[int, Value] = field(default_factory=dict)
    """What decorators made of functions, by the identity of these, where it is something else."""
    handed: set[ast.AST] = field(default_factory=set)
    """The functions that the module's own decorators were given."""
    origins: dict[ast.AST, ast.expr] = field(default_factory=dict)
    """What was assigned to a name, by the node of the name."""
    seen: set[ast.AST] = field(default_factory=set)
    """Every call and operation that was evaluated."""
    mapped: set[ast.AST] = field(default_factory=set)
    """What reduces or divides in a function that is mapped over a batch."""
    rounds: list[Axis] = field(default_factory=list)
    """The axes that loops and comprehensions run through: their lengths are numbers of rounds."""
    other_reduced: set[tuple[ast.AST, tuple[ast.AST, ...]]] = field(default_factory=set)
    """Where something that is no integrand is reduced."""
    summed_events: set[int] = field(default_factory=set)
    """Distributions whose log_prob is summed over the event axis."""
    averaged_events: set[int] = field(default_factory=set)
    """Distributions whose log_prob is averaged over every element."""
    labels: set[int] = field(default_factory=set)
    """What one of the classes was chosen by: where it is negative there is no label."""
    all_valid: set[int] = field(default_factory=set)
    """Labels each of which chose a class, as it is: none of them is negative."""
    compared: set[int] = field(default_factory=set)
    """What was asked whether it is negative before it was known to be labels."""
    picked: set[int] = field(default_factory=set)
    """Rows that other code has picked: none of them is padding, most likely."""
    unequal: dict[int, int] = field(default_factory=dict)
    """What comparisons gave, `y != 3`, and masks among these, by their keys: the key of what is unequal there."""
    applied: set[int] = field(default_factory=set)
    """Masks that are used for something else than to be counted."""
    given: dict[int, tuple[Shape, ...]] = field(default_factory=dict)
    """The shapes of what unknown functions were given, by the key of what they gave."""
    defaults: dict[int, Const] = field(default_factory=dict)
    """The default values of parameters that are unknown."""
    divided_for_show: list[Miscount] = field(default_factory=list)
    """Divisions of the number in a tensor, of which its gradient knows nothing."""
    find_totals: Callable[[], list[Miscount]] = list
    """Finds `totals`."""
    imported: Mapping[str, str] = field(default_factory=dict)
    """The full names of what the module imports, by its own names."""
    imported_elsewhere: Mapping[str, str] = field(default_factory=dict)
    """The same of the modules that it calls."""
    work: int = 0
    """How many statements and expressions were read."""
    reached: set[str] = field(default_factory=set)
    """The bounds of the work that were reached, as `bounds` names them."""

    @cached_property
    def totals(self) -> list[Miscount]:
        """What training loops add up over batches and divide by the wrong count: a walk of its own, when asked for."""
        return self.find_totals()

    def is_of_rounds(self, axis: Axis) -> bool:
        """Do loops run through this axis? To be asked when everything has been read."""
        return id(axis.root()) in self._rounds

    @cached_property
    def _rounds(self) -> frozenset[int]:
        return frozenset(id(axis.root()) for axis in self.rounds)

    def final(self) -> list[Reduction]:
        """The accounts that no later one goes on from."""
        ancestors: set[int] = set()
        for account in self.accounts:
            parent = account.parent
            while parent is not None and (its_id := id(parent)) not in ancestors:
                ancestors.add(its_id)
                parent = parent.parent
        return [account for account in self.accounts if id(account) not in ancestors]
