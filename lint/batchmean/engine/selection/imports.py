"""Which of the names that a module imports from its own project take a logarithm there, and which reduce."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache, partial
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from batchmean.engine.selection.candidates import Candidates
from batchmean.engine.selection.facts import CRITERIA
from batchmean.engine.selection.relevance import Relevance
from batchmean.functions import Functions, told
from batchmean.gate import (
    holds_a_loss,
    losses,
    makes_means,
    may_average_what_is_given,
    may_hand_to_a_criterion,
    may_hand_to_a_reducer,
    reduces,
    sums,
)
from batchmean.nodes import DEFINITIONS, nodes, statements
from batchmean.project import Module, Project, imported, names_in

MAX_LINES: Final = 25
"""No helper is longer, unless it gives a loss itself."""
_HELPERS: Final = re.compile(
    r"one_hot|onehot|eye\(|scatter|mask|mean|sum\(|softmax|arange|KLDiv|Loss\("
    r"|return [^\n]*(!=|\bne\(|not_equal\()"
    r"|return [\w.]*(exp|pow|sigmoid)\(|\b(\w+) = [\w.]*(exp|pow|sigmoid)\(.*\n\s*return \2$"
)
MAX_HOPS: Final = 2
"""Through so many modules that hand a name on it is followed."""


def leads_to_losses(text: str, project: Project) -> bool:
    """Does a text that reduces something import what gives a loss from a module of its project?

    Or a text that makes log-probabilities what makes criteria, which take the mean of a divergence themselves, or a
    text with a divergence a short function that reduces it?
    """
    marked = told().marked(text)
    if may_average_what_is_given(marked):
        return any(_names(dotted, project.path, project, 0, MAX_HOPS) for dotted in imported(text))
    if may_hand_to_a_criterion(marked) and any(
        all(_names(dotted, project.path, project, which, MAX_HOPS) for which in (0, 1))
        for dotted in imported(text)
        if project.makes_divergences(dotted)
    ):
        return True
    return may_hand_to_a_reducer(marked) and any(
        _names(dotted, project.path, project, 1, 0) for dotted in imported(text) if project.reduces(dotted)
    )


def relevance_of(module: Module) -> Relevance:
    """What matters in the functions of another module."""
    return _read(module, told()).relevance


def is_followed(module: Module, name: str) -> bool:
    """Does a function or a class of another module give a loss, or is it short and helps: a mask, a target, a mean?"""
    if name in _read(module, told()).names[0]:
        return True
    defining = ast.FunctionDef | ast.ClassDef
    node = next((n for n in module.tree.body if isinstance(n, defining) and n.name == name), None)
    if node is None or (node.end_lineno or 0) - node.lineno > MAX_LINES:
        return False
    text = "\n".join(module.lines[node.lineno : node.end_lineno])
    return _may_reduce(text) if isinstance(node, ast.ClassDef) else _HELPERS.search(text) is not None


def names_of(node: ast.stmt, project: Project | None) -> tuple[Set[str], Set[str]]:
    """Of an import: the names that take a logarithm or a divergence, and those that reduce, as they are called here."""
    takers, reducers = _told(node, told())
    if project is None:
        return takers, reducers
    for dotted, local in names_in(node):
        for theirs, here in ((_names(dotted, project.path, project, 0, MAX_HOPS), takers),
                             (_names(dotted, project.path, project, 1, MAX_HOPS), reducers)):  # fmt: skip
            if None in theirs:
                here.add(local)
            here.update(name for name in theirs if name is not None)
    return takers, reducers


def _told(node: ast.stmt, functions: Functions) -> tuple[set[str], set[str]]:
    """The same of functions that the settings tell of."""
    given = _gives(functions)
    takers, reducers = set(given[0]), set(given[1])
    for alias in getattr(node, "names", ()):
        for names, here in zip(given, (takers, reducers), strict=True):
            if alias.asname and alias.name in names:
                here.add(alias.asname)
    return takers, reducers


@lru_cache(maxsize=16)
def _gives(functions: Functions) -> tuple[Set[str], Set[str]]:
    """Of the functions that are told of those that take a logarithm or a divergence, and those that reduce."""
    signs = functions.signs if functions else {}
    reduces_it = (reduces, makes_means, sums)
    return (
        frozenset(last for last, sign in signs.items() if losses(f" {sign}")),
        frozenset(last for last, sign in signs.items() if any(test(sign) for test in reduces_it)),
    )


def _names(dotted: str, importer: str, project: Project, which: int, hops: int) -> Set[str | None]:
    """The names to look out for: None for the one that is imported, of a module all that are in it."""
    found = project.find(dotted.removesuffix(".*"), importer)
    if found is None:
        return frozenset()
    module, rest = found
    if rest and not module.may_hand_on(rest[0]):
        return frozenset()
    if not module.may_give_a_loss:
        return _reducing(module, rest) if which else frozenset()
    # A package may import all names of hundreds of modules: only those that have this one are read.
    is_read = module.holds_a_loss and (not rest or rest[0] in module.text)
    mine = _read(module, told()).names[which] if is_read else frozenset[str]()
    if not rest:
        return frozenset(mine)
    methods = _methods(module, rest[0]) & mine if mine else frozenset[str]()
    held = _read(module, told()).held.get(rest[0], frozenset()) if is_read else frozenset[str]()
    if rest[0] in mine or methods or held:
        return frozenset((None, *methods, *held))
    if not hops:
        return frozenset()
    for further in module.imports_of(rest[0]):
        if names := _names(further, module.path, project, which, hops - 1):
            return names
    return frozenset()


def _reducing(module: Module, rest: tuple[str, ...]) -> Set[str | None]:
    """What a module without a loss has, under a name or at all: short functions and classes that reduce."""
    if not rest:
        return _short_reducers(module)
    if rest[0] not in _short_reducers(module):
        return frozenset()
    return frozenset((None, *_methods(module, rest[0])))


def _short_reducers(module: Module) -> Set[str]:
    """By the text alone: the functions and classes of a module that is not parsed for it."""
    found = _SHORT.get(module)
    if found is None:
        blocks = _DEFINED.split(module.text)[1:] if _may_reduce(module.text) else ()
        pairs = zip(blocks[::2], blocks[1::2], strict=True)
        found = _SHORT[module] = frozenset(
            name for name, text in pairs if text.count("\n") <= MAX_LINES and _may_reduce(text)
        )
    return found


_SHORT: Final[WeakKeyDictionary[Module, Set[str]]] = WeakKeyDictionary()
_DEFINED: Final = re.compile(r"^(?:def|class) (\w+)", re.M)


def _may_reduce(text: str) -> bool:
    return reduces(text) or sums(text)


def _methods(module: Module, name: str) -> Set[str]:
    """The methods of a class, its own and those of its bases in the same module."""
    classes = {node.name: node for node in module.tree.body if isinstance(node, ast.ClassDef)}
    return {method for cls in _with_bases(name, classes) for method in _own_methods(cls)}


def _with_bases(name: str, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """A class and its bases among these."""
    todo, seen = [name], set[str]()
    while todo:
        if (cls := classes.get(todo.pop())) is None or cls.name in seen:
            continue
        seen.add(cls.name)
        yield cls
        todo += [base.id for base in cls.bases if isinstance(base, ast.Name)]


def _own_methods(cls: ast.ClassDef) -> set[str]:
    return {inner.name for inner in cls.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}


class _Read(NamedTuple):
    """What is known of another module by its text."""

    names: tuple[Set[str], Set[str]]
    """Its functions and classes that give a loss, and those that reduce."""
    relevance: Relevance
    held: Mapping[str, Set[str]]
    """For each of its classes the attributes in which there are criteria; for each of its own names that is one, or a
    table of them, that name."""


_KEPT: Final[WeakKeyDictionary[Module, tuple[Functions, _Read]]] = WeakKeyDictionary()
"""As long as its module is kept, for the settings that it was read with."""


def _read(module: Module, functions: Functions) -> _Read:
    kept = _KEPT.get(module)
    if kept is None or kept[0] != functions:
        kept = _KEPT[module] = functions, _read_anew(module, functions)
    return kept[1]


def _read_anew(module: Module, functions: Functions) -> _Read:
    lines = functions.marked_lines(module.lines)
    given_by = partial(_told, functions=functions) if functions else None
    candidates = Candidates(module.tree, lines, imported=given_by)
    givers: set[str] = set()
    classes: dict[str, ast.ClassDef] = {}
    for node in statements(module.tree):
        if isinstance(node, ast.ClassDef):
            classes[node.name] = node
        if isinstance(node, DEFINITIONS) and node.name in candidates.takers:
            if holds_a_loss("\n".join(lines[node.lineno - 1 : node.end_lineno])):
                givers.add(node.name)
    held = dict(_held(module.tree, classes))
    givers.update(*held.values())  # whoever calls a criterion gives a loss, too
    while (
        new := {
            *(f.name for f, calls in candidates.calls.items() if not calls.isdisjoint(givers)),
            *(name for name, cls in classes.items() if not givers.isdisjoint(_own_methods(cls))),
        }
        - givers
    ):
        givers |= new
    return _Read((frozenset(givers), frozenset(candidates.reducers)), Relevance(candidates), held)


def _held(tree: ast.Module, classes: Mapping[str, ast.ClassDef]) -> Iterator[tuple[str, Set[str]]]:
    """The names in which criteria are kept: of a module each by itself, of a class with those of its bases here."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and _makes_criteria(node.value):
            yield from ((t.id, frozenset((t.id,))) for t in node.targets if isinstance(t, ast.Name))
    for name in classes:
        found: set[str] = set()
        for cls in _with_bases(name, classes):
            for inner in nodes(cls):
                if isinstance(inner, ast.Assign) and _makes_criteria(inner.value):
                    found.update(t.attr for t in inner.targets if isinstance(t, ast.Attribute))
        if found:
            yield name, found


def _makes_criteria(node: ast.expr) -> bool:
    """Does it name what makes criteria: `nn.KLDivLoss()`, `{"kl": nn.KLDivLoss}`?"""
    return any(
        (part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else "")
        in CRITERIA
        for part in nodes(node)
    )
