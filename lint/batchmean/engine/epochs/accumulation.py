"""Gradients that are accumulated over several batches: the loss of each is divided by their number, once.

Read off the statements of a function: which divisions by the accumulation steps lie on the way to `backward`, and
whether the optimizer steps every so many batches.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Final

from batchmean.engine import bounds
from batchmean.engine.domain.tensors import Place
from batchmean.engine.epochs.calls import Calls
from batchmean.engine.epochs.spelling import ITEMS, STEPS, divisor_name, last_name, path_of, setting_name
from batchmean.engine.epochs.syntax import (
    AnyFunction,
    Path,
    calls_in,
    functions_of,
    is_automatic,
    statements_of,
)
from batchmean.engine.epochs.undivided import never
from batchmean.engine.epochs.values import Figure
from batchmean.engine.events import Miscount
from batchmean.nodes import FUNCTIONS, nodes
from batchmean.project import is_foreign

_SETTING: Final = "gradient_accumulation_steps"
_DIVIDES: Final = "this divides by the accumulation steps"
_AVERAGES: Final = "this divides by the accumulation steps itself"
MOST: Final = 50
"""So many calls of `backward` are looked at in one module."""


def accumulations(
    tree: ast.Module, walk: Calls, steps: Set[AnyFunction], on_bound: Callable[[str], None]
) -> Iterator[Miscount]:
    """Every loss that is divided by the accumulation steps twice, or never, or that is a mean over the tokens of a
    micro-batch and is handed to what divides by them. `on_bound` is told where there are more than are looked at.

    `steps` are the functions that a trainer calls with each batch.
    """
    dividing = Dividing(tree)
    left = MOST
    told = set[ast.AST]()
    functions = functions_of(tree)
    for scope in (*functions, tree):
        statements = list(statements_of(scope.body, ()))
        is_lightning = scope in steps and scope in dividing.lightning
        for statement, path in statements:
            if is_lightning and isinstance(statement, ast.Return):
                yield from _returned(statement, path, statements, dividing)
            for call in calls_in(statement):
                if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward":
                    continue
                if not left:
                    on_bound(bounds.BACKWARD)
                    continue
                left -= 1
                for found in _twice(call, path, statements, dividing):
                    told.update(place.node for place in found.because)
                    yield found
    figures = [*walk.backward.items(), *_undivided(walk, dividing)]
    if len(figures) > MOST:
        on_bound(bounds.BACKWARD)
    for call, figure in figures[:MOST]:
        if figure.how == "mean" and figure.is_whole and not figure.is_supposed:
            yield from never(tree, functions, call, figure)
    yield from _through_calls(walk.backward.values(), told)
    yield from _handed(walk, dividing)


def _through_calls(figures: Iterable[Figure], told: set[ast.AST]) -> Iterator[Miscount]:
    """Losses that one function divides by the steps, and one that it calls, or that calls it, divides again."""
    for figure in figures:
        if figure.how != "mean" or len(figure.scaled) != 2 or not told.isdisjoint(figure.scaled):
            continue
        if figure.is_supposed or len({divisor_name(node) for node in figure.scaled}) > 1:
            continue
        here = [node for node in figure.scaled if not is_foreign(node)]
        if here:
            told.update(figure.scaled)
            places = (*figure.places, *(Place(node, _DIVIDES) for node in figure.scaled))
            yield Miscount(here[-1], "accumulation", places, False, None, None, "twice")


class Dividing:
    """What divides by the accumulation steps itself, in a module that shows it."""

    def __init__(self, tree: ast.Module) -> None:
        self.engines: dict[str, str] = {}
        """The objects whose `backward` does, by their names, with the name of the number, if there is one."""
        self.plugins: dict[str, ast.Call] = {}
        """What tells Accelerate how DeepSpeed divides, by its names."""
        self.undividing: set[str] = set()
        """The objects whose `backward` does not."""
        self.lightning: set[ast.AST] = set()
        """The steps of Lightning's modules, whose loss its trainer divides."""
        self.lightning_steps: str | None = None
        """What its trainer is told, by its name; None where the module does not show it."""
        self.trainer: ast.Call | None = None
        """The call that tells it."""
        self.averages: ast.Call | None = None
        """An optimizer that averages the gradients of several calls."""
        self.is_told = False
        """Is a number of accumulation steps set?"""
        self.is_told_one = False
        """Is it set to 1, so that something else has to divide?"""
        for node in nodes(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._made(node, node.value)
            if isinstance(node, ast.Call):
                self._called(node)
            if isinstance(node, ast.ClassDef) and is_automatic([node]):
                self.lightning.update(
                    m for m in node.body if isinstance(m, FUNCTIONS) and m.name == "training_step"
                )
            for value in _settings(node):
                self.is_told = True
                self.is_told_one |= _is_one(value)

    @property
    def is_set(self) -> bool:
        """Are several accumulation steps asked for?"""
        return self.is_told and not self.is_told_one

    def divides(self, name: str) -> bool:
        """Is it shown that the `backward` of what is called so divides?"""
        return name in self.engines and (bool(self.engines[name]) or self.is_set)

    def _made(self, node: ast.Assign, call: ast.Call) -> None:
        name = last_name(call.func)
        if name == "DeepSpeedPlugin":
            self.plugins.update((last_name(target), call) for target in node.targets)
        if name in ("Accelerator", "Fabric"):
            number = next((k.value for k in call.keywords if k.arg == _SETTING), None)
            plugin = next((k.value for k in call.keywords if k.arg == "gradient_accumulation_plugin"), None)
            if isinstance(plugin, ast.Call):
                number = next((k.value for k in plugin.keywords if k.arg == "num_steps"), None)
            engine = next((k.value for k in call.keywords if k.arg == "deepspeed_plugin"), None)
            if engine is not None:
                made = engine if isinstance(engine, ast.Call) else self.plugins.get(last_name(engine))
                given = made.keywords if made is not None else []
                number = next((k.value for k in given if k.arg == _SETTING), None)
            is_known = plugin is engine is None and not any(k.arg is None for k in call.keywords)
            for target in node.targets:
                if number is not None and not _is_one(number):
                    self.engines[last_name(target)] = setting_name(number)
                elif number is None and is_known:
                    self.undividing.add(last_name(target))
        if name == "initialize" and isinstance(call.func, ast.Attribute):
            if last_name(call.func.value) == "deepspeed" and isinstance(node.targets[0], ast.Tuple):
                self.engines[last_name(node.targets[0].elts[0])] = ""

    def _called(self, node: ast.Call) -> None:
        name = last_name(node.func)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        if _SETTING in named and not _is_one(named[_SETTING]):
            if name not in ("Accelerator", "TrainingArguments") and "learning_rate" in named:
                self.averages = node  # an optimizer of Keras
        if name == "MultiSteps" and "use_grad_mean" not in named:
            number = named.get("every_k_schedule", node.args[1] if len(node.args) > 1 else None)
            if number is not None and not _is_one(number):
                self.averages = node
        if name == "Trainer" and "accumulate_grad_batches" in named:
            if not _is_one(named["accumulate_grad_batches"]):
                self.lightning_steps = setting_name(named["accumulate_grad_batches"])
                self.trainer = node


def _settings(node: ast.AST) -> Iterator[ast.expr]:
    """What the accumulation steps are set to: an argument, an item of a dictionary, one that is stored there."""
    match node:
        case ast.keyword(arg=name, value=value) if name == _SETTING:
            yield value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == _SETTING:
                    yield value
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))], value=value) if (
            key == _SETTING
        ):
            yield value


