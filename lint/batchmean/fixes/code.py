"""A file as the fixes see it: its tree with parents and imports, and LibCST nodes for the places they touch.

LibCST parses only the statement in question. Its nodes know where parentheses, dots and operators stand, which
`ast` does not tell; the edits are ranges of the file's own text, so everything else stays as it is.
"""

from __future__ import annotations

import ast
import io
import tokenize
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple, TypeAlias

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from batchmean.findings import Edit, Span, span_of
from batchmean.fixes.names import Names

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Edits: TypeAlias = tuple[Edit, ...]


class Unfixable(Exception):
    """There is no fix; the message says why, in a few words."""


class Code:
    """The text of a file and its tree."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        self.tree = tree
        self.lines = text.split("\n")
        self._slices: dict[tuple[int, int], _Slice | None] = {}
        self._names: dict[ast.AST, Names] = {}

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that hold this one, from the inside out."""
        holder = self.parent(node)
        while holder is not None:
            yield holder
            holder = self.parent(holder)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds the node."""
        for holder in (node, *self.ancestors(node)):
            if isinstance(holder, ast.stmt):
                return holder
        raise Unfixable("it stands in no statement")

    def function(self, node: ast.AST) -> FunctionNode | None:
        """The innermost function that holds the node."""
        holders = self.ancestors(node)
        return next((h for h in holders if isinstance(h, ast.FunctionDef | ast.AsyncFunctionDef)), None)

    def names(self, scope: ast.AST) -> Names:
        """The names in a function or in the module."""
        if scope not in self._names:
            self._names[scope] = Names(scope)
        return self._names[scope]

    @cached_property
    def comments(self) -> dict[tuple[int, int], str]:
        """Each comment by where it stands, its line and column."""
        return dict(_comments(self.text))

    @cached_property
    def _comment_places(self) -> list[tuple[int, int]]:
        return sorted(self.comments)

    def with_comments(self, edits: Iterable[Edit]) -> Edits:
        """The edits with the comments of what they replace, which go behind it, each on a line of its own."""
        return tuple(self._with_comments(edit) for edit in edits)

    def _with_comments(self, edit: Edit) -> Edit:
        first, last = (edit.span.line, edit.span.column), end_of(edit.span)
        places = self._comment_places
        inside = places[bisect_left(places, first) : bisect_left(places, last)]
        kept = [(place[0], self.comments[place]) for place in inside]
        lost = [(line, text) for line, text in kept if text not in edit.text]
        if not lost:
            return edit
        pieces = [edit.text]
        for line, text in lost:
            before = self.lines[line - 1].partition(text)[0]
            indent = before[: len(before) - len(before.lstrip())]
            alone = line > edit.span.line and not before.strip()
            pieces.append(f"\n{indent}{text}" if alone or len(pieces) > 1 else f"  {text}")
        rest = self.lines[edit.span.end_line - 1][edit.span.end_column - 1 :]
        if rest.strip() and not rest.lstrip().startswith("#"):
            last_line = self.lines[edit.span.end_line - 1]
            pieces.append("\n" + last_line[: len(last_line) - len(last_line.lstrip())])
        return Edit(edit.span, "".join(pieces))

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: `{"F": "torch.nn.functional"}`."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    full = alias.name if alias.asname else alias.name.partition(".")[0]
                    names[alias.asname or full] = full
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return names

    @cached_property
    def _own_names(self) -> set[str]:
        """The functions and variables of the file."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
        return found

    def full_name(self, node: ast.AST) -> str | None:
        """`torch.nn.functional.kl_div` for `F.kl_div`; None for what was not imported."""
        if isinstance(node, ast.Name):
            name = self.imports.get(node.id)
            if name is None and "*" in self.imports and node.id not in self._own_names:
                return f"{self.imports['*'].removesuffix('.*')}.{node.id}"
            return name
        if isinstance(node, ast.Attribute):
            base = self.full_name(node.value)
            return f"{base}.{node.attr}" if base else None
        return None

    def imported_at(self, name: str) -> Span | None:
        """Where `from module import name` names it, as the last of its line or not; None for other imports."""
        for node in self._imports_from:
            for alias in node.names:
                if name in (alias.asname, alias.name) and alias.name != "*":
                    return span_of(alias, self.lines)
        return None

    @cached_property
    def _imports_from(self) -> list[ast.ImportFrom]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]

    def uses(self, name: str) -> bool:
        """Does the file use the name for something of its own?"""
        return name in self.names(self.tree).loads_and_stores

    def source(self, span: Span) -> str:
        """The text of a range."""
        lines = self.lines[span.line - 1 : span.end_line]
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        return "\n".join(lines)

    def indentation(self, span: Span) -> str | None:
        """The white space before the range, where it is the first thing on its line."""
        before = self.lines[span.line - 1][: span.column - 1]
        return before if not before.strip() else None

    def inner(self, node: ast.expr) -> Span:
        """The range of an expression without the parentheses around it."""
        return span_of(node, self.lines)

    def outer(self, node: ast.expr) -> Span:
        """The range of an expression with the parentheses around it."""
        found, piece = self._find(node)
        inner = self.inner(node)
        if not found.lpar:
            return inner
        first, last = piece.span(found.lpar[0]), piece.span(found.rpar[-1])
        return Span(first.line, first.column, last.end_line, last.end_column)

    def dot(self, node: ast.Attribute) -> Span:
        """The dot of `x.name`."""
        found, piece = self._find(node)
        assert isinstance(found, cst.Attribute)
        return piece.span(found.dot)

    def name(self, node: ast.Attribute) -> Span:
        """The name after the dot."""
        found, piece = self._find(node)
        assert isinstance(found, cst.Attribute)
        return piece.span(found.attr)

    def _find(self, node: ast.expr) -> tuple[cst.BaseExpression, _Slice]:
        piece = self._slice(node)
        found = piece.expressions.get(self.inner(node))
        if found is None:
            raise Unfixable("LibCST sees the expression otherwise")
        return found, piece

    def _slice(self, node: ast.AST) -> _Slice:
        """The smallest statement around the node that LibCST parses by itself and writes back unchanged."""
        statement = self.statement(node)
        for holder in (statement, *self.ancestors(statement)):
            if isinstance(holder, ast.stmt):
                lines = holder.lineno, holder.end_lineno or holder.lineno
                if lines not in self._slices:
                    self._slices[lines] = _Slice.parsed(self.lines, *lines)
                piece = self._slices[lines]
                if piece is not None:
                    return piece
        raise Unfixable("LibCST cannot parse the statement, or does not write it back as it was")


