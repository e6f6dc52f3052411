"""`batchmean.check_source` and `batchmean.check_files`: what other programs call, and what is promised of it."""

from __future__ import annotations

import gc
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import batchmean
import pytest
from batchmean import Result, check_files, check_source
from batchmean.processes import in_processes

from tests.faces import notebooks
from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
MASKED = (
    "def loss(prediction, target, attention_mask):\n"
    "    return ((prediction - target) ** 2 * attention_mask).mean()\n"
)


def notebook(*cells: str) -> str:
    """A notebook with cells of code."""
    return json.dumps(notebooks.notebook([("code", cell) for cell in cells]))


def codes(result: Result) -> list[str]:
    return [finding.code for finding in result.findings]


def the_error(result: Result) -> str:
    """The one reason why there is no verdict."""
    assert result.findings == []
    [error] = result.errors
    assert error.path == result.path
    assert "\n" not in error.message
    return error.message


def test_the_signatures_are_the_promised_ones() -> None:
    promised = re.findall(r"^(check_\w+)\((.*)\) -> (.*)$", PAGE, re.MULTILINE)
    assert {name for name, _, _ in promised} == {"check_source", "check_files"}
    for name, parameters, returned in promised:
        signature = inspect.signature(getattr(batchmean, name))
        bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
        written = str(inspect.Signature(bare))[1:-1].replace("'", '"')
        assert (written, signature.return_annotation) == (parameters, returned)


def test_the_attributes_are_the_promised_ones() -> None:
    [table] = re.findall(r"^\| `Result` \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = re.findall(r"^\| `(\w+)(?:\(\))?` \|", table, re.MULTILINE)[1:]
    assert named == ["path", "findings", "errors", "warnings", "to_dicts"]
    result = check_source(WRONG)
    assert all(hasattr(result, name) for name in named)
    [sentence] = re.findall(r"A `Finding` has (.*?), with the meaning", PAGE, re.DOTALL)
    for name in re.findall(r"`(\w+)`", sentence):
        assert hasattr(result.findings[0], name)


def test_the_package_exports_what_it_says() -> None:
    assert set(batchmean.__all__) >= {"check_source", "check_files", "Result", "Finding", "FileError"}
    assert all(getattr(batchmean, name) is not None for name in batchmean.__all__)
    with pytest.raises(AttributeError, match=r"no attribute 'check'$"):
        batchmean.__getattr__("check")


def test_the_example_of_the_page_runs() -> None:
    example = re.findall(r"^```python\n(from .*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, encoding="utf-8", check=True, timeout=120
    )
    assert re.fullmatch(r"4 BMN102 .+\n", done.stdout)


@pytest.mark.parametrize("fixes", [False, True])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", TWO_KINDS),
        ("right.py", RIGHT),
        ("broken.py", "def f(:\n"),
        ("n.ipynb", notebook(WRONG, "def f(:")),
        ("m.md", f"# Title\n\n```python\n{WRONG}```\n"),
        ("silenced.py", WRONG.rstrip() + "  # noqa: BMN102\n"),
    ],
)
def test_it_says_what_the_command_writes(
    batchmean: Run, write: Write, name: str, text: str, fixes: bool
) -> None:
    write({name: text})
    written = json.loads(batchmean("check", "--output-format", "json", name).stdout)
    if not fixes:
        for finding in written["findings"]:
            finding["fix"] = finding["no_fix"] = None
    result = check_source(text, name, fixes=fixes)
    assert result.to_dicts() == written
    assert check_source(text.encode(), name, fixes=fixes) == result
    assert json.loads(json.dumps(result.to_dicts())) == written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def f(:\n", "syntax error on line 1: invalid syntax"),
        ("x = 1\0", "contains a NUL byte, so it is not Python source"),
        (b"x = 1\0", "contains a NUL byte, so it is not Python source"),
        (b"x = '\xff'", "is not valid utf-8: byte 0xff on line 1"),
        (b"# coding: no-such-thing\n", "declares an unknown encoding: no-such-thing"),
        (
            "x = '\udc80'",
            "'utf-8' codec can't encode character '\\udc80' in position 5: surrogates not allowed",
        ),
        ("#" * ((32 << 20) + 1), "is larger than 32 MiB"),
        (b"#" * ((32 << 20) + 1), "is larger than 32 MiB"),
        ("-" * 100_000 + "1", "cannot be parsed: nested too deeply"),
        (None, "the source is neither text nor bytes but of type NoneType"),
        (3, "the source is neither text nor bytes but of type int"),
        ([WRONG], "the source is neither text nor bytes but of type list"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_python_is_an_error(content: Any, message: str) -> None:
    assert the_error(check_source(content)) == message
    assert check_source(content).path == "<source>"


class Odd(str):
    """Text whose methods raise."""

    def __len__(self) -> int:
        raise OverflowError("odd")


class OddPath(os.PathLike[str]):
    """A path that is none."""

    def __fspath__(self) -> str:
        raise OSError("odd")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"select": ["BMN8"]}, "select: unknown code 'BMN8'"),
        ({"select": "BMN103,BNM102"}, "select: unknown code 'BNM102'; did you mean BMN102?"),
        ({"select": []}, "select names no code"),
        ({"select": [3]}, "select: codes are strings"),
        ({"select": 3}, "internal error: TypeError"),
        ({"min_confidence": "sure"}, 'min_confidence must be "likely" or "proved"'),
        ({"min_confidence": []}, 'min_confidence must be "likely" or "proved"'),
        ({"path": 3}, "path is no path but of type int"),
        ({"path": OddPath()}, "internal error: OSError"),
        ({"source": Odd(WRONG)}, "internal error: OverflowError"),
    ],
)
def test_wrong_arguments_are_errors(arguments: dict[str, Any], message: str) -> None:
    assert the_error(check_source(**({"source": WRONG} | arguments))).startswith(message)


