"""The grammar: from choices to a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from benchmarks.oracle import loops, routes
from benchmarks.oracle.beside import Statistic, statistic_of
from benchmarks.oracle.choices import Choices
from benchmarks.oracle.classes import LossClass
from benchmarks.oracle.files import dealt
from benchmarks.oracle.parts import CLASSES, Built
from benchmarks.oracle.program import (
    Array,
    Block,
    Framework,
    Input,
    Inputs,
    Program,
    Tag,
    Variable,
    Writer,
)
from benchmarks.oracle.reductions import Reducer
from benchmarks.oracle.steps import Steps
from benchmarks.oracle.terms import Terms

_RANK: Final = re.compile(
    r"^ *\w+(, \w+)+ = .*\.(shape|size\(\))$|transpose\(\d, |permute\((\w+, )?\(?\d, ", re.M
)
"""What shows how many axes there are."""
_DIVIDED: Final = (1.5, 3, 3, 4, 0, 0.3)
"""How likely each shape is where several files want something to hold."""
Lines = list[tuple[int, str, Tag]]


def generate(choices: Choices, framework: Framework) -> Program:
    """The program that the choices make."""
    return _Grammar(Writer(choices, framework)).program()


class _Grammar:
    def __init__(self, writer: Writer) -> None:
        self.w = writer
        self.c = writer.choices
        self.parts: list[Lines] = []
        self.below: list[Lines] = []
        """What stands at the end of the file."""
        self.offset: Callable[[Inputs], float] | None = None
        self.taken = ""
        """What takes the loss out of what the function gives back."""
        self.looped = ""
        """The loop over batches around it, if there is one."""
        self.owner: LossClass | None = None
        """The class that the loss is a method of."""
        self.inner: Reducer | None = None
        """What reduces one example, where that is mapped over the batch."""

    def program(self) -> Program:
        """Write all parts of the file."""
        masks = ("", "parameter", "lengths", "ids", "ignored", "padding")
        mask = self.c.pick("mask", masks, (12, 3, 1, 1, 1.5, 0.7))
        shapes = ("function", "helper", "reducer", "class", "mapped", "nested")
        is_mapped = self.w.framework == "jax" and not mask
        likely = (6, 2, 2, 2, 1.5 if is_mapped else 0, 0.8) if self.w.files == 1 else _DIVIDED
        shape = self.c.pick("shape of the program", shapes, likely)
        before = self.c.pick("unrelated function", (False, True), (6, 1))
        if before:
            self._unrelated()
        block = Block(self.w, self.w.fresh("function"))
        block.is_method = shape == "class"
        methods = "none"
        if block.is_method:
            self.owner = LossClass(self.w.fresh("class"))
            methods = self.c.pick("methods", ("none", "helper", "reducer", "both"), (4, 1.5, 2, 1.5))
        if self.c.chance("docstring", 0.15):
            block.say('"""The loss of a batch."""')
        if shape == "helper" or methods in ("helper", "both"):
            built = self._helper(block, mask)
        elif shape == "mapped":
            built = self._mapped(block)
        else:
            built = Terms(block, mask).build()
        self._distract(block, built)
        self._lead_elements(block, built)
        statistic = statistic_of(block, built)
        if (shape == "reducer" or methods in ("reducer", "both")) and not built.done:
            result, reducer = self._reducer(block, built, mask)
        elif shape == "nested" and not built.done:
            result, reducer = self._nested(block, built, mask)
        else:
            reducer = Reducer(block, built, mask)
            result = reducer.build()
        self._finish(block, self._lead_loss(block, built, result), statistic)
        entry = self._entry(block, built, reducer)
        if not before and self.c.chance("unrelated function below", 0.1):
            self._unrelated()
        files = dealt(self.w, [*self.w.tops, *self.parts, *self.below], entry)
        masked = bool(mask) and reducer.shows_mask
        inputs = dict(self.w.inputs)
        if mask == "ignored" and not masked:  # nothing says that there are such labels
            inputs["labels"] = replace(inputs["labels"], style="")
        reducers = [*([self.inner] if self.inner is not None else []), reducer]
        return Program(
            files=files,
            entry=entry,
            framework=self.w.framework,
            inputs=inputs,
            term=built.term,
            masked=masked,
            literals=dict(self.w.literals),
            # A sum of sums over batches grows with their number, or their size.
            sum_is_right=all(one.sum_is_right for one in reducers) and self.looped != "epoch",
            naming=self.w.naming,
            choices=dict(self.c.made),
            plan=", mapped, ".join(", ".join(one.plan) for one in reducers)
            + (f", {self.looped}" if self.looped else ""),
            offset=self.offset,
            needs_rank=any(one.needs_rank for one in reducers)
            or (self.w.counts_from_both_ends() and not any(_RANK.search(file.text) for file in files)),
            statistic=statistic.text if statistic is not None else "",
            is_of_elements=statistic is not None and statistic.is_of_elements,
            loop=loops.verdict(self.looped, self.c.made),
        )

    def _helper(self, block: Block, mask: str) -> Built:
        """The elements come from a function of their own."""
        helper, kind = self._beside(block, "helper")
        built = Terms(helper, mask).build()
        x = f"-({built.x})" if built.minus else built.x
        helper.say(f"return {x}", "reduction" if built.done else "term")
        call = self._kept(helper, kind, [])
        arguments = [block.input(role, self.w.inputs[role]).text for role in helper.parameters]
        x = f"{call}({helper.arguments(arguments)})"
        return replace(built, x=x, minus=False, operands=None)

    def _beside(self, block: Block, role: str) -> tuple[Block, str]:
        """A function that the block calls: a method of its class, if it has one."""
        if self.owner is not None:
            return self.owner.helper(block, role)
        return Block(self.w, self.w.fresh(role)), ""

    def _kept(self, helper: Block, kind: str, first: list[str]) -> str:
        """Take up a function that is written, and say how it is called."""
        if self.owner is None:
            self.parts.append(self.w.function(helper, first))
            return helper.name
        self.owner.keep(helper, kind, first)
        return self.owner.call_of(helper, kind)

    def _mapped(self, block: Block) -> Built:
        """The loss of one example is a function of its own, and mapped over the batch."""
        helper = Block(self.w, self.w.fresh("helper"))
        inner = Terms(helper, layout=("V",)).build()
        reducer = Reducer(helper, inner, "")
        helper.say(f"return {reducer.build()}", "reduction")
        self.inner = reducer
        # The map passes arrays alone: the defaults are what is asked for.
        helper.options = {name: (value, value) for name, (_, value) in helper.options.items()}
        self.parts.append(self.w.function(helper))
        roles = list(helper.parameters)
        for role in roles:
            what = self.w.inputs[role]
            self.w.inputs[role] = replace(what, axes=("B", *what.axes))
        names = [block.input(role, self.w.inputs[role]).text for role in roles]
        term = replace(inner.term, axes=("B", "V"), elements=partial(_of_each, inner.term.elements, roles))
        return Built(term, f"jax.vmap({helper.name})({', '.join(names)})", ("B",))

    def _reducer(self, block: Block, built: Built, mask: str) -> tuple[str, Reducer]:
        """The reduction is a function of its own."""
        helper, kind = self._beside(block, "reducer")
        name = self.w.fresh("elements")
        x = f"-({built.x})" if built.minus else built.x
        helper.known = [Variable(name, built.axes)]
        inner = replace(built, x=name, minus=False, operands=None)
        if mask == "ignored":
            helper.input("labels", self.w.inputs["labels"])
        reducer = Reducer(helper, inner, mask)
        result = reducer.build()
        helper.say(f"return {result}", "reduction")
        called = self._kept(helper, kind, [name])
        arguments = [block.input(role, self.w.inputs[role]).text for role in helper.parameters]
        call = f"{called}({helper.arguments([f'({x})', *arguments])})"
        return call, reducer

    def _nested(self, block: Block, built: Built, mask: str) -> tuple[str, Reducer]:
        """The reduction is a function within the function."""
        name, x = self.w.fresh("reducer"), self.w.fresh("elements")
        elements = f"-({built.x})" if built.minus else built.x
        with block.inside(f"def {name}({x}):"):
            known, aliases = list(block.known), dict(block.aliases)
            block.known = [Variable(x, built.axes), *known]
            reducer = Reducer(block, replace(built, x=x, minus=False, operands=None), mask)
            block.say(f"return {reducer.build()}", "reduction")
            block.known, block.aliases = known, aliases
        return f"{name}({elements})", reducer

    def _finish(self, block: Block, result: str, statistic: Statistic | None) -> None:
        """What happens to the loss in the end."""
        ways = ("directly", "named", "with metrics", "conditional", "second term")
        how = self.c.pick("return", ways, (6, 3, 1, 1, 1.5))
        tag: Tag = "reduction" if how in ("directly", "second term") else "other"
        if how != "directly":
            result = block.let("total", result, "reduction")
        if how == "with metrics":
            if self.c.chance("perplexity", 0.5):
                perplexity = block.let("perplexity", f"{self.w.module}.exp({result})", "other")
                block.say(f"print('ppl', {perplexity})")
            block.say(f"print('loss', {result})")
        elif how == "conditional":
            flag = block.option("flag", "True", ())
            result = f"{result} if {flag} else {result} * 1.0"
        elif how == "second term":
            # Where the loss is a sum, this is where it meets a mean.
            result = self._second_term(block, result)
        if statistic is not None:
            statistic.keep(block)
            result, self.taken = statistic.returned(block, f"({result})")
        block.say(f"return {result}", tag)

    def _second_term(self, block: Block, loss: str) -> str:
        """Another loss beside it, which is right."""
        how = self.c.pick("second", ("squares", "squared error"))
        m = self.w.module
        if how == "squares" and "logits" in block.parameters:
            value = self.w.all_of("mean", f"{block.parameters['logits']} ** 2")
            role = "logits"
        else:
            p = block.input("second prediction", Input(("B", "F"), "real")).text
            y = block.input("second actual", Input(("B", "F"), "real")).text
            role = ""
            forms = [
                self.w.all_of("mean", f"({p} - {y}) ** 2"),
                f"{self.w.function_of('mean')}({m}.square({p} - {y}))",
            ]
            if self.w.framework == "torch":
                forms.append(f"F.mse_loss({p}, {y})")
            value = self.c.pick("second as", forms)
        weight = self.c.pick("weight", (0.5, 0.01, 1.0))
        self.offset = partial(_second_value, role, weight)
        second = block.let("second", value, "other")
        return f"{loss} + {weight} * {second}" if weight != 1.0 else f"{loss} + {second}"

    def _lead_elements(self, block: Block, built: Built) -> None:
        """The elements meet a number on a roundabout way."""
        last = built.axes[-1] if built.axes else ""
        if built.done or last != built.term.support or not self.c.chance("roundabout elements", 0.08):
            return
        x = block.let("elements", f"({built.x}) * 1.0", "term")
        v = f"{x}.shape[-1]"
        built.x = self._led(block, built, routes.ELEMENTS, x, v)
        built.operands = None

    def _lead_loss(self, block: Block, built: Built, result: str) -> str:
        """The loss meets a number on a roundabout way."""
        if not self.c.chance("roundabout", 0.12):
            return result
        return self._led(block, built, routes.LOSS, block.let("total", result, "reduction"), "")

    def _led(self, block: Block, built: Built, ways: tuple[routes.Route, ...], x: str, v: str) -> str:
        way = self.c.pick("way", routes.fitting(ways, self.w.framework))
        k = n = "1.0"
        # A number is the class count where the text says so in another place, too.
        is_seen = not way.needs_number or "V" in self.w.literals
        if built.term.support is not None and is_seen and self.c.chance("by the classes", 0.6):
            k, n = Steps(block, built, "").count((built.term.support,)), str(CLASSES)
        filled = routes.filled(way, self.w, x=x, k=f"({k})", n=n, m=self.w.module, v=v)
        if filled.top:
            self.parts.append(_lines(filled.top))
        for indent, line, _ in _lines(filled.body):
            block.indent += indent
            block.say(line, "reduction")
            block.indent -= indent
        if filled.below:
            self.below.append(_lines(filled.below))
        return f"({filled.result})"

    def _distract(self, block: Block, built: Built) -> None:
        """Something that has nothing to do with the loss."""
        axis = "dim" if self.w.framework == "torch" else "axis"
        how = self.c.pick(
            "distractor",
            ("none", "accuracy", "comment", "norm", "print", "logged", "right beside"),
            (8, 1, 1, 1, 0.5, 0.5, 1),
        )
        source = next((name for role, name in block.parameters.items() if role == "logits"), "")
        if how == "comment":
            block.say("# averaged over the batch")
        elif how == "print" and source:
            block.say(f"print({source}.shape)")
        elif how == "logged" and source:
            norm = self.w.all_of("mean", f"{source} ** 2")
            block.say(f"print(f'norm {{{norm}}} of {{{source}.shape}}')")
        elif how == "right beside" and built.term.support in built.axes[1:] and not built.done:
            # The right reduction is printed, whatever is returned.
            built.x = block.let("elements", built.x, "term")
            at = built.axes.index(built.term.support or "")
            block.say(f"print({self.w.reduce('mean', self.w.reduce('sum', built.x, [at]))})")
        elif how == "norm" and source:
            name = self.w.fresh("metric")
            block.say(f"{name} = {self.w.all_of('mean', f'{source} ** 2')}")
        elif how == "accuracy" and source and "labels" in block.parameters:
            at = self.w.inputs["logits"].axes.index("V")
            name = self.w.fresh("metric")
            best = f"{source}.argmax({axis}={at})"
            if self.w.functional is not None:
                best = self.w.functional.LARGEST.format(x=source, a=at)
            block.say(f"{name} = ({best} == {block.parameters['labels']})")
            hits = f"{name}.float()" if self.w.framework == "torch" else name
            if self.w.functional is not None:
                hits = self.w.functional.FLOAT.format(x=name)
            block.say(f"print({self.w.all_of('mean', hits)})")

    def _unrelated(self) -> None:
        f, x, y = self.w.fresh("metric"), self.w.fresh("actual"), self.w.fresh("prediction")
        bodies = (
            [f"return {self.w.all_of('mean', f'{x} - {y}')}"],
            [f"return {self.w.all_of('sum', f'{x} * {y}')} / {x}.shape[0]"],
            [f"return {self.w.all_of('mean', self.w.function_of('log') + f'({x})')} + {y}"],
            [f"return {self.w.all_of('mean', self.w.reduce('sum', x, [-1]))} / len({y})"],
        )
        body = self.c.pick("unrelated body", bodies)
        self.parts.append([(0, f"def {f}({x}, {y}):", "other"), *((1, line, "other") for line in body)])

    def _entry(self, block: Block, built: Built, reducer: Reducer) -> str:
        """Write the function, or the class around it, and its caller, and say how it is called."""
        roles = list(block.parameters)
        call = block.name
        if self.owner is not None:
            method = self.c.pick("method", ("__call__", "forward", "loss"))
            block.name = "__call__" if method in block.attributes else method  # an attribute would hide it
            self.parts += self.owner.text(block)
            call = f"{self.owner.heir or self.owner.name}({', '.join(self.w.passed(block.attributes))})"
            if self.w.files > 1 and self.c.chance("made once", 0.35):
                made, call = call, self.w.fresh("criterion")
                self.parts.append([(0, f"{call} = {made}", "other")])
            call += "" if block.name == "__call__" else f".{block.name}"
        else:
            self.parts.append(self.w.function(block))
        inputs = [role_name(role) for role in roles]
        how = self.c.pick("caller", ("none", "step", "heads", "epoch", "accumulation"), self._callers(block))
        if how == "none":
            return f"{call}({block.arguments(inputs)}){self.taken}"
        step = Block(self.w, self.w.fresh("step"))
        if how in ("epoch", "accumulation"):
            return self._loop(how, step, block, call, inputs)
        if how == "step":
            names = [step.input(role, self.w.inputs[role]).text for role in roles]
            one = f"{call}({block.arguments(names)})"
            if self.w.files > 1 and self._is_alone(block) and not self.taken:
                one = self._divided(step, built, reducer, one)
            if self.taken == "[0]" and self.c.chance("unpacked", 0.6):
                total = self.w.fresh("total")
                step.say(f"{total}, {self.w.fresh('statistic')} = {one}", "reduction")
                step.say(f"return {total}", "reduction")
            else:
                step.say(f"return {one}{self.taken}", "reduction")
            self.parts.append(self.w.function(step))
            return f"{step.name}({', '.join(inputs)})"
        # The mean over several outputs, each with its own loss.
        outputs, output = self.w.fresh("outputs"), self.w.fresh("output")
        names = [step.input(role, self.w.inputs[role]).text for role in roles[1:]]
        one = f"{call}({block.arguments([output, *names])}){self.taken}"
        if self.c.chance("loop", 0.5):
            total = self.w.fresh("total")
            step.say(f"{total} = 0.0", "reduction")
            with step.inside(f"for {output} in {outputs}:"):
                step.say(f"{total} += {one}", "reduction")
            step.say(f"return {total} / len({outputs})", "reduction")
        else:
            step.say(f"return sum({one} for {output} in {outputs}) / len({outputs})", "reduction")
        self.parts.append(self.w.function(step, [outputs]))
        return f"{step.name}({', '.join([f'[{inputs[0]}, {inputs[0]}]', *inputs[1:]])})"

    def _callers(self, block: Block) -> tuple[float, ...]:
        """How likely each caller is. In a loop there is one term alone: a second one would be divided, too."""
        is_alone, is_torch = self._is_alone(block), self.w.framework == "torch"
        return (
            8 if self.w.files == 1 else 2,
            1,
            0.0 if block.is_method else 0.7,
            0.7 * is_alone,
            0.7 * (is_alone and is_torch),
        )

    def _is_alone(self, block: Block) -> bool:
        """Is the loss of one term, and are all inputs arrays of the batch?"""
        inputs = [self.w.inputs[role] for role in block.parameters]
        return self.offset is None and all(what.axes[:1] == ("B",) and what.kind != "size" for what in inputs)

    def _divided(self, step: Block, built: Built, reducer: Reducer, loss: str) -> str:
        """The caller divides what it is given once more, or multiplies it by the classes."""
        counted = step.known
        if not (counted and built.term.units):
            return loss
        after = Steps(step, replace(built, minus=False), "")
        after.x, after.axes = loss, ()
        support = built.term.support
        has_support = support is not None and any(support in v.axes for v in counted)
        how = self.c.pick(
            "caller's step", ("nothing", "/ examples", "/ units", "* support"), (4, 2, 1, 1.5 * has_support)
        )
        units = tuple(a for a in built.term.units if any(a in v.axes for v in counted))
        if how == "* support":
            after._divide((support or "",), by="*")
        elif how != "nothing":
            after._divide(units[:1] if how == "/ examples" else units)
        reducer.plan += after.plan
        reducer.needs_rank |= after.needs_rank
        return after.x

    def _loop(self, how: str, step: Block, block: Block, call: str, inputs: list[str]) -> str:
        """A loop over batches, all of which are the same one."""
        names = [self.w.fresh(role) for role in block.parameters]

        def loss(names: Sequence[str]) -> str:
            return f"{call}({block.arguments(names)}){self.taken}"

        self.looped = how
        batches = f"[({', '.join(inputs)},)] * {loops.ROUNDS}"
        if how == "epoch":
            self.parts.append(self.w.function(step, [loops.epoch(step, names, loss)]))
            return f"{step.name}({batches})"
        self.w.literals["K"] = loops.ROUNDS
        self.parts.append(self.w.function(step, list(loops.accumulation(step, names, loss))))
        return f"{step.name}({batches}, Optimizer())"


def _lines(text: str) -> Lines:
    """Lines as they are indented, all of them about the reduction."""
    lines = text.split("\n") if text else []
    return [((len(line) - len(line.lstrip())) // 4, line.strip(), "reduction") for line in lines]


def _of_each(elements: Callable[[Inputs], Array], roles: list[str], inputs: Inputs) -> Array:
    """The elements of every example."""
    count = len(inputs[roles[0]])
    return np.stack([elements({role: inputs[role][i] for role in roles}) for i in range(count)])


def _second_value(role: str, weight: float, inputs: Inputs) -> float:
    """What the second term adds."""
    x = inputs[role] if role else inputs["second prediction"] - inputs["second actual"]
    return weight * float((x**2).mean())


def role_name(role: str) -> str:
    """The name under which an input is passed to the entry."""
    return "arg_" + re.sub(r"\W", "_", role)


__all__ = ["Input", "generate", "role_name"]
