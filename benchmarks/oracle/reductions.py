"""From elements to a number: which plan is taken, and whether a switch leads to it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.oracle.plain import Plain
from benchmarks.oracle.steps import TAG
from benchmarks.oracle.two_places import TwoPlaces


class Reducer(Plain, TwoPlaces):
    """Writes the reduction of a term."""

    def build(self) -> str:
        """The loss as an expression."""
        self._name_elements()
        plan = self._after_library if self.built.done else self._masked if self.mask else self._plain
        is_per_unit = bool(self.axes) and self.axes == self.term.units and not self.built.done
        switches = [
            ("none", 10.0),
            ("reduction", 0.0 if self.built.done else 1.5),
            ("flag", 0.0 if self.built.done else 1.0),
            ("mask given", 2.5 if is_per_unit and self.mask == "parameter" else 0.0),
            ("no mask", 0.7 if is_per_unit and not self.mask else 0.0),
            ("two places", 2.0 if self._has_two_places(is_per_unit) else 0.0),
        ]
        how = self.c.pick("switch", [name for name, _ in switches], [weight for _, weight in switches])
        if how == "none":
            plan()
            self._negate()
        elif how == "two places":
            self._in_two_places()
        else:
            self._switched(how, plan)
        return self.x

    def _has_two_places(self, is_per_unit: bool) -> bool:
        """Are there elements left for two steps?"""
        if self.built.done or not self.axes or {"BT", "pairs"} & {*self.axes}:
            return False
        return is_per_unit or not self.mask

    def _switched(self, how: str, plan: Callable[[], None]) -> None:
        """The plan in the branch that the caller asks for; the others are right."""
        self._negate()
        x = self.x if self.x.isidentifier() else self.block.let("elements", self.x, "term")
        total = self.w.fresh("total")
        say, inside = self.block.say, self.block.inside
        axes, known, aliases = self.axes, list(self.block.known), dict(self.block.aliases)

        def planned(head: str) -> None:
            with inside(head):
                self.x, self.axes = x, axes
                plan()
                self._negate()
                say(f"{total} = {self.x}", TAG)
            self.block.known, self.block.aliases = known, aliases

        def other(head: str, value: str) -> None:
            with inside(head):
                say(f"{total} = {value}")

        summed = self.w.reduce("sum", x)
        if how == "reduction":
            switch = self.block.option("reduction", "'mean'", ("'sum'", "'none'"))
            if self.c.chance("sum first", 0.5):
                other(f"if {switch} == 'sum':", summed)
                if self.c.chance("none too", 0.5):
                    other(f"elif {switch} == 'none':", x)
                planned("else:" if self.c.chance("else", 0.5) else f"elif {switch} == 'mean':")
            else:
                planned(f"if {switch} == 'mean':")
                other(f"elif {switch} == 'sum':", summed)
                other("else:", x)
        elif how == "flag":
            switch = self.block.option("flag", "True", ("False",))
            if self.c.chance("not", 0.3):
                other(f"if not {switch}:", summed)
                planned("else:")
            else:
                planned(f"if {switch}:")
                other("else:", summed)
        elif how == "mask given":
            mask, _ = self._mask()
            if self.c.chance("asked twice", 0.4):
                self._asked_twice(x, total, mask)
            else:
                mean = self.w.reduce("mean", x)
                if self.c.chance("returns", 0.4):
                    with inside(f"if {mask} is None:"):
                        say(f"return {mean}")
                    planned(f"if {mask} is not None:")
                else:
                    other(f"if {mask} is None:", mean)
                    planned("else:")
        else:
            mask = self.block.option("mask", "None", ())
            other(
                f"if {mask} is not None:",
                f"{self.w.all_of('sum', f'{x} * {mask}')} / {self.w.all_of('sum', mask)}",
            )
            planned("else:")
        self.x = total

    def _asked_twice(self, x: str, total: str, mask: str) -> None:
        """The mask is applied if there is one, and whether there is one is asked again."""
        say, inside = self.block.say, self.block.inside
        self.shows_mask = True
        masked = self.block.let("elements", x)
        with inside(f"if {mask} is not None:"):
            say(f"{masked} = {masked} * {mask}", "term")
        with inside(f"if {mask} is None:"):
            say(f"{total} = {self.w.reduce('mean', masked)}")
        right = self.c.chance("by valid", 0.6)
        with inside("else:"):
            value = (
                f"{self.w.reduce('sum', masked)} / {self.w.all_of('sum', mask)}"
                if right
                else self.w.reduce("mean", masked)
            )
            say(f"{total} = {value}", TAG)
        self.plan.append("masked, sum of all, / valid" if right else "masked, mean of all")
