"""Seeded chance: named streams, so that a change in one part of the world leaves the others as they were."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: int, *names: str | int) -> Random:
    """A generator that depends on the seed and the names alone, never on what was drawn elsewhere.

    >>> stream(7, "orders", 3).random() == stream(7, "orders", 3).random()
    True
    >>> stream(7, "orders", 3).random() == stream(7, "orders", 4).random()
    False
    """
    text = ":".join([str(seed), *map(str, names)])
    return Random(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count; above a mean of 30 by the normal approximation, which is close enough for a world."""
    if mean <= 0:
        return 0
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def whole(rng: Random, expected: float) -> int:
    """A whole number whose mean is the expected one: 2.3 gives 2 in seven and 3 in three of ten draws."""
    floor = int(expected)
    return floor + (rng.random() < expected - floor)


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def between(rng: Random, low: float, high: float) -> int:
    """A whole number from low up to, but not including, high."""
    return int(low + rng.random() * (high - low))


class Weighted(Generic[T]):
    """Options drawn in proportion to their weights."""

    __slots__ = ("_bounds", "_options", "_total")

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        self._options = [option for option, _ in weights]
        self._bounds = list(accumulate(weight for _, weight in weights))
        self._total = self._bounds[-1]

    def draw(self, rng: Random) -> T:
        """One option."""
        return self._options[min(bisect_right(self._bounds, rng.random() * self._total), len(self._options) - 1)]