class _Slice(NamedTuple):
    """Some lines of the file, parsed."""

    positions: dict[cst.CSTNode, CodeRange]
    offset: int
    """What to add to a line of the slice."""
    expressions: dict[Span, cst.BaseExpression]

    @staticmethod
    def parsed(lines: list[str], first: int, last: int) -> _Slice | None:
        """The lines from `first` to `last`; None if they are no statements of their own."""
        head = ["if 1:"] if lines[first - 1][:1].isspace() else []
        text = "\n".join([*head, *lines[first - 1 : last]]) + "\n"
        try:
            module = cst.parse_module(text)
            if module.code != text:
                return None
            found = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
        except Exception:  # ParserSyntaxError, CSTValidationError, RecursionError, TypeError, ...
            return None
        piece = _Slice(dict(found), first - 1 - len(head), {})
        for node in piece.positions:
            if isinstance(node, cst.BaseExpression):
                piece.expressions.setdefault(piece.span(node), node)
                if isinstance(node, cst.Tuple) and node.lpar:  # which `ast` takes for a part of it
                    start, end = piece.span(node.lpar[-1]), piece.span(node.rpar[0])
                    whole = Span(start.line, start.column, end.end_line, end.end_column)
                    piece.expressions.setdefault(whole, node)
        return piece

    def span(self, node: cst.CSTNode) -> Span:
        """Where the node stands in the file."""
        found = self.positions[node]
        start, end = found.start, found.end
        return Span(start.line + self.offset, start.column + 1, end.line + self.offset, end.column + 1)


def comments(text: str) -> Iterator[str]:
    """The comments of a file in their order."""
    return (comment for _, comment in _comments(text))


def _comments(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield (token.start[0], token.start[1] + 1), token.string
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(str(error)) from error


def before(span: Span, text: str) -> Edit:
    """Insert `text` in front of a range."""
    return Edit(Span(span.line, span.column, span.line, span.column), text)


def after(span: Span, text: str) -> Edit:
    """Insert `text` behind a range."""
    return Edit(Span(span.end_line, span.end_column, span.end_line, span.end_column), text)


def end_of(span: Span) -> tuple[int, int]:
    """Where a range ends."""
    return (span.end_line, span.end_column)


def is_reciprocal(node: ast.expr) -> bool:
    """`1 / n`, `1.0 / n`."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    return isinstance(node.left, ast.Constant) and node.left.value == 1
