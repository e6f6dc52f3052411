"""The demo: what it prints, the page and the figures it writes, what it says when something is missing."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from batchmean_reference import demo, demo_command, exhibits
from batchmean_reference.audit import Monomial
from batchmean_reference.claims import CLAIMS, WRITE_UP, Settings, short
from batchmean_reference.demo import Results, as_json, run_demo
from batchmean_reference.examine import fraction
from batchmean_reference.exhibits import Exhibition, collect, find_fixtures
from batchmean_reference.page import page
from batchmean_reference.report import (
    print_claims,
    print_exhibition,
    print_opening,
    print_parts,
    print_story,
    print_summary,
    print_training,
    print_verdicts,
    progress_of,
    sparkline,
)
from batchmean_reference.story import chart, tell
from batchmean_reference.training import History
from rich.console import Console

from tests.fixtures.specification import CASES

TINY = Settings(study_steps=3, main_steps=3, descent_steps=1, epsilons=(1e-8, 1e-2))


def console(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=False)


def printed(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


class TestExhibits:
    def test_a_wrong_fixture_is_found_measured_and_its_twin_passes(self, results: Results) -> None:
        exhibition = results.exhibition
        assert exhibition is not None
        assert (exhibition.silent, exhibition.alarms, exhibition.missed) == (1, [], [])
        (exhibit,) = exhibition.exhibits
        assert (exhibit.function, exhibit.finding.code) == ("averaged", "BMN102")
        assert exhibit.twin == "summed_over_the_classes_and_averaged_over_the_examples"
        assert exhibit.right_source[-1].startswith("return -(targets * np.log(probs)).sum(axis=-1).mean()")
        assert [dict(point.sizes)["V"] for point in exhibit.measured] == [100, 500, 1000]
        assert [point.ratio for point in exhibit.measured] == pytest.approx([0.01, 0.002, 0.001], rel=1e-12)
        assert exhibition.farthest < 1e-12
        assert exhibit.line == "return -(targets * np.log(probs)).mean()"

    def test_a_module_without_its_framework_is_skipped_and_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "on_numpy").mkdir()
        (tmp_path / "on_numpy" / "needs.py").write_text(
            'import no_such_framework\n\n\ndef loss(x):\n    """\n    x: logits (B)\n    unit: B\n    """',
            encoding="utf-8",
        )
        exhibition = collect(tmp_path)
        assert "no_such_framework" in exhibition.skipped["on_numpy/needs.py"]
        to = console()
        print_exhibition(to, exhibition)
        assert "Not run: 1 module (no no_such_framework)." in printed(to)

    @pytest.mark.heavy
    def test_the_fixtures_of_the_checkout_are_measured_as_the_linter_says(self) -> None:
        found = find_fixtures()
        assert found is not None
        exhibition = collect(found)
        assert (exhibition.alarms, exhibition.missed) == ([], [])
        wrong = {case.id for case in CASES if case.is_wrong and case.framework.name == "numpy"}
        assert wrong <= {f"{exhibit.module}::{exhibit.function}" for exhibit in exhibition.exhibits}
        assert len(wrong) > 140
        assert exhibition.farthest < 1e-9
        others = {case.path for case in CASES if case.framework.name not in ("numpy", "torch")}
        assert exhibition.elsewhere == len(others) > 20
        of_numpy = [module for module in exhibition.skipped if module.startswith("on_numpy/")]
        assert of_numpy == []

    def test_what_is_left_out_is_said_in_one_line(self) -> None:
        exhibition = Exhibition(
            skipped={"a.py": "no torch", "b.py": "no torch", "c.py": "no jax"}, elsewhere=3
        )
        assert exhibition.left_out == (
            "Not run: 2 modules (no torch), 1 module (no jax), 3 of other frameworks (tests run these)."
        )
        assert Exhibition().left_out == ""
        usual = Exhibition(skipped={f"{n}.py": "no torch" for n in range(30)}, elsewhere=40).left_out
        assert len(usual) <= 80

    def test_what_is_shown_of_the_right_twin_differs_from_the_wrong_function(self, results: Results) -> None:
        assert results.exhibition is not None
        (exhibit,) = results.exhibition.exhibits
        helped = replace(exhibit, source=("return loss",), right_source=("loss = a / len(a)", "return loss"))
        assert helped.right_line == "loss = a / len(a)"
        assert replace(helped, right_source=("return loss",)).right_line == "return loss"

    def test_what_the_linter_misses_and_reports_wrongly_is_counted(
        self, results: Results, fixtures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert results.exhibition is not None
        finding = results.exhibition.exhibits[0].finding
        elsewhere = replace(finding, span=replace(finding.span, line=13, end_line=13))
        monkeypatch.setattr(exhibits, "lint", lambda text, path: [elsewhere])
        exhibition = collect(fixtures)
        assert exhibition.missed == ["on_numpy/two_losses.py::averaged"]
        assert len(exhibition.alarms) == 1
        assert exhibition.exhibits == []
        to = console()
        print_exhibition(to, exhibition)
        assert "Not found: on_numpy/two_losses.py::averaged" in printed(to)

    def test_fixtures_are_found_in_the_checkout(self) -> None:
        found = find_fixtures()
        assert found is not None
        assert (found / "on_numpy").is_dir()

    def test_a_folder_that_does_not_exist_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            find_fixtures(tmp_path / "nowhere")


class TestReport:
    def test_findings_stand_beside_both_losses_and_their_ratio(self, results: Results) -> None:
        to = console()
        assert results.exhibition is not None
        print_exhibition(to, results.exhibition)
        text = printed(to)
        assert "BMN102 1/V" in text
        for number in ("V = 100", "V = 1000", "0.01", "0.002", "0.001"):
            assert number in text

    def test_claims_are_claim_measured_verdict(self, results: Results) -> None:
        to = console()
        print_claims(to, results.claims)
        text = printed(to)
        for word in ("claim", "from", "measured", "verdict"):
            assert len(re.findall(rf"^{word} ", text, re.MULTILINE)) == len(results.claims)
        assert "does not hold" in text

    @pytest.mark.parametrize("width", [60, 80, 160])
    def test_fits_the_terminal(self, results: Results, width: int) -> None:
        to = console(width)
        assert results.exhibition is not None
        print_exhibition(to, results.exhibition)
        print_training(to, results.lab, results.settings, results.samples)
        print_parts(to, results.settings)
        print_claims(to, results.claims)
        print_opening(to, tell(), quick=True)
        print_story(to, tell(), results.lab, results.settings)
        print_verdicts(to, results.claims)
        print_summary(to, results.exhibition)
        assert max(map(len, printed(to).splitlines())) <= width

    @pytest.mark.parametrize(
        ("exponents", "reads"),
        [
            ({"V": -1}, "1/V"),
            ({"T": 1}, "T"),
            ({}, "1"),
            ({"B": 1, "V": -1}, "B/V"),
            ({"B": -1, "V": -2}, "1/(B V^2)"),
        ],
    )
    def test_factors_read_as_people_write_them(self, exponents: dict[str, int], reads: str) -> None:
        assert fraction(Monomial(exponents)) == reads
        assert fraction(None) == "?"

    def test_the_curves_of_a_batch_in_parts_and_the_laws_of_each_mode(self, results: Results) -> None:
        to = console()
        print_parts(to, results.settings)
        lines = printed(to).splitlines()
        rows = {line.split("  ")[0]: line for line in lines}
        assert " 1.00 " in rows["whole batches"]
        assert " 1.00 " in rows["16 micro-batches, divided by the global count"]
        assert re.search(r" 0\.[4-9]\d ", rows["16 micro-batches, token means averaged again"])
        assert re.search("^global token-mean +pointwise", printed(to), re.MULTILINE)
        assert re.search("^token-mean +split, unequal parts, pointwise", printed(to), re.MULTILINE)

    def test_sparklines_stay_in_range(self) -> None:
        assert sparkline([0.0, 5.0, 99.0, -9.0], 4, 0.0, 10.0) == "▁▅█▁"


class TestStory:
    def test_the_finding_the_fix_and_both_losses_are_real(self) -> None:
        story = tell()
        assert story.finding.startswith(
            "BMN102 cross-entropy is averaged over the class axis too: 1000 times"
        )
        [(before, after)] = story.fix
        assert "(target * logp).mean()" in before
        assert "(target * logp).sum(axis=-1).mean()" in after
        assert story.right == pytest.approx(1000 * story.wrong, rel=1e-5)
        assert story.right == pytest.approx(math.log(1000), rel=0.02)

    def test_the_first_screen_has_the_bug_the_finding_a_plot_the_fix_and_three_numbers(
        self, results: Results
    ) -> None:
        to = console()
        story = tell()
        print_opening(to, story, quick=True)
        print_story(to, story, results.lab, results.settings)
        text = printed(to)
        assert story.finding in text
        assert f"+{story.fix[0][1]}" in text
        assert "     x SGD, V = 500, divided by B T V" in text
        assert re.search(r"^6\.\d \|x{20}", text, re.MULTILINE)  # the wrong run stays where it was
        numbers = re.findall(r"^ *([\d.]+%?) (?:is|of) ", text, re.MULTILINE)
        assert numbers[0] == short(story.wrong)
        assert len(numbers) == 3

    def test_fits_150_lines_and_says_where_the_rest_is(self, results: Results) -> None:
        to = console()
        assert results.exhibition is not None
        print_opening(to, tell(), quick=False)
        print_story(to, tell(), results.lab, results.settings)
        print_verdicts(to, results.claims)
        print_summary(to, results.exhibition)
        lines = printed(to).splitlines()
        assert len(lines) <= 140  # and a few about where the page is
        verdicts = [re.match("does not hold|holds when|holds", line) for line in lines]
        assert [found[0] for found in verdicts if found] == [claim.verdict for claim in results.claims]

    def test_a_chart_is_as_wide_and_as_high_as_it_is_asked_to_be(self) -> None:
        falling = History(nats=[6.0 - i / 50 for i in range(200)])
        flat = History(nats=[6.0] * 200)
        lines = chart({"o": falling, "x": flat}, width=40, height=7)
        assert len(lines) == 8
        assert {len(line) for line in lines} == {5 + 40}
        assert lines[0] == "6.0 |" + "x" * 40
        assert lines[-2].rstrip().endswith("o")


class TestProgress:
    def frames(self, width: int) -> list[str]:
        to = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        with progress_of(to) as progress:
            task = progress.add_task("Measuring claims", total=10, detail="")
            for done in range(10):
                progress.update(task, completed=done, detail="what is measured, in a sentence " * 3)
                progress.refresh()
        return [line for line in re.split(r"[\r\n]+", printed(to)) if "Measuring" in line]

    def test_keeps_its_time_in_a_narrow_terminal_and_moves(self) -> None:
        frames = self.frames(80)
        plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame) for frame in frames]
        assert all(re.search(r"\d:\d\d:\d\d\s*$", frame) for frame in plain)
        assert {len(frame) for frame in plain} == {80}
        assert len(set(plain)) >= 9

    def test_leaves_nothing_in_a_log(self) -> None:
        to = console()
        with progress_of(to) as progress:
            progress.update(progress.add_task("Training", detail=""), completed=1, detail="more")
        assert printed(to) == ""


class Elements(HTMLParser):
    """What a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action", "srcset"):
                self.references.append(value or "")


