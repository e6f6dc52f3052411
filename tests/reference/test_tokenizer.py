"""The tokenizer: nothing lost, nothing random, and the vocabulary as large as asked."""

from __future__ import annotations

import pytest
from batchmean_reference.tokenizer import alice, alice_tokenizer, train_tokenizer
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("vocabulary", [65, 100, 500, 1000])
def test_vocabulary_is_a_knob_and_text_survives(vocabulary: int) -> None:
    tokenizer = alice_tokenizer(vocabulary)
    ids = tokenizer.encode(alice())
    assert tokenizer.vocabulary == vocabulary
    assert ids.max() < vocabulary
    assert tokenizer.decode(ids.tolist()) == alice()


def test_more_tokens_make_a_shorter_text() -> None:
    lengths = [len(alice_tokenizer(vocabulary).encode(alice())) for vocabulary in (65, 100, 500, 1000)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == len(alice())


def test_merges_of_a_small_vocabulary_are_the_first_of_a_large_one() -> None:
    assert train_tokenizer(alice(), 100) == alice_tokenizer(100)


def test_merges_the_most_frequent_pair_first() -> None:
    tokenizer = train_tokenizer("abcabcab", 4)
    assert tokenizer.merges == ((0, 1),)
    assert tokenizer.encode("abab").tolist() == [3, 3]


def test_a_pair_of_equal_tokens_does_not_overlap_itself() -> None:
    tokenizer = train_tokenizer("aaaaab", 3)
    assert tokenizer.encode("aaaaa").tolist() == [2, 2, 0]


@given(st.text(alphabet="abc", min_size=2, max_size=60), st.text(alphabet="abc", max_size=30))
def test_whatever_it_was_trained_on_text_survives(training: str, text: str) -> None:
    try:
        tokenizer = train_tokenizer("abc" + training, 6)
    except ValueError:
        return  # too short for six tokens
    assert tokenizer.decode(tokenizer.encode(text).tolist()) == text


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="not in the alphabet"):
        alice_tokenizer(65).encode("Größe")
    with pytest.raises(ValueError, match="vocabulary"):
        alice_tokenizer(64)
    with pytest.raises(ValueError, match="vocabulary"):
        alice_tokenizer(1001)
    with pytest.raises(ValueError, match="characters"):
        train_tokenizer("abc", 2)
    with pytest.raises(ValueError, match="too short"):
        train_tokenizer("ab", 9)
