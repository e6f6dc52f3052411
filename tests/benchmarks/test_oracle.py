"""The generated losses: the judge on programs whose answer is known, and that the machine is consistent with itself."""

from __future__ import annotations

import ast
import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from batchmean.findings import Finding, Span

from benchmarks.oracle import compare, generate, judge, routes, shrink
from benchmarks.oracle.choices import Choices
from benchmarks.oracle.grammar import generate as make
from benchmarks.oracle.parts import log_softmax
from benchmarks.oracle.program import Array, File, Framework, Input, Inputs, Program, Tag, Term

SEED = 20
HEAD = "import numpy as np\nfrom scipy.special import log_softmax\n\n\n"


def cross_entropy(inputs: Inputs) -> Array:
    return -inputs["soft"] * log_softmax(inputs["logits"], -1)


def entropy(inputs: Inputs) -> Array:
    logp = log_softmax(inputs["logits"], -1)
    return -np.exp(logp) * logp


ENTROPY = Term("entropy", ("B", "T", "V"), entropy, "V")


def program(body: str, axes: str = "BTV", *, mask: bool = False, sum_is_right: bool = True) -> Program:
    """A function `f(logits, soft[, mask])` of the elements `x` of a cross-entropy, in NumPy."""
    names = tuple(axes)
    inputs = {"logits": Input(names, "real"), "soft": Input(names, "distribution")}
    if mask:
        inputs["mask"] = Input(names[:-1], "mask", "float")
    head = f"def f({', '.join(inputs)}):\n    x = -(soft * log_softmax(logits, axis=-1))\n"
    before: Tag = "other"
    reduction: Tag = "reduction"
    text = HEAD + head + "".join(f"    {line}\n" for line in body.split("\n"))
    tags = (before,) * 6 + (reduction,) * len(body.split("\n"))
    return Program(
        files=(File("generated.py", text, tags),),
        entry=f"f({', '.join(f'arg_{role}' for role in inputs)})",
        framework="numpy",
        inputs=inputs,
        term=Term("cross-entropy", names, cross_entropy, "V"),
        masked=mask,
        literals={},
        sum_is_right=sum_is_right,
        naming="typical",
        choices={},
        plan="",
        offset=None,
        needs_rank=False,
    )


def truth(known: Program) -> judge.Truth:
    settings = judge.settings(known, SEED)
    return judge.truth(known, judge.run(known.texts, known, settings), settings)


@pytest.mark.parametrize(
    ("body", "mask", "mode"),
    [
        ("return x.sum(axis=-1).mean()", False, "mean"),
        ("return x.mean() * x.shape[-1]", False, "mean"),
        ("return x.sum() / x.shape[0]", False, "sum per example"),
        ("return x.sum()", False, "sum"),
        ("return (x.sum(-1) * mask).sum() / mask.sum()", True, "mean"),
        ("return ((x.sum(-1) * mask).sum(1) / mask.sum(1)).mean()", True, "mean of means"),
        ("return (x.sum(-1) * mask).sum(1).mean()", True, "sum per example"),
    ],
)
def test_published_ways_are_right(body: str, mask: bool, mode: str) -> None:
    found = truth(program(body, mask=mask))
    assert (found.verdict, found.mode, found.factor) == ("right", mode, {})


@pytest.mark.parametrize(
    ("body", "mask", "factor"),
    [
        ("return x.mean()", False, {"V": -1}),
        ("return x.sum() / x.size", False, {"V": -1}),
        ("return x.sum() / x.shape[-1]", False, {"B": 1, "T": 1, "V": -1}),
        ("return x.sum(-1).mean() / len(x)", False, {"B": -1}),
        ("return (x.sum(-1) * mask).mean()", True, {"n_valid": 1, "B": -1, "T": -1}),
        ("return (x * mask[..., None]).mean()", True, {"n_valid": 1, "B": -1, "T": -1, "V": -1}),
    ],
)
def test_wrong_counts_are_measured(body: str, mask: bool, factor: Mapping[str, int]) -> None:
    found = truth(program(body, mask=mask))
    assert found.verdict == "wrong"
    assert found.factor == factor


