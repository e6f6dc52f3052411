"""The grammar: from choices to a program."""

from __future__ import annotations

import re
from dataclasses import replace

from benchmarks.oracle.choices import Choices
from benchmarks.oracle.program import Block, Framework, Input, Program, Tag, Variable, Writer
from benchmarks.oracle.reductions import Reducer
from benchmarks.oracle.terms import Built, Terms

Lines = list[tuple[int, str, Tag]]


def generate(choices: Choices, framework: Framework) -> Program:
    """The program that the choices make."""
    return _Grammar(Writer(choices, framework)).program()


class _Grammar:
    def __init__(self, writer: Writer) -> None:
        self.w = writer
        self.c = writer.choices
        self.parts: list[Lines] = []

    def program(self) -> Program:
        masks = ("", "parameter", "lengths", "ids", "ignored", "padding")
        mask = self.c.pick("mask", masks, (12, 3, 1, 1, 1.5, 0.7))
        shape = self.c.pick("shape of the program", ("function", "helper", "reducer", "class"), (6, 2, 2, 2))
        before = self.c.pick("unrelated function", (False, True), (6, 1))
        if before:
            self._unrelated()
        name = self.w.fresh("function")
        block = Block(self.w, name)
        if self.c.chance("docstring", 0.15):
            block.say("'''The loss of a batch.'''")
        built = self._helper(block, mask) if shape == "helper" else Terms(block, mask).build()
        self._distract(block, built)
        if shape == "reducer" and not built.done:
            result, reducer = self._reducer(block, built, mask)
        else:
            reducer = Reducer(block, built, mask)
            result = reducer.build()
        self._finish(block, result)
        entry = self._entry(block, shape)
        if not before and self.c.chance("unrelated function below", 0.1):
            self._unrelated()
        text, tags = self.w.text(self.parts)
        masked = bool(mask) and reducer.shows_mask
        inputs = dict(self.w.inputs)
        if mask == "ignored" and not masked:  # nothing says that there are such labels
            inputs["labels"] = replace(inputs["labels"], style="")
        return Program(
            text=text,
            entry=entry,
            framework=self.w.framework,
            inputs=inputs,
            term=built.term,
            masked=masked,
            literals=dict(self.w.literals),
            sum_is_right=reducer.sum_is_right,
            tags=tags,
            naming=self.w.naming,
            choices=dict(self.c.made),
            plan=", ".join(reducer.plan),
            needs_rank=reducer.needs_rank,
        )

    def _helper(self, block: Block, mask: str) -> Built:
        """The elements come from a function of their own."""
        helper = Block(self.w, self.w.fresh("helper"))
        built = Terms(helper, mask).build()
        x = f"-({built.x})" if built.minus else built.x
        helper.say(f"return {x}", "reduction" if built.done else "term")
        self.parts.append(self.w.function(helper))
        arguments = [block.input(role, self.w.inputs[role]).text for role in helper.parameters]
        return replace(built, x=f"{helper.name}({', '.join(arguments)})", minus=False, operands=None)

    def _reducer(self, block: Block, built: Built, mask: str) -> tuple[str, Reducer]:
        """The reduction is a function of its own."""
        helper = Block(self.w, self.w.fresh("reducer"))
        name = self.w.fresh("elements")
        x = f"-({built.x})" if built.minus else built.x
        helper.known = [Variable(name, built.axes)]
        inner = replace(built, x=name, minus=False, operands=None)
        if mask == "ignored":
            helper.input("labels", self.w.inputs["labels"])
        reducer = Reducer(helper, inner, mask)
        result = reducer.build()
        helper.say(f"return {result}", "reduction")
        parameters = [name, *helper.parameters.values()]
        self.parts.append([(0, f"def {helper.name}({', '.join(parameters)}):", "other"), *helper.lines])
        arguments = [block.input(role, self.w.inputs[role]).text for role in helper.parameters]
        call = f"{helper.name}({', '.join([f'({x})', *arguments])})"
        return call, reducer

    def _finish(self, block: Block, result: str) -> None:
        how = self.c.pick("return", ("directly", "named", "with metrics", "conditional"), (6, 3, 1, 1))
        if how == "directly":
            block.say(f"return {result}", "reduction")
            return
        name = block.let("total", result, "reduction")
        if how == "with metrics" and self.w.naming != "misleading":
            block.say(f"print('loss', {name})")
        if how == "conditional":
            flag = self.w.fresh("flag")
            block.parameters[f"flag {flag}"] = f"{flag}=True"
            block.say(f"return {name} if {flag} else {name} * 1.0")
            return
        block.say(f"return {name}")

    def _distract(self, block: Block, built: Built) -> None:
        """Something that has nothing to do with the loss."""
        m = self.w.module
        axis = "dim" if self.w.framework == "torch" else "axis"
        how = self.c.pick("distractor", ("none", "accuracy", "comment", "norm", "print"), (8, 1, 1, 1, 0.5))
        source = next((name for role, name in block.parameters.items() if role == "logits"), "")
        if how == "comment":
            block.say("# averaged over the batch")
        elif how == "print" and source:
            block.say(f"print({source}.shape)")
        elif how == "norm" and source:
            name = self.w.fresh("metric")
            block.say(f"{name} = ({source} ** 2).mean()")
        elif how == "accuracy" and source and "labels" in block.parameters:
            at = self.w.inputs["logits"].axes.index("V")
            name = self.w.fresh("metric")
            block.say(f"{name} = ({source}.argmax({axis}={at}) == {block.parameters['labels']})")
            block.say(f"print({name}.{'float().' if m == 'torch' else ''}mean())")

    def _unrelated(self) -> None:
        m = self.w.module
        f, x, y = self.w.fresh("metric"), self.w.fresh("actual"), self.w.fresh("prediction")
        bodies = (
            [f"return ({x} - {y}).mean()"],
            [f"return ({x} * {y}).sum() / {x}.shape[0]"],
            [f"return {m}.log({x}).mean() + {y}"],
            [f"return {x}.sum(-1).mean() / len({y})"],
        )
        body = self.c.pick("unrelated body", bodies)
        self.parts.append([(0, f"def {f}({x}, {y}):", "other"), *((1, line, "other") for line in body)])

    def _entry(self, block: Block, shape: str) -> str:
        """Write the function, or the class around it, and say how it is called."""
        roles = [role for role in block.parameters if not role.startswith("flag")]
        arguments = ", ".join(f"arg_{role.replace(' ', '_')}" for role in roles)
        if shape == "class":
            name = self.w.fresh("class")
            method = self.c.pick("method", ("__call__", "forward", "loss"))
            block.name = method
            lines = self.w.function(block, method=True)
            base = "(nn.Module)" if self.w.framework == "torch" and self.c.chance("module", 0.5) else ""
            self.parts.append(
                [(0, f"class {name}{base}:", "other"), *((i + 1, text, tag) for i, text, tag in lines)]
            )
            call = "" if method == "__call__" else f".{method}"
            return f"{name}(){call}({arguments})"
        self.parts.append(self.w.function(block))
        return f"{block.name}({arguments})"


def role_name(role: str) -> str:
    """The name under which an input is passed to the entry."""
    return "arg_" + re.sub(r"\W", "_", role)


__all__ = ["Input", "generate", "role_name"]
