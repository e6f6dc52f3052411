"""What the text of a module says of its training: what is trained, and which labels are ignored."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from batchmean.engine.epochs.rounds import IGNORED
from batchmean.engine.epochs.spelling import last_name, path_of
from batchmean.engine.epochs.wanted import STEP_METHODS
from batchmean.nodes import nodes

_LANGUAGE_MODEL: Final = re.compile(
    r"(CausalLM|Seq2SeqLM|MaskedLM|LMHeadModel|TokenClassification|SpeechSeq2Seq|Vision2Seq)$"
)
_COLLATORS: Final = re.compile(
    r"^DataCollatorFor(Seq2Seq|TokenClassification|CompletionOnlyLM|WholeWordMask)$"
)
"""What labels the padding with -100."""
_FILLS: Final = re.compile(r"fill|full|where|pad")
_FILLING: Final = re.compile(r"^(?!ignore_)\w*(pad|fill|label)")
"""What sets elements to a number, and the arguments that say which."""


def trained_in(tree: ast.Module) -> Iterator[str]:
    """The names of the callables, and of the attributes, whose result has its `.backward()` called."""
    backward: set[str] = set()
    made: dict[str, set[str]] = {}
    for node in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "backward":
                backward.update(_names_in(node.func.value))
                for argument in node.args:
                    backward.update(_names_in(argument))  # accelerator.backward(loss)
            elif node.func.attr == "scale":
                for argument in node.args:
                    backward.update(_names_in(argument))
        elif isinstance(node, ast.FunctionDef) and node.name in STEP_METHODS:
            for inner in nodes(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    backward.update(_names_in(inner.value))
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            called = {last_name(n.func) for n in nodes(node.value) if isinstance(n, ast.Call)}
            called |= {n.attr for n in nodes(node.value) if isinstance(n, ast.Attribute)}
            called |= {n.id for n in nodes(node.value) if isinstance(n, ast.Name)}
            for target in targets:
                for element in target.elts if isinstance(target, ast.Tuple) else [target]:
                    made.setdefault(path_of(element), set()).update(called)
    todo = list(backward)
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        todo += made.get(name, ())


def negatives(tree: ast.Module) -> Iterator[float]:
    """The negative numbers that something is set to, filled with or compared to."""
    for node in nodes(tree):
        match node:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                found: list[ast.expr] = [value]
            case ast.Compare(comparators=found):
                pass
            case ast.Call(func=function, args=args, keywords=keywords):
                found = [k.value for k in keywords if _FILLING.search(k.arg or "")]
                found += args if _FILLS.search(last_name(function)) else []
            case ast.IfExp(body=body, orelse=orelse):
                found = [body, orelse]
            case ast.BinOp(left=ast.List(elts=found), op=ast.Mult()):
                pass
            case _:
                continue
        for value in found:
            match value:
                case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                    yield -float(number)


def collated(tree: ast.Module) -> frozenset[float]:
    """The label of the padding, where a collator of `transformers` is made that pads the labels."""
    made = any(isinstance(n, ast.Call) and _COLLATORS.search(last_name(n.func)) for n in nodes(tree))
    return frozenset({IGNORED}) if made else frozenset()


def leaving_out(tree: ast.Module) -> Iterator[str]:
    """The names of criteria that leave out labels: what they ignore is handed to what makes or pads the labels."""
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(given, ast.Attribute) and given.attr == "ignore_index":
                    yield last_name(given.value)


def has_language_model(tree: ast.Module) -> bool:
    """Is a model made whose loss is a mean over the tokens, and none whose loss is one over the examples?"""
    made = [_class_of(node.func) for node in nodes(tree) if isinstance(node, ast.Call)]
    is_language = any(_LANGUAGE_MODEL.search(name) for name in made)
    return is_language and not any(name.endswith("ForSequenceClassification") for name in made)


def _class_of(function: ast.expr) -> str:
    """`AutoModelForCausalLM` of `AutoModelForCausalLM.from_pretrained`."""
    is_made = isinstance(function, ast.Attribute) and function.attr.startswith("from_")
    return (
        last_name(function.value) if is_made and isinstance(function, ast.Attribute) else last_name(function)
    )


def _names_in(node: ast.AST) -> Iterator[str]:
    for inner in nodes(node):
        if isinstance(inner, ast.Name | ast.Attribute) and (path := path_of(inner)):
            yield path
            yield last_name(inner)
