"""Programs made of the fixtures: their statements and expressions cut out, mixed, wrapped and put together anew.

What comes out parses and looks like loss code, so it gets past the text gate and deep into the engine, where random
text never does. The same seed gives the same program.
"""

from __future__ import annotations

import ast
import copy
import random
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
MODULES: Final = sorted(FIXTURES.glob("on_*/*.py"))
_MOST_STATEMENTS: Final = 60
_CONSTANTS: Final = (
    *(0, 1, -1, 2, 3, 10, 1.0, 0.5, 1e-8, 1e308, float("inf"), 10**30, 1 << 70, True, False, None, ...),
    *("", "mean", "sum", "none", "batchmean", "bv,bv->b", "b t v -> b t", "ij,ij->", "é", b"x", 1j),
)

Pieces: TypeAlias = tuple[tuple[ast.stmt, ...], tuple[ast.expr, ...]]


@cache
def pieces() -> Pieces:
    """Every statement and every loaded expression of the fixtures."""
    statements: list[ast.stmt] = []
    expressions: list[ast.expr] = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.stmt):
                statements.append(node)
            elif isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                expressions.append(node)
    return tuple(statements), tuple(expressions)


@cache
def excerpts() -> tuple[str, ...]:
    """Small programs: each function or class of the fixtures with the rest of its module."""
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        large = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        rest = [node for node in tree.body if node not in large and not isinstance(node, ast.Expr)]
        found += [ast.unparse(ast.Module([*rest, node], [])) for node in large]
    return tuple(found)


def program(seed: int) -> str:
    """A program that the seed chooses: a fixture or a few statements, changed some times."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        tree = ast.parse(rng.choice(excerpts()))
    else:
        statements, _ = pieces()
        head = "import numpy as np\nimport torch\nimport torch.nn.functional as F\nimport jax.numpy as jnp\n"
        tree = ast.parse(head)
        body = [copy.deepcopy(rng.choice(statements)) for _ in range(rng.randint(1, 8))]
        function = ast.parse("def loss(logits, targets, p, mask=None):\n    logp = np.log(p)").body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body += body
        tree.body.append(function)
    return mutated(tree, rng, rng.randint(0, 8))


def mutate(text: str, seed: int) -> str:
    """The program after a few changes; as it is where it does not parse or grew too large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return program(seed)
    rng = random.Random(seed)
    if sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) > _MOST_STATEMENTS:
        tree.body = rng.sample(tree.body, min(len(tree.body), 8))
    return mutated(tree, rng, rng.randint(1, 5))


def mutated(tree: ast.Module, rng: random.Random, times: int) -> str:
    """The text of a tree after some random changes, all of which keep it a program."""
    text = ast.unparse(tree)
    for _ in range(times):
        changed = _program_of(tree) if _is_changed(tree, rng) else None
        if changed is None:
            tree = ast.parse(text)
        else:
            text = changed
    return f"{text}\n"


def _is_changed(tree: ast.Module, rng: random.Random) -> bool:
    """One change, unless something in the way is nested too deeply to be copied."""
    try:
        rng.choice(_CHANGES)(tree, rng)
    except RecursionError:
        return False
    return True