def test_a_mean_of_one_number_is_no_sum_on_purpose() -> None:
    assert truth(program("return x.sum().mean()")).verdict == "right"
    assert truth(program("return x.sum().mean()", sum_is_right=False)).verdict == "wrong"


def test_what_is_no_product_of_sizes() -> None:
    paired = "each = x.sum(-1)[:, 0]\nreturn (each * each[:, None]).mean()"
    assert truth(program(paired)).verdict == "other"
    assert truth(program("return x.sum(-1).mean(1).sum()")).verdict == "open"


def test_what_is_added_is_taken_away_again() -> None:
    other = program("return x.mean() + (logits ** 2).mean()")
    other = other.__class__(**{**vars(other), "offset": lambda inputs: float((inputs["logits"] ** 2).mean())})
    assert truth(other).factor == {"V": -1}


def test_masks_leave_something_of_every_sequence_and_not_all() -> None:
    for setting in judge.settings(program("return 0", mask=True), SEED):
        counts = setting.valid.sum(axis=1)
        assert counts.min() >= 1
        assert counts.max() < setting.valid.shape[1]
        assert len(set(counts)) > 1


def finding(code: str, line: int, factor: Mapping[str, int] | None) -> Finding:
    return Finding(code, "", "", "generated.py", Span(line, 5, line, 9), "proved", factor, ())


@pytest.mark.parametrize(
    ("body", "line", "factor", "fault"),
    [
        ("return x.mean()", 7, {"V": -1}, ""),
        ("return x.mean()", 7, {"B": -1}, "another factor"),
        ("return x.mean()", 6, {"V": -1}, "elsewhere"),
        ("return x.mean() / len(x)", 7, {"V": -1}, ""),
        ("return x.sum() / x.shape[0]", 7, {"T": 1}, "right"),
        ("return x.sum(-1).mean()", 7, {"V": -1}, "right"),
    ],
)
def test_findings_are_judged(body: str, line: int, factor: Mapping[str, int], fault: str) -> None:
    known = program(body)
    settings = judge.settings(known, SEED)
    told = compare.judged(known, [finding("BMN102", line, factor)], truth(known), settings)
    assert [one.fault for one in told] == [fault]


def test_another_rule_is_no_agreement() -> None:
    known = program("return x.mean()")
    settings = judge.settings(known, SEED)
    told = compare.judged(known, [finding("BMN301", 7, None)], truth(known), settings)
    assert [one.fault for one in told] == ["another rule"]


def test_the_linter_is_asked_and_its_fix_is_run() -> None:
    found = compare.compared("known", program("return x.mean()"))
    assert (found.ran, found.verdict, found.factor) == (True, "wrong", {"V": -1})
    assert [(one.code, one.fault) for one in found.told] == [("BMN102", "")]
    assert not found.faults


def test_choices_depend_on_their_names_alone() -> None:
    one, other = Choices("key"), Choices("key", {"first": 1})
    assert other.pick("first", "abc") == "b"
    one.pick("first", "abc")
    drawn = [one.pick("second", range(1000)), one.pick("second", range(1000))]
    assert drawn == [other.pick("second", range(1000)), other.pick("second", range(1000))]
    assert drawn[0] != drawn[1]
    assert one.made.keys() == {"first", "second", "second#2"}


def test_an_option_that_is_ruled_out_is_never_taken() -> None:
    assert Choices("key", {"name": 0}).pick("name", "ab", (0, 1)) == "b"


@pytest.fixture(scope="module")
def programs() -> dict[str, Program]:
    keys = [generate.key_of(SEED, index) for index in range(300)]
    return {key: make(Choices(key), "numpy") for key in keys}


@pytest.fixture(scope="module")
def truths(programs: dict[str, Program]) -> dict[str, judge.Truth]:
    return {key: truth(known) for key, known in programs.items()}


def test_the_same_seed_makes_the_same_programs(programs: dict[str, Program]) -> None:
    for key, known in programs.items():
        again = make(Choices(key, known.choices), "numpy")
        assert again.text == known.text
        assert again.choices == known.choices
    assert len({known.text for known in programs.values()}) > 290


