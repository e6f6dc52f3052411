"""What is called and named where, looked up once for all fixes of a file."""

from __future__ import annotations

import ast
from functools import cached_property


class Names:
    """The names in a function, or in the module: each list is in the order in which `ast.walk` comes to them."""

    def __init__(self, scope: ast.AST) -> None:
        self.calls: dict[str, list[ast.Call]] = {}
        """The calls, by the last part of what is called."""
        self.loads_and_stores: dict[str, list[ast.Name]] = {}
        self.parameters: dict[str, list[ast.arg]] = {}
        self.shared: set[str] = set()
        """The names that it says are global or nonlocal."""
        self.assignments: list[ast.Assign] = []
        self._attributes: list[ast.Attribute | ast.Name] = []
        for node in ast.walk(scope):
            if isinstance(node, ast.Call):
                self.calls.setdefault(last_name(node.func), []).append(node)
            elif isinstance(node, ast.Name):
                self.loads_and_stores.setdefault(node.id, []).append(node)
                self._attributes.append(node)
            elif isinstance(node, ast.Attribute):
                self._attributes.append(node)
            elif isinstance(node, ast.arg):
                self.parameters.setdefault(node.arg, []).append(node)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                self.shared.update(node.names)
            elif isinstance(node, ast.Assign):
                self.assignments.append(node)

    @cached_property
    def spelled(self) -> dict[str, list[ast.Name | ast.Attribute]]:
        """The names and attributes, by how they are written."""
        found: dict[str, list[ast.Name | ast.Attribute]] = {}
        for node in self._attributes:
            found.setdefault(ast.unparse(node), []).append(node)
        return found

    @cached_property
    def assigned(self) -> dict[str, list[ast.Assign]]:
        """The assignments, by how their targets are written."""
        found: dict[str, list[ast.Assign]] = {}
        for node in self.assignments:
            for target in dict.fromkeys(map(ast.unparse, node.targets)):
                found.setdefault(target, []).append(node)
        return found


def last_name(function: ast.expr) -> str:
    """The last part of what is called: `mean` of `np.mean` and of `x.mean`."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
