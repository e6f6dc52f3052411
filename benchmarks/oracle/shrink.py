"""From a program on which the linter and the judge disagree to the smallest one on which they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.oracle.compare import Fault, Outcome, outcome
from benchmarks.oracle.program import Framework, Program


@dataclass(frozen=True)
class Disagreement:
    """A program and what is said of it."""

    fault: tuple[Fault, str]
    outcome: Outcome
    program: Program

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for programs that are of one kind."""
        return (*self.fault, self.program.term.kind, self.program.plan, str(self.program.masked))

    def text(self) -> str:
        """The program, and what is true of it."""
        one = self.outcome
        factor = " ".join(f"{name}^{power}" for name, power in one.factor.items()) or "1"
        lines = [
            f"# {self.fault[0]} {self.fault[1]}".rstrip() + f" (program {one.key}, {self.program.framework})",
            f"# true: {one.verdict}, {one.mode or 'no known way'} x {factor}; {self.program.term.kind} over"
            f" {self.program.term.support or 'no support'}, elements {self.program.term.axes}: {self.program.plan}",
            f"# called: {self.program.entry}"
            + "".join(
                f", {role}: {''.join(what.axes)} {what.kind}" for role, what in self.program.inputs.items()
            ),
            *(
                f"# said: line {t.line}: {t.code} {t.confidence} {dict(t.factor or {})} {t.message}"
                for t in one.told
            ),
        ]
        text = "\n".join(lines) + "\n" + self.program.text
        if self.fault[0] == "fix is wrong":
            text += f"# fixed ({one.error or 'runs'}):\n" + "".join(
                f"# {line}\n" for line in one.fixed_text.split("\n")
            )
        return text


def shrunk(key: str, framework: Framework, fault: tuple[Fault, str]) -> Disagreement | None:
    """The plainest choices with the same fault; None if the program has it not."""

    def tried(given: Mapping[str, int]) -> tuple[Outcome, Program] | None:
        one, program = outcome(key, framework, given)
        return (one, program) if one.ran and fault in one.faults else None

    best = tried({})
    if best is None:
        return None
    changed = True
    while changed:
        changed = False
        made = dict(best[1].choices)
        for name in sorted(made, key=lambda name: name.startswith("name of")):
            current = best[1].choices
            if not current.get(name) or name not in current:
                continue
            for index in sorted({0, current[name] // 2}):
                found = tried({**current, name: index})
                if found is not None and len(found[1].text) <= len(best[1].text) + 40:
                    best, changed = found, True
                    break
    return Disagreement(fault, *best)