def test_every_kind_of_program_is_made(programs: dict[str, Program], truths: dict[str, judge.Truth]) -> None:
    verdicts = [one.verdict for one in truths.values()]
    assert verdicts.count("right") > 90
    assert verdicts.count("wrong") > 90
    kinds = {known.term.kind for known in programs.values()}
    assert kinds >= {"cross-entropy", "kl", "entropy", "latent kl", "selected", "squared error", "binary"}
    assert sum(known.masked for known in programs.values()) > 50


def test_the_judge_agrees_with_what_plans_say(
    programs: dict[str, Program], truths: dict[str, judge.Truth]
) -> None:
    """Plans whose outcome arithmetic tells, whatever the spelling."""
    seen = set()
    for key, known in programs.items():
        support = known.term.support
        expected = {
            (f"sum over {support}, mean of all", False): ("right", {}),
            ("mean of all", False): ("wrong", {support: -1}) if support else ("right", {}),
            (f"sum over {support}, masked, sum of all, / valid", True): ("right", {}),
            ("masked, sum of all, / valid", True): ("right", {}),
        }.get((known.plan, known.masked))
        if expected is not None and "pairs" not in known.choices and "way" not in known.choices:
            found = truths[key]
            assert (found.verdict, dict(found.factor)) == expected, known.text
            seen.add((known.plan, expected[0]))
    assert len(seen) >= 4


def test_lines_of_the_reduction_are_known(programs: dict[str, Program]) -> None:
    for known in programs.values():
        for file in known.files:
            assert len(file.tags) == len(file.text.split("\n")) - 1
        assert any("reduction" in file.tags for file in known.files)


def test_shrinking_keeps_the_fault(
    monkeypatch: pytest.MonkeyPatch, programs: dict[str, Program], truths: dict[str, judge.Truth]
) -> None:
    def with_fault(
        key: str, framework: str, given: Mapping[str, int] | None = None
    ) -> tuple[compare.Outcome, Program]:
        made = make(Choices(key, given), "numpy")
        found = truth(made)
        faults: list[tuple[compare.Fault, str]] = [("missed", "")] if found.factor.get("V") == -1 else []
        return compare.Outcome(key, True, factor=found.factor, faults=faults), made

    monkeypatch.setattr(shrink, "outcome", with_fault)
    wrong = [key for key, one in truths.items() if one.factor.get("V") == -1]
    key = max(wrong, key=lambda key: len(programs[key].text))
    small = shrink.shrunk(key, "numpy", ("missed", ""))
    assert small is not None
    assert "V^-1" in small.text
    code = "".join(line + "\n" for line in small.text.split("\n") if not line.startswith("#"))
    assert len(code) < len(programs[key].text)
    assert len(code.split("\n")) < 12
    right = next(key for key, one in truths.items() if one.verdict == "right")
    assert shrink.shrunk(right, "numpy", ("missed", "")) is None


def test_the_last_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--programs", "40", "--seed", str(SEED), "--framework", "numpy", "--jobs", "1"]
    assert generate.main(arguments) == 0
    *_, recall, last = capsys.readouterr().out.splitlines()
    counts = json.loads(last)
    assert recall.startswith(f"found {counts['found']} of {counts['wrong_programs']} that are wrong (")
    assert counts["programs"] == counts["ran"] == 40
    verdicts = ("right_programs", "wrong_programs", "other_programs", "open_programs")
    assert sum(counts[name] for name in verdicts) == 40
    for part, whole in [("proved_wrong", "proved"), ("likely_wrong", "likely"), ("found", "wrong_programs")]:
        assert 0 <= counts[part] <= counts[whole]
    assert 0 <= counts["fixes_wrong"] <= counts["fixed"] <= 40
    assert counts["crashes"] == 0


