"""What following a call may ask of the interpreter, beside what a primitive may."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from batchmean.engine.context import Context
from batchmean.engine.domain.values import ClassValue, FunctionValue, Scope, Value
from batchmean.engine.machine.rounds import Rounds


class Machine(Context):
    """A context that knows the functions and classes of the code."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        super().__init__(lines)
        self.rounds: list[Rounds] = []
        """The loops that stand around a statement, in the function that is read."""

    @abstractmethod
    def in_each_round(
        self, value: Value, added: ast.expr, node: ast.AST, loops: Sequence[Rounds] = ()
    ) -> Value:
        """What is added up in each round of `loops`, or of those around it, as the expression `added`."""

    @abstractmethod
    def evaluate_in(self, scope: Scope, node: ast.expr) -> Value:
        """The value of an expression in another scope, such as a default argument."""

    @abstractmethod
    def find_method(self, cls: ClassValue, name: str, skip_own: bool = False) -> Value | None:
        """A class attribute, looked up through the local base classes."""

    @abstractmethod
    def bases_of(self, cls: ClassValue) -> Iterator[ClassValue]:
        """The classes of the code that a class is derived from, the nearest first."""

    @abstractmethod
    def call_function(
        self,
        function: FunctionValue,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.AST,
        standalone: bool = False,
    ) -> Value:
        """Follow a call into a function whose code is at hand."""

    @abstractmethod
    def note_changes(self, function: FunctionValue, args: list[Value], kwargs: dict[str, Value]) -> None:
        """Take down what a call changes that is not followed."""

    @abstractmethod
    def classes(self) -> Sequence[ClassValue]:
        """The classes of the module."""

    @abstractmethod
    def heirs(self, cls: ClassValue) -> Sequence[ClassValue]:
        """The classes of the module that inherit from a class, and their other bases in it."""

    @property
    @abstractmethod
    def follows_imports(self) -> bool:
        """Are other modules of the project read?"""

    @abstractmethod
    def imported(self, name: str, *, always: bool = False) -> Value | None:
        """What a dotted name stands for in another module of the project; None where that is not known."""

    @abstractmethod
    def word_of(self, value: Value) -> Value:
        """What something is compared with: the word that a member of an Enum, or a constant, is in another module."""

    @abstractmethod
    def changes(self, name: str) -> bool:
        """Does a function of the module that is linted change a table of this name?"""