def test_a_deep_stack_is_an_error() -> None:
    def called(depth: int) -> Result:
        return called(depth - 1) if depth else check_source(WRONG + "x = " + "(" * 80 + ")" * 80 + "\n")

    limit = sys.getrecursionlimit()
    outcomes = []
    for left in range(100, limit - 200, 40):
        try:
            outcomes.append(called(left))
        except RecursionError:  # the call itself did not find room
            break
    assert all(codes(result) == ["BMN102"] or the_error(result) for result in outcomes)
    assert len(outcomes) > 5


def test_arguments_choose_what_is_reported() -> None:
    assert codes(check_source(TWO_KINDS)) == ["BMN102", "BMN101"]
    assert codes(check_source(TWO_KINDS, select=["BMN101"])) == ["BMN101"]
    assert codes(check_source(TWO_KINDS, select="bmn1 BMN304")) == ["BMN102", "BMN101"]
    likely = (
        "import numpy as np\n\ndef f(labels_onehot, p):\n    return -(labels_onehot * np.log(p)).mean()\n"
    )
    assert codes(check_source(likely)) == ["BMN102"]
    assert codes(check_source(likely, min_confidence="proved")) == []
    assert check_source(WRONG).findings[0].fix is None
    assert check_source(WRONG, fixes=True).findings[0].fix is not None


def test_a_rule_in_preview_is_reported_where_its_whole_code_is_given() -> None:
    assert codes(check_source(MASKED)) == []
    assert codes(check_source(MASKED, select="BMN2")) == []
    assert codes(check_source(MASKED, select="BMN201")) == ["BMN201"]
    assert codes(check_source(MASKED + "\n" + WRONG, select=["BMN", "BMN201"])) == ["BMN201", "BMN102"]


def test_no_file_and_no_settings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.batchmean]\nignore = ["BMN1"]\n', encoding="utf-8")
    (tmp_path / "a.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_source(WRONG, fixes=True)  # so that everything is imported
    opened: list[object] = []
    is_watching = [True]
    sys.addaudithook(lambda event, what: opened.append(what) if is_watching and event == "open" else None)
    for path in ("a.py", tmp_path / "a.py", "no/such/folder/a.py"):
        assert codes(check_source("from b import c\n" + WRONG + "c().mean()\n", path, fixes=True)) == [
            "BMN102"
        ]
    is_watching.clear()
    assert opened == []


@pytest.mark.skipif(os.name != "posix", reason="a folder in use cannot be removed")
def test_no_working_directory_is_needed(tmp_path: Path) -> None:
    program = (
        "import os, sys; from batchmean import check_source\nos.rmdir(os.getcwd())\n"
        "result = check_source(sys.argv[1], 'a.py')\nprint(len(result.to_dicts()['findings']), result.errors)"
    )
    folder = tmp_path / "gone"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, WRONG], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.stdout, done.stderr) == ("1 []\n", "")


