"""A reduction in two steps, each in a branch of its own: both places ask for one setting, in words of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.oracle.asked import Setting, setting_of
from benchmarks.oracle.masked import Masked
from benchmarks.oracle.steps import TAG, Axes

_HEADS: Final = ("if", "other first", "elif", "raise", "two tests", "not")
"""How a place is written: one question and `else`, or a question for each answer."""


@dataclass(frozen=True)
class _Way:
    """A first step and a second one."""

    first: Callable[[], None]
    divisor: Axes = ()
    mean: bool = False
    """Is the second step a mean? Otherwise it is a division, by nothing if there are no axes."""
    times: bool = False
    by_valid: bool = False


class TwoPlaces(Masked):
    """One setting decides both steps: what the branches of the other answer do is never mixed with it."""

    def _in_two_places(self) -> None:
        self._negate()
        x = self.x if self.x.isidentifier() else self.block.let("elements", self.x, "term")
        self.x = x
        setting = setting_of(self.block)
        right, wrong = self._masked_ways() if self.mask else self._ways()
        ran = self.c.pick(
            "way that runs",
            [*right, *wrong],
            [2.0 / len(right)] * len(right) + [2.0 / len(wrong)] * len(wrong) if wrong else None,
        )
        other = self.c.pick("other way", [way for way in right if way is not ran])
        total = self.w.fresh("total")
        plan, start = list(self.plan), self.axes
        after: dict[bool, tuple[Axes, list[str]]] = {}

        def step(what_runs: bool, take: Callable[[], None]) -> None:
            if what_runs in after:
                self.axes, self.plan = after[what_runs]
            else:
                self.axes, self.plan = start, list(plan)
            self.x = total if after_first else x
            known, aliases = list(self.block.known), dict(self.block.aliases)
            take()
            if self.x != total or not after_first:
                self.block.say(f"{total} = {self.x}", TAG)
            else:
                self.block.say("pass")
            self.block.known, self.block.aliases = known, aliases
            after[what_runs] = self.axes, self.plan

        after_first = False
        self._either(setting, lambda: step(True, ran.first), lambda: step(False, other.first))
        after_first = True
        if self.c.chance("settings are shown", 0.2):
            self.block.say(f"print({setting.reads[0]})")
        counted = not (ran.mean or other.mean or ran.times or other.times)
        if counted and self.c.chance("one count", 0.4):
            count = self.w.fresh("count")
            counts = [self._counted(way) for way in (ran, other)]
            if self.c.chance("conditional count", 0.5):
                asked = setting.asks(True)
                self.block.say(f"{count} = {counts[0]} if {asked} else {counts[1]}", TAG)
            else:
                self._either(setting, *(lambda n=n: self.block.say(f"{count} = {n}", TAG) for n in counts))
            self.x, (self.axes, self.plan) = f"{total} / {count}", after[True]
            self.plan.append(f"/ {'valid' if ran.by_valid else ''.join(ran.divisor) or '1'}")
        else:
            self._either(
                setting,
                lambda: step(True, lambda: self._second(ran)),
                lambda: step(False, lambda: self._second(other)),
            )
            self.x, (self.axes, self.plan) = total, after[True]
        self.plan.append("asked in two places")

    def _ways(self) -> tuple[Sequence[_Way], Sequence[_Way]]:
        """Those that are right, and those that are wrong, of the ways to reduce the elements."""
        inner, units, whole = self.extra, self.units, self.axes
        nothing, mean, total = (lambda: None), (lambda: self._reduce("mean")), (lambda: self._reduce("sum"))
        rows = lambda: self._reduce("sum", inner)  # noqa: E731
        right = [_Way(total, units[:1]), _Way(total), _Way(total, units)]
        others = [_Way(nothing, mean=True), _Way(mean), _Way(total, whole)]
        if inner:
            right.insert(0, _Way(rows, mean=True))
        wrong = [_Way(mean, units[:1])] if units else []
        if self.term.support in inner:
            right.append(_Way(mean, inner, times=True))
            return right, [*others, *wrong, _Way(total, inner)]
        return [*right, *others], wrong or [_Way(mean, whole)]

    def _masked_ways(self) -> tuple[Sequence[_Way], Sequence[_Way]]:
        """The same where a mask says which units count; the elements have the axes of the mask."""
        mask, is_float = self._mask()
        if not mask.isidentifier():
            mask = self.block.let("mask", mask)
            self.made_mask = mask, is_float

        def zeroed() -> None:
            self.shows_mask = True
            m = mask if is_float else self.w.form("float", x=mask)
            self.x = f"{self.x} * {m}"
            self.plan.append("masked")

        def total() -> None:
            zeroed()
            self._reduce("sum")

        right = [_Way(total, by_valid=True), _Way(total, self.units[:1]), _Way(total)]
        return right, [_Way(zeroed, mean=True), _Way(total, self.units)]

    def _second(self, way: _Way) -> None:
        if way.mean:
            self._reduce("mean")
        elif way.by_valid:
            self._scale(self._counted(way))
            self.plan.append("/ valid")
        elif way.divisor:
            self._divide(way.divisor, by="*" if way.times else "/")

    def _counted(self, way: _Way) -> str:
        if way.by_valid:
            mask, is_float = self._mask()
            return self.w.all_of("sum", mask if is_float else self.w.form("float", x=mask))
        return self.count(way.divisor)

    def _either(self, setting: Setting, ran: Callable[[], None], other: Callable[[], None]) -> None:
        """Both branches of a place."""
        how = self.c.pick("place", _HEADS, (4, 3, 2, 1, 1, 1))
        inside = self.block.inside
        if how == "two tests":
            heads = [f"if {setting.asks(True)}:", f"if {setting.asks(False)}:"]
        elif how == "other first":
            heads = [f"if {setting.asks(False)}:", "else:"]
            ran, other = other, ran
        elif how == "not":
            heads = [f"if not ({setting.asks(True)}):", "else:"]
            ran, other = other, ran
        elif how == "if":
            heads = [f"if {setting.asks(True)}:", "else:"]
        else:
            heads = [f"if {setting.asks(True)}:", f"elif {setting.asks(False)}:"]
        with inside(heads[0]):
            ran()
        with inside(heads[1]):
            other()
        if how == "raise":
            with inside("else:"):
                self.block.say("raise ValueError('no such reduction')")
