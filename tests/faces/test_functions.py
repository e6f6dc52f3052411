"""`[tool.batchmean.functions]` and `frameworks`: what a project tells of functions of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from batchmean import check_files
from batchmean.config import ConfigError, Settings
from batchmean.function_tables import from_table
from batchmean.functions import FunctionError, Functions
from batchmean.settings_page import page
from batchmean.settings_schema import schema

from tests.faces.support import Run, Write, lines_of, run_program

PAGE = (Path(__file__).parents[2] / "docs" / "functions.md").read_text(encoding="utf-8")
TABLE = """\
[tool.batchmean.functions]
"acme.losses.kl" = "torch.nn.functional.kl_div"
"acme.losses.KL" = "torch.nn.KLDivLoss"
"acme.losses.average" = "torch.mean"
"acme.losses.divergence" = "kl_div(target|p, x|log_q)"
"acme.nn.lsm" = "torch.log_softmax"
"acme.nn.probabilities" = "softmax(x|scores, [temperature], axis; axis=-1)"
"""
IMPORTS = {
    "from acme.losses import kl": "kl",
    "from acme.losses import kl as D": "D",
    "import acme.losses": "acme.losses.kl",
    "import acme.losses as L": "L.kl",
    "from acme import losses": "losses.kl",
    "from acme.losses import *": "kl",
    "import acme.losses\nD = acme.losses.kl": "D",
    "from acme.losses import KL": "KL()",
    "from acme.losses import KL\ncriterion = KL()": "criterion",
}


def found(*paths: Path, jobs: int = 1) -> list[tuple[str, int, str, str]]:
    """The findings by file name, line, code and confidence; nothing else may be said."""
    results = list(check_files(paths, jobs=jobs))
    assert [result for result in results if result.errors or result.warnings] == []
    return sorted((Path(f.path).name, f.span.line, f.code, f.confidence) for r in results for f in r.findings)


@pytest.mark.parametrize("imports", IMPORTS)
def test_it_is_known_however_it_is_imported(write: Write, tmp_path: Path, imports: str) -> None:
    text = f"{imports}\n\n\ndef loss(student, teacher):\n    return {IMPORTS[imports]}(student, teacher)\n"
    write({"a.py": text})
    assert found(tmp_path) == []
    write({"pyproject.toml": TABLE})
    line = text.count("\n")
    assert found(tmp_path) == [("a.py", line, "BMN103", "likely")]
    # No state outlives a change of the settings.
    write({"pyproject.toml": TABLE.replace("losses.kl", "losses.other").replace("losses.KL", "losses.Other")})
    assert found(tmp_path) == []


def test_a_package_that_is_linted_itself(write: Write, tmp_path: Path) -> None:
    body = "\n\ndef loss(student, teacher):\n    return {}(student, teacher)\n"
    files = {
        "near.py": "from .losses import kl" + body.format("kl"),
        "module.py": "from . import losses" + body.format("losses.kl"),
        "deep/er.py": "from ..losses import kl" + body.format("kl"),
        # Its own code says otherwise: what is told comes first.
        "losses.py": "def kl(p, q):\n    return something(p, q)\n",
    }
    write({"pyproject.toml": TABLE, **{f"src/acme/{name}": text for name, text in files.items()}})
    expected = [(name, 4, "BMN103", "likely") for name in ("er.py", "module.py", "near.py")]
    assert found(tmp_path / "src") == expected
    write({"pyproject.toml": f"[tool.batchmean]\nfollow-imports = false\n{TABLE}"})
    assert found(tmp_path / "src") == expected


def test_arguments_are_those_of_the_line(write: Write, tmp_path: Path) -> None:
    text = """\
from acme.losses import average, divergence
from acme.nn import lsm, probabilities


def keywords(student, teacher):
    return divergence(log_q=lsm(student, -1), p=probabilities(teacher, 2.0))


def positions(student, teacher):
    return average(-probabilities(scores=teacher) * lsm(student, -1))


def right(student, teacher):
    return average((-probabilities(scores=teacher) * lsm(student, -1)).sum(-1))
"""
    write({"pyproject.toml": TABLE, "a.py": text})
    assert found(tmp_path) == [("a.py", 6, "BMN103", "proved"), ("a.py", 10, "BMN102", "proved")]


def test_it_is_followed_into_another_module(write: Write, tmp_path: Path) -> None:
    helper = "from acme.losses import KL\n\n\ndef make():\n    return KL(reduction='none')\n"
    write({
        "pyproject.toml": TABLE,
        "helper.py": helper,
        "train.py": "from helper import make\n\n\ndef step(p, q):\n    return make()(p, q).mean()\n",
    })  # fmt: skip
    assert found(tmp_path) == [("train.py", 5, "BMN103", "likely")]


def test_loops_that_add_it_up(write: Write, tmp_path: Path) -> None:
    text = """\
