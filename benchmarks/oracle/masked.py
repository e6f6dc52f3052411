"""From elements to a number with a mask, right and wrong."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.oracle.program import Input, Variable
from benchmarks.oracle.spelling import FORMS
from benchmarks.oracle.steps import Steps


class Masked(Steps):
    """The plans with a mask."""

    def _masked(self) -> None:
        mask, is_float = self._mask()
        inner = self._inner()
        if inner and not self.c.chance("mask the elements", 0.4):
            if self.term.support is not None:
                self._reduce("sum", inner)
            else:
                self._reduce(self.c.pick("features", ("mean", "sum")), inner)
        if self.units == ("BT",):
            if not self.extra and self.c.chance("back to two axes", 0.4):
                name = mask if mask.isidentifier() else self.block.let("mask", mask)
                mask = name
                shape = f"*{name}.shape" if self.w.functional else f"{name}.shape"
                self.x, self.axes = self.w.reshaped(self.x, shape), self.term.units
                self.x = self.block.maybe("elements", self.x)
            else:
                mask = self.block.maybe("mask", self.w.reshaped(mask, "-1"))
        self._reduce_masked(mask, is_float)

    def _mask(self) -> tuple[str, bool]:
        """The mask over the units, true or 1 where a unit counts, and whether it is a float."""
        if self.made_mask is None:
            self.made_mask = self._new_mask()
        return self.made_mask

    def _new_mask(self) -> tuple[str, bool]:
        block, c, units = self.block, self.c, self.term.units
        kind = self.mask
        is_float = False
        if kind == "parameter":
            style = c.pick("mask is", ("bool", "float"))
            mask = block.input("mask", Input(units, "mask", style)).text
            return mask, style == "float"
        if kind == "padding":
            padding = block.input("padding", Input(units, "mask", "not")).text
            if c.chance("complement", 0.3):
                return block.maybe("mask", self.w.form("complement", x=padding), likely=0.85), True
            mask = self.w.form("not", x=padding)
        elif kind == "lengths":
            lengths = block.input("lengths", Input(units[:1], "lengths")).text
            mask = self.w.form("arange mask", t=self.one("T"), n=lengths)
        elif kind == "ids":
            ids = block.input("ids", Input(units, "ids")).text
            mask = c.pick("not padding", (f"{ids} != 0", f"({ids} > 0)", f"~({ids} == 0)"))
        else:
            labels = next(n for r, n in block.parameters.items() if r == "labels")
            mask = c.pick("not ignored", (f"{labels} != -100", f"{labels} >= 0", f"~({labels} == -100)"))
        if c.chance("mask as float", 0.5):
            mask, is_float = self.w.form("float", x=mask), True
        return block.maybe("mask", mask, likely=0.85), is_float

    def _apply(self, mask: str, is_float: bool) -> None:
        """Zero what does not count."""
        self.shows_mask = True
        trailing = self.axes[: len(self.axes) - len(self.extra)] == self.units
        trailing = trailing and not (self.extra and self.w.functional)  # no assignment to a part
        if not is_float and trailing and self.c.chance("zeroed in place", 0.12):
            self._perhaps_negate()
            # Its own array: what is changed may be an input, or asked for later.
            x = self.block.let("elements", f"({self.x}) * 1.0")
            m = mask if mask.isidentifier() else self.block.let("mask", mask)
            self.block.say(self.c.pick("zeroed", FORMS["zeroed"][self.w.framework]).format(x=x, m=m), "term")
            self.x = x
            self.plan.append("zeroed in place")
            return
        wide = mask
        for axis in self.extra:
            at = self.axes.index(axis)
            last = at == len(self.axes) - 1 or len(self.extra) > 1
            wide = (
                self.w.form("unsqueeze", x=wide, a=-1 if last else at)
                if not last or self.c.chance("unsqueezed", 0.6)
                else f"({wide})[..., None]"
            )
        ways = [
            ("product", 5.0),
            ("where", 0.0 if is_float else 2.0),
            ("product, mask first", 1.0),
            ("in place", 0.8),
        ]
        how = self.c.pick("masked by", [way for way, _ in ways], [weight for _, weight in ways])
        if how == "in place":
            self._perhaps_negate()
            x = self.block.let("elements", f"({self.x}) * 1.0")  # its own array
            self.block.say(
                self.c.pick("in place", FORMS["multiplied in place"][self.w.framework]).format(x=x, m=wide),
                "term",
            )
            self.x = x
        elif how == "where":
            self.x = self.w.form("where", m=wide, x=self.x)
        else:
            pair = (self.x, wide) if how == "product" else (wide, self.x)
            self.x = f"({pair[0]}) * ({pair[1]})"
        self.plan.append("masked")
        self._perhaps_negate()
        named = self.block.maybe("elements", self.x)
        if named.isidentifier():
            self.block.known.insert(0, Variable(named, self.axes))
        self.x = named

    def _valid(self, mask: str, axes: Sequence[int] | None = None) -> str:
        """The number of units that count, of all or of each sequence."""
        self.shows_mask = True
        is_strict = self.w.functional is not None and not self._mask()[1]
        count = self.w.reduce("sum", self.w.form("float", x=mask) if is_strict else mask, axes)
        lengths = self.block.parameters.get("lengths")
        if lengths is not None and self.c.chance("of lengths", 0.3):
            count = lengths if axes is not None else self.w.all_of("sum", lengths)
        elif axes is None and self.c.chance("not zero", 0.1):
            count = f"{self.w.function_of('count_nonzero')}({mask})"
        return (
            self.w.form("at least one", x=count)
            if axes is None and self.c.chance("at least one", 0.4)
            else count
        )

    def _reduce_masked(self, mask: str, is_float: bool) -> None:
        units, inner = self.units, self.extra
        two = units == ("B", "T")
        zeroed = self.built.ignores
        plans = [
            ("valid mean", 8.0),
            ("mean", 6.0),
            ("selected", 2.0 if not is_float else 0.0),
            ("ratio of means", 1.0 if is_float and not inner and not zeroed else 0.0),
            ("library's", 1.5 if not is_float and not inner else 0.0),
            ("by all", 3.0),
            ("sequence mean", 2.0 if two else 0.0),
            ("sequence sum", 2.0 if two else 0.0),
            ("sequence mean over all", 2.0 if two else 0.0),
            ("unmasked by valid", 1.0),
            ("by batch", 1.5 if two else 0.0),
            ("valid again", 1.0),
            ("sum", 1.0),
        ]
        how = self.c.pick("masked plan", [name for name, _ in plans], [weight for _, weight in plans])
        if how == "ratio of means":
            self._apply(mask, is_float)
            self._reduce("mean")
            self.plan.append("/ mean of the mask")
            self.x = f"({self.x}) / {self.w.reduce('mean', mask)}"
            return
        if how == "library's":
            self.shows_mask = True
            self.x = self.w.form("masked mean", x=self.x, m=mask)
            self.plan.append("a library's masked mean")
            return
        if how == "selected":
            self.shows_mask = True
            if inner and self.axes[-len(inner) :] != inner:
                self._reduce("sum", inner)
            form = self.w.functional.SELECTED if self.w.functional is not None else "({x})[{m}]"
            self.x = form.format(x=self.x if self.x.isidentifier() else f"({self.x})", m=mask)
            self.plan.append("selected")
            if inner and self.axes[-len(inner) :] == inner:
                self.axes = ("N", *inner)
                if self.c.chance("sum the rest", 0.7):
                    self._reduce("sum", inner)
                self._reduce("mean")
            else:
                self.axes = ("N",)
                self._reduce("mean")
            return
        whole = self.axes
        unmasked = how == "unmasked by valid" or (zeroed and self.c.chance("zero already", 0.5))
        if not unmasked:
            self._apply(mask, is_float)
        if how in ("valid mean", "unmasked by valid", "valid again"):
            self._reduce("sum")
            self._scale(self._valid(mask))
            self.plan.append("/ valid")
            if how == "valid again":
                self._divide(whole[:1])
        elif how == "mean":
            self._reduce("mean")
        elif how == "by all":
            self._reduce("sum")
            self._divide(self.c.pick("divisor", list(dict.fromkeys((units, whole)))))
        elif how.startswith("sequence"):
            if inner and self.axes == whole and inner[0] in self.axes:
                self._reduce("sum", inner)
            if how == "sequence mean over all":
                self._reduce("mean", ("T",))
            else:
                self._reduce("sum", ("T",))
            if how == "sequence mean":
                last = self.c.pick("axis from", (1, -1))
                self.x = f"({self.x}) / ({self._valid(mask, [last])})"
                self.plan.append("/ valid of each")
            self._reduce("mean")
        elif how == "by batch":
            self._reduce("sum")
            self._divide(("B",))
        else:
            self._reduce("sum")
