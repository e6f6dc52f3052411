"""Byte-pair encoding in one screen: the size of the vocabulary, V, is a knob.

Start from the characters of the text. Then, again and again, give the most frequent pair of neighbouring
tokens a token of its own (Gage 1994; for language models Sennrich, Haddow and Birch 2016). Stop at V tokens.
Merges are nested: the first merges of a large vocabulary are the whole of a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from batchmean_reference.losses import Integers

LARGEST_VOCABULARY = 1000


@dataclass(frozen=True)
class Tokenizer:
    """`alphabet`: the characters, ids 0, 1, 2, ...; `merges`: pairs of ids, each made the next id."""

    alphabet: str
    merges: tuple[tuple[int, int], ...]

    @property
    def vocabulary(self) -> int:
        """V, the number of different tokens."""
        return len(self.alphabet) + len(self.merges)

    def encode(self, text: str) -> Integers:
        """Text to token ids (N,). Raises `ValueError` for a character that is not in the alphabet."""
        unknown = sorted(set(text) - set(self.alphabet))
        if unknown:
            raise ValueError(f"not in the alphabet of the tokenizer: {unknown}")
        ids: Integers = np.array([self.alphabet.index(character) for character in text], np.int64)
        for new, pair in enumerate(self.merges, start=len(self.alphabet)):
            ids = _merge(ids, pair, new)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Token ids back to text: the inverse of `encode`."""
        spelled = list(self.alphabet)
        for left, right in self.merges:
            spelled.append(spelled[left] + spelled[right])
        return "".join(spelled[i] for i in ids)

    def reduced_to(self, vocabulary: int) -> Tokenizer:
        """The tokenizer that training would have given for a smaller vocabulary: the same first merges.

        Raises `ValueError` where `vocabulary` is below the size of the alphabet or above this tokenizer's
        own.
        """
        if not len(self.alphabet) <= vocabulary <= self.vocabulary:
            raise ValueError(
                f"the vocabulary must lie in {len(self.alphabet)}..{self.vocabulary}, got {vocabulary}"
            )
        return Tokenizer(self.alphabet, self.merges[: vocabulary - len(self.alphabet)])


def train_tokenizer(text: str, vocabulary: int) -> Tokenizer:
    """Learns the merges that a text suggests, up to `vocabulary` tokens.

    Equal counts are broken by the smaller pair of ids, so the result does not depend on anything but the
    text. Raises `ValueError` where the alphabet alone is larger, or the text too short to fill the
    vocabulary.
    """
    alphabet = "".join(sorted(set(text)))
    if vocabulary < len(alphabet):
        raise ValueError(f"the text has {len(alphabet)} characters, more than a vocabulary of {vocabulary}")
    merges: list[tuple[int, int]] = []
    ids = Tokenizer(alphabet, ()).encode(text)  # (N,), shorter with every merge
    for new in range(len(alphabet), vocabulary):
        if len(ids) < 2:
            raise ValueError(f"the text is too short for a vocabulary of {vocabulary}")
        pairs, counts = np.unique(ids[:-1] * vocabulary + ids[1:], return_counts=True)  # sorted by pair
        left, right = divmod(int(pairs[counts.argmax()]), vocabulary)
        ids = _merge(ids, (left, right), new)
        merges.append((left, right))
    return Tokenizer(alphabet, tuple(merges))


def _merge(ids: Integers, pair: tuple[int, int], new: int) -> Integers:
    """Writes `new` for every occurrence of `pair`, from left to right, without overlaps."""
    starts = np.flatnonzero((ids[:-1] == pair[0]) & (ids[1:] == pair[1]))
    if pair[0] == pair[1]:  # in "aaa" the first two make a pair, the last is left over
        kept: list[int] = []
        for start in starts.tolist():
            if not kept or start > kept[-1] + 1:
                kept.append(start)
        starts = np.array(kept, np.int64)
    merged = ids.copy()
    merged[starts] = new
    return np.delete(merged, starts + 1)


@cache
def alice() -> str:
    """The training text: chapters I to IV of *Alice's Adventures in Wonderland* (see data/README.md)."""
    return resources.files("batchmean_reference").joinpath("data/alice.txt").read_text(encoding="ascii")


@cache
def alice_tokenizer(vocabulary: int) -> Tokenizer:
    """The tokenizer of that text with V tokens, from 65 (characters) to `LARGEST_VOCABULARY`."""
    if vocabulary == LARGEST_VOCABULARY:
        return train_tokenizer(alice(), LARGEST_VOCABULARY)
    return alice_tokenizer(LARGEST_VOCABULARY).reduced_to(vocabulary)
