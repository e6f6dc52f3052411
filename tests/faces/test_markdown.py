"""Markdown: the fences that are Python, where they stand in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faces.notebooks import jupyter, notebook
from tests.faces.support import WRONG, Line, Run, Write, lines_of

PAGE = """\
# The mean of log_softmax

Text about `-(target * logp).mean()`.

```python
>>> -(target * logp).mean()
0.1
```

```{{code-cell}} ipython3
---
tags: [hide]
---
import numpy as np
from scipy.special import log_softmax
%matplotlib inline
```

1. é: an item

   ```python
   target = np.eye(10)[labels]
   logp = log_softmax(logits, axis=-1)

   loss = (
       -(target * logp).mean()
   )
   ```

    -(target * logp).mean()
{more}"""
MARK, FIXED = "(target * logp).mean()\n   )", "(target * logp).sum(axis=-1).mean()\n   )"
HEAD = "```{lang}\nimport numpy as np\nfrom scipy.special import log_softmax\ntarget = np.eye(10)[labels]\n"
LOSS = "loss = -(target * log_softmax(logits, axis=-1)).mean()\n"


@pytest.mark.heavy  # it starts many processes, or takes seconds
@pytest.mark.parametrize(
    ("name", "line_end"),
    [("page.md", "\n"), ("page.md", "\r\n"), ("page.markdown", "\n"), ("page.qmd", "\r\n")],
)
def test_fences_are_linted_and_fixed_in_place(
    batchmean: Run, write: Write, tmp_path: Path, name: str, line_end: str
) -> None:
    text = PAGE.format(more="\n~~~\n-(target * logp).mean()\n").replace("\n", line_end)
    write({name: text})
    line = 1 + text[: text.index(MARK.replace("\n", line_end))].count("\n")
    done = batchmean("check", name)
    assert (lines_of(done.stdout), done.stderr) == ([Line(name, line, 9, "BMN102")], "")
    full = batchmean("check", name, "--output-format", "full").stdout
    assert f"{line} |        -(target * logp).mean()\n" in full
    assert f"because: line {line - 4}: rows of the identity are one-hot targets" in full
    diff = batchmean("check", name, "--diff").stdout
    assert diff.startswith(f"--- {name}\n+++ {name}\n")
    assert batchmean("check", name, "--fix").returncode == 0
    expected = text.replace(MARK.replace("\n", line_end), FIXED.replace("\n", line_end))
    assert (tmp_path / name).read_bytes() == expected.encode()


def test_comments_are_added_in_fences(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = PAGE.format(more="")
    write({"page.md": text})
    assert batchmean("check", "--add-noqa", "page.md").returncode == 0
    added = MARK.replace("mean()", "mean()  # noqa: BMN102")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == text.replace(MARK, added)
    assert batchmean("check", "page.md").stdout == ""


def test_folders_have_markdown_only_where_settings_say_so(batchmean: Run, write: Write) -> None:
    write({"docs/page.md": PAGE.format(more=""), "README.md": PAGE.format(more=""), "a.py": WRONG})
    assert [line.path for line in lines_of(batchmean("check").stdout)] == ["a.py"]
    assert [line.path for line in lines_of(batchmean("check", "README.md").stdout)] == ["README.md"]
    write({"pyproject.toml": '[tool.batchmean]\nextend-include = ["docs/*.md"]\n'})
    assert [line.path for line in lines_of(batchmean("check").stdout)] == ["a.py", "docs/page.md"]
    write({"pyproject.toml": '[tool.batchmean]\nextend-include = ["*.md"]\nexclude = ["docs"]\n'})
    assert [line.path for line in lines_of(batchmean("check").stdout)] == ["README.md", "a.py"]


@pytest.mark.parametrize(
    ("info", "is_python"),
    [
        ("python", True),
        ("Python", True),
        ("py", True),
        ("python3 title='x.py'", True),
        ("ipython3", True),
        ("python:x.py", True),
        ("{python}", True),
        ("{python, echo=FALSE}", True),
        ("{.python .numberLines}", True),
        ("{code-cell} ipython3", True),
        ("{code-cell}", True),
        ("{code-block} python", True),
        ("", False),
        ("text", False),
        ("pycon", False),
        ("python-console", False),
        ("{code-block}", False),
        ("{code-cell} r", False),
        ("{r}", False),
        ("pytb", False),
        ("diff", False),
    ],
)
def test_a_fence_says_what_it_is(batchmean: Run, info: str, is_python: bool) -> None:
    page = HEAD.replace("{lang}", info) + LOSS + "```\n"
    done = batchmean("check", "--stdin-filename", "x.md", "-", stdin=page)
    assert lines_of(done.stdout) == ([Line("x.md", 5, 9, "BMN102")] if is_python else [])
    assert done.stderr == ""


def test_fences_in_directives_and_longer_fences(batchmean: Run) -> None:
    inner = HEAD.replace("{lang}", "python") + LOSS + "```\n"
    pages = {
        f"````{{note}}\n{inner}````\n{inner}": [6, 13],
        f"````markdown\n{inner}````\n{inner}": [13],
        f"~~~~\n{inner}~~~~\n{inner}": [13],
        inner.replace("```", "~~~"): [5],
        inner.removesuffix("```\n"): [5],
        f"---\nkernelspec:\n  name: ir\n---\n{inner.replace('python', '{code-cell}')}": [],
    }
    for page, expected in pages.items():
        done = batchmean("check", "--stdin-filename", "x.md", "-", stdin=page)
        assert [line.line for line in lines_of(done.stdout)] == expected, page


def test_prose_is_no_error(batchmean: Run, write: Write) -> None:
    text = "# -*- coding: latin-1 -*-\n\n```python\ndef mean(log_softmax, ...):\n```\n\n```python\nx = (\n"
    write({"a.md": text, "b.md": "é".encode("latin-1"), "c.md": ""})
    assert batchmean("check", "a.md", "c.md").returncode == 0
    done = batchmean("check", "b.md")
    assert (done.returncode, done.stderr) == (1, "error: b.md: is not valid utf-8: byte 0xe9 on line 1\n")


def test_jupytext_pairs_say_the_same(batchmean: Run, write: Write) -> None:
    code = "import numpy as np\nfrom scipy.special import log_softmax\n%time x = 1\ntarget = np.eye(10)[labels]\n"
    page = f"---\njupyter:\n  jupytext: {{}}\n---\n\nText\n\n```python hide=true\n{code}```\n\n```python\n{LOSS}```\n"
    write(
        {
            "n.md": page,
            "n.ipynb": jupyter(notebook([("markdown", "# Title"), ("code", code), ("code", LOSS)])),
        }
    )
    assert lines_of(batchmean("check", "n.md", "n.ipynb").stdout) == [
        Line("n.ipynb:cell 3", 1, 9, "BMN102"),
        Line("n.md", 16, 9, "BMN102"),
    ]
