"""What a loss's arguments are: from their names, annotations, defaults and documentation, and from trying.

Names alone mislead: `input` may be logits, log-probabilities or numbers. So a guess is called, and the loss's own
answers decide (`evidence.py`): the first guess under which the loss has a support where the guess says so is taken, and
where none has one, the first that runs and in which every example counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from batchmean_reference import evidence
from batchmean_reference.arguments import (
    IGNORED,
    KINDS,
    LABELS,
    SIZES,
    Argument,
    axes_of,
    draw_inputs,
    mask_of,
    size_points,
)
from batchmean_reference.calling import Callee, Unjudged, axis_of_size, short
from batchmean_reference.laws import Loss
from batchmean_reference.uniform import Level, uniform

LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("B", "V"),
    ("B",),
    ("B", "T", "V"),
    ("B", "V", "H", "W"),
    ("B", "I", "H", "W"),
    ("B", "V", "T"),
    ("V", "B"),
    ("B", "P", "H", "W"),
)
"""Axes that a prediction may have, most likely first."""

ROLES: tuple[tuple[str, str], ...] = (
    (r"(.*_)?(advantages?|rewards?|returns?|ratios?|td_errors?|importance_weights?)", "signal"),
    (r"input_lengths?|logit_lengths?", "input lengths"),
    (r"target_lengths?|label_lengths?", "target lengths"),
    (r"(logit|label)_paddings?", "no padding"),
    (r"(.*_)?(log_?p(robs?)?|log_?q|log_?prob(abilitie)?s?|lp|log_predictions)(_.*)?", "log-probabilities"),
    (r"log_targets?", "log-targets"),
    (r"is_pad|(key_)?pad(ding)?(_mask)?", "padding"),
    (r"(.*_)?(masks?|valid|keep)", "mask"),
    (r"(.*_)?(lengths?|lens?)", "lengths"),
    (r"(.*_)?(log_?var|log_?variance)", "log-variance"),
    (r"(z_?|latent_?)?(mu|means?|loc)\d?", "mean"),
    (r"(.*_)?(log_?sigma|log_?std|log_?scale)", "log-deviation"),
    (r"sigma|std|stddev|scale", "deviation"),
    (r"config(uration)?|cfg", "configuration"),
    (r"(.*_)?(index|indices|ids|positions?)", "labels"),
    (r"(.*_)?teacher(_.*)?", "teacher"),
    (r"y_?(pred|hat|score|prob|proba)(_.*)?|labels_pred|(.*_)?logits?", "prediction"),
    (r"(.*_)?(labels?|classes)(_.*)?", "target"),
    (r"(.*_)?(y|y_?true|true|targets?|truth|gold|one_?hots?|t|gt|labels_true)(_.*)?\d?", "target"),
    (r"var(iance)?", "positive"),
    (r"p|q|pk|qk|(.*_)?(probs?|probabilit(y|ies)|proba)", "probabilities"),
    (r"(.*_)?(embeddings?|anchors?|positives?|negatives?|descriptors?|features?|hidden(_states?)?)\d?", "embedding"),
    (r"linear_weight|(proj|lm_head|class)_weights?", "class vectors"),
    (r"(sample_|class_)?weights?|pos_weight|w", "weights"),
    (
        r"(.*_)?(logits?|scores?|student|inputs?_?\d?|x\d?|out(puts?)?|source|preds?|predictions?|decision)(_.*)?\d?",
        "prediction",
    ),
)  # fmt: skip
"""What a parameter's name suggests, the first that fits."""

COUNTED = r"num_items_in_batch|num_valid|n_valid|num_tokens"
"""Names of the number of valid positions."""

