"""From elements to a number one item after the other: loops and comprehensions in each other, as plain Python adds."""

from __future__ import annotations

from benchmarks.oracle.steps import TAG, Steps


class Itemwise(Steps):
    """The plans that multiply and add up numbers, or rows, of the two factors."""

    def _item_by_item(self) -> None:
        assert self.built.operands is not None
        say, let = self.block.say, self.block.let
        whole = self.axes
        target, logp = (one if one.isidentifier() else let("elements", one) for one in self.built.operands)
        if self.c.chance("of probabilities", 0.4):
            # Numbers, whose logarithms are taken one by one.
            probs = let("probs", self.w.form("exp", x=logp), "term")
            log = self.c.pick("log of each", ("math.log", f"{self.w.module}.log"))
            logp = f"{log}({probs})"
        else:
            probs, log = logp, ""
        forms = ("loops", "rows", "sums", "all at once", "list of lists", "counted", "sums of rows")
        how = self.c.pick("items by", forms, (4, 2, 2, 1, 1.5, 1, 1))
        total = self.w.fresh("total")
        i, j, t, q = (self.w.fresh(role) for role in ("i", "i", "item", "item"))
        ts, qs = self.w.fresh("target"), self.w.fresh("probs")
        of_number = f"{t} * {log}({q})" if log else f"{t} * {q}"
        each = f"{of_number} for {t}, {q} in zip({ts}, {qs})"
        rows = f"for {ts}, {qs} in zip({target}, {probs})"
        self.plan.append(f"items: {how}")
        self.axes = ()
        self.minus = True
        if how in ("sums", "all at once", "list of lists"):
            x = {
                "sums": f"sum(sum({each}) {rows})",
                "all at once": f"sum({of_number} {rows} for {t}, {q} in zip({ts}, {qs}))",
                "list of lists": f"[[{each}] {rows}]",
            }[how]
            if how == "list of lists":
                x = f"np.mean({x})" if self.w.framework == "numpy" else f"torch.tensor({x}).mean()"
            self.x = self.block.maybe("total", x, TAG)
            if how != "list of lists":
                self._divide(self.c.pick("divisor", (whole[:1], whole, whole[1:]), (5, 4, 1)))
            return
        sign = self.c.pick("sign", ("-=", "+=", "= -"), (4, 2, 1))
        self.minus = sign == "+="

        def add(one: str) -> None:
            say(f"{total} = {total} - {one}" if sign == "= -" else f"{total} {sign} {one}", TAG)

        say(f"{total} = 0.0", TAG)
        extents = [self.one(axis) for axis in whole]
        heads = [f"for {name} in range({n}):" for name, n in zip((i, j), extents, strict=True)]
        if how == "sums of rows":
            n = self.w.module
            a, b = f"{target}[{i}]", f"{log.replace('math', n)}({probs}[{i}])" if log else f"{logp}[{i}]"
            with self.block.inside(heads[0], TAG):
                add(self.c.pick("row by", (f"{n}.sum({a} * {b})", f"({a} * {b}).sum()")))
        elif how == "rows":
            with (
                self.block.inside(f"{rows}:", TAG),
                self.block.inside(f"for {t}, {q} in zip({ts}, {qs}):", TAG),
            ):
                add(of_number)
        else:
            at = self.c.pick("item at", (f"[{i}, {j}]", f"[{i}][{j}]"))
            b = f"{log}({probs}{at})" if log else f"{logp}{at}"
            counted = how == "counted"
            number = self.w.fresh("count")
            if counted:
                say(f"{number} = 0", TAG)
            with self.block.inside(heads[0], TAG):
                inner = counted and self.c.chance("all counted", 0.6)
                with self.block.inside(heads[1], TAG):
                    add(f"{target}{at} * {b}")
                    if counted and inner:
                        say(f"{number} += 1", TAG)
                if counted and not inner:
                    say(f"{number} += 1", TAG)
            if counted:
                self.x = total
                self.plan.append("/ " + "".join(whole if inner else whole[:1]))
                self._scale(number)
                return
        self.x = total
        self._divide(self.c.pick("divisor", (whole[:1], whole, whole[1:]), (5, 4, 1)))
