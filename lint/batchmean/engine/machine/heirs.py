"""What classes that inherit from one another have under a name, read off their syntax alone."""

from __future__ import annotations

import ast
from functools import lru_cache

from batchmean.engine.domain.values import ClassValue
from batchmean.engine.machine.base import Machine
from batchmean.engine.syntax import root_of
from batchmean.nodes import FUNCTIONS, nodes


def gives_another(machine: Machine, cls: ClassValue, name: str) -> bool:
    """Does a class that inherits from this one have something else under a name: its own, or that of another base?"""
    return any(name in own_names(heir.node) for heir in machine.heirs(cls))


@lru_cache(maxsize=256)
def own_names(cls: ast.ClassDef) -> frozenset[str]:
    """What a class defines in its body, and the attributes of `self` that its methods set."""
    found: set[str] = set()
    for node in cls.body:
        if isinstance(node, FUNCTIONS):
            found.add(node.name)
            found.update(
                inner.attr
                for inner in nodes(node)
                if isinstance(inner, ast.Attribute)
                and not isinstance(inner.ctx, ast.Load)
                and isinstance(inner.value, ast.Name)
                and inner.value.id == "self"
            )
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


@lru_cache(maxsize=256)
def sets_any(cls: ast.ClassDef) -> bool:
    """Does a method of a class set attributes whose names are known at run time only?"""
    for node in nodes(cls):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) > 1:
            if not isinstance(node.args[1], ast.Constant) and root_of(node.args[0]) == "self":
                return True
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "update":
            holder = node.func.value
            if isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
                return True
            if (
                isinstance(holder, ast.Call)
                and isinstance(holder.func, ast.Name)
                and holder.func.id == "vars"
            ):
                return True
    return False
