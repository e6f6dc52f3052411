"""Notebooks: cells, rows and columns as people see them, and files that stay as they are but for the fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batchmean import Result, check_files
from batchmean.config import ConfigError, Settings

from tests.faces.notebooks import STYLES, Cell, colab, jupyter, notebook, one_line
from tests.faces.support import WRONG, Line, Run, Write, lines_of

IMPORTS = "import numpy as np\nfrom scipy.special import log_softmax\n"
ARRAYS = "é = '日本'\ntarget = np.eye(10)[labels]\nlogp = log_softmax(logits, axis=-1)"
LOSS = "\nif é:\n    loss = '日本', -(target * logp).mean()"
CELLS: list[Cell] = [
    ("markdown", "# The loss\n\n    -(target * logp).mean()\n"),
    ("code", "%matplotlib inline\n!pip install scipy\n" + IMPORTS),
    ("raw", "def f(:\n"),
    ("code", ARRAYS),
    ("code", ""),
    ("code", LOSS),
]
BEFORE, AFTER = "(target * logp).mean()", "(target * logp).sum(axis=-1).mean()"
PLACE = Line("n.ipynb:cell 6", 3, 19, "BMN102")


@pytest.mark.parametrize(
    ("style", "joined", "nbformat"),
    [*((style, False, 4) for style in STYLES), (jupyter, True, 4), (colab, False, 3), (one_line, True, 3)],
)
def test_a_fix_leaves_every_other_byte(
    batchmean: Run, write: Write, tmp_path: Path, style: Callable[[Any], str], joined: bool, nbformat: int
) -> None:
    content = style(notebook(CELLS, joined=joined, nbformat=nbformat))
    write({"n.ipynb": content})
    assert lines_of(batchmean("check").stdout) == [PLACE]
    done = batchmean("check", "--fix", "n.ipynb")
    assert (done.returncode, done.stdout) == (0, "")
    # The text of the markdown cell is the same, and is no loss.
    first, last = content.rsplit(BEFORE, 1)
    assert (tmp_path / "n.ipynb").read_bytes() == f"{first}{AFTER}{last}".encode()
    assert batchmean("check").stdout == ""


def test_the_report_says_which_cell(batchmean: Run, write: Write) -> None:
    write({"n.ipynb": jupyter(notebook(CELLS))})
    full = batchmean("check", "--output-format", "full", PYTHONIOENCODING="utf-8").stdout
    assert (
        full
        == """\
BMN102 [*] cross-entropy is averaged over the class axis too: 10 times too small
 --> n.ipynb:cell 6:3:19
  |
2 | if é:
3 |     loss = '日本', -(target * logp).mean()
  |                     ^^^^^^^^^^^^^^^^^^^^^^
  |
  = because: cell 4, line 2: rows of the identity are one-hot targets
  = because: cell 4, line 3: log_softmax over the last axis gives log-probabilities
  = because: line 3: this mean runs over the class axis
  = help: use .sum(axis=-1).mean()