def test_a_byte_order_mark_and_other_line_ends_are_no_matter() -> None:
    plain = check_source(WRONG)
    for text in ("\ufeff" + WRONG, WRONG.replace("\n", "\r\n"), WRONG.replace("\n", "\r")):
        assert check_source(text) == plain
        assert check_source(text.encode()) == plain
        assert check_source(bytearray(text.encode())) == plain  # type: ignore[arg-type]
    assert check_source(f"# coding: latin-1\n# é\n{WRONG}") == check_source(f"#\n#\n{WRONG}")


def test_results_survive_pickling_threads_and_processes() -> None:
    texts = [TWO_KINDS, RIGHT, "def f(:\n", notebook(WRONG)] * 3
    names = [f"{n}.py" if "{" not in text[:2] else f"{n}.ipynb" for n, text in enumerate(texts)]
    here = list(map(check_source, texts, names))
    assert [codes(result) for result in here[:4]] == [["BMN102", "BMN101"], [], [], ["BMN102"]]
    assert pickle.loads(pickle.dumps(here)) == here
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(check_source, texts, names)) == here
    with ProcessPoolExecutor(2) as processes:
        assert list(processes.map(check_source, texts, names)) == here


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        for text in (TWO_KINDS, "def f(:\n", "-" * 100_000 + "1"):
            check_source(text, fixes=True)
            assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


FILES = {
    "pyproject.toml": '[tool.batchmean]\nignore = ["BMN101"]\nexclude = ["left_out"]\n',
    "a.py": TWO_KINDS,
    "b/clean.py": RIGHT,
    "b/broken.py": "def f(:\n",
    "c/pyproject.toml": '[tool.batchmean]\nselcet = ["BMN1"]\n',
    "c/wrong.py": TWO_KINDS,
    "left_out/d.py": WRONG,
    "n.ipynb": notebook(WRONG),
}


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_come_one_by_one_under_their_settings(write: Write, tmp_path: Path, jobs: int) -> None:
    write(FILES)
    results = list(check_files(tmp_path, jobs=jobs))
    shown = [(Path(r.path).relative_to(tmp_path).as_posix(), codes(r), len(r.errors)) for r in results]
    settings: tuple[str, list[str], int] = ("c/pyproject.toml", [], 1)
    assert shown.index(settings) < shown.index(("c/wrong.py", ["BMN102", "BMN101"], 0))
    assert [file for file in shown if file != settings] == [
        ("a.py", ["BMN102"], 0),
        ("n.ipynb", ["BMN102"], 0),
        ("b/broken.py", [], 1),
        ("b/clean.py", [], 0),
        ("c/wrong.py", ["BMN102", "BMN101"], 0),
    ]
    [problem] = [r.errors[0].message for r in results if r.path.endswith("pyproject.toml")]
    assert problem == "[tool.batchmean] has no setting 'selcet'; did you mean select?"