def test_disagreements_are_written_as_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--programs", "25", "--seed", str(SEED), "--framework", "numpy", "--jobs", "1"]
    assert generate.main([*arguments, "--show", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    counts = json.loads(printed.splitlines()[-1])
    files = sorted(tmp_path.iterdir())
    assert bool(files) >= (counts["found"] < counts["wrong_programs"])
    for file in files:
        text = file.read_text()
        assert text.startswith("# ")
        assert "\n# true: " in text
        ast.parse(text)
    assert not files or printed.startswith(files[0].read_text())


def test_processes_change_nothing() -> None:
    alone = list(generate.outcomes(SEED, range(6), "numpy", 1))
    assert list(generate.outcomes(SEED, range(6), "numpy", 2)) == alone


def test_a_program_that_fails_is_no_verdict() -> None:
    known = program("return x.sum(axis=7)")
    found = compare.compared("known", known)
    assert not found.ran
    assert "AxisError" in found.error
    assert not found.told


@pytest.mark.heavy  # imports JAX
def test_jax_without_its_compiler_computes_the_same() -> None:
    jax = pytest.importorskip("jax")
    text = (
        "import jax\nimport jax.numpy as jnp\n\n\ndef f(x, m):\n"
        "    p = jax.nn.softmax(x, axis=1)\n"
        "    e = jnp.where(m[:, None] > 0, p * jax.nn.log_softmax(x, axis=1), 0.0)\n"
        "    return jnp.stack([e.sum(axis=(1, 2)).mean(), jnp.max(x), (x**2).T[0].mean(), (m < 1).sum()])\n"
    )
    known = dataclasses.replace(
        program("return x.mean()"),
        files=(File("generated.py", text, ()),),
        framework="jax",
        entry="f(arg_logits, arg_mask)",
        inputs={"logits": Input(("B", "V", "T"), "real"), "mask": Input(("B", "T"), "mask", "float")},
        masked=True,
    )
    settings = judge.settings(known, SEED)
    assert jax.default_backend() == "cpu"
    for value, setting in zip(judge.run(known.texts, known, settings), settings, strict=True):
        x, m = setting.inputs["logits"], setting.inputs["mask"]
        logp = log_softmax(x, 1)
        elements = np.exp(logp) * logp * m[:, None]
        wanted = [elements.sum(axis=(1, 2)).mean(), x.max(), (x**2).T[0].mean(), (m < 1).sum()]
        assert np.allclose(value, wanted, rtol=1e-9)


@pytest.mark.heavy
@pytest.mark.parametrize("framework", ["tensorflow", "keras"])
def test_losses_of_functions_alone_are_run_and_judged(framework: str) -> None:
    """In a process of its own: TensorFlow is told to take types as NumPy does, Keras to compute by NumPy."""
    if find_spec(framework) is None:  # not imported here: Paddle cannot be imported after TensorFlow
        pytest.skip(f"{framework} is not installed")
    command = [sys.executable, "-m", "benchmarks.oracle.generate", "--framework", framework, "--jobs", "1"]
    done = subprocess.run(
        [*command, "--programs", "60", "--seed", str(SEED)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ran"] >= 55 and found["right_programs"] >= 20 and found["found"] >= 10
    assert found["proved_wrong"] == found["likely_wrong"] == found["fixes_wrong"] == found["crashes"] == 0


def run_way(framework: Framework, kind: str, index: int) -> compare.Outcome:
    """The first program that goes this way and has classes to count, run and compared."""
    given = {kind: 1, "way": index, "by the classes": 1, "mask": 0, "classes": 1, "shape of the program": 0}
    for number in range(60):
        key = f"{SEED}/{number}"
        program = make(Choices(key, given), framework)
        if "way" in program.choices and "by the classes" in program.choices and not program.masked:
            return compare.compared(key, program)
    raise AssertionError("no program goes this way")


@pytest.mark.heavy
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(
    ("kind", "ways"), [("roundabout", routes.LOSS), ("roundabout elements", routes.ELEMENTS)]
)
def test_every_roundabout_way_runs(framework: Framework, kind: str, ways: tuple[routes.Route, ...]) -> None:
    failed = {}
    for index, way in enumerate(routes.fitting(ways, framework)):
        found = run_way(framework, kind, index)
        if not found.ran:
            failed[way.name] = found.error
    assert not failed


def test_what_may_be_the_class_count_is_never_proved_wrong() -> None:
    wrong = {}
    for kind, ways in (("roundabout", routes.LOSS), ("roundabout elements", routes.ELEMENTS)):
        for index, way in enumerate(routes.fitting(ways, "numpy")):
            found = run_way("numpy", kind, index)
            faults = [fault for fault, _ in found.faults if not fault.startswith("missed")]
            if any("proved" in fault or "fix" in fault for fault in faults):
                wrong[way.name] = faults
    assert not wrong


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("holder", range(6))
def test_settings_are_asked_for_in_many_words(kind: int, holder: int) -> None:
    """Every kind of setting, wherever it is kept: the program runs, and the way that runs is what its plan says."""
    given = {"switch": 5, "setting": kind, "settings in": holder, "shape of the program": 0, "mask": 0}
    seen = set()
    for number in range(8):
        made = make(Choices(f"{SEED}/{number}", given), "numpy")
        if made.choices.get("switch") != 5 or "way" in made.choices:
            continue
        found = truth(made)  # it runs
        expected = {"sum over V, mean of all": "right", "mean of all": "wrong"}.get(
            made.plan.removesuffix(", asked in two places")
        )
        if expected is not None and made.term.support == "V":
            assert found.verdict == expected, made.text
        seen.add(made.text)
    assert len(seen) >= 3


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.heavy)])
def test_a_statistic_is_no_part_of_the_loss(framework: Framework) -> None:
    """Whatever stands beside it, the loss is what the program is run for."""
    pytest.importorskip(framework)
    seen = set()
    for number in range(60):
        key = f"{SEED}/{number}"
        made = make(
            Choices(key, {"statistic": 1, "statistic goes": number % 8, "shape of the program": 3}), framework
        )
        plain = make(Choices(key, {"statistic": 0, "shape of the program": 3}), framework)
        found, without = compare.compared(key, made), compare.compared(key, plain)
        assert found.ran, (made.text, found.error)
        if made.plan == plain.plan:
            assert (found.verdict, found.factor) == (without.verdict, without.factor), made.text
        seen.add(made.choices["statistic goes"])
        assert made.statistic in made.text
    assert seen == set(range(8))


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.heavy)])
def test_methods_and_heirs_change_nothing_of_what_is_computed(framework: Framework) -> None:
    """The same choices with other classes around them: every program runs and comes to the same."""
    pytest.importorskip(framework)
    seen: set[tuple[str, int]] = set()
    for number in range(60):
        key, heir, methods = f"{SEED}/{number}", number % 5, number // 5 % 4
        given = {"shape of the program": 3, "methods": methods, "default of classes": number % 3}
        made = make(Choices(key, given | {"heir": heir, "property": number % 2}), framework)
        plain = make(Choices(key, given | {"heir": 0}), framework)
        found, without = compare.compared(key, made), compare.compared(key, plain)
        assert found.ran, (made.text, made.entry, found.error)
        assert (found.verdict, found.factor) == (without.verdict, without.factor), made.text
        seen |= {("heir", made.choices["heir"]), ("methods", methods)}
    assert len(seen) == 9