Found 1 finding in 1 file.
[*] 1 fixable with --fix
"""
    )
    [finding] = json.loads(batchmean("check", "--output-format", "json").stdout)["findings"]
    assert (finding["path"], finding["cell"], finding["line"], finding["column"]) == ("n.ipynb", 6, 3, 19)
    assert [(because["cell"], because["line"]) for because in finding["because"]] == [(4, 2), (4, 3), (6, 3)]
    [edit] = finding["fix"]["edits"]
    line = LOSS.split("\n")[edit["line"] - 1]
    assert line[: edit["column"] - 1] + edit["text"] + line[edit["end_column"] - 1 :] == line.replace(
        BEFORE, AFTER
    )
    assert edit["cell"] == 6
    diff = batchmean("check", "--diff")
    assert diff.stdout.splitlines() == [
        "--- n.ipynb:cell 6",
        "+++ n.ipynb:cell 6",
        "@@ -1,3 +1,3 @@",
        " ",
        " if é:",
        "-    loss = '日本', -(target * logp).mean()",
        "+    loss = '日本', -(target * logp).sum(axis=-1).mean()",
    ]
    assert (diff.returncode, "(n.ipynb:cell 6:3)" in diff.stderr) == (1, True)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_what_knows_no_cells_is_told_the_line_of_the_file(
    batchmean: Run, write: Write, style: Callable[[Any], str]
) -> None:
    content = style(notebook(CELLS))
    write({"n.ipynb": content})
    lines = content.split("\n")
    [issue] = json.loads(batchmean("check", "--output-format", "gitlab").stdout)
    begin, end = (issue["location"]["positions"][name] for name in ("begin", "end"))
    assert begin["line"] == end["line"]
    assert lines[begin["line"] - 1][begin["column"] - 1 : end["column"] - 1] == BEFORE
    [log] = json.loads(batchmean("check", "--output-format", "sarif").stdout)["runs"]
    [result] = log["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": begin["line"],
        "startColumn": begin["column"],
        "endLine": end["line"],
        "endColumn": end["column"],
    }
    starts = [related["physicalLocation"]["region"] for related in result["relatedLocations"]]
    texts = [lines[start["startLine"] - 1][start["startColumn"] - 1 :] for start in starts]
    assert [
        text.startswith(code) for text, code in zip(texts, ("np.eye", "log_softmax", BEFORE), strict=True)
    ]
    assert f"line={begin['line']}," in batchmean("check", "--output-format", "github").stdout


def test_magics_move_no_row(batchmean: Run, write: Write) -> None:
    loss = '''\
%%time
# a comment
%config InlineBackend.figure_format = 'retina'
!wget https://x.y/z.tgz \\
    && tar xf z.tgz
names = !ls *.py
took = %timeit -o f()
?np.mean
np.mean??
pip install scipy
ls -l
for name in names:
    !cat {name}
text = """
!not a shell line
"""
remainder = (len(names)
    % 2)
loss = -(target * logp).mean()
'''
    cells: list[Cell] = [
        ("code", IMPORTS + ARRAYS),
        ("code", "%%bash\nfor x in *; do mean $x; done"),
        ("code", "%%html\n<p>log_softmax</p>"),
        ("code", "%md\n# A heading in Databricks"),
        ("code", loss),
    ]
    write({"n.ipynb": jupyter(notebook(cells))})
    done = batchmean("check", "n.ipynb")
    assert done.stderr == ""
    assert lines_of(done.stdout) == [Line("n.ipynb:cell 5", 19, 9, "BMN102")]


def test_a_cell_that_is_no_python_is_named_and_the_others_are_linted(batchmean: Run, write: Write) -> None:
    cells: list[Cell] = [("code", IMPORTS + ARRAYS), ("code", "x = (")]
    cells += [("code", "1)")] * 8 + [("code", "a = 1\nprint 'mean'"), ("code", LOSS)]
    clean: list[Cell] = [("code", "a = 1\n\nprint(a"), ("code", "a)")]
    write({"n.ipynb": jupyter(notebook(cells)), "clean.ipynb": jupyter(notebook(clean))})
    done = batchmean("check")
    assert lines_of(done.stdout) == [PLACE._replace(path="n.ipynb:cell 12")]
    errors = [line.split(": ", 3)[1:3] for line in done.stderr.splitlines()]
    assert errors == [["clean.ipynb", "cell 1"], ["clean.ipynb", "cell 2"]] + [
        ["n.ipynb", f"cell {number}"] for number in range(2, 12)
    ]
    assert "error: n.ipynb: cell 11: syntax error on line 2: " in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value on line 1, column 1"),
        (b"{", "Expecting property name enclosed in double quotes on line 1, column 2"),
        (b"[]", "its JSON is no object"),
        (b"{}", "it has no list of cells"),
        (b'{"cells": {}}', "it has no list of cells"),
        (b'{"cells": [], "worksheets": []}', "it has cells and worksheets"),
        (b'{"cells": [{"cell_type": "code"}]}', "cell 1 must have one source"),
        (b'{"cells": [1]}', "cell 1 has no cell_type"),
        (b'{"cells": [{"cell_type": "code", "source": 1}]}', "the source of cell 1 is no text"),
        (b'{"cells": [{"cell_type": "code", "source": ["a", 1]}]}', "the source of cell 1 is no text"),
        (
            b'{"cells": [{"cell_type": "code", "source": "", "source": "x"}]}',
            "an object has the key 'source' twice",
        ),
        (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deep or too large"),
        (b'{"cells": [], "x": "a\nb"}', "Invalid control character on line 1, column 22"),
    ],
)
def test_what_is_no_notebook_says_so(batchmean: Run, content: bytes, message: str) -> None:
    done = batchmean("check", "--stdin-filename", "n.ipynb", "-", stdin=content)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: n.ipynb: is not a valid notebook: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_odd_bytes_are_named_and_odd_numbers_are_none_of_our_business(batchmean: Run, write: Write) -> None:
    good = jupyter(notebook(CELLS, metadata={"n": 1})).replace('"n": 1', f'"n": {"1" * 5000}, "x": NaN')
    half = jupyter(notebook([("code", "x = 'mean'"), *CELLS[1:]])).replace("'mean'", "'\\ud800'")
    write(
        {
            "latin.ipynb": good.encode("latin-1", "replace"),
            "wide.ipynb": good.encode("utf-16"),
            "half.ipynb": half,
            "good.ipynb": "\ufeff" + good,
        }
    )
    done = batchmean("check")
    assert [line.path for line in lines_of(done.stdout)] == ["good.ipynb:cell 6", "half.ipynb:cell 6"]
    assert [line.split(": ")[1:3] for line in done.stderr.splitlines()] == [
        ["half.ipynb", "cell 1"],
        ["latin.ipynb", "is not valid utf-8"],
        ["wide.ipynb", "contains a NUL byte, so it is not text"],
    ]


def test_other_languages_are_left_out_where_the_notebook_says_so(batchmean: Run, write: Write) -> None:
    cells: list[Cell] = [("code", "x <- c(1, 2) |> mean()")]
    said: dict[str, dict[str, Any]] = {
        "r.ipynb": {"language_info": {"name": "R"}},
        "colab_r.ipynb": {"kernelspec": {"name": "ir", "display_name": "R"}},
        "julia.ipynb": {"kernelspec": {"name": "x", "language": "julia"}},
    }
    unsaid: dict[str, dict[str, Any]] = {
        "python.ipynb": {"language_info": {"name": "python"}, "kernelspec": {"name": "ir"}},
        "silent.ipynb": {"kernelspec": {}},
    }
    write(
        {name: jupyter(notebook(cells, metadata=metadata)) for name, metadata in {**said, **unsaid}.items()}
    )
    polyglot = notebook(cells)
    polyglot["cells"][0]["metadata"] = {"vscode": {"languageId": "r"}}
    write({"polyglot.ipynb": jupyter(polyglot)})
    done = batchmean("check")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["python.ipynb", "silent.ipynb"]


def test_settings_and_comments_hold(batchmean: Run, write: Write) -> None:
    silenced = [*CELLS[:5], ("code", LOSS + "  # noqa: BMN102")]
    write(
        {
            "pyproject.toml": '[tool.batchmean]\nexclude = ["old"]\nper-file-ignores = {"drafts/*" = ["BMN102"]}\n',
            "noqa.ipynb": jupyter(notebook(silenced)),
            "old/n.ipynb": jupyter(notebook(CELLS)),
            "drafts/n.ipynb": jupyter(notebook(CELLS)),
            ".ipynb_checkpoints/n-checkpoint.ipynb": jupyter(notebook(CELLS)),
            "sub/n.ipynb": jupyter(notebook(CELLS)),
        }
    )
    assert [line.path for line in lines_of(batchmean("check").stdout)] == ["sub/n.ipynb:cell 6"]


def test_comments_are_added_in_cells(batchmean: Run, write: Write, tmp_path: Path) -> None:
    content = jupyter(notebook(CELLS))
    write({"n.ipynb": content})
    done = batchmean("check", "--add-noqa", "n.ipynb")
    assert (done.returncode, done.stderr) == (0, "note: added # noqa comments for 1 line\n")
    first, last = content.rsplit(BEFORE, 1)
    assert (tmp_path / "n.ipynb").read_text(encoding="utf-8") == f"{first}{BEFORE}  # noqa: BMN102{last}"
    assert batchmean("check").stdout == ""


def test_standard_input_comes_out_fixed(batchmean: Run) -> None:
    content = colab(notebook(CELLS[1:]))
    done = batchmean("check", "--fix", "--stdin-filename", "n.ipynb", "-", stdin=content)
    assert (done.returncode, done.stdout) == (0, content.replace(BEFORE, AFTER))


def test_a_fix_may_touch_two_cells(batchmean: Run, write: Write, tmp_path: Path) -> None:
    loss = """\
