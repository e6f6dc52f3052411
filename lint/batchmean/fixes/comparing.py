"""Accounts in terms that can be compared between two texts, and whether those of the new one are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from batchmean.engine.domain.counting import counts_masked
from batchmean.engine.domain.tensors import Reduction, Role
from batchmean.engine.events import Miscount
from batchmean.engine.factors import Factor, factor_of
from batchmean.rules.axes import shows_its_units, summing_step
from batchmean.rules.support import SupportEvent


def averages(event: SupportEvent, before: Sequence[Reduction], now: Sequence[Reduction]) -> bool:
    """Is the support summed and the rest averaged in these accounts now, and is all else as it was?"""
    wanted = next(signatures([event.reduction]), None)
    if wanted is None or not (event.sums_the_batch or shows_its_units(event.reduction)):
        return False
    wanted = put_right(wanted)
    total = summing_step(event.reduction, event.step)
    loses_a_mean = event.step.how == "scale" and total is not None and total.how == "mean"
    if event.step.per_batch or event.is_wrong_axis or event.sums_the_batch or loses_a_mean:
        # The positions are averaged now, too, and once only.
        wanted = wanted._replace(factor=replace(wanted.factor, units=wanted.factor.units and (("B", 0),)))
    was, found = set(signatures(before)), set(signatures(now))
    # `mean((0, 1))` may become a mean over everything; what was a mean of all may not lose it.
    either = {wanted, wanted._replace(is_whole=True)}
    allowed = was | either | set(map(put_right, was))  # other findings may stand there, too
    return wanted.is_right and not either.isdisjoint(found) and found <= allowed


def counts_right(event: Miscount, before: Sequence[Reduction], after: Sequence[Reduction]) -> bool:
    """Does one account count right now, and is every other one as it was?"""
    if event.reduction is None:  # only a name says that it is a loss
        return event.kind == "discarded division"
    was, now = Counter(map(_account, before)), Counter(map(_account, after))
    new, gone = now - was, was - now
    wanted = _account(event.reduction)
    if event.kind == "masked mean":
        right = [account for account in new if account.counts_masked is False]
        is_same_term = any(account.term == wanted.term for account in right)
        return is_same_term and all(account.counts_masked for account in gone)
    if event.kind == "double division":
        # What is read elsewhere, too, has no account of its own.
        return wanted in gone and all(account.is_average and account.term == wanted.term for account in new)
    return True


class Signature(NamedTuple):
    """What an account says, in terms that can be compared between two texts."""

    symbol: str
    factor: Factor
    coefficient: float | None
    factors: tuple[tuple[tuple[str, ...], int], ...]
    """What else it was multiplied by."""
    is_whole: bool
    """Was everything that is left of it reduced at last?"""

    @property
    def is_right(self) -> bool:
        return not self.factor.support and not any(power for _, power in self.factor.units)


class _Account(NamedTuple):
    """An account of a loss, in terms that can be compared between two texts."""

    term: tuple[str, str, float | None, tuple[tuple[tuple[str, ...], int], ...]]
    """The integrand, its coefficient, and the unknown numbers that it was multiplied by."""
    factor: Factor | None
    counts_masked: bool | None
    valid: int
    """How often it was multiplied by the number of valid positions."""

    @property
    def is_average(self) -> bool:
        units = self.factor.units if self.factor is not None and not self.factor.is_twice else ()
        return bool(units) and not any(power for _, power in units) and not self.valid


def _account(reduction: Reduction) -> _Account:
    counts = list(reduction.counts())
    numbers = tuple(sorted((atom.names, power) for atom, power in counts if atom.role is Role.OPAQUE))
    valid = sum(power for atom, power in counts if atom.role is Role.VALID)
    term = (reduction.integrand.kind, reduction.integrand.symbol, reduction.coefficient, numbers)
    return _Account(term, factor_of(reduction), counts_masked(reduction), valid)


def signatures(reductions: Iterable[Reduction]) -> Iterator[Signature]:
    for reduction in reductions:
        factor = factor_of(reduction)
        if factor is not None:
            symbols = reduction.integrand.support.symbols
            opaque = [(a, p) for a, p in reduction.counts() if a.role is Role.OPAQUE and a.key not in symbols]
            others = tuple(sorted((atom.names, power) for atom, power in opaque))
            symbol = reduction.integrand.symbol
            is_whole = reduction.rest is not None
            yield Signature(symbol, _comparable(factor), reduction.coefficient, others, is_whole)


def _comparable(factor: Factor) -> Factor:
    """Of an unknown number of axes, one text tells more of them apart than another: only those that are off count."""
    off = tuple((name, power) for name, power in factor.units if power)
    off = off or ((("one of them", -1),) if factor.is_twice else ())
    return replace(factor, units=off or (factor.units and (("B", 0),)))


def put_right(signature: Signature) -> Signature:
    """As it is when the support is summed."""
    return signature._replace(factor=replace(signature.factor, support=0))
