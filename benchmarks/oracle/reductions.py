"""From elements to a number: sums, means and divisions, right and wrong, with masks and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final

from benchmarks.oracle.program import Block, Input, Variable
from benchmarks.oracle.spelling import FORMS
from benchmarks.oracle.terms import Built

Axes = tuple[str, ...]
_TAG: Final = "reduction"


class Reducer:
    """Writes the reduction of a term. What it does is said in `plan`."""

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
        ]
        how = self.c.pick("switch", [name for name, _ in switches], [weight for _, weight in switches])
        if how == "none":
            plan()
            self._negate()
        else:
            self._switched(how, plan)
        return self.x

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
                say(f"{total} = {self.x}", _TAG)
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
            other(f"if {mask} is not None:", f"({x} * {mask}).sum() / {mask}.sum()")
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
                f"{self.w.reduce('sum', masked)} / {mask}.sum()" if right else self.w.reduce("mean", masked)
            )
            say(f"{total} = {value}", _TAG)
        self.plan.append("masked, sum of all, / valid" if right else "masked, mean of all")

    # -- steps

    def _name_elements(self) -> None:
        if self.built.done:
            self.x = self.block.maybe("total", self.x, _TAG)
            return
        self._perhaps_negate()
        if (
            len(self.axes) == 2
            and "pairs" not in self.axes
            and not self.mask
            and self.c.chance("turned", 0.04)
        ):
            self.x, self.axes, self.is_turned = f"({self.x}).T", self.axes[::-1], True
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
            self.x = self.block.maybe("total", self.x, _TAG, likely=0.4)

    def _divide(self, axes: Axes, *, by: str = "/") -> None:
        """A division by a count, in the expression or in place."""
        self.plan.append(f"{by} {''.join(axes) or '1'}")
        if self.term.support not in axes and self.axes == () and "mean of all" not in self.plan:
            self.needs_rank = True
        self._scale(self.count(axes), by)

    def _scale(self, count: str, by: str = "/") -> None:
        if self.c.chance("count has a name", 0.25):
            count = self.block.let("count", count, _TAG)
        ways = ["operator", "in place", "guarded"]
        how = self.c.pick("divide by", ways, (6, 1.5, 0.4))
        if how == "in place":
            self._perhaps_negate()
            name = self.block.let("total", self.x, _TAG)
            self.block.say(f"{name} {by}= {count}", _TAG)
            self.x = name
        elif by == "*":
            self.x = f"({self.x}) * ({count})"
        elif how == "guarded":
            x = self.x if self.x.isidentifier() else self.block.let("total", self.x, _TAG)
            n = count if count.isidentifier() else self.block.let("count", count, _TAG)
            self.x = f"({x} / {n} if {n} > 0 else {x})"
        else:
            self.x = self.w.form("divided", x=self.x, n=count)

    # -- counts

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
            self.block.say(f"{', '.join(names)} = {holder.text}.{self._shape()}")
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

    def _shape(self) -> str:
        return self.c.pick("shape", ("shape", "size()")) if self.w.framework == "torch" else "shape"

    def length(self, holder: Variable, axis: str) -> str:
        at = self.w.position(holder.axes, axis)
        if axis == self.term.support and 0 < at == len(holder.axes) - 1:
            self.needs_rank = True  # the last axis is the second only of a matrix
        forms = [f"{holder.text}.shape[{at}]"]
        if self.w.framework == "torch":
            forms += [f"{holder.text}.size({at})", f"{holder.text}.size(dim={at})"]
        if holder.axes.index(axis) == 0:
            forms.append(f"len({holder.text})")
        return self.c.pick("length", forms)

    # -- plans without a mask

    def _plain(self) -> None:
        if not self.axes:
            self.plan.append("nothing to reduce")
            return
        support, units = self.term.support, self.units
        has_support = support is not None and support in self.axes
        first = units[:1]
        plans = [
            ("mean", 10.0),
            ("sum and mean", 9.0 if has_support or self.extra else 0.0),
            ("sum by count", 9.0),
            ("chain", 6.0 if len(self.axes) > 1 else 0.0),
            ("mean again", 4.0 if first else 0.0),
            ("mean of sum", 2.0),
            ("thrown away", 1.5 if units and self.w.framework == "torch" else 0.0),
            ("made up for", 2.0 if has_support else 0.0),
            ("sum", 3.0),
            ("sum by its length", 2.0 if has_support or self.extra else 0.0),
            ("each", 1.5 if first and first[0] == self.axes[0] and first != ("BT",) else 0.0),
            ("flattened", 2.0 if len(self.axes) > 1 else 0.0),
            ("contraction", 2.0 if self.built.operands and len(self.axes) == 2 and has_support else 0.0),
        ]
        how = self.c.pick("plan", [name for name, _ in plans], [weight for _, weight in plans])
        getattr(self, "_" + how.replace(" ", "_"))()

    def _inner(self) -> Axes:
        """The support, or the features."""
        return self.extra

    def _mean(self) -> None:
        self._reduce("mean")

    def _sum_and_mean(self) -> None:
        self._reduce("sum", self._inner(), keep=self.c.chance("kept", 0.1))
        if self.axes:
            self._reduce("mean")

    def _sum(self) -> None:
        self._reduce("sum")

    def _sum_by_count(self) -> None:
        whole = self.axes
        units, extra = self.units, self.extra
        self._reduce("sum")
        options: list[Axes] = []
        for axes in (units[:1], units, whole, extra, units[:1] + extra, units[1:]):
            if axes and axes not in options:
                options.append(axes)
        weights = [5.0, 4.0, 5.0, 1.5, 1.5, 0.7][: len(options)]
        self._divide(self.c.pick("divisor", options, weights))

    def _chain(self) -> None:
        while self.axes:
            sizes = self.c.pick("how many", range(1, len(self.axes) + 1), [4, 1, 1, 1][: len(self.axes)])
            axes = self.c.pick("which", list(combinations(self.axes, sizes))[::-1])
            how = self.c.pick("how", ("mean", "sum", "sum by length"), (4, 3, 1))
            everything = len(axes) == len(self.axes) and self.c.chance("all at once", 0.7)
            self._reduce("mean" if how == "mean" else "sum", None if everything else axes)
            if how == "sum by length":
                self._divide(axes)

    def _mean_again(self) -> None:
        if self._inner() and self.c.chance("sum first", 0.5):
            self._reduce("sum", self._inner())
        self._reduce("mean")
        self._divide(self.c.pick("again by", [a for a in (self.built.axes[:1], self.term.units) if a]))

    def _mean_of_sum(self) -> None:
        self._reduce("sum")
        self.x = self.w.reduce("mean", self.x)
        self.plan.append("mean of a number")
        self.sum_is_right = False

    def _thrown_away(self) -> None:
        units = self.units
        self._reduce("sum")
        self._negate()
        name = self.block.let("total", self.x, _TAG)
        count = self.count(units[:1])
        self.block.say(self.c.pick("thrown", (f"{name}.div({count})", f"torch.div({name}, {count})")), _TAG)
        self.plan.append("a division thrown away")
        self.x = name
        self.sum_is_right = False

    def _made_up_for(self) -> None:
        support = (self.term.support or "",)
        whole = self.axes
        if self.c.chance("by a sum", 0.3):
            self._reduce("sum")
            self._divide(whole)
        else:
            self._reduce("mean")
        self._divide(support, by="*")

    def _sum_by_its_length(self) -> None:
        inner = self._inner()
        self._reduce("sum", inner)
        self._divide(inner)
        if self.axes:
            self._reduce("mean")

    def _each(self) -> None:
        """A loop over the first axis."""
        whole = self.axes
        if not self.x.isidentifier():
            self._perhaps_negate()
            self.x = self.block.let("elements", self.x, "term")
        total, item = self.w.fresh("total"), self.w.fresh("item")
        self.block.say(f"{total} = 0.0", _TAG)
        if len(whole) == 2 and self.c.chance("each of each", 0.25):
            i, j = self.w.fresh("i"), self.w.fresh("i")
            loops = [f"for {i} in range({self.x}.shape[0]):", f"for {j} in range({self.x}.shape[1]):"]
            with self.block.inside(loops[0], _TAG), self.block.inside(loops[1], _TAG):
                self.block.say(f"{total} += {self.x}[{i}, {j}]", _TAG)
            self.plan.append("each of each added up")
            self.x, self.axes = total, ()
            self._divide(self.c.pick("divisor", (whole[:1], whole, whole[1:]), (5, 3, 1)))
            return
        inner = self.c.pick("of each", ("sum", "mean") if len(whole) > 1 else ("sum",))
        index = self.c.chance("by index", 0.4)
        if index:
            i = self.w.fresh("i")
            head, each = (
                f"for {i} in range({self.one(whole[0]) if self.c.chance('shape', 0.5) else f'len({self.x})'}):",
                f"{self.x}[{i}]",
            )
        else:
            head, each = f"for {item} in {self.x}:", item
        with self.block.inside(head, _TAG):
            one = self.w.reduce(inner, each) if len(whole) > 1 else each
            self.block.say(f"{total} += {one}", _TAG)
        self.plan.append(f"{inner} of each, added up")
        self.x, self.axes = total, ()
        divisors: list[Axes] = (
            [whole[:1], whole, ()] if inner == "sum" and len(whole) > 1 else [whole[:1], ()]
        )
        divisor = self.c.pick("divisor", divisors, [5, 2, 1][: len(divisors)])
        if divisor:
            self._divide(divisor)

    def _flattened(self) -> None:
        """Reshaped to one axis or to two before it is reduced."""
        whole = self.axes
        if self.c.chance("rows", 0.4) and whole[0] != self.term.support:
            view = self.c.pick(
                "rows by",
                ("{x}.reshape({n}, -1)", "{x}.reshape(len({x}), -1)")
                + (("{x}.flatten(1)", "{x}.flatten(start_dim=1)") if self.w.framework == "torch" else ()),
            )
            if not self.x.isidentifier():
                self.x = self.block.let("elements", self.x, "term")
            self.x = view.format(x=self.x, n=self.one(whole[0]))
            self.plan.append("rows")
            how = self.c.pick("row", ("sum", "mean"))
            self.x = self.w.reduce(how, self.x, [self.c.pick("last", (1, -1))])
            self.plan.append(f"{how} of each")
            self.x = self.w.reduce("mean", self.x)
            self.plan.append("mean")
        else:
            flat = self.c.pick(
                "flat",
                ("reshape(-1)", "flatten()")
                + (
                    ("view(-1)",)
                    if self.w.framework == "torch" and self.term.support in (None, whole[-1])
                    else ("ravel()",)
                ),
            )
            self.x = f"({self.x}).{flat}"
            self.plan.append("flat")
            how = self.c.pick("all", ("mean", "sum"))
            self.x = self.w.reduce(how, self.x)
            self.plan.append(how)
            if how == "sum":
                self._divide(self.c.pick("divisor", [a for a in (whole[:1], whole) if a]))
        self.axes = ()

    def _contraction(self) -> None:
        """An einsum or an inner product of the two factors."""
        assert self.built.operands is not None
        first, second = self.built.operands
        if self.w.framework == "torch":  # it multiplies no integers by floats
            first, second = f"({first}).double()", f"({second}).double()"
        module = self.w.module
        whole, units = self.axes, self.units
        self.minus = True
        forms: list[tuple[str, Axes]] = [
            (f"{module}.einsum('bv,bv->', {first}, {second})", ()),
            (f"{module}.einsum('ij,ij->i', {first}, {second})", units),
        ]
        if self.w.framework == "numpy":
            forms.append((f"np.vdot({first}, {second})", ()))
        x, self.axes = self.c.pick("contraction", forms)
        self.x = self.block.maybe("total", x, _TAG)
        self.plan.append("contraction")
        if self.axes:
            self._reduce("mean")
        else:
            self._divide(self.c.pick("divisor", (units[:1], whole, (self.term.support or "",)), (4, 3, 1)))

    # -- what a library has reduced already

    def _after_library(self) -> None:
        self.plan.append("a library's reduction")
        units = self.term.units
        plans = ["nothing", "divide", "mean"]
        how = self.c.pick("after it", plans, (5, 4 if units else 0, 0.5))
        if how == "divide":
            self._divide(
                self.c.pick("divisor", [a for a in (units[:1], units, self.term.axes) if a], (5, 2, 2))
            )
        elif how == "mean":
            self.x = self.w.reduce("mean", self.x)
            self.plan.append("mean of a number")
            self.sum_is_right = False

    # -- plans with a mask

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
                self.x, self.axes = f"({self.x}).reshape({name}.shape)", self.term.units
                self.x = self.block.maybe("elements", self.x)
            else:
                mask = self.block.maybe("mask", f"({mask}).reshape(-1)")
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
        ways = [("product", 5.0), ("where", 0.0 if is_float else 2.0), ("product, mask first", 1.0)]
        how = self.c.pick("masked by", [way for way, _ in ways], [weight for _, weight in ways])
        if how == "where":
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
        count = self.w.reduce("sum", mask, axes)
        lengths = self.block.parameters.get("lengths")
        if lengths is not None and self.c.chance("of lengths", 0.3):
            count = lengths if axes is not None else f"{lengths}.sum()"
        elif axes is None and self.c.chance("not zero", 0.1):
            count = f"{self.w.module}.count_nonzero({mask})"
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
            self.x = f"({self.x})[{mask}]"
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