@pytest.mark.parametrize(
    ("weighed", "divisor", "power"), [(0, 0, 0), (1, 1, 0), (0, 1, -1), (1, 0, 1)], ids=str
)
def test_the_total_of_an_epoch_is_measured(weighed: int, divisor: int, power: int) -> None:
    given = {"caller": 3, "each times": weighed, "total by": divisor, "kind": 0, "mask": 0, "switch": 0}
    given |= {"plan": 1, "shape of the program": 0, "layout": 0, "roundabout": 0, "roundabout elements": 0}
    seen = 0
    for number in range(30):
        made = make(Choices(f"{SEED}/{number}", given), "numpy")
        if made.loop and made.plan == "sum over V, mean of all, epoch":
            found = truth(made)
            assert found.verdict == ("wrong" if power else "right"), made.text
            assert made.loop == found.verdict
            assert found.factor == ({"B": power} if power == -1 else {})  # the other is a sum on no purpose
            seen += 1
    assert seen > 5


@pytest.mark.heavy  # imports PyTorch
@pytest.mark.parametrize(("how", "power"), [(0, 0), (1, 1), (2, -1), (3, 0)])
def test_what_gradients_are_asked_of_is_added_up(how: int, power: int) -> None:
    pytest.importorskip("torch")
    given = {"caller": 4, "accumulated": how, "kind": 0, "mask": 0, "switch": 0, "plan": 1}
    given |= {"shape of the program": 0, "layout": 0, "roundabout": 0, "roundabout elements": 0}
    seen = 0
    for number in range(20):
        made = make(Choices(f"{SEED}/{number}", given), "torch")
        if made.loop and made.plan == "sum over V, mean of all, accumulation":
            assert truth(made).factor == ({"K": power} if power else {}), made.text
            seen += 1
    assert seen > 3


