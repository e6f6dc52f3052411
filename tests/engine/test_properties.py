"""What must never change a verdict: names of locals, formatting, the order of functions."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.counting import a_sample_of

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODULES = sorted(FIXTURES.glob("on_*/*.py"))


def _verdicts(findings: list[Finding]) -> list[tuple[int, str, tuple[tuple[str, int], ...]]]:
    return [(f.span.line, f.code, tuple(sorted((f.factor or {}).items()))) for f in findings]


class _Renamed(ast.NodeTransformer):
    """Every local name of a function, its parameters too, gets a name that says nothing."""

    def __init__(self, keywords: set[str]) -> None:
        self.keywords = keywords
        self.names: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        outer = self.names
        stored = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        stored += [n.arg for n in ast.walk(node) if isinstance(n, ast.arg) and n.arg not in ("self", "cls")]
        fresh = {name: f"v{len(outer) + i}_" for i, name in enumerate(dict.fromkeys(stored))}
        self.names = outer | {n: f for n, f in fresh.items() if n not in self.keywords}
        self.generic_visit(node)
        self.names = outer
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        return node


@pytest.mark.parametrize("path", a_sample_of(MODULES, 3), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_names_of_locals_do_not_change_what_is_proved(path: Path) -> None:
    plain = ast.unparse(ast.parse(path.read_text(encoding="utf-8")))
    tree = ast.parse(plain)
    keywords = {k.arg for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg}
    renamed = ast.unparse(_Renamed(keywords).visit(tree))
    before = [f for f in lint(plain, "a.py") if f.confidence == "proved"]
    after = _verdicts(lint(renamed, "b.py"))
    missing = [v for v in _verdicts(before) if v not in after]
    assert not missing


@pytest.mark.parametrize("path", a_sample_of(MODULES, 3), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_formatting_does_not_change_a_verdict(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    plain = ast.unparse(ast.parse(text))
    spread = plain.replace("(", "(\n        ").replace("\n        )", ")")
    try:
        ast.parse(spread)
    except SyntaxError:
        spread = plain
    found = [(f.code, f.confidence, f.factor) for f in lint(text, "a.py")]
    assert [(f.code, f.confidence, f.factor) for f in lint(plain, "b.py")] == found
    # Evidence may move to another line of a call that is spread out, the verdicts may not.
    assert [(f.code, f.factor) for f in lint(spread, "c.py")] == [(code, factor) for code, _, factor in found]


def test_the_order_of_functions_does_not_change_a_verdict() -> None:
    shuffle = random.Random(0)
    for path in MODULES[:8]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = sorted((f.code, f.confidence) for f in lint(ast.unparse(tree), "a.py"))
        first = [n for n in tree.body if not isinstance(n, ast.FunctionDef)]
        needed = {n.id for s in first for n in ast.walk(s) if isinstance(n, ast.Name)}
        functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
        functions = [n for n in functions if not n.decorator_list and n.name not in needed]
        others = [n for n in tree.body if n not in functions]
        shuffle.shuffle(functions)
        tree.body = [*others, *functions]
        assert sorted((f.code, f.confidence) for f in lint(ast.unparse(tree), "b.py")) == found, path


_STATEMENTS = [
    node
    for path in MODULES[:12]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef)
]


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(_STATEMENTS), min_size=1, max_size=12), st.integers(0, 2))
def test_statements_in_any_order_never_break_the_linter(body: list[ast.stmt], depth: int) -> None:
    statements: list[ast.stmt] = list(body)
    for _ in range(depth):
        statements = [ast.For(ast.Name("i", ast.Store()), ast.Name("x", ast.Load()), statements, [])]
    function = ast.FunctionDef(
        "f",
        ast.arguments([], [ast.arg("logits"), ast.arg("targets")], None, [], [], None, []),
        [*statements, *body],
        [],
    )
    tree = ast.fix_missing_locations(ast.Module([function], []))
    text = "import numpy as np\nimport torch\nimport torch.nn.functional as F\n" + ast.unparse(tree)
    try:
        ast.parse(text)
    except SyntaxError:
        return
    findings = lint(text, "any.py")
    assert all(1 <= f.span.line <= text.count("\n") + 1 for f in findings)


def _ring(count: int) -> str:
    helpers = "\n".join(
        f"def h{i}(x, y):\n    a = np.log(x) * h{(i + 1) % count}(y, x)\n"
        f"    return np.mean(a) + h{(i + 7) % count}(x, y)"
        for i in range(count)
    )
    return f"import numpy as np\n{helpers}\n"


def _ladder(steps: int) -> str:
    branches = "\n".join(
        f"    if c{i}:\n        p = np.log(p) * t\n    else:\n        p = p + c{i}" for i in range(steps)
    )
    return f"import numpy as np\ndef f(p, t, c):\n{branches}\n    return -np.mean(t * np.log(p))\n"


@pytest.mark.parametrize(
    "text",
    [
        _ring(300),
        _ladder(300),
        "import numpy as np\nx = " + "np.log(" * 80 + "1" + ")" * 80 + "\ny = np.mean(x)\n",
        "import numpy as np\ndef f(p):\n    return -np.mean(" + " + ".join(["p * np.log(p)"] * 800) + ")\n",
        "import numpy as np\ndef f(p):\n"
        + "".join(f"    p{i} = np.log(p) * p\n" for i in range(3000))
        + "    return np.mean(p)\n",
    ],
    ids=["a ring of helpers", "a ladder of branches", "nested calls", "a long sum", "a long function"],
)
def test_work_is_bounded(text: str) -> None:
    """Counted, not timed: the engine reads a bounded number of nodes."""
    from batchmean.engine import analysis
    from batchmean.engine.context import MAX_WORK

    interpreter = analysis._interpreted(ast.parse(text), text.split("\n"))
    assert interpreter.work <= MAX_WORK + 1
    lint(text, "bounded.py")