def loss(labels, logits):
    target = tf.one_hot(labels, 10)
    logp = tf.nn.log_softmax(logits)
    return -reduce_mean(target * logp)"""
    imports = "import tensorflow as tf\nfrom tensorflow import reduce_mean"
    cells: list[Cell] = [("code", imports), ("markdown", "Text"), ("code", loss)]
    content = one_line(notebook(cells))
    write({"n.ipynb": content})
    assert batchmean("check", "--fix").returncode == 0
    fixed = json.loads((tmp_path / "n.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in fixed["cells"]]
    assert sources[0] == f"{imports}, reduce_sum"
    assert sources[2] == loss.replace("target * logp", "reduce_sum(target * logp, axis=-1)")


def test_a_fix_over_several_lines_keeps_the_literals(batchmean: Run, write: Write, tmp_path: Path) -> None:
    function = WRONG.split("\n\n\n")[1].replace(
        "return -(target * logp).mean()", "count = logp.size\n    return -np.sum(target * logp) / count"
    )
    content = jupyter(notebook([("code", IMPORTS), ("code", function)]))
    write({"n.ipynb": content})
    assert batchmean("check", "--fix").returncode == 0
    before, after = content.split("\n"), (tmp_path / "n.ipynb").read_text(encoding="utf-8").split("\n")
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        (r'    "    count = logp.size\n",', '    "",'),
        (
            r'    "    return -np.sum(target * logp) / count\n"',
            r'    "    return -np.sum(target * logp, axis=-1).mean()\n"',
        ),
    ]


def test_editors_send_flake8_the_cells_joined(flake8: Run) -> None:
    text = "\n".join([IMPORTS, "pass  # %matplotlib inline", ARRAYS, LOSS]) + "\n"
    line = 1 + text[: text.index(BEFORE)].count("\n")
    done = flake8("--isolated", "--select", "BMN", "--stdin-display-name", "n.ipynb", "-", stdin=text)
    assert lines_of(done.stdout) == [Line("n.ipynb", line, 19, "BMN102")]


def test_python_alone_costs_no_json(batchmean: Run, write: Write) -> None:
    write({"a.py": WRONG})
    done = batchmean("check", "a.py", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "batchmean.linter" in imported
    assert not {"json", "batchmean.documents"} & imported


PERCENT = """\
# ---
# jupyter:
#   kernelspec:
#     name: python3
# ---