def _is_one(number: ast.expr) -> bool:
    return isinstance(number, ast.Constant) and number.value in (1, None)


def _undivided(walk: Calls, dividing: Dividing) -> Iterator[tuple[ast.Call, Figure]]:
    """The losses that are handed to an object that does not divide them."""
    for call, figure in walk.handed.items():
        if _receiver(call) in dividing.undividing:
            yield call, figure


def _receiver(call: ast.Call) -> str:
    return last_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _handed(walk: Calls, dividing: Dividing) -> Iterator[Miscount]:
    """Means over the tokens of a micro-batch that are handed to what divides by the number of micro-batches."""
    for call, figure in walk.handed.items():
        name = _receiver(call)
        if dividing.divides(name):
            yield from _token_mean(call, figure, call)
    if dividing.averages is not None:
        for call, figure in walk.differentiated.items():
            yield from _token_mean(call, figure, dividing.averages)
            for division in figure.scaled[:1]:
                if figure.how == "mean":
                    places = (*figure.places, Place(division, _DIVIDES), Place(dividing.averages, _AVERAGES))
                    yield Miscount(division, "accumulation", places, False, None, None, "optimizer")
    for step, given in walk.given.items():
        made = walk.elsewhere.get(step)
        is_lightning = step in dividing.lightning or (made is not None and _name_of(step) == "training_step")
        if is_lightning and dividing.lightning_steps is None:
            continue
        if not is_lightning and (
            not dividing.is_set or _reads(step, ITEMS) or _name_of(step) != "compute_loss"
        ):
            continue
        for value, figure in given[:1]:
            told = value if made is None else (dividing.trainer if is_lightning else made) or made
            yield from _token_mean(told, figure, told)


