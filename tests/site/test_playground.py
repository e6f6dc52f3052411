"""The playground: what it says is what the command says, and the page does what a reader does with it.

Most of the page is tested with the linter in this process behind it, which needs Chromium only. The last tests put the
real one together, with Python in the browser; they need npm and the package index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from batchmean import __version__
from batchmean.findings import Edit, Span
from batchmean.rules import RULES
from batchmean.source import apply

from benchmarks import playground
from benchmarks.editor import module
from docs.playground import assemble, face
from tests.chromium import Page, Quiet, served
from tests.faces.support import run_program

HERE = Path(assemble.__file__).parent
NAMED = """\
import numpy as np


def loss(target, probs):
    return -(target * np.log(probs)).mean()
"""
TEN = """\
import numpy as np
from scipy.special import log_softmax


def loss(logits, labels):
    target = np.eye(10)[labels]
    logp = log_softmax(logits, axis=-1)
    return -(target * logp).mean()
"""


# What the page asks of the linter.


def test_it_says_what_the_command_says(tmp_path: Path) -> None:
    for code, rule in RULES.items():
        (tmp_path / f"{code}.py").write_text(rule.wrong, encoding="utf-8")
    done = run_program("batchmean", "check", "--preview", "--output-format", "json", cwd=tmp_path)
    told = json.loads(done.stdout)
    for code, rule in RULES.items():
        here = json.loads(face.check(rule.wrong, True, True))
        for finding in here["findings"]:
            assert finding.pop("preview") == RULES[finding["code"]].preview
            assert finding.pop("path") == face.PATH
            del finding["sizes"]
        there = [finding for finding in told["findings"] if finding["path"] == f"{code}.py"]
        assert here["findings"] == [{k: v for k, v in f.items() if k != "path"} for f in there] != []
        assert here.keys() - {"nothing_to_read"} == told.keys()


def test_rules_in_preview_are_asked_for() -> None:
    text = RULES["BMN301"].wrong
    assert json.loads(face.check(text, False))["findings"] == []
    assert [f["code"] for f in json.loads(face.check(text, True))["findings"]] == ["BMN301"]


def test_fixes_are_asked_for() -> None:
    without, with_fixes = (json.loads(face.check(TEN, True, fixes))["findings"] for fixes in (False, True))
    assert without[0]["fix"] is None
    assert with_fixes[0]["fix"]["safe"]
    assert face.has_fixes()


def test_the_sizes_that_the_code_shows() -> None:
    [finding] = json.loads(face.check(TEN, True))["findings"]
    assert finding["sizes"] == {"V": 10}


@pytest.mark.parametrize("text", ["def f(:\n", "x = (\n" * 500, "log\0", "log(\ud800)\n"])
def test_what_has_no_verdict_is_said(text: str) -> None:
    told = json.loads(face.check(text, True))
    assert told["findings"] == []
    assert len(told["errors"]) == 1


def test_nothing_beside_the_text_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = TEN.replace("def loss", "def each").replace(
        "return -(target * logp).mean()", "return target * logp"
    )
    (tmp_path / "own.py").write_text(each, encoding="utf-8")
    text = "from own import each\n\n\ndef loss(logits, labels):\n    return -each(logits, labels).mean()\n"
    (tmp_path / face.PATH).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "BMN102" in run_program("batchmean", "check", face.PATH, cwd=tmp_path).stdout
    assert json.loads(face.check(text, True))["findings"] == []


def test_a_text_without_a_loss_is_told_apart() -> None:
    assert json.loads(face.check("x = 1\n", True))["nothing_to_read"]
    assert not json.loads(face.check(RULES["BMN102"].right, True))["nothing_to_read"]


def test_noqa_and_line_ends_count_as_for_the_command() -> None:
    assert json.loads(face.check(TEN.replace(".mean()", ".mean()  # noqa: BMN102"), True))["findings"] == []
    assert json.loads(face.check(TEN.replace("\n", "\r\n"), True)) == json.loads(face.check(TEN, True))


def test_examples_are_wrong_and_right() -> None:
    for example in assemble.examples():
        found = {finding["code"] for finding in json.loads(face.check(example["text"], True))["findings"]}
        name = example["name"]
        assert found == set() if name.endswith("right") else found, name
        assert name.startswith("The case") or name.endswith("right") or name[:6] in found, name


# What is put together.


def test_nothing_comes_from_other_hosts() -> None:
    """An address is a namespace, or one that the reader may choose to follow."""
    for path in [*HERE.glob("*.js"), *HERE.glob("*.css"), *HERE.glob("*.html")]:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"[a-z]+://[^\s\"'`)]*|(?<=[\"'(])//\w[^\s\"']*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "https://pyodide.org"}, path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|cookie\b|Storage", text
        ), path


def test_what_is_not_the_pinned_pyodide_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyodide.tgz").write_bytes(b"something else")
    with pytest.raises(assemble.Unreachable, match="is not the pyodide"):
        assemble.pyodide(tmp_path / "out", tmp_path / "pyodide.tgz")
    assert not (tmp_path / "out").exists()


def test_without_npm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(assemble.Unreachable, match="npm is not on the PATH"):
        assemble.assemble(tmp_path / "out")


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(assemble.Unreachable, match="holds something else"):
        assemble.assemble(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


# The page, with the linter in this process.

WORKER = """\
postMessage({ ready: true, fixes: true });
onmessage = async ({ data }) => {
  const response = await fetch("/linter", { method: "POST", body: JSON.stringify(data) });
  postMessage({ id: data.id, ...(await response.json()) });
};
"""


class Linter(Quiet):
    """Serves the page, and answers what its worker would."""

    def do_POST(self) -> None:
        """Answer a question of the page."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "rule" in asked:
            answer: Any = face.rule(asked["rule"])
        else:
            answer = json.loads(face.check(asked["text"], asked["preview"], asked["fixes"]))
        body = json.dumps({"answer": answer, "milliseconds": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("playground")
    assemble.own_files(folder)
    (folder / "worker.js").write_text(WORKER, encoding="utf-8")
    with served(folder, Linter) as address:
        yield address


STATUS = "document.getElementById('status').textContent"
MARKED = "[...document.querySelectorAll('#paint mark')].map(m => m.textContent).join('')"


def type_in(page: Page, text: str) -> None:
    """Put a text into the editor, as a hand would."""
    page.run("document.getElementById('text').focus(), document.getElementById('text').select()")
    page.call("Input.insertText", text=text)


def started(page: Page, address: str, **how: Any) -> None:
    """Open the page and wait for its first verdict."""
    page.open("about:blank")
    page.open(address, **how)
    page.run("playground.started.then(() => true)")


heavy = pytest.mark.heavy


@heavy
def test_findings_come_as_one_types(page: Page, address: str) -> None:
    started(page, address)
    assert page.run(STATUS) == "1 finding"
    type_in(page, TEN)
    page.wait("document.querySelector('#findings .because')?.textContent.includes('line 8')")
    assert page.run(MARKED) == "(target * logp).mean()"
    assert page.run("document.querySelector('#findings strong').textContent") == "BMN102 class-axis-mean"
    reasons = page.run("[...document.querySelectorAll('#findings .because li')].map(li => li.textContent)")
    assert reasons == [
        f"line {b['line']}: {b['text']}" for b in json.loads(face.check(TEN, True))["findings"][0]["because"]
    ]
    type_in(page, TEN.replace(".mean()", ".sum(axis=-1).mean()"))
    page.wait(f"{STATUS} === 'All clean'")
    assert page.run(MARKED) == ""
    type_in(page, "def f(:")
    page.wait(f"{STATUS}.startsWith('No verdict: syntax error on line 1')")
    type_in(page, "x = 1")
    page.wait(f"{STATUS}.startsWith('Nothing found')")


@heavy
def test_places_are_right_beside_letters_of_any_width(page: Page, address: str) -> None:
    started(page, address)
    text = TEN.replace("return -(", 'return "𝔼ä日" and -(')
    type_in(page, text)
    page.wait("document.querySelector('#findings .because')?.textContent.includes('line 8')")
    assert page.run(MARKED) == "(target * logp).mean()"
    assert page.run("document.getElementById('paint').textContent") == text + "\n"


@heavy
def test_what_is_typed_never_becomes_html(page: Page, address: str) -> None:
    started(page, address)
    evil = "'<img src=x onerror=document.title=`caught`>'"
    text = TEN.replace("target", "𝔱").replace("np.eye(10)", f"np.eye(10 + len({evil}))")
    type_in(page, text)
    page.wait(f"{MARKED} !== ''")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert "caught" not in page.run("document.title")


@heavy
def test_the_page_of_the_rule(page: Page, address: str) -> None:
    for code, rule in RULES.items():
        started(page, address)
        type_in(page, rule.wrong)
        button = f"[...document.querySelectorAll('.explain')].find(b => b.textContent.endsWith('{code}'))"
        page.wait(f"{button} !== undefined")
        page.run(f"{button}.click()")
        page.wait("!document.getElementById('page').hidden")
        shown = page.run("document.getElementById('page').innerText")
        assert shown.startswith(f"{code} {rule.name}")
        assert not any(sign in shown for sign in ("```", "| ", "##", "---"))
        assert page.run("document.querySelectorAll('#page h3').length") == 6
        wanted = [rule.wrong.strip(), rule.right.strip()]
        pres = page.run("[...document.querySelectorAll('#page pre')].map(p => p.textContent)")
        assert [pres[0], pres[-1]] == wanted


@heavy
def test_the_plot_is_for_the_readers_v(page: Page, address: str) -> None:
    started(page, address)
    numbers = "document.getElementById('numbers-of-v').textContent"
    assert "V = 50,257" in page.run(numbers) and "10.82" in page.run(numbers)
    assert "0.000215" in page.run("document.querySelector('#plot svg').textContent")
    type_in(page, TEN)
    page.wait(f"{numbers}.includes('V = 10 ')")  # as the code shows
    assert "log(V)/V = 0.230" in page.run(numbers)
    page.run("document.getElementById('size').focus(), document.getElementById('size').select()")
    page.call("Input.insertText", text="1000")
    assert "log V = 6.908" in page.run(numbers) and "0.00691" in page.run(numbers)
    type_in(page, TEN.replace("10", "20"))
    page.wait(f"{STATUS} === '1 finding' && {MARKED} !== ''")
    assert "V = 1,000" in page.run(numbers)  # what the reader asked for stays
    for wrong in ("0", "", "-3", "1e99"):
        page.run(f"document.getElementById('size').value = '{wrong}'")
        page.run("document.getElementById('size').dispatchEvent(new Event('input'))")
        assert "V = 1,000" in page.run(numbers)


@heavy
@pytest.mark.parametrize("width", [390, 1280])
def test_the_words_in_the_plot_are_apart(page: Page, address: str, width: int) -> None:
    started(page, address, width=width)
    for size in (2, 3, 6, 10, 20, 50, 100, 200, 500, 1000, 5000, 50257, 1000000, 10000000):
        page.run(f"document.getElementById('size').value = '{size}'")
        page.run("document.getElementById('size').dispatchEvent(new Event('input'))")
        boxes = page.run(
            """[...document.querySelectorAll('#plot text')].filter(t => t.textContent).map(t => {
                const b = t.getBBox();
                return [b.x, b.x + b.width, b.y + 3, b.y + b.height - 3, t.textContent];
            })"""
        )
        room = page.run("document.querySelector('#plot svg').viewBox.baseVal.width")
        for n, (left, right, top, bottom, word) in enumerate(boxes):
            assert left >= 0 and right <= room, (size, word)
            for other in boxes[:n]:
                is_apart = right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
                assert is_apart, (size, word, other[4])


@heavy
def test_a_link_holds_it_all(page: Page, address: str) -> None:
    started(page, address)
    text = NAMED + "# 𝔼 ä <b>&amp;\n"
    type_in(page, text)
    page.run("document.getElementById('size').value = 1234")
    page.run("document.getElementById('size').dispatchEvent(new Event('input'))")
    page.run("document.getElementById('share').click()")
    page.wait("document.getElementById('shared').textContent !== ''")
    link = page.run("location.href")
    assert re.fullmatch(re.escape(address) + r"#[\w-]+", link)
    started(page, link)
    assert page.run("document.getElementById('text').value") == text
    assert page.run("document.getElementById('size').value") == "1234"
    assert page.run(STATUS) == "1 finding"
    assert page.run(MARKED) != ""


@heavy
@pytest.mark.parametrize("fragment", ["x", "!!!", "AAAA", "bnVsbA", "%F0%9D"])
def test_a_damaged_link_is_said(page: Page, address: str, fragment: str) -> None:
    started(page, f"{address}#{fragment}")
    assert "cut off or altered" in page.run("document.getElementById('shared').textContent")
    assert page.run(STATUS) == "1 finding"


@heavy
def test_a_link_cannot_unfold_without_end(page: Page, address: str) -> None:
    started(page, address)
    made = "import('./link.js').then(l => l.packed({ text: 'x'.repeat(1e7), size: '' }))"
    bomb = page.run(made)
    assert len(bomb) < 100_000
    started(page, f"{address}#{bomb}")
    assert "cut off or altered" in page.run("document.getElementById('shared').textContent")


@heavy
def test_fixes_are_those_of_the_command(page: Page, address: str) -> None:
    for rule in RULES.values():
        fixes = [finding["fix"] for finding in json.loads(face.check(rule.wrong, True, True))["findings"]]
        if not any(fixes):
            continue
        started(page, address)
        type_in(page, rule.wrong)
        page.wait("document.querySelector('#findings .fix') !== null")
        page.run("document.querySelector('#findings .fix').click()")
        edits = [
            Edit(Span(e["line"], e["column"], e["end_line"], e["end_column"]), e["text"])
            for e in next(filter(None, fixes))["edits"]
        ]
        assert page.run("document.getElementById('text').value") == apply(rule.wrong, edits), rule.code


@heavy
def test_fixes_are_put_in(page: Page, address: str) -> None:
    started(page, address)
    type_in(page, TEN.replace("return -(", 'return 0 * len("𝔼") - ('))
    page.wait("document.querySelector('#findings .fix') !== null")
    page.run("document.querySelector('#findings .fix').click()")
    page.wait(f"{STATUS} === 'All clean'")
    assert "- (target * logp).sum(axis=-1).mean()" in page.run("document.getElementById('text').value")
    assert page.run("document.getElementById('fixes').hidden")


@heavy
def test_examples_and_preview(page: Page, address: str) -> None:
    started(page, address)
    names = page.run("[...document.querySelectorAll('#example option')].map(o => o.textContent)")
    assert names == [example["name"] for example in assemble.examples()]
    at = next(n for n, name in enumerate(names) if name.startswith("BMN301") and name.endswith("wrong"))
    page.run(f"document.getElementById('example').value = {at}")
    page.run("document.getElementById('example').dispatchEvent(new Event('change'))")
    page.wait("document.getElementById('findings').innerText.includes('BMN301')")
    assert "in preview" in page.run("document.getElementById('findings').innerText")
    page.run("document.getElementById('preview').click()")
    page.wait(f"{STATUS} === 'All clean'")


@heavy
def test_a_keyboard_is_not_caught(page: Page, address: str) -> None:
    started(page, address)
    type_in(page, "if x:\n")
    focus = "document.activeElement.id"

    def press(key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            page.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode={"Tab": 9, "Escape": 27}[key],
            )

    press("Tab")
    assert page.run("document.getElementById('text').value") == "if x:\n    "
    assert page.run(focus) == "text"
    press("Escape")
    press("Tab")
    assert page.run(focus) != "text"


@heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read(page: Page, address: str, tmp_path: Path, width: int, scheme: str) -> None:
    """The pictures stay in pytest's temporary folder, to be looked at."""
    started(page, address, width=width, height=1400, scheme=scheme)
    type_in(page, TEN + "# a long line " * 20)
    page.wait(f"{MARKED} === '(target * logp).mean()'")
    page.run("document.querySelector('.explain').click()")
    page.wait("!document.getElementById('page').hidden")
    assert page.run("document.documentElement.scrollWidth") == width
    page.run("document.getElementById('text').scrollLeft = 300")
    page.wait("document.getElementById('paint').scrollLeft === 300")
    page.picture(tmp_path / f"{width}-{scheme}.png")
    pixels = matplotlib.image.imread(tmp_path / f"{width}-{scheme}.png")[..., :3]
    assert (pixels.mean() > 0.8) if scheme == "light" else (pixels.mean() < 0.3)


@heavy
def test_opened_as_a_file_it_says_what_to_do(browser: Page, tmp_path: Path) -> None:
    assemble.own_files(tmp_path)
    browser.open((tmp_path / "index.html").as_uri())
    assert "serve its folder" in browser.run(STATUS)


@heavy
def test_a_linter_that_does_not_start_is_said(browser: Page, tmp_path: Path) -> None:
    assemble.own_files(tmp_path)  # without Python
    with served(tmp_path) as address:
        browser.open(address)
        browser.wait(f"{STATUS}.startsWith('The linter did not start')")


@heavy
def test_only_the_newest_text_waits(page: Page, address: str) -> None:
    started(page, address)
    before = sum(request.endswith("/linter") for request in page.requested)
    asked = page.run(
        """(async () => {
            const text = document.getElementById("text");
            const all = [];
            for (let n = 0; n < 20; n++) {
                text.setRangeText("#", text.value.length, text.value.length);
                all.push(playground.lint());
            }
            return (await Promise.all(all)).filter((took) => took !== undefined).length;
        })()"""
    )
    assert asked == 1
    # What is newest at once is asked first, then what is newest when that is answered.
    assert sum(request.endswith("/linter") for request in page.requested) <= before + 2
    page.wait(f"{STATUS} === '1 finding'")


# The real one.

ASKED = """new Promise((resolve) => {
  const worker = new Worker("./worker.js", { type: "module" });
  worker.onmessage = ({ data }) => data.id && resolve(data.answer);
  worker.postMessage({ id: 1, text: %s, preview: true });
})"""


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The playground, put together."""
    folder = tmp_path_factory.mktemp("real") / "playground"
    try:
        assemble.assemble(folder)
    except assemble.Unreachable as error:
        pytest.skip(f"the playground needs {error}")
    return folder


@pytest.fixture(scope="module")
def real(assembled: Path) -> Iterator[str]:
    """Where it is served."""
    with served(assembled) as address:
        yield address


@heavy
@pytest.mark.network
def test_python_in_the_browser_says_the_same(page: Page, real: str) -> None:
    started(page, real)
    assert page.run(STATUS) == "1 finding"
    has_fixes = page.run("document.getElementById('fixes').hidden")
    assert page.run(ASKED % json.dumps(TEN)) == json.loads(face.check(TEN, True))
    if has_fixes:
        page.wait("document.querySelector('#findings .fix') !== null")
    for example in assemble.examples():
        type_in(page, example["text"])
        page.wait(f"document.getElementById('paint').textContent === {json.dumps(example['text'] + chr(10))}")
        page.run("playground.lint()")
        found = json.loads(face.check(example["text"], True))["findings"]
        shown = page.run("[...document.querySelectorAll('#findings strong')].map(s => s.textContent)")
        assert shown == [f"{finding['code']} {finding['name']}" for finding in found], example["name"]


@heavy
@pytest.mark.network
def test_the_version_is_this_one(page: Page, real: str) -> None:
    page.open(real)
    assert f"batchmean-{__version__}-py3-none-any.whl" in page.run("fetch('wheels.json').then(r => r.json())")


@heavy
@pytest.mark.network
def test_the_benchmark_waits_for_every_change(page: Page, assembled: Path) -> None:
    first, took = playground.measure(assembled, module(playground.LINES), 3)
    assert first > 0
    assert len(took) == 3
