"""Words in a text: whichever stems make the search fast, each is found where it stands and nowhere else."""

from __future__ import annotations

import re

import pytest
from batchmean import effects
from batchmean.effects import Effect, effect_of, names
from batchmean.engine.primitives import PRIMITIVES
from batchmean.gate import vocabulary
from batchmean.gate.words import Words
from batchmean.operations import FRAMEWORKS
from hypothesis import given
from hypothesis import strategies as st

LETTERS = st.text("aglosu_(", min_size=1, max_size=8)


@given(st.lists(LETTERS, min_size=1, max_size=6), st.text("aglosu_( \n", max_size=40))
def test_strings_are_found_as_in_finds_them(strings: list[str], text: str) -> None:
    words = Words(strings)
    assert words.are_in(text) == any(string in text for string in strings)
    assert bool(list(words.places_in(text))) == words.are_in(text)


@given(
    st.lists(st.text("aglosu", min_size=1, max_size=5), min_size=1, max_size=6),
    st.text("aglosu_( s", max_size=40),
)
def test_short_names_are_found_where_they_are_called(short: list[str], text: str) -> None:
    called = re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?:\(| as\b)")
    assert Words(names=short).are_in(text) == (called.search(text) is not None)


@pytest.mark.parametrize("text", ["np.log(p)", "x=-log(p)", "from math import log as ln", "p.log()"])
def test_a_short_name_is_found_behind_whatever_is_no_letter(text: str) -> None:
    assert Words(names=["log"]).are_in(text)


@pytest.mark.parametrize("text", ["catalog(p)", "log_dir = logs", "blog as x", "log2(p)", "# a log of it"])
def test_a_short_name_is_no_part_of_another_word(text: str) -> None:
    assert not Words(names=["log"]).are_in(text)


def test_every_effect_is_that_of_a_primitive() -> None:
    assert effects.primitives() <= PRIMITIVES.keys()


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect.AVERAGES, vocabulary.REDUCTIONS),
        (Effect.DIVIDES, vocabulary.REDUCTIONS),
        (Effect.SUMS, vocabulary.SUMMING),
        (Effect.TAKES_LOGARITHM, vocabulary.DIVERGENCES),
        (Effect.GIVES_LOSS, vocabulary.LIBRARY_LOSSES),
        (Effect.COUNTS, vocabulary.COUNTS),
    ],
)
def test_the_gate_knows_every_function_of_an_effect(effect: Effect, words: Words) -> None:
    missed = {name for name in names(effect) if not words.are_in(f" = np.{name}(x)")}
    missed |= {name for name in names(effect) if not words.are_in(f"import {name} as other")}
    assert names(effect)
    assert not missed


def test_a_layer_has_the_effect_of_its_function() -> None:
    lines = {name.rpartition(".")[2]: line for table in FRAMEWORKS for name, line in table.functions.items()}
    assert Effect.TAKES_LOGARITHM in effect_of(lines["LogSoftmax"])
    assert Effect.TAKES_LOGARITHM not in effect_of(lines["Sigmoid"])


def test_a_sum_stands_beside_each_mean() -> None:
    means = effects.spellings("mean")
    assert means
    assert means == effects.beside("mean", "sum").keys()
    assert effects.beside("mean", "sum")["reduce_mean"] == "reduce_sum"
    assert effects.beside("mean", "sum")["nanmean"] == "nansum"
