"""The pages, `batchmean explain`, README, the changelog and the fixtures say the same of every rule."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from batchmean.explain import LAWS, NUMBERS
from batchmean.linter import lint
from batchmean.output import FORMATS
from batchmean.rules import RULES
from batchmean_reference import laws

from docs.engine_page import engine_page
from docs.gallery import KINDS, gallery
from docs.generate import ENGINE, GALLERY, PLOT, pages, plot
from tests.faces.support import Run, Write, run_program
from tests.fixtures.specification import CASES, reference_of

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PROSE = sorted([*PROJECT.glob("*.md"), *DOCS.rglob("*.md"), *PROJECT.glob("*/README.md")])

by_rule = pytest.mark.parametrize("code", RULES)


def test_the_pages_are_those_of_the_rules() -> None:
    """Otherwise: `make docs`."""
    assert {
        path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.glob("rules/*")
    } == pages()


def test_the_page_of_the_engine_is_generated() -> None:
    assert (DOCS / ENGINE).read_text("utf-8") == engine_page()


@by_rule
def test_explain_prints_the_page(batchmean: Run, code: str) -> None:
    assert batchmean("explain", code).stdout == (DOCS / "rules" / f"{code}.md").read_text(encoding="utf-8")


@by_rule
def test_a_page_has_all_its_parts(code: str) -> None:
    parts = re.findall(
        r"^## (.+)$", (DOCS / "rules" / f"{code}.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert parts == [
        "What it finds",
        "Why it matters",
        "By how much",
        "Wrong",
        "Right",
        "When to suppress it",
    ]


@by_rule
def test_the_examples_are_wrong_and_right(code: str) -> None:
    found = [finding.code for finding in lint(RULES[code].wrong, "example.py")]
    follows = ["BMN102"] if code == "BMN401" else []  # a perplexity follows from the loss
    assert found == [*follows, code]
    assert lint(RULES[code].right, "example.py") == []


def one_function(source: str) -> Callable[..., Any]:
    """The function that an example defines."""
    names: dict[str, Any] = {}
    exec(source, names)
    [function] = [value for value in names.values() if getattr(value, "__globals__", None) is names]
    found: Callable[..., Any] = function
    return found


def inputs(code: str, size: int) -> dict[str, Any]:
    """What the case above a page's table describes."""
    import torch

    certain = torch.full((1, size), -1e4, dtype=torch.float64)
    certain[0, 0] = 0.0
    flat = torch.zeros(1, size, dtype=torch.float64)

    def classes(examples: int, classes: int) -> dict[str, Any]:
        logits = torch.zeros(examples, classes, dtype=torch.float64)
        return {"logits": logits, "labels": torch.zeros(examples, dtype=torch.long)}

    def epoch(logits: torch.Tensor, batch_size: int) -> dict[str, Any]:
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(logits, torch.zeros(len(logits), dtype=torch.long))
        return {"model": lambda given: given, "loader": DataLoader(data, batch_size=batch_size)}

    given: dict[str, dict[str, Any]] = {
        "BMN101": {"labels": np.array([0, 1]), "probs": np.full((2, size), 1 / size)},
        "BMN102": {"labels": np.array([0, 1]), "logits": np.zeros((2, size))},
        "BMN103": {"student_logits": flat, "teacher_logits": certain},
        "BMN105": {"student_logits": flat[0], "teacher_logits": certain[0]},
        "BMN104": {"mu": torch.ones(1, size, dtype=torch.float64), "logvar": flat},
        "BMN201": {
            "prediction": torch.ones(1, size, dtype=torch.float64),
            "target": flat,
            "attention_mask": (torch.arange(size) == 0)[None],
        },
        "BMN202": {
            "prediction": (torch.arange(size, dtype=torch.float64) == 0)[None].double(),
            "target": flat,
            "attention_mask": (torch.arange(size) == 0)[None],
        },
        "BMN301": classes(size, 10),
        "BMN302": classes(32, size),
        "BMN303": {"prediction": torch.ones(size, 1, dtype=torch.float64), "target": torch.zeros(size, 1)},
        "BMN304": classes(size, 10),
        "BMN305": {
            "logits": torch.tensor([[0.0, -1e4], [0.0, 0.0]], dtype=torch.float64).repeat(size // 2, 1),
            "actions": torch.zeros(size),
            "advantages": torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(size // 2),
        },
        "BMN306": classes(size, 10)
        | {"teacher_logits": 1e4 * torch.eye(10, dtype=torch.float64)[[0] * size]},
        "BMN307": dict.fromkeys(
            ("student_logits", "teacher_logits"), torch.zeros(size, 10, 4, 4, dtype=torch.float64)
        ),
        "BMN401": {"labels": np.array([0, 1]), "logits": np.zeros((2, size))},
        "BMN501": epoch(torch.zeros(3 * size, 10, dtype=torch.float64), size),
        "BMN502": epoch(torch.zeros(3 * size, 10, dtype=torch.float64), size),
        "BMN503": {
            # The cross-entropy of weight * (2, 0) has the gradient 1 at a weight of 0 for the second class.
            "weight": torch.zeros(1, dtype=torch.float64, requires_grad=True),
            "micro_batches": [
                (torch.tensor([[2.0, 0.0]], dtype=torch.float64), torch.tensor([1])),
                (torch.zeros(size, 2, dtype=torch.float64), torch.zeros(size, dtype=torch.long)),
            ],
            "pad_id": 2,
            "accumulation_steps": 2,
        },
        "BMN504": {
            # (weight * 1 - target)^2 has the gradient 1 at a weight of 0 for a target of -1/2.
            "weight": torch.zeros(1, dtype=torch.float64, requires_grad=True),
            "loader": [(torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), -0.5, dtype=torch.float64))]
            * size,
            "accumulation_steps": size,
        },
        "BMN505": epoch(torch.cat([certain, flat]), 1),
        "BMN506": {
            "model": lambda given: given,
            "val_loader": [(torch.zeros(4, 10, dtype=torch.float64), torch.zeros(4, dtype=torch.long))],
            "train_loader": [None] * size,
        },
    }
    return given[code]


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@by_rule
def test_the_numbers_are_what_the_examples_return(code: str) -> None:
    numbers = NUMBERS[code]
    for size in numbers.sizes:
        for source, promised in ((RULES[code].wrong, numbers.wrong), (RULES[code].right, numbers.right)):
            loss = float(one_function(source)(**inputs(code, size)))
            assert math.isclose(loss, promised(size), rel_tol=1e-9, abs_tol=1e-12)


