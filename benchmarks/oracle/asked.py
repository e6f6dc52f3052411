"""A setting that decides how a loss is reduced: where it is kept, and in what words a place asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from benchmarks.oracle.program import REQUIRED, Block

Kind: TypeAlias = Literal["word", "word with aliases", "number", "flag", "member"]

_WORDS: Final = (
    ("mean", "sum"),
    ("average", "total"),
    ("token", "sequence"),
    ("batchmean", "sum"),
    ("a", "b"),
)
_VALUES: Final[dict[Kind, tuple[str, str]]] = {
    "word": ("'{a}'", "'{b}'"),
    "word with aliases": ("'{a}'", "'{b}'"),
    "number": ("0", "1"),
    "flag": ("True", "False"),
    "member": ("{E}.{A}", "{E}.{B}"),
}
_QUESTIONS: Final[dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "word": (
        (
            "{s} == '{a}'",
            "{s} in ('{a}',)",
            "{s}.lower() == '{a}'",
            "'{a}' == {s}",
            "str({s}) == '{a}'",
            "{s}.startswith('{a}')",
            "{s} in {{'{a}'}}",
        ),
        (
            "{s} == '{b}'",
            "{s} in ['{b}']",
            "{s}.lower() == '{b}'",
            "str({s}) == '{b}'",
            "{s}.strip().lower() == '{b}'",
        ),
    ),
    "word with aliases": (
        (
            "{s} in ('{a}', '{a}_all')",
            "{s}.lower() in ['{a}_all', '{a}']",
            "{s} == '{a}' or {s} == '{a}_all'",
        ),
        (
            "{s} in ('{b}', '{b}_all')",
            "{s}.lower() in ['{b}_all', '{b}']",
            "{s} == '{b}' or {s} == '{b}_all'",
        ),
    ),
    "number": (
        ("{s} == 0", "{s} < 1", "not {s}", "{s} in (0,)", "int({s}) == 0"),
        ("{s} == 1", "{s} > 0", "{s}", "{s} >= 1", "{s} != 0"),
    ),
    "flag": (
        ("{s}", "{s} is True", "bool({s})", "{s} == True"),
        ("not {s}", "{s} is False", "{s} == False", "not bool({s})"),
    ),
    "member": (
        ("{s} == {E}.{A}", "{s} is {E}.{A}", "{s}.value == '{a}'", "{s} in ({E}.{A},)"),
        ("{s} == {E}.{B}", "{s} is {E}.{B}", "{s}.value == '{b}'"),
    ),
}
"""How people ask whether it is the first value, and whether it is the second; the plainest first."""
_HOLDERS: Final = ("parameter", "data class", "namespace", "dict", "class", "constant")
_READ: Final = {
    "data class": ("{c}.{f}", "getattr({c}, '{f}', {v})", "dataclasses.asdict({c})['{f}']"),
    "namespace": ("{c}.{f}", "getattr({c}, '{f}', {v})", "vars({c})['{f}']"),
    "dict": ("{c}['{f}']", "{c}.get('{f}')", "{c}.get('{f}', {v})"),
    "class": ("{c}.{f}", "getattr({c}, '{f}')"),
    "constant": ("{f}",),
    "parameter": ("{f}",),
}
"""How a place reads it: the settings `c`, the field `f`, and a default `v`."""


@dataclass(frozen=True)
class Setting:
    """A setting of two values, the first of which is what runs."""

    block: Block
    kind: Kind
    reads: tuple[str, ...]
    holes: dict[str, str]
    is_swapped: bool
    """Is what runs the second of the values?"""

    def asks(self, what_runs: bool) -> str:
        """Is it what runs, or the other?"""
        pick = self.block.writer.choices.pick
        questions = _QUESTIONS[self.kind][what_runs == self.is_swapped]
        read = pick("read as", self.reads)
        question = str(pick("asked as", questions)).format(s=read, **self.holes)
        if self.block.writer.choices.chance("answer has a name", 0.15):
            return self.block.let("flag", question, "other")
        return question


def setting_of(block: Block) -> Setting:
    """A new setting, which the block can read."""
    w = block.writer
    pick = w.choices.pick
    kind: Kind = pick("setting", list(_VALUES), (4, 2, 2, 2, 2))
    a, b = pick("words", _WORDS)
    holes = {"a": a, "b": b, "A": a.upper(), "B": b.upper()}
    if kind == "member":
        holes["E"] = w.fresh("enumeration")
        members = [f"{holes['A']} = '{a}'", f"{holes['B']} = '{b}'"]
        w.tops.append(
            [(0, f"class {holes['E']}(enum.Enum):", "other"), *((1, member, "other") for member in members)]
        )
    is_swapped = w.choices.chance("the second runs", 0.4)
    values = [value.format(**holes) for value in _VALUES[kind]]
    runs, other = values[is_swapped], values[not is_swapped]
    holder = pick("settings in", _HOLDERS, (3, 3, 3, 3, 2, 1))
    if holder == "parameter":
        return Setting(block, kind, (block.option("reduction", runs, (other,)),), holes, is_swapped)
    field = w.fresh("reduction")
    if holder == "constant":
        w.tops.append([(0, f"{field.upper()} = {runs}", "other")])
        return Setting(block, kind, (field.upper(),), holes, is_swapped)
    config = _config(block, holder, field, runs, other)
    reads = tuple(form.format(c=config, f=field, v=runs) for form in _READ[holder])
    return Setting(block, kind, reads, holes, is_swapped)


def _config(block: Block, holder: str, field: str, runs: str, other: str) -> str:
    """The name under which the block has the settings."""
    w = block.writer
    default = w.choices.pick("default of a field", (runs, other), (3, 2))
    if holder in ("data class", "class"):
        name = w.fresh("config class")
        if holder == "data class":
            w.tops.append(
                [
                    (0, "@dataclasses.dataclass", "other"),
                    (0, f"class {name}:", "other"),
                    (1, f"{field}: object = {default}", "other"),
                ]
            )
        else:
            w.tops.append(
                [
                    (0, f"class {name}:", "other"),
                    (1, f"def __init__(self, {field}={default}):", "other"),
                    (2, f"self.{field} = {field}", "other"),
                ]
            )
        made = f"{name}({field}={runs})" if default != runs else f"{name}()"
    elif holder == "namespace":
        made = (
            f"{w.choices.pick('namespace', ('types.SimpleNamespace', 'argparse.Namespace'))}({field}={runs})"
        )
    else:
        made = w.choices.pick("dict as", (f"{{'{field}': {runs}}}", f"dict({field}={runs})"))
    how = w.choices.pick("settings come", ("passed", "global", "default"), (4, 2, 1))
    constant = w.fresh("settings").upper()
    w.tops.append([(0, f"{constant} = {made}", "other")])
    if how == "global":
        return constant
    return block.given("settings", REQUIRED if how == "passed" else constant, constant)