def test_files_are_what_the_command_finds(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({name: text for name, text in FILES.items() if name != "c/pyproject.toml"})
    written = json.loads(batchmean("check", "--output-format", "json", str(tmp_path)).stdout)
    results = [result.to_dicts() for result in check_files([tmp_path], fixes=True)]
    together = [finding for result in results for finding in result["findings"]]
    assert sorted(together, key=lambda f: (f["path"], f["line"])) == written["findings"]
    assert [error for result in results for error in result["errors"]] == written["errors"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_imports_are_followed_where_files_are_read(
    batchmean: Run, write: Write, tmp_path: Path, jobs: int
) -> None:
    losses = (
        "import torch.nn.functional as F\n\n\ndef divergence(student, teacher):\n"
        "    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction='none')\n"
    )
    train = (
        "from losses import divergence\n\n\ndef fit(student, teacher):\n"
        "    return divergence(student, teacher).mean()\n"
    )
    write({"pyproject.toml": "", "losses.py": losses, "train.py": train})
    assert [codes(result) for result in check_files(tmp_path, jobs=jobs)] == [[], ["BMN103"]]
    assert codes(check_source(train, tmp_path / "train.py")) == []
    silenced = train.rstrip() + "  # noqa: BMN103\n"
    write({"train.py": silenced})
    assert batchmean("check").stdout == ""  # the comment is used
    assert codes(check_source(silenced, tmp_path / "train.py")) == []
    write({"pyproject.toml": "[tool.batchmean]\nfollow-imports = false\n", "train.py": train})
    assert [codes(result) for result in check_files(tmp_path, jobs=jobs)] == [[], []]


def test_files_have_their_baseline(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"pyproject.toml": '[tool.batchmean]\nbaseline = "b.json"\n', "a.py": WRONG, "b.py": RIGHT})
    batchmean("check", "--write-baseline", "b.json")
    write({"b.py": WRONG})
    assert [codes(result) for result in check_files(tmp_path)] == [[], ["BMN102"]]
    write({"b.json": "{"})
    problem, *results = check_files(tmp_path, jobs=2)
    assert problem.path == str(tmp_path / "b.json")
    assert the_error(problem).startswith("is no baseline of batchmean, and no JSON: ")
    assert [codes(result) for result in results] == [["BMN102"], ["BMN102"]]


def test_files_are_yielded_as_they_come(write: Write, tmp_path: Path) -> None:
    write({f"{n:04}.py": "x = 1\n" for n in range(300)})
    results = check_files(tmp_path)
    assert next(results).path.endswith("0000.py")
    (tmp_path / "0001.py").write_text(WRONG, encoding="utf-8")  # is read when it is its turn
    assert codes(next(results)) == ["BMN102"]
    assert sum(1 for _ in results) == 298


def test_files_that_are_not_there_are_errors(tmp_path: Path) -> None:
    [missing] = check_files(tmp_path / "no.py")
    assert the_error(missing) == "no such file or directory"
    (tmp_path / "empty").mkdir()
    [nothing] = check_files([tmp_path / "empty"])
    assert (nothing.errors, nothing.warnings) == (
        [],
        [f"no Python files to check under {tmp_path / 'empty'}"],
    )


@pytest.mark.parametrize(
    "arguments", [{"jobs": 0}, {"jobs": "2"}, {"select": ["BMN8"]}, {"min_confidence": "sure"}]
)
def test_arguments_that_mean_nothing_raise_at_once(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        check_files(tmp_path, **arguments)


def doubled(number: int) -> int:
    """Twice a number; some end their process."""
    if number % 50 == 7:
        os._exit(3)
    return 2 * number


def test_an_item_that_ends_its_process_is_named_and_the_others_go_on() -> None:
    expected = [-n if n % 50 == 7 else 2 * n for n in range(200)]
    assert list(in_processes(doubled, range(200), 2, lambda number: -number)) == expected


def test_what_is_not_asked_for_any_more_is_not_done(tmp_path: Path, write: Write) -> None:
    write({f"{n:04}.py": WRONG for n in range(200)})
    results = check_files(tmp_path, jobs=2)
    next(results)
    close: Callable[[], None] = getattr(results, "close")  # noqa: B009 - an iterator promises none
    close()
    assert list(results) == []


def test_importing_the_package_costs_nothing() -> None:
    program = "import sys, batchmean; print([name for name in sys.modules if name.startswith('batchmean.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "[]\n"


def test_the_type_of_paths_is_free(tmp_path: Path, write: Write) -> None:
    write({"a.py": WRONG})
    given: Iterable[Any] = [str(tmp_path), tmp_path, [tmp_path], (str(tmp_path / "a.py"),), iter([tmp_path])]
    for paths in given:
        assert [codes(result) for result in check_files(paths)] == [["BMN102"]]