NUMBERS: Mapping[str, float] = {
    "alpha": 0.25, "beta": 0.5, "gamma": 2.0, "temperature": 1.0, "eps": 1e-8, "epsilon": 0.1, "margin": 1.0,
    "delta": 1.0, "max_val": 1.0, "data_range": 1.0, "smoothing": 0.1, "label_smoothing": 0.1, "p": 2.0, "power": 2.0,
    "window_size": 5,
    "q": 0.7, "tau": 1.0, "lam": 0.5, "lambda_": 0.5, "clip": 0.2, "threshold": 0.5,
}  # fmt: skip
"""What a number that a loss needs is given, by its name."""

TOKENS: Mapping[str, Mapping[bool, tuple[str, ...]]] = {
    "prediction": {
        True: ("logits", "probs", "positive"),
        False: ("normal", "unit_interval", "positive", "binary_labels", "labels"),
    },
    "target": {
        True: (
            "labels",
            "one_hot",
            "probs",
            "normal",
            "sign",
            "positive",
            "sign-",
            "binary-",
            "binary_labels",
        ),
        False: (
            "normal",
            "binary_labels",
            "sign",
            "positive",
            "labels",
            "unit_interval",
            "binary",
            "binary-",
        ),
    },
}
"""Kinds to try by role, with classes and without; a minus leaves the classes' axis out."""

MOST_ATTEMPTS, MOST_RUNS = 300, 30
MORE_EXAMPLES = (8, 19)


@dataclass(frozen=True)
class Found:
    """How a loss can be called: `declared` shows each argument, `guessed` names those that the caller did not
    declare, `support` says what showed where the support is: "shift", "log", "scale", "level", or "" where
    nothing did."""

    loss: Loss
    declared: Mapping[str, str]
    guessed: frozenset[str]
    support: str
    units: tuple[str, ...]
    chosen: Mapping[str, Sequence[int]]


def role_of(name: str, annotation: str = "") -> str:
    """The role that a parameter has by its name, "array" where the name says nothing and "number" or "text" where
    the annotation does."""
    plain = annotation.strip("'\" ").lower()
    if re.fullmatch(COUNTED, name):
        return "count"
    if plain in ("float", "int", "bool", "str"):
        if axis_of_size(name) and plain == "int":
            return "size"
        return "text" if plain == "str" else "number"
    if axis_of_size(name):
        return "size"
    for pattern, role in ROLES:
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return role
    if name in ("V", "C", "K"):
        return "size"
    return "number" if name in NUMBERS else "array"


