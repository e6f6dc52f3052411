"""From elements to a number without a mask: sums, means and divisions, right and wrong."""

from __future__ import annotations

from itertools import combinations

from benchmarks.oracle.itemwise import Itemwise
from benchmarks.oracle.steps import TAG, Axes


class Plain(Itemwise):
    """The plans without a mask."""

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
            ("comprehension", 1.2 if len(self.axes) > 1 and first and first[0] == self.axes[0] else 0.0),
            ("appended", 1.0 if len(self.axes) > 1 and first and first[0] == self.axes[0] else 0.0),
            ("by name", 0.8),
            ("flattened", 2.0 if len(self.axes) > 1 else 0.0),
            ("contraction", 2.0 if self.built.operands and len(self.axes) == 2 and has_support else 0.0),
            ("item by item", 4.0 if self._has_items and has_support else 0.0),
        ]
        how = self.c.pick("plan", [name for name, _ in plans], [weight for _, weight in plans])
        getattr(self, "_" + how.replace(" ", "_"))()

    @property
    def _has_items(self) -> bool:
        """Is it a matrix of products, which a loop may take one by one? Traced arrays are not looped through."""
        is_matrix = len(self.axes) == 2 and not self.is_turned
        return bool(self.built.operands) and is_matrix and self.w.framework != "jax"

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
        name = self.block.let("total", self.x, TAG)
        count = self.count(units[:1])
        self.block.say(self.c.pick("thrown", (f"{name}.div({count})", f"torch.div({name}, {count})")), TAG)
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
        self.block.say(f"{total} = 0.0", TAG)
        if len(whole) == 2 and self.c.chance("each of each", 0.25):
            i, j = self.w.fresh("i"), self.w.fresh("i")
            loops = [f"for {i} in range({self.x}.shape[0]):", f"for {j} in range({self.x}.shape[1]):"]
            with self.block.inside(loops[0], TAG), self.block.inside(loops[1], TAG):
                self.block.say(f"{total} += {self.x}[{i}, {j}]", TAG)
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
        with self.block.inside(head, TAG):
            one = self.w.reduce(inner, each) if len(whole) > 1 else each
            self.block.say(f"{total} += {one}", TAG)
        self.plan.append(f"{inner} of each, added up")
        self.x, self.axes = total, ()
        divisors: list[Axes] = (
            [whole[:1], whole, ()] if inner == "sum" and len(whole) > 1 else [whole[:1], ()]
        )
        divisor = self.c.pick("divisor", divisors, [5, 2, 1][: len(divisors)])
        if divisor:
            self._divide(divisor)

    def _comprehension(self) -> None:
        """A number for each of the first axis, and the mean of these."""
        whole = self.axes
        item = self.w.fresh("item")
        if not self.x.isidentifier():
            self._perhaps_negate()
            self.x = self.block.let("elements", self.x, "term")
        inner = self.c.pick("of each", ("sum", "mean"))
        each = f"{self.w.reduce(inner, item)} for {item} in {self.x}"
        stack = self.w.stacked(f"[{each}]")
        forms = [
            f"{self.w.function_of('mean')}({stack})",
            self.w.all_of("mean", stack),
            self.w.all_of("sum", stack),
        ]
        forms.append(f"sum({each})")
        how = self.c.pick("all of them", range(len(forms)), (2, 2, 1, 3))
        self.x = forms[how]
        self.axes = ()
        self.plan.append(f"{inner} of each, {'mean' if how < 2 else 'added up'}")
        if how >= 2:
            self._divide(self.c.pick("divisor", (whole[:1], whole, whole[1:]), (5, 2, 1)))

    def _appended(self) -> None:
        """A number for each of the first axis, put into a list."""
        if not self.x.isidentifier():
            self._perhaps_negate()
            self.x = self.block.let("elements", self.x, "term")
        parts, item = self.w.fresh("parts"), self.w.fresh("item")
        inner = self.c.pick("of each", ("sum", "mean"))
        self.block.say(f"{parts} = []", TAG)
        with self.block.inside(f"for {item} in {self.x}:", TAG):
            self.block.say(f"{parts}.append({self.w.reduce(inner, item)})", TAG)
        forms = [f"sum({parts}) / len({parts})", self.w.all_of("mean", self.w.stacked(parts))]
        if self.w.framework == "numpy":
            forms.append(f"np.mean({parts})")
        self.x = self.c.pick("of the list", forms)
        self.axes = ()
        self.plan.append(f"{inner} of each, mean")

    def _by_name(self) -> None:
        """The mean, by a name that is looked up."""
        if not self.x.isidentifier():
            self._perhaps_negate()
            self.x = self.block.let("elements", self.x, "term")
        switch = self.c.pick("named by", ("'mean'", "option"), (1, 2))
        if switch == "option":
            switch = self.block.option("reduction", "'mean'", ())
        mean, total = self.w.function_of("mean"), self.w.function_of("sum")
        table = f"{{'mean': {mean}, 'sum': {total}}}"
        forms = [
            f"{table}[{switch}]({self.x})",
            f"{table}.get({switch}, {mean})({self.x})",
            f"{{'mean': lambda x: {self.w.all_of('mean', 'x')}, 'sum': lambda x: {self.w.all_of('sum', 'x')}}}"
            f"[{switch}]({self.x})",
        ]
        if self.w.functional is None:
            forms += [f"getattr({self.x}, {switch})()", f"getattr({self.w.module}, {switch})({self.x})"]
        self.x = self.c.pick("looked up in", forms)
        self.axes = ()
        self.plan.append("mean of all")

    def _flattened(self) -> None:
        """Reshaped to one axis or to two before it is reduced."""
        whole = self.axes
        if self.c.chance("rows", 0.4) and whole[0] != self.term.support:
            if not self.x.isidentifier():
                self.x = self.block.let("elements", self.x, "term")
            views = [
                self.w.reshaped(self.x, self.one(whole[0]), "-1"),
                self.w.reshaped(self.x, f"len({self.x})", "-1"),
            ]
            if self.w.framework == "torch":
                views += [f"{self.x}.flatten(1)", f"{self.x}.flatten(start_dim=1)"]
            self.x = self.c.pick("rows by", views)
            self.plan.append("rows")
            how = self.c.pick("row", ("sum", "mean"))
            self.x = self.w.reduce(how, self.x, [self.c.pick("last", (1, -1))])
            self.plan.append(f"{how} of each")
            self.x = self.w.reduce("mean", self.x)
            self.plan.append("mean")
        else:
            forms = [self.w.reshaped(self.x, "-1")]
            if self.w.functional is None:
                forms += [f"({self.x}).flatten()", f"({self.x}).ravel()"]
            if self.w.framework == "torch" and self.term.support in (None, whole[-1]):
                forms[-1] = f"({self.x}).view(-1)"
            self.x = self.c.pick("flat", forms)
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
        self.x = self.block.maybe("total", x, TAG)
        self.plan.append("contraction")
        if self.axes:
            self._reduce("mean")
        else:
            self._divide(self.c.pick("divisor", (units[:1], whole, (self.term.support or "",)), (4, 3, 1)))

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