def _program_of(tree: ast.Module) -> str | None:
    """The text of a tree, or None where the tree is no program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = ast.unparse(ast.fix_missing_locations(tree))
            ast.parse(text)
            return text
    except (SyntaxError, ValueError, TypeError, RecursionError, AttributeError):
        return None


def _places(tree: ast.AST, kind: type[ast.AST]) -> list[tuple[ast.AST, str, int | None]]:
    """Where nodes of a kind stand: their parent, the field and the position in it."""
    return list(_all_places(tree, kind))


def _all_places(tree: ast.AST, kind: type[ast.AST]) -> Iterator[tuple[ast.AST, str, int | None]]:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, kind):
                yield node, name, None
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, kind):
                        yield node, name, index


def _get(place: tuple[ast.AST, str, int | None]) -> ast.AST:
    node, name, index = place
    value = getattr(node, name)
    found: ast.AST = value if index is None else value[index]
    return found


def _put(place: tuple[ast.AST, str, int | None], new: ast.AST) -> None:
    node, name, index = place
    if index is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[index] = new


def _blocks(tree: ast.AST) -> list[list[ast.stmt]]:
    found = []
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                found.append(block)
    return found


def _splice_expression(tree: ast.Module, rng: random.Random) -> None:
    places = _places(tree, ast.expr)
    if places:
        own = [_get(place) for place in places]
        chosen = rng.choice(own if rng.random() < 0.5 else pieces()[1])
        _put(rng.choice(places), copy.deepcopy(chosen))


def _wrap_expression(tree: ast.Module, rng: random.Random) -> None:
    places = _places(tree, ast.expr)
    if not places:
        return
    place = rng.choice(places)
    pattern = rng.choice(_EXPRESSION_WRAPS)
    new = ast.parse(pattern, mode="eval").body
    holder = ast.Expr(new)
    holes = [p for p in _places(holder, ast.Name) if getattr(_get(p), "id", "") == "HOLE"]
    for hole in holes:
        _put(hole, copy.deepcopy(_get(place)))
    _put(place, holder.value)


def _insert_statement(tree: ast.Module, rng: random.Random) -> None:
    block = rng.choice(_blocks(tree) or [tree.body])
    block.insert(rng.randint(0, len(block)), copy.deepcopy(rng.choice(pieces()[0])))


def _drop_statement(tree: ast.Module, rng: random.Random) -> None:
    block = rng.choice(_blocks(tree) or [tree.body])
    if len(block) > 1:
        block.pop(rng.randrange(len(block)))


def _repeat_statement(tree: ast.Module, rng: random.Random) -> None:
    block = rng.choice(_blocks(tree) or [tree.body])
    if block:
        block[rng.randrange(len(block)) :] *= 2


def _shuffle_statements(tree: ast.Module, rng: random.Random) -> None:
    rng.shuffle(rng.choice(_blocks(tree) or [tree.body]))


def _wrap_statements(tree: ast.Module, rng: random.Random) -> None:
    block = rng.choice(_blocks(tree) or [tree.body])
    start = rng.randint(0, max(len(block) - 1, 0))
    inner = block[start : start + rng.randint(1, 4)]
    outer = ast.parse(rng.choice(_STATEMENT_WRAPS))
    for place in _places(outer, ast.Expr):
        if getattr(getattr(_get(place), "value", None), "id", "") == "HOLE":
            node, name, _ = place
            setattr(node, name, copy.deepcopy(inner) or [ast.Pass()])
    block[start : start + len(inner)] = outer.body


def _change_constant(tree: ast.Module, rng: random.Random) -> None:
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if constants:
        rng.choice(constants).value = rng.choice(_CONSTANTS)


def _change_name(tree: ast.Module, rng: random.Random) -> None:
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    if names and rng.random() < 0.5:
        rng.choice(names).id = rng.choice(names).id
    elif attributes:
        rng.choice(attributes).attr = rng.choice(attributes).attr


def _change_arguments(tree: ast.Module, rng: random.Random) -> None:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if not calls:
        return
    call = rng.choice(calls)
    match rng.randint(0, 4):
        case 0 if call.args:
            call.args.pop(rng.randrange(len(call.args)))
        case 1 if call.keywords:
            call.keywords.pop(rng.randrange(len(call.keywords)))
        case 2:
            call.args.append(copy.deepcopy(rng.choice(pieces()[1])))
        case 3 if call.args:
            call.args[-1] = ast.Starred(call.args[-1], ast.Load())
        case _:
            other = rng.choice(calls)
            call.keywords += copy.deepcopy(other.keywords)


def _change_operator(tree: ast.Module, rng: random.Random) -> None:
    operations = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.AugAssign)]
    if operations:
        kinds = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult, ast.Mod, ast.LShift)
        rng.choice(operations).op = rng.choice(kinds)()


_CHANGES: Final[tuple[Callable[[ast.Module, random.Random], None], ...]] = (
    _splice_expression,
    _splice_expression,
    _wrap_expression,
    _wrap_expression,
    _insert_statement,
    _drop_statement,
    _repeat_statement,
    _shuffle_statements,
    _wrap_statements,
    _change_constant,
    _change_name,
    _change_arguments,
    _change_operator,
)
_EXPRESSION_WRAPS: Final = (
    "np.log(HOLE)", "np.mean(HOLE)", "HOLE.mean()", "HOLE.sum(-1)", "HOLE / HOLE.size", "HOLE / HOLE.shape[0]",
    "HOLE * np.log(HOLE)", "-HOLE", "not HOLE", "~HOLE", "HOLE if HOLE else HOLE", "[HOLE for x in HOLE]",
    "{HOLE: HOLE}", "{**HOLE}", "(HOLE, HOLE)", "[HOLE, *HOLE]", "(lambda x: HOLE)(HOLE)", "lambda: HOLE",
    "HOLE[HOLE]", "HOLE[:, None]", "HOLE[..., HOLE:]", "HOLE[HOLE:HOLE:HOLE]", "HOLE @ HOLE", "HOLE ** HOLE",
    "HOLE and HOLE", "HOLE or HOLE", "HOLE in HOLE", "HOLE < HOLE < HOLE", "(y := HOLE)", "f'{HOLE}'",
    "HOLE(HOLE)", "HOLE(*HOLE, **HOLE)", "HOLE.reshape(HOLE)", "HOLE.permute(HOLE, HOLE)", "sum(HOLE)",
    "np.einsum('bv,bv->', HOLE, HOLE)", "np.sum(HOLE, axis=HOLE)", "F.softmax(HOLE, dim=HOLE)",
    "F.kl_div(HOLE, HOLE, reduction=HOLE)", "functools.partial(HOLE, HOLE)", "jax.vmap(HOLE)(HOLE)",
    "torch.distributions.Normal(HOLE, HOLE)", "range(HOLE)", "len(HOLE)", "zip(HOLE, HOLE)", "enumerate(HOLE)",
    "map(HOLE, HOLE)", "getattr(HOLE, 'mean')", "getattr(HOLE, 'mean')()", "super().forward(HOLE)", "HOLE.append(HOLE)",
)  # fmt: skip
_STATEMENT_WRAPS: Final = (
    "if c:\n HOLE", "if c:\n HOLE\nelse:\n HOLE", "for i in range(3):\n HOLE", "for a, b in x:\n HOLE",
    "while c:\n HOLE\nelse:\n HOLE", "with c as d:\n HOLE", "try:\n HOLE\nexcept E as e:\n HOLE\nfinally:\n HOLE",
    "def inner(x, *a, k=1, **kw):\n HOLE\ny = inner(x)", "class C(B):\n def forward(self, x):\n  HOLE",
    "match c:\n case [a, *b]:\n  HOLE\n case {'k': v, **rest} if v:\n  HOLE\n case _:\n  HOLE",
    "async def co(x):\n HOLE", "if True:\n HOLE", "@decorate\ndef inner(x):\n HOLE", "@jax.jit\ndef inner(p):\n HOLE",
)  # fmt: skip