class Search:
    """Finds out how to call a loss. `declared` are the caller's declarations, `axes` the axes of the examples
    where the caller names them, `chosen` the sizes."""

    def __init__(
        self,
        callee: Callee,
        declared: Mapping[str, str],
        axes: Sequence[str] | None,
        unit: Sequence[str] | None,
        exempt: Mapping[str, str],
        chosen: Mapping[str, Sequence[int]],
    ) -> None:
        self.callee = callee
        self.declared = dict(declared)
        self.axes = tuple(axes) if axes else None
        self.unit = tuple(unit) if unit else None
        self.exempt = exempt
        self.chosen = chosen
        self.fixed = {axis: sizes[0] for axis, sizes in chosen.items() if len(sizes) == 1} | callee.fixed
        self.failure = ""
        self.wants_float32 = False  # whether an attempt failed for its float64
        self.tried: dict[str, None] = {}
        if unknown := sorted(set(declared) - set(callee.parameters.names)):
            raise ValueError(
                f"there is no argument {', '.join(unknown)}; there are: {', '.join(callee.parameters.names)}"
            )

    def find(self) -> Found:
        """Raises `ValueError` where the loss cannot be called, `Unjudged` where what it gives cannot be judged."""
        needed = [
            name
            for name in self.callee.parameters.names
            if name in self.declared or name in self.callee.parameters.required
        ]
        order = self.callee.parameters.names.index
        more = [name for name in self.optional if name not in needed]
        sets = [needed, *([*needed, name] for name in more), [*needed, *more]]
        for names in dict.fromkeys(tuple(sorted(names, key=order)) for names in sets):
            if names and (found := self._among(names)):
                return found
        told = ValueError(self._why_not(needed))
        for size in self._sizes_in(self.failure):
            self.chosen = {**self.chosen, "V": [size]}
            self.fixed = {**self.fixed, "V": size}
            if needed and (found := self._among(tuple(needed))):
                return found
        raise told

    def _sizes_in(self, failure: str) -> list[int]:
        """Numbers of classes that the code may fix, from what it raised: of the shapes (3, 10) and (3, 5) it is 10."""
        if "V" in {**self.fixed, **self.chosen}:
            return []
        named = {int(number) for number in re.findall(r"(?<![\w.-])\d{1,5}(?![\w.])", failure)}
        return sorted(number for number in named if number > 1 and number not in SIZES.values())[:3]

    @property
    def optional(self) -> list[str]:
        """Arrays that default to None and are needed all the same, by their names."""
        return [
            name
            for name in self.callee.parameters.names
            if name not in self.callee.parameters.required
            and self.callee.parameters.default(name) is None
            and not name.startswith("ref_")
            and role_of(name) in ("prediction", "target", "probabilities", "log-probabilities")
        ]

    def _among(self, names: Sequence[str]) -> Found | None:
        """The best way to call it with arguments of these names, None where none works."""
        fallback: list[tuple[int, int, Found]] = []
        runs = 0
        most = 8 if self.callee.framework == "jax" else MOST_RUNS
        for number, chosen in enumerate(self._choices(names)):
            if number >= MOST_ATTEMPTS or runs >= most:
                break
            found = self._tried(chosen)
            if found is None:
                continue
            runs += 1
            if found.guessed == frozenset() or (found.support and self._sane(found)):
                return found
            fallback.append((self._doubts(found), number, found))
        return min(fallback, key=lambda one: one[:2])[2] if fallback else None

    def _choices(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        """Declarations for these arguments, most likely first."""
        parameters = self.callee.parameters
        roles = {
            name: role_of(name, parameters.annotation(name)) for name in names if name not in self.declared
        }
        seen: set[tuple[str, ...]] = set()
        for layout in self.layouts:
            wide = "V" in layout
            if (
                not wide
                and "signal" not in roles.values()
                and any(re.search("logit|log_?prob", name) for name in roles)
            ):
                continue  # logits have classes
            ordered: dict[str, tuple[str, ...]] = {}
            for role in dict.fromkeys(roles.values()):
                ordered[role] = self._tokens(role, wide, roles)
            for tokens in sorted(
                product(*map(enumerate, ordered.values())), key=lambda one: sum(i for i, _ in one)
            ):
                by_role = dict(zip(ordered, (token for _, token in tokens), strict=True))
                chosen = {
                    name: self._with_axes(self.declared[name], layout) if name in self.declared
                    else self._declaration(name, roles[name], by_role[roles[name]], layout, roles)
                    for name in names
                }  # fmt: skip
                key = tuple(chosen.values())
                if key not in seen:
                    seen.add(key)
                    yield chosen

    @property
    def layouts(self) -> list[tuple[str, ...]]:
        """The axes of a prediction to try: the caller's, or those that the documentation names first."""
        declared = [re.findall(r"\(([^)]*)\)", text) for text in self.declared.values()]
        full = [tuple(re.split(r"\s*,\s*", found[0].strip())) for found in declared if found]
        full = [axes for axes in full if "B" in axes]
        if full:
            longest = max(full, key=len)
            labels = [
                text
                for text in self.declared.values()
                if text.partition("(")[0].strip() in (*LABELS, "mask", "bool_mask")
            ]
            if "V" not in longest and labels and "D" not in longest:
                last = (*longest, "V")
                return (
                    [("B", "V", *longest[1:]), last] if "H" in longest else [last, ("B", "V", *longest[1:])]
                )
            return [longest]
        if self.axes:
            return [(*self.axes, "V"), self.axes]
        text = self.callee.documentation
        ordered = list(LAYOUTS)
        first: tuple[str, ...] | None = None
        if re.search(
            r"batch_size,\s*seq\w*,\s*(vocab|num_cl)|\(B,\s*T,\s*[VC]|\[B,\s*T,\s*[VC]", text, re.IGNORECASE
        ):
            first = ("B", "T", "V")
        elif re.search(r"[NB],\s*C,\s*H|BNH|BCHW|NCHW|[BN],\s*\*|[NB],\s*C,\s*d_1", text):
            first = None  # two axes are fewer, and mostly taken, too
        if first:
            ordered.remove(first)
            ordered.insert(0, first)
        return ordered

    def _tokens(self, role: str, wide: bool, roles: Mapping[str, str]) -> tuple[str, ...]:
        if role in TOKENS:
            return TOKENS[role][wide]
        if role == "array":
            return (
                ("logits", "normal", "positive", "probs") if wide else ("normal", "positive", "unit_interval")
            )
        if role == "teacher":
            return ("logits", "probs", "log_probs") if wide else ("normal", "unit_interval")
        if role == "weights":
            return ("weights", "class weights") if wide else ("weights",)
        if role == "probabilities":
            return ("probs", "unit_interval") if wide else ("unit_interval", "probs")
        return ("",)

    def _declaration(
        self, name: str, role: str, token: str, layout: tuple[str, ...], roles: Mapping[str, str]
    ) -> str:
        """What an argument is in this guess, as a declaration."""
        narrow = tuple(axis for axis in layout if axis not in ("V", "I")) or ("B",)
        ctc = "input lengths" in roles.values() or "no padding" in roles.values()
        if ctc:
            of = {
                "log-probabilities": "log_probs (T, B, V)", "prediction": "logits (B, T, V)",
                "target": "nonblank (B, S)",
                "input lengths": "size_list (B, T)", "target lengths": "size_list (B, S)",
                "no padding": "zeros (B, T)" if name.startswith("logit") else "zeros (B, S)",
            }  # fmt: skip
            if role in of:
                return of[role]
        if role in ("size",):
            return f"size {axis_of_size(name) or 'V'}"
        if role == "number":
            annotation = self.callee.parameters.annotation(name).strip("'\" ").lower()
            value: Any = NUMBERS.get(name, {"bool": False, "int": 2}.get(annotation, 0.5))
            return f"scalar {int(value) if annotation == 'int' else value}"
        if role == "text":
            return "text mean"
        if role == "count":
            return "count n_valid"
        if role == "configuration":
            return "config num_labels=V num_classes=V vocab_size=V problem_type=None pad_token_id=0"
        if role == "weights" and token == "class weights":
            return "positive (V)"
        of_chosen = "signal" in roles.values()  # log-probabilities of what was done, one each
        plain = {
            "signal": f"normal {_tuple(narrow)}",
            "log-probabilities": f"log_probs {_tuple(narrow if of_chosen else layout)}",
            "log-targets": f"log_probs {_tuple(layout)}",
            "padding": f"pad_mask {_tuple(narrow)}", "mask": f"mask {_tuple(narrow)}", "lengths": "lengths (B)",
            "mean": "mu (B, D)", "log-variance": "logvar (B, D)", "log-deviation": "log_sigma (B, D)",
            "deviation": "sigma (B, D)", "positive": f"positive {_tuple(layout)}", "embedding": "normal (B, D)",
            "class vectors": "normal (V, D)", "weights": f"weights {_tuple(narrow)}",
            "labels": f"{self.labels} {_tuple(narrow)}",
        }  # fmt: skip
        if role in plain:
            return plain[role]
        others = set(roles.values())
        sized = {*self.callee.fixed, *self.callee.sized}
        if role == "prediction" and ("class vectors" in others or "D" in sized):
            return "normal (B, D)"
        if role == "target" and ("class vectors" in others or "D" in sized):
            return "labels (B)"
        if role == "target" and "embedding" in others:  # two classes: there are pairs that are alike
            return "labels (B)" if token == "labels" else "binary_labels (B)"
        if token == "labels":
            return f"{self.labels} {_tuple(narrow)}"
        if token.endswith("-"):
            return f"{token[:-1]} {_tuple(narrow)}"
        return f"{token} {_tuple(layout)}"

    @property
    def labels(self) -> str:
        """Labels some of which are ignored, where the loss says that it ignores them."""
        instance = self.callee.made(self.callee.placeholder_sizes)
        stated = (
            self.callee.parameters.default("ignore_index")
            if "ignore_index" in self.callee.parameters.names
            else None
        )
        return (
            "ignorable_labels" if IGNORED in (stated, getattr(instance, "ignore_index", None)) else "labels"
        )

    def _with_axes(self, declaration: str, layout: tuple[str, ...]) -> str:
        """`one_hot` as `one_hot (B, V)`; declarations that are complete stay as they are."""
        kind = declaration.strip()
        if kind not in KINDS:
            return kind
        narrow = tuple(axis for axis in layout if axis not in ("V", "D", "I")) or ("B",)
        if kind == "lengths":
            return f"{kind} ({narrow[0]})"
        if KINDS[kind].latent:
            return f"{kind} {_tuple((*narrow, 'D'))}"
        if KINDS[kind].distribution:
            return f"{kind} {_tuple(layout if 'V' in layout else (*layout, 'V'))}"
        return f"{kind} {_tuple(narrow)}"

    def _tried(self, chosen: Mapping[str, str]) -> Found | None:
        """How the loss answers to these declarations, None where it raises or gives no number."""
        arguments = tuple(Argument.parse(name, text) for name, text in chosen.items())
        text = ", ".join(f"{name}={kind}" for name, kind in chosen.items())
        loss = Loss(self.callee.bound(arguments), arguments, exempt=dict(self.exempt), fixed=self.fixed)
        sizes = self.chosen
        try:
            start = size_points(loss.axes, self.fixed, sizes)[0]
            self.tried.setdefault(text)
            inputs = draw_inputs(arguments, start)
            value = self._value(loss, inputs)
            if (value is None or value == 0) and "B" in start and "B" not in {**self.fixed, **sizes}:
                # Among three examples there may be no two that are alike.
                sizes = {**sizes, "B": MORE_EXAMPLES}
                start = size_points(loss.axes, self.fixed, sizes)[0]
                inputs = draw_inputs(arguments, start)
                value = self._value(loss, inputs)
            if value is None:
                raise ValueError("the loss is no finite number")
            if value == 0 and set(chosen) - set(self.declared):
                raise ValueError("the loss is 0")
        except Unjudged:
            raise
        except ImportError as error:  # no other guess mends it
            raise ValueError(f"the function ended with {short(error)}") from error
        except Exception as error:  # the user's code may raise anything; the next guess may suit it
            if "SystemExit" in str(error):
                raise ValueError(str(error)) from error
            self.failure = self.failure or short(error)
            self.wants_float32 = self.wants_float32 or bool(
                re.search(r"(?i)\b(double|float64)\b", str(error))
            )
            return None
        guessed = frozenset(chosen) - set(self.declared)
        if softmaxed := self._softmaxed_targets(loss, inputs, guessed):
            return self._tried({**chosen, **softmaxed})
        support = self._support(loss, inputs, start, bool(guessed))
        declared = dict(chosen)
        if support == "log" and (renamed := self._as_log_probs(loss, inputs, declared, guessed)):
            declared = renamed
            arguments = tuple(Argument.parse(name, kind) for name, kind in declared.items())
            loss = Loss(self.callee.bound(arguments), arguments, exempt=dict(self.exempt), fixed=self.fixed)
        return Found(loss, declared, guessed, support, self._units(arguments, support), sizes)

    @staticmethod
    def _softmaxed_targets(loss: Loss, inputs: dict[str, Any], guessed: frozenset[str]) -> dict[str, str]:
        """Declarations as logits for what was taken for distributions and goes through a softmax."""
        changed = {}
        for argument in loss.arguments:
            if (
                argument.name in guessed
                and argument.kind in ("one_hot", "probs")
                and argument.support is not None
            ):
                try:
                    if evidence.invariant_axis(loss, inputs, argument) == argument.support:
                        changed[argument.name] = f"logits {_tuple(argument.axes)}"
                except Exception:
                    continue
        return changed

    @staticmethod
    def _value(loss: Loss, inputs: dict[str, Any]) -> float | None:
        """The loss, None where it is not finite."""
        try:
            return loss(inputs)
        except ValueError as error:
            if re.fullmatch("the loss is (nan|-?inf)", str(error)):
                return None
            raise

    def _support(self, loss: Loss, inputs: dict[str, Any], start: Mapping[str, int], guessed: bool) -> str:
        """What shows that the loss has a support where the arguments say so. Raises `ValueError` where it has one
        elsewhere and the arguments were declared."""
        over = [one for one in loss.arguments if one.support is not None]
        over.sort(
            key=lambda one: (one.kind == "one_hot", ["prediction", "array"].count(role_of(one.name)) == 0)
        )
        elsewhere = ""
        for argument in over:
            if argument.kind == "one_hot":
                continue
            try:
                axis = (
                    evidence.invariant_axis(loss, inputs, argument)
                    if argument.kind in ("logits", "log_probs")
                    else None
                )
                if axis is not None and axis == argument.support:
                    return "shift"
                if axis is not None and argument.axes[axis] != "B":
                    elsewhere = elsewhere or (
                        f"{argument.name} is declared as {argument.kind} {_tuple(argument.axes)}, with the classes at "
                        f"axis {argument.support}, and the loss takes its softmax over axis {axis}"
                    )
                if argument.kind in ("logits", "log_probs") and self._has_target(loss, argument):
                    slope = evidence.affine(loss, inputs, argument)
                    if slope is not None and slope > 0:
                        return "log"
                if argument.kind == "probs":
                    if evidence.logarithmic(loss, inputs, argument) is not None:
                        return "log"
                    if evidence.scale_invariant_axis(
                        loss, inputs, argument
                    ) == argument.support and isinstance(self._level(loss), Level):
                        return "scale"
            except Exception as error:  # odd inputs: what the loss says of them is no evidence
                self.failure = self.failure or short(error)
        if elsewhere and not guessed:
            raise ValueError(elsewhere)
        if elsewhere:
            return ""
        if any(one.kind in ("probs", "log_probs") for one in over):
            level = self._level(loss)
            if isinstance(level, Level) and level.plain and set(level.powers) <= {"B", loss.support}:
                return "level"
        return ""

    def _level(self, loss: Loss) -> Level | str:
        axes = [axis for axis in loss.axes if axis in ("B", loss.support)]
        points = size_points(loss.axes, self.fixed, self.chosen)
        start = points[0]
        few = [point for point in points if sum(point[one] != start[one] for one in axes) <= 1]
        return uniform(loss, few)

    @staticmethod
    def _has_target(loss: Loss, prediction: Argument) -> bool:
        return any(
            other.name != prediction.name
            and (other.kind in LABELS or other.kind in ("one_hot", "probs", "log_probs"))
            for other in loss.arguments
        )

    def _as_log_probs(
        self, loss: Loss, inputs: dict[str, Any], declared: dict[str, str], guessed: frozenset[str]
    ) -> dict[str, str]:
        """The declarations with what was tried as logits, and answers as log-probabilities do, named so."""
        changed = dict(declared)
        for argument in loss.arguments:
            if argument.kind == "logits" and argument.name in guessed and argument.support is not None:
                if (evidence.affine(loss, inputs, argument) or 0) > 0:
                    changed[argument.name] = declared[argument.name].replace("logits", "log_probs")
        return changed

    def _units(self, arguments: Sequence[Argument], support: str) -> tuple[str, ...]:
        """The axes that have to be averaged."""
        if self.unit is not None:
            return self.unit
        if mask_of(arguments) is not None:
            return ("n_valid",)
        if self.axes is not None:
            return self.axes
        over = next((one for one in arguments if one.support is not None), None)
        if over is not None and support and over.support is not None:
            return tuple(axis for axis in over.axes if axis not in (over.axes[over.support], "I", "P", "S"))
        return ("B",) if "B" in axes_of(arguments) else ()

    def _sane(self, found: Found) -> bool:
        """Whether every example counts, and for itself where the guess has the classes first."""
        sizes = size_points(found.loss.axes, self.fixed, found.chosen)[0]
        if sizes.get("B", 1) < 2:
            return True
        try:
            if any(one.axes[:2] == ("V", "B") for one in found.loss.arguments) and evidence.interacts(
                found.loss, sizes
            ):
                return False
            return not evidence.idle_examples(found.loss, sizes)
        except Exception:
            return False

    def _doubts(self, found: Found) -> int:
        """How much speaks against a guess under which no support showed."""
        doubts = 0
        try:
            sizes = size_points(found.loss.axes, self.fixed, self.chosen)[0]
            inputs = draw_inputs(found.loss.arguments, sizes)
            if "B" in sizes and sizes["B"] > 1 and evidence.idle_examples(found.loss, sizes):
                more = {**sizes, "B": MORE_EXAMPLES[0]} if "B" not in {**self.fixed, **self.chosen} else sizes
                doubts += 2 * evidence.idle_examples(found.loss, more)
            for argument in found.loss.arguments:
                if argument.kind in LABELS and role_of(argument.name) == "prediction":
                    doubts += 3
                if argument.is_array and inputs[argument.name].dtype.kind == "f":
                    doubts += 3 * (not evidence.matters(found.loss, inputs, argument.name))
            doubts += 4 * (found.loss(inputs) == 0)
        except Exception:
            doubts += 2
        return doubts

    def _why_not(self, needed: Sequence[str]) -> str:
        """One line: what was tried, how it ended, what to say."""
        template = next(iter(self.tried), "")
        said = template.replace(" (", "(").replace(", ", ",")
        tried = f" nor {len(self.tried) - 1} other guesses" if len(self.tried) > 1 else ""
        sizes = (
            " Sizes that the code fixes are said with --sizes, as in --sizes V=10."
            if re.search("(?i)shape|size|dimension|broadcast|index|rank", self.failure)
            else ""
        )
        elsewhere = self._classes_at_axis_1() if self.declared and len(self.tried) == 1 else ""
        if elsewhere:
            return (
                f"the function could not be run with {template}, and it runs with {elsewhere}: it takes the classes at "
                "axis 1"
            )
        return (
            f"the function could not be run with {template or ', '.join(needed) or 'no arguments'}{tried}. The first "
            f"attempt ended with {self.failure or 'nothing'}.{sizes} Say what its arguments are: --args '{said}'"
        )

    def _classes_at_axis_1(self) -> str:
        """The declarations with the classes at axis 1, if the loss runs with those; else nothing."""
        last = re.compile(r"\(B,\s*((?:\w+,\s*)+)V\)")
        moved = {
            name: last.sub(lambda found: _tuple(["B", "V", *re.findall(r"\w+", found[1])]), text)
            for name, text in self.declared.items()
        }
        if moved == self.declared:
            return ""
        try:
            runs = self._tried(moved) is not None
        except ValueError:
            return ""
        return ", ".join(f"{name}={text}" for name, text in moved.items()) if runs else ""


def _tuple(axes: Sequence[str]) -> str:
    return f"({', '.join(axes)})"
