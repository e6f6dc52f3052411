"""What adding, multiplying and dividing does to figures and counts, and when a division is wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final, Literal

from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.micro_batches import counts_parts
from batchmean.engine.epochs.spelling import (
    ITEMS,
    RANKS,
    STEPS,
    divisor_name,
    is_told_per_batch,
    share_a_name,
    terms_divided,
)
from batchmean.engine.epochs.values import (
    Batch,
    Count,
    Figure,
    Figures,
    Gradient,
    Inverse,
    Loop,
    Loops,
    Number,
    Several,
    Unknown,
    Value,
    added_gradient,
    beside_others,
    counts_valid,
    is_beside,
    is_of,
    key_of,
)
from batchmean.engine.events import Kind, Miscount
from batchmean.project import is_foreign

Counted = Literal["rounds", "examples"]

ADDED_UP: Final = "they are added up over the batches"
EACH_ALIKE: Final = "this gives every batch the same weight, whatever the number of its positions"
VALID: Final = "this is a mean over the positions that count"

_PERCENT: Final = 100


class Arithmetic:
    """Figures and counts in the loops that are being walked; `found` has the divisions that are wrong."""

    def __init__(self) -> None:
        self.loops: Loops = ()
        self.sometimes = False
        """Is the walk where a test such as `step % 100 == 0` lets through some rounds of the innermost loop alone?"""
        self.asked: frozenset[str] = frozenset()
        """What the tests ask about under which the walk is."""
        self.found: dict[ast.AST, Miscount] = {}
        self.rightly: set[ast.AST] = set()
        """The divisions of sums over the examples by their number."""
        self.statement: ast.stmt | None = None
        """The statement that is walked."""
        self.call: ast.Call | None = None
        """The call in the file that is read, inside which the walk is."""
        self.moved: dict[ast.AST, ast.AST] = {}
        """Where in another file that stands which is told at a call."""
        self._lengths: dict[Loop, str] = {}
        self._right: set[ast.AST] = set()
        self._serial = 0

    def unknown(self, name: str = "", of: Iterable[str] = (), by: str = "") -> Unknown:
        """Something new that nothing is known of."""
        self._serial += 1
        return Unknown(f"?{self._serial}", name, frozenset(of), by)

    def withdraw(self, *values: Value) -> Unknown:
        """Something unknown in the place of figures with which something is done that may put them right."""
        for value in values:
            if isinstance(value, Figure) and value.event is not None:
                self.found.pop(value.event, None)
                self._right.add(value.event)
        return self.unknown()

    def added_up(self, name: str, before: Value, more: Value, node: ast.AST) -> Value:
        """`total += more`."""
        if isinstance(more, Gradient) or not isinstance(before, Number):
            # To what else is it added? It may be a total that began elsewhere.
            is_open = isinstance(before, Unknown) and not isinstance(more, Gradient)
            return self.batch_of((more,)) if is_open else self.plus(before, more)
        depth = len(before.loops)
        over = self.loops[depth:]
        if self.loops[:depth] != before.loops or before.value != 0:
            return self.withdraw(more)
        if not over:
            return self.plus(before, more)
        if any(name in loop.resets for loop in over):
            window = over[-1].windows.get(name)
            if window is None or any(name in loop.resets for loop in over[:-1]):
                return self.unknown()  # what is told every hundred steps makes up for nothing before it
            over = (*over[:-1], window)
        if isinstance(more, Number):
            is_each = more.value == 1 and not self.sometimes
            return Count("rounds", loops=over) if is_each else self.unknown()
        if isinstance(more, Figure) and more.how == "epoch":
            return self.unknown()
        if isinstance(more, Count):
            if more.of == "batch":
                return Count("examples", loops=over, shown=more.shown)
            return altered(more, loops=over + more.loops) if more.loops else self.unknown()
        if isinstance(more, Figure) and more.loop in before.loops and (kept := beside_others(more)):
            return kept  # the losses of several outputs for one batch
        return self._over(more, over, node) or self.withdraw(more)

    def length_in(self, loop: Loop) -> str:
        """The number of examples in the batch of this round, as the code would say it here."""
        raise NotImplementedError

    def _over(self, figure: Value, over: Loops, node: ast.AST) -> Figure | None:
        """A figure of each round, added up over loops."""
        if not isinstance(figure, Figure) or figure.how == "epoch":
            return None
        if figure.over_items or len(figure.scaled) > 1:
            return None
        if figure.loops:
            return altered(figure, loops=over + figure.loops) if not figure.divided else None
        loop = over[-1].of or over[-1]
        if figure.loop is not loop:
            return None
        self._lengths[over[-1]] = self.length_in(loop)
        place = Place(node, ADDED_UP)
        total = altered(figure, loops=over, places=(*figure.places, place), divided=())
        if len(figure.divided) == 1:
            count, division = figure.divided[0]
            return self.divided(total, count, division, in_each=True)
        return None if figure.divided else total

    def listed(self, figures: Figures, item: Value, node: ast.AST) -> Value:
        """What a list is after `append(item)`."""
        depth = len(figures.loops)
        over = self.loops[depth:]
        if figures.item is None and self.loops == figures.loops:
            return Several((item,))
        if figures.item is not None or self.loops[:depth] != figures.loops:
            return self.unknown()
        if isinstance(item, Count) and item.of == "batch":
            return Figures(Count("examples", loops=over, shown=item.shown), over)
        added = self._over(item, over, node)
        return Figures(added, over) if added is not None else self.unknown()

    def plus(self, a: Value, b: Value) -> Value:
        """`a + b`, of what is not added to itself."""
        for one, other in ((a, b), (b, a)):
            if (
                isinstance(one, Count)
                and one.of == "index"
                and not one.key  # with a step it is where a batch begins
                and isinstance(other, Number)
                and other.value == 1
            ):
                return altered(one, of="rounds")
            if isinstance(one, Number) and isinstance(other, Figure | Count) and abs(one.value) < 1:
                return other
        if isinstance(a, Number) and isinstance(b, Number):
            return Number(a.value + b.value)
        if isinstance(a, Figure) and isinstance(b, Figure) and (a.how, a.loops) == (b.how, b.loops):
            if a.how != "epoch" and a.is_whole and b.is_whole and a.loop is b.loop:
                places = tuple(dict.fromkeys((*a.places, *b.places)))
                return altered(
                    a,
                    places=places,
                    shown=a.shown and b.shown,
                    is_class_loss=a.is_class_loss and b.is_class_loss,
                    per_token=a.per_token or b.per_token,
                    over_size=a.over_size or b.over_size,
                    under=a.under | b.under,
                )
        for one, other in ((a, b), (b, a)):
            if isinstance(one, Gradient) and isinstance(other, Unknown | Number):
                return added_gradient(one, self.loops)
            if isinstance(other, Unknown | Batch) and (kept := beside_others(one)):
                return kept
        if isinstance(a, Batch) or isinstance(b, Batch):
            return self.batch_of((a, b))
        return self.unknown()

    def batch_of(self, values: Iterable[Value]) -> Value:
        """What an operation position by position makes of these."""
        found = [value for value in values if isinstance(value, Batch)]
        if not found:
            return self.unknown()
        forms = {value.form for value in found}
        about = found[0].about if len(found) == 1 and found[0].about != "loss" else ""
        for form in ("reduced", "reshaped"):
            if form in forms:
                return Batch(found[0].loop, form, about=about)
        is_made = len(found) == 1 and forms == {"made"}
        return Batch(found[0].loop, "made" if is_made else "array", about=about)

    def times(self, a: Value, b: Value) -> Value:
        """`a * b`."""
        if isinstance(a, Number) and isinstance(b, Number):
            return Number(a.value * b.value)
        for one, other in ((a, b), (b, a)):
            if isinstance(other, Inverse):
                return self.over(one, other.count, other.node)
            if other == Number(-1.0, getattr(other, "loops", ())) and isinstance(one, Figure):
                return self.negative(one)
            if isinstance(one, Figure) and isinstance(other, Number) and one.how != "epoch":
                if 0 < abs(other.value) <= 1 or other.value == _PERCENT:
                    return one if other.value > 0 else self.negative(one)
            if isinstance(one, Figure) and isinstance(other, Count) and other.of == "batch":
                if one.how == "mean" and not one.loops and one.is_whole and is_of(one.loop, other):
                    return altered(
                        one, how="sum", shown=one.shown and other.shown, is_weighted=True, per_token=False
                    )
            if isinstance(one, Count) and isinstance(other, Count) and other.of == "batch":
                if one.of in ("rounds", "length", "index"):
                    return altered(one, of="nearly", shown=False)
            if (
                isinstance(one, Count)
                and one.of in ("index", "rounds")
                and one.loops
                and isinstance(other, Unknown)
            ):
                return Batch(one.loops[-1])  # where the batch of this round begins, say
        if isinstance(a, Batch) or isinstance(b, Batch):
            self.withdraw(a, b)
            return self.batch_of((a, b))
        return self.withdraw(a, b)

    def negative(self, figure: Figure) -> Figure:
        """The mean of -log p is one of losses, and minus a loss is none."""
        return altered(figure, is_class_loss=not figure.is_class_loss)

    def over(self, a: Value, b: Value, node: ast.AST) -> Value:
        """`a / b`."""
        if isinstance(a, Number) and isinstance(b, Number) and b.value:
            return Number(a.value / b.value)
        if isinstance(b, Number) and (b.value == 1 or b.value == terms_divided(node)):
            return a  # of so many terms it is the mean
        if isinstance(a, Number) and a.value == 1 and isinstance(b, Count):
            return Inverse(b, node)
        if isinstance(a, Figure) and RANKS.search(divisor_name(node)):
            if a.ranks is not None:
                return self.mean_of_ranks(a, node)
            if a.how == "epoch":
                return a  # of what the ranks added up before it was divided
        if isinstance(a, Gradient) and a.of.loops:
            return self._mean_gradient(a.of, b, node)
        scaled = self._per_token(a, b, node) or self._by_steps(a, b, node)
        if scaled is not None:
            return scaled
        if isinstance(a, Figure) and a.how != "epoch":
            if a.loops:
                return self.divided(a, b, node)
            if a.how == "sum" and isinstance(b, Count) and b.of in ("batch", "elements") and is_of(a.loop, b):
                return altered(a, how="mean", shown=a.shown and (b.shown or b.of == "elements"))
            if isinstance(b, Count) and b.of in ("length", "nearly") and not a.divided:
                return altered(a, divided=((b, node),))
        if isinstance(a, Batch):
            self.withdraw(b)
            if a.about == "loss":
                return Batch(a.loop, "reduced")
            return a if isinstance(b, Number | Batch) else Batch(a.loop, "reduced")  # by a count, it may be
        return self.withdraw(a, b)

    def mean_of_ranks(self, figure: Figure, node: ast.AST) -> Figure:
        """The mean over what the ranks hold."""
        raise NotImplementedError

    def _per_token(self, a: Value, b: Value, node: ast.AST) -> Value | None:
        """A sum over the number of the positions that count."""
        if not counts_valid(b):
            return None
        if isinstance(a, Figure) and a.how == "sum" and not a.loops and a.loop is not None:
            return altered(a, how="mean", per_token=True)
        if isinstance(a, Batch) and a.about == "total":
            return Figure("mean", (Place(node, VALID),), False, a.loop, per_token=True)
        return Batch(a.loop, "reduced", about="shares") if isinstance(a, Batch) else None

    def _by_steps(self, a: Value, b: Value, node: ast.AST) -> Value | None:
        """A mean over what each micro-batch holds, or its gradient, over the number of micro-batches."""
        figure = a.of if isinstance(a, Gradient) else a
        name = divisor_name(node)
        if not isinstance(figure, Figure) or figure.loops or figure.loop is None:
            return None
        if name == ITEMS:
            return self._by_items(figure, node)
        if not STEPS.search(name) and not counts_parts(b, figure.loop):
            return None
        if figure.over_items:
            text = "this divides by the number of accumulation steps, too"
            return self._wrong(figure, node, "accumulation", text, "items and steps")
        if figure.how != "mean":
            return None
        figure = altered(figure, scaled=(*figure.scaled, node))
        if not figure.per_token or figure.is_told or len(figure.scaled) > 1:
            return Gradient(figure) if isinstance(a, Gradient) else figure
        found = self._wrong(figure, node, "micro-batch token mean", EACH_ALIKE, "steps")
        return Gradient(found) if isinstance(a, Gradient) else found

    def _mean_gradient(self, figure: Figure, by: Value, node: ast.AST) -> Value:
        """Gradients that were added up over micro-batches, over the number of these."""
        counted = self._counted(figure, by, in_each=False)
        is_by_steps = STEPS.search(divisor_name(node)) or (counted is not None and counted[0] == "rounds")
        if is_by_steps and figure.per_token and figure.how == "mean" and figure.is_whole:
            return Gradient(self._wrong(figure, node, "micro-batch token mean", EACH_ALIKE, "steps"))
        if is_by_steps and figure.how == "mean" and not figure.divided and not figure.over_items:
            if [divisor_name(division) for division in figure.scaled] == [divisor_name(node)]:
                text = "this divides the sum of the gradients by the accumulation steps again"
                return Gradient(self._wrong(figure, node, "accumulation", text, "twice"))
        return self.unknown()

    def _by_items(self, figure: Figure, node: ast.AST) -> Figure:
        """What is divided by the number of items of all batches of one step."""
        if figure.how == "mean":
            text = "this divides by the number of items in all batches of the step again"
            return self._wrong(figure, node, "accumulation", text, "items")
        return altered(figure, over_items=True)

    def _wrong(self, figure: Figure, node: ast.AST, kind: Kind, text: str, about: str) -> Figure:
        """The figure with its finding, which goes if something is done to it that may make up for it.

        What is divided by, or what says which positions count, is known by its name: nothing is proved.
        """
        places = (*figure.places, Place(node, text))
        if is_foreign(node) and self.call is not None:
            self.moved.setdefault(self.call, node)
            node = self.call
        if node in self._right:
            return figure
        self.found.setdefault(node, Miscount(node, kind, places, False, None, None, about))
        return altered(figure, event=node)

    def averaged_over_ranks(self, value: Value, node: ast.AST) -> Value:
        """`lax.pmean(x)`."""
        if isinstance(value, Several):
            return Several(tuple(self.averaged_over_ranks(item, node) for item in value.items))
        figure = value.of if isinstance(value, Gradient) else value
        if isinstance(figure, Figure) and figure.per_token and figure.how == "mean" and figure.is_whole:
            text = "this gives every device the same weight, whatever the number of its positions"
            figure = self._wrong(figure, node, "micro-batch token mean", text, "ranks")
            return Gradient(figure) if isinstance(value, Gradient) else figure
        return value

    def divided(self, total: Figure, by: Value, node: ast.AST, in_each: bool = False) -> Figure:
        """A total over a count: the figure of the epoch, right or wrong."""
        counted = self._counted(total, by, in_each)
        if isinstance(by, Figure):
            self.withdraw(by)
        done: Figure = altered(total, how="epoch", loops=(), divided=(), event=None)
        if total.ranks is not None:
            return done
        if total.scaled:
            counts = counted is not None and counted[0] == "rounds"
            return self._scaled_before(total, done, by, counts, node)
        if counted is None:
            return done
        what, shown = counted
        kind = _WRONG.get((total.how, what))
        if kind == "epoch sum over batches":
            has_batches = total.loops[-1].has_batches
            if not total.is_weighted and (has_batches is False or is_told_per_batch(self.statement)):
                kind = None  # a sum over what may be one example; the figure of a batch, as it is called
            # A mean times a length is a sum over many, but several heads are no batches.
            shown = shown and bool(has_batches)
        elif kind is not None and not total.loops[-1].has_batches:
            shown = False  # they may be of one example each, and rightly counted by the examples
        if (total.how, what) == ("sum", "examples"):
            self.rightly.add(node)
        if kind is None or node in self._right:
            return done
        text = "this counts the batches" if what == "rounds" else "this counts the examples"
        places = (*total.places, Place(node, text))
        by_hand = isinstance(by, Count) and by.of == "examples"
        about = "hand" if by_hand else "each" if in_each else ""
        count = self._lengths.get(total.loops[-1], "") if what == "examples" and not total.is_supposed else ""
        if what == "rounds" and total.loops[-1].has_dataset and isinstance(by, Count) and by.of == "length":
            count = "dataset"
        found = Miscount(node, kind, places, total.shown and shown, None, None, about, count)
        self.found.setdefault(node, found)
        return altered(done, event=node)

    def _scaled_before(self, total: Figure, done: Figure, by: Value, counts: bool, node: ast.AST) -> Figure:
        """A total of losses that were divided by the accumulation steps: over these again, or over all batches.

        `counts` says that the rounds are counted; the length of the loader is wrong if the loop is left early, too.
        """
        by_steps = divisor_name(node) == divisor_name(total.scaled[0])
        if isinstance(by, Count) and by.of == "length" and len(total.loops) == 1:
            counts |= by.key in total.loops[0].rounds and total.loops[0] not in self.loops
        if total.how != "mean" or not (by_steps or counts):
            return done
        places = (*total.places, Place(total.scaled[0], "this divides by the accumulation steps"))
        text = "this divides by them again" if by_steps else "this counts all the batches"
        about = "twice" if by_steps else "figures"
        return self._wrong(altered(done, places=places), node, "accumulation", text, about)

    def averaged(self, figures: Figures, node: ast.AST) -> Value:
        """The mean of a list of figures."""
        if not isinstance(figures.item, Figure):
            return self.unknown()
        return self.divided(figures.item, Count("rounds", loops=figures.loops), node)

    def _counted(self, total: Figure, by: Value, in_each: bool) -> tuple[Counted, bool] | None:
        """What a divisor counts in the loops of a total, and whether the code shows it."""
        if isinstance(by, Count) and by.of in ("rounds", "examples"):
            what: Counted = "rounds" if by.of == "rounds" else "examples"
            if by.loops == total.loops:
                return what, by.shown
            return None
        if len(total.loops) != 1:
            return None
        loop = total.loops[0]
        if loop in self.loops and not in_each:
            return None  # in the middle of an epoch: what is told every hundred steps
        key = key_of(by)
        if isinstance(by, Count) and by.of == "nearly":
            is_of_loop = by.key in loop.rounds or loop in by.loops
            return ("examples", False) if is_of_loop and total.how == "mean" and loop.may_count else None
        if isinstance(by, Count) and by.of == "batch" and by.key in loop.examples and loop.may_count:
            # All that a loop around this one gave: what goes through it in parts, or one by one.
            return ("examples", loop.examples[by.key] and by.shown) if loop.has_batches is not False else None
        if isinstance(by, Count) and by.of == "length":
            if by.key in loop.rounds:
                return ("rounds", by.shown) if not loop.breaks else None
            if not loop.may_count:
                return None
            if by.key in loop.examples:
                return "examples", loop.examples[by.key] and by.shown
            if is_beside(by, loop):
                return "examples", False
            if loop.has_data and share_a_name(by.name, loop.name):
                return "examples", False
        if key and key in loop.rounds and not loop.breaks:
            return "rounds", True
        if key and key in loop.examples and loop.may_count:
            return "examples", loop.examples[key]
        return None


_WRONG: Final[dict[tuple[str, str], Kind]] = {
    ("mean", "examples"): "epoch mean over examples",
    ("perplexity", "examples"): "epoch mean over examples",
    ("sum", "rounds"): "epoch sum over batches",
    ("perplexity", "rounds"): "mean of perplexities",
}