# %% [markdown]
# # The loss

# %%
{imports}
# %% tags=["hide"]
# %matplotlib inline
{arrays}
# %%
loss = -(target * logp).mean()
"""


@pytest.mark.parametrize("mark", ["# %%", "# +"], ids=["percent", "light"])
def test_jupytext_scripts_are_python(batchmean: Run, write: Write, mark: str) -> None:
    text = PERCENT.format(imports=IMPORTS, arrays=ARRAYS).replace("# %%", mark)
    write({"script.py": text})
    line = 1 + text[: text.index(BEFORE)].count("\n")
    assert lines_of(batchmean("check").stdout) == [Line("script.py", line, 9, "BMN102")]


def test_many_notebooks_in_several_processes(batchmean: Run, write: Write) -> None:
    padding: list[Cell] = [("code", "x = 1  # " + "." * 60_000)]
    names = [f"{letter}.ipynb" for letter in "abcdefgh"]
    write({name: jupyter(notebook([*CELLS, *padding])) for name in names})
    done = batchmean("check", "--jobs", "2")
    assert [line.path for line in lines_of(done.stdout)] == [f"{name}:cell 6" for name in names]
    assert done.stderr == ""


def test_cells_under_magics_of_ones_own_are_python_where_the_settings_say_so(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    text = f"%%profile -n 3\n{ARRAYS}{LOSS}"
    write({"n.ipynb": jupyter(notebook([("code", IMPORTS), ("code", text)]))})
    assert list(check_files(tmp_path)) == [Result(str(tmp_path / "n.ipynb"))]
    write({"pyproject.toml": '[tool.batchmean]\npython-cell-magics = ["profile"]\n'})
    [result] = check_files(tmp_path, fixes=True)
    assert [(f.cell, f.code) for f in result.findings] == [(2, "BMN102")]
    assert batchmean("check", "--add-noqa").returncode == 0
    assert "# noqa: BMN102" in (tmp_path / "n.ipynb").read_text(encoding="utf-8")
    write({"pyproject.toml": '[tool.batchmean]\npython-cell-magics = ["%%profile"]\n'})
    with pytest.raises(ConfigError, match="'%%profile' is no name of a magic; it stands there without %%"):
        Settings().of(str(tmp_path / "n.ipynb"))
