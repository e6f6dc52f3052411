"""Which functions of a module are worth walking, by their text alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from batchmean.engine.epochs.rounds import MAX_DEPTH
from batchmean.engine.epochs.syntax import AnyFunction, is_automatic, is_trainer
from batchmean.gate import (
    AVERAGES_RANKS,
    accumulates,
    adds_to_attributes,
    adds_up_here,
    compares_ranks,
    gives_figures,
    has_loops,
    trains_ranks,
)
from batchmean.nodes import BLOCKS, FUNCTIONS, nodes

_MAKING: Final = re.compile(r"Loader|yield|Dataset|return\b")

_RANKED: Final = re.compile(r"all_?reduce|gather|\breduce\(|sync_dist")

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_CALLED: Final = re.compile(r"(?<!def )\b(\w+)\(")
_ASSIGNED: Final = re.compile(r"^\s*(?:self\.)?(\w+)\s*=(?!=)(.*)$")


GIVEN: Final = re.compile(
    r"batch(?!_?(idx|size|index|nb|no))|input|label|target|mask|token|logits|image|data|sample|example|^(x|y)s?$"
)
"""What people call the part of the data that a step is given."""
STEP_METHODS: Final = ("training_step", "compute_loss")
"""The methods that Lightning's and Hugging Face's trainers call with each batch."""
TOLD_METHODS: Final = ("validation_step", "test_step")
"""Those that Lightning's calls to tell of something."""


class Wanted:
    """The functions whose loops may add up losses, those that call one, and what these may call for a figure."""

    def __init__(self, tree: ast.Module, lines: Sequence[str]) -> None:
        functions: list[AnyFunction] = []
        todo: list[ast.AST] = list(tree.body)
        while todo:
            node = todo.pop()
            if isinstance(node, FUNCTIONS):
                functions.append(node)
            for block in BLOCKS:
                todo += getattr(node, block, ())
        texts = {f: "\n".join(lines[f.lineno - 1 : f.end_lineno]) for f in functions}
        words = {f: frozenset(_WORD.findall(text)) for f, text in texts.items()}
        giving = {f for f, text in texts.items() if gives_figures(text)}
        self._figures = giving | {f for f, text in texts.items() if _MAKING.search(text)}
        adding = {f: text for f, text in texts.items() if adds_up_here(text)}
        keeping = {f for f, text in texts.items() if adds_to_attributes(text)}
        looping = (
            {f for f, text in texts.items() if f not in adding and has_loops(text)} if keeping else set()
        )
        adding |= {f: texts[f] for f in _calling(looping, words, {f.name for f in keeping})}
        handing_on = {f: text for f, text in texts.items() if "return" in text}
        handed = {f for f in giving if f in handing_on}
        made = {match[1] for line in lines if (match := _ASSIGNED.match(line)) and gives_figures(match[2])}
        handed |= _calling(handing_on, words, made)
        _close(handing_on, words, handed)
        self._figures |= handed
        self._nodes = {f for f in adding if f in giving}
        text = "\n".join(lines)
        is_ranked = trains_ranks(text)
        accumulating = {
            f for f, own in texts.items() if accumulates(own) or (is_ranked and "backward(" in own)
        }
        self.steps = frozenset(_steps(tree, texts)) if accumulates(text) else frozenset[AnyFunction]()
        """The functions that are called with each batch by something that is not shown."""
        self._nodes |= accumulating | self.steps
        makers = made | {f.name for f in handed}
        keepers = {f.name for f in (keeping & giving) | _calling(keeping, words, makers)}
        self._nodes |= _calling(adding, words, makers) | _calling(looping, words, keepers)
        self.called = frozenset(_CALLED.findall(text))
        """Every name that is called, or may be."""
        self._nodes |= {f for f, own in texts.items() if f in giving and _RANKED.search(own)}
        self.trains = accumulates(text) or "backward" in text
        """Is something trained here?"""
        self.wraps = AVERAGES_RANKS in text
        """Could a model be wrapped, so that its gradients are averaged over the ranks?"""
        own = "\n".join(line for line in _outside(lines, tree))
        self.is_empty = not self._nodes and not adds_up_here(own) and not accumulates(own)
        """Is there nothing to look at?"""
        _close(texts, words, self._nodes)

    def __contains__(self, node: ast.AST) -> bool:
        return node in self._nodes

    def may_give(self, node: ast.AST) -> bool:
        """Is a call of it worth following?"""
        return node in self._nodes or node in self._figures


def _steps(tree: ast.Module, texts: Mapping[AnyFunction, str]) -> Iterator[AnyFunction]:
    """Methods that a trainer calls with each batch, and functions that are averaged over devices."""
    is_synced = any("sync_dist" in text for text in texts.values())
    names = STEP_METHODS + TOLD_METHODS if is_synced else STEP_METHODS
    for node in nodes(tree):
        if isinstance(node, ast.ClassDef) and (is_trainer(node) or is_automatic([node])):
            yield from (m for m in node.body if isinstance(m, FUNCTIONS) and m.name in names)
    outer = [f for f, text in texts.items() if "pmean(" in text or _is_of_ranks(f, text)]
    yield from (f for f in outer if not any(f is not other and _holds(other, f) for other in outer))


def _is_of_ranks(function: AnyFunction, text: str) -> bool:
    """Is it called with one batch, and are the figures of ranks compared in it?"""
    names = [parameter.arg for parameter in (*function.args.args, *function.args.kwonlyargs)]
    return compares_ranks(text) and "for " not in text and any(map(GIVEN.search, names))


def _holds(outer: AnyFunction, inner: AnyFunction) -> bool:
    return outer.lineno <= inner.lineno and (inner.end_lineno or 0) <= (outer.end_lineno or 0)


def _calling(
    functions: Iterable[AnyFunction], words: Mapping[AnyFunction, Set[str]], names: Set[str]
) -> set[AnyFunction]:
    """Those of the functions whose text names one of these."""
    return {function for function in functions if not names.isdisjoint(words[function])}


def _close(
    functions: Iterable[AnyFunction], words: Mapping[AnyFunction, Set[str]], wanted: set[AnyFunction]
) -> None:
    """Add what names one of the functions, and what names that, as deep as calls are followed."""
    left = [function for function in functions if function not in wanted]
    new = {f.name for f in wanted}
    for _ in range(MAX_DEPTH):
        found = _calling(left, words, new)
        if not found:
            return
        wanted |= found
        left = [function for function in left if function not in found]
        new = {f.name for f in found}


def _outside(lines: Sequence[str], tree: ast.Module) -> list[str]:
    """The lines of the module that stand in no function or class of it."""
    kept = list(lines)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                kept[number] = ""
    return kept