@pytest.mark.parametrize("layout", range(3))
@pytest.mark.parametrize("imported", range(5))
def test_files_change_nothing_of_what_is_computed(layout: int, imported: int) -> None:
    """The same choices in one file come to the same, wherever the parts stand and however they are imported."""
    seen = 0
    for number in range(8):
        key = f"{SEED}/{number}"
        given = {"files": 1 + number % 2, "layout of the files": layout, "imported as": imported}
        made = make(Choices(key, given | {"caller's step": 0}), "numpy")
        plain = make(Choices(key, {**made.choices, "files": 0}), "numpy")
        found, without = truth(made), truth(plain)
        assert len(plain.files) == 1
        assert (found.verdict, found.factor) == (without.verdict, without.factor), made.text
        seen += len(made.files) > 1
    assert seen >= 5


def in_two_files(losses: str, train: str, reduction_in: str) -> Program:
    """A mean in one of two files, of which the one has the elements."""
    texts = {"losses.py": HEAD + losses, "train.py": "from losses import *\n\n\n" + train}
    files = [
        File(path, text, ("reduction" if path == reduction_in else "other",) * text.count("\n"))
        for path, text in texts.items()
    ]
    return dataclasses.replace(program("return x"), files=tuple(files))


@pytest.mark.parametrize("reduction_in", ["losses.py", "train.py"])
def test_a_finding_may_stand_in_any_file(reduction_in: str) -> None:
    elements = "-(soft * log_softmax(logits, axis=-1))"
    losses, train = f"def g(logits, soft):\n    return {elements}\n", "g(logits, soft).mean()"
    if reduction_in == "losses.py":
        losses, train = losses.replace(elements, f"({elements}).mean()"), "g(logits, soft)"
    known = in_two_files(losses, f"def f(logits, soft):\n    return {train}\n", reduction_in)
    found = compare.compared("known", known)
    assert (found.ran, found.verdict, found.factor) == (True, "wrong", {"V": -1})
    assert [(one.code, one.path, one.fault) for one in found.told] == [("BMN102", reduction_in, "")]
    assert not found.faults


def test_a_fix_is_written_beside_the_other_files() -> None:
    losses = "def g(logits):\n    q = log_softmax(logits, axis=-1)\n    return -np.mean(np.exp(q) * q)\n"
    known = in_two_files(losses, "def f(logits, soft):\n    return g(logits)\n", "losses.py")
    found = compare.compared("known", dataclasses.replace(known, term=ENTROPY))
    assert found.fixed and not found.fix_is_wrong
    assert found.fixed_text.startswith("# losses.py\n")
    assert "axis=-1))\n" in found.fixed_text and found.fixed_text.endswith("return g(logits)\n")


def test_what_an_importer_makes_up_for_is_left_open() -> None:
    losses = "def g(logits):\n    q = log_softmax(logits, axis=-1)\n    return -(np.exp(q) * q).mean()\n"
    train = "def f(logits, soft):\n    return g(logits) * logits.shape[-1]\n"
    known = dataclasses.replace(in_two_files(losses, train, "losses.py"), term=ENTROPY)
    assert [one.fault for one in compare.compared("known", known).told] == ["right"]
    settled = dataclasses.replace(known, choices={"caller's step": 3})
    found = compare.compared("known", settled)
    assert (found.verdict, found.told, found.faults) == ("right", [], [])
