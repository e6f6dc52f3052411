"""Choices by name: each depends on the seed and on its own name alone, so that one can be changed and the rest stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """The choices that make a program. The first option of each is the plainest: shrinking goes back to it."""

    def __init__(self, key: str, given: Mapping[str, int] | None = None) -> None:
        """`key` stands for the seed and the number of the program; `given` overrules what it would choose."""
        self._key = key
        self._given = given or {}
        self._asked: Counter[str] = Counter()
        self.made: dict[str, int] = {}
        """Which option was taken, by the name of the choice."""

    def pick(self, name: str, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the options; a name that is asked for again is another choice."""
        self._asked[name] += 1
        if self._asked[name] > 1:
            name = f"{name}#{self._asked[name]}"
        index = self._given.get(name)
        weights = weights or [1.0] * len(options)
        if index is None or index >= len(options) or not weights[index]:
            index = self._drawn(name, weights)
        self.made[name] = index
        return options[index]

    def chance(self, name: str, probability: float) -> bool:
        """True with this probability; False is the plainer."""
        return self.pick(name, (False, True), (1 - probability, probability))

    def _drawn(self, name: str, weights: Sequence[float]) -> int:
        digest = blake2b(f"{self._key}/{name}".encode(), digest_size=8).digest()
        at = int.from_bytes(digest, "big") / 2**64 * sum(weights)
        for index, weight in enumerate(weights):
            at -= weight
            if at < 0:
                return index
        return max(index for index, weight in enumerate(weights) if weight)
