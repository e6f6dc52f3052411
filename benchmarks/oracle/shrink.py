"""From a program on which the linter and the judge disagree to the smallest one on which they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.oracle.compare import Fault, Outcome, outcome
from benchmarks.oracle.program import Framework, Program


@dataclass(frozen=True)
class Disagreement:
    """A shrunk program in words."""

    identity: tuple[str, ...]
    """Equal for programs that are of one kind."""
    text: str
    """The program, what is true of it, and what the linter says."""


def shrunk(key: str, framework: Framework, fault: tuple[Fault, str]) -> Disagreement | None:
    """The plainest choices with the same fault; None if the program has it not."""

    def tried(given: Mapping[str, int]) -> tuple[Outcome, Program] | None:
        try:
            one, program = outcome(key, framework, given)
        except Exception:  # choices that the grammar cannot make a program of
            return None
        return (one, program) if one.ran and fault in one.faults else None

    best = tried({})
    if best is None:
        return None
    size = 32
    while size:
        # The first option of many choices at once, then of fewer, then of each.
        names = [name for name, index in best[1].choices.items() if index]
        changed = False
        for at in range(0, len(names), size):
            part = dict.fromkeys(names[at : at + size], 0)
            made = best[1].choices
            if any(made.get(name) for name in part):
                found = tried({**made, **part})
                if found is not None and len(found[1].text) <= len(best[1].text) + _LONGER:
                    best, changed = found, True
        if not changed or size > 1:
            size //= 2
    return Disagreement(_identity(fault, best[1]), _described(fault, *best))


_LONGER: Final = 40
"""By how many characters a plainer program may be longer."""


def _identity(fault: tuple[Fault, str], program: Program) -> tuple[str, ...]:
    return (*fault, program.term.kind, program.plan, str(program.masked))


def _described(fault: tuple[Fault, str], one: Outcome, program: Program) -> str:
    factor = " ".join(f"{name}^{power}" for name, power in one.factor.items()) or "1"
    inputs = [f"{role}: {what.kind} {''.join(what.axes)}" for role, what in program.inputs.items()]
    lines = [
        f"{' '.join(fault).rstrip()} (program {one.key}, {program.framework})",
        f"true: {one.verdict}, {one.mode or 'no known way'} x {factor}: {program.term.kind} summed over"
        f" {program.term.support or 'nothing'}, elements {''.join(program.term.axes)}; {program.plan}",
        f"called: {program.entry} with {', '.join(inputs)}",
        *(
            f"said: line {told.line} of {told.path if len(program.files) > 1 else 'the program'}:"
            f" {told.code} {told.confidence} {dict(told.factor or {})} {told.message}"
            for told in one.told
        ),
    ]
    if fault[0] == "fix is wrong":
        lines += [f"fixed, {one.error or 'and runs'}:", *one.fixed_text.rstrip().split("\n")]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + program.text