def test_the_laws_are_those_of_the_reference() -> None:
    assert set(LAWS) == set(laws.LAWS)
    assert {law for rule in RULES.values() for law in rule.law.split(" and ")} <= set(LAWS)


def test_readme_lists_the_rules() -> None:
    rows = [
        f"| [{code}](docs/rules/{code}.md){' (preview)' if rule.preview else ''} | {rule.name} | {rule.summary} |"
        for code, rule in RULES.items()
    ]
    assert re.findall(r"^\| \[BMN.*$", README, re.MULTILINE) == rows


@by_rule
def test_the_changelog_names_every_rule(code: str) -> None:
    words = " ".join((PROJECT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert f"{code} {RULES[code].name}" in words


@by_rule
def test_every_rule_has_wrong_and_right_fixtures(code: str) -> None:
    wrong = [case for case in CASES if code in {expected.code for expected in case.expected}]
    assert wrong
    assert all(not reference_of(case).is_wrong for case in wrong)


def test_no_fixture_expects_a_rule_that_is_not_there() -> None:
    assert {expected.code for case in CASES for expected in case.expected} <= set(RULES)


def test_the_gallery_says_what_the_linter_says_now() -> None:
    """Otherwise: `make docs`."""
    assert (DOCS / GALLERY).read_text(encoding="utf-8") == gallery()
    shown = [exhibit for exhibits in KINDS.values() for exhibit in exhibits]
    assert len({exhibit.link for exhibit in shown}) == len(shown) >= 20


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the plot is drawn by another matplotlib there")
def test_the_plot_is_the_measured_one() -> None:
    """Otherwise: `make docs`. Coordinates may differ in the last digits from machine to machine."""
    number = re.compile(r"-?\d+\.?\d*")
    kept, drawn = (DOCS / PLOT).read_text(encoding="utf-8"), plot()
    assert version("matplotlib") in (PROJECT / "tests" / "constraints.txt").read_text(encoding="utf-8")
    assert number.sub("0", kept) == number.sub("0", drawn)
    assert [float(x) for x in number.findall(kept)] == pytest.approx(
        [float(x) for x in number.findall(drawn)], abs=0.05
    )


def fenced(name: str, language: str) -> list[str]:
    """The blocks in a language on a page of docs/."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_options_are_all_described(batchmean: Run) -> None:
    usage = (DOCS / "usage.md").read_text(encoding="utf-8")
    table = usage[usage.index("| option |") : usage.index("| exit code |")]
    options = re.compile(r"--(?:no-)?([a-z][a-z-]+)")
    helped = batchmean("check", "--help").stdout.split("examples:")[0]
    assert set(options.findall(table)) == set(options.findall(helped)) - {"help"}


def test_the_formats_are_all_described() -> None:
    usage = (DOCS / "usage.md").read_text(encoding="utf-8")
    table = usage[usage.index("| format |") : usage.index("[ci.md]")]
    assert re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE) == list(FORMATS)
    [row] = re.findall(r"^\| `--output-format FORMAT` \| (.*) \|$", usage, re.MULTILINE)
    assert re.findall(r"`([a-z]+)`", row) == list(FORMATS)
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8").lower()
    assert all(name in changes for name in FORMATS)


def test_the_settings_are_all_described(batchmean: Run, write: Write) -> None:
    [settings] = [block for block in fenced("usage.md", "toml") if "[tool.batchmean]" in block]
    write({"pyproject.toml": settings, "a.py": ""})
    shown = batchmean("check", "--show-settings", "a.py").stdout
    names = r"^(?:# )?([a-z-]+)(?: = |: every)"
    described = set(re.findall(names, settings, re.MULTILINE)) | {"per-file-ignores", "functions"}
    assert described == set(re.findall(names, shown, re.MULTILINE))


def ci_steps() -> list[str]:
    """What the examples of docs/ci.md run in a shell."""
    pages = [yaml.safe_load(block) for block in fenced("ci.md", "yaml")]
    steps = [step["run"] for page in pages for step in page.get("jobs", {}).get("batchmean", {}).get("steps", ())
             if "run" in step]  # fmt: skip
    steps += [line for page in pages for line in page.get("batchmean", {}).get("script", ())]
    return [*steps, *"".join(fenced("ci.md", "sh")).splitlines()]


def test_what_ci_runs_is_right(write: Write, tmp_path: Path) -> None:
    write({"losses.py": "import numpy as np\n\n\ndef f(p):\n    return -(p * np.log(p)).mean()\n"})
    commands = [step for step in ci_steps() if step.startswith("batchmean check")]
    assert len(commands) == 8
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            command.partition(" | reviewdog")[0],
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        expected = 0 if re.search("--(exit-zero|add-noqa|write-baseline|baseline)", command) else 1
        assert done.returncode == expected, command + done.stderr.decode()
    written = {path.name for path in tmp_path.iterdir() if path.name != "losses.py"}
    assert written == {
        "batchmean.sarif",
        "gl-code-quality-report.json",
        "batchmean.xml",
        "batchmean-baseline.json",
    }
    page = (DOCS / "ci.md").read_text(encoding="utf-8")
    for name in ("batchmean.sarif", "gl-code-quality-report.json"):
        assert page.count(name) >= 2  # written, and picked up
        assert (tmp_path / name).stat().st_size > 500


def test_the_hooks_in_the_docs_are_those_of_the_project() -> None:
    known = {
        hook["id"]
        for hook in yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    }
    prose = "".join(path.read_text("utf-8") for path in PROSE)
    assert set(re.findall(r"^ +- id: (.+)$", prose, re.MULTILINE)) == known


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_ruff_keeps_noqa_only_where_it_is_told_to(write: Write, tmp_path: Path) -> None:
    """What README and docs/suppressing.md say of `lint.external`, with ruff itself."""
    line = "x = 1  # noqa: BMN102\n"
    texts = README + (DOCS / "suppressing.md").read_text(encoding="utf-8")
    [settings] = set(re.findall(r"```toml\n(\[tool\.ruff\.lint\]\n.*?)```", texts, re.DOTALL))
    for config, kept in (("", "x = 1\n"), (settings, line)):
        write({"pyproject.toml": config, "a.py": line})
        run_program("ruff", "check", "--select", "RUF100,RUF102", "--fix", "--no-cache", "a.py", cwd=tmp_path)
        assert (tmp_path / "a.py").read_text(encoding="utf-8") == kept
