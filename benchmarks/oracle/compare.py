"""What the linter says of a program beside what running it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from batchmean.check import Check
from batchmean.config import Settings
from batchmean.findings import Finding
from batchmean.rewrite import rewrite

from benchmarks.oracle import judge
from benchmarks.oracle.choices import Choices
from benchmarks.oracle.grammar import generate
from benchmarks.oracle.program import Framework, Program, joined
from benchmarks.oracle.source import Source

_SETTINGS: Final = Settings({"preview": True}, isolated=True)

Fault = Literal[
    "crash",
    "proved, but right",
    "fix is wrong",
    "proved, but another factor",
    "proved, but elsewhere",
    "proved, but another rule",
    "likely, but right",
    "likely, but another factor",
    "likely, but elsewhere",
    "likely, but another rule",
    "missed, though shown",
    "missed",
]
FAULTS: Final[tuple[Fault, ...]] = Fault.__args__  # type: ignore[attr-defined]
"""The worst first."""


@dataclass(frozen=True)
class Told:
    """One finding, and what is wrong with it."""

    code: str
    confidence: str
    line: int
    factor: Mapping[str, int] | None
    message: str
    fault: str = ""
    """Empty, `right`, `another factor`, `another rule` or `elsewhere`."""
    path: str = ""


@dataclass
class Outcome:
    """What became of one program."""

    key: str
    ran: bool
    error: str = ""
    verdict: str = ""
    mode: str = ""
    factor: Mapping[str, int] = field(default_factory=dict)
    kind: str = ""
    plan: str = ""
    told: list[Told] = field(default_factory=list)
    decidable: bool = False
    fixed: bool = False
    fix_is_wrong: bool = False
    fixed_text: str = ""
    faults: list[tuple[Fault, str]] = field(default_factory=list)
    """Each with the code of the rule, if there is one."""


def outcome(
    key: str, framework: Framework, given: Mapping[str, int] | None = None
) -> tuple[Outcome, Program]:
    """Make the program, run it, lint it, fix it, run it again."""
    program = generate(Choices(key, given), framework)
    return compared(key, program), program


def compared(key: str, program: Program) -> Outcome:
    """The outcome of a program."""
    found = Outcome(key, True, kind=program.term.kind, plan=program.plan)
    settings = judge.settings(program, sum(map(ord, key)))
    try:
        values = judge.run(program.texts, program, settings)
    except judge.CannotRun as error:
        found.ran, found.error = False, str(error)
        return found
    truth = judge.truth(program, values, settings)
    found.verdict, found.mode, found.factor = truth.verdict, truth.mode, truth.factor
    with Source.of(program) as source:
        _compare(found, program, source, truth, settings)
    return found


def _compare(
    found: Outcome, program: Program, source: Source, truth: judge.Truth, settings: Sequence[judge.Setting]
) -> None:
    report = source.report(_check(fixes=False))
    found.faults += [("crash", failure.message) for failure in report.errors]
    found.told = judged(program, report.findings, truth, settings)
    if program.naming == "misleading":  # where names lie, what rests on names may, too
        found.told = [told for told in found.told if told.confidence == "proved" or not told.fault]
    found.decidable = truth.verdict == "wrong" and _is_shown(program, truth)
    faulty = [told for told in found.told if told.fault]
    for told in faulty:
        if told.code != "BMN401" or len(faulty) == 1:  # it follows from another
            found.faults.append((f"{told.confidence}, but {told.fault}", told.code))  # type: ignore[arg-type]
    if truth.verdict == "wrong" and not any(told.fault == "" for told in found.told):
        found.faults.append(("missed, though shown" if found.decidable else "missed", ""))
    if report.findings and not report.errors and program.loop != "wrong":
        _fix(found, program, source, truth, settings)


def _check(*, fixes: bool) -> Check:
    return Check(_SETTINGS, fixes=fixes, warn=lambda message: None)


def judged(
    program: Program, findings: Sequence[Finding], truth: judge.Truth, settings: Sequence[judge.Setting]
) -> list[Told]:
    """What is wrong with each finding; those about a statistic beside a wrong loss are left out."""
    findings = [finding for finding in findings if not _is_left_open(program, finding, truth)]
    together: dict[str, int] = {}
    for finding in findings:
        for name, power in (finding.factor or {}).items():
            together[name] = together.get(name, 0) + power
    before = judge.left_over(program, truth.values, {}, settings)
    told = []
    for finding in findings:
        fault = ""
        if truth.verdict == "right":
            # A vector of classes: its rank is often not shown, and a likely finding may take it for a batch.
            is_vector = program.term.axes == ("V",) and finding.confidence == "likely"
            # BMN105 is about a convention: it says by what a sum per example differs from a mean per position; and
            # BMN307 says so of a sum over examples that is divided by their features.
            conventions = ("BMN105", "BMN307")
            is_told = finding.code in conventions and _is_mean(program, truth, finding.factor or {}, settings)
            # BMN306 is about two terms: a sum on purpose is right until a mean is added to it.
            is_told |= finding.code == "BMN306" and program.offset is not None and truth.mode.endswith("sum")
            fault = "" if is_vector or is_told else "right"
        elif truth.verdict != "open":
            tags = program.file_at(finding.path).tags[finding.span.line - 1 : finding.span.end_line]
            if "reduction" not in tags and finding.code != "BMN401":
                fault = "elsewhere"
            elif finding.factor:
                after = judge.left_over(program, truth.values, finding.factor, settings)
                all_told = judge.left_over(program, truth.values, together, settings)
                if finding.code == "BMN304" and after is not None:
                    after = 0  # it says what was to be divided by, not what is too large
                # One of two wrong counts may be told: then less is left than before.
                if all_told != 0 and (after is None or (after != 0 and (before is None or after >= before))):
                    fault = "another factor"
            if not fault and not _is_its_rule(finding.code, program, truth):
                fault = "another rule"
        if fault and _is_settled_elsewhere(program, finding):
            continue
        told.append(
            Told(
                finding.code,
                finding.confidence,
                finding.span.line,
                finding.factor,
                finding.message,
                fault,
                program.file_at(finding.path).path,
            )
        )
    return told


def _is_left_open(program: Program, finding: Finding, truth: judge.Truth) -> bool:
    """Is it about a mean beside the loss? Only one of the elements of a right loss is sure to be no mistake.

    Or about something else than a loop that is wrong by itself, where one mistake may make up for another? Or about a
    mask in a loop, whose batches are all the same one?
    """
    if program.loop == "wrong" and not finding.code.startswith("BMN5"):
        return True
    if program.loop and program.masked and finding.code == "BMN503":
        return True
    if not program.statistic or (truth.verdict == "right" and program.is_of_elements):
        return False
    line = program.file_at(finding.path).text.split("\n")[finding.span.line - 1]
    at = line.find(program.statistic)
    return 0 <= at < finding.span.column and finding.span.column <= at + len(program.statistic)


def _is_settled_elsewhere(program: Program, finding: Finding) -> bool:
    """Does a caller divide or multiply once more what the finding is about?

    Nothing that other functions do changes what is true of one, and the file that imports another is not read with it.
    """
    if not program.choices.get("caller's step"):
        return False
    above = program.file_at(finding.path).text.split("\n")[: finding.span.line]
    own = next((line for line in reversed(above) if line.startswith(("def ", "class "))), "")
    return not own.startswith(f"def {program.entry.partition('(')[0]}(")


def _is_its_rule(code: str, program: Program, truth: judge.Truth) -> bool:
    """Is the rule about what is wrong here?"""
    factor, term = truth.factor, program.term
    if code == "BMN305":
        return truth.verdict == "other"
    if truth.verdict != "wrong" or code == "BMN401":
        return True
    if code in ("BMN201", "BMN202"):
        return program.masked
    if code == "BMN303":
        return "mean of a number" in program.plan
    if code == "BMN304":
        return "thrown away" in program.plan
    if code == "BMN301":
        return any(power < 0 for name, power in factor.items() if name != term.support)
    if code.startswith("BMN1") or code == "BMN302":
        if code == "BMN105":
            return "batchmean" in program.text
        if code == "BMN103" and not ("kl_div" in program.text or "KLDivLoss" in program.text):
            return False
        return factor.get(term.support or "", 0) < 0 and (code != "BMN104" or term.support == "D")
    return True


def _is_mean(
    program: Program, truth: judge.Truth, factor: Mapping[str, int], settings: Sequence[judge.Setting]
) -> bool:
    """Are the values over this factor the mean over the units?"""
    values = judge.divided(program, truth.values, factor, settings)
    means = [judge.modes(program, setting)["mean"][0] for setting in settings]
    return values is not None and all(map(judge.is_near, values, means))


def _is_shown(program: Program, truth: judge.Truth) -> bool:
    """Does the text show what is needed to decide, so that a reader without names or shapes would?"""
    if not program.term.shown or program.needs_rank or "V" in program.inputs or program.loop == "wrong":
        return False
    if program.term.axes == ("V",) and truth.factor.get("V") == -1 and "mean" not in program.plan:
        return False  # what is divided by one length of an array of unknown rank may be a matrix
    if "ids" in program.inputs and program.naming != "typical":
        return False  # `x != 0` is a mask of padding where x is said to hold tokens
    if program.masked and any(what.kind == "mask" for what in program.inputs.values()):
        return False
    support = program.term.support
    if not program.sum_is_right and not program.loop:
        return True
    return (support is not None and truth.factor.get(support, 0) < 0) or "n_valid" in truth.factor


def _fix(
    found: Outcome, program: Program, source: Source, truth: judge.Truth, settings: Sequence[judge.Setting]
) -> None:
    """Apply the safe fixes, and run the program again."""
    check = _check(fixes=True)
    report = source.report(check)
    if not any(f.fix is not None and f.fix.safe for f in report.findings):
        return
    done = rewrite(report, check, source.get, source.put, unsafe=False)
    if not done.fixed or any(_is_settled_elsewhere(program, one) for one in done.fixed):
        return
    found.fixed, found.fixed_text = True, joined(source.texts)
    about_the_loss = [one for one in done.fixed if not _is_left_open(program, one, truth)]
    code = done.fixed[0].code
    try:
        values = judge.run(source.texts, program, settings)
    except judge.CannotRun as error:
        found.error = f"after the fix: {error}"
        found.fix_is_wrong = True
    else:
        then = judge.truth(program, values, settings)
        before = judge.left_over(program, truth.values, {}, settings)
        left = judge.left_over(program, then.values, {}, settings)
        settled = then.verdict == "right" and then.mode != "sum"
        nearer = not about_the_loss or (left is not None and (before is None or left < before))
        found.fix_is_wrong = not (
            settled or (nearer and _as_told(about_the_loss, program, truth, then, settings))
        )
    if found.fix_is_wrong:
        found.faults.append(("fix is wrong", code))


def _as_told(
    fixed: Sequence[Finding],
    program: Program,
    before: judge.Truth,
    after: judge.Truth,
    settings: Sequence[judge.Setting],
) -> bool:
    """Did the fixes take away the factors that the findings told of, and nothing else?"""
    product: dict[str, int] = {}
    for finding in fixed:
        for name, power in (finding.factor or {}).items():
            product[name] = product.get(name, 0) + power
    wanted = judge.divided(program, before.values, product, settings)
    return wanted is not None and all(map(judge.is_near, wanted, after.values))
