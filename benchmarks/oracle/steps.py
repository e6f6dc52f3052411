"""The steps of a reduction: sums, means, divisions, and the counts that they divide by."""

from __future__ import annotations

from typing import Final

from benchmarks.oracle.parts import Built
from benchmarks.oracle.program import Block, Input, Variable

Axes = tuple[str, ...]
TAG: Final = "reduction"


class Steps:
    """What is left of a term, and how to write a step that leaves less. What it does is said in `plan`."""

    def __init__(self, block: Block, built: Built, mask: str) -> None:
        self.block = block
        self.built = built
        self.w = block.writer
        self.c = block.writer.choices
        self.mask = mask
        self.x = built.x
        self.axes = built.axes
        self.term = built.term
        self.minus = built.minus
        self.sum_is_right = built.sum_is_right
        self.plan: list[str] = []
        self.shows_mask = built.says_ignored
        """Does the text show that some units do not count?"""
        self.is_turned = False
        self.made_mask: tuple[str, bool] | None = None
        self.needs_rank = False
        """Is it the rank of an array that tells right from wrong?"""

    @property
    def extra(self) -> Axes:
        """The axes that a mask has not: the support, or features."""
        inner = {self.term.support, *self.term.features}
        return tuple(a for a in self.axes if a in inner)

    @property
    def units(self) -> Axes:
        return tuple(a for a in self.axes if a not in self.extra)

    def _name_elements(self) -> None:
        if self.built.done:
            self.x = self.block.maybe("total", self.x, TAG)
            return
        self._perhaps_negate()
        if (
            len(self.axes) == 2
            and "pairs" not in self.axes
            and not self.mask
            and self.c.chance("turned", 0.04)
        ):
            turned = self.w.functional.TURNED if self.w.functional is not None else "({x}).T"
            self.x, self.axes, self.is_turned = turned.format(x=self.x), self.axes[::-1], True
        named = self.block.maybe("elements", self.x, "term")
        if named.isidentifier():
            self.block.known.insert(0, Variable(named, self.axes))
        self.x = named

    def _perhaps_negate(self) -> None:
        if self.minus and self.c.chance("negate now", 0.3):
            self._negate()

    def _negate(self) -> None:
        if self.minus:
            self.x = f"-({self.x})"
            self.minus = False

    def _reduce(self, how: str, axes: Axes | None = None, *, keep: bool = False) -> None:
        """A sum or a mean over axes, or over all."""
        if axes is None:
            self.plan.append(f"{how} of all")
            self.x = self.w.reduce(how, self.x)
            self.axes = ()
        else:
            at = [self.axes.index(a) for a in axes]
            if len(at) == 1:
                at = [self.w.position(self.axes, axes[0])]
            elif "V" in self.axes:
                self.w.positions.update(at)
            if self.is_turned:
                self.w.positions.update((1, -1))  # the axes change places in a matrix only
            self.plan.append(f"{how} over {''.join(axes)}")
            self.x = self.w.reduce(how, self.x, at, keep=keep)
            if not keep:
                self.axes = tuple(a for a in self.axes if a not in axes)
        if self.axes or self.c.chance("name the total", 0.4):
            self._perhaps_negate()
            self.x = self.block.maybe("total", self.x, TAG, likely=0.4)

    def _divide(self, axes: Axes, *, by: str = "/") -> None:
        """A division by a count, in the expression or in place."""
        self.plan.append(f"{by} {''.join(axes) or '1'}")
        if self.term.support not in axes and self.axes == () and "mean of all" not in self.plan:
            self.needs_rank = True
        self._scale(self.count(axes), by)

    def _scale(self, count: str, by: str = "/") -> None:
        if self.c.chance("count has a name", 0.25):
            count = self.block.let("count", count, TAG)
        ways = ["operator", "in place", "guarded"]
        how = self.c.pick("divide by", ways, (6, 1.5, 0.4))
        if how == "in place":
            self._perhaps_negate()
            is_method = by == "/" and self.w.framework == "torch" and self.c.chance("a method", 0.3)
            name = self.block.let("total", f"({self.x}) * 1.0" if is_method else self.x, TAG)
            self.block.say(f"{name}.div_({count})" if is_method else f"{name} {by}= {count}", TAG)
            self.x = name
        elif by == "*":
            self.x = f"({self.x}) * ({count})"
        elif how == "guarded":
            x = self.x if self.x.isidentifier() else self.block.let("total", self.x, TAG)
            n = count if count.isidentifier() else self.block.let("count", count, TAG)
            self.x = f"({x} / {n} if {n} > 0 else {x})"
        else:
            self.x = self.w.form("divided", x=self.x, n=count)

    def count(self, axes: Axes) -> str:
        """The product of these axes' lengths, as an expression."""
        ways = [("product", 3.0)]
        exact = [v for v in self.block.known if sorted(v.axes) == sorted(axes)]
        if exact:
            ways.append(("elements", 4.0))
        longer = [v for v in self.block.known if len(v.axes) == len(axes) + 1 and set(axes) < set(v.axes)]
        if longer and len(axes) > 1:
            ways.append(("all but one", 1.0))
        if not axes:
            return "1"
        how = self.c.pick("count", [way for way, _ in ways], [weight for _, weight in ways])
        if how == "elements":
            return self._elements(self.c.pick("of", exact).text)
        if how == "all but one":
            whole = self.c.pick("of", longer)
            left = next(a for a in whole.axes if a not in axes)
            if left in (whole.axes[0], whole.axes[-1]) and self.c.chance("part of the shape", 0.5):
                part = f"{whole.text}.shape[{':-1' if left == whole.axes[-1] else '1:'}]"
                forms = [f"math.prod({part})"]
                forms.append(f"{part}.numel()" if self.w.framework == "torch" else f"np.prod({part})")
                if left == self.term.support and left != whole.axes[-1]:
                    self.needs_rank = True
                return self.c.pick("product of", forms)
            length = self.length(whole, left)
            return f"{self._elements(whole.text)} // {length}"
        return " * ".join(self.one(axis) for axis in self.c.pick("factors", (axes, axes[::-1])))

    def _elements(self, x: str) -> str:
        forms = [f"np.prod({x}.shape)", f"math.prod({x}.shape)"]
        if self.w.framework == "torch":
            forms = [
                f"{x}.numel()",
                f"{x}.nelement()",
                f"math.prod({x}.shape)",
                f"torch.numel({x})",
                f"{x}.shape.numel()",
            ]
        elif self.w.functional is not None:
            forms = [*(form.format(x=x) for form in self.w.functional.ELEMENTS), *forms]
        elif self.w.framework == "jax":
            forms = [f"{x}.size", f"jnp.size({x})", f"math.prod({x}.shape)"]
        else:
            forms = [f"{x}.size", f"np.size({x})", *forms]
        return self.c.pick("elements", forms)

    def one(self, axis: str) -> str:
        """The length of one axis."""
        axis = "B" if axis == "pairs" else axis
        if (axis,) in self.block.aliases:
            return self.block.aliases[(axis,)]
        holders = [v for v in self.block.known if axis in v.axes]
        if not holders and axis == "BT":
            return f"({self.one('B')} * {self.one('T')})"
        if not holders:
            return self.block.input(axis, Input((axis,), "size")).text
        holder = self.c.pick("length of", holders)
        if self.c.chance("unpacked", 0.2) and len(holder.axes) > 1:
            names = [
                self.w.fresh(a) if a == axis or self.c.chance("all named", 0.7) else "_" for a in holder.axes
            ]
            self.block.say(f"{', '.join(names)} = {self._shape(holder.text)}")
            for a, name in zip(holder.axes, names, strict=True):
                if name != "_":
                    self.block.aliases[(a,)] = name
            return self.block.aliases[(axis,)]
        length = self.length(holder, axis)
        if self.c.chance("length has a name", 0.2):
            name = self.block.let(axis, length, "other")
            self.block.aliases[(axis,)] = name
            return name
        return length

    def _shape(self, x: str) -> str:
        forms = ("{x}.shape", "{x}.size()") if self.w.framework == "torch" else ("{x}.shape",)
        if self.w.functional is not None:
            forms = self.w.functional.SHAPES
        return str(self.c.pick("shape", forms)).format(x=x)

    def length(self, holder: Variable, axis: str) -> str:
        at = self.w.position(holder.axes, axis)
        if axis == self.term.support and 0 < at == len(holder.axes) - 1:
            self.needs_rank = True  # the last axis is the second only of a matrix
        forms = [f"{holder.text}.shape[{at}]"]
        if self.w.framework == "torch":
            forms += [f"{holder.text}.size({at})", f"{holder.text}.size(dim={at})"]
        if self.w.functional is not None:
            forms += [form.format(x=holder.text, a=at) for form in self.w.functional.LENGTHS]
        if holder.axes.index(axis) == 0:
            forms.append(f"len({holder.text})")
        return self.c.pick("length", forms)

    def _inner(self) -> Axes:
        """The support, or the features."""
        return self.extra