from acme.losses import kl


def epoch(model, loader):
    total = 0.0
    for x, y in loader:
        total += kl(model(x), y, reduction="batchmean").item()
    return total / len(loader.dataset)
"""
    write({"a.py": text, "pyproject.toml": f'[tool.batchmean]\nselect = ["BMN501"]\npreview = true\n{TABLE}'})
    assert found(tmp_path) == [("a.py", 8, "BMN501", "likely")]


WRONG_LINES = {
    '"acme.kl" = "torch.nn.functional.kldiv"': "nothing is known of 'torch.nn.functional.kldiv'; did you mean "
    "torch.nn.functional.kl_div?",
    '"acme.kl" = "torch.nn.functional"': "torch.nn.functional is a module: name one of its functions",
    '"acme.kl" = "kl_div"': "'kl_div' does not say which argument is x (kl_div takes x, target,",
    '"acme.kl" = "kl_dif(x, target)"': "nothing is known of 'kl_dif'; did you mean ",
    '"acme.kl" = "cross_entropy"': "did you mean torch.nn.functional.cross_entropy?",
    '"acme.kl" = "kl_div(x, target, reducton)"': "has no argument 'reducton'; did you mean reduction?",
    '"acme.kl" = "kl_div(x, target; extr=none)"': "has no fact 'extr'; did you mean extra?",
    '"acme.kl" = "kl_div(x, target; axis=last)"': "cannot be read: a line reads softmax(x|input, axis|dim)",
    '"acme.kl" = "kl_div(x, tar get)"': "cannot be read",
    '"acme.kl" = "kl_div(x, *rest)"': "kl_div takes no *rest",
    '"acme.kl" = "kl_div(x, target"': "cannot be read",
    '"acme.kl" = 3': "must have a string",
    '"kl" = "torch.mean"': "'kl' is no full name of a function, such as acme.losses.kl",
    '"acme.kl()" = "torch.mean"': "is no full name of a function",
    'acme.losses.kl = "torch.mean"': 'put the whole name in quotes: "acme.losses.kl"',
}


@pytest.mark.parametrize("line", WRONG_LINES)
def test_what_means_nothing_is_an_error(write: Write, tmp_path: Path, line: str) -> None:
    write({"pyproject.toml": f"[tool.batchmean.functions]\n{line}\n"})
    with pytest.raises(ConfigError) as caught:
        Settings().of(str(tmp_path / "a.py"))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'pyproject.toml'}: [tool.batchmean] functions: ")
    assert WRONG_LINES[line] in message
    assert "\n" not in message


def test_the_table_must_be_one() -> None:
    with pytest.raises(FunctionError, match="must be a table"):
        from_table(["acme.kl"])
    assert from_table({}) == Functions()


def test_the_schema_says_the_same() -> None:
    accepts = jsonschema.Draft202012Validator(schema()).is_valid
    assert accepts({"frameworks": ["acme"], "functions": {"acme.losses.kl": "torch.mean"}})
    assert not accepts({"functions": {"kl": "torch.mean"}})
    assert not accepts({"functions": {"acme.kl": {"losses": "torch.mean"}}})
    assert not accepts({"functions": ["acme.kl"]})


def example(language: str, holding: str = "") -> str:
    """A fenced example of the page, the one that holds some words."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    found: str = next(block for block in blocks if holding in block)
    return found


@pytest.mark.heavy
def test_the_worked_example(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"train.py": example("python", "def distillation"), "pyproject.toml": example("toml", "losses.kl")})
    command, _, shown = example("console").partition("\n")
    done = batchmean(*command.removeprefix("$ batchmean ").split())
    assert done.stdout == shown
    # What is shown says the same when it is read.
    settings = page("train.py", Settings().of(str(tmp_path / "train.py")))
    assert '"acme.losses.kl" = "torch.nn.functional.kl_div"' in settings
    write({"pyproject.toml": settings})
    assert page("train.py", Settings().of(str(tmp_path / "train.py"))) == settings