def _token_mean(node: ast.AST, figure: Figure, by: ast.AST) -> Iterator[Miscount]:
    if figure.how == "mean" and figure.per_token and figure.is_whole:
        places = (*figure.places, Place(by, _AVERAGES))
        yield Miscount(node, "micro-batch token mean", places, False, None, None, "trainer")


def _reads(function: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in nodes(function))


def _name_of(function: ast.AST) -> str:
    return function.name if isinstance(function, FUNCTIONS) else ""


def _twice(
    call: ast.Call, path: Path, statements: Sequence[tuple[ast.stmt, Path]], dividing: Dividing
) -> Iterator[Miscount]:
    """A loss that is divided by the steps, and by them again, or by an object that does it itself."""
    receiver = _receiver(call)
    by_itself = bool(call.args) and dividing.divides(receiver)
    if any(k.arg == "scale_wrt_gas" for k in call.keywords):
        return  # DeepSpeed is told not to
    assert isinstance(call.func, ast.Attribute)
    loss = call.args[0] if by_itself else call.func.value
    if call.args and not by_itself:
        return
    found = list(_divisions(loss, call.lineno, path, statements, dividing.engines.get(receiver, "")))
    if len(found) + by_itself < 2:
        return
    places = [Place(node, _DIVIDES) for node in found]
    if by_itself:
        places.append(Place(call, _AVERAGES))
    if len({divisor_name(node) for node in found}) > 1:
        return
    about = "twice" if not by_itself else "accelerator" if dividing.engines[receiver] else "engine"
    yield Miscount(found[-1], "accumulation", tuple(places), False, None, None, about)


def _returned(
    statement: ast.Return, path: Path, statements: Sequence[tuple[ast.stmt, Path]], dividing: Dividing
) -> Iterator[Miscount]:
    """A loss that is divided by the steps before Lightning's trainer divides it."""
    loss = statement.value
    if isinstance(loss, ast.Dict):
        pairs = zip(loss.keys, loss.values, strict=True)
        loss = next((v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "loss"), None)
    if loss is None:
        return
    for node in _divisions(loss, statement.lineno, path, statements, dividing.lightning_steps or ""):
        if divisor_name(node) == "accumulate_grad_batches" or dividing.lightning_steps is not None:
            places = (Place(node, _DIVIDES), Place(statement, _AVERAGES))
            yield Miscount(node, "accumulation", places, False, None, None, "trainer")
            return


def _divisions(
    loss: ast.expr, line: int, path: Path, statements: Sequence[tuple[ast.stmt, Path]], steps: str
) -> Iterator[ast.AST]:
    """The divisions by the steps on the way to a `backward`, in their order."""
    while isinstance(loss, ast.Call) and last_name(loss.func) == "scale" and loss.args:
        loss = loss.args[0]  # scaler.scale(loss).backward()
    own = list(_in_expression(loss, steps))
    while isinstance(loss, ast.BinOp):
        loss = loss.left
    name = path_of(loss)
    before: list[tuple[ast.AST, Path]] = []
    answered = _asked(path)
    for statement, where in statements:
        if statement.lineno >= line or not name:
            continue
        if any(node is other and block != mine for node, block in where for other, mine in path):
            continue  # the other branch of a test that leads to the call
        if isinstance(statement, ast.Assign) and any(path_of(target) == name for target in statement.targets):
            divided = list(_in_expression(statement.value, steps))
            if not any(
                path_of(node) == name for node in nodes(statement.value) if isinstance(node, ast.expr)
            ):
                asked = _asked(where)
                before = [] if asked <= answered else [e for e in before if not asked <= _asked(e[1])]
            before += [(node, where) for node in divided]
        elif isinstance(statement, ast.AugAssign) and path_of(statement.target) == name:
            if isinstance(statement.op, ast.Div) and _is_steps(statement.value, steps):
                before.append((statement, where))
    kept: list[tuple[ast.AST, Path]] = []
    for node, where in before:
        others = [w for _, w in kept]
        if not any(n is m and b != c for w in others for n, b in w for m, c in where):
            kept.append((node, where))
    yield from (node for node, _ in kept)
    yield from own


def _asked(path: Path) -> set[tuple[ast.AST, object]]:
    """The blocks around a statement that need not be run: those of a `with` always are."""
    return {(node, block) for node, block in path if not isinstance(node, ast.With | ast.AsyncWith)}


def _in_expression(value: ast.expr, steps: str) -> Iterator[ast.AST]:
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Mult):
        if isinstance(value.op, ast.Mult):
            return
        if _is_steps(value.right, steps):
            yield value
        value = value.left


def _is_steps(node: ast.expr, steps: str) -> bool:
    name = setting_name(node)
    return bool(name) and (name == steps or bool(STEPS.search(name)))