class TestPage:
    def test_needs_nothing_but_itself(self, html: str) -> None:
        elements = Elements()
        elements.feed(html)
        assert "script" not in elements.tags
        assert all(r == "results.json" or r.startswith(("#", "data:")) for r in elements.references)
        assert not re.search(r"url\((?!#)|@import", html)

    def test_ids_are_unique_and_every_reference_within_the_page_has_one(self, html: str) -> None:
        elements = Elements()
        elements.feed(html)
        assert len(set(elements.ids)) == len(elements.ids)
        used = {r[1:] for r in elements.references if r.startswith("#")} | set(
            re.findall(r"url\(#([^)]*)\)", html)
        )
        assert used <= set(elements.ids)

    def test_is_the_same_for_the_same_results(self, results: Results, html: str) -> None:
        assert page(results) == html

    def test_has_the_plots_the_claims_and_the_findings(self, results: Results, html: str) -> None:
        assert html.count("<figure>") == 7
        assert html.count('class="verdict') == len(results.claims)
        assert html.count("<details>") == 1
        assert re.findall("<h3>([^<]*)", html) == ["BMN102 class-axis-mean "]
        topics = {topic for _, topic in WRITE_UP}
        assert html.count("<small>the write-up: ") == len(topics)
        assert html.count("<small>the discussions") == len(results.claims) - len(topics)
        assert all(escape(line) in html for line, _ in WRITE_UP)
        assert "log(V)/V" in html

    def test_escapes_what_comes_from_files(self, html: str) -> None:
        assert "&lt;right&gt; &amp; summed" in html
        assert "-(targets * np.log(probs)).mean()" in html
        assert "'stop when" not in html and "&#x27;stop when" in html

    def test_colors_are_all_variables_that_both_schemes_define(self, html: str) -> None:
        drawn = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
        assert not re.findall(r"(?:fill|stroke|color):\s*#[0-9a-f]{3,6}", drawn)
        schemes = re.findall(r":root \{(.*?)\n *\}", html, re.DOTALL)
        light, dark = (dict(re.findall(r"--(\w+): (#\w+)", scheme)) for scheme in schemes)
        assert light.keys() == dark.keys()
        assert set(re.findall(r"var\(--(\w+)\)", drawn)) <= light.keys()

    def test_text_is_readable_in_both_schemes(self, html: str) -> None:
        for scheme in re.findall(r":root \{(.*?)\n *\}", html, re.DOTALL):
            colors = dict(re.findall(r"--(\w+): (#\w+)", scheme))
            texts = ("ink", "muted", "right", "wrong", "third", "holds", "when", "not")
            for text, ground in product(texts, ("paper", "card")):
                assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
            assert contrast(colors["ink"], colors["mark"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast of two colors, from 1 to 21 (WCAG 2.2, "contrast ratio")."""

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class TestResults:
    def test_are_plain_json_without_nan(self, results: Results, fixtures: Path) -> None:
        source = (fixtures / "on_numpy" / "two_losses.py").read_text(encoding="utf-8")
        wrong = next(line for line in source.splitlines() if "expect:" in line)
        text = json.dumps(as_json(results), allow_nan=False)
        data = json.loads(text)
        assert data["version"] == 1
        assert [claim["topic"] for claim in data["claims"]] == [claim.topic for claim in results.claims]
        (finding,) = data["fixtures"]["findings"]
        assert (finding["module"], finding["line"], finding["factor"]) == (
            "on_numpy/two_losses.py",
            source.splitlines().index(wrong) + 1,
            {"V": -1},
        )
        assert len(data["runs"]) == len(results.lab.kept)

    def test_name_no_place_of_this_machine(self, results: Results, fixtures: Path) -> None:
        assert str(fixtures) not in json.dumps(as_json(results)) + page(results)


class TestCommand:
    @pytest.mark.heavy  # it starts many processes, or takes seconds
    def test_writes_the_page_and_the_figures(self, tmp_path: Path, fixtures: Path) -> None:
        to = console()
        run_demo(to, TINY, out=tmp_path / "new" / "folder", fixtures=fixtures)
        assert (
            (tmp_path / "new" / "folder" / "index.html")
            .read_text(encoding="utf-8")
            .startswith("<!doctype html>")
        )
        assert json.loads((tmp_path / "new" / "folder" / "results.json").read_text(encoding="utf-8"))[
            "claims"
        ]
        assert "index.html" in printed(to)

    def test_without_fixtures_it_says_so_and_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "find_fixtures", lambda asked: None)
        monkeypatch.setattr(demo, "CLAIMS", CLAIMS[:1])
        monkeypatch.setattr(demo, "print_story", lambda *_: None)
        to = console()
        results = run_demo(to, TINY)
        assert "No fixtures here" in printed(to)
        assert results.exhibition is None
        assert as_json(results)["fixtures"] is None

    def test_a_missing_folder_is_wrong_usage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert demo_command.main(["--fixtures", str(tmp_path / "nowhere")]) == 2
        assert "nowhere: no such folder" in capsys.readouterr().err

    def test_a_file_in_the_place_of_the_folder_to_write_is_wrong_usage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "taken").write_text("", encoding="utf-8")
        assert demo_command.main(["--quick", "--out", str(tmp_path / "taken")]) == 2
        assert "taken" in capsys.readouterr().err