def test_the_lines_of_the_page_mean_something() -> None:
    lines = re.findall(r'^"(acme\.[\w.]+)" = "(.*)"$', PAGE, re.MULTILINE)
    words = re.findall(r"`(\w+\([\w, ]+\))`", PAGE)
    assert len(lines) > 4 and len(words) > 8
    assert len(from_table(dict(lines))) == len(dict(lines))
    assert len(from_table({f"acme.f{n}": word for n, word in enumerate(words)})) == len(words)


def test_a_fix_writes_no_argument_that_is_not_told(write: Write, tmp_path: Path) -> None:
    write({
        "pyproject.toml": '[tool.batchmean.functions]\n"acme.kl" = "kl_div(x, target)"\n',
        "a.py": "import torch\nimport acme\n\n\ndef loss(a, b):\n"
        "    return acme.kl(torch.log_softmax(a, dim=-1), torch.softmax(b, dim=-1))\n",
    })  # fmt: skip
    [result] = check_files(tmp_path, fixes=True)
    assert [(f.code, f.fix, f.no_fix) for f in result.findings] == [
        ("BMN103", None, "what is told of the function names no reduction")
    ]


def installed(folder: Path, table: str) -> dict[str, str]:
    """A package that is installed in a folder and has a table; what the environment needs to find it."""
    metadata = folder / "acme_batchmean-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-batchmean\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[batchmean.frameworks]\nacme = acme_batchmean:TABLE\n")
    (folder / "acme_batchmean.py").write_text(table)
    return {"PYTHONPATH": ":".join([str(folder), *filter(None, sys.path)])}


LOSS = "from acme.losses import kl\n\n\ndef loss(student, teacher):\n    return kl(student, teacher)\n"


@pytest.mark.heavy
def test_an_installed_table(batchmean: Run, flake8: Run, write: Write, tmp_path: Path) -> None:
    environment = installed(tmp_path / "site", example("python", "TABLE"))
    write({"src/a.py": LOSS, "src/pyproject.toml": '[tool.batchmean]\nframeworks = ["acme"]\n'})
    done = batchmean("check", "src", **environment)
    assert [line.code for line in lines_of(done.stdout)] == ["BMN103"]
    assert flake8("--isolated", "--select", "BMN", "src", **environment).stdout == done.stdout
    write({"src/pyproject.toml": '[tool.batchmean]\nframeworks = ["acne"]\n'})
    missing = batchmean("check", "src", **environment)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.endswith(
        "frameworks: no installed package has a table 'acne'; did you mean acme?\n"
    )


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("raise OSError('no\\nnet')", "the table 'acme' cannot be had: OSError: no net"),
        ("TABLE = []", "the table 'acme': must be a table"),
        ("TABLE = {'acme.kl': 'torch.maen'}", "nothing is known of 'torch.maen'; did you mean torch.mean?"),
    ],
)
def test_an_installed_table_that_is_none(
    monkeypatch: pytest.MonkeyPatch, write: Write, tmp_path: Path, table: str, why: str
) -> None:
    installed(tmp_path / "site", table)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "acme_batchmean", raising=False)
    write({"pyproject.toml": '[tool.batchmean]\nframeworks = ["acme"]\n'})
    with pytest.raises(ConfigError, match=re.escape(why)):
        Settings().of(str(tmp_path / "a.py"))
    sys.modules.pop("acme_batchmean", None)


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("program", ["batchmean", "flake8"])
def test_any_start_method(write: Write, tmp_path: Path, method: str, program: str) -> None:
    padding = "".join(f"# {n} {'log' * 30}\n" for n in range(2500))  # enough text to make processes worth it
    write({f"pkg/{name}.py": LOSS + padding for name in "abc"} | {"pkg/pyproject.toml": TABLE})
    module, options = (
        ("batchmean.cli", ["check", "--jobs", "2", "pkg"])
        if program == "batchmean"
        else ("flake8.main.cli", ["--isolated", "--select", "BMN", "-j2", "pkg"])
    )
    main = f"""
import multiprocessing, sys
from {module} import main
if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    sys.exit(main())
"""
    write({"run.py": main})
    done = run_program(Path(sys.executable).name, "run.py", *options, cwd=tmp_path)
    assert [(line.path, line.line) for line in lines_of(done.stdout)] == [(f"pkg/{n}.py", 5) for n in "abc"]
    assert done.stderr == ""
    many = f"""
from batchmean import check_files
import multiprocessing
if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    print([f.code for r in check_files("pkg", jobs=2) for f in r.findings])
"""
    write({"many.py": many})
    api = subprocess.run(
        [sys.executable, "many.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert api.stdout == "['BMN103', 'BMN103', 'BMN103']\n"
